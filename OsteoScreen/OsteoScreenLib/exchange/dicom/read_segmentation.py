"""DICOM Segmentations, our own and others', → `BoneMasks` on this radiograph.

Read is every Segmentation (BINARY or FRACTIONAL) and Label Map Segmentation that refers to this image and has its rows and
columns. A segment is a bone by its codes (SNOMED CT, also as the older SRT), else by its label. Fractional segments count from
half of their largest possible value on. Segments of the same bone are put together; others are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL, Bone, Site
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.exchange.dicom.segment_frames import SegmentFrames, referenced_images
from OsteoScreenLib.radiograph import header
from OsteoScreenLib.radiograph.limits import printable
from OsteoScreenLib.radiograph.radiograph import Radiograph

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_CLASSES = {"1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"}
# Words of labels in other programs' and languages' spelling → ours.
_WORDS = {
    "vertebra": "", "vertebrae": "", "bone": "", "clavicula": "clavicle", "clavicles": "clavicle", "ribs": "rib", "costa": "rib",
    "r": "right", "l": "left", "rt": "right", "lt": "left", "dexter": "right", "sinister": "left",
}  # fmt: skip


def read_segmentation(path: Path, radiograph: Radiograph, site: Site = CHEST_FRONTAL) -> BoneMasks:
    """The bones of a DICOM Segmentation file, turned upright as the radiograph is; no pixel is resampled.

    Raises
    ------
    InputError
        One sentence and a code: "masks-unreadable" (no segmentation, or a damaged one), "masks-elsewhere" (about another image, or
        this radiograph has no DICOM header to compare with), "masks-no-bones" (none of the site's bones).
    """
    from pydicom.config import disable_value_validation

    from OsteoScreenLib.radiograph.dicom import parse_dicom
    from OsteoScreenLib.radiograph.quiet import quiet
    from OsteoScreenLib.radiograph.read import bytes_of

    name = printable(path.name)
    with quiet(), disable_value_validation():
        dataset = parse_dicom(bytes_of(path), name)
        if header.text(dataset, "SOPClassUID") not in _CLASSES:
            raise InputError(f"{name} is no DICOM segmentation; give it a SEG object or a .seg.nrrd file.", "masks-unreadable")
        _check_image(dataset, radiograph, name)
        return _bones(dataset, radiograph, site, name)


def _check_image(dataset: Dataset, radiograph: Radiograph, name: str) -> None:
    source = radiograph.source
    if not source.sop_instance_uid:
        raise InputError(
            f"{name} refers to a DICOM image, and this radiograph comes without a DICOM header; open the DICOM file itself.",
            "masks-elsewhere",
        )
    named = set(referenced_images(dataset)) - {""}
    if source.sop_instance_uid not in named:
        whose = "is about another image" if named else "does not say about which image it is"
        raise InputError(f"{name} {whose}; give the segmentation of this radiograph.", "masks-elsewhere")
    shape = (header.integer(dataset, "Rows") or 0, header.integer(dataset, "Columns") or 0)
    if shape != source.stored_shape:
        rows, columns = source.stored_shape
        raise InputError(
            f"{name} has {shape[1]} × {shape[0]} pixels and this radiograph {columns} × {rows}; give a segmentation that lies on it "
            "pixel by pixel.",
            "masks-elsewhere",
        )


def _bones(dataset: Dataset, radiograph: Radiograph, site: Site, name: str) -> BoneMasks:
    source, placement = radiograph.source, radiograph.placement
    numbers: dict[str, list[int]] = {}
    for segment in header.items(dataset, "SegmentSequence"):
        number, bone = header.integer(segment, "SegmentNumber"), bone_of_segment(segment, site)
        if bone is not None and number is not None:
            numbers.setdefault(bone.name, []).append(number)
    if not numbers:
        raise InputError(
            f"{name} holds no bone of {site.name}; code its segments in SNOMED CT, or label them for example "
            f"'{site.bones[-2].name}'.",
            "masks-no-bones",
        )
    frames = SegmentFrames(dataset, source.stored_shape, source.sop_instance_uid, name)
    stored = BoneMasks.pack(_Masks(frames, numbers), source.stored_shape, site, method=f"file {name}")
    if not stored.names:
        raise InputError(f"{name} holds no mask on this radiograph; give the segmentation drawn on it.", "masks-elsewhere")
    return replace(stored, layers=np.stack([placement.apply(layer) for layer in stored.layers]))


class _Masks(Mapping[str, np.ndarray]):
    """Bone → its mask as stored, decoded when it is asked for: all masks of a large radiograph at once would be gigabytes."""

    def __init__(self, frames: SegmentFrames, numbers: Mapping[str, list[int]]) -> None:
        self._frames, self._numbers = frames, numbers
        self._last: tuple[str, np.ndarray] | None = None

    def __getitem__(self, bone: str) -> np.ndarray:
        if self._last is None or self._last[0] != bone:
            masks = (self._frames.mask(number) for number in self._numbers[bone])
            self._last = (bone, reduce(np.logical_or, masks))
        return self._last[1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)


def bone_of_segment(segment: Dataset, site: Site) -> Bone | None:
    """Which bone a segment's codes say it is, else its label; None when neither says so.

    Codes are looked for in the property type, the primary anatomic structure and the anatomic region, each with its laterality.
    """
    for what, which in (
        ("SegmentedPropertyTypeCodeSequence", "SegmentedPropertyTypeModifierCodeSequence"),
        ("PrimaryAnatomicStructureSequence", "PrimaryAnatomicStructureModifierSequence"),
        ("AnatomicRegionSequence", "AnatomicRegionModifierSequence"),
    ):
        for item in header.items(segment, what):
            # Older writers put the laterality beside the type instead of into it.
            sides = [*header.items(item, which), *header.items(segment, which)]
            for bone in site.bones:
                if _is(item, bone.code.value) and (
                    bone.side_code is None or any(_is(one, bone.side_code.value) for one in sides)
                ):
                    return bone
    by_words = {_words(bone.name): bone for bone in site.bones}
    return by_words.get(_words(header.text(segment, "SegmentLabel")))


def _is(item: Dataset, snomed: str) -> bool:
    """Whether a code item means a term of SNOMED CT; pydicom knows which SRT code is which."""
    from pydicom.sr.coding import Code

    value, scheme = header.text(item, "CodeValue"), header.text(item, "CodingSchemeDesignator")
    return bool(value) and Code(value, scheme, "") == Code(snomed, "SCT", "")


def _words(label: str) -> frozenset[str]:
    """A label's words whatever their order, case and separators: "rib_left_5" and "left rib 5" are the same."""
    found = re.findall(r"[a-z]+\d+|[a-z]+|\d+", label.lower())
    return frozenset(word for one in found if (word := _WORDS.get(one, one.lstrip("0"))))
