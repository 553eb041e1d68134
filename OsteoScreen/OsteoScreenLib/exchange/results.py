"""The result files of one radiograph, each written whole or not at all."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.segnrrd import write_seg_nrrd
from OsteoScreenLib.exchange.dicom.objects import WORDS, ObjectsIncomplete, write_dicom
from OsteoScreenLib.exchange.dicom.source import SourceImage
from OsteoScreenLib.exchange.overlay import RESEARCH_USE, banner, draw_overlay, save_png
from OsteoScreenLib.exchange.plate import draw_plate, trace
from OsteoScreenLib.exchange.prior_result import BoneTable, ReaderOpinion
from OsteoScreenLib.exchange.report import headline, render_report
from OsteoScreenLib.explain.analyse import make_coverer
from OsteoScreenLib.explain.analysis import Analysis
from OsteoScreenLib.files import write_text
from OsteoScreenLib.radiograph.radiograph import Radiograph

ANALYSIS, OVERLAY, REPORT, MASKS = "analysis.json", "overlay.png", "report.html", "masks.seg.nrrd"
PLATE = 1100


def write_analysis(
    folder: Path,
    analysis: Analysis,
    radiograph: Radiograph,
    masks: BoneMasks,
    seconds: Mapping[str, float] | None = None,
    source: SourceImage | None = None,
    opinion: ReaderOpinion | None = None,
    table: BoneTable | None = None,
) -> dict[str, Path]:
    """Write analysis.json, overlay.png, report.html and masks.seg.nrrd into an existing folder.

    seconds : stages before the analysis, for the report. source : the radiograph's DICOM image; where given, DICOM objects that
    refer to it are written too (`dicom.objects`). opinion : a reader's, table : of every bone
    by itself, both for the structured report. Returns what was written, by "analysis", "overlay", "report", "masks" and the names
    of `dicom.objects.FILES`.
    Raises `OsteoScreenError` in one sentence when the disk is full; files written before that stay and are whole. When a DICOM object
    could not be built, all the others are written, and then `dicom.objects.ObjectsIncomplete` is raised.
    """
    notice = banner(analysis.model.simulated_training, analysis.prediction.domain)
    traced = trace(masks)
    heat = analysis.saliency
    # The analysis knows more remarks (a fallback to the processor, bones not found) than the radiograph does.
    noted = radiograph.with_notes(*(note for note in analysis.notes if note not in radiograph.notes))
    # Compression leaves the interpreter lock, so the other core packs files while this one draws.
    with ThreadPoolExecutor(2) as pool:
        masks_file = pool.submit(write_seg_nrrd, folder / MASKS, masks, radiograph)
        overlay = draw_overlay(noted, masks, heat, notice=notice, headline=headline(analysis), traced=traced)
        overlay_file = pool.submit(save_png, folder / OVERLAY, overlay.image)
        objects, fault = {}, None
        try:
            objects = (
                {}
                if source is None
                else write_dicom(folder, source, analysis, radiograph, masks, overlay, opinion, table, traced=traced)
            )
        except ObjectsIncomplete as error:
            objects, fault = error.files, error
        # A page shows the plate at half the overlay's size, so its names have to be larger in proportion.
        plate, _ = draw_plate(radiograph.pixels, masks, traced, heat, longest=PLATE, at_least=PLATE, lettering=17)
        shown = None
        if analysis.covering is not None and analysis.covering.covered:
            shown = make_coverer(radiograph, masks, analysis.request).cover(analysis.covering.covered)
        beside = {path.name: WORDS[name] for name, path in objects.items()}
        report = render_report(analysis, radiograph, masks, plate, shown, seconds, beside)
        files = {
            **objects,
            "analysis": write_text(folder / ANALYSIS, analysis.to_json()),
            "masks": masks_file.result(),
            "overlay": overlay_file.result(),
            "report": write_text(folder / REPORT, report),  # last, so that a report is a sign that all is there
        }
    if fault is not None:
        raise fault
    return files


def write_objects(
    folder: Path,
    analysis: Analysis,
    radiograph: Radiograph,
    masks: BoneMasks,
    source: SourceImage,
    only: Collection[str],
) -> dict[str, Path]:
    """Write DICOM objects alone, those named in `only` (of `dicom.objects.FILES`); see `write_dicom` for what it returns and raises."""
    notice = banner(analysis.model.simulated_training, analysis.prediction.domain)
    noted = radiograph.with_notes(*(note for note in analysis.notes if note not in radiograph.notes))
    traced = trace(masks)
    overlay = draw_overlay(noted, masks, analysis.saliency, notice=notice, headline=headline(analysis), traced=traced)
    return write_dicom(folder, source, analysis, radiograph, masks, overlay, only=only, traced=traced)


def write_segmentation(folder: Path, radiograph: Radiograph, masks: BoneMasks) -> dict[str, Path]:
    """Write masks.seg.nrrd and an overlay.png without heatmap or answer into an existing folder."""
    overlay = draw_overlay(radiograph, masks, None, notice=RESEARCH_USE, headline="Bones, without a prediction")
    return {"masks": write_seg_nrrd(folder / MASKS, masks, radiograph), "overlay": save_png(folder / OVERLAY, overlay.image)}
