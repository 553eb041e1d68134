"""The embedded segmenter: geometry right to half a pixel, robust grey values, implausible pieces dropped, honest failures."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from OsteoScreenLib.bones.confidence import Calibration, expected_dice
from OsteoScreenLib.bones.embedded import (
    EmbeddedSegmenter,
    Letterbox,
    Plausibility,
    in_order,
    normalise,
    plausible,
)
from OsteoScreenLib.bones.networks import ShuffleUNet, build_network
from OsteoScreenLib.bones.trust import trust_levels
from OsteoScreenLib.bundle import as_float16, embedded_bundle, open_bundle, write_bundle
from OsteoScreenLib.errors import OsteoScreenError
from OsteoScreenLib.files import resource_folder
from OsteoScreenLib.radiograph.radiograph import Radiograph

GRID = 224


class BrightPlaces(nn.Module):
    """Stands for a network: what is bright on its grid is the bone, at half resolution like the real one."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return nn.functional.avg_pool2d(images, 2).repeat(1, 2, 1, 1) * 10


def segmenter(rules: Plausibility | None = None) -> EmbeddedSegmenter:
    return EmbeddedSegmenter(BrightPlaces(), ("T7", "heart"), GRID, rules=rules)


def picture(shape: tuple[int, int], box: tuple[float, float, float, float]) -> np.ndarray:
    """A bright rectangle (top, left, bottom, right as shares of the image) on a dark, faintly graded image."""
    rows, columns = shape
    image = np.linspace(0, 0.1, rows * columns, dtype=np.float32).reshape(shape)
    top, left, bottom, right = round(box[0] * rows), round(box[1] * columns), round(box[2] * rows), round(box[3] * columns)
    image[top:bottom, left:right] = 1
    return image


@pytest.mark.parametrize(
    "shape", [(224, 224), (512, 512), (2128, 2000), (700, 1500), (1955, 1841), (301, 177), (2500, 900), (97, 140)]
)
@pytest.mark.parametrize("box", [(0.25, 0.5, 0.5, 0.75), (0.1, 0.15, 0.3, 0.35), (0.6, 0.05, 0.9, 0.3)])
def test_a_known_place_comes_back_within_half_a_pixel(shape: tuple[int, int], box: tuple[float, float, float, float]) -> None:
    image = picture(shape, box)
    mask = segmenter().segment(Radiograph(image)).mask("T7")
    truth = image > 0.5
    assert mask.shape == shape
    # The centre of mass is not blurred by the coarse grid, so it shows any shift.
    for axis in (0, 1):
        drawn, true = (np.nonzero(m)[axis].mean() for m in (mask, truth))
        assert abs(drawn - true) < max(0.5, 0.25 * max(shape) / GRID)
    # Its edges may be off by the half grid's own coarseness, never by more than one of its cells.
    cell = 2 * max(shape) / GRID
    for axis in (0, 1):
        drawn_edges, true_edges = (np.flatnonzero(m.any(axis=axis))[[0, -1]] for m in (mask, truth))
        assert np.abs(drawn_edges - true_edges).max() <= max(cell, 1.0)


@settings(max_examples=60, deadline=None)
@given(rows=st.integers(40, 900), columns=st.integers(40, 900), grid=st.sampled_from([64, 224, 256]))
def test_place_and_bring_back_are_each_others_inverse(rows: int, columns: int, grid: int) -> None:
    """A smooth ramp has the same value at a pixel's centre before and after, away from the edges: to half a pixel."""
    letterbox = Letterbox((rows, columns), grid)
    for axis in (0, 1):
        length = (rows, columns)[axis]
        ramp = np.arange(length, dtype=np.float32)
        image = np.ascontiguousarray(np.broadcast_to(ramp[:, None] if axis == 0 else ramp[None], (rows, columns)))
        back = letterbox.bring_back(letterbox.place(image))
        edge = int(np.ceil(2 * max(rows, columns) / grid)) + 1
        inner = (slice(edge, rows - edge), slice(edge, columns - edge))
        if image[inner].size:
            assert np.abs(back[inner] - image[inner]).max() < 0.5


def test_a_part_brought_back_alone_is_that_part_of_the_whole() -> None:
    letterbox = Letterbox((731, 402), GRID)
    plane = np.random.default_rng(0).random((GRID // 2, GRID // 2), dtype=np.float32)
    whole = letterbox.bring_back(plane)
    box = (slice(100, 333), slice(17, 251))
    np.testing.assert_allclose(letterbox.bring_back(plane, box), whole[box], atol=2e-3)


def test_nothing_is_drawn_outside_the_image() -> None:
    """A bone that fills the padding of a narrow image, too, is cut at the image's edge."""

    class Everywhere(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.full((1, 1, GRID // 2, GRID // 2), 5.0)

    masks = EmbeddedSegmenter(Everywhere(), ("T7",), GRID).segment(
        Radiograph(np.random.default_rng(0).random((300, 90), dtype=np.float32))
    )
    assert masks.shape == (300, 90)
    assert masks.mask("T7").all()


def test_grey_values_do_not_depend_on_scale_or_borders() -> None:
    rng = np.random.default_rng(1)
    chest = cv2.GaussianBlur(rng.random((400, 380), dtype=np.float32), (0, 0), 9)
    plain = normalise(chest)
    np.testing.assert_allclose(normalise(chest * 0.25 + 0.5), plain, atol=1e-3)
    for border in (0.0, 1.0):
        framed = np.full((520, 500), border, np.float32)
        framed[60:460, 60:440] = chest
        np.testing.assert_allclose(normalise(framed)[60:460, 60:440], plain, atol=0.05)
    flat = normalise(np.full((50, 60), 0.3, np.float32))
    assert np.isfinite(flat).all()


def test_only_plausible_pieces_stay() -> None:
    logits = np.full((80, 80), -4, np.float32)
    logits[10:30, 10:30] = 4
    logits[60:63, 60:63] = 4  # a speck far away
    logits[40:60, 10:20] = 4  # a piece of half the size
    kept = plausible(logits, Plausibility())
    assert kept is not None
    assert (kept[10:30, 10:30] > 0).all() and (kept[40:60, 10:20] > 0).all() and not (kept[60:63, 60:63] > 0).any()
    assert plausible(np.where(logits > 0, np.float32(0.1), logits), Plausibility()) is None  # hardly believed anywhere
    small = np.full((80, 80), -4, np.float32)
    small[5:8, 5:8] = 4
    assert plausible(small, Plausibility()) is None


def test_a_rib_out_of_turn_is_left_out() -> None:
    def stripe(row: int) -> np.ndarray:
        plane = np.full((112, 112), -4, np.float32)
        plane[row : row + 4, 20:60] = 4
        return plane

    rows = {6: 40, 7: 48, 8: 90, 9: 55, 10: 54, 11: 70}  # 8 lies below 11; 10 only a row above 9
    planes = {f"left rib {number}": stripe(row) for number, row in rows.items()} | {
        "right rib 8": stripe(5),
        "heart": stripe(3),
    }
    kept = in_order(planes)
    assert set(planes) - set(kept) == {"left rib 8"}
    assert in_order({}) == {}


def test_bones_and_organs_are_kept_apart() -> None:
    radiograph = Radiograph(picture((300, 260), (0.3, 0.3, 0.6, 0.6)))
    assert segmenter().segment(radiograph).names == ("T7",)
    assert set(segmenter().organs(radiograph)) == {"heart"}


def test_expected_dice_is_what_the_probabilities_say() -> None:
    sure = np.full((60, 60), -9, np.float32)
    sure[20:40, 20:40] = 9
    assert expected_dice(sure, sure) == pytest.approx(1, abs=1e-3)
    # Inside 60 %, and as many cells of 40 % outside: 2 · 0.6 n / (n + 0.6 n + 0.4 n).
    doubtful = np.where(sure > 0, np.float32(np.log(0.6 / 0.4)), sure)
    doubtful[20:40, 0:20] = np.float32(np.log(0.4 / 0.6))
    assert expected_dice(doubtful, sure) == pytest.approx(0.6, abs=1e-3)
    # A piece that was dropped counts against the mask that is left.
    pieces = sure.copy()
    pieces[45:50, 20:40] = 9
    assert expected_dice(pieces, sure) == pytest.approx(2 * 400 / (400 + 500), abs=1e-3)


def test_a_calibration_rises_between_its_points_or_is_refused() -> None:
    calibration = Calibration.of({"from": [0.5, 0.8, 0.9], "to": [0.2, 0.6, 0.85]})
    assert calibration(0.65) == pytest.approx(0.4) and calibration(0.1) == 0.2 and calibration(1.0) == 0.85
    assert Calibration.of(None)(0.73) == 0.73
    for broken in ({"from": [0.5, 0.4], "to": [0.1, 0.2]}, {"from": [0.1], "to": [0.1, 0.2]}):
        with pytest.raises(ValueError, match="rising points"):
            Calibration.of(broken)


def test_masks_say_how_sure_they_are_and_what_was_left_out() -> None:
    class Drawn(nn.Module):
        """T7 surely, T8 hardly, T9 above T7."""

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            planes = torch.full((1, 3, GRID // 2, GRID // 2), -6.0)
            for place, (row, logit) in enumerate(((40, 6.0), (60, 0.2), (10, 6.0))):
                planes[0, place, row : row + 8, 40:60] = logit
            planes[0, 0, 38:50, 38:62] = planes[0, 0, 38:50, 38:62].clamp(min=3.0)  # the largest, so that T9 goes
            return planes

    names = ("T7", "T8", "T9")
    made = EmbeddedSegmenter(Drawn(), names, GRID, calibration=Calibration((0.0, 1.0), (0.0, 0.5)), trust={"T7": "good"})
    masks = made.segment(Radiograph(np.random.default_rng(0).random((GRID, GRID), dtype=np.float32)))
    assert masks.names == ("T7",)
    assert masks.facts.left_out == {"T8": "faint", "T9": "out-of-order"}
    assert 0.4 < masks.facts.confidence["T7"] <= 0.5 and set(masks.facts.confidence) == {"T7"}
    assert masks.facts.trust["T7"] == "good" and masks.facts.trust["left clavicle"] == "check"


def tiny_bundle(folder: Path, **changes: object) -> Path:
    torch.manual_seed(0)
    kwargs = {"outputs": 2, "widths": [8, 8], "decoder": [8], "stem": 8}
    network = build_network({"family": "shuffle-unet", "kwargs": kwargs})
    manifest = {
        "id": "tiny", "kind": "segmenter", "title": "t", "site": "chest-frontal", "licence": "l", "intended_use": "u",
        "architecture": {"family": "shuffle-unet", "kwargs": kwargs}, "structures": ["T7", "heart"],
        "preprocessing": {"grid": 64}, "training": {},
    } | changes  # fmt: skip
    write_bundle(folder, manifest, as_float16(network.state_dict()), "card")
    return folder


def test_a_bundle_gives_the_network_it_describes(tmp_path: Path) -> None:
    made = EmbeddedSegmenter.from_bundle(open_bundle(tiny_bundle(tmp_path / "tiny"), "segmenter"))
    logits = made.logits(np.random.default_rng(0).random((90, 70), dtype=np.float32))
    assert logits.shape == (2, 32, 32) and np.isfinite(logits).all()
    assert made.name == "tiny"
    # A bundle from before there was a table of trust is read with the present one.
    blank = Radiograph(np.random.default_rng(0).random((90, 70), dtype=np.float32))
    assert made.segment(blank).facts.trust == trust_levels()
    told = tiny_bundle(tmp_path / "told", trust={"Spine": "good"}, confidence={"from": [0, 1], "to": [0, 0.7]})
    assert EmbeddedSegmenter.from_bundle(open_bundle(told, "segmenter")).segment(blank).facts.trust["T7"] == "good"


@pytest.mark.parametrize(
    "changes",
    [
        {"architecture": {"family": "other"}},
        {"architecture": {"family": "shuffle-unet", "kwargs": {"outputs": 3, "widths": [8, 8], "decoder": [8], "stem": 8}}},
        {"architecture": {"family": "shuffle-unet", "kwargs": {"outcomes": 3}}},
        {"preprocessing": {}},
        {"trust": ["T7"]},
        {"confidence": {"from": [1, 0], "to": [0, 1]}},
    ],
)
def test_a_bundle_that_does_not_fit_is_one_sentence(tmp_path: Path, changes: dict[str, object]) -> None:
    bundle = open_bundle(tiny_bundle(tmp_path / "tiny", **changes))
    with pytest.raises(OsteoScreenError, match="segmenter bundle"):
        EmbeddedSegmenter.from_bundle(bundle)


@pytest.fixture(scope="module")
def embedded() -> EmbeddedSegmenter:
    if not resource_folder("Models", "chest-segmenter", "manifest.json").is_file():
        pytest.skip("the embedded segmenter bundle is not in this checkout")
    return EmbeddedSegmenter.from_bundle(embedded_bundle("chest-segmenter", "segmenter"))


def test_the_embedded_bundle_is_small_and_draws_on_a_large_image_quickly(embedded: EmbeddedSegmenter) -> None:
    assert resource_folder("Models", "chest-segmenter", "weights.safetensors").stat().st_size < 4_500_000
    pixels = cv2.resize(
        np.random.default_rng(0).random((64, 64), dtype=np.float32), (2048, 2048), interpolation=cv2.INTER_CUBIC
    )
    radiograph = Radiograph(np.clip(pixels, 0, 1))
    embedded.segment(radiograph)
    times = []
    for _ in range(3):
        started = time.process_time()
        embedded.segment(radiograph)
        times.append(time.process_time() - started)
    assert min(times) < 2.0  # well under half a second on a quiet machine


def draws_right(masks: Callable[[str], np.ndarray], shape: tuple[int, int]) -> None:
    """What holds on any upright frontal chest, whoever it is."""
    rows = shape[0]

    def centre(name: str) -> tuple[float, float]:
        row, column = np.nonzero(masks(name))
        return float(row.mean()), float(column.mean())

    assert centre("right clavicle")[1] < centre("left clavicle")[1]
    assert centre("right rib 6")[1] < centre("T7")[1] < centre("left rib 6")[1]
    assert centre("T4")[0] < centre("T7")[0] < centre("T10")[0]
    assert centre("right clavicle")[0] < rows / 2
    for side in ("right", "left"):
        heights = [centre(f"{side} rib {i}")[0] for i in range(1, 13) if masks(f"{side} rib {i}").any()]
        assert len(heights) >= 9
        assert all(low > high - rows * 3.5 / 112 for high, low in pairwise(heights))
        assert heights[-1] - heights[0] > rows / 3


def test_on_a_real_chest_the_bones_lie_in_anatomical_order(embedded: EmbeddedSegmenter, shared_data: Path) -> None:
    pytest.importorskip("OsteoScreenLib.radiograph.read")
    from OsteoScreenLib.radiograph.read import read_radiograph

    for name in ("chest_nih_00027426.png", "chest_pa_cr_8bit_jpeg.dcm"):
        radiograph = read_radiograph(shared_data / "radiographs" / name)
        masks = embedded.segment(radiograph)
        draws_right(masks.mask, radiograph.shape)
        assert len(masks.names) >= 35


def test_the_network_keeps_its_shape_and_is_small() -> None:
    network = ShuffleUNet(49)
    assert network(torch.zeros(1, 1, 64, 96)).shape == (1, 49, 32, 48)
    assert sum(parameter.numel() for parameter in network.parameters()) < 2_000_000
