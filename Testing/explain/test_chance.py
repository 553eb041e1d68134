"""Ranks against controls: the formula, and that a model without any interest in bones is not said to have one."""

from __future__ import annotations

import numpy as np
import pytest
from explain.readers import SHAPE, Reader, as_classifier, grainy, reads, small_chest
from scipy.stats import binom

from OsteoScreenLib.classifier.classifier import BATCH_BOUND
from OsteoScreenLib.explain.bone_sweep import BoneSweep, SweepRequest
from OsteoScreenLib.explain.chance import EQUAL_POINTS, against_chance

SEEDS = range(24)


def test_the_rank_is_that_of_the_formula() -> None:
    chance = against_chance(3.0, [float(value) for value in range(-14, 6)])  # 18 below 4, two of them above 3; one is equal
    assert chance is not None and chance.draws == 20
    assert chance.p_value == (1 + 3) / 21 and chance.percentile == pytest.approx(100 * 17 / 21)
    assert chance.p_two_sided == pytest.approx(2 * 4 / 21)
    assert chance.quantiles["0.5"] == pytest.approx(-4.5) and chance.quantiles["0.05"] == pytest.approx(-13.05)
    assert against_chance(1.0, []) is None


def test_twenty_controls_are_the_fewest_that_can_show_an_effect() -> None:
    enough, few = against_chance(9.0, [0.0] * 20), against_chance(9.0, [0.0] * 18)
    assert enough is not None and enough.percentile > 95 and enough.p_value < 0.05
    assert few is not None and few.percentile < 95 and few.p_value > 0.05
    opposed = against_chance(-9.0, [0.0] * 60)
    assert opposed is not None and opposed.percentile == 0 and opposed.p_value == 1 and opposed.p_two_sided < 0.05


def test_equal_effects_count_against_the_bone_up_to_the_numeric_bound() -> None:
    assert pytest.approx(100 * BATCH_BOUND) == EQUAL_POINTS
    for difference in (0.0, 0.9 * EQUAL_POINTS):
        tie = against_chance(difference, [0.0] * 20)
        assert tie is not None and tie.p_value == 1 and tie.percentile == 0
    above = against_chance(1.1 * EQUAL_POINTS, [0.0] * 20)
    assert above is not None and above.percentile > 95


def rows_above(readers: list[Reader], mode: str) -> tuple[int, int]:
    """(bones above the 95th percentile of their controls, bones) over all seeds."""
    above = bones = 0
    for seed, reader in zip(SEEDS, readers, strict=True):
        request = SweepRequest(seed=seed, modes=(mode,))  # type: ignore[arg-type]
        for row in BoneSweep(grainy(seed), small_chest(seed), as_classifier(reader), request).run().rows:
            if row.effect.of == "bone":
                assert row.chance is not None and row.chance.draws == 20
                above += row.chance.percentile > 95
                bones += 1
    return above, bones


def no_more_than_chance_allows(above: int, bones: int) -> bool:
    """So many or more would be seen in at least one of a thousand repetitions if each bone had its 5 %."""
    return bool(binom.sf(above - 1, bones, 0.05) > 1e-3)


@pytest.mark.parametrize("mode", ["remove", "add-back"])
def test_a_model_that_ignores_the_image_exceeds_no_more_than_chance_allows(mode: str) -> None:
    """Its answers are noise, so every bone's effect is one more draw of its controls' distribution."""

    def noise(seed: int) -> Reader:
        random = np.random.default_rng(seed + 700)
        return Reader(lambda _picture: float(random.normal()))

    above, bones = rows_above([noise(seed) for seed in SEEDS], mode)
    assert bones == 12 * len(SEEDS) and no_more_than_chance_allows(above, bones), f"{above} of {bones}"
    assert above > 0, "no test that cannot fail: some bones do exceed by chance"
    constant = rows_above([Reader(lambda _picture: 0.3) for _ in SEEDS], mode)
    assert constant == (0, bones), "answers that never change are equal to all controls"


@pytest.mark.parametrize("mode", ["remove", "add-back"])
def test_a_model_that_reads_only_outside_bones_never_exceeds(mode: str) -> None:
    def outside(seed: int) -> Reader:
        masks = small_chest(seed)
        weights = np.random.default_rng(seed).standard_normal(SHAPE)
        return reads(np.where(masks.union(masks.names), 0.0, weights), 0.01)

    assert rows_above([outside(seed) for seed in SEEDS], mode)[0] == 0


def test_a_model_that_reads_places_at_random_exceeds_no_more_than_chance_allows() -> None:
    """Bones and soft tissue alike: a bone's place is one among others."""
    readers = [reads(np.random.default_rng(seed + 300).standard_normal(SHAPE), 0.01) for seed in SEEDS]
    above, bones = rows_above(readers, "remove")
    assert no_more_than_chance_allows(above, bones), f"{above} of {bones}"


def test_the_check_would_notice() -> None:
    assert not no_more_than_chance_allows(40, 288) and no_more_than_chance_allows(20, 288)
