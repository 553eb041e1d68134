"""From radiographs to network input, and the exact way back from network pixels to radiograph pixels.

All coordinates are pixel centres: (column, row), the first pixel's centre at (0, 0), its left edge at -0.5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from OsteoScreenLib.classifier.manifest_reader import ManifestReader

if TYPE_CHECKING:
    import torch

Fit = Literal["letterbox", "squash", "crop"]
Interpolation = Literal["bicubic", "bilinear"]


@dataclass(frozen=True)
class PreprocessSpec:
    """How a radiograph becomes network input; the "preprocessing" table of a classifier's manifest.

    rows, columns : the network's input size in pixels. channels : 1, or 3 (grey repeated).
    fit : "letterbox" keeps the aspect and fills the rest with `pad`; "squash" stretches each axis;
        "crop" scales the shorter edge and keeps the centre (what lies outside is not seen by the network).
    pad : grey value in [0, 1] of the letterbox's bars. mean, std : per channel, on pixels in [0, 1].
    """

    rows: int
    columns: int
    channels: int = 3
    fit: Fit = "letterbox"
    interpolation: Interpolation = "bicubic"
    pad: float = 0.0
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)

    def __post_init__(self) -> None:
        if len(self.mean) != self.channels or len(self.std) != self.channels:
            raise ValueError(f"mean and std need one number per channel ({self.channels})")

    @classmethod
    def from_manifest(cls, table: Mapping[str, Any], owner: str = "the bundle") -> PreprocessSpec:
        """Read and check the "preprocessing" table. Raises `InputError` naming the key that is wrong."""
        read = ManifestReader(table, owner, "preprocessing.")
        read.only("rows", "columns", "channels", "fit", "interpolation", "pad", "mean", "std")
        channels = read.integer("channels", 1, 3)
        if channels == 2:
            raise read.wrong("channels", "1 or 3")
        return cls(
            rows=read.integer("rows", 16, 4096),
            columns=read.integer("columns", 16, 4096),
            channels=channels,
            fit=read.choice("fit", ("letterbox", "squash", "crop")),  # type: ignore[arg-type]
            interpolation=read.choice("interpolation", ("bicubic", "bilinear")),  # type: ignore[arg-type]
            pad=read.number("pad", 0.0, 1.0, default=0.0),
            mean=read.numbers("mean", channels, -10.0, 10.0),
            std=read.numbers("std", channels, 1e-3, 10.0),
        )

    def to_manifest(self) -> dict[str, Any]:
        """The table that `from_manifest` reads back."""
        return asdict(self) | {"mean": list(self.mean), "std": list(self.std)}


@dataclass(frozen=True)
class InputGeometry:
    """Where one radiograph lies in the network's input.

    resized : (rows, columns) of the whole radiograph after scaling. top, left : where its first pixel lands in the
    input; negative when "crop" cuts it off. shape : (rows, columns) of the radiograph.
    """

    shape: tuple[int, int]
    resized: tuple[int, int]
    top: int
    left: int

    @classmethod
    def of(cls, spec: PreprocessSpec, shape: tuple[int, int]) -> InputGeometry:
        """The geometry of a radiograph of `shape` (rows, columns)."""
        rows, columns = shape
        if spec.fit == "squash":
            return cls(shape, (spec.rows, spec.columns), 0, 0)
        scales = (spec.rows / rows, spec.columns / columns)
        scale = min(scales) if spec.fit == "letterbox" else max(scales)
        resized = (max(1, round(rows * scale)), max(1, round(columns * scale)))
        return cls(shape, resized, (spec.rows - resized[0]) // 2, (spec.columns - resized[1]) // 2)

    @property
    def input_to_radiograph(self) -> np.ndarray:
        """3×3 matrix from input pixel centres (column, row, 1) to radiograph pixel centres (column, row, 1).

        Each axis has its own exact factor: the resized size is a whole number of pixels, so the two may differ slightly.
        """
        across = self.shape[1] / self.resized[1]
        down = self.shape[0] / self.resized[0]
        return np.array(
            [
                [across, 0.0, (0.5 - self.left) * across - 0.5],
                [0.0, down, (0.5 - self.top) * down - 0.5],
                [0.0, 0.0, 1.0],
            ]
        )


def prepare(pixels: np.ndarray, spec: PreprocessSpec) -> torch.Tensor:
    """Radiographs to normalised network input.

    Parameters
    ----------
    pixels : float32 (n, rows, columns) in [0, 1], all of one size.

    Returns
    -------
    float32 (n, channels, spec.rows, spec.columns) on the CPU. Each image is prepared on its own: its values do not
    depend on the others.
    """
    if pixels.ndim != 3:
        raise ValueError(f"pixels must be (n, rows, columns), got {pixels.shape}")
    geometry = InputGeometry.of(spec, (pixels.shape[1], pixels.shape[2]))
    return placed(narrowed(pixels, spec, geometry), spec, geometry)


def narrowed(pixels: np.ndarray, spec: PreprocessSpec, geometry: InputGeometry) -> torch.Tensor:
    """The first half of `prepare`: each row, on its own, at the width of the network's input.

    pixels : float32 (n, rows, columns), of all rows or of some. Returns float32 (n, 1, rows, resized columns).
    """
    import torch

    images = torch.from_numpy(np.ascontiguousarray(pixels, dtype=np.float32)).unsqueeze(1)
    return _resized(images, (pixels.shape[1], geometry.resized[1]), spec)


def placed(images: torch.Tensor, spec: PreprocessSpec, geometry: InputGeometry) -> torch.Tensor:
    """The second half of `prepare`: narrowed images (n, 1, rows, resized columns) → network input."""
    import torch
    from torch.nn.functional import pad

    images = _resized(images, geometry.resized, spec)
    # Bicubic overshoots at edges; the network never sees a grey value outside the radiograph's range.
    images = images.clamp(0.0, 1.0)
    below = spec.rows - geometry.resized[0] - geometry.top
    beside = spec.columns - geometry.resized[1] - geometry.left
    # Negative padding crops.
    images = pad(images, (geometry.left, beside, geometry.top, below), value=spec.pad)
    mean = torch.tensor(spec.mean).view(1, -1, 1, 1)
    std = torch.tensor(spec.std).view(1, -1, 1, 1)
    return (images - mean) / std


def _resized(images: torch.Tensor, size: tuple[int, int], spec: PreprocessSpec) -> torch.Tensor:
    from torch.nn.functional import interpolate

    if tuple(images.shape[2:]) == size:
        return images
    return interpolate(images, size=size, mode=spec.interpolation, align_corners=False, antialias=True)
