"""One broken file from a seed and a number."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from OsteoScreenLib.study.mutants.bases import Base
from OsteoScreenLib.study.mutants.elements import layout_of
from OsteoScreenLib.study.mutants.header_faults import HEADER_FAULTS, Fault
from OsteoScreenLib.study.mutants.pixel_faults import PIXEL_FAULTS

_SHARE_OF_WHOLE = 0.15  # large files are slow to decode and break in the same ways
_LARGE = 600_000
_TRIES = 30  # not every fault finds something to break in every file


@dataclass(frozen=True)
class Mutant:
    """A broken DICOM file. base : what it was made from. faults : what was done to it, in that order, each by its function's name."""

    number: int
    base: str
    faults: tuple[str, ...]
    data: bytes


def mutant(bases: Sequence[Base], seed: int, number: int) -> Mutant:
    """Mutant `number` of a seed: one to three faults, of the header in two of three, of the pixels in the others, done to one base.

    The same for the same bases, seed and number, whatever else is made.
    """
    chance = random.Random(f"{seed} {number}")
    large = [base for base in bases if len(base.data) > _LARGE]
    small = [base for base in bases if len(base.data) <= _LARGE]
    base = chance.choice(large if large and (not small or chance.random() < _SHARE_OF_WHOLE) else small)
    data, done, wanted = base.data, [], chance.choice((1, 1, 2, 3))
    for _ in range(_TRIES):
        fault = _drawn(HEADER_FAULTS if chance.random() < 2 / 3 else PIXEL_FAULTS, chance)
        broken = fault(data, layout_of(data), chance)
        if broken and broken != data:
            data = broken
            done.append(fault.__name__)
        if len(done) == wanted:
            break
    return Mutant(number, base.name, tuple(done), data)


def _drawn(faults: Sequence[tuple[Fault, int]], chance: random.Random) -> Fault:
    return chance.choices([fault for fault, _ in faults], [weight for _, weight in faults])[0]
