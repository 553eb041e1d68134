"""The result files of one radiograph, each written whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.segnrrd import write_seg_nrrd
from OsteoScreenLib.exchange.overlay import RESEARCH_USE, banner, draw_overlay, save_png
from OsteoScreenLib.exchange.plate import draw_plate, trace
from OsteoScreenLib.exchange.report import headline, render_report
from OsteoScreenLib.explain.analyse import make_coverer
from OsteoScreenLib.explain.analysis import Analysis
from OsteoScreenLib.files import write_text
from OsteoScreenLib.radiograph.radiograph import Radiograph

ANALYSIS, OVERLAY, REPORT, MASKS = "analysis.json", "overlay.png", "report.html", "masks.seg.nrrd"
PLATE = 1100


def write_analysis(
    folder: Path, analysis: Analysis, radiograph: Radiograph, masks: BoneMasks, seconds: Mapping[str, float] | None = None
) -> dict[str, Path]:
    """Write analysis.json, overlay.png, report.html and masks.seg.nrrd into an existing folder.

    seconds : stages before the analysis, for the report. Returns what was written, by "analysis", "overlay", "report", "masks".
    Raises `OsteoScreenError` in one sentence when the disk is full; files written before that stay and are whole.
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
        # A page shows the plate at half the overlay's size, so its names have to be larger in proportion.
        plate, _ = draw_plate(radiograph.pixels, masks, traced, heat, longest=PLATE, at_least=PLATE, lettering=17)
        shown = None
        if analysis.covering is not None and analysis.covering.covered:
            shown = make_coverer(radiograph, masks, analysis.request).cover(analysis.covering.covered)
        report = render_report(analysis, radiograph, masks, plate, shown, seconds)
        return {
            "analysis": write_text(folder / ANALYSIS, analysis.to_json()),
            "masks": masks_file.result(),
            "overlay": overlay_file.result(),
            "report": write_text(folder / REPORT, report),  # last, so that a report is a sign that all is there
        }


def write_segmentation(folder: Path, radiograph: Radiograph, masks: BoneMasks) -> dict[str, Path]:
    """Write masks.seg.nrrd and an overlay.png without heatmap or answer into an existing folder."""
    overlay = draw_overlay(radiograph, masks, None, notice=RESEARCH_USE, headline="Bones, without a prediction")
    return {"masks": write_seg_nrrd(folder / MASKS, masks, radiograph), "overlay": save_png(folder / OVERLAY, overlay.image)}
