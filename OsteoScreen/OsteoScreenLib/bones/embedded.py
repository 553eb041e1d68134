"""The embedded segmenters: every bone of a body site on a radiograph, offline, from weights that ship with OsteoScreen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from OsteoScreenLib.bones.confidence import Calibration, expected_dice
from OsteoScreenLib.bones.limbs import settle_sides
from OsteoScreenLib.bones.masks import BoneMasks, MaskFacts
from OsteoScreenLib.bones.trust import trust_levels
from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL, Site, site_named
from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.radiograph.radiograph import Radiograph

if TYPE_CHECKING:
    from torch import nn

    from OsteoScreenLib.bundle import Bundle


@dataclass(frozen=True)
class Letterbox:
    """How an image of any shape lies on the network's square grid: scaled to fit, in the middle, padded.

    Coordinates count pixel centres; the edges of the image fall on the edges of its content on the grid, in each axis on its
    own, so that rounding the content to whole grid pixels moves nothing.

    shape : (rows, columns) of the image. grid : side of the square.
    """

    shape: tuple[int, int]
    grid: int

    @property
    def content(self) -> tuple[int, int]:
        """(rows, columns) that the image covers on the grid."""
        longest = max(self.shape)
        return (max(1, round(self.shape[0] * self.grid / longest)), max(1, round(self.shape[1] * self.grid / longest)))

    @property
    def corner(self) -> tuple[int, int]:
        """(row, column) of the content's first grid pixel."""
        rows, columns = self.content
        return (self.grid - rows) // 2, (self.grid - columns) // 2

    def place(self, pixels: np.ndarray, padding: float = 0.0) -> np.ndarray:
        """The image on the grid, float32 (grid, grid); area averaging where it shrinks."""
        import cv2

        rows, columns = self.content
        shrinks = max(self.shape) > self.grid
        small = cv2.resize(pixels, (columns, rows), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        placed = np.full((self.grid, self.grid), padding, np.float32)
        top, left = self.corner
        placed[top : top + rows, left : left + columns] = small
        return placed

    def bring_back(self, plane: np.ndarray, box: tuple[slice, slice] | None = None) -> np.ndarray:
        """A plane over the whole grid (at any resolution, square) at the image's own pixels, linear; only inside `box` if given."""
        import cv2

        rows, columns = box if box is not None else (slice(0, self.shape[0]), slice(0, self.shape[1]))
        share = plane.shape[0] / self.grid
        matrix = np.zeros((2, 3))
        for axis, part in ((0, columns), (1, rows)):
            image_axis = 1 - axis
            scale = self.content[image_axis] / self.shape[image_axis]
            # image pixel centre → grid edge coordinate → plane pixel centre
            matrix[axis, axis] = scale * share
            matrix[axis, 2] = ((part.start + 0.5) * scale + self.corner[image_axis]) * share - 0.5
        size = (columns.stop - columns.start, rows.stop - rows.start)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(np.ascontiguousarray(plane), matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)

    def box_of(self, plane_box: tuple[slice, slice], share: float, margin: int = 1) -> tuple[slice, slice]:
        """The image's pixels that plane pixels of `plane_box`, widened by `margin`, can reach. share : plane / grid."""
        parts = []
        for axis, part in enumerate(plane_box):
            scale = self.shape[axis] / self.content[axis]
            start = ((part.start - margin) / share - self.corner[axis]) * scale
            stop = ((part.stop + margin) / share - self.corner[axis]) * scale
            low = int(np.clip(np.floor(start), 0, self.shape[axis]))
            parts.append(slice(low, int(np.clip(np.ceil(stop), low, self.shape[axis]))))
        return parts[0], parts[1]


def normalise(pixels: np.ndarray) -> np.ndarray:
    """Grey values → what the network expects, float32 about [-2, 2]: the 1st and 99th percentile inside plain borders.

    pixels : (rows, columns) on any scale, bone bright. Shared by training and inference.
    """
    rows, columns = _inside(pixels, float(np.ptp(pixels)) * 0.004)
    inner = pixels[rows, columns]
    step = max(1, int(np.sqrt(inner.size / 250_000)))
    low, high = np.percentile(inner[::step, ::step], [1, 99])
    scaled = (pixels - np.float32(low)) * np.float32(1 / max(high - low, 1e-6))
    return (np.clip(scaled, -0.1, 1.1) * 4 - 2).astype(np.float32)


def _inside(pixels: np.ndarray, tolerance: float) -> tuple[slice, slice]:
    """Rows and columns left when flat edge lines (collimation, padding) are peeled off; everything when most would go."""
    parts = []
    for axis in (1, 0):
        spread = np.flatnonzero(pixels.max(axis=axis) - pixels.min(axis=axis) > tolerance)
        length = pixels.shape[1 - axis]
        enough = spread.size and spread[-1] - spread[0] + 1 > 0.3 * length
        parts.append(slice(int(spread[0]), int(spread[-1]) + 1) if enough else slice(0, length))
    return parts[0], parts[1]


@dataclass(frozen=True)
class Plausibility:
    """When a bone is believed.

    least_cells : area of the largest piece on the logits' grid. least_certainty : mean probability inside the mask.
    piece : pieces smaller than this share of the largest are dropped. trim : nothing is drawn into plain margins of the image.
    """

    least_cells: int = 12
    least_certainty: float = 0.6
    piece: float = 0.2
    trim: bool = False


def plausible(logits: np.ndarray, rules: Plausibility) -> np.ndarray | None:
    """One structure's logits (rows, columns) with implausible pieces pushed below zero, or None when nothing is left."""
    import cv2

    positive = (logits > 0).astype(np.uint8)
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(positive, connectivity=8)
    if count < 2:
        return None
    areas = stats[1:, cv2.CC_STAT_AREA]
    if areas.max() < rules.least_cells:
        return None
    kept = 1 + np.flatnonzero(areas >= rules.piece * areas.max())
    inside = np.isin(pieces, kept)
    certainty = float((1 / (1 + np.exp(-logits[inside]))).mean())
    if certainty < rules.least_certainty:
        return None
    return np.where(inside | (positive == 0), logits, np.float32(-3)).astype(np.float32)


def in_order(planes: Mapping[str, np.ndarray], tolerance: float = 3.0, site: Site = CHEST_FRONTAL) -> dict[str, np.ndarray]:
    """The planes without counted bones (ribs, vertebrae) that lie out of turn, such as rib 8 below rib 10: fragments of something else.

    In each series the largest set stays whose centres descend; among equals the one with more area. planes : logits by name.
    tolerance : rows of the plane by which a later bone may lie higher, as one of them may be cut off or half drawn.
    """
    dropped: set[str] = set()
    for series in (site.groups[group] for group in site.counted):
        present = [name for name in series if name in planes]
        heights = [float(np.nonzero(planes[name] > 0)[0].mean()) for name in present]
        best: list[tuple[int, int, int]] = []  # bones kept, their area, the one before
        for i, name in enumerate(present):
            before = [(best[j][0], best[j][1], j) for j in range(i) if heights[i] > heights[j] - tolerance]
            count, area, last = max(before, default=(0, 0, -1))
            best.append((count + 1, area + int((planes[name] > 0).sum()), last))
        at = max(range(len(best)), key=lambda i: best[i][:2], default=-1)
        kept = set()
        while at >= 0:
            kept.add(present[at])
            at = best[at][2]
        dropped |= set(present) - kept
    return {name: plane for name, plane in planes.items() if name not in dropped}


def trimmed(planes: Mapping[str, np.ndarray], letterbox: Letterbox, pixels: np.ndarray) -> dict[str, np.ndarray]:
    """The logits without what lies in plain margins of the image: there is nothing to be seen, whatever goes on beyond."""
    inner = np.zeros(pixels.shape, np.float32)
    inner[_inside(pixels, float(np.ptp(pixels)) * 0.02)] = 1
    grid = next(iter(planes.values())).shape[0]
    kept = Letterbox(letterbox.shape, grid).place(inner) > 0.5
    return {name: np.where(kept, plane, np.minimum(plane, np.float32(-3))) for name, plane in planes.items()}


class EmbeddedSegmenter:
    """Bones of `site` on its radiographs, and other structures (lungs, heart) on request. See `Segmenter`.

    network : gives logits (n, structures, grid / 2, grid / 2). structures : its outputs' names, in order.
    grid : side of the square that the network sees. calibration : of the masks' confidence.
    trust : bone or group → how far it can be trusted on real images; None takes what is known of the site's embedded segmenter.
    """

    def __init__(
        self,
        network: nn.Module,
        structures: tuple[str, ...],
        grid: int,
        *,
        name: str = "embedded",
        rules: Plausibility | None = None,
        calibration: Calibration | None = None,
        trust: Mapping[str, str] | None = None,
        device: str = "cpu",
        site: Site = CHEST_FRONTAL,
    ) -> None:
        self.site = site
        self._network = network.to(device).eval()
        self._structures = structures
        self._grid = grid
        self._rules = rules or Plausibility()
        self._calibration = calibration or Calibration()
        self._trust = trust_levels(trust, site)
        self._device = device
        self.name = name

    @classmethod
    def from_bundle(cls, bundle: Bundle, device: str = "cpu") -> EmbeddedSegmenter:
        """Build the segmenter of a verified bundle of kind "segmenter".

        Raises `OsteoScreenError` when the manifest and the weights do not describe one network.
        """
        from OsteoScreenLib.bones.networks import build_network

        try:
            structures = tuple(str(name) for name in bundle.manifest["structures"])
            grid = int(bundle.manifest["preprocessing"]["grid"])
            rules = Plausibility(**bundle.manifest.get("plausibility", {}))
            calibration = Calibration.of(bundle.manifest.get("confidence"))
            trust = bundle.manifest.get("trust")
            site = site_named(str(bundle.manifest["site"]))
            network = build_network(bundle.manifest["architecture"])
            network.load_state_dict(bundle.tensors())
            trust = None if trust is None else {str(name): str(level) for name, level in trust.items()}
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise OsteoScreenError(
                f"The segmenter bundle {bundle.id} is incomplete or of another version; get it again."
            ) from error
        return cls(
            network,
            structures,
            grid,
            name=bundle.id,
            rules=rules,
            calibration=calibration,
            trust=trust,
            device=device,
            site=site,
        )

    def segment(self, radiograph: Radiograph) -> BoneMasks:
        """Masks at the radiograph's own size; bones without enough evidence, or out of their order, are left out, and say so."""
        planes, letterbox, facts = self._planes(radiograph)
        bones = {name: plane for name, plane in planes.items() if name in self.site.by_name}
        drawn = BoneMasks.pack(_Drawn(bones, letterbox), radiograph.shape, self.site, method=self.name)
        return replace(drawn, facts=facts)

    def organs(self, radiograph: Radiograph) -> dict[str, np.ndarray]:
        """What the network also draws, on a chest "right lung", "left lung", "heart": bool (rows, columns) by name."""
        planes, letterbox, _ = self._planes(radiograph)
        return dict(_Drawn({name: plane for name, plane in planes.items() if name not in self.site.by_name}, letterbox))

    def logits(self, pixels: np.ndarray) -> np.ndarray:
        """Logits (structures, grid / 2, grid / 2) of one upright, bone-bright image (rows, columns)."""
        import cv2
        import torch

        placed = Letterbox((pixels.shape[0], pixels.shape[1]), self._grid).place(normalise(pixels), padding=PADDING)
        with torch.inference_mode():
            answer = self._network(torch.from_numpy(placed)[None, None].to(self._device))
        # Pixel shuffling leaves a faint chequered pattern, which would fray the outlines.
        return np.stack([cv2.GaussianBlur(plane, (0, 0), 0.8) for plane in answer[0].float().cpu().numpy()])

    def _planes(self, radiograph: Radiograph) -> tuple[dict[str, np.ndarray], Letterbox, MaskFacts]:
        logits = dict(zip(self._structures, self.logits(radiograph.pixels), strict=True))
        letterbox = Letterbox(radiograph.shape, self._grid)
        if self._rules.trim:
            logits = trimmed(logits, letterbox, radiograph.pixels)
        logits = settle_sides(logits, self.site)
        found = {name: plausible(plane, self._rules) for name, plane in logits.items()}
        kept = {name: plane for name, plane in found.items() if plane is not None}
        drawn = in_order(kept, site=self.site)
        faint = {name for name, plane in logits.items() if name not in kept and (plane > 0).any()}
        left_out = dict.fromkeys(faint, "faint") | dict.fromkeys(set(kept) - set(drawn), "out-of-order")
        facts = MaskFacts(
            confidence={
                name: self._calibration(expected_dice(logits[name], plane))
                for name, plane in drawn.items()
                if name in self.site.by_name
            },
            left_out={name: why for name, why in sorted(left_out.items()) if name in self.site.by_name},
            trust=self._trust,
        )
        return drawn, letterbox, facts


PADDING = -2.4  # what `normalise` gives for black: padding looks like the dark beyond a collimator


class _Drawn(Mapping[str, np.ndarray]):
    """Masks at full size, drawn one at a time when asked for: all bones at once would take hundreds of megabytes."""

    def __init__(self, planes: Mapping[str, np.ndarray], letterbox: Letterbox) -> None:
        self._planes = planes
        self._letterbox = letterbox
        self._last: tuple[str, np.ndarray] | None = None

    def __getitem__(self, name: str) -> np.ndarray:
        if self._last is None or self._last[0] != name:
            self._last = (name, self._draw(self._planes[name]))
        return self._last[1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._planes)

    def __len__(self) -> int:
        return len(self._planes)

    def _draw(self, plane: np.ndarray) -> np.ndarray:
        from OsteoScreenLib.bones.masks import bounding_box

        mask = np.zeros(self._letterbox.shape, bool)
        box = self._letterbox.box_of(bounding_box(plane > 0), plane.shape[0] / self._letterbox.grid)
        if all(part.stop > part.start for part in box):
            mask[box] = self._letterbox.bring_back(plane, box) > 0
        return mask
