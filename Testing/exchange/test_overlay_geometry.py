"""A square at a known place: grey, outline and heatmap sit on it in the PNG, to half a source pixel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.exchange.overlay import Picture, draw_overlay, save_png
from OsteoScreenLib.exchange.placing import fit, moved
from OsteoScreenLib.explain.saliency import SaliencyMap
from OsteoScreenLib.radiograph.radiograph import Radiograph
from OsteoScreenLib.radiograph.read import read_radiograph


@dataclass(frozen=True)
class Square:
    """Pixel numbers, all included."""

    left: int
    top: int
    right: int
    bottom: int

    def corners(self) -> np.ndarray:
        """The square's outer edges as (column, row), half a pixel outside its outermost pixel centres."""
        return np.array([[self.left - 0.5, self.top - 0.5], [self.right + 0.5, self.bottom + 0.5]])


def mask_of(square: Square, shape: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[square.top : square.bottom + 1, square.left : square.right + 1] = True
    return mask


def draw(
    tmp_path: Path, radiograph: Radiograph, masks: BoneMasks, saliency: SaliencyMap | None = None
) -> tuple[Picture, np.ndarray]:
    """The picture as drawn, and its radiograph's area as read back from the PNG, float."""
    picture = draw_overlay(radiograph, masks, saliency, notice="Research use only")
    save_png(tmp_path / "overlay.png", picture.image)
    stored = np.asarray(Image.open(tmp_path / "overlay.png")).astype(float)
    left, top, right, bottom = picture.area
    return picture, stored[top:bottom, left:right]


def in_area(picture: Picture, points: np.ndarray) -> np.ndarray:
    return moved(points, picture.from_radiograph) - np.array(picture.area[:2])


def edges_of_lines(strength: np.ndarray, middle: float) -> tuple[float, float]:
    """Centres of gravity of the lines that a profile crosses before and behind `middle`."""
    index = np.arange(len(strength))
    halves = (index < middle, index >= middle)
    first, second = (float((index[half] * strength[half]).sum() / strength[half].sum()) for half in halves)
    return first, second


CASES = {
    "as it is": ((300, 300), None, None),
    "non-square": ((260, 410), None, None),
    "turned": ((260, 410), 90, None),
    "turned the other way": ((260, 410), 270, None),
    "upside down": ((260, 410), 180, None),
    "flipped": ((260, 410), None, "horizontal"),
    "flipped and turned": ((260, 410), 90, "horizontal"),
    "large": ((2300, 3100), None, None),
    "large, tall and flipped": ((3100, 2300), None, "vertical"),
}


@pytest.mark.parametrize("case", CASES)
def test_grey_outline_and_heat_sit_on_the_square(tmp_path: Path, case: str) -> None:
    stored_shape, rotate, flip = CASES[case]
    rows, columns = stored_shape
    stored_square = Square(columns // 5, rows // 7, columns // 5 + columns // 4, rows // 7 + rows // 3)
    stored = np.where(mask_of(stored_square, stored_shape), 230, 20).astype(np.uint8)
    Image.fromarray(stored).save(tmp_path / "square.png")
    radiograph = read_radiograph(tmp_path / "square.png", rotate=rotate, flip=flip)

    corners = moved(stored_square.corners(), radiograph.placement.stored_to_upright(stored_shape))
    low, high = corners.min(axis=0), corners.max(axis=0)
    upright = Square(*(int(v) for v in (low + 0.5)), *(int(v) for v in (high - 0.5)))
    np.testing.assert_array_equal(mask_of(upright, radiograph.shape), radiograph.pixels > 0.5)

    nothing = BoneMasks.pack({}, radiograph.shape)
    masks = BoneMasks.pack({"T5": mask_of(upright, radiograph.shape)}, radiograph.shape)
    picture, plain = draw(tmp_path, radiograph, nothing)
    scale = picture.from_radiograph[0, 0]
    expected = in_area(picture, upright.corners())
    half_a_source_pixel = 0.5 * scale

    grey = plain[..., 0]
    threshold = (grey.max() + grey.min()) / 2
    bright = np.argwhere(grey > threshold)[:, ::-1]
    np.testing.assert_allclose(bright.min(axis=0) - 0.5, expected[0], atol=max(half_a_source_pixel, 0.5) + 1e-6)
    np.testing.assert_allclose(bright.max(axis=0) + 0.5, expected[1], atol=max(half_a_source_pixel, 0.5) + 1e-6)

    _, lined = draw(tmp_path, radiograph, masks)
    strength = np.abs(lined - plain).sum(axis=2)
    quarter = (3 * expected[0] + expected[1]) / 4  # away from the name in the middle
    middle = expected.mean(axis=0)
    across = edges_of_lines(strength[round(quarter[1])], middle[0])
    down = edges_of_lines(strength[:, round(quarter[0])], middle[1])
    # An opaque line over two greys is stronger on one side; a quarter of a picture pixel covers that.
    np.testing.assert_allclose([across[0], down[0]], expected[0], atol=half_a_source_pixel + 0.35)
    np.testing.assert_allclose([across[1], down[1]], expected[1], atol=half_a_source_pixel + 0.35)


@pytest.mark.parametrize("shape", [(300, 300), (260, 410), (2300, 3100)])
def test_the_heat_of_one_cell_is_centred_on_it(tmp_path: Path, shape: tuple[int, int]) -> None:
    rows, columns = shape
    cells = (14, 14)
    step = np.array([columns / cells[1], rows / cells[0]])
    grid = np.zeros(cells, np.float32)
    grid[4, 9] = 3.0
    matrix = np.array([[step[0], 0, (step[0] - 1) / 2], [0, step[1], (step[1] - 1) / 2], [0, 0, 1]])
    inputs = np.array([[columns / 224, 0, (columns / 224 - 1) / 2], [0, rows / 224, (rows / 224 - 1) / 2], [0, 0, 1]])
    saliency = SaliencyMap(grid, matrix, shape, inputs, (224, 224), "osteoporosis", "log-odds", "Grad-CAM", "layer")
    radiograph = Radiograph(np.full(shape, 0.5, np.float32))
    nothing = BoneMasks.pack({}, shape)
    _, plain = draw(tmp_path, radiograph, nothing)
    picture, heated = draw(tmp_path, radiograph, nothing, saliency)
    strength = np.abs(heated - plain).sum(axis=2)
    y, x = np.mgrid[: strength.shape[0], : strength.shape[1]]
    centre = np.array([(x * strength).sum(), (y * strength).sum()]) / strength.sum()
    expected = in_area(picture, moved(np.array([[9.0, 4.0]]), matrix))[0]
    scale = picture.from_radiograph[0, 0]
    assert np.abs(centre - expected).max() <= 0.5 * scale
    peak = np.unravel_index(int(strength.argmax()), strength.shape)
    assert np.hypot(peak[1] - expected[0], peak[0] - expected[1]) < 0.5 * step.max() * scale


def test_the_picture_is_bounded_and_its_scale_is_known() -> None:
    for shape, size in (
        ((4000, 3000), (1600, 1200)),
        ((440, 440), (900, 900)),
        ((1000, 1200), (1000, 1200)),
        ((3001, 1999), (1600, 1066)),
    ):
        got, matrix = fit(shape, 1600, 900)
        assert got == size
        edges = moved(np.array([[-0.5, -0.5], [shape[1] - 0.5, shape[0] - 0.5]]), matrix)
        np.testing.assert_allclose(edges, [[-0.5, -0.5], [size[1] - 0.5, size[0] - 0.5]])
