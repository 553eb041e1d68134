"""Preparing only the rows that changed gives what preparing the whole radiograph gives, to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from OsteoScreenLib.classifier import preparer
from OsteoScreenLib.classifier.preparer import Preparer
from OsteoScreenLib.classifier.preprocess import InputGeometry, PreprocessSpec, narrowed, placed, prepare

SIDE = st.integers(17, 90)


def at_once(pixels: np.ndarray, spec: PreprocessSpec) -> torch.Tensor:
    """torch's resize of both axes in one call, then the same placing."""
    from torch.nn.functional import interpolate

    geometry = InputGeometry.of(spec, (pixels.shape[0], pixels.shape[1]))
    image = torch.from_numpy(pixels)[None, None]
    if geometry.resized != geometry.shape:
        image = interpolate(image, size=geometry.resized, mode=spec.interpolation, align_corners=False, antialias=True)
    return placed(image, spec, geometry)


@settings(max_examples=60, deadline=None)
@given(
    rows=SIDE,
    columns=SIDE,
    target=st.tuples(st.integers(16, 70), st.integers(16, 70)),
    fit=st.sampled_from(["letterbox", "squash", "crop"]),
    interpolation=st.sampled_from(["bicubic", "bilinear"]),
    seed=st.integers(0, 2**31),
)
def test_any_stream_of_changed_boxes_is_prepared_to_the_bit(
    rows: int, columns: int, target: tuple[int, int], fit: Any, interpolation: Any, seed: int
) -> None:
    spec = PreprocessSpec(*target, channels=1, fit=fit, interpolation=interpolation, mean=(0.4,), std=(0.2,))
    random = np.random.default_rng(seed)
    prepared = Preparer(spec)
    first = random.random((rows, columns), dtype=np.float32)
    for number in range(9):
        image = first.copy() if number % 4 else random.random((rows, columns), dtype=np.float32)
        top, left = random.integers(rows), random.integers(columns)
        box = slice(top, top + random.integers(rows) + 1), slice(left, left + random.integers(columns) + 1)
        image[box] = random.random()
        found = prepared(image)
        assert torch.equal(found, prepare(image[None], spec))
        assert torch.equal(found, at_once(image, spec))
        assert torch.equal(prepared(image.copy()), found)
        image[:] = 0  # what was remembered is not the caller's array


def test_only_changed_rows_are_resized_again(monkeypatch: pytest.MonkeyPatch) -> None:
    resized: list[int] = []

    def counting(pixels: np.ndarray, *others: Any) -> torch.Tensor:
        resized.append(pixels.shape[1])
        return narrowed(pixels, *others)

    monkeypatch.setattr(preparer, "narrowed", counting)
    prepared = Preparer(PreprocessSpec(32, 32, channels=1, mean=(0.0,), std=(1.0,)))
    whole = np.random.default_rng(0).random((200, 160), dtype=np.float32)
    covered = np.full_like(whole, 0.5)
    for image in (whole, covered):
        prepared(image)
    for top in (0, 90, 180):
        for image in (whole, covered):
            changed = image.copy()
            changed[top : top + 20, 40:60] = 0.25
            prepared(changed)
    prepared(covered)
    prepared(whole[:150])  # another size
    assert resized == [200, 200, *[20] * 6, 150]


def test_memory_stays_at_three_radiographs() -> None:
    prepared = Preparer(PreprocessSpec(32, 32, channels=1, mean=(0.0,), std=(1.0,)))
    for image in np.random.default_rng(0).random((12, 80, 80), dtype=np.float32):
        prepared(image)
    assert len(prepared._remembered) == 3
