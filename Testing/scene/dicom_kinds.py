"""One small DICOM file of every kind of header that readers of volumes treat differently."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian
from radiograph.synthetic import CR, SC, data_set, grey_picture

TWELVE = grey_picture(96, 80)
BITS: dict[str, Any] = {"BitsStored": 12, "HighBit": 11}


def _table() -> list[Dataset]:
    item = Dataset()
    item.LUTDescriptor, item.ModalityLUTType = [4096, 0, 16], "US"
    item.LUTData = (np.linspace(0, 1, 4096) ** 2 * 60000).astype("<u2").tobytes()
    item["LUTData"].VR = "OW"
    return [item]


SIGNED = (TWELVE.astype("i4") - 1000).astype("i2")
ONE = {"PhotometricInterpretation": "MONOCHROME1"}
KINDS: dict[str, FileDataset] = {
    "8 bits": data_set(grey_picture(96, 80, 255, "u1")), "12 bits": data_set(TWELVE, **BITS),
    "16 bits": data_set(grey_picture(96, 80, 65535)), "32 bits": data_set(TWELVE.astype("u4")),
    "8 bits monochrome1": data_set(grey_picture(96, 80, 255, "u1"), **ONE), "12 bits monochrome1": data_set(TWELVE, **BITS, **ONE),
    "16 bits monochrome1": data_set(grey_picture(96, 80, 65535), **ONE), "unused bits monochrome1": data_set(TWELVE, **ONE),
    "signed": data_set(SIGNED), "signed monochrome1": data_set(SIGNED, **ONE),
    "signed 12 bits": data_set((TWELVE.astype("i4") - 2048).astype("i2"), **BITS),
    "signed 12 bits monochrome1": data_set((TWELVE.astype("i4") - 2048).astype("i2"), **BITS, **ONE),
    "rescale": data_set(TWELVE, **BITS, RescaleSlope=2, RescaleIntercept=-1024),
    "rescale fractions": data_set(TWELVE, **BITS, RescaleSlope=0.5, RescaleIntercept=-10.25),
    "rescale small": data_set(TWELVE, **BITS, RescaleSlope=0.1, RescaleIntercept=3),
    "rescale falling": data_set(TWELVE, **BITS, RescaleSlope=-1, RescaleIntercept=4095),
    "rescale monochrome1": data_set(TWELVE, **BITS, **ONE, RescaleSlope=2, RescaleIntercept=-1024),
    "rescale fractions monochrome1": data_set(TWELVE, **BITS, **ONE, RescaleSlope=0.5, RescaleIntercept=-7),
    "modality lut": data_set(TWELVE, **BITS, ModalityLUTSequence=_table()),
    "modality lut monochrome1": data_set(TWELVE, **BITS, **ONE, ModalityLUTSequence=_table()),
    "window": data_set(TWELVE, **BITS, WindowCenter=2000, WindowWidth=3000),
    "presentation inverse": data_set(TWELVE, **BITS, PresentationLUTShape="INVERSE"),
    "padding": data_set(np.pad(TWELVE[8:-8, 8:-8], 8), **BITS, **ONE, PixelPaddingValue=0),
    "collimated": data_set(np.pad(TWELVE[8:-8, 8:-8], 8, constant_values=4095), **BITS, CollimatorShape="RECTANGULAR",
                           CollimatorUpperHorizontalEdge=8, CollimatorLowerHorizontalEdge=89, CollimatorLeftVerticalEdge=8,
                           CollimatorRightVerticalEdge=73),
    "pixel aspect ratio": data_set(TWELVE, **BITS, PixelAspectRatio=[3, 2]),
    "pixel aspect ratio of a capture": data_set(TWELVE, sop_class=SC, modality="CR", **BITS, PixelAspectRatio=[3, 2]),
    "pixel spacing": data_set(TWELVE, **BITS, PixelSpacing=[0.2, 0.3]),
    "pixel spacing cr": data_set(TWELVE, sop_class=CR, modality="CR", **BITS, PixelSpacing=[0.2, 0.3]),
    "imager spacing": data_set(TWELVE, **BITS, ImagerPixelSpacing=[0.2, 0.3]),
    "magnified": data_set(TWELVE, **BITS, ImagerPixelSpacing=[0.2, 0.2], EstimatedRadiographicMagnificationFactor=1.1),
    "both spacings": data_set(TWELVE, sop_class=CR, modality="CR", **BITS, ImagerPixelSpacing=[0.2, 0.2], PixelSpacing=[0.18, 0.18]),
    "three spacings": data_set(TWELVE, sop_class=SC, modality="CR", **BITS, ImagerPixelSpacing=[0.2, 0.2], PixelSpacing=[0.18, 0.18],
                               NominalScannedPixelSpacing=[0.19, 0.19]),
    "frontal plane": data_set(TWELVE, **BITS, ImageOrientationPatient=[1, 0, 0, 0, 0, -1], ImagePositionPatient=[-10, 20, 30]),
    "seen from behind": data_set(TWELVE, sop_class=SC, modality="CR", **BITS, PixelSpacing=[0.2, 0.2],
                                 ImageOrientationPatient=[-1, 0, 0, 0, 0, -1], ImagePositionPatient=[-10, 20, 30]),
    "upside down": data_set(TWELVE, **BITS, ImageOrientationPatient=[1, 0, 0, 0, 0, 1], ImagePositionPatient=[0, 0, 0]),
    "on its side": data_set(TWELVE, **BITS, ImagerPixelSpacing=[0.2, 0.3], ImageOrientationPatient=[0, 0, -1, 1, 0, 0],
                            ImagePositionPatient=[0, 0, 0]),
    "sagittal plane": data_set(TWELVE, **BITS, ImageOrientationPatient=[0, 1, 0, 0, 0, -1], ImagePositionPatient=[0, 0, 0]),
    "patient orientation": data_set(TWELVE, **BITS, PatientOrientation=["R", "H"]),
    "bits to the left": data_set((TWELVE << 4).astype("u2"), BitsStored=12, HighBit=15),
    "overlay in high bits": data_set((TWELVE | 0xF000).astype("u2"), **BITS),
    "grey in colour": data_set(np.repeat(grey_picture(96, 80, 255, "u1")[..., None], 3, 2)),
    "big endian": data_set(TWELVE, **BITS, syntax=ExplicitVRBigEndian), "implicit": data_set(TWELVE, **BITS, syntax=ImplicitVRLittleEndian),
}  # fmt: skip
