"""`osteoscreen simulate`: whole, repeatable, resumable, and true to its own table."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

pytest.importorskip("numba", reason="the simulator's packages are not installed here")

from OsteoScreenLib.bones.segnrrd import read_seg_nrrd
from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL
from OsteoScreenLib.classifier.truth_cells import class_of
from OsteoScreenLib.cli import main
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.radiograph.read import read_radiograph
from OsteoScreenLib.simulate.sources import load_anatomies, sources_in
from OsteoScreenLib.study.simulated_cohort import CohortOptions, simulate_cohort

pytestmark = pytest.mark.timeout(900)
SIZE = 160


@pytest.fixture(scope="module")
def thorax(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The labelled CT alone: registering the others takes minutes."""
    folder = tmp_path_factory.mktemp("thorax")
    for path in (shared_data / "thorax_ct").glob("lidc2*"):
        shutil.copy(path, folder / path.name)
    return folder


@pytest.fixture(scope="module")
def skeleton(shared_data: Path) -> Path:
    return shared_data / "skeleton" / "bodyparts3d_stl.zip"


@pytest.fixture(scope="module")
def prepared(skeleton: Path, thorax: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Anatomies that every cohort of this module starts from."""
    cache = tmp_path_factory.mktemp("anatomies")
    load_anatomies(sources_in(skeleton, thorax), cache)
    return cache


@pytest.fixture(scope="module")
def cohort(skeleton: Path, thorax: Path, prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cohort") / "whole"
    simulate_cohort(folder, skeleton, thorax, CohortOptions(5, seed=3, size=SIZE), cache=prepared)
    return folder


def rows_of(folder: Path) -> list[dict[str, str]]:
    with open(folder / "cohort.csv", encoding="utf-8") as table:
        return list(csv.DictReader(table))


def files_of(folder: Path) -> dict[str, bytes]:
    kept = ("images", "masks", "organs", "rows", "cohort.csv")
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for part in kept
        for p in sorted([*folder.glob(f"{part}/*"), *folder.glob(part)])
        if p.is_file()
    }


def test_images_masks_and_table_agree(cohort: Path) -> None:
    rows = rows_of(cohort)
    assert len(rows) == 5 and len({row["patient_id"] for row in rows}) == 5
    for row in rows:
        radiograph = read_radiograph(cohort / row["image"])
        assert radiograph.shape == (SIZE, SIZE) and radiograph.spacing_mm is not None
        assert radiograph.source.patient_sex == "F" and int(radiograph.source.patient_age[:3]) == int(row["age"])
        assert row["label"] == ("normal", "osteopenia", "osteoporosis")[class_of(float(row["t_score"]))]
        masks = read_seg_nrrd(cohort / row["masks"], radiograph)
        assert len(masks.names) >= 40 and masks.names == tuple(n for n in CHEST_FRONTAL.by_name if n in masks.names)
        right, left = (np.nonzero(masks.mask(f"{side} rib 6"))[1].mean() for side in ("right", "left"))
        assert right < left
        spine = masks.union(CHEST_FRONTAL.groups["Spine"])
        beside = np.roll(spine, 30, axis=1) & ~spine
        assert radiograph.pixels[spine].mean() > radiograph.pixels[beside].mean()


def test_the_same_command_gives_the_same_bytes_and_goes_on_where_it_stopped(
    cohort: Path, skeleton: Path, thorax: Path, prepared: Path, tmp_path: Path
) -> None:
    part = tmp_path / "part"
    part.mkdir()
    (part / ".0123abcd-simulation.json").write_bytes(b"torn")
    simulate_cohort(part, skeleton, thorax, CohortOptions(2, seed=3, size=SIZE), cache=prepared)
    half_written = part / "images" / "sim-000003.dcm"
    half_written.write_bytes(b"torn")  # an image without its row counts for nothing
    (part / "images" / ".0123abcd-sim-000004.dcm").write_bytes(b"torn")  # as a write that was killed leaves it
    simulate_cohort(part, skeleton, thorax, CohortOptions(5, seed=3, size=SIZE), workers=2, cache=prepared)
    assert files_of(part) == files_of(cohort)
    assert not list(part.glob(".*"))


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_midway_it_goes_on_and_nothing_torn_is_used(
    cohort: Path, skeleton: Path, thorax: Path, prepared: Path, tmp_path: Path, workers: int
) -> None:
    folder = tmp_path / "killed"
    command = [sys.executable, "-m", "OsteoScreenLib.cli", "simulate", "--skeleton", str(skeleton), "--thorax-ct", str(thorax),
               "-o", str(folder), "--count", "5", "--seed", "3", "--size", str(SIZE), "--workers", str(workers), "--cache", str(prepared)]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 200
    while not list((folder / "rows").glob("sim-*.json")) and time.monotonic() < end and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=120)  # its output ends when its workers have ended, too
    assert list((folder / "rows").glob("sim-*.json"))
    if (folder / "cohort.csv").is_file():
        pytest.skip("it was ready before it could be killed")
    assert subprocess.run(command, env=environment, capture_output=True, timeout=300).returncode == 0
    assert files_of(folder) == files_of(cohort)


def test_another_cohort_in_the_same_folder_is_refused(cohort: Path, skeleton: Path, thorax: Path, prepared: Path) -> None:
    with pytest.raises(InputError, match="other options or sources"):
        simulate_cohort(cohort, skeleton, thorax, CohortOptions(5, seed=4, size=SIZE), cache=prepared)
    strange = cohort.parent / "strange"
    strange.mkdir()
    (strange / "thesis.txt").write_text("keep me")
    with pytest.raises(InputError, match="not empty"):
        simulate_cohort(strange, skeleton, thorax, CohortOptions(1, size=SIZE), cache=prepared)
    assert (strange / "thesis.txt").read_text() == "keep me"


def test_bone_loss_confined_to_bones_changes_the_image_there(
    skeleton: Path, thorax: Path, prepared: Path, tmp_path: Path
) -> None:
    pixels = {}
    for prevalence in ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0)):
        folder = tmp_path / str(prevalence[0])
        options = CohortOptions(1, seed=8, size=SIZE, prevalence=prevalence, loss_in=("right rib 7",))
        simulate_cohort(folder, skeleton, thorax, options, cache=prepared)
        row = rows_of(folder)[0]
        assert row["truth_bones_with_loss"] == "right_rib_7"
        radiograph = read_radiograph(folder / row["image"])
        pixels[prevalence[0]] = radiograph.pixels
    rib = read_seg_nrrd(folder / row["masks"], radiograph).mask("right rib 7")
    change = np.abs(pixels[1.0] - pixels[0.0])
    assert change[rib].mean() > 2 * change[~rib].mean()


def test_some_patients_have_several_images_of_one_body(skeleton: Path, thorax: Path, prepared: Path, tmp_path: Path) -> None:
    options = CohortOptions(8, seed=2, size=SIZE, follow_up=0.5)
    simulate_cohort(tmp_path / "some", skeleton, thorax, options, workers=2, cache=prepared)
    rows = rows_of(tmp_path / "some")
    of_patient = {row["patient_id"]: [one for one in rows if one["patient_id"] == row["patient_id"]] for row in rows}
    assert 1 < len(of_patient) < 8
    for patient, images in of_patient.items():
        assert patient == Path(images[0]["image"]).stem.upper()
        for what in ("age", "t_score", "label", "view", "truth_anatomy", "truth_bmd_g_cm2"):
            assert len({one[what] for one in images}) == 1, what
        read = [read_radiograph(tmp_path / "some" / one["image"]) for one in images]
        files = [dcmread(tmp_path / "some" / one["image"], stop_before_pixels=True) for one in images]
        assert {(one.PatientID, one.PatientAge) for one in files} == {(patient, f"{int(images[0]['age']):03d}Y")}
        assert len({one.source.sop_instance_uid for one in read}) == len(images)
        for one in read[1:]:  # posed and exposed anew
            assert np.abs(one.pixels - read[0].pixels).mean() > 0.01
    # A longer cohort goes on with the same patients.
    assert [options.first_image(index) for index in range(8)] == [int(row["patient_id"][4:]) - 1 for row in rows]
    alone = CohortOptions(8, seed=2, size=SIZE)
    assert [alone.first_image(index) for index in range(8)] == list(range(8))


def test_a_shortcut_ties_age_to_the_class(skeleton: Path, thorax: Path, prepared: Path, tmp_path: Path) -> None:
    tied = {}
    for shortcut in ("age", "none"):
        options = CohortOptions(12, seed=5, size=128, shortcut=shortcut)  # type: ignore[arg-type]
        simulate_cohort(tmp_path / shortcut, skeleton, thorax, options, cache=prepared)
        rows = rows_of(tmp_path / shortcut)
        tied[shortcut] = np.corrcoef([float(r["age"]) for r in rows], [float(r["t_score"]) for r in rows])[0, 1]
    assert tied["age"] < -0.95 and abs(tied["none"]) < 0.75


@pytest.mark.parametrize(
    "options,sentence",
    [
        (["--prevalence", "many"], "not three numbers"),
        (["--prevalence", "0,0,0"], "three shares"),
        (["--bone-loss", "right wing"], "no bone or group"),
    ],
)
def test_wrong_options_are_one_sentence(
    skeleton: Path, thorax: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], sentence: str
) -> None:
    given = ["simulate", "--skeleton", str(skeleton), "--thorax-ct", str(thorax), "-o", str(tmp_path / "out"), *options]
    assert main(given) == 2
    told = capsys.readouterr()
    assert sentence in told.err and "Traceback" not in told.err and not (tmp_path / "out").exists()


def test_sources_that_do_not_fit_are_one_sentence(
    skeleton: Path, thorax: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import SimpleITK as sitk

    wrong = tmp_path / "wrong"
    shutil.copytree(thorax, wrong)
    labels = sitk.ReadImage(str(wrong / "lidc2_labels.nrrd"))
    labels.SetOrigin([value + 300 for value in labels.GetOrigin()])
    sitk.WriteImage(labels, str(wrong / "lidc2_labels.nrrd"), True)
    given = ["simulate", "--skeleton", str(skeleton), "--thorax-ct", str(wrong), "-o", str(tmp_path / "out"), "--count", "1"]
    assert main(given) == 2
    told = capsys.readouterr().err
    assert "do not match the CT" in told and not list((tmp_path / "out").glob("*/*.dcm"))
