"""A frontal radiograph of one scanned thorax as it lies: no posing, the arms where the scanner had them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bones.segnrrd import write_seg_nrrd
from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL
from OsteoScreenLib.files import write_bytes
from OsteoScreenLib.radiograph.read import read_radiograph
from OsteoScreenLib.simulate.bone_loss import DensityLine
from OsteoScreenLib.simulate.console import Console, on_screen
from OsteoScreenLib.simulate.render import Exposure, detector_signal
from OsteoScreenLib.simulate.thorax import STRUCTURES, clinical_geometry, project_chest
from OsteoScreenLib.simulate.thorax_ct import ThoraxParts
from OsteoScreenLib.study.density import density_at
from OsteoScreenLib.study.samples import Sample, sample_dataset

Progress = Callable[[float, str], None]


def scan_radiograph(
    parts: ThoraxParts,
    name: str,
    folder: Path,
    t_score: float,
    seed: int = 0,
    size: int = 1024,
    progress: Progress | None = None,
) -> Mapping[str, Path]:
    """Project a thorax PA, develop it, and write "image" (DICOM) and "masks" (.seg.nrrd of every bone that the scan shows).

    t_score : that the body's simulated DXA gives. size : rows and columns. progress : called with (share, words).
    Raises `OsteoScreenError` when the folder cannot be written.
    """
    tell = progress or (lambda _share, _words: None)
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    meshes = {**parts.bones, **parts.organs, "body": parts.body}
    drawn = clinical_geometry(rng, meshes, True, size)
    geometry = replace(drawn, turn_degrees=(0.0, 0.0, 0.0), offset_mm=(0.0, 0.0))
    tell(0.1, "projecting")
    view = project_chest(meshes, geometry, name)
    tell(0.6, "developing")
    signal = detector_signal(view.paths_mm, density_at(t_score, DensityLine.of(meshes), rng), Exposure(quanta=1.5e5), rng)
    pixels = on_screen(signal, view.paths_mm, view.bones, Console())
    sample = Sample(_plain(name), 0, t_score, f"SIMULATED chest PA from the CT {name}"[:64])
    buffer = BytesIO()
    sample_dataset(pixels, geometry, sample, seed).save_as(buffer, enforce_file_format=True)
    image = write_bytes(folder / f"{_plain(name)}.dcm", buffer.getvalue())
    tell(0.8, "writing the masks")
    found = {bone: view.masks[STRUCTURES.index(bone)] for bone in CHEST_FRONTAL.by_name if bone in parts.bones}
    masks = BoneMasks.pack(found, (size, size), CHEST_FRONTAL, method="simulated")
    return {"image": image, "masks": write_seg_nrrd(folder / f"{_plain(name)}.seg.nrrd", masks, read_radiograph(image))}


def _plain(name: str) -> str:
    """A file name from a volume's name: letters, digits and hyphens."""
    kept = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name).strip("-")
    return f"simulated-{kept or 'ct'}"[:60]
