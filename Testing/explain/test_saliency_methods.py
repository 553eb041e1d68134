"""Every saliency method finds the planted place, on every kind of network and however it was tuned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import make_classifier
from explain.looking import LAYOUTS, PATCH
from explain.planted import TUNINGS, planted_convnet, planted_transformer, tuned

from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.classifier.preprocess import PreprocessSpec
from OsteoScreenLib.cli import Saliency
from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.explain.saliency import NO_SCORE, SaliencyMap
from OsteoScreenLib.explain.saliency_map import saliency_map
from OsteoScreenLib.explain.saliency_methods import DEFAULT_METHOD, SALIENCY_METHODS, default_among, methods_for
from OsteoScreenLib.files import resource_folder
from OsteoScreenLib.worker.requests import NO_SALIENCY, AnalysisOptions

# Not square, so that swapped rows and columns would show.
SPEC = PreprocessSpec(rows=64, columns=96, channels=1, fit="squash", mean=(0.0,), std=(1.0,), interpolation="bilinear")
PLACE = (2, 9)
ON_ANY = tuple(key for key, method in SALIENCY_METHODS.items() if method.networks == "any")
NARROW: dict[str, Any] = {"channels": [8, 16, 16, 32], "stem_width": 8}  # as the embedded classifier is narrowed


def brightness(seed: int = 0) -> np.ndarray:
    """Every patch bright, the planted one not the brightest."""
    cells = np.random.default_rng(seed).uniform(0.6, 1.0, (SPEC.rows // PATCH, SPEC.columns // PATCH))
    cells[PLACE] = 0.7
    return np.kron(cells, np.ones((PATCH, PATCH))).astype(np.float32)


def planted(tmp_path: Path, layout: str, tuning: str = "frozen") -> Classifier:
    network, options = planted_transformer(layout, SPEC, PLACE, PATCH)
    network = tuned(network, tuning)
    classifier = make_classifier(tmp_path / "planted", "vit_tiny_patch16_224", options, SPEC, network)
    if tuning == "partial":  # a network in training, rather than one loaded from a bundle, which is frozen
        tuned(classifier.network, tuning)
    return classifier


def darkened(pixels: np.ndarray, cell: tuple[int, int]) -> np.ndarray:
    changed = pixels.copy()
    changed[cell[0] * PATCH : (cell[0] + 1) * PATCH, cell[1] * PATCH : (cell[1] + 1) * PATCH] = 0
    return changed


@pytest.mark.parametrize("tuning", TUNINGS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_transformers_peak_on_the_planted_patch(tmp_path: Path, layout: str, tuning: str) -> None:
    """EigenCAM and rollout know no classes: they find the patch because it differs most, and because it is attended to."""
    classifier = planted(tmp_path, layout, tuning)
    assert any(parameter.requires_grad for parameter in classifier.network.parameters()) == (tuning == "partial")
    pixels = brightness()
    # The construction first: the answer follows the planted patch and no other.
    untouched, without = classifier.predict(np.stack([pixels, darkened(pixels, PLACE)]))[:, 2]
    assert untouched - without > 0.3
    cells = np.ndindex(SPEC.rows // PATCH, SPEC.columns // PATCH)
    others = classifier.predict(np.stack([darkened(pixels, cell) for cell in cells if cell != PLACE]))[:, 2]
    assert abs(others - untouched).max() < 0.03

    for key in SALIENCY_METHODS:
        saliency = saliency_map(classifier, pixels, method=key)

        assert saliency.grid.shape == (8, 12)
        assert np.unravel_index(saliency.grid.argmax(), saliency.grid.shape) == PLACE, key
        rest = np.delete(saliency.grid.ravel(), PLACE[0] * 12 + PLACE[1])
        # Rollout gives every averaged patch half of itself in each block; 1.25 times is what the formula comes to here.
        standing_out = 1.2 if key == "rollout" else 1.5
        assert saliency.grid.max() > standing_out * rest.max(), f"{key}: the planted patch must stand out"
        drawn = saliency.on_radiograph()
        row, column = np.unravel_index(drawn.argmax(), drawn.shape)
        assert PLACE[0] * PATCH <= row < (PLACE[0] + 1) * PATCH and PLACE[1] * PATCH <= column < (PLACE[1] + 1) * PATCH, key


CONVNETS = [("resnet10t", NARROW), ("resnet18", {}), ("resnet26t", NARROW)]
LARGE = PreprocessSpec(256, 320, 1, "squash", "bilinear", 0.0, (0.0,), (1.0,))
BRIGHT, DARK = (96.0, 64.0), (160.0, 240.0)


def two_squares() -> np.ndarray:
    """A bright square, a dark one of the same size, on grey."""
    row, column = np.mgrid[: LARGE.rows, : LARGE.columns]
    pixels = np.full(row.shape, 0.5, np.float32)
    for (y, x), value in ((BRIGHT, 1.0), (DARK, 0.1)):
        pixels[(abs(row - y) <= 12) & (abs(column - x) <= 12)] = value
    return pixels


def planted_conv(tmp_path: Path, name: str, options: dict[str, Any], tuning: str = "frozen") -> Classifier:
    spec = PreprocessSpec(**{**vars(LARGE), "mean": (0.5,)})
    network = tuned(planted_convnet(name, options, spec), tuning)
    classifier = make_classifier(tmp_path / name, name, options, spec, network)
    if tuning == "partial":
        tuned(classifier.network, tuning)
    return classifier


def peak(saliency: SaliencyMap) -> tuple[float, float]:
    """Where, in pixels of the radiograph, the largest cell's centre lies: (row, column)."""
    row, column = np.unravel_index(saliency.grid.argmax(), saliency.grid.shape)
    x, y, _ = saliency.grid_to_radiograph @ [column, row, 1]
    return float(y), float(x)


@pytest.mark.parametrize("tuning", TUNINGS)
@pytest.mark.parametrize(("name", "options"), CONVNETS)
def test_convnets_peak_on_the_square_that_speaks_for_the_target(
    tmp_path: Path, name: str, options: dict[str, Any], tuning: str
) -> None:
    """A bright square speaks for osteoporosis and a dark one for normal. EigenCAM, without classes, shows the stronger one."""
    classifier = planted_conv(tmp_path, name, options, tuning)
    pixels = two_squares()
    grey = np.full_like(pixels, 0.5)
    bright_alone, dark_alone = np.maximum(pixels, 0.5), np.minimum(pixels, 0.5)
    answers = classifier.predict(np.stack([grey, bright_alone, dark_alone]))
    assert answers[1, 2] > answers[0, 2] + 0.001 and answers[2, 0] > answers[0, 0] + 0.001
    slow = name == "resnet18"  # Score-CAM's 512 passes are no other case than the narrowed networks' 32
    for key in ON_ANY:
        if slow and key == "score-cam":
            continue
        for target, square in (("osteoporosis", BRIGHT), ("normal", DARK)):
            saliency = saliency_map(classifier, pixels, target, key)
            wanted = square if saliency.is_for_target else BRIGHT
            y, x = peak(saliency)
            assert abs(y - wanted[0]) <= 20 and abs(x - wanted[1]) <= 20, (key, target, y, x)


@pytest.mark.parametrize("key", SALIENCY_METHODS)
def test_the_map_lies_where_the_patches_lie(tmp_path: Path, key: str) -> None:
    """From grid to radiograph by the affine matrix, on a radiograph of another size and shape, letterboxed."""
    network, options = planted_transformer("class token", SPEC, PLACE, PATCH)
    spec = PreprocessSpec(**{**vars(SPEC), "fit": "letterbox"})
    classifier = make_classifier(tmp_path / "boxed", "vit_tiny_patch16_224", options, spec, network)
    shape = (400, 500)  # scaled by 0.16 to 64 × 80, with eight columns of bars on either side
    factor, left = 64 / 400, 8
    saliency = saliency_map(classifier, np.full(shape, 0.7, np.float32), method=key)
    y, x = peak(saliency)
    assert abs(y - ((PLACE[0] + 0.5) * PATCH / factor - 0.5)) < 1e-6
    assert abs(x - (((PLACE[1] + 0.5) * PATCH - left) / factor - 0.5)) < 1e-6
    assert saliency.radiograph_shape == shape and saliency.input_shape == (64, 96)


@pytest.mark.parametrize("key", SALIENCY_METHODS)
def test_maps_are_the_same_to_the_bit_and_are_named(tmp_path: Path, key: str) -> None:
    """Twice in a row, after other work, and from a second load of the same bundle."""
    first, second = (make_classifier(tmp_path / str(number), options=None) for number in (1, 2))
    pixels = np.random.default_rng(5).random((90, 70), dtype=np.float32)
    reference = saliency_map(first, pixels, "osteopenia", key)
    for other in SALIENCY_METHODS:
        saliency_map(second, pixels[::-1].copy(), "normal", other)
    for classifier in (first, second):
        again = saliency_map(classifier, pixels, "osteopenia", key)
        np.testing.assert_array_equal(again.grid, reference.grid)
        np.testing.assert_array_equal(again.grid_to_radiograph, reference.grid_to_radiograph)
    method = SALIENCY_METHODS[key]
    assert (reference.method, reference.target) == (method.title, "osteopenia")
    assert (reference.score != NO_SCORE) == method.class_specific == reference.is_for_target
    other_class = saliency_map(first, pixels, "normal", key)
    assert np.array_equal(other_class.grid, reference.grid) != method.class_specific


def state_of(network: torch.nn.Module) -> list[object]:
    """All that a look into a network could leave behind: modes, fusing, gradients, hooks, weights."""
    told: list[object] = []
    for name, module in network.named_modules():
        told.append((name, module.training, dict(vars(module)).get("fused_attn"), len(module._forward_hooks)))
        told.append((len(module._forward_pre_hooks), len(module._backward_hooks), module.forward.__func__))  # type: ignore[attr-defined]
    for name, parameter in network.named_parameters():
        grad = None if parameter.grad is None else parameter.grad.clone()
        told.append((name, parameter.requires_grad, grad is not None and float(grad.sum()), float(parameter.detach().sum())))
    return told


@pytest.mark.parametrize("key", SALIENCY_METHODS)
def test_the_network_is_left_as_it_was(tmp_path: Path, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network in training, with gradients of its own and some attention unfused, is the same afterwards, errors included."""
    classifier = planted(tmp_path, "no class token, attention pooling", "partial")
    network: Any = classifier.network
    network.blocks[0].train()
    network.blocks[0].attn.fused_attn = False
    assert network.blocks[1].attn.fused_attn and network.attn_pool.fused_attn
    for parameter in network.blocks[1].parameters():
        parameter.grad = torch.ones_like(parameter)
    before = state_of(network)
    saliency_map(classifier, brightness(), method=key)
    assert state_of(network) == before

    # Broken off in the middle of the pass.
    monkeypatch.setattr(network.head, "forward", lambda _tokens: 1 / 0)
    before = state_of_but_head(network)
    with pytest.raises(ZeroDivisionError):
        saliency_map(classifier, brightness(), method=key)
    assert state_of_but_head(network) == before
    assert torch.is_grad_enabled() and torch.overrides._len_torch_function_stack() == 0


def state_of_but_head(network: Any) -> list[object]:
    head = network.head
    network.head = torch.nn.Identity().train(head.training)
    told = state_of(network)
    network.head = head
    return told


def is_one_sentence(text: str) -> bool:
    return text.endswith((".", ")")) and ". " not in text and "\n" not in text


@pytest.mark.parametrize("key", ["rollout", "gradient-attention"])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("resnet10t", NARROW),
        # Attention, but within windows; and, in CaiT, a class token that joins the patches after the blocks.
        (
            "swin_tiny_patch4_window7_224",
            {"embed_dim": 16, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 1, 1], "window_size": 2},
        ),
        ("cait_xxs24_224", {"patch_size": 8, "embed_dim": 32, "depth": 2, "num_heads": 2}),
    ],
)
def test_a_network_without_such_attention_names_methods_that_work(
    tmp_path: Path, key: str, name: str, options: dict[str, Any]
) -> None:
    classifier = make_classifier(tmp_path / "other", name, options, SPEC)
    with pytest.raises(InputError) as caught:
        saliency_map(classifier, brightness(), method=key)
    assert caught.value.code == "saliency-method" and is_one_sentence(str(caught.value))
    named = str(caught.value).split("choose one of ")[1].rstrip(".").split(", ")
    assert named == list(ON_ANY)
    if "cait" in name:  # features of its blocks are no grid of patches and prefix tokens either
        with pytest.raises(InputError, match="No saliency method knows where to look") as caught:
            saliency_map(classifier, brightness())
        assert caught.value.code == "saliency-method" and is_one_sentence(str(caught.value))
        return
    assert methods_for(classifier.network) == ON_ANY
    for working in named:
        if working != "score-cam" or name == "resnet10t":
            assert np.isfinite(saliency_map(classifier, brightness(), method=working).grid).all()


def test_wrong_words_are_said_in_one_sentence(tmp_path: Path) -> None:
    classifier = make_classifier(tmp_path / "vit")
    assert methods_for(classifier.network) == tuple(SALIENCY_METHODS)
    with pytest.raises(InputError, match=r"no saliency method called 'magic'; choose one of grad-cam, .*rollout") as caught:
        saliency_map(classifier, brightness(), method="magic")
    assert caught.value.code == "saliency-method" and is_one_sentence(str(caught.value))
    for key in SALIENCY_METHODS:
        with pytest.raises(InputError, match="no target called 'fracture'"):
            saliency_map(classifier, brightness(), "fracture", key)


@pytest.mark.parametrize("key", SALIENCY_METHODS)
def test_a_nan_probability_is_said_in_one_sentence(tmp_path: Path, key: str) -> None:
    classifier = planted(tmp_path, "class token")
    with torch.no_grad():
        classifier.network.head.bias[1] = float("nan")  # type: ignore[union-attr, index, operator]
    with pytest.raises(OsteoScreenError, match="no finite probability") as caught:
        saliency_map(classifier, brightness(), method=key)
    assert is_one_sentence(str(caught.value))


def test_a_map_that_is_not_finite_is_said_in_one_sentence(tmp_path: Path) -> None:
    """Features so large that their decomposition overflows, which the answer itself does not read."""
    classifier = planted(tmp_path, "class token")
    with torch.no_grad():
        classifier.network.blocks[1].norm1.weight[12] = 3e37  # type: ignore[union-attr, index, operator]
        classifier.network.pos_embed[0, 5:95, 12] = 10.0  # type: ignore[union-attr, index, operator]
    assert np.isfinite(classifier.predict(brightness()[None])).all()
    assert np.isfinite(saliency_map(classifier, brightness()).grid).all()
    with pytest.raises(
        OsteoScreenError, match=r"^EigenCAM of the model planted came out with values that are not finite"
    ) as caught:
        saliency_map(classifier, brightness(), method="eigencam")
    assert is_one_sentence(str(caught.value))


def test_the_default_is_gradient_attention_on_transformers_and_grad_cam_elsewhere(tmp_path: Path) -> None:
    pixels = brightness()
    transformer = planted(tmp_path, next(iter(LAYOUTS)))
    assert saliency_map(transformer, pixels).method == "Gradient attention"
    convolutional = make_classifier(tmp_path / "convolutional", "resnet10t", NARROW, SPEC)
    assert saliency_map(convolutional, pixels).method == "Grad-CAM"
    # What is asked for is done all the same.
    assert saliency_map(transformer, pixels, method="grad-cam").method == "Grad-CAM"
    assert default_among(methods_for(transformer.network)) == "gradient-attention"
    assert default_among(methods_for(convolutional.network)) == "grad-cam" == default_among(())


def test_options_name_the_methods_of_the_registry() -> None:
    """The command line's words and the published schema's are written out; this holds them to the registry."""
    schema = json.loads(resource_folder("Schemas", "analysis.schema.json").read_text(encoding="utf-8"))
    assert [word.value for word in Saliency] == [DEFAULT_METHOD, *SALIENCY_METHODS, NO_SALIENCY]
    assert schema["properties"]["request"]["properties"]["saliency_method"]["enum"] == [*SALIENCY_METHODS, None]
    assert AnalysisOptions().saliency == DEFAULT_METHOD
    assert len({method.title for method in SALIENCY_METHODS.values()}) == len(SALIENCY_METHODS)
