"""Where the network runs and in which precision; what to do when a device runs out of memory."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Literal

from OsteoScreenLib.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from torch import nn

Precision = Literal["fp32", "bf16", "fp16"]
DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "fp32", "bf16", "fp16")

# Images per forward pass. The shape is fixed per device, so that an answer cannot depend on what else is asked in the same
# stream: on a processor each image is alone; on a GPU batches are filled up to this size.
BATCH_ON_CPU = 1
BATCH_ON_GPU = 8


def choose_device(word: str = "auto") -> torch.device:
    """ "auto" takes CUDA, then MPS, then the processor; a device asked for by name must be there."""
    import torch

    if word not in DEVICES:
        raise InputError(f"There is no device called '{word}'; choose one of {', '.join(DEVICES)}.", code="device")
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if word == "auto":
        word = "cuda" if cuda else "mps" if mps else "cpu"
    if (word == "cuda" and not cuda) or (word == "mps" and not mps):
        name = "NVIDIA GPU that torch can use" if word == "cuda" else "Apple GPU that torch can use"
        raise InputError(f"This machine has no {name}; choose --device auto or --device cpu.", code="device")
    return torch.device(word)


def choose_precision(device: torch.device, word: str = "auto") -> Precision:
    """ "auto" takes half precision only where the hardware computes faster in it."""
    import torch

    if word not in PRECISIONS:
        raise InputError(f"There is no precision called '{word}'; choose one of {', '.join(PRECISIONS)}.", code="precision")
    if word != "auto":
        return word  # type: ignore[return-value]
    if device.type == "cuda":
        # Tensor cores: bf16 from Ampere (compute capability 8), fp16 from Volta (7).
        major = torch.cuda.get_device_capability(device)[0]
        return "bf16" if major >= 8 else "fp16" if major >= 7 else "fp32"
    if device.type == "cpu" and processor_has_bf16():
        return "bf16"
    return "fp32"


def processor_has_bf16() -> bool:
    """AMX or AVX512-BF16; without them bf16 is emulated and slower than fp32."""
    return _processor_has("_is_amx_tile_supported") or _processor_has("_is_avx512_bf16_supported")


def _processor_has(question: str) -> bool:
    """Asked through torch's own name, which not every version has; an unknown answer means no."""
    import torch

    answer = getattr(torch.cpu, question, None)
    return answer is not None and bool(answer())


def batch_size(device: torch.device) -> int:
    """Images per forward pass on this device."""
    return BATCH_ON_CPU if device.type == "cpu" else BATCH_ON_GPU


def placed_on(network: nn.Module, device: torch.device) -> nn.Module:
    """The network, moved to a device in the order of memory that its convolutions are quickest in there."""
    import torch

    moved = network.to(device)
    # On a processor oneDNN convolves channels last a third quicker; the order changes nothing but speed and rounding.
    return moved.to(memory_format=torch.channels_last) if device.type == "cpu" else moved


@contextmanager
def running(device: torch.device, precision: Precision) -> Iterator[None]:
    """Deterministic kernels, true fp32 where fp32 is asked for, and autocast where half precision is."""
    import torch

    with ExitStack() as stack:
        if device.type == "cuda":
            exact = precision == "fp32"
            stack.enter_context(
                torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=not exact)
            )
        if precision != "fp32":
            dtype = torch.bfloat16 if precision == "bf16" else torch.float16
            stack.enter_context(torch.autocast(device.type, dtype=dtype))
        if device.type == "cpu" and precision == "bf16" and not _processor_has("_is_amx_tile_supported"):
            from OsteoScreenLib.classifier.half_attention import HalfAttention

            stack.enter_context(HalfAttention())
        if device.type == "cpu" and precision == "bf16":
            from OsteoScreenLib.classifier.half_linear import HalfLinear, packs_weights

            if packs_weights():
                stack.enter_context(HalfLinear())
        yield


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that the device's memory is full (CUDA's own class; MPS and the processor say it in words)."""
    import torch

    if isinstance(error, torch.cuda.OutOfMemoryError):
        return True
    words = str(error).lower()
    return isinstance(error, RuntimeError) and (
        "out of memory" in words or "not enough memory" in words or "can't allocate" in words
    )


def release_memory() -> None:
    """Give cached GPU memory back."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()
