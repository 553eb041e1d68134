"""`osteoscreen bench train` measures all three ratios in one run."""

from __future__ import annotations

import pytest

from OsteoScreenLib.benchmarks.training import TrainFigures, measure_training
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.study.training.race import Clocks, Measured


@pytest.mark.timeout(600)
def test_every_ratio_is_measured() -> None:
    figures = measure_training(
        "vit_tiny_patch16_224", 32, device="cpu", precision="fp32", threads=1, batch=4, steps=2, rounds=2, epochs=50
    )
    told = figures.as_json()
    assert set(told["ratios"]) == set(told["met"]) == {"step", "probe", "evaluation"}  # type: ignore[call-overload]
    assert (
        0.5 < figures.step < 20 and 0.5 < figures.evaluation < 20 and figures.probe > 0.01
    )  # a dozen tiny images: fitting outweighs the network
    assert figures.measured.images["step"] == 8
    assert figures.measured.probe.bare[0] >= 50 * figures.measured.probe_parts["naive_epoch"] * 0.3
    assert figures.as_tables()


def test_aims_are_met_or_missed_by_the_medians_of_rounds() -> None:
    def figures(step: float, probe: float, evaluation: float) -> TrainFigures:
        clocks = [Clocks((9.0, ratio, ratio), (1.0, 1.0, 1.0), (1.0,), (1.0,)) for ratio in (step, 1 / probe, evaluation)]
        return TrainFigures(
            "x", 32, "partial", 4, 1, 50, None, Measured(clocks[0], clocks[1], {}, clocks[2], {}, "cpu", "fp32")
        )

    assert all(figures(1.1, 25, 1.1).met().values())
    assert not any(figures(1.2, 15, 1.2).met().values())
    assert figures(1.1, 25, 1.1).probe == pytest.approx(25)


def test_too_many_threads_are_refused() -> None:
    with pytest.raises(InputError, match="processors here"):
        measure_training(threads=100_000)
