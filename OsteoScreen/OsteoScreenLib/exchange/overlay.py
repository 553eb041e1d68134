"""The overlay picture: the plate, and every word a reader needs around it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.classifier.domain import Domain
from OsteoScreenLib.exchange.lettering import drawable, typeface, wrap
from OsteoScreenLib.exchange.placing import shift
from OsteoScreenLib.exchange.plate import Traced, blend_heat, draw_plate, trace
from OsteoScreenLib.explain.saliency import SaliencyMap
from OsteoScreenLib.files import write_bytes
from OsteoScreenLib.radiograph.radiograph import Radiograph

LONGEST = 1600
AT_LEAST = 900
RESEARCH_USE = "Research use only"
SIMULATED = "model trained on simulated images"
OUT_OF_DOMAIN = "Unlike the model's training images: do not trust the answer"
BORDERLINE = "At the edge of the model's training images"

_INK, _PAPER, _QUIET, _AMBER = (232, 236, 242), (20, 23, 28), (150, 158, 170), (255, 196, 77)
_MARGIN, _SIDE, _NARROWEST = 24, 250, 900


@dataclass(frozen=True)
class Picture:
    """A finished picture.

    image : uint8 (rows, columns, 3), sRGB. from_radiograph : 3×3 matrix from upright radiograph pixel centres (column, row, 1)
    to picture pixel centres. area : (left, top, right, bottom) of the radiograph in the picture, right and bottom excluded.
    """

    image: np.ndarray
    from_radiograph: np.ndarray
    area: tuple[int, int, int, int]


def banner(simulated: bool, domain: Domain | None = None) -> str:
    """The line that stands on everything which shows an answer. domain : of the image that it stands on."""
    parts = [RESEARCH_USE, *([SIMULATED] if simulated else [])]
    if domain is not None and domain.level != "in":
        parts.insert(0, OUT_OF_DOMAIN if domain.level == "out" else BORDERLINE)
    return " · ".join(parts)


def draw_overlay(
    radiograph: Radiograph,
    masks: BoneMasks,
    saliency: SaliencyMap | None,
    *,
    notice: str,
    headline: str = "",
    traced: Mapping[str, Traced] | None = None,
) -> Picture:
    """Draw the overlay.

    Parameters
    ----------
    radiograph, masks : upright, of the same shape. saliency : None leaves the heatmap and its bar out.
    notice : the line of `banner`. headline : the answer in a few words. traced : of `trace(masks)`, if there already.
    """
    from PIL import Image, ImageDraw

    traced = trace(masks) if traced is None else traced
    plate, onto_plate = draw_plate(radiograph.pixels, masks, traced, saliency, longest=LONGEST, at_least=AT_LEAST, lettering=16)
    rows, columns = plate.shape[:2]
    width = max(_MARGIN + columns + _SIDE, _NARROWEST)
    head = ([(headline, 22, _INK)] if headline else []) + [(notice, 20, _AMBER)]
    foot = _warnings(radiograph, width - 2 * _MARGIN)
    top = 28 + 30 * len(head)
    height = top + max(rows, 600) + 16 + 22 * len(foot) + 10
    image = Image.new("RGB", (width, height), _PAPER)
    image.paste(Image.fromarray(plate), (_MARGIN, top))
    draw = ImageDraw.Draw(image)
    for row, (text, points, colour) in enumerate(head):
        draw.text((_MARGIN, 16 + 30 * row), drawable(text), font=typeface(points), fill=colour)
    beside = _MARGIN + columns + 22
    legend_top = top
    if saliency is not None:
        _draw_bar(image, draw, beside, top, saliency)
        legend_top += 310
    _draw_legend(draw, beside, legend_top, masks)
    for row, text in enumerate(foot):
        draw.text((_MARGIN, height - 10 - 22 * (len(foot) - row)), text, font=typeface(15), fill=_AMBER)
    area = (_MARGIN, top, _MARGIN + columns, top + rows)
    return Picture(np.asarray(image), shift(_MARGIN, top) @ onto_plate, area)


def save_png(path: Path, picture: np.ndarray) -> Path:
    """Write a uint8 picture as PNG, atomically. Raises `OsteoScreenError` in one sentence when the disk is full."""
    from PIL import Image

    # Encoded in memory first: when a disk is full, Pillow's own message says only that the encoder failed.
    encoded = io.BytesIO()
    # Level 1: a radiograph is mostly noise, which higher levels spend seconds on for a tenth of the size.
    Image.fromarray(picture).save(encoded, "PNG", compress_level=1)
    return write_bytes(path, encoded.getvalue())


def heat_bar(width: int, height: int) -> np.ndarray:
    """The heatmap's colours as they look over mid grey, the most on top: uint8 (height, width, 3)."""
    bar = np.full((height, width, 3), 96, np.uint8)
    blend_heat(bar, np.linspace(1, 0, height, dtype=np.float32)[:, None].repeat(width, axis=1))
    return bar


def bar_remark(saliency: SaliencyMap) -> str:
    """What the bar's scale means."""
    if saliency.is_empty:
        return f"empty: no place here {saliency.claim}"
    return "scaled within this image: some place is always marked"


def _warnings(radiograph: Radiograph, width: int) -> list[str]:
    """The warnings about this image, wrapped; lesser notes are in the report."""
    lines: list[str] = []
    for note in radiograph.notes:
        if note.severity == "warning":
            wrapped = wrap(note.text, 15, width - 16)
            lines += [("! " if i == 0 else "  ") + line for i, line in enumerate(wrapped)]
    return lines


def _draw_bar(image: object, draw: object, left: int, top: int, saliency: SaliencyMap) -> None:
    from PIL import Image, ImageDraw

    assert isinstance(image, Image.Image) and isinstance(draw, ImageDraw.ImageDraw)
    draw.text((left, top), drawable(saliency.method), font=typeface(18), fill=_INK)
    draw.text((left, top + 24), drawable(saliency.about), font=typeface(15), fill=_INK)
    height, width, start = 200, 26, top + 56
    image.paste(Image.fromarray(heat_bar(width, height)), (left, start))
    draw.rectangle((left - 1, start - 1, left + width, start + height), outline=_QUIET)
    draw.text((left + width + 10, start - 4), "most", font=typeface(15), fill=_INK)
    draw.text((left + width + 10, start + height - 14), "least", font=typeface(15), fill=_INK)
    for row, line in enumerate(wrap(bar_remark(saliency), 14, 160)):
        draw.text((left + width + 10, start + 50 + 18 * row), line, font=typeface(14), fill=_QUIET)


def _draw_legend(draw: object, left: int, top: int, masks: BoneMasks) -> None:
    from PIL import ImageDraw

    assert isinstance(draw, ImageDraw.ImageDraw)
    draw.text((left, top), "Bones outlined", font=typeface(18), fill=_INK)
    if not masks.names:
        draw.text((left, top + 28), "none found", font=typeface(15), fill=_QUIET)
    groups = [(group, members) for group, members in masks.site.groups.items() if set(members) & set(masks.names)]
    for row, (group, members) in enumerate(groups):
        found = [name for name in members if name in masks.table]
        y = top + 30 + 24 * row
        draw.rectangle((left, y, left + 16, y + 14), outline=masks.site.by_name[found[0]].colour, width=3)
        text = group if len(members) == 1 else f"{group} ({len(found)} of {len(members)})"
        draw.text((left + 24, y - 2), drawable(text), font=typeface(15), fill=_INK)
