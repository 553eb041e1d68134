"""The input check: how far an image lies from the images that a model was trained on, in the model's own features.

Features are means and standard deviations of every channel after several stages of the network, early ones included: they tell
textures and grey scales that the last layer has learnt to pass over. The distance is Mahalanobis' in the principal components of
the training features, with what lies outside them as one more term (Lee et al. 2018 for the distance in feature space; Ren et al.
2021 for what dominates it). It says nothing about whether an answer is right; inside, the model is merely on known ground.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from OsteoScreenLib.errors import InputError

if TYPE_CHECKING:
    import torch
    from torch import nn

    from OsteoScreenLib.bundle import Bundle

Level = Literal["in", "borderline", "out"]
DOMAIN_FILE = "domain.safetensors"
METHOD = "stage statistics, principal components, Mahalanobis"
KEPT_VARIANCE = 0.99
MOST_COMPONENTS = 64
BORDERLINE_AT, OUT_AT = 0.95, 0.99  # quantiles of held-out distances
FARTHEST = 1e9  # stands for a distance that cannot be told
OUT_FACTOR = 1.0  # on the upper quantile; more than 1 would allow for its being fixed by few images


@dataclass(frozen=True)
class Domain:
    """Where an image lies.

    distance : 1 is the middle of the training images' spread, unbounded above. percentile : per cent of held-out training-like
    images that lie nearer. level : "in", "borderline" or "out".
    """

    distance: float
    percentile: float
    level: Level

    @property
    def sentence(self) -> str:
        """For a person."""
        if self.level == "in":
            return (
                "Input check: this image resembles the images that the model was trained on "
                f"(further from them than {self.percentile:.0f} % of such images that it had not seen)."
            )
        if self.level == "borderline":
            return (
                "Input check: this image is at the edge of what the model was trained on "
                f"(further from it than {self.percentile:.0f} % of such images that it had not seen); be wary of its answer."
            )
        return "Input check: this image is unlike the images that the model was trained on; its answer cannot be trusted."


@dataclass(frozen=True)
class DomainCheck:
    """A fitted check.

    layers : names of the network's modules whose outputs are looked at. mean, scale : of the features (d,). components : (k, d),
    on standardised features. spread : standard deviation along each component (k,). residual : typical length outside them.
    held_out : sorted distances of held-out images, at evenly spaced quantiles. borderline, out : distances from which on.
    """

    layers: tuple[str, ...]
    mean: np.ndarray
    scale: np.ndarray
    components: np.ndarray
    spread: np.ndarray
    residual: float
    held_out: np.ndarray
    borderline: float
    out: float

    def distance(self, features: np.ndarray) -> np.ndarray:
        """Distances (n,) of features (n, d)."""
        standard = (features - self.mean) / self.scale
        inside = standard @ self.components.T
        outside = np.linalg.norm(standard - inside @ self.components, axis=1) / self.residual
        terms = np.concatenate([(inside / self.spread) ** 2, outside[:, None] ** 2 * len(self.spread)], axis=1)
        # Half of the distance is what the components say, half what lies outside them.
        length: np.ndarray = np.sqrt(terms.sum(axis=1) / (2 * len(self.spread)))
        return length

    def judge(self, features: np.ndarray) -> Domain:
        """The verdict on one image's features (d,)."""
        if not np.isfinite(features).all():
            return Domain(FARTHEST, 100.0, "out")
        distance = min(float(self.distance(features[None])[0]), FARTHEST)
        percentile = 100 * float(np.searchsorted(self.held_out, distance)) / len(self.held_out)
        level: Level = "out" if distance > self.out else "borderline" if distance > self.borderline else "in"
        return Domain(distance, percentile, level)

    def tensors(self) -> dict[str, Any]:
        """What `DOMAIN_FILE` holds, float32 tensors."""
        import torch

        arrays = {name: getattr(self, name) for name in ("mean", "scale", "components", "spread", "held_out")}
        arrays["limits"] = np.array([self.residual, self.borderline, self.out])
        return {name: torch.from_numpy(np.ascontiguousarray(array, np.float32)) for name, array in arrays.items()}

    def to_manifest(self, fitted: int, calibrated: int) -> dict[str, Any]:
        """The manifest's table "domain". fitted, calibrated : numbers of images."""
        return {
            "method": METHOD,
            "layers": list(self.layers),
            "fitted_on": fitted,
            "calibrated_on": calibrated,
            "borderline_from": round(self.borderline, 4),
            "out_from": round(self.out, 4),
        }

    @classmethod
    def from_bundle(cls, bundle: Bundle) -> DomainCheck | None:
        """The check of a bundle; None when it brings none. Raises `InputError` (bundle-domain) when table and file do not fit."""
        table = bundle.manifest.get("domain")
        if table is None:
            return None
        wrong = InputError(
            f"The input check of the bundle {bundle.id} is damaged or of another version; get the bundle again.",
            code="bundle-domain",
        )
        if not isinstance(table, dict) or table.get("method") != METHOD or not isinstance(table.get("layers"), list):
            raise wrong
        arrays = {name: tensor.double().numpy() for name, tensor in bundle.tensors(DOMAIN_FILE).items()}
        try:
            residual, borderline, out = (float(value) for value in arrays["limits"])
            check = cls(
                tuple(str(name) for name in table["layers"]), arrays["mean"], arrays["scale"], arrays["components"],
                arrays["spread"], residual, arrays["held_out"], borderline, out,
            )  # fmt: skip
        except (KeyError, ValueError) as error:
            raise wrong from error
        features, kept = check.mean.size, check.spread.size
        fits = check.components.shape == (kept, features) and check.scale.shape == (features,) and check.held_out.size
        finite = all(np.isfinite(array).all() for array in arrays.values())
        if not (
            fits and finite and 0 < borderline <= out and residual > 0 and (check.scale > 0).all() and (check.spread > 0).all()
        ):
            raise wrong
        return check


def fit_domain(layers: tuple[str, ...], training: np.ndarray, held_out: np.ndarray) -> DomainCheck:
    """Fit on features of training images (n, d) and calibrate on those of held-out ones (m, d), none of them fitted on."""
    training = training.astype(np.float64)
    mean, scale = training.mean(axis=0), np.maximum(training.std(axis=0), 1e-6)
    standard = (training - mean) / scale
    _, singular, axes = np.linalg.svd(standard, full_matrices=False)
    share = np.cumsum(singular**2) / (singular**2).sum()
    kept = min(int(np.searchsorted(share, KEPT_VARIANCE)) + 1, MOST_COMPONENTS, len(singular))
    components, spread = axes[:kept], np.maximum(singular[:kept] / np.sqrt(len(training)), 1e-6)
    inside = standard @ components.T
    residual = max(float(np.sqrt(((standard - inside @ components) ** 2).sum(axis=1).mean())), 1e-6)
    draft = DomainCheck(layers, mean, scale, components, spread, residual, np.zeros(1), 1.0, 1.0)
    distances = draft.distance(held_out.astype(np.float64))
    borderline = float(np.quantile(distances, BORDERLINE_AT))
    out = max(OUT_FACTOR * float(np.quantile(distances, OUT_AT)), borderline)
    quantiles = np.quantile(distances, np.linspace(0, 1, 201))
    return DomainCheck(layers, mean, scale, components, spread, residual, quantiles, borderline, out)


def stages_of(network: nn.Module) -> tuple[str, ...]:
    """The modules to look at: the stages of a ConvNet as timm names them, or every quarter of a transformer's blocks."""
    blocks = getattr(network, "blocks", None)
    if blocks is not None and len(blocks):
        places = sorted({max(0, round(len(blocks) * quarter / 4) - 1) for quarter in (1, 2, 3, 4)})
        return tuple(f"blocks.{place}" for place in places)
    names = [str(info["module"]) for info in getattr(network, "feature_info", []) if info.get("module")]
    known = dict(network.named_modules())
    return tuple(dict.fromkeys(name for name in names if name in known))


@contextmanager
def watched(network: nn.Module, layers: tuple[str, ...]) -> Iterator[Callable[[], np.ndarray]]:
    """Inside it, every forward pass leaves its features; the callable hands those of the last pass over, float32 (n, d).

    Raises `InputError` (bundle-domain) when the network has no such layers.
    """
    modules = dict(network.named_modules())
    if not layers or any(name not in modules for name in layers):
        raise InputError("The input check does not fit the model's network; get the bundle again.", code="bundle-domain")
    kept: dict[str, torch.Tensor] = {}

    def keep(name: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: torch.Tensor) -> None:
            values = output.detach().float()
            # (n, channels, rows, columns), or (n, tokens, channels)
            over = (2, 3) if values.ndim == 4 else (1,)
            import torch

            kept[name] = torch.cat([values.mean(dim=over), values.std(dim=over)], dim=1).cpu()

        return hook

    hooks = [modules[name].register_forward_hook(keep(name)) for name in layers]
    try:
        yield lambda: np.concatenate([kept[name].numpy() for name in layers], axis=1)
    finally:
        for hook in hooks:
            hook.remove()
