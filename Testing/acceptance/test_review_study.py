"""A whole reader study, read with keys and mouse in the real window: 3 readers, 20 cases, 4 repeats, the model in between."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from acceptance.reading_room import ID, NAME, Room, make_study, reading_room, readings_of, store_answers

from OsteoScreenLib.classifier.prediction import CLASSES
from OsteoScreenLib.review.agreement.agreement import Agreement, measure_agreement
from OsteoScreenLib.review.agreement.pairs import MODEL as THE_MODEL
from OsteoScreenLib.review.nouns import Protocol, Task
from OsteoScreenLib.review.project import merged
from OsteoScreenLib.review.study import ReviewStudy

pytestmark = pytest.mark.timeout(3000)
READERS = ("R1", "R2", "R3")
CLASS = dict(zip("nlo", CLASSES, strict=True))  # normal, low (osteopenia), osteoporosis
# One letter a radiograph.
TRUTH = "nnnnnnn" + "llllll" + "ooooooo"
MODEL = "nnnnnnl" + "llllll" + "ooooool"
FIRST = {
    "R1": "nnnnnll" + "lllln" + "o" + "oooolll",
    "R2": "nnnnnnn" + "llllo" + "o" + "ooooooo",
    "R3": "nnnnnnn" + "nnnoo" + "o" + "ooooooo",
}
# R1 follows the model always, R2 at 6 and 11 and 19, R3 never.
SECOND = {"R1": "nnnnnnl" + "lllll" + "l" + "ooooool", "R2": "nnnnnnl" + "lllll" + "o" + "ooooool", "R3": FIRST["R3"]}
SURE = {"normal": 10, "osteopenia": 40, "osteoporosis": 85}
OTHER = {"normal": "osteopenia", "osteopenia": "osteoporosis", "osteoporosis": "normal"}
TELLING = (NAME, ID, "Erika", "19470811", "C-000", "originals", ".dcm")


@dataclass
class Reader:
    """One reader's habits, and what he has done.

    places : pseudonym → number of the radiograph. locked : as he means to have locked it.
    """

    code: str
    places: dict[str, int]
    locked: dict[tuple[Task, str], tuple[str, int, str]] = field(default_factory=dict)
    strayed: bool = False

    def first(self, task: Task) -> str:
        decision = CLASS[FIRST[self.code][self.places[task.case]]]
        if task.repeat and self.code == "R2" and not self.strayed:
            self.strayed = True  # at one repeat of four
            return OTHER[decision]
        return decision

    def second(self, task: Task) -> str:
        return CLASS[SECOND[self.code][self.places[task.case]]]


def nothing_leaks(room: Room) -> None:
    """While a read is blind there is the radiograph, and nothing of the model, the patient or the file, hidden or not."""
    assert not room.tabs.widget.isTabEnabled(0)
    scene = room.scene()
    kinds = Counter(node.split()[0] for node in scene)
    assert kinds["vtkMRMLSegmentationNode"] == kinds["vtkMRMLSegmentationDisplayNode"] == 0
    volumes = [node for node in scene if node.startswith("vtkMRMLScalarVolumeNode")]
    assert len(volumes) == 1 and room.session.label(room.session.task) in volumes[0]
    layers = room.window.view.mrmlSliceCompositeNode()
    assert layers.GetForegroundVolumeID() is None and layers.GetLabelVolumeID() is None
    said = [
        *room.texts(),
        *scene,
        *room.tabs.analyse.log.lines,
        room.window.statusBar().currentMessage(),
        room.window.windowTitle(),
    ]
    for text in said:
        for word in TELLING:
            assert word not in text, text
    frame = room.view.frame()[60:-60, 60:-60]
    assert (frame.max(axis=2) == frame.min(axis=2)).all() and frame.std() > 5  # a radiograph, without a coloured pixel


def see_the_model(room: Room, decision: str) -> None:
    """The answer, its heatmap and the bones are there, and nothing of them was before."""
    kinds = Counter(node.split()[0] for node in room.scene())
    assert kinds["vtkMRMLSegmentationNode"] == 1 and kinds["vtkMRMLScalarVolumeNode"] == 2
    assert any(f"The model says {decision}" in text for text in room.texts())
    assert room.tabs.widget.isTabEnabled(0)


def enter(room: Room, reader: Reader, decision: str) -> None:
    """Class and confidence, each reader in his own way."""
    form, sure = room.tab.form, SURE[decision]
    if reader.code == "R2":
        room.click(form._classes[decision])
    else:
        room.press(str(1 + CLASSES.index(decision)))
    while (now := room.reviewing.draft.confidence) != sure:
        room.press("Right" if (50 if now is None else now) < sure else "Left")


def lock(room: Room, reader: Reader) -> None:
    """By mouse, or by key."""
    if reader.code == "R2":
        room.click(room.tab.bar._lock)
    else:
        room.press("Ctrl+Return")


def read_one(room: Room, reader: Reader, begun: bool = False) -> None:
    """A task in both phases, and attempts to lock what is not complete. begun : something is entered already."""
    task = room.session.task
    nothing_leaks(room)
    if not begun:
        lock(room, reader)
        assert room.session.task == task and room.session.locked("first") is None and room.said.pop()[0] == "warning"
    decision = reader.first(task)
    enter(room, reader, decision)
    comment = ""
    if reader.code == "R3" and task.repeat == 0:
        room.press("C")
        room.write(comment := "seen 1 2 3")  # digits and letters of a text are no keys of the reading
        room.press("Escape")
        room.press("Q")
    if reader.code == "R2":
        room.click(room.tab.form._ticks["scoliosis"], x=0.1)
    nothing_leaks(room)
    lock(room, reader)
    reader.locked[task, "first"] = (decision, SURE[decision], comment)
    room.until(lambda: room.reviewing.model_there)
    see_the_model(room, CLASS[MODEL[reader.places[task.case]]])
    first = room.session.locked("first")
    second = reader.second(task)
    if second != decision:
        if reader.code == "R2":
            room.click(room.tab.form._classes[second])
        else:
            room.press(str(1 + CLASSES.index(second)))
        lock(room, reader)  # without a reason
        assert room.session.locked("second") is None and "why" in room.said.pop()[1]
        room.press("W")
        room.write("the spine")
        room.press("Escape")
    assert room.session.locked("first") == first
    lock(room, reader)
    reader.locked[task, "second"] = (second, SURE[decision], comment)
    assert room.session.task != task
    room.until_ready()


def look_back(room: Room, reader: Reader) -> None:
    """A finished case can be looked at, with the model, and not be changed."""
    task = next(task for task in room.session.tasks if room.session.status(task) == "done")
    here, item = room.session.task, room.tab.list._items[room.session.tasks.index(task)]
    tree = room.tab.list._tree
    tree.scrollToItem(item)
    box, height = tree.visualItemRect(item), tree.height()
    room.click(tree, x=0.2, y=(box.center().y() + tree.header().height()) / height)
    room.until(lambda: room.session.task == task and room.reviewing.model_there)
    before = room.session.draft
    for keys in ("1", "2", "3", "Right", "Q", "Ctrl+Return"):
        room.press(keys)
    assert room.session.draft == before and room.session.locked("second").opinion.decision == reader.locked[task, "second"][0]
    room.press("U")
    room.until_ready()
    assert room.session.task is not None and (here is None or room.session.status(room.session.task) != "done")


def read_study(room: Room, reader: Reader, study: ReviewStudy, monkeypatch: Any) -> None:
    """All of the list: one case is skipped and read at the end, in the middle the reader goes home and comes back."""
    room.sign_in(study, reader.code, monkeypatch)
    assert len(room.session.tasks) == 24 and sum(task.repeat for task in room.session.tasks) == 4
    skipped = room.session.task
    room.press("S")
    room.write("coffee first")
    room.press("Return")
    room.until(lambda: room.session.task not in (None, skipped))
    room.until_ready()
    for at in range(23):
        if at == 9:
            look_back(room, reader)
        if at == 12:
            enter(room, reader, "normal")
            task = room.session.task
            room.click(room.tab.sign_in._out)
            assert not room.reviewing.signed_in and room.tabs.widget.isTabEnabled(0)
            room.sign_in(study, reader.code, monkeypatch)
            assert room.session.task == task and room.reviewing.draft.decision == "normal"
        if room.session.task is not None:
            read_one(room, reader, begun=at == 12)
    assert room.session.task is None and room.session.at_end
    assert "The end of the list: 23 of 24 read, 1 skipped" in room.reviewing.headline
    room.press("PgDown")  # from the end: the first case
    while room.session.task != skipped:
        room.press("PgDown")
    room.until_ready()
    read_one(room, reader)
    assert room.session.tally.done == 24 and room.reviewing.tally == "24 of 24 read"
    room.click(room.tab.sign_in._out)


@pytest.fixture(scope="module")
def read(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[ReviewStudy, list[Reader]]:
    """The study after its three readers."""
    slicer_application, qapp, client = (request.getfixturevalue(name) for name in ("slicer_application", "qapp", "client"))
    folder = tmp_path_factory.mktemp("reader study")
    study = make_study(folder, [CLASS[letter] for letter in TRUTH], Protocol("Twenty", readers=READERS, repeats=0.2, seed=3))
    places = {case.id: int(Path(study.image_path(case)).stem[-2:]) for case in study.cases}
    store_answers(study, readings_of(study, client), {case: CLASS[MODEL[place]] for case, place in places.items()})
    readers = [Reader(code, places) for code in READERS]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OSTEOSCREEN_SETTINGS", str(folder / "machine"))
        slicer_application.publish()
        with reading_room(slicer_application, qapp, client, folder / "viewer.ini") as room:
            for reader in readers:
                read_study(room, reader, study, patch)
            assert [said for said in room.said if said[0] == "error"] == []
        patch.undo()
    return study, readers


def test_every_read_is_locked_once_as_it_was_entered(read) -> None:
    study, readers = read
    view = merged(study.folder)
    assert view.conflicts == () and view.remarks == ()
    found = {(one.reader, one.task, one.phase): one for one in view.reads}
    assert len(found) == len(view.reads) == 3 * 24 * 2
    for reader in readers:
        assert len(reader.locked) == 48
        for (task, phase), (decision, sure, comment) in reader.locked.items():
            one = found[reader.code, task, phase]
            assert (one.opinion.decision, one.opinion.confidence, one.opinion.comment) == (decision, sure, comment)
            assert (one.opinion.findings == ("scoliosis",)) == (reader.code == "R2")
            assert one.active_seconds > 0
            facts = one.model
            assert facts.model == "some-model" and facts.bundle_sha256 == "m" * 64
            assert facts.decision == ("" if phase == "first" else CLASS[MODEL[reader.places[task.case]]])
            if phase == "second":
                changed = decision != found[reader.code, task, "first"].opinion.decision
                assert (one.opinion.changed_because == "the spine") == changed


def measured(read: tuple[ReviewStudy, list[Reader]]) -> Agreement:
    study, _ = read
    return measure_agreement(merged(study.folder).reads, study.cases, study.protocol)


def test_agreement_is_what_a_hand_computes(read) -> None:
    """Every figure here was worked out on paper from the rows of letters above."""
    told = measured(read)
    pair = next(one for one in told.between if (one.one, one.other, one.phase) == ("R1", "R2", "first"))
    assert pair.table == ((5, 0, 1), (2, 4, 3), (0, 0, 5)) and pair.same.count == 14
    assert pair.plain.value == pytest.approx((0.7 - 123 / 400) / (1 - 123 / 400))
    assert pair.quadratic.value == pytest.approx(1 - (2.25 / 20) / (136 / 400))
    together = next(one for one in told.together if one.phase == "first")
    assert together.kappa.value == pytest.approx((2 / 3 - 1274 / 3600) / (1 - 1274 / 3600)) and together.readers == 3
    right = {(one.who, one.phase): one for one in told.accuracies}
    for who, phase, sensitivity, specificity in (
        ("R1", "first", 4, 12), ("R1", "second", 6, 13), ("R2", "first", 7, 11), ("R2", "second", 6, 12), ("R3", "first", 7, 10),
        ("R3", "second", 7, 10), (THE_MODEL, None, 6, 13),
    ):  # fmt: skip
        one = right[who, phase]
        assert (one.sensitivity.count, one.sensitivity.of) == (sensitivity, 7), (who, phase)
        assert (one.specificity.count, one.specificity.of) == (specificity, 13), (who, phase)
    change = {one.who: one for one in told.changes}
    assert [(change[who].classes.helped, change[who].classes.harmed) for who in READERS] == [(5, 0), (1, 2), (0, 0)]
    assert [change[who].changed.count for who in READERS] == [5, 3, 0]
    assert change["R1"].towards_model == 5 and change["R2"].towards_model == 3
    area = {(one.who, one.phase): one.auc.value for one in told.areas}
    assert area["R1", "first"] == pytest.approx(77 / 91) and area["R3", "first"] == pytest.approx(11.5 / 13)
    within = {(one.one, one.phase): one for one in told.within}
    assert [(within[who, "first"].same.count, within[who, "first"].images) for who in READERS] == [(4, 4), (3, 4), (4, 4)]


def test_nothing_written_names_a_patient_or_a_file(read) -> None:
    study, _ = read
    for path in study.folder.rglob("*"):
        if path.is_file() and "private" not in path.parts:
            data = path.read_bytes() + str(path.relative_to(study.folder)).encode()
            for word in (NAME, ID, "Erika", "19470811", "originals"):
                assert word.encode() not in data, (path, word)


def test_what_every_reader_did_is_in_the_store(read) -> None:
    study, _ = read
    events = merged(study.folder).events
    for code in READERS:
        own = [one for one in events if one.reader == code]
        kinds = Counter(one.kind for one in own)
        assert (kinds["signed-in"], kinds["skipped"], kinds["locked"]) == (2, 1, 48)
        assert [one.at for one in own] == sorted(one.at for one in own)
