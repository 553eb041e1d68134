"""The grey values of a presentation state: Modality LUT, VOI and polarity as the radiograph was read (PS3.3 C.11.1, C.11.8, C.11.6).

A presentation state overrides the image's own window and photometric interpretation, so it has to state what it wants shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from OsteoScreenLib.radiograph import header
from OsteoScreenLib.radiograph.dicom import with_functional_groups
from OsteoScreenLib.radiograph.lookup import inverted_by_header, table_of
from OsteoScreenLib.radiograph.radiograph import Radiograph

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


def put_grey_chain(state: Dataset, original: Dataset, radiograph: Radiograph) -> None:
    """Set in a Grayscale Softcopy Presentation State what shows the image as `radiograph.pixels` has it, to a grey value.

    original : the source's header, unchecked.
    """
    flat = with_functional_groups(original)
    _put_modality(state, flat, radiograph)
    _put_voi(state, flat, radiograph)
    inverted = inverted_by_header(original)[0] != radiograph.placement.inverted
    state.PresentationLUTShape = "INVERSE" if inverted else "IDENTITY"


def _put_modality(state: Dataset, flat: Dataset, radiograph: Radiograph) -> None:
    """The header's transform to meaningful values, unless reading found that it makes no sense."""
    if any(note.code in {"bad-lookup-table", "bad-rescale"} for note in radiograph.notes):
        return
    for item in header.items(flat, "ModalityLUTSequence")[:1]:
        table = _table(item, flat, 16)
        if table is not None:
            table.ModalityLUTType = "US"  # unspecified
            state.ModalityLUTSequence = [table]
        return
    slope, intercept = header.number(flat, "RescaleSlope"), header.number(flat, "RescaleIntercept")
    if slope is not None:
        state.RescaleSlope, state.RescaleIntercept, state.RescaleType = decimal(slope), decimal(intercept or 0.0), "US"


def _put_voi(state: Dataset, flat: Dataset, radiograph: Radiograph) -> None:
    from pydicom.dataset import Dataset

    window = radiograph.source.window
    voi = Dataset()
    if window is not None:
        voi.WindowCenter, voi.WindowWidth = decimal(window.center), decimal(window.width)
        if window.function != "LINEAR":
            voi.VOILUTFunction = window.function
    else:
        tables = [table for item in header.items(flat, "VOILUTSequence") if (table := _table(item, flat, 0)) is not None]
        if not tables:
            return
        voi.VOILUTSequence = tables[:1]
    state.SoftcopyVOILUTSequence = [voi]


def decimal(number: float) -> str:
    """A number in the 16 characters of a decimal string, as exactly as they hold it."""
    for digits in range(17, 0, -1):
        text = f"{number:.{digits}g}"
        if len(text) <= 16:
            return text
    return "0"


def _table(item: Dataset, flat: Dataset, bits: int) -> Dataset | None:
    """A lookup table with 16-bit entries as reading the image read them. bits : their stated depth, 0 for what they need."""
    from pydicom.dataset import Dataset

    syntax = getattr(getattr(flat, "file_meta", None), "TransferSyntaxUID", None)
    table = table_of(item, header.integer(flat, "PixelRepresentation") == 1, syntax != "1.2.840.10008.1.2.2")
    if table is None:
        return None
    first, entries = int(table[0]), table[1].astype(np.uint16)
    copy = Dataset()
    depth = bits or max(8, int(entries.max()).bit_length())
    copy.add_new("LUTDescriptor", "SS" if first < 0 else "US", [entries.size % 65536, first, depth])
    copy.add_new("LUTData", "OW", entries.astype("<u2").tobytes())
    return copy
