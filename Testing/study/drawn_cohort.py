"""A small cohort on disk whose classes stand in the brightness of one bone, and a model that reads that bone alone."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
from builders import GREY, make_classifier_bundle, make_masks
from explain.looking import PATCH, looking_transformer

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.segnrrd import write_seg_nrrd
from OsteoScreenLib.bundle import Bundle
from OsteoScreenLib.radiograph.read import read_radiograph

SHAPE = (112, 112)
LABELS = ("normal", "osteopenia", "osteoporosis")
# The patch of the network's input that the model looks at, and the bone that covers it.
CELL, BONE = (3, 3), "T5"


def bones(shape: tuple[int, int] = SHAPE) -> BoneMasks:
    """The five bones of `make_masks`, with T5 over exactly the patch that the model reads and nothing else there."""
    rows, columns = shape
    drawn = {name: make_masks(shape).mask(name) for name in make_masks(shape).names}
    step = rows * PATCH // GREY.rows, columns * PATCH // GREY.columns
    there = np.zeros(shape, bool)
    there[CELL[0] * step[0] - 8 : (CELL[0] + 1) * step[0] + 8, CELL[1] * step[1] - 8 : (CELL[1] + 1) * step[1] + 8] = True
    return BoneMasks.pack({name: (mask & ~there) if name != BONE else there for name, mask in drawn.items()}, shape)


def reading_bundle(folder: Path) -> Bundle:
    """A bundle whose answer depends on the brightness of `BONE` alone."""
    network, options = looking_transformer("class token", GREY, CELL)
    return make_classifier_bundle(folder, options=options, network=network)


def write_cohort(folder: Path, images: int, seed: int = 0, shape: tuple[int, int] = SHAPE, noise: float = 0.0) -> Path:
    """`images` pictures of one to three a patient, their masks, and cohort.csv.

    The bone is the brighter the worse the class, with `noise` (standard deviation; classes lie 0.2 apart); the rest is random.
    """
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    masks = bones(shape)
    rows, patient = [], 0
    while len(rows) < images:
        patient += 1
        label = int(rng.integers(3))
        for _ in range(min(int(rng.integers(1, 4)), images - len(rows))):
            pixels = cv2.resize(rng.random((9, 9)), shape[::-1], interpolation=cv2.INTER_LINEAR) * 0.8 + 0.1
            pixels[masks.mask(BONE)] = np.clip(0.2 + 0.2 * label + noise * rng.normal() + 0.02 * rng.random(), 0.02, 0.98)
            pixels[0, :2] = 0, 1  # the whole range, so that the file is read as it is
            name = f"{len(rows):04d}"
            cv2.imwrite(str(folder / "images" / f"{name}.png"), np.round(pixels * 65535).astype(np.uint16))
            write_seg_nrrd(folder / "masks" / f"{name}.seg.nrrd", masks, read_radiograph(folder / "images" / f"{name}.png"))
            rows.append(
                {
                    "patient_id": f"P{patient}",
                    "image": f"images/{name}.png",
                    "label": LABELS[label],
                    "masks": f"masks/{name}.seg.nrrd",
                }
            )
    return write_table(folder / "cohort.csv", rows)


def write_table(path: Path, rows: list[dict[str, str]]) -> Path:
    """The rows as CSV."""
    with open(path, "w", encoding="utf-8", newline="") as table:
        writer = csv.DictWriter(table, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def table_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV."""
    with open(path, encoding="utf-8", newline="") as table:
        return list(csv.DictReader(table))
