"""The radiographs that a study is made of, before they get pseudonyms: from folders, tables, DICOMDIRs, files, or a scene."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.radiograph import header
from OsteoScreenLib.radiograph.kinds import check_kind
from OsteoScreenLib.radiograph.limits import printable
from OsteoScreenLib.radiograph.quiet import quiet
from OsteoScreenLib.radiograph.read import bytes_of
from OsteoScreenLib.radiograph.sniff import kind_of
from OsteoScreenLib.radiograph.view import known_view, view_of_header
from OsteoScreenLib.review.source_lists import CaseSource, sources_of_dicomdir, sources_of_table

__all__ = ["CaseSource", "Progress", "Sources", "read_sources", "sources_of_pairs"]

Progress = Callable[[int, int], None]
"""Told how many of how many are done."""
_IMAGES = {"dicom", "picture", "nrrd", "nifti", "metaimage"}
_DIRECTORY = "DICOMDIR"
_HEAD = 65536  # bytes that tell what a file is


@dataclass(frozen=True)
class Sources:
    """cases : what can be read. left_out : for each file that was asked for and cannot be, one sentence that says why."""

    cases: tuple[CaseSource, ...]
    left_out: tuple[str, ...] = ()


def read_sources(paths: Sequence[Path], columns: Mapping[str, str] | None = None, progress: Progress | None = None) -> Sources:
    """The radiographs of folders (with their subfolders), CSV tables, DICOMDIRs and single files, each once.

    Files are recognised by content, as `read_radiograph` does; in a folder, files that are no images at all are passed over in
    silence. Headers are looked at (kind of object, patient, view), pixels are not. columns : see `sources_of_table`.

    Raises `InputError` for a path that is not there, a table that is wrong, and when nothing is left to read (no-images).
    """
    named: dict[Path, CaseSource] = {}
    for path in paths:
        for source in _listed(Path(os.path.abspath(path)), columns):
            named.setdefault(source.path, source)
    return _examined(tuple(named.values()), (), progress)


def sources_of_pairs(pairs: Iterable[tuple[str, str]], progress: Progress | None = None) -> Sources:
    """The radiographs of volumes in a scene. pairs : (name of the volume, path of the file it was read from, "" when none)."""
    found, without = [], []
    for name, path in pairs:
        if path:
            found.append(CaseSource(Path(os.path.abspath(path))))
        else:
            without.append(f"The volume {printable(name)} was read from no file; save it and load it again.")
    return _examined(tuple(dict.fromkeys(found)), tuple(without), progress)


def _listed(path: Path, columns: Mapping[str, str] | None) -> Iterable[CaseSource]:
    if path.is_dir():
        return [CaseSource(file) for file in _files(path)]
    if path.suffix.lower() == ".csv":
        return sources_of_table(path, columns)
    if path.name.upper() == _DIRECTORY:
        return sources_of_dicomdir(path)
    if not path.exists():
        raise InputError(f"There is no file or folder {printable(str(path))}; check the name.", code="missing-file")
    return [CaseSource(path)]


def _files(folder: Path) -> Iterator[Path]:
    """The images below a folder, in the order of their names; hidden files and tables of contents are none."""
    for top, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(top, name)
            if not name.startswith(".") and name.upper() != _DIRECTORY and _is_image(path):
                yield path


def _is_image(path: Path) -> bool:
    try:
        with open(path, "rb") as stream:
            return kind_of(stream.read(_HEAD)) in _IMAGES
    except OSError:
        return True  # what cannot be opened is named later, not passed over


def _examined(sources: Sequence[CaseSource], left_out: tuple[str, ...], progress: Progress | None) -> Sources:
    cases: dict[str, CaseSource] = {}
    sentences = list(left_out)
    for done, source in enumerate(sources, 1):
        try:
            whole = _with_facts(source)
        except InputError as error:
            sentences.append(str(error))
        else:
            first = cases.setdefault(whole.sha256, whole)
            if first is not whole:
                sentences.append(f"{printable(source.path.name)} is a copy of {printable(first.path.name)}; it is read once.")
        if progress:
            progress(done, len(sources))
    if not cases:
        reason = f"; the first reason is: {sentences[0]}" if sentences else "; name radiographs, their folder or a table."
        raise InputError(f"There are no radiographs to read{reason}", code="no-images")
    return Sources(tuple(cases.values()), tuple(sentences))


def _with_facts(source: CaseSource) -> CaseSource:
    """With the hash of the file and, of a DICOM file, patient and view. Raises `InputError` when it is no radiograph."""
    data = bytes_of(source.path)
    name, kind = printable(source.path.name), kind_of(data)
    if kind not in _IMAGES:
        raise InputError(f"{name} is no image that OsteoScreen knows; leave it out.", code="not-an-image")
    source = replace(source, sha256=hashlib.sha256(data).hexdigest())
    if kind != "dicom":
        return source
    from pydicom.config import disable_value_validation

    from OsteoScreenLib.radiograph.dicom import parse_dicom

    dataset = parse_dicom(data, name)
    with quiet(), disable_value_validation():
        check_kind(dataset, name)
        if "PixelData" not in dataset:
            raise InputError(f"{name} is a DICOM file without an image in it; choose the radiograph itself.", code="no-pixels")
        patient = header.text(dataset, "PatientID") or header.text(dataset, "PatientName")
        return replace(source, patient=source.patient or patient, view=source.view or known_view(view_of_header(dataset)))
