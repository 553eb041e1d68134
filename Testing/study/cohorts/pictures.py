"""Drawn images for tests of cohorts: a limb-like shape that all share, with detail that is each one's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np


def limb(seed: int, shape: tuple[int, int] = (240, 200)) -> np.ndarray:
    """uint8 (rows, columns): the same bright shaft for every seed, its own texture of several scales."""
    rows, columns = shape
    rng = np.random.default_rng(seed)
    across = np.linspace(-1, 1, columns)[None, :]
    down = np.linspace(-1, 1, rows)[:, None]
    picture = 90 * np.exp(-((across / 0.45) ** 2)) + 70 * np.exp(-(((across - 0.05 * down) / 0.18) ** 2))
    for cells, strength in ((6, 20), (14, 22), (40, 16)):
        grain = cv2.resize(rng.normal(size=(cells, cells)), (columns, rows), interpolation=cv2.INTER_CUBIC)
        picture = picture + strength * grain * np.exp(-((across / 0.6) ** 2))
    return np.clip(picture + 10, 0, 255).astype(np.uint8)


def recompressed(picture: np.ndarray, quality: int) -> np.ndarray:
    """Through JPEG and back."""
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_GRAYSCALE))


def resized(picture: np.ndarray, factor: float) -> np.ndarray:
    return cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


def cropped(picture: np.ndarray, share: float, top: float = 0.5, left: float = 0.5) -> np.ndarray:
    """Without that share of rows and columns; top, left : how much of it is taken there."""
    rows, columns = (round(side * (1 - share)) for side in picture.shape)
    row, column = int((picture.shape[0] - rows) * top), int((picture.shape[1] - columns) * left)
    return picture[row : row + rows, column : column + columns]


def brightened(picture: np.ndarray, gamma: float) -> np.ndarray:
    return np.round(255 * (picture / 255.0) ** gamma).astype(np.uint8)


def saved(path: Path, picture: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture)
    return path


def table(folder: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    """A cohort's CSV of these rows."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    lines = [",".join(columns), *(",".join(str(row.get(column, "")) for column in columns) for row in rows)]
    path = folder / "cohort.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
