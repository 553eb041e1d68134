"""From a body to a clinical picture: the skin holds the cage, the field holds the lungs, the console goes by soft tissue."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import trimesh
from thoraces import drawn_anatomy

from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL
from OsteoScreenLib.simulate.console import Console, on_screen, random_console
from OsteoScreenLib.simulate.devices import random_devices
from OsteoScreenLib.simulate.meshes import Mesh
from OsteoScreenLib.simulate.render import Density, Exposure, detector_signal, tissues
from OsteoScreenLib.simulate.skin import random_skin
from OsteoScreenLib.simulate.thorax import View, clinical_geometry, project_chest, random_parts

SEEDS = range(6)


@pytest.fixture(scope="module")
def bodies() -> list[dict[str, Mesh]]:
    return [random_parts(np.random.default_rng(seed), drawn_anatomy()) for seed in SEEDS]


@pytest.fixture(scope="module")
def view(bodies: list[dict[str, Mesh]]) -> View:
    geometry = clinical_geometry(np.random.default_rng(0), bodies[0], True, 128)
    return project_chest(bodies[0], replace(geometry, turn_degrees=(0, 0, 0)), "drawn")


def enclosed(points: np.ndarray, mesh: Mesh) -> np.ndarray:
    """Which points (n, 3) lie inside: rays to the head cross the surface an odd number of times."""
    inside = np.zeros(len(points), bool)
    a, b, c = (mesh.vertices[mesh.faces[:, corner]] for corner in range(3))
    for number, point in enumerate(points):
        u, v, w = a - point, b - point, c - point
        turns = [p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0] for p, q in ((u, v), (v, w), (w, u))]
        crossed = (np.sign(turns[0]) == np.sign(turns[1])) & (np.sign(turns[1]) == np.sign(turns[2]))
        total = turns[0] + turns[1] + turns[2]
        height = (turns[1] * u[:, 2] + turns[2] * v[:, 2] + turns[0] * w[:, 2])[crossed] / total[crossed]
        inside[number] = np.count_nonzero(height > 0) % 2
    return inside


@pytest.mark.parametrize("seed", SEEDS)
def test_the_skin_is_closed_and_holds_the_cage_and_the_lungs(bodies: list[dict[str, Mesh]], seed: int) -> None:
    skin = bodies[seed]["body"]
    surface = trimesh.Trimesh(skin.vertices, skin.faces, process=False)
    assert surface.is_watertight and skin.volume_mm3 > 0
    names = [name for name in bodies[seed] if " rib " in name or name in ("sternum", "right lung", "left lung", "heart")]
    points = np.concatenate([bodies[seed][name].vertices[::29] for name in names])
    assert enclosed(points, skin).mean() > 0.99
    cage = np.concatenate([bodies[seed][name].vertices for name in bodies[seed] if " rib " in name])
    # It goes on far beyond any field, so that a neck is never cut off in the picture.
    assert skin.vertices[:, 2].max() > cage[:, 2].max() + 250 and skin.vertices[:, 2].min() < cage[:, 2].min() - 250


def test_the_same_draw_gives_the_same_skin_and_another_one_another(bodies: list[dict[str, Mesh]]) -> None:
    one, same, other = (random_skin(np.random.default_rng(seed), bodies[0]).vertices for seed in (1, 1, 2))
    assert np.array_equal(one, same) and not np.allclose(one, other)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("upright", [True, False])
def test_a_clinical_field_shows_both_lungs_whole(bodies: list[dict[str, Mesh]], seed: int, upright: bool) -> None:
    geometry = clinical_geometry(np.random.default_rng(seed), bodies[seed], upright, 200)
    assert geometry.direction == ("PA" if upright else "AP")
    lungs = np.concatenate([bodies[seed][name].vertices for name in ("right lung", "left lung")])
    places = geometry.to_pixels(lungs)
    inside = ((places >= 0) & (places < 200)).all(axis=1)
    # The deep recesses behind the diaphragm may fall below the field, as they do in patients.
    assert inside.mean() > 0.97 and places[:, 1].min() > 0


def test_the_console_puts_lungs_and_soft_tissue_where_it_says(view: View) -> None:
    signal = detector_signal(view.paths_mm, Density(), Exposure(quanta=0))
    image = on_screen(signal, view.paths_mm, view.bones, Console(lung=0.54, dense=0.88))
    lungs = (view.paths_mm["lungs"] > 60) & ~view.bones
    assert np.median(image[lungs]) == pytest.approx(0.54, abs=0.04)
    body = view.paths_mm["body"]
    thick = (view.paths_mm["lungs"] < 5) & (body > 0.75 * np.percentile(body, 98)) & ~view.bones
    assert np.median(image[thick]) == pytest.approx(0.88, abs=0.04)
    assert image.min() >= 0 and image.max() <= 1 and image[body == 0].max(initial=0) < 0.1
    # More attenuation is never darker.
    order = np.argsort(signal.ravel())[::-1]
    assert (np.diff(image.ravel()[order]) >= -1e-6).all()


@pytest.mark.parametrize("console", [Console(lung=0.2, dense=0.8), Console(lung=0.7, dense=0.97), Console(lung=0.5, dense=0.6)])
def test_a_picture_too_dark_too_bright_or_too_flat_is_brought_back(view: View, console: Console) -> None:
    signal = detector_signal(view.paths_mm, Density(), Exposure(quanta=0))
    image = on_screen(signal, view.paths_mm, view.bones, console)
    patient = (view.paths_mm["body"] > 20) & ~view.bones
    found = np.quantile(image[patient], [0.1, 0.6, 0.9])
    assert (found >= np.array([0.18, 0.54, 0.72]) - 0.01).all() and (found <= np.array([0.5, 0.71, 0.93]) + 0.01).all()
    assert image.min() >= 0 and image.max() <= 1
    order = np.argsort(signal.ravel())[::-1]
    assert (np.diff(image.ravel()[order]) >= -1e-6).all()


def test_the_grey_scale_does_not_tell_how_dense_the_bones_are(view: View) -> None:
    exposure = Exposure(quanta=0, scatter_share=0.0)
    strong, weak = (
        on_screen(detector_signal(view.paths_mm, density, exposure), view.paths_mm, view.bones, Console())
        for density in (Density(), Density(trabecular=0.3, cortical=0.6))
    )
    anywhere = sum(
        (path for name, path in view.paths_mm.items() if name in CHEST_FRONTAL.groups), np.zeros_like(view.paths_mm["body"])
    )
    assert np.array_equal(strong[anywhere == 0], weak[anywhere == 0])
    assert (strong - weak)[view.bones].mean() > 0.01


def test_another_signal_can_set_the_scale(view: View) -> None:
    signal = detector_signal(view.paths_mm, Density(), Exposure(quanta=0))
    plain = on_screen(signal, view.paths_mm, view.bones, Console())
    assert np.allclose(on_screen(signal, view.paths_mm, view.bones, Console(), reference=signal), plain)
    # A scale set by half the signal is log 2 too bright in depth, so everything is darker.
    assert on_screen(signal, view.paths_mm, view.bones, Console(), reference=signal / 2).mean() < plain.mean() - 0.05


def test_consoles_differ_and_repeat() -> None:
    drawn = [random_console(np.random.default_rng(seed)) for seed in (*range(40), 0)]
    assert drawn[0] == drawn[-1] and len(set(drawn)) == 40
    assert all(console.dense - console.lung > 0.2 for console in drawn)


def test_devices_are_metal_in_the_path(view: View) -> None:
    shape = (view.geometry.rows, view.geometry.columns)
    drawn = [random_devices(np.random.default_rng(seed), shape, view.geometry.pixel_mm) for seed in range(8)]
    for metal in drawn:
        assert metal.shape == shape and metal.dtype == np.float32 and 0 < metal.max() <= 4 and (metal > 0).mean() < 0.1
    paths = {**view.paths_mm, "devices": drawn[0]}
    assert tissues(paths, Density(), Exposure())["aluminium"] is drawn[0]
    with_, without = (detector_signal(p, Density(), Exposure(quanta=0, scatter_share=0.0)) for p in (paths, view.paths_mm))
    assert (with_[drawn[0] > 0.5] < without[drawn[0] > 0.5]).all() and np.array_equal(
        with_[drawn[0] == 0], without[drawn[0] == 0]
    )
