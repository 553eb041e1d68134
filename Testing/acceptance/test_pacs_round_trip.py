"""From the PACS and back: fetched, analysed, sent, and found again under the right study by DICOMweb and by DIMSE."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest
from orthanc import needs_orthanc, orthanc

from OsteoScreenLib import cli
from OsteoScreenLib.exchange.pacs.client import open_client
from OsteoScreenLib.exchange.pacs.query import ANY, Query
from OsteoScreenLib.files import resource_folder

SAMPLE = resource_folder("SampleData") / "simulated_chest_osteoporosis.dcm"
OTHER = resource_folder("SampleData") / "simulated_chest_normal.dcm"
SOP_CLASSES = {
    "seg.dcm": "1.2.840.10008.5.1.4.1.1.66.4",
    "sr.dcm": "1.2.840.10008.5.1.4.1.1.88.33",
    "sc.dcm": "1.2.840.10008.5.1.4.1.1.7",
    "pr.dcm": "1.2.840.10008.5.1.4.1.1.11.1",
    "saliency.dcm": "1.2.840.10008.5.1.4.1.1.66.4",
}


@needs_orthanc
def test_fetched_analysed_sent_and_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSTEOSCREEN_SETTINGS", str(tmp_path / "settings"))
    out, results = tmp_path / "fetched", tmp_path / "results"
    source = pydicom.dcmread(SAMPLE)
    with orthanc(tmp_path / "orthanc") as server:
        for path in (SAMPLE, OTHER):
            server.upload(path)
        assert cli.main(["pacs", "add", "web", server.url]) == 0
        assert cli.main(["pacs", "add", "wire", f"ORTHANC@127.0.0.1:{server.dicom_port}"]) == 0
        assert cli.main(["fetch", "--from", "web", "--study", str(source.StudyInstanceUID), "--out", str(out)]) == 0
        (fetched,) = out.iterdir()
        assert cli.main(["analyse", str(fetched), "--dicom", "--out", str(results)]) == 0
        made = {name: pydicom.dcmread(results / name) for name in SOP_CLASSES}
        assert {name: str(one.SOPClassUID) for name, one in made.items()} == SOP_CLASSES
        assert cli.main(["send", str(results), "--to", "web", "--yes"]) == 0
        assert cli.main(["send", str(results), "--to", "wire", "--yes", "--again"]) == 0, "twice, by the other way, is once"

        stored = {one["SOPInstanceUID"]: one for one in server.instances()}
        assert len(stored) == 2 + len(made)
        for one in made.values():
            there = stored[str(one.SOPInstanceUID)]
            assert there["StudyInstanceUID"] == source.StudyInstanceUID and there["PatientID"] == str(source.PatientID or "")
            assert there["SeriesInstanceUID"] == one.SeriesInstanceUID != source.SeriesInstanceUID
        for connection in (server.dicomweb(), server.dimse()):
            with open_client(connection) as client:
                series = client.find_series(Query(study_uid=str(source.StudyInstanceUID), modalities=ANY)).series
                assert {one.modality for one in series} == {"DX", *(one.Modality for one in made.values())}
                found = {image.uid: image.sop_class for one in series for image in client.find_images(one)}
            expected = {str(one.SOPInstanceUID): str(one.SOPClassUID) for one in made.values()}
            assert found == {**expected, str(source.SOPInstanceUID): str(source.SOPClassUID)}
        instance = stored[str(made["seg.dcm"].SOPInstanceUID)]["ID"]
        (tmp_path / "back.dcm").write_bytes(server.rest(f"/instances/{instance}/file"))
        assert pydicom.dcmread(tmp_path / "back.dcm").PixelData == made["seg.dcm"].PixelData
