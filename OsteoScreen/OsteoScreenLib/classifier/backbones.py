"""The registry of backbones, and how one becomes a network with three outputs.

An entry says everything that differs from backbone to backbone; nothing else in the program does. Preprocessing is the source's own:
"crop" scales the shorter edge and cuts the centre, "squash" stretches. `Resources/Docs/backbones.md` has the same table for people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from OsteoScreenLib.classifier.checkpoint_config import config_beside
from OsteoScreenLib.classifier.model_bundle import Architecture
from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.classifier.preprocess import Fit, PreprocessSpec
from OsteoScreenLib.errors import InputError

if TYPE_CHECKING:
    from torch import nn

CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Backbone:
    """A pretrained encoder.

    id : what the command line calls it. family : "OpenCLIP", "DINOv2", …. title : for people.
    architecture : timm's network and its options. preprocessing : at the input size of pretraining.
    licence : of the weights. hub_id, hub_file : where the weights are published, "" where they are not; a file that is a pickle is
    named all the same, and refused. hub_config : the file beside it that tells the activation, "" where none is needed.
    key_format : the format (see `key_formats`) of that file; local files may have any. patch : edge of a patch in pixels.
    small : quick enough for a processor without a GPU. note : what a reader must know.
    """

    id: str
    family: str
    title: str
    architecture: Architecture
    preprocessing: PreprocessSpec
    licence: str
    hub_id: str
    hub_file: str
    key_format: str
    patch: int
    small: bool = False
    hub_config: str = ""
    note: str = ""


def _spec(size: int, mean: tuple[float, ...], std: tuple[float, ...], fit: Fit = "crop") -> PreprocessSpec:
    return PreprocessSpec(rows=size, columns=size, channels=3, fit=fit, interpolation="bicubic", mean=mean, std=std)


def _openclip(size: str, title: str, patch: int, half: bool = False, small: bool = False) -> Backbone:
    name = f"vit_{size}_patch{patch}_clip_224"
    spec = _spec(224, HALF if half else CLIP_MEAN, HALF if half else CLIP_STD)
    return Backbone(
        f"openclip-vit-{size[0]}{patch}", "OpenCLIP", f"OpenCLIP {title}, LAION-2B", Architecture(name, {}), spec, "Apache-2.0 / MIT",
        f"timm/{name}.laion2b", "model.safetensors", "timm", patch, small,
    )  # fmt: skip


def _dinov2(size: str, title: str, registers: bool) -> Backbone:
    name = f"vit_{size}_patch14{'_reg4' if registers else ''}_dinov2"
    return Backbone(
        f"dinov2-{size}{'-reg' if registers else ''}", "DINOv2", f"DINOv2 {title}{', four registers' if registers else ''}",
        Architecture(name, {}), _spec(518, IMAGENET_MEAN, IMAGENET_STD), "Apache-2.0", f"timm/{name}.lvd142m",
        "model.safetensors", "timm", 14, size == "small",
    )  # fmt: skip


def _chexagent(size: str, title: str, patch_name: str, note: str) -> Backbone:
    options = {"act_layer": "gelu_tanh"}
    return Backbone(
        f"chexagent-vit-{size[0]}16", "CheXagent", f"CheXagent's XraySigLIP {title}", Architecture(f"vit_{size}_patch16_siglip_512", options),
        _spec(512, HALF, HALF, "squash"), "CC-BY-NC-4.0", f"StanfordAIMI/XraySigLIP__{patch_name}__webli", "model.safetensors",
        "hf-siglip", 16, hub_config="config.json", note=note,
    )  # fmt: skip


def _dinov3(size: str, title: str) -> Backbone:
    name = f"vit_{size}_patch16_dinov3"
    return Backbone(
        f"dinov3-{size}", "DINOv3", f"DINOv3 {title}", Architecture(name, {"global_pool": "token"}),
        _spec(256, IMAGENET_MEAN, IMAGENET_STD), "DINOv3 License", f"timm/{name}.lvd1689m", "model.safetensors", "timm", 16,
        size == "small", note="The licence has terms of its own on use and redistribution: read it.",
    )  # fmt: skip


def _eva_x(size: str, title: str) -> Backbone:
    grey = (0.49185243,) * 3, (0.28509309,) * 3
    return Backbone(
        f"eva-x-{size}", "EVA-X", f"EVA-X {title}",
        Architecture(f"eva02_{size}_patch14_224", {"patch_size": 16, "ref_feat_shape": [14, 14]}), _spec(224, *grey), "MIT",
        "MapleF/eva_x", f"eva_x_{size}_patch16_merged520k_mim.pt", "eva", 16, size != "base",
        note="Published as a pickle only. Its authors scale the shorter edge to 256 before they cut 224; here 224 is cut from 224.",
    )  # fmt: skip


_ENTRIES = (
    _openclip("base", "ViT-B/32", 32, small=True),
    _openclip("base", "ViT-B/16", 16),
    _openclip("large", "ViT-L/14", 14, half=True),
    *(_dinov2(size, title, registers) for registers in (False, True)
      for size, title in (("small", "ViT-S/14"), ("base", "ViT-B/14"), ("large", "ViT-L/14"))),
    Backbone(
        "rad-dino", "RAD-DINO", "RAD-DINO ViT-B/14", Architecture("vit_base_patch14_dinov2", {}),
        _spec(518, (0.5307,) * 3, (0.2583,) * 3), "MIT (earlier releases: MSRLA)", "microsoft/rad-dino",
        "backbone_compatible.safetensors", "dinov2", 14, note="For research.",
    ),
    _chexagent(
        "large", "ViT-L/16", "vit-l-16-siglip-384",
        "CheXagent-2's encoder, 512 pixels despite the name. Which CheXagent encoder the study used is not known.",
    ),
    _chexagent("base", "ViT-B/16", "vit-b-16-siglip-512", "A smaller sibling by the same authors, not CheXagent's own encoder."),
    _dinov3("small", "ViT-S/16"),
    _dinov3("base", "ViT-B/16"),
    Backbone(
        "biomedclip", "BiomedCLIP", "BiomedCLIP's ViT-B/16", Architecture("vit_base_patch16_224", {}), _spec(224, CLIP_MEAN, CLIP_STD),
        "MIT", "microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224", "open_clip_pytorch_model.bin", "open-clip-timm", 16,
        note="Published as a pickle only.",
    ),
    _eva_x("tiny", "ViT-Ti/16"),
    _eva_x("small", "ViT-S/16"),
    _eva_x("base", "ViT-B/16"),
)  # fmt: skip

BACKBONES: Mapping[str, Backbone] = MappingProxyType({entry.id: entry for entry in _ENTRIES})
"""Every backbone by its id."""


def backbone(backbone_id: str) -> Backbone:
    """A backbone by its id. Raises `InputError` (backbone-unknown) that names those there are."""
    if backbone_id not in BACKBONES:
        raise InputError(
            f"There is no backbone '{backbone_id}'; known are {', '.join(BACKBONES)}: see 'osteoscreen models backbones'.",
            code="backbone-unknown",
        )
    return BACKBONES[backbone_id]


def preprocessing_for(chosen: Backbone, image_size: int | None = None) -> PreprocessSpec:
    """The backbone's preprocessing at an input of `image_size` rows and columns, or at its own.

    Raises `InputError` (image-size) when the patches do not fit into it.
    """
    if image_size is None:
        return chosen.preprocessing
    patch = chosen.patch
    if image_size < patch or image_size % patch:
        near = max(patch, round(image_size / patch) * patch)
        raise InputError(
            f"An input of {image_size} pixels cannot be cut into the {patch} × {patch} patches of {chosen.id}; "
            f"choose a multiple of {patch}, such as {near}.",
            code="image-size",
        )
    return replace(chosen.preprocessing, rows=image_size, columns=image_size)


def architecture_for(chosen: Backbone, weights: Path | None) -> Architecture:
    """The backbone's network with the activation that the `config.json` beside the weights states, where there is one.

    This is what a bundle's manifest has to name.
    """
    said = config_beside(weights).activation if weights is not None else None
    options = dict(chosen.architecture.options)
    if said is None or said == options.get("act_layer", "gelu"):
        return chosen.architecture
    return replace(chosen.architecture, options=options | {"act_layer": said})


def build_backbone(
    chosen: Backbone,
    num_classes: int = len(CLASSES),
    weights: Path | None = None,
    image_size: int | None = None,
    owner: str = "",
    *,
    random: bool = False,
) -> nn.Module:
    """The backbone as a timm network with a fresh classifier on its pooled features; nothing is downloaded.

    Parameters
    ----------
    weights : a safetensors file in any known format. It is verified and must fit tensor by tensor. image_size : rows and
        columns of the input if not the backbone's own; position embeddings are resampled. owner : a name for messages.
    random : build with random weights (seed 0) when no file is given; without that word a missing file is an error.

    Returns
    -------
    A module in training mode: (n, 3, rows, columns) float32 → logits (n, num_classes). The caller's random state is left alone.

    Raises
    ------
    InputError
        One sentence: weights missing, altered, a pickle, of another network, or an impossible size.
    """
    from OsteoScreenLib.classifier.base_weights import read
    from OsteoScreenLib.classifier.key_conversion import load_base
    from OsteoScreenLib.classifier.network import build_network

    if weights is None and not random:
        raise InputError(
            f"The backbone {chosen.id} was asked for without its weights; name their file, or say that they shall be random.",
            code="base-missing",
        )
    spec = preprocessing_for(chosen, image_size)
    tensors = None if weights is None else read(weights)  # first of all: what lies beside them is verified, too
    network = build_network(architecture_for(chosen, weights), spec, owner or chosen.id, num_classes)
    if weights is not None and tensors is not None:
        _check_config(network, weights)
        load_base(network, tensors, owner or weights.name)
    return network


def _check_config(network: Any, weights: Path) -> None:
    """Refuse a checkpoint whose config tells of heads or layer norms that this network does not have."""
    from torch import nn

    said = config_beside(weights)
    blocks: Any = getattr(network, "blocks", nn.Sequential())
    heads = {int(block.attn.num_heads) for block in blocks}
    norms = {module.eps for module in blocks.modules() if isinstance(module, nn.LayerNorm)}
    if said.heads is not None and heads and said.heads not in heads:
        told = f"{said.heads} attention heads where this backbone has {min(heads)}"
    elif said.epsilon is not None and norms and said.epsilon not in norms:
        told = f"layer norms with an epsilon of {said.epsilon:g} where this backbone has {min(norms):g}"
    else:
        return
    raise InputError(
        f"The config.json beside {weights.name} tells of {told}; choose the file that belongs to this backbone.",
        code="base-config",
    )
