"""Calibrates the segmenter's confidence: from the Dice that its probabilities expect to the Dice that its masks have.

`python -m OsteoScreenLib.study.mask_confidence BUNDLE VIEWS FIRST LAST [--write]` measures a bundle on rendered views with the
numbers FIRST to LAST, which it must not have been trained on, prints what came out, and with --write puts it into the bundle's
manifest. Simulated images are all that is known here: on real radiographs the estimate is too high.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from OsteoScreenLib.bones.confidence import Calibration, expected_dice
from OsteoScreenLib.bones.embedded import Plausibility, plausible
from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL
from OsteoScreenLib.simulate.thorax import STRUCTURES
from OsteoScreenLib.study.segmenter_images import ViewStore, training_example

if TYPE_CHECKING:
    from torch import nn

_POINTS = 12
_DRAWS = 3  # pictures of each view: its exposure, disease and crop are drawn anew


@dataclass(frozen=True)
class Pairs:
    """Of each drawn mask: bone, expected and measured Dice, float (n,)."""

    names: tuple[str, ...]
    expected: np.ndarray
    measured: np.ndarray


def confidence_pairs(network: nn.Module, store: ViewStore, grid: int, seed: int = 0, draws: int = _DRAWS) -> Pairs:
    """Draw random pictures of every view, segment them as `EmbeddedSegmenter` does, and compare with the true masks."""
    import cv2
    import torch

    network.eval()
    rules, rng = Plausibility(), np.random.default_rng([seed, 23])
    rows: list[tuple[str, float, float]] = []
    for _ in range(draws * len(store)):
        image, targets = training_example(store, rng, grid)
        with torch.inference_mode():
            logits = network(torch.from_numpy(image)[None, None])[0].float().numpy()
        for place, name in enumerate(STRUCTURES):
            if name not in CHEST_FRONTAL.by_name:
                continue
            plane = cv2.GaussianBlur(logits[place], (0, 0), 0.8)
            kept = plausible(plane, rules)
            if kept is None:
                continue
            truth, drawn = targets[place] > 127, kept > 0
            both = 2 * float((truth & drawn).sum()) / float(truth.sum() + drawn.sum())
            rows.append((name, expected_dice(plane, kept), both))
    return Pairs(tuple(row[0] for row in rows), np.array([row[1] for row in rows]), np.array([row[2] for row in rows]))


def rising_fit(expected: np.ndarray, measured: np.ndarray, points: int = _POINTS) -> Calibration:
    """A rising, piecewise linear map through means of equal numbers of pairs (isotonic by pooling adjacent violators)."""
    order = np.argsort(expected, kind="stable")
    parts = [part for part in np.array_split(order, min(points, len(order))) if part.size]
    blocks: list[list[float]] = []  # expected, measured, pairs
    for part in parts:
        blocks.append([float(expected[part].mean()), float(measured[part].mean()), float(part.size)])
        while len(blocks) > 1 and blocks[-2][1] > blocks[-1][1]:
            last, before = blocks.pop(), blocks.pop()
            total = last[2] + before[2]
            blocks.append([(last[i] * last[2] + before[i] * before[2]) / total for i in (0, 1)] + [total])
    return Calibration(tuple(round(b[0], 4) for b in blocks), tuple(round(b[1], 4) for b in blocks))


def told(pairs: Pairs, calibration: Calibration) -> list[str]:
    """What came out, in lines: error before and after, and how far the confidence tells good masks from bad ones."""
    answered = np.array([calibration(value) for value in pairs.expected])
    lines = [
        f"{len(pairs.names)} masks, mean Dice {pairs.measured.mean():.3f}, mean expected {pairs.expected.mean():.3f}",
        f"mean absolute error: expected {np.abs(pairs.expected - pairs.measured).mean():.3f}, "
        f"calibrated {np.abs(answered - pairs.measured).mean():.3f}, "
        f"a constant {np.abs(pairs.measured.mean() - pairs.measured).mean():.3f}",
        f"correlation of confidence and Dice: {np.corrcoef(answered, pairs.measured)[0, 1]:.2f}",
    ]
    for group, members in CHEST_FRONTAL.groups.items():
        inside = np.array([name in members for name in pairs.names])
        if inside.any():
            lines.append(f"{group}: Dice {pairs.measured[inside].mean():.3f}, confidence {answered[inside].mean():.3f}")
    return lines


def main(arguments: list[str]) -> None:
    """BUNDLE VIEWS FIRST LAST [--write]."""
    from OsteoScreenLib.bones.networks import build_network
    from OsteoScreenLib.bones.trust import trust_manifest
    from OsteoScreenLib.bundle import open_bundle, write_bundle

    write = "--write" in arguments
    folder, views, first, last = [argument for argument in arguments if argument != "--write"]
    bundle = open_bundle(Path(folder), "segmenter")
    network = build_network(bundle.manifest["architecture"])
    network.load_state_dict(bundle.tensors())
    paths = sorted(Path(views).glob("chest-*.npz"))[int(first) : int(last) + 1]
    pairs = confidence_pairs(network, ViewStore(paths), int(bundle.manifest["preprocessing"]["grid"]))
    # Fitted on every other mask and reported on the rest; what is stored is fitted on all.
    half = np.arange(len(pairs.names)) % 2 == 0
    fitted = rising_fit(pairs.expected[half], pairs.measured[half])
    rest = Pairs(tuple(np.array(pairs.names)[~half]), pairs.expected[~half], pairs.measured[~half])
    print("\n".join(told(rest, fitted)))
    stored = rising_fit(pairs.expected, pairs.measured)
    table: dict[str, Any] = {"from": list(stored.expected), "to": list(stored.measured)}
    print(table)
    if write:
        kept = {key: value for key, value in bundle.manifest.items() if key not in {"format", "format_version", "files"}}
        manifest = {**kept, "trust": trust_manifest(), "confidence": table}
        write_bundle(bundle.folder, manifest, bundle.tensors(as_stored=True), bundle.card)
        print(f"Wrote {bundle.folder}.")


if __name__ == "__main__":
    main(sys.argv[1:])
