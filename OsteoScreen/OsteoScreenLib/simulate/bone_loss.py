"""Bone loss: how spongiosa and cortex thin together, and how much of it gives a T-score in a given body.

One unit of loss takes 18 % of the spongiosa's mineral and 7 % of the cortices' thickness of the adult values (ICRU 44 and 46).
That spongiosa goes first and most is what is known of ageing vertebrae (Riggs et al. 2004); the two figures are the simulator's
assumption. They were chosen so that one unit is about one standard deviation of young women's lumbar areal density; the simulated
DXA says how much it is in each body.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL
from OsteoScreenLib.simulate.dxa import dxa
from OsteoScreenLib.simulate.meshes import Mesh
from OsteoScreenLib.simulate.render import Density

TRABECULAR_PER_UNIT = 0.18
CORTICAL_PER_UNIT = 0.07
LEAST_TRABECULAR, LEAST_CORTICAL, MOST = 0.05, 0.3, 2.0


def density_after(
    loss: float, by_group: Mapping[str, float] | None = None, by_bone: Mapping[str, float] | None = None
) -> Density:
    """Density after `loss` units everywhere; below 0 the bone is denser than an adult's mean."""
    return Density(
        trabecular=min(max(1 - TRABECULAR_PER_UNIT * loss, LEAST_TRABECULAR), MOST),
        cortical=min(max(1 - CORTICAL_PER_UNIT * loss, LEAST_CORTICAL), MOST),
        by_group=by_group or {},
        by_bone=by_bone or {},
    )


@dataclass(frozen=True)
class DensityLine:
    """A body's T-score as a function of its loss, which is a straight line. at_zero : without loss. at_one : after one unit."""

    at_zero: float
    at_one: float

    @classmethod
    def of(cls, parts: Mapping[str, Mesh]) -> DensityLine:
        """Measure a body twice. Raises `InputError` (no-lumbar) as `dxa` does."""
        return cls(dxa(parts, density_after(0.0)).t_score, dxa(parts, density_after(1.0)).t_score)

    def loss_at(self, t_score: float) -> float:
        """The loss that gives a T-score."""
        return (self.at_zero - t_score) / (self.at_zero - self.at_one)

    def t_score(self, loss: float) -> float:
        """The T-score after a loss, as long as no limit of `density_after` is reached."""
        return self.at_zero + loss * (self.at_one - self.at_zero)


def confined_loss(bones: Iterable[str], factor: float) -> Mapping[str, float]:
    """`Density.by_bone` that thins only these bones or groups to `factor` of their mineral and cortex.

    Raises `InputError` (unknown-bone) for a name that is neither.
    """
    return dict.fromkeys(CHEST_FRONTAL.expand(list(bones)), factor)
