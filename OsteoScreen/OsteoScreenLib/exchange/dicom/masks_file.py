"""Bone masks from a file of either kind, told by its content: a `.seg.nrrd` of 3D Slicer or a DICOM Segmentation."""

from __future__ import annotations

from pathlib import Path

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL, Site
from OsteoScreenLib.radiograph.radiograph import Radiograph


def read_masks(path: Path, radiograph: Radiograph, site: Site = CHEST_FRONTAL) -> BoneMasks:
    """The bones of a masks file on this radiograph's upright pixels.

    Raises `InputError` in one sentence when there is no such file, when it cannot be read, holds no known bone, or belongs to
    another image.
    """
    from OsteoScreenLib.bones.segnrrd import read_seg_nrrd
    from OsteoScreenLib.exchange.dicom.read_segmentation import read_segmentation
    from OsteoScreenLib.radiograph.sniff import kind_of

    try:
        with open(path, "rb") as stream:
            kind = kind_of(stream.read(4096))
    except OSError:
        kind = "unknown"  # the reader says what is wrong with the file
    return (read_segmentation if kind == "dicom" else read_seg_nrrd)(path, radiograph, site)
