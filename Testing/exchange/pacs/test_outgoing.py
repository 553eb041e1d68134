"""What would leave the machine: found in files and folders, named in words, and refused where no PACS could take it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID
from small_dicom import as_file, radiograph

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.exchange.pacs.outgoing import look


def written(path: Path, dataset: Dataset) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(as_file(dataset))
    return path


def test_objects_in_folders_are_found_by_content_each_once(tmp_path: Path) -> None:
    first = written(tmp_path / "a" / "b" / "no-extension", radiograph())
    written(tmp_path / "copy.dcm", radiograph())
    written(tmp_path / ".0123abcd-half.dcm", radiograph("1.2.4"))
    second = written(tmp_path / "sr.txt", radiograph("1.2.5", SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33"))
    (tmp_path / "notes.txt").write_text("no DICOM")
    items, left = look([tmp_path])
    assert {item.path for item in items} == {first, second} and left == ()
    assert {item.uid: item.kind for item in items} == {"1.2.3": "radiograph (DX)", "1.2.5": "structured report"}
    assert {item.bytes for item in items} == {first.stat().st_size, second.stat().st_size}


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({}, True),
        ({"PatientName": "", "PatientID": ""}, False),
        ({"PatientName": "^^"}, True),
        ({"PatientName": "^^", "PatientID": ""}, False),
        ({"PatientIdentityRemoved": "YES"}, False),
        ({"PatientIdentityRemoved": "NO"}, True),
    ],
)
def test_it_is_said_whether_a_patient_is_named(changes: dict[str, str], names: bool, tmp_path: Path) -> None:
    ((item,), _) = look([written(tmp_path / "x.dcm", radiograph(**changes))])
    assert item.names_patient == names and "Doe" not in repr(item) and "4711" not in repr(item)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"StudyInstanceUID": ""}, "no-uid"),
        ({"SeriesInstanceUID": UID("../1")}, "no-uid"),
        ({"SOPClassUID": "1.2.840.10008.1.3.10"}, "not-dicom"),
    ],
)
def test_what_no_pacs_could_file_is_left_with_a_reason(changes: dict[str, str], code: str, tmp_path: Path) -> None:
    items, (left,) = look([written(tmp_path / "x.dcm", radiograph(**changes))])
    assert items == () and left.code == code and left.sentence.startswith("x.dcm")


def test_files_that_were_named_are_answered_for(tmp_path: Path) -> None:
    big = written(tmp_path / "big.dcm", radiograph())
    text, cut = tmp_path / "text.dcm", tmp_path / "cut.dcm"
    text.write_text("no DICOM")
    cut.write_bytes(big.read_bytes()[:150])
    items, left = look([big, text, cut, tmp_path / "gone.dcm"], largest=1000)
    assert items == () and [one.code for one in left] == ["too-large", "not-dicom", "damaged-header", "unreadable-file"]
    with pytest.raises(InputError, match="no DICOM object to send"):
        look([])
