"""A map's cells land on the radiograph where the network saw them: flipped, long, large and letterboxed images included."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import make_classifier
from explain.looking import looking_transformer
from explain.maps import make_map
from hypothesis import given, settings
from hypothesis import strategies as st

from OsteoScreenLib.classifier.preprocess import InputGeometry, PreprocessSpec
from OsteoScreenLib.explain.gradcam import grad_cam
from OsteoScreenLib.explain.saliency import SaliencyMap


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(st.integers(200, 3000), st.integers(200, 3000)),
    cell=st.tuples(st.integers(2, 11), st.integers(2, 13)),
    fit=st.sampled_from(["letterbox", "squash"]),
)
def test_one_cell_lands_on_its_exact_place(shape: tuple[int, int], cell: tuple[int, int], fit: Any) -> None:
    grid = np.zeros((14, 16))
    grid[cell] = 3.0
    saliency = make_map(grid, shape, fit)
    # Worked out anew: the centre of the patch, as a share of the input, of the resized image, of the radiograph.
    factor = min(14 * 16 / shape[0], 16 * 16 / shape[1])
    resized = [round(size * factor) for size in shape] if fit == "letterbox" else [224, 256]
    before = [(total - size) // 2 for total, size in zip((224, 256), resized, strict=True)]
    place = [((cell[a] + 0.5) * 16 - before[a]) / resized[a] * shape[a] - 0.5 for a in (0, 1)]
    column, row, _ = saliency.grid_to_radiograph @ [cell[1], cell[0], 1]
    assert abs(row - place[0]) < 1e-6 and abs(column - place[1]) < 1e-6
    width = 16 * shape[0] / resized[0] + 1, 16 * shape[1] / resized[1] + 1
    if not all(width[a] < place[a] < shape[a] - 1 - width[a] for a in (0, 1)):
        return  # in the letterbox's bars or cut by the border

    drawn = saliency.on_radiograph().astype(np.float64)

    assert drawn.shape == shape
    centroid = (drawn.sum(1) @ np.arange(shape[0])) / drawn.sum(), (drawn.sum(0) @ np.arange(shape[1])) / drawn.sum()
    assert abs(centroid[0] - place[0]) < 0.5 and abs(centroid[1] - place[1]) < 0.5


def test_bilinear_between_cells_and_flat_outside_the_outer_centres() -> None:
    saliency = make_map(np.array([[0.0, 1.0], [0.0, 1.0]]), (32, 32))
    drawn = saliency.on_radiograph(scaled=False)
    np.testing.assert_allclose(drawn[10, 8:24], (np.arange(8, 24) - 7.5) / 16, atol=1e-6)
    assert (drawn[:, :7] == 0).all() and (drawn[:, 25:] == 1).all()


def test_scaled_within_the_image_keeps_zero_and_ignores_the_bars() -> None:
    grid = np.full((4, 4), 2.0)
    grid[1, 1], grid[2, 2], grid[0, 0] = 0.0, 5.0, 50.0
    wide = make_map(grid, (100, 200))  # the first and the last row of cells lie in the letterbox's bars
    assert wide.scaled[2, 2] == 1 and wide.scaled[1, 1] == 0 and wide.scaled[1, 2] == pytest.approx(0.4)
    assert wide.on_radiograph().max() <= 1 and wide.grid[0, 0] == 50
    empty = make_map(np.zeros((4, 4)), (100, 200))
    assert empty.is_empty and (empty.on_radiograph() == 0).all() and not wide.is_empty


def test_what_a_crop_cut_off_shows_nothing() -> None:
    drawn = make_map(np.ones((4, 4)), (100, 200), "crop").on_radiograph()
    assert (drawn[:, :50] == 0).all() and (drawn[:, 150:] == 0).all() and (drawn[:, 51:149] == 1).all()


def test_a_smaller_drawing_is_the_larger_one_sampled() -> None:
    grid = np.random.default_rng(0).random((14, 14))
    saliency = make_map(grid, (900, 600))
    large, small = saliency.on_radiograph(), saliency.on_radiograph(shape=(300, 200))
    np.testing.assert_allclose(small, large[1::3, 1::3], atol=1e-6)


@pytest.mark.parametrize("grid", [np.full((2, 2), -1.0), np.full((2, 2), np.nan), np.zeros(4)])
def test_negative_or_undefined_maps_are_refused(grid: np.ndarray) -> None:
    with pytest.raises(ValueError, match="non-negative"):
        SaliencyMap(grid.astype(np.float32), np.eye(3), (9, 9), np.eye(3), (9, 9), "", "", "", "")


@pytest.mark.parametrize("shape", [(700, 1100), (1500, 900), (2048, 2048)])
@pytest.mark.parametrize("flip", [False, True])
def test_a_bright_square_is_found_on_the_radiograph(tmp_path: Path, shape: tuple[int, int], flip: bool) -> None:
    """From the radiograph through preprocessing, network and Grad-CAM back to the radiograph, letterboxed.

    The square covers a whole patch, which the network looks at; the map's centroid is the square's to half a pixel.
    """
    spec = PreprocessSpec(64, 96, 1, "letterbox", "bilinear", 0.0, (0.0,), (1.0,))
    place = (4, 7 if flip else 4)
    network, options = looking_transformer("class token", spec, place)
    classifier = make_classifier(tmp_path / "looking", "vit_tiny_patch16_224", options, spec, network)
    matrix = InputGeometry.of(spec, shape).input_to_radiograph
    left, top, _ = matrix @ [place[1] * 8 - 0.5, place[0] * 8 - 0.5, 1]
    right, bottom, _ = matrix @ [place[1] * 8 + 7.5, place[0] * 8 + 7.5, 1]
    row, column = np.mgrid[: shape[0], : shape[1]]
    pixels = ((row > top) & (row < bottom) & (column > left) & (column < right)).astype(np.float32)
    centre = np.array([(pixels.sum(1) @ np.arange(shape[0])), (pixels.sum(0) @ np.arange(shape[1]))]) / pixels.sum()

    drawn = grad_cam(classifier, pixels).on_radiograph().astype(np.float64)

    drawn[drawn < 0.02] = 0  # the faint rest that GELU leaves on every other patch
    found = np.array([(drawn.sum(1) @ np.arange(shape[0])), (drawn.sum(0) @ np.arange(shape[1]))]) / drawn.sum()
    assert abs(found - centre).max() < 0.5 + 0.5  # half a pixel for the map, half for the square's own pixel borders
