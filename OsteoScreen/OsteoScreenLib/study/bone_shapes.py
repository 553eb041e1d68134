"""Learns how large each bone is and where it lies in a thorax, from the true masks of rendered views.

`python -m OsteoScreenLib.study.bone_shapes FOLDER OUT.json` reads the views that training the segmenter has left in FOLDER.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.shapes import Expected, Measure, fit_frame, measure
from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.files import write_text
from OsteoScreenLib.simulate.thorax import STRUCTURES
from OsteoScreenLib.study.views import load_view

_ROUNDS = 4
_LEAST = 1e-3
_WHOLE = 1 / 3  # of the chests have to show a bone whole, or the few that do would speak for the others (humeri)


def learn_shapes(chests: Sequence[dict[str, Measure]]) -> dict[str, Expected]:
    """Means and spreads in a common frame, by alternating between frames and means (generalised Procrustes analysis).

    chests : measures of every bone of each chest, with bones on both sides. Each chest also counts as its own mirror image, so
    the table is symmetrical. Bones that the image's edge cuts do not count.
    """
    both = [chest for one in chests for chest in (one, _mirrored(one))]
    shapes = _start(both)
    for _ in range(_ROUNDS):
        shapes = _means(both, shapes)
    whole = {name: sum(name in chest and not chest[name].cut for chest in both) for name in shapes}
    return {name: one for name, one in shapes.items() if whole[name] >= _WHOLE * len(both)}


def _start(chests: Sequence[dict[str, Measure]]) -> dict[str, Expected]:
    """A first guess: centres relative to the middle of the ribs, in rib cage widths."""
    rows: dict[str, list[tuple[float, float]]] = {}
    for chest in chests:
        cage = [one for name, one in chest.items() if " rib " in name]
        middle = np.mean([(one.row, one.column) for one in cage], axis=0)
        unit = _cage_width(chest)
        for name, one in chest.items():
            if not one.cut:
                rows.setdefault(name, []).append(((one.row - middle[0]) / unit, (one.column - middle[1]) / unit))
    centres = {name: np.mean(values, axis=0) for name, values in rows.items()}
    return {name: Expected(float(row), float(column), 0, 0, 0.05, 0.05, 1, 1) for name, (row, column) in centres.items()}


def _cage_width(chest: dict[str, Measure]) -> float:
    ribs = [one for name, one in chest.items() if " rib " in name]
    return max(one.column + one.width / 2 for one in ribs) - min(one.column - one.width / 2 for one in ribs)


def _means(chests: Sequence[dict[str, Measure]], shapes: dict[str, Expected]) -> dict[str, Expected]:
    values: dict[str, list[list[float]]] = {}
    for chest in chests:
        frame = fit_frame(chest, shapes)
        if frame is None:
            continue
        mine = {
            name: [
                *frame.to_thorax(one.row, one.column),
                float(np.log(one.area / frame.unit**2)),
                float(np.log(one.width / frame.unit)),
            ]
            for name, one in chest.items()
            if not one.cut and name in shapes
        }
        # The body's own size of bones, which is not the cage's: the middle of all bones' differences.
        if all(shapes[name].area_spread < 1 for name in mine):
            for place, key in ((2, "log_area"), (3, "log_width")):
                off = float(np.median([row[place] - getattr(shapes[name], key) for name, row in mine.items()]))
                for row in mine.values():
                    row[place] -= off
        for name, row in mine.items():
            values.setdefault(name, []).append(row)
    table = {}
    for name in (name for name in CHEST_FRONTAL.by_name if name in values):
        rows = np.array(values[name])
        spreads = np.maximum(rows.std(axis=0), _LEAST)
        table[name] = Expected(*map(float, np.median(rows, axis=0)), *map(float, spreads))
    width = _unit(table)
    return {
        name: Expected(
            one.row / width, one.column / width, one.log_area - 2 * np.log(width), one.log_width - np.log(width),
            one.row_spread / width, one.column_spread / width, one.area_spread, one.width_spread,
        )
        for name, one in table.items()
    }  # fmt: skip


def _unit(table: dict[str, Expected]) -> float:
    """Width of the mean rib cage in the present unit, so that means do not drift in scale."""
    ribs = [one for name, one in table.items() if " rib " in name]
    return max(one.column + np.exp(one.log_width) / 2 for one in ribs) - min(
        one.column - np.exp(one.log_width) / 2 for one in ribs
    )


def _mirrored(chest: dict[str, Measure]) -> dict[str, Measure]:
    def other(name: str) -> str:
        return name.replace("right", "left") if "right" in name else name.replace("left", "right")

    return {other(name): Measure(one.area, one.row, -one.column, one.height, one.width, one.cut) for name, one in chest.items()}


def measured_views(folder: Path) -> list[dict[str, Measure]]:
    """Measures of the true masks of every rendered view in a folder. Raises `InputError` when there is none."""
    paths = sorted(folder.glob("chest-*.npz"))
    if not paths:
        raise InputError(
            f"There are no rendered views in {folder}; run 'osteoscreen train-embedded segmenter' first.", code="no-views"
        )
    chests = []
    for path in paths:
        masks = load_view(path).masks
        drawn = {name: masks[place] for place, name in enumerate(STRUCTURES) if name in CHEST_FRONTAL.by_name}
        chests.append(measure(BoneMasks.pack(drawn, (masks.shape[1], masks.shape[2]))))
    return chests


def write_shapes(path: Path, shapes: dict[str, Expected], chests: int) -> Path:
    """Write the table as JSON, atomically."""
    bones = {name: {key: round(value, 4) for key, value in asdict(one).items()} for name, one in shapes.items()}
    about = (
        f"Bones of {chests} simulated frontal chests in the frame of their thorax; unit: the width of the rib cage. "
        "Made by python -m OsteoScreenLib.study.bone_shapes."
    )
    return write_text(path, json.dumps({"about": about, "site": CHEST_FRONTAL.name, "bones": bones}, indent=1) + "\n")


def main(arguments: list[str]) -> None:
    """FOLDER of views, OUT.json."""
    folder, out = (Path(argument) for argument in arguments)
    chests = measured_views(folder)
    print(f"Wrote {write_shapes(out, learn_shapes(chests), len(chests))} from {len(chests)} chests.")


if __name__ == "__main__":
    main(sys.argv[1:])
