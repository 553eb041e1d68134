"""A small DICOM radiograph for tests of the network: complete enough to be sent, with a patient who must not be named."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

STUDY, SERIES, UID = "1.2.1", "1.2.2", "1.2.3"
PATIENT_NAME, PATIENT_ID = "Doe^Jane", "4711"


def radiograph(uid: str = UID, rows: int = 64, columns: int = 48, **changes: Any) -> Dataset:
    """A DX image of 12 bits, rows × columns; `changes` replace attributes."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = DigitalXRayImageStorageForPresentation
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = uid
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.Modality = STUDY, SERIES, "DX"
    dataset.PatientName, dataset.PatientID = PATIENT_NAME, PATIENT_ID
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel, dataset.BitsAllocated, dataset.BitsStored = rows, columns, 1, 16, 12
    dataset.HighBit, dataset.PixelRepresentation, dataset.PhotometricInterpretation = 11, 0, "MONOCHROME2"
    dataset.PixelData = (np.arange(rows * columns) % 4096).astype(np.uint16).tobytes()
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    return dataset


def as_file(dataset: Dataset) -> bytes:
    """The data set as a DICOM file."""
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
