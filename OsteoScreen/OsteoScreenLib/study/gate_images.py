"""The gates' training images: banks of a site's radiographs and of everything else, made once and kept in the work folder."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from OsteoScreenLib.files import write_atomically
from OsteoScreenLib.simulate.meshes import read_skeleton
from OsteoScreenLib.simulate.projection import Direction
from OsteoScreenLib.simulate.sources import load_anatomies, sources_in
from OsteoScreenLib.simulate.thorax import PATH_NAMES, project_chest, random_geometry, random_parts
from OsteoScreenLib.study.bone_views import REGIONS, bone_view
from OsteoScreenLib.study.density_views import Bodies, develop, load_bodies
from OsteoScreenLib.study.drawn_chest import drawn_chest
from OsteoScreenLib.study.other_views import Body, body_from_ct, ct_slice, frontal, sideways
from OsteoScreenLib.study.unlike import program_made

SIZE = 144
RECIPE = 3  # raised when the makers change, so that an older cache is not taken for this one's
# How often each family of images is drawn, within the wanted site and within the rest; families left out share what remains.
SHARES = {
    "knee": 1.0,
    "leg": 0.7,
    "chest drawn": 0.35,
    "chest ct": 0.3,
    "chest posed": 0.35,
    "bone": 0.4,
    "sideways": 0.2,
    "slice": 0.1,
    "program": 0.3,
}
THORAX_CT = ("lidc2_ct_uint8.nrrd", "lidc0314_ct_hu.nrrd", "cmb_crc_ct_hu.nrrd")


@dataclass(frozen=True)
class Bank:
    """Base images, bone bright, upright where they are wanted: uint8 (rows, columns) each, with the kind of each.

    Kinds that begin with `wanted` are what the gate is to accept: frontal chests, or frontal knees.
    """

    images: tuple[np.ndarray, ...]
    kinds: tuple[str, ...]
    wanted: str = "chest"

    @property
    def diseased(self) -> float:
        """How often disease is laid over what is wanted: opacities are the lungs'."""
        return 0.35 if self.wanted == "chest" else 0.1

    @property
    def shut(self) -> float:
        """How often margins are laid round what is wanted: pictures of limbs are rarely filled by them."""
        return 0.35 if self.wanted == "chest" else 0.6

    def is_wanted(self, kind: str) -> bool:
        """The gate is to accept this kind."""
        return kind.startswith(self.wanted)

    def only(self, wanted: bool) -> Bank:
        """What the gate is to accept, or everything else."""
        kept = [i for i, kind in enumerate(self.kinds) if self.is_wanted(kind) == wanted]
        return Bank(tuple(self.images[i] for i in kept), tuple(self.kinds[i] for i in kept), self.wanted)

    def weights(self) -> np.ndarray:
        """Probability of drawing each image: by `SHARES` of the families that are there, evenly over kinds, then images."""
        families = [next((name for name in SHARES if kind.startswith(name)), "program") for kind in self.kinds]
        kinds_in = {
            family: len({k for k, f in zip(self.kinds, families, strict=True) if f == family}) for family in set(families)
        }
        counts = {kind: self.kinds.count(kind) for kind in set(self.kinds)}
        weights = np.array([SHARES[f] / kinds_in[f] / counts[k] for k, f in zip(self.kinds, families, strict=True)])
        return weights / weights.sum()

    def __add__(self, other: Bank) -> Bank:
        return Bank(self.images + other.images, self.kinds + other.kinds, self.wanted)


def as_bytes(image: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def cached(path: Path, make: Callable[[], Bank]) -> Bank:
    """Read the bank at `path`, or make and keep it."""
    if path.is_file():
        with np.load(path, allow_pickle=False) as stored:
            return Bank(tuple(stored[f"image{i}"] for i in range(len(stored["kinds"]))), tuple(str(k) for k in stored["kinds"]))
    bank = make()
    arrays = {f"image{i}": image for i, image in enumerate(bank.images)} | {"kinds": np.array(bank.kinds)}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda temporary: np.savez(temporary, **arrays))  # type: ignore[arg-type]
    return bank


def drawn_bank(count: int, seed: int) -> Bank:
    """Drawn frontal chests and program-made unlike images, `count` of each."""
    rng = np.random.default_rng([seed, 1])
    chests = [as_bytes(drawn_chest(rng, SIZE)) for _ in range(count)]
    unlike = [program_made(rng, SIZE) for _ in range(count)]
    return Bank(
        (*chests, *(as_bytes(image) for _, image in unlike)), (*("chest drawn" for _ in chests), *(name for name, _ in unlike))
    )


def ct_bank(folder: Path, views: int, seed: int) -> Bank:
    """From each thorax CT: `views` frontal projections, as many lateral, oblique, axial and animal-like ones, and slices."""
    bank = Bank((), ())
    for number, name in enumerate(THORAX_CT):
        rng = np.random.default_rng([seed, 2, number])
        bank += body_bank(body_from_ct(folder / name), views, rng)
    return bank


def body_bank(body: Body, views: int, rng: np.random.Generator) -> Bank:
    """`views` frontal chests, sideways views and slices of one body."""
    makers = {"chest ct": frontal, "sideways": sideways, "slice": ct_slice}
    images = [(kind, as_bytes(make(body, rng, SIZE))) for kind, make in makers.items() for _ in range(views)]
    return Bank(tuple(image for _, image in images), tuple(kind for kind, _ in images))


def bone_bank(archive: Path, views: int, seed: int, regions: Collection[str] = tuple(REGIONS)) -> Bank:
    """`views` radiographs of every other body part in `bone_views.REGIONS`, or of those that are named."""
    skeleton = read_skeleton(archive)
    rng = np.random.default_rng([seed, 3])
    images = [(f"bone {name}", as_bytes(bone_view(skeleton, name, rng, SIZE))) for name in regions for _ in range(views)]
    return Bank(tuple(image for _, image in images), tuple(kind for kind, _ in images))


def posed_bank(views: list[Path], skeleton: Path, thorax_ct: Path, count: int, seed: int) -> Bank:
    """Frontal chests with the arms down from rendered views, and `count` posed bodies seen from elsewhere.

    Those are lateral, steeply oblique or lying, or stretched to a quadruped's deep, narrow chest and seen from the side.
    """
    rng = np.random.default_rng([seed, 4])
    bodies = load_bodies(views, SIZE)
    images = []
    for index in range(len(views)):
        for _ in range(3):
            images.append(("chest posed", develop(bodies, index, rng.uniform(-4.5, 1.5), rng, SIZE, still=True)))
    anatomies = load_anatomies(sources_in(skeleton, thorax_ct), views[0].parent.parent / "anatomies")
    for index in range(count):
        anatomy = anatomies[int(rng.integers(len(anatomies)))]
        parts = random_parts(rng, anatomy)
        kind = ("lateral", "oblique", "animal", "animal")[index % 4]
        if kind == "animal":
            stretches = np.array([rng.uniform(0.5, 0.8), rng.uniform(1.0, 1.6), rng.uniform(1.1, 1.8)])
            parts = {name: mesh.moved(mesh.vertices * stretches) for name, mesh in parts.items()}
        geometry = random_geometry(rng, parts, True, SIZE)
        if kind == "oblique":
            turn = float(rng.uniform(45, 75) * rng.choice([-1, 1]))
            geometry = replace(geometry, turn_degrees=(turn, *geometry.turn_degrees[1:]))
        else:
            side: Direction = "LEFT LATERAL" if rng.random() < 0.5 else "RIGHT LATERAL"
            geometry = replace(geometry, direction=side)
        paths = project_chest(parts, geometry).paths_mm
        body = Bodies((np.stack([paths[name] for name in PATH_NAMES]).astype(np.float16),), PATH_NAMES)
        for _ in range(2):
            images.append((f"sideways posed {kind}", develop(body, 0, rng.uniform(-4.5, 1.5), rng, SIZE, still=True)))
    return Bank(tuple(as_bytes(image) for _, image in images), tuple(kind for kind, _ in images))
