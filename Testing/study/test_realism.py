"""Simulated beside real radiographs: the slope of a known spectrum is found, ranges are counted, pictures are written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from OsteoScreenLib.cli import app
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.simulate.texture import spectral_noise, vessel_trees, with_lung_texture
from OsteoScreenLib.study.realism import DECILES, brought_to_size, compare_looks, contact_sheet, look_of, plot_looks


@pytest.mark.parametrize("exponent", [1.0, 1.5, 1.8])
def test_the_slope_of_a_known_spectrum_is_found(exponent: float) -> None:
    slopes = [look_of(spectral_noise(np.random.default_rng(seed), (512, 512), exponent)).slope for seed in range(4)]
    # Power is the square of the amplitude.
    assert np.mean(slopes) == pytest.approx(2 * exponent, abs=0.12)


def test_deciles_are_those_of_the_middle() -> None:
    ramp = np.tile(np.linspace(0, 1, 512, dtype=np.float32), (512, 1))
    # The middle three quarters of a ramp from 0 to 1 go from 1/8 to 7/8.
    wanted = [0.125 + 0.75 * share / 100 for share in DECILES]
    assert look_of(ramp).deciles == pytest.approx(wanted, abs=0.005)
    assert brought_to_size(np.zeros((1024, 2048), np.float32)).shape == (512, 1024)
    assert brought_to_size(np.zeros((400, 300), np.float32)).shape[1] == 512


def test_what_lies_outside_the_real_range_is_counted() -> None:
    def picture(exponent: float, grey: float, seed: int) -> np.ndarray:
        return (0.4 * spectral_noise(np.random.default_rng(seed), (512, 512), exponent) + grey).astype(np.float32)

    real = [look_of(picture(exponent, grey, 1)) for exponent, grey in ((1.3, 0.1), (1.9, 0.5))]
    like, dark, rough = (look_of(picture(*what, seed=2)) for what in ((1.6, 0.3), (1.6, 0.0), (0.5, 0.3)))
    found = compare_looks(real, [like, dark, rough])
    assert found.slopes_inside == 2
    assert found.deciles_inside[4] == 2
    assert found.all_inside == 1
    # Of two real ones neither lies between the others; one between two does; a file given twice is no other one.
    assert found.real_inside == 0
    assert compare_looks([*real, like], [dark]).real_inside == 1
    assert compare_looks([real[0], real[0]], [dark]).real_inside == 0


def test_plot_and_sheet_are_pictures_of_the_right_size(tmp_path: Path) -> None:
    import cv2

    rng = np.random.default_rng(0)
    pictures = [spectral_noise(rng, (200, 160 + 10 * i), 1.5) for i in range(6)]
    looks = [look_of(picture) for picture in pictures]
    plot = cv2.imread(str(plot_looks(compare_looks(looks[:2], looks[2:]), tmp_path / "plot.png")))
    assert plot is not None and plot.shape[1] > 1000 and plot.std() > 5
    both = cv2.imread(str(contact_sheet(pictures, pictures[:1], tmp_path / "sheet.png", side=100)))
    assert both is not None and both.shape[:2] == (200, 608)
    alone = cv2.imread(str(contact_sheet(pictures, [], tmp_path / "sheet.jpg", side=100)))
    assert alone is not None and alone.shape[:2] == (200, 400)


def test_a_folder_without_radiographs_is_one_sentence(tmp_path: Path) -> None:
    given = ["--real", str(tmp_path), "--simulated", str(tmp_path), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, ["bench", "realism", *given])
    assert isinstance(result.exception, InputError) and "no frontal chest radiograph" in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_the_samples_are_measured_by_the_command(tmp_path: Path) -> None:
    import shutil

    samples = Path(__file__).resolve().parents[2] / "OsteoScreen" / "Resources" / "SampleData"
    (tmp_path / "cohort" / "images").mkdir(parents=True)
    real = tmp_path / "real"
    real.mkdir()
    for path in samples.glob("*.dcm"):
        shutil.copy(path, tmp_path / "cohort" / "images")
        shutil.copy(path, real)
    (real / "notes.txt").write_text("no picture")
    given = ["--real", str(real), "--simulated", str(tmp_path / "cohort"), "--out", str(tmp_path / "out"), "--json"]
    result = CliRunner().invoke(app, ["bench", "realism", *given])
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert len(figures["real"]) == figures["simulated"] == figures["all_inside"] == 2
    assert list(figures["left_out"]) == ["notes.txt"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"realism.png", "sheet.png", "simulated.jpg"}


def test_texture_fills_the_lungs_alone_and_repeats() -> None:
    lungs = np.zeros((96, 96), np.float32)
    lungs[20:80, 10:40] = lungs[20:80, 56:86] = 150
    paths = {"lungs": lungs, "vessels": np.zeros_like(lungs), "body": np.full_like(lungs, 200)}
    one, two = (with_lung_texture(paths, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(one["lungs"], two["lungs"]) and np.array_equal(one["vessels"], two["vessels"])
    assert one["vessels"].max() > 1 and not one["vessels"][lungs == 0].any() and not one["lungs"][lungs == 0].any()
    assert (one["vessels"] <= one["lungs"]).all() and one["body"] is paths["body"]
    assert not vessel_trees(np.zeros((64, 64), np.float32), np.random.default_rng(0)).any()
