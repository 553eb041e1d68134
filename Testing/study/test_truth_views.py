"""Radiographs in which only chosen bones tell the class: nothing else of them depends on it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from study.block_chests import block_bodies

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.simulate.thorax import GROUPS
from OsteoScreenLib.study.truth_views import (
    FACTORS,
    Truth,
    developed_with,
    held_out_views,
    met_by_rays,
    three_alike,
    three_views,
    truth_triplets,
)

SPINE, RIBS = Truth.of("Spine"), Truth.of("right ribs + Left ribs")


@pytest.mark.parametrize("group", GROUPS)
def test_only_pixels_that_the_truths_rays_meet_know_the_class(group: str) -> None:
    bodies, place = block_bodies(1), GROUPS.index(group)
    shares = np.full(len(GROUPS), 0.5)
    images = []
    for label in range(3):
        classes = np.full(len(GROUPS), 1)
        classes[place] = label
        images.append(developed_with(bodies, 0, classes, shares, np.random.default_rng(4)))
    rays = met_by_rays(bodies, 0)[place]
    for other in images[1:]:
        assert np.array_equal(images[0][~rays], other[~rays])
    brightness = [float(image[rays].mean()) for image in images]
    assert brightness[0] > brightness[1] > brightness[2]


def test_classes_do_not_overlap_and_get_worse() -> None:
    assert all(low < high for low, high in FACTORS)
    assert all(worse[1] < better[0] for better, worse in pairwise(FACTORS))


def test_every_group_is_once_in_each_class_and_pictures_are_in_the_truths_order() -> None:
    views = three_views(block_bodies(1), 0, SPINE, np.random.default_rng(0), 64)
    assert [view.label(SPINE) for view in views] == [0, 1, 2]
    assert all(sorted(classes) == [0, 1, 2] for classes in np.stack([view.classes for view in views]).T)
    assert all(max(view.image.shape) == 64 and 0 <= view.image.min() <= view.image.max() <= 1 for view in views)


def test_groups_of_one_truth_are_of_one_class() -> None:
    right, left = GROUPS.index("Right ribs"), GROUPS.index("Left ribs")
    for made in (three_views, three_alike):
        for seed in range(5):
            views = made(block_bodies(1), 0, RIBS, np.random.default_rng(seed), 64)
            assert [(view.classes[right], view.classes[left]) for view in views] == [(0, 0), (1, 1), (2, 2)]


def test_other_groups_tell_nothing_of_the_class() -> None:
    bodies, rng = block_bodies(1, 48), np.random.default_rng(7)
    place = GROUPS.index("Spine")
    for made in (three_views, three_alike):
        seen = np.array([view.classes for _ in range(150) for view in made(bodies, 0, SPINE, rng, 32)])
        for other in range(len(GROUPS)):
            if other != place:
                # 450 pictures; the largest of twelve such correlations exceeds 0.16 by chance in about 1 of 100 runs.
                assert abs(np.corrcoef(seen[:, place], seen[:, other])[0, 1]) < 0.16


def test_alike_pictures_differ_in_the_truth_alone() -> None:
    views = three_alike(block_bodies(1), 0, SPINE, np.random.default_rng(1), 96)
    spine = GROUPS.index("Spine")
    elsewhere = np.delete(np.arange(len(GROUPS)), spine)
    assert all(np.array_equal(view.classes[elsewhere], views[0].classes[elsewhere]) for view in views)
    changed = np.abs(views[0].image - views[2].image) > 0
    # Framing interpolates, so one pixel around the mask may know a little.
    import cv2

    near = cv2.dilate(views[0].groups[spine].astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    assert changed[near].any() and not changed[~near].any()


def test_held_out_pictures_do_not_depend_on_which_are_asked_for_nor_on_the_truth() -> None:
    bodies = block_bodies(2)
    every = {number: view for number, _, view in held_out_views(bodies, SPINE, 3, 64, range(6))}
    assert list(every) == list(range(6)) and [every[number].label(SPINE) for number in range(6)] == [0, 1, 2, 0, 1, 2]
    ((number, body, view),) = held_out_views(bodies, SPINE, 3, 64, [4])
    assert (number, body) == (4, 1) and np.array_equal(view.image, every[4].image)
    others = [view.image.tobytes() for _, _, view in held_out_views(bodies, Truth.of("Sternum"), 3, 64, range(6))]
    assert sorted(others) == sorted(view.image.tobytes() for view in every.values())


def test_masks_carry_the_groups_under_one_bone_each() -> None:
    view = next(view for _, _, view in held_out_views(block_bodies(1), SPINE, 0, 96, [0]))
    masks = view.masks()
    assert len(masks.names) == sum(mask.any() for mask in view.groups) >= 6
    for group, mask in zip(GROUPS, view.groups, strict=True):
        if mask.any():
            assert np.array_equal(masks.union([masks.site.groups[group][0]]), mask)


def test_training_asks_for_the_density_of_every_group() -> None:
    stream = truth_triplets(block_bodies(1), SPINE, np.random.default_rng(0), 64)
    spine = GROUPS.index("Spine")
    for triplet in (next(stream), next(stream)):
        assert len(triplet.images) == 3 and all(groups.shape[0] == len(GROUPS) for groups in triplet.groups)
        assert [float(groups[spine].max()) for groups in triplet.groups] == pytest.approx([1.0, 0.6, 0.2])
        assert {round(float(value), 3) for groups in triplet.groups for value in np.unique(groups)} <= {0, 0.2, 0.6, 1}


@pytest.mark.parametrize("words", ["", "Skull", "Spine+Skull", "+".join(GROUPS), "Spine,Humeri"])
def test_what_is_no_truth_is_one_sentence(words: str) -> None:
    with pytest.raises(InputError, match="is no truth: give some, not all") as caught:
        Truth.of(words)
    assert caught.value.code == "option" and "\n" not in str(caught.value)


def test_a_truth_of_one_side_is_known_to_have_one() -> None:
    assert Truth.of("Right ribs").sided and not RIBS.sided and not SPINE.sided
    assert RIBS.name == "Right ribs + Left ribs"
