"""Attenuation, magnification and DXA against closed formulas and the library's coefficients."""

from __future__ import annotations

import numpy as np
import pytest

xraydb = pytest.importorskip("xraydb")

from OsteoScreenLib.errors import InputError  # noqa: E402
from OsteoScreenLib.simulate.bone_loss import (  # noqa: E402
    CORTICAL_PER_UNIT,
    TRABECULAR_PER_UNIT,
    DensityLine,
    confined_loss,
    density_after,
)
from OsteoScreenLib.simulate.dxa import NHANES_WOMEN, dxa, mineral_g_cm2  # noqa: E402
from OsteoScreenLib.simulate.materials import CORTEX_MM, MATERIALS  # noqa: E402
from OsteoScreenLib.simulate.meshes import Mesh, ellipsoid  # noqa: E402
from OsteoScreenLib.simulate.projection import Geometry, project  # noqa: E402
from OsteoScreenLib.simulate.render import Beam, Density, transmission  # noqa: E402


def block(low: tuple[float, float, float], high: tuple[float, float, float]) -> Mesh:
    """A closed box, LPS millimetres."""
    import trimesh

    box = trimesh.creation.box(bounds=[low, high])
    return Mesh(np.asarray(box.vertices, float), np.asarray(box.faces, np.int64))


FAR = Geometry(source_detector_mm=4000.0, centre_detector_mm=100.0, rows=64, columns=64, pixel_mm=3.0)


def library_transmission(formula: str, density: float, length_mm: np.ndarray, beam: Beam) -> np.ndarray:
    """Beer and Lambert with xraydb's own coefficients, energy by energy."""
    total = 0.0
    for energy, share in zip(beam.energies_kev, beam.shares, strict=True):
        per_cm = xraydb.material_mu(formula, energy * 1000.0, density=density)
        total = total + share / sum(beam.shares) * np.exp(-per_cm * length_mm / 10)
    return np.asarray(total)


@pytest.mark.parametrize("depth", [20.0, 100.0, 250.0])
def test_a_water_slab_follows_the_attenuation_integral(depth: float) -> None:
    paths = project({"water": block((-200, -depth / 2, -200), (200, depth / 2, 200))}, FAR)
    expected = library_transmission("H2O", 1.0, depth * FAR.obliquity(), Beam())
    assert np.allclose(transmission(paths, Beam()), expected, rtol=0.02)
    assert np.allclose(paths["water"], depth * FAR.obliquity(), rtol=1e-4)


def test_an_aluminium_step_wedge_follows_the_attenuation_integral() -> None:
    steps = [2.0, 5.0, 10.0, 20.0, 40.0]
    wedge = {f"step {i}": block((-60 + 24 * i, -h, -40), (-40 + 24 * i, 0, 40)) for i, h in enumerate(steps)}
    paths = project(wedge, FAR)
    for i, height in enumerate(steps):
        inside = paths[f"step {i}"] > 0.99 * height
        assert inside.sum() > 40
        passed = transmission({"aluminium": paths[f"step {i}"]}, Beam())[inside]
        expected = library_transmission("Al", 2.70, paths[f"step {i}"][inside].astype(float), Beam())
        assert np.allclose(passed, expected, rtol=0.02)


@pytest.mark.parametrize("distance,behind", [(1800.0, 180.0), (1000.0, 200.0)])
def test_magnification_is_right_to_a_pixel(distance: float, behind: float) -> None:
    geometry = Geometry(source_detector_mm=distance, centre_detector_mm=behind, rows=512, columns=512, pixel_mm=0.8)
    path = project({"ball": ellipsoid(np.zeros(3), (60.0, 1.0, 60.0), 5)}, geometry)["ball"]
    columns = np.flatnonzero((path > 0).any(axis=0))
    assert np.ptp(columns) + 1 == pytest.approx(120 * geometry.magnification / 0.8, abs=1.5)


def test_a_phantom_of_known_mineral_measures_what_it_holds() -> None:
    known = np.array([[0.2, 0.6, 1.0, 1.6]])  # g/cm² of hydroxyapatite
    lengths = {"hydroxyapatite": known / MATERIALS["hydroxyapatite"].density * 10}
    assert np.allclose(mineral_g_cm2(lengths), known, rtol=0.02)
    fat = {**lengths, "fat": np.full((1, 4), 10.0)}
    assert np.abs(mineral_g_cm2(fat) - known).max() < 0.12  # fat in the path is the known error of the method


def vertebrae() -> dict[str, Mesh]:
    """Four ellipsoids in place of L1 to L4."""
    return {f"L{i + 1}": ellipsoid(np.array([0, 0, -40.0 * i]), (24.0, 17.0, 14.0), 4) for i in range(4)}


def test_the_simulated_dxa_finds_the_mineral_of_a_body() -> None:
    whole = ellipsoid(np.zeros(3), (24.0, 17.0, 14.0), 4)
    inner = whole.inset(CORTEX_MM["Spine"])
    calcium = {name: dict(MATERIALS[name].elements)["Ca"] * MATERIALS[name].density for name in ("cortical bone", "spongiosa")}
    grams = (
        (calcium["cortical bone"] * (whole.volume_mm3 - inner.volume_mm3) + calcium["spongiosa"] * inner.volume_mm3)
        / 1000
        / 0.399
    )
    expected = grams / (np.pi * 2.4 * 1.4)
    measured = dxa(vertebrae(), Density())
    assert measured.levels == ("L1", "L2", "L3", "L4")
    # The organic matrix of bone is no soft tissue, which DXA cannot know; it stays below a tenth.
    assert measured.total_g_cm2 == pytest.approx(expected, rel=0.1)
    assert measured.t_score == pytest.approx((measured.total_g_cm2 - NHANES_WOMEN.mean) / NHANES_WOMEN.deviation, abs=0.02)


def test_fewer_levels_are_said_and_none_is_refused() -> None:
    assert dxa({name: mesh for name, mesh in vertebrae().items() if name in ("L1", "L2")}, Density()).levels == ("L1", "L2")
    with pytest.raises(InputError, match="no complete lumbar vertebra"):
        dxa({"T7": vertebrae()["L1"]}, Density())


def test_doubling_the_loss_doubles_the_drop_of_the_t_score() -> None:
    parts = vertebrae()
    line = DensityLine.of(parts)
    assert line.at_one < line.at_zero
    for loss in (0.5, 1.0, 2.0):
        once, twice = (dxa(parts, density_after(k * loss)).t_score for k in (1, 2))
        assert once == pytest.approx(line.t_score(loss), abs=0.01)
        assert twice - line.at_zero == pytest.approx(2 * (once - line.at_zero), abs=0.02)
    wanted = line.at_zero - 2.5
    assert dxa(parts, density_after(line.loss_at(wanted))).t_score == pytest.approx(wanted, abs=0.01)


def test_loss_confined_to_a_bone_thins_that_bone_alone() -> None:
    density = density_after(0.0, by_bone=confined_loss(["right rib 5", "Clavicles"], 0.5))
    assert density.factors("right rib 5", "Right ribs") == (0.5, 0.5)
    assert density.factors("left clavicle", "Clavicles") == (0.5, 0.5)
    assert density.factors("right rib 6", "Right ribs") == (1.0, 1.0)
    with pytest.raises(InputError, match="no bone or group"):
        confined_loss(["right wing"], 0.5)
    healthy = density_after(0.0)
    assert density_after(1.0).trabecular == pytest.approx(healthy.trabecular - TRABECULAR_PER_UNIT)
    assert density_after(1.0).cortical == pytest.approx(healthy.cortical - CORTICAL_PER_UNIT)
