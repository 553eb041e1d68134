"""Simulated knees: complete, repeatable, on the right sides, masks and path lengths in agreement, density visible."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from OsteoScreenLib.bones.vocabulary import KNEE
from OsteoScreenLib.simulate.knee import BONES, KINDS, PATH_NAMES, KneeView, project_knees, random_knees, random_leg
from OsteoScreenLib.simulate.meshes import Mesh, read_skeleton
from OsteoScreenLib.study.knee_views import random_knee_depth

SIZE = 96
SEEDS = range(8)


@pytest.fixture(scope="module")
def skeleton(shared_data: Path) -> dict[str, Mesh]:
    return read_skeleton(shared_data / "skeleton" / "bodyparts3d_stl.zip")


@pytest.fixture(scope="module")
def views(skeleton: dict[str, Mesh]) -> list[KneeView]:
    return [project_knees(*random_knees(np.random.default_rng([1, seed]), skeleton, SIZE)) for seed in SEEDS]


def paths_of(view: KneeView) -> dict[str, np.ndarray]:
    return dict(zip(PATH_NAMES, view.paths_mm, strict=True))


def column_of(mask: np.ndarray) -> float:
    return float(np.nonzero(mask)[1].mean())


def test_each_picture_shows_one_knee_or_both(views: list[KneeView]) -> None:
    shown = [{name.split(" ")[0] for name, mask in zip(BONES, view.masks, strict=True) if mask.any()} for view in views]
    assert {len(sides) for sides in shown} == {1, 2}
    for view, sides in zip(views, shown, strict=True):
        # The joint is always in the field: femur and tibia of every side that is there.
        assert all(view.masks[BONES.index(f"{side} {bone}")].any() for side in sides for bone in ("femur", "tibia"))


def test_the_patients_right_is_on_the_viewers_left_and_the_fibula_outside(views: list[KneeView]) -> None:
    for view in views:
        masks = dict(zip(BONES, view.masks, strict=True))
        if masks["right tibia"].any() and masks["left tibia"].any():
            assert column_of(masks["right tibia"]) < column_of(masks["left tibia"])
        for side, outwards in (("right", -1), ("left", 1)):
            if masks[f"{side} fibula"].sum() > 60:
                assert (column_of(masks[f"{side} fibula"]) - column_of(masks[f"{side} tibia"])) * outwards > 0


def test_masks_are_where_the_rays_cross_the_bone(views: list[KneeView]) -> None:
    for view in views:
        paths = paths_of(view)
        for kind in KINDS:
            mask = view.masks[[BONES.index(f"{side} {kind}") for side in ("right", "left")]].any(axis=0)
            assert (paths[kind][mask] > 0.3).all() and (paths[kind][~mask] < 1.0).all()
            assert (paths[f"{kind} core"] <= paths[kind] + 1e-4).all()
        bone = view.masks.any(axis=0)
        assert (paths["body"][bone] > 5).mean() > 0.97, "bones lie inside the leg"


def test_a_view_is_the_same_again_and_another_with_another_seed(skeleton: dict[str, Mesh], views: list[KneeView]) -> None:
    again = project_knees(*random_knees(np.random.default_rng([1, 0]), skeleton, SIZE))
    assert np.array_equal(again.paths_mm, views[0].paths_mm) and np.array_equal(again.masks, views[0].masks)
    assert not np.array_equal(views[1].paths_mm, views[0].paths_mm)


def test_the_left_leg_is_the_right_one_in_a_mirror(skeleton: dict[str, Mesh]) -> None:
    right, left = (random_leg(np.random.default_rng(5), skeleton, side, 0.5, 90.0) for side in ("right", "left"))
    for name in right:
        assert np.allclose(left[name].vertices, right[name].vertices * (-1, 1, 1))
        assert left[name].volume_mm3 == pytest.approx(right[name].volume_mm3) and right[name].volume_mm3 > 0


def test_every_cortex_encloses_its_core(skeleton: dict[str, Mesh]) -> None:
    leg = random_leg(np.random.default_rng(6), skeleton, "right", 0.3, 80.0)
    for kind in KINDS:
        assert 0.2 < leg[f"{kind} core"].volume_mm3 / leg[kind].volume_mm3 < 0.97


def test_the_field_can_be_moved_off_the_joint(skeleton: dict[str, Mesh]) -> None:
    """What the gate must refuse: a shaft alone."""
    parts, geometry = random_knees(np.random.default_rng([1, 1]), skeleton, SIZE)
    shaft = project_knees(parts, replace(geometry, pixel_mm=120 / SIZE, centre=(geometry.centre[0], 0.0, -190.0)))
    assert not shaft.masks[[BONES.index(name) for name in KNEE.groups["Femora"]]].any()


def test_bone_weakens_the_beam(views: list[KneeView]) -> None:
    for number, view in enumerate(views):
        depth = random_knee_depth(view.paths_mm, np.random.default_rng([2, number]))
        without = view.paths_mm.copy()
        without[1:] = 0
        bone = view.masks.any(axis=0)
        plain = random_knee_depth(without, np.random.default_rng([2, number]))
        assert depth.dtype == np.float32 and (depth >= 0).all()
        assert (depth - plain)[bone].mean() > 0.15 and abs((depth - plain)[~bone]).mean() < 0.05
