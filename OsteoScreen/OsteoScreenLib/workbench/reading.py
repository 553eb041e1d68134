"""What comes back from the worker about one radiograph: `Reading` when it was opened, `Result` when it was analysed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.classifier.prediction import OperatingPoints
from OsteoScreenLib.explain.overlap import Overlap
from OsteoScreenLib.explain.saliency import SaliencyMap
from OsteoScreenLib.explain.saliency_methods import GRAD_CAM
from OsteoScreenLib.radiograph.radiograph import Note


@dataclass(frozen=True)
class ImageSource:
    """Where a radiograph comes from: a file, or a volume that is already loaded.

    name : what the reader calls it. path : the file; empty for a volume.
    array : the volume's voxels (rows, columns) as its application holds them, None for a file.
    spacing_mm : (row, column) of the volume, None when unknown. header_path : the DICOM file whose header belongs to the
        volume, empty when it is gone; then the badges say which facts are unknown.
    rotate, flip, invert : the reader's overrides, None to ask the image.
    """

    name: str
    path: str = ""
    array: np.ndarray | None = None
    spacing_mm: tuple[float, float] | None = None
    header_path: str = ""
    rotate: int | None = None
    flip: str | None = None
    invert: bool | None = None


@dataclass(frozen=True)
class Reading:
    """An opened radiograph, upright as far as its header says; after an analysis as far as the image says.

    pixels : float32 (rows, columns) in [0, 1], bone bright. spacing_mm : (row, column) or None when unknown.
    image_sha256 : of the pixels and their shape, the image's part of a cache key.
    facts : JSON values of `RadiographFacts` (shape, spacing, view, site, placement, source), as in analysis.json.
    """

    source: ImageSource
    pixels: np.ndarray
    spacing_mm: tuple[float, float] | None
    image_sha256: str
    facts: Mapping[str, Any]
    notes: tuple[Note, ...]


@dataclass(frozen=True)
class ModelFacts:
    """The classifier that answered. sha256 : of its manifest. simulated : it was trained on simulated radiographs."""

    id: str
    title: str
    sha256: str
    simulated: bool
    operating_points: OperatingPoints


@dataclass(frozen=True)
class Result:
    """The answer on the untouched radiograph, and the bones.

    probabilities : (normal, osteopenia, osteoporosis). masks_sha256 : of the masks, their part of a cache key.
    saliency : for `saliency.target`; None when there is none. analysis : the JSON values of analysis.json, without covering.
    statements : sentences that must stand beside the answer. device, precision : where and how it was computed.
    seconds : stage → wall-clock time. overlap : of this very heatmap with these very masks; empty when it was not measured.
    saliency_methods : keys of the methods that the model can give.
    stored : the results of a study, computed before: nothing is asked of the model beside them. maps : heatmaps for other classes
    that are there too, each with its overlap.
    """

    model: ModelFacts
    probabilities: tuple[float, float, float]
    masks: BoneMasks
    masks_sha256: str
    saliency: SaliencyMap | None
    statements: tuple[str, ...]
    device: str
    precision: str
    seconds: Mapping[str, float]
    analysis: Mapping[str, Any]
    overlap: tuple[Overlap, ...] = ()
    saliency_methods: tuple[str, ...] = (GRAD_CAM,)
    stored: bool = False
    maps: tuple[tuple[SaliencyMap, tuple[Overlap, ...]], ...] = ()
