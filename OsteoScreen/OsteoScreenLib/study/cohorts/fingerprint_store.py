"""Fingerprints of images on disk, in one SQLite file: a second call reads no image again, and memory stays flat."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from types import TracebackType

import numpy as np

from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.radiograph.read import read_radiograph
from OsteoScreenLib.study.cohort import CohortRow
from OsteoScreenLib.study.cohorts.fingerprint import SMALL, Fingerprint, fingerprint_of

_VERSION = 1  # of what a fingerprint is; a store of another version is begun anew
_EVERY = 64  # images between two commits
_AT_HAND = 1024  # small pictures that are kept in memory
_TABLES = """
CREATE TABLE IF NOT EXISTS images (
    path TEXT, size INTEGER, changed INTEGER, digest TEXT, hashes BLOB, small BLOB, facts TEXT, PRIMARY KEY (path, size, changed)
);
CREATE INDEX IF NOT EXISTS by_digest ON images (digest);
"""


class FingerprintStore:
    """A context manager. Raises `OsteoScreenError` in one sentence when the file cannot be written or is damaged."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection
        self.small = lru_cache(_AT_HAND)(self._small)

    def __enter__(self) -> FingerprintStore:
        try:
            self._connection = sqlite3.connect(self._path)
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
            if version != _VERSION:
                self._connection.execute("DROP TABLE IF EXISTS images")
                self._connection.execute(f"PRAGMA user_version = {_VERSION}")
            self._connection.executescript(_TABLES)
        except sqlite3.Error as error:
            raise self._fault(error) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self._commit()
        except OsteoScreenError:
            if error is None:
                raise
        finally:
            self._connection.close()

    def take_in(
        self, rows: Sequence[CohortRow], progress: Callable[[int, int], None] | None = None
    ) -> tuple[dict[int, Fingerprint], dict[int, InputError]]:
        """The fingerprints of the rows' images, and why an image cannot be read, each by row number.

        The small pictures are left in the file (`small` is empty); ask `small` for one by its digest. progress : called with
        (done, all).
        """
        found: dict[int, Fingerprint] = {}
        refused: dict[int, InputError] = {}
        for done, row in enumerate(rows):
            if progress is not None:
                progress(done, len(rows))
            try:
                found[row.number] = self._fingerprint(row.image)
            except InputError as error:
                refused[row.number] = error
            if done % _EVERY == _EVERY - 1:
                self._commit()
        if progress is not None:
            progress(len(rows), len(rows))
        return found, refused

    def _commit(self) -> None:
        try:
            self._connection.commit()
        except sqlite3.Error as error:
            raise self._fault(error) from error

    def _small(self, digest: str) -> np.ndarray:
        """The small picture of the image with that digest, float32 (96, 96) in [0, 1]."""
        (small,) = self._connection.execute("SELECT small FROM images WHERE digest = ?", (digest,)).fetchone()
        return np.frombuffer(small, np.uint8).reshape(SMALL, SMALL).astype(np.float32) / 255

    def _fingerprint(self, image: Path) -> Fingerprint:
        try:
            status = image.stat()
        except (OSError, ValueError):
            read_radiograph(image)  # says why in its own words
            raise
        key = (str(image.resolve()), status.st_size, status.st_mtime_ns)
        question = "SELECT digest, hashes, facts FROM images WHERE path = ? AND size = ? AND changed = ?"
        try:
            held = self._connection.execute(question, key).fetchone()
            if held is None:
                new = fingerprint_of(read_radiograph(image))
                facts = json.dumps({"shape": new.shape, "sex": new.sex, "age": new.age, "view": new.view, "site": new.site})
                held = (new.digest, new.hashes.astype("<u8").tobytes(), facts)
                self._connection.execute(
                    "INSERT INTO images VALUES (?, ?, ?, ?, ?, ?, ?)", (*key, held[0], held[1], new.small.tobytes(), facts)
                )
        except sqlite3.Error as error:
            raise self._fault(error) from error
        hashes = np.frombuffer(held[1], "<u8").astype(np.uint64)
        facts = json.loads(held[2])
        return Fingerprint(held[0], hashes, np.empty((0, 0), np.uint8), **{**facts, "shape": tuple(facts["shape"])})

    def _fault(self, error: sqlite3.Error) -> OsteoScreenError:
        return OsteoScreenError(
            f"{self._path.name} in {self._path.parent} could not be used ({error}); free some space, or delete the file to begin anew."
        )
