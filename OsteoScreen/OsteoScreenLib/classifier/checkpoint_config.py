"""What the `config.json` beside a checkpoint says of the network that tensors alone do not tell.

The tensors of a network with exact GELU, with GELU's tanh approximation and with x·sigmoid(1.702 x) ("quick GELU") look the same, and
so do those of 6 heads and 12. transformers leaves values out of config.json that are its defaults, so the defaults stand here, too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from OsteoScreenLib.errors import InputError

NAMES = ("config.json", "open_clip_config.json")
_LARGEST = 4 * 1024 * 1024

# transformers' names of activations → timm's.
_ACTIVATIONS = {
    "gelu": "gelu", "gelu_pytorch_tanh": "gelu_tanh", "gelu_new": "gelu_tanh", "gelu_tanh": "gelu_tanh",
    "quick_gelu": "quick_gelu", "silu": "silu", "swish": "silu",
}  # fmt: skip
# model_type → (hidden_act, num_attention_heads, layer_norm_eps) where config.json is silent.
_DEFAULTS: dict[str, tuple[str, int, float]] = {
    "dinov2": ("gelu", 12, 1e-6),
    "dinov2_with_registers": ("gelu", 12, 1e-6),
    "dinov3_vit": ("gelu", 6, 1e-5),
    "siglip_vision_model": ("gelu_pytorch_tanh", 12, 1e-6),
    "clip_vision_model": ("quick_gelu", 12, 1e-5),
}
_WHOLE = {"clip": "clip_vision_model", "siglip": "siglip_vision_model"}  # models of two towers


@dataclass(frozen=True)
class CheckpointConfig:
    """activation : timm's name of it. heads : attention heads. epsilon : of the layer norms. None where the file does not say."""

    activation: str | None = None
    heads: int | None = None
    epsilon: float | None = None


def config_beside(weights: Path) -> CheckpointConfig:
    """Read the config in the folder of a weights file; an empty answer where there is none, or none that says anything.

    Raises `InputError` (base-config) when the file is there but damaged, or names an activation that is not known.
    """
    for name in NAMES:
        path = weights.parent / name
        if path.is_file():
            return _understood(_table(path), path)
    return CheckpointConfig()


def _table(path: Path) -> Mapping[str, Any]:
    try:
        with open(path, "rb") as stream:
            table = json.loads(stream.read(_LARGEST))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path} cannot be read as JSON, so the network's activation is not known; get the file again, or remove it.",
            code="base-config",
        ) from error
    if not isinstance(table, Mapping):
        raise InputError(f"{path} holds no table; get the file again, or remove it.", code="base-config")
    return table


def _understood(table: Mapping[str, Any], path: Path) -> CheckpointConfig:
    if isinstance(table.get("model_cfg"), Mapping):  # open_clip
        quick = table["model_cfg"].get("quick_gelu")
        return CheckpointConfig("quick_gelu" if quick is True else None)
    if isinstance(table.get("model_args"), Mapping):  # timm
        return CheckpointConfig(_activation(table["model_args"].get("act_layer"), path))
    kind = table.get("model_type")
    if kind in _WHOLE:
        inner = table.get("vision_config")
        table, kind = inner if isinstance(inner, Mapping) else {}, _WHOLE[kind]
    if not isinstance(kind, str) or kind not in _DEFAULTS:
        return CheckpointConfig()
    activation, heads, epsilon = _DEFAULTS[kind]
    return CheckpointConfig(
        _activation(table.get("hidden_act", activation), path),
        int(table.get("num_attention_heads", heads)),
        float(table.get("layer_norm_eps", epsilon)),
    )


def _activation(word: Any, path: Path) -> str | None:
    if word is None:
        return None
    if word not in _ACTIVATIONS:
        raise InputError(
            f'{path} names the activation "{str(word)[:40]}", which is not known here (known: {", ".join(_ACTIVATIONS)}); '
            "choose another checkpoint.",
            code="base-config",
        )
    return _ACTIVATIONS[word]
