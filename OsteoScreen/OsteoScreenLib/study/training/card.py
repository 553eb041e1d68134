"""What a trained bundle says about itself: the card, from the facts of its run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.study.training.measures import Calibration
from OsteoScreenLib.study.training.options import TrainOptions
from OsteoScreenLib.study.training.parts import Parts

if TYPE_CHECKING:
    from OsteoScreenLib.classifier.backbones import Backbone

INTENDED_USE = (
    "Research use only: to study opportunistic osteoporosis screening. Not for diagnosis or for decisions on treatment."
)
_TUNINGS = {
    "linear": "linear probing: the encoder as it came, a logistic regression on its features",
    "partial": "partial fine-tuning: the last {blocks} of its blocks, what pools behind them, and the head",
    "lora": "LoRA: adapters of rank {lora_rank} (alpha {lora_alpha}, dropout {lora_dropout:g}) on {targets}, and the head",
}


@dataclass(frozen=True, eq=False)
class Story:
    """How a bundle came to be. figures : of "validation" and, where there is one, "test". facts : of run.json."""

    options: TrainOptions
    backbone: Backbone
    parts: Parts
    calibration: Calibration
    figures: Mapping[str, Mapping[str, Any]]
    epochs: int
    best_epoch: int
    facts: Mapping[str, Any]

    @property
    def id(self) -> str:
        """The bundle's id."""
        return self.options.name or f"{self.options.site}-{self.backbone.id}-{self.options.tuning}"

    @property
    def title(self) -> str:
        """The bundle's title."""
        tuning = {"linear": "linear probing", "partial": "partial fine-tuning", "lora": "LoRA"}[self.options.tuning]
        return f"{self.backbone.title}, {tuning}" + (", on simulated radiographs" if self.options.simulated else "")

    @property
    def data(self) -> str:
        """What it was trained on, one sentence."""
        kind = "simulated radiographs" if self.options.simulated else "radiographs"
        counts = self.parts.counts("training")
        classes = ", ".join(f"{int(count)} {name}" for count, name in zip(counts, CLASSES, strict=True))
        return (
            f"{int(counts.sum())} {kind} of {self.parts.patients('training')} patients ({classes}); a table given by the user"
        )


def card_of(story: Story) -> str:
    """The card, Markdown."""
    options, calibration = story.options, story.calibration
    how = _TUNINGS[options.tuning].format(
        blocks=options.blocks, lora_rank=options.lora_rank, lora_alpha=options.lora_alpha, lora_dropout=options.lora_dropout,
        targets=", ".join(options.lora_targets) or "query, key and value",
    )  # fmt: skip
    weights = story.facts["backbone"]["weights_sha256"]
    came = (
        f"weights with SHA-256 `{weights}`" if weights else "**random weights: it was never pretrained, and is for tests only**"
    )
    simulated = "\n**Trained on simulated radiographs. It knows nothing about patients.**\n" if options.simulated else ""
    rows = "\n".join(
        f"| {split} | {one['images']} ({one['patients']}) | {' / '.join(map(str, one['classes']))} | {one['auc_osteoporosis']:.3f} | "
        f"{one['auc_low_bone_mass']:.3f} |"
        for split, one in story.figures.items()
    )
    rule = f"a sensitivity of {options.sensitivity:g}" if options.sensitivity is not None else "Youden's index"
    prior = (
        "" if options.imbalance == "none" else " Classes were balanced in training and their frequencies put back afterwards."
    )
    went = (
        f"The strength of the penalty was chosen among {story.epochs} by the validation AUC."
        if options.tuning == "linear"
        else f"{story.epochs} of at most {options.epochs} epochs were trained; the weights are those of epoch {story.best_epoch}, with the largest validation AUC."
    )
    changes = (
        "as they are"
        if options.tuning == "linear" or not options.augment
        else (
            "turned, scaled, shifted, toned and given noise anew for every epoch"
            + (", and mirrored" if options.flip else ", never mirrored")
        )
    )
    return f"""# {story.id}

Normal, osteopenia or osteoporosis on radiographs of the site {options.site}. {INTENDED_USE}
{simulated}
## What it is
{story.backbone.title} (licence of the backbone: {story.backbone.licence}), {came}.
Tuned by {how}.
`{options.command()}`
{went} Precision {story.facts["precision"]}, seed {options.seed}. Training images were shown {changes}.

## What it was trained on
{story.data}. Digest of the cohort: `{story.facts["cohort"]["sha256"]}`.
Probabilities refer to how common the classes are among those images.{prior}
In another population they are not calibrated: evaluate the model there before you read anything into them.

## Figures

| part | images (patients) | {" / ".join(CLASSES)} | AUC osteoporosis against the rest | AUC low bone mass |
|---|---|---|---|---|
{rows}

The validation images chose the model, so their figures flatter it. `osteoscreen evaluate` gives intervals, calibration and subgroups.
Temperature {calibration.temperature:g} and the operating points, by {rule}, were fixed on the validation images:
osteoporosis {calibration.points.osteoporosis:.4f}, low bone mass {calibration.points.low_bone_mass:.4f}.

## Limits
- It was judged on images from the source that it was trained on. Other hospitals, devices and populations are unknown to it.
- Age and sex show on radiographs; a model may read those instead of bone. Compare with the age-and-sex baseline of `osteoscreen evaluate`.
- The input check tells how unlike the training images an image is, not whether the answer is right.
"""
