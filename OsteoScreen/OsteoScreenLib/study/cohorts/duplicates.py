"""Images that stand in a cohort more than once: the same pixels, or copies that were resized, recompressed, cropped or brightened.

Candidates for copies are pairs whose perceptual hashes differ in few bits (`fingerprint`). Each is verified: one small picture is
laid over the other where their normalised correlation is largest, at several sizes (OpenCV's template matching; Lewis 1995), then
refined by an affine map that maximises it (Evangelidis and Psarakis 2008, doi 10.1109/TPAMI.2008.113). Slow changes of brightness
are taken out first, so that what is compared is detail and not the outline of a body part, in which all patients agree. Inverted
copies are found too; mirrored or turned ones are not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from OsteoScreenLib.study.cohort import CohortRow
from OsteoScreenLib.study.cohorts.fingerprint import BITS, SMALL, Fingerprint

FAR = 10  # bits in which hashes of a copy may differ
ALIKE = 0.89  # correlation of the fine detail from which two images are taken for copies
_COARSE, _FINE = 6.0, 3.0  # pixels: what is larger than detail
_NOISE = 0.01  # of the grey scale: detail weaker than this is not made stronger
_HOPELESS, _PROMISING = (
    0.6,
    0.8,
)  # correlation of the coarse detail at half the size, then refined, below which a pair is given up
_SIDES = (1.0, 0.97, 0.94, 0.91, 0.88, 0.85)  # of a cropped copy, relative to its original
_BLOCK = 256  # images that are compared with all others at once


@dataclass(frozen=True)
class DuplicateGroup:
    """Rows that show the same image. rows : their numbers, ascending. patients : whose they are, without repetition.

    correlation : the smallest among the pairs that tie the group together, 1 where all pixels are identical.
    conflicting : the rows give the image more than one class.
    """

    rows: tuple[int, ...]
    patients: tuple[str, ...]
    labels: tuple[int, ...]
    correlation: float

    @property
    def identical(self) -> bool:
        """Whether all pixels are the same."""
        return self.correlation == 1.0

    @property
    def conflicting(self) -> bool:
        """Whether the rows disagree about the class."""
        return len(set(self.labels)) > 1


def duplicate_groups(
    rows: Sequence[CohortRow],
    fingerprints: Mapping[int, Fingerprint],
    small: Callable[[str], np.ndarray],
    near: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[DuplicateGroup, ...]:
    """The groups of rows that show the same image, in the order of their first rows.

    fingerprints : by row number; rows without one are passed over. small : gives the small picture (96, 96) of a digest.
    near : look for copies too, not only for identical pixels. progress : called with (done, all) images.
    """
    from scipy.cluster.hierarchy import DisjointSet

    held = [row for row in rows if row.number in fingerprints]
    by_digest: dict[str, list[int]] = defaultdict(list)
    for row in held:
        by_digest[fingerprints[row.number].digest].append(row.number)
    digests = sorted(by_digest)
    ties: dict[str, float] = dict.fromkeys(digests, 1.0)
    joined = DisjointSet(digests)
    if near and len(digests) > 1:
        hashes = np.array([fingerprints[by_digest[digest][0]].hashes for digest in digests])
        for one, other in _candidates(hashes, progress):
            found = correlation(small(digests[one]), small(digests[other]))
            if found >= ALIKE:
                joined.merge(digests[one], digests[other])
                for place in (one, other):
                    ties[digests[place]] = min(ties[digests[place]], min(found, 0.9999))
    by_number = {row.number: row for row in held}
    groups = []
    for subset in joined.subsets():
        numbers = sorted(number for digest in subset for number in by_digest[digest])
        if len(numbers) > 1:
            members = [by_number[number] for number in numbers]
            patients = tuple(dict.fromkeys(row.patient for row in members))
            lowest = min(ties[digest] for digest in subset)
            groups.append(DuplicateGroup(tuple(numbers), patients, tuple(row.label for row in members), lowest))
    return tuple(sorted(groups, key=lambda group: group.rows))


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """How alike the fine detail of two small pictures is where they fit best: normalised correlation, 0 to 1.

    one, other : float32 (96, 96) in [0, 1]. Either may be a crop of the other, brighter, or inverted. 0 also where the coarse
    detail already differs.
    """
    pair = np.stack([one, other])
    coarse = [_detail(picture, _COARSE) for picture in pair]
    half = [_halved(picture) for picture in coarse]
    places = [_laid_over(half[large], half[1 - large]) for large in (0, 1)]
    large = int(places[1].correlation > places[0].correlation)
    place = places[large]
    if place.correlation < _HOPELESS:
        return 0.0
    found, start = _refined(coarse[large], place.sign * coarse[1 - large], place.start)
    if found < _PROMISING:
        return 0.0
    return min(_refined(_detail(pair[large], _FINE), place.sign * _detail(pair[1 - large], _FINE), start)[0], 1.0)


def _candidates(hashes: np.ndarray, progress: Callable[[int, int], None] | None) -> Iterator[tuple[int, int]]:
    """Pairs of places whose hashes are near each other, or nearly opposite as those of an inverted copy.

    hashes : uint64 (images, windows). The whole of one image is compared with every window of the other.
    """
    for start in range(0, len(hashes), _BLOCK):
        block, rest = hashes[start : start + _BLOCK], hashes[start:]
        nearest = np.full((len(block), len(rest)), BITS, np.uint8)
        for window in range(hashes.shape[1]):
            for ours, theirs in ((block[:, window], rest[:, 0]), (block[:, 0], rest[:, window])):
                bits = np.bitwise_count(ours[:, None] ^ theirs[None, :])
                np.minimum(nearest, np.minimum(bits, BITS - bits), out=nearest)
        for place, other in np.argwhere(nearest <= FAR):
            if place < other:
                yield start + int(place), start + int(other)
        if progress is not None:
            progress(min(start + _BLOCK, len(hashes)), len(hashes))


def _detail(picture: np.ndarray, scale: float) -> np.ndarray:
    """The picture without what changes slowly over it, and equally strong everywhere. scale : standard deviation in pixels."""
    import cv2

    detail = picture - cv2.GaussianBlur(picture, (0, 0), scale)
    return detail / (np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), 2 * scale)) + _NOISE)


def _halved(picture: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.resize(picture, (SMALL // 2, SMALL // 2), interpolation=cv2.INTER_AREA)


@dataclass(frozen=True)
class _Place:
    """Where one picture fits best on another: normalised correlation, -1 as sign where it is inverted, and the map.

    start : float32 (2, 3), from the pixels (column, row) of the little picture to those of the large one, both (96, 96).
    """

    correlation: float
    sign: float
    start: np.ndarray


def _laid_over(large: np.ndarray, little: np.ndarray) -> _Place:
    """The best place of `little`, made smaller, on `large`; both (48, 48)."""
    import cv2

    best = _Place(-1.0, 1.0, np.eye(2, 3, dtype=np.float32))
    for side in _SIDES:
        size = round(side * len(large))
        fits = cv2.matchTemplate(large, cv2.resize(little, (size, size), interpolation=cv2.INTER_AREA), cv2.TM_CCOEFF_NORMED)
        least, most, lowest, highest = cv2.minMaxLoc(fits)
        sign, corner = (1.0, highest) if most >= -least else (-1.0, lowest)
        if max(most, -least) > best.correlation:
            share = size / len(large)
            start = np.array([[share, 0, 2 * corner[0]], [0, share, 2 * corner[1]]], np.float32)
            best = _Place(float(max(most, -least)), sign, start)
    return best


def _refined(large: np.ndarray, little: np.ndarray, start: np.ndarray) -> tuple[float, np.ndarray]:
    """The correlation after the affine map of `little` onto `large` that maximises it, found from `start`; and that map."""
    import cv2

    everywhere = np.full(large.shape, 255, np.uint8)
    ends = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 40, 1e-4)
    try:
        value, found = cv2.findTransformECC(little, large, start.copy(), cv2.MOTION_AFFINE, ends, everywhere, 1)
    except cv2.error:  # it did not converge
        return 0.0, start
    return float(value), np.asarray(found, np.float32)
