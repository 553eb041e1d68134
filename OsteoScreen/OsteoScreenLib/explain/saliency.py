"""The noun `SaliencyMap`: a coarse grid of non-negative relevance and where each of its cells lies on the radiograph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NO_SCORE = "none: the map is the same for every target"


@dataclass(frozen=True)
class SaliencyMap:
    """Where a model looked.

    grid : float32 (grid rows, grid columns), non-negative, as the method gave it (its absolute size has no unit).
    grid_to_radiograph : 3×3 matrix from grid-cell centres (column, row, 1) to radiograph pixel centres (column, row, 1).
    radiograph_shape : (rows, columns) of the radiograph the map belongs to.
    input_to_radiograph, input_shape : the same matrix for the network's input pixels, and the input's (rows, columns).
        What lies outside the input (a "crop") was not seen.
    target : what is explained, one of `TARGETS`. score : the number that is explained; `NO_SCORE` for a method that knows no
        classes. method, layer : how.
    """

    grid: np.ndarray
    grid_to_radiograph: np.ndarray
    radiograph_shape: tuple[int, int]
    input_to_radiograph: np.ndarray
    input_shape: tuple[int, int]
    target: str
    score: str
    method: str
    layer: str

    def __post_init__(self) -> None:
        if self.grid.ndim != 2 or self.grid.dtype != np.float32 or not (self.grid >= 0).all():
            raise ValueError(f"SaliencyMap.grid must be 2-D non-negative float32, got {self.grid.shape} {self.grid.dtype}")

    @property
    def is_for_target(self) -> bool:
        """Whether the map is about the target's class; False for methods that know no classes."""
        return self.score != NO_SCORE

    @property
    def about(self) -> str:
        """What the map is about, to stand behind the method's name: "for osteoporosis"."""
        return f"for {self.target}" if self.is_for_target else "the same for every class"

    @property
    def claim(self) -> str:
        """What a bright place does: "speaks for osteoporosis"."""
        return f"speaks for {self.target}" if self.is_for_target else "stands out"

    @property
    def is_empty(self) -> bool:
        """Nothing on the radiograph speaks for the target (every cell is zero)."""
        return self._largest_on_radiograph() <= 0

    @property
    def scaled(self) -> np.ndarray:
        """The grid scaled within this image: float32, its largest value on the radiograph is 1, zero stays zero.

        Two images' scaled maps cannot be compared: some cell is 1 in every map that is not empty.
        """
        largest = self._largest_on_radiograph()
        if largest <= 0:
            return np.zeros_like(self.grid)
        return np.minimum(self.grid / np.float32(largest), np.float32(1))

    def on_radiograph(self, *, scaled: bool = True, shape: tuple[int, int] | None = None) -> np.ndarray:
        """The map on the radiograph's own pixels, bilinear between cell centres.

        Parameters
        ----------
        scaled : of `scaled` or of the raw `grid`.
        shape : (rows, columns) of a smaller or larger copy of the radiograph to draw on; the radiograph's own by default.

        Returns
        -------
        float32 (rows, columns); pixels that the network was not shown are 0. Nothing is drawn outside the radiograph.
        """
        grid = self.scaled if scaled else self.grid
        rows, columns = shape or self.radiograph_shape
        down = self._weights(axis=1, pixels=rows, cells=grid.shape[0])
        across = self._weights(axis=0, pixels=columns, cells=grid.shape[1])
        # The matrix has no shear, so resampling is one small matrix product per axis.
        drawn = (down @ grid @ across.T).astype(np.float32, copy=False)
        drawn[~self._seen(axis=1, pixels=rows)] = 0
        drawn[:, ~self._seen(axis=0, pixels=columns)] = 0
        return drawn

    @property
    def seen(self) -> tuple[slice, slice]:
        """The rows and columns of the radiograph that the network was shown; all of them unless the input is a "crop"."""
        rows, columns = (np.flatnonzero(self._seen(axis, self.radiograph_shape[1 - axis])) for axis in (1, 0))
        if not rows.size or not columns.size:
            return slice(0, 0), slice(0, 0)
        return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)

    def _centres(self, axis: int, pixels: int) -> np.ndarray:
        """Where the centres of `pixels` even parts of one axis (0 = columns) lie on the radiograph's own pixels."""
        return (np.arange(pixels) + 0.5) * (self.radiograph_shape[1 - axis] / pixels) - 0.5

    def _seen(self, axis: int, pixels: int) -> np.ndarray:
        """Which of `pixels` even parts of one axis (0 = columns) the network was shown, bool (pixels,)."""
        inside = (self._centres(axis, pixels) - self.input_to_radiograph[axis, 2]) / self.input_to_radiograph[axis, axis]
        return np.asarray((inside >= -0.5) & (inside <= self.input_shape[1 - axis] - 0.5))

    def _weights(self, axis: int, pixels: int, cells: int) -> np.ndarray:
        """Bilinear weights float32 (pixels, cells) along one axis (0 = columns)."""
        centres = self._centres(axis, pixels)
        position = (centres - self.grid_to_radiograph[axis, 2]) / self.grid_to_radiograph[axis, axis]
        position = np.clip(position, 0, cells - 1)
        low = np.minimum(np.floor(position).astype(int), max(cells - 2, 0))
        high = np.minimum(low + 1, cells - 1)
        fraction = position - low
        weights = np.zeros((pixels, cells))
        rows = np.arange(pixels)
        weights[rows, low] += 1 - fraction
        weights[rows, high] += fraction
        return weights.astype(np.float32)

    def _largest_on_radiograph(self) -> float:
        """The largest value among cells whose centre lies on the radiograph; bars of the letterbox do not set the scale."""
        if self.grid.size == 0:
            return 0.0
        held = []
        for axis in (0, 1):
            centres = (
                self.grid_to_radiograph[axis, axis] * np.arange(self.grid.shape[1 - axis]) + self.grid_to_radiograph[axis, 2]
            )
            held.append((centres >= -0.5) & (centres <= self.radiograph_shape[1 - axis] - 0.5))
        on_it = self.grid[np.ix_(held[1], held[0])]
        return float(on_it.max()) if on_it.size else float(self.grid.max())
