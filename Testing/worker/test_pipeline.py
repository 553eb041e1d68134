"""The real worker over its real pipes: reading, a tiny classifier, heatmap, covering, files."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from builders import make_classifier_bundle, make_radiograph
from PIL import Image
from radiograph.synthetic import data_set, save

from OsteoScreenLib import __version__
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.workbench.worker_client import WorkerClient, WorkerFault

QUICK_WORKER = str(Path(__file__).with_name("quick_worker.py"))
PATHS = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("worker")
    for seed in (0, 1):
        make_classifier_bundle(folder / f"tiny-{seed}", seed=seed)
        pixels = np.rint(make_radiograph((240, 200), seed=seed).pixels * 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"image-{seed}.png")
    Image.fromarray(np.zeros((100, 400), np.uint8) + np.arange(400, dtype=np.uint8)).save(folder / "wide.png")
    return folder


@pytest.fixture(scope="module")
def client() -> Iterator[WorkerClient]:
    with WorkerClient(arguments=[QUICK_WORKER], environment=PATHS) as started:
        yield started


def body(folder: Path, image: str = "image-0.png", **changes: object) -> dict[str, object]:
    options = {"path": str(folder / image), "out": str(folder / "out"), "model": str(folder / "tiny-0"), "device": "cpu"}
    return {**options, "precision": "fp32", **changes}


def test_hello_needs_no_torch() -> None:
    with WorkerClient() as fresh:
        answer = fresh.request("hello", timeout=60).body
        assert answer["osteoscreen"] == __version__ and answer["pid"] == fresh.process_id
        assert answer["libraries"]["torch"] and "devices" not in answer


def test_devices_end_with_the_processor(client: WorkerClient) -> None:
    devices = client.request("hello", {"devices": True}).body["devices"]
    assert devices[-1]["device"] == "cpu" and devices[-1]["threads"] >= 1


def test_an_analysis_writes_its_files_and_tells_of_its_stages(client: WorkerClient, folder: Path) -> None:
    events: list[tuple[str, float]] = []
    request = body(folder, cover=["Spine"], arrays=True)
    answer = client.request("analyse", request, on_progress=lambda stage, share, _: events.append((stage, share)))
    assert answer.body["decision"] in answer.body["probabilities"]
    assert sum(answer.body["probabilities"].values()) == pytest.approx(1)
    assert {path.name for path in (folder / "out").iterdir()} == {
        "analysis.json",
        "overlay.png",
        "report.html",
        "masks.seg.nrrd",
    }
    assert all(Path(path).is_file() for path in answer.body["files"].values())
    stored = json.loads((folder / "out" / "analysis.json").read_text(encoding="utf-8"))
    assert stored["prediction"]["probabilities"] == pytest.approx(answer.body["probabilities"])
    assert stored["covering"]["covered"] == ["T5", "T6"]
    assert list(dict.fromkeys(stage for stage, _ in events)) == ["read", "gate", "segment", "analyse", "write"]
    assert [share for _, share in events] == sorted(share for _, share in events)
    assert answer.arrays["pixels"].shape == (240, 200) and answer.arrays["layers"].dtype == np.uint8
    assert answer.arrays["saliency"].ndim == 2 and answer.body["peak_memory_bytes"] > 10**8


def test_one_process_changes_models_without_mixing_them_up(client: WorkerClient, folder: Path) -> None:
    def ask(model: str) -> dict[str, float]:
        return dict(client.request("analyse", body(folder, model=str(folder / model))).body["probabilities"])

    first, second, again = ask("tiny-0"), ask("tiny-1"), ask("tiny-0")
    assert first == again and first != second


def test_reading_ahead_never_swaps_images(client: WorkerClient, folder: Path) -> None:
    """The next image named may not be the one that is asked for then."""
    alone = {
        name: client.request("analyse", body(folder, name)).body["probabilities"] for name in ("image-0.png", "image-1.png")
    }
    assert alone["image-0.png"] != alone["image-1.png"]
    for announced, asked in (("image-1.png", "image-1.png"), ("image-1.png", "image-0.png"), ("none.png", "image-1.png")):
        client.request("analyse", body(folder, next=str(folder / announced)))
        assert client.request("analyse", body(folder, asked)).body["probabilities"] == alone[asked]
    client.request("load", body(folder, command="analyse", first=str(folder / "image-0.png")))
    turned = client.request("analyse", body(folder, rotate=180)).body["probabilities"]
    assert turned != alone["image-0.png"]


def test_what_is_wrong_is_said_in_one_sentence_and_the_process_lives(client: WorkerClient, folder: Path) -> None:
    first = client.request("hello").body["pid"]
    wrong = {
        "not-frontal-chest": body(folder, "wide.png"),
        "model-unknown": body(folder, model="no-such-model"),
        "device": body(folder, device="abacus"),
        "target": body(folder, target="happiness"),
        "mode": body(folder, cover=["Spine"], mode="dissolve"),
        "fill": body(folder, cover=["Spine"], fill="chocolate"),
        "unknown-bone": body(folder, cover=["femur"]),
        "masks-missing": body(folder, masks=str(folder / "none.seg.nrrd")),
        "margin": body(folder, cover=["Spine"], margin_px=-1.0),
        "option": {"out": "x"},
    }
    for code, request in wrong.items():
        with pytest.raises(InputError) as refused:
            client.request("analyse", request)
        assert refused.value.code == code, str(refused.value)
        assert "\n" not in str(refused.value) and str(refused.value).endswith((".", "?"))
    with pytest.raises(InputError, match="no-such-model"):
        client.request("load", body(folder, command="analyse", model="no-such-model"))
    assert client.request("hello").body["pid"] == first


def test_masks_of_a_file_are_used(client: WorkerClient, folder: Path) -> None:
    client.request("segment", body(folder, out=str(folder / "segmented")))
    masks = folder / "segmented" / "masks.seg.nrrd"
    answer = client.request("analyse", body(folder, masks=str(masks), out=str(folder / "by hand"))).body
    assert set(answer["bones"]) == {"T5", "T6", "right rib 1", "right rib 5", "right clavicle"}
    stored = json.loads((folder / "by hand" / "analysis.json").read_text(encoding="utf-8"))
    assert stored["bones"]["segmenter"] == "file masks.seg.nrrd"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_dicom_objects_are_written_when_asked_for(client: WorkerClient, folder: Path) -> None:
    pixels = np.rint(make_radiograph((240, 200)).pixels * 4095).astype(np.uint16)
    image = save(data_set(pixels, BodyPartExamined="CHEST"), folder / "image.dcm")
    request = body(folder, image.name, out=str(folder / "objects"), dicom=True)
    files = client.request("analyse", request).body["files"]
    assert set(files) == {"analysis", "overlay", "report", "masks", "seg", "sr", "sc", "pr", "saliency", "saliency_nrrd"}
    assert all(Path(path).is_file() for path in files.values())
    again = {**request, "out": str(folder / "again"), "masks": files["seg"]}
    client.request("analyse", again)
    first, second = (json.loads((folder / out / "analysis.json").read_text("utf-8")) for out in ("objects", "again"))
    assert second["bones"]["segmenter"] == "file seg.dcm" and first["bones"]["found"]
    found = [[(bone["name"], bone["area_px"]) for bone in one["bones"]["found"]] for one in (first, second)]
    assert found[0] == found[1]


def test_an_image_without_header_says_why_there_are_no_dicom_objects(client: WorkerClient, folder: Path) -> None:
    answer = client.request("analyse", body(folder, out=str(folder / "plain"), dicom=True)).body
    assert set(answer["files"]) == {"analysis", "overlay", "report", "masks"}
    (note,) = [note for note in answer["notes"] if note["code"] == "no-dicom-objects"]
    assert "is no DICOM file" in note["text"]
    assert note["text"] in (folder / "plain" / "report.html").read_text(encoding="utf-8")


def test_a_file_that_may_not_grow_is_one_sentence_and_no_half_file(folder: Path, tmp_path: Path) -> None:
    """The kernel refuses to write on in the middle of the picture, as a full disk does."""
    starter = f"""
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
sys.argv = [{QUICK_WORKER!r}]
runpy.run_path({QUICK_WORKER!r}, run_name="__main__")
"""
    with (
        WorkerClient(arguments=["-c", starter], environment=PATHS) as limited,
        pytest.raises(WorkerFault, match=r"^Could not write overlay\.png in .*: File too large; [^\n]*\.$"),
    ):
        limited.request("analyse", body(folder, out=str(tmp_path / "out")))
    assert {path.name for path in (tmp_path / "out").iterdir()} <= {"analysis.json", "masks.seg.nrrd"}
