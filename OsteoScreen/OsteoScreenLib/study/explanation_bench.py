"""The explanation bench: networks that are known to read only chosen bones, and what every explanation says of them.

For each truth a network is trained on radiographs in which only the truth's bones tell the class (`truth_views`), and explained on
radiographs of bodies that it never saw. What is finished stays in the work folder: prepared and rendered bodies, networks,
and one small file a radiograph; a run that is killed goes on from there.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.explain.fills import FILLS, PAINTED
from OsteoScreenLib.explain.hooking import is_transformer
from OsteoScreenLib.explain.saliency_methods import methods_for
from OsteoScreenLib.files import write_text
from OsteoScreenLib.study.density_views import Bodies, load_bodies
from OsteoScreenLib.study.explained_view import explain_view
from OsteoScreenLib.study.explanation_networks import NETWORKS, trained_network
from OsteoScreenLib.study.truth_views import Truth, held_out_views
from OsteoScreenLib.study.views import render_views

DEFAULT_TRUTHS = ("Spine", "Right ribs", "Clavicles", "Humeri")
_VERSION = 2  # of what a radiograph's file holds, and of the radiographs
_MARGIN = 32  # pixels beyond the network's input at which bodies are kept, so that framing has something to move

# Called with (what is being done, done, all).
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class BenchOptions:
    """What `run_bench` needs.

    networks : names of `NETWORKS`. bodies : for training, and others to be explained, three radiographs of each. steps : of each
    training, None for the recipe's own. seed : of everything random. threads : of each training.
    """

    skeleton: Path
    thorax_ct: Path
    work: Path
    truths: tuple[Truth, ...] = tuple(Truth.of(words) for words in DEFAULT_TRUTHS)
    networks: tuple[str, ...] = tuple(NETWORKS)
    bodies: tuple[int, int] = (96, 24)
    steps: int | None = None
    seed: int = 0
    threads: int = 1

    def checked(self) -> BenchOptions:
        """Itself. Raises `InputError` (option)."""
        if not self.truths or len(set(self.truths)) < len(self.truths):
            raise InputError("Name at least one truth, and none twice.", code="option")
        if not self.networks or not set(self.networks) <= set(NETWORKS):
            raise InputError(f"The networks are {', '.join(NETWORKS)}; name at least one of them.", code="option")
        if min(self.bodies) < 2 or (self.steps is not None and self.steps < 2):
            raise InputError("The bench needs at least two bodies to train on, two to explain, and two steps.", code="option")
        return self


@dataclass(frozen=True)
class Explained:
    """One network and what was said of it. network : a name of `NETWORKS`. rows : one a radiograph, see `explain_view`."""

    truth: Truth
    network: str
    steps: int
    rows: tuple[dict[str, Any], ...]


def run_bench(options: BenchOptions, progress: Progress | None = None) -> tuple[Explained, ...]:
    """Make what the work folder does not hold yet; what was said of each network.

    Raises `InputError`: what the sources raise, and (option).
    """
    options = options.checked()
    tell = progress or (lambda _what, _done, _all: None)
    options.work.mkdir(parents=True, exist_ok=True)
    paths = render_views(
        options.work / "views", options.skeleton, options.thorax_ct, range(sum(options.bodies)), seed=options.seed, clinical=1.0,
        progress=lambda done, total: tell("Rendering bodies", done, total),
    )  # fmt: skip
    training, held_out = paths[: options.bodies[0]], paths[options.bodies[0] :]
    explained = []
    for name in options.networks:
        recipe = replace(NETWORKS[name], steps=options.steps or NETWORKS[name].steps)
        seen, unseen = (load_bodies(part, recipe.size + _MARGIN) for part in (training, held_out))
        for truth in options.truths:
            what = f"{truth.name}, {name}"
            folder = options.work / "networks" / f"{_plain(truth.name)}-{name}"
            trained = partial(tell, f"Training: {what}")
            classifier = trained_network(folder, seen, truth, recipe, options.seed, options.threads, trained)
            rows = _explained(options, classifier, unseen, truth, partial(tell, f"Explaining: {what}"))
            explained.append(Explained(truth, name, recipe.steps, rows))
    return tuple(explained)


def _explained(
    options: BenchOptions, classifier: Classifier, bodies: Bodies, truth: Truth, tell: Callable[[int, int], None]
) -> tuple[dict[str, Any], ...]:
    """What is said of a network on three radiographs of each body; radiographs whose file is there are not done again."""
    methods = methods_for(classifier.network)
    fills = FILLS if is_transformer(classifier.network) else PAINTED
    size = classifier.model.preprocessing.rows
    meant = [_VERSION, classifier.model.bundle.sha256, options.seed, size, options.bodies, methods, fills]
    digest = hashlib.sha256(json.dumps(meant).encode()).hexdigest()[:12]
    folder = options.work / "explained" / f"{classifier.model.id}-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{number:05d}.json" for number in range(3 * len(bodies.stacks))]
    missing = [number for number, file in enumerate(files) if not file.is_file()]
    done = len(files) - len(missing)
    tell(done, len(files))
    for number, body, view in held_out_views(bodies, truth, options.seed, size, missing):
        values = explain_view(view, truth, classifier, methods, fills, options.seed)
        row = {"body": body, "label": view.label(truth), **values}
        write_text(files[number], json.dumps(row, allow_nan=False) + "\n")
        done += 1
        tell(done, len(files))
    return tuple(json.loads(file.read_text(encoding="utf-8")) for file in files)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z]+", "-", name.lower())
