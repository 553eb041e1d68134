"""DICOM file or data set → Radiograph, in the order the standard prescribes."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.radiograph import header
from OsteoScreenLib.radiograph.bounded import BoundedBytes, drop_endless
from OsteoScreenLib.radiograph.colour import grey_from_colour
from OsteoScreenLib.radiograph.decode import decode, stored_bits
from OsteoScreenLib.radiograph.grey import GreyImage, Levels
from OsteoScreenLib.radiograph.kinds import check_kind
from OsteoScreenLib.radiograph.limits import MAXIMUM_BYTES, constant
from OsteoScreenLib.radiograph.lookup import Bits, choose_display, inverted_by_header, modality_transform
from OsteoScreenLib.radiograph.quality import header_notes, picture_notes
from OsteoScreenLib.radiograph.quiet import quiet
from OsteoScreenLib.radiograph.radiograph import Note, Radiograph, Source
from OsteoScreenLib.radiograph.region import Box, hidden_by_header, plain_borders, touching_the_edge
from OsteoScreenLib.radiograph.spacing import Spacing, spacing_of_header
from OsteoScreenLib.radiograph.view import orientation_notes, site_of_header, view_of_header

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pydicom.uid import UID

_DEFLATED = b"1.2.840.10008.1.2.1.99"
_EXPLICIT = b"1.2.840.10008.1.2.1\0\0\0"  # in as many bytes


def parse_dicom(data: bytes, name: str) -> Dataset:
    """The data set in a file's bytes, with or without preamble and file meta information.

    Sequences that no radiograph has and that would take minutes to decode are left out; see `bounded`.
    Raises InputError (damaged-header) when no data set can be read, (too-large) when a deflated one would not fit in memory.
    """
    import pydicom
    from pydicom.config import disable_value_validation

    if data[:4] == b"DICM":
        data = bytes(128) + data
    data = _inflated(data, name)
    try:
        with quiet(), disable_value_validation():
            dataset = pydicom.dcmread(BoundedBytes(data), force=True)
            drop_endless(dataset)
            empty = len(dataset) == 0
    except MemoryError:
        raise
    except Exception as error:  # a damaged file raises whatever its damage leads to
        raise InputError(f"{name} is a damaged DICOM file; copy or export it again.", "damaged-header") from error
    if empty:
        raise InputError(f"{name} is a DICOM file that stops after its header; copy or export it again.", "truncated")
    return dataset


def radiograph_from_dataset(
    dataset: Dataset, *, name: str, path: str = "", sha256: str = "", invert: bool = False
) -> Radiograph:
    """A data set in memory → Radiograph. See `read.read_dataset`; invert : against what the header says."""
    from pydicom.config import disable_value_validation

    # Values are converted, and complained about, when they are first looked at.
    with quiet(), disable_value_validation():
        return displayed(dataset, stored_grey(dataset, name), name=name, path=path, sha256=sha256, invert=invert)


@dataclass(frozen=True)
class StoredGrey:
    """The pixels of a data set before anything of its header was applied to them.

    grey : the stored values. notes : what was found on the way to them.
    counted : the file's own values, for the statistics, where `grey` holds others in their place.
    """

    grey: GreyImage
    bits: Bits
    syntax: UID
    notes: tuple[Note, ...] = ()
    counted: GreyImage | None = None


def stored_grey(dataset: Dataset, name: str) -> StoredGrey:
    """Decode a radiograph's pixels. Raises InputError for other kinds of objects and for pixels that cannot be decoded."""
    kind_notes = check_kind(dataset, name)
    if "PixelData" not in dataset:
        raise InputError(f"{name} is a DICOM file without an image in it; choose the radiograph itself.", "no-pixels")
    bits = stored_bits(dataset, name)
    syntax = _transfer_syntax(dataset, name)
    array = decode(dataset, syntax, bits, name)
    grey, bits, colour_notes = _grey(dataset, array, bits, syntax, name)
    return StoredGrey(grey, bits, syntax, (*kind_notes, *colour_notes))


def displayed(
    dataset: Dataset,
    stored: StoredGrey,
    *,
    name: str,
    path: str = "",
    sha256: str = "",
    invert: bool = False,
    spacing: Spacing | None = None,
) -> Radiograph:
    """Stored values → Radiograph as the header says. spacing : instead of the header's."""
    grey, bits, syntax = stored.grey, stored.bits, stored.syntax
    shape = (grey.codes.shape[0], grey.codes.shape[1])
    little_endian = bool(syntax.is_little_endian)
    flat = with_functional_groups(dataset)

    padding = _padding(dataset, grey, bits)
    transform, transform_notes = modality_transform(flat, bits.signed, little_endian)
    meant = grey.map(transform) if transform else grey
    if stored.counted is None:
        levels = _statistics(dataset, meant, padding)
    else:
        counted = stored.counted
        levels = _statistics(dataset, counted.map(transform) if transform else counted, _padding(dataset, counted, bits))
    if levels.values.size < 2:
        raise constant(name)
    display, window, display_notes = choose_display(flat, levels, bits.signed, little_endian)
    by_header, polarity_notes = inverted_by_header(dataset)
    inverted = by_header != invert
    pixels = meant.render(display, inverted)
    if padding is not None:
        # Blanked surroundings are black whatever the polarity; the same value inside the picture is a grey like others.
        pixels[touching_the_edge(padding)] = 0

    view, site = view_of_header(dataset), site_of_header(dataset)
    spacing = spacing or spacing_of_header(flat)
    notes = (
        *stored.notes,
        *transform_notes,
        *display_notes,
        *polarity_notes,
        *orientation_notes(dataset, view),
        *spacing.notes,
        *header_notes(dataset, syntax, view, site),
        *picture_notes(shape, bits.stored, levels, display, inverted),
    )
    return Radiograph(
        pixels=pixels,
        spacing_mm=spacing.mm,
        spacing_source=spacing.source,
        view=view,
        site=site,
        source=replace(source_of(dataset, path, sha256, shape), window=window),
        notes=notes,
    )


def _transfer_syntax(dataset: Dataset, name: str) -> UID:
    from pydicom.uid import (
        UID,
        DeflatedExplicitVRLittleEndian,
        ExplicitVRBigEndian,
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
    )

    stated = header.text(getattr(dataset, "file_meta", dataset), "TransferSyntaxUID")
    if stated:
        syntax = UID(stated)
        if not syntax.is_transfer_syntax:
            raise InputError(
                f"{name} names no known transfer syntax, so its pixels cannot be read; export it again.", "undecodable"
            )
        # Inside the data set deflated pixels are already inflated.
        return ExplicitVRLittleEndian if syntax == DeflatedExplicitVRLittleEndian else syntax
    implicit, little = getattr(dataset, "original_encoding", (None, None))
    pixels = dataset.get_item("PixelData") if "PixelData" in dataset else None
    if pixels is not None and getattr(pixels, "is_undefined_length", False):
        raise InputError(
            f"{name} holds compressed pixels without saying how they are compressed (no transfer syntax); export it again.",
            "undecodable",
        )
    if little is False:
        return ExplicitVRBigEndian
    return ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian


def _grey(dataset: Dataset, array: np.ndarray, bits: Bits, syntax: UID, name: str) -> tuple[GreyImage, Bits, list[Note]]:
    """Grey values as stored, from grey, grey-in-colour and palette pixels."""
    from pydicom.uid import RLELossless

    if header.word(dataset, "PhotometricInterpretation") == "PALETTE COLOR":
        from pydicom.pixels import apply_color_lut

        try:
            with quiet():
                array = apply_color_lut(array, dataset)
        except Exception as error:
            raise InputError(f"{name} has a colour palette that cannot be read; export it in grey.", "undecodable") from error
    if array.ndim == 3:
        array, notes = grey_from_colour(array[..., :3], name)
        width = 8 * array.dtype.itemsize
        return GreyImage.from_array(array), Bits(width, min(bits.stored, width), min(bits.stored, width) - 1, False), notes
    notes = []
    if syntax.is_encapsulated and syntax != RLELossless and not bits.signed and bits.stored < bits.allocated <= 16:
        # These codecs know how many bits they stored; a header that says less would fold bright values over.
        needed = int(array.max()).bit_length()
        if needed > bits.stored and bits.high == bits.stored - 1:
            bits = Bits(bits.allocated, needed, needed - 1, False)
            text = "The pixels use more bits than the header says; all of them were read."
            notes.append(Note("bits-stored-disagrees", "warning", text))
    return bits.values(array), bits, notes


def _padding(dataset: Dataset, grey: GreyImage, bits: Bits) -> np.ndarray | None:
    """Bool (rows, columns) of PixelPaddingValue (to PixelPaddingRangeLimit), None when there are none."""
    first = header.number(dataset, "PixelPaddingValue")
    if first is None:
        return None
    last = header.number(dataset, "PixelPaddingRangeLimit")
    low, high = sorted((first, first if last is None else last))
    if bits.signed and high >= 2 ** (bits.stored - 1):
        low, high = low - 2**bits.stored, high - 2**bits.stored  # written as unsigned
    elif not bits.signed and low < 0:
        low, high = low + 2**bits.allocated, high + 2**bits.allocated
    found = grey.where(lambda values: (values >= low) & (values <= high))
    return None if found is None or found.all() else found


def _statistics(dataset: Dataset, image: GreyImage, padding: np.ndarray | None) -> Levels:
    """Grey values inside collimator and shutter, without padding and plain borders; of the whole image if that leaves nothing."""
    shape = (image.codes.shape[0], image.codes.shape[1])
    hidden = hidden_by_header(dataset, shape)
    excluded = padding if hidden is None else hidden if padding is None else hidden | padding
    box: Box = plain_borders(image.codes)
    if excluded is None or not excluded[box].all():
        levels = image.levels(box, excluded)
        if levels.values.size > 1:
            return levels
    return image.levels()


def with_functional_groups(dataset: Dataset) -> Dataset:
    """The data set with the macros of a single-frame multi-frame object laid flat."""
    from pydicom.dataset import Dataset

    groups = [
        group
        for keyword in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
        for group in header.items(dataset, keyword)[:1]
    ]
    if not groups:
        return dataset
    flat = Dataset(dict(dataset.items()))  # a data set made from another one shares its elements
    for group in groups:
        for macro in ("PixelValueTransformationSequence", "FrameVOILUTSequence", "PixelMeasuresSequence"):
            for item in header.items(group, macro)[:1]:
                flat.update(item)
    return flat


def source_of(dataset: Dataset, path: str, sha256: str, shape: tuple[int, int]) -> Source:
    """What the header says about where the image comes from and whom it shows."""
    age = header.word(dataset, "PatientAge")
    sex = header.word(dataset, "PatientSex")
    return Source(
        path=path,
        sha256=sha256,
        format="DICOM",
        stored_shape=shape,
        study_instance_uid=header.uid(dataset, "StudyInstanceUID"),
        series_instance_uid=header.uid(dataset, "SeriesInstanceUID"),
        sop_instance_uid=header.uid(dataset, "SOPInstanceUID"),
        sop_class_uid=header.uid(dataset, "SOPClassUID"),
        modality=header.word(dataset, "Modality")[:16],
        photometric_interpretation=header.word(dataset, "PhotometricInterpretation")[:16],
        # Only values of the standard's form: free text in these places may name the patient.
        patient_sex=sex if sex in {"F", "M", "O"} else "",
        patient_age=age if re.fullmatch(r"\d{1,3}[DWMY]?", age) else "",
    )


def _inflated(data: bytes, name: str) -> bytes:
    """The file with a deflated data set inflated, piece by piece so that too much is refused before it is there; else as it is."""
    if _DEFLATED not in data[:2048]:
        return data
    if data[132:136] != b"\x02\x00\x00\x00":
        raise InputError(f"{name} is a damaged DICOM file; copy or export it again.", "damaged-header")
    start = 144 + int.from_bytes(data[140:144], "little")
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    piece, inflated, total = data[start:], [data[:start].replace(_DEFLATED, _EXPLICIT)], 0
    try:
        while piece and not inflater.eof:
            inflated.append(inflater.decompress(piece, 1 << 24))
            total += len(inflated[-1])
            piece = inflater.unconsumed_tail
            if total > MAXIMUM_BYTES:
                raise InputError(f"{name} would inflate to more than 1 GiB; that is no radiograph.", "too-large")
    except zlib.error as error:
        raise InputError(f"{name} is a damaged DICOM file; copy or export it again.", "damaged-header") from error
    if not inflater.eof:
        raise InputError(f"{name} is truncated: its deflated data stops before the end; copy or export it again.", "truncated")
    return b"".join(inflated)
