"""Bone outlines → a softcopy presentation state (PS3.3 A.33.1, colour: A.33.2): the source image itself, upright, with vector outlines.

A viewer that opens it shows the stored image turned and mirrored as OsteoScreen reads it, in the grey values that OsteoScreen sees, with
a layer of outlines for each group of bones that can be switched off.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.vocabulary import Bone
from OsteoScreenLib.exchange.dicom.grey_chain import put_grey_chain
from OsteoScreenLib.exchange.dicom.series import RESEARCH_USE, object_facts, put_body_part
from OsteoScreenLib.exchange.dicom.source import SourceImage
from OsteoScreenLib.exchange.dicom.uids import ResultUids, tracking_uid
from OsteoScreenLib.exchange.placing import moved
from OsteoScreenLib.exchange.plate import Traced, trace
from OsteoScreenLib.radiograph import header
from OsteoScreenLib.radiograph.radiograph import Placement, Radiograph

if TYPE_CHECKING:
    from highdicom.pr import GraphicAnnotation, GraphicLayer, GraphicObject, TextObject
    from pydicom.dataset import Dataset

TOLERANCE = 0.5
"""How far, in stored pixels, an outline may run beside the mask's edge."""

# A float is 4 bytes and a value of VR FL at most 65,534, in transfer syntaxes with explicit VRs (PS3.5 7.1.2).
_MOST_POINTS = 8000
_NOTICE_LAYER = "NOTICE"


def build_presentation(
    source: SourceImage,
    uids: ResultUids,
    radiograph: Radiograph,
    masks: BoneMasks,
    traced: Mapping[str, Traced] | None = None,
) -> Dataset:
    """A presentation state for a radiograph and its bones.

    Outlines are polylines in stored pixels, to half a pixel, in a layer for each group of bones, each bone with its name as text.
    radiograph, masks : upright, of the same size. Where the source is in colour, grey values are left as they are.
    traced : of `exchange.plate.trace(masks)`, if there already.
    """
    from highdicom.pr import ColorSoftcopyPresentationState, GrayscaleSoftcopyPresentationState

    from OsteoScreenLib.radiograph.quiet import quiet

    colour = (header.integer(source.original, "SamplesPerPixel") or 1) > 1
    with quiet():
        layers, annotations = _graphics(source, masks, trace(masks) if traced is None else traced)
        image = _referenced(source, 3 if colour else 1)
        kind = partial(ColorSoftcopyPresentationState, icc_profile=_srgb()) if colour else GrayscaleSoftcopyPresentationState
        state = kind(
            referenced_images=[image],
            content_label="BONE OUTLINES",
            content_description=f"{RESEARCH_USE}. Bones on a {masks.site.image} radiograph",
            graphic_layers=layers,
            graphic_annotations=annotations,
            **object_facts("presentation", source, uids.presentation),
        )
    if not colour:
        put_grey_chain(state, source.original, radiograph)
    put_body_part(state, masks.site)
    _put_orientation(state, source)
    return state


def rotation_and_flip(placement: Placement) -> tuple[int, bool]:
    """(Image Rotation in degrees clockwise, Image Horizontal Flip) that show a stored image as the placement lays it.

    DICOM turns first and then flips (PS3.3 C.10.6); `Placement` mirrors first, and a mirror reverses the sense of a turn.
    """
    turns = placement.quarter_turns if placement.mirrored else -placement.quarter_turns
    return turns % 4 * 90, placement.mirrored


def _srgb() -> bytes:
    """The colour space in which a viewer shows an image that does not name one, as an ICC profile of class input (PS3.3 C.11.15)."""
    from PIL import ImageCms

    display = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return display[:12] + b"scnr" + display[16:]  # a matrix profile is built alike for displays and for inputs


def _referenced(source: SourceImage, samples: int) -> Dataset:
    from pydicom.dataset import Dataset

    image = Dataset()
    image.update(source.header)
    image.SamplesPerPixel = samples
    return image


def _put_orientation(state: Dataset, source: SourceImage) -> None:
    """Spatial Transformation, and the displayed area: its corners are those on the screen, in stored columns and rows from 1."""
    degrees, flip = rotation_and_flip(source.placement)
    state.ImageRotation, state.ImageHorizontalFlip = degrees, "Y" if flip else "N"
    rows, columns = source.shape
    turned = (columns, rows) if degrees % 180 else (rows, columns)
    corners = np.array([[0.0, 0.0], [turned[1] - 1.0, turned[0] - 1.0]])
    first, last = np.rint(moved(corners, source.upright_to_stored)).astype(int) + 1
    area = state.DisplayedAreaSelectionSequence[0]
    if "PixelOriginInterpretation" in area:  # for images in tiles
        del area.PixelOriginInterpretation
    area.DisplayedAreaTopLeftHandCorner = [int(first[0]), int(first[1])]
    area.DisplayedAreaBottomRightHandCorner = [int(last[0]), int(last[1])]
    area.PresentationPixelAspectRatio = _aspect(source)


def _aspect(source: SourceImage) -> list[int]:
    """A stored pixel's height to its width. No spacing is stated: what a viewer measures follows from the image's own header."""
    stated = header.numbers(source.original, "PixelAspectRatio")
    usable = len(stated) == 2 and all(0 < one < 1e6 for one in stated)
    height, width = source.spacing_mm or (stated if usable else (1.0, 1.0))
    ratio = Fraction(height / width).limit_denominator(1000)
    return [max(1, ratio.numerator), ratio.denominator]


def _graphics(
    source: SourceImage, masks: BoneMasks, traced: Mapping[str, Traced]
) -> tuple[list[GraphicLayer], list[GraphicAnnotation]]:
    from highdicom.color import CIELabColor
    from highdicom.pr import GraphicAnnotation, GraphicLayer

    image = _referenced(source, 1)
    layers: list[GraphicLayer] = []
    annotations: list[GraphicAnnotation] = []
    for group, members in masks.site.groups.items():
        found = [masks.site.by_name[name] for name in members if name in masks.table]
        objects = [one for bone in found for one in _outlined(source, traced[bone.name], bone)]
        if not objects:
            continue
        layer = GraphicLayer(
            layer_name=group.upper()[:16],
            order=len(layers) + 1,
            description=f"{group}, outlined by software: {RESEARCH_USE}"[:64],
            display_color=CIELabColor.from_rgb(*found[0].colour),
        )
        layers.append(layer)
        texts = [_named(source, traced[bone.name], bone) for bone in found]
        annotations.append(
            GraphicAnnotation(referenced_images=[image], graphic_layer=layer, graphic_objects=objects, text_objects=texts)
        )
    notice = GraphicLayer(_NOTICE_LAYER, len(layers) + 1, RESEARCH_USE)
    annotations.append(GraphicAnnotation(referenced_images=[image], graphic_layer=notice, text_objects=[_notice()]))
    return [*layers, notice], annotations


def _outlined(source: SourceImage, traced: Traced, bone: Bone) -> Iterator[GraphicObject]:
    """A bone's closed outlines; positions count from the outer corner of the first pixel (PS3.3 C.10.5.1.2)."""
    from highdicom.pr import GraphicObject

    for curve in traced.curves:
        for points in _pieces(simplified(curve)):
            yield GraphicObject(
                graphic_type="POLYLINE",
                graphic_data=_on_stored(source, points),
                units="PIXEL",
                tracking_id=bone.name,
                tracking_uid=tracking_uid(source.sop_instance_uid, bone.name),
            )


def simplified(curve: np.ndarray) -> np.ndarray:
    """A closed curve (points, 2) with no more points than its tolerance needs, the first one again at the end; at least three."""
    import cv2

    fewer = cv2.approxPolyDP(np.asarray(curve, np.float32)[:, None], TOLERANCE, True)[:, 0]
    kept = fewer if len(fewer) > 2 else np.asarray(curve, np.float32)
    return np.vstack([kept, kept[:1]]).astype(float)


def _pieces(points: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, max(1, len(points) - 1), _MOST_POINTS - 1):
        yield points[start : start + _MOST_POINTS]


def _named(source: SourceImage, traced: Traced, bone: Bone) -> TextObject:
    from highdicom.pr import TextObject

    (place,) = _on_stored(source, np.array([traced.place]))
    return TextObject(
        text_value=bone.name,
        units="PIXEL",
        anchor_point=(float(place[0]), float(place[1])),
        anchor_point_visible=False,
        tracking_id=bone.name,
        tracking_uid=tracking_uid(source.sop_instance_uid, bone.name),
    )


def _notice() -> TextObject:
    from highdicom.pr import TextObject

    text = f"{RESEARCH_USE}: bones outlined by software"
    return TextObject(text_value=text, units="DISPLAY", bounding_box=(0.01, 0.95, 0.75, 0.99), text_justification="LEFT")


def _on_stored(source: SourceImage, points: np.ndarray) -> np.ndarray:
    """Upright pixel centres (n, 2) as (column, row) → DICOM's PIXEL positions on the stored image, inside it."""
    rows, columns = source.shape
    placed: Any = moved(points, source.upright_to_stored) + 0.5
    return np.asarray(placed.clip((0, 0), (columns, rows)))
