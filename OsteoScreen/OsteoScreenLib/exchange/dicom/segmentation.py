"""Bone masks → DICOM Segmentation (PS3.3 A.51), one binary segment a bone, on the stored image's pixels.

Bones overlap in projection, so every bone is a frame of its own (BINARY, with SegmentsOverlap as it is). The frames have the
stored image's rows and columns and refer to it alone: a projection radiograph has no Frame of Reference, and needs none here.
Pixel measures are the image's own and are not repeated: their macro speaks of slices, and readers ask it for a thickness.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np

from OsteoScreenLib import __version__
from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.quality import MaskQuality, assess
from OsteoScreenLib.bones.vocabulary import Bone, Site
from OsteoScreenLib.exchange.dicom import codes
from OsteoScreenLib.exchange.dicom.packed_frames import pack_frames
from OsteoScreenLib.exchange.dicom.series import MANUFACTURER, RESEARCH_USE, object_facts
from OsteoScreenLib.exchange.dicom.source import SourceImage
from OsteoScreenLib.exchange.dicom.uids import tracking_uid

if TYPE_CHECKING:
    from highdicom.content import AlgorithmIdentificationSequence
    from highdicom.seg import Segmentation, SegmentDescription
    from highdicom.sr import CodedConcept

FROM_A_FILE = "masks from a file"


def build_segmentation(source: SourceImage, sop_instance_uid: str, masks: BoneMasks) -> Segmentation:
    """A Segmentation of all bones found; segment numbers are those of `segment_numbers`.

    masks : on the upright radiograph, at least one bone. They are turned back to how the stored image lies; not resampled.
    Raises `ValueError` when the masks are not of the image's size or empty.
    """
    if not masks.names:
        raise ValueError("there is no bone to write")
    quality = assess(masks)
    described = [
        _describe(number, masks.site.by_name[name], masks, quality[name], source)
        for name, number in segment_numbers(masks).items()
    ]
    layers = [source.stored(layer) for layer in masks.layers]  # a few large turns instead of one a bone
    return segmentation_of(
        source,
        (layers[layer] == label for layer, label in (masks.table[name] for name in masks.names)),
        described,
        facts=object_facts("segmentation", source, sop_instance_uid),
        label="BONES",
        description=f"{RESEARCH_USE}. Bones on a {masks.site.image} radiograph",
    )


def segmentation_of(
    source: SourceImage,
    masks: Iterable[np.ndarray],
    described: list[SegmentDescription],
    *,
    facts: dict[str, Any],
    label: str,
    description: str,
) -> Segmentation:
    """A BINARY Segmentation. masks : bool (stored rows, stored columns), one a described segment, taken one at a time.

    Raises `ValueError` when masks are not of the stored image's size.
    """
    from highdicom.seg import Segmentation, SegmentationTypeValues

    from OsteoScreenLib.radiograph.quiet import quiet

    # highdicom takes all frames at once with one byte a pixel, gigabytes for a large radiograph. So it builds the object around
    # frames of the smallest size, and the true ones are put into it.
    small = deepcopy(source.header)  # a shallow copy would share the elements that are set here
    small.Rows = small.Columns = 8
    with quiet():
        made = Segmentation(
            source_images=[small],
            pixel_array=np.ones((1, 8, 8, len(described)), np.uint8),
            segmentation_type=SegmentationTypeValues.BINARY,
            segment_descriptions=described,
            content_label=label,
            content_description=description,
            **facts,
        )
    made.Rows, made.Columns = source.shape
    made.PixelData, overlap = pack_frames(masks, len(described), source.shape)
    made.SegmentsOverlap = "YES" if overlap else "NO"
    made.PatientOrientation = None  # of the stored image; its header is often wrong about it
    return made


def segment_numbers(masks: BoneMasks) -> dict[str, int]:
    """Bone name → Segment Number, from 1, in the vocabulary's order."""
    return {name: number for number, name in enumerate(masks.names, 1)}


def algorithm(name: str, version: str = __version__) -> AlgorithmIdentificationSequence:
    """What made a segment, as artificial intelligence (Algorithm Identification macro)."""
    from highdicom.content import AlgorithmIdentificationSequence

    return AlgorithmIdentificationSequence(
        name=name[:64], family=codes.concept(codes.ARTIFICIAL_INTELLIGENCE), version=version, source=MANUFACTURER
    )


def _describe(number: int, bone: Bone, masks: BoneMasks, quality: MaskQuality, source: SourceImage) -> SegmentDescription:
    from highdicom.color import CIELabColor
    from highdicom.seg import SegmentAlgorithmTypeValues, SegmentDescription

    # The name of a masks file may name the patient.
    by_hand = masks.method.startswith("file ")
    kind = SegmentAlgorithmTypeValues.SEMIAUTOMATIC if quality.edited or by_hand else SegmentAlgorithmTypeValues.AUTOMATIC
    described = SegmentDescription(
        segment_number=number,
        segment_label=bone.name,
        segmented_property_category=codes.concept(codes.ANATOMICAL_STRUCTURE),
        segmented_property_type=codes.concept(bone.code),
        algorithm_type=kind,
        algorithm_identification=algorithm(FROM_A_FILE if by_hand else masks.method or "unknown"),
        tracking_uid=tracking_uid(source.sop_instance_uid, bone.name),
        tracking_id=bone.name,
        anatomic_regions=_regions(masks.site),
        display_color=CIELabColor.from_rgb(*bone.colour),
    )
    if bone.side_code is not None:
        described.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = [
            codes.concept(bone.side_code)
        ]
    described.SegmentDescription = _remarks(quality)
    return described


def _regions(site: Site) -> list[CodedConcept] | None:
    return None if site.region is None else [codes.concept(site.region)]


def _remarks(quality: MaskQuality) -> str:
    """What is known of a mask besides its pixels, in words."""
    words = [RESEARCH_USE]
    if quality.confidence is not None:
        words.append(f"estimated Dice {quality.confidence:.2f}")
    if quality.trust:
        words.append(
            {"good": "usually right", "check": "to be checked", "hidden": "often wrong, hidden by default"}[quality.trust]
        )
    if quality.numbering_uncertain:
        words.append("number counted by position")
    words += [mark.text.rstrip(".") for mark in quality.marks]
    if quality.edited:
        words.append("changed by a person")
    return "; ".join(words)[:1024]
