"""The case on the table, over real pipes: reading, examining, holding, covering, explaining, saving."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import make_classifier_bundle, make_masks, make_radiograph
from PIL import Image

from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.classifier.model_bundle import ModelBundle
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.explain.analyse import analyse, make_coverer
from OsteoScreenLib.explain.analysis import AnalysisRequest
from OsteoScreenLib.explain.bone_sweep import BoneSweep, SweepRequest
from OsteoScreenLib.explain.controls import Controls
from OsteoScreenLib.explain.covering import Coverer
from OsteoScreenLib.explain.fills import FILLS, PAINTED
from OsteoScreenLib.explain.saliency_methods import SALIENCY_METHODS
from OsteoScreenLib.radiograph.radiograph import Radiograph, pixels_sha256
from OsteoScreenLib.radiograph.read import read_radiograph
from OsteoScreenLib.workbench.worker_client import WorkerClient, WorkerFault
from OsteoScreenLib.worker import case_values
from OsteoScreenLib.worker.protocol import Message
from OsteoScreenLib.worker.server import describe

QUICK_WORKER = str(Path(__file__).with_name("quick_worker.py"))
PATHS = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
BONES = ("T5", "T6", "right rib 1", "right rib 5", "right clavicle")
SETS = [["T5"], ["T6", "right rib 1"], [], ["right rib 5"], list(BONES), ["right clavicle", "T5"]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("table")
    make_classifier_bundle(folder / "tiny")
    pixels = np.rint(make_radiograph((240, 200)).pixels * 255).astype(np.uint8)
    Image.fromarray(pixels).save(folder / "image.png")
    Image.fromarray(np.zeros((100, 400), np.uint8) + np.arange(400, dtype=np.uint8)).save(folder / "wide.png")
    return folder


@pytest.fixture(scope="module")
def client() -> Iterator[WorkerClient]:
    with WorkerClient(arguments=[QUICK_WORKER], environment=PATHS) as started:
        yield started


def body(folder: Path, **changes: Any) -> dict[str, Any]:
    options = {"path": str(folder / "image.png"), "model": str(folder / "tiny"), "device": "cpu", "precision": "fp32"}
    return {**options, "case": "a", **changes}


@pytest.fixture(scope="module")
def examined(client: WorkerClient, folder: Path) -> Message:
    return client.request("examine", body(folder))


@pytest.fixture
def case(client: WorkerClient, folder: Path, examined: Message) -> str:
    """The token of the examined case, which the worker holds now, whatever other tests did."""
    hold(client, folder, examined)
    return "a"


@pytest.fixture(scope="module")
def radiograph(folder: Path) -> Radiograph:
    return read_radiograph(folder / "image.png")


@pytest.fixture(scope="module")
def classifier(folder: Path) -> Classifier:
    from OsteoScreenLib.bundle import open_bundle

    return Classifier.load(ModelBundle.from_bundle(open_bundle(folder / "tiny")), device="cpu", precision="fp32")


def hold(client: WorkerClient, folder: Path, examined: Message, **changes: Any) -> Message:
    said = examined.body
    request = {
        "case": "a",
        "model": str(folder / "tiny"),
        "device": said["device"],
        "precision": said["precision"],
        "facts": said["facts"],
        "notes": said["notes"],
        "bones": said["masks"],
    }
    arrays = {"pixels": examined.arrays["pixels"], "layers": examined.arrays["layers"]}
    return client.request("hold", {**request, **changes}, arrays)


def ask(client: WorkerClient, sets: list[list[str]], **changes: Any) -> Message:
    way = {"mode": "remove", "fill": "mean", "margin_px": 0.0, "seed": 0}
    return client.request("cover", {"case": "a", **way, "sets": sets, "patch": False, **changes})


def probabilities(answer: Message) -> list[list[float]]:
    return [one["probabilities"] for one in answer.body["answers"]]


def test_reading_gives_the_pixels_the_facts_and_their_hash(client: WorkerClient, folder: Path, radiograph: Radiograph) -> None:
    answer = client.request("read", {"path": str(folder / "image.png")})
    np.testing.assert_array_equal(answer.arrays["pixels"], radiograph.pixels)
    assert answer.body["image_sha256"] == pixels_sha256(radiograph.pixels)
    again = case_values.radiograph_from_values(answer.body["facts"], answer.body["notes"], answer.arrays["pixels"])
    assert {**vars(again), "pixels": None} == {**vars(radiograph), "pixels": None}
    turned = client.request("read", {"path": str(folder / "image.png"), "rotate": 90})
    np.testing.assert_array_equal(turned.arrays["pixels"], np.rot90(radiograph.pixels))
    assert turned.body["image_sha256"] != answer.body["image_sha256"]


def test_a_volume_is_read_and_examined_like_a_file(client: WorkerClient, folder: Path) -> None:
    stored = np.asarray(Image.open(folder / "image.png"))
    volume = {"volume": stored.astype(np.int16)}
    facts = {"name": "Volume", "spacing_mm": [0.5, 0.4], "header_path": ""}
    answer = client.request("read", facts, volume)
    assert answer.arrays["pixels"].shape == stored.shape and answer.body["spacing_mm"] == [0.5, 0.4]
    wanted = {**body(folder, case="volume"), **facts}
    del wanted["path"]
    assert client.request("examine", wanted, volume).body["image_sha256"] == answer.body["image_sha256"]
    with pytest.raises(InputError, match="spacing"):
        client.request("read", {**facts, "spacing_mm": [0.5]}, volume)


def test_examining_gives_what_explain_gives(
    examined: Message, radiograph: Radiograph, classifier: Classifier, folder: Path
) -> None:
    masks = make_masks(radiograph.shape)
    wanted = analyse(radiograph, masks, classifier)
    said = examined.body
    assert said["probabilities"] == list(wanted.prediction.probabilities.values())
    assert said["model"] == {
        "id": "tiny",
        "title": "A classifier for tests",
        "sha256": classifier.model.bundle.sha256,
        "simulated": True,
        "operating_points": {"osteoporosis": 0.4, "low_bone_mass": 0.6},
    }
    assert said["image_sha256"] == pixels_sha256(radiograph.pixels) and said["masks_sha256"] == masks.sha256
    drawn = case_values.masks_from_values(said["masks"], examined.arrays["layers"])
    assert drawn.table == masks.table and drawn.sha256 == masks.sha256
    saliency = case_values.saliency_from_values(said["saliency"], examined.arrays)
    assert saliency is not None and wanted.saliency is not None
    np.testing.assert_array_equal(saliency.grid, wanted.saliency.grid)
    np.testing.assert_array_equal(saliency.grid_to_radiograph, wanted.saliency.grid_to_radiograph)
    assert (said["device"], said["precision"]) == ("cpu", "fp32")
    assert said["analysis"]["prediction"]["probabilities"] == dict(wanted.prediction.probabilities)
    assert said["analysis"]["covering"] is None and {"read", "gate", "segment", "analyse"} <= set(said["seconds"])


@pytest.mark.parametrize("mode", ["remove", "add-back"])
@pytest.mark.parametrize("fill", FILLS)
def test_an_answer_is_that_of_explain_bit_by_bit_in_any_order_and_number(
    client: WorkerClient, case: str, radiograph: Radiograph, classifier: Classifier, mode: str, fill: str
) -> None:
    way = {"mode": mode, "fill": fill, "margin_px": 2.0, "seed": 7}
    together = ask(client, SETS, **way)
    alone = [probabilities(ask(client, [bones], **way))[0] for bones in SETS]
    backwards = probabilities(ask(client, SETS[::-1], **way))[::-1]
    assert probabilities(together) == alone == backwards
    request = AnalysisRequest(cover=("all",), saliency=False, mode=mode, fill=fill, dilation_px=2.0, seed=7)  # type: ignore[arg-type]
    covering = analyse(radiograph, make_masks(radiograph.shape), classifier, request).covering
    assert covering is not None
    everything = frozenset(BONES)
    covered = [
        frozenset(effect.bones) if mode == "remove" else everything - frozenset(effect.bones) for effect in covering.effects
    ]
    answers = ask(client, [sorted(bones) for bones in covered], **way).body["answers"]
    assert answers == [
        {"probabilities": list(effect.probabilities.values()), "area_px": effect.area_px} for effect in covering.effects
    ]
    assert len({tuple(one["probabilities"]) for one in answers}) > 4  # covering does change this model's answer


@pytest.mark.parametrize("fill", PAINTED)
def test_the_patch_is_what_the_model_was_shown_for_the_last_set(
    client: WorkerClient, case: str, radiograph: Radiograph, fill: str
) -> None:
    way = {"mode": "add-back", "fill": fill, "margin_px": 3.0, "seed": 1}
    answer = ask(client, [["T5"], ["right rib 5", "T6"]], **way, patch=True)
    request = AnalysisRequest(mode="add-back", fill=fill, dilation_px=3.0, seed=1)  # type: ignore[arg-type]
    shown = make_coverer(radiograph, make_masks(radiograph.shape), request).cover({"right rib 5", "T6"})
    first_row, end_row, first_column, end_column = answer.body["box"]
    painted = radiograph.pixels.copy()
    painted[first_row:end_row, first_column:end_column] = answer.arrays["patch"]
    np.testing.assert_array_equal(painted, shown)
    assert (shown != radiograph.pixels).any() and answer.arrays["patch"].size < shown.size


def test_controls_are_answered_beside_sets_bit_by_bit(
    client: WorkerClient, case: str, radiograph: Radiograph, classifier: Classifier
) -> None:
    masks = make_masks(radiograph.shape)
    sets, draws = [["T5"], ["T5"], ["T5"], ["T6"]], [0, 1, 2, 20]
    together = ask(client, sets, draws=draws, seed=9)
    coverer = Coverer(radiograph.pixels, masks)
    controls = Controls(coverer, 9)
    regions = [
        coverer.region(["T5"]),
        *(controls.region(bones, "remove", n) for bones, n in zip(sets[1:], draws[1:], strict=True)),
    ]
    for region, one in zip(regions, together.body["answers"], strict=True):
        assert region is not None and one["area_px"] == region.area
        assert one["probabilities"] == list(classifier.predict(coverer.cover_region(region)[None])[0])
    assert probabilities(ask(client, sets[::-1], draws=draws[::-1], seed=9)) == probabilities(together)[::-1]
    assert probabilities(ask(client, sets, draws=draws, seed=8))[1:] != probabilities(together)[1:]
    answer = ask(client, [sorted(BONES), []], draws=[0, 3], mode="add-back", seed=9)
    assert answer.body["answers"][0] is not None and answer.body["answers"][1] is None, "no room to show so much elsewhere"


def test_the_patch_of_left_out_patches_is_black(client: WorkerClient, case: str, radiograph: Radiograph) -> None:
    answer = ask(client, [["T5", "T6"]], fill="tokens", margin_px=12.0, patch=True)
    first_row, end_row, first_column, end_column = answer.body["box"]
    before = radiograph.pixels[first_row:end_row, first_column:end_column]
    left_out = answer.arrays["patch"] == 0
    assert left_out.mean() > 0.5 and (answer.arrays["patch"] == before)[~left_out].all()


def test_a_whole_sweep_is_that_of_explain(
    client: WorkerClient, case: str, radiograph: Radiograph, classifier: Classifier
) -> None:
    told: list[float] = []
    wanted = {"case": case, "target": "osteopenia", "fill": "noise", "margin_px": 1.0, "seed": 5, "controls": 2}
    client.submit("sweep", wanted, {}, "sweeping")
    while (answer := client.poll(lambda _stage, fraction, _words: told.append(fraction))) is None:
        time.sleep(0.01)
    request = SweepRequest("osteopenia", fill="noise", margin_px=1.0, seed=5, controls=2)
    table = BoneSweep(radiograph.pixels, make_masks(radiograph.shape), classifier, request).run()
    rows = answer.body["rows"]
    assert rows == json.loads(json.dumps([asdict(row) for row in table.rows])) and len(rows) == 2 * (1 + 3 + 5)
    assert answer.body["notes"] == [] and (answer.body["device"], answer.body["precision"]) == ("cpu", "fp32")
    assert told == sorted(told) and told[-1] == 1.0 and len(told) > 10


def test_the_untouched_radiograph_has_an_empty_patch_and_its_own_answer(
    client: WorkerClient, case: str, examined: Message
) -> None:
    answer = ask(client, [[]], patch=True)
    assert probabilities(answer) == [examined.body["probabilities"]] and answer.body["answers"][0]["area_px"] == 0
    assert answer.body["box"] == [0, 0, 0, 0] and answer.arrays["patch"].shape == (0, 0)


def test_a_case_held_again_gives_the_same_numbers(folder: Path, client: WorkerClient, case: str, examined: Message) -> None:
    before = probabilities(ask(client, SETS))
    with WorkerClient(arguments=[QUICK_WORKER], environment=PATHS) as fresh:
        answer = hold(fresh, folder, examined)
        assert answer.body["probabilities"] == examined.body["probabilities"]
        assert answer.body["image_sha256"] == examined.body["image_sha256"]
        assert answer.body["masks_sha256"] == examined.body["masks_sha256"]
        assert probabilities(ask(fresh, SETS)) == before


def test_other_masks_give_other_numbers(client: WorkerClient, folder: Path, case: str, examined: Message) -> None:
    before = probabilities(ask(client, [["T5"]]))
    moved = np.roll(examined.arrays["layers"], 20, axis=2)
    answer = hold(client, folder, Message("result", examined.body, {**examined.arrays, "layers": moved}))
    assert answer.body["masks_sha256"] != examined.body["masks_sha256"]
    assert answer.body["probabilities"] == examined.body["probabilities"] and probabilities(ask(client, [["T5"]])) != before


def test_a_device_that_is_not_there_any_more_is_replaced_and_named(
    client: WorkerClient, folder: Path, examined: Message
) -> None:
    import torch

    if torch.backends.mps.is_available():
        pytest.skip("this machine has an Apple GPU")
    answer = hold(client, folder, examined, device="mps", precision="fp16")
    assert answer.body["device"] != "mps" and ask(client, [["T5"]]).body["device"] == answer.body["device"]


def test_explaining_another_class_gives_another_map(client: WorkerClient, case: str, examined: Message) -> None:
    first = client.request("explain", {"case": case, "target": "osteoporosis"})
    np.testing.assert_array_equal(first.arrays["saliency"], examined.arrays["saliency"])
    other = client.request("explain", {"case": case, "target": "normal"})
    assert other.body["saliency"]["target"] == "normal"
    assert not np.array_equal(other.arrays["saliency"], first.arrays["saliency"])


def test_explaining_by_another_method(client: WorkerClient, case: str, examined: Message) -> None:
    """The process says which methods the model can give, and gives each of them; others are refused in one sentence."""
    assert examined.body["saliency"]["method"] == "Gradient attention"
    assert examined.body["saliency_methods"] == list(SALIENCY_METHODS)
    for key in examined.body["saliency_methods"]:
        answer = client.request("explain", {"case": case, "target": "osteoporosis", "saliency": key})
        assert answer.body["saliency"]["method"] == SALIENCY_METHODS[key].title
        assert answer.arrays["saliency"].shape == examined.arrays["saliency"].shape
    with pytest.raises(InputError, match="no saliency method called 'magic'") as caught:
        client.request("explain", {"case": case, "saliency": "magic"})
    assert caught.value.code == "saliency-method"


def test_a_heatmap_that_is_there_already_is_only_measured(client: WorkerClient, case: str, examined: Message) -> None:
    drawn = client.request("explain", {"case": case, "target": "normal", "saliency": "layercam"})
    other = {**drawn.body["saliency"], "method": "Tea leaves"}  # nothing that the worker could have made
    grid = drawn.arrays["saliency"] * 0
    grid[0, 0] = 1
    request = {"case": case, "target": "normal", "saliency": "layercam", "map": other}
    again = client.request("explain", request, {"saliency": grid})
    assert again.body["saliency"]["method"] == "Tea leaves"
    np.testing.assert_array_equal(again.arrays["saliency"], grid)
    measured = [row["mass_share"] for row in again.body["overlap"]]
    assert len(measured) == len(drawn.body["overlap"]) and measured != [row["mass_share"] for row in drawn.body["overlap"]]


def test_tables_are_written_beside_the_results_under_plain_names_only(client: WorkerClient, case: str, tmp_path: Path) -> None:
    save = {"case": case, "out": str(tmp_path / "out"), "tables": {"effects.csv": "a,b\n1,ü\n", "effects.json": "{}\n"}}
    files = client.request("save", save).body["files"]
    assert Path(files["effects.csv"]).read_text(encoding="utf-8") == "a,b\n1,ü\n"
    assert (tmp_path / "out" / "effects.json").read_text(encoding="utf-8") == "{}\n"
    for tables in ({"../effects.csv": ""}, {"effects.exe": ""}, {"effects.csv": 3}, ["effects.csv"], {"": ""}):
        with pytest.raises(InputError, match="plain file names") as refused:
            client.request("save", {**save, "out": str(tmp_path / "other"), "tables": tables})
        assert refused.value.code == "option"
    assert not (tmp_path / "other").exists() and not (tmp_path / "effects.csv").exists()


def test_saved_files_hold_the_numbers_that_were_answered(client: WorkerClient, case: str, tmp_path: Path) -> None:
    way = {"mode": "remove", "fill": "blur", "margin_px": 1.0, "seed": 0}
    shown = ask(client, [["T5", "T6"]], **way)
    save = {"case": case, "out": str(tmp_path / "out"), "cover": ["T5", "T6"], "target": "osteopenia", **way}
    files = client.request("save", save).body["files"]
    assert {Path(path).name for path in files.values()} == {path.name for path in (tmp_path / "out").iterdir()}
    assert set(files) == {"analysis", "overlay", "report", "masks"}
    stored = json.loads(Path(files["analysis"]).read_text(encoding="utf-8"))
    covering = stored["covering"]
    assert list(covering["prediction"]["probabilities"].values()) == probabilities(shown)[0]
    assert covering["area_px"] == shown.body["answers"][0]["area_px"] and stored["request"]["target"] == "osteopenia"
    assert len({note["text"] for note in stored["notes"]}) == len(stored["notes"])


def test_remarks_of_the_former_analysis_are_not_saved_with_the_next(
    client: WorkerClient, folder: Path, examined: Message, tmp_path: Path
) -> None:
    """The heatmap for the former target was empty; the one that is saved is not."""
    empty = {"code": "empty-heatmap", "severity": "info", "text": "The heatmap is empty."}
    hold(client, folder, examined, notes=[*examined.body["notes"], empty])
    files = client.request("save", {"case": "a", "out": str(tmp_path / "out")}).body["files"]
    stored = json.loads(Path(files["analysis"]).read_text(encoding="utf-8"))
    assert stored["notes"] == examined.body["notes"] and not stored["saliency"]["empty"]


def test_what_is_not_held_is_said_by_its_code(client: WorkerClient, case: str, folder: Path) -> None:
    for kind, rest in {"cover": {"sets": []}, "explain": {}, "save": {"out": "x"}}.items():
        with pytest.raises(WorkerFault) as refused:
            client.request(kind, {"case": "another", **rest})
        assert refused.value.code == "no-case"
    with pytest.raises(InputError, match="frontal chest"):
        client.request("examine", body(folder, path=str(folder / "wide.png")))
    assert ask(client, [["T5"]]).kind == "result"  # a refused image does not push the held case off the table


def test_wrong_requests_are_refused_in_one_sentence(client: WorkerClient, case: str, folder: Path, examined: Message) -> None:
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("cover", {"sets": [["femur"]]}),
        ("cover", {"sets": "T5"}),
        ("cover", {"sets": [["T5"]], "mode": "dissolve"}),
        ("cover", {"sets": [["T5"]], "fill": "chocolate"}),
        ("cover", {"sets": [["T5"]], "draws": [1, 2]}),
        ("cover", {"sets": [["T5"]], "draws": [-1]}),
        ("sweep", {"controls": "many"}),
        ("sweep", {"controls": -3}),
        ("sweep", {"fill": "chocolate"}),
        ("cover", {"sets": [["T5"]], "margin_px": 4000.0}),
        ("explain", {"target": "happiness"}),
        ("examine", {"path": str(folder / "none.png")}),
        ("examine", {"path": str(folder / "image.png"), "model": "no-such-model"}),
        ("examine", {"path": str(folder / "image.png"), "case": ""}),
        ("hold", {}),
        ("read", {}),
    ]
    for kind, request in wrong:
        with pytest.raises(InputError) as refused:
            client.request(kind, {"case": case, **request})
        assert "\n" not in str(refused.value) and str(refused.value).endswith((".", "?")), str(refused.value)
    broken: list[dict[str, Any]] = [{"facts": {}}, {"bones": {"table": {"T5": [9, 1]}, "method": "", "site": "chest-frontal"}}]
    for change in broken:
        with pytest.raises(InputError, match="incomplete"):
            hold(client, folder, examined, **change)
    with pytest.raises(InputError, match="size"):
        hold(client, folder, Message("result", examined.body, {**examined.arrays, "pixels": np.zeros((9, 9), np.float32)}))


def test_a_full_graphics_card_is_one_sentence() -> None:
    class OutOfMemoryError(RuntimeError):
        pass

    said = describe(OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"))
    assert said["code"] == "memory" and "GPU ran out of memory" in said["sentence"] and "\n" not in said["sentence"]


def test_a_model_is_added_to_the_users_folder(folder: Path, tmp_path: Path) -> None:
    from OsteoScreenLib.worker import model_folders

    environment = {**PATHS, model_folders.USER_FOLDER_VARIABLE: str(tmp_path / "models")}
    with WorkerClient(arguments=[QUICK_WORKER], environment=environment) as fresh:
        answer = fresh.request("add-model", {"folder": str(folder / "tiny")})
        assert answer.body["id"] == "tiny" and answer.body["title"] == "A classifier for tests"
        assert (tmp_path / "models" / "tiny" / "manifest.json").is_file()
        with pytest.raises(InputError, match="there already"):
            fresh.request("add-model", {"folder": str(folder / "tiny")})


def test_titles_are_read_without_verifying(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from OsteoScreenLib.worker import model_folders

    monkeypatch.setenv(model_folders.USER_FOLDER_VARIABLE, str(tmp_path))
    for name, manifest in {"mine": '{"kind": "classifier", "title": "Mine"}', "broken": "{", ".hidden": "{}"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text(manifest)
    titles = model_folders.titles("classifier")
    assert titles[0][0] == "chest-sim-classifier" and titles[-1] == ("mine", "Mine") and len(titles) == 2
    assert [name for name, _ in model_folders.titles("gate")] == ["chest-gate", "knee-gate"]
