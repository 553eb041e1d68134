"""Broken DICOM objects that come in: earlier reports, segmentations of others, files to send or to pseudonymise. Each ends in words."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from exchange.dicom_cases import DicomCase, dicom_case

from OsteoScreenLib.benchmarks.fuzz_reader import listening
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.exchange.analysis_file import read_result
from OsteoScreenLib.exchange.dicom.masks_file import read_masks
from OsteoScreenLib.exchange.dicom.objects import write_dicom
from OsteoScreenLib.exchange.pacs.outgoing import look
from OsteoScreenLib.exchange.privacy.key import Key
from OsteoScreenLib.exchange.privacy.pseudonymise import pseudonymise
from OsteoScreenLib.study.mutants.bases import Base
from OsteoScreenLib.study.mutants.mutant import mutant

SECONDS = 5.0
COUNT = 60


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> DicomCase:
    folder = tmp_path_factory.mktemp("case")
    made = dicom_case(folder)
    write_dicom(folder, made.path, made.analysis, made.radiograph, made.masks, made.overlay)
    return made


def outcomes(name: str, read: Callable[[Path], Any], case: DicomCase, folder: Path) -> tuple[int, int]:
    """How many mutants of one of the case's files were taken, and how many refused. Anything else fails."""
    whole = Base(name, (case.path.parent / name).read_bytes())
    path, taken, refused = folder / name, 0, 0
    read(case.path.parent / name)
    for number in range(COUNT):
        one = mutant([whole], 20, number)
        path.write_bytes(one.data)
        began = time.process_time()
        with listening() as printed:
            try:
                read(path)
                taken += 1
            except InputError as error:
                sentence = str(error)
                assert sentence and sentence.isprintable() and error.code, (number, one.faults, sentence)
                assert "Nightingale" not in sentence and "SECRET-17" not in sentence
                refused += 1
            except Exception as error:
                raise AssertionError(f"mutant {number} ({', '.join(one.faults)}) of {name}: {error!r}") from error
        assert "".join(printed) == "", (number, one.faults)
        assert time.process_time() - began < SECONDS, (number, one.faults)
    return taken, refused


def test_reports(case: DicomCase, tmp_path: Path) -> None:
    taken, refused = outcomes("sr.dcm", read_result, case, tmp_path)
    assert taken > 5 and refused > 5


def test_segmentations(case: DicomCase, tmp_path: Path) -> None:
    taken, refused = outcomes("seg.dcm", lambda path: read_masks(path, case.radiograph), case, tmp_path)
    assert taken > 5 and refused > 5


def test_files_to_be_sent(case: DicomCase, tmp_path: Path) -> None:
    def listed(path: Path) -> None:
        going, left = look([path])
        assert len(going) + len(left) == 1
        for one in left:
            assert one.sentence.isprintable()
        for one in going:
            assert one.uid and ".." not in one.uid and "/" not in one.uid

    taken, _ = outcomes("image.dcm", listed, case, tmp_path)
    assert taken == COUNT


def test_files_to_be_pseudonymised(case: DicomCase, tmp_path: Path) -> None:
    key, copies = Key(b"for these tests alone".ljust(32, b"!")), tmp_path / "copies"
    copies.mkdir()

    def copied(path: Path) -> None:
        made = pseudonymise(path, copies, key, text="keep")
        data = made.path.read_bytes()
        for secret in (b"Nightingale", b"SECRET-17", b"18200512", b"A-4711", b"Seacole"):
            assert secret not in data
        made.path.unlink()

    taken, refused = outcomes("image.dcm", copied, case, tmp_path)
    assert taken > 5 and refused > 5
    assert list(copies.iterdir()) == []
