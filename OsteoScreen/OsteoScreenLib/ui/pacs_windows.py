"""The windows for the PACS and what is behind them, made when they are first asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from OsteoScreenLib.ui import qt_api
from OsteoScreenLib.ui.connection_dialog import ConnectionDialog
from OsteoScreenLib.ui.deeds import Deeds
from OsteoScreenLib.ui.host import Host
from OsteoScreenLib.ui.pacs_dialog import PacsDialog
from OsteoScreenLib.ui.pacs_presenter import PacsPresenter, Table
from OsteoScreenLib.ui.prior_dialog import PriorDialog
from OsteoScreenLib.ui.qt_api import Widget, repeating
from OsteoScreenLib.ui.send_dialog import SendDialog
from OsteoScreenLib.workbench.events import Event
from OsteoScreenLib.workbench.pacs_desk import MODULE, PacsDesk
from OsteoScreenLib.workbench.worker_client import WorkerClient

POLL_MS = 40
_REPORTS = "Earlier results (*.dcm *.json);;All files (*)"


class PacsWindows:
    """Images from an archive, results to one, and earlier results. The child process is started by the first request.

    message : (severity, sentence) for the panel. fault : an error of ours. close() ends all of it.
    """

    def __init__(self, parent: Widget, table: Table, host: Host, make_client: Callable[[], WorkerClient] | None = None) -> None:
        self.message: Event[[str, str]] = Event()
        self.fault: Event[[Exception]] = Event()
        self._parent, self._closed = parent, False
        client = make_client or (lambda: WorkerClient(host.worker_python(), arguments=("-m", MODULE), name="network process"))
        self.presenter = PacsPresenter(PacsDesk(client), host, table)
        self._images: PacsDialog | None = None
        self._results: SendDialog | None = None
        self._form: ConnectionDialog | None = None
        self._prior: PriorDialog | None = None
        self.presenter.changed.connect(self._show)
        self.presenter.message.connect(self._on_message)
        self._deeds = Deeds(self._on_message, self.fault.emit)
        self._timer = repeating(parent, POLL_MS, self._tick)

    # Windows

    def open_images(self) -> PacsDialog:
        """The window that brings radiographs."""
        if self._images is None:
            self._images = dialog = PacsDialog(self._parent)
            self._bind_parts(dialog)
            self._deeds.on(dialog.open_asked, self.presenter.fetch)
            self._deeds.on(dialog.search.search_asked, self._search)
            dialog.search.refused.connect(lambda sentence: self._on_message("warning", sentence))
        self._begin(self._images)
        return self._images

    def open_results(self) -> SendDialog:
        """The window that sends what is shown; its objects are made now, and nothing is sent before the reader's word."""
        if self._results is None:
            self._results = dialog = SendDialog(self._parent)
            self._bind_parts(dialog)
            self._deeds.on(dialog.send_asked, self.presenter.send)
            self._deeds.on(dialog.closed, self.presenter.put_away)
        self._begin(self._results)
        self._deeds.do(self.presenter.sending.prepare)
        return self._results

    def ask_for_prior(self) -> None:
        """An earlier result from a file that the reader chooses."""
        path = qt_api.ask_for_file(self._parent, "Show an earlier result", "", _REPORTS)
        if path:
            self._timer.start()
            self._deeds.do(self.presenter.show_prior, path)

    def _begin(self, dialog: PacsDialog | SendDialog) -> None:
        self._timer.start()
        dialog.show_message("", "")
        self._show_connections(dialog)
        dialog.show_busy(self.presenter.busy)
        dialog.open()
        self._deeds.do(self.presenter.begin)

    def _open_form(self) -> None:
        if self._form is None:
            self._form = ConnectionDialog(self._parent)
            self._deeds.on(self._form.add_asked, self.presenter.add)
        self._form.open()

    def _bind_parts(self, dialog: PacsDialog | SendDialog) -> None:
        head = dialog.head
        self._deeds.on(head.connection_chosen, self.presenter.choose)
        self._deeds.on(head.secret_typed, self.presenter.set_secret)
        self._deeds.on(head.add_asked, self._open_form)
        self._deeds.on(head.test_asked, partial(self._test, dialog))
        self._deeds.on(head.remove_asked, partial(self._remove, dialog))
        self._deeds.on(dialog.waiting.cancel_asked, self.presenter.cancel)

    def _dialogs(self) -> list[PacsDialog | SendDialog]:
        return [dialog for dialog in (self._images, self._results) if dialog is not None]

    # What the presenter says

    def _show(self, part: str) -> None:
        presenter = self.presenter
        for dialog in self._dialogs():
            if part == "connections":
                self._show_connections(dialog)
            elif part == "busy":
                dialog.show_busy(presenter.busy)
            elif part == "progress":
                dialog.waiting.show_progress(*presenter.progress)
        if part == "found" and self._images is not None:
            self._images.show_found(presenter.series, presenter.remark)
        elif part == "objects" and self._results is not None:
            self._results.show_objects(presenter.sending.objects, presenter.sending.preparing)
        elif part == "outcomes" and self._results is not None:
            self._results.show_outcomes(presenter.sending.outcomes)
        elif part == "added" and self._form is not None:
            self._form.close()
        elif part == "prior" and presenter.prior:
            if self._prior is None:
                self._prior = PriorDialog(self._parent)
            self._prior.show(presenter.prior)

    def _show_connections(self, dialog: PacsDialog | SendDialog) -> None:
        dialog.show_connections(self.presenter.connections, self.presenter.chosen, self.presenter.secret_typed)

    def show_message(self, severity: str, sentence: str) -> None:
        """What happened last, in one sentence; "" clears."""
        for dialog in self._dialogs():
            dialog.show_message(severity, sentence)
        if self._form is not None:
            self._form.show_message(severity, sentence)

    def _on_message(self, severity: str, sentence: str) -> None:
        self.show_message(severity, sentence)
        if sentence:
            self.message.emit(severity, sentence)

    # What the reader does

    def _search(self, search: Any) -> None:
        if self._images is not None:
            self._images.head.tell_secret()
        self.presenter.search(search)

    def _test(self, dialog: PacsDialog | SendDialog) -> None:
        dialog.head.tell_secret()
        self.presenter.test()

    def _remove(self, dialog: PacsDialog | SendDialog) -> None:
        name = self.presenter.chosen
        if name and qt_api.ask(dialog.widget, "Remove a connection", f"Forget how {name} is reached, and its password?"):
            self.presenter.remove()

    # The loop and the end

    def _tick(self) -> None:
        if self.presenter.waiting:
            self._deeds.do(self.presenter.poll)

    def restyle(self) -> None:
        """Take the palette's colours again."""
        for dialog in self._dialogs():
            dialog.restyle()
        for other in (self._form, self._prior):
            if other is not None:
                other.restyle()

    def forget(self) -> None:
        """Put every window away and keep nothing of what it showed."""
        for dialog in (self._images, self._results, self._form, self._prior):
            if dialog is not None:
                dialog.close()
        self.show_message("", "")
        self.presenter.forget()
        if self._prior is not None:
            self._prior.clear()

    def close(self) -> None:
        """End the child, delete what was fetched for this session. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        self._deeds.close()
        self._timer.close()
        for dialog in (self._images, self._results, self._form, self._prior):
            if dialog is not None:
                dialog.close()
        self.presenter.close()
