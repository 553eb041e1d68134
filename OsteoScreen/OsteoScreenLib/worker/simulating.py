"""The request `simulate`: a CT and its structures, as an application holds them, → a radiograph in a file."""

from __future__ import annotations

import importlib.util
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.worker.protocol import Message
from OsteoScreenLib.worker.requests import path_in, prepare_folder
from OsteoScreenLib.worker.server import Answer, Progress

PACKAGES = {"numba": "numba", "scipy": "scipy", "scikit-image": "skimage", "trimesh": "trimesh", "xraydb": "xraydb"}
"""Name on the index → module, of what only the simulator needs."""


def simulate(request: Message, progress: Progress, guard_writing: AbstractContextManager[Any]) -> Answer:
    """Body: `name`, `out`, `t_score`, `ijk_to_lps` (16 numbers, by rows), `structures` (label → [id, name]); arrays `volume` and
    `labels` (slices, rows, columns). Answers `path` of the DICOM file and `masks`.

    Raises `InputError` (option, simulator-packages) and what `thorax_from_arrays` raises.
    """
    missing = [name for name, module in PACKAGES.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise InputError(
            f"The simulator needs Python packages that are not installed: {', '.join(missing)}; install them with "
            f"pip install {' '.join(missing)} (PythonSlicer -m pip install … for 3D Slicer).",
            code="simulator-packages",
        )
    from OsteoScreenLib.simulate.labels import check_names
    from OsteoScreenLib.simulate.thorax_ct import thorax_from_arrays
    from OsteoScreenLib.study.scan_radiograph import scan_radiograph

    volume, labels = (request.arrays.get(name) for name in ("volume", "labels"))
    matrix, structures, t_score = (request.body.get(name) for name in ("ijk_to_lps", "structures", "t_score"))
    if volume is None or labels is None or volume.shape != labels.shape or volume.ndim != 3:
        raise InputError("A radiograph is simulated from a CT and labels of the same size.", code="option")
    if not isinstance(matrix, list) or len(matrix) != 16 or not isinstance(structures, dict):
        raise InputError("The request does not say where the CT lies or what its labels are.", code="option")
    if not isinstance(t_score, int | float) or not -6 <= t_score <= 3:
        raise InputError("The T-score of a simulated body lies between -6 and 3.", code="option")
    out, name = path_in(request.body, "out"), str(request.body.get("name") or "CT")
    prepare_folder(out)
    progress("simulate", 0.05, "Reading the structures")
    numbers = {_structure(identifier, shown): int(label) for label, (identifier, shown) in structures.items()}
    check_names(numbers)
    parts = thorax_from_arrays(volume, np.array(matrix, float).reshape(4, 4), labels, numbers, name)

    def within(share: float, words: str) -> None:
        progress("simulate", 0.5 + 0.5 * share, words[:1].upper() + words[1:])

    with guard_writing:
        files = scan_radiograph(parts, name, out, float(t_score), progress=within)
    return Answer({"path": str(files["image"]), "masks": str(files["masks"])})


def _structure(identifier: str, shown: str) -> str:
    """What a segment is: its ID where that is a name of TotalSegmentator's, else the name that the reader sees."""
    from OsteoScreenLib.simulate.labels import KNOWN, normalised

    return identifier if normalised(identifier) in KNOWN else shown
