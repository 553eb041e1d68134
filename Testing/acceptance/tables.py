"""A whole table for tests: scene, slice view, panel, presenter, and a real worker that is kept from one test to the next."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from OsteoScreenLib.workbench.worker_client import WorkerClient

SAMPLES = Path(__file__).resolve().parents[2] / "OsteoScreen" / "Resources" / "SampleData"
SICK, WELL = SAMPLES / "simulated_chest_osteoporosis.dcm", SAMPLES / "simulated_chest_normal.dcm"


class KeptClient(WorkerClient):
    """Stays when a desk is closed, so that torch is imported once for many tests."""

    def close(self) -> None:
        """Only what is being computed is given up."""
        if self.busy:
            self.cancel()

    def end(self) -> None:
        """Really close."""
        super().close()


@dataclass
class QuietHost:
    """A host without a window."""

    name: str = "test"
    documentation_url: str = ""
    problem: str = ""
    kept: dict[str, str] = field(default_factory=dict)
    edited: list[Any] = field(default_factory=list)

    def current_volume_id(self) -> str:
        return ""

    def ask_for_image(self) -> str:
        return ""

    def ask_for_folder(self, title: str) -> str:
        return ""

    def worker_python(self) -> Path:
        return Path(sys.executable)

    def make_ready(self) -> str:
        return self.problem

    def edit_masks(self, segmentation_node: Any, radiograph_node: Any) -> bool:
        self.edited.append((segmentation_node, radiograph_node))
        return True

    def remember(self, key: str, value: str) -> None:
        self.kept[key] = value

    def remembered(self, key: str, default: str) -> str:
        return self.kept.get(key, default)

    def status(self, text: str) -> None:
        pass


class Bench:
    """What a test holds in its hands."""

    def __init__(self, client: WorkerClient, qapp: Any) -> None:
        from OsteoScreenLib.scene.view import CaseView
        from OsteoScreenLib.ui.panel import Panel
        from OsteoScreenLib.ui.presenter import Presenter
        from OsteoScreenLib.ui.qt_api import QtWidgets
        from OsteoScreenLib.workbench.desk import Desk

        self.client, self.qapp, self.host = client, qapp, QuietHost()
        self.window = QtWidgets.QWidget()
        self.desk = Desk(client)
        self.view = CaseView("Red")
        self.presenter = Presenter(self.desk, self.host, self.view)
        self.said: list[tuple[str, str]] = []
        self.presenter.message.connect(lambda severity, sentence: self.said.append((severity, sentence)))
        self.panel = Panel(self.window, self.presenter, self.host)

    def close(self) -> None:
        """In the order in which the hosts do it."""
        self.panel.close()
        self.presenter.close()
        self.window.deleteLater()
        self.qapp.processEvents()

    def until(self, condition: Callable[[], object], seconds: float = 90.0) -> None:
        """Let the event loop run until something is so."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"it did not happen within {seconds:g} s; said so far: {self.said}"
            self.qapp.processEvents()
            time.sleep(0.002)

    def open(self, path: Path) -> None:
        """Open a file and wait for it."""
        self.presenter.open_file(path)
        self.until(lambda: not self.presenter.busy)
        assert self.presenter.reading is not None and self.presenter.reading.source.name == path.name, self.said

    def analyse(self) -> None:
        """Analyse and wait for the answer and every Δ."""
        self.presenter.analyse()
        self.until(lambda: not self.presenter.busy)
        assert self.presenter.result is not None, self.said
        self.rest()

    def rest(self) -> None:
        """Wait until nothing is computed any more but controls, which go on in the background."""
        self.until(lambda: not self.desk.busy and not self.desk.asking)
        for _ in range(3):
            self.qapp.processEvents()

    def frame(self) -> np.ndarray:
        """What the reader sees, uint8 (rows, columns, 3)."""
        return self.view.frame()

    @property
    def case(self) -> Any:
        """The case on the table."""
        assert self.presenter.case is not None
        return self.presenter.case

    @property
    def nodes(self) -> Any:
        """Its nodes."""
        from OsteoScreenLib.scene.case_nodes import SceneCase

        return next(case for case in SceneCase.all_in_scene() if case.token == self.case.token)


@contextmanager
def bench(client: WorkerClient, qapp: Any) -> Iterator[Bench]:
    """A bench that is closed whatever happens."""
    made = Bench(client, qapp)
    try:
        yield made
    finally:
        made.close()


def bare(table: Bench) -> None:
    """The image alone: no heatmap, no outlines."""
    style = table.presenter.heat_style
    table.presenter.set_heat_style(type(style)(False, style.opacity, style.threshold, style.colour_map))
    table.presenter.set_hidden(table.case.result.masks.names, True)
    table.rest()


def seen(mask: np.ndarray, table: Bench) -> np.ndarray:
    """Where a mask of the radiograph can be seen in the frame, widened by the pixel that interpolation reaches."""
    import vtk

    rows, columns = table.frame().shape[:2]
    node = table.nodes.radiograph
    slice_node = table.view._slice_node()
    ras_to_ijk, to_ijk = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
    node.GetRASToIJKMatrix(ras_to_ijk)
    vtk.vtkMatrix4x4.Multiply4x4(ras_to_ijk, slice_node.GetXYToRAS(), to_ijk)
    matrix = np.array([[to_ijk.GetElement(r, c) for c in range(4)] for r in range(4)])
    x, y = np.meshgrid(np.arange(columns), rows - 1 - np.arange(rows))
    column, row = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 3], matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 3]
    wide = mask.copy()
    for _ in range(2):
        wide[1:] |= wide[:-1]
        wide[:-1] |= wide[1:]
        wide[:, 1:] |= wide[:, :-1]
        wide[:, :-1] |= wide[:, 1:]
    r, c = np.rint(row).astype(int), np.rint(column).astype(int)
    inside = (r >= 0) & (r < mask.shape[0]) & (c >= 0) & (c < mask.shape[1])
    return np.where(inside, wide[r.clip(0, mask.shape[0] - 1), c.clip(0, mask.shape[1] - 1)], False)
