"""What the embedded classifier's bundle says about itself: the card, from the figures of the run that made it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.simulate.bone_loss import CORTICAL_PER_UNIT, TRABECULAR_PER_UNIT
from OsteoScreenLib.study.classifier_figures import MEASURED_HEAD, TABLE_HEAD, ClassifierFigures, LeftOut, Measured
from OsteoScreenLib.study.density import RANGES

if TYPE_CHECKING:
    from OsteoScreenLib.classifier.domain import DomainCheck
    from OsteoScreenLib.study.train_classifier import ClassifierOptions


@dataclass(frozen=True)
class ClassifierReport:
    """All figures of a run.

    figures : of the splits "validation" and "test". leaks : test bodies untouched and with every bone covered in several ways.
    left_out : of shorter runs without a source. points : operating points (osteoporosis, low bone mass). domain : the input check.
    checked_on : images that it was fitted and calibrated on.
    """

    figures: Mapping[str, ClassifierFigures]
    leaks: tuple[Measured, ...]
    left_out: tuple[LeftOut, ...]
    temperature: float
    points: tuple[float, float]
    domain: DomainCheck
    checked_on: tuple[int, int]


_BY_LOT = """**Trained on labels by lot.** Each body kept a class drawn by lot, whatever its bone density, so there was nothing to learn about bone.
It is there for the sanity check of saliency maps alone (`osteoscreen sanity --random-labels`); what else stands below is the plain recipe's.

"""


def command_of(options: ClassifierOptions) -> str:
    """The command that repeats the run."""
    left = f" --leave-out {options.leave_out}" if options.leave_out else ""
    left += " --shuffle-labels" if options.shuffled_labels else ""
    return (
        "osteoscreen train-embedded classifier --thorax-ct DIR --skeleton ZIP --work DIR "
        f"--steps {options.steps} --seed {options.seed}{left}"
    )


def classifier_card(options: ClassifierOptions, report: ClassifierReport) -> str:
    """The card, Markdown."""
    test = report.figures["test"]
    confusion = "\n".join(
        f"| {name} | {' | '.join(str(int(n)) for n in row)} |" for name, row in zip(CLASSES, test.confusion, strict=True)
    )
    ranges = "; ".join(f"{name} {low:g} to {high:g}" for name, (low, high) in zip(CLASSES, RANGES, strict=True))
    leaks = "\n".join(leak.row() for leak in report.leaks)
    return f"""# chest-sim-classifier

{_BY_LOT if options.shuffled_labels else ""}Normal, osteopenia or osteoporosis on a frontal chest radiograph, learnt from simulated radiographs alone.
Research use only. **It was never shown a patient's bone density; its answers on real radiographs are not evidence about the patient.**

## What it is
timm `{options.network}` made narrower (channels {options.network_options["channels"]}, stem {options.network_options["stem_width"]}), trained from random weights, one grey channel of {options.size} x {options.size} pixels, letterboxed.
Cross-entropy, the order of the three densities within a body, and, while it was trained only, the outlines of the bone groups.
`{command_of(options)}`
A vision transformer (ViT-Ti with half its blocks, 2.8 million weights), trained from scratch on an earlier version of these images, was
still at chance after 100 steps (cross-entropy 1.10, AUC .51), where a network like this one had learnt after 60 shorter ones.

## What it was trained on
{options.bodies[0]} simulated chests posed from one skeleton and three CT, each developed anew for every use with a random
T-score, tube voltage, scatter, lung filling, fat, grey scale and, in half of them, multi-scale processing. T-scores are drawn evenly
within each class ({ranges}), the three classes equally often, so its probabilities assume that each class is equally common.
A body's T-score is what its simulated DXA of L1-L4 gives; to reach a wanted one, spongiosa and cortices lose mineral and thickness together,
{100 * TRABECULAR_PER_UNIT:.0f} and {100 * CORTICAL_PER_UNIT:.0f} % per unit of loss, which is the simulator's own assumption.

## Figures on new bodies of the same anatomies
Other shapes, poses and breath, {test.images // test.bodies} developments of each.
These figures measure the simulator's own rule and are no evidence about patients.

{TABLE_HEAD}
{report.figures["validation"].row("validation")}
{test.row("test")}

Temperature {report.temperature}; operating points by Youden's J on the validation bodies: osteoporosis {report.points[0]:.3f}, low bone mass {report.points[1]:.3f}.
Decisions on the test bodies at these points:

| true class | normal | osteopenia | osteoporosis |
|---|---|---|---|
{confusion}

## Figures on an anatomy that was never seen
{_left_out(report.left_out)}

## With every bone covered
Test bodies as projected, untouched and with all bones covered by their true masks (fill "mean"); intervals draw whole bodies.

{MEASURED_HEAD}
{leaks}

{_on_leaks(report.leaks)}

## Input check
Distance of an image's stage statistics ({", ".join(report.domain.layers)}) from {report.checked_on[0]} training images, calibrated on {report.checked_on[1]} of other bodies:
"borderline" from the 95th percentile of those, "out" from the 99th. It tells how unlike an image is, not whether the answer is right.

## What it cannot know
- The grey scale of a radiograph is set by the exposure, the detector's processing and the window, none of which is calibrated:
  a dark or flat rendering and a thin bone look alike. Stronger processing than it was trained on shifts its answer.
- Fractures, scoliosis, degenerative change, aortic calcification, implants and disease were not simulated.
- Bodies unlike the anatomies, children, and views other than frontal.
"""


def _left_out(runs: tuple[LeftOut, ...]) -> str:
    if not runs:
        return "Not measured in this run; `--leave-out` measures it."
    rows = "\n".join(
        f"| {run.source} | {run.measured[0].bodies} | {run.measured[0].osteoporosis} | {run.measured[0].low_bone_mass} | "
        f"{run.within_bodies:.3f} | {run.measured[1].osteoporosis} |"
        for run in runs
    )
    values = np.array([run.measured[0].osteoporosis.value for run in runs])
    rng = np.random.default_rng(0)
    low, high = np.percentile([rng.choice(values, len(values)).mean() for _ in range(2000)], [2.5, 97.5])
    return f"""Leave-one-source-out: shorter runs ({runs[0].steps} steps), each without one source, measured on that source in its own shape. The sources are
not wholly independent: every body has the skeleton's shoulder girdle and cartilages, the skeleton has a CT's lungs and skin, and the CT without
labels have the labelled one's bones, bent. So this is kinder than another patient would be.

| source left out | bodies | AUC osteoporosis (95 % interval, by body) | AUC low bone mass | osteoporosis within bodies | osteoporosis, all bones covered |
|---|---|---|---|---|---|
{rows}

Mean over the {len(runs)} anatomies {values.mean():.3f}, 95 % interval drawing anatomies {low:.3f} to {high:.3f}: with so few, that is a rough guess."""


def _on_leaks(leaks: tuple[Measured, ...]) -> str:
    """What the table says, for both questions that the classifier answers."""
    told = [
        _on_leak(leaks, name, words) for name, words in (("osteoporosis", "osteoporosis"), ("low_bone_mass", "low bone mass"))
    ]
    return "\n".join(sentence for sentence in told if sentence)


def _on_leak(leaks: tuple[Measured, ...], question: str, words: str) -> str:
    aucs = {leak.name: getattr(leak, question) for leak in leaks}
    covered = aucs.get("all bones covered")
    if covered is None:
        return ""
    if not covered.excludes_chance:
        return f"For {words}, with every bone covered, the interval holds 0.5: no leak was found."
    rest = [leak.name for leak in leaks[2:] if not aucs[leak.name].excludes_chance]
    stopped = (
        f"It is gone with: {'; '.join(rest)}."
        if rest
        else "None of the changes in the table stops it altogether, so it has several ways or another one."
    )
    way = "better" if covered.value > 0.5 else "worse"
    return (
        f"For {words}, with every bone covered, it ranks slightly {way} than chance: something besides the covered pixels tells the density. "
        f"{stopped} Vertebrae outside the vocabulary (C3-C6, L3-L5) are never covered, and thin with the others."
    )
