"""A whole training, by each way of tuning, and what comes out of it."""

from __future__ import annotations

import csv
import errno
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from study.training.small_cohort import TINY, quick, small_cohort

from OsteoScreenLib import files
from OsteoScreenLib.bundle import open_bundle
from OsteoScreenLib.classifier.backbones import build_backbone
from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.classifier.t_score import TScoreHead
from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.explain.analyse import analyse
from OsteoScreenLib.radiograph.read import read_radiograph
from OsteoScreenLib.study.cohort import CohortRow
from OsteoScreenLib.study.evaluation.predictions import read_predictions
from OsteoScreenLib.study.training.train import TrainedRun, train
from OsteoScreenLib.study.training.tuned import Tuned

Cohort = tuple[tuple[CohortRow, ...], dict[str, str]]
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return small_cohort(tmp_path_factory.mktemp("images"), 24)


def check_answers(run: TrainedRun, rows: tuple[CohortRow, ...], bases: Path | None = None) -> Classifier:
    """The bundle answers to the original files what the predictions say."""
    classifier = Classifier.load(open_bundle(run.bundle), "cpu", "fp32", bases=bases)
    images = {row.image.name: row for row in rows}
    written = read_predictions(run.predictions["test"])
    for place in (0, 5, len(written) - 1):
        row = images[written.image[place]]
        pixels = read_radiograph(row.image).pixels
        assert classifier.predict(pixels[None])[0] == pytest.approx(written.probabilities[place], abs=1e-4)
        domain = classifier.domain(pixels)
        assert domain is not None and domain.distance == pytest.approx(written.domain_distance[place], rel=1e-3)
        assert (row.patient, row.label, row.age) == (written.patient[place], written.label[place], written.age[place])
    return classifier


def test_linear_probing_to_a_bundle_that_answers(cohort: Cohort, tmp_path: Path) -> None:
    rows, splits = cohort
    shown: list[tuple[str, int, int, str]] = []
    recipe = quick(t_score=True, sensitivity=0.9, simulated=True, seed=3)
    run = train(rows, splits, recipe, tmp_path / "run", lambda *told: shown.append(told), TINY)
    classifier = check_answers(run, rows)
    assert classifier.model.simulated and classifier.model.tuning == "linear" and classifier.model.site == "chest-frontal"
    figures = json.loads((run.folder / "done.json").read_text())["figures"]
    assert figures["test"]["auc_osteoporosis"] > 0.8, "the class stands in the brightness"
    # The operating points find 90 % of the validation images.
    validation = read_predictions(run.predictions["validation"])
    points = classifier.model.operating_points
    assert (validation.osteoporosis[validation.label == 2] >= points.osteoporosis).mean() >= 0.9
    assert (validation.low_bone_mass[validation.label >= 1] >= points.low_bone_mass).mean() >= 0.9
    # What the bundle says of them was counted on the test images.
    test = read_predictions(run.predictions["test"])
    told, low = classifier.model.performance
    yes, ill = test.osteoporosis >= points.osteoporosis, test.label == 2
    assert (told.point, low.point, told.positives, told.negatives) == ("osteoporosis", "low bone mass", ill.sum(), (~ill).sum())
    assert (told.sensitivity, told.specificity) == pytest.approx((yes[ill].mean(), (~yes[~ill]).mean()))
    assert told.measured_on == f"{len(test)} test images of {test.patients} patients"
    head = TScoreHead.from_bundle(classifier.model.bundle)
    assert head is not None and np.corrcoef(validation.expected_t, validation.t_score)[0, 1] > 0.8
    # One image alone is told the same, in every file of its results.
    row = next(row for row in rows if row.image.name == Path(validation.image[0]).name)
    radiograph = read_radiograph(row.image)
    analysis = analyse(radiograph, None, classifier)
    assert analysis.prediction.expected_t_score == pytest.approx(validation.expected_t[0], abs=1e-4)
    assert json.loads(analysis.to_json())["prediction"]["expected_t_score"] == analysis.prediction.expected_t_score
    assert {stage for stage, *_ in shown} == {"Checking files", "Decoding radiographs", "Computing features"}
    assert shown[-1][1] == shown[-1][2] == len(rows)
    card = (run.bundle / "card.md").read_text()
    assert "Research use only" in card and "simulated" in card and "random weights" in card
    with open(run.folder / "curves.csv", encoding="utf-8") as stream:
        assert len(list(csv.DictReader(stream))) == 13
    assert (run.folder / "curves.png").stat().st_size > 1000
    assert not (run.folder / "features").exists()
    # Done is done; another recipe, and another cohort, are refused.
    before = (run.bundle / "manifest.json").stat().st_mtime_ns
    assert train(rows, splits, recipe, tmp_path / "run", entry=TINY) == run
    assert (run.bundle / "manifest.json").stat().st_mtime_ns == before
    with pytest.raises(InputError, match=r"holds a run that differs in recipe\.t_score; choose another folder"):
        train(rows, splits, quick(sensitivity=0.9, simulated=True, seed=3), tmp_path / "run", entry=TINY)
    with pytest.raises(InputError, match=r"differs in cohort\.images\.test, cohort\.sha256") as caught:
        train(rows[:-1], splits, recipe, tmp_path / "run", entry=TINY)
    assert caught.value.code == "run-differs"


def test_adapters_alone_beside_their_base(cohort: Cohort, tmp_path: Path) -> None:
    rows, splits = cohort
    weights = tmp_path / "bases" / "tiny.safetensors"
    weights.parent.mkdir()
    save_file(build_backbone(TINY, random=True).state_dict(), weights)
    recipe = quick(
        tuning="lora",
        weights=weights,
        random_weights=False,
        adapters_alone=True,
        epochs=1,
        lora_targets=("qkv", "fc1"),
        flip=True,
    )
    run = train(rows, splits, recipe, tmp_path / "run", entry=TINY)
    assert set(open_bundle(run.bundle).tensors()) >= {"head.weight", "head.bias"}
    assert (run.bundle / "weights.safetensors").stat().st_size < weights.stat().st_size / 3
    check_answers(run, rows, weights.parent)


def test_partial_tuning_moves_the_last_block_alone(cohort: Cohort, tmp_path: Path) -> None:
    rows, splits = cohort
    run = train(
        rows,
        splits,
        quick(tuning="partial", epochs=2, rate=1e-2, imbalance="none", augment=False),
        tmp_path / "run",
        entry=TINY,
    )
    check_answers(run, rows)
    before, after = build_backbone(TINY, random=True).state_dict(), open_bundle(run.bundle).tensors()
    moved = {name.rsplit(".", 2)[0] for name in before if (before[name] - after[name]).abs().max() > 1e-3}
    assert {name.split(".")[0] for name in moved} <= {"blocks", "norm", "fc_norm", "head"}
    assert {name.split(".")[1] for name in moved if name.startswith("blocks")} == {"2"}
    curves = (run.folder / "curves.csv").read_text().splitlines()
    assert curves[0] == "epoch,step,training_loss,validation_loss,validation_auc,rate" and len(curves) == 3


def test_merging_adapters_changes_no_answer() -> None:
    tuned = Tuned.of(build_backbone(TINY, random=True), quick(tuning="lora"))
    torch.manual_seed(0)
    for parameter in tuned.parameters().values():
        torch.nn.init.normal_(parameter, std=0.1)
    inputs = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        adapted = tuned.network.eval()(inputs)
        merged = tuned.merged()
        assert torch.allclose(merged(inputs), adapted, atol=1e-5)
    assert set(merged.state_dict()) == set(build_backbone(TINY, random=True).state_dict())


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"tuning": "partial", "blocks": 4}, "has 3 blocks"),
        ({"tuning": "lora", "lora_targets": ("query",)}, "layers that its network does not have"),
    ],
)
def test_what_the_backbone_does_not_have_is_said(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        Tuned.of(build_backbone(TINY, random=True), quick(**changes))


def test_a_full_disk_stops_a_run_that_goes_on_when_there_is_room(
    cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, splits = cohort
    recipe = quick(tuning="partial", epochs=1, checkpoint_steps=1)
    written = files._write_all

    def full(path: Path, data: bytes) -> None:
        if "step-000000002" in path.name:
            raise OSError(errno.ENOSPC, "No space left on device")
        written(path, data)

    monkeypatch.setattr(files, "_write_all", full)
    with pytest.raises(
        OsteoScreenError, match=r"^Could not write step-000000002\.safetensors in .*: No space left on device; free"
    ):
        train(rows, splits, recipe, tmp_path / "run", entry=TINY)
    monkeypatch.undo()
    run = train(rows, splits, recipe, tmp_path / "run", entry=TINY)
    assert '"resumed", "epoch": 1, "step": 1' in (run.folder / "log.jsonl").read_text()
    assert open_bundle(run.bundle).kind == "classifier"
