"""Vision transformers that are shown fewer patches: the covered ones are dropped instead of painted.

A patch is dropped when more than half of its area on the network's input is covered. Its token leaves the sequence after the
position embedding was added, so the patches that stay keep their places, and no grey value stands in for what is covered
(Jain et al., "Missingness bias in model debugging", ICLR 2022). timm's own place for leaving patches out is used, `patch_drop`,
which its vision transformers have after the position embedding, rotary embeddings included.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from OsteoScreenLib.classifier.preprocess import InputGeometry, PreprocessSpec
from OsteoScreenLib.errors import InputError

if TYPE_CHECKING:
    import torch
    from torch import nn

MOSTLY = 0.5  # a patch is dropped when more than this share of its area is covered


@dataclass(frozen=True)
class PatchGrid:
    """The patches of a vision transformer's input. shape : (rows, columns) of patches. spec : how radiographs become input."""

    shape: tuple[int, int]
    spec: PreprocessSpec

    def coverage(self, region: np.ndarray) -> np.ndarray:
        """The covered share of each patch's area, float64 (patch rows, patch columns).

        region : covered pixels, bool (rows, columns) of the radiograph. What a letterbox adds counts as not covered.
        """
        down, across = self._overlaps((region.shape[0], region.shape[1]))
        rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
        if not rows.size:
            return np.zeros(self.shape)
        held = np.s_[rows[0] : rows[-1] + 1], np.s_[columns[0] : columns[-1] + 1]
        return np.asarray(down[:, held[0]] @ region[held].astype(np.float64) @ across[:, held[1]].T)

    def dropped(self, region: np.ndarray, count: int | None = None) -> np.ndarray:
        """The patches that covering a region drops, bool (patch rows, patch columns).

        count : where given, so many of the patches that are covered most, whatever their share (the first ones among equals).
        """
        share = self.coverage(region)
        if count is None:
            # The tolerance is far above the rounding of a sum of overlaps and far below one pixel's share.
            return np.asarray(share > MOSTLY + 1e-9)
        dropped = np.zeros(share.size, bool)
        dropped[np.argsort(-share.ravel(), kind="stable")[:count]] = True
        return dropped.reshape(share.shape)

    def on_radiograph(self, patches: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """Pixels of a radiograph (rows, columns) whose larger part lies in these patches, bool."""
        down, across = (np.argmax(overlap, axis=0) for overlap in self._overlaps(shape))
        rows, columns = (np.asarray(overlap.any(axis=0)) for overlap in self._overlaps(shape))
        return np.asarray(patches[np.ix_(down, across)] & np.outer(rows, columns))

    def _overlaps(self, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """For rows and for columns: the share of each patch's extent that each radiograph pixel takes, (patches, pixels)."""
        geometry = InputGeometry.of(self.spec, shape)
        size = (self.spec.rows, self.spec.columns)
        return tuple(  # type: ignore[return-value]
            _overlap(shape[axis], geometry.resized[axis], (geometry.top, geometry.left)[axis], size[axis], self.shape[axis])
            for axis in (0, 1)
        )


def patch_grid(network: Any, spec: PreprocessSpec, owner: str) -> PatchGrid:
    """The patches that a network's input is cut into.

    Raises `InputError` for a network whose patches cannot be left out: ConvNets, and transformers that attend in windows or
    look at patches through convolutions. owner : the model's name for the sentence.
    """
    from timm.layers import PatchEmbed
    from timm.models.eva import Eva
    from timm.models.vision_transformer import VisionTransformer

    embedding = getattr(network, "patch_embed", None)
    if not isinstance(network, VisionTransformer | Eva) or not isinstance(embedding, PatchEmbed):
        raise InputError(
            f"The model {owner} is no plain vision transformer, so it has no patches to leave out; choose another fill than tokens.",
            code="tokens",
        )
    rows, columns = embedding.patch_size
    return PatchGrid((spec.rows // rows, spec.columns // columns), spec)


@contextmanager
def leaving_out(network: Any, dropped: np.ndarray) -> Iterator[None]:
    """Within this context the network, of one that `patch_grid` takes, does not see the dropped patches, bool (rows, columns).

    Raises `InputError` when no patch is left.
    """
    from timm.models.eva import Eva

    if dropped.all():
        raise InputError(
            "Every patch of the image is covered, so there is nothing left to show the model; cover less or choose another fill.",
            code="tokens",
        )
    before = network.patch_drop
    network.patch_drop = _keep(np.flatnonzero(~dropped), int(network.num_prefix_tokens), isinstance(network, Eva))
    try:
        yield
    finally:
        network.patch_drop = before


def _keep(patches: np.ndarray, prefix: int, tell_indices: bool) -> nn.Module:
    """In the place of timm's random patch dropout: keeps the prefix tokens and these patches."""
    import torch
    from torch import nn

    class Keep(nn.Module):
        def forward(self, tokens: torch.Tensor) -> Any:
            kept = torch.from_numpy(patches).to(tokens.device)
            few = torch.cat([tokens[:, :prefix], tokens[:, prefix:].index_select(1, kept)], dim=1)
            return (few, kept.expand(len(tokens), -1)) if tell_indices else few

    return Keep()


def _overlap(pixels: int, resized: int, start: int, size: int, patches: int) -> np.ndarray:
    """Share of each patch's extent along one axis that each radiograph pixel takes, float64 (patches, pixels).

    The radiograph's `pixels` are scaled to `resized` input pixels, the first of which lies at `start` of the input's `size`.
    """
    edges = start + np.arange(pixels + 1) * (resized / pixels)
    patch = size / patches
    bounds = np.arange(patches + 1) * patch
    inside = np.minimum(edges[None, 1:], bounds[1:, None]) - np.maximum(edges[None, :-1], bounds[:-1, None])
    return np.asarray(np.maximum(inside, 0) / patch)
