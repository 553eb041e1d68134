"""`osteoscreen evaluate`: how good a model's predictions are on a cohort, with intervals, figures and a report."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from OsteoScreenLib import __version__
from OsteoScreenLib.commands.bars import Shown, silent
from OsteoScreenLib.commands.packages import require
from OsteoScreenLib.errors import InputError

if TYPE_CHECKING:
    from OsteoScreenLib.classifier.classifier import Classifier
    from OsteoScreenLib.study.cohort import CohortRow
    from OsteoScreenLib.study.evaluation.baseline import People
    from OsteoScreenLib.study.evaluation.evaluate import Evaluation
    from OsteoScreenLib.study.evaluation.predictions import Predictions

ALL = "all"
_PACKAGES = ("statsmodels", "sklearn", "scipy", "matplotlib")


def evaluate(
    bundle: Annotated[
        str | None, typer.Argument(help="Id of a classifier, or its folder; left out with --predictions.", show_default=False)
    ] = None,
    table: Annotated[
        Path | None,
        typer.Argument(
            help="CSV with the columns patient_id, image, label or t_score, and, where there are any, age, sex, device, view, split.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for report, tables, figures and predictions.")] = Path(
        "evaluation"
    ),
    split: Annotated[
        str, typer.Option(help="Which rows of the table are evaluated: test, validation, training, or all.")
    ] = "test",
    predictions: Annotated[
        Path | None, typer.Option(help="Predictions of the test images, in place of running the bundle over the table.")
    ] = None,
    validation: Annotated[
        Path | None,
        typer.Option(help="Predictions of the validation images; those of the table's split 'validation' if not given."),
    ] = None,
    development: Annotated[
        Path | None, typer.Option(help="Predictions on the cohort that the model was developed on, to measure drift against.")
    ] = None,
    prevalence: Annotated[
        float | None, typer.Option(help="Share with osteoporosis at which predictive values are given too, for example 0.05.")
    ] = None,
    sensitivity: Annotated[float, typer.Option(help="Sensitivity at which a second operating point is fixed.")] = 0.9,
    least: Annotated[
        int, typer.Option(help="Images of osteoporosis, and of others, below which a subgroup is only counted.", min=1)
    ] = 10,
    failures: Annotated[int, typer.Option(help="How many of the worst answers of each kind are shown.", min=0, max=100)] = 6,
    draws: Annotated[int, typer.Option(help="Draws of patients for the intervals.", min=100, max=100_000)] = 2000,
    seed: Annotated[int, typer.Option(help="Seed of the draws.", min=0)] = 0,
    image_check: Annotated[
        bool,
        typer.Option(
            "--image-check/--no-image-check",
            help="Lay each image as the gate says and leave out what is not of the model's body site; off, as in training.",
        ),
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16 or fp16.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else.")] = False,
) -> None:
    """How good a model is on a cohort: discrimination, decisions, calibration, subgroups, drift, failures (extra 'study')."""
    require("study", *_PACKAGES)
    from OsteoScreenLib.study.evaluation.evaluate import EvaluationOptions
    from OsteoScreenLib.study.evaluation.evaluate import evaluate as measure
    from OsteoScreenLib.study.evaluation.predictions import read_predictions
    from OsteoScreenLib.worker.requests import prepare_folder

    if predictions is None and (bundle is None or table is None):
        raise InputError("Give a model and a table, or predictions with --predictions.", code="options")
    given = _Given.of(bundle, table, split, device, precision, image_check)
    prepare_folder(out)
    held = {name: read_predictions(path) for name, path in (("test", predictions), ("validation", validation)) if path}
    there = None if development is None else read_predictions(development)
    with Shown(not as_json) as bars:
        tell = silent if bars is None else bars
        test = held.get("test") or given.predict(given.test_rows, "Test images", tell)
        fixed = held.get("validation")
        if fixed is None and given.validation_rows and given.classifier is not None and predictions is None:
            fixed = given.predict(given.validation_rows, "Validation images", tell)
        points = None if given.classifier is None else given.classifier.model.operating_points
        options = EvaluationOptions(prevalence, sensitivity, least, failures, draws, seed, points)
        tell("Statistics", 0, 1)
        people = given.people()
        known: dict[str, Any] = {} if people is None else {"people": people, "people_are": "the table's other splits"}
        evaluation = measure(fixed, test, options, development=there, **known)
        tell("Statistics", 1, 1)
        files = _write(out, evaluation, test, fixed, there, given, tell)
    _print(evaluation, files, given, as_json)


@dataclass(eq=False)
class _Given:
    """What the command line names. classifier, gate : None without a bundle. folder : where images are looked for."""

    classifier: Classifier | None
    gate: Any
    folder: Path
    rows: tuple[CohortRow, ...]
    test_rows: tuple[CohortRow, ...]
    validation_rows: tuple[CohortRow, ...]
    split: str
    left_out: tuple[str, ...] = ()

    @classmethod
    def of(cls, bundle: str | None, table: Path | None, split: str, device: str, precision: str, image_check: bool) -> _Given:
        from OsteoScreenLib.study.cohort import read_cohort
        from OsteoScreenLib.worker.model_folders import site_of
        from OsteoScreenLib.worker.models import Models

        rows = () if table is None else read_cohort(table)
        test, validation, split = _chosen(rows, split)
        models = Models()
        gate = models.gate(site_of(bundle)) if bundle is not None and image_check else None
        classifier = None if bundle is None else models.classifier(bundle, device, precision)
        return cls(classifier, gate, Path() if table is None else table.parent, rows, test, validation, split)

    def predict(self, rows: Sequence[CohortRow], what: str, tell: Callable[[str, int, int], None]) -> Predictions:
        """The model's answers, and what could not be read is remembered."""
        from OsteoScreenLib.study.evaluation.predict_cohort import predict_cohort

        assert self.classifier is not None
        tell(what, 0, len(rows))
        found = predict_cohort(self.classifier, rows, self.folder, self.gate, lambda done, every: tell(what, done, every))
        self.left_out += found.left_out
        return found.predictions

    def people(self) -> People | None:
        """Whom age and sex are fitted on: the table's training and validation rows."""
        from OsteoScreenLib.study.evaluation.baseline import People

        others = [row for row in self.rows if row.split in ("training", "validation") and self.split == "test"]
        return People.of_rows(others) if others else None

    def statements(self) -> list[str]:
        """What every page says."""
        from OsteoScreenLib.explain.analysis import RESEARCH_USE_ONLY, SIMULATED_TRAINING

        simulated = self.classifier is not None and self.classifier.model.simulated
        return [RESEARCH_USE_ONLY, *([SIMULATED_TRAINING] if simulated else [])]


def _chosen(rows: Sequence[CohortRow], split: str) -> tuple[tuple[CohortRow, ...], tuple[CohortRow, ...], str]:
    """The rows that are evaluated, those on which points are fixed, and which split it is."""
    if split not in ("test", "validation", "training", ALL):
        raise InputError(f"There is no split '{split}'; choose test, validation, training or {ALL}.", code="split")
    if split == ALL or not any(row.split for row in rows):
        return tuple(rows), (), ALL
    chosen = tuple(row for row in rows if row.split == split)
    if not chosen:
        raise InputError(f"No row of the table is in the split {split}; choose another one, or {ALL}.", code="split")
    return chosen, tuple(row for row in rows if row.split == "validation" and split == "test"), split


def _write(
    out: Path,
    evaluation: Evaluation,
    test: Predictions,
    validation: Predictions | None,
    development: Predictions | None,
    given: _Given,
    tell: Callable[[str, int, int], None],
) -> dict[str, Path]:
    from OsteoScreenLib.exchange.evaluation_page import write_evaluation_page
    from OsteoScreenLib.files import write_bytes
    from OsteoScreenLib.study.evaluation.evaluation_table import write_tables
    from OsteoScreenLib.study.evaluation.plots import figures_of
    from OsteoScreenLib.study.evaluation.predictions import write_predictions
    from OsteoScreenLib.worker.requests import prepare_folder

    prepare_folder(out / "figures")
    figures = figures_of(evaluation, test, development)
    pictures = []
    for place, failure in enumerate(evaluation.failures):
        pictures.append(_picture(given, failure.image))
        tell("Pictures", place + 1, len(evaluation.failures))
    for former in (out / "figures").glob("*.png"):
        former.unlink()  # of a former call, which may have had other failures
    for name, png in figures.items():
        write_bytes(out / "figures" / f"{name}.png", png)
    for place, picture in enumerate(pictures, start=1):
        if picture is not None:
            write_bytes(out / "figures" / f"failure-{place:02d}.png", picture)
    facts = _facts(given)
    files = {"predictions": write_predictions(out / "predictions.csv", test), **write_tables(out, evaluation, facts)}
    if validation is not None:
        files["validation"] = write_predictions(out / "predictions-validation.csv", validation)
    page = {
        "title": _title(given), "statements": facts["statements"],
        "provenance": [(name, str(value)) for name, value in _told(facts, evaluation)],
    }  # fmt: skip
    files["html"] = write_evaluation_page(out, evaluation, page, figures, pictures, given.left_out)
    return files


def _picture(given: _Given, image: str) -> bytes | None:
    """A failure's picture as PNG, where its image is at hand."""
    from PIL import Image

    from OsteoScreenLib.exchange.failure_pictures import failure_picture
    from OsteoScreenLib.study.cohort import CohortRow
    from OsteoScreenLib.study.evaluation.predict_cohort import upright

    row = CohortRow(0, "", given.folder / image, 0)
    drawn = failure_picture(lambda: upright(row, given.gate), given.classifier) if row.image.is_file() else None
    if drawn is None:
        return None
    stream = io.BytesIO()
    Image.fromarray(drawn).save(stream, "PNG")
    return stream.getvalue()


def _facts(given: _Given) -> dict[str, Any]:
    from OsteoScreenLib.explain.analyse import versions
    from OsteoScreenLib.study.cohort import cohort_digest

    facts: dict[str, Any] = {
        "osteoscreen": __version__,
        "statements": given.statements(),
        "versions": versions(),
        "split": given.split,
    }
    facts["model"] = None
    if given.classifier is not None:
        model = given.classifier.model
        facts["model"] = {
            "id": model.id, "title": model.title, "sha256": model.bundle.sha256, "weights_sha256": model.bundle.weights_sha256,
            "device": given.classifier.device.type, "precision": given.classifier.precision,
        }  # fmt: skip
    facts["cohort"] = None
    if given.rows:
        facts["cohort"] = {"rows": len(given.rows), "sha256": cohort_digest(given.rows, given.folder)}
    facts["image_check"] = given.gate is not None
    facts["left_out"] = list(given.left_out)
    return facts


def _told(facts: dict[str, Any], evaluation: Evaluation) -> Iterator[tuple[str, Any]]:
    if facts["model"] is not None:
        yield "model", f"{facts['model']['id']}, SHA-256 {facts['model']['sha256']}"
        yield "computed", f"on {facts['model']['device']} in {facts['model']['precision']}"
    if facts["cohort"] is not None:
        yield "table", f"{facts['cohort']['rows']} rows, SHA-256 {facts['cohort']['sha256']}; evaluated: {facts['split']}"
    yield "image check", "images laid as the gate says" if facts["image_check"] else "images taken as they are"
    yield "draws of patients", f"{evaluation.options.draws}, seed {evaluation.options.seed}"
    yield "versions", ", ".join(f"{name} {value}" for name, value in facts["versions"].items())


def _title(given: _Given) -> str:
    return "predictions" if given.classifier is None else given.classifier.model.title


def _print(evaluation: Evaluation, files: dict[str, Path], given: _Given, as_json: bool) -> None:
    from OsteoScreenLib.study.evaluation.evaluation_words import sentences

    if as_json:
        auc = evaluation.per_image.auc()
        print(
            json.dumps(
                {
                    "osteoscreen": __version__, "images": evaluation.per_image.count, "patients": evaluation.per_image.patients,
                    "auc": None if auc is None else auc.value, "left_out": list(given.left_out),
                    "files": {kind: str(path) for kind, path in files.items()},
                }
            )
        )  # fmt: skip
        return
    for sentence in (*sentences(evaluation), *evaluation.remarks):
        print(sentence)
    for sentence in given.left_out[:10]:
        print(f"Left out: {sentence}", file=sys.stderr)
    print(f"The report: {files['html']}, and for programs {files['csv']} and {files['json']}")
    print(" ".join(given.statements()), file=sys.stderr)
