"""NRRD, NIfTI and MetaImage with a single slice → the grey array, laid out as the file's own axes say."""

from __future__ import annotations

import tempfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.radiograph.limits import MAXIMUM_BYTES, check_size, printable
from OsteoScreenLib.radiograph.picture import StoredImage
from OsteoScreenLib.radiograph.quiet import quiet
from OsteoScreenLib.radiograph.radiograph import Note, Placement
from OsteoScreenLib.radiograph.sniff import Kind
from OsteoScreenLib.radiograph.spacing import spacing_of_file

_READERS = {"nrrd": "NrrdImageIO", "nifti": "NiftiImageIO", "metaimage": "MetaImageIO"}
_TITLES = {"nrrd": "NRRD", "nifti": "NIfTI", "metaimage": "MetaImage"}
_SUFFIXES = {"nrrd": ".nrrd", "nifti": ".nii", "metaimage": ".mha"}


def read_volume(path: Path, data: bytes, kind: Kind) -> StoredImage:
    """Read a one-slice volume with SimpleITK.

    path : the file; a header whose pixels lie in a file beside it is read there. data : the file's bytes.

    Raises InputError: volume (several slices), colour-photo, too-large, too-small, truncated.
    """
    name, title = printable(path.name), _TITLES[kind]
    _check_detached(path, data, kind)
    image = _read(path, data, kind, f"{name} is a damaged {title} file; copy or export it again.")
    import SimpleITK

    array = SimpleITK.GetArrayFromImage(image)
    if image.GetNumberOfComponentsPerPixel() > 1:
        raise InputError(
            f"{name} has several values in each pixel; save the radiograph as a grey {title} image.", "colour-photo"
        )
    plane, direction = _plane(image)
    array = np.ascontiguousarray(array.reshape(image.GetSize()[plane[1]], image.GetSize()[plane[0]]))
    spacing = image.GetSpacing()
    placement = placement_of_axes(direction)
    notes: tuple[Note, ...] = ()
    if placement != Placement():
        text = "The image was laid out as the file's own axes say: the patient's left on the viewer's right."
        notes = (Note("file-orientation", "info", text),)
    limits = np.iinfo(array.dtype) if array.dtype.kind in "iu" and array.dtype.itemsize <= 2 else None
    return StoredImage(
        array=array,
        format=title,
        placement=placement,
        spacing=spacing_of_file(spacing[plane[1]], spacing[plane[0]]),
        full_range=None if limits is None else (float(limits.min), float(limits.max)),
        notes=notes,
    )


def _read(path: Path, data: bytes, kind: Kind, complaint: str) -> Any:
    import SimpleITK

    name = printable(path.name)
    display = SimpleITK.ProcessObject.GetGlobalWarningDisplay()
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        with quiet(), tempfile.TemporaryDirectory(prefix="osteoscreen-") as folder:
            reader = SimpleITK.ImageFileReader()
            reader.SetImageIO(_READERS[kind])
            reader.SetFileName(str(_readable(path, data, kind, Path(folder))))
            reader.ReadImageInformation()
            size = reader.GetSize()
            sides = sorted(size, reverse=True)
            if len(sides) < 2 or any(side > 1 for side in sides[2:]):
                shape = " × ".join(map(str, size))
                raise InputError(
                    f"{name} is a volume of {shape} pixels, not a single radiograph; save the projection as one slice.",
                    "volume",
                )
            check_size(sides[1], sides[0], name)
            return reader.Execute()
    except RuntimeError as error:
        raise InputError(complaint, "truncated") from error
    finally:
        SimpleITK.ProcessObject.SetGlobalWarningDisplay(display)


def _readable(path: Path, data: bytes, kind: Kind, folder: Path) -> Path:
    """A path that the reader accepts: the file itself where its name fits, else a copy with the right suffix."""
    fitting = {"nrrd": (".nrrd", ".nhdr"), "nifti": (".nii", ".nii.gz", ".hdr"), "metaimage": (".mha", ".mhd")}[kind]
    if path.name.lower().endswith(fitting) and (kind != "nifti" or data.startswith(b"\x1f\x8b") == path.name.endswith(".gz")):
        return path
    suffix = ".nii.gz" if data.startswith(b"\x1f\x8b") else _SUFFIXES[kind]
    copy = folder / f"image{suffix}"
    copy.write_bytes(data)
    return copy


def _check_detached(path: Path, data: bytes, kind: Kind) -> None:
    """A header may name its pixel file beside it, and nothing elsewhere; a zipped one must not inflate without end."""
    header = data[:65536].split(b"\n\n")[0] if kind == "nrrd" else data[:4096]
    for line in header.split(b"\n"):
        key, _, value = line.partition(b"=" if kind == "metaimage" else b":")
        wanted = key.strip().lower()
        target = value.strip().decode("utf-8", "replace")
        if kind == "metaimage" and wanted == b"elementdatafile" and target.upper() == "LOCAL":
            break
        if (kind == "metaimage" and wanted == b"elementdatafile") or (kind == "nrrd" and wanted in (b"data file", b"datafile")):
            target = target.lstrip("=").strip()
            if not target or "/" in target or "\\" in target or not (path.parent / target).is_file():
                raise InputError(
                    f"{printable(path.name)} keeps its pixels in another file that is not beside it; put both in one folder or save it as one file.",
                    "truncated",
                )
    if kind == "nifti" and data.startswith(b"\x1f\x8b"):
        inflater, piece, total = zlib.decompressobj(zlib.MAX_WBITS | 16), data, 0
        try:
            while piece and not inflater.eof and total <= MAXIMUM_BYTES:
                total += len(inflater.decompress(piece, 1 << 24))
                piece = inflater.unconsumed_tail
        except zlib.error as error:
            raise InputError(f"{printable(path.name)} is a damaged file; copy or export it again.", "truncated") from error
        if total > MAXIMUM_BYTES:
            raise InputError(f"{printable(path.name)} would inflate to more than 1 GiB; that is no radiograph.", "too-large")
        if not inflater.eof:
            raise InputError(f"{printable(path.name)} is truncated; copy or export it again.", "truncated")


def _plane(image: Any) -> tuple[tuple[int, int], np.ndarray]:
    """The two axes that the slice spans (column axis, row axis), and their directions as columns of (3, 2), LPS."""
    dimension, size = image.GetDimension(), image.GetSize()
    flat = [axis for axis in range(dimension) if size[axis] > 1][:2]
    plane = (flat[0], flat[1]) if len(flat) == 2 else (0, 1)
    matrix = np.array(image.GetDirection(), float).reshape(dimension, dimension)
    direction = np.zeros((3, 2))
    direction[: min(dimension, 3)] = matrix[:3, list(plane)]
    return plane, direction


def placement_of_axes(direction: np.ndarray) -> Placement:
    """What makes columns run to the patient's left and rows to the back or the feet, as every viewer shows a slice.

    direction : (3, 2) unit vectors of the column and row axis in LPS. Oblique or sagittal slices are left as they lie.
    """
    axes = np.abs(direction).argmax(axis=0)
    if np.abs(direction).max(axis=0).min() < 0.9 or 0 not in axes or axes[0] == axes[1]:
        return Placement()
    transposed = axes[0] != 0
    sideways, downwards = (1, 0) if transposed else (0, 1)
    placement = Placement(True, 1) if transposed else Placement()
    # Rows run to the back (+P) or, in a frontal slice, to the feet (-S).
    upside_down = direction[axes[downwards], downwards] * (1 if axes[downwards] == 1 else -1) < 0
    if direction[0, sideways] < 0:
        placement = placement.then(mirrored=True)
    if upside_down:
        placement = placement.then(mirrored=True, quarter_turns=2)
    return placement
