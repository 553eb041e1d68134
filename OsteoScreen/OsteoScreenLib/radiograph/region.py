"""Which part of an image counts in statistics: inside the collimator and shutter, without plain borders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from OsteoScreenLib.radiograph import header

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Box = tuple[slice, slice]
# A header that leaves less than this of the image visible is not believed.
_LEAST_SHARE = 0.05


def plain_borders(codes: np.ndarray) -> Box:
    """The box left when whole edge rows and columns of one single value are peeled off, again and again.

    All four sides are peeled at once, so a turned image gives the turned box.
    """
    top, bottom, left, right = 0, codes.shape[0], 0, codes.shape[1]
    while True:
        box = codes[top:bottom, left:right]
        if min(box.shape) < 2 or box.min() == box.max():
            return slice(0, codes.shape[0]), slice(0, codes.shape[1])
        inset = (_plain(box), _plain(box[::-1]), _plain(box.T), _plain(box.T[::-1]))
        if not any(inset):
            return slice(top, bottom), slice(left, right)
        top, bottom, left, right = top + inset[0], bottom - inset[1], left + inset[2], right - inset[3]


def _plain(lines: np.ndarray) -> int:
    """How many leading rows consist of the very first value alone."""
    count = 0
    while count < len(lines) and lines[count, 0] == lines[0, 0] and (lines[count] == lines[0, 0]).all():
        count += 1
    return count


def hidden_by_header(dataset: Dataset, shape: tuple[int, int]) -> np.ndarray | None:
    """Bool (rows, columns) of the pixels outside the collimator's or shutter's opening, None when the header names none."""
    visible: np.ndarray | None = None
    for device in ("Collimator", "Shutter"):
        for kind in header.texts(dataset, f"{device}Shape"):
            opening = _opening(dataset, device, kind.upper(), shape)
            if opening is not None:
                visible = opening if visible is None else visible & opening
    if visible is None or visible.all() or visible.mean() < _LEAST_SHARE:
        return None
    return ~visible


def _opening(dataset: Dataset, device: str, kind: str, shape: tuple[int, int]) -> np.ndarray | None:
    """Row and column numbers in the header count from 1."""
    rows, columns = np.ogrid[1 : shape[0] + 1, 1 : shape[1] + 1]
    if kind == "RECTANGULAR":
        edges = [
            header.number(dataset, f"{device}{edge}")
            for edge in ("UpperHorizontalEdge", "LowerHorizontalEdge", "LeftVerticalEdge", "RightVerticalEdge")
        ]
        upper, lower, left, right = edges
        if upper is None or lower is None or left is None or right is None:
            return None
        return (rows > upper) & (rows < lower) & (columns > left) & (columns < right)
    if kind == "CIRCULAR":
        centre = header.numbers(dataset, f"CenterOfCircular{device}")
        radius = header.number(dataset, f"RadiusOfCircular{device}")
        if len(centre) != 2 or not np.isfinite(centre).all() or radius is None or radius <= 0:
            return None
        return (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= radius**2
    if kind == "POLYGONAL":
        corners = header.numbers(dataset, f"VerticesOfThePolygonal{device}")
        if len(corners) < 6 or len(corners) % 2 or not np.isfinite(corners).all():
            return None
        from PIL import Image, ImageDraw

        picture = Image.new("1", (shape[1], shape[0]))
        outline = [(column - 1, row - 1) for row, column in zip(corners[::2], corners[1::2], strict=True)]
        ImageDraw.Draw(picture).polygon(outline, fill=1)
        return np.asarray(picture)
    return None


def touching_the_edge(mask: np.ndarray) -> np.ndarray:
    """The parts of a mask (bool (rows, columns)) that reach the image's edge; islands inside the picture are left out."""
    import cv2

    count, parts = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    outside = np.zeros(count, bool)
    for edge in (parts[0], parts[-1], parts[:, 0], parts[:, -1]):
        outside[edge] = True
    outside[0] = False
    return outside[parts]
