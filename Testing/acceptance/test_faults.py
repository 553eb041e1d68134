"""What goes wrong in a user's hands ends in one clear sentence, and the other files are still analysed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parent.parent.parent
RESOURCES = REPOSITORY / "OsteoScreen" / "Resources"
SAMPLE = RESOURCES / "SampleData" / "simulated_chest_normal.dcm"


def run(*arguments: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "OsteoScreenLib.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload, no-any-return]


def assert_one_sentence(text: str) -> None:
    assert "Traceback" not in text
    lines = [line for line in text.splitlines() if line.strip()]
    assert len(lines) == 1, text
    assert lines[0].rstrip().endswith((".", "?")), text


def ct_slice(folder: Path) -> Path:
    import pydicom
    from pydicom.uid import CTImageStorage

    dataset = pydicom.dcmread(SAMPLE)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    dataset.Modality = "CT"
    dataset.save_as(folder / "ct.dcm")
    return folder / "ct.dcm"


def cine(folder: Path) -> Path:
    import pydicom
    from pydicom.uid import ExplicitVRLittleEndian, XRayAngiographicImageStorage

    dataset = pydicom.dcmread(SAMPLE)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = XRayAngiographicImageStorage
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.Modality, dataset.NumberOfFrames = "XA", 10
    dataset.Rows, dataset.Columns = 128, 128
    dataset.PixelData = np.zeros((10, 128, 128), np.uint16).tobytes()
    dataset["PixelData"].is_undefined_length = False
    dataset.save_as(folder / "cine.dcm")
    return folder / "cine.dcm"


def photograph(folder: Path) -> Path:
    from PIL import Image

    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (300, 400, 3), dtype=np.uint8)).save(folder / "holiday.jpg")
    return folder / "holiday.jpg"


def picture(name: str, array: np.ndarray) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        from PIL import Image

        Image.fromarray(array).save(folder / name)
        return folder / name

    return write


def with_nan(folder: Path) -> Path:
    import SimpleITK as sitk

    array = np.random.default_rng(0).random((200, 200)).astype(np.float32)
    array[50, 60] = np.nan
    sitk.WriteImage(sitk.GetImageFromArray(array), str(folder / "nan.nrrd"))
    return folder / "nan.nrrd"


def empty(folder: Path) -> Path:
    (folder / "empty.dcm").touch()
    return folder / "empty.dcm"


def directory(folder: Path) -> Path:
    (folder / "a folder").mkdir()
    return folder / "a folder"


BAD_INPUTS: dict[str, Callable[[Path], Path]] = {
    "ct": ct_slice,
    "cine": cine,
    "photograph": photograph,
    "one pixel": picture("one.png", np.zeros((1, 1), np.uint8)),
    "enormous": picture("enormous.png", np.zeros((12_000, 12_000), np.uint8)),
    "directory": directory,
    "empty": empty,
    "nan": with_nan,
    "absent": lambda folder: folder / "absent.dcm",
}


def test_bad_inputs_lose_nothing(tmp_path: Path) -> None:
    """All of them in one call together with a good file: a sentence each, the good one analysed, exit 2."""
    paths = {what: make(tmp_path) for what, make in BAD_INPUTS.items()}
    done = run("analyse", *paths.values(), SAMPLE, "--out", tmp_path / "out", "--json")
    assert done.returncode == 2, done.stderr
    entries = {entry["path"]: entry for entry in json.loads(done.stdout)["images"]}
    for what, path in paths.items():
        assert entries[str(path)]["status"] == "refused", (what, entries[str(path)])
        assert_one_sentence(entries[str(path)]["sentence"])
    assert entries[str(SAMPLE)]["status"] == "analysed"


def damaged_model(folder: Path, damage: Callable[[Path], None]) -> Path:
    model = folder / "model"
    shutil.copytree(RESOURCES / "Models" / "chest-sim-classifier", model)
    damage(model / "weights.safetensors")
    return model


def truncate(weights: Path) -> None:
    weights.write_bytes(weights.read_bytes()[:-1000])


def alter(weights: Path) -> None:
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 1
    weights.write_bytes(data)


def rename_a_pickle(weights: Path) -> None:
    import pickle

    weights.write_bytes(pickle.dumps({"weight": [0.0] * 100}))


@pytest.mark.parametrize("damage", [truncate, alter, rename_a_pickle])
def test_damaged_weights(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    done = run("analyse", SAMPLE, "--out", tmp_path / "out", "--model", damaged_model(tmp_path, damage))
    assert done.returncode == 2
    assert_one_sentence(done.stderr + done.stdout)
    assert "weights.safetensors" in done.stderr + done.stdout


def test_unknown_bone_and_unknown_model(tmp_path: Path) -> None:
    for wrong in (["--cover", "femur"], ["--model", "no-such-model"]):
        done = run("analyse", SAMPLE, "--out", tmp_path / "out", *wrong)
        assert done.returncode == 2
        assert_one_sentence(done.stderr + done.stdout)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk(tmp_path: Path) -> None:
    disk = tmp_path / "small"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(disk)], capture_output=True, check=False
    ).returncode:
        pytest.skip("this machine does not let root mount a small disk")
    try:
        done = run("analyse", SAMPLE, "--out", disk / "out")
        left = [path for path in disk.rglob("*") if path.is_file() and path.name.startswith(".")]
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert done.returncode == 1
    assert_one_sentence(done.stderr + done.stdout)
    assert "No space left" in done.stderr + done.stdout
    assert left == []
