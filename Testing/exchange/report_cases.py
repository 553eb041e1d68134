"""Reports about a small image, written without a model, for the tests that write and read them."""

from __future__ import annotations

from pathlib import Path

from exchange.dicom_cases import dicom_file
from pydicom.dataset import Dataset

from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL
from OsteoScreenLib.exchange.dicom.saving import save_dicom
from OsteoScreenLib.exchange.dicom.source import SourceImage, source_image
from OsteoScreenLib.exchange.dicom.structured_report import report_of
from OsteoScreenLib.exchange.dicom.uids import result_uid
from OsteoScreenLib.exchange.prior_result import AboutImage, PriorResult
from OsteoScreenLib.radiograph.read import read_radiograph


def small_source(folder: Path) -> SourceImage:
    """The source of a small DICOM file that is made in the folder."""
    path = dicom_file(folder / "image.dcm")
    return source_image(path, read_radiograph(path))


def about(source: SourceImage, **facts: str) -> AboutImage:
    return AboutImage(source.study_instance_uid, source.series_instance_uid, source.sop_instance_uid, **facts)


def written(folder: Path, result: PriorResult, source: SourceImage, segmentation: Dataset | None = None) -> Path:
    report = report_of(result, source, result_uid("report", source.sop_instance_uid), CHEST_FRONTAL.by_name, segmentation)
    return save_dicom(folder / "sr.dcm", report, source.character_set)
