"""Where the model's results of a study lie: one folder a case, readable with NumPy alone.

    STUDY/analyses/run.json                     which model, and with which options: the same for all cases
    STUDY/analyses/C-00001/analysis.json        answer, operating points, heatmaps, sweeps with controls, overlap, model and its hash
    STUDY/analyses/C-00001/masks-0123456789abcdef.npz    the bones' layers, named by what they hold

`analysis.json` is written last and names the masks that belong to it, so a case either has a whole analysis or none, whenever a
run is killed. Nothing in these files names a patient, a file or a folder: what is written is given in by the case's pseudonym.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.files import remove_leftovers, write_atomically, write_text
from OsteoScreenLib.review.nouns import ModelFacts, checked_code

FOLDER = "analyses"
RUN, ANALYSIS = "run.json", "analysis.json"
FORMAT_VERSION = 1
AGAIN = "run 'osteoscreen review analyse' on the study again"
_LARGEST_ANALYSIS = 256 * 2**20


def folder_of(study: Path, case: str) -> Path:
    """Where a case's analysis lies, whether it is there or not. Raises `InputError` (code) for what is no pseudonym."""
    return study / FOLDER / checked_code(case, "case's pseudonym")


def analysed(study: Path) -> frozenset[str]:
    """Pseudonyms of the cases that have an analysis."""
    return frozenset(path.parent.name for path in (study / FOLDER).glob(f"*/{ANALYSIS}"))


def claim(study: Path, request: Mapping[str, Any], replace: bool = False) -> None:
    """See that what is stored from now on goes with what is stored already; begin anew where nothing is.

    request : JSON values that decide the results. replace : throw analyses of another request away.
    Raises `InputError` (analyses-differ), naming what differs, and `OsteoScreenError` when the folder cannot be written.
    """
    folder, path = study / FOLDER, study / FOLDER / RUN
    begun = path.is_file() or bool(analysed(study))
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        differs = [key for key in request if held[key] != request[key]]
    except (OSError, ValueError, TypeError, KeyError):
        differs = [RUN]
    if begun and not differs:
        return
    if begun and not replace:
        raise InputError(
            f"The study holds results that differ in: {', '.join(differs)}; use the same options, or replace them all with --replace.",
            code="analyses-differ",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for former in folder.glob(f"*/{ANALYSIS}"):
            former.unlink()
    except OSError as error:
        raise OsteoScreenError(
            f"The folder {folder} cannot be written ({error.strerror or error}); allow writing there."
        ) from error
    write_text(path, json.dumps(dict(request), indent=2) + "\n")


def simulated(study: Path) -> bool:
    """The stored results are of a model that was trained on simulated images, so far as anything is stored."""
    try:
        return bool(json.loads((study / FOLDER / RUN).read_text(encoding="utf-8")).get("simulated_training"))
    except (OSError, ValueError, AttributeError):
        return False


def read_values(study: Path, case: str) -> dict[str, Any] | None:
    """What `write` was given, without the layers; None where the case was not analysed.

    Raises `InputError` (stored-analysis) when it is damaged or was written by another version.
    """
    path = folder_of(study, case) / ANALYSIS
    try:
        if path.stat().st_size > _LARGEST_ANALYSIS:
            raise damaged(case)
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(
            f"The stored analysis of {case} cannot be read ({error.strerror or error}); look after the study's folder.",
            code="stored-analysis",
        ) from error
    except (ValueError, RecursionError) as error:
        raise damaged(case) from error
    if not isinstance(values, dict) or values.get("case") != case:
        raise damaged(case)
    if values.get("format_version") != FORMAT_VERSION:
        raise InputError(
            f"The analysis of {case} was stored by another version of OsteoScreen; install that one, or {AGAIN}.",
            code="stored-analysis",
        )
    return values


def read_layers(study: Path, case: str, values: Mapping[str, Any]) -> np.ndarray:
    """The layers of the bones' masks, uint8 (layers, rows, columns). values : as `read_values` gave them.

    Raises `InputError` (stored-analysis) when they are damaged or do not belong to the values.
    """
    name = str(values.get("masks", ""))
    try:
        if Path(name).name != name:
            raise ValueError("the masks are a plain file name")
        with np.load(folder_of(study, case) / name, allow_pickle=False) as file:
            layers: np.ndarray = file["layers"]
    except Exception as error:  # zlib's, zipfile's, NumPy's and the system's own kinds all mean the same here
        raise damaged(case) from error
    if layers.ndim != 3 or layers.dtype != np.uint8:
        raise damaged(case)
    return layers


def write(study: Path, case: str, values: Mapping[str, Any], layers: np.ndarray, masks_sha256: str) -> Path:
    """Store a case's analysis in place of a former one, and return its folder.

    values : JSON values. layers : uint8 (layers, rows, columns). masks_sha256 : names them.
    Raises `OsteoScreenError` when the disk is full or the folder cannot be written; then the former analysis stays.
    """
    folder, name = folder_of(study, case), f"masks-{masks_sha256[:16]}.npz"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OsteoScreenError(
            f"The folder {folder} cannot be made ({error.strerror or error}); free some space or allow writing there."
        ) from error
    remove_leftovers(folder)
    text = json.dumps(
        {"format_version": FORMAT_VERSION, "case": case, "masks": name, **values}, ensure_ascii=False, allow_nan=False
    )
    write_atomically(folder / name, lambda path: _save_layers(path, layers))
    write_text(folder / ANALYSIS, text + "\n")
    for former in folder.glob("masks-*.npz"):
        if former.name != name:
            former.unlink(missing_ok=True)
    return folder


def model_facts(values: Mapping[str, Any]) -> ModelFacts:
    """Which model answered and what it said, for a read that was made with it in sight. Raises `KeyError`, `TypeError` or `ValueError`."""
    model, result = values["result"]["model"], values["result"]
    return ModelFacts(
        model=str(model["id"]),
        bundle_sha256=str(model["sha256"]),
        decision=_class(values["decision"]),
        probabilities=tuple(float(value) for value in result["probabilities"]),
    )


def damaged(case: str) -> InputError:
    """What is said of an analysis that cannot be used."""
    return InputError(f"The stored analysis of {case} is damaged; {AGAIN}.", code="stored-analysis")


def _class(name: Any) -> str:
    if name not in CLASSES:
        raise ValueError(f"{name} is no class")
    return str(name)


def _save_layers(path: Path, layers: np.ndarray) -> None:
    with open(path, "wb") as file:
        np.savez_compressed(file, layers=layers)
