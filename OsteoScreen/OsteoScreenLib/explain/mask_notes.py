"""What has to be said of masks before a sweep's numbers are read: alike, empty, a single pixel, smaller than any patch."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from OsteoScreenLib.explain.covering import Coverer
from OsteoScreenLib.radiograph.radiograph import Note

if TYPE_CHECKING:
    from OsteoScreenLib.classifier.tokens import PatchGrid


def alike(coverer: Coverer, found: Collection[str]) -> tuple[tuple[str, ...], ...]:
    """Bones that have the very same mask, together."""
    held: dict[bytes, list[str]] = {}
    for name in (name for name in coverer.masks.names if name in found):
        held.setdefault(coverer.region((name,), "remove").key, []).append(name)
    return tuple(tuple(names) for names in held.values() if len(names) > 1)


def notes_on(coverer: Coverer, alike: tuple[tuple[str, ...], ...], grid: PatchGrid | None = None) -> tuple[Note, ...]:
    """One sentence for each kind of doubtful mask. grid : of the patches that the fill "tokens" leaves out."""
    masks = coverer.masks
    areas = masks.areas()
    said = [
        ("masks-identical", f"{_listed(names)} have the very same mask, so their numbers are one and the same.")
        for names in alike
    ]
    if empty := [name for name in masks.names if not areas[name]]:
        said.append(("masks-empty", f"Not swept, because the mask is empty: {_listed(empty)}."))
    if dots := [name for name in masks.names if areas[name] == 1]:
        said.append(("masks-tiny", f"The mask is a single pixel, too small for the model to miss it: {_listed(dots)}."))
    if grid is not None:
        found = [name for name in masks.names if areas[name]]
        if kept := [name for name in found if not grid.dropped(coverer.region((name,), "remove").full(masks.shape)).any()]:
            text = f"No patch is covered by more than half, so alone they leave nothing out: {_listed(kept)}."
            said.append(("no-patch-covered", text))
    return tuple(Note(code, "warning", text) for code, text in said)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:6])
    if len(names) > 6:
        return f"{shown} and {len(names) - 6} more"
    return " and ".join(shown.rsplit(", ", 1))
