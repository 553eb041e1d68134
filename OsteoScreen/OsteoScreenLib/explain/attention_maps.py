"""Attention rollout and gradient attention, read from a vision transformer's own attention.

timm's fused kernels never hold the attention, so within the pass it is computed step by step, and each softmax inside a block
(and inside an attention pooling) is taken as it comes. Tokens are the prefix tokens (class, registers), then the patches.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.classifier.devices import running
from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.explain.cell_grid import CellGrid, even_cells
from OsteoScreenLib.explain.hooking import grid_of
from OsteoScreenLib.explain.network_state import unfused
from OsteoScreenLib.explain.saliency_methods import SaliencyMethod, cannot_give
from OsteoScreenLib.explain.target_score import TargetScore

_SOFTMAX = (torch.softmax, torch.Tensor.softmax, torch.nn.functional.softmax)


def draw(method: SaliencyMethod, classifier: Classifier, prepared: torch.Tensor, score: TargetScore) -> CellGrid:
    """The map of one prepared input (1, channels, rows, columns), not negative. Raises `InputError` without such attention."""
    network: Any = classifier.network
    inputs = prepared.to(classifier.device)
    grid = grid_of(network)
    with running(classifier.device, "fp32"):
        found = _read(method, network, inputs, score, with_gradients=method.key == "gradient-attention")
        tokens = _gradient_attention(found) if method.key == "gradient-attention" else _rollout(network, found)
    patches = tokens[int(network.num_prefix_tokens) :].float().cpu().numpy().reshape(grid)
    read = f"attention of {len(found.blocks)} blocks" + (" and of the pooling" if found.pooling else "")
    return CellGrid(patches, even_cells(inputs.shape[2], grid[0]), even_cells(inputs.shape[3], grid[1]), read)


@dataclass
class _Attention:
    """blocks : (1, heads, tokens, tokens) each. pooling : (1, heads, queries, tokens that it reads), at most one. score : (1,).

    Without gradients the heads are already averaged (heads = 1). prefix : number of prefix tokens.
    """

    blocks: list[torch.Tensor] = field(default_factory=list)
    pooling: list[torch.Tensor] = field(default_factory=list)
    score: torch.Tensor | None = None
    prefix: int = 0

    def on_all_tokens(self, pooled: torch.Tensor) -> torch.Tensor:
        """What the pooling gives to the tokens it reads, (…, tokens read), on all tokens (a pooling may leave the prefix out)."""
        missing = self.blocks[0].shape[-1] - pooled.shape[-1]
        return torch.nn.functional.pad(pooled, (missing, 0))


def _rollout(network: Any, found: _Attention) -> torch.Tensor:
    """Abnar and Zuidema 2020: (tokens,), how much of each patch's token the answer's tokens are made of, by attention alone.

    Heads are averaged, and half of each token is its own (the residual connection). The rows that the head reads are followed
    back: the class token's, the mean of the pooled tokens', or those that an attention pooling attends to.
    """
    reading = _read_by_head(network, found)
    for attention in reversed(found.blocks):
        reading = (reading + reading @ attention[0].mean(0)) / 2
    return reading


def _read_by_head(network: Any, found: _Attention) -> torch.Tensor:
    """(tokens,), adding up to 1: the share of each token of the last block in what the head is given."""
    if found.pooling:
        attention = found.pooling[0][0].mean(0)
        pooled = attention[0] if getattr(network.attn_pool, "pool", "token") == "token" else attention.mean(0)
        return found.on_all_tokens(pooled)
    reading = found.blocks[0].new_zeros(found.blocks[0].shape[-1])
    if getattr(network, "global_pool", "token") == "token":
        # A distilled transformer has a head for each of its first two tokens.
        reading[: 2 if getattr(network, "head_dist", None) is not None else 1] = 1
    else:
        reading[0 if getattr(network, "pool_include_prefix", False) else found.prefix :] = 1
    return reading / reading.sum()


def _gradient_attention(found: _Attention) -> torch.Tensor:
    """After Bousselham et al. 2024: (tokens,), how much more attention to each token would raise the score.

    The gradient of the score by each block's attention, negative values left out, averaged over the heads, added up over the
    queries and averaged over the blocks; an attention pooling counts as one more block. LeGrad gives each block a score of its
    own, by applying the head to that block's tokens; here there is one score, the network's own, since a head trained on the
    last block's tokens says nothing certain about others.
    """
    layers = [*found.blocks, *found.pooling]
    assert found.score is not None
    gradients = torch.autograd.grad(found.score[0], layers, allow_unused=True)
    if all(gradient is None for gradient in gradients):
        raise OsteoScreenError("The answer does not depend on the network's attention; choose another saliency method.")
    total = torch.zeros_like(found.blocks[0][0, 0, 0])
    for gradient in gradients:
        if gradient is not None:
            total = total + found.on_all_tokens(gradient[0].clamp(min=0).mean(0).sum(0))
    return total.detach() / len(layers)


class _SoftmaxReader(TorchFunctionMode):
    """Within it, every softmax computed while `place` is a list is added to that list."""

    def __init__(self, with_gradients: bool) -> None:
        super().__init__()
        self.place: list[torch.Tensor] | None = None
        self._with_gradients = with_gradients

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if self.place is None or func not in _SOFTMAX:
            return result
        if self._with_gradients and not result.requires_grad:
            # The graph begins at the first attention, whatever of the network is frozen.
            result = result.detach().requires_grad_(True)
        # Without gradients only the heads' mean is asked for, a fraction of the memory.
        self.place.append(result if self._with_gradients else result.mean(1, keepdim=True))
        return result


def _read(method: SaliencyMethod, network: Any, inputs: torch.Tensor, score: TargetScore, with_gradients: bool) -> _Attention:
    """One pass with all its attention. Raises `InputError` unless each block has one attention between all tokens."""
    found = _Attention(prefix=int(network.num_prefix_tokens))
    in_blocks: list[list[torch.Tensor]] = [[] for _ in network.blocks]
    pool = getattr(network, "attn_pool", None)
    reader = _SoftmaxReader(with_gradients)
    with ExitStack() as stack:
        for module, place in [*zip(network.blocks, in_blocks, strict=True), *([] if pool is None else [(pool, found.pooling)])]:
            entering = module.register_forward_pre_hook(lambda _module, _args, place=place: setattr(reader, "place", place))
            leaving = module.register_forward_hook(lambda _module, _args, _output: setattr(reader, "place", None))
            stack.callback(entering.remove)
            stack.callback(leaving.remove)
        stack.enter_context(unfused(network))
        stack.enter_context(torch.set_grad_enabled(with_gradients))
        stack.enter_context(reader)
        found.score = score(network(inputs))
    rows, columns = grid_of(network)
    tokens = found.prefix + rows * columns
    for taken in in_blocks:
        if len(taken) != 1 or taken[0].ndim != 4 or taken[0].shape[-2:] != (tokens, tokens):
            raise cannot_give(method, network)
        found.blocks.append(taken[0])
    if len(found.pooling) > 1 or (pool is not None and not found.pooling):
        raise cannot_give(method, network)
    return found
