"""Checkpoints of other libraries become timm's: their format is told from their names, every tensor is accounted for.

A tensor that is missing, that has another shape, or that nobody asked for is named, by the name it has in the file. What is passed
over is passed over knowingly: text towers, projections to a text space, mask tokens and heads of pretraining.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from OsteoScreenLib.classifier.key_formats import FORMATS, KeyFormat, Source, Thirds
from OsteoScreenLib.errors import InputError

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class Converted:
    """Tensors under timm's names, all that a network has but its classifier.

    format : the format they came in. passed_over : names in the file that were known and not needed.
    """

    tensors: Mapping[str, torch.Tensor]
    format: KeyFormat
    passed_over: tuple[str, ...]


def recognise(names: Collection[str], owner: str, wanted: Collection[str] = ()) -> tuple[KeyFormat, str]:
    """The format of a checkpoint and the prefix of its vision tower. owner : the file's name for the sentence.

    wanted : a timm network's own names, if known; a file that has them all is timm's, be it a vision transformer or not.
    Raises `InputError` (base-format) when the names are those of no known vision transformer.
    """
    held = frozenset(names)
    for known in FORMATS:
        for prefix in known.prefixes:
            if all(prefix + name in held for name in known.signature):
                return known, prefix
    if wanted and held.issuperset(wanted):
        return FORMATS[-1], ""
    first = some(sorted(held)) or "none"
    raise InputError(
        f"{owner} holds no vision transformer in a known format (its tensors: {first}); known are checkpoints of timm, "
        "transformers (CLIP, SigLIP, DINOv2, DINOv3), open_clip, DINOv2 and EVA, so choose one of those files.",
        code="base-format",
    )


def convert(tensors: Mapping[str, torch.Tensor], network: nn.Module, owner: str) -> Converted:
    """A checkpoint's tensors as timm's, for a network whose patches lie on another grid, too.

    Position embeddings are resampled as the format's own library does (see `key_formats`). Half precision becomes float32.
    network : one of timm's vision transformers; it is not changed. owner : the file's name for messages.
    Raises `InputError` (base-format, base-keys) in one sentence that names what is wrong.
    """
    wanted = {name: tensor for name, tensor in network.state_dict().items() if name not in head_keys(network)}
    known, prefix = recognise(tensors, owner, wanted)
    built: dict[str, torch.Tensor] = {}
    origin: dict[str, str] = {}
    used: set[str] = set()
    missing: list[str] = []
    for name in wanted:
        sources = known.sources(name)
        held = [prefix + _name(source) for source in sources or ()]
        lacking = [one for one in held if one not in tensors] if sources else [name]
        missing += lacking
        used.update(held)
        if not lacking and sources:
            built[name] = _joined(
                [_part(tensors[one], source) for one, source in zip(held, sources, strict=True)], wanted[name]
            )
            origin[name] = " with ".join(held)
    rest = [name for name in tensors if name not in used]
    passed_over = tuple(name for name in rest if known.passed_over and re.fullmatch(known.passed_over, name))
    unknown = [name for name in rest if name not in passed_over and not _only_zeros(known, name, tensors[name])]
    if not missing:
        _place_positions(built, network, known, owner)
    misshapen = [
        f"{origin[name]} ({shape_of(tensor)}, not {shape_of(wanted[name])})"
        for name, tensor in built.items()
        if tensor.shape != wanted[name].shape and (name != "pos_embed" or not missing)
    ]
    told = [f"lacks {some(list(dict.fromkeys(missing)))}"] if missing else []
    told += [f"has unknown tensors {some(unknown)}"] if unknown else []
    told += [f"has tensors of another shape: {some(misshapen)}"] if misshapen else []
    if told:
        raise InputError(
            f"{owner}, read as {known.title}, does not fit the network: it {' and '.join(told)}; choose the file that belongs "
            "to this backbone.",
            code="base-keys",
        )
    return Converted(built, known, passed_over)


def load_base(network: nn.Module, tensors: Mapping[str, torch.Tensor], owner: str) -> Converted:
    """Put a checkpoint of any known format into a network, its classifier left as it is. Raises as `convert` does."""
    converted = convert(tensors, network, owner)
    network.load_state_dict({**network.state_dict(), **converted.tensors}, strict=True)
    return converted


def head_keys(network: nn.Module) -> list[str]:
    """The classifier's own tensors, which no base provides."""
    name = getattr(network, "default_cfg", {}).get("classifier", "head")
    names = (name,) if isinstance(name, str) else tuple(name)
    return [key for key in network.state_dict() if any(key == n or key.startswith(n + ".") for n in names)]


def some(names: list[str]) -> str:
    """The first three names, and how many more there are."""
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def shape_of(tensor: torch.Tensor) -> str:
    """A tensor's shape for people: "3×384"."""
    return "×".join(str(size) for size in tensor.shape) or "scalar"


def _name(source: Source) -> str:
    return source.name if isinstance(source, Thirds) else source


def _part(tensor: torch.Tensor, source: Source) -> torch.Tensor:
    if isinstance(source, str):
        return tensor
    third = tensor.shape[0] // 3
    return tensor[source.first * third : source.last * third]


def _joined(parts: list[torch.Tensor], wanted: torch.Tensor) -> torch.Tensor:
    """The parts as one tensor of the wanted type, with leading axes of length one where the network has more axes."""
    import torch

    whole = parts[0] if len(parts) == 1 else torch.cat(parts)
    while whole.ndim < wanted.ndim:
        whole = whole.unsqueeze(0)
    return whole.to(wanted.dtype)


def _only_zeros(known: KeyFormat, name: str, tensor: torch.Tensor) -> bool:
    """A bias that the network does not have, and that adds nothing: DINOv3 was published with and without."""
    return bool(known.zero and re.fullmatch(known.zero, name) and not tensor.any())


def _place_positions(built: dict[str, torch.Tensor], network: Any, known: KeyFormat, owner: str) -> None:
    """Position embeddings (1, tokens, width) laid out as the network keeps them, and resampled to its grid of patches."""
    from timm.layers import resample_abs_pos_embed

    positions = built.get("pos_embed")
    if positions is None or positions.ndim != 3:
        return
    apart = bool(getattr(network, "no_embed_class", False))
    if apart and known.class_position and "cls_token" in built:
        # The class token's position is added to the token itself; registers have none.
        built["cls_token"] = built["cls_token"] + positions[:, :1]
        positions = positions[:, 1:]
    first = 0 if apart else int(network.num_prefix_tokens)
    patches = positions.shape[1] - first
    side = math.isqrt(max(patches, 0))
    if side < 1 or side**2 != patches:
        raise InputError(
            f"{owner}, read as {known.title}, does not fit the network: its position embedding is for {max(patches, 0)} patches, "
            "which is no square grid; choose the file that belongs to this backbone.",
            code="base-keys",
        )
    grid = tuple(network.patch_embed.grid_size)
    if grid != (side, side):
        positions = resample_abs_pos_embed(
            positions, new_size=list(grid), old_size=[side, side], num_prefix_tokens=first, antialias=known.antialias
        )
    built["pos_embed"] = positions
