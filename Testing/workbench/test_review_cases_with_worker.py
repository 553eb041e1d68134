"""Reading sessions with the real process that reads images: how soon the next case is there, and what the logs do not tell."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from OsteoScreenLib.files import resource_folder, sha256_of_file
from OsteoScreenLib.review.nouns import Protocol, ReviewCase
from OsteoScreenLib.review.places import store_path
from OsteoScreenLib.review.session import Session
from OsteoScreenLib.review.store import ReaderStore
from OsteoScreenLib.review.study import ReviewStudy
from OsteoScreenLib.review.worklist import worklist
from OsteoScreenLib.workbench.desk import Desk
from OsteoScreenLib.workbench.reading import Reading
from OsteoScreenLib.workbench.review_cases import ReviewCases
from OsteoScreenLib.workbench.worker_client import WorkerClient

SAMPLE = resource_folder("SampleData") / "simulated_chest_osteoporosis.dcm"
NEXT_SECONDS = 0.1  # of the 0.3 in which the next case has to be on the screen


class Room:
    """A study of originals with telling names, some of them no images, and a window's timer."""

    def __init__(self, folder: Path, damaged: frozenset[int] = frozenset()) -> None:
        (folder / "images").mkdir()
        (folder / "private").mkdir()
        listed, rows = [], ["id,path"]
        for number in range(1, 5):
            path = folder / "images" / f"Doe_Jane_{number}.dcm"
            if number in damaged:
                path.write_bytes(b"\x89PNG\r\n\x1a\n and nothing more")
            else:
                shutil.copy(SAMPLE, path)
            rows.append(f"C-{number:05},{path}")
            listed.append(ReviewCase(f"C-{number:05}", "", sha256_of_file(path)))
        (folder / "private" / "sources.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
        study = ReviewStudy(folder, Protocol("A study"), tuple(listed))
        self.log = folder / "worker.log"
        self.client = WorkerClient(sys.executable, log=self.log)
        self.desk = Desk(self.client)
        self.told: list[Any] = []
        self.desk.logged.connect(self.told.append)
        self.desk.failed.connect(lambda *values: self.told.append(values))
        store = ReaderStore.open(store_path(folder, "anna", "m1"), "anna", "m1", "1")
        self.session = Session(study, "anna", store, worklist(study, "anna"))
        self.session.message.connect(lambda *values: self.told.append(values))
        self.cases = ReviewCases(self.session, self.desk)
        self.readings: list[Reading] = []
        self.cases.ready.connect(self.readings.append)

    def wait(self, until: Callable[[], bool], seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < deadline, self.told
            self.desk.poll()
            time.sleep(0.005)

    def settle(self) -> None:
        """The next radiograph has been read ahead."""
        self.wait(lambda: self.desk.state == "idle")

    def close(self) -> None:
        self.cases.close()
        self.session.close()
        self.desk.close()


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Room]]:
    made: list[Room] = []

    def room(**options: Any) -> Room:
        made.append(Room(tmp_path, **options))
        return made[-1]

    yield room
    for one in made:
        one.close()


def test_the_next_case_is_there_within_a_third_of_what_the_reader_is_promised(make: Callable[..., Room]) -> None:
    room = make()
    room.session.start()
    room.wait(lambda: len(room.readings) == 1)
    for count in (2, 3, 4):
        room.settle()
        began = time.perf_counter()
        room.session.next()
        assert len(room.readings) == count, "at once"
        assert time.perf_counter() - began < NEXT_SECONDS
    assert [reading.source.name for reading in room.readings] == ["Case 1", "Case 2", "Case 3", "Case 4"]
    assert "Jane" not in str([(reading.source, reading.facts, reading.notes) for reading in room.readings])


def test_a_damaged_image_leaves_no_file_name_in_log_or_message(make: Callable[..., Room]) -> None:
    room = make(damaged=frozenset({1, 2, 3, 4}))
    room.session.start()
    room.wait(lambda: any("those before it" in str(told) for told in room.told))
    room.desk.close()
    log = room.log.read_text(encoding="utf-8") + room.client.stderr_tail
    assert "cannot be read" in log, "the log does say that something was wrong"
    assert "Jane" not in log + str(room.told)
