"""Leaving patches out: which ones, and that the network answers as if they had never been there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import GREY, TINY_VIT, TINY_VIT_OPTIONS, make_classifier, make_network, make_radiograph

from OsteoScreenLib.classifier.classifier import BATCH_BOUND
from OsteoScreenLib.classifier.preprocess import InputGeometry
from OsteoScreenLib.classifier.tokens import PatchGrid, leaving_out, patch_grid
from OsteoScreenLib.errors import InputError

SMALL: dict[str, Any] = {"patch_size": 8, "embed_dim": 32, "depth": 2, "num_heads": 2}
FAMILIES = {
    "class token": (TINY_VIT, TINY_VIT_OPTIONS),
    "norm before the blocks": ("vit_base_patch16_clip_224", SMALL),
    "layer scale and registers": ("vit_small_patch14_reg4_dinov2", {**SMALL, "init_values": 1.0}),
    "rotary": ("eva02_tiny_patch14_224", SMALL),
    "rotary with registers": ("vit_small_patch16_dinov3", SMALL),
}
POOLED = {"map": ("vit_base_patch16_siglip_224", SMALL), "average": (TINY_VIT, {**TINY_VIT_OPTIONS, "global_pool": "avg"})}
SHAPE = (240, 200)


def some_dropped(shape: tuple[int, int], share: float = 0.4) -> np.ndarray:
    return np.random.default_rng(4).random(shape) < share


def masked(network: Any, inputs: torch.Tensor, dropped: np.ndarray) -> torch.Tensor:
    """The same by other means: all tokens stay, and nobody may attend to the dropped ones."""
    prefix = network.num_prefix_tokens
    seen = torch.from_numpy(np.concatenate([np.ones(prefix, bool), ~dropped.ravel()]))
    with torch.inference_mode():
        tokens = network.forward_features(inputs, attn_mask=seen.expand(1, 1, len(seen), len(seen)))
        return torch.as_tensor(network.forward_head(tokens[:, seen]))


@pytest.mark.parametrize("family", [*FAMILIES, *POOLED])
def test_a_patch_that_is_left_out_is_attended_to_by_nobody(family: str) -> None:
    name, options = (FAMILIES | POOLED)[family]
    network: Any = make_network(name, options)
    inputs = torch.rand(1, 1, 56, 56, generator=torch.Generator().manual_seed(1))
    grid = patch_grid(network, GREY, "net")
    assert grid.shape == (7, 7)
    dropped = some_dropped(grid.shape)
    with torch.inference_mode():
        before = network(inputs)
        with leaving_out(network, dropped):
            without = network(inputs)
        torch.testing.assert_close(network(inputs), before, rtol=0, atol=0, msg="the network must be as it was")
    torch.testing.assert_close(without, masked(network, inputs, dropped), rtol=1e-4, atol=1e-4)
    assert (without - before).abs().max() > 1e-2, "a network blind to its patches tests nothing"


@pytest.mark.parametrize("family", FAMILIES)
def test_what_lies_in_a_left_out_patch_plays_no_part(family: str) -> None:
    network: Any = make_network(*FAMILIES[family])
    dropped = some_dropped((7, 7))
    inputs = torch.rand(1, 1, 56, 56, generator=torch.Generator().manual_seed(1))
    other = torch.where(torch.from_numpy(np.kron(dropped, np.ones((8, 8), bool))), torch.tensor(0.9), inputs)
    with torch.inference_mode(), leaving_out(network, dropped):
        torch.testing.assert_close(network(inputs), network(other), rtol=0, atol=0)


@pytest.mark.parametrize("fit", ["letterbox", "squash", "crop"])
def test_coverage_is_the_share_of_the_patchs_area(fit: Any) -> None:
    """Against an image of the region at sixteen times the input's size, counted."""
    spec = replace(GREY, fit=fit)
    grid = PatchGrid((7, 7), spec)
    row, column = np.mgrid[: SHAPE[0], : SHAPE[1]]
    region = np.hypot(row - 100, column - 80) < 60
    fine = 16
    geometry = InputGeometry.of(spec, SHAPE)
    at = (np.arange(56 * fine) + 0.5) / fine
    rows = np.floor((at - geometry.top) * SHAPE[0] / geometry.resized[0]).astype(int)
    columns = np.floor((at - geometry.left) * SHAPE[1] / geometry.resized[1]).astype(int)
    held = ((rows >= 0) & (rows < SHAPE[0]))[:, None] & ((columns >= 0) & (columns < SHAPE[1]))[None, :]
    picture = region[np.ix_(rows.clip(0, SHAPE[0] - 1), columns.clip(0, SHAPE[1] - 1))] & held
    counted = picture.reshape(7, 8 * fine, 7, 8 * fine).mean((1, 3))
    np.testing.assert_allclose(grid.coverage(region), counted, atol=0.02)
    np.testing.assert_array_equal(grid.dropped(region), counted > 0.5)
    assert 0 < grid.dropped(region).sum() < 49
    most = grid.dropped(region, 3)
    assert most.sum() == 3 and counted[most].min() >= counted[~most].max() - 0.02
    # The patches drawn on the radiograph hold what lay in them: nearly all of their area, but for a letterbox's bars.
    drawn = grid.coverage(grid.on_radiograph(grid.dropped(region), SHAPE))
    assert drawn[grid.dropped(region)].min() > 0.8 and drawn[~grid.dropped(region)].max() < 0.2


def test_exactly_half_covered_is_not_mostly_covered() -> None:
    grid = PatchGrid((7, 7), GREY)
    region = np.zeros((56, 56), bool)
    region[:4, :8] = True
    assert grid.coverage(region)[0, 0] == pytest.approx(0.5) and not grid.dropped(region).any()
    region[4, 0] = True
    assert grid.dropped(region).sum() == 1
    assert not grid.coverage(np.zeros((56, 56), bool)).any()


def test_a_classifier_answers_each_choice_as_if_alone(tmp_path: Path) -> None:
    classifier = make_classifier(tmp_path / "net")
    pixels = make_radiograph().pixels
    none = np.zeros(classifier.patches.shape, bool)
    choices = [none, some_dropped((7, 7)), some_dropped((7, 7), 0.8), ~none & ~np.eye(7, dtype=bool)]
    together = list(classifier.predict_without(pixels, choices))
    for choice, answer in zip(choices, together, strict=True):
        np.testing.assert_array_equal(next(classifier.predict_without(pixels, [choice])), answer)
    np.testing.assert_allclose(together[0], classifier.predict(pixels[None])[0], atol=BATCH_BOUND)
    assert len({tuple(answer) for answer in together}) == 4
    logits = masked(classifier.network, classifier.preprocess(pixels[None]), choices[1])
    np.testing.assert_allclose(together[1], torch.softmax(logits.double(), 1)[0].numpy(), atol=BATCH_BOUND)
    # In the middle of the stream the network is whole: another question may come in between.
    stream = classifier.predict_without(pixels, choices[1:])
    next(stream)
    np.testing.assert_allclose(classifier.predict(pixels[None])[0], together[0], atol=BATCH_BOUND)


def test_networks_without_patches_and_images_without_any_left_are_refused(tmp_path: Path) -> None:
    for number, (name, options) in enumerate(
        [("resnet10t", {}), ("vit_tiny_r_s16_p8_224", {}), ("swin_tiny_patch4_window7_224", {"window_size": 7})]
    ):
        spec = replace(GREY, rows=224, columns=224) if number else GREY
        network = make_network(name, options, spec)
        with pytest.raises(InputError, match="choose another fill than tokens") as refused:
            patch_grid(network, spec, "net")
        assert refused.value.code == "tokens" and "\n" not in str(refused.value)
    classifier = make_classifier(tmp_path / "net")
    with pytest.raises(InputError, match="nothing left to show"):
        next(classifier.predict_without(make_radiograph().pixels, [np.ones((7, 7), bool)]))
    with pytest.raises(ValueError, match="must be"):
        next(classifier.predict_without(make_radiograph().pixels, [np.ones((3, 3), bool)]))
