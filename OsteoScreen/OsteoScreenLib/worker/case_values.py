"""A case as it goes through the pipe: nouns → JSON values and arrays, and back. Both ends use this file; none needs torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from OsteoScreenLib.bones.masks import BoneMasks, MaskFacts
from OsteoScreenLib.bones.vocabulary import SITES
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.explain.analysis import RadiographFacts
from OsteoScreenLib.explain.saliency import SaliencyMap
from OsteoScreenLib.radiograph.radiograph import Note, Placement, Radiograph, Source, Window

Values = dict[str, Any]
_SALIENCY_MATRICES = ("grid_to_radiograph", "input_to_radiograph")
_MASK_FACTS = ("confidence", "left_out", "trust")
_SALIENCY_WORDS = ("target", "score", "method", "layer")


def facts_to_values(radiograph: Radiograph) -> Values:
    """What is known of a radiograph besides its pixels and notes, as `RadiographFacts` names it."""
    facts = asdict(RadiographFacts.of(radiograph))
    facts["shape"] = list(radiograph.shape)
    facts["source"]["stored_shape"] = list(radiograph.source.stored_shape)
    facts["spacing_mm"] = spacing_to_values(radiograph.spacing_mm)
    return facts


def radiograph_from_values(facts: Mapping[str, Any], notes: Iterable[Mapping[str, Any]], pixels: np.ndarray) -> Radiograph:
    """The radiograph that `facts_to_values` described. Raises `InputError` when the values do not describe one."""
    try:
        rows, columns = facts["source"]["stored_shape"]
        return Radiograph(
            pixels=pixels,
            spacing_mm=spacing_from_values(facts["spacing_mm"]),
            spacing_source=facts["spacing_source"],
            view=str(facts["view"]),
            site=str(facts["site"]),
            source=Source(
                **{**facts["source"], "stored_shape": (int(rows), int(columns)), "window": _window_from(facts["source"])}
            ),
            placement=Placement(**facts["placement"]),
            notes=notes_from_values(notes),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError("The held radiograph is incomplete; open the image again.", code="held-case") from error


def _window_from(source: Mapping[str, Any]) -> Window | None:
    values = source.get("window")  # cases that were kept by earlier versions have none
    return None if values is None else Window(float(values["center"]), float(values["width"]), str(values["function"]))


def spacing_to_values(spacing_mm: tuple[float, float] | None) -> list[float] | None:
    """(row, column) in millimetres as a list; None stays None."""
    return None if spacing_mm is None else [float(spacing_mm[0]), float(spacing_mm[1])]


def spacing_from_values(values: Any) -> tuple[float, float] | None:
    """The other way."""
    return None if values is None else (float(values[0]), float(values[1]))


def notes_to_values(notes: Iterable[Note]) -> list[Values]:
    """Notes as JSON values."""
    return [asdict(note) for note in notes]


def notes_from_values(values: Iterable[Mapping[str, Any]]) -> tuple[Note, ...]:
    """The other way."""
    return tuple(Note(**note) for note in values)


def masks_to_values(masks: BoneMasks) -> Values:
    """All of the masks but their layers, which travel as an array."""
    table = {name: [layer, label] for name, (layer, label) in masks.table.items()}
    return {"table": table, "method": masks.method, "site": masks.site.name, "facts": mask_facts_to_values(masks.facts)}


def masks_from_values(values: Mapping[str, Any], layers: np.ndarray) -> BoneMasks:
    """The masks of `masks_to_values` and their layers. Raises `InputError` when they do not belong together."""
    try:
        table = {str(name): (int(layer), int(label)) for name, (layer, label) in values["table"].items()}
        if any(not 0 <= layer < len(layers) for layer, _ in table.values()):
            raise ValueError("a bone names a layer that is not there")
        facts = mask_facts_from_values(values.get("facts"))
        return BoneMasks(layers, table, SITES[values["site"]], str(values["method"]), facts)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError("The bone masks are incomplete; analyse the image again.", code="held-case") from error


def mask_facts_to_values(facts: MaskFacts) -> Values:
    """What is known of masks besides their pixels, as JSON values."""
    return {**{name: dict(getattr(facts, name)) for name in _MASK_FACTS}, "edited": sorted(facts.edited)}


def mask_facts_from_values(values: Mapping[str, Any] | None) -> MaskFacts:
    """The other way; None is nothing known. Raises `ValueError`, `KeyError` or `AttributeError` when the values are damaged."""
    if values is None:
        return MaskFacts()
    return MaskFacts(
        {str(name): float(value) for name, value in values["confidence"].items()},
        {str(name): str(why) for name, why in values["left_out"].items()},
        {str(name): str(level) for name, level in values["trust"].items()},
        frozenset(map(str, values["edited"])),
    )


def saliency_to_values(saliency: SaliencyMap | None) -> tuple[Values | None, dict[str, np.ndarray]]:
    """(all but the grid, or None without a map; the grid as an array named "saliency")."""
    if saliency is None:
        return None, {}
    values: Values = {word: getattr(saliency, word) for word in _SALIENCY_WORDS}
    values |= {name: getattr(saliency, name).tolist() for name in _SALIENCY_MATRICES}
    values |= {"radiograph_shape": list(saliency.radiograph_shape), "input_shape": list(saliency.input_shape)}
    return values, {"saliency": saliency.grid}


def saliency_from_values(values: Mapping[str, Any] | None, arrays: Mapping[str, np.ndarray]) -> SaliencyMap | None:
    """The other way."""
    if values is None:
        return None
    matrices = {name: np.array(values[name], float) for name in _SALIENCY_MATRICES}
    shapes = {name: (int(values[name][0]), int(values[name][1])) for name in ("radiograph_shape", "input_shape")}
    words = {word: str(values[word]) for word in _SALIENCY_WORDS}
    return SaliencyMap(grid=arrays["saliency"], **matrices, **shapes, **words)  # type: ignore[arg-type]
