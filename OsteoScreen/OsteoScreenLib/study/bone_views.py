"""Radiographs of other body parts, from the skeleton meshes: what the gate must tell from a frontal chest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from OsteoScreenLib.simulate.meshes import Mesh, joined
from OsteoScreenLib.simulate.projection import Geometry, project
from OsteoScreenLib.simulate.texture import spectral_noise
from OsteoScreenLib.study.other_views import radiographic


@dataclass(frozen=True)
class Region:
    """A body part to be shown.

    bones : pattern of bone names without their side. centre : LPS millimetres of the right one. field : range of the field of
    view's longer side, mm. yaw : (mean, spread) of turns about the long axis in degrees, one is chosen; 90 is from the side.
    soft : radius of soft tissue around the bones, mm. trunk : half-width and depth of a trunk behind them, mm, or (0, 0).
    both : both sides are shown; otherwise one.
    """

    bones: str
    centre: tuple[float, float, float]
    field: tuple[float, float]
    yaw: tuple[tuple[float, float], ...] = ((0, 12), (90, 10))
    soft: float = 30
    trunk: tuple[float, float] = (0, 0)
    both: bool = False


_JAWS = "mandible|maxilla|.*incisor|.*canine|.*molar.*"
REGIONS: dict[str, Region] = {
    "pelvis": Region(r"hip bone|sacrum|coccyx|femur|L\d", (0, 20, 910), (300, 460), ((0, 8),), 40, (170, 200), True),
    "hip": Region(r"hip bone|sacrum|coccyx|femur", (-90, 20, 870), (170, 330), ((0, 25),), 40, (170, 200)),
    "abdomen": Region(
        r"L\d|T1[0-2]|sacrum|coccyx|hip bone|rib (9|1[0-2])", (0, 20, 1020), (320, 460), ((0, 6),), 30, (160, 210), True
    ),
    "lumbar spine": Region(
        r"L\d|T1[0-2]|sacrum|hip bone|rib 1[0-2]", (0, 30, 1060), (220, 400), ((0, 6), (90, 6), (45, 8)), 30, (150, 210), True
    ),
    "femur": Region(r"femur|hip bone|patella|tibia", (-90, 20, 650), (300, 480), ((0, 20), (90, 15)), 55),
    "knee": Region(r"femur|tibia|fibula|patella", (-80, 20, 440), (120, 380), ((0, 15), (90, 12)), 35),
    "legs": Region(r"femur|tibia|fibula|patella", (0, 20, 430), (220, 520), ((0, 12),), 35, (0, 0), True),
    "two legs": Region(r"femur|tibia|fibula|patella|talus|calcaneus", (0, 20, 350), (260, 480), ((0, 12),), 35, (0, 0), True),
    "leg": Region(r"tibia|fibula|patella|talus|calcaneus|femur", (-90, 20, 250), (260, 480), ((0, 20), (90, 15)), 30),
    "ankle": Region(r"tibia|fibula|talus|calcaneus", (-85, 35, 70), (100, 260), ((0, 25), (90, 15)), 20),
    "forearm": Region(r"radius|ulna|humerus", (-250, 20, 990), (180, 380), ((0, 40), (90, 40)), 22),
    "humerus": Region(r"humerus|radius|ulna|scapula|clavicle", (-200, 30, 1250), (200, 420), ((0, 25), (90, 20)), 35),
    "shoulder": Region(
        r"humerus|scapula|clavicle|rib [1-5]|T[1-6]", (-160, 20, 1370), (130, 260), ((0, 12), (-40, 10), (50, 10)), 35
    ),
    "neck": Region(rf"C\d|clavicle|rib 1|T[1-3]|{_JAWS}", (0, 10, 1490), (140, 300), ((0, 8), (90, 8)), 45, (60, 110), True),
    "skull": Region(rf"C\d|{_JAWS}", (0, 0, 1600), (200, 330), ((0, 12), (90, 10)), 20, (0, 0), True),
    "panoramic": Region(_JAWS, (0, -15, 1545), (120, 200), ((0, 4),), 15, (0, 0), True),
}


def bone_view(skeleton: Mapping[str, Mesh], region: str, rng: np.random.Generator, size: int = 144) -> np.ndarray:
    """A radiograph of one of `REGIONS`, float32 (rows, columns) in [0, 1], bone bright; the longer side is `size`."""
    part = REGIONS[region]
    unwanted = "" if part.both else str(rng.choice(["left ", "right "]))
    pattern = re.compile(rf"(left |right )?({part.bones})")
    names = [n for n in skeleton if pattern.fullmatch(n) and not (unwanted and n.startswith(unwanted))]
    if part.both and "leg" in region:
        # Pairs of limbs are taken with the feet together or well apart.
        apart = float(rng.uniform(-25, 60))
        skeleton = {n: _moved_aside(skeleton[n], n, apart) for n in names}
    outer = joined(skeleton[n] for n in names)
    # Marrow takes away most of what the cortex would add; the flat bones' cortex is thin.
    inner = joined(skeleton[n].inset(3.0 if re.search("femur|tibia|humerus", n) else 1.2) for n in names)
    centre = np.array(part.centre) * ((-1 if unwanted == "right " else 1), 1, 1) + rng.normal(0, 0.05 * part.field[0], 3)
    mean, spread = part.yaw[int(rng.integers(len(part.yaw)))]
    turn = (rng.normal(mean, spread) * rng.choice([-1, 1]), rng.normal(0, 8), rng.normal(0, 6))
    aspect = float(np.exp(rng.uniform(np.log(0.6), np.log(1.2))))
    if region == "panoramic":
        outer, inner = (mesh.moved(_unrolled(mesh.vertices, centre)) for mesh in (outer, inner))
        centre, turn, aspect = np.zeros(3), (0.0, 0.0, rng.normal(0, 3)), rng.uniform(1.5, 2.2)
    rows, columns = (size, max(8, round(size * aspect))) if aspect < 1 else (max(8, round(size / aspect)), size)
    pixel = float(rng.uniform(*part.field)) / size
    geometry = Geometry(
        direction=str(rng.choice(["PA", "AP"])), source_detector_mm=rng.uniform(1000, 2000), rows=rows, columns=columns,  # type: ignore[arg-type]
        pixel_mm=pixel, centre=(float(centre[0]), float(centre[1]), float(centre[2])), turn_degrees=turn,
    )  # fmt: skip
    paths = project({"outer": outer, "inner": inner}, geometry)
    return radiographic(_with_tissue(np.maximum(paths["outer"] - 0.65 * paths["inner"], 0), region, pixel, rng), rng)


def _moved_aside(mesh: Mesh, name: str, apart_mm: float) -> Mesh:
    """A limb's bone moved away from the middle: right ones to the right, left ones to the left."""
    side = {"right": -1.0, "left": 1.0}.get(name.split(" ")[0], 0.0)
    return mesh.moved(mesh.vertices + np.array([side * apart_mm, 0.0, 0.0]))


def _unrolled(points: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Jaws as a panoramic unit sees them: angle about an axis behind the front teeth across, radius as depth, height up."""
    x, y, z = (points - centre).T
    return np.stack([np.arctan2(x, -y) * 55.0, -np.hypot(x, y), z], axis=1)


def _with_tissue(bone: np.ndarray, region: str, pixel: float, rng: np.random.Generator) -> np.ndarray:
    """Bone thickness (mm) → water-equivalent path in decimetres with soft tissue, bowel gas and skull vault around it."""
    import cv2

    part = REGIONS[region]
    rows, columns = bone.shape
    v, u = np.mgrid[:rows, :columns].astype(np.float32)
    u, v = (u - columns / 2) * pixel, (v - rows / 2) * pixel
    reach = part.soft * rng.uniform(0.6, 1.6)
    shadow = (bone > 1.0).astype(np.uint8)
    if shadow.any() and region != "panoramic":
        away = cv2.distanceTransform(1 - shadow, cv2.DIST_L2, 5) * pixel
        soft = 2 * np.sqrt(np.maximum(reach**2 - np.minimum(away, reach) ** 2, 0)) + reach
        soft = cv2.GaussianBlur(np.where(away < reach, soft, 0).astype(np.float32), (0, 0), max(1.0, 0.35 * reach / pixel))
    else:
        soft = np.full_like(bone, reach)
    if part.trunk[0] and rng.random() < 0.95:
        half, depth = part.trunk[0] * rng.uniform(0.85, 1.4), part.trunk[1] * rng.uniform(0.7, 1.3)
        trunk = depth * np.sqrt(np.maximum(1 - (u / half) ** 2, 0))
        for _ in range(int(rng.integers(0, 7))):
            place, radius = rng.uniform(-half, half), rng.uniform(8, 35)
            gas = np.sqrt(np.maximum(radius**2 - (u - place) ** 2 - (v - rng.uniform(-150, 150)) ** 2, 0))
            trunk = trunk - 2 * gas
        soft = np.maximum(soft, trunk)
    total = np.maximum(soft, 0) * (1 + 0.15 * (spectral_noise(rng, bone.shape, 1.3) - 0.5)) + rng.uniform(1.0, 3.5) * bone
    if region == "skull":
        top = np.sqrt(np.maximum(1 - (u / rng.uniform(65, 95)) ** 2 - ((v + 40) / 100) ** 2, 0))
        inner = np.sqrt(np.maximum(1 - (u / 75) ** 2 - ((v + 40) / 92) ** 2, 0))
        total = total + 120 * top + 200 * np.maximum(top - 0.95 * inner, 0)
    return (total / 100).astype(np.float32)
