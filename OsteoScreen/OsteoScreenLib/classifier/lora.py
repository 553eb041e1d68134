"""LoRA adapters: put on their base and merged into its weights, so that names and speed are those of the plain network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from OsteoScreenLib.classifier.model_bundle import LoraSettings
from OsteoScreenLib.errors import InputError

if TYPE_CHECKING:
    import torch
    from torch import nn


def split_adapters(tensors: Mapping[str, torch.Tensor]) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Separate a file's adapter tensors (peft's names) from full ones such as the head: (adapters, others)."""
    adapters = {key: tensor for key, tensor in tensors.items() if ".lora_" in key}
    return adapters, {key: tensor for key, tensor in tensors.items() if key not in adapters}


def merge_lora(
    base: nn.Module, adapters: Mapping[str, torch.Tensor], settings: LoraSettings, owner: str = "the bundle"
) -> nn.Module:
    """Merge adapters into a network (Hu et al. 2022: W + alpha / rank · B·A), through peft.

    Parameters
    ----------
    base : the network without adapters; it is changed. adapters : state dict in peft's names
        ("base_model.model.blocks.0.attn.qkv.lora_A.weight", …).

    Returns
    -------
    The network with its original module names. Raises `InputError` when the adapters do not fit.
    """
    from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict

    try:
        config = LoraConfig(r=settings.rank, lora_alpha=settings.alpha, target_modules=list(settings.targets), lora_dropout=0.0)
        wrapped = get_peft_model(base, config)
    except ValueError as error:
        raise InputError(
            f"The adapters of the bundle {owner} name layers that its network does not have ({', '.join(settings.targets)}); "
            "get the bundle again.",
            code="bundle-weights",
        ) from error
    expected = get_peft_model_state_dict(wrapped)
    differing = sorted(set(expected) ^ set(adapters)) or sorted(k for k in expected if expected[k].shape != adapters[k].shape)
    if differing:
        raise InputError(
            f"The adapters of the bundle {owner} do not fit its network, beginning with {differing[0]}; get the bundle again.",
            code="bundle-weights",
        )
    set_peft_model_state_dict(wrapped, dict(adapters))
    merged: nn.Module = wrapped.merge_and_unload()
    return merged
