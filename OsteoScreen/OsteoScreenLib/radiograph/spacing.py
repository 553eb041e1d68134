"""Pixel spacing of a projection radiograph, and what it is a spacing of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from OsteoScreenLib.radiograph import header
from OsteoScreenLib.radiograph.radiograph import Note, SpacingSource

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

# From the finest film scanner to the coarsest thumbnail; a spacing outside is a writing error.
_FINEST_MM, _COARSEST_MM = 0.005, 5.0
# A tube at 1 m and a thick patient come nowhere near this.
_LARGEST_MAGNIFICATION = 3.0


@dataclass(frozen=True)
class Spacing:
    """(row, column) distance in millimetres or None, its source, and remarks."""

    mm: tuple[float, float] | None
    source: SpacingSource
    notes: tuple[Note, ...] = ()


def spacing_of_header(dataset: Dataset) -> Spacing:
    """Spacing with its provenance (DICOM PS3.3 10.7.1.3).

    PixelSpacing is the patient's plane only when PixelSpacingCalibrationType says GEOMETRY or FIDUCIAL. Otherwise
    ImagerPixelSpacing (or NominalScannedPixelSpacing of a scanned film) is the detector's, divided by the estimated
    magnification, or by source-detector over source-patient distance, where the header gives them. PixelSpacing alone,
    without a calibration type, as in secondary captures, is taken as the detector's.
    """
    pixel = _pair(dataset, "PixelSpacing")
    if pixel and header.word(dataset, "PixelSpacingCalibrationType") in {"GEOMETRY", "FIDUCIAL"}:
        return _known(pixel, "calibrated", None)
    detector = _pair(dataset, "ImagerPixelSpacing") or _pair(dataset, "NominalScannedPixelSpacing")
    magnification = _magnification(dataset)
    if detector and magnification:
        scaled = (detector[0] / magnification, detector[1] / magnification)
        text = f"Lengths are the detector's divided by the magnification in the header ({magnification:.3g})."
        return _known(scaled, "magnification", Note("spacing-magnification", "info", text))
    if detector:
        text = "Lengths are measured at the detector; in the patient they are shorter."
        return _known(detector, "detector", Note("spacing-detector", "info", text))
    if pixel:
        text = (
            "The header gives a pixel spacing without saying that it is calibrated; lengths are taken as those at the detector."
        )
        return _known(pixel, "detector", Note("spacing-uncalibrated", "info", text))
    return unknown_spacing()


def spacing_of_file(row: float, column: float, source: SpacingSource = "file header") -> Spacing:
    """Spacing from a volume's or picture's own header. Exactly 1 × 1 is what writers put in who know no spacing."""
    if not (_possible(row) and _possible(column)) or (row == 1.0 and column == 1.0):
        return unknown_spacing()
    return _known((row, column), source, None)


def unknown_spacing() -> Spacing:
    """No spacing, with the remark that lengths are unknown."""
    text = "No spacing: the size of a pixel is unknown, so nothing can be given in millimetres."
    return Spacing(None, "unknown", (Note("no-spacing", "warning", text),))


def _known(mm: tuple[float, float], source: SpacingSource, note: Note | None) -> Spacing:
    notes = [note] if note else []
    if abs(mm[0] / mm[1] - 1) > 0.02:
        text = f"Pixels are not square ({mm[0]:.3g} × {mm[1]:.3g} mm), so the picture is shown stretched."
        notes.append(Note("non-square-pixels", "warning", text))
    return Spacing(mm, source, tuple(notes))


def _pair(dataset: Dataset, keyword: str) -> tuple[float, float] | None:
    found = header.numbers(dataset, keyword)
    if len(found) == 1:
        found = found * 2
    if len(found) != 2 or not all(_possible(one) for one in found):
        return None
    return found[0], found[1]


def _possible(mm: float) -> bool:
    return math.isfinite(mm) and _FINEST_MM <= mm <= _COARSEST_MM


def _magnification(dataset: Dataset) -> float | None:
    """The header's magnification, None when it gives none that is possible; exactly 1 is a default, not an estimate."""
    estimated = header.number(dataset, "EstimatedRadiographicMagnificationFactor")
    if estimated is None:
        detector = header.number(dataset, "DistanceSourceToDetector")
        patient = header.number(dataset, "DistanceSourceToPatient")
        estimated = detector / patient if detector and patient and patient > 0 else None
    return estimated if estimated is not None and 1.0 < estimated <= _LARGEST_MAGNIFICATION else None
