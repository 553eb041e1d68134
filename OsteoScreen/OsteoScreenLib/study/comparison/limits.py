"""What a comparison cannot show, one sentence each, from what the run was."""

from __future__ import annotations

from collections.abc import Sequence

from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL
from OsteoScreenLib.classifier.backbones import BACKBONES
from OsteoScreenLib.study.comparison.partitions import Partition
from OsteoScreenLib.study.comparison.plan import FAMILIES, RANDOM_WEIGHTS, Combination, Plan

# Collins, Ogundimu and Altman 2016, doi 10.1002/sim.6787.
_ENOUGH_EVENTS = 100


def note_on(combination: Combination, random_weights: bool) -> str:
    """What must stand beside a model's name: another backbone in the family's place, random weights; "" when there is nothing."""
    known = BACKBONES.get(combination.backbone)
    notes = []
    if known is None or known.family != FAMILIES[combination.family]:
        title = combination.backbone if known is None else known.title
        notes.append(f"{title} stands in for {FAMILIES[combination.family]}")
    if random_weights:
        notes.append(RANDOM_WEIGHTS)
    return "; ".join(notes)


def limits(plan: Plan, parts: Sequence[Partition], bones: str, site: str, simulated: bool) -> tuple[str, ...]:
    """Sentences. site : of the images. bones : how bones were drawn, or that and why their effects were omitted. simulated : the images are."""
    told = []
    if simulated:
        told.append("The images are simulated: nothing here is evidence about patients.")
    if site != CHEST_FRONTAL.name:
        told.append(f"The published values are of frontal chest radiographs; these images are of another site, {site}.")
    if plan.random_weights:
        told.append(
            "Every backbone began with random weights, so the rows named after the study's models say nothing about those models; "
            "linear probing then reads random features."
        )
    strange = sorted({note for one in plan.combinations() if (note := note_on(one, False))})
    told += [f"{note}: that row is no statement about {note.rsplit(' for ', 1)[1]}." for note in strange]
    test = next((part for part in parts if part.split == "test"), None)
    if test is not None and test.classes["osteoporosis"] < _ENOUGH_EVENTS:
        told.append(
            f"The test split has {test.classes['osteoporosis']} images of osteoporosis; about {_ENOUGH_EVENTS} are advised before "
            "figures of a model are relied upon (Collins, Ogundimu and Altman 2016), and models close to each other cannot be told apart."
        )
    told += [
        "The best of several models on the same test images is flattered by having been picked.",
        "One split of one cohort was tested; another clinic's images were not.",
        "Input size, backbone sizes, adapters, optimiser, threshold rule, fill and saliency threshold of the published study are not "
        "stated in it; those used here are OsteoScreen's and stand in every run.json.",
        f"Bones: {bones}.",
    ]
    if len(plan.seeds) == 1:
        told.append("Each model was trained once: how much another seed would move it is not known.")
    return tuple(told)
