"""Watches a PACS for new radiographs: asks for the latest series again and again and fetches what is not in the queue yet."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.gateway.arrivals import Arrivals
from OsteoScreenLib.gateway.settings import Watching
from OsteoScreenLib.gateway.shared import Shared, code_of

if TYPE_CHECKING:
    from OsteoScreenLib.exchange.pacs.client import Client
    from OsteoScreenLib.exchange.pacs.query import FoundImage

MOST_SERIES = 5000


class Watcher:
    """A thread that looks every `watching.seconds`. What has been seen is what the queue knows, so nothing is fetched twice.

    connect : opens a client of the watched server.
    """

    def __init__(self, watching: Watching, connect: Callable[[], Client], arrivals: Arrivals, shared: Shared) -> None:
        self._watching, self._connect, self._arrivals, self._shared = watching, connect, arrivals, shared
        self._complete: dict[str, int] = {}  # series whose images are all known → how many they were
        self._thread = threading.Thread(target=self._watch_on, name="watcher", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether the thread still runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self, patience: float = 10.0) -> None:
        """After `shared.stopping`: wait at most so long for a fetch to end. What it had not entered is fetched after the next start."""
        if self._thread.ident is not None:
            self._thread.join(patience)

    def _watch_on(self) -> None:
        while not self._shared.stopping.is_set():
            try:
                taken = self.look()
                if taken:
                    self._shared.journal.info("watched", taken=taken)
            except OsteoScreenError as error:
                self._shared.journal.warning("watched server not usable", code=code_of(error))
            self._shared.stopping.wait(self._watching.seconds)

    def look(self) -> int:
        """Ask once and fetch what is new. Returns how many radiographs were taken in. Raises `OsteoScreenError`."""
        from OsteoScreenLib.exchange.pacs.query import Query

        first = date.today() - timedelta(days=self._watching.days - 1)
        taken = 0
        with self._connect() as client, tempfile.TemporaryDirectory(prefix=".watch-", dir=self._shared.spool.folder) as folder:
            listing = client.find_series(Query(date=f"{first:%Y%m%d}-", modalities=self._watching.modalities), MOST_SERIES)
            if listing.more:
                self._shared.journal.warning("watched server lists more than can be looked at", series=len(listing.series))
            for series in listing.series:
                if series.images is not None and self._complete.get(series.series_uid) == series.images:
                    continue
                images = client.find_images(series)
                for image in images:
                    if self._shared.stopping.is_set() or not self._shared.spool.has_room():
                        return taken
                    if not self._arrivals.knows(image.uid):
                        taken += self._fetch(client, image, Path(folder) / "one.dcm")
                if all(self._arrivals.knows(image.uid) for image in images):
                    self._complete[series.series_uid] = len(images)
        return taken

    def _fetch(self, client: Client, image: FoundImage, path: Path) -> bool:
        """Take one radiograph in. What the server refuses is remembered, so that it is not asked again every time."""
        from OsteoScreenLib.exchange.pacs.faults import PacsRefused

        try:
            client.retrieve(image, path, self._shared.limits.object_bytes)
        except PacsRefused as error:
            self._arrivals.decline(image.uid, error.code)
            return False
        data = path.read_bytes()
        path.unlink()
        arrival = self._arrivals.take(data, image.sop_class, image.uid, "watch")
        if arrival.taken == "refused":
            self._arrivals.decline(image.uid, arrival.code)
        return arrival.taken == "accepted"
