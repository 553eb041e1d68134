"""Path lengths to radiograph pixels: attenuation, scatter, blur, noise and the grey scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL
from OsteoScreenLib.simulate.materials import attenuation_per_mm, density_of_material
from OsteoScreenLib.simulate.thorax import GROUPS

_LIGHT_SPREAD = 0.6  # pixels, standard deviation
_GROUP_OF = {name: bone.group for name, bone in CHEST_FRONTAL.by_name.items()}


@dataclass(frozen=True)
class Beam:
    """X-rays as a few photon energies (keV) with their shares of the detected signal."""

    energies_kev: tuple[float, ...] = (50.0, 65.0, 85.0)
    shares: tuple[float, ...] = (0.3, 0.4, 0.3)


@dataclass(frozen=True)
class Density:
    """Bone density of a body, relative to a healthy young adult.

    trabecular : of the spongiosa's mineral, 1 = full, 0 = marrow only. cortical : of the cortex's thickness.
    by_group, by_bone : further factors on both for bone groups and for single bones.
    """

    trabecular: float = 1.0
    cortical: float = 1.0
    by_group: Mapping[str, float] = field(default_factory=dict)
    by_bone: Mapping[str, float] = field(default_factory=dict)

    def factors(self, bone: str, group: str = "Spine") -> tuple[float, float]:
        """(trabecular, cortical) of one bone, between 0 and 2."""
        own = self.by_group.get(group, 1.0) * self.by_bone.get(bone, 1.0)
        return min(max(self.trabecular * own, 0.0), 2.0), min(max(self.cortical * own, 0.0), 2.0)


@dataclass(frozen=True)
class Exposure:
    """How the picture is taken.

    beam : energies. scatter_share : scattered over primary signal behind the patient. scatter_blur : of the image's width.
    lung_density : of air and tissue between the drawn vessels, g/cm³ (0.2 is about -800 HU). fat_share : of the soft tissue that is fat. calcified : share of calcified costal cartilage.
    quanta : photons a pixel where nothing stops them; 0 leaves out noise. 3 µGy behind a patient who lets 5 % through, on pixels of
    0.5 mm, are about 4e5.
    """

    beam: Beam = field(default_factory=Beam)
    scatter_share: float = 0.3
    scatter_blur: float = 0.12
    lung_density: float = 0.2
    fat_share: float = 0.3
    calcified: float = 0.2
    quanta: float = 3e5


def transmission(lengths_mm: Mapping[str, np.ndarray], beam: Beam) -> np.ndarray:
    """Share of the beam that passes (Beer-Lambert at each energy), float32, from path lengths by material of `MATERIALS`."""
    signal: np.ndarray | float = 0.0
    for energy, share in zip(beam.energies_kev, beam.shares, strict=True):
        depth: np.ndarray | float = 0.0
        for material, length in lengths_mm.items():
            depth = depth + np.float32(attenuation_per_mm(material, energy)) * length
        signal = signal + np.float32(share / sum(beam.shares)) * np.exp(-depth)
    return np.asarray(signal, np.float32)


def tissues(paths_mm: Mapping[str, np.ndarray], density: Density, exposure: Exposure) -> dict[str, np.ndarray]:
    """A chest view's path lengths by anatomy → path lengths by material, what fills the body being soft tissue and fat."""
    air = paths_mm["airway"] + paths_mm["gas"]
    vessels = paths_mm.get("vessels", np.float32(0))
    lung = np.maximum(paths_mm["lungs"] - vessels, 0)
    apart = [name.removeprefix("bone ") for name in paths_mm if name.startswith("bone ") and not name.endswith(" core")]
    bone = sum((paths_mm[name] for name in (*GROUPS, *(f"bone {one}" for one in apart))), np.zeros_like(lung))
    soft = np.maximum(paths_mm["body"] + 0.5 * paths_mm["breasts"] - lung - air - bone - paths_mm["cartilage"], 0)
    made = {
        "soft tissue": soft * (1 - exposure.fat_share),
        "fat": soft * exposure.fat_share,
        "lung": lung * (exposure.lung_density / density_of_material("lung")),
        "cartilage": paths_mm["cartilage"] * (1 - exposure.calcified),
        "calcified cartilage": paths_mm["cartilage"] * exposure.calcified,
        "cortical bone": np.zeros_like(lung),
        "spongiosa": np.zeros_like(lung),
        "marrow": np.zeros_like(lung),
    }
    if "devices" in paths_mm:
        made["aluminium"] = paths_mm["devices"]
    each = [(group, density.factors("", group)) for group in GROUPS]
    each += [(f"bone {name}", density.factors(name, _GROUP_OF.get(name, "Spine"))) for name in apart]
    for path, factors in each:
        for name, length in bone_materials(paths_mm[path], paths_mm[f"{path} core"], *factors).items():
            made[name] += length
    return made


def bone_materials(whole: np.ndarray, core: np.ndarray, trabecular: float, cortical: float) -> dict[str, np.ndarray]:
    """Path lengths of a bone and of what lies inside its cortex → path lengths of its materials, millimetres.

    What thins is replaced by marrow; a factor above one thickens the bone instead.
    """
    cortex = np.maximum(whole - core, 0)
    return {
        "cortical bone": cortex * np.float32(cortical),
        "spongiosa": core * np.float32(trabecular),
        "marrow": cortex * np.float32(max(0.0, 1 - cortical)) + core * np.float32(max(0.0, 1 - trabecular)),
    }


def detector_signal(
    paths_mm: Mapping[str, np.ndarray], density: Density, exposure: Exposure, rng: np.random.Generator | None = None
) -> np.ndarray:
    """What the detector measures, 1 where nothing is in the way, float32 (rows, columns); noise only with `rng`."""
    import cv2

    primary = transmission(tissues(paths_mm, density, exposure), exposure.beam)
    if exposure.scatter_share:
        # Scatter is the primary signal spread widely, weaker where the body ends.
        spread = cv2.GaussianBlur(primary, (0, 0), exposure.scatter_blur * primary.shape[1])
        within = cv2.GaussianBlur((primary < 0.8).astype(np.float32), (0, 0), exposure.scatter_blur * primary.shape[1])
        primary = primary + np.float32(exposure.scatter_share) * spread * within
    if rng is not None and exposure.quanta:
        # The scintillator spreads each photon's light, so neighbours share some of their noise.
        drawn = cv2.GaussianBlur(rng.standard_normal(primary.shape, dtype=np.float32), (0, 0), _LIGHT_SPREAD)
        primary = primary + drawn * np.sqrt(primary / np.float32(exposure.quanta))
    return np.maximum(primary, 1e-6)


def grey(signal: np.ndarray, low: float = 0.5, high: float = 99.5, gamma: float = 1.0) -> np.ndarray:
    """Logarithmic grey scale, bone bright, float32 in [0, 1]: percentiles of −log(signal) inside the body to black and white."""
    depth = -np.log(signal)
    inside = depth[depth > 0.15]
    if inside.size < 100:
        inside = depth.ravel()
    black, white = np.percentile(inside, [low, high])
    return np.clip((depth - black) / max(white - black, 1e-6), 0, 1).astype(np.float32) ** np.float32(gamma)
