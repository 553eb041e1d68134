"""Simulated chests from the real anatomy: complete, repeatable, masks and paths in agreement, density visible."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.simulate.anatomy import Anatomy, similarity
from OsteoScreenLib.simulate.meshes import Mesh, read_skeleton
from OsteoScreenLib.simulate.posing import GirdlePose, pose_girdle
from OsteoScreenLib.simulate.render import Density, Exposure, detector_signal, grey
from OsteoScreenLib.simulate.thorax import GROUPS, STRUCTURES, View, project_chest, random_body, random_geometry
from OsteoScreenLib.study.views import load_view, save_view


@pytest.fixture(scope="module")
def skeleton(shared_data: Path) -> dict[str, Mesh]:
    return read_skeleton(shared_data / "skeleton" / "bodyparts3d_stl.zip")


def random_view(rng: np.random.Generator, anatomies: tuple[Anatomy, ...], size: int) -> View:
    parts, anatomy, upright = random_body(rng, anatomies)
    return project_chest(parts, random_geometry(rng, parts, upright, size), anatomy)


@pytest.fixture(scope="module")
def views(real_anatomies: tuple[Anatomy, ...]) -> list[View]:
    return [random_view(np.random.default_rng([1, i]), (real_anatomies[i],), 128) for i in (0, 1)]


def test_both_anatomies_have_every_bone_and_organ(real_anatomies: tuple[Anatomy, ...]) -> None:
    for anatomy in real_anatomies:
        assert set(STRUCTURES) <= set(anatomy.parts())
        assert all(mesh.volume_mm3 > 0 for mesh in anatomy.parts().values())
        left = anatomy.bones["left rib 6"].vertices[:, 0].mean()
        assert left > anatomy.bones["right rib 6"].vertices[:, 0].mean() + 100
        assert anatomy.organs["heart"].vertices[:, 0].mean() > anatomy.bones["T7"].vertices[:, 0].mean()
        assert 1500 < anatomy.organs["right lung"].volume_mm3 / 1000 < 4500


def test_the_right_side_lies_on_the_viewers_left(views: list[View]) -> None:
    for view in views:
        for noun in ("rib 5", "clavicle", "scapula"):
            right, left = (np.nonzero(view.masks[STRUCTURES.index(f"{side} {noun}")])[1].mean() for side in ("right", "left"))
            assert right < left - 20
        assert (
            np.nonzero(view.masks[STRUCTURES.index("T3")])[0].mean() < np.nonzero(view.masks[STRUCTURES.index("T10")])[0].mean()
        )


def test_masks_agree_with_path_lengths(views: list[View]) -> None:
    for view in views:
        for group, names in CHEST_FRONTAL.groups.items():
            union = view.masks[[STRUCTURES.index(name) for name in names]].any(axis=0)
            assert (view.paths_mm[group][union] > 0).all()
            if group != "Spine":  # vertebrae beside the vocabulary's count as spine in the paths
                assert view.paths_mm[group][~union].max() < 1.5
            assert (view.paths_mm[f"{group} core"] <= view.paths_mm[group] + 1e-3).all()


def test_the_same_seed_gives_the_same_view(real_anatomies: tuple[Anatomy, ...], views: list[View]) -> None:
    again = random_view(np.random.default_rng([1, 0]), (real_anatomies[0],), 128)
    assert again.geometry == views[0].geometry
    np.testing.assert_array_equal(again.masks, views[0].masks)
    for name, path in views[0].paths_mm.items():
        np.testing.assert_array_equal(again.paths_mm[name], path)


def test_less_mineral_lets_more_through_and_only_in_bone(views: list[View]) -> None:
    view, exposure = views[0], Exposure(scatter_share=0.0)
    healthy = detector_signal(view.paths_mm, Density(), exposure)
    porous = detector_signal(view.paths_mm, Density(trabecular=0.4, cortical=0.7), exposure)
    spine_only = detector_signal(view.paths_mm, Density(by_group={"Spine": 0.5}), exposure)
    bone = sum(view.paths_mm[group] for group in GROUPS) > 2
    assert (porous[bone] > healthy[bone]).mean() > 0.99
    bare = sum(view.paths_mm[group] for group in GROUPS) == 0
    np.testing.assert_allclose(porous[bare], healthy[bare], rtol=1e-5)
    no_spine = view.paths_mm["Spine"] == 0
    np.testing.assert_allclose(spine_only[no_spine], healthy[no_spine], rtol=1e-5)
    picture = grey(healthy)
    assert picture.dtype == np.float32 and picture.min() == 0 and picture.max() == 1
    lung = view.masks[STRUCTURES.index("right lung")] & bare
    spine = view.masks[STRUCTURES.index("T8")]
    assert np.median(picture[spine]) > np.median(picture[lung])


def test_a_view_survives_the_disk(views: list[View], tmp_path: Path) -> None:
    stored = load_view(save_view(tmp_path / "chest.npz", views[1]))
    np.testing.assert_array_equal(stored.masks, views[1].masks)
    assert stored.geometry == views[1].geometry
    for name, path in views[1].paths_mm.items():
        np.testing.assert_allclose(stored.paths_mm[name], path, rtol=1e-3, atol=1e-3)
    (tmp_path / "chest.npz").write_bytes(b"no view")
    with pytest.raises(InputError, match="delete it"):
        load_view(tmp_path / "chest.npz")


def test_the_skeleton_is_read_in_millimetres_with_both_sides(skeleton: dict[str, Mesh], tmp_path: Path) -> None:
    bones = skeleton
    assert set(CHEST_FRONTAL.by_name) <= set(bones)
    assert {"left femur", "right tibia", "mandible", "right hip bone", "left costal cartilage 3"} <= set(bones)
    assert 350 < np.ptp(bones["left femur"].vertices[:, 2]) < 550
    assert bones["sternum"].vertices[:, 1].mean() < bones["T6"].vertices[:, 1].mean()
    with pytest.raises(InputError, match="--skeleton"):
        read_skeleton(tmp_path / "nothing.zip")


def test_a_posed_shoulder_stays_joined(skeleton: dict[str, Mesh]) -> None:
    bones = skeleton
    for side, sign in (("right", -1), ("left", 1)):
        posed = pose_girdle(bones, side, GirdlePose(elevation=12, scapula_forward=20, abduction=30))
        tip = posed[f"{side} clavicle"].vertices[np.argmax(sign * posed[f"{side} clavicle"].vertices[:, 0])]
        before = bones[f"{side} clavicle"].vertices[np.argmax(sign * bones[f"{side} clavicle"].vertices[:, 0])]
        assert tip[2] > before[2] + 10  # raised on both sides
        gap = np.linalg.norm(posed[f"{side} scapula"].vertices - tip, axis=1).min()
        assert gap < np.linalg.norm(bones[f"{side} scapula"].vertices - before, axis=1).min() + 8
        elbow, elbow_before = (
            b[f"{side} humerus"].vertices[np.argmin(b[f"{side} humerus"].vertices[:, 2])] for b in (posed, bones)
        )
        assert sign * elbow[0] > sign * elbow_before[0]  # lifted away from the body


def test_a_similarity_is_found_exactly() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(12, 3)) * 50
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    moved = 1.2 * points @ turn.T + (3, -4, 5)
    np.testing.assert_allclose(similarity(points, moved)(points), moved, atol=1e-9)
