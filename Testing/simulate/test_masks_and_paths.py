"""Masks and path lengths are one thing seen twice: to the pixel, and against rays followed through the surfaces one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("numba", reason="the simulator's packages are not installed here")


from OsteoScreenLib.simulate.anatomy import Anatomy
from OsteoScreenLib.simulate.meshes import Mesh
from OsteoScreenLib.simulate.projection import Geometry, project
from OsteoScreenLib.simulate.thorax import AUXILIARY, BONES, STRUCTURES, project_chest, random_geometry, random_parts

SEEDS = range(6)
LEAST_MM = {name: 30.0 if "lung" in name else 0.4 for name in STRUCTURES}  # of a ray inside a structure that its mask shows
ALWAYS = (*AUXILIARY, "airway", "body")
FRAMES = {  # to the image's right, down it, and away from the source: in a patient's left, back and head
    "PA": ((1, 0, 0), (0, 0, -1), (0, -1, 0)),
    "AP": ((1, 0, 0), (0, 0, -1), (0, 1, 0)),
    "LEFT LATERAL": ((0, 1, 0), (0, 0, -1), (1, 0, 0)),
    "RIGHT LATERAL": ((0, 1, 0), (0, 0, -1), (-1, 0, 0)),
}


def chests(anatomy: Anatomy):  # type: ignore[no-untyped-def]
    """(rng, parts, geometry), every other one turned and tilted far beyond what is drawn."""
    for seed in SEEDS:
        rng, upright = np.random.default_rng([9, seed]), seed % 2 == 0
        parts = random_parts(rng, anatomy, upright)
        geometry = random_geometry(rng, parts, upright, 144)
        if seed % 3:
            geometry = replace(geometry, turn_degrees=tuple(rng.uniform(-45, 45, 3)), pixel_mm=1.3 * geometry.pixel_mm)
        yield rng, parts, geometry


def test_a_mask_is_its_path_length_above_the_threshold_whatever_else_is_projected(anatomy: Anatomy) -> None:
    for _, parts, geometry in chests(anatomy):
        view = project_chest(parts, geometry, apart=BONES)
        for place, name in enumerate(STRUCTURES):
            alone = project({name: parts[name]}, geometry)[name]
            np.testing.assert_array_equal(view.masks[place], alone > LEAST_MM[name], name)
            if name in BONES:
                np.testing.assert_array_equal(view.paths_mm[f"bone {name}"], alone, name)
        chosen = ("T7", "right rib 4", "left scapula")
        fewer = project_chest({name: parts[name] for name in (*ALWAYS, *chosen)}, geometry)
        for place, name in enumerate(STRUCTURES):
            kept = view.masks[place] if name in (*AUXILIARY, *chosen) else np.zeros_like(view.masks[place])
            np.testing.assert_array_equal(fewer.masks[place], kept, name)


@pytest.mark.parametrize("direction", FRAMES)
def test_paths_and_masks_are_those_of_rays_followed_one_by_one(anatomy: Anatomy, direction: str) -> None:
    followed = 0
    for rng, parts, drawn in chests(anatomy):
        geometry = replace(drawn, direction=direction)  # type: ignore[arg-type]
        paths = project({name: parts[name] for name in STRUCTURES}, geometry)
        for name, path in paths.items():
            pixels = sampled(rng, path > LEAST_MM[name])
            lengths = followed_through(parts[name], geometry, pixels)
            there = path[pixels[:, 0], pixels[:, 1]]
            np.testing.assert_allclose(there, lengths, atol=2e-3, err_msg=name)
            sure = np.abs(lengths - LEAST_MM[name]) > 2e-3
            np.testing.assert_array_equal(there[sure] > LEAST_MM[name], lengths[sure] > LEAST_MM[name], name)
            followed += int((lengths[sure] > LEAST_MM[name]).sum())
    assert followed > 1000


def sampled(rng: np.random.Generator, mask: np.ndarray, each: int = 6) -> np.ndarray:
    """(row, column) of pixels just inside the mask's outline, just outside, and anywhere."""
    import cv2

    inside = mask.astype(np.uint8)
    places = [mask & ~cv2.erode(inside, np.ones((3, 3), np.uint8)).astype(bool)]
    places += [cv2.dilate(inside, np.ones((3, 3), np.uint8)).astype(bool) & ~mask, mask, np.ones_like(mask)]
    found = [np.argwhere(place) for place in places]
    return np.concatenate([rng.permutation(one)[:each] for one in found])


def followed_through(mesh: Mesh, geometry: Geometry, pixels: np.ndarray) -> np.ndarray:
    """Length of the rays to pixels (row, column) inside a mesh.

    Ray against triangle in space (Möller and Trumbore 1997), with the corners moved by less than a pixel's 512th to where
    the projector snaps them. Rays are led past the edges that they would hit exactly, by a ten-millionth of a pixel.
    """
    about_z, about_x, about_y = np.radians(geometry.turn_degrees)
    turn = (
        np.array([[np.cos(about_y), 0, np.sin(about_y)], [0, 1, 0], [-np.sin(about_y), 0, np.cos(about_y)]])
        @ np.array([[1, 0, 0], [0, np.cos(about_x), -np.sin(about_x)], [0, np.sin(about_x), np.cos(about_x)]])
        @ np.array([[np.cos(about_z), -np.sin(about_z), 0], [np.sin(about_z), np.cos(about_z), 0], [0, 0, 1]])
    )
    frame = np.array(FRAMES[geometry.direction])
    points = (mesh.vertices - geometry.centre) @ (frame @ turn).T
    points[:, 2] += geometry.source_detector_mm - geometry.centre_detector_mm
    middle = np.array([geometry.columns - 1, geometry.rows - 1]) / 2
    scale = geometry.source_detector_mm / geometry.pixel_mm
    shift = middle - np.array(geometry.offset_mm) / geometry.pixel_mm
    on_grid = np.round((points[:, :2] / points[:, 2:] * scale + shift) * 256) / 256
    points[:, :2] = (on_grid - shift) / scale * points[:, 2:]

    a, b, c = (points[mesh.faces[:, corner]] for corner in range(3))
    aim = pixels[:, ::-1] + 1e-7 * np.array([1.0, 0.37])
    rays = np.concatenate([(aim - shift) / scale, np.ones((len(pixels), 1))], axis=1)
    lengths = np.zeros(len(rays))
    for place, ray in enumerate(rays):
        across = np.cross(ray, c - a)
        facing = np.einsum("ij,ij->i", b - a, across)
        flat = facing == 0
        facing[flat] = 1.0
        u = np.einsum("ij,ij->i", -a, across) / facing
        away = np.cross(-a, b - a)
        v = away @ ray / facing
        depth = np.einsum("ij,ij->i", c - a, away) / facing
        hit = (np.minimum(np.minimum(u, v), 1 - u - v) > 0) & ~flat
        # Outward faces turn towards the source where the ray comes in.
        lengths[place] = -np.linalg.det(frame) * (np.sign(facing[hit]) * depth[hit]).sum() * np.linalg.norm(ray)
    return lengths
