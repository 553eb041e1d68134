"""Linear layers with packed weights against autocast's own, and what is left to torch."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from builders import make_network
from torch import nn

from OsteoScreenLib.classifier import half_linear
from OsteoScreenLib.classifier.devices import running
from OsteoScreenLib.classifier.half_linear import HalfLinear, packs_weights

pytestmark = pytest.mark.skipif(
    not packs_weights(), reason="this torch or this processor does not multiply bf16 through oneDNN"
)

CPU = torch.device("cpu")


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """One entry for each linear layer that was computed with packed weights."""
    calls: list[int] = []
    own = half_linear._linear

    def noted(*given: Any) -> torch.Tensor:
        calls.append(1)
        return own(*given)

    monkeypatch.setattr(half_linear, "_linear", noted)
    yield calls


def half(layer: nn.Module, inputs: torch.Tensor, packed: bool = True) -> torch.Tensor:
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        if not packed:
            return layer(inputs)
        with HalfLinear():
            return layer(inputs)


@pytest.mark.parametrize(("rows", "wide", "narrow"), [(1, 8, 3), (5, 64, 192), (257, 96, 40)])
@pytest.mark.parametrize("bias", [True, False])
def test_answers_are_autocasts(used: list[int], rows: int, wide: int, narrow: int, bias: bool) -> None:
    torch.manual_seed(1)
    layer, inputs = nn.Linear(wide, narrow, bias), torch.randn(2, rows, wide)
    found, known = half(layer, inputs), half(layer, inputs, packed=False)
    assert used and found.dtype == known.dtype == torch.bfloat16 and found.shape == known.shape
    torch.testing.assert_close(found, known, rtol=2**-7, atol=1e-3)  # one unit in the last place of bf16
    assert torch.equal(found, half(layer, inputs))
    assert torch.equal(half(layer, inputs[:, :1]), found[:, :1]) or rows == 1


def test_a_weight_that_changes_is_packed_anew() -> None:
    torch.manual_seed(1)
    layer, other, inputs = nn.Linear(16, 8), nn.Linear(16, 8), torch.randn(4, 16)
    before = half(layer, inputs)
    with torch.no_grad():
        layer.weight.copy_(other.weight)
    between = half(layer, inputs)
    layer.load_state_dict(other.state_dict())
    after = half(layer, inputs)
    assert not torch.equal(before, between) and not torch.equal(between, after)
    assert torch.equal(after, half(other, inputs))
    layer.weight = nn.Parameter(torch.zeros(8, 16))
    layer.bias = None  # type: ignore[assignment]
    assert not half(layer, inputs).any()


def test_packed_weights_go_with_their_network() -> None:
    layer, inputs = nn.Linear(16, 8), torch.randn(4, 16)
    half(layer, inputs)
    gc.collect()
    many = len(half_linear._PACKED)
    del layer
    gc.collect()
    assert len(half_linear._PACKED) == many - 1


def test_what_does_not_suit_is_left_to_torch(used: list[int]) -> None:
    layer, inputs = nn.Linear(16, 8), torch.randn(4, 16)
    with HalfLinear():
        with torch.inference_mode():
            full = layer(inputs)  # no autocast
            with torch.autocast("cpu", dtype=torch.bfloat16):
                nn.functional.linear(inputs, layer.weight + 0)  # a weight that is made on the way
                assert layer(inputs[:0]).shape == (0, 8)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            layer(inputs).float().sum().backward()
    assert not used and full.dtype == torch.float32 and layer.weight.grad is not None


@pytest.mark.parametrize("name", ["vit", "resnet10t"])
def test_a_network_runs_through_it_in_half_precision_alone(used: list[int], name: str) -> None:
    network = make_network() if name == "vit" else make_network(name)
    image = torch.from_numpy(np.random.default_rng(0).random((1, 1, 56, 56), dtype=np.float32))
    with torch.inference_mode():
        with running(CPU, "fp32"):
            network(image)
        assert not used
        with running(CPU, "bf16"):
            answer, again = network(image), network(image)
        known = half(network, image, packed=False)
    assert used and torch.equal(answer, again)
    torch.testing.assert_close(answer, known, rtol=0.05, atol=0.02)
