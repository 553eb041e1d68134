"""Where a pixel spacing comes from and what it is a spacing of."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from radiograph.synthetic import SC, codes, data_set, grey_picture

from OsteoScreenLib.radiograph.read import radiograph_from_array, read_dataset

PIXEL, IMAGER = [0.14, 0.14], [0.2, 0.2]


@pytest.mark.parametrize(
    ("tags", "mm", "source", "note"),
    [
        ({"PixelSpacing": PIXEL, "PixelSpacingCalibrationType": "GEOMETRY"}, 0.14, "calibrated", None),
        ({"PixelSpacing": PIXEL, "PixelSpacingCalibrationType": "FIDUCIAL", "ImagerPixelSpacing": IMAGER}, 0.14, "calibrated", None),
        ({"PixelSpacing": PIXEL, "ImagerPixelSpacing": IMAGER}, 0.2, "detector", "spacing-detector"),
        ({"PixelSpacing": PIXEL, "PixelSpacingCalibrationType": "GUESS", "ImagerPixelSpacing": IMAGER}, 0.2, "detector", "spacing-detector"),
        ({"ImagerPixelSpacing": IMAGER, "EstimatedRadiographicMagnificationFactor": 1.25}, 0.16, "magnification", "spacing-magnification"),
        ({"ImagerPixelSpacing": IMAGER, "DistanceSourceToDetector": 1800, "DistanceSourceToPatient": 1600}, 0.1777778, "magnification", "spacing-magnification"),
        ({"ImagerPixelSpacing": IMAGER, "DistanceSourceToDetector": 1800}, 0.2, "detector", "spacing-detector"),
        ({"ImagerPixelSpacing": IMAGER, "EstimatedRadiographicMagnificationFactor": 1.0}, 0.2, "detector", "spacing-detector"),
        ({"ImagerPixelSpacing": IMAGER, "EstimatedRadiographicMagnificationFactor": 0}, 0.2, "detector", "spacing-detector"),
        ({"ImagerPixelSpacing": IMAGER, "DistanceSourceToDetector": 1000, "DistanceSourceToPatient": 1800}, 0.2, "detector", "spacing-detector"),
        ({"ImagerPixelSpacing": IMAGER, "DistanceSourceToDetector": 1800, "DistanceSourceToPatient": 0}, 0.2, "detector", "spacing-detector"),
        ({"PixelSpacing": [0, 0], "ImagerPixelSpacing": IMAGER}, 0.2, "detector", "spacing-detector"),
        ({"PixelSpacing": PIXEL}, 0.14, "detector", "spacing-uncalibrated"),
        ({"NominalScannedPixelSpacing": IMAGER, "sop_class": SC, "modality": "CR"}, 0.2, "detector", "spacing-detector"),
        ({"PixelSpacing": [0, 0]}, None, "unknown", "no-spacing"),
        ({"PixelSpacing": [-0.1, 0.1]}, None, "unknown", "no-spacing"),
        ({"PixelSpacing": [0.0, 0.0], "PixelSpacingCalibrationType": "GEOMETRY"}, None, "unknown", "no-spacing"),
        ({"ImagerPixelSpacing": [1000, 1000]}, None, "unknown", "no-spacing"),
        ({}, None, "unknown", "no-spacing"),
    ],
)  # fmt: skip
def test_table(tags: dict[str, Any], mm: float | None, source: str, note: str | None) -> None:
    shown = read_dataset(data_set(grey_picture(), **tags))
    assert shown.spacing_source == source
    assert shown.spacing_mm == (None if mm is None else pytest.approx((mm, mm)))
    spacing_notes = {code for code in codes(shown) if "spacing" in code}
    assert spacing_notes == ({note} if note else set())


@pytest.mark.parametrize(
    ("raw", "mm"),
    [(b"NaN\\NaN", None), (b"\\", None), (b"abc\\0.1", None), (b"inf\\0.1", None), (b"0,143\\0,143", 0.143), (b"0.143", 0.143)],
)
def test_values_as_hospitals_write_them(raw: bytes, mm: float | None) -> None:
    dataset = data_set(grey_picture())
    dataset._dict[Tag(0x00181164)] = RawDataElement(Tag(0x00181164), "DS", len(raw), raw, 0, False, True)
    shown = read_dataset(dataset)
    assert shown.spacing_mm == (None if mm is None else pytest.approx((mm, mm)))


def test_rows_come_first_and_a_quarter_turn_swaps_them() -> None:
    dataset = data_set(grey_picture(), ImagerPixelSpacing=[0.1, 0.3])
    assert read_dataset(dataset).spacing_mm == (0.1, 0.3)
    assert "non-square-pixels" in codes(read_dataset(dataset))
    assert read_dataset(dataset, rotate=90).spacing_mm == (0.3, 0.1)
    assert read_dataset(dataset, rotate=180).spacing_mm == (0.1, 0.3)


@pytest.mark.parametrize(
    ("given", "kept"),
    [((0.2, 0.25), (0.2, 0.25)), (None, None), ((0, 0), None), ((float("nan"), 1), None), ((1.0, 1.0), None)],
)
def test_arrays(given: tuple[float, float] | None, kept: tuple[float, float] | None) -> None:
    """1 × 1 mm is what writers of volumes put in who know no spacing."""
    shown = radiograph_from_array(grey_picture(), given)
    assert shown.spacing_mm == kept
    assert shown.spacing_source == ("unknown" if kept is None else "file header")
    assert ("no-spacing" in codes(shown)) == (kept is None)
