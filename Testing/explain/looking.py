"""Networks constructed by hand that look at one known patch: their answer depends on the brightness there and nowhere else.

The transformer's tokens carry paired features (+value in one dimension, -value in the next), so that layer norms, which
subtract the mean, keep them, and one large constant pair, so that layer norms divide by nearly the same number everywhere:
dimensions 0, 1 brightness of the patch; 2, 3 "this is the known place" (position embedding); 4, 5 the constant;
6, 7 brightness at the known place (the first block's MLP computes "bright and here"); 8, 9 what the pooling is to carry.
"""

from __future__ import annotations

from typing import Any

import torch
from builders import make_network
from torch import nn

from OsteoScreenLib.classifier.preprocess import PreprocessSpec

PATCH = 8
WIDTH = 32
CONSTANT = 40.0
LAYOUTS: dict[str, dict[str, Any]] = {
    "class token": {"class_token": True, "global_pool": "token"},
    "four registers and class token": {"class_token": True, "global_pool": "token", "reg_tokens": 4},
    "registers outside the position embedding": {
        "class_token": True, "global_pool": "token", "reg_tokens": 4, "no_embed_class": True,
    },
    "no class token, average": {"class_token": False, "global_pool": "avg"},
    "class token, average of patches": {"class_token": True, "global_pool": "avg"},
    "no class token, attention pooling": {"class_token": False, "global_pool": "map"},
}  # fmt: skip


def looking_transformer(layout: str, spec: PreprocessSpec, place: tuple[int, int]) -> tuple[nn.Module, dict[str, Any]]:
    """A transformer whose osteoporosis logit rises with the brightness of the patch at grid `place`, and its options."""
    options = {"patch_size": PATCH, "embed_dim": WIDTH, "depth": 2, "num_heads": 1, **LAYOUTS[layout]}
    network: Any = make_network("vit_tiny_patch16_224", options, spec)
    columns = spec.columns // PATCH
    cell = place[0] * columns + place[1]
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            is_norm_weight = name.endswith("weight") and parameter.ndim == 1
            parameter.fill_(1.0 if is_norm_weight else 0.0)
        network.patch_embed.proj.weight[0] = 1 / PATCH**2
        network.patch_embed.proj.weight[1] = -1 / PATCH**2
        tokens = network.pos_embed.shape[1]
        patches = spec.rows * spec.columns // PATCH**2
        network.pos_embed[0, :, 4], network.pos_embed[0, :, 5] = CONSTANT, -CONSTANT
        network.pos_embed[0, tokens - patches + cell, 2] = 1.0
        network.pos_embed[0, tokens - patches + cell, 3] = -1.0
        for name in ("cls_token", "reg_token"):
            token = getattr(network, name, None)
            if token is not None and network.pos_embed.shape[1] == patches:
                token[..., 4], token[..., 5] = CONSTANT, -CONSTANT
        # Layer norm divides by about CONSTANT · sqrt(2 / WIDTH); undo it.
        undo = CONSTANT * (2 / WIDTH) ** 0.5
        first = network.blocks[0].mlp
        # A unit that fires only where both hold: GELU(20 · (brightness + 2 · here - 2)) is 0 for brightness in [0, 1] elsewhere.
        first.fc1.weight[0, 0], first.fc1.weight[0, 2], first.fc1.bias[0] = 20 * undo, 40 * undo, -40.0
        first.fc2.weight[6, 0], first.fc2.weight[7, 0] = 0.5, -0.5
        carry = [(6, 8), (7, 9)]
        head_reads = (6, 7)
        if layout == "no class token, attention pooling":
            pool = network.attn_pool
            for source, target in carry:
                pool.kv.weight[WIDTH + target, source] = undo
            pool.proj.weight.copy_(torch.eye(WIDTH))
            head_reads = (8, 9)
        elif options["global_pool"] == "token":
            last = network.blocks[1].attn
            for source, target in carry:
                last.qkv.weight[2 * WIDTH + target, source] = undo
            last.proj.weight.copy_(torch.eye(WIDTH))
            head_reads = (8, 9)
        network.head.weight[2, head_reads[0]], network.head.weight[2, head_reads[1]] = 1.0, -1.0
    return network.eval(), options


def averaging_convnet(name: str, spec: PreprocessSpec) -> nn.Module:
    """A ConvNet without learning: every convolution averages, every norm is the identity, so features are smoothed brightness."""
    network: Any = make_network(name, {}, spec)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.fill_(1 / module.weight[0].numel())
                if module.bias is not None:
                    module.bias.zero_()
            elif isinstance(module, nn.BatchNorm2d):
                module.reset_parameters()
        head = network.get_classifier()
        head.weight.zero_()
        head.bias.zero_()
        head.weight[2] = 1.0
    return network.eval()
