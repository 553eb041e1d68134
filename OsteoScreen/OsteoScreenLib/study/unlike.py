"""Images that are not frontal chest radiographs, made by program: what the gate must refuse.

Everything here is drawn from random numbers alone. Unlike projections of real anatomy (limbs, pelvis, skull, lateral
chests, CT slices) come from `study.other_views`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from OsteoScreenLib.simulate.texture import spectral_noise, stretch

Maker = Callable[[np.random.Generator, int], np.ndarray]


def grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Row and column coordinates in [-1, 1], float32 (size, 1) and (1, size)."""
    line = np.linspace(-1, 1, size, dtype=np.float32)
    return line[:, None], line[None, :]


def blank(rng: np.random.Generator, size: int) -> np.ndarray:
    """A flat field with a little noise, sometimes with shutters."""
    image = np.full((size, size), rng.uniform(0, 1), np.float32)
    image += rng.normal(0, rng.choice([0, 0.002, 0.02]), image.shape).astype(np.float32)
    if rng.random() < 0.4:
        top, left = rng.integers(1, size // 3, 2)
        frame = np.full_like(image, rng.integers(0, 2))
        frame[top : size - top, left : size - left] = image[top : size - top, left : size - left]
        image = frame
    return np.clip(image, 0, 1)


def noise(rng: np.random.Generator, size: int) -> np.ndarray:
    """White to cloudy noise."""
    return spectral_noise(rng, (size, size), rng.uniform(0, 2.5))


def gradient(rng: np.random.Generator, size: int) -> np.ndarray:
    """A linear or radial gradient, or both, with a random power."""
    rows, columns = grid(size)
    angle = rng.uniform(0, 2 * np.pi)
    ramp = stretch(rows * np.sin(angle) + columns * np.cos(angle))
    centre = rng.uniform(-0.6, 0.6, 2)
    ball = stretch(-np.hypot((rows - centre[0]) * rng.uniform(0.5, 2), columns - centre[1]))
    share = rng.choice([0.0, 1.0, rng.random()])
    return stretch((share * ramp + (1 - share) * ball) ** rng.uniform(0.4, 2.5))


def pattern(rng: np.random.Generator, size: int) -> np.ndarray:
    """Stripes, chequers, rings and line-pair phantoms."""
    rows, columns = grid(size)
    angle = rng.uniform(0, np.pi)
    along = rows * np.sin(angle) + columns * np.cos(angle)
    across = columns * np.sin(angle) - rows * np.cos(angle)
    waves = rng.uniform(3, 40)
    kind = rng.integers(4)
    if kind == 0:
        image = np.sin(waves * along)
    elif kind == 1:
        image = np.sign(np.sin(waves * along) * np.sin(waves * across))
    elif kind == 2:
        image = np.sin(waves * np.hypot(rows - rng.uniform(-0.5, 0.5), columns - rng.uniform(-0.5, 0.5)))
    else:
        image = np.sin(waves * along * (1.5 + across))
    return stretch(image * rng.uniform(0.3, 1) + gradient(rng, size) * rng.uniform(0, 1))


def page(rng: np.random.Generator, size: int) -> np.ndarray:
    """A page of text-like lines, with boxes, headings and sometimes a figure or two dark panels."""
    image = np.ones((size, size), np.float32) * rng.uniform(0.8, 1)
    left, right = int(size * rng.uniform(0.03, 0.2)), int(size * rng.uniform(0.8, 0.97))
    columns = int(rng.integers(1, 4))
    width = (right - left) // columns
    pitch = max(3, int(size * rng.uniform(0.015, 0.05)))
    for column in range(columns):
        row = int(size * rng.uniform(0.03, 0.15))
        while row < size * 0.95:
            if rng.random() < 0.07:
                height = int(size * rng.uniform(0.1, 0.3))
                box = (slice(row, min(row + height, size)), slice(left + column * width + 2, left + (column + 1) * width - 4))
                if image[box].size:
                    image[box] = spectral_noise(rng, image[box].shape, 1.2) * rng.uniform(0.3, 0.9)
                row += height + pitch
                continue
            end = left + (column + 1) * width - 4 - (int(width * rng.random()) if rng.random() < 0.2 else 0)
            column_now = left + column * width + 2
            while column_now < end:
                word = int(rng.integers(2, 9) * pitch * 0.35) + 1
                image[row : row + max(1, pitch // 2), column_now : min(column_now + word, end)] = rng.uniform(0, 0.4)
                column_now += word + max(1, pitch // 3)
            row += pitch
    return image


def scene(rng: np.random.Generator, size: int) -> np.ndarray:
    """A photograph-like picture: textured objects of many sizes before a horizon, each hiding what is behind it.

    The "dead leaves" model (Lee, Mumford, Huang 2001) gives the scale-free statistics of natural images.
    """
    import cv2

    horizon = int(size * rng.uniform(0.2, 0.8))
    image = np.empty((size, size), np.float32)
    ends = [float(grey) for grey in rng.uniform(0, 1, 4)]
    image[:horizon] = np.linspace(ends[0], ends[1], horizon)[:, None]
    image[horizon:] = np.linspace(ends[2], ends[3], size - horizon)[:, None]
    image += (spectral_noise(rng, image.shape, rng.uniform(0.8, 1.6)) - 0.5) * rng.uniform(0, 0.5)
    for _ in range(int(rng.integers(2, 40))):
        radius = size * min(0.5, 0.03 * rng.pareto(1.5) + 0.02)
        centre = rng.uniform(-0.1, 1.1, 2) * size
        mask = np.zeros((size, size), np.uint8)
        if rng.random() < 0.5:
            axes = (int(radius) + 1, int(radius * rng.uniform(0.3, 1)) + 1)
            cv2.ellipse(mask, (int(centre[0]), int(centre[1])), axes, float(rng.uniform(0, 180)), 0, 360, 1, -1)
        else:
            angles = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 8))))
            reach = radius * rng.uniform(0.5, 1.3, angles.size)
            corners = np.stack([centre[0] + reach * np.cos(angles), centre[1] + reach * np.sin(angles)], axis=1)
            cv2.fillPoly(mask, [corners.astype(np.int32)], 1)
        texture = spectral_noise(rng, (size, size), rng.uniform(0.6, 1.8)) - 0.5
        shade = rng.uniform(0, 1) + rng.uniform(0, 0.5) * texture
        image = np.where(mask > 0, shade, image)
    return np.clip(image, 0, 1).astype(np.float32)


def collage(rng: np.random.Generator, size: int) -> np.ndarray:
    """Two to four pictures side by side, as in a screenshot or a contact print."""
    image = np.zeros((size, size), np.float32)
    rows, columns = ((1, 2), (2, 1), (2, 2))[int(rng.integers(3))]
    makers: tuple[Maker, ...] = (scene, noise, gradient, limb, lumps, page)
    for row in range(rows):
        for column in range(columns):
            tile = makers[int(rng.integers(len(makers)))](rng, size)[: size // rows, : size // columns]
            image[row * (size // rows) :, column * (size // columns) :][: tile.shape[0], : tile.shape[1]] = tile
    return image


def _chord(distance: np.ndarray, radius: np.ndarray | float) -> np.ndarray:
    """Path of a ray through a cylinder or ball of `radius`, passing its axis at `distance` (same unit)."""
    return 2 * np.sqrt(np.maximum(radius**2 - distance**2, 0))


def attenuate(path: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Attenuation (any scale) → what a processed radiograph shows: its logarithm with a random toe and shoulder, bone bright."""
    path = path / max(float(np.percentile(path, 99)), 1e-6)
    if rng.random() < 0.5:
        return stretch(path ** rng.uniform(0.4, 1.3))
    strength = rng.uniform(1, 5)
    return stretch(1 - np.exp(-strength * path))


def limb(rng: np.random.Generator, size: int) -> np.ndarray:
    """Drawn limbs: one or two soft cylinders, each with one or two hollow long bones, and sometimes a joint or spread digits."""
    rows, columns = grid(size)
    total = np.zeros((size, size), np.float32)
    fan = rng.random() < 0.15
    limbs = int(rng.integers(3, 6)) if fan else int(rng.choice([1, 1, 1, 2]))
    lean = rng.normal(0, 0.15)
    thick = rng.uniform(0.15, 0.5) / (limbs**0.7)
    for index in range(limbs):
        place = (index - (limbs - 1) / 2) * thick * rng.uniform(2.1, 2.8) + rng.normal(0, 0.05)
        bend = rng.normal(0, 0.08)
        axis = place + lean * rows * (1 + (index - limbs / 2) * (0.6 if fan else 0)) + bend * rows**2
        taper = thick * (1 + rng.uniform(-0.35, 0.35) * rows)
        total += _chord(columns - axis, taper)
        joint = rng.uniform(-0.8, 0.8)
        for bone in range(int(rng.integers(1, 3))):
            shift = taper * (rng.uniform(-0.2, 0.2) if bone == 0 else rng.choice([-1, 1]) * rng.uniform(0.3, 0.6))
            flare = 1 + rng.uniform(0.5, 1.5) * np.exp(-(((rows - joint) / rng.uniform(0.1, 0.25)) ** 2))
            outer = taper * (rng.uniform(0.18, 0.4) if bone == 0 else rng.uniform(0.1, 0.2)) * flare
            inner = outer * (rng.uniform(0.5, 0.8) if bone == 0 else 0.5)
            gap = (np.abs(rows - joint) > rng.uniform(0.01, 0.03)) if rng.random() < 0.7 else 1
            shell = _chord(columns - axis - shift, outer) - 0.8 * _chord(columns - axis - shift, inner)
            total += rng.uniform(1.5, 4) * shell * gap
    image = attenuate(total + 0.02 * thick * spectral_noise(rng, total.shape, 1.2), rng)
    if rng.random() < 0.5:
        image = np.ascontiguousarray(np.rot90(image, int(rng.integers(4))))
    return image


def lumps(rng: np.random.Generator, size: int) -> np.ndarray:
    """Random soft balls, hollow shells, rods and gas bubbles overlapping: radiograph-like shadows of nothing in particular."""
    rows, columns = grid(size)
    total = np.zeros((size, size), np.float32)
    for _ in range(int(rng.integers(2, 14))):
        centre = rng.uniform(-1, 1, 2)
        angle = rng.uniform(0, np.pi)
        along = (rows - centre[0]) * np.sin(angle) + (columns - centre[1]) * np.cos(angle)
        across = (columns - centre[1]) * np.sin(angle) - (rows - centre[0]) * np.cos(angle)
        radius = rng.uniform(0.08, 0.9)
        squeeze = rng.uniform(1, 4)
        ball = _chord(np.hypot(along, across * squeeze), radius)
        kind = rng.integers(4)
        if kind == 0:
            total += ball
        elif kind == 1:
            total += 3 * (ball - _chord(np.hypot(along, across * squeeze), radius * rng.uniform(0.8, 0.95)))
        elif kind == 2:
            total += rng.uniform(0.5, 3) * _chord(across, radius * 0.2) * (np.abs(along) < radius)
        else:
            total -= 0.7 * ball
    total = total - total.min() + 0.1 * spectral_noise(rng, total.shape, 1.5)
    return attenuate(total, rng)


PROGRAM_MADE: dict[str, tuple[Maker, float]] = {
    "blank": (blank, 0.5),
    "noise": (noise, 0.7),
    "gradient": (gradient, 0.8),
    "pattern": (pattern, 0.7),
    "page": (page, 0.8),
    "scene": (scene, 1.5),
    "collage": (collage, 1.0),
    "limb": (limb, 2.0),
    "lumps": (lumps, 2.0),
}


def program_made(rng: np.random.Generator, size: int) -> tuple[str, np.ndarray]:
    """One image that is no frontal chest, float32 (size, size) in [0, 1], and the name of its kind."""
    names = list(PROGRAM_MADE)
    weights = np.array([PROGRAM_MADE[name][1] for name in names])
    name = names[int(rng.choice(len(names), p=weights / weights.sum()))]
    return name, PROGRAM_MADE[name][0](rng, size)
