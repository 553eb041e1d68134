"""What lies in each model's own folder of a comparison: its evaluation and its effects of bones, as pages and tables."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from OsteoScreenLib import __version__

if TYPE_CHECKING:
    from OsteoScreenLib.classifier.model_bundle import ModelBundle
    from OsteoScreenLib.study.cohort import CohortRow
    from OsteoScreenLib.study.comparison.one_model import Cohort, ModelResult
    from OsteoScreenLib.study.evaluation.evaluate import Evaluation


def write_pages(result: ModelResult, cohort: Cohort, device: str, precision: str) -> None:
    """Write `evaluation` and the pages of `bones` into the model's folder, unless a former call did.

    device, precision : of the network that draws heatmaps beside the worst answers.
    """
    from OsteoScreenLib.exchange.effects_page import write_effects_page
    from OsteoScreenLib.study.bone_effects_table import write_effects

    # The page is the last file of each, so where it is, the others are.
    if not (result.folder / "evaluation" / "report.html").is_file():
        _write_evaluation(result, cohort, device, precision)
    if result.effects is not None and not (result.folder / "bones" / "effects.html").is_file():
        write_effects(result.folder / "bones", result.effects)
        write_effects_page(result.folder / "bones", result.effects)


def _write_evaluation(result: ModelResult, cohort: Cohort, device: str, precision: str) -> None:
    from OsteoScreenLib.bundle import open_bundle
    from OsteoScreenLib.classifier.classifier import Classifier
    from OsteoScreenLib.exchange.evaluation_page import write_evaluation_page
    from OsteoScreenLib.files import write_bytes
    from OsteoScreenLib.study.evaluation.evaluation_table import write_tables
    from OsteoScreenLib.study.evaluation.plots import figures_of

    folder, evaluation = result.folder / "evaluation", result.evaluation
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    classifier = Classifier.load(open_bundle(result.folder / "training" / "bundle", "classifier"), device, precision)
    figures = figures_of(evaluation, result.test)
    pictures = _failure_pictures(evaluation, list(result.test.image), cohort.of("test"), classifier)
    for name, png in figures.items():
        write_bytes(folder / "figures" / f"{name}.png", png)
    facts = _facts(classifier.model, cohort)
    write_tables(folder, evaluation, facts)
    page = {
        "title": classifier.model.title,
        "statements": facts["statements"],
        "provenance": [
            ("model", f"{classifier.model.id}, SHA-256 {facts['model']['sha256']}"),
            ("table", f"{facts['cohort']['rows']} rows, SHA-256 {facts['cohort']['sha256']}; evaluated: test"),
            ("image check", "images taken as they are"),
            ("draws of patients", f"{evaluation.options.draws}, seed {evaluation.options.seed}"),
            ("versions", ", ".join(f"{name} {value}" for name, value in facts["versions"].items())),
        ],
    }
    write_evaluation_page(folder, evaluation, page, figures, pictures)


def _facts(model: ModelBundle, cohort: Cohort) -> dict[str, Any]:
    from OsteoScreenLib.explain.analyse import versions
    from OsteoScreenLib.explain.analysis import RESEARCH_USE_ONLY, SIMULATED_TRAINING
    from OsteoScreenLib.study.cohort import cohort_digest

    return {
        "osteoscreen": __version__,
        "statements": [RESEARCH_USE_ONLY, *([SIMULATED_TRAINING] if model.simulated else [])],
        "versions": versions(),
        "split": "test",
        "model": {
            "id": model.id,
            "title": model.title,
            "sha256": model.bundle.sha256,
            "weights_sha256": model.bundle.weights_sha256,
        },
        "cohort": {"rows": len(cohort.rows), "sha256": cohort_digest(cohort.rows, cohort.source)},
        "image_check": False,
        "left_out": [],
    }


def _failure_pictures(
    evaluation: Evaluation, names: Sequence[str], rows: Sequence[CohortRow], classifier: Any
) -> list[bytes | None]:
    """The worst answers as PNG. names : of the test images, in the order of their rows."""
    from PIL import Image

    from OsteoScreenLib.exchange.failure_pictures import failure_picture
    from OsteoScreenLib.radiograph.read import read_radiograph

    row_of = dict(zip(names, rows, strict=True))
    pictures: list[bytes | None] = []
    for failure in evaluation.failures:
        path = row_of[failure.image].image
        drawn = failure_picture(lambda path=path: read_radiograph(path), classifier)  # type: ignore[misc]
        stream = io.BytesIO()
        if drawn is not None:
            Image.fromarray(drawn).save(stream, "PNG")
        pictures.append(stream.getvalue() or None)
    return pictures
