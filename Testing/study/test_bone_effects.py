"""What bones are worth over a cohort: true on a model that reads one bone, resumable, and honest about what was left out."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from sklearn.metrics import roc_auc_score
from study.drawn_cohort import BONE, LABELS, bones, reading_bundle, table_rows, write_cohort, write_table

from OsteoScreenLib.bundle import Bundle
from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.cli import main
from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.explain.covering import Coverer
from OsteoScreenLib.explain.overlap import measure_overlap
from OsteoScreenLib.explain.saliency_map import saliency_map
from OsteoScreenLib.radiograph.read import read_radiograph
from OsteoScreenLib.study.bone_effects import EffectOptions, Reader
from OsteoScreenLib.study.bone_effects_run import measure_cohort
from OsteoScreenLib.study.bone_effects_summary import CohortEffects, summarise
from OsteoScreenLib.study.cohort import read_cohort

IMAGES = 24
READER = Reader(gate=None, segmenter=None)
BLACK = EffectOptions(fill="black")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return reading_bundle(tmp_path_factory.mktemp("models") / "reads-one-bone")


@pytest.fixture(scope="module")
def classifier(bundle: Bundle) -> Classifier:
    return Classifier.load(bundle, "cpu", "fp32")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cohort(tmp_path_factory.mktemp("cohort") / "drawn", IMAGES, noise=0.12)


def effects_of(
    table: Path, folder: Path, classifier: Classifier, options: EffectOptions = BLACK, draws: int = 200
) -> CohortEffects:
    rows = read_cohort(table)
    facts = measure_cohort(rows, table.parent, folder, classifier, READER, options)
    return summarise(folder, rows, facts, draws)


@pytest.fixture(scope="module")
def effects(cohort: Path, classifier: Classifier, tmp_path_factory: pytest.TempPathFactory) -> CohortEffects:
    return effects_of(cohort, tmp_path_factory.mktemp("effects") / "out", classifier)


def test_a_model_that_reads_one_bone_owes_everything_to_it(effects: CohortEffects) -> None:
    rows = {(row.of, row.name): row for row in effects.rows}
    assert effects.no_bone is not None and effects.no_bone.value == 0.5 and effects.no_bone.low == effects.no_bone.high == 0.5
    assert effects.untouched is not None and 0.8 < effects.untouched.value < 1
    for key in (("bone", BONE), ("group", "Spine"), ("all", "all bones")):
        delta, loss = rows[key].delta, rows[key].loss
        assert delta is not None and loss is not None
        assert delta.value == pytest.approx(effects.untouched.value - 0.5) and delta.low > 0.1
        assert loss.value == pytest.approx(effects.untouched.value - 0.5)
    for row in effects.rows:
        if row.images and row.name not in (BONE, "Spine", "all bones"):
            assert row.delta is not None and (row.delta.value, row.delta.low, row.delta.high) == (0, 0, 0), row.name
            assert row.loss is not None and row.loss.value == 0
        if not row.images:
            assert row.delta is row.loss is row.auc_alone is row.overlap["iou_otsu"] is None
    ranking = [row for row in effects.rows if row.of == "bone" and row.delta is not None]
    assert max(ranking, key=lambda row: row.delta.value).name == BONE  # type: ignore[union-attr]
    enrichment = {row.name: row.overlap["enrichment"] for row in effects.rows if row.of == "bone" and row.images}
    assert enrichment[BONE] is not None and enrichment[BONE].low > 1
    assert all(other is not None and other.value < enrichment[BONE].value for name, other in enrichment.items() if name != BONE)


def test_the_table_is_what_plain_forward_passes_give(cohort: Path, classifier: Classifier, effects: CohortEffects) -> None:
    """Δ and the loss of three bones, and IoU, worked out anew from the images and scikit-learn."""
    masks, names = bones(), ("T6", BONE, "right rib 5")
    scores: dict[str, list[float]] = {}
    ious: list[float | None] = []
    records = table_rows(cohort)
    positive = [record["label"] == "osteoporosis" for record in records]
    for record in records:
        radiograph = read_radiograph(cohort.parent / record["image"])
        coverer = Coverer(radiograph.pixels, masks, fill="black")
        shown = {"untouched": radiograph.pixels, "no bone": coverer.cover(masks.names)}
        for name in names:
            others = [other for other in masks.names if other != name]
            shown[f"{name} alone"] = Coverer(radiograph.pixels, masks, "add-back", "black").cover(others)
            shown[f"{name} removed"] = coverer.cover([name])
        for what, pixels in shown.items():
            scores.setdefault(what, []).append(float(classifier.predict(pixels[None])[0, 2]))
        overlap = {row.name: row for row in measure_overlap(saliency_map(classifier, radiograph.pixels), masks)}
        ious.append(overlap[BONE].iou_otsu)
    auc = {what: roc_auc_score(positive, values) for what, values in scores.items()}
    rows = {row.name: row for row in effects.rows if row.of == "bone"}
    for name in names:
        row = rows[name]
        assert row.delta is not None and row.loss is not None
        assert row.delta.value == pytest.approx(auc[f"{name} alone"] - max(auc["no bone"], 0.5), abs=1e-9)
        assert row.loss.value == pytest.approx(auc["untouched"] - auc[f"{name} removed"], abs=1e-9)
    iou = rows[BONE].overlap["iou_otsu"]
    assert iou is not None and iou.value == pytest.approx(np.mean([value for value in ious if value is not None]), abs=1e-6)
    assert effects.images == IMAGES and effects.patients == len({record["patient_id"] for record in records})
    assert effects.classes == {label: sum(record["label"] == label for record in records) for label in LABELS}


def test_another_target_changes_who_is_positive(cohort: Path, classifier: Classifier, tmp_path: Path) -> None:
    options = EffectOptions(target="low bone mass", fill="black", saliency="none")
    found = effects_of(cohort, tmp_path / "out", classifier, options)
    scores, positive = [], []
    for record in table_rows(cohort):
        answer = classifier.predict(read_radiograph(cohort.parent / record["image"]).pixels[None])[0]
        scores.append(answer[1] + answer[2])
        positive.append(record["label"] != "normal")
    assert found.untouched is not None and found.untouched.value == pytest.approx(roc_auc_score(positive, scores))
    assert all(value is None for row in found.rows for value in row.overlap.values())


def test_killed_twice_and_resumed_it_equals_the_uninterrupted_run(bundle: Bundle, tmp_path: Path) -> None:
    table = write_cohort(tmp_path / "cohort", 40, seed=5, shape=(448, 448), noise=0.2)

    def command(out: str) -> list[str]:
        return [sys.executable, "-m", "OsteoScreenLib.cli", "explain-cohort", str(table), "-o", str(tmp_path / out), "--model",
                str(bundle.folder), "--device", "cpu", "--precision", "fp32", "--no-image-check", "--draws", "100"]  # fmt: skip

    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "OMP_NUM_THREADS": "1"}
    for after in (4, 17):
        process = subprocess.Popen(command("killed"), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 120
        while len(list((tmp_path / "killed" / "rows").glob("[0-9]*.json"))) < after and time.monotonic() < end:
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        held = len(list((tmp_path / "killed" / "rows").glob("[0-9]*.json")))
        assert after <= held < 40 and not (tmp_path / "killed" / "effects.csv").exists()
    for out in ("killed", "whole"):
        ended = subprocess.run(command(out), env=environment, capture_output=True, text=True, timeout=240)
        assert ended.returncode == 0, ended.stderr
    for name in ("effects.csv", "effects.json", "effects.md", "effects.html", "run.json"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert len(table_rows(tmp_path / "whole" / "effects.csv")) == 1 + 7 + 46


def test_memory_stays_flat_over_many_images(classifier: Classifier, tmp_path: Path) -> None:
    table = write_cohort(tmp_path / "cohort", 45, seed=6, shape=(560, 560))
    held: list[int] = []

    def note(done: int, total: int, left_out: int) -> None:
        if done % 5 == 0:
            gc.collect()
        held.append(psutil.Process().memory_info().rss)

    rows = read_cohort(table)
    measure_cohort(rows, table.parent, tmp_path / "out", classifier, READER, EffectOptions(fill="black"), note)
    # One radiograph in float32 with its masks takes 2 MB; the 25 of the second half would take 50.
    assert len(held) == 46 and max(held[40:]) - max(held[12:20]) < 20e6, held


def test_what_cannot_be_read_is_left_out_and_said_and_tried_again(cohort: Path, classifier: Classifier, tmp_path: Path) -> None:
    records = [
        {**record, **{key: str(cohort.parent / record[key]) for key in ("image", "masks")}} for record in table_rows(cohort)
    ]
    (tmp_path / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n torn")
    records[3]["image"], records[5]["masks"] = str(tmp_path / "torn.png"), str(tmp_path / "nowhere.seg.nrrd")
    table = write_table(tmp_path / "cohort.csv", records)
    found = effects_of(table, tmp_path / "out", classifier)
    assert found.images == IMAGES - 2 and len(found.left_out) == 2
    assert found.left_out[0].startswith("Row 5, column image: torn.png") and found.left_out[1].startswith(
        "Row 7, column masks: "
    )
    assert all("\n" not in sentence for sentence in found.left_out)

    good = table_rows(cohort)
    (tmp_path / "torn.png").write_bytes((cohort.parent / good[3]["image"]).read_bytes())
    (tmp_path / "nowhere.seg.nrrd").write_bytes((cohort.parent / good[5]["masks"]).read_bytes())
    done: list[tuple[int, int, int]] = []
    rows = read_cohort(table)
    measure_cohort(rows, tmp_path, tmp_path / "out", classifier, READER, BLACK, lambda *told: done.append(told))
    assert done == [(IMAGES - 2, IMAGES, 0), (IMAGES - 1, IMAGES, 0), (IMAGES, IMAGES, 0)]


def test_a_folder_belongs_to_one_run(cohort: Path, classifier: Classifier, tmp_path: Path) -> None:
    rows = read_cohort(cohort)

    def run(folder: Path, options: EffectOptions = BLACK, count: int = IMAGES) -> None:
        measure_cohort(rows[:count], cohort.parent, folder, classifier, READER, options)

    run(tmp_path / "out")
    before = (tmp_path / "out" / "run.json").read_bytes()
    for options, count, what in ((EffectOptions(fill="mean"), IMAGES, "options"), (BLACK, IMAGES - 1, "cohort")):
        with pytest.raises(InputError, match=f"differs in: {what}; choose another folder") as caught:
            run(tmp_path / "out", options, count)
        assert caught.value.code == "run-differs"
    assert (tmp_path / "out" / "run.json").read_bytes() == before
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange" / "thesis.txt").write_text("keep me")
    with pytest.raises(InputError, match="not empty"):
        run(tmp_path / "strange")
    for options, words in (
        (EffectOptions(target="fracture"), "no target"),
        (EffectOptions(saliency="dowsing"), "no saliency method"),
        (EffectOptions(fill="pink"), "no fill"),  # type: ignore[arg-type]
    ):
        with pytest.raises(InputError, match=words):
            run(tmp_path / words.replace(" ", "-"), options)


def test_one_class_alone_and_no_image_at_all_are_one_sentence(cohort: Path, classifier: Classifier, tmp_path: Path) -> None:
    records = [{**record, "image": f"nowhere/{n}.png"} for n, record in enumerate(table_rows(cohort))]
    table = write_table(tmp_path / "cohort.csv", records)
    with pytest.raises(InputError, match="No image of the cohort could be measured; the first reason is: Row 2, column image"):
        effects_of(table, tmp_path / "out", classifier)
    same = write_table(tmp_path / "same.csv", [{**record, "label": "normal"} for record in records])
    with pytest.raises(InputError, match="No image of the table is of osteoporosis"):
        effects_of(same, tmp_path / "same", classifier)


def test_when_one_class_is_left_the_table_says_so(cohort: Path, classifier: Classifier, tmp_path: Path) -> None:
    records = [
        {**record, **{key: str(cohort.parent / record[key]) for key in ("image", "masks")}} for record in table_rows(cohort)
    ]
    for record in records:
        if record["label"] == "osteoporosis":
            record["image"] += ".lost"
    found = effects_of(write_table(tmp_path / "cohort.csv", records), tmp_path / "out", classifier)
    from OsteoScreenLib.study.bone_effects_table import as_csv, as_json, as_markdown

    assert found.untouched is None and all(row.delta is None for row in found.rows)
    assert "not defined" in as_markdown(found) and json.loads(as_json(found))["untouched"] is None
    assert as_csv(found).splitlines()[1].startswith("all,all bones,")
    assert found.rows[0].overlap["iou_otsu"] is not None


def test_a_device_that_gives_out_and_an_answer_that_is_no_number_stop_the_run(
    cohort: Path, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    rows = read_cohort(cohort)
    moved = Classifier.load(bundle, "cpu", "fp32")
    moved.precision = "bf16"
    forward, failed = moved.network.forward, []

    def full_once(inputs: Any) -> Any:
        if not failed:
            failed.append(True)
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        return forward(inputs)

    monkeypatch.setattr(moved.network, "forward", full_once)
    with pytest.raises(OsteoScreenError, match="ran out of memory"):
        measure_cohort(rows, cohort.parent, tmp_path / "moved", moved, READER, BLACK)
    assert list((tmp_path / "moved" / "rows").iterdir()) == []

    broken = Classifier.load(bundle, "cpu", "fp32")
    monkeypatch.setattr(broken.network, "forward", lambda inputs: torch.full((len(inputs), 3), torch.nan))
    with pytest.raises(OsteoScreenError, match="no finite probability"):
        measure_cohort(rows, cohort.parent, tmp_path / "broken", broken, READER, BLACK)


def test_the_command_writes_its_tables_and_says_where(
    cohort: Path, bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["explain-cohort", str(cohort), "-o", str(tmp_path / "out"), "--model", str(bundle.folder), "--device", "cpu", "--precision",
             "fp32", "--no-image-check", "--draws", "100", "--fill", "black", "--json"]  # fmt: skip
    assert main(given) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["images"] == IMAGES and printed["left_out"] == []
    table = {row["name"]: row for row in table_rows(Path(printed["files"]["csv"]))}
    assert float(table[BONE]["delta_low"]) > 0.1 and table["sternum"]["delta"] == ""
    whole = json.loads(Path(printed["files"]["json"]).read_text(encoding="utf-8"))
    assert whole["research_use_only"] is True and len(whole["rows"]) == 54 and whole["draws"] == 100
    page = Path(printed["files"]["html"]).read_text(encoding="utf-8")
    assert "Research use only" in page and "simulated" in page and f"<td>{BONE}</td>" in page
    assert not any(word in page for word in ("http:", "https:", "src=", "href="))
    assert f"| {BONE} | {IMAGES} |" in Path(printed["files"]["markdown"]).read_text(encoding="utf-8")
    assert main([*given[:-1], "--fill", "mean"]) == 2
    assert "differs in: options" in capsys.readouterr().err
