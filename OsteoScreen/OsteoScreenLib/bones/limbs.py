"""Limbs have one side: where a network draws one leg partly as the right and partly as the left one, the bones settle it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from OsteoScreenLib.bones.vocabulary import Site

_NEVER = np.float32(-3)  # the logit of what is taken away
_BRIDGE = 5  # cells over which bones of one limb hang together: a joint space is narrower
_SHARED = 0.3  # of their columns, from which what is drawn of both sides is one limb and not two beside each other
_LEAST_CELLS = 12  # of a bone, for its place to tell anything


def settle_sides(planes: Mapping[str, np.ndarray], site: Site) -> dict[str, np.ndarray]:
    """The planes with each limb's bones on one side, the better of both logits kept; as they are for a site without limbs.

    planes : bone → logits (rows, columns), upright and with the patient's right on the viewer's left. The side is told by where
    the site's outer bone lies beside its inner one, and where that cannot be seen by which side more is drawn of.
    """
    settled = {name: plane.copy() for name, plane in planes.items()}
    pairs = [
        (right, left) for right, left in site.mirrored.items() if right.startswith("right ") and {right, left} <= set(planes)
    ]
    if site.outside is None or not pairs:
        return settled
    for limb in _limbs(planes, pairs):
        right, left = (_drawn(planes, limb, [pair[place] for pair in pairs]) for place in (0, 1))
        if not right.any() or not left.any() or _are_two(planes, limb, pairs, site.outside[0]):
            continue
        side = _by_place(planes, limb, site.outside) or ("right" if right.sum() >= left.sum() else "left")
        for pair in pairs:
            kept, gone = pair if side == "right" else pair[::-1]
            settled[kept][limb] = np.maximum(planes[kept], planes[gone])[limb]
            settled[gone][limb] = np.minimum(settled[gone][limb], _NEVER)
    return settled


def _limbs(planes: Mapping[str, np.ndarray], pairs: list[tuple[str, str]]) -> list[np.ndarray]:
    """Where bones hang together, bool (rows, columns) each."""
    import cv2

    drawn = np.max([planes[name] for pair in pairs for name in pair], axis=0) > 0
    count, numbers = cv2.connectedComponents(cv2.dilate(drawn.astype(np.uint8), np.ones((_BRIDGE, _BRIDGE), np.uint8)))
    return [numbers == number for number in range(1, count)]


def _drawn(planes: Mapping[str, np.ndarray], limb: np.ndarray, names: list[str]) -> np.ndarray:
    """How much of these bones lies in each column of a limb."""
    return np.asarray(sum(((planes[name] > 0) & limb).sum(axis=0, dtype=float) for name in names))


def _are_two(planes: Mapping[str, np.ndarray], limb: np.ndarray, pairs: list[tuple[str, str]], outer: str) -> bool:
    """Two limbs beside each other that touch: both sides have bones besides the outer one, hardly in the same columns."""
    inner = [pair for pair in pairs if not pair[0].endswith(f" {outer}")]
    right, left = (_drawn(planes, limb, [pair[place] for pair in inner]) for place in (0, 1))
    if not right.any() or not left.any():
        return False
    # Overlap of both column profiles, each taken as a distribution.
    return float(np.minimum(right / right.sum(), left / left.sum()).sum()) < _SHARED


def _by_place(planes: Mapping[str, np.ndarray], limb: np.ndarray, outside: tuple[str, str]) -> str:
    """The side that the outer bone's place beside the inner one tells; "" where one of them is hardly drawn."""
    if not all(f"right {noun}" in planes for noun in outside):
        return ""
    outer, inner = (np.asarray((np.maximum(planes[f"right {noun}"], planes[f"left {noun}"]) > 0) & limb) for noun in outside)
    inner = inner & outer.any(axis=1, keepdims=True)
    if min(outer.sum(), inner.sum()) < _LEAST_CELLS:
        return ""
    return "right" if np.nonzero(outer)[1].mean() < np.nonzero(inner)[1].mean() else "left"
