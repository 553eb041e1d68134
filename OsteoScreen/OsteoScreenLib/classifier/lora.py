"""LoRA adapters (Hu et al. 2022): put on a network for training, stored alone, and merged into its weights, through peft.

Merged, a network has its plain names and speed again. Stored alone, adapters keep peft's names
("base_model.model.blocks.0.attn.qkv.lora_A.weight", …), and the classifier stands beside them under its plain name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from OsteoScreenLib.classifier.key_conversion import head_keys
from OsteoScreenLib.classifier.model_bundle import LoraSettings
from OsteoScreenLib.errors import InputError

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from torch import nn

_BASE = "base_model.model."  # what peft puts before a wrapped network's names


def default_targets(network: nn.Module) -> tuple[str, ...]:
    """The layers that LoRA adapts unless others are named: query, key and value, which timm mostly keeps in one layer.

    Raises `InputError` (lora-targets) for a network without attention.
    """
    for targets in (("attn.qkv",), ("attn.q_proj", "attn.k_proj", "attn.v_proj")):
        if any(name.endswith(f".{targets[0]}") for name, _ in network.named_modules()):
            return targets
    raise InputError(
        "This network has no attention layers for LoRA to adapt; name the layers' targets, or choose another tuning.",
        code="lora-targets",
    )


def add_lora(network: nn.Module, settings: LoraSettings, owner: str, dropout: float = 0.0) -> PeftModel:
    """Freeze a network, put fresh adapters on the layers whose names end in `settings.targets`, and leave its classifier trainable.

    The network itself is changed. The adapters start at zero effect; their random part follows torch's seed. dropout : of the
    adapters' input in training. owner : for messages. Raises `InputError` (lora-targets) when no layer has such a name.
    """
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=settings.rank, lora_alpha=settings.alpha, target_modules=list(settings.targets), lora_dropout=dropout)
    try:
        wrapped: Any = get_peft_model(network, config)
    except ValueError as error:
        raise InputError(
            f"The adapters of {owner} name layers that its network does not have, or that cannot be adapted "
            f"({', '.join(settings.targets)}); name layers such as attn.qkv, attn.proj, mlp.fc1 or mlp.fc2.",
            code="lora-targets",
        ) from error
    names = {_BASE + key for key in head_keys(network)}
    for name, parameter in wrapped.named_parameters():
        if name in names:
            parameter.requires_grad_(True)
    return wrapped


def lora_tensors(wrapped: PeftModel) -> dict[str, torch.Tensor]:
    """What a bundle with adapters alone stores: adapters under peft's names, the classifier under its own; detached."""
    from peft import get_peft_model_state_dict

    plain = wrapped.get_base_model()
    state = plain.state_dict()
    tensors = {
        **get_peft_model_state_dict(wrapped, save_embedding_layers=False),
        **{key: state[key] for key in head_keys(plain)},
    }
    return {key: tensor.detach() for key, tensor in tensors.items()}


def load_lora_tensors(wrapped: PeftModel, tensors: Mapping[str, torch.Tensor], owner: str) -> None:
    """Put back what `lora_tensors` gave. Raises `InputError` (bundle-weights) naming the first tensor that does not fit."""
    from peft import set_peft_model_state_dict

    expected = lora_tensors(wrapped)
    differing = sorted(set(expected) ^ set(tensors)) or sorted(k for k in expected if expected[k].shape != tensors[k].shape)
    if differing:
        raise InputError(
            f"The adapters of the bundle {owner} do not fit its network, beginning with {differing[0]}; get the bundle again.",
            code="bundle-weights",
        )
    adapters, others = split_adapters(tensors)
    set_peft_model_state_dict(wrapped, adapters)
    wrapped.get_base_model().load_state_dict(others, strict=False)


def merged(wrapped: PeftModel) -> nn.Module:
    """The plain network with its adapters added to its weights: W + alpha / rank · B·A. The wrapped one is used up."""
    network: nn.Module = wrapped.merge_and_unload()
    return network


def split_adapters(tensors: Mapping[str, torch.Tensor]) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Separate a file's adapter tensors (peft's names) from full ones such as the head: (adapters, others)."""
    adapters = {key: tensor for key, tensor in tensors.items() if ".lora_" in key}
    return adapters, {key: tensor for key, tensor in tensors.items() if key not in adapters}


def merge_lora(
    base: nn.Module, adapters: Mapping[str, torch.Tensor], settings: LoraSettings, owner: str = "the bundle"
) -> nn.Module:
    """Merge stored adapters into a network.

    Parameters
    ----------
    base : the network without adapters, with its classifier; it is changed. adapters : state dict in peft's names.

    Returns
    -------
    The network with its original module names. Raises `InputError` when the adapters do not fit.
    """
    wrapped = add_lora(base, settings, owner)
    _, own_head = split_adapters(lora_tensors(wrapped))
    load_lora_tensors(wrapped, {**adapters, **own_head}, owner)
    return merged(wrapped)
