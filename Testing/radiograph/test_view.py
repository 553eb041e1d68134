"""View, body site and claimed orientation from the header's codes, words and abbreviations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from radiograph.synthetic import codes, data_set, grey_picture

from OsteoScreenLib.radiograph.radiograph import Placement
from OsteoScreenLib.radiograph.read import read_dataset
from OsteoScreenLib.radiograph.view import placement_of_orientation


def coded(value: str, meaning: str) -> list[Dataset]:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", meaning
    return [item]


@pytest.mark.parametrize(
    ("tags", "view"),
    [
        ({"ViewPosition": "PA"}, "PA"),
        ({"ViewPosition": "ap"}, "AP"),
        ({"ViewPosition": "LL"}, "LATERAL"),
        ({"ViewPosition": "LATERAL"}, "LATERAL"),
        ({"ViewPosition": "RLO"}, "OBLIQUE"),
        ({"ViewPosition": "", "ViewCodeSequence": coded("399348003", "")}, "AP"),
        ({"ViewCodeSequence": coded("R-10214", "postero-anterior")}, "PA"),
        ({"ViewCodeSequence": coded("L-99", "left lateral")}, "LATERAL"),
        ({"SeriesDescription": "view: PA"}, "PA"),
        ({"SeriesDescription": "Thorax p.a. stehend"}, "PA"),
        ({"ProtocolName": "CHEST AP PORTABLE"}, "AP"),
        ({"StudyDescription": "Chest PA and lateral"}, ""),
        ({"StudyDescription": "CHEST, 2 VIEWS"}, ""),
        ({"SeriesDescription": "W033 Thorax lat."}, "LATERAL"),
        ({"StudyDescription": "Thorax seitlich"}, "LATERAL"),
        ({"SeriesDescription": "SPAPPLE PATIENT"}, ""),
        ({"PatientOrientation": ["A", "F"]}, "LATERAL"),
        ({"PatientOrientation": ["L", "F"]}, ""),
        ({"ViewPosition": "Nightingale, Florence (born 1820)"}, ""),
        ({}, ""),
    ],
)
def test_view(tags: dict[str, Any], view: str) -> None:
    shown = read_dataset(data_set(grey_picture(), **tags))
    assert shown.view == view
    assert ("unknown-view" in codes(shown)) == (view == "")
    assert ("not-frontal-view" in codes(shown)) == (view in {"LATERAL", "OBLIQUE"})
    assert ("ap-view" in codes(shown)) == (view == "AP")


@pytest.mark.parametrize(
    ("tags", "site"),
    [
        ({"BodyPartExamined": "CHEST"}, "CHEST"),
        ({"BodyPartExamined": "Thorax "}, "CHEST"),
        ({"BodyPartExamined": "TORAX"}, "CHEST"),
        ({"BodyPartExamined": "HIP"}, "HIP"),
        ({"BodyPartExamined": "L_SPINE"}, "LSPINE"),
        ({"BodyPartExamined": "EXTREMITY"}, "EXTREMITY"),
        ({"BodyPartExamined": "", "AnatomicRegionSequence": coded("T-D3000", "Chest")}, "CHEST"),
        ({"AnatomicRegionSequence": coded("1", "Knee joint")}, "KNEE"),
        ({"StudyDescription": "HIP JOINT"}, "HIP"),
        ({"SeriesDescription": "CXR PA"}, "CHEST"),
        ({"StudyDescription": "T-SPINE AP"}, "TSPINE"),
        ({"modality": "PX"}, "JAW"),
        ({"BodyPartExamined": "Florence's left arm, kept free text"}, "ARM"),
        ({"BodyPartExamined": "Mme. Nightingale"}, ""),
        ({}, ""),
    ],
)
def test_site(tags: dict[str, Any], site: str) -> None:
    assert read_dataset(data_set(grey_picture(), **tags)).site == site


# Patient directions at the right and the lower edge of an upright frontal image.
UPRIGHT = {"right": "L", "left": "R", "down": "F", "up": "H"}


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_orientation_claims_are_understood(mirrored: bool, turns: int) -> None:
    """Labels at the edges are carried through each placement; the claim must name that placement."""
    placement = Placement(mirrored, turns)
    edges = np.array([["", "H", ""], ["R", "", "L"], ["", "F", ""]])
    stored = placement.undo(edges)
    assert placement_of_orientation(stored[1, 2], stored[2, 1]) == placement


@pytest.mark.parametrize(
    ("orientation", "view", "noted"),
    [
        (["L", "F"], "PA", False),
        (["R", "F"], "PA", True),
        (["H", "L"], "PA", True),
        (["R", "H"], "", True),
        (["LA", "FA"], "PA", False),
        (["A", "F"], "LATERAL", False),
        (["P", "F"], "LATERAL", False),
        (["X", "?"], "PA", False),
        (["L", "R"], "PA", False),
        ("L", "PA", False),
    ],
)
def test_an_odd_orientation_is_noted_and_not_applied(orientation: Any, view: str, noted: bool) -> None:
    array = grey_picture()
    shown = read_dataset(data_set(array, PatientOrientation=orientation, ViewPosition=view))
    assert ("header-orientation" in codes(shown)) == noted
    assert shown.placement == Placement()
    np.testing.assert_array_equal(shown.pixels, read_dataset(data_set(array)).pixels)
