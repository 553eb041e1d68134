"""Where bodies come from: a skeleton archive and any number of thorax CT, found, read, completed and kept in a cache."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.files import write_atomically
from OsteoScreenLib.simulate.anatomy import Anatomy, scanned_anatomy, skeleton_anatomy, with_others
from OsteoScreenLib.simulate.labels import BONES, ORGANS
from OsteoScreenLib.simulate.meshes import Mesh, read_skeleton
from OsteoScreenLib.simulate.registration import carry, lungs_and_bones
from OsteoScreenLib.simulate.surfaces import trunk, vessels_of
from OsteoScreenLib.simulate.thorax_ct import Labels, Scan, ThoraxParts, mask_on_scan, parts_of, read_labels, read_scan

RECIPE = 4  # raised when surfaces come out differently, so that an older cache is not taken for this one's
_CT_ENDINGS = (".nrrd", ".nii.gz", ".nii", ".mha")


@dataclass(frozen=True)
class ThoraxSource:
    """One thorax CT. labels : label map or folder of masks, None where another CT lends its own. names : table of the labels."""

    name: str
    ct: Path
    labels: Path | None = None
    names: Path | None = None


@dataclass(frozen=True)
class Sources:
    """A skeleton archive (BodyParts3D) and thorax CT, at least one of them labelled; labelled ones come first."""

    skeleton: Path
    thoraces: tuple[ThoraxSource, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the anatomies that they give."""
        return ("skeleton", *(source.name for source in self.thoraces))

    def digests(self) -> dict[str, str]:
        """File name → SHA-256 of everything that is read."""
        files = [self.skeleton]
        for source in self.thoraces:
            for path in (source.ct, source.labels, source.names):
                if path is not None:
                    files += sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def sources_in(skeleton: Path, thorax_ct: Path) -> Sources:
    """The sources of a folder: each X_ct….nrrd (or NIfTI, or DICOM folder X_ct…) with X_labels… and X_labels.csv beside it.

    Raises `InputError` (skeleton-missing, ct-missing).
    """
    if not skeleton.is_file():
        raise InputError(
            f"There is no skeleton archive {skeleton}; give the path of bodyparts3d_stl.zip with --skeleton.",
            code="skeleton-missing",
        )
    found = []
    for path in sorted(thorax_ct.iterdir()) if thorax_ct.is_dir() else []:
        stem, middle, _ = path.name.partition("_ct")
        if not middle or not (path.is_dir() or path.name.endswith(_CT_ENDINGS)):
            continue
        labels = next((p for p in (thorax_ct / f"{stem}_labels{end}" for end in ("", *_CT_ENDINGS)) if p.exists()), None)
        tables = (thorax_ct / f"{stem}_labels{end}" for end in (".csv", ".json"))
        found.append(ThoraxSource(stem, path, labels, next((p for p in tables if p.is_file()), None)))
    found.sort(key=lambda source: (source.labels is None, source.name))
    if not found or found[0].labels is None:
        raise InputError(
            f"There is no labelled CT in {thorax_ct}; give a folder with X_ct.nrrd, X_labels.nrrd and X_labels.csv.",
            code="ct-missing",
        )
    return Sources(skeleton, tuple(found))


def load_anatomies(sources: Sources, cache: Path | None = None, leave_out: str = "", only: str = "") -> tuple[Anatomy, ...]:
    """Every source's anatomy, the skeleton first, each able to turn into the others.

    cache : folder where finished surfaces are kept; reading CT and registering them takes minutes. leave_out : a source that
    is not used. only : the one source that is used, in its own shape. What a source lent to the others stays: the girdle is the skeleton's everywhere, bones of CT without labels are bent
    from the labelled one's.

    Raises `InputError`: what `sources_in`, `parts_of` and `carry` raise, and (source-name) for an unknown name.
    """
    for name in filter(None, (leave_out, only)):
        if name not in sources.names:
            raise InputError(f"There is no source called '{name}'; there are {', '.join(sources.names)}.", code="source-name")
    path = cache / f"anatomies-{_digest(sources)}.npz" if cache is not None else None
    if path is not None and path.is_file():
        anatomies = _read(path)
    else:
        anatomies = with_others(_build(sources))
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, anatomies)
            anatomies = _read(path)  # single precision: the first call gives what later ones give
    used = [one.name != leave_out and only in ("", one.name) for one in anatomies]
    kept = []
    for number, one in enumerate(anatomies):
        among = [place for place in range(len(anatomies)) if place != number]
        others = tuple(other for place, other in zip(among, one.others, strict=True) if used[place])
        kept += [replace(one, others=others)] if used[number] else []
    return tuple(kept)


def _build(sources: Sources) -> tuple[Anatomy, ...]:
    drawn = read_skeleton(sources.skeleton)
    first = sources.thoraces[0]
    scan = read_scan(first.ct)
    assert first.labels is not None
    labels = read_labels(first.labels, first.names)
    lent = parts_of(scan, labels, first.name)
    skeleton = skeleton_anatomy(drawn, lent)
    anatomies = [skeleton, scanned_anatomy(first.name, lent, skeleton)]
    masks = (mask_on_scan(labels, scan, ORGANS["right lung"] + ORGANS["left lung"]), mask_on_scan(labels, scan, tuple(BONES)))
    for source in sources.thoraces[1:]:
        other = read_scan(source.ct)
        if source.labels is not None:
            parts = parts_of(other, read_labels(source.labels, source.names), source.name)
        else:
            parts = borrowed_parts(lent, masks, scan, other, labels)
        anatomies.append(scanned_anatomy(source.name, parts, skeleton))
    return tuple(anatomies)


def borrowed_parts(
    lent: ThoraxParts, masks: tuple[np.ndarray, np.ndarray], scan: Scan, other: Scan, labels: Labels
) -> ThoraxParts:
    """A CT without labels: bones and organs bent from the labelled one's, skin and vessels from its own voxels.

    masks : (lungs, bones) of the labelled scan on its own grid.
    """
    warp = carry(masks, scan.image, other)
    bones = {name: mesh.moved(warp(mesh.vertices)) for name, mesh in lent.bones.items()}
    organs = {name: mesh.moved(warp(mesh.vertices)) for name, mesh in lent.organs.items() if name != "vessels"}
    lungs, _ = lungs_and_bones(other)
    organs["vessels"] = vessels_of(other.dense(), lungs, other.image)
    top = bones["T2"].vertices.mean(axis=0) if "T2" in bones else bones["T3"].vertices.mean(axis=0)
    index = (top - np.array(other.image.GetOrigin())) / np.array(other.image.GetSpacing())
    return ThoraxParts(bones, organs, trunk(other.inside(), index[[1, 0]], other.image, other.clipped))


def _digest(sources: Sources) -> str:
    told = f"{RECIPE} {sources.names} {sorted(sources.digests().items())}"
    return hashlib.sha256(told.encode()).hexdigest()[:16]


_KINDS = ("bones", "cartilages", "organs")


def _write(path: Path, anatomies: tuple[Anatomy, ...]) -> None:
    arrays: dict[str, np.ndarray] = {"names": np.array([one.name for one in anatomies])}
    for number, one in enumerate(anatomies):
        held: dict[str, Mapping[str, Mesh]] = {kind: getattr(one, kind) for kind in _KINDS} | {"body": {"body": one.body}}
        for kind, meshes in held.items():
            for name, mesh in meshes.items():
                arrays[f"{number}|{kind}|{name}|vertices"] = mesh.vertices.astype(np.float32)
                arrays[f"{number}|{kind}|{name}|faces"] = mesh.faces.astype(np.int32)
        for place, other in enumerate(one.others):
            arrays |= {f"{number}|other|{place}|{name}": vertices.astype(np.float32) for name, vertices in other.items()}

    def write(temporary: Path) -> None:
        with open(temporary, "wb") as stream:
            np.savez(stream, **arrays)  # type: ignore[arg-type]

    write_atomically(path, write)


def _read(path: Path) -> tuple[Anatomy, ...]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            names = [str(name) for name in stored["names"]]
            parts: list[dict[str, dict[str, Mesh]]] = [{kind: {} for kind in (*_KINDS, "body")} for _ in names]
            others: list[dict[int, dict[str, np.ndarray]]] = [{} for _ in names]
            for key in stored.files:
                if "|other|" in key:
                    number, _, place, name = key.split("|")
                    others[int(number)].setdefault(int(place), {})[name] = stored[key].astype(np.float64)
                if not key.endswith("|vertices"):
                    continue
                number, kind, name, _ = key.split("|")
                faces = stored[f"{number}|{kind}|{name}|faces"].astype(np.int64)
                parts[int(number)][kind][name] = Mesh(stored[key].astype(np.float64), faces)
        return tuple(
            Anatomy(
                name,
                held["bones"],
                held["cartilages"],
                held["organs"],
                held["body"]["body"],
                tuple(warped[place] for place in sorted(warped)),
            )
            for name, held, warped in zip(names, parts, others, strict=True)
        )
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"The prepared anatomies {path.name} cannot be used; delete the file and run the same command again.",
            code="anatomies-unreadable",
        ) from error
