"""Closed surfaces of bones and organs, in millimetres of patient space (LPS: x to the left, y to the back, z to the head)."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from OsteoScreenLib.errors import InputError

_ORDINAL_RIB = re.compile(r"Rib_(\d+)(?:st|nd|rd|th)")
_ORDINAL_CARTILAGE = re.compile(r"Costal_cart_of_(\d+)(?:st|nd|rd|th)_rib")
_VERTEBRA = re.compile(r"(?:Cervical|Thoracic|Lumbar)_vertebrae_([CTL]\d+)|Atlas_(C1)|Axis_(C2)")
_PLAIN_NAMES = {
    "Body_of_sternum": "sternum body",
    "Manubrium_of_sternum": "manubrium",
    "Mandible_bone": "mandible",
    "Maxilla_bone": "maxilla",
}


@dataclass(frozen=True)
class Mesh:
    """A closed triangle surface.

    vertices : float64 (n, 3), LPS millimetres. faces : int64 (m, 3), counter-clockwise seen from outside.
    """

    vertices: np.ndarray
    faces: np.ndarray

    @property
    def volume_mm3(self) -> float:
        """Enclosed volume by the divergence theorem; positive when the faces are turned outwards."""
        a, b, c = (self.vertices[self.faces[:, i]] for i in range(3))
        return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)

    def moved(self, vertices: np.ndarray) -> Mesh:
        """The same surface with its vertices elsewhere."""
        return replace(self, vertices=vertices)

    def mirrored(self) -> Mesh:
        """The other side's bone: x mirrored, faces turned so that they still look outwards."""
        return Mesh(self.vertices * np.array([-1.0, 1.0, 1.0]), self.faces[:, ::-1])

    def normals(self) -> np.ndarray:
        """Outward unit normals at the vertices, weighted by face area, float64 (n, 3)."""
        a, b, c = (self.vertices[self.faces[:, i]] for i in range(3))
        facing = np.cross(b - a, c - a)
        total = np.zeros_like(self.vertices)
        for corner in range(3):
            for axis in range(3):
                total[:, axis] += np.bincount(self.faces[:, corner], facing[:, axis], len(total))
        return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)

    def inset(self, depth_mm: float) -> Mesh:
        """The surface drawn inwards by `depth_mm`: the inner face of a cortex of that thickness.

        Where the bone is thinner than two cortices the inner surface turns inside out; the projector counts that as no core.
        """
        return self.moved(self.vertices - depth_mm * self.normals())


def joined(meshes: Iterable[Mesh]) -> Mesh:
    """Several disjoint closed surfaces as one."""
    parts = list(meshes)
    starts = np.cumsum([0, *(len(part.vertices) for part in parts[:-1])])
    return Mesh(
        np.concatenate([part.vertices for part in parts]),
        np.concatenate([part.faces + start for part, start in zip(parts, starts, strict=True)]),
    )


def read_skeleton(archive: Path) -> dict[str, Mesh]:
    """Every bone of a BodyParts3D STL archive (metres, y up, z to the front; right side and midline), both sides.

    Names follow the vocabulary where it has the bone ("T7", "right rib 5", "left clavicle", "sternum"); others are in the
    same manner ("right costal cartilage 3", "left femur", "mandible", "right upper canine"). Raises `InputError`.
    """
    import trimesh

    if not archive.is_file():
        raise InputError(
            f"There is no skeleton archive {archive}; give the path of bodyparts3d_stl.zip with --skeleton.",
            code="skeleton-missing",
        )
    bones: dict[str, Mesh] = {}
    try:
        with zipfile.ZipFile(archive) as archived:
            for entry in sorted(archived.namelist()):
                if not entry.lower().endswith(".stl"):
                    continue
                loaded = trimesh.load_mesh(io.BytesIO(archived.read(entry)), file_type="stl")
                if not loaded.is_watertight:
                    raise InputError(
                        f"The mesh {Path(entry).name} in {archive.name} has holes, so no path lengths can be had from it; repair it.",
                        code="open-mesh",
                    )
                metres = np.asarray(loaded.vertices)
                mesh = Mesh(np.stack([metres[:, 0], -metres[:, 2], metres[:, 1]], axis=1) * 1000, np.asarray(loaded.faces))
                # Relabelling (x, y, z) → (x, −z, y) is a rotation, so the faces keep looking outwards.
                name, sided = _name_of(Path(entry).name)
                if sided:
                    bones[f"right {name}"], bones[f"left {name}"] = mesh, mesh.mirrored()
                else:
                    bones[name] = mesh
    except (zipfile.BadZipFile, ValueError) as error:
        raise InputError(
            f"{archive.name} could not be read as an archive of STL meshes; get it again.", code="skeleton-unreadable"
        ) from error
    if "manubrium" in bones and "sternum body" in bones:
        bones["sternum"] = joined([bones.pop("manubrium"), bones.pop("sternum body")])
    return bones


def _name_of(file: str) -> tuple[str, bool]:
    """A file's bone in the vocabulary's words, and whether it stands for a pair."""
    stem = file.rsplit(".", 1)[0]
    sided = stem.endswith(".r")
    stem = stem.removesuffix(".r")
    if found := _VERTEBRA.fullmatch(stem):
        return next(level for level in found.groups() if level), False
    if found := _ORDINAL_RIB.fullmatch(stem):
        return f"rib {int(found[1])}", sided
    if found := _ORDINAL_CARTILAGE.fullmatch(stem):
        return f"costal cartilage {int(found[1])}", sided
    return _PLAIN_NAMES.get(stem, stem.replace("_", " ").lower()), sided


def ellipsoid(centre: np.ndarray, radii: tuple[float, float, float], subdivisions: int = 3) -> Mesh:
    """A closed ellipsoid with axes along LPS, millimetres."""
    import trimesh

    ball = trimesh.creation.icosphere(subdivisions=subdivisions)
    return Mesh(np.asarray(ball.vertices) * np.asarray(radii) + np.asarray(centre), np.asarray(ball.faces))


def tapered_tube(start: np.ndarray, end: np.ndarray, start_radius: float, end_radius: float, sections: int = 32) -> Mesh:
    """A closed tube from `start` to `end` with domed caps beyond them, millimetres: an arm, a neck."""
    axis = np.asarray(end, float) - np.asarray(start, float)
    length = float(np.linalg.norm(axis))
    ball = ellipsoid(np.zeros(3), (1.0, 1.0, 1.0), 3)
    along = axis / length
    helper = np.eye(3)[int(np.argmin(np.abs(along)))]
    first = np.cross(along, helper)
    first /= np.linalg.norm(first)
    frame = np.stack([first, np.cross(along, first), along])
    height = ball.vertices[:, 2]
    share = np.clip((height + 0.5) / 1.0, 0, 1)
    radius = start_radius + (end_radius - start_radius) * share
    local = ball.vertices * radius[:, None]
    ring = np.hypot(local[:, 0], local[:, 1])
    # Between the caps the ball's belly is stretched to the tube's length at full width.
    belly = np.abs(height) < 0.5
    grow = np.where(belly, radius / np.maximum(ring, 1e-9), 1.0)
    edge = np.sqrt(1 - 0.25)
    local[:, :2] *= np.where(belly, grow, 1 / edge)[:, None]
    local[:, 2] = np.where(
        belly, share * length, np.where(height > 0, length + (height - 0.5) * end_radius, (height + 0.5) * start_radius)
    )
    return Mesh(local @ frame + np.asarray(start), ball.faces)
