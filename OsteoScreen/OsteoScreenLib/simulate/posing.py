"""Shoulder girdles posed and bodies varied, by moving vertices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from OsteoScreenLib.simulate.labels import SIDES
from OsteoScreenLib.simulate.meshes import Mesh


@dataclass(frozen=True)
class GirdlePose:
    """Angles in degrees of one side's shoulder girdle, as seen on that side.

    elevation, protraction : of the clavicle about its sternal end (up, forward).
    scapula_upward, scapula_forward : about the acromial end. abduction, rotation : of the arm about the shoulder joint.
    """

    elevation: float = 0.0
    protraction: float = 0.0
    scapula_upward: float = 0.0
    scapula_forward: float = 0.0
    abduction: float = 0.0
    rotation: float = 0.0


def random_pose(rng: np.random.Generator, upright: bool) -> tuple[GirdlePose, GirdlePose]:
    """Right and left poses, alike but not the same. Upright PA: shoulders rolled forward; AP: as they hang or lie.

    Degrees away from how the template holds its arms, 95 % of the bodies: clavicle -19 to 15 up and -13 to 25 (AP: -21 to 17)
    forward; scapula -14 to 18 upward and -12 to 40 (AP: -26 to 26) forward; arm -28 to 20 lifted and -45 to 44 rotated, so that
    it stays beside the trunk. These are the simulator's own choice; no published distribution stands behind them.
    """
    mean = np.array(
        [rng.normal(-2, 8), rng.normal(6 if upright else -2, 9), rng.normal(2, 7), rng.normal(14 if upright else 0, 12)]
    )
    arm = np.array([rng.normal(-4, 11), rng.normal(0, 20)])
    sides = []
    for _ in SIDES:
        own = mean + rng.normal(0, (3, 3, 4, 5))
        sides.append(GirdlePose(*own, *(arm + rng.normal(0, (5, 10)))))
    return sides[0], sides[1]


def _turn(points: np.ndarray, about: np.ndarray, axis: str, degrees: float) -> np.ndarray:
    from scipy.spatial.transform import Rotation

    return (points - about) @ Rotation.from_euler(axis, degrees, degrees=True).as_matrix().T + about


def _tip(vertices: np.ndarray, along: np.ndarray) -> np.ndarray:
    return vertices[along >= np.quantile(along, 0.98)].mean(axis=0)


def pose_girdle(bones: Mapping[str, Mesh], side: str, pose: GirdlePose) -> dict[str, Mesh]:
    """One side's clavicle, scapula and humerus posed; they stay joined at the acromion and the shoulder joint."""
    names = [f"{side} {bone}" for bone in ("clavicle", "scapula", "humerus")]
    clavicle, scapula, humerus = (bones[name].vertices for name in names)
    # Signs of turns about z (to the back) and y (up the side) swap between the sides.
    hand = 1.0 if side == "left" else -1.0
    outward = clavicle[:, 0] * hand
    sternal = _tip(clavicle, -outward)
    head = _tip(humerus, humerus[:, 2]) - np.array([0, 0, 20.0])

    def girdle(points: np.ndarray) -> np.ndarray:
        return _turn(_turn(points, sternal, "y", -hand * pose.elevation), sternal, "z", -hand * pose.protraction)

    new_clavicle = girdle(clavicle)
    acromial, carried = _tip(clavicle, outward), _tip(new_clavicle, new_clavicle[:, 0] * hand)

    def blade(points: np.ndarray) -> np.ndarray:
        moved = points + (carried - acromial)
        turned = _turn(moved, carried, "y", -hand * pose.scapula_upward)
        return _turn(turned, carried, "z", -hand * pose.scapula_forward)

    new_head = blade(head[None])[0]
    arm = _turn(humerus + (new_head - head), new_head, "z", -hand * pose.rotation)
    arm = _turn(arm, new_head, "y", -hand * pose.abduction)
    return {name: bones[name].moved(moved) for name, moved in zip(names, (new_clavicle, blade(scapula), arm), strict=True)}


@dataclass(frozen=True)
class BodyShape:
    """A smooth change of the whole body about `centre` in units of `half` (millimetres); see `random_shape` for the sizes."""

    centre: np.ndarray
    half: np.ndarray
    scale: np.ndarray
    flare: float
    slope: float
    kyphosis: float
    scoliosis: tuple[float, float, float]
    waves: np.ndarray

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """LPS (n, 3) → LPS (n, 3)."""
        unit = (points - self.centre) / self.half
        moved = (points - self.centre) * self.scale
        height = np.clip(unit[:, 2], -1.6, 1.6)
        moved[:, 0] *= 1 + self.flare * np.clip(height, -1, 1)
        moved[:, 2] += self.slope * np.clip(unit[:, 1], -1.2, 1.2) * self.half[1]
        moved[:, 1] += self.kyphosis * height**2
        size, phase, rate = self.scoliosis
        moved[:, 0] += size * np.sin(rate * height + phase)
        for wave in self.waves:
            moved += wave[:3] * np.sin(unit @ wave[3:6] + wave[6])[:, None]
        return moved + self.centre


def random_shape(rng: np.random.Generator, cage: np.ndarray) -> BodyShape:
    """A body drawn at random round the rib cage's vertices `cage` (n, 3): size, breadth, depth, flare, rib slope, spine.

    The amplitudes are the simulator's own choice. How the spine bends, as angles between tangents of a cubic through the fronts of
    the vertebral bodies: a straight spine gets -12 to 11 degrees of kyphosis T4-T12 and a lateral bend T1-L2 of 1 to 21, median 6
    (95 % of bodies). Every template brings its own: BodyParts3D 22 and 0 degrees, the three CT 43 to 51 and 14 to 20 (lying, arms
    up). Together, over 200 bodies of these four: kyphosis 16 to 59, median 41 (all: 11 to 65); lateral bend 3 to 34, median 15
    (all: 1 to 41). Kyphosis covers the 20 to 50 degrees that are usual in adults (Fon, Pitt and Thies 1980) and a little more; it
    leaves out hyperkyphosis with fractured vertebrae. The lateral bend is not that of the healthy: 7 of 10 bodies exceed the
    10 degrees (Cobb) from which the Scoliosis Research Society speaks of scoliosis, mostly because the CT's spines are bent.
    """
    low, high = cage.min(axis=0), cage.max(axis=0)
    waves = np.concatenate([rng.normal(0, 1.8, (6, 3)), rng.normal(0, 1.6, (6, 3)), rng.uniform(0, 2 * np.pi, (6, 1))], axis=1)
    return BodyShape(
        centre=(low + high) / 2,
        half=(high - low) / 2,
        scale=np.exp(rng.normal(0, 0.05)) * np.exp(rng.normal(0, (0.05, 0.08, 0.06))),
        flare=rng.normal(0, 0.06),
        slope=rng.normal(0, 0.09),
        kyphosis=rng.normal(0, 6),
        scoliosis=(abs(rng.normal(0, 4)), rng.uniform(0, 2 * np.pi), rng.uniform(1, 3)),
        waves=waves,
    )


@dataclass(frozen=True)
class Breath:
    """How lungs and heart differ from the template: domes up or down (mm, right and left), heart larger or smaller."""

    right_dome: float
    left_dome: float
    heart: float

    def __call__(self, name: str, points: np.ndarray, middle: np.ndarray, heart: np.ndarray) -> np.ndarray:
        """Vertices (n, 3) of the organ `name`; `middle` is the lungs' centre, `heart` the heart's."""
        offset = points - heart
        grow = self.heart * np.exp(-(offset**2).sum(axis=1) / (2 * 60.0**2))
        moved = points + grow[:, None] * offset * np.array([1.0, 1.0, 0.6])
        # The domes move, the recesses behind and beside them stay on the ribs.
        low = 1 / (1 + np.exp((points[:, 2] - middle[2] + 10) / 18))
        low *= np.clip((points[:, 2] - (middle[2] - 125)) / 75, 0, 1)
        side = 1 / (1 + np.exp(-(points[:, 0] - middle[0]) / 15))
        moved[:, 2] += low * (self.right_dome * (1 - side) + self.left_dome * side) * (0.5 if name == "heart" else 1.0)
        return moved


def random_breath(rng: np.random.Generator) -> Breath:
    """A depth of breath and a heart size.

    95 % of the bodies: the right dome 53 mm lower to 5 mm higher than in the CT, the left one 55 lower to 3 higher; they move by nine tenths of that at most, and lungs gain about 0.4 l at 26 mm. Deep inspiration lowers the domes by several centimetres; how much is drawn here is the
    simulator's own choice. The heart is
    8 % narrower to 10 % wider than the template's.
    """
    # The CT was taken in shallow breath, chest radiographs are taken in deep: the domes stand lower.
    both = rng.normal(-26, 14)
    return Breath(both + rng.normal(2, 5), both + rng.normal(0, 5), rng.uniform(-0.16, 0.2))
