"""`osteoscreen bench simulate`: its fields, and NumPy's path lengths beside the projector's. Nothing here depends on speed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba", reason="the simulator's packages are not installed here")

from OsteoScreenLib.benchmarks.projector import ProjectorFigures
from OsteoScreenLib.benchmarks.ray_sum import all_at_once, one_by_one
from OsteoScreenLib.benchmarks.simulate import SimulateFigures
from OsteoScreenLib.cli import main
from OsteoScreenLib.simulate.meshes import ellipsoid
from OsteoScreenLib.simulate.projection import Geometry, project
from OsteoScreenLib.study.simulated_case import STAGES


@pytest.mark.parametrize("direction", ["PA", "AP", "LEFT LATERAL", "RIGHT LATERAL"])
def test_numpy_and_the_projector_give_the_same_path_lengths(direction: str) -> None:
    geometry = Geometry(direction=direction, rows=40, columns=56, pixel_mm=4, turn_degrees=(3.0, -2.0, 1.0))  # type: ignore[arg-type]
    parts = {
        "middle": ellipsoid(np.array([5.0, -3.0, 2.0]), (30, 20, 40)),
        "over the edge": ellipsoid(np.array([100.0, 90.0, 60.0]), (50, 50, 50)),
        "beside the detector": ellipsoid(np.array([900.0, 900.0, 0.0]), (10, 10, 10)),
    }
    paths = project(parts, geometry)
    assert paths["middle"].max() > 30 and paths["over the edge"].any() and not paths["beside the detector"].any()
    for plain in (one_by_one, all_at_once):
        for name, path in plain(parts, geometry).items():
            assert path.dtype == np.float32
            np.testing.assert_allclose(path, paths[name], atol=1e-3)


@pytest.mark.timeout(600)
def test_the_command_measures_a_small_cohort(shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    thorax, work = tmp_path / "thorax", tmp_path / "work"
    thorax.mkdir()
    for path in (shared_data / "thorax_ct").glob("lidc2*"):
        shutil.copy(path, thorax / path.name)
    skeleton = shared_data / "skeleton" / "bodyparts3d_stl.zip"
    options = ["--count", "2", "--size", "128", "--threads", "1", "--json"]
    code = main(["bench", "simulate", "--skeleton", str(skeleton), "--thorax-ct", str(thorax), "--work", str(work), *options])
    figures = json.loads(capsys.readouterr().out)
    assert code == 0
    assert figures["conditions"]["count"] == 2 and figures["conditions"]["sources"] == ["skeleton", "lidc2"]
    assert tuple(figures["stages"]) == STAGES
    assert sum(stage["share"] for stage in figures["stages"].values()) == pytest.approx(1)
    assert figures["radiographs_per_second"] > 0 and figures["peak_memory_bytes"] > 2**20
    projector = figures["projector"]
    assert projector["detector"] == 128 and projector["triangles"] > 100_000 and projector["ratio"] > 0
    assert projector["largest_difference_mm"] <= 1e-3 and figures["met"]["largest_difference_mm"]
    assert [path.name for path in work.iterdir()] == ["anatomies"]  # nothing of the cohort stays


def test_more_threads_than_processors_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--skeleton", "none.zip", "--thorax-ct", "none", "--work", str(tmp_path), "--threads", "100000"]
    assert main(["bench", "simulate", *given]) == 2
    assert "processors here" in capsys.readouterr().err


def test_each_figure_stands_beside_its_aim() -> None:
    from rich.console import Console

    projector = ProjectorFigures(0.1, 10.0, 0.5, 1e-5, 512, 86, 500_000)
    stages = dict.fromkeys(STAGES, 0.1)
    figures = SimulateFigures(4, 512, 2, True, None, ("skeleton",), 8.0, stages, 2**30, projector)
    assert figures.per_second == 0.5 and projector.ratio == pytest.approx(100)
    assert figures.met() == {
        "radiographs_per_second": False,
        "ratio": True,
        "largest_difference_mm": True,
        "peak_memory_bytes": True,
    }
    console = Console(width=100)
    with console.capture() as shown:
        console.print(figures.as_tables())
    told = shown.get()
    assert "0.50" in told and "missed" in told and "20 %" in told
