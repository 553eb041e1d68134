"""What a client may ask for is checked before anything is done with it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.worker.requests import AnalysisOptions, ReadingOptions, options_from, path_in, prepare_folder


def test_options_come_out_typed_and_other_entries_are_left_alone() -> None:
    body = {"path": "x", "request": 3, "cover": ["T5", "T6"], "margin_px": 2, "rotate": 90, "invert": True, "masks": None}
    options = options_from(AnalysisOptions, body)
    assert options == AnalysisOptions(cover=("T5", "T6"), margin_px=2.0, rotate=90, invert=True)
    assert isinstance(options.margin_px, float)
    assert options_from(ReadingOptions, body) == ReadingOptions(rotate=90, invert=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [("cover", "T5"), ("cover", [1]), ("rotate", "90"), ("rotate", True), ("rotate", 90.0), ("invert", 1), ("seed", 1.5),
     ("margin_px", None), ("model", 3), ("masks", []), ("flip", {})],
)  # fmt: skip
def test_an_option_of_the_wrong_type_is_named(name: str, value: object) -> None:
    with pytest.raises(InputError, match=f"The option '{name}' cannot be"):
        options_from(AnalysisOptions, {name: value})


@pytest.mark.parametrize("value", [None, "", 3, "a\0b"])
def test_a_path_has_to_be_one(value: object) -> None:
    with pytest.raises(InputError, match="no usable path"):
        path_in({"path": value}, "path")


def test_a_folder_that_is_a_file_or_lies_in_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is a file; name a folder"):
        prepare_folder(tmp_path / "file")
    with pytest.raises(InputError, match="cannot be made"):
        prepare_folder(tmp_path / "file" / "deeper")
    prepare_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="cannot be written"):
        prepare_folder(tmp_path)
