"""Radiographs decoded once: each at the size of the network's input, in one file that is mapped into memory.

A slot is found by the SHA-256 of the radiograph's file, so that a cohort that grows, or another run, decodes only what is new. Grey
values are kept in 16 bits, before normalisation, so that one cache serves every backbone of that input size.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from OsteoScreenLib.classifier.preprocess import PreprocessSpec, prepare
from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.files import sha256_of_file, write_text
from OsteoScreenLib.radiograph.read import read_radiograph
from OsteoScreenLib.study.cohort import CohortRow
from OsteoScreenLib.study.training.options import Progress

_VERSION = 1  # of what is kept: another way to read or to resize needs another number
_INDEX_EVERY = 200  # images after which the index is written, so that a killed run decodes few again
_WHITE = 65535


class CachedImages:
    """Images of a cohort, in the order of its rows. digests : SHA-256 of their files. spec : one grey channel, not normalised."""

    def __init__(self, path: Path, spec: PreprocessSpec, slots: np.ndarray, digests: Sequence[str]) -> None:
        self.spec = spec
        self.digests = tuple(digests)
        self._slots = slots
        count = path.stat().st_size // (2 * spec.rows * spec.columns)
        self._pixels = np.memmap(path, np.uint16, "r", shape=(count, spec.rows, spec.columns))

    def __len__(self) -> int:
        return len(self._slots)

    def read(self, places: np.ndarray) -> np.ndarray:
        """Grey values of some rows, uint16 (n, rows, columns); 0 is black, 65535 white."""
        return np.take(self._pixels, self._slots[places], axis=0)


def grey(spec: PreprocessSpec) -> PreprocessSpec:
    """The same geometry with one channel and values in [0, 1]."""
    return replace(spec, channels=1, mean=(0.0,), std=(1.0,))


def fill_cache(
    folder: Path, rows: Sequence[CohortRow], spec: PreprocessSpec, workers: int = 0, progress: Progress | None = None
) -> CachedImages:
    """Decode the rows' radiographs that the cache does not hold, and open it.

    folder : of the cache; each geometry has a folder of its own in it. workers : processes that decode; 0 decodes in this one.

    Raises
    ------
    InputError
        unreadable-images: one sentence that begins with the first row whose image cannot be read, and counts the others.
    OsteoScreenError
        The disk is full or may not be written.
    """
    plain = grey(spec)
    place = folder / f"{plain.rows}x{plain.columns}-{plain.fit}-{plain.interpolation}-{plain.pad:g}"
    try:
        place.mkdir(parents=True, exist_ok=True)
        with FileLock(place / "lock"):
            return _filled(place, rows, plain, workers, progress or (lambda *_: None))
    except OSError as error:
        raise OsteoScreenError(
            f"Could not keep the resized images in {place}: {error.strerror or error}; free some space or choose another folder "
            "with --cache."
        ) from error


def _filled(place: Path, rows: Sequence[CohortRow], spec: PreprocessSpec, workers: int, tell: Progress) -> CachedImages:
    path, index = place / "images.u16", _Index.read(place / "index.json", spec)
    digests: list[str] = []
    unreadable: dict[int, str] = {}
    for number, row in enumerate(rows):
        try:
            digests.append(index.digest(row.image))
        except OSError as error:
            digests.append("")
            unreadable[number] = _unreadable(row, error)
        tell("Checking files", number + 1, len(rows), "")
    waiting = {digest: number for number, digest in reversed(list(enumerate(digests))) if digest and digest not in index.slots}
    order = sorted(waiting.values())
    size = 2 * spec.rows * spec.columns
    kept = len(index.slots)
    with open(path, "r+b" if path.is_file() else "w+b") as stream:
        for done, (number, decoded) in enumerate(_decoded([rows[n] for n in order], spec, workers), start=1):
            if isinstance(decoded, str):
                unreadable[order[number]] = decoded
            else:
                stream.seek(kept * size)
                stream.write(decoded.tobytes())
                index.slots[digests[order[number]]] = kept
                kept += 1
                if done % _INDEX_EVERY == 0:
                    _flush(stream)
                    index.write()
            tell("Decoding radiographs", done, len(order), "")
        _flush(stream)
    index.write()
    if unreadable:
        first = min(unreadable)
        others = [str(rows[number].number) for number in sorted(unreadable) if number != first]
        listed = ", ".join(others[:10]) + (f" and {len(others) - 10} more" if len(others) > 10 else "")
        more = f" Rows {listed} cannot be read either." if others else ""
        raise InputError(unreadable[first] + more, code="unreadable-images")
    return CachedImages(path, spec, np.array([index.slots[digest] for digest in digests], int), digests)


class _Index:
    """What the cache holds. slots : SHA-256 of a file → its place. Files that did not change are not hashed again."""

    def __init__(self, path: Path, spec: dict[str, Any], slots: dict[str, int], files: dict[str, list[Any]]) -> None:
        self._path, self._spec, self.slots, self._files = path, spec, slots, files

    @classmethod
    def read(cls, path: Path, spec: PreprocessSpec) -> _Index:
        """The index on disk; an empty one where there is none, or one that is damaged or of another version."""
        told = {"version": _VERSION, **spec.to_manifest()}
        try:
            held = json.loads(path.read_text(encoding="utf-8"))
            slots = {str(digest): int(slot) for digest, slot in held["slots"].items()}
            size = (path.parent / "images.u16").stat().st_size
            whole = len(set(slots.values())) == len(slots) and size >= 2 * spec.rows * spec.columns * len(slots)
            if held["spec"] == told and whole and max(slots.values(), default=-1) == len(slots) - 1:
                return cls(path, told, slots, dict(held["files"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            pass
        return cls(path, told, {}, {})

    def digest(self, image: Path) -> str:
        """SHA-256 of a file, remembered by its size and time of change."""
        status = os.stat(image)
        known = self._files.get(str(image))
        if known is not None and known[:2] == [status.st_size, status.st_mtime_ns]:
            return str(known[2])
        digest = sha256_of_file(image)
        self._files[str(image)] = [status.st_size, status.st_mtime_ns, digest]
        return digest

    def write(self) -> None:
        write_text(self._path, json.dumps({"spec": self._spec, "slots": self.slots, "files": self._files}))


def _decoded(rows: Sequence[CohortRow], spec: PreprocessSpec, workers: int) -> Iterator[tuple[int, np.ndarray | str]]:
    """(place, grey values uint16) of each row in turn, or the sentence that says why it cannot be read."""
    from torch.utils.data import DataLoader

    loader: Any = DataLoader(
        _Decoding(rows, spec),  # type: ignore[arg-type]
        batch_size=None,
        num_workers=min(workers, len(rows)),
        collate_fn=_as_it_is,
    )
    yield from enumerate(loader)


def _as_it_is(value: Any) -> Any:
    return value


class _Decoding:
    """A row's place → its grey values at the network's size, or a sentence."""

    def __init__(self, rows: Sequence[CohortRow], spec: PreprocessSpec) -> None:
        self._rows, self._spec = rows, spec

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, place: int) -> np.ndarray | str:
        row = self._rows[place]
        try:
            pixels = read_radiograph(row.image).pixels
        except InputError as error:
            return _unreadable(row, error)
        values = prepare(pixels[None], self._spec)[0, 0].numpy()
        return np.round(values * _WHITE).astype(np.uint16)


def _unreadable(row: CohortRow, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f"Row {row.number}, column image: there is no file {row.image.name}; check the name."
    if isinstance(error, OSError):
        return f"Row {row.number}, column image: {row.image.name} cannot be read ({error.strerror or error}); copy it again."
    return f"Row {row.number}, column image: {error}"


def _flush(stream: Any) -> None:
    stream.flush()
    try:
        os.fsync(stream.fileno())
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # file systems that cannot
            raise
