"""The window's child for the network with a real archive: what comes, what goes, what is refused, and what it never imports."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from exchange.dicom_cases import dicom_case
from orthanc import Orthanc, needs_orthanc, orthanc

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.exchange.dicom.objects import write_dicom
from OsteoScreenLib.workbench.pacs_desk import MODULE, PacsDesk
from OsteoScreenLib.workbench.pacs_nouns import NewConnection, Search
from OsteoScreenLib.workbench.worker_client import WorkerClient

SAMPLES = Path(__file__).resolve().parents[2] / "OsteoScreen" / "Resources" / "SampleData"
SICK, WELL = SAMPLES / "simulated_chest_osteoporosis.dcm", SAMPLES / "simulated_chest_normal.dcm"
PASSWORD = "correct horse"

pytestmark = [needs_orthanc, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with orthanc(tmp_path_factory.mktemp("archive"), users={"anna": PASSWORD}) as running:
        running.upload(SICK)
        running.upload(WELL)
        yield running


class Said(dict[str, tuple[Any, ...]]):
    """What was said to one request; what was not said is an error that tells what was."""

    def __missing__(self, name: str) -> Any:
        raise AssertionError(f"no {name!r}, but {dict(self)}")


class Ends:
    """A desk with its child, and what it has said."""

    def __init__(self, settings: Path) -> None:
        self.client = WorkerClient(
            arguments=("-m", MODULE), environment={"OSTEOSCREEN_SETTINGS": str(settings)}, name="network process"
        )
        self.desk = PacsDesk(lambda: self.client)
        self.heard: dict[str, tuple[Any, ...]] = {}
        for name in ("connections_known", "tested", "found", "fetched", "looked", "sent", "prior_known", "failed"):
            getattr(self.desk, name).connect(lambda *values, name=name: self.heard.update({name: values}))

    def after(self, action: Callable[[], object], seconds: float = 60.0) -> dict[str, tuple[Any, ...]]:
        """What is said to one request."""
        self.heard.clear()
        action()
        end = time.monotonic() + seconds
        while self.desk.busy and time.monotonic() < end:
            self.desk.poll()
            time.sleep(0.002)
        assert not self.desk.busy, "no answer came"
        return Said(self.heard)


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[Ends]:
    made = Ends(tmp_path / "settings")
    yield made
    made.desk.close()


def add(
    ends: Ends, server: Orthanc, kind: str = "dicomweb", secret: str = PASSWORD, keep: bool = False, name: str = "bench"
) -> None:
    connection = getattr(server, kind)(name=name)
    values = {**connection.as_json(), **({"secret": "kept" if keep else "ask"} if connection.needs_secret else {})}
    said = ends.after(lambda: ends.desk.add_connection(NewConnection(values, secret if connection.needs_secret else "", keep)))
    assert [facts.name for facts in said["connections_known"][0]] == [name], said


@pytest.mark.parametrize("kind", ["dicomweb", "dimse"])
def test_bring_and_send_back(ends: Ends, server: Orthanc, tmp_path: Path, kind: str) -> None:
    add(ends, server, kind)
    assert "failed" not in ends.after(lambda: ends.desk.test_connection("bench")), ends.heard
    sick = pydicom.dcmread(SICK, stop_before_pixels=True)
    said = ends.after(lambda: ends.desk.find("bench", Search(patient_id=str(sick.PatientID))))
    ((row,), remark) = said["found"]
    assert remark == "" and row.series_uid == str(sick.SeriesInstanceUID) and row.patient_name == str(sick.PatientName)
    assert row.modality == "DX" and row.images in (1, None)
    begins = Search(patient_name=f"{str(sick.PatientName)[:-2]}*", first_day=row.date, last_day=row.date)
    assert row.series_uid in {one.series_uid for one in ends.after(lambda: ends.desk.find("bench", begins))["found"][0]}
    assert ends.after(lambda: ends.desk.find("bench", Search(accession="NONE-4711")))["found"] == ((), "")
    folder = tmp_path / "came"
    ((file,), problems) = ends.after(lambda: ends.desk.fetch("bench", [row], str(folder)))["fetched"]
    assert problems == () and file.kind == "image" and Path(file.path).parent == folder
    assert pydicom.dcmread(file.path).PixelData == pydicom.dcmread(SICK).PixelData
    assert str(sick.PatientName) not in file.name and str(sick.PatientID) not in file.name

    (tmp_path / "made").mkdir()
    case = dicom_case(tmp_path, Path(file.path))
    objects = write_dicom(tmp_path / "made", case.path, case.analysis, case.radiograph, case.masks, case.overlay)
    paths = [str(path) for path in objects.values() if path.suffix == ".dcm"]
    (looked,) = ends.after(lambda: ends.desk.look(paths))["looked"]
    assert [one.path for one in looked] == paths
    assert all("the patient's name" in one.carries and one.bytes == Path(one.path).stat().st_size for one in looked)
    capture = next(one for one in looked if Path(one.path).name == "sc.dcm")
    assert any("picture of the radiograph" in words for words in capture.carries)
    (outcomes,) = ends.after(lambda: ends.desk.send("bench", paths))["sent"]
    assert [one.path for one in outcomes] == paths and [one.problem for one in outcomes] == [""] * len(paths)
    said = ends.after(lambda: ends.desk.find("bench", Search(patient_id=str(sick.PatientID), modalities=())))
    assert {one.study_uid for one in said["found"][0]} == {str(sick.StudyInstanceUID)}  # under the right study
    assert {"DX", "SEG", "SR", "OT"} <= {one.modality for one in said["found"][0]} | {"OT"}
    again = ends.after(lambda: ends.desk.send("bench", paths))["sent"][0]
    assert [one.problem for one in again] == [""] * len(paths)  # sending twice does no harm

    report = next(one for one in said["found"][0] if one.modality == "SR")
    (came, problems) = ends.after(lambda: ends.desk.fetch("bench", [report], str(tmp_path / "prior")))["fetched"]
    assert problems == () and [one.kind for one in came] == ["report"]
    (rows,) = ends.after(lambda: ends.desk.ask_prior(came[0].path))["prior_known"]
    text = " ".join(value for _, value in rows)
    assert f"{100 * case.analysis.prediction.probabilities['osteoporosis']:.1f}" in text
    assert str(sick.PatientName) not in text and str(sick.PatientID) not in text
    segmentation = next(one for one in said["found"][0] if one.modality == "SEG")
    (came, _) = ends.after(lambda: ends.desk.fetch("bench", [segmentation], str(tmp_path / "masks")))["fetched"]
    assert {one.kind for one in came} == {"masks"}


def test_a_wrong_password_is_said_in_one_sentence(ends: Ends, server: Orthanc) -> None:
    add(ends, server, secret="wrong")
    sentence, code = ends.after(lambda: ends.desk.find("bench", Search()))["failed"]
    assert (
        code == "not-allowed"
        and "\n" not in sentence
        and "wrong" not in sentence.replace("wrong password", "")
        and "Traceback" not in sentence
    )
    ends.desk.set_secret("bench", PASSWORD)
    assert "found" in ends.after(lambda: ends.desk.find("bench", Search()))


def test_a_secret_is_kept_only_on_request_and_goes_with_its_connection(ends: Ends, server: Orthanc, tmp_path: Path) -> None:
    add(ends, server)
    (facts,) = ends.after(ends.desk.ask_connections)["connections_known"][0]
    assert facts.secret == "missing" and "not encrypted" in facts.protection and facts.where == server.url
    settings = tmp_path / "settings"

    def written() -> list[Path]:
        return [path for path in settings.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()]

    assert written() == []
    add(ends, server, keep=True)
    (facts,) = ends.after(ends.desk.ask_connections)["connections_known"][0]
    assert facts.secret == "there" and not ends.desk.has_secret("bench")
    assert [path.stat().st_mode & 0o777 for path in written()] == [0o600]
    assert "found" in ends.after(lambda: ends.desk.find("bench", Search()))  # with the kept one
    assert ends.after(lambda: ends.desk.remove_connection("bench"))["connections_known"] == ((),)
    assert written() == []


def test_an_archive_that_is_not_there(ends: Ends) -> None:
    values = {"name": "gone", "kind": "dicomweb", "url": "http://127.0.0.1:9/dicom-web", "retries": 0}
    ends.after(lambda: ends.desk.add_connection(NewConnection(values)))
    sentence, _ = ends.after(lambda: ends.desk.test_connection("gone"))["failed"]
    assert "gone" in sentence and "\n" not in sentence


def test_a_wrong_connection_is_refused(ends: Ends) -> None:
    sentence, code = ends.after(lambda: ends.desk.add_connection(NewConnection({"name": "x", "kind": "dicomweb"})))["failed"]
    assert code == "connection" and "https://" in sentence


def test_what_is_no_dicom_object_is_not_sent(ends: Ends, tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("no image")
    assert "failed" in ends.after(lambda: ends.desk.look([str(path)]))
    assert "failed" in ends.after(lambda: ends.desk.ask_prior(str(path)))


def test_cancel_ends_the_child_and_the_next_request_starts_another(ends: Ends, server: Orthanc) -> None:
    add(ends, server)
    former = ends.client.process_id
    ends.desk.find("bench", Search())
    ends.desk.cancel()
    assert not ends.desk.busy
    assert "found" in ends.after(lambda: ends.desk.find("bench", Search()))
    assert ends.client.process_id not in (None, former)


def test_the_child_imports_neither_torch_nor_qt() -> None:
    import json
    import subprocess
    import sys

    code = f"import sys, json, {MODULE} as it; it.Pacs().handlers(); print(json.dumps(sorted(sys.modules)))"
    environment = {"PYTHONPATH": str(SAMPLES.parents[1]), "PATH": ""}
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment).stdout
    assert not set(json.loads(printed)) & {"torch", "timm", "qtpy", "PySide6", "vtk", "slicer", "pydicom", "pynetdicom"}


def test_nothing_of_the_patient_reaches_the_childs_log(ends: Ends, server: Orthanc, tmp_path: Path) -> None:
    add(ends, server)
    sick = pydicom.dcmread(SICK, stop_before_pixels=True)
    rows = ends.after(lambda: ends.desk.find("bench", Search()))["found"][0]
    ends.after(lambda: ends.desk.fetch("bench", list(rows), str(tmp_path / "came")))
    ends.after(lambda: ends.desk.ask_prior(str(SICK)))  # is refused
    for secret in (str(sick.PatientName), str(sick.PatientID), PASSWORD):
        assert secret not in ends.client.stderr_tail
    with pytest.raises(InputError):
        ends.client.request("prior", {"path": 3})
