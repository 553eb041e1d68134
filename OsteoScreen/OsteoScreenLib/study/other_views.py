"""Volumes seen from any side: projections and slices of real anatomy, right and wrong, for training the gate.

Projections here are small and plain (parallel or mildly diverging rays through a coarse grid); the gate looks at 96 pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from OsteoScreenLib.simulate.texture import stretch


@dataclass(frozen=True)
class Body:
    """A coarse body: attenuation relative to water, float32 (z up, y to the back, x to the patient's left).

    spacing_mm : of the cubic voxels.
    """

    name: str
    attenuation: np.ndarray
    spacing_mm: float


def body_from_ct(path: Path, spacing_mm: float = 2.5) -> Body:
    """Read a CT (Hounsfield units, or an 8-bit window) onto a cubic grid as attenuation relative to water."""
    import SimpleITK as sitk

    image = sitk.DICOMOrient(sitk.ReadImage(str(path)), "LPS")
    size = [max(8, round(n * s / spacing_mm)) for n, s in zip(image.GetSize(), image.GetSpacing(), strict=True)]
    eight_bit = image.GetPixelID() == sitk.sitkUInt8
    resampled = sitk.Resample(
        sitk.Cast(image, sitk.sitkFloat32), size, sitk.Transform(), sitk.sitkLinear, image.GetOrigin(),
        (spacing_mm,) * 3, image.GetDirection(), 0.0 if eight_bit else -1000.0,
    )  # fmt: skip
    values = sitk.GetArrayFromImage(resampled)
    if eight_bit:
        # The window cut air and lung alike to black; soft tissue sits in the middle of it.
        attenuation = np.where(values > 0, 0.75 + values / 255, 0.0).astype(np.float32)
    else:
        attenuation = np.clip((values + 1000) / 1000, 0, 3).astype(np.float32)
    return Body(path.name.split(".")[0], attenuation, spacing_mm)


def project(
    body: Body,
    yaw: float,
    pitch: float = 0.0,
    roll: float = 0.0,
    *,
    stretches: tuple[float, float, float] = (1.0, 1.0, 1.0),
    bone_gain: float = 1.0,
    size: int = 160,
    steps: int = 128,
    divergence: float = 0.15,
) -> np.ndarray:
    """Attenuation summed along rays, float32 (size, size): rows head to foot, columns from the viewer's left.

    yaw : degrees about the body's long axis, 0 = from the front or back as displayed (patient's right on the viewer's
    left), 90 = from the side. pitch : head towards the detector. roll : in the image plane. divergence : how much the
    near side is magnified over the far side. stretches : of the body along (z, y, x). bone_gain : dense voxels are
    multiplied by it.
    """
    volume = body.attenuation
    if bone_gain != 1:
        volume = volume + (bone_gain - 1) * np.maximum(volume - 1.15, 0)
    extent = np.array(volume.shape, np.float32) * np.array(stretches, np.float32)
    half = float(extent.max()) / 2
    angles = np.radians([yaw, pitch, roll])
    cos, sin = np.cos(angles), np.sin(angles)
    turn_z = np.array([[1, 0, 0], [0, cos[0], -sin[0]], [0, sin[0], cos[0]]])
    turn_x = np.array([[cos[1], -sin[1], 0], [sin[1], cos[1], 0], [0, 0, 1]])
    turn_y = np.array([[cos[2], 0, -sin[2]], [0, 1, 0], [sin[2], 0, cos[2]]])
    matrix = (turn_z @ turn_x @ turn_y).astype(np.float32)
    line = np.linspace(-1, 1, size, dtype=np.float32) * half
    depth = np.linspace(-1, 1, steps, dtype=np.float32) * half
    up, back, left = np.meshgrid(-line, depth, line, indexing="ij")
    fan = 1 - divergence * back / (2 * half)
    points = np.stack([up * fan, back, left * fan], axis=-1) @ matrix.T
    # grid_sample wants (x, y, z) in [-1, 1]; zeros outside the body.
    normalised = (points * (2 / extent)).astype(np.float32)[..., ::-1].copy()
    sampled = torch.nn.functional.grid_sample(
        torch.from_numpy(np.ascontiguousarray(volume, np.float32))[None, None],
        torch.from_numpy(normalised)[None],
        align_corners=False,
    )[0, 0]
    return sampled.sum(dim=1).numpy() * (2 * half / steps) * body.spacing_mm / 100


def radiographic(path: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Path lengths (decimetres of water) → a processed radiograph, bone bright, [0, 1], air black or cut."""
    top = max(float(np.percentile(path, rng.uniform(97, 99.9))), 1e-3)
    if rng.random() < 0.5:
        image = np.clip(path / top, 0, 1)
    else:
        rate = rng.uniform(0.8, 3)
        image = np.clip((1 - np.exp(-rate * path / top)) / (1 - np.exp(-rate)), 0, 1)
    if rng.random() < 0.5:
        dark = min(0.6, float(np.percentile(image, rng.uniform(2, 20)))) * rng.uniform(0, 1)
        image = np.clip((image - dark) / (1 - dark), 0, 1)
    return image.astype(np.float32)


def frontal(body: Body, rng: np.random.Generator, size: int = 160) -> np.ndarray:
    """A frontal view with a patient's freedom of posture."""
    path = project(
        body, rng.normal(0, 4), rng.normal(0, 6), rng.normal(0, 2), stretches=_stretches(rng, 0.12),
        bone_gain=rng.uniform(0.7, 2.2), size=size, divergence=rng.uniform(0, 0.3) * rng.choice([-1, 1]),
    )  # fmt: skip
    return radiographic(_filled(path, rng), rng)


def _filled(path: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Crop to the body, with a margin that may be negative, as a technologist collimates."""
    shadow = path > 0.3 * np.median(path[path > 0.2]) if (path > 0.2).any() else path >= 0
    rows, columns = np.flatnonzero(shadow.mean(axis=1) > 0.15), np.flatnonzero(shadow.mean(axis=0) > 0.15)
    if rows.size < 8 or columns.size < 8:
        return path
    margin = rng.uniform(-0.08, 0.1, 4) * path.shape[0]
    top, bottom = max(0, int(rows[0] - margin[0])), min(path.shape[0], int(rows[-1] + 1 + margin[1]))
    left, right = max(0, int(columns[0] - margin[2])), min(path.shape[1], int(columns[-1] + 1 + margin[3]))
    return path[top:bottom, left:right]


def sideways(body: Body, rng: np.random.Generator, size: int = 160) -> np.ndarray:
    """Lateral, steep oblique, axial or animal-like projections of the same body: a chest, but not a frontal one."""
    kind = rng.choice(["lateral", "oblique", "axial", "animal"], p=[0.35, 0.2, 0.15, 0.3])
    side = float(rng.choice([-1, 1]))
    stretches = _stretches(rng, 0.15)
    yaw, pitch = side * rng.normal(90, 6), rng.normal(0, 6)
    if kind == "oblique":
        yaw = side * rng.uniform(45, 75)
    elif kind == "axial":
        yaw, pitch = rng.uniform(-180, 180), side * rng.uniform(65, 90)
    elif kind == "animal":
        # A quadruped's trunk is deep and narrow: its chest is long from head to tail and from spine to sternum.
        stretches = (rng.uniform(1.2, 2.0), rng.uniform(1.0, 1.6), rng.uniform(0.5, 0.8))
    path = project(
        body, yaw, pitch, rng.normal(0, 4), stretches=stretches, bone_gain=rng.uniform(0.7, 2.2), size=size,
        divergence=rng.uniform(0, 0.3) * side,
    )  # fmt: skip
    return radiographic(_filled(path, rng) if rng.random() < 0.7 else path, rng)


def ct_slice(body: Body, rng: np.random.Generator, size: int = 160) -> np.ndarray:
    """An axial, coronal or sagittal slice through a random window."""
    import cv2

    volume = body.attenuation
    axis = int(rng.choice(3, p=[0.5, 0.25, 0.25]))
    index = int(rng.uniform(0.2, 0.8) * volume.shape[axis])
    plane = np.take(volume, index, axis=axis)
    if axis != 0:
        plane = plane[::-1]
    centre, width = rng.choice([1.04, 0.4, 1.4]), rng.choice([0.3, 0.5, 1.5, 2.0])
    plane = np.clip((plane - centre) / width + 0.5, 0, 1)
    scale = size / max(plane.shape)
    shape = (max(8, round(plane.shape[1] * scale)), max(8, round(plane.shape[0] * scale)))
    return stretch(cv2.resize(np.ascontiguousarray(plane, np.float32), shape, interpolation=cv2.INTER_LINEAR))


def _stretches(rng: np.random.Generator, amount: float) -> tuple[float, float, float]:
    z, y, x = np.exp(rng.uniform(-amount, amount, 3))
    return float(z), float(y), float(x)
