"""What the scene's tests put on the screen, and where the screen's pixels lie on it."""

from __future__ import annotations

from typing import Any

import numpy as np

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.explain.saliency import SaliencyMap

METHOD = "drawn by hand"


def a_radiograph(shape: tuple[int, int] = (240, 200), seed: int = 0) -> np.ndarray:
    """float32 (rows, columns) in [0, 1], every pixel different from its neighbours."""
    down = np.linspace(0.1, 0.7, shape[0])[:, None] * np.ones(shape[1])
    return (down + 0.25 * np.random.default_rng(seed).random(shape)).astype(np.float32)


def some_bones(shape: tuple[int, int] = (240, 200)) -> BoneMasks:
    """Four bones in three layers: the vertebra and the sternum overlap each other and the right rib."""
    masks = {name: np.zeros(shape, bool) for name in ("T7", "right rib 5", "left rib 5", "sternum")}
    masks["T7"][100:130, 80:110] = True
    masks["right rib 5"][90:115, 20:95] = True
    masks["left rib 5"][90:115, 105:180] = True
    masks["sternum"][60:180, 90:104] = True
    return BoneMasks.pack(masks, shape, method=METHOD)


def a_map(
    shape: tuple[int, int], seen: tuple[float, float, float, float] | None = None, cells: int = 8, seed: int = 1
) -> SaliencyMap:
    """A random map on cells that tile the part (top, bottom, left, right) of the radiograph, given by its edges in pixels.

    A part that reaches over the radiograph's edges is a letterbox, one inside them a crop; None is all of it.
    """
    top, bottom, left, right = seen or (0, shape[0], 0, shape[1])
    size = 32

    def onto(count: int) -> np.ndarray:
        across, down = (right - left) / count, (bottom - top) / count
        return np.array([[across, 0, left - 0.5 + across / 2], [0, down, top - 0.5 + down / 2], [0, 0, 1]])

    grid = np.random.default_rng(seed).random((cells, cells)).astype(np.float32)
    grid[grid < 0.3] = 0
    return SaliencyMap(grid, onto(cells), shape, onto(size), (size, size), "osteoporosis", "log-odds", "Grad-CAM", "last")


def places(widget: Any, case: Any) -> tuple[np.ndarray, np.ndarray]:
    """Column and row on the radiograph of every frame pixel's centre, each float64 (frame rows, frame columns)."""
    import slicer.util

    from OsteoScreenLib.scene.image_node import matrix_of

    width, height = widget.renderWindow().GetSize()
    to_ras = slicer.util.arrayFromVTKMatrix(widget.mrmlSliceNode().GetXYToRAS())
    onto = np.linalg.inv(matrix_of(case.radiograph)) @ to_ras
    x, y = np.meshgrid(np.arange(width), np.arange(height)[::-1])
    return onto[0, 0] * x + onto[0, 1] * y + onto[0, 3], onto[1, 0] * x + onto[1, 1] * y + onto[1, 3]


def at(values: np.ndarray, columns: np.ndarray, rows: np.ndarray, outside: float = 0.0) -> np.ndarray:
    """The value of the pixel that each place lies in."""
    column, row = np.floor(columns + 0.5).astype(int), np.floor(rows + 0.5).astype(int)
    inside = (column >= 0) & (column < values.shape[1]) & (row >= 0) & (row < values.shape[0])
    result = np.full(columns.shape, outside, dtype=float)
    result[inside] = values[row[inside], column[inside]]
    return result


def on_a_border(columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Frame pixels whose centre lies on the border of two pixels of the radiograph: either may be drawn there."""
    return np.asarray(np.minimum(*(np.abs(axis + 0.5 - np.rint(axis + 0.5)) for axis in (columns, rows))) < 1e-3)


def differs(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Frame pixels that differ, bool (rows, columns)."""
    return np.asarray((one != other).any(axis=2))


def zoom(widget: Any, factor: float, right_mm: float = 0.0, down_mm: float = 0.0) -> None:
    """Enlarge, and move what is shown."""
    node = widget.mrmlSliceNode()
    across, down, deep = node.GetFieldOfView()
    x, y, z = node.GetXYZOrigin()
    node.SetFieldOfView(across / factor, down / factor, deep)
    node.SetXYZOrigin(x + right_mm, y - down_mm, z)
