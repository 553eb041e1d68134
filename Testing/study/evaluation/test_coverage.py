"""95 % intervals of an AUC hold the true one in about 95 % of simulated samples."""

from __future__ import annotations

import pytest

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.study.evaluation.coverage import METHODS, CoverageOptions, measure_coverage


def test_a_thousand_samples_of_200_patients_60_positive_with_an_auc_of_0_8() -> None:
    """`osteoscreen bench coverage` prints the same."""
    found = measure_coverage(CoverageOptions(patients=200, positives=60, auc=0.8, samples=1000, draws=1000))
    for method in ("bootstrap by patients", "DeLong by patients", "DeLong, logit"):
        assert 0.93 <= found.covered[method].value <= 0.97, method
    assert set(found.covered) == set(METHODS)


def test_with_several_images_a_patient_only_intervals_by_patients_hold_what_they_say() -> None:
    found = measure_coverage(CoverageOptions(patients=120, positives=40, samples=250, draws=400, most_images=4, alike=0.9))
    for method in ("bootstrap by patients", "DeLong by patients"):
        assert 0.90 <= found.covered[method].value <= 0.985, method
    assert found.covered["DeLong, logit"].value < 0.88
    assert found.width["DeLong, logit"] < 0.8 * found.width["DeLong by patients"]


def test_what_cannot_be_simulated_is_refused() -> None:
    with pytest.raises(InputError, match="at least two positive"):
        measure_coverage(CoverageOptions(positives=1))
