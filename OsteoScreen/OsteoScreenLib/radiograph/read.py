"""One way in for every radiograph: a file, a DICOM data set in memory, or an array.

Tags only: which way up the image lies and which end is white is checked against the pixels later, by the gate.
"""

from __future__ import annotations

import hashlib
import math
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.radiograph.grey import Function, GreyImage, Levels, exact_window, stretch
from OsteoScreenLib.radiograph.limits import MAXIMUM_BYTES, check_content, check_size, printable
from OsteoScreenLib.radiograph.picture import StoredImage, read_picture
from OsteoScreenLib.radiograph.quality import picture_notes
from OsteoScreenLib.radiograph.radiograph import Note, Radiograph, Source, SpacingSource
from OsteoScreenLib.radiograph.region import plain_borders
from OsteoScreenLib.radiograph.sniff import kind_of
from OsteoScreenLib.radiograph.spacing import spacing_of_file

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_FLIPS = (None, "horizontal", "vertical")
# A type's own range is taken where the picture uses at least this share of it.
_WELL_USED = 0.5


def read_radiograph(
    path: str | Path, *, rotate: int | None = None, flip: str | None = None, invert: bool | None = None
) -> Radiograph:
    """Read a DICOM, PNG, JPEG, TIFF, NRRD, NIfTI or MetaImage file, recognised by its content.

    Parameters
    ----------
    path : the file.
    rotate : quarter turns to make, in degrees counter-clockwise (0, 90, 180, 270), after flipping.
    flip : "horizontal" (left-right) or "vertical" (top-bottom).
    invert : True inverts the grey values against what the header says, False confirms the header.

    Returns
    -------
    Radiograph
        float32 pixels in [0, 1]: the output range of the header's VOI table or window; without one, the range of the
        file's pixel type where the picture uses at least half of it, else the 0.5 % and 99.5 % quantiles (always the
        quantiles in DICOM). The header's polarity is applied once; the header's orientation is noted, not applied.

    Raises
    ------
    InputError
        One sentence, and a stable `code`, for anything that is not one readable radiograph.
    """
    _check_overrides(rotate, flip, invert)
    path = Path(path)
    data = bytes_of(path)
    kind, name = kind_of(data), printable(path.name)
    try:
        if kind == "dicom":
            from OsteoScreenLib.radiograph.dicom import parse_dicom, radiograph_from_dataset

            dataset = parse_dicom(data, name)
            digest = hashlib.sha256(data).hexdigest()
            radiograph = radiograph_from_dataset(dataset, name=name, path=str(path), sha256=digest, invert=bool(invert))
        elif kind == "picture":
            radiograph = _from_stored(read_picture(data, name), path, data, bool(invert))
        elif kind in ("nrrd", "nifti", "metaimage"):
            from OsteoScreenLib.radiograph.volume import read_volume

            radiograph = _from_stored(read_volume(path, data, kind), path, data, bool(invert))
        else:
            described = {"pdf": "a PDF document", "archive": "a packed archive"}.get(kind, "no image that OsteoScreen knows")
            raise InputError(
                f"{name} is {described}; give it a DICOM, PNG, JPEG, TIFF, NRRD, NIfTI or MetaImage file.", "not-an-image"
            )
    except MemoryError as error:
        raise InputError(f"{name} needs more memory than there is; make the image smaller first.", "too-large") from error
    return _placed_by_hand(radiograph, rotate, flip, invert)


def read_dataset(
    dataset: Dataset,
    *,
    rotate: int | None = None,
    flip: str | None = None,
    invert: bool | None = None,
    name: str = "The data set",
) -> Radiograph:
    """The same for a DICOM data set in memory. `name` stands for the file's name in messages."""
    from OsteoScreenLib.radiograph.dicom import radiograph_from_dataset

    _check_overrides(rotate, flip, invert)
    return _placed_by_hand(radiograph_from_dataset(dataset, name=name, invert=bool(invert)), rotate, flip, invert)


def radiograph_from_volume(
    array: np.ndarray,
    spacing_mm: tuple[float, float] | None,
    header_path: str,
    *,
    name: str,
    rotate: int | None = None,
    flip: str | None = None,
    invert: bool | None = None,
) -> Radiograph:
    """The slice of a volume that an application has loaded, with the header of the DICOM file it came from.

    An untouched volume gives exactly what `read_radiograph` gives for its file; `from_volume` says what is done with others,
    and marks them with a note "volume-differs" or "volume-turned".

    Parameters
    ----------
    array : real numbers (rows, columns), or with further axes of length 1, laid out as the scene shows them.
    spacing_mm : (row, column) of the volume, None when unknown.
    header_path : the DICOM file, "" when it is gone; then a note "no-header" says what is unknown.
    name : the volume's, for messages.
    rotate, flip, invert : as in `read_radiograph`.

    Raises
    ------
    InputError
        For pixels that are no radiograph's, and for headers that say that the image is none.
    """
    from OsteoScreenLib.radiograph.from_volume import radiograph_of_volume

    _check_overrides(rotate, flip, invert)
    try:
        radiograph = radiograph_of_volume(array, spacing_mm, header_path, name=printable(name), invert=bool(invert))
    except MemoryError as error:
        raise InputError(f"{printable(name)} needs more memory than there is; make it smaller first.", "too-large") from error
    return _placed_by_hand(radiograph, rotate, flip, invert)


def radiograph_from_array(
    array: np.ndarray,
    spacing_mm: tuple[float, float] | None = None,
    *,
    spacing_source: SpacingSource = "file header",
    window: tuple[float, float] | None = None,
    white_is_zero: bool = False,
    view: str = "",
    site: str = "",
    source: Source | None = None,
    rotate: int | None = None,
    flip: str | None = None,
    invert: bool | None = None,
    name: str = "The image",
) -> Radiograph:
    """An array with its geometry, as a loaded volume gives them, → Radiograph.

    Parameters
    ----------
    array : real numbers (rows, columns), or with further axes of length 1.
    spacing_mm : (row, column) in millimetres, None when unknown.
    window : (centre, width) of the grey values to show; without it, as `read_radiograph` does for pictures. Floating-point
        values that fill [0, 1] well are taken as they are.
    white_is_zero : the array's low values are bright on the film (MONOCHROME1).
    source, view, site : what is known about it from elsewhere.
    """
    _check_overrides(rotate, flip, invert)
    array = plane_of(array, name)
    limits = np.iinfo(array.dtype) if array.dtype.kind in "iu" and array.dtype.itemsize <= 2 else None
    stored = StoredImage(
        array=array,
        format="array",
        spacing=spacing_of_file(*(spacing_mm or (math.nan, math.nan)), source=spacing_source),
        full_range=None if limits is None else (float(limits.min), float(limits.max)),
        inverted=white_is_zero,
    )
    radiograph = _displayed(stored, name, bool(invert), window, view, site, source or Source(format="array"), source is None)
    return _placed_by_hand(radiograph, rotate, flip, invert)


def plane_of(array: np.ndarray, name: str) -> np.ndarray:
    """An array as a volume gives it → its one plane (rows, columns) of real numbers.

    Raises InputError: unsupported-pixels, volume (more than one plane), too-large, too-small.
    """
    array = np.asarray(array)
    if array.dtype.kind not in "uifb":
        raise InputError(f"{name} does not hold real numbers ({array.dtype}).", "unsupported-pixels")
    sides = [side for side in array.shape if side != 1]
    if len(sides) > 2:
        raise InputError(f"{name} is a volume of {array.shape}, not a single radiograph; choose one slice.", "volume")
    array = array.reshape(sides if len(sides) == 2 else (1, *sides) if sides else (1, 1))
    check_size(array.shape[0], array.shape[1], name)
    return array.astype(np.uint8) if array.dtype.kind == "b" else array


def bytes_of(path: Path) -> bytes:
    """The file's bytes, with a sentence for whatever keeps them from being read."""
    name = printable(path.name or str(path))
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise InputError(f"{name} is a folder; name the image files in it.", "directory")
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{name} is not a regular file.", "not-a-file")
        if status.st_size == 0:
            raise InputError(f"{name} is empty; copy or export it again.", "empty-file")
        if status.st_size > MAXIMUM_BYTES:
            raise InputError(f"{name} is larger than 1 GiB; that is no radiograph.", "too-large")
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"There is no file {printable(str(path))}; check the name.", "missing-file") from None
    except PermissionError:
        raise InputError(
            f"{name} may not be read by this user; change its permissions or copy it.", "unreadable-file"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{name} cannot be read: {reason}.", "unreadable-file") from None


def _from_stored(stored: StoredImage, path: Path, data: bytes, invert: bool) -> Radiograph:
    source = Source(path=str(path), sha256=hashlib.sha256(data).hexdigest(), format=stored.format)
    return _displayed(stored, printable(path.name), invert, None, "", "", source, True)


def _displayed(
    stored: StoredImage,
    name: str,
    invert: bool,
    window: tuple[float, float] | None,
    view: str,
    site: str,
    source: Source,
    without_header: bool,
) -> Radiograph:
    """Stored grey values → [0, 1], then turned as the file says."""
    check_content(stored.array, name)
    image = GreyImage.from_array(stored.array)
    levels = (
        image.levels(plain_borders(stored.array), stored.ignored)
        if stored.ignored is None
        else image.levels(excluded=stored.ignored)
    )
    if levels.values.size < 2:
        levels = image.levels(plain_borders(stored.array), stored.ignored)
    if levels.values.size < 2:
        levels = image.levels()
    display, display_notes = _display(levels, stored, window)
    inverted = stored.inverted != invert
    pixels = image.render(display, inverted)
    if stored.ignored is not None:
        pixels[stored.ignored] = 0
    shape = (stored.array.shape[0], stored.array.shape[1])
    bits = 8 * stored.array.dtype.itemsize
    notes = [*stored.notes, *display_notes, *stored.spacing.notes, *picture_notes(shape, bits, levels, display, inverted)]
    if stored.lossy:
        notes.append(Note("lossy", "info", "The image went through lossy compression."))
    if without_header:
        text = "No DICOM information: view, body part, patient and polarity are unknown."
        notes.insert(0, Note("no-dicom", "info", text))
    radiograph = Radiograph(
        pixels=pixels,
        spacing_mm=stored.spacing.mm,
        spacing_source=stored.spacing.source,
        view=view,
        site=site,
        source=Source(**{**vars(source), "stored_shape": shape}),
        notes=tuple(notes),
    )
    placement = stored.placement
    if placement.mirrored or placement.quarter_turns:
        radiograph = radiograph.turned(placement.mirrored, placement.quarter_turns)
    return radiograph


def _display(levels: Levels, stored: StoredImage, window: tuple[float, float] | None) -> tuple[Function, Iterable[Note]]:
    """The given window, else the type's range where it is well used, else the image's quantiles."""
    if window is not None and math.isfinite(window[0]) and math.isfinite(window[1]) and window[1] > 0:
        return exact_window(*window), ()
    low, high = levels.span()
    full = stored.full_range
    if full is None and levels.values[0] >= 0 and levels.values[-1] <= 1:
        full = (0.0, 1.0)
    if full is not None and high - low >= _WELL_USED * (full[1] - full[0]):
        return stretch(*full), ()
    text = (
        "The picture uses a small part of its range, so its own percentiles (0.5 % and 99.5 %) were taken as black and white."
    )
    return stretch(low, high), (Note("stretched", "info", text),)


def _check_overrides(rotate: int | None, flip: str | None, invert: bool | None) -> None:
    if rotate is not None and (isinstance(rotate, bool) or rotate not in (0, 90, 180, 270)):
        raise InputError(f"An image can be rotated by 0, 90, 180 or 270 degrees, not by {rotate}.", "bad-rotation")
    if flip not in _FLIPS:
        raise InputError(f"An image can be flipped 'horizontal' or 'vertical', not '{flip}'.", "bad-flip")
    if invert not in (None, True, False):
        raise InputError(f"invert is True or False, not {invert!r}.", "bad-inversion")


def _placed_by_hand(radiograph: Radiograph, rotate: int | None, flip: str | None, invert: bool | None) -> Radiograph:
    """The reader's own flip and turn, recorded in placement and in a note. The polarity was taken into the grey values before."""
    if rotate is None and flip is None and invert is None:
        return radiograph
    mirrored, turns = flip is not None, ((rotate or 0) // 90 + (2 if flip == "vertical" else 0)) % 4
    if mirrored or turns:
        radiograph = radiograph.turned(mirrored, turns)
    if invert:
        placement = radiograph.placement.then(inverted=True)
        radiograph = Radiograph(**{**vars(radiograph), "placement": placement})
    done = [f"flipped {'left to right' if flip == 'horizontal' else 'top to bottom'}"] if flip else []
    done += [f"rotated by {rotate}° counter-clockwise"] if rotate else []
    done += ["inverted"] if invert else []
    kept = [word for word, chosen in (("orientation", rotate == 0 and not flip), ("polarity", invert is False)) if chosen]
    sentences = [f"{' and '.join(done).capitalize()} by hand."] if done else []
    sentences += [f"{' and '.join(kept).capitalize()} of the file confirmed by hand."] if kept else []
    return radiograph.with_notes(Note("placed-by-hand", "info", " ".join(sentences)))
