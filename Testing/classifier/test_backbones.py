"""The registry: every entry can be built, agrees with timm where timm knows the weights, and stands in the docs as it is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from classifier import homes
from torch import nn

from OsteoScreenLib import cli
from OsteoScreenLib.classifier.backbones import BACKBONES, Backbone, build_backbone
from OsteoScreenLib.classifier.key_formats import FORMATS
from OsteoScreenLib.classifier.model_bundle import ModelBundle
from OsteoScreenLib.classifier.network import load_network

DOCS = Path(__file__).parents[2] / "Resources" / "Docs" / "backbones.md"
MARK = "<!-- table: held equal to the registry by Testing/classifier/test_backbones.py -->"


def table() -> str:
    """The docs' table, as the registry has it."""
    lines = [
        "| id | encoder | timm network | input | mean / std | licence | published as | format |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in BACKBONES.values():
        spec = one.preprocessing
        options = "".join(f", {key}={json.dumps(value)}" for key, value in one.architecture.options.items())
        norms = " / ".join(" ".join(f"{number:.4g}" for number in dict.fromkeys(numbers)) for numbers in (spec.mean, spec.std))
        title = f"{one.title}{' (small)' if one.small else ''}{'. ' + one.note if one.note else ''}"
        lines.append(
            f"| `{one.id}` | {title} | `{one.architecture.name}`{options} | {spec.rows}, patch {one.patch}, {spec.fit} | {norms} "
            f"| {one.licence} | `{one.hub_id}`: `{one.hub_file}` | `{one.key_format}` |"
        )
    return "\n".join(lines)


def test_the_docs_hold_the_registry() -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert f"{MARK}\n\n{table()}\n" in text, f"put this below the mark in {DOCS.name}:\n\n{table()}"
    assert all(f"| `{one.id}` |" in text for one in FORMATS)


def test_families_and_ids() -> None:
    families = {one.family for one in BACKBONES.values()}
    assert families == {"OpenCLIP", "DINOv2", "RAD-DINO", "CheXagent", "DINOv3", "BiomedCLIP", "EVA-X"}
    assert all(key == one.id and one.preprocessing.channels == 3 for key, one in BACKBONES.items())
    assert {one.key_format for one in BACKBONES.values()} <= {one.id for one in FORMATS}
    assert {one.family for one in BACKBONES.values() if one.small} >= {"OpenCLIP", "DINOv2"}


def shallow(full: Backbone) -> Backbone:
    """The entry at its full width and with two patches a side, but one block deep."""
    options = {**full.architecture.options, "depth": 1}
    size = 2 * full.patch
    spec = replace(full.preprocessing, rows=size, columns=size)
    return replace(full, architecture=replace(full.architecture, options=options), preprocessing=spec)


@pytest.mark.parametrize("backbone_id", BACKBONES)
def test_every_entry_is_what_it_says(backbone_id: str) -> None:
    full = BACKBONES[backbone_id]
    network: Any = build_backbone(shallow(full), random=True, num_classes=3).eval()
    assert network.patch_embed.patch_size == (full.patch, full.patch)
    assert full.preprocessing.rows == full.preprocessing.columns and full.preprocessing.rows % full.patch == 0
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 2 * full.patch, 2 * full.patch)).shape == (1, 3)
    activation = getattr(network.blocks[0].mlp, "act", None)
    if full.family != "EVA-X":  # gated, and no config.json tells its activation
        tanh = full.architecture.options.get("act_layer", "gelu") == "gelu_tanh"
        assert isinstance(activation, nn.GELU) or tanh, "what architecture_for takes for the default"
        assert (getattr(activation, "approximate", "tanh") == "tanh") == tanh
    registers = 4 if "-reg" in backbone_id or full.family == "DINOv3" else 0
    assert network.num_prefix_tokens == (0 if full.family == "CheXagent" else 1 + registers)


@pytest.mark.parametrize("backbone_id", [key for key, one in BACKBONES.items() if one.hub_id.startswith("timm/")])
def test_entries_of_timms_own_weights_agree_with_timm(backbone_id: str) -> None:
    full = BACKBONES[backbone_id]
    known = timm.get_pretrained_cfg(full.hub_id.removeprefix("timm/")).to_dict()
    spec = full.preprocessing
    assert known["hf_hub_id"] == full.hub_id and known["architecture"] == full.architecture.name
    assert (tuple(known["mean"]), tuple(known["std"])) == (spec.mean, spec.std)
    assert (known["input_size"], known["interpolation"]) == ((3, spec.rows, spec.columns), spec.interpolation)
    assert known["crop_mode"] == "center" and spec.fit == "crop"


def test_a_backbone_becomes_a_bundle(tmp_path: Path) -> None:
    from builders import classifier_manifest

    from OsteoScreenLib.bundle import write_bundle

    for backbone_id in ("dinov2-small-reg", "chexagent-vit-b16", "eva-x-base", "dinov3-small"):
        chosen = homes.shrunk(backbone_id)
        network = homes.perturbed(build_backbone(chosen, random=True))
        manifest = classifier_manifest(
            preprocessing=chosen.preprocessing,
            bundle_id=backbone_id,
            tuning="linear",
            architecture=chosen.architecture.to_manifest(),
        )
        bundle = write_bundle(tmp_path / backbone_id, manifest, network.state_dict(), "card")
        images = homes.images_of(chosen.preprocessing.rows)
        with torch.inference_mode():
            assert torch.equal(load_network(ModelBundle.from_bundle(bundle))(images), network(images))


def test_random_weights_leave_the_callers_random_state_alone_and_are_always_the_same() -> None:
    chosen = homes.shrunk("dinov2-small")
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = build_backbone(chosen, random=True).state_dict()
    assert torch.equal(torch.rand(3), expected)
    again = build_backbone(chosen, random=True).state_dict()
    assert all(torch.equal(tensor, again[key]) for key, tensor in first.items())


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("OSTEOSCREEN_BACKBONES", str(tmp_path / "mine"))
    monkeypatch.setenv("OSTEOSCREEN_LOGS", str(tmp_path / "logs"))

    def says(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(["models", *arguments])
        captured = capsys.readouterr()
        return code, captured.out.strip(), captured.err.strip()

    code, out, _ = says("backbones", "--json")
    listed = json.loads(out)["backbones"]
    assert code == 0 and [one["id"] for one in listed] == list(BACKBONES) and not any(one["weights"] for one in listed)
    given = homes.siglip(tmp_path / "given").file
    code, out, err = says("fetch", "chexagent-vit-b16", "--from", str(given))
    assert code == 0 and "SHA-256" in out and "CC-BY-NC-4.0" in err, "the licence is said before anything is stored"
    line = next(one for one in says("backbones")[1].splitlines() if one.startswith("chexagent-vit-b16 "))
    assert line.endswith("  here") and "512 × 512, patch 16, squash" in line
    code, _, err = says("fetch", "eva-x-tiny")
    assert code == 2 and "is a pickle" in err
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    code, _, err = says("fetch", "no-such")
    assert code == 2 and "known are openclip-vit-b32" in err
    code, _, err = says("forget", "chexagent-vit-b16")
    assert code == 2 and "say --yes" in err and (tmp_path / "mine" / "chexagent-vit-b16").is_dir()
    assert says("forget", "chexagent-vit-b16", "--yes")[0] == 0
    assert not (tmp_path / "mine" / "chexagent-vit-b16").exists()
    assert says("forget", "chexagent-vit-b16")[1] == "chexagent-vit-b16: its weights are not on this computer"
