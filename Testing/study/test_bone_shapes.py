"""The table of expected bones is learnt back from chests that were drawn from it, and the confidence's calibration rises."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("cv2")

from bones.quality_doubles import SHAPE, drawn_chest

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.shapes import chest_shapes, measure, shapes_from
from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.study.bone_shapes import learn_shapes, measured_views, write_shapes
from OsteoScreenLib.study.mask_confidence import Pairs, rising_fit, told


def test_learning_finds_the_chests_that_were_drawn(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    chests = []
    for seed in range(14):
        masks = drawn_chest(seed, size=float(rng.uniform(150, 230)), tilt=float(rng.uniform(-0.05, 0.05)))
        chests.append(measure(BoneMasks.pack(masks, SHAPE)))
    learnt = shapes_from(json.loads(write_shapes(tmp_path / "s.json", learn_shapes(chests), 14).read_text("utf-8"))["bones"])
    known = chest_shapes()
    # Only forms count: the origin and the unit of a table are free, so distances and ratios are compared.
    scale = np.hypot(known["C7"].row - known["T12"].row, 0) / (learnt["T12"].row - learnt["C7"].row)
    assert scale == pytest.approx(1, abs=0.08)
    for name, one in known.items():
        if name in learnt:
            other = known["T7"], learnt["T7"]
            assert one.column == pytest.approx(scale * learnt[name].column, abs=0.03), name
            assert one.row - other[0].row == pytest.approx(scale * (learnt[name].row - other[1].row), abs=0.03), name
            assert one.log_area == pytest.approx(learnt[name].log_area + 2 * np.log(scale), abs=0.25), name


def test_the_shipped_table_is_symmetrical_and_complete() -> None:
    shapes = chest_shapes()
    assert set(CHEST_FRONTAL.by_name) - set(shapes) == {"right humerus", "left humerus"}
    for name, one in shapes.items():
        if name.startswith("right"):
            left = shapes[name.replace("right", "left")]
            assert one.column == pytest.approx(-left.column, abs=1e-3) and one.log_area == pytest.approx(
                left.log_area, abs=1e-3
            )
            assert one.column < 0
    ribs = [shapes[f"left rib {number}"].row for number in range(1, 13)]
    assert ribs == sorted(ribs)


def test_a_folder_without_views_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no rendered views"):
        measured_views(tmp_path)


def test_the_calibration_rises_and_takes_optimism_away() -> None:
    rng = np.random.default_rng(5)
    measured = rng.uniform(0.1, 0.95, 900)
    expected = np.clip(0.6 + 0.4 * measured + rng.normal(0, 0.03, 900), 0, 1)
    fitted = rising_fit(expected, measured)
    assert list(fitted.measured) == sorted(fitted.measured) and list(fitted.expected) == sorted(fitted.expected)
    answered = np.array([fitted(value) for value in expected])
    assert np.abs(answered - measured).mean() < 0.4 * np.abs(expected - measured).mean()
    lines = told(Pairs(("T7",) * 450 + ("left clavicle",) * 450, expected, measured), fitted)
    assert any(line.startswith("Spine") for line in lines) and any(line.startswith("Clavicles") for line in lines)


def test_a_calibration_of_noise_is_flat_and_still_rises() -> None:
    rng = np.random.default_rng(6)
    fitted = rising_fit(rng.random(300), rng.random(300))
    assert list(fitted.measured) == sorted(fitted.measured)
    assert max(fitted.measured) - min(fitted.measured) < 0.35
