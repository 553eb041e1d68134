"""Radiographs are decoded once, found by their content, and named by row when they cannot be read."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from builders import GREY
from study.training.small_cohort import TINY, small_cohort

from OsteoScreenLib.classifier.preprocess import prepare
from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.radiograph.read import read_radiograph
from OsteoScreenLib.study.training import image_cache
from OsteoScreenLib.study.training.batches import Normaliser, Reading
from OsteoScreenLib.study.training.image_cache import fill_cache

SPEC = TINY.preprocessing


def test_cached_images_become_what_prepare_makes(tmp_path: Path) -> None:
    rows, _ = small_cohort(tmp_path / "images", 3)
    spec = replace(SPEC, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.25))
    images = fill_cache(tmp_path / "cache", rows, spec, workers=1)
    ready = Normaliser(spec)
    chosen = np.array([4, 1])
    ((places, pixels),) = Reading(images)([chosen])
    inputs = ready.normalised(ready.grey(pixels, torch.device("cpu")))
    expected = torch.cat([prepare(read_radiograph(rows[place].image).pixels[None], spec) for place in chosen])
    assert (places == chosen).all()
    assert (inputs - expected).abs().max() < 1e-4


def test_only_what_is_new_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, _ = small_cohort(tmp_path / "images", 3)
    kept = fill_cache(tmp_path / "cache", rows[:4], SPEC).read(np.arange(4))
    decoded: list[Path] = []

    def counted(path: Path) -> Any:
        decoded.append(path)
        return read_radiograph(path)

    monkeypatch.setattr(image_cache, "read_radiograph", counted)
    images = fill_cache(tmp_path / "cache", rows, SPEC)
    assert decoded == [row.image for row in rows[4:]]
    assert (images.read(np.arange(4)) == kept).all()
    fill_cache(tmp_path / "cache", rows, GREY)  # another geometry is another cache
    assert len(decoded) == 2 + 6
    # A file that changes under its name is another image.
    cv2.imwrite(str(rows[0].image), np.zeros((80, 80), np.uint16) + np.arange(80, dtype=np.uint16) * 800)
    changed = fill_cache(tmp_path / "cache", rows, SPEC)
    assert decoded[-1] == rows[0].image and len(decoded) == 9
    assert not (changed.read(np.array([0])) == kept[:1]).all()
    assert (changed.read(np.arange(1, 4)) == kept[1:]).all()


def test_a_damaged_index_is_made_anew(tmp_path: Path) -> None:
    rows, _ = small_cohort(tmp_path / "images", 2)
    kept = fill_cache(tmp_path / "cache", rows, SPEC).read(np.arange(4))
    index = next((tmp_path / "cache").glob("*/index.json"))
    index.write_text(index.read_text()[:-9])
    assert (fill_cache(tmp_path / "cache", rows, SPEC).read(np.arange(4)) == kept).all()


def test_unreadable_images_are_named_by_row(tmp_path: Path) -> None:
    rows, _ = small_cohort(tmp_path / "images", 4)
    rows[2].image.write_bytes(b"")
    rows[5].image.unlink()
    rows[6].image.write_text("no image")
    with pytest.raises(
        InputError, match=r"^Row 4, column image: 0002\.png is empty; .* Rows 7, 8 cannot be read either\.$"
    ) as caught:
        fill_cache(tmp_path / "cache", rows, SPEC)
    assert caught.value.code == "unreadable-images"
    rows[2].image.unlink()
    with pytest.raises(InputError, match=r"^Row 4, column image: there is no file 0002\.png; check the name\.$"):
        fill_cache(tmp_path / "cache", rows[:5], SPEC)


def test_a_full_disk_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, _ = small_cohort(tmp_path / "images", 2)

    def full(_stream: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(image_cache, "_flush", full)
    with pytest.raises(
        OsteoScreenError, match=r"^Could not keep the resized images in .*: No space left on device; free some space"
    ):
        fill_cache(tmp_path / "cache", rows, SPEC)
    monkeypatch.undo()
    assert len(fill_cache(tmp_path / "cache", rows, SPEC)) == 4
