"""Copies of images are found at several strengths, and different images are not taken for copies: measured recall and precision."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from study.cohorts.pictures import brightened, cropped, limb, recompressed, resized

from OsteoScreenLib.radiograph.radiograph import Radiograph
from OsteoScreenLib.radiograph.read import read_radiograph
from OsteoScreenLib.study.cohort import CohortRow
from OsteoScreenLib.study.cohorts.duplicates import DuplicateGroup, correlation, duplicate_groups
from OsteoScreenLib.study.cohorts.fingerprint import fingerprint_of

COPIES: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "half the size": lambda picture: resized(picture, 0.5),
    "a third larger": lambda picture: cv2.resize(picture, None, fx=1.33, fy=1.33, interpolation=cv2.INTER_CUBIC),
    "JPEG 20": lambda picture: recompressed(picture, 20),
    "brighter": lambda picture: brightened(picture, 0.6),
    "darker": lambda picture: brightened(picture, 1.6),
    "inverted": lambda picture: 255 - picture,
    "crop 2 % at a corner": lambda picture: cropped(picture, 0.02, 0, 0),
    "crop 5 %": lambda picture: cropped(picture, 0.05),
    "crop 10 % at a corner": lambda picture: cropped(picture, 0.10, 0, 1),
    "columns cut": lambda picture: picture[:, round(0.06 * picture.shape[1]) :],
    "all at once": lambda picture: recompressed(brightened(resized(cropped(picture, 0.04, 0.2, 0.8), 0.5), 0.8), 50),
}


def groups_of(pictures: Sequence[np.ndarray], near: bool = True) -> tuple[DuplicateGroup, ...]:
    """Of pictures of one patient each; row numbers count from 2."""
    prints = {
        place + 2: fingerprint_of(Radiograph(np.asarray(picture, np.float32) / 255)) for place, picture in enumerate(pictures)
    }
    small = {one.digest: one.small.astype(np.float32) / 255 for one in prints.values()}
    rows = [CohortRow(number, f"P{number}", Path(f"{number}.png"), 0) for number in prints]
    return duplicate_groups(rows, prints, small.__getitem__, near)


def measured(originals: Sequence[np.ndarray], change: Callable[[np.ndarray], np.ndarray]) -> tuple[float, int]:
    """Recall of planted copies (the originals in order, then a copy of each), and how many groups are no planted pair."""
    wanted = {(2 + place, 2 + place + len(originals)) for place in range(len(originals))}
    found = {group.rows for group in groups_of([*originals, *map(change, originals)])}
    return len(wanted & found) / len(wanted), len(found - wanted)


def test_different_drawn_images_are_no_copies() -> None:
    assert groups_of([limb(seed) for seed in range(60)]) == ()


@pytest.mark.parametrize("name", COPIES)
def test_copies_of_drawn_images_are_found(name: str) -> None:
    recall, wrong = measured([limb(seed) for seed in range(15)], COPIES[name])
    assert recall == 1.0 and wrong == 0


def test_identical_pixels_and_copies_form_one_group_with_its_patients() -> None:
    one, other = limb(1), limb(2)
    found = groups_of([one, other, one.copy(), recompressed(other, 60), resized(one, 0.5), limb(3)])
    assert [group.rows for group in found] == [(2, 4, 6), (3, 5)]
    assert found[0].patients == ("P2", "P4", "P6") and not found[0].identical and 0.9 < found[0].correlation < 1
    assert groups_of([one, other, one.copy(), recompressed(other, 60)], near=False)[0].identical
    assert len(groups_of([one, other, one.copy(), recompressed(other, 60)], near=False)) == 1


def test_the_correlation_does_not_ask_which_is_the_crop() -> None:
    whole, part = (
        cv2.resize(picture, (96, 96)).astype(np.float32) / 255 for picture in (limb(5), cropped(limb(5), 0.08, 1, 0))
    )
    assert correlation(whole, part) == pytest.approx(correlation(part, whole), abs=0.02) and correlation(whole, part) > 0.92
    assert correlation(whole, whole) > 0.999 and correlation(whole, 1 - whole) > 0.999
    flat = np.full((96, 96), 0.5, np.float32)
    assert correlation(flat, flat) == 0.0 and correlation(flat, whole) == 0.0


def test_an_image_and_itself_with_the_other_polarity(shared_data: Path) -> None:
    """A real pair: the same pixels, once tagged as inverted."""
    names = ("chest_pa_cr_8bit_jpeg.dcm", "chest_pa_tagged_monochrome1.dcm", "chest_dx_pa_12bit_j2k.dcm")
    found = groups_of([read_radiograph(shared_data / "radiographs" / name).pixels * 255 for name in names])
    assert [group.rows for group in found] == [(2, 3)]


@pytest.fixture(scope="module")
def real_knees(shared_data: Path) -> list[np.ndarray]:
    """The distinct images of the real cohort, uint8."""
    pictures: dict[bytes, np.ndarray] = {}
    for path in sorted((shared_data / "knee_cohort" / "images").glob("*.jpg")):
        picture = np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))
        pictures.setdefault(picture.tobytes(), picture)
    return list(pictures.values())


def test_copies_among_real_knees(real_knees: list[np.ndarray]) -> None:
    """Copies of every second of 88 images, each of another kind, in one cohort with them: all found but one, and nothing else."""
    kinds, knees = list(COPIES.values()), real_knees[:88]
    planted = [(place, kinds[(place // 2) % len(kinds)]) for place in range(0, len(knees), 2)]
    found = groups_of([*knees, *(change(knees[place]) for place, change in planted)])
    wanted = {(place + 2, 2 + len(knees) + number) for number, (place, _) in enumerate(planted)}
    rows = {group.rows for group in found}
    assert rows <= wanted, "different knees are no copies"
    assert len(rows & wanted) >= len(wanted) - 1
