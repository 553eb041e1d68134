"""A volume that an application has already loaded, and the header of its DICOM file → Radiograph."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.radiograph import header
from OsteoScreenLib.radiograph.dicom import (
    StoredGrey,
    displayed,
    parse_dicom,
    source_of,
    stored_grey,
    with_functional_groups,
)
from OsteoScreenLib.radiograph.grey import Function, GreyImage
from OsteoScreenLib.radiograph.limits import check_content, printable
from OsteoScreenLib.radiograph.lookup import inverted_by_header, modality_transform
from OsteoScreenLib.radiograph.quality import LOSSY, header_notes
from OsteoScreenLib.radiograph.quiet import quiet
from OsteoScreenLib.radiograph.radiograph import Note, Placement, Radiograph, Source
from OsteoScreenLib.radiograph.read import bytes_of, plane_of, radiograph_from_array
from OsteoScreenLib.radiograph.same_values import (
    SameValues,
    find_part,
    find_resampled,
    find_whole,
    nearest_codes,
    ways_of_readers,
)
from OsteoScreenLib.radiograph.sniff import kind_of
from OsteoScreenLib.radiograph.spacing import Spacing, spacing_of_file, spacing_of_header, unknown_spacing
from OsteoScreenLib.radiograph.view import site_of_header, view_of_header
from OsteoScreenLib.radiograph.volume import placement_of_axes

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

# What the header says about the kind of object holds whatever happened to the pixels.
_REFUSALS = {"not-a-radiograph", "photograph", "not-an-image-object"}
_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")


def radiograph_of_volume(
    array: np.ndarray, spacing_mm: tuple[float, float] | None, header_path: str, *, name: str, invert: bool = False
) -> Radiograph:
    """A loaded volume → Radiograph; see `read.radiograph_from_volume` for what goes in and out.

    A volume's grey values alone cannot be displayed as the header prescribes: its reader has applied some of the header's
    steps and not others (see `same_values`), and windows and tables are written for the values before or between them. So
    the file is decoded as well, and the volume compared with it:

    - The same values, in a layout in which readers give them: exactly what `read_radiograph` gives.
    - Turned or mirrored in the scene: the same, turned as the scene shows it.
    - An unchanged part: that part of the file's radiograph, so that cropping does not change the grey values.
    - Up to half of the pixels changed, or resampled: the volume's values, each as the stored value that the reader would
      have turned into it, through the whole of the header's chain, with percentiles (where no window is given) of the file.
    - Anything else: the volume's values by themselves; the header says only whom and what the image shows.

    All but the first carry a note "volume-differs" or "volume-turned". A MONOCHROME1 file's values count as the file's in
    both polarities, because one of Slicer's readers inverts them and the other does not. A spacing that was set in the scene
    takes precedence over the header's; otherwise the header's holds, with its meaning.
    """
    array = plane_of(array, name)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    check_content(array, name)
    header_file = _header_file(header_path)
    if header_file is None:
        return _without_header(array, spacing_mm, name, invert)
    from pydicom.config import disable_value_validation

    with quiet(), disable_value_validation():
        return _with_header(array, spacing_mm, header_path, *header_file, name, invert)


def _header_file(header_path: str) -> tuple[Dataset, str] | None:
    """The data set and the file's SHA-256, None where there is no readable one: the volume can be looked at without it."""
    if not header_path:
        return None
    try:
        data = bytes_of(Path(header_path))
        if kind_of(data) != "dicom":
            return None
        return parse_dicom(data, printable(Path(header_path).name)), hashlib.sha256(data).hexdigest()
    except InputError:
        return None


def _without_header(array: np.ndarray, spacing_mm: tuple[float, float] | None, name: str, invert: bool) -> Radiograph:
    source = Source(format="volume")
    radiograph = radiograph_from_array(array, spacing_mm, source=source, invert=invert or None, name=name)
    unknown = "which end is white, the grey-value window, the view, the body part and the patient"
    if radiograph.spacing_mm is not None:
        unknown += ", and whether its pixel spacing is the detector's or the patient's"
    text = f"No DICOM header belongs to this volume, so these are unknown: {unknown}."
    return replace(radiograph, placement=Placement(), notes=(Note("no-header", "warning", text), *_read_notes(radiograph)))


def _read_notes(radiograph: Radiograph) -> tuple[Note, ...]:
    """Without the remark on an override, which is made once, at the end."""
    return tuple(note for note in radiograph.notes if note.code != "placed-by-hand")


def _with_header(
    array: np.ndarray,
    spacing_mm: tuple[float, float] | None,
    header_path: str,
    dataset: Dataset,
    sha256: str,
    name: str,
    invert: bool,
) -> Radiograph:
    file_name = printable(Path(header_path).name)
    flat = with_functional_groups(dataset)
    try:
        stored = stored_grey(dataset, file_name)
    except InputError as error:
        if error.code in _REFUSALS:
            raise
        why = f"The pixels of its DICOM file cannot be compared with the volume ({error.code})"
        return _by_itself(array, dataset, flat, spacing_mm, header_path, why, name, invert)

    natural = [Placement(), _placement_of_header(dataset)]
    white_is_zero = header.word(dataset, "PhotometricInterpretation") == "MONOCHROME1"
    images = ways_of_readers(stored.grey, stored.bits, _transforms(flat, stored), white_is_zero)
    lossy = str(stored.syntax) in LOSSY
    found = find_whole(array, images, natural, lossy) or find_part(array, images, natural)
    if found is None and stored.grey.table is not None:
        found = find_resampled(array, images, natural)
    # Values of more than 16 bits have no table to be carried back through.
    if found is None or (stored.grey.table is None and not _is_whole(found)):
        why = "The volume's grey values are not those of its DICOM file"
        return _by_itself(array, dataset, flat, spacing_mm, header_path, why, name, invert)

    file_shape = (stored.grey.codes.shape[0], stored.grey.codes.shape[1])
    back = found.placement.undo(array)
    if found.placement.quarter_turns % 2 and spacing_mm is not None:
        spacing_mm = (spacing_mm[1], spacing_mm[0])
    spacing = _spacing(flat, spacing_mm, file_shape, (back.shape[0], back.shape[1]) if found.equal is None else file_shape)
    notes: list[Note] = []
    if _is_whole(found):
        radiograph = displayed(dataset, stored, name=file_name, path=header_path, sha256=sha256, invert=invert, spacing=spacing)
        if back.shape != file_shape:
            radiograph, note = _part_of(radiograph, found, (back.shape[0], back.shape[1]))
            notes.append(note)
    else:
        changed, notes = _carried_back(stored, back, found)
        radiograph = displayed(dataset, changed, name=name, path=header_path, invert=invert, spacing=spacing)
    if found.placement not in natural:
        radiograph = radiograph.turned(found.placement.mirrored, found.placement.quarter_turns)
        text = "The volume was turned or mirrored after it was loaded; it is shown as it lies in the scene."
        notes.append(Note("volume-turned", "info", text))
    return radiograph.with_notes(*notes) if notes else radiograph


def _is_whole(found: SameValues) -> bool:
    return found.equal is not None and bool(found.equal.all())


def _transforms(flat: Dataset, stored: StoredGrey) -> list[Function]:
    """The header's rescaling and its Modality LUT: readers apply the one, the other or none."""
    transform, _ = modality_transform(flat, stored.bits.signed, bool(stored.syntax.is_little_endian))
    found = [transform] if transform else []
    slope, intercept = header.number(flat, "RescaleSlope"), header.number(flat, "RescaleIntercept")
    if header.items(flat, "ModalityLUTSequence") and slope and intercept is not None:
        found.append(lambda values: values * slope + intercept)
    return found


def _placement_of_header(dataset: Dataset) -> Placement:
    """How a slice view shows the file's image where a reader follows ImageOrientationPatient."""
    cosines = header.numbers(dataset, "ImageOrientationPatient")
    if len(cosines) != 6 or not all(map(math.isfinite, cosines)):
        return Placement()
    return placement_of_axes(np.array(cosines).reshape(2, 3).T)


def _carried_back(stored: StoredGrey, back: np.ndarray, found: SameValues) -> tuple[StoredGrey, list[Note]]:
    """The volume's values as stored values of the file; statistics stay the file's, so that an edit changes nothing else."""
    assert found.image.table is not None
    if found.equal is None:
        codes = nearest_codes(back.astype(np.float64), found.image)
        rows, columns = stored.grey.codes.shape
        text = (
            f"The volume was resampled or smoothed ({back.shape[1]} × {back.shape[0]} pixels, its DICOM file {columns} × {rows}); "
            "its own pixels are shown, through the header's window and polarity."
        )
    else:
        codes = stored.grey.codes.copy()
        codes[~found.equal] = nearest_codes(back[~found.equal].astype(np.float64), found.image)
        share = 100 * float((~found.equal).mean())
        text = (
            f"The volume was edited: {max(share, 0.01):.2g} % of its pixels are not those of its DICOM file; they are shown as "
            "they are in the volume, through the header's window and polarity."
        )
    changed = replace(stored, grey=GreyImage(codes, stored.grey.table), counted=stored.grey)
    return changed, [Note("volume-differs", "warning", text)]


def _part_of(radiograph: Radiograph, found: SameValues, shape: tuple[int, int]) -> tuple[Radiograph, Note]:
    top, left = found.corner
    rows, columns = radiograph.shape
    pixels = np.ascontiguousarray(radiograph.pixels[top : top + shape[0], left : left + shape[1]])
    text = (
        f"The volume is a part of its DICOM file: rows {top + 1} to {top + shape[0]} of {rows}, "
        f"columns {left + 1} to {left + shape[1]} of {columns}; grey values are the whole file's."
    )
    source = replace(radiograph.source, sha256="", stored_shape=shape)
    return replace(radiograph, pixels=pixels, source=source), Note("volume-differs", "warning", text)


def _by_itself(
    array: np.ndarray,
    dataset: Dataset,
    flat: Dataset,
    spacing_mm: tuple[float, float] | None,
    header_path: str,
    why: str,
    name: str,
    invert: bool,
) -> Radiograph:
    """The volume's own values, with what the header says about patient, view and body part."""
    from pydicom.uid import UID

    view, site = view_of_header(dataset), site_of_header(dataset)
    # Slicer's readers have turned MONOCHROME1 already, and know nothing of PresentationLUTShape.
    white_is_zero = inverted_by_header(dataset)[0] and header.word(dataset, "PhotometricInterpretation") != "MONOCHROME1"
    # A reader's 1 mm for "unknown" may have been resampled to anything, so only what the header also says is a length.
    said = spacing_mm is not None and any(_close(spacing_mm, one, 1e-3) for one in _spacings_of_readers(flat))
    spacing = spacing_of_header(flat) if said else unknown_spacing()
    radiograph = radiograph_from_array(
        array,
        spacing.mm,
        spacing_source=spacing.source,
        white_is_zero=white_is_zero,
        view=view,
        site=site,
        source=source_of(dataset, header_path, "", (array.shape[0], array.shape[1])),
        invert=invert or None,
        name=name,
    )
    unknown = ["which end is white", "the grey-value window", *([] if spacing.mm else ["the size of a pixel"])]
    text = f"{why}; only patient, view and body part were taken from the header, and these are unknown: {', '.join(unknown)}."
    syntax = UID(header.text(getattr(dataset, "file_meta", dataset), "TransferSyntaxUID"))
    found = (Note("volume-differs", "warning", text), *_read_notes(radiograph), *spacing.notes)
    notes = (*{note.code: note for note in found}.values(), *header_notes(dataset, syntax, view, site))
    return replace(radiograph, placement=Placement(), notes=notes)


def _spacing(
    flat: Dataset, spacing_mm: tuple[float, float] | None, file_shape: tuple[int, int], shape: tuple[int, int]
) -> Spacing:
    """The header's spacing, or that of the scene where it was set there.

    spacing_mm : the volume's, in the file's layout, None for 1 × 1. shape : differs from the file's after resampling.
    """
    of_header = spacing_of_header(flat)
    volume = spacing_mm or (1.0, 1.0)
    factors = (file_shape[0] / shape[0], file_shape[1] / shape[1])
    for row, column in [(1.0, 1.0), *_spacings_of_readers(flat)]:
        # After resampling the volume has the same extent with other pixels, whether or not its spacing was told.
        if _close(volume, (row, column), 1e-3) or _close(volume, (row * factors[0], column * factors[1]), 0.015):
            mm = of_header.mm
            return of_header if mm is None else replace(of_header, mm=(mm[0] * factors[0], mm[1] * factors[1]))
    changed = spacing_of_file(*volume)
    if changed.mm is None:
        return of_header
    text = f"The pixel spacing {changed.mm[0]:.3g} × {changed.mm[1]:.3g} mm was set in the scene; it is not the header's."
    return replace(changed, notes=(Note("spacing-of-scene", "warning", text), *changed.notes))


def _spacings_of_readers(flat: Dataset) -> list[tuple[float, float]]:
    """What readers of volumes may have made of the header's spacings."""
    of_header = spacing_of_header(flat).mm
    found = [of_header] if of_header else []
    for keyword in _SPACINGS:
        pair = header.numbers(flat, keyword)
        if len(pair) == 2 and all(math.isfinite(one) and one > 0 for one in pair):
            # DCMTK takes the rows' for the columns'.
            found += [(pair[0], pair[1]), (pair[1], pair[0])]
    ratio = header.numbers(flat, "PixelAspectRatio")
    if not found and len(ratio) == 2 and all(math.isfinite(one) and one > 0 for one in ratio):
        found += [(ratio[0], ratio[1]), (ratio[0] / ratio[1], 1.0), (1.0, ratio[1] / ratio[0])]
    return found


def _close(one: tuple[float, float], other: tuple[float, float], share: float) -> bool:
    return all(math.isclose(a, b, rel_tol=share) for a, b in zip(one, other, strict=True))
