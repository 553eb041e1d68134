"""DICOM data sets and pictures made for tests: every corner of the image differs, so no turn goes unnoticed."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.config import disable_value_validation
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
    generate_uid,
)

CR, DX, SC = ComputedRadiographyImageStorage, DigitalXRayImageStorageForPresentation, SecondaryCaptureImageStorage


def grey_picture(rows: int = 96, columns: int = 80, top: int = 4095, dtype: str = "u2", seed: int = 0) -> np.ndarray:
    """Values from 0 to `top` with a slope in both directions and some texture; both ends occur."""
    down, across = np.mgrid[0:rows, 0:columns]
    smooth = 0.6 * down / (rows - 1) + 0.3 * across / (columns - 1)
    texture = np.random.default_rng(seed).uniform(0, 0.1, (rows, columns))
    array = smooth + texture
    array = (array - array.min()) / (array.max() - array.min())
    return np.rint(array * top).astype(dtype)


def data_set(
    array: np.ndarray, *, sop_class: UID = DX, modality: str = "DX", syntax: UID = ExplicitVRLittleEndian, **tags: Any
) -> FileDataset:
    """A data set of uncompressed grey pixels; `tags` set attributes, None removes one."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["instance"])
    dataset = FileDataset(
        "memory", {}, file_meta=meta, preamble=bytes(128),
        is_implicit_VR=syntax.is_implicit_VR, is_little_endian=syntax.is_little_endian,
    )  # fmt: skip
    dataset.SOPClassUID = sop_class
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = (
        generate_uid(entropy_srcs=["study"]),
        generate_uid(entropy_srcs=["series"]),
    )
    dataset.Modality = modality
    dataset.PatientName, dataset.PatientID = "Nightingale^Florence", "SECRET-17"
    dataset.SamplesPerPixel = 1 if array.ndim == 2 else array.shape[-1]
    dataset.PhotometricInterpretation = "MONOCHROME2" if array.ndim == 2 else "RGB"
    if array.ndim == 3:
        dataset.PlanarConfiguration = 0
    dataset.Rows, dataset.Columns = array.shape[:2]
    bits = 8 * array.dtype.itemsize
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
    dataset.PixelRepresentation = int(array.dtype.kind == "i")
    with disable_value_validation():  # hospitals do not validate either
        _set(dataset, tags)
    order = array.dtype.newbyteorder("<" if syntax.is_little_endian else ">")
    dataset.PixelData = array.astype(order).tobytes()
    dataset["PixelData"].VR = "OW" if bits > 8 else "OB"
    return dataset


def _set(dataset: FileDataset, tags: dict[str, Any]) -> None:
    for keyword, value in tags.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)


def save(dataset: FileDataset, path: Path) -> Path:
    """Write a data set as a file with preamble and meta information."""
    dataset.save_as(path, enforce_file_format=True)
    return path


def bytes_of(dataset: FileDataset) -> bytes:
    """The file that `save` would write."""
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def codes(radiograph: Any) -> set[str]:
    """The codes of a radiograph's notes."""
    return {note.code for note in radiograph.notes}
