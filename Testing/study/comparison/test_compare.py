"""The whole comparison on a small cohort: true to its parts, honest about what it is, resumable, and refused in one sentence."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from scipy.stats import kendalltau, rankdata, spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from study.comparison import mini

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.study.comparison.comparison import Comparison
from OsteoScreenLib.study.comparison.plan import RANDOM_WEIGHTS
from OsteoScreenLib.study.evaluation.predictions import read_predictions

FAMILIES = ("openclip", "raddino")


def read_csv(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mini.write_mini(tmp_path_factory.mktemp("cohort") / "drawn", 84)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("compared") / "out"


@pytest.fixture(scope="module")
def compared(table: Path, out: Path) -> Comparison:
    return mini.run_mini(table, out, mini.plan_of(FAMILIES))


def test_every_row_is_what_its_own_files_say(compared: Comparison, out: Path) -> None:
    assert len(compared.rows) == 6 and len(compared.first_seed) == 7
    assert len({row.auc.value for row in compared.rows if row.auc is not None}) > 3
    for row in compared.rows:
        assert row.auc is not None and row.sensitivity is not None and row.specificity is not None and row.accuracy is not None
        test = read_predictions(out / row.folder / "training" / "predictions-test.csv")
        positive = test.label == 2
        assert row.auc.value == pytest.approx(roc_auc_score(positive, test.osteoporosis))
        assert row.auc.low < row.auc.value < row.auc.high or row.auc.value == 1
        point = json.loads((out / row.folder / "training" / "bundle" / "manifest.json").read_text())["operating_points"]
        yes = test.osteoporosis >= point["osteoporosis"]
        assert row.sensitivity.value == pytest.approx(yes[positive].mean())
        assert row.specificity.value == pytest.approx((~yes)[~positive].mean())
        assert row.accuracy.value == pytest.approx((yes == positive).mean())
        assert (row.images, row.positives) == (len(test), positive.sum())
        held = json.loads((out / row.folder / "bones" / "effects.json").read_text())
        everything = next(one for one in held["rows"] if one["of"] == "all")
        assert row.bones is not None and row.bones.delta_all is not None and row.bones.iou_all is not None
        assert row.bones.delta_all.value == everything["delta"]["value"]
        assert row.bones.iou_all.value == everything["overlap"]["iou_otsu"]["value"]
        groups = [one["delta"]["value"] for one in held["rows"] if one["of"] == "group" and one["delta"]]
        assert row.bones.best_groups[0][1].value == max(groups)
        assert (out / row.folder / "bones" / "effects.html").is_file()
        assert (out / row.folder / "evaluation" / "report.html").is_file()


def test_the_baseline_knows_age_alone(compared: Comparison, table: Path) -> None:
    cohort = mini.cohort_of(table)
    training, test = cohort.of("training"), cohort.of("test")
    fit = LogisticRegression(C=1e9).fit([[row.age] for row in training], [row.label == 2 for row in training])
    risk = fit.decision_function([[row.age] for row in test])
    row = compared.baseline
    assert row is not None and row.auc is not None and row.seed is None and row.accuracy is None
    assert row.auc.value == pytest.approx(roc_auc_score([one.label == 2 for one in test], risk))
    assert len(compared.tests) == 6 and "fitted on the training images" in compared.baseline_note


def test_the_tables_say_what_the_models_are(compared: Comparison, out: Path) -> None:
    lines = read_csv(out / "comparison.csv")
    assert len(lines) == 7 and all(RANDOM_WEIGHTS in line["note"] for line in lines[:-1])
    assert lines[0]["published_auc"] == "0.73" and "stands in for OpenCLIP" in lines[0]["note"]
    areas = [float(line["auc"]) for line in read_csv(out / "comparison-sorted.csv")]
    assert areas == sorted(areas, reverse=True) and sorted(areas) == sorted(float(line["auc"]) for line in lines)
    held = json.loads((out / "comparison.json").read_text())
    assert held["cohort"]["partitions"][0]["split"] == "training" and held["published"]["not_published"]
    assert any("random weights" in sentence for sentence in held["statements"])
    page = (out / "comparison.html").read_text()
    for words in ("Research use only", "CLAIM 2024", "TRIPOD+AI", "for the author to fill in", "age alone", "of 4,163"):
        assert words in page, words
    assert not re.search(r"(src|href)=\"(?!data:)", page) and page.count("data:image/png") == 3
    assert page.count(RANDOM_WEIGHTS) >= 7


def test_ranks_and_correlations_follow_from_the_table(compared: Comparison, out: Path) -> None:
    lines = read_csv(out / "comparison.csv")[:-1]
    auc = [float(line["auc"]) for line in lines]
    for correlation, column in zip(compared.rankings[0].correlations, ("iou_all_bones", "delta_all_bones"), strict=True):
        assert correlation.rho is not None and correlation.models == 6
        assert correlation.rho.value == pytest.approx(spearmanr(auc, [float(line[column]) for line in lines])[0])
    ranks = {one.name: one.rank for one in compared.rankings[0].standings}
    assert ranks == {line["title"]: rank for line, rank in zip(lines, rankdata([-value for value in auc]), strict=True)}
    page = (out / "comparison.html").read_text()
    assert not compared.agreements and "give a second one with --seeds 0,1" in page and "What this cannot show" in page


def test_a_second_seed_shows_how_sure_the_ranking_is(table: Path, tmp_path: Path) -> None:
    first, plan = (mini.plan_of(("openclip", "chexagent"), seeds, ("linear", "partial")) for seeds in ((0,), (0, 5)))
    mini.run_mini(table, tmp_path / "out", first, bones=False)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("bundle/*")}
    found = mini.run_mini(table, tmp_path / "out", plan, bones=False)
    assert before and before == {path: path.stat().st_mtime_ns for path in before}, "the first seed's models stay"
    assert json.loads((tmp_path / "out" / "run.json").read_text())["plan"]["seeds"] == [0, 5]
    (both,) = found.agreements
    assert both.seeds == (0, 5) and both.models == 4 and both.tau is not None
    auc = {seed: [row.auc.value for row in found.rows if row.auc is not None and row.seed == seed] for seed in (0, 5)}
    assert both.tau.value == pytest.approx(kendalltau(auc[0], auc[5])[0])
    # Linear probing has nothing random in it; tuning by gradients has.
    same = [one == other for one, other in zip(auc[0], auc[5], strict=True)]
    assert same[0] and same[2] and not all(same) and both.unmoved == sum(same)
    page = (tmp_path / "out" / "comparison.html").read_text()
    assert "Kendall" in page and "AUC, seed 5" in page and len(read_csv(tmp_path / "out" / "comparison.csv")) == 9
    assert page.count("omitted: no masks") >= 4 and set(found.figures) == {"roc"}
    assert found.rows[0].bones is None and found.rankings[0].correlations[0].rho is None
    assert {line["bones_note"] for line in read_csv(tmp_path / "out" / "comparison.csv")[:-1]} == {"omitted: no masks"}


def test_a_second_call_trains_nothing(compared: Comparison, table: Path, out: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in out.rglob("bundle/*")}
    page = (out / "comparison.html").read_bytes()
    mini.run_mini(table, out, mini.plan_of(FAMILIES))
    assert before and before == {path: path.stat().st_mtime_ns for path in out.rglob("bundle/*")}
    assert (out / "comparison.html").read_bytes() == page
    with pytest.raises(InputError, match="differs in: plan; choose another folder") as caught:
        mini.run_mini(table, out, mini.plan_of(FAMILIES, seeds=(1,)))
    assert caught.value.code == "run-differs"


def test_killed_twice_and_resumed_it_equals_the_uninterrupted_run(table: Path, tmp_path: Path) -> None:
    def command(out: str) -> list[str]:
        return [sys.executable, mini.__file__, str(table), str(tmp_path / out), "0", "bones"]

    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "OMP_NUM_THREADS": "1"}
    models = tmp_path / "killed" / "seed-0"
    # In the second model's training, then in the third one's images with bones covered.
    for there in (lambda: list((models / "openclip-partial" / "training").glob("checkpoints/step-*.json")),
                  lambda: len(list((models / "openclip-lora" / "bones" / "rows").glob("[0-9]*.json"))) > 3):  # fmt: skip
        process = subprocess.Popen(command("killed"), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 200
        while not there() and time.monotonic() < end:
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert there() and not (tmp_path / "killed" / "comparison.csv").exists()
    for out in ("killed", "whole"):
        ended = subprocess.run(command(out), env=environment, capture_output=True, text=True, timeout=280)
        assert ended.returncode == 0, ended.stderr
    for name in ("comparison.csv", "comparison-sorted.csv", "comparison.json", "comparison.html", "roc.png", "run.json"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    events = [
        json.loads(line)["event"] for line in (models / "openclip-partial" / "training" / "log.jsonl").read_text().splitlines()
    ]
    assert events.count("started") == 2 and "resumed" in events
