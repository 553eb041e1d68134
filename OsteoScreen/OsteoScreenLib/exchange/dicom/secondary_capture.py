"""The overlay picture → DICOM Secondary Capture (PS3.3 A.8.1): what any viewer can show, for eyes alone; numbers are in the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from OsteoScreenLib.exchange.dicom import codes
from OsteoScreenLib.exchange.dicom.series import RESEARCH_USE, object_facts, put_body_part
from OsteoScreenLib.exchange.dicom.source import SourceImage
from OsteoScreenLib.exchange.dicom.uids import ResultUids
from OsteoScreenLib.exchange.overlay import Picture, banner
from OsteoScreenLib.explain.analysis import Analysis
from OsteoScreenLib.radiograph import header
from OsteoScreenLib.radiograph.quality import LOSSY
from OsteoScreenLib.radiograph.radiograph import Note

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_DERIVED = "Radiograph turned upright and scaled, with bone outlines, names, heatmap and legend drawn on it"


def build_capture(
    source: SourceImage, uids: ResultUids, analysis: Analysis, overlay: Picture, notes: Sequence[Note] = ()
) -> Dataset:
    """A Secondary Capture of a finished overlay, RGB and uncompressed, in the source's study; it names its source image.

    overlay : of `exchange.overlay.draw_overlay`, for this analysis. notes : on the radiograph that was drawn.
    """
    from highdicom.sc import SCImage

    from OsteoScreenLib.radiograph.quiet import quiet

    with quiet():
        capture = SCImage.from_ref_dataset(
            source.header,
            pixel_array=np.ascontiguousarray(overlay.image),
            photometric_interpretation="RGB",
            bits_allocated=8,
            coordinate_system="PATIENT",
            patient_orientation=("L", "F"),
            transfer_syntax_uid="1.2.840.10008.1.2.1",
            **object_facts("capture", source, uids.capture),
        )
        capture.copy_patient_and_study_information(source.header)
        capture.SourceImageSequence = [_reference(source)]
    put_body_part(capture, analysis.site)
    capture.PatientOrientation = []  # the source's is often wrong, and empty means unknown
    capture.ConversionType = "WSD"
    capture.DerivationDescription = _DERIVED
    capture.ImageComments = f"{RESEARCH_USE}. {banner(analysis.model.simulated_training, analysis.prediction.domain)}."
    _state_burned_in(capture, source, {note.code for note in (*analysis.notes, *notes)})
    _state_compression(capture, source)
    return capture


def _reference(source: SourceImage) -> Dataset:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = source.sop_class_uid, source.sop_instance_uid
    item.SpatialLocationsPreserved = "NO"
    item.PurposeOfReferenceCodeSequence = [codes.concept(codes.SOURCE_IMAGE)]
    return item


def _state_burned_in(capture: Dataset, source: SourceImage, notes: set[str]) -> None:
    """What is drawn names nobody; what the source shows still shows. Where neither header nor image says, nothing is promised."""
    stated = header.word(source.original, "BurnedInAnnotation")
    if "text-masked" in notes:
        capture.BurnedInAnnotation = "NO"
    elif stated == "YES" or notes & {"burned-in", "text-found"}:
        capture.BurnedInAnnotation = "YES"
    elif stated == "NO":
        capture.BurnedInAnnotation = "NO"


def _state_compression(capture: Dataset, source: SourceImage) -> None:
    """Once an image has lost detail, all that is made from it has (PS3.3 C.7.6.1.1.5)."""
    syntax = header.text(getattr(source.original, "file_meta", source.original), "TransferSyntaxUID")
    if header.word(source.original, "LossyImageCompression") != "01" and syntax not in LOSSY:
        return
    capture.LossyImageCompression = "01"
    ratios = [f"{ratio:.6g}" for ratio in header.numbers(source.original, "LossyImageCompressionRatio") if ratio >= 1]
    methods = [method.upper() for method in header.texts(source.original, "LossyImageCompressionMethod") if method]
    if ratios:
        capture.LossyImageCompressionRatio = ratios
    if (
        ratios
        and len(methods) == len(ratios)
        and all(method.startswith(("ISO_", "ITU_")) and len(method) <= 16 for method in methods)
    ):
        capture.LossyImageCompressionMethod = methods
