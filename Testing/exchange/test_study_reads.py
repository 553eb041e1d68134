"""A reader's opinion from a study, on its way into the report."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from builders import make_classifier_bundle
from exchange.dicom_cases import dicom_file
from review.kept_reads import clock_at, lock, store_in

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.exchange.dicom.read_report import read_report
from OsteoScreenLib.exchange.study_reads import opinion_on
from OsteoScreenLib.review.creating import create_study
from OsteoScreenLib.review.nouns import Protocol
from OsteoScreenLib.review.source_lists import CaseSource
from OsteoScreenLib.review.study import ReviewStudy


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return dicom_file(tmp_path / "image.dcm")


@pytest.fixture
def study(tmp_path: Path, image: Path) -> ReviewStudy:
    """A study of two images with copies."""
    other = dicom_file(tmp_path / "other.dcm", rows=190, SOPInstanceUID="1.2.3.99")
    protocol = Protocol("Study", target="osteopenia", readers=("R1", "R2"))
    return create_study(tmp_path / "study", protocol, [CaseSource(image), CaseSource(other)], copy=True)


def case_of(study: ReviewStudy, image: Path) -> str:
    case = study.case_of_image(image)
    assert case is not None
    return case.id


def test_the_last_word_counts(study: ReviewStudy, image: Path) -> None:
    case = case_of(study, image)
    store = store_in(study.folder, "R1", clock=clock_at(0, 1, 2, 3, 4, 5, 6, 7, 8))
    lock(store, case, decision="normal")
    assert opinion_on(image, study.folder).opinion.decision == "normal"
    lock(store, case, "second", decision="osteopenia")
    lock(store, case, repeat=1, decision="osteoporosis")  # the same case a second time: another question
    found = opinion_on(image, study.folder, "R1")
    assert (found.reader, found.phase, found.opinion.decision, found.target) == ("R1", "second", "osteopenia", "osteopenia")
    copy = study.image_path(study.case(case))
    assert copy != image and opinion_on(copy, study.folder) == found


def test_what_cannot_be_told_is_one_sentence(study: ReviewStudy, image: Path, tmp_path: Path) -> None:
    stranger = dicom_file(tmp_path / "stranger.dcm", rows=180)
    for wrong, folder, reader, code in (
        (stranger, study.folder, "", "no-case"),
        (image, study.folder, "", "no-read"),
        (image, tmp_path, "", "no-study"),
    ):
        with pytest.raises(InputError) as refusal:
            opinion_on(wrong, folder, reader)
        assert refusal.value.code == code
    for reader in ("R1", "R2"):
        store = store_in(study.folder, reader)
        lock(store, case_of(study, image))
        store.close()
    with pytest.raises(InputError, match="R1, R2; name one of them with --reader"):
        opinion_on(image, study.folder)
    assert opinion_on(image, study.folder, "R2").reader == "R2"
    with pytest.raises(InputError, match="no locked read by reader R3"):
        opinion_on(image, study.folder, "R3")


def test_from_the_command_line_into_the_report(study: ReviewStudy, tmp_path: Path) -> None:
    """`analyse --dicom --reads`: on a shipped sample, with a small model."""
    from OsteoScreenLib.files import resource_folder

    sample = next(resource_folder("SampleData").glob("*.dcm"))
    made = create_study(tmp_path / "samples", Protocol("Samples"), [CaseSource(sample)])
    store = store_in(made.folder, "R7")
    lock(store, made.cases[0].id, decision="osteoporosis")
    store.close()
    make_classifier_bundle(tmp_path / "tiny")
    command = [sys.executable, "-m", "OsteoScreenLib.cli", "analyse", str(sample), "--out", str(tmp_path / "out"), "--model"]
    command += [str(tmp_path / "tiny"), "--saliency", "none"]
    without = subprocess.run([*command, "--reads", str(made.folder)], capture_output=True, text=True, timeout=120)
    assert without.returncode == 2 and "add --dicom" in without.stderr
    done = subprocess.run([*command, "--dicom", "--reads", str(made.folder)], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    opinion = read_report(tmp_path / "out" / "sr.dcm").opinion
    assert opinion is not None
    assert (opinion.reader, opinion.opinion.decision, opinion.opinion.comment) == ("R7", "osteoporosis", "seen")
    unread = subprocess.run([*command, "--dicom", "--reads", str(study.folder)], capture_output=True, text=True, timeout=240)
    assert unread.returncode == 2 and "no case of that reader study" in unread.stderr + unread.stdout
