"""The shipped gate: the samples pass in every lay, what is no chest does not, and the real files do what their table says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from OsteoScreenLib.bones.gate import Gate, apply_gate
from OsteoScreenLib.bundle import embedded_bundle
from OsteoScreenLib.files import resource_folder
from OsteoScreenLib.radiograph.radiograph import Placement, Radiograph
from OsteoScreenLib.radiograph.read import read_radiograph
from OsteoScreenLib.study.samples import SAMPLES
from OsteoScreenLib.study.unlike import PROGRAM_MADE

LAYS = [Placement(mirrored, turns, inverted) for inverted in (False, True) for mirrored in (False, True) for turns in range(4)]
REAL_CHESTS = (
    "chest_pa_cr_8bit_jpeg.dcm", "chest_cr_monochrome1_10bit.dcm", "chest_pa_j2k_pixelspacing_zero.dcm", "chest_dx_pa_12bit_j2k.dcm",
    "chest_nih_00000001.png", "chest_nih_00027426.png",
)  # fmt: skip
REAL_OTHERS = (
    "hip_j2k_lossless.dcm",
    "panoramic_modality_lut.dcm",
    "tibia_rle.dcm",
    "tibia_jpeg_lossless.dcm",
    "animal_lateral_thorax.dcm",
)


@pytest.fixture(scope="module")
def gate() -> Gate:
    return Gate.from_bundle(embedded_bundle("chest-gate", "gate"))


def lay(pixels: np.ndarray, placement: Placement) -> np.ndarray:
    turned = np.ascontiguousarray(placement.apply(pixels))
    return np.float32(1) - turned if placement.inverted else turned


def assert_chest_in_every_lay(gate: Gate, pixels: np.ndarray) -> None:
    """`pixels` is upright and bone-bright; every copy must come back to it, mirrored ones to its mirror image."""
    answers = set()
    for placement in LAYS:
        copy = Radiograph(lay(pixels, placement))
        report = gate.inspect(copy)
        assert report.accepted, placement
        corrected = apply_gate(copy, report).pixels
        assert np.allclose(np.fliplr(corrected) if placement.mirrored else corrected, pixels, atol=1e-6), placement
        answers.add(round(report.probability, 6))
    assert len(answers) == 1


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_samples_pass_in_every_lay(gate, sample):
    assert_chest_in_every_lay(gate, read_radiograph(resource_folder("SampleData", f"{sample.name}.dcm")).pixels)


@pytest.mark.parametrize("kind", PROGRAM_MADE)
def test_program_made_images_are_refused(gate, kind):
    rng = np.random.default_rng(77)
    accepted = sum(gate.inspect(Radiograph(PROGRAM_MADE[kind][0](rng, 128))).accepted for _ in range(8))
    assert accepted == 0


@pytest.mark.parametrize("name", REAL_CHESTS)
def test_real_chests_pass_in_every_lay(gate, shared_data, name):
    pixels = read_radiograph(shared_data / "radiographs" / name).pixels
    assert_chest_in_every_lay(gate, pixels)


@pytest.mark.parametrize("name", REAL_OTHERS)
def test_real_others_are_refused_in_every_lay(gate, shared_data, name):
    pixels = read_radiograph(shared_data / "radiographs" / name).pixels
    reports = [gate.inspect(Radiograph(lay(pixels, placement))) for placement in LAYS]
    assert not any(report.accepted for report in reports)
    assert len({round(report.probability, 6) for report in reports}) == 1


def test_inverted_upside_down_file_is_corrected_with_both_notes(gate, shared_data):
    radiograph = read_radiograph(shared_data / "radiographs" / "chest_dx_inverted_upside_down_16bit.dcm")
    fixed = apply_gate(radiograph, gate.inspect(radiograph))
    codes = [note.code for note in fixed.notes]
    assert "orientation-corrected" in codes and "polarity-corrected" in codes
    assert fixed.placement.quarter_turns == 2 and fixed.placement.inverted


def test_wrongly_tagged_twin_gives_the_pixels_of_its_original(gate, shared_data):
    folder: Path = shared_data / "radiographs"
    original, tagged = (
        read_radiograph(folder / name) for name in ("chest_pa_cr_8bit_jpeg.dcm", "chest_pa_tagged_monochrome1.dcm")
    )
    fixed = apply_gate(tagged, gate.inspect(tagged))
    assert [n.code for n in fixed.notes if n.code.startswith("polarity")] == ["polarity-corrected"]
    assert np.allclose(fixed.pixels, apply_gate(original, gate.inspect(original)).pixels, atol=1e-5)


def test_few_real_knees_pass(gate, shared_data):
    from PIL import Image

    files = sorted((shared_data / "knee_cohort" / "images").iterdir())[::12]
    accepted = 0
    for file in files:
        with Image.open(file) as image:
            pixels = np.asarray(image.convert("L"), np.float32) / 255
        accepted += gate.inspect(Radiograph(pixels)).accepted
    assert accepted <= 0.05 * len(files)
