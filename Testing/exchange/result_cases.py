"""Prior results that hold every kind of thing a report may say, made without a model."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np

from OsteoScreenLib.classifier.domain import Domain
from OsteoScreenLib.classifier.prediction import CLASSES, OperatingPoints, PointPerformance, Prediction, members_of
from OsteoScreenLib.exchange.prior_result import AboutImage, BoneTable, PriorResult, ReaderOpinion, TableEffect, TableRow
from OsteoScreenLib.explain.analysis import RESEARCH_USE_ONLY, SIMULATED_TRAINING, BoneEffect, Covering, ModelFacts
from OsteoScreenLib.explain.verdict import Verdict
from OsteoScreenLib.radiograph.radiograph import Note
from OsteoScreenLib.review.nouns import Opinion

POINTS = OperatingPoints(0.40899406256682025, 0.6440261107458835)
OPINION = ReaderOpinion(
    "R1",
    "second",
    Opinion("osteopenia", 40, "limited", ("vertebral fracture", "other"), "zwei Höhenminderungen", "the model pointed at T8"),
    "osteoporosis",
    "2026-01-02T03:04:05+00:00",
)


def prior_result(seed: int = 0, **changes: Any) -> PriorResult:
    """A result with awkward numbers: tiny and large probabilities, negative effects, many digits; `changes` replaces fields."""
    rng = np.random.default_rng(seed)

    def shares() -> dict[str, float]:
        return dict(zip(CLASSES, (float(one) for one in rng.dirichlet([0.2, 0.2, 0.2])), strict=True))

    def effect(of: Any, name: str, bones: tuple[str, ...]) -> BoneEffect:
        return BoneEffect(
            of, name, bones, int(rng.integers(1, 9_000_000)), shares(), float(rng.random()), float(rng.random()),
            float(rng.normal() * 10.0 ** rng.integers(-6, 2)), float(rng.normal()),
        )  # fmt: skip

    prediction = Prediction(
        shares(),
        "osteopenia",
        POINTS,
        Domain(float(rng.exponential()), float(100 * rng.random()), "borderline"),
        float(rng.normal()),
    )
    bones = ("T7", "T8", "left rib 3")
    effects = [effect("set", "all chosen bones", bones), effect("group", "Spine", bones[:2])]
    effects += [effect("bone", bone, (bone,)) for bone in bones]
    target = "osteoporosis"
    result = PriorResult(
        image=AboutImage(),
        model=ModelFacts(
            "tiny", "Très petit modèle", "chest-frontal", "ab" * 32, "cd" * 32, True,
            (
                PointPerformance("osteoporosis", 160 / 192, 305 / 384, 192, 384, "48 simulated bodies"),
                PointPerformance("low bone mass", 332 / 384, 157 / 192, 384, 192, "48 simulated bodies"),
            ),
        ),
        target=target,
        prediction=prediction,
        target_probability=sum(list(prediction.probabilities.values())[i] for i in members_of(target)),
        covering=Covering(
            "add-back", "linear", 2**60 + 1, 2.5, 0.35, bones, ("L2",), 1_234_567, Prediction(shares(), "osteoporosis", POINTS),
            float(rng.random()), -1.25e-7, 0.5, tuple(effects),
        ),
        verdict=Verdict(
            "cannot tell",
            "Cannot tell: covering Spine moves the answer by 0.4 percentage points, which chance does as well.",
            {"group": "Spine", "delta_points": -0.4123, "controls": 20, "p_more": 0.047619047619047616, "map_enrichment": None},
        ),
        notes=(Note("inverted", "warning", "Grey values were inverted: Δ > 0 · “quoted”."), Note("view", "info", "plain")),
        statements=(RESEARCH_USE_ONLY, SIMULATED_TRAINING),
        software="0.1.0",
        started="2026-01-02T03:04:05+00:00",
        device="cpu",
        precision="fp32",
        opinion=OPINION,
        table=BoneTable(
            "blur", 1.5, 7,
            (
                TableRow("set", "all bones", TableEffect(30.25, 1.5, 95.23809523809524, 0.047619047619047616, 20), TableEffect(-2.5e-7, 0.1)),
                TableRow("group", "Spine", TableEffect(float(rng.normal()), float(rng.normal())), None),
                TableRow("bone", "T8", None, TableEffect(float(rng.normal()), float(rng.normal()), 0.0, 1.0, 19)),
                TableRow("bone", "left rib 3", TableEffect(0.0, 0.0), TableEffect(0.0, 0.0)),
            ),
        ),
    )  # fmt: skip
    return replace(result, **changes)


def differences(wanted: object, found: object, within: float = 4e-16, at: str = "") -> list[str]:
    """Where two nouns differ, numbers by more than `within` of themselves."""
    first, second = _plain(wanted), _plain(found)
    if isinstance(first, dict) and isinstance(second, dict):
        if set(first) != set(second):
            return [f"{at}: {sorted(map(str, set(first) ^ set(second)))}"]
        return [fault for key in first for fault in differences(first[key], second[key], within, f"{at}/{key}")]
    if isinstance(first, list | tuple) and isinstance(second, list | tuple):
        if len(first) != len(second):
            return [f"{at}: {len(first)} and {len(second)}"]
        pairs = enumerate(zip(first, second, strict=True))
        return [fault for i, (one, other) in pairs for fault in differences(one, other, within, f"{at}[{i}]")]
    if isinstance(first, float) and isinstance(second, int | float):
        return [] if abs(first - second) <= within * abs(first) else [f"{at}: {first!r} and {second!r}"]
    return [] if type(first) is type(second) and first == second else [f"{at}: {first!r} and {second!r}"]


def _plain(value: object) -> object:
    return asdict(value) if hasattr(value, "__dataclass_fields__") else value  # type: ignore[call-overload]
