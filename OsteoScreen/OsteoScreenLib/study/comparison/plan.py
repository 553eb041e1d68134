"""Which models a comparison trains: backbones × tunings × seeds, each with a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.study.training.options import Tuning

# The study's families and tunings, in its table's order, with the words for people.
FAMILIES: Mapping[str, str] = {"openclip": "OpenCLIP", "dinov2": "DINOv2", "chexagent": "CheXagent", "raddino": "RAD-DINO"}
TUNINGS: Mapping[Tuning, str] = {"linear": "linear probing", "partial": "partial fine-tuning", "lora": "LoRA"}
RANDOM_WEIGHTS = "random weights: not the published model"


@dataclass(frozen=True, order=True)
class Combination:
    """One model: a family's backbone (id in the registry) tuned in one way with one seed."""

    family: str
    tuning: Tuning
    seed: int
    backbone: str

    @property
    def key(self) -> str:
        """What it is called in tables, whatever its seed."""
        return f"{self.family}-{self.tuning}"

    @property
    def folder(self) -> str:
        """Its folder inside the comparison's, with "/" between."""
        return f"seed-{self.seed}/{self.key}"

    @property
    def title(self) -> str:
        """For people."""
        return f"{FAMILIES.get(self.family, self.family)}, {TUNINGS[self.tuning]}"


@dataclass(frozen=True)
class Plan:
    """The whole comparison. backbones : family → id in the registry. random_weights : train from random weights, and say so."""

    backbones: Mapping[str, str]
    tunings: tuple[Tuning, ...] = tuple(TUNINGS)
    seeds: tuple[int, ...] = (0,)
    random_weights: bool = False

    def __post_init__(self) -> None:
        if not (self.backbones and self.tunings and self.seeds):
            raise InputError("A comparison needs at least one backbone, one tuning and one seed.", code="plan")
        for name, values in (("tuning", self.tunings), ("seed", self.seeds)):
            if len(set(values)) < len(values):
                raise InputError(f"A {name} is named twice; name each once.", code="plan")
        if min(self.seeds) < 0:
            raise InputError("A seed is a whole number from 0 on.", code="plan")

    def combinations(self) -> Iterator[Combination]:
        """Every model in the order in which they are trained: the whole first seed, then the next."""
        for seed in self.seeds:
            for family, backbone in self.backbones.items():
                for tuning in self.tunings:
                    yield Combination(family, tuning, seed, backbone)


def parse_backbones(text: str) -> dict[str, str]:
    """ "openclip=ID,dinov2=ID" → family → id, in this order. Raises `InputError` that shows the right form."""
    chosen: dict[str, str] = {}
    for part in _parts(text):
        family, equals, backbone = (word.strip() for word in part.partition("="))
        if not (equals and family and backbone):
            raise InputError(f"'{part}' is no choice of a backbone; write for example dinov2=ID,raddino=ID.", code="backbones")
        if family not in FAMILIES:
            raise InputError(f"There is no family '{family}'; the families are {', '.join(FAMILIES)}.", code="backbones")
        if family in chosen:
            raise InputError(f"The family {family} is named twice; give it one backbone.", code="backbones")
        chosen[family] = backbone
    if not chosen:
        raise InputError("No backbone is named; write for example dinov2=ID,raddino=ID.", code="backbones")
    return chosen


def parse_tunings(text: str) -> tuple[Tuning, ...]:
    """ "linear,lora" → the tunings. Raises `InputError` that names those there are."""
    known = {name: name for name in TUNINGS}
    for part in _parts(text):
        if part not in known:
            raise InputError(f"There is no tuning '{part}'; choose among {', '.join(TUNINGS)}.", code="tuning")
    return tuple(known[part] for part in _parts(text))  # type: ignore[index]


def parse_seeds(text: str) -> tuple[int, ...]:
    """ "0,1" → whole numbers. Raises `InputError` otherwise."""
    parts: Sequence[str] = _parts(text)
    if not all(part.isdecimal() for part in parts):
        raise InputError(f"'{text}' is no list of seeds; write for example 0,1.", code="seeds")
    return tuple(int(part) for part in parts)


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
