"""Grad-CAM peaks where a constructed model looks, for every token layout, with a frozen encoder and with merged LoRA."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import make_classifier
from explain.looking import LAYOUTS, PATCH, averaging_convnet, looking_transformer
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict

from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.classifier.lora import merge_lora
from OsteoScreenLib.classifier.model_bundle import LoraSettings
from OsteoScreenLib.classifier.preprocess import PreprocessSpec
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.explain.gradcam import grad_cam
from OsteoScreenLib.explain.hooking import find_hook

# Not square, so that swapped rows and columns would show.
SPEC = PreprocessSpec(rows=64, columns=96, channels=1, fit="squash", mean=(0.0,), std=(1.0,), interpolation="bilinear")
PLACE = (2, 9)


def brightness(seed: int = 0) -> np.ndarray:
    """Every patch bright, the known one not the brightest."""
    cells = np.random.default_rng(seed).uniform(0.6, 1.0, (SPEC.rows // PATCH, SPEC.columns // PATCH))
    cells[PLACE] = 0.7
    return np.kron(cells, np.ones((PATCH, PATCH))).astype(np.float32)


def looking_classifier(tmp_path: Path, layout: str) -> Classifier:
    network, options = looking_transformer(layout, SPEC, PLACE)
    return make_classifier(tmp_path / "looking", "vit_tiny_patch16_224", options, SPEC, network)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_transformer_peaks_on_the_patch_it_looks_at(tmp_path: Path, layout: str) -> None:
    classifier = looking_classifier(tmp_path, layout)
    assert not any(parameter.requires_grad for parameter in classifier.network.parameters()), "the encoder must be frozen here"
    pixels = brightness()
    # The construction first: the answer follows the known patch and nothing else.
    elsewhere, there = pixels.copy(), pixels.copy()
    elsewhere[:PATCH, :PATCH] = 0
    there[PLACE[0] * PATCH : (PLACE[0] + 1) * PATCH, PLACE[1] * PATCH : (PLACE[1] + 1) * PATCH] = 0
    untouched, other, known = classifier.predict(np.stack([pixels, elsewhere, there]))[:, 2]
    assert abs(untouched - other) < 1e-3 < untouched - known

    saliency = grad_cam(classifier, pixels)

    assert saliency.grid.shape == (8, 12)
    assert np.unravel_index(saliency.grid.argmax(), saliency.grid.shape) == PLACE
    others = np.delete(saliency.grid.ravel(), PLACE[0] * 12 + PLACE[1])
    assert saliency.grid.max() > 5 * others.max(), "the known patch must stand out"
    drawn = saliency.on_radiograph()
    row, column = np.unravel_index(drawn.argmax(), drawn.shape)
    assert PLACE[0] * PATCH <= row < (PLACE[0] + 1) * PATCH and PLACE[1] * PATCH <= column < (PLACE[1] + 1) * PATCH


def test_hook_behind_the_last_block_would_find_nothing_under_class_token_pooling(tmp_path: Path) -> None:
    """Why the hook is where it is: behind the last block the patch tokens get no gradient."""
    network: Any = looking_classifier(tmp_path, "class token").network
    kept: list[torch.Tensor] = []
    handle = network.blocks[-1].register_forward_hook(lambda _module, _args, output: kept.append(output))
    inputs = torch.from_numpy(brightness())[None, None].requires_grad_(True)
    logits = network(inputs)
    handle.remove()
    (gradient,) = torch.autograd.grad(logits[0, 2], kept[0])
    assert gradient[:, 1:].abs().max() == 0
    assert find_hook(network, inputs).name == "blocks.1.norm1"


def test_every_target_has_its_map_and_opposite_targets_differ(tmp_path: Path) -> None:
    classifier = looking_classifier(tmp_path, "class token")
    for_osteoporosis = grad_cam(classifier, brightness(), "osteoporosis")
    for_low = grad_cam(classifier, brightness(), "low bone mass")
    for_normal = grad_cam(classifier, brightness(), "normal")
    # Brightness at the known patch speaks for osteoporosis and so against normal.
    assert np.unravel_index(for_low.grid.argmax(), for_low.grid.shape) == PLACE
    assert for_normal.grid[PLACE] == 0 < for_osteoporosis.grid[PLACE]
    with pytest.raises(InputError, match="no target called 'fracture'"):
        grad_cam(classifier, brightness(), "fracture")


def test_the_map_is_raw_and_repeatable_and_leaves_no_hooks(tmp_path: Path) -> None:
    classifier = looking_classifier(tmp_path, "class token")
    first, again = grad_cam(classifier, brightness()), grad_cam(classifier, brightness())
    np.testing.assert_array_equal(first.grid, again.grid)
    assert not any(module._forward_hooks for module in classifier.network.modules())
    assert all(parameter.grad is None for parameter in classifier.network.parameters())
    # Raw: a head twice as strong gives a map twice as strong, which scaling between 0 and 1 would hide.
    network: Any = classifier.network
    with torch.no_grad():
        network.head.weight.mul_(2)
    np.testing.assert_allclose(grad_cam(classifier, brightness()).grid, 2 * first.grid, rtol=1e-4)


def test_merged_lora_peaks_where_its_adapters_make_it_look(tmp_path: Path) -> None:
    """The base looks nowhere; adapters of rank 1 in the last block carry the known patch to the class token."""
    network: Any
    network, options = looking_transformer("class token", SPEC, PLACE)
    target = network.blocks[1].attn.qkv
    wanted = target.weight.detach().clone()
    with torch.no_grad():
        target.weight.zero_()
    assert (
        make_classifier(tmp_path / "base", "vit_tiny_patch16_224", options, SPEC, network).predict(brightness()[None])[0, 2]
        < 0.34
    )
    wrapped = get_peft_model(network, LoraConfig(r=2, lora_alpha=4, target_modules=["qkv"]))
    adapters = {key: torch.zeros_like(tensor) for key, tensor in get_peft_model_state_dict(wrapped).items()}
    plain = wrapped.unload()
    left, scale, right = torch.linalg.svd(wanted)
    prefix = "base_model.model.blocks.1.attn.qkv"
    adapters[f"{prefix}.lora_A.weight"] = right[:2] * (4 / 2) ** -1
    adapters[f"{prefix}.lora_B.weight"] = left[:, :2] * scale[:2]

    merged: Any = merge_lora(plain, adapters, LoraSettings(rank=2, alpha=4, targets=("qkv",)))

    torch.testing.assert_close(merged.blocks[1].attn.qkv.weight, wanted, atol=1e-4, rtol=1e-4)
    classifier = make_classifier(tmp_path / "merged", "vit_tiny_patch16_224", options, SPEC, merged)
    grid = grad_cam(classifier, brightness()).grid
    assert np.unravel_index(grid.argmax(), grid.shape) == PLACE
    assert grid.max() > 5 * np.delete(grid.ravel(), PLACE[0] * 12 + PLACE[1]).max()


CONVNETS = ("resnet10t", "regnety_002", "mobilenetv3_small_050", "efficientnet_lite0")


@pytest.mark.parametrize("name", CONVNETS)
def test_convnets_hook_their_last_feature_stage(tmp_path: Path, name: str) -> None:
    spec = PreprocessSpec(64, 96, 1, "squash", "bilinear", 0.0, (0.5,), (0.25,))
    classifier = make_classifier(tmp_path / name, name, {}, spec)
    saliency = grad_cam(classifier, brightness())
    assert saliency.grid.shape == (2, 3)
    network: Any = classifier.network
    inputs = classifier.preprocess(brightness()[None])
    hook = find_hook(network, inputs)
    seen: list[torch.Tensor] = []
    handle = hook.layer.register_forward_hook(lambda _module, _args, output: seen.append(output))
    torch.testing.assert_close(network.forward_features(inputs), seen[0])
    handle.remove()


@pytest.mark.parametrize(
    ("name", "tolerance", "centre"),
    [
        ("resnet10t", 0.5, (96.0, 64.0)),
        ("resnet10t", 0.5, (127.5, 160.0)),
        ("resnet10t", 0.5, (160.0, 191.5)),
        ("resnet26t", 0.5, (160.0, 191.5)),
        # A receptive field that reaches over the border pulls the centroid inwards a little.
        ("resnet18", 3.0, (127.5, 160.0)),
    ],
)
def test_convnet_heatmap_sits_on_the_bright_square(
    tmp_path: Path, name: str, tolerance: float, centre: tuple[float, float]
) -> None:
    """A ResNet's cells are 32 pixels apart and begin at pixel 0 or 7; drawn as even tiles they would be 8 to 15 pixels off."""
    spec = PreprocessSpec(256, 320, 1, "squash", "bilinear", 0.0, (0.0,), (1.0,))
    network = averaging_convnet(name, spec)
    classifier = make_classifier(tmp_path / name, name, {}, spec, network)
    row, column = np.mgrid[: spec.rows, : spec.columns]
    square = (abs(row - centre[0]) <= 12) & (abs(column - centre[1]) <= 12)

    saliency = grad_cam(classifier, square.astype(np.float32))

    grid = saliency.grid.astype(float)
    rows, columns = np.mgrid[: grid.shape[0], : grid.shape[1]]
    weights = grid / grid.sum()
    place = saliency.grid_to_radiograph @ [(weights * columns).sum(), (weights * rows).sum(), 1]
    # Averaging kernels are symmetrical about their cell's centre, so the map's centroid is the square's.
    assert abs(place[1] - centre[0]) < tolerance and abs(place[0] - centre[1]) < tolerance


def test_patchwise_convnet_has_evenly_placed_cells(tmp_path: Path) -> None:
    """ConvNeXt halves with unpadded, non-overlapping kernels: its cells are even tiles."""
    spec = PreprocessSpec(64, 96, 1, "squash", "bilinear", 0.0, (0.5,), (0.25,))
    saliency = grad_cam(make_classifier(tmp_path / "tiles", "convnext_atto", {}, spec), brightness())
    np.testing.assert_allclose(saliency.grid_to_radiograph, np.array([[32, 0, 15.5], [0, 32, 15.5], [0, 0, 1]]))
