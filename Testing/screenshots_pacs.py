"""Draws the windows for a PACS: `python Testing/screenshots_pacs.py FOLDER [THEME [WIDTH]]`. What they list is invented, nothing is asked."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
REPOSITORY = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPOSITORY / "OsteoScreen"), str(REPOSITORY / "Testing")]

from ui.pacs_doubles import KEPT, LOCKED, OPEN, ScriptedClient, ScriptedTable, objects, series  # noqa: E402  the path comes first
from ui.panel_doubles import ScriptedHost  # noqa: E402

from OsteoScreenLib.hosts.desktop import theme  # noqa: E402
from OsteoScreenLib.ui import qt_api  # noqa: E402
from OsteoScreenLib.ui.pacs_windows import PacsWindows  # noqa: E402


def main(folder: Path, colours: str, width: int) -> None:
    """Searching, bringing, sending, adding a connection, an earlier result."""
    folder.mkdir(parents=True, exist_ok=True)
    application = qt_api.application()
    theme.apply(application, colours)
    parent = qt_api.QtWidgets.QWidget()
    parent.show()
    client, table = ScriptedClient(), ScriptedTable()
    client.answers["connections"] = {"connections": [asdict(one) for one in (LOCKED, OPEN, KEPT)]}
    windows = PacsWindows(parent, table, ScriptedHost(), lambda: client)  # type: ignore[arg-type,return-value]

    def rest() -> None:
        for _ in range(6):
            windows.presenter.poll()
            application.processEvents()

    def take(name: str, window: Any) -> None:
        window.widget.resize(width, window.widget.height())
        rest()
        window.widget.grab().save(str(folder / f"{name}.png"))
        print(folder / f"{name}.png")

    images = windows.open_images()
    rest()
    windows.presenter.choose(LOCKED.name)
    windows.presenter.set_secret(LOCKED.name, "-")
    people = ("Meier^Eva", "Öztürk^Deniz", "Lindqvist^Maj-Britt", "García Márquez^Elena", "Nowak^Zofia", "O'Brien^Sinéad")
    found = [
        series(at, patient_name=name, description=words, modality=kind, date=f"2024013{at % 2}", images=images)
        for at, (name, words, kind, images) in enumerate(
            zip(people, ("Thorax p.a.", "Thorax liegend", "Lungen p.a.", "Tórax PA", "Klatka PA", "Chest PA"), ("DX", "CR") * 3, (1, 1, 2, None, 1, 1), strict=True), start=1
        )
    ]  # fmt: skip
    found.append(series(7))
    client.answers["find"] = {"series": [asdict(one) for one in found], "remark": ""}
    images.search._button.click()
    rest()
    for at in (1, 2):
        images._items[at].setSelected(True)
    take("pacs-search", images)
    client.held, client.progress = True, [("fetch", 0.4, "1 of 2 objects fetched")]
    images._open.click()
    take("pacs-fetching", images)
    windows.presenter.cancel()
    client.held = False
    images.close()
    sending = windows.open_results()
    rest()
    made = objects(table.folders[-1])
    client.answers["look"] = {"objects": [{**asdict(one), "carries": list(one.carries)} for one in made]}
    assert table.done is not None
    table.done({"seg": made[0].path, "sr": made[1].path, "sc": made[2].path})
    rest()
    take("pacs-send", sending)
    refused = "The archive refused the object (0xA700, out of resources); ask its administrator."
    client.answers["send"] = {"outcomes": [{"path": one.path, "problem": refused if one is made[2] else ""} for one in made]}
    windows.presenter.send([one.path for one in made])
    take("pacs-sent", sending)
    sending.head._add.click()
    form = windows._form
    assert form is not None
    form._fields["name"].setText("hospital")
    form._auth.widget.setCurrentIndex(1)
    form.show_message("error", "Connection hospital needs the DICOMweb address, such as https://pacs.example/dicom-web.")
    take("pacs-add", form)
    windows.presenter._on_prior(
        (
            ("Model", "Bone density on simulated chest radiographs"),
            ("Probability of osteoporosis", "51.2 %"),
            ("Notes", "Research use only. " * 12),
        )
    )
    assert windows._prior is not None
    take("pacs-earlier", windows._prior)
    windows.close()


if __name__ == "__main__":
    given = sys.argv[1:]
    main(Path(given[0]), given[1] if len(given) > 1 else "light", int(given[2]) if len(given) > 2 else 860)
