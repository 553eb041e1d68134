"""How corrected masks agree: each reader's last version with the model's own, and with every other reader's, bone by bone."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from itertools import combinations
from pathlib import Path

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.files import write_text
from OsteoScreenLib.review.mask_versions import MaskVersion, MaskVersions
from OsteoScreenLib.review.study import ReviewStudy

MODEL = "model"  # in the column "other": the model's own masks


@dataclass(frozen=True)
class MaskPair:
    """Two masks of one bone. one : name of a reader's version; other : of another reader's, or `MODEL`. dice : 0 to 1, see
    `bones.dice.dice`; a bone that only one of the two has counts 0."""

    case: str
    bone: str
    one: str
    other: str
    dice: float


def mask_pairs(study: ReviewStudy) -> tuple[tuple[MaskPair, ...], tuple[str, ...]]:
    """Pairs of every case of which there are corrected masks, and one sentence for each that cannot be read.

    Only bones that one of the two readers has corrected are listed: of the others both have the model's own mask. Dice with the
    model's own was measured when the version was saved, so the model's results need not be there.
    """
    folder, pairs, remarks = study.folder / "masks", [], []
    known = {case.id for case in study.cases}
    for case in sorted(path.name for path in folder.iterdir() if path.name in known) if folder.is_dir() else ():
        versions = MaskVersions(folder / case, "none")
        last = {version.author: version for version in versions.all()}
        for version in last.values():
            pairs += [MaskPair(case, bone, version.name, MODEL, value) for bone, value in version.dice]
        for one, other in combinations(sorted(last.values(), key=lambda version: version.author), 2):
            try:
                pairs += _between(case, versions, one, other)
            except InputError as error:
                remarks.append(f"{case}: {error}")
    return tuple(pairs), tuple(remarks)


def write_mask_dice_csv(path: Path, pairs: Sequence[MaskPair]) -> Path:
    """A line for each pair. Raises `OsteoScreenError` when it cannot be written."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(MaskPair)], lineterminator="\n")
    writer.writeheader()
    writer.writerows({**asdict(pair), "dice": f"{pair.dice:.6f}"} for pair in pairs)
    return write_text(path, text.getvalue())


def _between(case: str, versions: MaskVersions, one: MaskVersion, other: MaskVersion) -> list[MaskPair]:
    corrected = {bone for bone, _ in (*one.dice, *other.dice)}
    agreement = versions.dice(one, other)
    return [MaskPair(case, bone, one.name, other.name, value) for bone, value in agreement.items() if bone in corrected]
