"""`osteoscreen sanity`: files that agree, images that cannot be read, and wrong options in one sentence."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from builders import GREY, make_classifier_bundle, make_radiograph
from explain.looking import looking_transformer

from OsteoScreenLib.bundle import Bundle
from OsteoScreenLib.cli import main

QUICK = ["--no-image-check", "--device", "cpu", "--draws", "2", "--steps", "4", "--orders", "3"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sanity")


@pytest.fixture(scope="module")
def images(folder: Path) -> list[str]:
    paths = []
    for seed in range(2):
        path = folder / f"chest {seed} &co.png"
        cv2.imwrite(str(path), np.round(make_radiograph((120, 100), seed).pixels * 65535).astype(np.uint16))
        paths.append(str(path))
    return paths


def looking(folder: Path, cell: tuple[int, int]) -> Bundle:
    network, options = looking_transformer("class token", GREY, cell)
    return make_classifier_bundle(folder, options=options, network=network)


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Bundle:
    return looking(folder / "reads-a-patch", (3, 3))


def run(images: list[str], out: Path, bundle: Bundle, *options: str) -> int:
    return main(["sanity", *images, "--out", str(out), "--model", str(bundle.folder), *QUICK, *options])


def test_every_method_that_the_network_gives_is_in_all_three_files(
    images: list[str], bundle: Bundle, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = looking(folder / "shuffled", (5, 1))
    assert run(images, tmp_path / "out", bundle, "--json", "--random-labels", str(other.folder)) == 0
    said = json.loads(capsys.readouterr().out)
    assert set(said["files"]) == {"json", "markdown", "html"} and said["left_out"] == [] and said["images"] == 2
    table = json.loads((tmp_path / "out" / "sanity.json").read_text(encoding="utf-8"))
    assert [one["image"] for one in table["images"]] == [Path(image).name for image in images]
    methods = [one["method"] for one in table["images"][0]["methods"]]
    assert len(methods) == 8 and methods == [one["method"] for one in table["labels"]]
    first = table["images"][0]["methods"][0]
    assert [stage["layer"] for stage in first["weights"]["stages"]] == ["head", "blocks.1", "blocks.0", "patch_embed"]
    assert all(len(stage["spearman"]) == 2 for stage in first["weights"]["stages"])
    assert len(first["deletion"]["probabilities"]) == 5 and len(first["deletion"]["random_areas"]) == 3
    assert first["deletion"]["probabilities"][0] == table["images"][0]["probability"] == first["insertion"]["probabilities"][-1]
    assert table["random_labels_model"]["id"] == "shuffled" and table["model"]["id"] == "reads-a-patch"
    assert table["labels"][0]["verdict"] == "sensitive" and len(table["labels"][0]["images"]) == 2
    assert "simulated" in " ".join(table["statements"])

    text = (tmp_path / "out" / "sanity.md").read_text(encoding="utf-8")
    page = (tmp_path / "out" / "sanity.html").read_text(encoding="utf-8")
    assert f"{first['deletion']['area']:.3f}" in text and f"{first['deletion']['area']:.3f}" in page
    compared = sum(bool(one["weights"]["without_learning"]) for image in table["images"] for one in image["methods"])
    empty = sum(one["empty"] for image in table["images"] for one in image["methods"])
    assert 8 < compared <= 16 - empty and page.count(" (empty)") == text.count(" (empty)") == empty
    assert text.count("| – | cannot tell |") == 16 - compared, "what is the same everywhere is like nothing"
    assert page.count("<figure>") == 2 * 3 and page.count("<polyline") == 2 * 2 * 8 + compared
    assert page.count("&amp;co.png") >= 2 and "&co" not in page and not re.search(r"(src|href)=|https?:", page), (
        "names escaped, no outside reference"
    )
    points = re.findall(r'points="([^"]*)"', page)
    numbers = [float(value) for line in points for pair in line.split() for value in pair.split(",")]
    assert all(-1 <= number <= 261 for number in numbers) and "nan" not in page


def test_the_same_command_gives_the_same_numbers(images: list[str], bundle: Bundle, tmp_path: Path) -> None:
    for out, seed in (("one", "3"), ("two", "3"), ("other", "4")):
        assert run(images[:1], tmp_path / out, bundle, "--method", "grad-cam", "--seed", seed) == 0
    one, two, other = ((tmp_path / out / "sanity.json").read_bytes() for out in ("one", "two", "other"))
    assert one == two != other


def test_an_image_that_cannot_be_read_is_named_and_the_others_are_checked(
    images: list[str], bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torn = tmp_path / "torn.png"
    torn.write_bytes(b"\x89PNG\r\n\x1a\n torn")
    assert run([images[0], str(torn)], tmp_path / "out", bundle, "--method", "hirescam") == 2
    told = capsys.readouterr()
    assert "Left out: torn.png" in told.err and "sanity.html" in told.out and "HiResCAM with random weights" in told.out
    assert json.loads((tmp_path / "out" / "sanity.json").read_text(encoding="utf-8"))["left_out"]
    assert run([str(torn)], tmp_path / "none", bundle) == 2
    assert "No image could be checked; the first reason is: torn.png" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--method", "none"], "no saliency method called 'none'"),
        (["--fill", "tokens"], "which the fill 'tokens' does not"),
        (["--target", "fracture"], "no target called 'fracture'"),
        (["--draws", "1"], "draws"),
        (["--random-labels", "{model}"], "the very weights"),
        (["--random-labels", "nowhere"], "nowhere"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    options: list[str], words: str, images: list[str], bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled: list[Any] = [option.format(model=bundle.folder) for option in options]
    assert run(images[:1], tmp_path / "out", bundle, *filled) == 2
    error = capsys.readouterr().err.strip()
    assert words in error and "Traceback" not in error and len(error.splitlines()) == 1, error


def test_a_method_that_the_network_cannot_give_is_one_sentence(
    images: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    conv = make_classifier_bundle(
        tmp_path / "conv", "resnet10t", {"channels": [8, 8, 8, 8], "stem_width": 8}, network=None, preprocessing=GREY
    )
    assert run(images[:1], tmp_path / "out", conv, "--method", "rollout") == 2
    assert "does not have; choose one of grad-cam" in capsys.readouterr().err
