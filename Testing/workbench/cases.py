"""A small analysed case, made by hand, for tests of what stands around it."""

from __future__ import annotations

import numpy as np

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.classifier.prediction import OperatingPoints
from OsteoScreenLib.explain.saliency import SaliencyMap
from OsteoScreenLib.radiograph.radiograph import Note, pixels_sha256
from OsteoScreenLib.workbench.answers import Answer, Answers, Question
from OsteoScreenLib.workbench.case import Case
from OsteoScreenLib.workbench.reading import ImageSource, ModelFacts, Reading, Result

SHAPE = (60, 80)


def masks() -> BoneMasks:
    """Two ribs, a vertebra that one rib crosses, and a clavicle."""
    drawn = {}
    for name, box in {
        "T7": (slice(10, 40), slice(35, 45)),
        "right rib 5": (slice(12, 18), slice(5, 40)),
        "left rib 5": (slice(12, 18), slice(46, 75)),
        "left clavicle": (slice(2, 6), slice(46, 70)),
    }.items():
        drawn[name] = np.zeros(SHAPE, bool)
        drawn[name][box] = True
    return BoneMasks.pack(drawn, SHAPE, method="drawn by hand")


def reading(name: str = "chest.dcm", age: str = "061Y", sex: str = "F", seed: int = 0) -> Reading:
    """An opened radiograph of random pixels."""
    pixels = np.random.default_rng(seed).random(SHAPE, np.float32)
    facts = {"source": {"patient_sex": sex, "patient_age": age}, "view": "PA", "site": "CHEST"}
    notes = (Note("no-spacing", "info", "The pixel spacing is unknown."),)
    return Reading(ImageSource(name, path=f"/somewhere/{name}"), pixels, (0.2, 0.15), pixels_sha256(pixels), facts, notes)


def saliency(target: str = "osteoporosis") -> SaliencyMap:
    """A grid of 3 × 4 cells over the whole radiograph."""
    grid = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    matrix = np.array([[20.0, 0, 9.5], [0, 20.0, 9.5], [0, 0, 1]])
    return SaliencyMap(grid, matrix, SHAPE, np.eye(3), SHAPE, target, "logit", "Grad-CAM", "blocks.11")


def result(probabilities: tuple[float, float, float] = (0.2, 0.3, 0.5), model: str = "m" * 64) -> Result:
    """An answer with masks and a heatmap."""
    drawn = masks()
    facts = ModelFacts("some-model", "Some model", model, True, OperatingPoints(0.4, 0.5))
    statements = ("Research use only: not for diagnosis or for decisions on treatment.", "Trained on simulated radiographs.")
    seconds = {"read": 0.1, "analyse": 0.4}
    return Result(
        facts, probabilities, drawn, drawn.sha256, saliency(), statements, "cpu", "fp32", seconds, {"schema_version": 1}
    )


def case() -> Case:
    """An analysed case with an empty cache, apart from the untouched answer."""
    made = Case(reading(), Answers())
    made.take_result(reading(), result())
    return made


def answer_all(made: Case, osteoporosis: dict[frozenset[str], float]) -> None:
    """Answer every open question of a case; P(osteoporosis) by covered set, 0.1 for others."""
    for question in [made.question_now, *made.questions()]:
        if made.answers.get(question) is None:
            made.answers.put(question, answer(question, osteoporosis.get(question.covered, 0.1)))


def answer(question: Question, osteoporosis: float) -> Answer:
    """An answer with this probability of osteoporosis and the rest shared evenly."""
    rest = (1 - osteoporosis) / 2
    return Answer((rest, rest, osteoporosis), 10 * len(question.covered))
