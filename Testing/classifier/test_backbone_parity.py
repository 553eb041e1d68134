"""Every family's encoder, saved by its home library, gives the same features through OsteoScreen.

Compared are the features that go into the classifier (the normed class token; SigLIP: the map-pooling head's output; EVA-X: the normed
mean of the patches) and, where the home library norms them, all tokens after the last norm. Everywhere to 1e-4 on random inputs, at
the encoder's own input size, at a larger and at a smaller one.

Position embeddings at other sizes: as the home library does it. transformers resamples CLIP, SigLIP and DINOv2 without antialiasing
and DINOv2 with registers with it; open_clip and timm with it; DINOv3 has none (rotary). DINOv2's and RAD-DINO's own format is held to
transformers (DINOv2's own code shifts the grid by 0.1 of a patch besides, which neither transformers nor timm does); EVA's own format
is held to timm, which its authors use.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from classifier import homes
from classifier.homes import Home, images_of, loaded, own_features
from safetensors.torch import load_file, save_file

from OsteoScreenLib.classifier.backbones import architecture_for
from OsteoScreenLib.errors import InputError

HOMES: dict[str, Callable[[Path], Home]] = {
    "hf-dinov2": homes.dinov2,
    "hf-dinov2-registers": lambda folder: homes.dinov2(folder, "dinov2-small-reg"),
    "dinov2": homes.dinov2_own,
    "dinov2-registers": lambda folder: homes.dinov2_own(folder, "dinov2-small-reg"),
    "hf-dinov3": homes.dinov3,
    "hf-dinov3-qkv-bias": lambda folder: homes.dinov3(folder, qkv_bias=True),
    "hf-siglip": homes.siglip,
    "hf-siglip-whole": lambda folder: homes.siglip(folder, whole=True),
    "hf-siglip-gelu": lambda folder: homes.siglip(folder, hidden_act="gelu"),
    "hf-clip": homes.clip,
    "hf-clip-whole": lambda folder: homes.clip(folder, whole=True),
    "hf-clip-gelu": lambda folder: homes.clip(folder, hidden_act="gelu"),
    "open-clip": homes.open_clip_model,
    "timm": homes.timm_own,
    "timm-dinov3": lambda folder: homes.timm_own(folder, "dinov3-small"),
    "eva": homes.eva,
    "eva-base": lambda folder: homes.eva(folder, "eva-x-base"),
}


def differences(home: Home, size: int) -> dict[str, float]:
    """Largest absolute difference of each feature at an input size."""
    images = images_of(size)
    theirs = home.features(images)
    ours = own_features(loaded(home, size), images)
    for name, feature in theirs.items():
        assert feature.std() > 0.05, f"{name} hardly varies, so the comparison would say nothing"
    return {name: float((ours[name] - feature).abs().max()) for name, feature in theirs.items()}


@pytest.mark.parametrize("name", HOMES)
def test_the_same_features_at_every_input_size(tmp_path: Path, name: str) -> None:
    home = HOMES[name](tmp_path)
    patch = home.backbone.patch
    for grid in (homes.GRID, homes.GRID + 3, homes.GRID - 1):
        found = differences(home, grid * patch)
        assert found and max(found.values()) < 1e-4, (grid, found)


def test_the_same_features_of_an_open_clip_model_with_a_tower_of_timm(tmp_path: Path) -> None:
    home = homes.open_clip_timm(tmp_path)
    found = differences(home, 224)
    assert max(found.values()) < 1e-4, found
    assert loaded(home, 64).patch_embed.grid_size == (4, 4)


@pytest.mark.parametrize("name", [name for name in HOMES if "gelu" not in name])
def test_every_tensor_of_the_file_counts(tmp_path: Path, name: str) -> None:
    """A converter that dropped or mixed up a tensor would pass it over here: changing any one must change the features."""
    home = HOMES[name](tmp_path)
    images = images_of(home.backbone.preprocessing.rows)
    before = own_features(loaded(home), images)["pooled"]
    tensors = load_file(home.file)
    text = (
        "text_model.",
        "text_projection",
        "visual_projection",
        "logit_",
        "transformer.",
        "token_embedding",
        "ln_final",
        "positional_",
    )
    unused = (
        "mask_token",
        "embeddings.mask_token",
        "visual.proj",
        "head.weight",
        "head.bias",
        "lm_head.weight",
        "lm_head.bias",
    )
    for key, tensor in tensors.items():
        neutral = not tensor.any()  # DINOv3's zero biases, which may not change
        if (key in unused and "siglip" not in name) or key.startswith(text) or neutral:
            continue
        noise = torch.randn(tensor.shape, generator=torch.Generator().manual_seed(3))
        save_file({**tensors, key: tensor + noise}, home.file)
        after = own_features(loaded(home), images)["pooled"]
        # A bias on the keys adds the same to every score of a query, which softmax takes out again; in fused tensors it is a third.
        if not key.endswith(("key.bias", "k_proj.bias")):
            assert (after - before).abs().max() > 1e-3, key


@pytest.mark.parametrize(
    ("word", "timm_name"), [("gelu", "gelu"), ("gelu_pytorch_tanh", "gelu_tanh"), ("quick_gelu", "quick_gelu")]
)
def test_the_activation_follows_the_checkpoint(tmp_path: Path, word: str, timm_name: str) -> None:
    for make in (homes.siglip, homes.clip):
        home = make(tmp_path, hidden_act=word)  # type: ignore[operator]
        network = loaded(home)
        architecture = architecture_for(home.backbone, home.file)
        assert architecture.options.get("act_layer", "gelu") == timm_name
        assert max(differences(home, home.backbone.preprocessing.rows).values()) < 1e-4
        (tmp_path / "config.json").unlink()
        before = home.backbone.architecture.options.get("act_layer", "gelu")
        same = torch.allclose(*(own_features(net, images_of(64))["pooled"] for net in (network, loaded(home))), atol=1e-6)
        assert same == (timm_name == before), "without config.json the registry's activation stands"


def test_a_config_that_leaves_its_defaults_out_is_understood(tmp_path: Path) -> None:
    """Older releases of transformers wrote only what differs from the defaults, and their default activations differ by model."""
    for make, kind, activation in ((homes.siglip, "siglip", "gelu_tanh"), (homes.clip, "clip", "quick_gelu")):
        home = make(tmp_path)
        vision = {"num_attention_heads": homes.HEADS, "model_type": f"{kind}_vision_model"}
        for config in (vision, {"model_type": kind, "vision_config": vision}):
            home.file.with_name("config.json").write_text(json.dumps(config))
            assert architecture_for(home.backbone, home.file).options["act_layer"] == activation
            assert max(differences(home, 64).values()) < 1e-4


def test_heads_and_norms_that_tensors_do_not_tell_are_compared_with_the_config(tmp_path: Path) -> None:
    home = homes.dinov2(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    for change, words in (({"num_attention_heads": 4}, "4 attention heads"), ({"layer_norm_eps": 1e-5}, "epsilon of 1e-05")):
        (tmp_path / "config.json").write_text(json.dumps(config | change))
        with pytest.raises(InputError, match=words):
            loaded(home)
