"""Reading structured reports: others' and damaged ones end in one sentence, and reading is cheap."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
from exchange.dicom_cases import many_bones
from exchange.report_cases import about, small_source, written
from exchange.result_cases import prior_result
from pydicom.dataset import Dataset

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.exchange.dicom.read_report import read_report
from OsteoScreenLib.exchange.dicom.saving import save_dicom
from OsteoScreenLib.exchange.dicom.segmentation import build_segmentation
from OsteoScreenLib.exchange.dicom.source import SourceImage
from OsteoScreenLib.exchange.dicom.uids import result_uid


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> SourceImage:
    return small_source(tmp_path_factory.mktemp("source"))


def test_other_files_are_refused_in_one_sentence(tmp_path: Path, source: SourceImage) -> None:
    segmentation = build_segmentation(source, result_uid("segmentation", source.sop_instance_uid), many_bones(source.shape))
    path = written(tmp_path, prior_result(image=about(source)), source)
    foreign = pydicom.dcmread(path)
    del foreign.ContentSequence[-2:]
    stripped = pydicom.dcmread(path)
    del stripped.ContentSequence[-1].ContentSequence[:]
    del stripped.ContentSequence[-1]
    seg = save_dicom(tmp_path / "seg.dcm", segmentation)
    foreign.save_as(tmp_path / "foreign.dcm")
    stripped.save_as(tmp_path / "stripped.dcm")
    (tmp_path / "text.txt").write_text("no report")
    for file, word in (
        (seg, "no structured report"),
        (tmp_path / "foreign.dcm", "another program"),
        (tmp_path / "stripped.dcm", "damaged"),
        (tmp_path / "text.txt", "no structured report"),
    ):
        with pytest.raises(InputError, match=word) as refusal:
            read_report(file)
        assert refusal.value.code == "report"
        assert "\n" not in str(refusal.value)


def test_a_report_of_any_damage_is_refused_or_read(tmp_path: Path, source: SourceImage) -> None:
    """Cut or changed anywhere, it ends in a result or in one sentence."""
    data = bytearray(written(tmp_path, prior_result(image=about(source)), source).read_bytes())
    rng = np.random.default_rng(5)
    refused = 0
    for number in range(60):
        broken = bytearray(data)
        if number % 3 == 0:
            del broken[int(rng.integers(200, len(data))) :]
        else:
            for place in rng.integers(132, len(data), 1 + number % 20):
                broken[place] = int(rng.integers(256))
        path = tmp_path / "broken.dcm"
        path.write_bytes(broken)
        try:
            read_report(path)
        except InputError as error:
            refused += 1
            assert len(str(error)) < 300
    assert refused > 10


def test_a_tree_without_end_is_refused(tmp_path: Path, source: SourceImage) -> None:
    report = pydicom.dcmread(written(tmp_path, prior_result(image=about(source)), source))
    item = report.ContentSequence[-1]
    for _ in range(60):
        inner = Dataset()
        inner.ValueType = "CONTAINER"
        item.ContentSequence = [inner]
        item = inner
    report.save_as(tmp_path / "deep.dcm")
    with pytest.raises(InputError, match="deeper"):
        read_report(tmp_path / "deep.dcm")


def test_reading_needs_no_highdicom() -> None:
    code = (
        "import sys; from OsteoScreenLib.exchange.dicom import read_report; from OsteoScreenLib.exchange import prior_rows; "
        "print('highdicom' in sys.modules or 'torch' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"
