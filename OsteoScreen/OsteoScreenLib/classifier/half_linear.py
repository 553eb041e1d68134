"""Linear layers in bf16 whose weights are brought into oneDNN's own order once, and not rounded and reordered in every pass.

Autocast keeps rounded weights only where gradients are wanted, so without them it rounds all of them again for each picture, and
oneDNN then reads them as they lie. Products, and where they are rounded, are the same.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakIdKeyDictionary


class _Packed(NamedTuple):
    """What was made of one layer's parameters, and their state then: a weight that has changed since is packed anew."""

    state: tuple[object, ...]
    weight: torch.Tensor
    bias: torch.Tensor | None


_PACKED: Any = WeakIdKeyDictionary()  # weight → _Packed; forgotten with the weight


class HalfLinear(TorchFunctionMode):
    """Within this context, under autocast to bf16 on the processor and without gradients, linear layers use packed weights.

    It remembers bf16 copies of the weights for as long as they live: half of their size again.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is torch.nn.functional.linear and not kwargs and len(args) in (2, 3) and _suits(args[0], args[1]):
            return _linear(args[0], args[1], args[2] if len(args) == 3 else None)
        return func(*args, **(kwargs or {}))


def packs_weights() -> bool:
    """Whether this torch and this processor can: the operators are torch's own, but no promise of it."""
    mkldnn = torch.ops.mkldnn
    names = ("_is_mkldnn_bf16_supported", "_reorder_linear_weight", "_linear_pointwise")
    return all(hasattr(mkldnn, name) for name in names) and bool(mkldnn._is_mkldnn_bf16_supported())


def _suits(inputs: torch.Tensor, weight: torch.Tensor) -> bool:
    return (
        not torch.is_grad_enabled()
        and torch.is_autocast_enabled("cpu")
        and inputs.device.type == weight.device.type == "cpu"
        and isinstance(weight, torch.nn.Parameter)  # what is made on the way lives for one pass
        and not weight.is_inference()  # such a tensor does not tell that it has changed
        and inputs.is_floating_point()
        and inputs.numel() > 0
    )


def _linear(inputs: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    state = (*_state(weight), *((None, None) if bias is None else _state(bias)))
    packed = _PACKED.get(weight)
    if packed is None or packed.state != state:
        ordered = torch.ops.mkldnn._reorder_linear_weight(weight.detach().bfloat16())
        packed = _PACKED[weight] = _Packed(state, ordered, None if bias is None else bias.detach().bfloat16())
    answer: torch.Tensor = torch.ops.mkldnn._linear_pointwise(inputs.bfloat16(), packed.weight, packed.bias, "none", [], "")
    return answer


def _state(parameter: torch.Tensor) -> tuple[int, int]:
    """Changes when other values are written into the parameter or it is given other memory."""
    return parameter._version, parameter.data_ptr()
