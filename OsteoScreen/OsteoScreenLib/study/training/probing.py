"""Linear probing: the frozen encoder sees every image once; a logistic regression is fitted to what it made of them.

Regularised logistic regression on standardised features (Radford et al. 2021, arXiv 2103.00020, A.3), its strength chosen by the
validation AUC; the standardisation and the classes' frequencies then go into the weights of the network's own head.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.files import write_bytes
from OsteoScreenLib.study.classifier_figures import softmax
from OsteoScreenLib.study.training.balance import Balance
from OsteoScreenLib.study.training.measures import osteoporosis_auc
from OsteoScreenLib.study.training.options import Progress, counting
from OsteoScreenLib.study.training.passes import Looking, Seen
from OsteoScreenLib.study.training.team import Team

_STRENGTHS = np.logspace(-4, 2, 13)  # inverse, as scikit-learn counts
_PART = 256  # images whose features are kept in one file, so that a killed run goes on after them
# Either comes to rest, so that the fit does not depend on how it is reached: Newton's steps where there are more images than
# features; with fewer, L-BFGS is there sooner.
_NEWTON = {"solver": "newton-cholesky", "tol": 1e-6, "max_iter": 100}
_LBFGS = {"solver": "lbfgs", "tol": 1e-7, "max_iter": 10_000}
_STAGE = "Computing features"


def seen_in_parts(
    network: nn.Module,
    looking: Looking,
    wanted: list[tuple[np.ndarray, bool]],
    folder: Path,
    fingerprint: str,
    team: Team,
    progress: Progress,
) -> list[Seen]:
    """What the network makes of several sets of images, kept in a folder piece by piece, the pieces shared by all processes.

    wanted : (places, whether the input check's statistics are needed) of each set. fingerprint : of images and weights.
    Raises `OsteoScreenError` when the disk is full.
    """
    pieces = [
        (number, places[start : start + _PART], stages)
        for number, (places, stages) in enumerate(wanted)
        for start in range(0, len(places), _PART)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    total, done = sum(len(places) for places, _ in wanted), 0
    for number, (_, places, stages) in enumerate(pieces):
        path = folder / f"part-{number:05d}.safetensors"
        if number % team.size == team.rank and _kept(path, fingerprint, places) is None:
            seen = looking.look(network, places, stages, counting(progress, _STAGE, done, total))
            _keep(path, fingerprint, seen)
        done += len(places)
        progress(_STAGE, done, total, "")
    team.wait()
    found: list[list[Seen]] = [[] for _ in wanted]
    for number, (owner, places, _) in enumerate(pieces):
        kept = _kept(folder / f"part-{number:05d}.safetensors", fingerprint, places)
        if kept is None:
            raise InputError(
                "Features that were just computed cannot be read; delete the folder features of the run.", code="changed"
            )
        found[owner].append(kept)
    return [_joined(parts) for parts in found]


def _keep(path: Path, fingerprint: str, seen: Seen) -> None:
    from safetensors.numpy import save

    arrays = {"places": seen.places, "logits": seen.logits, "features": seen.features, "stages": seen.stages}
    write_bytes(path, save({name: np.ascontiguousarray(a) for name, a in arrays.items()}, {"fingerprint": fingerprint}))


def _kept(path: Path, fingerprint: str, places: np.ndarray) -> Seen | None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as stored:
            if (stored.metadata() or {}).get("fingerprint") != fingerprint:
                return None
            seen = Seen(*(stored.get_tensor(name) for name in ("places", "logits", "features", "stages")))
    except (OSError, SafetensorError):
        return None
    return seen if np.array_equal(seen.places, places) else None


def _joined(parts: list[Seen]) -> Seen:
    if not parts:
        return Seen(np.zeros(0, int), np.zeros((0, 3)), np.zeros((0, 0), np.float32), np.zeros((0, 0), np.float32))
    return Seen(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("places", "logits", "features", "stages"))
    )


@dataclass(frozen=True, eq=False)
class Fitted:
    """weight : float64 (3, d), bias : (3,), for features as they are. history : a row for each strength. chosen : its row, from 1."""

    weight: np.ndarray
    bias: np.ndarray
    history: list[dict[str, float]]
    chosen: int


def fit_head(training: tuple[np.ndarray, np.ndarray], validation: tuple[np.ndarray, np.ndarray], balance: Balance) -> Fitted:
    """Fit for every strength, and keep the one with the largest validation AUC, among equals the smallest loss.

    A row's `iterations` reach the solver's `max_iter` where the fit had not come to rest.

    training, validation : features (n, d) and classes (n,).
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    features, labels = training
    mean, scale = features.mean(axis=0, dtype=np.float64), np.maximum(features.std(axis=0, dtype=np.float64), 1e-6)
    standard = [((one - mean) / scale).astype(np.float64) for one in (features, validation[0])]
    share = np.ones(len(balance.weights)) if not balance.offset.any() else 1 / np.bincount(labels, minlength=3)
    rows: list[dict[str, float]] = []
    best: tuple[float, float] = (-1.0, 0.0)
    chosen = 0
    fitted = LogisticRegression(**(_NEWTON if len(labels) > features.shape[1] else _LBFGS), warm_start=True)
    weight, bias = np.zeros((3, features.shape[1])), np.zeros(3)
    for number, strength in enumerate(_STRENGTHS, start=1):
        fitted.set_params(C=float(strength))
        weights = share[labels] * len(labels) / share[labels].sum()
        with warnings.catch_warnings():
            # Where classes can be parted entirely a weak penalty has no end; the table of the fit says that the limit was reached.
            warnings.simplefilter("ignore", ConvergenceWarning)
            fitted.fit(standard[0], labels, sample_weight=weights)
        told = [one @ fitted.coef_.T + fitted.intercept_ + balance.offset for one in standard]
        losses = [_log_loss(logits, truth) for logits, truth in zip(told, (labels, validation[1]), strict=True)]
        auc = osteoporosis_auc(told[1], validation[1])
        rows.append(
            {
                "epoch": number,
                "strength": float(strength),
                "iterations": int(fitted.n_iter_.max()),
                "training_loss": losses[0],
                "validation_loss": losses[1],
                "validation_auc": auc,
            }
        )
        if (auc, -losses[1]) > best:
            best, chosen = (auc, -losses[1]), number
            weight = fitted.coef_ / scale
            bias = fitted.intercept_ + balance.offset - weight @ mean
    return Fitted(weight, bias, rows, chosen)


def _log_loss(logits: np.ndarray, labels: np.ndarray) -> float:
    return float(-np.log(np.maximum(softmax(logits)[np.arange(len(labels)), labels], 1e-12)).mean())


def set_head(head: nn.Linear, weight: np.ndarray, bias: np.ndarray) -> None:
    """Put fitted numbers into a network's head."""
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(weight))
        head.bias.copy_(torch.from_numpy(bias))


def headed(seen: Seen, head: nn.Linear) -> Seen:
    """The same images with the logits that this head makes of their features."""
    weight, bias = (one.detach().cpu().double().numpy() for one in (head.weight, head.bias))
    return Seen(seen.places, seen.features.astype(np.float64) @ weight.T + bias, seen.features, seen.stages)
