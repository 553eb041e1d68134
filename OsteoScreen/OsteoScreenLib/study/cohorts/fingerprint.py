"""What is kept of an image to find its copies: a digest of its pixels, perceptual hashes, and a small picture.

The hash is pHash: the signs, against their median, of the lowest frequencies of a discrete cosine transform (Zauner 2010,
Implementation and benchmarking of perceptual image hash functions). It hardly changes when an image is resized, recompressed or
brightened, but a cropped border moves it; so besides the whole image its windows are hashed too, and a crop of the image is found
because its whole looks like one of the windows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from OsteoScreenLib.radiograph.radiograph import Radiograph, pixels_sha256

SMALL = 96  # rows and columns of the small picture
BITS = 63  # of a hash
_WINDOWS = ((1.0, 0.0, 0.0), *((side, top, left) for side in (0.95, 0.9) for top in (0, 0.5, 1) for left in (0, 0.5, 1)))


@dataclass(frozen=True)
class Fingerprint:
    """digest : SHA-256 of the upright pixels, so that equal digests are equal images, whatever the files are called.

    hashes : uint64 (19,), of the whole image, then of its windows. small : uint8 (96, 96), the image with its sides stretched.
    shape : (rows, columns) of the image. sex, age, view, site : what the file's header says, empty where it says nothing.
    """

    digest: str
    hashes: np.ndarray
    small: np.ndarray
    shape: tuple[int, int]
    sex: str = ""
    age: str = ""
    view: str = ""
    site: str = ""


def fingerprint_of(radiograph: Radiograph) -> Fingerprint:
    """The fingerprint of a radiograph as `read_radiograph` gives it."""
    import cv2

    small = cv2.resize(radiograph.pixels, (SMALL, SMALL), interpolation=cv2.INTER_AREA)
    source = radiograph.source
    return Fingerprint(
        digest=pixels_sha256(radiograph.pixels),
        hashes=np.array([_hash(_window(small, *window)) for window in _WINDOWS], np.uint64),
        small=np.round(np.clip(small, 0, 1) * 255).astype(np.uint8),
        shape=radiograph.shape,
        sex=source.patient_sex,
        age=source.patient_age,
        view=radiograph.view,
        site=radiograph.site,
    )


def _window(picture: np.ndarray, side: float, top: float, left: float) -> np.ndarray:
    """A square of that share of the picture's side; top, left : 0 at the upper or left border, 1 at the other."""
    size = round(SMALL * side)
    row, column = int(top * (SMALL - size)), int(left * (SMALL - size))
    return picture[row : row + size, column : column + size]


def _hash(picture: np.ndarray) -> int:
    """63 bits: each of the 8 × 8 lowest frequencies but the mean, whether it lies above their median."""
    import cv2

    low = cv2.dct(cv2.resize(picture, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32))[:8, :8].ravel()[1:]
    return int.from_bytes(np.packbits(low > np.median(low)).tobytes(), "big")
