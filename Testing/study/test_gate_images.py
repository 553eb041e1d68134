"""The gate's training images: shapes, ranges, seeds, and which way anatomy lies in them."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from OsteoScreenLib.simulate.meshes import tapered_tube
from OsteoScreenLib.simulate.texture import spectral_noise
from OsteoScreenLib.study.bone_views import REGIONS, bone_view
from OsteoScreenLib.study.disturb import Framing, disturb, opacities, reframe, tone
from OsteoScreenLib.study.drawn_chest import drawn_chest
from OsteoScreenLib.study.gate_images import Bank, cached
from OsteoScreenLib.study.other_views import Body, ct_slice, project
from OsteoScreenLib.study.unlike import PROGRAM_MADE, program_made


@pytest.mark.parametrize("kind", PROGRAM_MADE)
def test_program_made_images_are_seeded_and_in_range(kind):
    make = PROGRAM_MADE[kind][0]
    first, again, other = (make(np.random.default_rng(seed), 64) for seed in (5, 5, 6))
    assert first.shape == (64, 64) and first.dtype == np.float32
    assert first.min() >= 0 and first.max() <= 1
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_every_program_made_kind_appears():
    rng = np.random.default_rng(0)
    assert {program_made(rng, 32)[0] for _ in range(150)} == set(PROGRAM_MADE)


def test_steeper_spectra_are_smoother():
    rough, smooth = (spectral_noise(np.random.default_rng(1), (64, 64), exponent) for exponent in (0.0, 2.0))
    assert np.abs(np.diff(smooth, axis=0)).mean() < 0.3 * np.abs(np.diff(rough, axis=0)).mean()


def test_drawn_chest_has_dark_lungs_beside_a_bright_spine_and_the_heart_on_the_viewers_right():
    rng = np.random.default_rng(2)
    mean = np.mean([drawn_chest(rng, 96) for _ in range(60)], axis=0)
    middle = mean[40:50]
    assert middle[:, 46:50].mean() > middle[:, 26:34].mean() + 0.1
    assert middle[:, 46:50].mean() > middle[:, 64:70].mean() + 0.1
    low = mean[52:62]
    assert low[:, 52:60].mean() > low[:, 36:44].mean()


def ball_body() -> Body:
    """A small dense ball up, to the front and to the patient's left of the middle."""
    z, y, x = np.mgrid[:40, :40, :40]
    inside = (z - 30) ** 2 + (y - 8) ** 2 + (x - 28) ** 2 < 9
    return Body("ball", inside.astype(np.float32), 2.5)


def centre_of(image: np.ndarray) -> tuple[float, float]:
    rows, columns = np.indices(image.shape)
    return float((rows * image).sum() / image.sum()), float((columns * image).sum() / image.sum())


def test_frontal_projection_shows_the_head_up_and_the_patients_left_on_the_viewers_right():
    row, column = centre_of(project(ball_body(), 0, size=40, steps=40, divergence=0))
    assert row == pytest.approx(39 - 30, abs=0.6) and column == pytest.approx(28, abs=0.6)


def test_side_projection_turns_depth_into_columns():
    row, column = centre_of(project(ball_body(), 90, size=40, steps=40, divergence=0))
    assert row == pytest.approx(39 - 30, abs=0.6)
    assert min(abs(column - 8), abs(column - 31)) < 0.6


def test_path_length_is_kept_whatever_the_turn():
    sums = [project(ball_body(), yaw, size=40, steps=40, divergence=0).sum() for yaw in (0, 30, 90)]
    assert np.allclose(sums, sums[0], rtol=0.05)


def test_slices_come_in_range():
    rng = np.random.default_rng(0)
    body = Body("noise", rng.random((20, 24, 28), dtype=np.float32) * 2, 2.5)
    for _ in range(8):
        plane = ct_slice(body, rng, 48)
        assert max(plane.shape) == 48 and plane.min() >= 0 and plane.max() <= 1


def test_bone_view_shows_a_bone_brighter_than_the_tissue_around_it():
    skeleton = {f"{side} femur": tapered_tube([x, 20, 850], [x, 20, 450], 15, 15) for side, x in (("right", -90), ("left", 90))}
    rng = np.random.default_rng(4)
    view = bone_view(skeleton, "femur", rng, 72)
    assert max(view.shape) == 72 and view.min() >= 0 and view.max() <= 1
    profile = view[view.shape[0] // 2]
    brightest = int(profile.argmax())
    assert profile[brightest] > profile[0] and profile[brightest] > profile[-1]


def test_every_region_is_frontally_centred_within_the_skeletons_reach():
    assert all(0 < region.centre[2] < 1700 and region.field[0] < region.field[1] for region in REGIONS.values())


def test_disturbed_images_keep_their_longest_side_and_range():
    rng = np.random.default_rng(7)
    image = drawn_chest(rng, 72)
    for _ in range(20):
        out = disturb(image, rng, Framing(), 64)
        assert max(out.shape) == 64 and out.dtype == np.float32
        assert out.min() >= 0 and out.max() <= 1


def test_framing_that_allows_nothing_changes_nothing():
    image = np.random.default_rng(0).random((32, 32), dtype=np.float32)
    still = Framing(zoom=(1, 1), shift=0, degrees=0, stretch=0, aspect=(1, 1), bend=0)
    assert np.allclose(reframe(image, np.random.default_rng(1), still, 32), image, atol=1e-5)


def test_tone_never_turns_grey_values_around():
    ramp = np.linspace(0, 1, 64, dtype=np.float32)[None].repeat(2, axis=0)
    rng = np.random.default_rng(3)
    for _ in range(30):
        assert (np.diff(tone(ramp, rng)[0]) >= -1e-6).all()


def test_opacities_only_brighten_towards_the_upper_greys():
    rng = np.random.default_rng(3)
    image = drawn_chest(rng, 64)
    dark = image < np.percentile(image, 50)
    for _ in range(10):
        assert (opacities(image, rng)[dark] >= image[dark] - 1e-6).all()


def test_bank_is_read_back_as_it_was_made(tmp_path):
    images = tuple(np.random.default_rng(i).integers(0, 256, (5 + i, 7), dtype=np.uint8) for i in range(3))
    bank = Bank(images, ("chest drawn", "page", "bone hip"))
    made = cached(tmp_path / "bank.npz", lambda: bank)
    read = cached(tmp_path / "bank.npz", lambda: pytest.fail("made again"))
    assert made is bank and read.kinds == bank.kinds
    assert all(np.array_equal(a, b) for a, b in zip(read.images, images, strict=True))


def test_families_are_drawn_by_their_shares():
    bank = Bank((np.zeros((2, 2), np.uint8),) * 5, ("bone hip", "bone hip", "bone knee", "slice", "page"))
    weights = bank.weights()
    assert weights.sum() == pytest.approx(1)
    assert weights[0] + weights[1] == pytest.approx(weights[2])
    assert weights[:3].sum() / weights[3] == pytest.approx(0.4 / 0.1)
