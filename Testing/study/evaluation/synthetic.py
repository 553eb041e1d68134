"""Predictions whose truth is known: a latent T-score, a model that sees it through noise, and what goes with it."""

from __future__ import annotations

import numpy as np

from OsteoScreenLib.study.evaluation.predictions import Predictions


def synthetic(
    patients: int = 300,
    seed: int = 0,
    noise: float = 0.8,
    most_images: int = 1,
    name: str = "p",
    shift: float = 0.0,
    sharp: float = 1.5,
) -> Predictions:
    """patients : with one to `most_images` images each. noise : of the model's view of the T-score. shift : of its answers."""
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(patients), rng.integers(1, most_images + 1, patients))
    age = rng.normal(60, 11, patients).clip(30, 92)
    t_score = (-1.2 - 0.05 * (age - 60) + rng.normal(0, 1.0, patients))[owner]
    seen = t_score + (noise * rng.normal(0, 0.8, patients))[owner] + noise * rng.normal(0, 0.6, len(owner)) + shift
    # Ordinal logistic answers around the two thresholds of the classes.
    low, worst = (1 / (1 + np.exp(sharp * (seen - threshold))) for threshold in (-1.0, -2.5))
    worst = np.minimum(worst, low)
    label = np.where(t_score >= -1.0, 0, np.where(t_score > -2.5, 1, 2))
    return Predictions(
        image=np.array([f"{name}{i:05d}.dcm" for i in range(len(owner))]),
        patient=np.array([f"{name}{i:04d}" for i in owner]),
        label=label,
        probabilities=np.stack([1 - low, low - worst, worst], axis=1),
        t_score=t_score.round(2),
        age=age[owner].round(),
        sex=np.where(rng.random(patients) < 0.8, "F", "M")[owner],
        device=rng.choice(["A", "B", "C"], len(owner), p=[0.6, 0.35, 0.05]),
        view=np.where(rng.random(len(owner)) < 0.7, "PA", "AP"),
        expected_t=-1.2 + 0.6 * (seen + 1.2),
    )
