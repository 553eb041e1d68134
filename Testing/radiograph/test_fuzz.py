"""The short form of `osteoscreen bench fuzz`, and that it would see a crash, a hang, a wrong kind of error and a process that swells."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from OsteoScreenLib.benchmarks import fuzz as fuzzing
from OsteoScreenLib.benchmarks.fuzz import FuzzFigures, Limits, fuzz
from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.files import resource_folder
from OsteoScreenLib.radiograph.radiograph import Note, Radiograph, Source
from OsteoScreenLib.radiograph.read import read_radiograph
from OsteoScreenLib.study.mutants.bases import Base, bases
from OsteoScreenLib.study.mutants.elements import PIXEL_DATA, layout_of, replaced
from OsteoScreenLib.study.mutants.header_faults import HEADER_FAULTS
from OsteoScreenLib.study.mutants.mutant import mutant
from OsteoScreenLib.study.mutants.pixel_faults import PIXEL_FAULTS
from OsteoScreenLib.workbench.worker_client import WorkerClient

FAULTY = Path(__file__).with_name("faulty_reader.py")


@pytest.fixture(scope="module")
def whole() -> list[Base]:
    return bases(sorted(resource_folder("SampleData").glob("*.dcm")))


def test_broken_files_end_in_words(tmp_path: Path) -> None:
    figures = fuzz(150, 0, seed=11, out=tmp_path / "faults")
    assert figures.faults == [] and figures.passed, figures.as_text()
    assert figures.read > 20 and figures.refused > 20 and len(figures.codes) > 5
    assert not (tmp_path / "faults").exists()


def test_broken_real_files_end_in_words(shared_data: Path, tmp_path: Path) -> None:
    figures = fuzz(100, 0, seed=12, out=tmp_path, radiographs=sorted((shared_data / "radiographs").glob("*.dcm")))
    assert figures.faults == [] and figures.passed, figures.as_text()


def test_what_can_be_read_goes_through_the_whole_chain(tmp_path: Path) -> None:
    figures = fuzz(40, 4, seed=13, out=tmp_path)
    assert figures.faults == [] and figures.passed, figures.as_text()
    assert figures.analysed == 4 and figures.chain_peak_bytes > 100_000_000


def test_every_base_can_be_walked_through(whole: list[Base]) -> None:
    """The walk finds the pixels, and a value put back in another length leaves a file that reads the same."""
    for base in whole:
        layout = layout_of(base.data)
        if layout.deflated:
            continue
        pixels = layout.find(PIXEL_DATA)
        assert pixels is not None and len(layout.elements) > 30, base.name
        name = layout.find(0x00100010)
        assert name is not None
        longer = replaced(base.data, layout, name, base.data[name.value_at : name.end] + b"^more ")
        assert len(longer) == len(base.data) + 6 and layout_of(longer).find(PIXEL_DATA) is not None


def test_a_value_grows_together_with_what_it_lies_in(whole: list[Base]) -> None:
    rich = next(base.data for base in whole if base.name.endswith("rich"))
    layout = layout_of(rich)
    inner = next(one for one in layout.elements if one.tag == 0x00080104 and len(one.parents) > 2)
    grown = layout_of(replaced(rich, layout, inner, b"x" * 40))
    assert [one.tag for one in grown.elements] == [one.tag for one in layout.elements]


def test_mutants_are_the_same_for_the_same_seed(whole: list[Base], tmp_path: Path) -> None:
    first = [mutant(whole, 5, number) for number in range(200)]
    assert first == [mutant(whole, 5, number) for number in range(200)]
    assert first != [mutant(whole, 6, number) for number in range(200)]
    assert all(one.faults for one in first)
    assert len({one.data for one in first}) == 200
    done = {fault for one in (*first, *(mutant(whole, 5, number) for number in range(200, 800))) for fault in one.faults}
    assert done == {fault.__name__ for fault, _ in (*HEADER_FAULTS, *PIXEL_FAULTS)}


def test_whole_bases_are_read(whole: list[Base], tmp_path: Path) -> None:
    """A mutant's refusal is the fault's doing, not the base's."""
    for base in whole:
        path = tmp_path / "base.dcm"
        path.write_bytes(base.data)
        assert min(read_radiograph(path).shape) >= 64, base.name


def faulty(kind: str) -> Callable[[], WorkerClient]:
    return lambda: WorkerClient(arguments=[str(FAULTY), kind])


@pytest.mark.parametrize(
    ("kind", "seen"),
    [
        ("crash", "crash: The analysis process ended unexpectedly"),
        ("hang", "no answer within 0.7 s"),
        ("work", "no answer within 0.7 s"),
        ("wrong-error", "fault: ValueError: not a sentence"),
        ("print", "printed: a codec's complaint"),
        ("swell", "took "),
        ("two-lines", "a refusal that is no sentence"),
        ("wordless", "refused without a word"),
    ],
)
def test_a_fault_is_seen_and_kept(kind: str, seen: str, tmp_path: Path) -> None:
    figures = fuzz(3, 0, seed=1, out=tmp_path, reader=faulty(kind), limits=Limits(seconds=0.7, memory_bytes=1 << 30))
    assert not figures.passed and len(figures.faults) == 1, figures.as_text()
    fault = figures.faults[0]
    assert fault.number == 1 and fault.what.startswith(seen)
    assert Path(fault.kept).read_bytes() == mutant(samples(), 1, 1).data
    assert json.loads(Path(fault.kept).with_suffix(".json").read_text())["faults"] == list(fault.faults)
    assert "not passed" in figures.as_text() and figures.as_json()["passed"] is False


def test_the_reader_hears_what_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    from OsteoScreenLib.benchmarks.fuzz_reader import listening

    with listening() as printed:
        os.write(2, b"from a C library\n")
        os.write(1, b"from another\n")
    os.write(1, b"afterwards\n")
    assert "".join(printed).splitlines() == ["from a C library", "from another"]
    assert capfd.readouterr().out == "afterwards\n"


def test_the_reader_sees_what_cannot_be_a_radiograph() -> None:
    from OsteoScreenLib.benchmarks.fuzz_reader import check

    whole = Radiograph(np.zeros((64, 64), np.float32))
    check(whole)
    for odd in (
        replace(whole, pixels=np.full((64, 64), np.nan, np.float32)),
        replace(whole, pixels=np.full((64, 64), 1.5, np.float32)),
        replace(whole, spacing_mm=(0.0, 1.0)),
        replace(whole, view="two\nlines"),
        whole.with_notes(Note("odd", "info", "bell\a")),
        replace(whole, source=Source(modality="\x1b[31m")),
    ):
        with pytest.raises(OsteoScreenError):
            check(odd)


def samples() -> list[Base]:
    return bases(sorted(resource_folder("SampleData").glob("*.dcm")))


def test_a_slow_machine_is_no_fault(tmp_path: Path) -> None:
    figures = fuzz(3, 0, seed=1, out=tmp_path, reader=faulty("slow"), limits=Limits(seconds=0.7))
    assert figures.passed, figures.as_text()


def test_too_few_in_the_chain_do_not_pass() -> None:
    assert FuzzFigures(10, 5, 0, read=6, refused=4, analysed=3, turned_away=3).passed
    assert not FuzzFigures(10, 5, 0, read=6, refused=4, analysed=3).passed
    assert not FuzzFigures(10, 0, 0, read=5, refused=4).passed


def test_the_command_says_whether_it_passed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from OsteoScreenLib.cli import main

    for read, code, word in ((6, 0, "passed: every file"), (5, 1, "not passed")):
        figures = FuzzFigures(10, 0, 0, read=read, refused=4)
        monkeypatch.setattr(fuzzing, "fuzz", lambda *_, figures=figures, **__: figures)
        assert main(["bench", "fuzz", "--files", "10", "--chain", "0", "--out", str(tmp_path)]) == code
        assert word in capsys.readouterr().out


def test_nothing_to_break_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.dcm").write_text("no radiograph")
    with pytest.raises(InputError, match="no readable DICOM radiograph"):
        bases([tmp_path / "text.dcm"])
