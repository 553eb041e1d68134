"""Deletion and insertion: the order is the map's, the areas are the textbook's, and chance is not called skill."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import make_classifier, make_masks
from explain.looking import PATCH
from explain.maps import make_map
from explain.planted import planted_transformer
from explain.readers import SHAPE, Reader, as_classifier, grainy, reads
from scipy.stats import binom

from OsteoScreenLib.classifier.preprocess import PreprocessSpec
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.explain.covering import Coverer
from OsteoScreenLib.explain.curves import Curve, CurveRequest, curves
from OsteoScreenLib.explain.saliency_map import saliency_map

SPEC = PreprocessSpec(rows=64, columns=96, channels=1, fit="squash", mean=(0.0,), std=(1.0,), interpolation="bilinear")
PLACE = (2, 9)


class Watcher(Reader):
    """Keeps every picture that it is shown."""

    def __init__(self) -> None:
        super().__init__(lambda picture: 4 * float(picture.mean()) - 1)
        self.shown: list[np.ndarray] = []

    def predict_stream(self, images: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        for image in images:
            self.shown.append(image.copy())
            yield from super().predict_stream([image])


def test_a_planted_patch_gives_a_steep_deletion_and_insertion(tmp_path: Path) -> None:
    network, options = planted_transformer("class token", SPEC, PLACE, PATCH)
    classifier = make_classifier(tmp_path / "net", "vit_tiny_patch16_224", options, SPEC, network)
    cells = np.random.default_rng(0).uniform(0.6, 1.0, (8, 12))
    cells[PLACE] = 0.7
    pixels = np.kron(cells, np.ones((PATCH, PATCH))).astype(np.float32)
    found = saliency_map(classifier, pixels)
    away = replace(found, grid=found.grid.max() - found.grid)
    request = CurveRequest(fill="black", steps=16)

    (deletion, insertion), (late_deletion, late_insertion) = curves(classifier, pixels, (found, away), request)

    assert deletion.chance is not None and insertion.chance is not None
    assert deletion.chance.percentile > 95 and insertion.chance.percentile > 95
    untouched, covered = deletion.curve.probabilities[0], deletion.curve.probabilities[-1]
    assert untouched - covered > 0.3
    # The planted patch is one of 96, so a sixteenth of the pixels holds it: the fall comes in the first step.
    assert deletion.curve.probabilities[1] < covered + 0.1 * (untouched - covered)
    assert insertion.curve.probabilities[1] > untouched - 0.1 * (untouched - covered)
    assert deletion.curve.area < covered + 0.1 * (untouched - covered) < insertion.curve.area
    assert late_deletion.chance is not None and late_insertion.chance is not None
    assert late_deletion.chance.percentile < 10 and late_insertion.chance.percentile < 10
    assert late_deletion.curve.area > deletion.curve.area + 0.5 * (untouched - covered)


def test_the_curves_are_those_of_a_plain_loop() -> None:
    """A map with a cell for each pixel and no two alike: the order is known without any interpolation."""
    pixels = grainy(3)
    values = np.random.default_rng(5).permutation(pixels.size).reshape(SHAPE).astype(np.float32)
    saliency = make_map(values, SHAPE, patch=1)
    reader = reads(np.random.default_rng(6).normal(0, 0.05, SHAPE))
    ((deletion, insertion),) = curves(as_classifier(reader), pixels, [saliency], CurveRequest(fill="black", steps=8, orders=0))

    order = np.argsort(-values.ravel())
    for check, start in ((deletion, pixels), (insertion, np.zeros_like(pixels))):
        picture, wanted = start.copy(), []
        for step in range(9):
            there = order[: step * pixels.size // 8]
            picture.ravel()[there] = 0 if check is deletion else pixels.ravel()[there]
            wanted.append(next(reader.predict_stream([picture]))[2])
        assert check.curve.probabilities == pytest.approx(wanted, abs=1e-12)
        assert check.curve.shares == pytest.approx(np.arange(9) / 8)
        area = sum((a + b) / 16 for a, b in pairwise(wanted))
        assert check.curve.area == pytest.approx(area) and check.chance is None and check.random_areas == ()


def test_the_area_is_the_trapezoidal_rule_s() -> None:
    assert Curve("deletion", (0.0, 0.25, 1.0), (1.0, 0.5, 0.0)).area == pytest.approx(0.25 * 0.75 + 0.75 * 0.25)


def test_random_maps_beat_chance_no_more_often_than_chance() -> None:
    above = 0
    seeds = range(60)
    for seed in seeds:
        rng = np.random.default_rng([seed, 99])
        reader = reads(np.kron(rng.normal(0, 1e-2, (6, 5)), np.ones((20, 20))))
        saliency = make_map(rng.random((6, 5)), SHAPE, patch=20)
        request = CurveRequest(fill="black", steps=4, seed=seed)
        ((deletion, insertion),) = curves(as_classifier(reader), grainy(seed), [saliency], request)
        assert deletion.chance is not None and insertion.chance is not None and deletion.chance.draws == 20
        above += deletion.chance.percentile > 95
        assert -100 * np.median(deletion.random_areas) == pytest.approx(deletion.chance.quantiles["0.5"])
    # So many or more would be seen in at least one of a thousand repetitions if each had its 1 in 21.
    assert binom.sf(above - 1, len(seeds), 1 / 21) > 1e-3


def test_equal_values_go_by_lot_and_not_in_reading_order() -> None:
    grid = np.zeros((12, 10))
    grid[4, 4] = 1
    saliency = make_map(grid, SHAPE, patch=10)

    def half_covered(seed: int) -> np.ndarray:
        watcher = Watcher()
        curves(
            as_classifier(watcher),
            np.ones(SHAPE, np.float32),
            [saliency],
            CurveRequest(fill="black", steps=2, orders=0, seed=seed),
        )
        return np.asarray(watcher.shown[2] == 0)

    first, again, other = half_covered(0), half_covered(0), half_covered(1)
    assert abs(first.mean() - 0.5) < 0.01 and first[45, 45], "the salient cell goes first"
    assert (first == again).all() and (first != other).mean() > 0.2
    assert abs(first[:60].mean() - 0.5) < 0.25 and abs(first[:, :50].mean() - 0.5) < 0.25
    changes = np.abs(np.diff(first.astype(int), axis=0)).mean()
    assert changes < 0.1, "in patches of the map's grain, not in salt and pepper"


def test_insertion_shows_what_deletion_covers_and_the_fill_is_that_of_the_toggles() -> None:
    pixels, masks = grainy(1), make_masks(SHAPE)
    saliency = make_map(np.random.default_rng(2).random((12, 10)), SHAPE, patch=10)
    watcher = Watcher()
    curves(as_classifier(watcher), pixels, [saliency], CurveRequest(fill="mean", steps=4, orders=1), masks)
    grey = Coverer(pixels, masks, fill="mean").cover(masks.names)[masks.union(masks.names)][0]
    assert len(watcher.shown) == 2 + 2 * 2 * 3
    assert (watcher.shown[0] == pixels).all() and (watcher.shown[1] == grey).all()
    for deleted, inserted in zip(watcher.shown[2:5], watcher.shown[5:8], strict=True):
        covered = deleted != pixels
        assert (deleted[covered] == grey).all() and ((inserted != pixels) == ~covered).all()
    assert [round((shown != pixels).mean(), 2) for shown in watcher.shown[2:5]] == [0.25, 0.5, 0.75]


def test_what_the_network_never_sees_is_left_as_it_is() -> None:
    shape = (100, 200)
    saliency = make_map(np.random.default_rng(0).random((5, 5)), shape, fit="crop", patch=16)
    watcher = Watcher()
    pixels = np.ones(shape, np.float32)
    curves(as_classifier(watcher), pixels, [saliency], CurveRequest(fill="black", steps=4, orders=2))
    for shown in watcher.shown:
        assert (shown[:, :49] == 1).all() and (shown[:, -49:] == 1).all()
    assert (watcher.shown[1][:, 51:-51] == 0).all()


def test_a_large_radiograph_is_ordered_coarsely_and_covered_finely() -> None:
    shape = (1100, 900)
    watcher = Watcher()
    saliency = make_map(np.random.default_rng(0).random((11, 9)), shape)
    told: list[float] = []
    request = CurveRequest(fill="black", steps=3, orders=0)
    curves(as_classifier(watcher), np.ones(shape, np.float32), [saliency], request, progress=told.append)
    assert [round(float((shown == 0).mean()), 2) for shown in watcher.shown] == [0, 1, 0.33, 0.67, 0.67, 0.33]
    assert told == sorted(told) and told[-1] == 1


def test_a_flat_map_has_no_skill_and_wrong_options_are_one_sentence() -> None:
    reader = as_classifier(reads(np.full(SHAPE, 1e-3)))
    flat = make_map(np.zeros((6, 5)), SHAPE, patch=20)
    ((deletion, insertion),) = curves(reader, grainy(0), [flat], CurveRequest(steps=3, orders=2))
    assert deletion.chance is None and insertion.chance is None and len(deletion.random_areas) == 2
    wrong: list[tuple[Any, str]] = [
        (CurveRequest(fill="tokens"), "fill"),
        (CurveRequest(target="fracture"), "target"),
        (CurveRequest(steps=1), "option"),
        (CurveRequest(orders=-1), "option"),
    ]
    for request, code in wrong:
        with pytest.raises(InputError) as caught:
            curves(reader, grainy(0), [flat], request)
        assert caught.value.code == code and "\n" not in str(caught.value)
