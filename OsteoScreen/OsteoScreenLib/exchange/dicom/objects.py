"""The front: all DICOM objects about one analysis, written beside its other results."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.exchange.dicom.source import SourceImage, source_image
from OsteoScreenLib.exchange.dicom.uids import result_uids
from OsteoScreenLib.exchange.overlay import Picture
from OsteoScreenLib.exchange.plate import Traced
from OsteoScreenLib.exchange.prior_result import BoneTable, ReaderOpinion
from OsteoScreenLib.explain.analysis import Analysis
from OsteoScreenLib.radiograph.radiograph import Radiograph

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

FILES = {
    "seg": "seg.dcm",
    "sr": "sr.dcm",
    "sc": "sc.dcm",
    "pr": "pr.dcm",
    "saliency": "saliency.dcm",
    "saliency_nrrd": "saliency.nrrd",
}
"""Name of a result → its file."""

WORDS = {
    "seg": "the bones' masks (DICOM Segmentation)",
    "sr": "all numbers of this report (DICOM Comprehensive SR, TID 1500)",
    "sc": "the overlay picture (DICOM Secondary Capture)",
    "pr": "the bones' outlines, for the viewer to draw over the image (DICOM Grayscale Softcopy Presentation State)",
    "saliency": "the heatmap at three levels (DICOM Segmentation)",
    "saliency_nrrd": "the heatmap itself (NRRD)",
}
"""Name of a result → what it is, for people."""


class ObjectsIncomplete(OsteoScreenError):
    """Some objects could not be built. files : what was written nevertheless, as `write_dicom` returns it."""

    def __init__(self, failed: Collection[str], files: dict[str, Path]) -> None:
        super().__init__(f"{' and '.join(FILES[name] for name in failed)} could not be made; the other results are written.")
        self.files = files


def write_dicom(
    folder: Path,
    image: str | Path | Dataset | SourceImage,
    analysis: Analysis,
    radiograph: Radiograph,
    masks: BoneMasks,
    overlay: Picture,
    opinion: ReaderOpinion | None = None,
    table: BoneTable | None = None,
    only: Collection[str] = tuple(FILES),
    traced: Mapping[str, Traced] | None = None,
) -> dict[str, Path]:
    """Write seg.dcm, sr.dcm, sc.dcm, pr.dcm, saliency.dcm and saliency.nrrd into an existing folder.

    Parameters
    ----------
    image : the radiograph's DICOM file or data set, or what `source_image` made of it.
    analysis, radiograph, masks : of one and the same image, upright. overlay : the picture of `draw_overlay`.
    opinion : a reader's, from a review, table : of every bone by itself, both for the report. only : names of `FILES` that are wanted; a report
    without a segmentation beside it refers to none. traced : of `exchange.plate.trace(masks)`, if there already.

    Returns
    -------
    What was written, by the names of `FILES`. Without bones there is neither SEG nor presentation state, without a saliency map, or
    with an empty one, none of its files; such files of an earlier run are removed.

    Raises
    ------
    InputError
        The image cannot be referred to; see `source_image`.
    ObjectsIncomplete
        Some object could not be built, by a fault of ours; all others are written.
    OsteoScreenError
        The folder is full or cannot be written; files written before stay and are whole.
    """
    from OsteoScreenLib.radiograph.quiet import quiet

    source = image if isinstance(image, SourceImage) else source_image(image, radiograph)
    with quiet():  # what the libraries remark on names and values would name the patient
        return _written(folder, source, analysis, radiograph, masks, overlay, opinion, table, only, traced)


def _written(
    folder: Path,
    source: SourceImage,
    analysis: Analysis,
    radiograph: Radiograph,
    masks: BoneMasks,
    overlay: Picture,
    opinion: ReaderOpinion | None,
    table: BoneTable | None,
    only: Collection[str],
    traced: Mapping[str, Traced] | None,
) -> dict[str, Path]:
    from OsteoScreenLib.exchange.dicom.presentation_state import build_presentation
    from OsteoScreenLib.exchange.dicom.saliency_segments import build_saliency, write_saliency_nrrd
    from OsteoScreenLib.exchange.dicom.saving import save_dicom
    from OsteoScreenLib.exchange.dicom.secondary_capture import build_capture
    from OsteoScreenLib.exchange.dicom.segmentation import build_segmentation
    from OsteoScreenLib.exchange.dicom.structured_report import structured_report

    uids = result_uids(source.sop_instance_uid, analysis, masks)
    written: dict[str, Path] = {}
    failed: dict[str, Exception] = {}

    def save(name: str, build: Callable[[], Dataset]) -> Dataset | None:
        if name not in only:
            return None
        try:
            made = build()
            written[name] = save_dicom(folder / FILES[name], made, source.character_set)
            return made
        except OsteoScreenError:
            raise
        except Exception as error:  # one object's fault must not cost the reader the others
            failed[name] = error
            return None

    segmentation = None
    if masks.names:
        segmentation = save("seg", lambda: build_segmentation(source, uids.segmentation, masks))
        save("pr", lambda: build_presentation(source, uids, radiograph, masks, traced))
    save("sr", lambda: structured_report(source, analysis, masks, segmentation, opinion, table))
    save("sc", lambda: build_capture(source, uids, analysis, overlay, radiograph.notes))
    saliency = analysis.saliency
    if saliency is not None and not saliency.is_empty:
        save("saliency", lambda: build_saliency(source, uids.saliency, analysis))
        if "saliency_nrrd" in only:
            path = folder / FILES["saliency_nrrd"]
            written["saliency_nrrd"] = write_saliency_nrrd(path, source, saliency, analysis.model.id)
    for name, file in FILES.items():
        if name not in written:
            (folder / file).unlink(missing_ok=True)
    if failed:
        raise ObjectsIncomplete(failed, written) from next(iter(failed.values()))
    return written
