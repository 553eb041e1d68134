"""A study's folder: made whole or not at all, opened as it was made, and without a trace of whom the images show."""

from __future__ import annotations

import csv
import dataclasses
import errno
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from radiograph.synthetic import data_set, grey_picture, save

from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.files import sha256_of_file
from OsteoScreenLib.radiograph.read import read_radiograph
from OsteoScreenLib.review import creating
from OsteoScreenLib.review.creating import create_study
from OsteoScreenLib.review.nouns import Protocol
from OsteoScreenLib.review.sources import CaseSource, read_sources
from OsteoScreenLib.review.study import open_study

SECRETS = ("Nightingale", "Florence", "SECRET-17", "19200512", "St. Thomas", "ward", "Crimea")
PROTOCOL = Protocol("First study", readers=("R1", "R2"), repeats=0.5, seed=3)


@pytest.fixture
def originals(tmp_path: Path) -> Path:
    """Radiographs of two patients whose names stand in headers and in the names of files and folders."""
    folder = tmp_path / "Nightingale"
    folder.mkdir()
    for number in range(6):
        dataset = data_set(
            grey_picture(seed=number), WindowCenter=2000, WindowWidth=3500, ViewPosition="PA", BodyPartExamined="CHEST",
            PatientBirthDate="19200512", InstitutionName="St. Thomas", StudyDescription="Chest PA Nightingale ward",
            PatientID=f"SECRET-17{number // 3}",
        )  # fmt: skip
        dataset.add_new(0x00091010, "LO", "Crimea")
        save(dataset, folder / f"Florence_{number}.dcm")
    Image.fromarray(grey_picture(seed=9, top=255, dtype="u1")).save(folder / "Florence.png")
    return folder


def everything_below(folder: Path, besides: str = "") -> bytes:
    """Names and contents of all files."""
    found = b""
    for top, _, names in os.walk(folder):
        for name in names:
            path = Path(top, name)
            if not besides or besides not in path.parts:
                found += str(path.relative_to(folder)).encode() + b"\n" + path.read_bytes()
    return found


@pytest.mark.parametrize("copy", [False, True])
def test_only_pseudonyms_outside_the_private_folder(originals: Path, tmp_path: Path, copy: bool) -> None:
    study = create_study(tmp_path / "study", PROTOCOL, read_sources([originals]).cases, copy)
    public = everything_below(study.folder, "private")
    for secret in SECRETS:
        assert secret.encode() not in public, secret
    assert b"Florence" in everything_below(study.folder / "private")
    assert study == open_study(study.folder) and study.protocol == PROTOCOL
    assert [case.id for case in study.cases] == [f"C-{number:05}" for number in range(1, 8)]
    assert sorted(case.group for case in study.cases) == ["", *["P-00001"] * 3, *["P-00002"] * 3]
    assert {case.view for case in study.cases if case.group} == {"PA"}
    for case in study.cases:
        assert sha256_of_file(study.image_path(case)) == case.sha256
        assert study.image_path(case).is_relative_to(study.folder) is copy


def test_copies_show_what_the_originals_show(originals: Path, tmp_path: Path) -> None:
    study = create_study(tmp_path / "study", PROTOCOL, read_sources([originals]).cases, copy=True)
    for case in study.cases:
        original = next(path for path in originals.iterdir() if study.case_of_image(path) == case)
        np.testing.assert_array_equal(read_radiograph(study.image_path(case)).pixels, read_radiograph(original).pixels)
        assert study.case_of_image(study.image_path(case)) == case
    assert study.case_of_image(tmp_path / "elsewhere.dcm") is None


def test_pseudonyms_do_not_follow_the_order_of_the_files(tmp_path: Path) -> None:
    for number in range(40):
        Image.fromarray(grey_picture(seed=number, top=255, dtype="u1")).save(tmp_path / f"{number:02}.png")
    sources = read_sources(sorted(tmp_path.glob("*.png"))).cases
    orders = []
    for name in ("one", "two"):
        study = create_study(tmp_path / name, PROTOCOL, sources)
        orders.append([study.image_path(case).name for case in study.cases])
    assert sorted(orders[0]) == sorted(orders[1]) and orders[0] != orders[1] != sorted(orders[1])


def test_truth_and_t_score_come_back_as_they_were(originals: Path, tmp_path: Path) -> None:
    sources = [
        dataclasses.replace(source, truth=("normal", None)[place % 2], t_score=(0.1 + 0.2, None)[place % 2])
        for place, source in enumerate(read_sources([originals]).cases)
    ]
    cases = create_study(tmp_path / "study", PROTOCOL, sources).cases
    assert sum(case.truth == "normal" and case.t_score == 0.1 + 0.2 for case in cases) == 4
    assert sum(case.truth is None and case.t_score is None for case in cases) == 3


def test_truth_apart_stays_with_whoever_made_the_study(originals: Path, tmp_path: Path) -> None:
    sources = [
        dataclasses.replace(source, truth=("osteopenia", "normal", None)[place % 3], t_score=-1.5 if place % 3 == 0 else None)
        for place, source in enumerate(read_sources([originals]).cases)
    ]
    study = create_study(tmp_path / "study", PROTOCOL, sources, copy=True, truth_apart=True)
    assert open_study(study.folder) == study
    assert sum(case.truth == "osteopenia" and case.t_score == -1.5 for case in study.cases) == 3
    public = (study.folder / "cases.csv").read_text() + (study.folder / "study.json").read_text()
    assert "osteopenia" not in public and "normal" not in public and "-1.5" not in public
    carried = tmp_path / "carried"
    shutil.copytree(study.folder, carried, ignore=shutil.ignore_patterns("private"))
    reader = open_study(carried)
    assert reader.digest == study.digest and all(case.truth is None and case.t_score is None for case in reader.cases)
    assert [case.id for case in reader.cases] == [case.id for case in study.cases]


def test_a_folder_that_holds_something_is_left_alone(originals: Path, tmp_path: Path) -> None:
    sources = read_sources([originals]).cases
    before = everything_below(originals)
    with pytest.raises(InputError, match="not empty"):
        create_study(originals, PROTOCOL, sources)
    assert everything_below(originals) == before
    (tmp_path / "empty").mkdir()
    create_study(tmp_path / "empty", PROTOCOL, sources)
    with pytest.raises(InputError, match=r"a study in .* already"):
        create_study(tmp_path / "empty", PROTOCOL, sources)


def test_a_full_disk_leaves_nothing(originals: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []

    def full(path: Path, text: str) -> Path:
        written.append(path)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(creating, "write_text", full)
    before = set(tmp_path.iterdir())
    with pytest.raises(OsteoScreenError, match="free some space"):
        create_study(tmp_path / "study", PROTOCOL, read_sources([originals]).cases, copy=True)
    assert written and set(tmp_path.iterdir()) == before


def test_a_case_that_cannot_be_copied_is_named_and_left_out(originals: Path, tmp_path: Path) -> None:
    sources = read_sources([originals]).cases
    damaged = next(source for source in sources if source.path.name == "Florence_2.dcm")
    damaged.path.write_bytes(damaged.path.read_bytes()[:-2000])
    with pytest.raises(InputError, match="is truncated"):
        create_study(tmp_path / "study", PROTOCOL, sources, copy=True)
    assert not (tmp_path / "study").exists()
    said: list[str] = []
    study = create_study(tmp_path / "study", PROTOCOL, sources, copy=True, left_out=said.append)
    assert len(study.cases) == 6 and len(said) == 1 and "Florence_2.dcm" in said[0]
    assert b"Florence_2" not in everything_below(study.folder / "private")


def test_images_that_are_gone_are_said_by_pseudonym(originals: Path, tmp_path: Path) -> None:
    study = create_study(tmp_path / "study", PROTOCOL, read_sources([originals]).cases)
    study.image_path(study.cases[0]).unlink()
    with pytest.raises(InputError) as caught:
        study.image_path(study.cases[0])
    assert caught.value.code == "gone" and "C-00001" in str(caught.value) and "Florence" not in str(caught.value)
    (study.folder / "private" / "sources.csv").unlink()
    with pytest.raises(InputError, match="make the study with --copy"):
        open_study(study.folder).image_path(study.cases[1])


@pytest.mark.parametrize(
    ("name", "change", "code"),
    [
        ("cases.csv", lambda text: text.replace(",PA,", ",AP,", 1), "study-damaged"),
        ("cases.csv", None, "study-damaged"),
        ("study.json", lambda text: text[:-9], "study-damaged"),
        ("study.json", lambda text: "[]", "study-damaged"),
        ("study.json", lambda text: text.replace('"format_version": 1', '"format_version": 2'), "study-newer"),
        ("study.json", lambda text: text.replace('"repeats": 0.5', '"repeats": "half"'), "study-damaged"),
        ("study.json", lambda text: text.replace('"protocol"', '"protokoll"'), "study-damaged"),
        ("study.json", None, "no-study"),
    ],
)
def test_a_study_that_was_changed_is_refused(originals: Path, tmp_path: Path, name: str, change: object, code: str) -> None:
    folder = create_study(tmp_path / "study", PROTOCOL, read_sources([originals]).cases).folder
    if change is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(change((folder / name).read_text()))  # type: ignore[operator]
    with pytest.raises(InputError) as caught:
        open_study(folder)
    assert caught.value.code == code and str(caught.value).endswith(".")


def test_no_image_outside_the_study(originals: Path, tmp_path: Path) -> None:
    folder = create_study(tmp_path / "study", PROTOCOL, read_sources([originals]).cases, copy=True).folder
    with open(folder / "cases.csv", newline="") as stream:
        rows = list(csv.reader(stream))
    rows[1][1] = "../Nightingale/Florence.png"
    text = "\n".join(",".join(row) for row in rows) + "\n"
    (folder / "cases.csv").write_text(text)
    import hashlib

    facts = (folder / "study.json").read_text()
    old = facts.split('"cases_sha256": "')[1][:64]
    (folder / "study.json").write_text(facts.replace(old, hashlib.sha256(text.encode()).hexdigest()))
    with pytest.raises(InputError, match="outside the study"):
        open_study(folder)


def test_a_study_needs_cases_and_a_site(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no radiographs"):
        create_study(tmp_path / "study", PROTOCOL, [])
    with pytest.raises(InputError, match="body site"):
        create_study(tmp_path / "study", dataclasses.replace(PROTOCOL, site="elbow"), [CaseSource(tmp_path / "x.png")])
    with pytest.raises(InputError, match="There is no file"):
        create_study(tmp_path / "study", PROTOCOL, [CaseSource(tmp_path / "x.png")])
    assert not list(tmp_path.iterdir())
