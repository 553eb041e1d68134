"""The iMRMC file is read back and its AUCs are computed again, in both designs; bad files are one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from review.drawn_reads import a_case, a_read, drawn_study

pytest.importorskip("sklearn", reason="the study's packages are not installed here")

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.review.agreement.imrmc import read_imrmc, write_imrmc
from OsteoScreenLib.review.agreement.mrmc import averages, reader_aucs
from OsteoScreenLib.review.agreement.ratings import ratings_of
from OsteoScreenLib.review.nouns import Protocol


@pytest.mark.parametrize("each", [0, 2])
def test_what_is_written_is_read_back_and_recomputed(tmp_path: Path, each: int) -> None:
    from sklearn.metrics import roc_auc_score

    reads, cases, protocol = drawn_study(36, each=each)
    ratings = ratings_of(reads, cases, protocol)
    back = read_imrmc(write_imrmc(tmp_path / "study.imrmc", ratings, protocol.title))
    assert back == ratings
    assert back.fully_crossed == (each == 0)
    assert averages(back) == averages(ratings)
    truth = {case.id: case.truth == "osteoporosis" for case in cases}
    for one in reader_aucs(back):
        phase = "second" if one.modality == "aided" else "first"
        own = [read for read in reads if (read.reader, read.phase, read.task.repeat) == (one.reader, phase, 0)]
        assert len(own) == (36 if each == 0 else 24)
        expected = roc_auc_score([truth[read.task.case] for read in own], [read.opinion.confidence for read in own])
        assert one.auc == pytest.approx(expected, abs=1e-12)


def test_the_text_is_as_imrmc_reads_it(tmp_path: Path) -> None:
    cases = [a_case(1, "o"), a_case(2, "n"), a_case(3, "l"), a_case(4)]
    reads = [a_read("R-1", k, "n", 10 * k) for k in (1, 2, 3, 4)] + [a_read("R-1", 1, "n", 99, repeat=1)]
    written = write_imrmc(tmp_path / "study.imrmc", ratings_of(reads, cases, Protocol("x")), "Bones, N0: 7\nBEGIN DATA:\n")
    assert written.read_bytes().decode("ascii").split("\n") == [
        "Reader study Bones, N0 7 BEGIN DATA",
        "",
        "NR: 1",
        "N0: 2",
        "N1: 1",
        "NM: 1",
        "",
        "BEGIN DATA:",
        "-1,C-00002,0,0",
        "-1,C-00003,0,0",
        "-1,C-00001,0,1",
        "R-1,C-00001,unaided,10",
        "R-1,C-00002,unaided,20",
        "R-1,C-00003,unaided,30",
        "",
    ]


def test_a_file_of_another_program_is_read(tmp_path: Path) -> None:
    text = "Some words\r\nnr: 1\r\n\r\nbegin data:\r\nr 1 ,1, b ,0.25\r\n-1,1,any,0\r\n-1,2,any,1\r\n-1,3,any,1\r\nr1,2,b,1e-1\r\n\r\n"
    path = tmp_path / "other.imrmc"
    path.write_text(text, newline="")
    found = read_imrmc(path)
    assert dict(found.truth) == {"1": False, "2": True}
    assert dict(found.scores) == {("r1", "1", "b"): 0.25, ("r1", "2", "b"): 0.1}
    assert [one.auc for one in reader_aucs(found)] == [0.0]


HEAD = "NR: 1\nN0: 1\nN1: 1\nNM: 1\nBEGIN DATA:\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("NR: 1\n", "no line 'BEGIN DATA:'"),
        (HEAD + "-1,1,0,0\n-1,2,0,1\na,1,m\n", "Line 8 of bad.imrmc does not have four fields"),
        (HEAD + "-1,1,0,0\n-1,2,0,1\na,1,m,high\n", "Line 8 of bad.imrmc has the score 'high'"),
        (HEAD + "-1,1,0,0\n-1,2,0,1\na,1,m,nan\n", "Line 8 of bad.imrmc has the score 'nan'"),
        (HEAD + "-1,1,0,0\n-1,1,0,1\n", "Line 7 of bad.imrmc scores 1 a second time"),
        (HEAD + "-1,1,0,0\n-1,2,0,1\na,1,m,1\na,1,m,2\n", "Line 9 of bad.imrmc scores 1 a second time"),
        (HEAD + "-1,1,0,2\n", "Line 6 of bad.imrmc has a truth that is neither 0 nor 1"),
        (HEAD + "-1,1,0,0\n-1,2,0,1\na,3,m,1\n", "scores of 3 but not its truth"),
        (HEAD + "-1,1,0,0\na,1,m,1\n", "states 1 cases with it but holds 0"),
    ],
)
def test_a_bad_file_is_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "bad.imrmc"
    path.write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        read_imrmc(path)
    assert caught.value.code == "imrmc"


def test_no_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.imrmc cannot be read"):
        read_imrmc(tmp_path / "gone.imrmc")


@pytest.mark.parametrize("truth", ["n", "o", None])
def test_without_both_answers_there_is_nothing_to_write(tmp_path: Path, truth: str | None) -> None:
    ratings = ratings_of([a_read("R1", 1, "n")], [a_case(1, truth), a_case(2, "o"), a_case(3, "n")], Protocol("t"))
    with pytest.raises(InputError) as caught:
        write_imrmc(tmp_path / "study.imrmc", ratings)
    assert caught.value.code == "one-class"
    assert list(tmp_path.iterdir()) == []


def test_a_large_study_is_written_quickly(tmp_path: Path) -> None:
    """10,000 cases; no time is checked, but anything quadratic would not come back."""
    rng = np.random.default_rng(0)
    cases = [a_case(k, "nlo"[k % 3]) for k in range(1, 10_001)]
    reads = [a_read("R1", k, "n", int(rng.integers(101))) for k in range(1, 10_001)]
    ratings = ratings_of(reads, cases, Protocol("t"))
    assert read_imrmc(write_imrmc(tmp_path / "study.imrmc", ratings)) == ratings
    assert 0.45 < (reader_aucs(ratings)[0].auc or 0) < 0.55
