"""Right stays right: in every body that can be drawn, in every pose, and in every projection of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("numba", reason="the simulator's packages are not installed here")

from hypothesis import given, settings
from hypothesis import strategies as st
from thoraces import drawn_anatomy

from OsteoScreenLib.simulate.anatomy import Anatomy
from OsteoScreenLib.simulate.meshes import Mesh
from OsteoScreenLib.simulate.posing import GirdlePose, pose_girdle
from OsteoScreenLib.simulate.projection import Geometry, project
from OsteoScreenLib.simulate.thorax import STRUCTURES, random_geometry, random_parts

PAIRS = tuple((name, name.replace("right", "left")) for name in STRUCTURES if name.startswith("right"))
SHARES = (-0.35, 0.75)  # how far a body may turn away from, and into, another one's shape
SEEDS = range(24)


class AtTheEnd(np.random.Generator):
    """Draws at random, but turns bodies to one end of what is allowed."""

    def __init__(self, seed: int, share: float) -> None:
        super().__init__(np.random.PCG64(seed))
        self.share, self.asked = share, 0

    def uniform(self, low=0.0, high=1.0, size=None):  # type: ignore[no-untyped-def]
        if (low, high) == SHARES:
            self.asked += 1
            return self.share
        return super().uniform(low, high, size)


def bodies(anatomy: Anatomy):  # type: ignore[no-untyped-def]
    """(rng, parts, upright), with the turn to the other shape at random and at both ends of its range."""
    for seed in SEEDS:
        rng = np.random.default_rng(seed) if seed % 3 == 0 else AtTheEnd(seed, SHARES[seed % 3 - 1])
        yield rng, random_parts(rng, anatomy, upright=seed % 2 == 0), seed % 2 == 0
        assert not isinstance(rng, AtTheEnd) or rng.asked == 1


def paired(parts: dict[str, Mesh]) -> dict[str, Mesh]:
    return {name: parts[name] for pair in PAIRS for name in pair}


def test_no_body_exchanges_its_sides_or_turns_inside_out(anatomy: Anatomy) -> None:
    template = anatomy.parts()
    for _, parts, _ in bodies(anatomy):
        for right, left in PAIRS:
            assert parts[right].vertices[:, 0].mean() < parts[left].vertices[:, 0].mean() - 15, right
        # A name keeps its own surface; moving it never turns it inside out.
        assert all(parts[name].faces is mesh.faces for name, mesh in template.items() if name != "body")
        assert all(mesh.volume_mm3 > 0 for mesh in parts.values())


def test_a_body_is_the_same_wherever_the_scanner_put_its_zero(anatomy: Anatomy) -> None:
    shift = np.array([170.0, -90.0, 400.0])
    for seed in range(6):
        here, there = (random_parts(np.random.default_rng(seed), one) for one in (anatomy, elsewhere(anatomy, shift)))
        for name, mesh in here.items():
            np.testing.assert_allclose(there[name].vertices - shift, mesh.vertices, atol=1e-6, err_msg=name)


def elsewhere(anatomy: Anatomy, shift: np.ndarray) -> Anatomy:
    def moved(meshes: Mapping[str, Mesh]) -> dict[str, Mesh]:
        return {name: mesh.moved(mesh.vertices + shift) for name, mesh in meshes.items()}

    others = tuple({name: vertices + shift for name, vertices in other.items()} for other in anatomy.others)
    (body,) = moved({"body": anatomy.body}).values()
    return Anatomy(anatomy.name, moved(anatomy.bones), moved(anatomy.cartilages), moved(anatomy.organs), body, others)


@pytest.mark.parametrize("direction", ["PA", "AP"])
def test_every_right_bone_is_projected_on_the_viewers_left_of_its_partner(anatomy: Anatomy, direction: str) -> None:
    for rng, parts, upright in bodies(anatomy):
        own = random_geometry(rng, parts, upright, 112)
        wide = replace(own, direction=direction, pixel_mm=own.pixel_mm * 2.2)  # type: ignore[arg-type]
        tilt = rng.uniform(-15, 15, 2)
        for turn in (own.turn_degrees, (-45.0, *tilt), (float(rng.uniform(-45, 45)), *tilt), (45.0, *tilt)):
            paths = project(paired(parts), replace(wide, turn_degrees=turn))  # type: ignore[arg-type]
            for right, left in PAIRS:
                columns = [np.nonzero(paths[name])[1] for name in (right, left)]
                assert all(len(found) for found in columns), (right, turn)
                assert columns[0].mean() < columns[1].mean(), (right, turn)


def test_in_lateral_views_the_side_at_the_detector_is_the_smaller_one() -> None:
    parts = paired(drawn_anatomy().parts())
    for view, nearer in (("LEFT LATERAL", "left"), ("RIGHT LATERAL", "right")):
        for turn in (-8.0, 0.0, 8.0):
            geometry = Geometry(view, 1200.0, 300.0, 800, 800, 1.0, turn_degrees=(turn, 0, 0))  # type: ignore[arg-type]
            height = {name: np.ptp(np.nonzero(path)[0]) for name, path in project(parts, geometry).items()}
            for right, left in PAIRS:
                far, near = (right, left) if nearer == "left" else (left, right)
                assert height[far] > height[near] > 0, (far, turn)


def edges(mesh: Mesh) -> np.ndarray:
    """Lengths of the edges, millimetres."""
    return np.linalg.norm(mesh.vertices[mesh.faces] - mesh.vertices[np.roll(mesh.faces, 1, axis=1)], axis=2)


ANGLE = st.floats(-60, 60)


@settings(deadline=None, max_examples=60)
@given(st.builds(GirdlePose, ANGLE, ANGLE, ANGLE, ANGLE, ANGLE, ANGLE), st.sampled_from(["right", "left"]))
def test_a_pose_moves_each_bone_as_a_whole_and_is_the_same_on_both_sides(pose: GirdlePose, side: str) -> None:
    bones = drawn_anatomy().bones
    posed = pose_girdle(bones, side, pose)
    assert set(posed) == {f"{side} clavicle", f"{side} scapula", f"{side} humerus"}
    other = "left" if side == "right" else "right"
    mirrored = pose_girdle(bones, other, pose)
    for name, mesh in posed.items():
        before = bones[name]
        assert mesh.volume_mm3 == pytest.approx(before.volume_mm3)
        np.testing.assert_allclose(edges(mesh), edges(before), atol=1e-9)
        np.testing.assert_allclose(mirrored[name.replace(side, other)].mirrored().vertices, mesh.vertices, atol=1e-6)
