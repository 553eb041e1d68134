"""What is too small, too large or too empty to be a radiograph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from OsteoScreenLib.errors import InputError

if TYPE_CHECKING:
    import numpy as np

MINIMUM_SIDE = 64
MAXIMUM_PIXELS = 64_000_000
MAXIMUM_BYTES = 1 << 30


def printable(name: str) -> str:
    """A file's name for a message of one line: line breaks and bytes that are no text become question marks."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def check_size(rows: int, columns: int, name: str) -> None:
    """Refuse sizes no radiograph has, before anything of that size is allocated."""
    if rows < 1 or columns < 1:
        raise InputError(f"{name} does not say how many rows and columns its image has; export it again.", "damaged-header")
    if rows * columns > MAXIMUM_PIXELS:
        raise InputError(
            f"{name} holds {columns} × {rows} pixels, more than the {MAXIMUM_PIXELS // 1_000_000} megapixels accepted; "
            "make it smaller first.",
            "too-large",
        )
    if min(rows, columns) < MINIMUM_SIDE:
        raise InputError(
            f"{name} holds {columns} × {rows} pixels, too few for a radiograph (at least {MINIMUM_SIDE} on each side).",
            "too-small",
        )


def check_content(array: np.ndarray, name: str) -> None:
    """Refuse images without a picture in them: values that are not finite, or one grey value everywhere."""
    import numpy as np

    if array.dtype.kind == "f" and not np.isfinite(array).all():
        share = 100 * float((~np.isfinite(array)).mean())
        raise InputError(
            f"{name} holds pixels that are not numbers (NaN or infinite: {share:.3g} % of them); export the image again.",
            "not-finite",
        )
    if array.min() == array.max():
        raise constant(name)


def constant(name: str) -> InputError:
    """The refusal of an image of one grey value."""
    return InputError(f"{name} shows one single grey value everywhere; there is no picture in it.", "constant")
