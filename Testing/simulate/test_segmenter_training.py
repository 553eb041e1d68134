"""Training the segmenter: pictures and targets stay together, runs repeat and resume exactly, something is learned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from OsteoScreenLib.bones.embedded import EmbeddedSegmenter
from OsteoScreenLib.bones.networks import build_network
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.radiograph.radiograph import Radiograph
from OsteoScreenLib.simulate.projection import Geometry
from OsteoScreenLib.simulate.thorax import GROUPS, PATH_NAMES, STRUCTURES, View
from OsteoScreenLib.study.segmenter_card import segmenter_card
from OsteoScreenLib.study.segmenter_figures import keep_scores, kept_scores, scores_on
from OsteoScreenLib.study.segmenter_images import MIRRORED, ViewStore, plain_example, training_example
from OsteoScreenLib.study.segmenter_network_training import Schedule, lengths_of, loss_of, train
from OsteoScreenLib.study.train_segmenter import SegmenterOptions, train_segmenter
from OsteoScreenLib.study.views import save_view, view_path

SIDE = 96
SHORT = Schedule(steps=6, batch=2, grid=64, save_every=3)


def drawn_view(index: int) -> View:
    """Two lungs and one thick spine in a block of soft tissue; every other bone is absent."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    paths = {name: np.zeros((SIDE, SIDE), np.float32) for name in PATH_NAMES}
    paths["body"][:] = 150
    masks = np.zeros((len(STRUCTURES), SIDE, SIDE), bool)
    lungs = [np.hypot((rows - 48) / 1.5, columns - centre) < 16 for centre in (26 + index, 70 + index)]
    masks[STRUCTURES.index("right lung")], masks[STRUCTURES.index("left lung")] = lungs
    paths["lungs"][lungs[0] | lungs[1]] = 100
    spine = (np.abs(columns - 48 - index) < 6) & (rows > 10) & (rows < 90)
    masks[STRUCTURES.index("T7")] = spine
    paths[GROUPS[0]][spine], paths[f"{GROUPS[0]} core"][spine] = 60, 30
    return View(paths, masks, Geometry(rows=SIDE, columns=SIDE), "drawn")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "views").mkdir()
    for index in range(4):
        save_view(view_path(tmp_path / "views", 0, index), drawn_view(index))
    torch.set_num_threads(1)
    return tmp_path


def store_of(work: Path) -> ViewStore:
    return ViewStore(sorted((work / "views").glob("*.npz")))


def test_picture_and_targets_stay_together_however_the_image_is_bent(work: Path) -> None:
    store = store_of(work)
    seen = 0
    for number in range(30):
        image, targets = training_example(store, np.random.default_rng(number), 64)
        assert image.shape == (64, 64) and image.dtype == np.float32 and np.isfinite(image).all()
        assert targets.shape == (len(STRUCTURES), 32, 32) and targets.dtype == np.uint8
        half = image.reshape(32, 2, 32, 2).mean(axis=(1, 3))
        lung, spine = (targets[STRUCTURES.index(name)] > 250 for name in ("right lung", "T7"))
        if lung.sum() > 30 and spine.sum() > 30:
            seen += np.median(half[spine]) > np.median(half[lung])
    assert seen >= 20  # tone and opacities may hide it now and then, a shift would hide it nearly always


def test_the_same_seed_draws_the_same_picture(work: Path) -> None:
    store = store_of(work)
    first, again = (training_example(store, np.random.default_rng([5, 6]), 64) for _ in range(2))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    other = training_example(store, np.random.default_rng([5, 7]), 64)
    assert not np.array_equal(first[0], other[0])
    np.testing.assert_array_equal(plain_example(store, 1, 64)[1], plain_example(store, 1, 64)[1])


def test_plain_targets_are_the_masks(work: Path) -> None:
    store = store_of(work)
    _, targets = plain_example(store, 0, SIDE)
    truth = drawn_view(0).masks[STRUCTURES.index("T7")].reshape(SIDE // 2, 2, SIDE // 2, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(targets[STRUCTURES.index("T7")] / 255, truth, atol=0.01)


def small_network(width: int = 8) -> torch.nn.Module:
    torch.manual_seed(3)
    kwargs = {"outputs": len(STRUCTURES), "widths": [width, width], "decoder": [width], "stem": width}
    return build_network({"family": "shuffle-unet", "kwargs": kwargs})


def test_an_interrupted_run_ends_as_an_uninterrupted_one(work: Path) -> None:
    store = store_of(work)
    whole = train(small_network(), store, SHORT, 1, work / "whole.safetensors")

    class Interrupted(Exception):
        pass

    def stop(step: int, steps: int, loss: float) -> None:
        if step == 5:
            raise Interrupted

    with pytest.raises(Interrupted):
        train(small_network(), store, SHORT, 1, work / "parts.safetensors", stop)
    resumed = train(small_network(), store, SHORT, 1, work / "parts.safetensors")
    for key, value in whole.items():
        torch.testing.assert_close(resumed[key], value, rtol=1e-5, atol=1e-6)


def test_a_finished_run_is_prolonged_and_says_so(work: Path) -> None:
    store, checkpoint = store_of(work), work / "run.safetensors"
    network = build_network({"family": "shuffle-unet", "kwargs": {"outputs": len(STRUCTURES)}})
    steps: list[int] = []
    for schedule in (SHORT, SHORT, replace(SHORT, steps=SHORT.steps + 2)):
        train(network, store, schedule, 0, checkpoint, lambda step, _steps, _loss: steps.append(step))
    assert steps == [*range(1, SHORT.steps + 3)]
    assert lengths_of(checkpoint) == [SHORT.steps, SHORT.steps + 2]


def test_training_learns_where_the_spine_is(work: Path) -> None:
    store = store_of(work)
    network = small_network(24)
    losses: list[float] = []
    schedule = Schedule(steps=120, batch=4, grid=64, rate=1e-2, average=0.9)
    network.load_state_dict(
        train(network, store, schedule, 0, work / "run.safetensors", lambda step, steps, loss: losses.append(loss))
    )
    assert losses[-1] < 0.8 * losses[0]  # a running mean, so it lags
    network.eval()
    image, targets = plain_example(store, 0, 64)
    with torch.inference_mode():
        probability = torch.sigmoid(network(torch.from_numpy(image)[None, None]))[0].numpy()
    spine, lung = STRUCTURES.index("T7"), targets[STRUCTURES.index("right lung")] > 127
    assert probability[spine][targets[spine] > 127].mean() > 3 * probability[spine][lung].mean()


def test_half_precision_trains_to_about_the_same_weights(work: Path) -> None:
    """bf16 has 8 bits of mantissa, so the two drift apart step by step; both learn, and the weights stay in single precision."""
    store, found = store_of(work), {}
    for precision in ("fp32", "bf16"):
        torch.manual_seed(0)
        network = build_network({"family": "shuffle-unet", "kwargs": {"outputs": len(STRUCTURES)}})
        losses: list[float] = []
        schedule = replace(SHORT, device="cpu", precision=precision)
        checkpoint = work / f"{precision}.safetensors"
        weights = train(network, store, schedule, 0, checkpoint, lambda _step, _steps, loss, kept=losses: kept.append(loss))
        found[precision] = (losses, weights)
    assert found["bf16"][0] != found["fp32"][0]
    assert found["bf16"][0] == pytest.approx(found["fp32"][0], rel=0.05)
    assert all(tensor.dtype != torch.bfloat16 for tensor in found["bf16"][1].values())


def test_the_loss_is_small_only_for_the_truth() -> None:
    targets = torch.zeros(1, 2, 16, 16)
    targets[:, :, 4:12, 4:12] = 1
    right, wrong = (loss_of((targets * 2 - 1) * sign * 8, targets).item() for sign in (1, -1))
    assert right < 0.05 < 1 < wrong


def test_one_call_makes_a_bundle_with_its_figures_and_attribution(work: Path) -> None:
    options = SegmenterOptions(
        work / "no-ct", work / "no-skeleton.zip", work, views=3, held_out=1, view_size=SIDE, schedule=SHORT
    )
    stages: list[str] = []
    bundle = train_segmenter(options, lambda stage, done, total, loss: stages.append(stage))
    assert bundle.kind == "segmenter" and bundle.id == "chest-segmenter"
    assert bundle.manifest["training"]["simulated"] is True
    assert set(bundle.manifest["training"]["held_out_dice"]) == {"T7", "right lung", "left lung"}
    for phrase in ("Research use only", "simulated", "LIDC-IDRI", "BodyParts3D", "Armato"):
        assert phrase in bundle.card
    assert "train" in stages
    masks = EmbeddedSegmenter.from_bundle(bundle).segment(
        Radiograph(np.random.default_rng(0).random((120, 90), dtype=np.float32))
    )
    assert masks.shape == (120, 90)


def test_missing_data_is_one_sentence(work: Path) -> None:
    options = SegmenterOptions(
        work, work / "bones.zip", work, views=9, held_out=1, view_size=SIDE, schedule=replace(SHORT, steps=1)
    )
    with pytest.raises(InputError, match="--skeleton"):
        train_segmenter(options)


class _Draws(torch.nn.Module):
    """Draws fixed masks (structures, rows, columns), whatever it is shown."""

    def __init__(self, masks: np.ndarray) -> None:
        super().__init__()
        self.logits = torch.from_numpy(np.where(masks, 5.0, -5.0).astype(np.float32))[None]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.logits


def test_figures_count_exchanged_sides_and_dice_by_group(work: Path) -> None:
    store = ViewStore([view_path(work / "views", 0, 0)])
    _, targets = plain_example(store, 0, 64)
    truth = targets > 127
    right = scores_on(_Draws(truth), store, 64)
    # Nothing is wrong with the truth: Dice 1 wherever there is something, and no side exchanged.
    assert right.swapped == 0 and right.sided == 2
    assert set(right.by_structure().values()) == {1.0}
    assert right.by_group()["right lung"].value == 1.0 and "Clavicles" not in right.by_group()
    exchanged = scores_on(_Draws(truth[list(MIRRORED)]), store, 64)
    assert exchanged.swapped == exchanged.sided == 2
    assert exchanged.by_structure()["right lung"] == 0.0 and exchanged.by_structure()["T7"] == 1.0


def test_a_run_without_a_source_keeps_its_figures_for_the_card(work: Path, tmp_path: Path) -> None:
    store = ViewStore([view_path(work / "views", 0, index) for index in (0, 1)])
    scores = scores_on(_Draws(plain_example(store, 0, 64)[1] > 127), store, 64)
    keep_scores(tmp_path, "skeleton", 7, 5, scores)
    (kept,) = kept_scores(tmp_path)
    assert (kept.source, kept.steps, kept.training_views, kept.views) == ("skeleton", 7, 5, 2)
    assert kept.groups == scores.by_group()
    card = segmenter_card(SHORT, 0, 3, scores, [6], (kept,))
    assert "without skeleton" in card and "masks with left and right exchanged | 0 of 4" in card
    prolonged = segmenter_card(SHORT, 0, 3, scores, [6, 9])
    assert "Not measured" in prolonged and "--steps 6 --seed 0 && " in prolonged and "--steps 9 --seed 0`" in prolonged
