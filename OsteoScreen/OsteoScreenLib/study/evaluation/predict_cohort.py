"""A model's predictions on the images of a cohort's table, read ahead of the network so that it need not wait."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from OsteoScreenLib.bones.gate import Gate, lay_upright
from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.classifier.devices import batch_size
from OsteoScreenLib.classifier.observing import Observed, observing
from OsteoScreenLib.classifier.preprocess import prepare
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.radiograph.radiograph import Radiograph
from OsteoScreenLib.radiograph.read import read_radiograph
from OsteoScreenLib.study.cohort import CohortRow
from OsteoScreenLib.study.evaluation.predictions import Predictions

if TYPE_CHECKING:
    import torch

READERS = 3  # threads that read and resize images while the network computes
_AHEAD = 3  # batches that are read ahead


@dataclass(frozen=True, eq=False)
class CohortPredictions:
    """predictions : of the images that could be read. left_out : one sentence for each other."""

    predictions: Predictions
    left_out: tuple[str, ...]


def predict_cohort(
    classifier: Classifier,
    rows: Sequence[CohortRow],
    folder: Path,
    gate: Gate | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CohortPredictions:
    """Probabilities, and with them the input check and the expected T-score of a bundle that brings them, from one forward pass.

    Parameters
    ----------
    folder : of the table; images are named relative to it. gate : lays images upright and refuses what is not of the model's site;
        None takes them as they are. progress : called with (images done, all).

    Raises
    ------
    InputError
        no-images when none can be read.
    """
    tell = progress or (lambda _done, _all: None)
    kept: list[CohortRow] = []
    left_out: list[str] = []
    parts: list[Observed] = []
    done = 0
    with observing(classifier) as look:
        for few in _batches(classifier, rows, gate):
            found = [(row, one) for row, one in few if not isinstance(one, InputError)]
            left_out += [f"Row {row.number}, column image: {one}" for row, one in few if isinstance(one, InputError)]
            kept += [row for row, _ in found]
            parts += look([one for _, one in found])
            done += len(few)
            tell(done, len(rows))
    if not kept:
        raise InputError(f"No image of the table could be read; the first reason is: {left_out[0]}", code="no-images")
    domains = [one for part in parts for one in part.domains]
    predictions = of_rows(
        kept,
        folder,
        np.concatenate([part.probabilities for part in parts]),
        expected_t=np.concatenate([part.expected_t for part in parts]),
        domain_distance=np.array([one.distance for one in domains]),
        domain_level=np.array([one.level for one in domains], str),
    )
    return CohortPredictions(predictions, tuple(left_out))


def of_rows(rows: Sequence[CohortRow], folder: Path, probabilities: np.ndarray, **others: np.ndarray) -> Predictions:
    """Predictions from a table's rows and probabilities (n, 3) in their order; images are named relative to `folder`."""

    def numbers(name: str) -> np.ndarray:
        return np.array([np.nan if getattr(row, name) is None else getattr(row, name) for row in rows], float)

    def texts(name: str) -> np.ndarray:
        return np.array([getattr(row, name) or "" for row in rows], str)

    def named(path: Path) -> str:
        return (path.relative_to(folder) if path.is_relative_to(folder) else path).as_posix()

    return Predictions(
        image=np.array([named(row.image) for row in rows]),
        patient=np.array([row.patient for row in rows]),
        label=np.array([row.label for row in rows]),
        probabilities=probabilities,
        t_score=numbers("t_score"),
        age=numbers("age"),
        sex=texts("sex"),
        device=texts("device"),
        view=texts("view"),
        **others,
    )


def upright(row: CohortRow, gate: Gate | None) -> Radiograph:
    """The row's radiograph, laid upright by the gate if there is one. Raises `InputError` when it cannot be used."""
    radiograph = read_radiograph(row.image)
    return radiograph if gate is None else lay_upright(radiograph, gate, gate.site)


def _batches(
    classifier: Classifier, rows: Sequence[CohortRow], gate: Gate | None
) -> Iterator[list[tuple[CohortRow, torch.Tensor | InputError]]]:
    """The rows in batches of the device's size, each with its network input or what is wrong with it."""
    size, spec = batch_size(classifier.device), classifier.model.preprocessing

    def read(row: CohortRow) -> torch.Tensor | InputError:
        try:
            return prepare(upright(row, gate).pixels[None], spec)
        except InputError as error:
            return error

    with ThreadPoolExecutor(READERS if gate is None else 1) as readers:  # a gate's network is not for several threads
        waiting: deque[tuple[CohortRow, Future[torch.Tensor | InputError]]] = deque()
        rest = iter(rows)
        try:
            while True:
                for row in rest:
                    waiting.append((row, readers.submit(read, row)))
                    if len(waiting) >= _AHEAD * size:
                        break
                few = [waiting.popleft() for _ in range(min(size, len(waiting)))]
                if not few:
                    return
                yield [(row, future.result()) for row, future in few]
        finally:
            for _, future in waiting:
                future.cancel()
