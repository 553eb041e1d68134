"""The grey-value chain of a DICOM header: stored bits, Modality LUT or rescale, VOI LUT or window, polarity."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from OsteoScreenLib.radiograph import header
from OsteoScreenLib.radiograph.grey import (
    Function,
    GreyImage,
    Levels,
    exact_window,
    linear_window,
    lookup,
    shows_the_image,
    sigmoid_window,
    stretch,
)
from OsteoScreenLib.radiograph.radiograph import Note, Window

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


@dataclass(frozen=True)
class Bits:
    """How grey values lie in their containers: `stored` bits, the highest at `high`, two's complement if `signed`."""

    allocated: int
    stored: int
    high: int
    signed: bool

    def values(self, array: np.ndarray) -> GreyImage:
        """Mask, shift and sign-extend the containers; bits outside the stored ones (old overlays) do not count."""
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
        if self.allocated > 16:
            container = array.view(f"u{array.dtype.itemsize}").astype(np.uint64)
            return GreyImage(self._meaning(container), None)
        image = GreyImage.from_array(array)
        every = np.arange(2 ** (8 * image.codes.dtype.itemsize), dtype=np.uint64)
        return GreyImage(image.codes, self._meaning(every))

    def _meaning(self, container: np.ndarray) -> np.ndarray:
        shift = np.uint64(self.high + 1 - self.stored)
        meaning = ((container >> shift) & np.uint64(2**self.stored - 1)).astype(np.float64)
        if self.signed:
            meaning[meaning >= 2 ** (self.stored - 1)] -= 2**self.stored
        return meaning


def modality_transform(dataset: Dataset, signed: bool, little_endian: bool) -> tuple[Function | None, list[Note]]:
    """Modality LUT, else rescale slope and intercept, else None. A table that cannot be read is noted and left out."""
    for item in header.items(dataset, "ModalityLUTSequence")[:1]:
        table = table_of(item, signed, little_endian)
        if table is not None:
            return lookup(*table), []
        return None, [Note("bad-lookup-table", "warning", "The header's Modality LUT cannot be read and was left out.")]
    slope, intercept = header.number(dataset, "RescaleSlope"), header.number(dataset, "RescaleIntercept")
    if slope is None and intercept is None:
        return None, []
    if slope is None or not 1e-9 <= abs(slope) <= 1e9 or abs(intercept or 0.0) > 1e12:
        text = "The header's rescale slope or intercept makes no sense, so no rescaling was applied."
        return None, [Note("bad-rescale", "warning", text)]
    return (lambda values: values * slope + (intercept or 0.0)), []


def choose_display(
    dataset: Dataset, levels: Levels, signed: bool, little_endian: bool
) -> tuple[Function, Window | None, list[Note]]:
    """The header's first VOI table or window that shows the image; percentiles of the image where there is none.

    levels : grey values after the modality transform, without padding and collimated borders.
    The window that was taken stands second, None for a table.
    """
    notes = []
    candidates: list[Function | None] = [
        _voi_table(item, signed, little_endian) for item in header.items(dataset, "VOILUTSequence")
    ]
    stated = _windows(dataset)
    windows = [function for function, _ in stated]
    if len(candidates) > 1 or len(windows) > 1:
        text = "The header offers several grey-value windows or tables; the first usable one was taken."
        notes.append(Note("several-windows", "info", text))
    candidates += windows
    for candidate in candidates:
        if candidate is not None and shows_the_image(candidate, levels):
            if candidate is not candidates[0]:
                text = "The header's first grey-value window does not show the image, so another one of the header was taken."
                notes.append(Note("degenerate-window", "warning", text))
            return candidate, next((window for function, window in stated if function is candidate), None), notes
    if candidates:
        text = "The header's grey-value window does not show the image, so its own percentiles (0.5 % and 99.5 %) were taken."
        notes.append(Note("degenerate-window", "warning", text))
    else:
        text = "The header gives no grey-value window, so the image's own percentiles (0.5 % and 99.5 %) were taken."
        notes.append(Note("no-window", "info", text))
    low, high = levels.span()
    # The standard's LINEAR window from `low` to `high` is half a grey value beside its middle, and one wider.
    return stretch(low, high), Window((low + high + 1) / 2, high - low + 1), notes


def inverted_by_header(dataset: Dataset) -> tuple[bool, list[Note]]:
    """Whether the displayed values must be inverted, once, to be bright where the film is bright."""
    photometric, shape = header.word(dataset, "PhotometricInterpretation"), header.word(dataset, "PresentationLUTShape")
    inverted = photometric == "MONOCHROME1" or shape == "INVERSE"
    if (photometric, shape) in {("MONOCHROME1", "IDENTITY"), ("MONOCHROME2", "INVERSE")}:
        text = (
            f"The header contradicts itself about which end is white ({photometric} with PresentationLUTShape {shape}); "
            "the image was inverted once."
        )
        return inverted, [Note("polarity-tags-disagree", "warning", text)]
    return inverted, []


def _windows(dataset: Dataset) -> list[tuple[Function | None, Window]]:
    """Every window of the header in its order, without a function where it is not usable by definition."""
    name = header.word(dataset, "VOILUTFunction")
    name = name if name in {"SIGMOID", "LINEAR_EXACT"} else "LINEAR"
    functions = {"SIGMOID": sigmoid_window, "LINEAR_EXACT": exact_window, "LINEAR": linear_window}
    centers, widths = header.numbers(dataset, "WindowCenter"), header.numbers(dataset, "WindowWidth")
    windows: list[tuple[Function | None, Window]] = []
    for center, width in zip(centers, widths, strict=False):
        usable = math.isfinite(center) and math.isfinite(width) and width > (1 if name == "LINEAR" else 0)
        windows.append((functions[name](center, width) if usable else None, Window(center, width, name)))
    return windows


def _voi_table(item: Dataset, signed: bool, little_endian: bool) -> Function | None:
    table = table_of(item, signed, little_endian)
    if table is None or table[1].max() <= 0:
        return None
    first, entries = table
    # The declared depth of the entries is often too large: the least depth that holds them is their range.
    return lookup(first, entries / (2 ** int(entries.max()).bit_length() - 1))


def table_of(item: Dataset, signed: bool, little_endian: bool) -> tuple[float, np.ndarray] | None:
    """First input value and float64 entries of a LUT item, None when it cannot be read."""
    descriptor = header.numbers(item, "LUTDescriptor")
    data = header.value(item, "LUTData")
    if len(descriptor) < 3 or not all(map(math.isfinite, descriptor)) or data is None:
        return None
    count, first = int(descriptor[0]) % 65536 or 65536, descriptor[1]
    if signed and first > 32767:
        first -= 65536  # written as unsigned although the pixels are signed
    if isinstance(data, bytes):
        wide = len(data) >= 2 * count
        entries = np.frombuffer(
            data[: len(data) // 2 * 2] if wide else data, ("<u2" if little_endian else ">u2") if wide else "u1"
        )
    else:
        try:
            entries = np.atleast_1d(np.asarray(data, np.float64))
        except (TypeError, ValueError):
            return None
    return (first, entries[:count].astype(np.float64)) if entries.size >= 2 else None
