"""Bone masks as `.seg.nrrd`, 3D Slicer's segmentation file, written and read through slicerio.

Geometry follows what Slicer gives an unoriented 2-D image: column → patient left, row → posterior (LPS), spacing from the
radiograph or 1 mm when it is unknown. The file lies on the *stored* image, so masks of a radiograph that was turned upright
still sit on the anatomy when the original file is loaded beside them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.quality import MaskQuality, assess
from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL, Bone, Site, normalised_name
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.files import write_atomically
from OsteoScreenLib.radiograph.radiograph import Radiograph

_CATEGORY = ["SCT", "123037004", "Anatomical Structure"]


def pixel_to_lps(radiograph: Radiograph) -> np.ndarray:
    """4×4 matrix from upright pixel centres (column, row, 0, 1) to LPS millimetres of the stored image."""
    odd_turn = radiograph.placement.quarter_turns % 2 == 1
    stored_shape = radiograph.shape[::-1] if odd_turn else radiograph.shape
    row_mm, column_mm = radiograph.spacing_mm or (1.0, 1.0)
    if odd_turn:
        row_mm, column_mm = column_mm, row_mm
    turn = radiograph.placement.upright_to_stored(stored_shape)
    matrix = np.eye(4)
    matrix[:2, :2] = turn[:2, :2]
    matrix[:2, 3] = turn[:2, 2]
    return np.diag([column_mm, row_mm, 1.0, 1.0]) @ matrix


def write_seg_nrrd(path: Path, masks: BoneMasks, radiograph: Radiograph) -> Path:
    """Write `masks` atomically, one segment a bone, with names, colours and SNOMED CT terms.

    Raises `OsteoScreenError` when the folder is full or cannot be written.
    """
    import slicerio

    if masks.shape != radiograph.shape:
        raise ValueError(f"masks {masks.shape} and radiograph {radiograph.shape} differ in size")
    quality = assess(masks)
    segments = []
    for name in masks.names:
        layer, label = masks.table[name]
        bone = masks.site.by_name[name]
        segments.append(
            {
                "id": name.replace(" ", "_"),
                "name": name,
                "color": [round(channel / 255, 6) for channel in bone.colour],
                "labelValue": label,
                "layer": layer,
                "terminology": _terminology(bone),
                "tags": {"OsteoScreen.method": masks.method or "unknown", **_tags(quality[name])},
            }
        )
    voxels = masks.layers.transpose(0, 2, 1)[..., np.newaxis]
    if not segments:  # Slicer's convention for a segmentation without segments: a single voxel
        voxels = np.zeros((1, 1, 1, 1), np.uint8)
    segmentation = {
        "voxels": voxels if len(voxels) > 1 else voxels[0],
        "ijkToLPS": pixel_to_lps(radiograph),
        "containedRepresentationNames": ["Binary labelmap"],
        "segments": segments,
    }

    def write(temporary: Path) -> None:
        slicerio.write_segmentation(str(temporary), segmentation, compression_level=4)
        drop_comments(temporary)

    return write_atomically(path, write)


def drop_comments(path: Path) -> None:
    """Take the comments out of an NRRD file's header: they name the second of writing, and the same content shall give the same bytes."""
    header, data = path.read_bytes().split(b"\n\n", 1)
    kept = [line for line in header.split(b"\n") if not line.startswith(b"#")]
    path.write_bytes(b"\n".join(kept) + b"\n\n" + data)


def read_seg_nrrd(path: Path, radiograph: Radiograph, site: Site = CHEST_FRONTAL) -> BoneMasks:
    """Masks from a `.seg.nrrd` drawn on this radiograph, brought to its upright pixels (nearest neighbour).

    Segments are recognised by name, else by their coded term and side; others are ignored.

    Raises
    ------
    InputError
        One sentence when the file cannot be read, holds no known bone, or lies on another image.
    """
    import slicerio

    if not path.is_file():
        raise InputError(f"There is no masks file {path}; give the path of a .seg.nrrd file.", code="masks-missing")
    try:
        segmentation = slicerio.read_segmentation(str(path))
        voxels = np.asarray(segmentation["voxels"])
        to_lps = np.asarray(segmentation["ijkToLPS"], dtype=float)
    except Exception as error:  # pynrrd and slicerio raise many types on damaged files
        raise InputError(
            f"{path.name} could not be read as a segmentation; save it from 3D Slicer as .seg.nrrd.", code="masks-unreadable"
        ) from error
    layers = voxels if voxels.ndim == 4 else voxels[np.newaxis]
    if layers.shape[3] != 1:
        raise InputError(f"{path.name} is a 3-D segmentation; give one drawn on this radiograph.", code="masks-not-2d")
    named = {bone.name: segment for segment in segmentation.get("segments", []) if (bone := _bone_of(segment, site))}
    if not named:
        raise InputError(
            f"{path.name} holds no bone of {site.name}; name segments for example '{site.bones[-2].name}'.",
            code="masks-no-bones",
        )
    onto_voxels = (np.linalg.inv(to_lps) @ pixel_to_lps(radiograph))[np.ix_((0, 1), (0, 1, 3))]
    upright = [_resample(layer[:, :, 0], onto_voxels, radiograph.shape) for layer in layers]
    masks = {
        name: upright[int(segment.get("layer", 0))] == int(segment.get("labelValue", 1)) for name, segment in named.items()
    }
    if not any(mask.any() for mask in masks.values()):
        raise InputError(
            f"The segments of {path.name} lie outside this radiograph; give the masks drawn on this image.",
            code="masks-elsewhere",
        )
    return BoneMasks.pack(masks, radiograph.shape, site, method=f"file {path.name}")


def _resample(plane: np.ndarray, onto_voxels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A labels plane (i, j) sampled at every upright pixel (rows, columns); outside is background."""
    import cv2

    return cv2.warpAffine(
        np.ascontiguousarray(plane.T.astype(np.int16)),
        onto_voxels,
        (shape[1], shape[0]),
        flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=0,
    )


def _tags(quality: MaskQuality) -> dict[str, str]:
    """What is known of a mask besides its pixels, as a segment's tags; Slicer shows and keeps them."""
    tags = {} if quality.confidence is None else {"OsteoScreen.confidence": f"{quality.confidence:.3f}"}
    words = [*quality.codes, *(["edited"] if quality.edited else [])]
    if words:
        tags["OsteoScreen.remarks"] = ",".join(words)
    if quality.numbering_uncertain:
        tags["OsteoScreen.numbering"] = "uncertain"
    return tags


def _terminology(bone: Bone) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "contextName": "Segmentation category and type - DICOM master list",
        "category": _CATEGORY,
        "type": [bone.code.scheme, bone.code.value, bone.code.meaning],
        "anatomicContextName": "Anatomic codes - DICOM master list",
    }
    if bone.side_code is not None:
        entry["typeModifier"] = [bone.side_code.scheme, bone.side_code.value, bone.side_code.meaning]
    return entry


def _bone_of(segment: dict[str, Any], site: Site) -> Bone | None:
    by_name = {normalised_name(bone.name): bone for bone in site.bones}
    if (named := by_name.get(normalised_name(segment.get("name", "")))) is not None:
        return named
    terms = segment.get("terminology", {})
    code, side = terms.get("type", ["", ""])[1], terms.get("typeModifier", ["", ""])[1]
    for bone in site.bones:
        if bone.code.value == code and (bone.side_code.value if bone.side_code else "") == side:
            return bone
    return None
