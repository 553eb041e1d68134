"""The noun `CellGrid`: a map over cells of a network's input, and where the cells' centres lie on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Where the cells of one axis are centred: cell i at input pixel start + i · step.
Axis = tuple[float, float]


@dataclass(frozen=True)
class CellGrid:
    """values : float (grid rows, grid columns), signed, no unit. rows, columns : where the cells lie. layer : where it was read."""

    values: np.ndarray
    rows: Axis
    columns: Axis
    layer: str

    @property
    def to_input(self) -> np.ndarray:
        """3×3 matrix from cell centres (column, row, 1) to the network's input pixel centres (column, row, 1)."""
        return np.array([[self.columns[1], 0.0, self.columns[0]], [0.0, self.rows[1], self.rows[0]], [0.0, 0.0, 1.0]])


def even_cells(pixels: int, cells: int) -> Axis:
    """Cells that tile an axis of the input: half a cell to the first centre."""
    step = pixels / cells
    return (step - 1) / 2, step


def interpolation(pixels: int, cells: int, axis: Axis) -> np.ndarray:
    """Bilinear weights float32 (pixels, cells) from cells to input pixels; beyond the outer centres the outer cell holds."""
    position = np.clip((np.arange(pixels) - axis[0]) / axis[1], 0, cells - 1)
    return np.maximum(0, 1 - np.abs(position[:, None] - np.arange(cells))).astype(np.float32)
