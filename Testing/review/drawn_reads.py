"""Locked reads for tests: written out, or drawn from readers that are right more often once they see the model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.review.nouns import LockedRead, ModelFacts, Opinion, Phase, Protocol, ReviewCase, Task

LETTERS = dict(zip("nlo", CLASSES, strict=True))  # normal, low (osteopenia), osteoporosis
NO_MODEL = ModelFacts()


def a_case(number: int, truth: str | None = None, group: str = "") -> ReviewCase:
    """C-00001 and so on; truth is one of n, l and o."""
    return ReviewCase(f"C-{number:05d}", f"images/C-{number:05d}.png", group=group, truth=LETTERS[truth] if truth else None)


def says(letter: str) -> ModelFacts:
    """A model that is 80 % sure."""
    probabilities = tuple(0.8 if LETTERS[letter] == name else 0.1 for name in CLASSES)
    return ModelFacts("drawn", "ab" * 32, LETTERS[letter], probabilities)


def a_read(
    reader: str, number: int, letter: str, confidence: int = 50, phase: Phase = "first", model: ModelFacts = NO_MODEL, repeat: int = 0,
    seconds: float = 20.0, because: str = "", quality: str = "good",
) -> LockedRead:  # fmt: skip
    """A read of case `number` (from 1)."""
    task = Task(f"C-{number:05d}", repeat)
    return LockedRead(
        id=f"{reader}-{task.case}-{repeat}-{phase}",
        reader=reader,
        machine="m1",
        task=task,
        phase=phase,
        opinion=Opinion(LETTERS[letter], confidence, quality=quality, changed_because=because),
        model=model,
        active_seconds=seconds,
        idle_seconds=1.0,
        at="2026-01-01T00:00:00Z",
        app="0",
    )


def reads_of(reader: str, letters: str, phase: Phase = "first", models: str = "", repeat: int = 0) -> list[LockedRead]:
    """One read of each case from 1 on; "." skips a case. models : what was shown, as long as letters, or nothing."""
    return [
        a_read(reader, number, letter, phase=phase, model=says(models[number - 1]) if models else NO_MODEL, repeat=repeat)
        for number, letter in enumerate(letters, 1)
        if letter != "."
    ]


def drawn_study(
    cases: int = 40, readers: Sequence[str] = ("R1", "R2", "R3"), each: int = 0, seed: int = 0, one_patient: int = 1
) -> tuple[list[LockedRead], list[ReviewCase], Protocol]:
    """A blind study with first and second reads and one repeat in ten.

    each : readers that read each case, in turn; 0 is all. one_patient : images of each patient.
    """
    rng = np.random.default_rng(seed)
    letters = "nlo"
    truth = rng.integers(3, size=cases)
    model = np.clip(truth + rng.choice([-1, 0, 0, 0, 1], cases), 0, 2)
    held = [a_case(k + 1, letters[truth[k]], f"P-{k // one_patient:04d}") for k in range(cases)]
    reads = []
    for place, reader in enumerate(readers):
        for k in range(cases):
            if each and (k - place) % len(readers) >= each:
                continue
            for repeat in range(2 if k % 10 == 0 else 1):
                first = int(np.clip(truth[k] + rng.choice([-1, 0, 0, 1]), 0, 2))
                second = int(model[k]) if rng.random() < 0.5 else first
                sure = [int(np.clip(30 * one + rng.normal(20, 12), 0, 100)) for one in (first, second)]
                facts = says(letters[model[k]])
                kept = ModelFacts(facts.model, facts.bundle_sha256)  # a blind reader is not told what the model says
                seconds = float(round(rng.gamma(4, 6)))
                reads.append(a_read(reader, k + 1, letters[first], sure[0], "first", kept, repeat, seconds))
                why = "the heatmap" if first != second else ""
                reads.append(a_read(reader, k + 1, letters[second], sure[1], "second", facts, repeat, seconds / 2, why))
    return reads, held, Protocol("Drawn study", readers=tuple(readers), each_case=each, repeats=0.1)
