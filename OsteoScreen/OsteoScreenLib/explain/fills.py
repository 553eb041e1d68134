"""What covered pixels are replaced with. Each painted fill is a function of a box and a mask inside it.

mean : one grey value for the whole radiograph: the mean of the pixels outside every bone, within the bounding box of all
    bones. It tells nothing about the covered bone, is the same for every variant of a sweep, and leaves out the air and the
    collimated border around the patient, which would make the fill darker than any tissue.
blur : the radiograph after a Gaussian blur of 1/32 of its shorter side (standard deviation): wider than a rib, so outlines
    go and the regional brightness, the covered bone's included, stays.
inpaint : grown in from the region's surroundings (Bertalmio, Bertozzi and Sapiro 2001), on a copy reduced to 256 pixels
    along its longer side, since the network sees no finer detail than that.
noise : seeded Gaussian noise with the mean and standard deviation of the pixels that "mean" uses, in grains of 1/256 of the
    longer side; finer grains would average out to the mean when the radiograph is reduced for the network. One noise image
    serves every variant.
black : zero.
linear : noisy linear imputation (Rong, Leemann et al., "A consistent and efficient evaluation strategy for attribution methods",
    ICML 2022, known as ROAD): each covered pixel is the weighted mean of its eight neighbours, all solved for at once, with
    Gaussian noise of standard deviation 0.01 on top. Solved by pytorch-grad-cam's `NoisyLinearImputer` on a copy reduced to 128
    pixels along the longer side, which changes little, as the solution is smooth. The noise is ours: seeded, in grains as in
    "noise", one image for every variant.
tokens : nothing is painted. A vision transformer is given the untouched radiograph without the tokens of the patches that are
    mostly covered (`classifier.tokens`; Jain et al., "Missingness bias in model debugging", ICLR 2022), so no fill can mislead it.
    Pictures show covered pixels black instead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

Fill = Literal["mean", "blur", "inpaint", "noise", "black", "linear", "tokens"]
PAINTED: tuple[Fill, ...] = ("mean", "blur", "inpaint", "noise", "black", "linear")
FILLS: tuple[Fill, ...] = (*PAINTED, "tokens")
SEEDED: tuple[Fill, ...] = ("noise", "linear")  # only these depend on a seed

# (slices of rows and columns, bool mask of that box) → grey values, float32, a scalar or of the box's shape.
FillSource = Callable[[tuple[slice, slice], np.ndarray], "np.ndarray | np.float32"]

_REDUCED = 256  # pixels along the longer side of the copy that inpainting works on, and grains of noise along it
_BLUR_SHARE = 1 / 32  # the blur's standard deviation as a share of the shorter side
_INPAINT_RADIUS = 3.0  # neighbourhood of the inpainting, in pixels of the reduced copy
_LINEAR_REDUCED = 128  # pixels along the longer side of the copy on which the linear system is solved
_LINEAR_NOISE = 0.01  # standard deviation of the noise on top of it, in grey values from 0 to 1


def fill_source(fill: Fill, pixels: np.ndarray, box: tuple[slice, slice], bones: np.ndarray, seed: int = 0) -> FillSource:
    """Prepare a fill for one radiograph.

    pixels : float32 (rows, columns). box : the bounding box of all bones. bones : the union of their masks within it, bool.
    """
    if fill in ("black", "tokens"):
        return lambda _box, _inside: np.float32(0)
    if fill == "blur":
        blurred = _blurred(pixels)
        return lambda box, _inside: blurred[box]
    mean, deviation = tissue_statistics(pixels, box, bones)
    if fill == "mean":
        return lambda _box, _inside: mean
    if fill == "noise":
        noise = _noise(pixels.shape, mean, deviation, seed)
        return lambda box, _inside: noise[box]
    if fill == "linear":
        speckle = _noise(pixels.shape, np.float32(0), np.float32(_LINEAR_NOISE), seed, (-1.0, 1.0))
        return lambda box, inside: _clipped(_grown_in(pixels, box, inside, mean, _LINEAR_REDUCED, _imputed) + speckle[box])
    return lambda box, inside: _clipped(_grown_in(pixels, box, inside, mean, _REDUCED, _inpainted))


def tissue_statistics(pixels: np.ndarray, box: tuple[slice, slice], bones: np.ndarray) -> tuple[np.float32, np.float32]:
    """Mean and standard deviation of the pixels outside every bone, within the bounding box of all bones."""
    outside = pixels[box][~bones]
    if outside.size == 0:
        outside = pixels.ravel()
    return np.float32(outside.mean(dtype=np.float64)), np.float32(outside.std(dtype=np.float64))


def _blurred(pixels: np.ndarray) -> np.ndarray:
    import cv2

    rows, columns = pixels.shape
    sigma = min(rows, columns) * _BLUR_SHARE
    # Blurring a copy reduced until sigma is about 4 pixels gives the same picture many times faster.
    factor = max(1, int(sigma // 4))
    size = (max(1, columns // factor), max(1, rows // factor))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), max(sigma / factor, 0.3), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(small, (columns, rows), interpolation=cv2.INTER_LINEAR), np.float32)


def _noise(
    shape: tuple[int, ...], mean: np.float32, deviation: np.float32, seed: int, limits: tuple[float, float] = (0.0, 1.0)
) -> np.ndarray:
    grain = max(1, round(max(shape) / _REDUCED))
    cells = (-(-shape[0] // grain), -(-shape[1] // grain))
    drawn = np.random.default_rng(seed).standard_normal(cells, dtype=np.float32) * deviation + mean
    drawn = np.clip(drawn, np.float32(limits[0]), np.float32(limits[1]))
    return np.repeat(np.repeat(drawn, grain, axis=0), grain, axis=1)[: shape[0], : shape[1]]


def _clipped(greys: np.ndarray) -> np.ndarray:
    return np.clip(greys, np.float32(0), np.float32(1))


def _grown_in(
    pixels: np.ndarray,
    box: tuple[slice, slice],
    inside: np.ndarray,
    mean: np.float32,
    longer_side: int,
    grow: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> np.ndarray:
    """Grey values for a box, from the pixels around its covered ones, on a copy reduced to `longer_side` pixels.

    grow : (greys float32, which of them are unknown) → greys float32 of the same shape, none unknown.
    """
    import cv2

    factor = max(1.0, max(pixels.shape) / longer_side)
    # Take in enough surroundings for the neighbourhood on the reduced copy.
    border = int(np.ceil(factor * (_INPAINT_RADIUS + 2)))
    wide = tuple(slice(max(s.start - border, 0), min(s.stop + border, size)) for s, size in zip(box, pixels.shape, strict=True))
    within = tuple(slice(s.start - w.start, s.stop - w.start) for s, w in zip(box, wide, strict=True))
    values = pixels[wide]
    known = np.ones(values.shape, np.float32)
    known[within][inside] = 0
    size = tuple(max(1, round(length / factor)) for length in values.shape[::-1])
    # Covered pixels take no part in the reduced copy's averages.
    weight = cv2.resize(known, size, interpolation=cv2.INTER_AREA)
    total = cv2.resize(values * known, size, interpolation=cv2.INTER_AREA)
    unknown = weight < 1e-3
    if unknown.all():
        return np.full(inside.shape, mean, np.float32)
    small = np.where(unknown, mean, total / np.maximum(weight, 1e-3)).astype(np.float32)
    filled = cv2.resize(grow(small, unknown), values.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(filled, np.float32)[within]


def _inpainted(greys: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    import cv2

    # Not Telea's method, which OpenCV gets wrong on floating-point greys between 0 and 1. The border keeps its neighbourhoods
    # inside the array, also where the copy is a single row.
    ring = (1, 1, 1, 1, cv2.BORDER_REPLICATE)
    holes = cv2.copyMakeBorder(unknown.astype(np.uint8), *ring)
    grown: np.ndarray = cv2.inpaint(cv2.copyMakeBorder(greys, *ring), holes, _INPAINT_RADIUS, cv2.INPAINT_NS)
    return grown[1:-1, 1:-1]


def _imputed(greys: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    if not unknown.any():
        return greys
    import torch
    from pytorch_grad_cam.metrics.road import NoisyLinearImputer

    with torch.random.fork_rng(devices=[]):  # it draws noise even where none is wanted
        solved = NoisyLinearImputer(noise=0.0)(torch.from_numpy(greys)[None], torch.from_numpy((~unknown).astype(np.float32)))
    return np.asarray(solved[0].numpy(), np.float32)
