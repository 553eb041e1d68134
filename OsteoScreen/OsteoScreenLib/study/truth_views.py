"""Simulated radiographs in which only chosen bones tell the class, pixel by pixel: the ground truth that explanations are held to.

In three developments of one body every bone group is once in each class, in an order of its own: thinned as `confined_loss` thins
chosen bones of a simulated cohort. The class of the picture is the class of the truth's groups; what the other groups show is
independent of it and just as strong. So that no pixel outside the truth's bones knows the class, the pictures are taken without
scatter and shown without multi-scale processing, which both carry a bone's weight into its surroundings; the grey scale is set by
lungs and soft tissue alone. Two developments that differ in the truth's class alone are equal to the bit wherever no ray meets
the truth's bones (tested).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.simulate.bone_loss import density_after
from OsteoScreenLib.simulate.console import on_screen, random_console
from OsteoScreenLib.simulate.render import detector_signal
from OsteoScreenLib.simulate.thorax import GROUPS
from OsteoScreenLib.study.density_views import Bodies, Triplet, frame_of, random_exposure
from OsteoScreenLib.study.disturb import Frame

# Factors on mineral and cortex of the bones of each class, drawn evenly; no two classes overlap.
FACTORS = ((1.1, 1.3), (0.65, 0.8), (0.15, 0.35))
_WEIGHTS = (1.0, 0.6, 0.2)
_T_SCORES = (0.0, -1.75, -3.5)  # stand for the classes where a T-score is asked for


@dataclass(frozen=True)
class Truth:
    """The bone groups that carry the signal, together. groups : names of `GROUPS`, in their order."""

    groups: tuple[str, ...]

    @classmethod
    def of(cls, words: str) -> Truth:
        """From groups joined by "+", such as "Right ribs+Left ribs". Raises `InputError` (option) for what is no such thing."""
        named = {word.strip().casefold() for word in words.split("+")}
        groups = tuple(group for group in GROUPS if group.casefold() in named)
        if len(groups) != len(named) or len(groups) == len(GROUPS):
            raise InputError(
                f"'{words}' is no truth: give some, not all, of {', '.join(GROUPS)}, joined by '+' where they carry the signal "
                "together.",
                code="option",
            )
        return cls(groups)

    @property
    def name(self) -> str:
        """For people: "Right ribs + Left ribs"."""
        return " + ".join(self.groups)

    @property
    def sided(self) -> bool:
        """Whether a mirrored picture has another truth."""
        return ("Right ribs" in self.groups) != ("Left ribs" in self.groups)


@dataclass(frozen=True)
class TruthView:
    """One radiograph. image : float32 (rows, columns) in [0, 1]. groups : where each group's rays run, bool (groups, rows, columns).

    classes : of each group, 0 normal to 2 osteoporosis, int (groups,).
    """

    image: np.ndarray
    groups: np.ndarray
    classes: np.ndarray

    def label(self, truth: Truth) -> int:
        """The picture's class."""
        return int(self.classes[GROUPS.index(truth.groups[0])])

    def densities(self) -> np.ndarray:
        """Where each group lies, weighted by its class: 1 normal to 0.2 osteoporosis, float32 (groups, rows, columns)."""
        return np.asarray(self.groups * np.array(_WEIGHTS, np.float32)[self.classes][:, None, None])

    def masks(self) -> BoneMasks:
        """The groups that are in the picture, each under the name of its first bone."""
        shape = (self.image.shape[0], self.image.shape[1])
        drawn = {CHEST_FRONTAL.groups[name][0]: mask for name, mask in zip(GROUPS, self.groups, strict=True) if mask.any()}
        return BoneMasks.pack(drawn, shape, CHEST_FRONTAL, method="simulated")


def developed_with(bodies: Bodies, index: int, classes: np.ndarray, shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One body with each group in a class, framed as projected, float32 (rows, columns) in [0, 1].

    classes : int (groups,). shares : where in the class's range each group's factor lies, 0 to 1 (groups,). What `rng` draws does
    not depend on either.
    """
    ranges = np.array(FACTORS)[classes]
    factors = ranges[:, 0] + shares * (ranges[:, 1] - ranges[:, 0])
    density = replace(
        density_after(bodies.line(index).loss_at(0.0)), by_group=dict(zip(GROUPS, map(float, factors), strict=True))
    )
    paths = bodies.paths_mm(index)
    signal = detector_signal(paths, density, replace(random_exposure(rng), scatter_share=0.0), rng)
    console = replace(random_console(rng), kept=1.0, detail=1.0)
    return on_screen(signal, paths, np.asarray(met_by_rays(bodies, index).any(axis=0)), console)


def met_by_rays(bodies: Bodies, index: int) -> np.ndarray:
    """Where any ray meets each group of a body, bool (groups, rows, columns)."""
    paths = bodies.paths_mm(index)
    return np.stack([paths[group] > 0 for group in GROUPS])


def three_views(bodies: Bodies, index: int, truth: Truth, rng: np.random.Generator, size: int) -> list[TruthView]:
    """A body three times, in the order of the truth's classes; the longer side is `size`. Everything else differs, too."""
    orders = np.stack([rng.permutation(3) for _ in GROUPS])
    shares = rng.random((len(GROUPS), 3))
    together = [GROUPS.index(group) for group in truth.groups]
    orders[together], shares[together] = orders[together[0]], shares[together[0]]
    rays = met_by_rays(bodies, index)
    views = []
    for number in range(3):
        image = developed_with(bodies, index, orders[:, number], shares[:, number], rng)
        views.append(_framed(image, rays, orders[:, number], frame_of(image, rng, size)))
    return sorted(views, key=lambda view: view.label(truth))


def three_alike(bodies: Bodies, index: int, truth: Truth, rng: np.random.Generator, size: int) -> list[TruthView]:
    """The same, but nothing else differs, not even the noise: what the truth does to a picture can be learned in few steps."""
    classes, shares, taken = rng.integers(3, size=len(GROUPS)), rng.random(len(GROUPS)), int(rng.integers(2**31))
    together = [GROUPS.index(group) for group in truth.groups]
    rays = met_by_rays(bodies, index)
    views = []
    for label in range(3):
        own = classes.copy()
        own[together], shares[together] = label, rng.random()
        same = np.random.default_rng(taken)
        image = developed_with(bodies, index, own, shares, same)
        views.append(_framed(image, rays, own, frame_of(image, same, size)))
    return views


def _framed(image: np.ndarray, rays: np.ndarray, classes: np.ndarray, frame: Frame) -> TruthView:
    return TruthView(frame.apply(image), np.stack([frame.apply_to_mask(mask) for mask in rays]), classes)


def truth_triplets(bodies: Bodies, truth: Truth, rng: np.random.Generator, size: int) -> Iterator[Triplet]:
    """Endlessly: a random body three times, in the order of the truth's classes; every other triplet is of `three_alike`.

    The triplets' masks are `TruthView.densities`: inner features that are asked for them learn to see the density of every group,
    whichever is the truth.
    """
    for number in count():
        made = three_views if number % 2 else three_alike
        views = made(bodies, int(rng.integers(len(bodies.stacks))), truth, rng, size)
        yield Triplet([view.image for view in views], list(_T_SCORES), [view.densities() for view in views])


def held_out_views(
    bodies: Bodies, truth: Truth, seed: int, size: int, wanted: Sequence[int]
) -> Iterator[tuple[int, int, TruthView]]:
    """(number, body, radiograph) of the numbers that are wanted, three a body: number n shows body n // 3.

    Truths of a single group share the very same radiographs, only their order within a body differs.
    """
    for index in sorted({number // 3 for number in wanted}):
        views = three_views(bodies, index, truth, np.random.default_rng([seed, index, 61]), size)
        for place, view in enumerate(views):
            if 3 * index + place in wanted:
                yield 3 * index + place, index, view
