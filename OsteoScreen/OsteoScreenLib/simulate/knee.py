"""Random knees seen from the front: one skeleton's legs varied and posed, dressed in soft tissue, projected to path lengths and masks.

Angles and sizes are the simulator's own choice; no published distribution stands behind them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from OsteoScreenLib.bones.vocabulary import KNEE
from OsteoScreenLib.simulate.labels import SIDES
from OsteoScreenLib.simulate.meshes import Mesh, joined, tapered_tube
from OsteoScreenLib.simulate.projection import Geometry, project
from OsteoScreenLib.simulate.skin import lofted

BONES = tuple(KNEE.by_name)
KINDS = ("femur", "tibia", "fibula", "patella")
PATH_NAMES = ("body", *KINDS, *(f"{kind} core" for kind in KINDS), "marrow")
_LEAST_MM = 0.4  # a bone's mask leaves out rays that only graze it
_JOINT = np.array([-76.0, 24.0, 433.0])  # the right knee's middle in the skeleton, LPS millimetres
# Cortex at the joint and in the shaft, millimetres, and how far from the joint it is half way between: what long bones measure about.
_CORTEX = {"femur": (1.0, 5.0, 95.0), "tibia": (1.0, 5.0, 85.0), "fibula": (0.9, 2.4, 60.0), "patella": (1.3, 1.3, 99.0)}
# Half widths of a leg at heights above the joint, millimetres: (across, front to back).
_LEVELS = np.array([-420.0, -340.0, -240.0, -130.0, -60.0, 0.0, 60.0, 150.0, 300.0, 440.0])
_HALF = np.array([(36, 40), (38, 42), (46, 50), (58, 62), (54, 58), (58, 62), (63, 66), (74, 76), (86, 88), (92, 96)], float)


@dataclass(frozen=True)
class KneeView:
    """One projected picture of one knee or both.

    paths_mm : float32 (`PATH_NAMES`, rows, columns): the whole leg, each kind of bone, what lies inside its cortex, and the
    shafts' cavities without spongiosa. masks : bool (`BONES`, rows, columns).
    """

    paths_mm: np.ndarray
    masks: np.ndarray


def random_leg(
    rng: np.random.Generator, skeleton: Mapping[str, Mesh], side: str, habitus: float, apart: float
) -> dict[str, Mesh]:
    """One leg with the knee's middle `apart` mm beside the origin: bones by name without side, their "core"s, "marrow" and "body".

    habitus : 0 (lean) to 1 (thick).
    """
    bones = {kind: Mesh(skeleton[f"right {kind}"].vertices - _JOINT, skeleton[f"right {kind}"].faces) for kind in KINDS}
    shape = _random_shape(rng)
    bones = {kind: mesh.moved(shape(mesh.vertices)) for kind, mesh in bones.items()}
    bones |= {f"{kind} core": _core(bones[kind], kind, float(np.exp(rng.normal(0, 0.2)))) for kind in KINDS}
    bones["marrow"] = joined([_cavity(bones["femur core"], 70, 170), _cavity(bones["tibia core"], -75, -175)])
    bones["body"] = _skin(rng, habitus)
    flexion, varus = abs(rng.normal(0, 7)), rng.normal(0, 3)
    gap = rng.normal(0, 0.7)
    kneecap = np.array([rng.normal(0, 4), 0, rng.normal(18, 7)])
    lean = np.array([rng.normal(0, 7), rng.normal(0, 3), rng.normal(0, 3)])  # rotation, tilt to the front, lean aside
    posed = {}
    for name, mesh in bones.items():
        points = mesh.vertices
        if name.startswith("patella"):
            points = points + kneecap
        elif name.startswith(("tibia", "fibula")):
            points = _turned(points, (0, -flexion / 2, varus)) - (0, 0, gap)
        elif name.startswith("femur"):
            points = _turned(points, (0, flexion / 2, 0))
        elif name == "marrow":
            above = points[:, 2:] > 0
            points = np.where(above, _turned(points, (0, flexion / 2, 0)), _turned(points, (0, -flexion / 2, varus)))
        posed[name] = mesh.moved(_turned(points, lean) + np.array([-apart, 0, 0]))
    return posed if side == "right" else {name: mesh.mirrored() for name, mesh in posed.items()}


def random_knees(rng: np.random.Generator, skeleton: Mapping[str, Mesh], size: int) -> tuple[dict[str, Mesh], Geometry]:
    """Both legs, or one, and a field round them: from close about the joint to the whole lower leg. Parts are named "SIDE PART"."""
    habitus = float(rng.beta(1.5, 2.0))
    sides = SIDES if rng.random() < 0.6 else (str(rng.choice(list(SIDES))),)
    apart = float(rng.uniform(62, 130) + 30 * habitus)
    legs = {side: random_leg(rng, skeleton, side, habitus, apart + rng.normal(0, 4)) for side in sides}
    parts = {f"{side} {name}": mesh for side, leg in legs.items() for name, mesh in leg.items()}
    middle = 0.0 if len(sides) == 2 else (apart if sides[0] == "left" else -apart)
    wide = 2 * apart + 130 + 60 * habitus if len(sides) == 2 else 130 + 40 * habitus
    field = wide * float(np.exp(rng.uniform(np.log(0.95), np.log(1.5 if len(sides) == 2 else 3.2))))
    field = min(field, 520.0)
    height = rng.uniform(-0.3, 0.3) * field if field > 200 else rng.uniform(-0.12, 0.12) * field
    distance = float(rng.uniform(1000, 1500))
    geometry = Geometry(
        direction="AP" if rng.random() < 0.8 else "PA", source_detector_mm=distance, centre_detector_mm=float(rng.uniform(50, 110)),
        rows=size, columns=size, pixel_mm=field * 1.07 / size, centre=(middle + rng.normal(0, 0.05) * field, 0.0, float(height)),
        turn_degrees=(float(rng.normal(0, 2)), float(rng.normal(0, 5)), float(rng.normal(0, 1.5))),
    )  # fmt: skip
    return parts, geometry


def project_knees(parts: Mapping[str, Mesh], geometry: Geometry) -> KneeView:
    """Path lengths and masks of legs (as `random_knees` names their parts) in one geometry."""
    paths = project(parts, geometry)
    zero = np.zeros((geometry.rows, geometry.columns), np.float32)
    sums = {name: sum((paths[f"{side} {name}"] for side in SIDES if f"{side} {name}" in paths), zero) for name in PATH_NAMES}
    for kind in KINDS:
        sums[f"{kind} core"] = np.minimum(sums[f"{kind} core"], sums[kind])
    sums["marrow"] = np.minimum(sums["marrow"], sums["femur core"] + sums["tibia core"])
    masks = np.stack([paths.get(name, zero) > _LEAST_MM for name in BONES])
    return KneeView(np.stack([sums[name] for name in PATH_NAMES]), masks)


def _turned(points: np.ndarray, degrees: np.ndarray | tuple[float, float, float]) -> np.ndarray:
    """About the joint: (about the long axis, the left-right axis, the front-back axis)."""
    from scipy.spatial.transform import Rotation

    return np.asarray(points @ Rotation.from_euler("zxy", degrees, degrees=True).as_matrix().T)


def _random_shape(rng: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    """Larger or smaller, broader or finer, longer or shorter, and a few smooth waves of a millimetre or two."""
    scale = np.exp(rng.normal(0, 0.06)) * np.exp(rng.normal(0, (0.04, 0.04, 0.03)))
    waves = [(rng.normal(0, 0.8, 3), rng.normal(0, 1 / 45, 3) * (1, 1, 0.4), rng.uniform(0, 2 * np.pi)) for _ in range(6)]

    def shape(points: np.ndarray) -> np.ndarray:
        bend = sum(size * np.sin(points @ rate + phase)[:, None] for size, rate, phase in waves)
        return np.asarray(points * scale + bend)

    return shape


def _core(bone: Mesh, kind: str, thickness: float) -> Mesh:
    """The inner face of the cortex: thin about the joint, thick in the shaft."""
    thin, thick, middle = _CORTEX[kind]
    share = 1 / (1 + np.exp(-(np.abs(bone.vertices[:, 2]) - middle) / 18))
    return bone.moved(bone.vertices - ((thin + (thick * thickness - thin) * share)[:, None]) * bone.normals())


def _cavity(core: Mesh, start: float, end: float) -> Mesh:
    """A tube inside a shaft's core, from `start` to far beyond `end` (heights about the joint), where there is marrow alone."""
    places, radii = [], []
    for height in (start, end):
        near = core.vertices[np.abs(core.vertices[:, 2] - height) < 8]
        places.append(near.mean(axis=0))
        radii.append(0.5 * float(np.ptp(near[:, 0]).clip(8, 30)))
    far = places[1] + (places[1] - places[0]) * 1.2
    return tapered_tube(places[0], far, 0.55 * radii[0], 0.9 * radii[1])


def _skin(rng: np.random.Generator, habitus: float) -> Mesh:
    """The leg's skin about a knee at the origin; the thigh runs a little towards the middle of the body, as flesh lies inside the femur."""
    grow = np.exp(rng.normal(0, 0.05)) * np.interp(_LEVELS, [-340, 300], [0.9, 0.84])
    half = _HALF * (grow + 0.42 * habitus * np.interp(_LEVELS, [-340, 0, 300], [0.5, 0.8, 1.3]))[:, None]
    half *= np.exp(rng.normal(0, 0.04, half.shape))
    half = np.maximum(half, np.interp(_LEVELS, [-340, 0], [30, 52])[:, None])
    middle = np.stack([0.03 * _LEVELS, np.interp(_LEVELS, [-340, -130, 0, 300], [14, 18, 0, -4])], axis=1)
    levels = np.arange(_LEVELS[0], _LEVELS[-1] + 1, 10.0)

    def fine(values: np.ndarray) -> np.ndarray:
        from scipy.interpolate import PchipInterpolator

        return np.asarray(PchipInterpolator(_LEVELS, values)(levels))

    return lofted(levels, fine(middle), fine(half))
