"""The panel with a real archive: radiographs come, are analysed, results go back, masks and an earlier result return."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
from acceptance.tables import SICK, WELL, Bench
from orthanc import Orthanc, needs_orthanc, orthanc

from OsteoScreenLib.exchange.pacs.client import open_client
from OsteoScreenLib.exchange.pacs.query import Query
from OsteoScreenLib.ui import qt_api
from OsteoScreenLib.ui.pacs_windows import PacsWindows
from OsteoScreenLib.workbench.pacs_nouns import REPORTS, NewConnection, Search

pytestmark = [needs_orthanc, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with orthanc(tmp_path_factory.mktemp("archive"), users={"anna": "pa ss"}) as running:
        yield running


@pytest.fixture
def windows(table: Bench, server: Orthanc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PacsWindows:
    """The panel's windows, with one archive that wants a password, and two radiographs in it."""
    monkeypatch.setenv("OSTEOSCREEN_SETTINGS", str(tmp_path / "settings"))
    server.clear()
    server.upload(SICK)
    server.upload(WELL)
    made = table.panel.pacs
    made.message.connect(lambda severity, sentence: table.said.append((severity, sentence)))
    table.window.show()
    made.open_images()
    idle(table)
    values = {**server.dicomweb(name="ward").as_json(), "secret": "ask"}
    made.presenter.add(NewConnection(values, "pa ss", False))
    idle(table)
    assert made.presenter.chosen == "ward", table.said
    return made


def idle(table: Bench) -> None:
    """Wait until neither child has anything to do."""
    presenter = table.panel.pacs.presenter
    table.until(lambda: not (presenter.busy or presenter._after or presenter.sending.preparing or table.presenter.busy))


def fetch(table: Bench, windows: PacsWindows, search: Search) -> None:
    """Search, choose everything, open it."""
    dialog = windows.open_images()
    idle(table)
    windows.presenter.search(search)
    idle(table)
    for item in dialog._items:
        item.setSelected(True)
    dialog._open.click()
    idle(table)


def test_from_the_archive_and_back(
    table: Bench, windows: PacsWindows, server: Orthanc, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch(table, windows, Search())
    assert len(table.presenter.volumes) == 2, table.said  # both stay as cases, analysed or not
    assert any("2 of 2 files were opened" in sentence for _, sentence in table.said)
    patients = {str(pydicom.dcmread(path, stop_before_pixels=True).PatientID) for path in (SICK, WELL)}
    names = " ".join(name for _, name in table.presenter.volumes)
    assert not any(patient in names for patient in patients)

    table.analyse()
    table.presenter.set_covered(["T7"], True)
    table.rest()
    asked: list[str] = []
    monkeypatch.setattr(qt_api, "ask", lambda parent, title, question: bool(asked.append(question)) or len(asked) > 1)
    dialog = windows.open_results()
    idle(table)
    assert windows.presenter.sending.objects, table.said
    assert {Path(one.path).name for one in windows.presenter.sending.objects} == {
        "seg.dcm",
        "sr.dcm",
        "sc.dcm",
        "pr.dcm",
        "saliency.dcm",
    }
    before = len(server.instances())
    dialog._send.click()  # and "no" to the question
    idle(table)
    assert len(server.instances()) == before
    dialog._send.click()
    idle(table)
    assert [outcome.problem for outcome in windows.presenter.sending.outcomes] == [""] * 5, windows.presenter.sending.outcomes
    assert "the patient's name" in asked[1] and server.url in asked[1]
    folder = Path(windows.presenter.sending.objects[0].path).parent
    dialog.close()
    assert not folder.exists()

    study = str(pydicom.dcmread(table.case.reading.source.path, stop_before_pixels=True).StudyInstanceUID)
    for connection, secret in ((server.dicomweb(), "pa ss"), (server.dimse(), None)):
        with open_client(connection, secret) as client:
            found = client.find_series(Query(study_uid=study, modalities=())).series
        assert {one.modality for one in found} >= {"SEG", "SR", "PR"} and len(found) == 6

    # The earlier result, by the same window.
    fetch(table, windows, Search(modalities=REPORTS))
    idle(table)
    assert windows._prior is not None
    told = dict(windows._prior.rows)
    numbers = table.presenter.numbers
    assert numbers is not None and any(f"{100 * numbers.rows[2].untouched:.1f}" in value for value in told.values()), told


def test_masks_come_back_from_the_archive(
    table: Bench, windows: PacsWindows, server: Orthanc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import slicer.util

    table.open(SICK)
    table.analyse()
    drawn = table.case.result.masks
    table.presenter.save_results(tmp_path, True)
    idle(table)
    assert (tmp_path / "seg.dcm").is_file(), table.said
    nodes = table.nodes
    bone = slicer.util.arrayFromSegmentBinaryLabelmap(nodes.segmentation, "T7", nodes.radiograph).copy()
    slicer.util.updateSegmentBinaryLabelmapFromArray(np.roll(bone, 40, axis=1), nodes.segmentation, "T7", nodes.radiograph)
    table.presenter.recompute()
    table.rest()
    changed = table.presenter.numbers
    assert table.case.result.masks_sha256 != drawn.sha256
    table.presenter.import_masks(tmp_path / "seg.dcm")
    idle(table)
    table.rest()
    masks = table.case.result.masks
    assert masks.names == drawn.names and all((masks.mask(name) == drawn.mask(name)).all() for name in drawn.names)
    shown = slicer.util.arrayFromSegmentBinaryLabelmap(nodes.segmentation, "T7", nodes.radiograph)
    np.testing.assert_array_equal(shown > 0, bone > 0)
    assert any("bones were imported" in sentence for _, sentence in table.said)
    table.presenter.set_covered(["T7"], True)
    table.rest()
    assert table.presenter.numbers != changed and table.presenter.numbers.state == "current"  # type: ignore[union-attr]

    table.open(WELL)
    table.analyse()
    before = table.case.result.masks_sha256
    table.presenter.import_masks(tmp_path / "seg.dcm")  # of another image
    idle(table)
    severity, sentence = table.said[-1]
    assert severity == "error" and "\n" not in sentence and table.case.result.masks_sha256 == before


def test_files_that_cannot_be_opened_do_not_stop_the_others(table: Bench, tmp_path: Path) -> None:
    (tmp_path / "broken.dcm").write_bytes(b"nothing")
    table.presenter.open_files([(str(tmp_path / "broken.dcm"), "DX (1)"), (str(WELL), "DX (2)"), (str(SICK), "DX (3)")])
    table.until(lambda: not table.presenter.busy)
    assert [name for _, name in table.presenter.volumes] == ["DX (2)", "DX (3)"]
    assert (
        table.presenter.reading is not None and table.presenter.reading.source.name == "DX (2)"
    )  # the first that could be opened
    assert [severity for severity, _ in table.said] == ["error", "info"]
    assert table.said[-1][1] == "2 of 3 files were opened; the log says why the other could not be."
    table.open(SICK)
    assert len(table.presenter.volumes) == 3  # those that came together do not make room for it


def test_a_silent_archive_never_holds_the_window_up(table: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket
    import time

    monkeypatch.setenv("OSTEOSCREEN_SETTINGS", str(tmp_path / "settings"))
    with socket.socket() as silent:  # takes connections and never says a word
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)
        windows = table.panel.pacs
        dialog = windows.open_images()
        idle(table)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/dicom-web"
        windows.presenter.add(NewConnection({"name": "silent", "kind": "dicomweb", "url": url}))
        idle(table)
        gaps = []
        windows.presenter.search(Search())
        end = last = time.monotonic()
        while last < end + 3:
            table.qapp.processEvents()
            now = time.monotonic()
            gaps.append(now - last)
            last = now
            time.sleep(0.001)
        assert windows.presenter.busy and max(gaps) < 0.2, max(gaps)
        began = time.monotonic()
        dialog.waiting._cancel.click()
        assert time.monotonic() - began < 0.5 and not windows.presenter.busy


def test_what_is_no_dicom_has_no_objects_to_send(table: Bench, windows: PacsWindows, tmp_path: Path) -> None:
    import cv2

    from OsteoScreenLib.radiograph.read import read_radiograph

    picture = (255 * read_radiograph(SICK).pixels).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "chest.png"), picture)
    table.open(tmp_path / "chest.png")
    table.analyse()
    dialog = windows.open_results()
    idle(table)
    assert windows.presenter.sending.objects == () and not dialog._send.isEnabled()
    assert "open it from its DICOM file" in table.said[-1][1] and "DICOM file" in str(dialog._message.widget.text())


def test_text_in_the_image_is_asked_about_before_a_picture_is_saved(
    table: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cv2

    from OsteoScreenLib.radiograph.read import read_radiograph

    picture = np.ascontiguousarray((255 * read_radiograph(SICK).pixels).astype(np.uint8))
    cv2.putText(picture, "MEIER EVA 1950-03-07", (60, 120), cv2.FONT_HERSHEY_SIMPLEX, 2.2, 255, 4, cv2.LINE_AA)
    cv2.imwrite(str(tmp_path / "chest.png"), picture)
    table.open(tmp_path / "chest.png")
    table.analyse()
    answers: list[bool | None] = [None, True, False]
    asked: list[str] = []
    monkeypatch.setattr(qt_api, "ask_or_stop", lambda parent, title, words: (asked.append(words), answers.pop(0))[1])

    def save(name: str) -> Path:
        table.presenter.save_results(tmp_path / name)
        idle_desk(table)
        return tmp_path / name / "overlay.png"

    assert not save("cancelled").exists() and "text" in asked[0]
    masked, kept = save("masked"), save("kept")
    assert len(asked) == 3

    pictures = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).astype(int) for path in (masked, kept)]
    rows, columns = np.nonzero(np.abs(pictures[0] - pictures[1]) > 40)  # where the letters were
    assert len(rows) > 200 and np.ptp(rows) < 0.1 * pictures[0].shape[0] and np.ptp(columns) > 0.2 * pictures[0].shape[1]
    box = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert pictures[0][box].std() < 0.5 * pictures[1][box].std()  # one grey in place of letters


def idle_desk(table: Bench) -> None:
    """Wait for the panel's own worker."""
    table.until(lambda: not table.presenter.busy)
