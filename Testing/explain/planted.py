"""Networks constructed by hand in which one planted place carries the target's score, for every saliency method.

`planted_transformer` adds to `looking_transformer` (see there for the features):
- attention that carries the score: in the last block the class token attends to the planted patch or, without class-token
  pooling, the planted patch attends to itself, and an attention pooling attends to it. So rollout and the gradient by attention
  have something to find; in the plain construction attention is spread evenly.
- a backdrop in dimensions 10, 11: present in every patch but the planted one. So the planted patch differs most from the others
  (which is all that EigenCAM, which knows no classes, can see), and what layer norms do to the constant does not point at it.
- a head so strong that seeing the planted patch or not decides the answer (Score-CAM weighs features by a softmax of scores).

`planted_convnet` keeps two kinds of feature apart, bright and dark: bright squares speak for osteoporosis, dark ones for normal.
"""

from __future__ import annotations

from typing import Any

import torch
from builders import make_network
from explain.looking import CONSTANT, WIDTH, looking_transformer
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from torch import nn

from OsteoScreenLib.classifier.lora import merge_lora
from OsteoScreenLib.classifier.model_bundle import LoraSettings
from OsteoScreenLib.classifier.preprocess import PreprocessSpec

BACKDROP = 15.0
TUNINGS = ("frozen", "partial", "merged LoRA")


def planted_transformer(layout: str, spec: PreprocessSpec, place: tuple[int, int], patch: int) -> tuple[Any, dict[str, Any]]:
    """A transformer whose osteoporosis logit rises with the brightness of the patch at grid `place`, and its options."""
    network: Any
    network, options = looking_transformer(layout, spec, place)
    columns, patches = spec.columns // patch, spec.rows * spec.columns // patch**2
    undo = CONSTANT * (2 / WIDTH) ** 0.5
    by_class_token = options["global_pool"] == "token"
    with torch.no_grad():
        tokens = network.pos_embed.shape[1]
        backdrop = torch.full((patches,), BACKDROP)
        backdrop[place[0] * columns + place[1]] = 0
        network.pos_embed[0, tokens - patches :, 10] += backdrop
        network.pos_embed[0, tokens - patches :, 11] -= backdrop
        attention = network.blocks[1].attn
        # Query: the constant (every token asks) or "here" (the planted patch asks). Key: "here".
        source = 4 if by_class_token else 2
        attention.qkv.weight[0, source] = 10.0 if by_class_token else 90.0
        attention.qkv.weight[WIDTH, 2] = 20.0 if by_class_token else 90.0
        for read, written in ((6, 8), (7, 9)):
            attention.qkv.weight[2 * WIDTH + written, read] = undo
        attention.proj.weight.copy_(torch.eye(WIDTH))
        if options["global_pool"] == "map":
            network.attn_pool.latent[..., 0] = 10.0
            network.attn_pool.q.weight[0, 0] = 1.0
            network.attn_pool.kv.weight[0, 2] = 90.0
        # So that the logit spans about 14 whichever way tokens are pooled; the attention pooling's output has no norm behind it.
        strength = {"token": 10.0, "avg": 10.0 * patches, "map": 1.0}[options["global_pool"]]
        network.head.weight[2] = 0
        network.head.weight[2, 8], network.head.weight[2, 9] = strength, -strength
        network.head.bias[2] = -7.0
    return network.eval(), options


def planted_convnet(name: str, options: dict[str, Any], spec: PreprocessSpec) -> Any:
    """A ResNet whose first half of channels smooths brightness above 0 and whose second half smooths what lies below it."""
    network: Any = make_network(name, options, spec)
    first = True
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                out, read = module.weight.shape[0] // 2, module.weight.shape[1] // 2
                module.weight.zero_()
                if first:
                    module.weight[:out], module.weight[out:] = 1.0, -1.0
                else:
                    module.weight[:out, :read], module.weight[out:, read:] = 1.0, 1.0
                module.weight /= module.weight[0].abs().sum()
                first = False
            elif isinstance(module, nn.BatchNorm2d):
                module.reset_parameters()
        head = network.get_classifier()
        half = head.weight.shape[1] // 2
        head.weight.zero_()
        head.bias.zero_()
        head.weight[2, :half], head.weight[0, half:] = 10.0, 10.0
    return network.eval()


def tuned(network: Any, tuning: str) -> Any:
    """The same network as each way of tuning leaves it: all frozen, last block and head still trainable, or adapters merged in.

    With adapters, the last block's attention comes from them alone: the base has nothing there.
    """
    if tuning == "merged LoRA":
        return _from_adapters(network)
    if tuning == "partial":
        for part in (_last_block(network), network.get_classifier()):
            part.requires_grad_(True)
    return network


def _last_block(network: Any) -> nn.Module:
    part: nn.Module = network.blocks[-1] if hasattr(network, "blocks") else network.layer4
    return part


def _from_adapters(network: Any) -> Any:
    name, layer = next((n, m) for n, m in _last_block(network).named_modules() if n in ("attn.qkv", "0.conv2"))
    within = f"blocks.{len(network.blocks) - 1}.{name}" if hasattr(network, "blocks") else f"layer4.{name}"
    wanted = layer.weight.detach().clone()
    with torch.no_grad():
        layer.weight.zero_()
    rank = 8
    wrapped = get_peft_model(network, LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=[within]))
    adapters = {key: torch.zeros_like(tensor) for key, tensor in get_peft_model_state_dict(wrapped).items()}
    plain = wrapped.unload()
    left, sizes, right = torch.linalg.svd(wanted.flatten(1), full_matrices=False)
    down, up = adapters[f"base_model.model.{within}.lora_A.weight"], adapters[f"base_model.model.{within}.lora_B.weight"]
    if wanted.ndim == 2:
        down.copy_(right[:rank] / 2)
        up.copy_(left[:, :rank] * sizes[:rank])
    else:
        # A convolution's adapters: a spatial one down to `rank` maps, then 1×1 up again.
        down.copy_((right[:rank] / 2).view_as(down))
        up.copy_((left[:, :rank] * sizes[:rank]).view_as(up))
    merged = merge_lora(plain, adapters, LoraSettings(rank=rank, alpha=2 * rank, targets=(within,)))
    found = dict(merged.named_modules())[within].weight
    torch.testing.assert_close(found, wanted, atol=1e-3, rtol=1e-3)
    return merged.eval().requires_grad_(False)
