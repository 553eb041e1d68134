"""Small, randomly initialised encoders of other libraries, saved in those libraries' own formats; nothing is downloaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from OsteoScreenLib.classifier.backbones import BACKBONES, Backbone, build_backbone
from OsteoScreenLib.classifier.model_bundle import Architecture

WIDTH, DEPTH, HEADS, GRID = 32, 2, 2, 4
TINY: dict[str, Any] = {"embed_dim": WIDTH, "depth": DEPTH, "num_heads": HEADS}
SHAPE: dict[str, Any] = {
    "hidden_size": WIDTH, "num_hidden_layers": DEPTH, "num_attention_heads": HEADS, "intermediate_size": 4 * WIDTH,
}  # fmt: skip
TEXT: dict[str, Any] = {
    **SHAPE, "vocab_size": 60, "max_position_embeddings": 8, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2,
}  # fmt: skip

Features = Callable[[torch.Tensor], dict[str, torch.Tensor]]


@dataclass(frozen=True)
class Home:
    """An encoder at home. file : as its library saved it. backbone : the registry's entry, shrunk to the encoder's size.

    features : images → its pooled features ("pooled") and, where it norms them, its tokens ("tokens"), at any input size.
    """

    file: Path
    backbone: Backbone
    features: Features


def perturbed(model: nn.Module, seed: int = 0) -> nn.Module:
    """Every parameter drawn anew, so that no norm, bias, layer scale or token is at its neutral value."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.ndim >= 2 and parameter.shape[0] > 1:
                parameter.copy_(1.5 * noise / parameter[0].numel() ** 0.5)
            elif parameter.ndim == 1:
                parameter.copy_(0.6 + 0.3 * noise)
            else:
                parameter.copy_(0.5 * noise)
    return model.eval()


def shrunk(entry: str, size: int | None = None, **options: Any) -> Backbone:
    """A registry entry with its own architecture, but tiny."""
    full = BACKBONES[entry]
    size = size or GRID * full.patch
    architecture = Architecture(full.architecture.name, {**full.architecture.options, **TINY, **options})
    return replace(full, architecture=architecture, preprocessing=replace(full.preprocessing, rows=size, columns=size))


def loaded(home: Home, image_size: int | None = None) -> Any:
    """The encoder, loaded through OsteoScreen, in evaluation mode."""
    return build_backbone(home.backbone, weights=home.file, image_size=image_size).eval()


def own_features(network: Any, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """The same features of a timm network: tokens after the last norm, and what goes into the classifier."""
    with torch.inference_mode():
        tokens = network.forward_features(images)
        return {"tokens": tokens, "pooled": network.forward_head(tokens, pre_logits=True)}


def images_of(size: int, seed: int = 1) -> torch.Tensor:
    """Two random inputs."""
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(seed))


def _hf(model: Any, tokens: bool = True, **given: Any) -> Features:
    def features(images: torch.Tensor) -> dict[str, torch.Tensor]:
        with torch.inference_mode():
            out = model(pixel_values=images, **given)
        return {"pooled": out.pooler_output} | ({"tokens": out.last_hidden_state} if tokens else {})

    return features


def dinov2(folder: Path, entry: str = "dinov2-small") -> Home:
    """transformers' Dinov2Model, or the one with registers."""
    import transformers

    given = {
        "hidden_size": WIDTH,
        "num_hidden_layers": DEPTH,
        "num_attention_heads": HEADS,
        "image_size": 14 * GRID,
        "patch_size": 14,
    }
    if entry.endswith("-reg"):
        model: Any = transformers.Dinov2WithRegistersModel(
            transformers.Dinov2WithRegistersConfig(**given, num_register_tokens=4)
        )
    else:
        model = transformers.Dinov2Model(transformers.Dinov2Config(**given))
    perturbed(model).save_pretrained(folder)
    return Home(folder / "model.safetensors", shrunk(entry), _hf(model))


def dinov2_own(folder: Path, entry: str = "rad-dino") -> Home:
    """The same networks under the names that DINOv2's own code and RAD-DINO's `backbone_compatible.safetensors` give them."""
    home = dinov2(folder, entry if entry.endswith("-reg") else "dinov2-small")
    given = load_file(home.file)
    renamed = {}
    for key, tensor in given.items():
        new = key.removeprefix("embeddings.").replace("encoder.layer.", "blocks.").replace("layernorm.", "norm.")
        new = (
            new.replace("layer_scale", "ls")
            .replace("lambda1", "gamma")
            .replace("patch_embeddings.projection", "patch_embed.proj")
        )
        new = new.replace("attention.output.dense", "attn.proj").replace("position_embeddings", "pos_embed")
        if ".attention.attention." not in new:
            renamed[new] = tensor
    for block in range(DEPTH):
        for leaf in ("weight", "bias"):
            parts = [given[f"encoder.layer.{block}.attention.attention.{one}.{leaf}"] for one in ("query", "key", "value")]
            renamed[f"blocks.{block}.attn.qkv.{leaf}"] = torch.cat(parts)
    file = folder / "backbone_compatible.safetensors"
    save_file(renamed, file)
    return Home(file, shrunk(entry), home.features)


def dinov3(folder: Path, qkv_bias: bool = False) -> Home:
    """transformers' DINOv3ViTModel; its query and value biases are zero, as in what was published, unless asked for."""
    import transformers

    config = transformers.DINOv3ViTConfig(**SHAPE, image_size=16 * GRID, patch_size=16, num_register_tokens=4)
    model: Any = perturbed(transformers.DINOv3ViTModel(config))
    if not qkv_bias:
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if name.endswith(("q_proj.bias", "v_proj.bias")):
                    parameter.zero_()
    model.save_pretrained(folder)
    backbone = shrunk("dinov3-small")
    if qkv_bias:
        backbone = replace(backbone, architecture=replace(backbone.architecture, name="vit_small_patch16_dinov3_qkvb"))
    return Home(folder / "model.safetensors", backbone, _hf(model))


def siglip(folder: Path, whole: bool = False, **vision: Any) -> Home:
    """transformers' SiglipVisionModel, or a whole SiglipModel with its text tower."""
    import transformers

    given = {**SHAPE, "image_size": 16 * GRID, "patch_size": 16, **vision}
    if whole:
        model: Any = transformers.SiglipModel(transformers.SiglipConfig(vision_config=given, text_config=TEXT))
    else:
        model = transformers.SiglipVisionModel(transformers.SiglipVisionConfig(**given))
    perturbed(model).save_pretrained(folder)
    tower = model.vision_model if whole else model
    return Home(folder / "model.safetensors", shrunk("chexagent-vit-b16"), _hf(tower, interpolate_pos_encoding=True))


def clip(folder: Path, whole: bool = False, **vision: Any) -> Home:
    """transformers' CLIPVisionModel, or a whole CLIPModel. Its tokens are not normed, so only the pooled features are compared."""
    import transformers

    given = {**SHAPE, "image_size": 16 * GRID, "patch_size": 16, **vision}
    if whole:
        model: Any = transformers.CLIPModel(transformers.CLIPConfig(vision_config=given, text_config=TEXT, projection_dim=16))
    else:
        model = transformers.CLIPVisionModel(transformers.CLIPVisionConfig(**given))
    perturbed(model).save_pretrained(folder)
    tower = model.vision_model if whole else model
    return Home(
        folder / "model.safetensors", shrunk("openclip-vit-b16"), _hf(tower, tokens=False, interpolate_pos_encoding=True)
    )


def open_clip_model(folder: Path) -> Home:
    """A custom small open_clip CLIP. At another size it is built anew there and loaded with open_clip's own resampling."""
    import open_clip

    text = {"context_length": 8, "vocab_size": 60, "width": 16, "heads": 2, "layers": 1}

    def build(size: int) -> Any:
        vision = {"layers": DEPTH, "width": WIDTH, "head_width": WIDTH // HEADS, "patch_size": 16, "image_size": size}
        return open_clip.model.CLIP(embed_dim=24, vision_cfg=vision, text_cfg=text)

    state = {key: tensor.contiguous().clone() for key, tensor in perturbed(build(16 * GRID)).state_dict().items()}
    file = folder / "open_clip_model.safetensors"
    save_file(state, file)

    def features(images: torch.Tensor) -> dict[str, torch.Tensor]:
        model = build(images.shape[-1]).eval()
        resampled = dict(state)
        open_clip.model.resize_pos_embed(resampled, model)
        model.load_state_dict(resampled)
        model.visual.proj = None  # the projection to the text's space
        with torch.inference_mode():
            return {"pooled": model.visual(images)}

    return Home(file, shrunk("openclip-vit-b16"), features)


def open_clip_timm(folder: Path) -> Home:
    """open_clip around a timm tower, as BiomedCLIP is; timm's smallest plain tower in the place of its base one."""
    import open_clip

    vision = {"timm_model_name": "vit_tiny_patch16_224", "timm_pool": "", "timm_proj": "linear", "image_size": 224}
    text = {"context_length": 8, "vocab_size": 60, "width": 16, "heads": 2, "layers": 1}
    model: Any = perturbed(open_clip.model.CustomTextCLIP(embed_dim=24, vision_cfg=vision, text_cfg=text))
    file = folder / "open_clip_model.safetensors"
    save_file({key: tensor.contiguous().clone() for key, tensor in model.state_dict().items()}, file)
    full = BACKBONES["biomedclip"]
    backbone = replace(full, architecture=replace(full.architecture, name="vit_tiny_patch16_224"))

    def features(images: torch.Tensor) -> dict[str, torch.Tensor]:
        with torch.inference_mode():
            tokens = model.visual.trunk.forward_features(images)
        return {"pooled": tokens[:, 0], "tokens": tokens}

    return Home(file, backbone, features)


def _timm(folder: Path, backbone: Backbone, rename: Callable[[str], str], classes: int) -> Home:
    """timm's own network; at another size timm itself reads the file that was saved."""
    import timm

    architecture = backbone.architecture
    size = backbone.preprocessing.rows
    model = perturbed(timm.create_model(architecture.name, img_size=size, num_classes=7, **architecture.options))
    file = folder / "model.safetensors"
    save_file({rename(key): tensor.contiguous().clone() for key, tensor in model.state_dict().items()}, file)

    def features(images: torch.Tensor) -> dict[str, torch.Tensor]:
        at_size = timm.create_model(
            architecture.name, img_size=images.shape[-1], num_classes=classes, pretrained=True, **architecture.options,
            pretrained_cfg_overlay={"file": str(file), "hf_hub_id": None, "url": "", "num_classes": classes},
        )  # fmt: skip
        return own_features(at_size.eval(), images)

    return Home(file, backbone, features)


def timm_own(folder: Path, entry: str = "dinov2-small-reg") -> Home:
    """A file of timm's, with a classifier of pretraining."""
    return _timm(folder, shrunk(entry), lambda key: key, classes=7)


def eva(folder: Path, entry: str = "eva-x-small") -> Home:
    """EVA's own names, with the mask token of pretraining."""
    pairs = (
        (".mlp.fc1_g.", ".mlp.w1."), (".mlp.fc1_x.", ".mlp.w2."), (".mlp.fc1.", ".mlp.w12."), (".mlp.fc2.", ".mlp.w3."),
        (".mlp.norm.", ".mlp.ffn_ln."), (".q_proj.bias", ".q_bias"), (".v_proj.bias", ".v_bias"), ("fc_norm.", "norm."),
        ("head.", "lm_head."),
    )  # fmt: skip

    def rename(key: str) -> str:
        for ours, theirs in pairs:
            key = key.replace(ours, theirs)
        return key

    home = _timm(folder, shrunk(entry), rename, classes=0)
    save_file({**load_file(home.file), "mask_token": torch.ones(1, 1, WIDTH)}, home.file)
    return home
