"""`osteoscreen compare` as a user runs it: everything that is wrong is one sentence, and known before anything is trained."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from study.comparison.mini import write_mini

from OsteoScreenLib.cli import main


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mini(tmp_path_factory.mktemp("cohort") / "drawn", 48)


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        (["--backbones", "dinov2=nothing", "--random-weights"], "backbone-unknown", "known are"),
        (["--backbones", "dinov2=dinov2-small"], "base-missing", "osteoscreen models fetch dinov2-small"),
        (["--backbones", "dinov2"], "backbones", "write for example"),
        (["--tunings", "full"], "tuning", "linear, partial, lora"),
        (["--seeds", "x"], "seeds", "0,1"),
        (["--random-weights", "--fill", "red"], "option", "choose one of mean"),
        (["--random-weights", "--saliency", "magic"], "option", "grad-cam"),
        (["--random-weights", "--site", "ankle"], "site", "known are chest-frontal, knee"),
        (["--random-weights", "--split", "70,30"], "option", "70,10,20"),
        (["--random-weights", "--split", "80,20,0"], "split-empty", "give it a share"),
        (["--random-weights", "--no-bones", "--device", "abacus"], None, ""),
        (
            ["--random-weights", "--no-bones", "--image-size", "30", "--backbones", "dinov2=dinov2-small"],
            "image-size",
            "multiple of 14",
        ),
    ],
)
def test_what_is_wrong_is_one_sentence(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], given: list[str], code: str | None, words: str
) -> None:
    folder = tmp_path / "weights"
    folder.mkdir()
    where = [] if "--random-weights" in given else ["--weights-folder", str(folder)]
    assert main(["compare", str(table), "--out", str(tmp_path / "out"), "--json", *given, *where]) == 2
    told = capsys.readouterr()
    error = json.loads(told.out)["error"]
    assert words in error["sentence"] and "\n" not in error["sentence"] and "Traceback" not in told.err
    assert code is None or error["code"] == code
    assert not list((tmp_path).glob("out/**/checkpoints")) and not list(tmp_path.glob("out/**/bundle"))


def test_weights_and_random_weights_do_not_go_together(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--random-weights", "--weights-folder", str(tmp_path)]
    assert main(["compare", str(table), "--out", str(tmp_path / "out"), *given]) == 2
    assert capsys.readouterr().err.strip().endswith("not both.")


def test_a_registered_backbone_from_the_command_line(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["compare", str(table), "--out", str(tmp_path / "out"), "--backbones", "dinov2=dinov2-small", "--random-weights",
               "--tunings", "linear", "--image-size", "28", "--split", "50,20,30", "--no-bones", "--device", "cpu", "--precision",
               "fp32", "--draws", "100", "--real", "--json"]  # fmt: skip
    assert main(command) == 0
    told = json.loads(capsys.readouterr().out)
    with open(told["files"]["csv"], encoding="utf-8", newline="") as stream:
        (row, baseline) = csv.DictReader(stream)
    assert float(row["auc"]) == told["auc"]["seed-0/dinov2-linear"] and row["backbone"] == "dinov2-small"
    assert row["note"] == "random weights: not the published model" and row["bones_note"] == "omitted: not asked for"
    assert baseline["model"] == "baseline" and float(baseline["auc"]) > 0
    page = Path(told["files"]["html"]).read_text(encoding="utf-8")
    assert (
        "50 : 20 : 30 by class, seed 0" in page and "simulated" not in page.split("What this cannot show")[1].split("<h2>")[0]
    )
