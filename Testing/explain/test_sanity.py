"""Weight randomisation: maps that come from what was learnt are told from those that ignore the weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import GREY, make_classifier, make_network
from explain.looking import PATCH
from explain.maps import make_map
from explain.planted import planted_transformer
from scipy.stats import spearmanr
from scipy.stats import t as student
from torch import nn

from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.classifier.preprocess import PreprocessSpec
from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.explain import sanity
from OsteoScreenLib.explain.map_similarity import MeanInterval, Similarity, compare_maps, mean_interval, spearman
from OsteoScreenLib.explain.saliency_map import saliency_map
from OsteoScreenLib.explain.sanity import ALIKE, Cascade, sensitivity_of, weight_cascade
from OsteoScreenLib.explain.weight_layers import draw_anew, weight_layers

SPEC = PreprocessSpec(rows=64, columns=96, channels=1, fit="squash", mean=(0.0,), std=(1.0,), interpolation="bilinear")
PLACE = (2, 9)


def brightness(seed: int = 0) -> np.ndarray:
    """Every patch bright, the planted one not the brightest."""
    cells = np.random.default_rng(seed).uniform(0.6, 1.0, (SPEC.rows // PATCH, SPEC.columns // PATCH))
    cells[PLACE] = 0.7
    return np.kron(cells, np.ones((PATCH, PATCH))).astype(np.float32)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    network, options = planted_transformer("class token", SPEC, PLACE, PATCH)
    return make_classifier(tmp_path_factory.mktemp("planted") / "net", "vit_tiny_patch16_224", options, SPEC, network)


@pytest.mark.parametrize(
    ("name", "options", "top", "bottom"),
    [
        ("resnet10t", {"channels": [8, 16, 16, 32], "stem_width": 8}, "fc", "conv1.0"),
        ("vit_tiny_patch16_224", {"patch_size": 8, "embed_dim": 32, "depth": 3, "num_heads": 2, "reg_tokens": 4}, "head", "patch_embed"),
        ("vit_tiny_patch16_224", {"patch_size": 8, "embed_dim": 32, "depth": 2, "num_heads": 2, "class_token": False,
                                  "global_pool": "map"}, "head", "patch_embed"),
        ("convnext_atto", {"dims": [8, 8, 16, 16], "depths": [1, 1, 2, 1]}, "head", "stem.0"),
    ],
)  # fmt: skip
def test_layers_hold_every_weight_once_from_the_answer_down(name: str, options: dict[str, Any], top: str, bottom: str) -> None:
    network = make_network(name, options, GREY)
    layers = weight_layers(network, torch.zeros(1, 1, 56, 56))
    held = [key for layer in layers for key in layer.parameters]
    assert sorted(held) == sorted(key for key, _ in network.named_parameters())
    assert (layers[0].name, layers[-1].name) == (top, bottom)
    assert all(max(network.get_parameter(key).ndim for key in layer.parameters) > 1 for layer in layers), "no norm alone"
    blocks = [int(layer.name.split(".")[1]) for layer in layers if layer.name.startswith(("blocks.", "stages."))]
    assert blocks == sorted(blocks, reverse=True)
    if hasattr(network, "pos_embed"):
        assert "pos_embed" in layers[-1].parameters


def test_drawing_anew_keeps_the_scale_and_touches_one_layer() -> None:
    network = make_network()
    layers = weight_layers(network, torch.zeros(1, 1, 56, 56))
    before = {key: weights.clone() for key, weights in network.named_parameters()}
    draw_anew(network, layers[1], torch.Generator().manual_seed(3))
    for key, weights in network.named_parameters():
        if key in layers[1].parameters and before[key].numel() > 500:
            assert not torch.equal(weights, before[key])
            assert abs(weights.std() / before[key].std() - 1) < 0.15 and abs(weights.mean() - before[key].mean()) < 0.05
            assert abs(np.corrcoef(weights.detach().flatten(), before[key].detach().flatten())[0, 1]) < 0.15
        elif key not in layers[1].parameters:
            assert torch.equal(weights, before[key])


def test_a_map_of_what_was_learnt_is_sensitive_and_the_network_stays_as_it_was(classifier: Classifier) -> None:
    before = {key: tensor.clone() for key, tensor in classifier.network.state_dict().items()}
    told: list[float] = []
    state = torch.random.get_rng_state()
    cascades = weight_cascade(
        classifier, brightness(), methods=("grad-cam", "gradient-attention"), draws=6, seed=4, progress=told.append
    )
    assert torch.equal(torch.random.get_rng_state(), state), "the caller's random numbers are his"
    after = classifier.network.state_dict()
    assert list(after) == list(before) and all(torch.equal(after[key], before[key]) for key in before)
    assert told == sorted(told) and told[-1] == 1 and len(told) == 6 * 4 * 2
    for cascade in cascades:
        assert cascade.stages == ("head", "blocks.1", "blocks.0", "patch_embed")
        assert all(len(by_draw) == 6 for by_draw in cascade.similarities)
        found = cascade.without_learning
        assert found is not None and found.of == 6 and cascade.sensitivity == "sensitive", cascade.sentence
        assert cascade.mean_spearman(3) == pytest.approx(found.mean) and f"{found.mean:.2f}" in cascade.sentence


def test_the_same_seed_gives_the_same_numbers_and_the_last_stage_alone_is_the_cascade_s(classifier: Classifier) -> None:
    def cascade(seed: int, every_layer: bool = True) -> Cascade:
        return weight_cascade(classifier, brightness(), draws=2, seed=seed, every_layer=every_layer)[0]

    whole = cascade(1)
    assert cascade(1) == whole and cascade(2) != whole
    assert cascade(1, every_layer=False).similarities == whole.similarities[-1:]
    more = weight_cascade(classifier, brightness(), draws=3, seed=1)[0]
    assert [by_draw[:2] for by_draw in more.similarities] == list(whole.similarities), "a draw does not depend on the others"


class Unlearnt(nn.Module):
    """Features without weights, the image's own greys in coarse cells; only the head has been learnt."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(8)
        self.head = nn.Linear(2, 3)

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        cells = self.pool(x)
        return self.pool(torch.cat([cells, cells**2], 1).repeat_interleave(8, 2).repeat_interleave(8, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.forward_features(x).mean((2, 3)))


def test_a_map_that_ignores_the_weights_is_caught(classifier: Classifier) -> None:
    blind = Classifier(classifier.model, Unlearnt().eval().requires_grad_(False), classifier.device)
    (cascade,) = weight_cascade(blind, brightness(), methods=("eigencam",), draws=5)
    found = cascade.without_learning
    assert found is not None and found.low > 0.99 and cascade.sensitivity == "insensitive"
    assert cascade.mean_ssim(0) == pytest.approx(1, abs=1e-6)
    assert "says nothing about the model" in cascade.sentence


def test_a_fault_on_the_way_leaves_the_network_alone(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {key: tensor.clone() for key, tensor in classifier.network.state_dict().items()}
    calls: list[int] = []

    def fail(*args: Any) -> Any:
        calls.append(1)
        if len(calls) > 3:
            raise KeyboardInterrupt
        return saliency_map(*args)

    monkeypatch.setattr(sanity, "saliency_map", fail)
    with pytest.raises(KeyboardInterrupt):
        weight_cascade(classifier, brightness())
    assert all(torch.equal(tensor, before[key]) for key, tensor in classifier.network.state_dict().items())


def test_random_networks_without_finite_answers_count_as_unlike(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    def burst(random: Classifier, *args: Any) -> Any:
        if random is not classifier:
            raise OsteoScreenError("no finite probability")
        return saliency_map(random, *args)

    monkeypatch.setattr(sanity, "saliency_map", burst)
    (cascade,) = weight_cascade(classifier, brightness(), draws=2)
    assert cascade.similarities[-1] == (Similarity(0.0, 0.0),) * 2


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (None, "cannot tell"),
        (MeanInterval(0.3, 0.1, ALIKE - 1e-6, 5), "sensitive"),
        (MeanInterval(0.3, 0.1, ALIKE, 5), "cannot tell"),
        (MeanInterval(0.7, ALIKE, 0.9, 5), "cannot tell"),
        (MeanInterval(0.7, ALIKE + 1e-6, 0.9, 5), "insensitive"),
        (MeanInterval(-0.9, -0.95, -0.8, 5), "sensitive"),
    ],
)
def test_the_verdict_goes_by_the_whole_interval(found: MeanInterval | None, kind: str) -> None:
    assert sensitivity_of(found) == kind


def test_rank_correlation_and_interval_are_the_textbook_s() -> None:
    rng = np.random.default_rng(0)
    one = np.maximum(rng.normal(size=60), 0).astype(np.float32)  # with many equal values
    other = (one + rng.normal(size=60)).astype(np.float32)
    assert spearman(one, other) == pytest.approx(spearmanr(one, other).statistic, abs=1e-9)
    assert spearman(one, 1e-9 * one) == pytest.approx(1) and spearman(one, -one) == pytest.approx(-1)
    assert spearman(one, np.ones(60, np.float32)) == 0
    values = [0.1, 0.4, -0.2, 0.3]
    found = mean_interval(values)
    low, high = student.interval(0.95, 3, np.mean(values), np.std(values, ddof=1) / 2)
    assert found is not None and (found.low, found.high) == pytest.approx((low, high))
    assert mean_interval([0.1]) is None


def test_maps_are_compared_cell_by_cell_on_the_radiograph_alone() -> None:
    rng = np.random.default_rng(1)
    grid = rng.random((6, 6)).astype(np.float32)
    shape = (200, 100)  # letterboxed: the outer columns of cells lie on the bars
    original = make_map(grid, shape)
    bars = grid.copy()
    bars[:, 0], bars[:, -1] = rng.random(6), 9 * rng.random(6)
    found = compare_maps(original, make_map(bars, shape))
    assert found is not None and found.spearman == pytest.approx(1)
    assert compare_maps(original, original) == Similarity(pytest.approx(1), pytest.approx(1))  # type: ignore[arg-type]
    assert compare_maps(make_map(np.zeros((6, 6)), shape), original) is None
    assert compare_maps(original, make_map(np.ones((6, 6)), shape)) == Similarity(0.0, 0.0)
    finer = make_map(np.kron(grid, np.ones((2, 2), np.float32)), shape, patch=8)
    drawn = compare_maps(original, finer)
    assert drawn is not None and 0.8 < drawn.spearman < 1
    with pytest.raises(ValueError, match="radiographs"):
        compare_maps(original, replace(original, radiograph_shape=(90, 100)))


def test_an_empty_map_tells_nothing(classifier: Classifier) -> None:
    original = saliency_map(classifier, brightness())
    empty = replace(original, grid=np.zeros_like(original.grid))
    (cascade,) = weight_cascade(classifier, brightness(), draws=2, originals=(empty,))
    assert cascade.similarities == () and cascade.without_learning is None
    assert cascade.sensitivity == "cannot tell" and cascade.sentence.startswith("Cannot tell")


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"draws": 0}, "option"), ({"methods": ("dowsing",)}, "saliency-method"), ({"target": "fracture"}, "target")],
)
def test_wrong_options_are_one_sentence(classifier: Classifier, changes: dict[str, Any], code: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        weight_cascade(classifier, brightness(), **changes)
    assert caught.value.code == code and str(caught.value).count("\n") == 0
