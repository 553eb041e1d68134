"""A classifier's manifest is checked key by key, and its weights must fit its network exactly."""

from __future__ import annotations

import copy
import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import TINY_VIT, TINY_VIT_OPTIONS, classifier_manifest, make_classifier_bundle, make_network
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save_file

from OsteoScreenLib.bundle import open_bundle, write_bundle
from OsteoScreenLib.classifier.model_bundle import ModelBundle
from OsteoScreenLib.classifier.network import load_network
from OsteoScreenLib.classifier.prediction import PointPerformance
from OsteoScreenLib.classifier.preprocess import PreprocessSpec
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.files import resource_folder
from OsteoScreenLib.study.point_performance import performance_of


def refused(folder: Path, manifest: dict[str, Any]) -> str:
    bundle = write_bundle(folder, manifest, {"w": torch.zeros(1)}, "card")
    with pytest.raises(InputError) as caught:
        load_network(ModelBundle.from_bundle(bundle))
    message = str(caught.value)
    assert "\n" not in message and message.endswith("."), message
    return message


def test_every_key_of_a_good_manifest_is_understood(tmp_path: Path) -> None:
    model = ModelBundle.from_bundle(make_classifier_bundle(tmp_path / "good", temperature=1.5))
    assert (model.id, model.site, model.tuning, model.simulated, model.temperature) == (
        "good",
        "chest-frontal",
        "full",
        True,
        1.5,
    )
    assert (model.operating_points.osteoporosis, model.operating_points.low_bone_mass) == (0.4, 0.6)


def test_what_a_bundle_says_of_its_decision(tmp_path: Path) -> None:
    at = {"sensitivity": 0.8, "specificity": 0.7, "positives": 60, "negatives": 352}
    manifest = classifier_manifest(performance={"measured_on": "412 test images", "osteoporosis": at})
    model = ModelBundle.from_bundle(write_bundle(tmp_path / "told", manifest, {"w": torch.zeros(1)}, "card"))
    assert model.performance == (PointPerformance("osteoporosis", 0.8, 0.7, 60, 352, "412 test images"),)
    silent = write_bundle(tmp_path / "silent", classifier_manifest(), {"w": torch.zeros(1)}, "card")
    assert ModelBundle.from_bundle(silent).performance == ()


def test_the_embedded_bundle_says_what_its_card_counts() -> None:
    """Sensitivity and specificity in the manifest are those of the card's table of decisions."""
    bundle = open_bundle(resource_folder("Models", "chest-sim-classifier"))
    rows = re.findall(r"^\| (?:normal|osteopenia|osteoporosis) \| (\d+) \| (\d+) \| (\d+) \|$", bundle.card, re.M)
    confusion = np.array(rows, int)
    assert confusion.shape == (3, 3)
    told = bundle.manifest["performance"]
    assert told == performance_of(confusion, told["measured_on"])


WRONG: list[tuple[str, Callable[[dict[str, Any]], Any]]] = [
    ("classes", lambda m: m.update(classes=["osteoporosis", "osteopenia", "normal"])),
    ("classes", lambda m: m.pop("classes")),
    ("temperature", lambda m: m.pop("temperature")),
    ("performance.measured_on", lambda m: m.update(performance={"osteoporosis": {"sensitivity": 1}})),
    (
        "performance.osteoporosis.sensitivity",
        lambda m: m.update(performance={"measured_on": "x", "osteoporosis": {"sensitivity": 80}}),
    ),
    ("performance.accuracy", lambda m: m.update(performance={"measured_on": "x", "accuracy": 1})),
    ("temperature", lambda m: m.update(temperature=0)),
    ("tuning", lambda m: m.update(tuning="magic")),
    ("operating_points.osteoporosis", lambda m: m["operating_points"].pop("osteoporosis")),
    ("operating_points.low_bone_mass", lambda m: m["operating_points"].update(low_bone_mass=1.2)),
    ("operating_points.other", lambda m: m["operating_points"].update(other=0.1)),
    ("operating_points", lambda m: m.update(operating_points=[0.1, 0.2])),
    ("training.simulated", lambda m: m["training"].pop("simulated")),
    ("training.simulated", lambda m: m["training"].update(simulated="yes")),
    ("preprocessing.std", lambda m: m["preprocessing"].update(std=[0.0])),
    ("architecture.library", lambda m: m["architecture"].update(library="torchvision")),
    ("architecture.name", lambda m: m["architecture"].update(name="hf-hub:someone/model")),
    ("architecture.name", lambda m: m["architecture"].update(name="local-dir:/tmp")),
    ("architecture.options.pretrained", lambda m: m["architecture"]["options"].update(pretrained=True)),
    ("architecture.options.checkpoint_path", lambda m: m["architecture"]["options"].update(checkpoint_path="model.pt")),
    ("architecture.options.pretrained_cfg_overlay", lambda m: m["architecture"]["options"].update(pretrained_cfg_overlay="x")),
    ("architecture.options.num_classes", lambda m: m["architecture"]["options"].update(num_classes=2)),
    ("architecture.options.depth", lambda m: m["architecture"]["options"].update(depth={"a": 1})),
    ("architecture.code", lambda m: m["architecture"].update(code="import os")),
    ("architecture.lora", lambda m: m["architecture"].update(lora={"rank": 8, "alpha": 16, "targets": ["qkv"]})),
]


@pytest.mark.parametrize(("key", "change"), WRONG)
def test_a_wrong_key_is_named(tmp_path: Path, key: str, change: Callable[[dict[str, Any]], Any]) -> None:
    manifest = copy.deepcopy(classifier_manifest())
    change(manifest)
    assert f'"{key}"' in refused(tmp_path / "wrong", manifest)


def test_unknown_networks_and_impossible_options(tmp_path: Path) -> None:
    assert "does not have" in refused(tmp_path / "a", classifier_manifest("vit_of_tomorrow", {}))
    assert "cannot be built with its options" in refused(tmp_path / "b", classifier_manifest(options={"heads_of_hydra": 9}))
    odd = PreprocessSpec(rows=60, columns=60, channels=1, mean=(0.0,), std=(1.0,))
    refused(tmp_path / "c", classifier_manifest(preprocessing=odd))


def test_missing_unexpected_and_misshapen_tensors_are_named(tmp_path: Path) -> None:
    good = make_network().state_dict()
    manifest = classifier_manifest()
    wrong: dict[str, tuple[dict[str, torch.Tensor], str]] = {
        "missing": ({k: v for k, v in good.items() if k != "cls_token"}, "lacks cls_token"),
        "unexpected": ({**good, "extra.weight": torch.zeros(2)}, "unknown tensors extra.weight"),
        "shape": ({**good, "head.weight": torch.zeros(4, 32)}, r"head.weight \(4×32, not 3×32\)"),
    }
    for name, (tensors, words) in wrong.items():
        bundle = write_bundle(tmp_path / name, manifest, tensors, "card")
        with pytest.raises(InputError, match=words) as caught:
            load_network(ModelBundle.from_bundle(bundle))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["resnet10t", "regnety_002", "mobilenetv3_small_050", "convnext_atto"])
def test_convnets_are_built_and_loaded(tmp_path: Path, name: str) -> None:
    network = make_network(name)
    loaded = load_network(ModelBundle.from_bundle(make_classifier_bundle(tmp_path / "net", name, network=network)))
    inputs = torch.rand(1, 1, 56, 56)
    with torch.inference_mode():
        torch.testing.assert_close(loaded(inputs), network(inputs))
    assert not loaded.training and not any(parameter.requires_grad for parameter in loaded.parameters())


def test_loading_leaves_the_callers_random_state_alone(tmp_path: Path) -> None:
    model = ModelBundle.from_bundle(make_classifier_bundle(tmp_path / "net"))
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    load_network(model)
    assert torch.equal(torch.rand(3), expected)


def adapted(tmp_path: Path) -> tuple[Any, dict[str, torch.Tensor], dict[str, Any]]:
    """A base saved to a folder, a LoRA network on it in peft, and the bundle's tensors and manifest for its adapters alone."""
    base: Any = make_network(seed=3)
    bases = tmp_path / "bases"
    bases.mkdir()
    weights = {k: v.contiguous() for k, v in base.state_dict().items() if not k.startswith("head.")}
    save_file(weights, bases / "base.safetensors")
    wrapped = get_peft_model(base, LoraConfig(r=4, lora_alpha=8, target_modules=["qkv", "fc1"]))
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for name, parameter in wrapped.named_parameters():
            if ".lora_" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)
    head = {"head.weight": base.head.weight.detach().clone(), "head.bias": base.head.bias.detach().clone()}
    manifest = classifier_manifest(tuning="lora")
    digest = hashlib.sha256((bases / "base.safetensors").read_bytes()).hexdigest()
    manifest["architecture"] |= {
        "lora": {"rank": 4, "alpha": 8, "targets": ["qkv", "fc1"]},
        "base": {"file": "base.safetensors", "sha256": digest},
    }
    return wrapped.eval(), {**get_peft_model_state_dict(wrapped), **head}, manifest


def test_adapters_alone_stand_on_base_weights_from_a_local_folder(tmp_path: Path) -> None:
    wrapped, tensors, manifest = adapted(tmp_path)
    inputs = torch.rand(2, 1, 56, 56)
    with torch.inference_mode():
        expected = wrapped(inputs)
    model = ModelBundle.from_bundle(write_bundle(tmp_path / "lora", manifest, tensors, "card"))
    merged = load_network(model, bases=tmp_path / "bases")
    assert set(merged.state_dict()) == set(make_network(TINY_VIT, TINY_VIT_OPTIONS).state_dict()), "plain names after merging"
    with torch.inference_mode():
        torch.testing.assert_close(merged(inputs), expected, atol=1e-5, rtol=1e-4)


def test_adapters_alone_stand_on_convnets_of_timm_too(tmp_path: Path) -> None:
    options = {"depths": [1, 1, 1, 1], "dims": [8, 8, 8, 8]}
    base = make_network("convnext_atto", options, seed=3)
    weights = {k: v.contiguous() for k, v in base.state_dict().items() if not k.startswith("head.fc.")}
    save_file(weights, tmp_path / "base.safetensors")
    head = {k: v.clone() for k, v in base.state_dict().items() if k.startswith("head.fc.")}
    wrapped = get_peft_model(base, LoraConfig(r=2, lora_alpha=4, target_modules=["fc1"])).eval()  # type: ignore[arg-type]
    with torch.no_grad():
        for name, parameter in wrapped.named_parameters():
            if ".lora_" in name:
                parameter.fill_(0.1)
    manifest = classifier_manifest("convnext_atto", options, tuning="lora")
    digest = hashlib.sha256((tmp_path / "base.safetensors").read_bytes()).hexdigest()
    manifest["architecture"] |= {
        "lora": {"rank": 2, "alpha": 4, "targets": ["fc1"]},
        "base": {"file": "base.safetensors", "sha256": digest},
    }
    tensors = {**get_peft_model_state_dict(wrapped), **head}
    model = ModelBundle.from_bundle(write_bundle(tmp_path / "lora", manifest, tensors, "card"))
    inputs = torch.rand(1, 1, 56, 56)
    with torch.inference_mode():
        torch.testing.assert_close(load_network(model, bases=tmp_path)(inputs), wrapped(inputs), atol=1e-5, rtol=1e-4)


def test_what_can_be_wrong_with_adapters(tmp_path: Path) -> None:
    _, tensors, manifest = adapted(tmp_path)
    model = ModelBundle.from_bundle(write_bundle(tmp_path / "lora", manifest, tensors, "card"))
    with pytest.raises(InputError, match=r"needs the base weights base.safetensors"):
        load_network(model)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="put the file into your folder"):
        load_network(model, bases=tmp_path / "empty")
    headless = {key: tensor for key, tensor in tensors.items() if key != "head.bias"}
    with pytest.raises(InputError, match=r"lacks head.bias"):
        load_network(ModelBundle.from_bundle(write_bundle(tmp_path / "b", manifest, headless, "card")), tmp_path / "bases")
    fewer = {key: tensor for key, tensor in tensors.items() if "blocks.1.mlp.fc1.lora_B" not in key}
    with pytest.raises(InputError, match=r"do not fit its network, beginning with .*blocks\.1\.mlp\.fc1\.lora_B"):
        load_network(ModelBundle.from_bundle(write_bundle(tmp_path / "c", manifest, fewer, "card")), tmp_path / "bases")
    (tmp_path / "bases" / "base.safetensors").write_bytes(b"other")
    with pytest.raises(InputError, match="their SHA-256 differs"):
        load_network(model, bases=tmp_path / "bases")
