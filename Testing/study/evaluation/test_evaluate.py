"""Predictions in and out of files, what an evaluation refuses, and what the command leaves behind."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from PIL import Image
from study.drawn_cohort import reading_bundle, write_cohort
from study.evaluation.synthetic import synthetic

from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.classifier.prediction import OperatingPoints
from OsteoScreenLib.cli import main
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.files import resource_folder
from OsteoScreenLib.radiograph.read import read_radiograph
from OsteoScreenLib.study.cohort import read_cohort
from OsteoScreenLib.study.evaluation.evaluate import EvaluationOptions, evaluate
from OsteoScreenLib.study.evaluation.predict_cohort import predict_cohort
from OsteoScreenLib.study.evaluation.predictions import Predictions, read_predictions, write_predictions

FEW = EvaluationOptions(draws=100)
HEAD = "image,patient_id,label,p_normal,p_osteopenia,p_osteoporosis"


def test_predictions_come_back_from_their_file_to_the_bit(tmp_path: Path) -> None:
    held = synthetic(40, 1, most_images=2)
    ages = held.age.copy()
    ages[::3] = np.nan
    held = Predictions(held.image, held.patient, held.label, held.probabilities, held.t_score, ages, held.sex)
    found = read_predictions(write_predictions(tmp_path / "p.csv", held))
    for name in ("image", "patient", "label", "probabilities", "t_score", "age", "sex", "device", "expected_t", "domain_level"):
        np.testing.assert_array_equal(getattr(found, name), getattr(held, name))


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ("a,1,normal,nan,0.5,0.5", "Row 2: column p_normal: 'nan' is no number"),
        ("a,1,normal,,0.5,0.5", "Row 2: column p_normal: nothing stands there"),
        ("a,1,normal,0.2,0.3,0.2", "Row 2: the three probabilities add up to 0.700 and not to 1"),
        ("a,1,normal,-0.2,0.7,0.5", "Row 2: -0.2 is no probability"),
        ("a,1,broken,0.2,0.3,0.5", "Row 2: column label: 'broken' is no class"),
        ("a,1,,0.2,0.3,0.5", "Row 2: neither label nor t_score is filled in"),
        ("a,,normal,0.2,0.3,0.5", "Row 2: a has no patient_id"),
        ("a,1,normal,0.2,0.3,0.5\na,2,normal,0.2,0.3,0.5", "Row 3: a stands there already"),
        ("", "has no rows"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_one_sentence(tmp_path: Path, rows: str, sentence: str) -> None:
    path = tmp_path / "p.csv"
    path.write_text(f"{HEAD}\n{rows}\n", encoding="utf-8")
    with pytest.raises(InputError) as error:
        read_predictions(path)
    assert sentence in str(error.value) and str(error.value).startswith("p.csv") and error.value.code == "predictions"


def test_a_file_without_a_column_is_named(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("image;patient_id;label\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"p\.csv has no column p_normal"):
        read_predictions(tmp_path / "p.csv")
    with pytest.raises(InputError, match="There is no file"):
        read_predictions(tmp_path / "absent.csv")


def _of_class(*classes: int) -> Predictions:
    held = synthetic(200, 3)
    return held.take(np.isin(held.label, classes))


@pytest.mark.parametrize(
    ("call", "code", "sentence"),
    [
        (lambda: evaluate(synthetic(90, 1, name="v"), _of_class(0, 1), FEW), "one-class", "no image of osteoporosis"),
        (lambda: evaluate(synthetic(90, 1, name="v"), _of_class(2), FEW), "one-class", "only class"),
        (lambda: evaluate(None, synthetic(90, 1), FEW), "no-validation", "no validation images"),
        (
            lambda: evaluate(_of_class(0), synthetic(90, 1, name="t"), FEW),
            "validation-class",
            "no osteoporosis among the validation",
        ),
        (lambda: evaluate(synthetic(90, 1), synthetic(90, 2), FEW), "leak", "patients are in validation and in test"),
        (
            lambda: evaluate(None, synthetic(90, 1), EvaluationOptions(prevalence=5, points=OperatingPoints(0.3, 0.5))),
            "prevalence",
            "prevalence of 5",
        ),
        (lambda: evaluate(synthetic(90, 1, name="v"), synthetic(90, 2), EvaluationOptions(draws=9)), "draws", "too few"),
        (
            lambda: evaluate(synthetic(90, 1, name="v"), synthetic(90, 2), EvaluationOptions(sensitivity=1.2)),
            "sensitivity",
            "1.2",
        ),
    ],
)
def test_what_cannot_be_evaluated_is_refused(call: Callable[[], object], code: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as error:
        call()
    assert error.value.code == code


def test_one_patient_is_no_cohort() -> None:
    held = synthetic(60, 1)
    alone = Predictions(held.image, np.full(len(held), "only"), held.label, held.probabilities)
    with pytest.raises(InputError, match="all of one patient") as error:
        evaluate(None, alone, FEW)
    assert error.value.code == "patients"


def test_a_model_s_own_points_decide_and_need_no_validation_images() -> None:
    found = evaluate(None, synthetic(150, 2), EvaluationOptions(draws=100, points=OperatingPoints(0.4, 0.6)))
    assert found.primary == "model's own" and found.per_image.ordinal.thresholds == {"osteoporosis": 0.4, "low bone mass": 0.6}
    assert {one.point.name for one in found.per_image.decisions} == {"model's own"}
    assert any("only the model's own" in remark for remark in found.remarks)


def test_the_seed_decides_the_draws_and_nothing_else() -> None:
    one, same, other = (
        evaluate(synthetic(80, 1, name="v"), synthetic(90, 2), EvaluationOptions(draws=150, seed=seed)).per_image.auc()
        for seed in (1, 1, 2)
    )
    assert one == same and one is not None and other is not None
    assert one.bootstrap != other.bootstrap and one.clustered == other.clustered


def _schema() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(
        json.loads(resource_folder("Schemas", "evaluation.schema.json").read_text(encoding="utf-8"))
    )


def test_the_command_on_predictions_writes_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, held in (
        ("t", synthetic(150, 2, most_images=2, name="t")),
        ("v", synthetic(120, 1, name="v")),
        ("d", synthetic(100, 4, name="d")),
    ):
        write_predictions(tmp_path / f"{name}.csv", held)
    out = tmp_path / "out"
    arguments = [
        "evaluate",
        "--predictions",
        str(tmp_path / "t.csv"),
        "--validation",
        str(tmp_path / "v.csv"),
        "--out",
        str(out),
    ]
    assert main([*arguments, "--development", str(tmp_path / "d.csv"), "--prevalence", "0.05", "--draws", "100", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    table = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))
    _schema().validate(table)
    assert printed["auc"] == table["per_image"]["aucs"][0]["value"] and table["drift"] is not None
    lines = list(csv.DictReader((out / "evaluation.csv").open(encoding="utf-8")))
    auc = next(one for one in lines if (one["measure"], one["interval"], one["group"]) == ("AUC", "DeLong by patients", "all"))
    assert float(auc["value"]) == pytest.approx(printed["auc"]) and float(auc["low"]) < float(auc["value"]) < float(auc["high"])
    drawn = {path.stem for path in (out / "figures").glob("*.png")}
    assert drawn == {"roc", "scores", "confusion", "calibration", "decision_curve", "subgroups", "agreement", "drift"}
    for path in (out / "figures").glob("*.png"):
        assert np.asarray(Image.open(path).convert("L")).std() > 5
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Research use only" in page and page.count("data:image/png;base64,") == len(drawn)
    assert "://" not in page and "PPV at 5 %" in page and "DeLong" in page
    assert read_predictions(out / "predictions.csv").image.tolist() == read_predictions(tmp_path / "t.csv").image.tolist()


def test_the_command_runs_a_bundle_over_a_table_and_shows_the_failures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = write_cohort(tmp_path / "cohort", 90, seed=5, noise=0.25)
    rows = list(csv.DictReader(table.open(encoding="utf-8")))
    splits = {
        name: ("validation", "test")[place % 2] for place, name in enumerate(dict.fromkeys(r["patient_id"] for r in rows))
    }
    with table.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, [*rows[0], "split", "age", "sex"])
        writer.writeheader()
        for place, row in enumerate(rows):
            writer.writerow(row | {"split": splits[row["patient_id"]], "age": 50 + place % 30, "sex": "FM"[place % 2]})
    broken = next(row for row in rows if splits[row["patient_id"]] == "test")
    (table.parent / broken["image"]).write_bytes(b"no image")
    bundle = reading_bundle(tmp_path / "bundle")
    out = tmp_path / "out"
    options = ["--out", str(out), "--draws", "100", "--failures", "2", "--device", "cpu"]
    code = main(["evaluate", str(tmp_path / "bundle"), str(table), *options])
    told = capsys.readouterr()
    assert code == 0, told.err
    held = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))
    _schema().validate(held)
    assert held["model"]["id"] == bundle.id and held["primary"] == "model's own" and len(held["left_out"]) == 1
    assert "Left out: Row" in told.err
    test = read_predictions(out / "predictions.csv")
    assert {splits[one] for one in test.patient} == {"test"} and broken["image"] not in test.image
    classifier = Classifier.load(bundle, device="cpu")
    pixels = read_radiograph(table.parent / str(test.image[3])).pixels
    np.testing.assert_allclose(test.probabilities[3], classifier.predict(pixels[None])[0], atol=1e-5)
    names = {one["point"]["name"] for one in held["per_image"]["decisions"]}
    assert names == {"model's own", "Youden", "sensitivity 0.90"}
    pictures = sorted((out / "figures").glob("failure-*.png"))
    assert len(pictures) == len(held["failures"]) and all(Image.open(path).width > 400 for path in pictures)


def test_predicting_a_cohort_stops_where_no_image_can_be_read(tmp_path: Path) -> None:
    table = tmp_path / "cohort.csv"
    table.write_text("patient_id,image,label\n1,a.png,normal\n2,b.png,osteoporosis\n", encoding="utf-8")
    classifier = Classifier.load(reading_bundle(tmp_path / "bundle"), device="cpu")
    with pytest.raises(InputError, match="No image of the table could be read; the first reason is: Row 2") as error:
        predict_cohort(classifier, read_cohort(table), tmp_path)
    assert error.value.code == "no-images"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["evaluate"], "Give a model and a table, or predictions"),
        (["evaluate", "--predictions", "absent.csv"], "There is no file absent.csv"),
        (["evaluate", "chest-sim-classifier", "absent.csv"], "There is no table absent.csv"),
    ],
)
def test_wrong_command_lines_end_in_one_sentence(
    words: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert sentence in capsys.readouterr().err


def test_the_study_s_libraries_stay_away_from_the_command_line() -> None:
    code = "import sys, OsteoScreenLib.cli; print(sorted({'sklearn', 'statsmodels', 'matplotlib', 'scipy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={
        "PYTHONPATH": str(Path(__file__).resolve().parents[3] / "OsteoScreen"), "PATH": ""
    }).stdout.strip() == "[]"  # fmt: skip
