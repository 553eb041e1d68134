"""The projector against closed forms: path lengths, magnification, sides, masks, volumes."""

from __future__ import annotations

import numpy as np
import pytest

from OsteoScreenLib.simulate.materials import attenuation_per_mm
from OsteoScreenLib.simulate.meshes import Mesh, ellipsoid, joined, tapered_tube
from OsteoScreenLib.simulate.projection import Geometry, project
from OsteoScreenLib.simulate.render import Beam, transmission


def box(centre: tuple[float, float, float], size: tuple[float, float, float]) -> Mesh:
    """An axis-aligned box."""
    corners = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)]) * size + centre
    sides = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([face for a, b, c, d in sides for face in ((a, b, c), (a, c, d))])
    return Mesh(corners, faces)


DIRECTIONS = ("PA", "AP", "LEFT LATERAL", "RIGHT LATERAL")


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_slab_of_water_follows_beer_and_lambert(direction: str) -> None:
    slab = box((3, -4, 5), (400, 60, 400) if direction in ("PA", "AP") else (60, 400, 400))
    geometry = Geometry(direction=direction, rows=41, columns=41, pixel_mm=8, source_detector_mm=1000, centre=(3, -4, 5))  # type: ignore[arg-type]
    path = project({"slab": slab}, geometry)["slab"]
    right = (np.arange(41) - 20) * 8.0
    oblique = np.sqrt(1 + (right[None] ** 2 + right[:, None] ** 2) / 1000**2)
    inside = path > 0
    assert inside[10:31, 10:31].all()
    np.testing.assert_allclose(path[inside & (oblique < 1.02)], 60 * oblique[inside & (oblique < 1.02)], rtol=1e-3)
    energy = 60.0
    measured = transmission({"water": path}, Beam((energy,), (1.0,)))[20, 20]
    # NIST: the mass attenuation of water at 60 keV is 0.2059 cm²/g.
    assert measured == pytest.approx(np.exp(-0.02059 * 60), rel=0.02)
    assert attenuation_per_mm("cortical bone", 40.0) > 2 * attenuation_per_mm("cortical bone", 80.0)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_path_through_a_ball_is_its_chord_without_streaks(direction: str) -> None:
    ball = ellipsoid(np.array([0.0, 0.0, 0.0]), (50, 50, 50), 5)
    geometry = Geometry(direction=direction, source_detector_mm=1e6, rows=121, columns=121, pixel_mm=1.0)  # type: ignore[arg-type]
    path = project({"ball": ball}, geometry)["ball"]
    away = np.hypot(*np.mgrid[-60:61, -60:61])
    expected = 2 * np.sqrt(np.maximum(2500 - away**2, 0))
    assert np.abs(path - expected)[away < 48].max() < 0.5
    assert path[away > 51].max() == 0


def test_overlapping_views_of_disjoint_bones_add_up() -> None:
    near, far = box((0, 40, 0), (20, 10, 20)), box((0, -40, 0), (20, 30, 20))
    geometry = Geometry(source_detector_mm=1e5, rows=11, columns=11, pixel_mm=1)
    paths = project({"near": near, "far": far, "both": joined([near, far])}, geometry)
    assert paths["both"][5, 5] == pytest.approx(40, abs=0.01)
    np.testing.assert_allclose(paths["both"], paths["near"] + paths["far"], atol=0.01)


def test_magnification_is_right_within_a_pixel() -> None:
    geometry = Geometry(source_detector_mm=1800, centre_detector_mm=300, rows=300, columns=300, pixel_mm=1)
    plate = box((0, 0, 0), (120, 0.5, 80))
    mask = project({"plate": plate}, geometry)["plate"] > 0
    width, height = np.ptp(np.flatnonzero(mask.any(axis=0))) + 1, np.ptp(np.flatnonzero(mask.any(axis=1))) + 1
    assert width == pytest.approx(120 * 1800 / 1500, abs=1)
    assert height == pytest.approx(80 * 1800 / 1500, abs=1)
    corner = geometry.to_pixels(np.array([[60.0, 0.0, 40.0]]))[0]
    assert corner == pytest.approx([149.5 + 72, 149.5 - 48], abs=1e-6)


@pytest.mark.parametrize("direction", ["PA", "AP"])
def test_the_patients_right_is_on_the_viewers_left(direction: str) -> None:
    right_ball = ellipsoid(np.array([-60.0, 0.0, 90.0]), (15, 15, 15))
    path = project({"ball": right_ball}, Geometry(direction=direction))["ball"]  # type: ignore[arg-type]
    rows, columns = np.nonzero(path)
    assert columns.max() < 144
    assert rows.max() < 144


def test_in_pa_the_back_is_magnified_more_than_in_ap() -> None:
    spine = ellipsoid(np.array([0.0, 80.0, 0.0]), (20, 20, 20))
    pa, ap = (np.count_nonzero(project({"s": spine}, Geometry(direction=d))["s"]) for d in ("PA", "AP"))  # type: ignore[arg-type]
    assert pa > 1.05 * ap


def test_the_projected_volume_is_the_meshs_volume() -> None:
    tube = tapered_tube(np.array([-20.0, 5.0, -80.0]), np.array([30.0, -10.0, 60.0]), 30, 22)
    assert tube.volume_mm3 > 0
    geometry = Geometry(source_detector_mm=1e6, rows=400, columns=400, pixel_mm=0.7)
    path = project({"tube": tube}, geometry)["tube"]
    assert path.sum() * 0.7**2 == pytest.approx(tube.volume_mm3, rel=0.005)


def test_mirrored_and_inset_surfaces_keep_facing_outwards() -> None:
    bone = ellipsoid(np.array([30.0, 0.0, 0.0]), (10, 20, 30), 4)
    assert bone.mirrored().volume_mm3 == pytest.approx(bone.volume_mm3)
    ball, core = (ellipsoid(np.zeros(3), (radius,) * 3, 4) for radius in (20.0, 18.0))
    assert ball.inset(2.0).volume_mm3 == pytest.approx(core.volume_mm3, rel=0.002)


def test_parts_beside_the_detector_or_behind_the_source_leave_no_trace() -> None:
    geometry = Geometry(rows=20, columns=20)
    far, behind = ellipsoid(np.array([900.0, 0, 0]), (10, 10, 10)), ellipsoid(np.array([0, 2500.0, 0]), (10, 10, 10))
    paths = project({"far": far, "behind": behind}, geometry)
    assert not paths["far"].any() and not paths["behind"].any()
