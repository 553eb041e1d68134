"""A simulated DXA of the lumbar spine: areal bone mineral density from two photon energies, and its T-score.

Two energies tell bone mineral from soft tissue (Blake and Fogelman 1997): each ray's two attenuations are solved for the areal
densities of hydroxyapatite and of soft tissue. Vertebrae lie in soft tissue as they are posed, seen from the front; the
region of a vertebra is where its own projection is, posterior elements included.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.simulate.materials import CORTEX_MM, attenuation_per_mm, density_of_material
from OsteoScreenLib.simulate.meshes import Mesh
from OsteoScreenLib.simulate.projection import Geometry, project
from OsteoScreenLib.simulate.render import Density, bone_materials

LEVELS = ("L1", "L2", "L3", "L4")
ENERGIES_KEV = (40.0, 70.0)  # mean energies of the two beams of a K-edge filtered scanner
_PIXEL_MM = 1.0
_SOFT_MM = 200.0  # of soft tissue in which the vertebrae lie
_EDGE_MM = 1.0  # a vertebra's projection begins where it is this thick


@dataclass(frozen=True)
class Reference:
    """Young adults that a T-score compares with. mean, deviation : g/cm², total of L1-L4. shares : each level's mean over it."""

    name: str
    mean: float
    deviation: float
    shares: Mapping[str, float]


NHANES_WOMEN = Reference(
    "women of 21-30 years, NHANES 2005-2008 lumbar spine (Looker et al. 2012) as tabled by Varatharajan et al. 2026 "
    "(doi 10.3389/fendo.2026.1748490); single levels by their ratios among women in Table 1 of doi 10.1186/s13062-025-00627-w",
    1.064,
    0.106,
    {"L1": 0.912, "L2": 1.011, "L3": 1.045, "L4": 1.032},
)


@dataclass(frozen=True)
class DxaResult:
    """bmd_g_cm2 : of each vertebra measured. total_g_cm2 : mineral of all of them over their area. t_score : against `reference`.

    A T-score on fewer than L1-L4 uses the reference's mean of just these levels and its deviation in proportion.
    """

    bmd_g_cm2: Mapping[str, float]
    total_g_cm2: float
    t_score: float
    reference: str

    @property
    def levels(self) -> tuple[str, ...]:
        """The vertebrae measured."""
        return tuple(self.bmd_g_cm2)


def dxa(parts: Mapping[str, Mesh], density: Density, reference: Reference = NHANES_WOMEN) -> DxaResult:
    """Measure the complete lumbar vertebrae among `parts` (L1-L4) at a bone density.

    Raises `InputError` (no-lumbar) when there is none.
    """
    maps = [_maps(parts, level) for level in LEVELS if level in parts]
    if not maps:
        raise InputError(
            "The body shows no complete lumbar vertebra, so its bone density cannot be measured.", code="no-lumbar"
        )
    levels = [level for level in LEVELS if level in parts]
    mineral, area, single = 0.0, 0.0, {}
    for level, (whole, core) in zip(levels, maps, strict=True):
        found = mineral_g_cm2(bone_materials(whole, core, *density.factors(level)))
        region = whole > _EDGE_MM
        single[level] = float(found[region].mean())
        mineral += float(found[region].sum())
        area += float(region.sum())
    total = mineral / area
    share = float(np.mean([reference.shares[level] for level in levels]))
    t_score = (total - share * reference.mean) / (share * reference.deviation)
    return DxaResult(single, total, float(t_score), reference.name)


def mineral_g_cm2(lengths_mm: Mapping[str, np.ndarray]) -> np.ndarray:
    """Areal density of hydroxyapatite in g/cm² of material path lengths that lie in 200 mm of soft tissue."""
    inside = sum(lengths_mm.values(), np.zeros(1))
    made = {**lengths_mm, "soft tissue": lengths_mm.get("soft tissue", 0.0) + np.maximum(_SOFT_MM - inside, 0)}
    logs = [sum(attenuation_per_mm(name, energy) * length for name, length in made.items()) for energy in ENERGIES_KEV]
    basis = np.array(
        [
            [attenuation_per_mm(name, energy) / density_of_material(name) * 10 for name in ("hydroxyapatite", "soft tissue")]
            for energy in ENERGIES_KEV
        ]
    )
    inverse = np.linalg.inv(basis)
    mineral: np.ndarray = inverse[0, 0] * np.asarray(logs[0]) + inverse[0, 1] * np.asarray(logs[1])
    return mineral


def _maps(parts: Mapping[str, Mesh], level: str) -> tuple[np.ndarray, np.ndarray]:
    """Path lengths of a vertebra and of its core from the front, millimetres (rows, columns)."""
    mesh = parts[level]
    middle = mesh.vertices.mean(axis=0)
    side = int(np.ceil(1.2 * np.ptp(mesh.vertices[:, [0, 2]], axis=0).max() / _PIXEL_MM)) + 8
    # Nearly parallel rays, as the narrow fan of a scanner that moves along.
    geometry = Geometry(
        direction="AP", source_detector_mm=20000.0, centre_detector_mm=100.0, rows=side, columns=side, pixel_mm=_PIXEL_MM,
        centre=(float(middle[0]), float(middle[1]), float(middle[2])),
    )  # fmt: skip
    paths = project({"whole": mesh, "core": mesh.inset(CORTEX_MM["Spine"])}, geometry)
    return paths["whole"], np.minimum(paths["core"], paths["whole"])
