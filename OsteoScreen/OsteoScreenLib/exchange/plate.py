"""The plate: a radiograph in grey with its heatmap, bone outlines and names on it, and nothing around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.vocabulary import Bone, Site
from OsteoScreenLib.exchange.colour_maps import COLOUR_MAPS, colours
from OsteoScreenLib.exchange.lettering import NamePlacer
from OsteoScreenLib.exchange.placing import fit, moved, outlines, roomiest_point
from OsteoScreenLib.explain.saliency import SaliencyMap

OPACITY = 0.4


@dataclass(frozen=True)
class Traced:
    """One bone ready to be drawn at any size. All in radiograph pixels (column, row).

    curves : outlines, each float64 (points, 2). place, room : where its name goes, and the free radius there.
    """

    curves: Sequence[np.ndarray]
    place: tuple[float, float]
    room: float


def trace(masks: BoneMasks) -> dict[str, Traced]:
    """The outlines and name places of every bone found."""
    traced = {}
    for name in masks.names:
        column, row, room = roomiest_point(masks, name)
        traced[name] = Traced(outlines(masks, name), (column, row), room)
    return traced


def draw_plate(
    pixels: np.ndarray,
    masks: BoneMasks,
    traced: Mapping[str, Traced],
    saliency: SaliencyMap | None,
    *,
    longest: int,
    at_least: int,
    lettering: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a plate.

    Parameters
    ----------
    pixels : float32 (rows, columns) in [0, 1]. longest, at_least : bounds of the plate's longer side in picture pixels.
    lettering : height of the names in picture pixels.

    Returns
    -------
    plate : uint8 (rows, columns, 3), sRGB.
    onto_plate : 3×3 matrix from radiograph pixel centres (column, row, 1) to plate pixel centres.
    """
    from PIL import Image, ImageDraw

    size, onto_plate = fit((pixels.shape[0], pixels.shape[1]), longest, at_least)
    plate = np.repeat(grey_picture(pixels, size)[..., None], 3, axis=2)
    if saliency is not None:
        blend_heat(plate, saliency.on_radiograph(shape=size))
    _draw_outlines(plate, masks, traced, onto_plate)
    image = Image.fromarray(plate)
    placer = NamePlacer(ImageDraw.Draw(image), (0, 0, size[1], size[0]), lettering)
    for name in sorted(traced, key=lambda name: _rank(masks.site.by_name[name], masks.site)):
        bone = masks.site.by_name[name]
        column, row = moved(np.array([traced[name].place]), onto_plate)[0]
        if traced[name].room * onto_plate[0, 0] >= lettering / 4:
            placer.put(_short_name(bone), float(column), float(row), bone.colour)
    return np.asarray(image), onto_plate


def grey_picture(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The radiograph as uint8 (rows, columns) at a picture's size; area average when smaller, cubic when larger."""
    import cv2

    smaller = size[0] <= pixels.shape[0]
    resized = cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)
    return np.rint(np.nan_to_num(resized).clip(0, 1) * 255).astype(np.uint8)


def heat_colours() -> np.ndarray:
    """uint8 (256, 3) sRGB for values from 0 to 1: plasma, perceptually uniform and ordered for colour-blind readers too."""
    return colours(COLOUR_MAPS[0])


def heat_opacity() -> np.ndarray:
    """float32 (256,): how far the colour covers the grey; rises with the value and stays at 40 % from half of it on."""
    return np.float32(OPACITY) * np.linspace(0, 2, 256, dtype=np.float32).clip(0, 1)


def blend_heat(picture: np.ndarray, values: np.ndarray) -> None:
    """Lay a heatmap (rows, columns) in [0, 1] over a uint8 (rows, columns, 3) picture in place; zero leaves it as it is."""
    levels = np.rint(values * 255).astype(np.uint8)
    alpha = heat_opacity()
    shades = heat_colours() * alpha[:, None]
    # One channel after the other: whole-picture products in three channels cost more memory than the rest of a plate.
    kept = np.take(1 - alpha, levels)
    for channel in range(3):
        blended = picture[..., channel] * kept
        blended += np.take(shades[:, channel], levels)
        picture[..., channel] = np.rint(blended)


def _draw_outlines(plate: np.ndarray, masks: BoneMasks, traced: Mapping[str, Traced], onto_plate: np.ndarray) -> None:
    import cv2

    fraction = 6  # bits; the curves keep 1/64 pixel
    for name, bone in traced.items():
        curves = [np.rint(moved(curve, onto_plate) * 2**fraction).astype(np.int32) for curve in bone.curves]
        cv2.polylines(plate, curves, True, masks.site.by_name[name].colour, 2, cv2.LINE_AA, fraction)


def _short_name(bone: Bone) -> str:
    noun = bone.name.removeprefix(f"{bone.side} ")
    return noun if bone.side == "midline" else f"{noun} {bone.side[0].upper()}"


def _rank(bone: Bone, site: Site) -> int:
    """Small bones get their names first; large ones find room elsewhere or go without."""
    order = site.named_first
    return order.index(bone.group) if bone.group in order else len(order)
