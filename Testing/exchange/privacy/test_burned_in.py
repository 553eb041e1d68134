"""Text in the pixels: found where it was drawn, not where there is bone, and gone where it is masked."""

from __future__ import annotations

import json
import time
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
from radiograph.synthetic import data_set, save

from OsteoScreenLib import cli
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.exchange.privacy.burned_in import TextArea, find_text, masked_pixels
from OsteoScreenLib.exchange.privacy.key import Key
from OsteoScreenLib.exchange.privacy.pictures import TextFound, without_text
from OsteoScreenLib.exchange.privacy.pseudonymise import pseudonymise
from OsteoScreenLib.radiograph.read import radiograph_from_array, read_radiograph
from OsteoScreenLib.study.burned_text import burn_text

SAMPLES = Path(__file__).resolve().parents[3] / "OsteoScreen/Resources/SampleData"
KEY = Key(bytes(32))


@pytest.fixture(scope="module")
def samples() -> list[np.ndarray]:
    return [read_radiograph(path).pixels for path in sorted(SAMPLES.glob("*.dcm"))]


def covered(pixels: np.ndarray) -> np.ndarray:
    found = np.zeros(pixels.shape, bool)
    for area in find_text(pixels):
        found[area.box] = True
    return found


def test_drawn_text_is_found_and_covered(samples: list[np.ndarray]) -> None:
    rng = np.random.default_rng(20)
    shares = []
    for number in range(24):
        image = samples[number % len(samples)]
        if number % 3:  # other resolutions
            image = cv2.resize(image, None, fx=0.4 * (number % 3), fy=0.4 * (number % 3), interpolation=cv2.INTER_AREA)
        burned = burn_text(image, rng)
        shares.append(covered(burned.pixels)[burned.ink].mean())
    assert min(shares) > 0 and np.mean(shares) > 0.97, np.round(shares, 2)


def test_no_text_is_seen_in_bone(samples: list[np.ndarray]) -> None:
    for image in samples:
        assert find_text(image) == () and find_text(1 - image) == ()


def test_real_radiographs(shared_data: Path) -> None:
    folder = shared_data / "radiographs"
    areas = {
        path.stem: find_text(read_radiograph(path).pixels)
        for path in sorted(folder.glob("chest_*"))
        if "corrupt" not in path.stem
    }
    assert {name: len(found) for name, found in areas.items() if found} == {
        "chest_pa_cr_8bit_jpeg": 1, "chest_pa_tagged_monochrome1": 1,
    }  # fmt: skip
    # Both are one image, with a marker whose small letters spell a word from top to bottom.
    (marker,) = areas["chest_pa_cr_8bit_jpeg"]
    assert marker.row < 30 and marker.end_row > 95 and 860 < marker.column < marker.end_column < 900


def test_a_number_burned_into_real_knees_is_found_and_their_trabeculae_are_no_text(shared_data: Path) -> None:
    folder = shared_data / "knee_cohort" / "images"
    for name in ("N16.jpg", "N21.jpg"):  # one image twice, with a patient's number in its upper edge
        (area,) = find_text(read_radiograph(folder / name).pixels)
        assert area.end_row < 70 and area.column < 350 < 450 < area.end_column
    others = [path for path in sorted(folder.iterdir())[:60:4] if path.name not in {"N16.jpg", "N21.jpg"}]
    found = [path.name for path in others if find_text(read_radiograph(path).pixels)]
    assert len(others) > 12 and len(found) <= 1, found


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_text_may_lie_on_its_side(samples: list[np.ndarray], turn: int) -> None:
    rng = np.random.default_rng(3)
    burned = burn_text(samples[0], rng)
    assert covered(np.ascontiguousarray(np.rot90(burned.pixels, turn)))[np.rot90(burned.ink, turn)].mean() > 0.95


def test_a_single_marker_is_no_text() -> None:
    image = np.full((600, 500), 80, np.uint8)
    cv2.putText(image, "R", (60, 80), cv2.FONT_HERSHEY_SIMPLEX, 2, 255, 4)
    assert find_text(image / np.float32(255)) == ()


@pytest.mark.parametrize("image", [np.zeros((64, 64)), np.ones((300, 64)), np.full((100, 100), np.nan)])
def test_empty_images_show_nothing(image: np.ndarray) -> None:
    assert find_text(image.astype(np.float32)) == ()


def test_masking_takes_the_surroundings_and_leaves_the_rest() -> None:
    image = np.full((50, 60), 0.4, np.float32)
    image[10:20, 5:40] = 1
    area = TextArea(9, 4, 21, 41)
    masked = masked_pixels(image, [area])
    assert (masked == np.float32(0.4)).all() and (image[12, 10], masked.dtype) == (1, np.float32)
    whole = masked_pixels(image, [TextArea(0, 0, 50, 60)])
    assert len(np.unique(whole)) == 1


def test_pictures_are_refused_kept_or_masked(samples: list[np.ndarray]) -> None:
    burned = burn_text(samples[0], np.random.default_rng(5))
    radiograph = radiograph_from_array(burned.pixels)
    with pytest.raises(TextFound, match=r"chest\.dcm shows what looks like text in") as caught:
        without_text(radiograph, "refuse", "chest.dcm")
    assert caught.value.code == "text-found" and isinstance(caught.value, InputError) and caught.value.areas
    kept, masked = without_text(radiograph, "keep"), without_text(radiograph, "mask")
    assert np.array_equal(kept.pixels, radiograph.pixels) and kept.notes[-1].code == "text-found"
    assert masked.notes[-1].code == "text-masked" and find_text(masked.pixels) == ()
    clean = radiograph_from_array(samples[0])
    assert without_text(clean, "refuse") is clean


def burned_file(folder: Path, pixels: np.ndarray) -> Path:
    stored = np.rint(pixels * 4095).astype(np.uint16)
    path = save(
        data_set(stored, WindowCenter=2048, WindowWidth=4096, BurnedInAnnotation="YES", ImageType=["ORIGINAL", "PRIMARY"]),
        folder / "a.dcm",
    )
    return path


def test_a_copy_with_text_is_refused_kept_or_masked_in_the_stored_pixels(samples: list[np.ndarray], tmp_path: Path) -> None:
    burned = burn_text(samples[0], np.random.default_rng(5))
    path = burned_file(tmp_path, burned.pixels)
    folder = tmp_path / "copies"
    folder.mkdir()
    with pytest.raises(TextFound):
        pseudonymise(path, folder, KEY)
    assert not list(folder.iterdir())
    original = read_radiograph(path).pixels
    kept = pseudonymise(path, folder, KEY, text="keep")
    assert np.array_equal(read_radiograph(kept.path).pixels, original)
    assert pydicom.dcmread(kept.path).BurnedInAnnotation == "YES"
    masked = pseudonymise(path, folder, KEY, text="mask")
    again, header = read_radiograph(masked.path).pixels, pydicom.dcmread(masked.path)
    assert find_text(again) == () and masked.areas == kept.areas
    outside = np.ones(original.shape, bool)
    for area in masked.areas:
        outside[area.box] = False
        assert len(np.unique(header.pixel_array[area.box])) == 1
    assert np.array_equal(again[outside], original[outside])
    assert (header.BurnedInAnnotation, header.ImageType[0]) == ("NO", "DERIVED")
    assert "113101" in [item.CodeValue for item in header.DeidentificationMethodCodeSequence]


def test_the_benchmark_measures_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "burned-in", "--count", "4", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["images"], figures["drawn"], figures["found"], figures["marked"]) == (2, 4, 4, [])
    assert figures["ink"] > 0.9
    assert cli.main(["bench", "burned-in", "--count", "1"]) == 0
    assert "found 1 times (100.0 %)" in capsys.readouterr().out


def test_noise_does_not_hold_anybody_up() -> None:
    """So many specks that look like letters would take minutes to compare with each other."""
    noise = cv2.GaussianBlur(np.random.default_rng(0).random((2400, 2400), np.float32), (0, 0), 2) > 0.5
    started = time.perf_counter()
    find_text(noise.astype(np.float32))
    assert time.perf_counter() - started < 40
