"""A knee's classifier over the real pipes: its own bones everywhere, and its own words in what is refused."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from builders import make_classifier_bundle, make_knee_masks, make_radiograph
from PIL import Image

from OsteoScreenLib.bones.segnrrd import write_seg_nrrd
from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL, KNEE, Site
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.radiograph.read import read_radiograph
from OsteoScreenLib.workbench.worker_client import WorkerClient
from OsteoScreenLib.worker import case_values, model_folders
from OsteoScreenLib.worker.models import Models

QUICK_WORKER = str(Path(__file__).with_name("quick_worker.py"))
PATHS = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sites")
    make_classifier_bundle(folder / "tiny-knee", site="knee")
    make_classifier_bundle(folder / "tiny-elbow", site="elbow")
    Image.fromarray(np.rint(make_radiograph((240, 200)).pixels * 255).astype(np.uint8)).save(folder / "knee.png")
    Image.fromarray(np.zeros((100, 400), np.uint8) + np.arange(400, dtype=np.uint8)).save(folder / "wide.png")
    return folder


@pytest.fixture(scope="module")
def client() -> Iterator[WorkerClient]:
    with WorkerClient(arguments=[QUICK_WORKER], environment=PATHS) as started:
        yield started


def body(folder: Path, **changes: object) -> dict[str, object]:
    options = {
        "path": str(folder / "knee.png"),
        "out": str(folder / "out"),
        "model": str(folder / "tiny-knee"),
        "device": "cpu",
    }
    return {**options, "precision": "fp32", **changes}


def test_an_analysis_of_a_knee_names_its_bones_in_every_file(client: WorkerClient, folder: Path) -> None:
    answer = client.request("analyse", body(folder, cover=["Patellae"]))
    out = folder / "out"
    stored = json.loads((out / "analysis.json").read_text(encoding="utf-8"))
    assert stored["model"]["site"] == stored["bones"]["site"] == "knee"
    assert stored["covering"]["covered"] == ["right patella"]
    assert answer.body["bones"] == ["right femur", "right tibia", "right fibula", "right patella"]
    report = (out / "report.html").read_text(encoding="utf-8")
    assert "right patella" in report and "Spine" not in report and " rib" not in report
    segments = (out / "masks.seg.nrrd").read_bytes().split(b"\n\n", 1)[0].decode()
    assert "64234005" in segments and "Patella" in segments
    with Image.open(out / "overlay.png") as picture:
        assert len(set(picture.convert("RGB").resize((64, 64)).getdata())) > 50


def test_a_knee_on_the_table_is_swept_by_its_own_bones(client: WorkerClient, folder: Path) -> None:
    examined = client.request("examine", body(folder, case="k"))
    masks = case_values.masks_from_values(examined.body["masks"], examined.arrays["layers"])
    assert masks.site is KNEE
    covered = client.request(
        "cover", {"case": "k", "sets": [["right patella"], ["right femur", "right tibia"]], "mode": "remove"}
    )
    answers = [one["probabilities"] for one in covered.body["answers"]]
    assert len(answers) == 2 and answers[0] != answers[1]


def test_what_is_refused_is_said_in_the_words_of_the_site(client: WorkerClient, folder: Path) -> None:
    wrong = {
        "not-frontal-knee": body(folder, path=str(folder / "wide.png")),
        "unknown-bone": body(folder, cover=["Spine"]),
        "site": body(folder, model=str(folder / "tiny-elbow")),
    }
    for code, request in wrong.items():
        with pytest.raises(InputError) as refused:
            client.request("analyse", request)
        assert refused.value.code == code
    with pytest.raises(InputError, match="called 'Spine' in knee; groups are Femora, Tibiae, Fibulae, Patellae"):
        client.request("analyse", wrong["unknown-bone"])
    with pytest.raises(InputError, match="site 'elbow' is not known"):
        client.request("analyse", wrong["site"])


def test_masks_drawn_by_hand_are_read_as_a_knees(client: WorkerClient, folder: Path) -> None:
    radiograph = read_radiograph(folder / "knee.png")
    drawn = make_knee_masks(radiograph.shape)
    path = write_seg_nrrd(folder / "hand.seg.nrrd", drawn, radiograph)
    answer = client.request("analyse", body(folder, masks=str(path), out=str(folder / "by hand")))
    assert tuple(answer.body["bones"]) == drawn.names
    stored = json.loads((folder / "by hand" / "analysis.json").read_text(encoding="utf-8"))
    assert stored["bones"]["segmenter"] == "file hand.seg.nrrd"


def test_bones_alone_are_drawn_for_the_site_that_is_named(client: WorkerClient, folder: Path) -> None:
    request = {"path": str(folder / "knee.png"), "out": str(folder / "bones"), "site": "knee"}
    assert client.request("segment", request).body["bones"][0] == "right femur"
    with pytest.raises(InputError, match="elbow"):
        client.request("segment", {**request, "site": "elbow"})


def test_a_model_is_found_by_its_site(folder: Path) -> None:
    assert model_folders.site_of(str(folder / "tiny-knee")) is KNEE
    assert model_folders.site_of(model_folders.CLASSIFIER) is CHEST_FRONTAL
    for site in (CHEST_FRONTAL, KNEE):
        for kind in ("gate", "segmenter"):
            found = model_folders.made_for(site, kind)
            assert found is not None and json.loads((found / "manifest.json").read_text(encoding="utf-8"))["site"] == site.name


def test_a_site_without_models_of_its_own_needs_masks_and_is_not_checked() -> None:
    hip = Site("hip", "frontal hip", (), ())
    models = Models()
    assert model_folders.made_for(hip, "segmenter") is None and models.gate(hip) is None
    with pytest.raises(InputError, match=r"no segmenter for a frontal hip; .*--masks") as missing:
        models.segmenter("embedded", "cpu", hip)
    assert missing.value.code == "segmenter-missing"
    with pytest.raises(InputError, match="TorchXRayVision draws no bones of a frontal knee"):
        models.segmenter("torchxrayvision", "cpu", KNEE)
