"""Adapters: put on every kind of attention, trained, stored alone or merged, and opened again as a bundle, with the same answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from builders import classifier_manifest
from classifier import homes
from classifier.homes import images_of, loaded

from OsteoScreenLib.bundle import write_bundle
from OsteoScreenLib.classifier.backbones import BACKBONES, architecture_for, build_backbone, preprocessing_for
from OsteoScreenLib.classifier.base_fetch import adopt
from OsteoScreenLib.classifier.base_weights import verified_sha256
from OsteoScreenLib.classifier.lora import add_lora, default_targets, load_lora_tensors, lora_tensors, merged
from OsteoScreenLib.classifier.model_bundle import BaseWeights, LoraSettings, ModelBundle
from OsteoScreenLib.classifier.network import load_network
from OsteoScreenLib.errors import InputError

KINDS = [
    "dinov2-small",
    "dinov2-small-reg",
    "openclip-vit-b16",
    "chexagent-vit-b16",
    "dinov3-small",
    "eva-x-small",
    "eva-x-base",
]


def trained(network: Any, settings: LoraSettings, dropout: float = 0.0, steps: int = 3) -> Any:
    """Adapters on a network after a few steps, in evaluation mode."""
    torch.manual_seed(5)
    wrapped = add_lora(network, settings, "this run", dropout)
    wrapped.train()
    optimiser = torch.optim.Adam([one for one in wrapped.parameters() if one.requires_grad], 0.05)
    images, labels = images_of(network.patch_embed.img_size[0]), torch.tensor([0, 2])
    for _ in range(steps):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(wrapped(images), labels).backward()
        optimiser.step()
    return wrapped.eval()


@pytest.mark.parametrize("kind", KINDS)
def test_adapters_learn_on_every_kind_of_attention_and_merge_exactly(kind: str) -> None:
    chosen = homes.shrunk(kind)
    network: Any = homes.perturbed(build_backbone(chosen, random=True))
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    images = images_of(chosen.preprocessing.rows)
    with torch.inference_mode():
        untouched = network(images)
    settings = LoraSettings(8, 16, default_targets(network))
    torch.manual_seed(5)
    with torch.inference_mode():
        assert torch.allclose(add_lora(network, settings, "this run").eval()(images), untouched, atol=1e-5), (
            "no effect at first"
        )
    network = build_backbone(chosen, random=True)
    network.load_state_dict(before)
    wrapped = trained(network, settings)
    learning = {name for name, parameter in wrapped.named_parameters() if parameter.requires_grad}
    assert learning and all(".lora_" in name or ".head." in name for name in learning)
    adapters = {name: parameter for name, parameter in wrapped.named_parameters() if ".lora_B" in name}
    assert len(adapters) == homes.DEPTH * len(settings.targets)
    assert all(parameter.abs().max() > 0 for parameter in adapters.values()), "every adapter is on the way of the gradient"
    with torch.inference_mode():
        answers = wrapped(images)
    assert (answers - untouched).abs().max() > 0.01
    plain = merged(wrapped)
    changed = {key for key, tensor in plain.state_dict().items() if not torch.equal(tensor, before[key])}
    assert set(plain.state_dict()) == set(before)
    ends = tuple(f"{target}.weight" for target in settings.targets)
    assert changed and all(key.startswith("head.") or key.endswith(ends) for key in changed)
    with torch.inference_mode():
        assert torch.allclose(plain(images), answers, atol=1e-4)


@pytest.mark.parametrize("targets", [("attn.qkv",), ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")])
def test_a_bundle_with_adapters_alone_and_a_merged_one_answer_as_the_trained_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, targets: tuple[str, ...]
) -> None:
    """From transformers' file to a bundle at another input size: the base is converted the same way when the bundle is opened."""
    monkeypatch.setenv("OSTEOSCREEN_BACKBONES", str(tmp_path / "mine"))
    home = homes.siglip(tmp_path / "given", hidden_act="gelu")
    chosen = home.backbone
    file = adopt(chosen, home.file)
    size = 16 * (homes.GRID + 2)
    settings = LoraSettings(4, 8, targets)
    wrapped = trained(loaded(replace(home, file=file), size), settings, dropout=0.1)
    images = images_of(size)
    with torch.inference_mode():
        wanted = wrapped(images)
    architecture = architecture_for(chosen, file)
    base = BaseWeights(file.name, verified_sha256(file), chosen.id)
    alone = replace(architecture, lora=settings, base=base)
    spec = preprocessing_for(chosen, size)
    tensors = lora_tensors(wrapped)
    for name, table, stored in (
        ("alone", alone.to_manifest(), tensors),
        ("merged", architecture.to_manifest(), merged(wrapped).state_dict()),
    ):
        manifest = classifier_manifest(preprocessing=spec, bundle_id=name, tuning="lora", architecture=table)
        model = ModelBundle.from_bundle(write_bundle(tmp_path / name, manifest, stored, "card"))
        assert model.architecture == (alone if name == "alone" else architecture)
        with torch.inference_mode():
            assert torch.allclose(load_network(model)(images), wanted, atol=1e-4), name
    sizes = {path.name: (path / "weights.safetensors").stat().st_size for path in (tmp_path / "alone", tmp_path / "merged")}
    assert sizes["alone"] < sizes["merged"] / 2
    (file.parent / "record.json").unlink()
    file.rename(file.with_name("other.safetensors"))
    alone_model = ModelBundle.from_bundle(write_bundle(
        tmp_path / "alone", classifier_manifest(preprocessing=spec, bundle_id="alone", tuning="lora", architecture=alone.to_manifest()),
        tensors, "card",
    ))  # fmt: skip
    with pytest.raises(InputError, match=rf"needs the base weights model\.safetensors.*osteoscreen models fetch {chosen.id}"):
        load_network(alone_model)


def test_a_run_goes_on_from_stored_adapters(tmp_path: Path) -> None:
    chosen = homes.shrunk("dinov2-small")
    settings = LoraSettings(2, 4, ("attn.qkv",))
    first = trained(build_backbone(chosen, random=True), settings)
    stored = {key: tensor.clone() for key, tensor in lora_tensors(first).items()}
    again = add_lora(build_backbone(chosen, random=True), settings, "this run").eval()
    images = images_of(chosen.preprocessing.rows)
    with torch.inference_mode():
        assert not torch.allclose(again(images), first(images), atol=1e-4)
        load_lora_tensors(again, stored, "this run")
        assert torch.equal(again(images), first(images))
    fewer = {key: tensor for key, tensor in stored.items() if not key.endswith("head.bias")}
    with pytest.raises(InputError, match=r"beginning with head\.bias"):
        load_lora_tensors(again, fewer, "this run")


def test_targets_that_are_not_there_are_named() -> None:
    network = build_backbone(homes.shrunk("dinov2-small"), random=True)
    with pytest.raises(InputError, match=r"\(attn\.magic\); name layers such as attn\.qkv"):
        add_lora(network, LoraSettings(2, 4, ("attn.magic",)), "this run")
    with pytest.raises(InputError, match="no attention"):
        default_targets(torch.nn.Sequential(torch.nn.Linear(2, 2)))


def test_every_backbone_has_attention_to_adapt() -> None:
    for backbone_id, full in BACKBONES.items():
        if full.family != "BiomedCLIP":
            assert default_targets(build_backbone(homes.shrunk(backbone_id), random=True)), backbone_id
