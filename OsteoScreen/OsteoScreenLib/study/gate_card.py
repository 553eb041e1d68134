"""What a gate's bundle says about itself: words of each body site, and the card with the figures of the run that made it."""

from __future__ import annotations

from dataclasses import dataclass

from OsteoScreenLib.bones.gate import GateLimits
from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL, KNEE
from OsteoScreenLib.study.gate_figures import GateFigures


@dataclass(frozen=True)
class GateWords:
    """Of one site. image : what is accepted, in words. command : its options that name the data. mirror, trained, limits : of the card."""

    bundle_id: str
    title: str
    image: str
    command: str
    data: str
    mirror: str
    trained: str
    limits: str


WORDS: dict[str, GateWords] = {
    CHEST_FRONTAL.name: GateWords(
        bundle_id="chest-gate",
        title="Frontal chest check: body part, way up, polarity",
        image="frontal chest",
        command="--thorax-ct DIR --skeleton ZIP",
        data="drawn chests, projections and slices of three chest CT (LIDC-IDRI, CMB-CRC), projections of BodyParts3D bones, "
        "images made by program; no real radiograph",
        mirror="A mirrored chest is\nonly suspected from the heart's side, never corrected: dextrocardia looks the same.",
        trained="""Frontal chests drawn from chords of ellipses and tubes, projected from three chest CT (arms up), and
posed from one of them and one skeleton (arms down); every other way to lay them as counter-examples. Against them: other body parts projected from one
skeleton (BodyParts3D), the same CT from the side, askew, from above and stretched to a quadruped's proportions, CT slices,
and pages, scenes, patterns, noise and blank fields made by program. No real radiograph was used for training.""",
        limits="""- Steep oblique and lateral chests are what it most often takes for frontal ones, and next two legs side by side with dark bones. An
  earlier version often took real inverted knees for chests; pairs of legs were then added to its simulated counter-examples, so real
  knees are no longer a wholly untouched test. No real radiograph was trained on.
- Infants, animals other than a stretched human thorax, images of more than one patient side by side, and chests with most of both
  lungs white are outside its training or rare in it.
- A frontal chest cropped so far that lungs no longer frame the spine may be refused.""",
    ),
    KNEE.name: GateWords(
        bundle_id="knee-gate",
        title="Frontal knee check: body part, way up, polarity",
        image="frontal knee",
        command="--site knee --thorax-ct DIR --skeleton ZIP",
        data="simulated frontal knees from one skeleton (BodyParts3D); against them its other bones, legs without the joint and from the side, "
        "drawn chests, projections and slices of three chest CT (LIDC-IDRI, CMB-CRC), images made by program; no real radiograph",
        mirror="A mirrored knee\nlooks like the other side's, so mirroring is never suspected: the side marker alone tells it.",
        trained="""One knee or both from the front, projected from one skeleton (BodyParts3D) with soft tissue drawn round it, from close about the joint to thigh and
lower leg; every other way to lay them as counter-examples. Against them: the same legs from the side and with the joint outside the field, other body
parts of that skeleton, drawn chests, three chest CT from all sides and in slices, and pages, scenes, patterns, noise and blank
fields made by program. No real radiograph was used for training.""",
        limits="""- It does not tell a knee from the side from one from the front: lateral knees pass.
- It knows the legs of one skeleton. Implants, plasters, children and strongly bent or deformed knees are outside its training.
- A picture of both whole legs, in which the knees are small, may be refused.""",
    ),
}


def gate_card(
    words: GateWords,
    weights: int,
    size: int,
    seed: int,
    steps: int,
    figures: GateFigures,
    temperature: float,
    limits: GateLimits,
    seen: str = "",
) -> str:
    """The card, Markdown. weights : how many the network has. seen : what a person found on real radiographs."""
    others = sum(figures.seen.values()) - figures.wanted_seen
    facing = f",\n  {figures.facing} with the right answer on mirroring" if limits.mirrored else ""
    real = f"\n## On real radiographs\n{seen.strip()}\n" if seen.strip() else ""
    return f"""# {words.bundle_id}

Says from the pixels whether an image is a {words.image} radiograph, which way up it lies and whether bones are bright.
Research use only.

## What it is
A residual network of {weights:,} weights that looks at
{size} x {size} pixels, once as grey values and once as their ranks. It scores "upright, bone-bright {words.image}" for all 16 ways
to lay the image and takes the best, so turned, mirrored and inverted copies get the same decision. {words.mirror}

## What it was trained on
{words.trained}
Seed {seed}, {steps} steps.

## Figures on images made with another seed
The anatomies are the ones of the training, so these say that the training worked, not how real radiographs fare.

- {figures.wanted_accepted} of {figures.wanted_seen} {words.image}s accepted; of these {figures.upright} laid upright, {figures.bright} with the right polarity{facing}.
- {figures.wrongly_accepted} of {others} other images accepted.
- Temperature {temperature}; accepted from a probability of {limits.probability} (Youden's J on yet another disturbance of these images).

{figures.table()}
{real}
## What it cannot know
{words.limits}
- It judges no image quality and finds no disease.
"""
