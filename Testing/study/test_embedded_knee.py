"""The shipped knee gate and segmenter: small, told apart from chests, and what they do on real knees that they never saw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from OsteoScreenLib.bones.embedded import EmbeddedSegmenter
from OsteoScreenLib.bones.gate import Gate
from OsteoScreenLib.bones.vocabulary import KNEE
from OsteoScreenLib.bundle import embedded_bundle
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.files import resource_folder
from OsteoScreenLib.radiograph.radiograph import Placement, Radiograph
from OsteoScreenLib.radiograph.read import read_radiograph
from OsteoScreenLib.study.samples import SAMPLES

NO_KNEES = (
    "hip_j2k_lossless.dcm",
    "panoramic_modality_lut.dcm",
    "tibia_rle.dcm",
    "tibia_jpeg_lossless.dcm",
    "animal_lateral_thorax.dcm",
)
MOST = {"knee-gate": 1.5e6, "knee-segmenter": 4e6}


@pytest.fixture(scope="module")
def gate() -> Gate:
    return Gate.from_bundle(embedded_bundle("knee-gate", "gate"))


@pytest.fixture(scope="module")
def segmenter() -> EmbeddedSegmenter:
    return EmbeddedSegmenter.from_bundle(embedded_bundle("knee-segmenter", "segmenter"))


def knees(shared_data: Path, step: int) -> list[Path]:
    return sorted((shared_data / "knee_cohort" / "images").iterdir())[::step]


@pytest.mark.parametrize("name", MOST)
def test_bundles_are_small_of_the_site_and_say_what_they_are(name: str) -> None:
    bundle = embedded_bundle(name)
    assert sum(path.stat().st_size for path in bundle.folder.iterdir()) < MOST[name]
    assert bundle.manifest["site"] == "knee" and bundle.manifest["training"]["simulated"] is True
    assert "no real radiograph" in bundle.manifest["training"]["data"]
    assert "Research use only" in bundle.card and "On real radiographs" in bundle.card


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_chests_are_no_knees(gate: Gate, sample: object) -> None:
    report = gate.inspect(read_radiograph(resource_folder("SampleData", f"{sample.name}.dcm")))  # type: ignore[attr-defined]
    assert not report.accepted and report.site is KNEE


def test_real_chests_and_other_parts_are_refused(gate: Gate, shared_data: Path) -> None:
    accepted = []
    for path in sorted((shared_data / "radiographs").iterdir()):
        try:
            accepted += [path.name] if gate.inspect(read_radiograph(path)).accepted else []
        except InputError:
            continue
    assert accepted == []
    assert all((shared_data / "radiographs" / name).is_file() for name in NO_KNEES)


def test_most_real_knees_pass_upright(gate: Gate, shared_data: Path) -> None:
    files = knees(shared_data, 8)
    reports = [gate.inspect(read_radiograph(path)) for path in files]
    upright = sum(report.accepted and report.correction == Placement() for report in reports)
    assert upright >= 0.75 * len(files)
    assert not any(report.mirrored_suspected for report in reports)


def test_every_copy_of_a_knee_gets_the_same_answer(gate: Gate, shared_data: Path) -> None:
    pixels = read_radiograph(knees(shared_data, 30)[0]).pixels
    answers = {
        round(gate.inspect(Radiograph(np.ascontiguousarray(Placement(mirrored, turns).apply(pixels)))).probability, 9)
        for mirrored in (False, True)
        for turns in range(4)
    }
    assert len(answers) == 1


def test_real_knees_have_their_bones_in_their_places(segmenter: EmbeddedSegmenter, shared_data: Path) -> None:
    """No outlines were drawn by hand, so this asks what holds on any frontal knee: femur above tibia, patella over the femur,
    fibula outside of the tibia, the right leg on the viewer's left."""
    files, whole, right_places = knees(shared_data, 20), 0, 0
    for path in files:
        masks = segmenter.segment(read_radiograph(path))
        sides = [side for side in ("right", "left") if {f"{side} femur", f"{side} tibia"} <= set(masks.names)]
        whole += bool(sides)
        for side in sides:
            rows = [np.nonzero(masks.mask(f"{side} {noun}"))[0].mean() for noun in ("femur", "tibia")]
            assert rows[0] < rows[1], f"{path.name}: femur below tibia"
            fibula = masks.mask(f"{side} fibula")
            if fibula.any():
                inside = np.nonzero(masks.mask(f"{side} tibia") & fibula.any(axis=1)[:, None])[1]
                outwards = -1 if side == "right" else 1
                right_places += not inside.size or (np.nonzero(fibula)[1].mean() - inside.mean()) * outwards > 0
            else:
                right_places += 1
        if len(sides) == 2:
            left, right = (np.nonzero(masks.mask(f"{side} femur"))[1].mean() for side in ("left", "right"))
            assert right < left, f"{path.name}: sides exchanged"
    assert whole >= 0.8 * len(files)
    assert right_places >= 0.9 * whole
