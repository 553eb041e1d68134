"""The classifiers of the explanation bench: one network for each truth, trained as the embedded classifier is, kept as a bundle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from OsteoScreenLib.bundle import MANIFEST, Bundle, as_float16, open_bundle, write_bundle
from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.study.density_views import Bodies
from OsteoScreenLib.study.train_classifier import ClassifierOptions, fit, specification
from OsteoScreenLib.study.truth_views import FACTORS, Truth, truth_triplets

_VERSION = 2  # of what a truth's training means, its radiographs included


@dataclass(frozen=True)
class Recipe:
    """How each network is trained.

    network, network_options : a timm name and what its constructor is given. size : input pixels. batch : bodies a step, each in
    three classes. replays : how often a radiograph is used.
    sight : weight of the loss that asks inner features where each group lies and how dense it is.
    """

    network: str
    network_options: Mapping[str, Any] = field(default_factory=dict)
    steps: int = 400
    size: int = 192
    batch: int = 8
    replays: int = 3
    rate: float = 2e-3
    sight: float = 1.0


# The embedded classifier's network, and a vision transformer small enough for a processor.
NETWORKS: dict[str, Recipe] = {
    "resnet": Recipe("resnet10t", {"channels": [24, 48, 96, 192], "stem_width": 16}),
    "vit": Recipe("vit_tiny_patch16_224", {"embed_dim": 96, "depth": 4, "num_heads": 3}, 1500, 160, rate=1e-3, sight=8.0),
}


def trained_network(
    folder: Path,
    bodies: Bodies,
    truth: Truth,
    recipe: Recipe,
    seed: int = 0,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Classifier:
    """The network that was trained to read the truth's bones, from `folder` where the same training left it there before.

    bodies : of the training. progress : called with (steps done, all).
    """
    facts = {
        "version": _VERSION, "truth": list(truth.groups), "factors": [list(pair) for pair in FACTORS], "seed": seed,
        "steps": recipe.steps, "size": recipe.size, "batch": recipe.batch, "replays": recipe.replays, "rate": recipe.rate,
        "sight": recipe.sight, "bodies": len(bodies.stacks),
    }  # fmt: skip
    architecture = {"library": "timm", "name": recipe.network, "options": dict(recipe.network_options)}
    bundle = _kept(folder, {"training": facts, "architecture": architecture})
    if bundle is None:
        options = ClassifierOptions(
            Path(), Path(), folder, folder, seed, network=recipe.network, network_options=recipe.network_options,
            size=recipe.size, steps=recipe.steps, batch=recipe.batch, replays=recipe.replays, rate=recipe.rate, threads=threads,
            sight=recipe.sight,
        )  # fmt: skip

        def drawn(rng: np.random.Generator) -> Any:
            return truth_triplets(bodies, truth, rng, recipe.size)

        network = fit(bodies, options, drawn, not truth.sided, progress)
        manifest = {
            "id": folder.name,
            "kind": "classifier",
            "title": f"Explanation bench: the class lies in {truth.name}",
            "site": "chest-frontal",
            "architecture": architecture,
            "preprocessing": specification(recipe.size).to_manifest(),
            "classes": list(CLASSES),
            "operating_points": {"osteoporosis": 0.5, "low_bone_mass": 0.5},
            "temperature": 1.0,
            "tuning": "full",
            "training": {**facts, "simulated": True, "data": "simulated chests in which only these bones tell the class"},
            "licence": "Apache-2.0",
            "intended_use": "Research use only: to measure explanations of a network whose reasons are known.",
        }
        card = f"# {manifest['title']}\n\n{manifest['intended_use']} Made by `osteoscreen bench explanations`.\n"
        bundle = write_bundle(folder, manifest, as_float16(network.state_dict()), card)
    return Classifier.load(bundle, device="cpu", precision="fp32")


def _kept(folder: Path, wanted: Mapping[str, Mapping[str, Any]]) -> Bundle | None:
    """The bundle in `folder` when all that is wanted stands in its manifest."""
    if not (folder / MANIFEST).is_file():
        return None
    try:
        bundle = open_bundle(folder, "classifier")
    except InputError:
        return None
    same = all(bundle.manifest[table].get(key) == value for table, held in wanted.items() for key, value in held.items())
    return bundle if same else None
