"""The noun `Radiograph`, and what is known and not known about it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

Severity = Literal["info", "warning"]
SpacingSource = Literal["calibrated", "magnification", "detector", "file header", "unknown"]


@dataclass(frozen=True)
class Note:
    """One remark about a radiograph: a stable `code` for programs, a `severity`, and a sentence for a person."""

    code: str
    severity: Severity
    text: str


@dataclass(frozen=True)
class Window:
    """The range of grey values that is shown, after the modality transform: VOI LUT function LINEAR, LINEAR_EXACT or SIGMOID."""

    center: float
    width: float
    function: str = "LINEAR"


@dataclass(frozen=True)
class Source:
    """Where the pixels came from. UIDs are empty strings when the file is not DICOM.

    path : as the user gave it. sha256 : of the file's bytes, empty for arrays in memory.
    stored_shape : (rows, columns) of the image as stored in the file.
    window : what a DICOM image's grey values were shown with, None for a table of the header and for what is no DICOM.
    """

    path: str = ""
    sha256: str = ""
    format: str = ""
    stored_shape: tuple[int, int] = (0, 0)
    study_instance_uid: str = ""
    series_instance_uid: str = ""
    sop_instance_uid: str = ""
    sop_class_uid: str = ""
    modality: str = ""
    photometric_interpretation: str = ""
    patient_sex: str = ""
    patient_age: str = ""
    window: Window | None = None


@dataclass(frozen=True)
class Placement:
    """How the stored image was turned into the upright one: mirror left-right first, then quarter turns.

    mirrored : the stored image was flipped left-right (`np.fliplr`).
    quarter_turns : then rotated counter-clockwise by this many times 90° (`np.rot90`), 0 to 3.
    inverted : grey values were inverted relative to what the header says they are.

    Eight placements cover every flip and rotation (a top-bottom flip is mirrored with two quarter turns).
    """

    mirrored: bool = False
    quarter_turns: int = 0
    inverted: bool = False

    def apply(self, array: np.ndarray) -> np.ndarray:
        """Stored (rows, columns[, …]) → upright. Geometry only; polarity is the reader's business."""
        turned = np.fliplr(array) if self.mirrored else array
        return np.rot90(turned, self.quarter_turns)

    def undo(self, array: np.ndarray) -> np.ndarray:
        """Upright (rows, columns[, …]) → as stored. Geometry only."""
        turned = np.rot90(array, -self.quarter_turns)
        return np.fliplr(turned) if self.mirrored else turned

    def then(self, mirrored: bool = False, quarter_turns: int = 0, inverted: bool = False) -> Placement:
        """The placement that does this one first and then another mirror and turn."""
        turns = -self.quarter_turns if mirrored else self.quarter_turns
        return Placement(
            mirrored=self.mirrored != mirrored,
            quarter_turns=(turns + quarter_turns) % 4,
            inverted=self.inverted != inverted,
        )

    def stored_to_upright(self, stored_shape: tuple[int, int]) -> np.ndarray:
        """3×3 matrix from stored pixel centres (column, row, 1) to upright pixel centres (column, row, 1)."""
        rows, columns = stored_shape
        matrix = np.eye(3)
        if self.mirrored:
            matrix = np.array([[-1, 0, columns - 1], [0, 1, 0], [0, 0, 1]], dtype=float) @ matrix
        for _ in range(self.quarter_turns % 4):
            matrix = np.array([[0, 1, 0], [-1, 0, columns - 1], [0, 0, 1]], dtype=float) @ matrix
            rows, columns = columns, rows
        return matrix

    def upright_to_stored(self, stored_shape: tuple[int, int]) -> np.ndarray:
        """3×3 matrix from upright pixel centres (column, row, 1) to stored pixel centres (column, row, 1)."""
        return np.linalg.inv(self.stored_to_upright(stored_shape))


@dataclass(frozen=True)
class Radiograph:
    """One upright radiograph with bright bones and the patient's right on the viewer's left.

    pixels : float32 (rows, columns) in [0, 1].
    spacing_mm : (row, column) pixel distance in millimetres, or None when unknown (never zero).
    spacing_source : what the spacing means: "calibrated" patient plane, "magnification" corrected from the detector,
        "detector" (lengths are at the detector), "file header" (NRRD, NIfTI, TIFF) or "unknown".
    view : "PA", "AP", "LATERAL" (upper case, as in ViewPosition) or "" when the header does not say.
    site : body part in upper case as the header names it ("CHEST", "HIP", …) or "".
    placement : how the stored image was turned into `pixels`.
    notes : every remark a reader should see.
    """

    pixels: np.ndarray
    spacing_mm: tuple[float, float] | None = None
    spacing_source: SpacingSource = "unknown"
    view: str = ""
    site: str = ""
    source: Source = field(default_factory=Source)
    placement: Placement = field(default_factory=Placement)
    notes: tuple[Note, ...] = ()

    def __post_init__(self) -> None:
        if self.pixels.ndim != 2 or self.pixels.dtype != np.float32:
            raise ValueError(f"Radiograph.pixels must be 2-D float32, got {self.pixels.shape} {self.pixels.dtype}")

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of the upright image."""
        return self.pixels.shape[0], self.pixels.shape[1]

    def with_notes(self, *notes: Note) -> Radiograph:
        """The same radiograph with more notes."""
        return replace(self, notes=self.notes + notes)

    def turned(self, mirrored: bool = False, quarter_turns: int = 0, inverted: bool = False) -> Radiograph:
        """The same radiograph mirrored, then turned counter-clockwise by quarter turns, and/or with grey values inverted."""
        pixels = Placement(mirrored, quarter_turns % 4).apply(self.pixels)
        if inverted:
            pixels = np.float32(1) - pixels
        spacing = self.spacing_mm
        if spacing is not None and quarter_turns % 2:
            spacing = (spacing[1], spacing[0])
        return replace(
            self,
            pixels=np.ascontiguousarray(pixels),
            spacing_mm=spacing,
            placement=self.placement.then(mirrored, quarter_turns, inverted),
        )


def pixels_sha256(pixels: np.ndarray) -> str:
    """SHA-256 of an image's element type, shape and values, in hexadecimal: its name in cache keys."""
    digest = hashlib.sha256(f"{pixels.dtype.newbyteorder('<').str} {pixels.shape}".encode())
    digest.update(np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<")).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
