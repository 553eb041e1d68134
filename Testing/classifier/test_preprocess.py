"""Network input: sizes, padding, normalisation, and the exact way back to radiograph pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from OsteoScreenLib.classifier.preprocess import InputGeometry, PreprocessSpec, prepare
from OsteoScreenLib.errors import InputError

PLAIN: dict[str, Any] = {"channels": 1, "mean": (0.0,), "std": (1.0,)}


def test_letterbox_keeps_the_aspect_and_pads() -> None:
    spec = PreprocessSpec(64, 64, fit="letterbox", pad=0.25, **PLAIN)
    out = prepare(np.ones((1, 400, 200), np.float32), spec)[0, 0]
    assert out.shape == (64, 64)
    torch.testing.assert_close(out[:, 16:48], torch.ones(64, 32))
    assert (out[:, :16] == 0.25).all() and (out[:, 48:] == 0.25).all()


def test_squash_fills_and_crop_cuts() -> None:
    ramp = np.tile(np.linspace(0, 1, 400, dtype=np.float32)[:, None], (1, 200))[None]
    squashed = prepare(ramp, PreprocessSpec(64, 64, fit="squash", **PLAIN))[0, 0]
    assert squashed[0].mean() < 0.02 and squashed[-1].mean() > 0.98
    cropped = prepare(ramp, PreprocessSpec(64, 64, fit="crop", **PLAIN))[0, 0]
    assert cropped[0].mean() == pytest.approx(0.25, abs=0.01) and cropped[-1].mean() == pytest.approx(0.75, abs=0.01)


def test_channels_and_normalisation() -> None:
    spec = PreprocessSpec(32, 32, channels=3, fit="squash", mean=(0.5, 0.4, 0.2), std=(0.5, 0.2, 0.1))
    out = prepare(np.full((2, 50, 50), 0.6, np.float32), spec)
    assert out.shape == (2, 3, 32, 32)
    torch.testing.assert_close(out[1, :, 5, 5], torch.tensor([0.2, 1.0, 4.0]), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_fine_detail_is_averaged_not_aliased_and_stays_in_range(interpolation: Any) -> None:
    stripes = np.zeros((1, 512, 512), np.float32)
    stripes[:, ::2] = 1
    out = prepare(stripes, PreprocessSpec(64, 64, fit="squash", interpolation=interpolation, **PLAIN))
    assert abs(out[0, 0, 8:-8, 8:-8] - 0.5).max() < 0.02
    edge = np.zeros((1, 512, 512), np.float32)
    edge[:, :, 256:] = 1
    sharp = prepare(edge, PreprocessSpec(64, 64, fit="squash", interpolation=interpolation, **PLAIN))
    assert sharp.min() >= 0 and sharp.max() <= 1


def test_an_image_is_prepared_the_same_alone_and_among_others() -> None:
    images = np.random.default_rng(0).random((5, 300, 211)).astype(np.float32)
    spec = PreprocessSpec(56, 56, **PLAIN)
    together = prepare(images, spec)
    for index in range(5):
        assert torch.equal(prepare(images[index : index + 1], spec)[0], together[index])


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(300, 3000),
    columns=st.integers(300, 3000),
    place=st.tuples(st.floats(0.2, 0.8), st.floats(0.2, 0.8)),
    fit=st.sampled_from(["letterbox", "squash", "crop"]),
)
def test_a_bright_square_is_found_again_to_half_a_pixel(rows: int, columns: int, place: tuple[float, float], fit: Any) -> None:
    spec = PreprocessSpec(192, 224, fit=fit, interpolation="bilinear", **PLAIN)
    half = max(rows, columns) // 40
    row, column = round(place[0] * rows), round(place[1] * columns)
    if not (half <= row < rows - half and half <= column < columns - half):
        return  # a long narrow image has no room for the square there
    matrix = InputGeometry.of(spec, (rows, columns)).input_to_radiograph
    inside = np.linalg.inv(matrix) @ [column, row, 1]
    margin = 2 + half / min(matrix[0, 0], matrix[1, 1])
    if not (margin < inside[0] < spec.columns - margin and margin < inside[1] < spec.rows - margin):
        return  # "crop" cut the square off
    pixels = np.zeros((1, rows, columns), np.float32)
    pixels[0, row - half : row + half + 1, column - half : column + half + 1] = 1

    seen = prepare(pixels, spec)[0, 0].double().numpy()

    across = (seen.sum(axis=0) * np.arange(spec.columns)).sum() / seen.sum()
    down = (seen.sum(axis=1) * np.arange(spec.rows)).sum() / seen.sum()
    back = matrix @ [across, down, 1]
    assert abs(back[0] - column) < 0.5 and abs(back[1] - row) < 0.5


def test_corners_of_the_input_are_corners_of_the_radiograph() -> None:
    matrix = InputGeometry.of(PreprocessSpec(100, 100, fit="squash", **PLAIN), (2000, 1000)).input_to_radiograph
    np.testing.assert_allclose(matrix @ [-0.5, -0.5, 1], [-0.5, -0.5, 1])
    np.testing.assert_allclose(matrix @ [99.5, 99.5, 1], [999.5, 1999.5, 1])


def test_the_manifest_round_trip_and_its_errors() -> None:
    spec = PreprocessSpec(518, 518, 3, "crop", "bicubic", 0.1, (0.5, 0.4, 0.3), (0.2, 0.2, 0.2))
    table = spec.to_manifest()
    assert PreprocessSpec.from_manifest(table) == spec
    wrong: list[tuple[str, Any]] = [
        ("rows", 8), ("columns", "224"), ("channels", 2), ("fit", "stretch"), ("interpolation", "nearest"), ("pad", 2),
        ("mean", [0.5]), ("std", [0.0, 1, 1]), ("mean", [0.1, float("nan"), 0.3]), ("colour", True),
    ]  # fmt: skip
    for key, value in wrong:
        with pytest.raises(InputError, match=f'"preprocessing.{key}" must be'):
            PreprocessSpec.from_manifest({**table, key: value})
