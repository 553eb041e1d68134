"""Attention written out in bf16 products against torch's own in double precision, and what is left to torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from builders import make_network
from torch.nn.functional import scaled_dot_product_attention as torchs_own

from OsteoScreenLib.classifier import half_attention
from OsteoScreenLib.classifier.half_attention import HalfAttention, attention


def heads(n: int, tokens: int, width: int, offset: float = 0.0, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(n, 3, tokens, width, generator=generator)
    return (drawn + offset * torch.randn(1, 3, 1, width, generator=generator)).bfloat16()


@pytest.mark.parametrize(("tokens", "keys", "width"), [(130, 130, 64), (5, 700, 24), (1100, 1100, 16), (1, 1, 8)])
@pytest.mark.parametrize("offset", [0.0, 4.0])
def test_it_is_attention(tokens: int, keys: int, width: int, offset: float) -> None:
    query, key, value = heads(2, tokens, width), heads(2, keys, width, offset, 1), heads(2, keys, width, 1.0, 2)
    found = attention(query, key, value)
    exact = torchs_own(query.double(), key.double(), value.double())
    assert found.dtype == torch.bfloat16 and found.shape == exact.shape
    assert (found - exact).abs().max() <= 0.03 * value.abs().max()
    assert (found - exact).pow(2).mean().sqrt() <= 4e-3 * value.double().pow(2).mean().sqrt()
    scaled = attention(query, key, value, 0.5)
    torch.testing.assert_close(
        scaled.double(), torchs_own(query.double(), key.double(), value.double(), scale=0.5), atol=0.2, rtol=0
    )


def test_a_mean_of_all_keys_costs_no_accuracy() -> None:
    """Scores of hundreds, nearly the same for every key: rounded as they are, they would say nothing."""
    query, value = heads(1, 150, 32, 3.0), heads(1, 150, 32, 0.0, 2)
    key = (heads(1, 150, 32, 0.0, 1).float() + 12.0).bfloat16()
    exact = torchs_own(query.double(), key.double(), value.double())
    off = (attention(query, key, value) - exact).pow(2).mean().sqrt()
    rounded = ((query * 32**-0.5) @ key.transpose(2, 3)).softmax(-1) @ value
    assert off < 0.2 * (rounded - exact).pow(2).mean().sqrt()


def test_what_does_not_suit_is_left_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[int] = []

    def noted(*given: Any) -> torch.Tensor:
        used.append(1)
        return attention(*given)

    monkeypatch.setattr(half_attention, "attention", noted)
    many, few = heads(1, 200, 16), heads(1, 20, 16)
    mask = torch.ones(200, 200, dtype=torch.bool).tril()
    with HalfAttention(), torch.inference_mode():
        for given in ({"attn_mask": mask}, {"is_causal": True}, {"dropout_p": 0.5}):
            torchs_own(many, many, many, **given)
        torchs_own(few, few, few)
        assert not used
        torchs_own(many, many, value=many)
        torchs_own(many, few.repeat(1, 1, 10, 1), many)
        assert len(used) == 2
    with HalfAttention():
        grown = many.float().requires_grad_(True)
        torchs_own(grown, grown, grown).sum().backward()
    assert len(used) == 2 and grown.grad is not None


def test_a_vision_transformer_runs_through_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(half_attention, "_FEWEST", 1)
    network = make_network()
    image = torch.from_numpy(np.random.default_rng(0).random((1, 1, 56, 56), dtype=np.float32))
    with torch.inference_mode():
        full = network(image)
        with torch.autocast("cpu", dtype=torch.bfloat16), HalfAttention():
            half, again = network(image), network(image)
    assert torch.equal(half, again) and not torch.equal(half.float(), full)
    torch.testing.assert_close(half.float(), full, atol=0.05, rtol=0)
