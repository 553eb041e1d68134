"""The desk with a client that answers by script: what is asked first, what is dropped, and what happens when things go wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from workbench.cases import case as analysed_case
from workbench.cases import masks
from workbench.scripted_client import ScriptedClient, probabilities

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.explain.overlap import Overlap
from OsteoScreenLib.workbench.answers import Question
from OsteoScreenLib.workbench.case import Case
from OsteoScreenLib.workbench.desk import Desk
from OsteoScreenLib.workbench.reading import ImageSource
from OsteoScreenLib.workbench.worker_client import WorkerFault
from OsteoScreenLib.worker import case_values
from OsteoScreenLib.worker.protocol import Message
from OsteoScreenLib.worker.requests import AnalysisOptions

EVENTS = (
    *("opened", "analysed", "answered", "covered", "explained", "saved", "model_added", "devices_known"),
    *("text_found", "masks_read", "progressed", "failed", "busy_changed", "logged"),
)
SOURCE = ImageSource("chest.dcm", path="/somewhere/chest.dcm")
OPTIONS = AnalysisOptions()


class Table:
    """A desk with an attached case, and a record of everything that it told."""

    def __init__(self, attach: bool = True) -> None:
        self.client = ScriptedClient()
        self.case: Case = analysed_case()
        self.desk = Desk(self.client, self.case.answers)
        self.heard: list[tuple[str, tuple[Any, ...]]] = []
        for name in EVENTS:
            getattr(self.desk, name).connect(lambda *values, name=name: self.heard.append((name, values)))
        if attach:
            self.attach()

    def attach(self) -> None:
        assert self.case.result is not None
        self.desk.attach(self.case.token, self.case.reading, self.case.result, OPTIONS)

    def question(self, *bones: str) -> Question:
        return self.case.question(frozenset(bones))

    def told(self, name: str) -> list[tuple[Any, ...]]:
        return [values for heard, values in self.heard if heard == name]

    def poll(self, times: int = 30) -> None:
        for _ in range(times):
            self.desk.poll()

    def value(self, *bones: str) -> list[float] | None:
        answer = self.case.answers.get(self.question(*bones))
        return None if answer is None else list(answer.probabilities)


@pytest.fixture
def table() -> Table:
    return Table()


def test_a_question_hands_the_case_over_once_and_then_only_asks(table: Table) -> None:
    table.desk.ask(table.question("T7"), want_patch=True)
    table.poll()
    table.desk.ask(table.question("T7", "right rib 5"), want_patch=False)
    table.poll()
    assert table.client.kinds() == ["hold", "cover", "cover"]
    assert table.value("T7") == probabilities(["T7"])
    assert table.value("T7", "right rib 5") == probabilities(["T7", "right rib 5"])
    (question, patch), *others = table.told("covered")
    assert question == table.question("T7") and patch.box == (1, 3, 1, 4) and patch.pixels[0, 0] == 1 and not others
    assert not table.desk.busy and table.told("busy_changed") == []  # the reader does not wait for questions


def test_the_readers_question_comes_before_the_sweep_and_the_newest_wins(table: Table) -> None:
    table.client.script.append("silence")
    table.desk.sweep(table.case.questions())
    table.desk.ask(table.question("T7", "left clavicle"), want_patch=False)
    table.desk.ask(table.question("T7", "left rib 5"), want_patch=False)
    table.client.script.clear()
    table.poll()
    asked = table.client.covered()
    assert asked[0] == ["T7", "left rib 5"]
    assert ["T7", "left clavicle"] not in asked
    assert not table.desk.sweeping and table.case.answers.missing(table.case.questions()) == []


def test_a_question_waits_for_one_small_batch_of_the_sweep_only(table: Table) -> None:
    table.desk.ask(table.question("T7"), want_patch=False)  # the case is held from now on
    table.poll()
    table.client.script.append("silence")
    table.desk.sweep(table.case.questions())
    table.desk.ask(table.question("T7", "left rib 5"), want_patch=False)
    assert len(table.client.sent[-1][1]["sets"]) <= 2
    table.client.script.clear()
    table.desk.poll()
    table.desk.poll()
    assert ["T7", "left rib 5"] in [sets[0] for _, body in table.client.sent[2:4] if (sets := body["sets"])]


def test_batches_grow_where_answers_are_quick_and_shrink_where_they_are_slow(table: Table) -> None:
    def sizes(seconds_each: float) -> list[int]:
        fresh = Table()
        every = sorted(fresh.case.found)
        sets = [frozenset(every[k] for k in range(4) if number >> k & 1) for number in range(1, 16)]
        plain = fresh.client.answer

        def timed(kind: str, body: dict[str, Any]) -> Message:
            message = plain(kind, body)
            if kind != "cover":
                return message
            return Message("result", {**message.body, "seconds": seconds_each * len(body["sets"])}, message.arrays)

        fresh.client.answer = timed  # type: ignore[method-assign]
        fresh.desk.sweep([fresh.case.question(one) for one in sets])
        fresh.poll(60)
        assert fresh.case.answers.missing([fresh.case.question(one) for one in sets]) == []
        return [len(body["sets"]) for kind, body in fresh.client.sent if kind == "cover"]

    quick, slow = sizes(0.002), sizes(0.3)
    assert quick[0] == slow[0] == 2 and max(quick) > 5
    assert slow[1:] == [1] * len(slow[1:])


def test_what_is_known_is_not_asked_again_and_its_picture_comes_back_at_once(table: Table) -> None:
    for bones in (("T7",), ("T7", "left rib 5")):
        table.desk.ask(table.question(*bones), want_patch=True)
        table.poll()
    sent = len(table.client.sent)
    table.desk.ask(table.question("T7"), want_patch=True)
    assert table.told("covered")[-1][0] == table.question("T7")  # without a poll
    table.desk.sweep([table.question("T7"), table.question("T7", "left rib 5")])
    table.poll()
    assert len(table.client.sent) == sent


def test_a_known_number_without_its_picture_fetches_the_picture(table: Table) -> None:
    table.desk.ask(table.question("T7"), want_patch=False)
    table.poll()
    table.desk.ask(table.question("T7"), want_patch=True)
    table.poll()
    assert [values[0] for values in table.told("covered")] == [table.question("T7")]


def test_a_question_about_another_case_is_not_asked(table: Table) -> None:
    foreign = replace(table.question("T7"), image_sha256="of another image")
    table.desk.ask(foreign, want_patch=False)
    table.desk.sweep([foreign])
    table.desk.detach()
    table.desk.ask(table.question("T7"), want_patch=False)
    table.poll()
    assert table.client.sent == []


def test_corrected_masks_are_handed_over_before_they_are_asked_about(table: Table) -> None:
    table.desk.ask(table.question("T7"), want_patch=False)
    table.poll()
    drawn = {name: masks().mask(name) for name in masks().names}
    drawn["T7"] = np.roll(drawn["T7"], 3, axis=1)
    table.case.take_masks(BoneMasks.pack(drawn, masks().shape))
    table.attach()
    table.desk.ask(table.question("T7"), want_patch=False)
    table.poll()
    assert table.client.kinds() == ["hold", "cover", "hold", "cover"]


def test_the_same_case_attached_again_is_not_handed_over_again(table: Table) -> None:
    table.desk.ask(table.question("T7"), want_patch=False)
    table.poll()
    table.attach()
    table.desk.ask(table.question("left rib 5"), want_patch=False)
    table.poll()
    assert table.client.kinds() == ["hold", "cover", "cover"]


def test_a_crash_is_one_sentence_and_the_question_is_answered_all_the_same(table: Table) -> None:
    table.desk.ask(table.question("T7"), want_patch=True)
    table.poll()
    before = table.value("T7")
    table.client.script.append("crash")
    table.desk.ask(table.question("left rib 5"), want_patch=True)
    table.poll()
    ((sentence, details),) = table.told("failed")
    assert sentence.startswith("The analysis process ended unexpectedly (signal 9)") and sentence.endswith("by itself.")
    assert "\n" not in sentence and details == "last words"
    assert table.value("left rib 5") == probabilities(["left rib 5"]) and table.value("T7") == before
    assert table.client.kinds() == ["hold", "cover", "cover", "hold", "cover"] and table.client.started == 2


@pytest.mark.parametrize("where", ["cover", "hold"])
def test_two_crashes_in_a_row_end_the_trying_and_a_new_question_tries_again(table: Table, where: str) -> None:
    if where == "cover":
        table.desk.ask(table.question("T7"), want_patch=False)
        table.poll()
        table.client.script.extend(["crash", table.client.answer("hold", {"case": "case 2"}), "crash"])
        table.client.held = "case 1"
    else:
        table.client.script.extend(["crash", "crash"])
    table.desk.ask(table.question("left rib 5"), want_patch=False)
    table.desk.sweep(table.case.questions())
    table.poll()
    assert [sentence.count("twice in a row") for sentence, _ in table.told("failed")] == [0, 1]
    assert not table.desk.sweeping and table.value("left rib 5") is None and table.desk.state == "idle"
    table.desk.ask(table.question("left rib 5"), want_patch=False)
    table.poll()
    assert table.value("left rib 5") is not None and len(table.told("failed")) == 2


def test_crashes_with_answers_between_them_are_each_made_good(table: Table) -> None:
    for bones in (("T7",), ("left rib 5",), ("T7", "left rib 5")):
        table.client.script.append("crash")
        table.desk.ask(table.question(*bones), want_patch=False)
        table.poll()
        assert table.value(*bones) is not None
    assert [sentence.endswith("by itself.") for sentence, _ in table.told("failed")] == [True] * 3


def test_a_picture_wanted_while_the_number_is_computed_is_fetched_too(table: Table) -> None:
    table.desk.ask(table.question("left rib 5"), want_patch=False)
    table.poll()
    table.client.script.append("silence")
    table.desk.ask(table.question("T7"), want_patch=False)
    table.desk.ask(table.question("T7"), want_patch=True)
    table.client.script.clear()
    table.poll()
    assert [values[0] for values in table.told("covered")] == [table.question("T7")]


def test_a_worker_that_was_replaced_while_idle_is_given_the_case_again(table: Table) -> None:
    table.desk.ask(table.question("T7"), want_patch=False)
    table.poll()
    table.client.process = None  # killed while nothing was asked
    table.desk.ask(table.question("left rib 5"), want_patch=False)
    table.poll()
    assert table.client.kinds() == ["hold", "cover", "hold", "cover"] and table.told("failed") == []


def test_a_worker_that_lost_the_case_is_given_it_again(table: Table) -> None:
    table.desk.ask(table.question("T7"), want_patch=False)
    table.poll()
    table.client.held = "something else"
    table.desk.ask(table.question("left rib 5"), want_patch=False)
    table.poll()
    assert table.client.kinds() == ["hold", "cover", "cover", "hold", "cover"]
    assert table.told("failed") == [] and table.value("left rib 5") is not None


def test_a_worker_that_never_holds_the_case_is_not_asked_for_ever(table: Table) -> None:
    refusal = WorkerFault("The analysis process does not hold this case; analyse the radiograph again.", code="no-case")
    plain = table.client.answer

    def forgetful(kind: str, body: dict[str, Any]) -> Message:
        if kind == "cover":
            raise refusal
        return plain(kind, body)

    table.client.answer = forgetful  # type: ignore[method-assign]
    table.desk.ask(table.question("T7"), want_patch=False)
    table.poll()
    assert table.told("failed") == [(str(refusal), "")] and table.client.kinds().count("cover") == 2


def test_a_refused_question_is_dropped_and_the_sweep_goes_on(table: Table) -> None:
    table.desk.ask(table.question("T7"), want_patch=False)
    table.poll()
    table.client.script.append(InputError("There is no bone called 'x'.", code="unknown-bone"))
    table.desk.ask(table.question("T7", "left rib 5"), want_patch=False)
    table.desk.sweep(table.case.questions())
    table.poll()
    assert table.told("failed") == [("There is no bone called 'x'.", "")]
    assert table.case.answers.missing(table.case.questions()) == [] and table.value("T7", "left rib 5") is None


def test_analyse_twice_is_refused_and_changes_nothing(table: Table) -> None:
    table.client.script.append("silence")
    assert table.desk.analyse(SOURCE, OPTIONS) and table.desk.busy and table.desk.state == "analysing"
    assert not table.desk.analyse(SOURCE, OPTIONS)
    table.poll(3)
    assert table.client.kinds() == ["examine"] and table.told("failed") == []
    table.desk.open(SOURCE)
    assert len(table.told("failed")) == 1 and table.client.kinds() == ["examine"]


def test_questions_wait_for_a_job_and_are_answered_after_it(table: Table) -> None:
    table.client.script.append("silence")
    table.desk.analyse(SOURCE, OPTIONS)
    table.desk.ask(table.question("T7"), want_patch=False)
    table.poll(3)
    assert table.client.kinds() == ["examine"]
    table.client.script.clear()
    table.client.script.append(
        InputError("This image does not look like a frontal chest radiograph.", code="not-frontal-chest")
    )
    table.poll()
    assert table.told("failed") == [("This image does not look like a frontal chest radiograph.", "")]
    assert table.told("busy_changed") == [(True,), (False,)] and table.value("T7") is not None


def test_cancel_ends_the_process_starts_another_and_keeps_the_case(table: Table) -> None:
    table.desk.ask(table.question("T7"), want_patch=False)
    table.poll()
    table.client.script.append("silence")
    table.desk.analyse(SOURCE, OPTIONS)
    table.poll(3)
    table.desk.cancel()
    assert not table.desk.busy and table.desk.state == "idle" and table.client.started == 2 and table.client.process is not None
    table.client.script.clear()
    table.desk.ask(table.question("left rib 5"), want_patch=False)
    table.poll()
    assert table.client.kinds() == ["hold", "cover", "examine", "hold", "cover"] and table.told("failed") == []
    assert table.told("analysed") == []


def test_cancel_of_a_job_that_was_not_sent_yet_kills_nothing(table: Table) -> None:
    table.client.script.append("silence")
    table.desk.ask(table.question("T7"), want_patch=False)
    table.desk.analyse(SOURCE, OPTIONS)
    table.desk.cancel()
    assert table.client.cancelled == 0 and not table.desk.busy
    table.client.script.clear()
    table.poll()
    assert table.client.kinds() == ["hold", "cover"]


def test_cancel_without_a_job_stops_the_background_and_kills_nothing(table: Table) -> None:
    table.client.script.append("silence")
    table.desk.sweep(table.case.questions())
    table.desk.cancel()
    table.client.script.clear()
    table.poll()
    assert table.client.cancelled == 0 and table.client.kinds() == ["hold"] and not table.desk.sweeping


def test_a_crashed_job_ends_and_is_not_tried_again(table: Table) -> None:
    table.client.script.append("crash")
    table.desk.analyse(SOURCE, OPTIONS)
    table.poll()
    ((sentence, details),) = table.told("failed")
    assert sentence.endswith("run it again.") and details == "last words"
    assert table.client.kinds() == ["examine"] and not table.desk.busy and table.client.started == 2


def test_saving_hands_the_case_over_if_needed_and_tells_what_was_written(table: Table) -> None:
    table.case.set_covered(["T7"], True)
    table.desk.save("/results", table.case.toggles)
    table.poll()
    assert table.client.kinds() == ["hold", "save"] and table.client.sent[1][1]["cover"] == ["T7"]
    assert table.told("saved") == [({"report": "/results/report.html"},)]
    assert table.told("busy_changed") == [(True,), (False,)]


def test_text_in_a_picture_is_told_of_before_anything_is_saved(table: Table) -> None:
    found = "chest.dcm shows what looks like text in 3 places, which may name the patient"
    table.desk.save("/first", table.case.toggles)
    table.poll()  # the case is handed over
    table.heard.clear()
    table.desk.save("/results", table.case.toggles, dicom=True)
    table.client.script.append(InputError(f"{found}; choose --text mask to cover it.", code="text-found"))
    table.poll()
    assert table.client.sent[-1][1]["text"] == "refuse" and table.client.sent[-1][1]["dicom"] is True
    assert table.told("text_found") == [(found,)] and table.told("saved") == [] and table.told("failed") == []
    assert not table.desk.busy
    table.desk.save("/results", table.case.toggles, dicom=True, text="mask")
    table.poll()
    assert table.client.sent[-1][1]["text"] == "mask" and len(table.told("saved")) == 1


def test_another_refusal_of_a_save_is_told_as_ever(table: Table) -> None:
    table.desk.save("/results", table.case.toggles)
    table.client.script.append(InputError("The folder cannot be written.", code="out"))
    table.poll()
    assert table.told("failed") == [("The folder cannot be written.", "")] and table.told("text_found") == []
    assert not table.desk.busy


def test_masks_are_read_for_the_case_on_the_table(table: Table) -> None:
    table.desk.save("/first", table.case.toggles)
    table.poll()
    drawn = masks()
    body = {"masks": case_values.masks_to_values(drawn)}
    table.desk.read_masks("/of/others.dcm")
    table.client.script.append(Message("result", body, {"layers": drawn.layers}))
    table.poll()
    assert table.client.kinds() == ["hold", "save", "import-masks"] and table.client.sent[2][1]["path"] == "/of/others.dcm"
    ((read,),) = table.told("masks_read")
    assert read.sha256 == drawn.sha256 and not table.desk.busy
    alone = Table(attach=False)
    alone.desk.read_masks("/of/others.dcm")
    assert len(alone.told("failed")) == 1 and alone.client.sent == []


def test_saving_without_a_case_is_one_sentence() -> None:
    table = Table(attach=False)
    table.desk.save("/results", table.case.toggles)
    assert len(table.told("failed")) == 1 and table.client.sent == []


def test_a_case_that_leaves_the_table_takes_its_save_along(table: Table) -> None:
    table.client.script.append("silence")
    table.desk.ask(table.question("T7"), want_patch=False)
    table.desk.save("/results", table.case.toggles)
    table.desk.detach()
    table.client.script.clear()
    table.poll()
    assert not table.desk.busy and "save" not in table.client.kinds()


def test_heatmaps_are_kept_by_class_and_method(table: Table) -> None:
    assert table.case.result is not None
    whole = replace(table.case.result, overlap=(Overlap("bone", "T7", 0.1),))
    table.desk.attach(table.case.token, table.case.reading, whole, OPTIONS)
    table.desk.explain("normal", "grad-cam")
    table.poll()
    table.desk.explain("osteoporosis", "grad-cam")  # came with the result
    table.desk.explain("normal", "grad-cam")
    table.desk.explain("normal", "layercam")
    table.poll()
    table.desk.explain("normal", "layercam")
    about = [(saliency.target, saliency.method, len(overlap)) for saliency, overlap in table.told("explained")]
    assert about == [
        ("normal", "Grad-CAM", 1), ("osteoporosis", "Grad-CAM", 1), ("normal", "Grad-CAM", 1),
        ("normal", "LayerCAM", 1), ("normal", "LayerCAM", 1),
    ]  # fmt: skip
    assert [body.get("saliency") for kind, body in table.client.sent if kind == "explain"] == ["grad-cam", "layercam"]


def test_corrected_masks_are_measured_with_the_heatmap_that_is_there(table: Table) -> None:
    table.desk.explain("normal", "layercam")
    table.poll()
    drawn = {name: masks().mask(name) for name in masks().names}
    drawn["T7"] = np.roll(drawn["T7"], 3, axis=1)
    table.case.take_masks(BoneMasks.pack(drawn, masks().shape))
    table.attach()
    table.desk.explain("normal", "layercam")
    assert len(table.told("explained")) == 1, "the overlap was that of other masks"
    table.poll()
    assert len(table.told("explained")) == 2
    first, second = (body for kind, body in table.client.sent if kind == "explain")
    assert "map" not in first and second["map"]["method"] == "LayerCAM"


def test_controls_come_after_everything_else_and_are_taken_only_then(table: Table) -> None:
    taken: list[Question] = []

    def controls() -> Iterator[Question]:
        for draw in range(1, 200):
            taken.append(table.case.question(frozenset({"T7"}), draw=draw))
            yield taken[-1]

    plain, at_sending = table.client.answer, []

    def noted(kind: str, body: dict[str, Any]) -> Message:
        at_sending.append((kind, any(body.get("draws", ())), len(taken)))
        if at_sending[-1][1] and sum(drawn for _, drawn, _ in at_sending) == 2:
            table.client.script.append("silence")  # what the reader asks meanwhile waits for this batch alone
            table.desk.ask(table.question("T7", "left rib 5"), want_patch=False)
            assert table.desk.asking
            table.client.script.clear()
        return plain(kind, body)

    table.client.answer = noted  # type: ignore[method-assign]
    table.desk.sweep(table.case.questions(), controls())
    table.desk.explain("normal", "grad-cam")
    table.poll(200)
    before = [entry for entry in at_sending if entry[0] in {"cover", "explain"} and not entry[1]]
    first = next(at for at, entry in enumerate(at_sending) if entry[1])
    assert all(drawn or kind == "hold" or at < first or at == first + 2 for at, (kind, drawn, _) in enumerate(at_sending))
    assert at_sending[first + 2][:2] == ("cover", False) and table.value("T7", "left rib 5") is not None
    assert all(count == 0 for _, _, count in before[:-1]), "none was made before it was due"
    assert not table.desk.controls_open and not table.desk.asking and table.desk.state == "idle" and len(taken) == 199
    draws = [draw for kind, body in table.client.sent if kind == "cover" for draw in body["draws"] if draw]
    assert draws == list(range(1, 200)), "each once, in order"


def test_a_new_sweep_a_cancel_and_another_case_end_the_controls(table: Table) -> None:
    for end in (lambda: table.desk.sweep([]), table.desk.cancel, table.desk.detach):
        table.attach()
        table.desk.sweep([], iter([table.case.question(frozenset({"T7"}), draw=draw) for draw in range(1, 9)]))
        assert table.desk.controls_open
        end()
        table.poll()
        assert not table.desk.controls_open


def test_tables_are_saved_with_the_results(table: Table) -> None:
    table.desk.save("/results", table.case.toggles.with_changes(saliency="hirescam"), {"effects.csv": "a"})
    table.poll()
    body = table.client.sent[-1][1]
    assert (body["saliency"], body["tables"]) == ("hirescam", {"effects.csv": "a"})


def test_another_device_gives_the_untouched_answer_again(table: Table) -> None:
    """A card that ran out of memory: numbers from two places are never put side by side."""
    table.desk.ask(table.question("T7"), want_patch=False)
    table.poll()
    table.client.device, table.client.untouched = "mps", (0.21, 0.3, 0.49)
    table.desk.ask(table.question("left rib 5"), want_patch=False)
    table.poll()
    assert table.value("left rib 5") is None
    ((reading, result),) = table.told("analysed")
    assert result.device == "mps" and result.probabilities == (0.21, 0.3, 0.49) and reading is table.case.reading
    assert [body["device"] for kind, body in table.client.sent if kind == "hold"] == ["cpu", "mps"]
    table.case.take_result(reading, result)
    table.attach()
    table.desk.ask(table.question("left rib 5"), want_patch=False)
    table.poll()
    assert table.value("left rib 5") is not None and table.client.kinds() == ["hold", "cover", "cover", "hold", "cover"]


@pytest.mark.parametrize("change", [{"model": "n" * 64}, {"untouched": (0.3, 0.3, 0.4)}])
def test_a_model_that_answers_otherwise_is_not_asked(table: Table, change: dict[str, Any]) -> None:
    vars(table.client).update(change)
    table.desk.ask(table.question("T7"), want_patch=False)
    table.desk.sweep(table.case.questions())
    table.poll()
    assert table.client.kinds() == ["hold"] and len(table.told("failed")) == 1 and table.value("T7") is None


def test_progress_is_told_with_the_time_left(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    table.client.script.append("silence")
    table.desk.analyse(SOURCE, OPTIONS)
    now[0] += 2
    table.client.telling.append(("gate", 0.25, "Checking the image"))
    table.desk.poll()
    now[0] += 2
    table.desk.poll()
    now[0] += 20
    table.desk.poll()
    assert table.told("progressed") == [
        ("Analysing chest.dcm", 0.0, None),
        ("Checking the image", 0.25, 6.0),
        ("Checking the image", 0.25, 4.0),
        ("Checking the image", 0.25, None),
    ]


def test_a_listener_may_cancel_in_the_middle_of_a_poll(table: Table) -> None:
    def on_progress(sentence: str, fraction: float, left: float | None) -> None:
        if fraction:
            table.desk.cancel()

    table.desk.progressed.connect(on_progress)
    table.client.telling.append(("gate", 0.25, "Checking the image"))
    table.desk.analyse(SOURCE, OPTIONS)
    table.poll()
    assert not table.desk.busy and table.told("failed") == [] and table.client.process is not None


def test_release_gives_the_process_back_and_the_next_question_starts_it_again(table: Table) -> None:
    table.desk.ask(table.question("T7"), want_patch=False)
    table.poll()
    table.desk.sweep(table.case.questions())
    table.desk.release()
    table.poll()
    assert table.client.process is None
    table.desk.ask(table.question("T7", "left rib 5"), want_patch=False)
    table.poll()
    assert table.value("T7", "left rib 5") is not None


def test_nothing_is_asked_after_close(table: Table) -> None:
    table.client.script.append("silence")
    table.desk.analyse(SOURCE, OPTIONS)
    table.desk.close()
    table.desk.close()
    sent = len(table.client.sent)
    table.desk.ask(table.question("T7"), want_patch=False)
    table.desk.sweep(table.case.questions())
    table.poll()
    assert len(table.client.sent) == sent and table.client.process is None


@pytest.mark.parametrize("call", [lambda desk: desk.poll(), lambda desk: desk.cancel(), lambda desk: desk.release()])
def test_an_empty_desk_does_nothing(call: Callable[[Desk], None]) -> None:
    table = Table(attach=False)
    call(table.desk)
    assert table.client.sent == [] and table.told("failed") == []
