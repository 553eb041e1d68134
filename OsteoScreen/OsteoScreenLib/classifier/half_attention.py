"""Attention in bf16 on processors whose bf16 products torch's own attention does not use.

`scaled_dot_product_attention` multiplies bf16 through BLAS, which is quick only with tile units (AMX). Processors that have bf16
dot products alone (AVX512-BF16) are several times quicker in oneDNN's matrix products, so attention is written out in those.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.overrides import TorchFunctionMode

_SCORES = 2**20  # at most so many at a time, where a single head does not need more: they stay in the processor's cache
_FEWEST = 2**14  # scores of one head; below that torch's own way is quicker
_NAMES = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")


class HalfAttention(TorchFunctionMode):
    """Within this context plain attention on the processor is computed by bf16 matrix products.

    Attention with a mask, with dropout, with gradients, or of few tokens is left to torch.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is torch.nn.functional.scaled_dot_product_attention and not torch.is_grad_enabled():
            given = {**dict(zip(_NAMES, args, strict=False)), **kwargs}
            if _suits(given):
                return attention(given["query"], given["key"], given["value"], given.get("scale"))
        return func(*args, **kwargs)


def _suits(given: dict[str, Any]) -> bool:
    query, key = given["query"], given["key"]
    plain = given.get("attn_mask") is None and not any(given.get(name) for name in ("is_causal", "enable_gqa", "dropout_p"))
    return plain and query.ndim == 4 and query.device.type == "cpu" and query.shape[2] * key.shape[2] >= _FEWEST


def attention(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float | None = None) -> torch.Tensor:
    """Softmax(query · keyᵀ · scale) · value in bf16, for each head.

    query, key, value : (n, heads, tokens, width), of any floating type; scale : 1/√width by default.
    The mean key is subtracted from all keys, which changes no attention but keeps the scores, which bf16 rounds, small.
    Returns bf16 (n, heads, query tokens, value width).
    """
    n, heads, tokens, width = query.shape
    asked = (query * (width**-0.5 if scale is None else scale)).bfloat16().reshape(n * heads, tokens, width)
    keys = (key - key.mean(dim=2, keepdim=True, dtype=torch.float32)).bfloat16().reshape(n * heads, key.shape[2], width)
    values = value.bfloat16().reshape(n * heads, key.shape[2], -1)
    together = max(1, _SCORES // (tokens * key.shape[2]))
    answers = [
        torch.bmm(torch.bmm(q, k.transpose(1, 2)).softmax(dim=-1), v)
        for q, k, v in zip(asked.split(together), keys.split(together), values.split(together), strict=True)
    ]
    return torch.cat(answers).reshape(n, heads, tokens, -1)
