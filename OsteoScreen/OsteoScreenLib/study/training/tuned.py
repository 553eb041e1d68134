"""A backbone made ready for one way of tuning: what learns, what stays, and what is kept of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn

from OsteoScreenLib.classifier.head import linear_head
from OsteoScreenLib.classifier.lora import add_lora, default_targets, lora_tensors, merged
from OsteoScreenLib.classifier.model_bundle import LoraSettings
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.study.training.options import TrainOptions

# What normalises and pools after the blocks of timm's transformers.
_BEHIND_BLOCKS = ("norm", "fc_norm", "attn_pool")


@dataclass(frozen=True, eq=False)
class Tuned:
    """network : what is called in training. modules : the parts that learn, in training mode while it goes on."""

    network: nn.Module
    head: nn.Linear
    modules: tuple[nn.Module, ...]
    adapted: bool

    @classmethod
    def of(cls, network: nn.Module, options: TrainOptions) -> Tuned:
        """Freeze a timm network, and free what the tuning says; its head starts from zero.

        Raises `InputError` (option) when the network has no such blocks or layers.
        """
        network.requires_grad_(False)
        head = linear_head(network)
        # From zero, the first answers are an honest third each.
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
        called = network
        modules: list[nn.Module] = [head]
        if options.tuning == "partial":
            modules = [*_last_blocks(network, options.blocks), head]
            _gradients_from(network, options.blocks)
        elif options.tuning == "lora":
            settings = lora_settings(network, options)
            # Adapters start at random, which must not move the caller's random state.
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(options.seed)
                called = add_lora(network, settings, f"the backbone {options.backbone}", options.lora_dropout)
            modules = [module for name, module in called.named_modules() if _is_adapter(name)] + [head]
        for module in modules:
            module.requires_grad_(True)
        return cls(called, head, tuple(modules), options.tuning == "lora")

    def train_mode(self) -> None:
        """What learns goes into training mode, what stays into evaluation mode."""
        self.network.eval()
        for module in self.modules:
            module.train()

    def parameters(self) -> dict[str, nn.Parameter]:
        """What learns, by name."""
        return {name: parameter for name, parameter in self.network.named_parameters() if parameter.requires_grad}

    def groups(self, options: TrainOptions) -> list[dict[str, Any]]:
        """For the optimiser: the head at its own rate, the rest at the tuning's; vectors do not decay.

        full_rate : that the schedule scales.
        """
        of_head = {id(parameter) for parameter in self.head.parameters()}
        groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
        for parameter in self.parameters().values():
            groups.setdefault((id(parameter) in of_head, parameter.ndim < 2), []).append(parameter)
        return [
            {
                "params": group,
                "full_rate": options.head_rate if head else options.learning_rate,
                "lr": 0.0,
                "weight_decay": 0.0 if vector else options.weight_decay,
            }
            for (head, vector), group in groups.items()
        ]

    def state(self) -> dict[str, torch.Tensor]:
        """Copies of what learns, on the CPU."""
        return {name: parameter.detach().cpu().clone() for name, parameter in self.parameters().items()}

    def load(self, state: Mapping[str, torch.Tensor]) -> None:
        """Put back what `state` gave; the names and shapes must be these."""
        with torch.no_grad():
            for name, parameter in self.parameters().items():
                parameter.copy_(state[name])

    def adapters(self) -> dict[str, torch.Tensor]:
        """The adapters and the head, as a bundle with adapters alone stores them."""
        return {name: tensor.clone() for name, tensor in lora_tensors(cast(Any, self.network)).items()}

    def merged(self) -> nn.Module:
        """The plain timm network, adapters merged into its weights; this object is not to be used afterwards."""
        network = merged(cast(Any, self.network)) if self.adapted else self.network
        return network.eval().requires_grad_(False)


def lora_settings(network: nn.Module, options: TrainOptions) -> LoraSettings:
    """Rank, alpha and layers of the adapters; query, key and value unless the options name layers."""
    return LoraSettings(options.lora_rank, options.lora_alpha, options.lora_targets or default_targets(network))


def _last_blocks(network: Any, count: int) -> list[nn.Module]:
    blocks = getattr(network, "blocks", None)
    if blocks is None:
        raise InputError(
            "The backbone has no transformer blocks, so partial tuning does not suit it; choose another.", code="option"
        )
    if count > len(blocks):
        raise InputError(
            f"The backbone has {len(blocks)} blocks, so the last {count} cannot be tuned; give fewer.", code="option"
        )
    behind = [getattr(network, name, None) for name in _BEHIND_BLOCKS]
    return [*blocks[-count:], *(module for module in behind if isinstance(module, nn.Module))]


def _gradients_from(network: Any, count: int) -> None:
    """In training, the blocks before the last `count` run without gradients, which half precision's quick attention asks for."""
    first, tuned = network.blocks[0], network.blocks[-count]
    if first is tuned:
        return

    def set_gradients(on: bool) -> Callable[..., None]:
        def hook(*_: Any) -> None:
            if tuned.training:
                torch.set_grad_enabled(on)

        return hook

    first.register_forward_pre_hook(set_gradients(False))
    tuned.register_forward_pre_hook(set_gradients(True))


def _is_adapter(name: str) -> bool:
    return name.rsplit(".", 1)[-1].startswith("lora_")
