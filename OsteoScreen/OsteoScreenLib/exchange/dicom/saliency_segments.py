"""A saliency map as a DICOM Segmentation at stated levels, and whole as NRRD, both on the stored image's pixels.

A map has no unit and its colours end nowhere in particular, so a level is a share of the map's mass: the segment "top 25 %" is the
smallest region that holds a quarter of the sum of the map over the radiograph. Every segment says so, and from which share of the
map's largest value on it reaches. The whole map would need a Parametric Map, whose plane positions a projection radiograph
lacks; it goes into an NRRD file instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from OsteoScreenLib.bones.segnrrd import drop_comments
from OsteoScreenLib.exchange.colour_maps import COLOUR_MAPS, colours
from OsteoScreenLib.exchange.dicom import codes
from OsteoScreenLib.exchange.dicom.segmentation import algorithm, segmentation_of
from OsteoScreenLib.exchange.dicom.series import RESEARCH_USE, object_facts
from OsteoScreenLib.exchange.dicom.source import SourceImage
from OsteoScreenLib.exchange.dicom.uids import tracking_uid
from OsteoScreenLib.explain.analysis import Analysis
from OsteoScreenLib.explain.saliency import SaliencyMap
from OsteoScreenLib.files import write_atomically

if TYPE_CHECKING:
    from highdicom.seg import Segmentation, SegmentDescription

LEVELS = (0.5, 0.25, 0.1)
"""Shares of the map's mass, widest region first."""
_STEPS = 4096  # of the map's range, in which levels are found
_SIGNIFICANT_BITS = 10  # of the map's values in NRRD; a map is interpolated from a coarse grid and needs no more


@dataclass(frozen=True)
class Level:
    """One region of a map. share : of its mass, as asked for. threshold : as a share of the map's largest value; the region is every
    pixel from there on. held : the share of the mass that these pixels hold."""

    share: float
    threshold: float
    held: float


def build_saliency(source: SourceImage, sop_instance_uid: str, analysis: Analysis) -> Segmentation:
    """The analysis's saliency map as a Segmentation with one segment a level.

    Raises `ValueError` when there is no map or an empty one.
    """
    saliency = analysis.saliency
    if saliency is None or saliency.is_empty:
        raise ValueError("there is no saliency map to write")
    drawn = source.stored(saliency.on_radiograph())
    found = levels(drawn)
    described = [_describe(number, level, saliency, analysis, source) for number, level in enumerate(found, 1)]
    return segmentation_of(
        source,
        (drawn >= np.float32(level.threshold) for level in found),
        described,
        facts=object_facts("saliency", source, sop_instance_uid),
        label="SALIENCY",
        description=f"{RESEARCH_USE}. {saliency.method} {saliency.about}"[:64],
    )


def levels(values: np.ndarray, shares: tuple[float, ...] = LEVELS) -> tuple[Level, ...]:
    """The regions of a map with values from 0 to 1 that hold at least these shares of its mass and are otherwise smallest.

    Thresholds are found in steps of 1/4096 of the largest value.
    """
    step = np.minimum((values * _STEPS).astype(np.int64).ravel(), _STEPS - 1)
    masses = np.bincount(step, values.ravel().astype(np.float64), _STEPS)
    above = masses[::-1].cumsum()[::-1] / masses.sum()
    found = []
    for share in shares:
        # The highest step from which on the mass suffices; the lowest one is left to pixels that hold nothing.
        first = max(1, int(np.flatnonzero(above >= share)[-1]))
        found.append(Level(share, first / _STEPS, float(above[first])))
    return tuple(found)


def write_saliency_nrrd(path: Path, source: SourceImage, saliency: SaliencyMap, model: str) -> Path:
    """Write the map's own values, float32 (columns, rows, 1) as the stored image lies, with the geometry of its `.seg.nrrd` file.

    The values are interpolated from the method's grid and kept to 10 significant bits, a relative error below 0.1 %.
    model : the bundle's id. Raises `OsteoScreenError` when the folder is full or cannot be written.
    """
    import nrrd

    row_mm, column_mm = source.spacing_mm or (1.0, 1.0)
    header = {
        "space": "left-posterior-superior",
        "space directions": np.diag([column_mm, row_mm, 1.0]).tolist(),
        "space origin": [0.0, 0.0, 0.0],
        "kinds": ["domain", "domain", "domain"],
        "encoding": "gzip",
        "OsteoScreen.method": saliency.method,
        "OsteoScreen.target": saliency.about,
        "OsteoScreen.score": saliency.score,
        "OsteoScreen.model": model,
        "OsteoScreen.notice": RESEARCH_USE,
    }
    volume = _shortened(source.stored(saliency.on_radiograph(scaled=False))).T[:, :, np.newaxis]

    def write(temporary: Path) -> None:
        nrrd.write(str(temporary), volume, header, compression_level=1)
        drop_comments(temporary)

    return write_atomically(path, write)


def _shortened(values: np.ndarray) -> np.ndarray:
    """float32 with all but the leading bits of the mantissa rounded away, which packs several times smaller."""
    dropped = 23 - (_SIGNIFICANT_BITS - 1)
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    half = np.uint32(1 << (dropped - 1))
    return ((bits + half) >> np.uint32(dropped) << np.uint32(dropped)).view(np.float32)


def _describe(number: int, level: Level, saliency: SaliencyMap, analysis: Analysis, source: SourceImage) -> SegmentDescription:
    from highdicom.color import CIELabColor
    from highdicom.seg import SegmentAlgorithmTypeValues, SegmentDescription

    described = SegmentDescription(
        segment_number=number,
        segment_label=f"saliency, top {100 * level.share:.0f} % of mass",
        segmented_property_category=codes.concept(codes.SPATIAL_CONCEPT),
        segmented_property_type=codes.concept(codes.SALIENCY),
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=algorithm(saliency.method),
        tracking_uid=tracking_uid(source.sop_instance_uid, f"saliency {level.share}"),
        tracking_id=f"saliency top {100 * level.share:.0f} %",
        display_color=CIELabColor.from_rgb(*(int(one) for one in colours(COLOUR_MAPS[0])[round(255 * (1 - level.share))])),
    )
    described.SegmentDescription = (
        f"{RESEARCH_USE}. {saliency.method} {saliency.about}, model {analysis.model.id}: the smallest region that holds "
        f"{100 * level.share:.0f} % of the map's sum over the radiograph (here {100 * level.held:.1f} %); every pixel from "
        f"{100 * level.threshold:.2f} % of the map's largest value on. The map is scaled within this image."
    )
    return described
