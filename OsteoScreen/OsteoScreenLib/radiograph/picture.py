"""PNG, JPEG, TIFF and other pictures → the grey array as stored, and what the file says about it."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.radiograph.colour import grey_from_colour
from OsteoScreenLib.radiograph.limits import check_size
from OsteoScreenLib.radiograph.quiet import quiet
from OsteoScreenLib.radiograph.radiograph import Note, Placement
from OsteoScreenLib.radiograph.spacing import Spacing, spacing_of_file, unknown_spacing

if TYPE_CHECKING:
    from PIL import Image

_FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "JPEG2000")
_ORIENTATION_TAG, _BITS_TAG, _PHOTOMETRIC_TAG, _SUBFILE_TAG = 274, 258, 262, 254
# EXIF orientation → how the stored picture becomes upright.
_PLACEMENTS = {
    2: Placement(True, 0), 3: Placement(False, 2), 4: Placement(True, 2), 5: Placement(True, 1),
    6: Placement(False, 3), 7: Placement(True, 3), 8: Placement(False, 1),
}  # fmt: skip


@dataclass(frozen=True)
class StoredImage:
    """An image as a file without DICOM header stores it.

    array : (rows, columns), any real type. placement : what the file's own orientation says makes it upright.
    ignored : bool (rows, columns) of pixels that are not part of the picture (transparent), or None.
    full_range : the least and greatest value that the type can hold, None where the type does not say (float, wide integers).
    inverted : the file says that 0 is white.
    """

    array: np.ndarray
    format: str
    placement: Placement = field(default_factory=Placement)
    spacing: Spacing = field(default_factory=unknown_spacing)
    ignored: np.ndarray | None = None
    full_range: tuple[float, float] | None = None
    inverted: bool = False
    lossy: bool = False
    notes: tuple[Note, ...] = ()


def read_picture(data: bytes, name: str) -> StoredImage:
    """Decode a picture in memory.

    Raises InputError: colour-photo, animation, multi-frame (several pages), too-large, too-small, truncated, undecodable.
    """
    with quiet():
        return _read(data, name)


def _read(data: bytes, name: str) -> StoredImage:
    from PIL import Image

    try:
        picture = Image.open(io.BytesIO(data), formats=_FORMATS)
    except Image.DecompressionBombError as error:
        raise InputError(f"{name} holds far more pixels than a radiograph; make it smaller first.", "too-large") from error
    except MemoryError:
        raise
    except Exception as error:
        raise InputError(
            f"{name} is a damaged picture or of a kind that is not read here; export it again.", "undecodable"
        ) from error
    with picture:
        check_size(picture.height, picture.width, name)
        _check_pages(picture, name)
        orientation = _orientation(picture)
        tags: Any = getattr(picture, "tag_v2", {})
        bits, white_is_zero = tags.get(_BITS_TAG, (0,)), tags.get(_PHOTOMETRIC_TAG) == 0
        spacing = _tiff_spacing(picture, tags)
        colours = None
        try:
            if _is_deep_colour(data, bits):
                colours = _deep_colour(data)
            if colours is None:
                picture.load()
        except MemoryError:
            raise
        except Exception as error:
            raise InputError(
                f"{name} is truncated or damaged and cannot be decoded; copy or export it again.", "truncated"
            ) from error
        # Pillow turns TIFF on loading and leaves the others: back to the stored rows and columns, then everyone is turned alike.
        placement = _PLACEMENTS.get(orientation, Placement())
        already_upright = colours is None and orientation != 1 and _orientation(picture) == 1
        array, ignored, notes = _grey(_channels(picture) if colours is None else colours, name)
        if already_upright:
            array = np.ascontiguousarray(placement.undo(array))
            ignored = None if ignored is None else placement.undo(ignored)
        if placement != Placement():
            text = "The file's orientation mark was followed, as picture viewers do."
            notes.append(Note("file-orientation", "info", text))
        # Pillow itself inverts "white is zero" up to 8 bits, and not above.
        return StoredImage(
            array=array,
            format=str(picture.format or "picture"),
            placement=placement,
            spacing=spacing,
            ignored=ignored,
            full_range=_range(array, int(bits[0]) if len(bits) == 1 else 0),
            inverted=white_is_zero and array.dtype.itemsize > 1,
            lossy=picture.format in {"JPEG", "MPO"},
            notes=tuple(notes),
        )


def _check_pages(picture: Image.Image, name: str) -> None:
    try:
        pages = int(getattr(picture, "n_frames", 1))
        full = _full_pages(picture, pages) if picture.format == "TIFF" else pages
    except MemoryError:
        raise
    except Exception as error:  # a damaged pointer to the next page leads anywhere
        raise InputError(f"{name} is a damaged picture; copy or export it again.", "undecodable") from error
    if picture.format == "MPO" or full <= 1:
        return  # the others are thumbnails of the first, or its copies for 3D screens
    if picture.format == "TIFF":
        raise InputError(f"{name} holds {pages} pages; save the radiograph as a file of its own.", "multi-frame")
    raise InputError(f"{name} is an animation of {pages} pictures; save the radiograph as a single picture.", "animation")


def _full_pages(picture: Image.Image, pages: int) -> int:
    """How many pages of a TIFF are not marked as thumbnails of another."""
    full = 0
    for page in range(pages) if pages > 1 else ():
        picture.seek(page)
        full += not int(getattr(picture, "tag_v2", {}).get(_SUBFILE_TAG, 0)) & 1
    picture.seek(0)
    return full


def _orientation(picture: Image.Image) -> int:
    try:
        return int(picture.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # EXIF blocks are often broken
        return 1


def _channels(picture: Image.Image) -> np.ndarray:
    """(rows, columns) or (rows, columns, channels), the last of 2 or 4 channels being opacity."""
    if picture.mode == "1":
        picture = picture.convert("L")
    elif picture.mode in {"P", "PA", "La", "RGBa"} or ("transparency" in picture.info and picture.mode in {"L", "RGB"}):
        picture = picture.convert("RGBA")
    elif picture.mode in {"CMYK", "YCbCr", "LAB", "HSV", "RGBX"}:
        picture = picture.convert("RGB")
    array = np.asarray(picture)
    # Pillow before 11 gives 16-bit PNG as 32-bit integers.
    return array.astype(np.uint16) if picture.mode == "I" and picture.format == "PNG" else array


def _grey(array: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray | None, list[Note]]:
    """(rows, columns) grey values, the transparent pixels, and notes."""
    if array.ndim == 2:
        return array, None, []
    ignored, notes = None, []
    if array.shape[2] in (2, 4):
        transparent = array[..., -1] == 0
        if transparent.any() and not transparent.all():
            ignored = transparent
            # What colour lies under full transparency says nothing about the picture.
            array = np.where(transparent[..., None], array.dtype.type(0), array)
            notes.append(Note("transparent", "info", "Transparent parts of the picture are taken as black surroundings."))
    if array.shape[2] == 2:
        return np.ascontiguousarray(array[..., 0]), ignored, notes
    grey, colour_notes = grey_from_colour(array[..., :3], name)
    return grey, ignored, notes + colour_notes


def _range(array: np.ndarray, bits: int) -> tuple[float, float] | None:
    if array.dtype.kind == "f" or array.dtype.itemsize > 2:
        return None
    if array.dtype.kind == "u" and 8 < bits < 16:
        return 0.0, float(2**bits - 1)
    limits = np.iinfo(array.dtype)
    return float(limits.min), float(limits.max)


def _tiff_spacing(picture: Image.Image, tags: Any) -> Spacing:
    """A film scanner's resolution. Screen and print defaults, and sizes no film has, are not believed."""
    unknown = unknown_spacing()
    try:
        unit = {2: 25.4, 3: 10.0}.get(int(tags.get(296, 2)))
        across, down = float(tags.get(282, 0)), float(tags.get(283, 0))
    except (TypeError, ValueError, ZeroDivisionError):
        return unknown
    if unit is None or not (across > 0 and down > 0) or (unit == 25.4 and across in {72.0, 96.0}):
        return unknown
    row, column = unit / down, unit / across
    if not all(50 <= size <= 600 for size in (row * picture.height, column * picture.width)):
        return unknown
    return spacing_of_file(row, column)


def _is_deep_colour(data: bytes, bits: tuple[int, ...]) -> bool:
    """16 bits a channel in colour: Pillow would cut it to 8."""
    return data[24:26] in (b"\x10\x02", b"\x10\x06") if data[:4] == b"\x89PNG" else len(bits) >= 3 and min(bits) == 16


def _deep_colour(data: bytes) -> np.ndarray | None:
    """(rows, columns, 3 or 4) uint16 as stored, in OpenCV's channel order, None when it cannot be decoded."""
    import cv2

    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
