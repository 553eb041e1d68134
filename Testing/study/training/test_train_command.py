"""`osteoscreen train`: one process or two give the same model, which the list of models then has."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from study.training.small_cohort import small_cohort

from OsteoScreenLib.cli import main
from OsteoScreenLib.study.evaluation.predictions import read_predictions

LABELS = ("normal", "osteopenia", "osteoporosis")
LIBRARY = Path(__file__).resolve().parents[3] / "OsteoScreen"


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cohort")
    rows, splits = small_cohort(folder / "images", 12)
    path = folder / "cohort.csv"
    with open(path, "w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["patient_id", "image", "label", "split"])
        writer.writerows([row.patient, f"images/{row.image.name}", LABELS[row.label], splits[row.patient]] for row in rows)
    return path


def words(table: Path, out: Path) -> list[str]:
    return [
        "train", str(table), "--out", str(out), "--backbone", "eva-x-tiny", "--random-weights", "--image-size", "32", "--tuning", "partial",
        "--epochs", "2", "--batch", "5", "--device", "cpu", "--precision", "fp32", "--json",
    ]  # fmt: skip


@pytest.mark.timeout(900)
def test_two_processes_train_the_model_that_one_trains(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OSTEOSCREEN_MODELS", str(tmp_path / "models"))
    assert main(words(table, tmp_path / "one")) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["model"] == "chest-frontal-eva-x-tiny-partial"
    assert main(["models", "list", "--json"]) == 0
    assert told["model"] in capsys.readouterr().out
    environment = {**os.environ, "PYTHONPATH": str(LIBRARY)}
    two = subprocess.run(
        [sys.executable, "-m", "OsteoScreenLib.cli", *words(table, tmp_path / "two"), "--processes", "2", "--no-add"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert two.returncode == 0, two.stderr
    assert json.loads(two.stdout)["model"] is None
    assert '"processes": 2' in (tmp_path / "two" / "log.jsonl").read_text()
    for part in ("validation", "test"):
        one, other = (read_predictions(tmp_path / run / f"predictions-{part}.csv") for run in ("one", "two"))
        assert np.abs(one.probabilities - other.probabilities).max() < 2e-3
    losses = []
    for run in ("one", "two"):
        with open(tmp_path / run / "curves.csv", encoding="utf-8") as stream:
            losses.append([float(row["training_loss"]) for row in csv.DictReader(stream)])
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)


def test_wrong_input_is_one_sentence(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = words(table, tmp_path / "out")
    wrong[wrong.index("eva-x-tiny")] = "resnet"
    assert main([word for word in wrong if word != "--json"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("There is no backbone 'resnet'") and said.count("\n") == 1
    few = table.with_name("few.csv")
    few.write_text("".join(table.read_text().splitlines(keepends=True)[:3]))
    assert main([word for word in words(few, tmp_path / "few") if word != "--json"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("mark", [".", "images", None])
def test_simulated_images_are_known_as_such_also_from_a_table_elsewhere(table: Path, tmp_path: Path, mark: str | None) -> None:
    """`osteoscreen cohort` writes its table into a folder of its own; what comes of simulated images must say so all the same."""
    shutil.copytree(table.parent, tmp_path / "made")
    if mark is not None:
        (tmp_path / "made" / mark / "simulation.json").write_text("{}")
    (tmp_path / "checked").mkdir()
    checked = tmp_path / "checked" / "cohort.csv"
    checked.write_text(table.read_text(encoding="utf-8").replace("images/", "../made/images/"), encoding="utf-8")
    given = words(checked, tmp_path / "run")
    given[given.index("partial")] = "linear"
    assert main([*given, "--no-add"]) == 0
    manifest = json.loads((tmp_path / "run" / "bundle" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["training"]["simulated"] is (mark is not None)
