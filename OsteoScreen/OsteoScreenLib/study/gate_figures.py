"""How well a gate answers on images it was not trained on: figures for its card."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from OsteoScreenLib.bones.gate import Gate
from OsteoScreenLib.radiograph.radiograph import Placement, Radiograph
from OsteoScreenLib.study.disturb import Framing, disturb
from OsteoScreenLib.study.gate_images import Bank


@dataclass(frozen=True)
class GateFigures:
    """Counts over held-out images, each disturbed and laid at random.

    accepted, seen : per kind of image. upright, bright, facing : wanted ones among the accepted whose way up, polarity and
    mirroring were told right. logits : the best logit of each image; wanted : whether it is to be accepted.
    wanted_accepted : of every kind that is to be accepted.
    """

    accepted: dict[str, int]
    seen: dict[str, int]
    upright: int
    bright: int
    facing: int
    logits: np.ndarray
    wanted: np.ndarray
    wanted_accepted: int

    @property
    def wanted_seen(self) -> int:
        """Images that are to be accepted."""
        return int(self.wanted.sum())

    @property
    def wrongly_accepted(self) -> int:
        """Accepted images of other kinds."""
        return sum(self.accepted.values()) - self.wanted_accepted

    def table(self) -> str:
        """A Markdown table: kind, seen, accepted."""
        lines = ["| kind of image | seen | accepted |", "|---|---|---|"]
        lines += [f"| {kind} | {self.seen[kind]} | {self.accepted[kind]} |" for kind in sorted(self.seen)]
        return "\n".join(lines)


def gate_figures(gate: Gate, bank: Bank, framing: Framing, seed: int) -> GateFigures:
    """Inspect every image of `bank` once, disturbed and laid at random."""
    rng = np.random.default_rng([seed, 11])
    accepted = dict.fromkeys(sorted(set(bank.kinds)), 0)
    seen = dict(accepted)
    upright = bright = facing = 0
    logits = []
    for image, kind in zip(bank.images, bank.kinds, strict=True):
        wanted = bank.is_wanted(kind)
        disturbed = disturb(image.astype(np.float32) / 255, rng, framing, 128, bank.diseased if wanted else 0.1)
        lay = Placement(bool(rng.integers(2)), int(rng.integers(4)), bool(rng.integers(2)))
        laid = np.ascontiguousarray(lay.apply(disturbed))
        report = gate.inspect(Radiograph(np.float32(1) - laid if lay.inverted else laid))
        seen[kind] += 1
        accepted[kind] += report.accepted
        logits.append(float(np.log(report.probability) - np.log1p(-min(report.probability, 1 - 1e-9))))
        if wanted and report.accepted:
            upright += (lay.quarter_turns + report.correction.quarter_turns) % 4 == 0
            bright += lay.inverted == report.correction.inverted
            facing += lay.mirrored == report.mirrored_suspected
    told_right = sum(count for kind, count in accepted.items() if bank.is_wanted(kind))
    wanted_ones = np.array([bank.is_wanted(kind) for kind in bank.kinds])
    return GateFigures(accepted, seen, upright, bright, facing, np.array(logits), wanted_ones, told_right)


def threshold_of(figures: GateFigures, temperature: float) -> float:
    """The probability from which to accept: the largest sensitivity + specificity - 1 (Youden) on held-out images, at least 0.5.

    Between two images' answers every threshold does the same; the middle of the gap is taken.
    """
    values = np.sort(figures.logits)
    cuts = (values[1:] + values[:-1]) / 2
    gains = [(figures.logits[figures.wanted] >= cut).mean() - (figures.logits[~figures.wanted] >= cut).mean() for cut in cuts]
    best = float(cuts[int(np.argmax(gains))]) / temperature
    return round(max(0.5, float(1 / (1 + np.exp(-best)))), 4)


def temperature_of(figures: GateFigures) -> float:
    """The temperature that gives the held-out answers their best likelihood, each of the two groups counting half."""
    best, chosen = np.inf, 1.0
    for temperature in np.exp(np.linspace(np.log(0.5), np.log(5), 60)):
        signed = np.where(figures.wanted, 1, -1) * figures.logits / temperature
        losses = np.logaddexp(0, -signed)
        loss = losses[figures.wanted].mean() + losses[~figures.wanted].mean()
        if loss < best:
            best, chosen = loss, float(temperature)
    return round(chosen, 3)
