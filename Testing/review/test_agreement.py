"""Readers with each other, with themselves, with the model and the reference, and what the model changes, by hand."""

from __future__ import annotations

import dataclasses
import random

import pytest
from review.drawn_reads import a_case, a_read, drawn_study, reads_of, says

pytest.importorskip("statsmodels", reason="the study's packages are not installed here")
pytest.importorskip("sklearn")

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.review.agreement.agreement import Agreement, measure_agreement
from OsteoScreenLib.review.nouns import LockedRead, Protocol

#        case 1234567890
TRUTH = "nnnnlllooo"
FIRST = "nnnlnlooon"  # right: 1 2 3 6 8 9
MODEL = "nnllllonoo"
SECOND = "nnllllonoo"  # follows the model: helped in 5 and 10, harmed in 3 and 8
CASES = [a_case(k, letter) for k, letter in enumerate(TRUTH, 1)]
PROTOCOL = Protocol("By hand", readers=("R1", "R2"))


@pytest.fixture(scope="module")
def by_hand() -> Agreement:
    second = reads_of("R1", SECOND, "second", MODEL)
    second[4] = dataclasses.replace(second[4], opinion=dataclasses.replace(second[4].opinion, changed_because="cortex"))
    reads = [*reads_of("R1", FIRST), *second, *reads_of("R2", "nnnnlllooo"), *reads_of("R1", "l...l....n", repeat=1)]
    return measure_agreement(reads, CASES, PROTOCOL)


def test_two_readers(by_hand: Agreement) -> None:
    (pair,) = by_hand.between  # nobody but R1 has second reads
    assert (pair.one, pair.other, pair.phase, pair.aided) == ("R1", "R2", "first", "unaided")
    # FIRST against nnnnlllooo: normal 3 1 1, osteopenia 1 1 0, osteoporosis 0 1 2, rows of R1.
    assert pair.table == ((3, 1, 1), (1, 1, 0), (0, 1, 2))
    assert (pair.same.count, pair.same.of) == (6, 10)
    # By chance (5·4 + 2·3 + 3·3) / 100 = 0.35; neighbours 3 of 10, by chance (5·3 + 2·4 + 2·3 + 3·3) / 100 = 0.38.
    assert pair.plain is not None and pair.linear is not None and pair.quadratic is not None
    assert pair.plain.value == pytest.approx((0.6 - 0.35) / 0.65)
    assert pair.linear.value == pytest.approx((0.75 - 0.54) / 0.46)
    assert pair.quadratic.value == pytest.approx((0.825 - 0.635) / 0.365)
    (together,) = by_hand.together
    assert (together.cases, together.readers, together.phase) == (10, 2, "first")
    # Of both readers' 20 answers 9, 5 and 6: by chance 0.355.
    assert together.kappa is not None
    assert together.kappa.value == pytest.approx((0.6 - 0.355) / 0.645)


def test_a_reader_twice(by_hand: Agreement) -> None:
    (pair,) = by_hand.within
    assert (pair.one, pair.other, pair.images) == ("R1", "R1", 3)
    # Cases 1, 5 and 10: n n n, then l l n.
    assert pair.table == ((1, 2, 0), (0, 0, 0), (0, 0, 0))
    assert (pair.same.count, pair.same.of) == (1, 3)


def test_readers_against_the_model(by_hand: Agreement) -> None:
    """The model's answers are known from the second reads of one reader, and hold for all reads of those cases."""
    found = {(pair.one, pair.phase): pair.same.count for pair in by_hand.with_model}
    assert found == {("R1", "first"): 6, ("R2", "first"): 6, ("R1", "second"): 10}
    assert all(pair.other == "the model" for pair in by_hand.with_model)


def test_against_the_reference(by_hand: Agreement) -> None:
    found = {(pair.one, pair.phase): pair.same.count for pair in by_hand.with_reference}
    assert found == {("R1", "first"): 6, ("R2", "first"): 10, ("R1", "second"): 6, ("the model", None): 6}
    told = {(one.who, one.phase): one for one in by_hand.accuracies}
    first = told["R1", "first"]
    assert first.sensitivity is not None and first.specificity is not None
    assert (first.sensitivity.count, first.sensitivity.of) == (2, 3)  # 8 and 9 of 8, 9, 10
    assert (first.specificity.count, first.specificity.of) == (6, 7)  # 7 was called osteoporosis
    assert (first.right.count, first.right.of) == (6, 10)
    assert told["R2", "first"].sensitivity is not None and told["R2", "first"].sensitivity.value == 1
    model = told["the model", None]
    assert model.sensitivity is not None and (model.sensitivity.count, model.sensitivity.of) == (2, 3)


def test_what_the_model_changed(by_hand: Agreement) -> None:
    own, everyone = by_hand.changes
    assert (own.who, everyone.who) == ("R1", "all readers")
    changed = {one.case[-2:]: (one.first, one.second, one.effect, one.because) for one in by_hand.changed_reads}
    assert changed == {
        "03": ("normal", "osteopenia", "harmed", ""),
        "05": ("normal", "osteopenia", "helped", "cortex"),
        "08": ("osteoporosis", "normal", "harmed", ""),
        "10": ("normal", "osteoporosis", "helped", ""),
    }
    assert (own.changed.count, own.changed.of) == (4, 10)
    assert (own.towards_model, own.away) == (4, 0)
    assert (own.classes.helped, own.classes.harmed, own.classes.stayed_right, own.classes.stayed_wrong) == (2, 2, 4, 2)
    assert own.classes.net is not None and own.classes.net.value == 0
    # Osteoporosis or not: 7 stays wrong, 8 is harmed, 10 is helped.
    assert (own.target.helped, own.target.harmed, own.target.stayed_right, own.target.stayed_wrong) == (1, 1, 7, 1)
    assert (own.model_right.helped, own.model_right.harmed, own.model_right.reads) == (2, 0, 6)
    assert (own.model_wrong.helped, own.model_wrong.harmed, own.model_wrong.reads) == (0, 2, 4)
    assert everyone.classes == own.classes


def test_time_by_phase() -> None:
    reads = [a_read("R1", k, "n", seconds=seconds) for k, seconds in enumerate((10, 20, 60), 1)]
    reads.append(a_read("R1", 1, "n", phase="second", model=says("n"), seconds=5))
    first, second = measure_agreement(reads, CASES, PROTOCOL).times
    assert (first.reads, first.median, first.lower_quartile, first.upper_quartile, first.active, first.idle) == (
        3,
        20,
        15,
        40,
        90,
        3,
    )
    assert (second.phase, second.aided, second.median) == ("second", "aided", 5)


def test_the_order_of_the_reads_does_not_matter() -> None:
    reads, cases, protocol = drawn_study(20)
    mixed = list(reads)
    random.Random(0).shuffle(mixed)
    assert measure_agreement(mixed, cases, protocol) == measure_agreement(reads, cases, protocol)


def test_without_reference_and_without_model() -> None:
    """What can be counted is counted; the rest is empty."""
    cases = [a_case(k) for k in range(1, 6)]
    found = measure_agreement([*reads_of("R1", "nlono"), *reads_of("R2", "nlooo")], cases, Protocol("t", mode="alone"))
    assert len(found.between) == 1 and found.between[0].same.count == 4
    assert found.with_model == found.with_reference == found.accuracies == found.areas == found.gains == found.averages == ()
    assert found.changes == found.changed_reads == found.within == ()
    assert any("reference of 5 of the 5 cases" in remark for remark in found.remarks)


def test_readers_who_share_no_case() -> None:
    found = measure_agreement([*reads_of("R1", "nlo.."), *reads_of("R2", "...no")], CASES, Protocol("t"))
    assert found.between == found.together == ()


def test_open_reads_are_aided() -> None:
    found = measure_agreement(reads_of("R1", "nlo", models="nll"), CASES, Protocol("t", mode="open"))
    assert {pair.aided for pair in found.with_model} == {"aided"}
    assert found.changes == ()


def test_patients_with_several_images_widen_the_intervals() -> None:
    reads, cases, protocol = drawn_study(60, one_patient=3)
    apart = [dataclasses.replace(case, group="") for case in cases]
    by_patient, by_image = measure_agreement(reads, cases, protocol), measure_agreement(reads, apart, protocol)
    assert by_patient.between[0].patients == 20 and by_image.between[0].patients == 60
    assert by_patient.between[0].plain != by_image.between[0].plain
    assert any("60 images were read of 20 patients" in remark for remark in by_patient.remarks)
    assert not any("patients" in remark for remark in by_image.remarks)


def test_a_group_named_like_a_case_is_another_thing() -> None:
    cases = [dataclasses.replace(a_case(1, "n"), group="C-00002"), a_case(2, "o")]
    (pair,) = measure_agreement([*reads_of("R1", "no"), *reads_of("R2", "no")], cases, PROTOCOL).between
    assert pair.patients == 2


def test_different_answers_of_a_model_are_said_and_left_out() -> None:
    reads = [a_read("R1", 1, "n", phase="second", model=says("n")), a_read("R2", 1, "n", phase="second", model=says("o"))]
    newer = dataclasses.replace(says("n"), bundle_sha256="cd" * 32)
    reads.append(a_read("R2", 2, "n", phase="second", model=newer))
    found = measure_agreement(reads, CASES, PROTOCOL)
    assert {(pair.one, pair.images) for pair in found.with_model} == {("R2", 1)}
    assert any("2 different models" in remark for remark in found.remarks)
    assert any("left out where readers stand against the model" in remark for remark in found.remarks)
    assert len(found.models) == 2


def test_images_that_are_not_readable_are_said() -> None:
    found = measure_agreement([a_read("R1", 1, "n", quality="not readable"), a_read("R1", 2, "n")], CASES, PROTOCOL)
    assert found.remarks[0].startswith("1 of 2 reads call the image not readable")


@pytest.mark.parametrize(
    ("reads", "code", "words"),
    [
        ([], "no-reads", "No read of this study is locked yet"),
        ([a_read("R1", 99, "n")], "case", "C-00099 is not of this study"),
        ([a_read("R1", 1, "n"), a_read("R1", 1, "o")], "duplicate", "R1 has two first reads of C-00001"),
    ],
)
def test_what_cannot_be_counted_is_one_sentence(reads: list[LockedRead], code: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        measure_agreement(reads, CASES, PROTOCOL)
    assert caught.value.code == code
