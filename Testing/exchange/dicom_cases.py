"""Radiographs with a DICOM header and everything that is written about them, made for tests of the DICOM objects."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from builders import make_classifier
from radiograph.synthetic import data_set, grey_picture, save

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL
from OsteoScreenLib.exchange.dicom.source import SourceImage, source_image
from OsteoScreenLib.exchange.overlay import Picture, banner, draw_overlay
from OsteoScreenLib.explain.analyse import analyse
from OsteoScreenLib.explain.analysis import Analysis, AnalysisRequest
from OsteoScreenLib.radiograph.radiograph import Radiograph
from OsteoScreenLib.radiograph.read import read_radiograph

PLACEMENTS: tuple[tuple[int, str | None], ...] = tuple(
    (degrees, flip) for flip in (None, "horizontal") for degrees in (0, 90, 180, 270)
)
"""All eight ways in which a stored image may lie, as `read_radiograph` takes them."""


@dataclass(frozen=True)
class DicomCase:
    """One analysed radiograph with its file."""

    path: Path
    radiograph: Radiograph
    masks: BoneMasks
    analysis: Analysis
    overlay: Picture

    @property
    def source(self) -> SourceImage:
        """The source image."""
        return source_image(self.path, self.radiograph)


def dicom_file(path: Path, rows: int = 203, columns: int = 171, **tags: Any) -> Path:
    """A small DX file whose pixels are no multiple of eight; `tags` set attributes, None leaves one out."""
    defaults = {
        "PatientBirthDate": "18200512", "PatientSex": "F", "StudyDate": "20240229", "StudyTime": "101112", "AccessionNumber": "A-4711",
        "StudyID": "17", "ReferringPhysicianName": "Seacole^Mary", "InstanceNumber": 3, "BodyPartExamined": "CHEST", "ViewPosition": "PA",
        "PixelSpacing": ["0.2", "0.3"], "PixelSpacingCalibrationType": "GEOMETRY",
    }  # fmt: skip
    wanted = {keyword: value for keyword, value in {**defaults, **tags}.items() if value is not None}
    return save(data_set(grey_picture(rows, columns), **wanted), path)


def many_bones(shape: tuple[int, int], seed: int = 0, method: str = "embedded-chest-segmenter") -> BoneMasks:
    """Every bone of a chest as an ellipse somewhere, most of them overlapping others."""
    generator, masks = np.random.default_rng(seed), {}
    for name in CHEST_FRONTAL.by_name:
        drawn = np.zeros(shape, np.uint8)
        centre = (int(generator.uniform(0, shape[1])), int(generator.uniform(0, shape[0])))
        axes = (max(2, int(0.12 * shape[1])), max(1, int(0.03 * shape[0])))
        cv2.ellipse(drawn, centre, axes, generator.uniform(0, 180), 0, 360, 1, -1)
        masks[name] = drawn.astype(bool)
    return BoneMasks.pack(masks, shape, method=method)


def dicom_case(
    folder: Path,
    path: Path | None = None,
    *,
    rotate: int | None = None,
    flip: str | None = None,
    masks: BoneMasks | None = None,
    request: AnalysisRequest | None = None,
    **tags: Any,
) -> DicomCase:
    """A case about a DICOM file, or about a small one that is written into the folder with `tags`, answered by a tiny model."""
    path = dicom_file(folder / "image.dcm", **tags) if path is None else path
    radiograph = read_radiograph(path, rotate=rotate, flip=flip)
    masks = many_bones(radiograph.shape) if masks is None else masks
    classifier = make_classifier(folder / "tiny")
    wanted = AnalysisRequest(cover=("Spine", "left rib 3")) if request is None else request
    analysis = analyse(radiograph, masks, classifier, wanted)
    overlay = draw_overlay(radiograph, masks, analysis.saliency, notice=banner(True), headline="Osteopenia")
    return DicomCase(path, radiograph, masks, analysis, overlay)
