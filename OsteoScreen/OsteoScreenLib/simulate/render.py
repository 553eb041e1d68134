"""Path lengths to radiograph pixels: attenuation, scatter, blur, noise and the grey scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from OsteoScreenLib.simulate.materials import attenuation_per_mm
from OsteoScreenLib.simulate.thorax import GROUPS


@dataclass(frozen=True)
class Beam:
    """X-rays as a few photon energies (keV) with their shares of the detected signal."""

    energies_kev: tuple[float, ...] = (50.0, 65.0, 85.0)
    shares: tuple[float, ...] = (0.3, 0.4, 0.3)


@dataclass(frozen=True)
class Density:
    """Bone density of a body, relative to a healthy young adult.

    trabecular : of the spongiosa's mineral, 1 = full, 0 = marrow only. cortical : of the cortex's thickness.
    by_group : a further factor on both for single bone groups.
    """

    trabecular: float = 1.0
    cortical: float = 1.0
    by_group: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Exposure:
    """How the picture is taken.

    beam : energies. scatter_share : scattered over primary signal behind the patient. scatter_blur : of the image's width.
    lung_density : g/cm³. fat_share : of the soft tissue that is fat. calcified : share of calcified costal cartilage.
    quanta : photons a pixel where nothing stops them; 0 leaves out noise.
    """

    beam: Beam = field(default_factory=Beam)
    scatter_share: float = 0.3
    scatter_blur: float = 0.12
    lung_density: float = 0.26
    fat_share: float = 0.3
    calcified: float = 0.2
    quanta: float = 2e4


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
    bone = sum((paths_mm[group] for group in GROUPS), np.zeros_like(lung))
    soft = np.maximum(paths_mm["body"] + 0.5 * paths_mm["breasts"] - lung - air - bone - paths_mm["cartilage"], 0)
    made = {
        "soft tissue": soft * (1 - exposure.fat_share),
        "fat": soft * exposure.fat_share,
        "lung": lung * (exposure.lung_density / 0.26),
        "cartilage": paths_mm["cartilage"] * (1 - exposure.calcified),
        "calcified cartilage": paths_mm["cartilage"] * exposure.calcified,
        "cortical bone": np.zeros_like(lung),
        "spongiosa": np.zeros_like(lung),
        "marrow": np.zeros_like(lung),
    }
    for group in GROUPS:
        factor = density.by_group.get(group, 1.0)
        core = paths_mm[f"{group} core"]
        cortex = np.maximum(paths_mm[group] - core, 0)
        thickness, mineral = np.clip(density.cortical * factor, 0, 2), np.clip(density.trabecular * factor, 0, 2)
        made["cortical bone"] += cortex * thickness
        made["spongiosa"] += core * mineral
        # What thins is replaced by marrow; a factor above one thickens the bone instead.
        made["marrow"] += cortex * max(0.0, 1 - thickness) + core * max(0.0, 1 - mineral)
    return made


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
        primary = primary + rng.standard_normal(primary.shape).astype(np.float32) * np.sqrt(
            primary / np.float32(exposure.quanta)
        )
    return np.maximum(primary, 1e-6)


def grey(signal: np.ndarray, low: float = 0.5, high: float = 99.5, gamma: float = 1.0) -> np.ndarray:
    """Logarithmic grey scale, bone bright, float32 in [0, 1]: percentiles of −log(signal) inside the body to black and white."""
    depth = -np.log(signal)
    inside = depth[depth > 0.15]
    if inside.size < 100:
        inside = depth.ravel()
    black, white = np.percentile(inside, [low, high])
    return np.clip((depth - black) / max(white - black, 1e-6), 0, 1).astype(np.float32) ** np.float32(gamma)
