"""The input check: near is in, far is out, and what is stored comes back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from builders import make_classifier_bundle, make_radiograph  # noqa: E402

from OsteoScreenLib.bundle import open_bundle, write_bundle  # noqa: E402
from OsteoScreenLib.classifier.classifier import Classifier  # noqa: E402
from OsteoScreenLib.classifier.domain import (  # noqa: E402
    DOMAIN_FILE,
    Domain,
    DomainCheck,
    fit_domain,
    stages_of,
    watched,
)
from OsteoScreenLib.errors import InputError  # noqa: E402


def cloud(count: int, seed: int) -> np.ndarray:
    """Features that vary in five directions out of thirty, and a little in all."""
    rng = np.random.default_rng(seed)
    ways = np.random.default_rng(0).normal(size=(5, 30))
    return rng.normal(size=(count, 5)) @ ways + 0.1 * rng.normal(size=(count, 30)) + 3


@pytest.fixture(scope="module")
def check() -> DomainCheck:
    return fit_domain(("layer1",), cloud(400, 1), cloud(300, 2))


def test_unseen_images_of_the_same_kind_are_in(check: DomainCheck) -> None:
    levels = [check.judge(one).level for one in cloud(500, 3)]
    assert 0.9 < levels.count("in") / 500 < 0.99
    assert levels.count("out") / 500 < 0.02


def test_far_along_a_known_direction_and_off_all_directions_are_out(check: DomainCheck) -> None:
    middle = cloud(400, 1).mean(axis=0)
    along = middle + 12 * np.random.default_rng(0).normal(size=(5, 30))[0]
    beside = cloud(1, 5)[0] + 2.0 * np.random.default_rng(9).normal(size=30)
    assert check.judge(middle).level == "in"
    assert check.judge(along).level == "out" and check.judge(along).percentile == 100
    assert check.judge(beside).level == "out"


def test_what_is_no_number_is_out(check: DomainCheck) -> None:
    assert check.judge(np.full(30, np.nan)).level == "out"
    assert check.judge(np.full(30, np.inf)).level == "out"


def test_sentences_say_what_to_do_with_the_answer() -> None:
    assert "cannot be trusted" in Domain(9.0, 100.0, "out").sentence
    assert "97 %" in Domain(1.5, 97.0, "borderline").sentence and "wary" in Domain(1.5, 97.0, "borderline").sentence
    assert "resembles" in Domain(0.8, 40.0, "in").sentence


@pytest.fixture
def checked(tmp_path: Path) -> Path:
    """A small classifier's bundle with a check fitted on noise of one kind."""
    classifier = Classifier.load(make_classifier_bundle(tmp_path / "plain"), "cpu", "fp32")
    layers = stages_of(classifier.network)
    with torch.inference_mode(), watched(classifier.network, layers) as features:
        seen = []
        for seed in range(60):
            pixels = make_radiograph((64, 64), seed=seed).pixels
            classifier.network(classifier.preprocess(pixels[None]))
            seen.append(features()[0])
    check = fit_domain(layers, np.stack(seen[:40]), np.stack(seen[40:]))
    bundle = classifier.model.bundle
    kept = {key: value for key, value in bundle.manifest.items() if key not in {"format", "format_version", "files"}}
    kept["domain"] = check.to_manifest(40, 20)
    folder = tmp_path / "checked"
    write_bundle(folder, kept, bundle.tensors(), bundle.card, {DOMAIN_FILE: check.tensors()})
    return folder


def test_a_bundle_brings_its_check_and_a_plain_one_says_that_it_has_none(checked: Path, tmp_path: Path) -> None:
    classifier = Classifier.load(open_bundle(checked), "cpu", "fp32")
    near = classifier.domain(make_radiograph((64, 64), seed=7).pixels)
    far = classifier.domain(np.indices((64, 64)).sum(axis=0).astype(np.float32) % 2)
    assert near is not None and near.level == "in"
    assert far is not None and far.level == "out" and far.distance > near.distance
    assert Classifier.load(open_bundle(tmp_path / "plain"), "cpu", "fp32").domain(np.zeros((8, 8), np.float32)) is None


def test_the_answer_is_the_same_with_and_without_the_check(checked: Path, tmp_path: Path) -> None:
    pixels = make_radiograph((64, 64), seed=3).pixels[None]
    with_check, without = (Classifier.load(open_bundle(folder), "cpu", "fp32") for folder in (checked, tmp_path / "plain"))
    with_check.domain(pixels[0])
    assert np.array_equal(with_check.predict(pixels), without.predict(pixels))


def test_what_does_not_fit_together_is_one_sentence(checked: Path) -> None:
    bundle = open_bundle(checked)
    table = bundle.manifest["domain"]
    for altered in ({**table, "method": "another"}, {**table, "layers": "layer1"}, []):
        wrong = replace(bundle, manifest={**bundle.manifest, "domain": altered})
        with pytest.raises(InputError, match="input check"):
            DomainCheck.from_bundle(wrong)
    strange = replace(bundle, manifest={**bundle.manifest, "domain": {**table, "layers": ["no such layer"]}})
    classifier = Classifier.load(strange, "cpu", "fp32")
    with pytest.raises(InputError, match="does not fit"):
        classifier.domain(np.zeros((8, 8), np.float32))


def test_an_altered_file_is_refused(checked: Path) -> None:
    path = checked / DOMAIN_FILE
    path.write_bytes(path.read_bytes()[:-4] + b"abcd")
    with pytest.raises(InputError, match="altered"):
        open_bundle(checked)
    assert json.loads((checked / "manifest.json").read_text())["files"][DOMAIN_FILE]["bytes"] == path.stat().st_size
