"""The published table is consistent with the study's own numbers of test images."""

from __future__ import annotations

import pytest

from OsteoScreenLib.study.comparison.plan import FAMILIES, TUNINGS
from OsteoScreenLib.study.comparison.published import PUBLISHED, TEST_IMAGES, PublishedModel, denominator, published_interval


def test_all_twelve_are_there() -> None:
    assert set(PUBLISHED) == {(family, tuning) for family in FAMILIES for tuning in TUNINGS}
    assert sum(TEST_IMAGES.values()) == 4163


@pytest.mark.parametrize("key", sorted(PUBLISHED))
def test_the_accuracy_follows_from_sensitivity_and_specificity(key: tuple[str, str]) -> None:
    """So no digit was mistyped, and the accuracy is of two classes."""
    model = PUBLISHED[key]
    right = model.sensitivity * denominator("sensitivity") + model.specificity * denominator("specificity")
    assert right / denominator("accuracy") == pytest.approx(model.accuracy, abs=0.0011)


def test_the_best_models_sensitivity_has_the_interval_of_178_in_211() -> None:
    interval = published_interval(PUBLISHED["dinov2", "lora"], "sensitivity")
    assert (interval.low, interval.high) == (pytest.approx(0.788, abs=6e-4), pytest.approx(0.886, abs=6e-4))
    # What was published, 83.3 to 85.5, is what all test images as denominator would give.
    narrow = 1.96 * (0.844 * 0.156 / 4163) ** 0.5
    assert 0.844 - narrow == pytest.approx(0.833, abs=5e-4) and 0.844 + narrow == pytest.approx(0.855, abs=5e-4)


def test_wilson_is_wilson() -> None:
    """Against the formula itself."""
    model = PublishedModel(0.5, 0.5, 0.768, 0.5)
    k, n, z = round(0.768 * 211), 211, 1.959963984540054
    p = k / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
    found = published_interval(model, "sensitivity")
    assert (found.low, found.high) == (pytest.approx(middle - half), pytest.approx(middle + half))
