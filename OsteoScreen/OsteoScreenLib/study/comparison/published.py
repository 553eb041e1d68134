"""What the study published of its twelve models, as data, and what it did not publish.

Source: Kim J-W, Kwak S, Lee H, Chang J, Park SM. Explainable opportunistic osteoporosis screening from chest X-rays: a retrospective
comparison of foundation models. Osteoporosis International 2025, doi 10.1007/s00198-025-07727-3.

The values are of osteoporosis against the rest, image by image, on the study's own test images. They stand beside a table as a
reminder of what is known, never as its target: other patients, other prevalence, and settings that the article does not state.

Its intervals are left out on purpose. Those of the sensitivities fit Wald's formula with all 4,163 test images as denominator,
although sensitivity has 211; `published_interval` gives Wilson's with the right ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from OsteoScreenLib.study.classifier_figures import Interval

SOURCE = (
    "Kim J-W, Kwak S, Lee H, Chang J, Park SM. Explainable opportunistic osteoporosis screening from chest X-rays: a retrospective "
    "comparison of foundation models. Osteoporosis International 2025, doi 10.1007/s00198-025-07727-3"
)
# Of the study's test split.
TEST_IMAGES = MappingProxyType({"normal": 2411, "osteopenia": 1541, "osteoporosis": 211})
TEST_PATIENTS = 2900
NOT_PUBLISHED = (
    "Δ_bone and IoU of any bone or model (only that spine and ribs mattered most, that AUC and IoU with all bones did not go "
    "together, and that linear DINOv2 had the highest IoU)",
    "input size and size of each backbone, and which of CheXagent's encoders",
    "layers, alpha and dropout of LoRA; loss, optimiser and length of training",
    "the rule that set the operating points",
    "the bone segmenter, what covered pixels were filled with, and the threshold of the saliency maps",
    "figures by age, device or view",
)
INTERVAL_WARNING = (
    "The published intervals are not shown: those of sensitivity fit Wald's formula with all 4,163 test images, although only 211 "
    "of them show osteoporosis. Wilson's intervals with the right denominators are shown instead; they count images as if they were "
    "independent, as the article did."
)

Measure = Literal["accuracy", "sensitivity", "specificity"]


@dataclass(frozen=True)
class PublishedModel:
    """One of the twelve, as shares from 0 to 1 to the published digits. Accuracy is of osteoporosis against the rest."""

    auc: float
    accuracy: float
    sensitivity: float
    specificity: float


# (family, tuning) → figures. The accuracies follow from the other two and the test images, so they too are of two classes.
PUBLISHED: Mapping[tuple[str, str], PublishedModel] = MappingProxyType(
    {
        ("openclip", "linear"): PublishedModel(0.73, 0.626, 0.744, 0.620),
        ("openclip", "partial"): PublishedModel(0.91, 0.823, 0.839, 0.822),
        ("openclip", "lora"): PublishedModel(0.91, 0.790, 0.886, 0.785),
        ("dinov2", "linear"): PublishedModel(0.77, 0.667, 0.768, 0.661),
        ("dinov2", "partial"): PublishedModel(0.91, 0.816, 0.853, 0.814),
        ("dinov2", "lora"): PublishedModel(0.93, 0.874, 0.844, 0.876),
        ("chexagent", "linear"): PublishedModel(0.72, 0.669, 0.683, 0.669),
        ("chexagent", "partial"): PublishedModel(0.90, 0.827, 0.825, 0.827),
        ("chexagent", "lora"): PublishedModel(0.85, 0.762, 0.796, 0.761),
        ("raddino", "linear"): PublishedModel(0.72, 0.670, 0.668, 0.670),
        ("raddino", "partial"): PublishedModel(0.89, 0.857, 0.763, 0.862),
        ("raddino", "lora"): PublishedModel(0.90, 0.867, 0.768, 0.872),
    }
)


def denominator(measure: Measure) -> int:
    """How many of the study's test images a measure is a share of."""
    if measure == "accuracy":
        return sum(TEST_IMAGES.values())
    diseased = TEST_IMAGES["osteoporosis"]
    return diseased if measure == "sensitivity" else sum(TEST_IMAGES.values()) - diseased


def published_interval(model: PublishedModel, measure: Measure) -> Interval:
    """A published share with Wilson's 95 % interval (Wilson 1927) over the images that it is a share of."""
    from statsmodels.stats.proportion import proportion_confint

    share, images = getattr(model, measure), denominator(measure)
    low, high = proportion_confint(round(share * images), images, method="wilson")
    return Interval(share, float(low), float(high))
