"""The noun `BoneMasks`: overlapping bones as a few layers of disjoint labels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL, Site


@dataclass(frozen=True)
class MaskFacts:
    """What is known of masks besides their pixels.

    confidence : bone → 0 to 1, as the program that drew it estimates; absent where there is no estimate.
    left_out : bone → why it was drawn and not kept: "out-of-order", "faint", or "removed" by a person.
    trust : bone → "good", "check" or "hidden" (see `bones.trust`); absent for masks from elsewhere.
    edited : bones whose mask a person has changed, drawn or removed.
    """

    confidence: Mapping[str, float] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    trust: Mapping[str, str] = field(default_factory=dict)
    edited: frozenset[str] = frozenset()


@dataclass(frozen=True)
class BoneMasks:
    """Masks of named bones on one upright radiograph.

    Bones overlap in projection, so they are packed into layers; inside a layer labels are disjoint.

    layers : uint8 (layers, rows, columns), 0 = background, labels from 1.
    table : bone name → (layer, label). A bone absent from the table was not found.
    method : what drew them ("embedded-chest-segmenter", a file's name, …), for provenance.
    facts : what is known of them besides; no part of `sha256`.
    """

    layers: np.ndarray
    table: Mapping[str, tuple[int, int]]
    site: Site = CHEST_FRONTAL
    method: str = ""
    facts: MaskFacts = field(default_factory=MaskFacts)

    def __post_init__(self) -> None:
        if self.layers.ndim != 3 or self.layers.dtype != np.uint8:
            raise ValueError(
                f"BoneMasks.layers must be uint8 (layers, rows, columns), got {self.layers.shape} {self.layers.dtype}"
            )
        unknown = set(self.table) - set(self.site.by_name)
        if unknown:
            raise ValueError(f"bones not in the vocabulary of {self.site.name}: {sorted(unknown)}")

    @classmethod
    def pack(
        cls, masks: Mapping[str, np.ndarray], shape: tuple[int, int], site: Site = CHEST_FRONTAL, method: str = ""
    ) -> BoneMasks:
        """Pack boolean masks (rows, columns) into as few layers as first-fit finds; empty masks are left out.

        Masks are taken in the vocabulary's order, so the same masks always give the same layers.
        """
        layers: list[np.ndarray] = []
        counts: list[int] = []
        table: dict[str, tuple[int, int]] = {}
        for name in site.by_name:
            if name not in masks or not masks[name].any():
                continue
            box = bounding_box(masks[name])
            inside = masks[name][box]
            index = next((i for i, layer in enumerate(layers) if not layer[box][inside].any()), len(layers))
            if index == len(layers):
                layers.append(np.zeros(shape, np.uint8))
                counts.append(0)
            counts[index] += 1
            layers[index][box][inside] = counts[index]
            table[name] = (index, counts[index])
        stack = np.stack(layers) if layers else np.zeros((0, *shape), np.uint8)
        return cls(stack, table, site, method)

    def with_facts(self, **changes: Any) -> BoneMasks:
        """The same masks with some fields of their facts replaced."""
        return replace(self, facts=replace(self.facts, **changes))

    def corrected_from(self, digests: Mapping[str, str], facts: MaskFacts) -> BoneMasks:
        """These masks with the facts of those that a person corrected.

        digests : of the former masks' bones. facts : of the former masks. A bone whose pixels differ is edited: an estimate of
        confidence was about other pixels and is dropped, and so is the reason why it had been left out.
        """
        mine = self.digests
        changed = {name for name in {*mine, *digests} if mine.get(name) != digests.get(name)}
        removed = {name for name in changed if name not in mine}
        left_out = {name: why for name, why in facts.left_out.items() if name not in mine} | dict.fromkeys(removed, "removed")
        confidence = {name: value for name, value in facts.confidence.items() if name not in changed}
        edited = (facts.edited & {*mine, *left_out}) | changed
        return replace(self, facts=replace(facts, confidence=confidence, left_out=left_out, edited=frozenset(edited)))

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of the radiograph."""
        return self.layers.shape[1], self.layers.shape[2]

    @property
    def names(self) -> tuple[str, ...]:
        """The bones found, in the vocabulary's order."""
        return tuple(name for name in self.site.by_name if name in self.table)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of every bone's name and pixels, in hexadecimal: the masks' name in cache keys.

        It depends on the masks alone, not on how they are packed: an editor may put the same masks into other layers.
        """
        digest = hashlib.sha256(f"{self.site.name} {self.shape}".encode())
        for name, mine in sorted(self._bone_runs.items()):
            digest.update(f"\0{name}\0{len(mine)}\0".encode())
            digest.update(np.ascontiguousarray(mine, "<i8").tobytes())
        return digest.hexdigest()

    @cached_property
    def digests(self) -> dict[str, str]:
        """Bone name → a short hash of its pixels, by which a changed bone is known."""
        return {
            name: hashlib.sha256(np.ascontiguousarray(runs, "<i8").tobytes()).hexdigest()[:16]
            for name, runs in sorted(self._bone_runs.items())
        }

    @cached_property
    def _bone_runs(self) -> dict[str, np.ndarray]:
        """Bone name → its pixels as (first, end) pairs of positions in a flattened layer."""
        runs = [_runs(layer) for layer in self.layers]
        return {name: runs[layer].get(label, np.zeros((0, 2), "<i8")) for name, (layer, label) in self.table.items()}

    def mask(self, name: str) -> np.ndarray:
        """One bone's mask, bool (rows, columns); all False when the bone was not found."""
        if name not in self.table:
            return np.zeros(self.shape, bool)
        layer, label = self.table[name]
        return self.layers[layer] == label

    def union(self, names: Iterable[str]) -> np.ndarray:
        """The union of several bones' masks, bool (rows, columns)."""
        covered = np.zeros(self.shape, bool)
        wanted: dict[int, list[int]] = {}
        for name in names:
            if name in self.table:
                layer, label = self.table[name]
                wanted.setdefault(layer, []).append(label)
        for layer, labels in wanted.items():
            chosen = np.zeros(256, bool)
            chosen[labels] = True
            covered |= chosen[self.layers[layer]]
        return covered

    def areas(self) -> dict[str, int]:
        """Pixels in each bone's mask."""
        return {name: int((self._bone_runs[name][:, 1] - self._bone_runs[name][:, 0]).sum()) for name in self.names}


def bounding_box(mask: np.ndarray) -> tuple[slice, slice]:
    """The smallest slices (rows, columns) that hold every True pixel; empty slices when there is none."""
    rows = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return slice(0, 0), slice(0, 0)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _runs(layer: np.ndarray) -> dict[int, np.ndarray]:
    """Label → its pixels as (first, end) pairs of positions in the flattened layer, broken at the end of every row."""
    flat = layer.ravel()
    change = np.empty(flat.size, bool)
    change[:1] = True
    np.not_equal(flat[1:], flat[:-1], out=change[1:])
    change[:: layer.shape[1] or 1] = True
    first = np.flatnonzero(change)
    end = np.append(first[1:], flat.size)
    labels = flat[first]
    order = np.argsort(labels, kind="stable")
    pairs = np.stack([first, end], axis=1)[order]
    held, starts = np.unique(labels[order], return_index=True)
    parts = np.split(pairs, starts[1:])
    return {int(label): part for label, part in zip(held, parts, strict=True) if label}
