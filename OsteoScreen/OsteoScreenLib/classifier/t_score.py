"""The expected T-score that a bundle may bring beside its classes: a linear function of what the network's head reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from OsteoScreenLib.errors import InputError

if TYPE_CHECKING:
    import torch

    from OsteoScreenLib.bundle import Bundle

T_SCORE_FILE = "t_score.safetensors"


@dataclass(frozen=True, eq=False)
class TScoreHead:
    """weight : float64 (d,). bias : of the sum."""

    weight: np.ndarray
    bias: float

    def expected(self, features: np.ndarray) -> np.ndarray:
        """Expected T-scores float64 (n,) from what the head reads, (n, d)."""
        return np.asarray(features.astype(np.float64) @ self.weight + self.bias)

    def tensors(self) -> dict[str, torch.Tensor]:
        """What `T_SCORE_FILE` holds, float32."""
        import torch

        return {"weight": torch.from_numpy(self.weight).float(), "bias": torch.tensor([self.bias]).float()}

    @classmethod
    def from_bundle(cls, bundle: Bundle) -> TScoreHead | None:
        """A bundle's; None when it brings none. Raises `InputError` (bundle-t-score) when the file is of another shape."""
        if T_SCORE_FILE not in bundle.manifest["files"]:
            return None
        held = bundle.tensors(T_SCORE_FILE)
        weight, bias = held.get("weight"), held.get("bias")
        if weight is None or bias is None or weight.ndim != 1 or tuple(bias.shape) != (1,):
            raise InputError(
                f"The T-score of the bundle {bundle.id} is damaged or of another version; get the bundle again.",
                code="bundle-t-score",
            )
        return cls(weight.double().numpy(), float(bias[0]))
