"""The model's results of a study: stored once, whole or not at all, without names, and read on a computer without torch."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import make_classifier_bundle, make_masks, make_radiograph
from radiograph.synthetic import data_set, save
from workbench import cases

from OsteoScreenLib.commands.store_analyses import analyse_images, run
from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.radiograph.radiograph import Placement, pixels_sha256
from OsteoScreenLib.review import analyses
from OsteoScreenLib.review.nouns import Protocol
from OsteoScreenLib.review.study import ReviewStudy, open_study
from OsteoScreenLib.workbench import stored_case
from OsteoScreenLib.workbench.answers import Answers
from OsteoScreenLib.workbench.case import Case
from OsteoScreenLib.workbench.desk import NO_STORED_ANSWER
from OsteoScreenLib.workbench.reading import Reading
from OsteoScreenLib.workbench.worker_client import WorkerClient
from OsteoScreenLib.worker.requests import AnalysisOptions

pytestmark = pytest.mark.timeout(600)
TESTING = Path(__file__).resolve().parent.parent
QUICK_WORKER = (str(TESTING / "worker" / "quick_worker.py"),)
SHAPE = (240, 200)
NAMES = ("Mustermann", "Erika", "PAT-4711", "19470811", "erika_mustermann")


def path_for_children(*first: Path) -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join([*map(str, first), *(path for path in sys.path if path)])}


def quick_client() -> WorkerClient:
    return WorkerClient(arguments=QUICK_WORKER, environment=path_for_children())


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("images")
    paths = []
    for seed in range(2):
        grey = np.rint(make_radiograph(SHAPE, seed=seed).pixels * 4095).astype("u2")
        dataset = data_set(grey, PatientName="Mustermann^Erika", PatientID="PAT-4711", PatientBirthDate="19470811")
        paths.append(save(dataset, folder / f"erika_mustermann_{seed}.dcm"))
    return paths


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    make_classifier_bundle(folder)
    return folder


@pytest.fixture(scope="module")
def study(images: list[Path], model: Path, tmp_path_factory: pytest.TempPathFactory) -> ReviewStudy:
    """A study of two analysed cases, as a carried folder: copies of the images, no original."""
    folder = tmp_path_factory.mktemp("studies") / "study"
    options = AnalysisOptions(model=str(model), device="cpu", precision="fp32")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(WorkerClient.__init__.__kwdefaults__, "arguments", QUICK_WORKER)
        patch.setenv("PYTHONPATH", path_for_children()["PYTHONPATH"])
        assert analyse_images(folder, images, options) == 0
    return open_study(folder)


def test_every_case_is_stored_and_a_second_run_starts_nothing(
    study: ReviewStudy, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert analyses.analysed(study.folder) == {case.id for case in study.cases}
    options = AnalysisOptions(model=str(model), device="cpu", precision="fp32")
    assert run(study, study.cases, options, as_json=True, client=WorkerClient("no-such-python")) == 0
    printed = json.loads(capsys.readouterr().out)
    assert {case["status"] for case in printed["cases"]} == {"there"}
    with pytest.raises(InputError, match="differ in: controls"):
        run(study, study.cases, options, controls=False)


def no_names_in(study: Path, *words: object) -> int:
    """How many files of stored results there are; each is searched for names, numbers and UIDs of the patient, and for `words`."""
    files = [path for path in (study / analyses.FOLDER).rglob("*") if path.is_file()]
    for path in files:
        data = path.read_bytes() + str(path.relative_to(study)).encode()
        for word in (*NAMES, *map(str, words), "1.2.826", "1.2.840"):
            assert word.lower().encode() not in data.lower(), (path.name, word)
    return len(files)


def test_nothing_stored_tells_of_patient_or_file(study: ReviewStudy, images: list[Path]) -> None:
    assert no_names_in(study.folder, images[0].parent, study.folder) == 2 * len(study.cases) + 1


def on_a_computer_without_torch(script: str, study: Path, folder: Path, **more: str) -> dict[str, Any]:
    """What a script of this folder prints where neither torch nor anything that stands on it can be imported."""
    for name in ("torch", "timm", "torchvision", "peft", "pytorch_grad_cam", "safetensors"):
        (folder / "no-models" / name).mkdir(parents=True)
        text = f"raise ModuleNotFoundError('no {name} here', name='{name}')\n"
        (folder / "no-models" / name / "__init__.py").write_text(text)
    command = [sys.executable, str(Path(__file__).with_name(script)), str(study)]
    environment = os.environ | path_for_children(folder / "no-models") | more
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=500)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def test_a_computer_without_torch_shows_answer_heatmaps_and_stored_toggles(
    study: ReviewStudy, model: Path, tmp_path: Path
) -> None:
    told = on_a_computer_without_torch("without_torch.py", study.folder, tmp_path)
    assert told["torch"] == [] and len(told["analyse"]) == 1 and "torch" in told["analyse"][0]
    for case in study.cases:
        one = told["cases"][case.id]
        assert one["sentence"].count(".") == 1 and "stored with the study" in one["sentence"]
        assert one["maps"] == 4 and one["changed_outside"] == 0 and one["facts"]["model"] == "tiny"
        for mode, effects in computed_here(study, case.id, model).items():
            assert effects == pytest.approx({name: one["effects"][mode][name] for name in effects}, abs=2e-3)
            assert max(map(abs, effects.values())) > 0.01, "the effects are too small to compare"


def test_the_viewers_window_reads_a_study_without_torch(study: ReviewStudy, tmp_path: Path) -> None:
    pytest.importorskip("slicer", reason="the desktop packages (requirements-desktop.txt) are not installed here")
    shutil.copytree(study.folder, tmp_path / "study")
    settings = {"OSTEOSCREEN_SETTINGS": str(tmp_path / "machine"), "QT_QPA_PLATFORM": "offscreen"}
    told = on_a_computer_without_torch("panel_without_torch.py", tmp_path / "study", tmp_path, **settings)
    assert told["torch"] == [] and told["errors"] == [] and len(told["reads"]) == len(study.cases)
    for read in told["reads"]:
        name, points = read["covered"]
        assert points == pytest.approx(read["rows"][name]) and all(value is not None for value in read["rows"].values())
        assert sum(read["untouched"]) == pytest.approx(1) and read["sentence"] == NO_STORED_ANSWER


def computed_here(study: ReviewStudy, case: str, model: Path) -> dict[str, dict[str, float]]:
    """Δ of each bone by the classifier itself, in this process."""
    from OsteoScreenLib.bundle import open_bundle
    from OsteoScreenLib.classifier.classifier import Classifier
    from OsteoScreenLib.classifier.model_bundle import ModelBundle
    from OsteoScreenLib.explain.covering import Coverer
    from OsteoScreenLib.radiograph.read import read_radiograph

    classifier = Classifier.load(ModelBundle.from_bundle(open_bundle(model, "classifier")), device="cpu", precision="fp32")
    pixels = read_radiograph(study.image_path(study.case(case))).pixels
    masks = make_masks(pixels.shape)  # as the worker of this test draws them
    every = frozenset(masks.names)

    def probability(covered: frozenset[str], mode: Any) -> float:
        shown = Coverer(pixels, masks, mode).cover(covered)
        return float(next(iter(classifier.predict_stream([shown])))[2])

    untouched, empty = probability(frozenset(), "remove"), probability(every, "remove")
    return {
        "remove": {name: 100 * (untouched - probability(frozenset({name}), "remove")) for name in every},
        "add-back": {name: 100 * (probability(every - {name}, "add-back") - empty) for name in every},
    }


def read_in(pixels: np.ndarray, placement: Placement) -> Reading:
    made = cases.reading()
    facts = {**made.facts, "placement": vars(placement), "shape": list(pixels.shape), "source": {"sha256": "f" * 64}}
    return replace(made, pixels=pixels, image_sha256=pixels_sha256(pixels), facts=facts)


def analysed_upright() -> tuple[Reading, Case]:
    """An image that lay on its side and inverted, and its analysis, upright."""
    upright = cases.reading().pixels
    opened = read_in(np.ascontiguousarray(np.float32(1) - np.rot90(np.fliplr(upright), 1)), Placement())
    turned = Placement(True, 1, True)  # undoes it
    pixels = np.ascontiguousarray(np.float32(1) - turned.apply(opened.pixels))
    assert np.abs(pixels - upright).max() < 1e-6
    case = Case(read_in(pixels, turned), Answers())
    analysis = {"prediction": {"decision": "osteoporosis", "domain": None}, "radiograph": {"file": "erika_mustermann.dcm"}}
    case.take_result(case.reading, replace(cases.result(), analysis=analysis))
    cases.answer_all(case, {})
    return opened, case


def test_the_image_lies_as_it_was_analysed_and_another_image_is_refused(tmp_path: Path) -> None:
    opened, case = analysed_upright()
    stored_case.store(tmp_path, "C-00001", opened, case, (), {"model": "some-model"})
    upright = stored_case.upright(tmp_path, "C-00001", opened)
    assert upright.image_sha256 == case.reading.image_sha256 and upright.facts["shape"] == list(upright.pixels.shape)
    assert upright.spacing_mm == (opened.spacing_mm or (0, 0))[::-1] and upright.notes == opened.notes
    assert stored_case.upright(tmp_path, "C-00001", upright) is upright
    assert stored_case.upright(tmp_path, "C-00002", opened) is opened and stored_case.load(tmp_path, "C-00002", opened) is None
    stored = stored_case.load(tmp_path, "C-00001", opened)
    assert stored is not None and stored.result.stored and stored.model.decision == "osteoporosis"
    assert stored.new_case(Answers()).effects() == case.effects()
    # The same file, decoded with other rounding: accepted, said, and every stored answer is still found.
    other = read_in(opened.pixels + np.float32(1e-6), Placement())
    again = stored_case.load(tmp_path, "C-00001", stored_case.upright(tmp_path, "C-00001", other))
    assert again is not None and [note.code for note in again.reading.notes].count("decoded-otherwise") == 1
    assert again.new_case(Answers()).effects() == case.effects()
    foreign = replace(other, facts={**other.facts, "source": {"sha256": "0" * 64}})
    with pytest.raises(InputError, match="C-00001 is not the one that was analysed"):
        stored_case.upright(tmp_path, "C-00001", foreign)


@pytest.mark.parametrize("damage", ["cut json", "no result", "cut masks", "other masks", "no masks", "path", "answers"])
def test_damage_is_one_sentence(tmp_path: Path, damage: str) -> None:
    opened, case = analysed_upright()
    folder = stored_case.store(tmp_path, "C-00001", opened, case, (), {})
    values_file, masks_file = folder / analyses.ANALYSIS, next(folder.glob("masks-*.npz"))
    values = json.loads(values_file.read_text(encoding="utf-8"))
    if damage == "cut json":
        values_file.write_text(values_file.read_text(encoding="utf-8")[:-200], encoding="utf-8")
    elif damage == "cut masks":
        masks_file.write_bytes(masks_file.read_bytes()[:-100])
    elif damage == "no masks":
        masks_file.unlink()
    elif damage == "other masks":
        np.savez_compressed(masks_file, layers=np.zeros((3, *opened.pixels.shape[::-1]), np.uint8))
    else:
        if damage == "no result":
            del values["result"]["probabilities"]
        elif damage == "path":
            values["masks"] = f"../C-00001/{masks_file.name}"
        else:
            values["answers"][0]["question"]["mood"] = "bad"
        values_file.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(InputError, match=r"^The stored analysis of C-00001 is damaged; run '.*' on the study again\.$"):
        stored_case.load(tmp_path, "C-00001", opened)


def test_a_full_disk_leaves_the_former_analysis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, case = analysed_upright()
    folder = stored_case.store(tmp_path, "C-00001", opened, case, (), {"run": 1})
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(analyses.np, "savez_compressed", full)
    with pytest.raises(OsteoScreenError, match="No space left on device"):
        stored_case.store(tmp_path, "C-00001", opened, case, (), {"run": 2})
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_case_that_is_refused_does_not_stop_the_others(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from OsteoScreenLib.review.creating import create_study
    from OsteoScreenLib.review.source_lists import CaseSource

    sources = []
    for name, shape in (("wide", (100, 400)), ("erika_mustermann", SHAPE)):
        grey = np.rint(make_radiograph(shape).pixels * 4095).astype("u2")
        dataset = data_set(grey, PatientName="Mustermann^Erika", PatientID="PAT-4711")
        sources.append(CaseSource(save(dataset, tmp_path / f"{name}.dcm")))
    study = create_study(tmp_path / "study", Protocol("A study"), sources)  # without copies: the originals are read
    options = AnalysisOptions(model=str(model), device="cpu", precision="fp32")
    assert run(study, study.cases, options, controls=False, client=quick_client()) == 2
    assert len(analyses.analysed(study.folder)) == 1 and no_names_in(study.folder, tmp_path) == 3
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and any("stored (5 bones" in line for line in lines)
    assert not any(name in "".join(lines) for name in ("normal", "osteopenia", "osteoporosis", str(tmp_path)))
