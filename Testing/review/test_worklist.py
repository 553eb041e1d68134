"""Who reads what in which order: the same on every machine, balanced, and never a case again right after itself."""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from pathlib import Path

import pytest

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.review.nouns import Protocol, ReviewCase, Task
from OsteoScreenLib.review.progress import Progress
from OsteoScreenLib.review.study import CASES, STUDY, ReviewStudy, cases_csv, open_study
from OsteoScreenLib.review.worklist import Worklist, assignment, counts, with_repeats, worklist

CLASSES = ("normal", "osteopenia", "osteoporosis")


# Written down, so that an update of Python or of the program cannot deal a study under way anew; "+" is a repeat.
FIXED = {"R1": ["2", "3", "6", "4", "1", "2+", "5", "6+"], "R2": ["4", "3", "6", "1", "2", "4+", "5", "6+"]}


def cases(count: int) -> tuple[ReviewCase, ...]:
    return tuple(
        ReviewCase(f"C-{number:05}", "", truth=CLASSES[number % 7 % 3], view=("PA", "AP")[number % 2])
        for number in range(1, count + 1)
    )


def study(count: int, **protocol: object) -> ReviewStudy:
    return ReviewStudy(Path("nowhere"), Protocol("Test", **protocol), cases(count))  # type: ignore[arg-type]


def names(tasks: Worklist) -> list[str]:
    return [f"{task.case[-1]}{'+' * task.repeat}" for task in tasks.tasks]


def test_the_order_is_fixed_by_seed_and_reader_for_good() -> None:
    """A study that is read over years and on several machines keeps its order, so these are written down."""
    assert names(worklist(study(6, seed=5, repeats=0.34), "R1")) == FIXED["R1"]
    assert names(worklist(study(6, seed=5, repeats=0.34), "R2")) == FIXED["R2"]
    assert names(worklist(study(6, seed=6, repeats=0.34), "R1")) not in FIXED.values()


def test_the_order_does_not_depend_on_the_order_of_the_cases() -> None:
    one = study(40, repeats=0.2)
    mixed = ReviewStudy(one.folder, one.protocol, tuple(random.Random(1).sample(one.cases, 40)))
    assert worklist(one, "R1").tasks == worklist(mixed, "R1").tasks


def test_orders_are_spread_evenly() -> None:
    """Over many readers each case comes in each quarter of the list about as often (chance: 250 ± 14)."""
    quarters = Counter()
    for reader in range(1000):
        order = worklist(study(8), f"R{reader}").tasks
        quarters[order.index(Task("C-00001")) // 2] += 1
    assert all(180 < quarters[quarter] < 320 for quarter in range(4))


@pytest.mark.parametrize("share", [0.0, 0.05, 0.2, 0.5, 0.51, 0.8, 1.0])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 21, 60])
def test_repeats(count: int, share: float) -> None:
    for seed in range(20):
        order = [f"C-{number}" for number in range(count)]
        tasks = with_repeats(order, share, f"{seed}")
        assert [task.case for task in tasks if task.repeat == 0] == order
        repeated = [task for task in tasks if task.repeat == 1]
        assert len(repeated) == len(set(repeated)) == (int(share * count + 0.5) if count > 1 else 0)
        assert len(tasks) == count + len(repeated)
        for task in repeated:
            apart = tasks.index(task) - tasks.index(Task(task.case))
            assert apart >= 2
            if share <= 0.5:
                assert apart > count // 2, "half of the list lies between"


def test_repeats_do_not_always_stand_in_the_same_places() -> None:
    order = [f"C-{number}" for number in range(40)]
    places = {
        tuple(place for place, task in enumerate(with_repeats(order, 0.1, str(seed))) if task.repeat) for seed in range(30)
    }
    assert len(places) > 20


@pytest.mark.parametrize(("readers", "each", "count"), [(2, 1, 7), (3, 2, 20), (5, 2, 103), (6, 3, 200), (4, 4, 9)])
def test_assignment_is_balanced(readers: int, each: int, count: int) -> None:
    codes = tuple(f"R{number}" for number in range(readers))
    given = cases(count)
    dealt = assignment(given, Protocol("Test", readers=codes, each_case=each))
    assert set(dealt) == {case.id for case in given} and all(len(who) == each for who in dealt.values())
    load = Counter(reader for who in dealt.values() for reader in who)
    assert max(load.values()) - min(load.values()) <= 1
    for truth in CLASSES:
        of_class = Counter(reader for case in given if case.truth == truth for reader in dealt[case.id])
        assert max(of_class[code] for code in codes) - min(of_class[code] for code in codes) <= 2
    if each > 1:
        together = Counter(pair for who in dealt.values() for pair in itertools.combinations(sorted(who), 2))
        assert len(together) == readers * (readers - 1) // 2
        mean = count * each * (each - 1) / (readers * (readers - 1))
        assert max(together.values()) - min(together.values()) <= max(3, 0.5 * mean)


def test_readers_share_out_the_cases_between_them() -> None:
    made = study(30, readers=("R1", "R2", "R3"), each_case=1)
    lists = [{task.case for task in worklist(made, reader).tasks} for reader in made.protocol.readers]
    assert sum(map(len, lists)) == 30 and set.union(*lists) == {case.id for case in made.cases}


def test_numbers_labels_filters_and_search_tell_no_pseudonym() -> None:
    tasks = worklist(study(12, repeats=0.25), "R1")
    assert [tasks.number(task) for task in tasks.tasks] == list(range(1, 16))
    assert [tasks.label(task) for task in tasks.matching(search="case 1")] == ["Case 1", *(f"Case {n}" for n in range(10, 16))]
    assert tasks.matching(search="3") == (tasks.tasks[2],)
    assert tasks.matching(search=tasks.tasks[0].case) == () and tasks.matching(search="C-") == ()
    assert {tasks.cases[task.case].view for task in tasks.matching(view="AP")} == {"AP"} and tasks.views() == ("AP", "PA")
    progress = Progress("blind", tasks.tasks)
    progress.skipped(tasks.tasks[4])
    statuses = {task: progress.status(task) for task in tasks.tasks}
    assert tasks.matching(statuses, status="skipped") == (tasks.tasks[4],)
    assert counts(statuses) == {"unread": 14, "first": 0, "done": 0, "skipped": 1}


def test_strangers_and_names_are_refused() -> None:
    with pytest.raises(InputError, match="its readers are R1, R2") as caught:
        worklist(study(3, readers=("R1", "R2")), "R3")
    assert caught.value.code == "reader"
    with pytest.raises(InputError, match="no name of a person"):
        worklist(study(3), "Dr. Anna Meyer")
    with pytest.raises(InputError, match="not on the list"):
        worklist(study(3), "R1").number(Task("C-00009"))


def test_ten_thousand_cases_open_within_two_seconds(tmp_path: Path) -> None:
    import hashlib
    import json

    text = cases_csv(cases(10_000))
    (tmp_path / CASES).write_text(text)
    protocol = {"title": "Large", "readers": [f"R{number}" for number in range(8)], "each_case": 3, "repeats": 0.1}
    facts = {"format": "osteoscreen-review", "format_version": 1, "cases_sha256": hashlib.sha256(text.encode()).hexdigest()}
    (tmp_path / STUDY).write_text(json.dumps({**facts, "protocol": protocol}))
    begun = time.process_time()
    tasks = worklist(open_study(tmp_path), "R3")
    assert time.process_time() - begun < 2.0
    assert len(tasks.tasks) == 3750 + 375
