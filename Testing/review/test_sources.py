"""What a study can be made of: folders, tables, DICOMDIRs, files and a scene's volumes; what is wrong is said in one sentence."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.fileset import FileSet
from radiograph.synthetic import data_set, grey_picture, save

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.review.sources import CaseSource, read_sources, sources_of_pairs


def radiograph(path: Path, seed: int = 0, **tags: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset = data_set(grey_picture(seed=seed), **tags)
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{seed + 1}"
    dataset.StudyID, dataset.StudyDate, dataset.StudyTime, dataset.AccessionNumber = "1", "20200101", "1200", ""
    dataset.SeriesNumber, dataset.InstanceNumber = 1, seed + 1
    return save(dataset, path)


def picture(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(grey_picture(seed=seed, top=255, dtype="u1")).save(path)
    return path


def table(folder: Path, text: str) -> Path:
    path = folder / "cases.csv"
    path.write_text(text, encoding="utf-8")
    return path


def named(sources: tuple[CaseSource, ...]) -> list[str]:
    return [source.path.name for source in sources]


def test_a_folder_with_its_subfolders(tmp_path: Path) -> None:
    radiograph(tmp_path / "b" / "without_suffix", 1, ViewPosition="PA", PatientID="17")
    picture(tmp_path / "a.png", 2)
    (tmp_path / "notes.txt").write_text("not an image")
    picture(tmp_path / ".thumbnails" / "a.png", 3)
    found = read_sources([tmp_path])
    assert named(found.cases) == ["a.png", "without_suffix"] and found.left_out == ()
    assert (found.cases[1].patient, found.cases[1].view) == ("17", "PA") and len(found.cases[0].sha256) == 64


def test_what_is_no_radiograph_is_named_and_left_out(tmp_path: Path) -> None:
    radiograph(tmp_path / "chest.dcm", 1)
    radiograph(tmp_path / "slice.dcm", 2, SOPClassUID="1.2.840.10008.5.1.4.1.1.2", Modality="CT")
    shutil.copy(tmp_path / "chest.dcm", tmp_path / "twin.dcm")
    report = data_set(grey_picture(), PatientID="17")
    del report.PixelData
    save(report, tmp_path / "without.dcm")
    told: list[tuple[int, int]] = []
    found = read_sources([tmp_path], progress=lambda done, total: told.append((done, total)))
    assert named(found.cases) == ["chest.dcm"] and told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    slice_, twin, without = found.left_out
    assert "a CT slice" in slice_ and "twin.dcm is a copy of chest.dcm" in twin and "without an image" in without


def test_a_file_that_two_paths_name_is_taken_once(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png")
    assert named(read_sources([path, tmp_path, tmp_path / "b" / ".." / "a.png"]).cases) == ["a.png"]


def test_a_table_says_what_is_true(tmp_path: Path) -> None:
    for seed, name in enumerate("abcd"):
        radiograph(tmp_path / "images" / f"{name}.dcm", seed, PatientID="header", ViewPosition="AP")
    path = table(
        tmp_path,
        "image,patient_id,label,t_score,view,age\nimages/a.dcm,7,osteoporosis,-1.2,PA,60\nimages/b.dcm,7,,-1.5,,70\n"
        "images/c.dcm,,na,NA,,\nimages/d.dcm,,,-2.5,,\n",
    )
    found = {source.path.stem: source for source in read_sources([path]).cases}
    facts = {name: (one.patient, one.truth, one.t_score, one.view) for name, one in found.items()}
    assert facts == {
        "a": ("7", "osteoporosis", -1.2, "PA"),
        "b": ("7", "osteopenia", -1.5, "AP"),
        "c": ("header", None, None, "AP"),
        "d": ("header", "osteoporosis", -2.5, "AP"),
    }


def test_a_table_with_other_names_and_semicolons(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    path = table(tmp_path, "﻿file;diagnosis\na.png;Normal\n")
    (source,) = read_sources([path], {"image": "file", "label": "diagnosis"}).cases
    assert source.truth == "normal"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file,label\na.png,normal\n", "has no column image"),
        ("image,label\n", "has no rows"),
        ("image,label\na.png,healthy\n", "Row 2, column label: 'healthy' is no class"),
        ("image,t_score\na.png,-2\na.png,1\n", "Row 3, column image: this image stands in row 2 already"),
        ("image,t_score\na.png,low\n", "Row 2, column t_score: 'low' is no number"),
        ("image\n../a.png\n", "Row 2, column image: the file lies outside"),
        ("image\n/etc/passwd\n", "Row 2, column image: the file lies outside"),
        ("image\n\x00\n", "no file is named"),
        ('image\n"a.png\n', "cannot be read as a table"),
        ("image\nnone.png\n", "There is no file"),
    ],
)
def test_tables_that_are_wrong(tmp_path: Path, text: str, said: str) -> None:
    picture(tmp_path / "a.png")
    with pytest.raises(InputError, match=said):
        read_sources([table(tmp_path, text)])


def test_columns_that_are_not_there(tmp_path: Path) -> None:
    path = table(tmp_path, "image\na.png\n")
    for columns, said in (({"label": "diagnosis"}, "no column diagnosis"), ({"age": "years"}, "There is no column age")):
        with pytest.raises(InputError, match=said):
            read_sources([path], columns)


def test_a_row_whose_image_is_gone_is_left_out(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    found = read_sources([table(tmp_path, "image\na.png\ngone.png\n")])
    assert named(found.cases) == ["a.png"] and "gone.png" in found.left_out[0]


@pytest.mark.parametrize("small", [False, True])
def test_a_dicomdir(tmp_path: Path, small: bool) -> None:
    fileset = FileSet()
    for seed in range(3):
        fileset.add(radiograph(tmp_path / "from" / f"{seed}.dcm", seed, PatientID="17"))
    fileset.write(tmp_path / "disc")
    if small:  # as discs are often copied
        for path in sorted((tmp_path / "disc").rglob("*"), key=lambda path: -len(path.parts)):
            path.rename(path.with_name(path.name.lower() if path.name != "DICOMDIR" else path.name))
    found = read_sources([tmp_path / "disc" / "DICOMDIR"])
    assert len(found.cases) == 3 and {source.patient for source in found.cases} == {"17"} and not found.left_out
    assert len(read_sources([tmp_path / "disc"]).cases) == 3, "its folder gives the same"


def test_a_dicomdir_that_leads_elsewhere(tmp_path: Path) -> None:
    fileset = FileSet()
    fileset.add(radiograph(tmp_path / "from" / "0.dcm"))
    fileset.write(tmp_path / "disc")
    import pydicom

    directory = pydicom.dcmread(tmp_path / "disc" / "DICOMDIR")
    for record in directory.DirectoryRecordSequence:
        if record.DirectoryRecordType == "IMAGE":
            with pydicom.config.disable_value_validation():
                record.ReferencedFileID = ["..", "from", "0.dcm"]
    directory.save_as(tmp_path / "disc" / "DICOMDIR")
    with pytest.raises(InputError, match="outside its folder"):
        read_sources([tmp_path / "disc" / "DICOMDIR"])
    directory.DirectoryRecordSequence = [Dataset()]
    directory.save_as(tmp_path / "disc" / "DICOMDIR")
    with pytest.raises(InputError, match="lists no images"):
        read_sources([tmp_path / "disc" / "DICOMDIR"])


def test_volumes_of_a_scene(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png")
    found = sources_of_pairs([("first", str(path)), ("second", ""), ("again", str(path))])
    assert named(found.cases) == ["a.png"] and "second was read from no file" in found.left_out[0]


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There are no radiographs"):
        read_sources([tmp_path])
    with pytest.raises(InputError, match="There is no file or folder"):
        read_sources([tmp_path / "none"])
