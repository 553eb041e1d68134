"""`osteoscreen analyse` over the folder of real radiographs, and over copies that were turned, inverted, stripped and renamed.

Every file does what the folder's table says. The rules are general: a copy's name, tags and encoding tell nothing.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ANALYSED: dict[str, set[str]] = {  # file → codes of the notes that must be there
    "chest_pa_cr_8bit_jpeg.dcm": set(),
    "chest_pa_tagged_monochrome1.dcm": {"polarity-corrected"},
    "chest_cr_monochrome1_10bit.dcm": {"no-spacing"},
    "chest_pa_j2k_pixelspacing_zero.dcm": {"no-spacing"},
    "chest_dx_pa_12bit_j2k.dcm": set(),
    "chest_dx_inverted_upside_down_16bit.dcm": {"orientation-corrected", "polarity-corrected"},
    "chest_nih_00000001.png": {"no-dicom"},
    "chest_nih_00027426.png": {"no-dicom"},
}
REFUSED: dict[str, set[str]] = {  # file → the codes with which it may be refused
    "chest_dx_corrupt_codestream.dcm": {"undecodable"},
    "hip_j2k_lossless.dcm": {"not-frontal-chest"},
    "panoramic_modality_lut.dcm": {"not-frontal-chest"},
    "tibia_rle.dcm": {"not-frontal-chest"},
    "tibia_jpeg_lossless.dcm": {"not-frontal-chest"},
    "animal_lateral_thorax.dcm": {"not-frontal-chest"},
}


@dataclass(frozen=True)
class Run:
    """What one call of the command line did."""

    status: int
    files: dict[str, dict[str, Any]]
    stderr: str


def analyse(paths: list[Path], out: Path) -> Run:
    command = [sys.executable, "-m", "OsteoScreenLib.cli", "analyse", *map(str, paths), "--out", str(out), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    document = json.loads(done.stdout)
    return Run(done.returncode, {Path(entry["path"]).name: entry for entry in document["images"]}, done.stderr)


@pytest.fixture(scope="module")
def originals(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = shared_data / "radiographs"
    return analyse(sorted(folder.iterdir()), tmp_path_factory.mktemp("originals"))


def note_codes(entry: dict[str, Any]) -> set[str]:
    return {note["code"] for note in entry["notes"]}


def one_sentence(text: str) -> bool:
    return "\n" not in text.strip() and text.strip().endswith((".", "?")) and "Traceback" not in text and len(text) < 400


def test_the_folder_holds_what_the_table_says(shared_data: Path) -> None:
    assert {path.name for path in (shared_data / "radiographs").iterdir()} == set(ANALYSED) | set(REFUSED)


def test_exit_status_and_one_line_each(originals: Run) -> None:
    assert originals.status == 2
    assert set(originals.files) == set(ANALYSED) | set(REFUSED)
    assert "Traceback" not in originals.stderr


@pytest.mark.parametrize("name", ANALYSED)
def test_analysed(originals: Run, name: str) -> None:
    entry = originals.files[name]
    assert entry["status"] == "analysed", entry
    assert note_codes(entry) >= ANALYSED[name]
    assert {"analysis.json", "overlay.png", "report.html", "masks.seg.nrrd"} <= {p.name for p in Path(entry["out"]).iterdir()}
    assert "simulated" in (Path(entry["out"]) / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", REFUSED)
def test_refused(originals: Run, name: str) -> None:
    entry = originals.files[name]
    assert entry["status"] == "refused", entry
    assert entry["code"] in REFUSED[name]
    assert one_sentence(entry["sentence"])


def test_the_twin_with_the_wrong_tag_gets_the_same_answer(originals: Run) -> None:
    twins = [originals.files[f"chest_pa_{name}.dcm"]["probabilities"] for name in ("cr_8bit_jpeg", "tagged_monochrome1")]
    assert twins[0].keys() == twins[1].keys()
    assert max(abs(twins[0][key] - twins[1][key]) for key in twins[0]) <= 1e-3


TURNS = {
    "quarter": lambda a: np.rot90(a),
    "upside-down-mirrored": lambda a: np.flipud(a),
    "mirrored": lambda a: np.fliplr(a),
    "inverted": lambda a: a,
    "three-quarters-mirrored-inverted": lambda a: np.rot90(np.fliplr(a), 3),
}


def changed_copy(source: Path, target: Path, turn: str) -> Path:
    """The stored pixels turned and/or inverted, written anew without tags that name the body part, under a plain name."""
    change = TURNS[turn]
    if source.suffix == ".png":
        from PIL import Image

        grey = np.asarray(Image.open(source).convert("L"))
        array = 255 - grey if "inverted" in turn else grey
        Image.fromarray(np.ascontiguousarray(change(array))).save(target, format="TIFF")
        return target
    import pydicom
    from pydicom.uid import ExplicitVRLittleEndian

    dataset = pydicom.dcmread(source)
    array = dataset.pixel_array
    if "inverted" in turn:
        low, high = (0, 2**dataset.BitsStored - 1) if dataset.PixelRepresentation == 0 else (int(array.min()), int(array.max()))
        array = (high - (array.astype(np.int64) - low)).astype(array.dtype)
        mirror_window(dataset, low + high)
    array = np.ascontiguousarray(change(array))
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.Rows, dataset.Columns = array.shape
    dataset.PixelData = array.tobytes()
    dataset["PixelData"].VR = "OW" if dataset.BitsAllocated > 8 else "OB"
    dataset["PixelData"].is_undefined_length = False
    for keyword in (
        "BodyPartExamined",
        "StudyDescription",
        "SeriesDescription",
        "ProtocolName",
        "ViewPosition",
        "PatientOrientation",
        "ViewCodeSequence",
        "AnatomicRegionSequence",
        "AcquisitionDeviceProcessingDescription",
    ):
        if keyword in dataset:
            delattr(dataset, keyword)
    if turn.startswith(("quarter", "three")):
        for keyword in ("PixelSpacing", "ImagerPixelSpacing"):
            if keyword in dataset and dataset[keyword].value:
                setattr(dataset, keyword, list(reversed(dataset[keyword].value)))
    dataset.save_as(target)
    return target


def mirror_window(dataset: Any, ends: int) -> None:
    """Move the header's windows with the grey values, so that the inverted copy shows the same picture (PS3.3 C.11.2.1.2)."""
    if dataset.get("WindowCenter") in (None, ""):
        return
    slope, intercept = float(dataset.get("RescaleSlope") or 1), float(dataset.get("RescaleIntercept") or 0)
    half_open = 1 if dataset.get("VOILUTFunction", "LINEAR") in ("", "LINEAR") else 0
    centres = dataset.WindowCenter if dataset["WindowCenter"].VM > 1 else [dataset.WindowCenter]
    dataset.WindowCenter = [slope * ends + 2 * intercept - float(centre) + half_open for centre in centres]


@pytest.fixture(scope="module")
def copies(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("copies")
    paths = []
    for i, name in enumerate([*ANALYSED, *sorted(set(REFUSED) - {"chest_dx_corrupt_codestream.dcm"})]):
        for j, turn in enumerate(TURNS):
            paths.append(changed_copy(shared_data / "radiographs" / name, folder / f"x{i:02d}{j}", turn))
    return analyse(paths, tmp_path_factory.mktemp("copies-out"))


CASES = [(i, name, j, turn) for i, name in enumerate([*ANALYSED, *sorted(set(REFUSED) - {"chest_dx_corrupt_codestream.dcm"})])
         for j, turn in enumerate(TURNS)]  # fmt: skip


@pytest.mark.parametrize(("i", "name", "j", "turn"), CASES, ids=[f"{name}-{turn}" for _, name, _, turn in CASES])
def test_a_changed_copy_does_the_same(copies: Run, originals: Run, i: int, name: str, j: int, turn: str) -> None:
    entry = copies.files[f"x{i:02d}{j}"]
    if name in REFUSED:
        assert entry["status"] == "refused", entry
        assert entry["code"] in REFUSED[name]
        return
    assert entry["status"] == "analysed", entry
    probabilities = originals.files[name]["probabilities"]
    if "mirrored" not in turn:  # a mirror is never undone by guess, so only the other copies show the very same upright image
        assert max(abs(entry["probabilities"][key] - probabilities[key]) for key in probabilities) <= 0.02
    assert (Path(entry["out"]) / "overlay.png").stat().st_size > 10_000
    shutil.rmtree(entry["out"])
