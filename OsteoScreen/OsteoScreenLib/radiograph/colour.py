"""Grey pictures stored in colour are read; pictures with real colours are refused."""

from __future__ import annotations

import numpy as np

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.radiograph.radiograph import Note

# Chroma noise of JPEG stays below a tenth of the range; a coloured marker on a film covers less than one pixel in a hundred.
_SPREAD = 0.1
_SHARE = 0.01


def grey_from_colour(array: np.ndarray, name: str) -> tuple[np.ndarray, list[Note]]:
    """(rows, columns, 3 or 4) → (rows, columns) of the same type; a fourth channel is opacity and is not looked at here.

    Raises InputError (colour-photo) when more than 1 % of the pixels are coloured.
    """
    red, green, blue = array[..., 0], array[..., 1], array[..., 2]
    if np.array_equal(red, green) and np.array_equal(green, blue):
        return np.ascontiguousarray(red), []
    largest = float(np.iinfo(array.dtype).max) if array.dtype.kind in "iu" else max(float(array.max()), 1e-12)
    spread = np.maximum(np.maximum(red, green), blue).astype(np.float32) - np.minimum(np.minimum(red, green), blue)
    coloured = float((spread > _SPREAD * largest).mean())
    if coloured > _SHARE:
        raise InputError(
            f"{name} is a colour picture, not a radiograph; if it is a coloured copy of one, save it in grey first.",
            "colour-photo",
        )
    total = red.astype(np.float64 if array.dtype.kind == "f" else np.int64) + green + blue
    # (3k + 1) // 3 rounds a third to the nearest whole number, the same way for an inverted picture.
    grey = total / 3 if array.dtype.kind == "f" else (total + 1) // 3
    notes = []
    if coloured > 0:
        text = "Parts of the picture are coloured (a marker or a label); they were turned to grey."
        notes.append(Note("coloured-parts", "info", text))
    return grey.astype(array.dtype), notes
