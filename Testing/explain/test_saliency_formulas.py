"""Each method's numbers, against its published formula written out anew on what a plain pass through the network gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import make_classifier

from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.classifier.preprocess import PreprocessSpec
from OsteoScreenLib.explain import score_cam
from OsteoScreenLib.explain.saliency_map import saliency_map

SPEC = PreprocessSpec(rows=64, columns=96, channels=1, fit="squash", mean=(0.4,), std=(0.3,), interpolation="bilinear")
TINY: dict[str, Any] = {"patch_size": 8, "embed_dim": 32, "depth": 3, "num_heads": 2}
PIXELS = np.random.default_rng(3).random((64, 96), dtype=np.float32)

# timm's families, narrowed: (name, options, the layer whose features are read).
FAMILIES = [
    ("vit_tiny_patch16_224", TINY, "blocks.2.norm1"),
    ("vit_base_patch14_reg4_dinov2", TINY, "blocks.2.norm1"),
    ("vit_base_patch16_clip_224", TINY, "blocks.2.norm1"),
    ("deit_tiny_distilled_patch16_224", TINY, "blocks.2.norm1"),
    ("vit_base_patch16_siglip_224", TINY, "norm"),
    ("vit_so150m2_patch16_reg1_gap_256", TINY, "blocks.2"),
    ("beit_base_patch16_224", TINY, "blocks.2"),
    ("eva02_tiny_patch14_224", TINY, None),
    ("vit_small_patch16_dinov3", TINY, None),
]
CONVNETS = [("resnet10t", {"channels": [8, 16, 16, 32], "stem_width": 8}, "layer4"), ("convnext_atto", {}, "stages")]


def classifier_of(tmp_path: Path, name: str, options: dict[str, Any]) -> Classifier:
    return make_classifier(tmp_path / name, name, options, SPEC, seed=4)


def log_odds(logits: torch.Tensor) -> torch.Tensor:
    probability = torch.softmax(logits.double(), -1)[..., 2]
    return torch.log(probability / (1 - probability))


def plain_features(classifier: Classifier, layer: str) -> tuple[np.ndarray, np.ndarray]:
    """Features and gradients (channels, rows, columns) in a pass that is differentiated from the input on."""
    network: Any = classifier.network
    held: list[torch.Tensor] = []
    handle = dict(network.named_modules())[layer].register_forward_hook(lambda _m, _a, output: held.append(output))
    score = log_odds(network(classifier.preprocess(PIXELS[None]).requires_grad_(True)))[0]
    handle.remove()
    gradient = torch.autograd.grad(score, held[0])[0]
    both = [tensor.detach()[0].numpy().astype(float) for tensor in (held[0], gradient)]
    if both[0].ndim == 2:
        both = [tokens[network.num_prefix_tokens :].reshape(8, 12, -1).transpose(2, 0, 1) for tokens in both]
    return both[0], both[1]


def by_formula(key: str, features: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    if key == "grad-cam":
        return np.einsum("c,cij->ij", gradients.mean((1, 2)), features)
    if key == "grad-cam++":
        # Equation 19 and the rectified sum of equation 7, exactly.
        bottom = 2 * gradients**2 + features.sum((1, 2))[:, None, None] * gradients**3
        alpha = np.divide(gradients**2, bottom, out=np.zeros_like(bottom), where=gradients != 0)
        return np.einsum("c,cij->ij", (alpha * np.maximum(gradients, 0)).sum((1, 2)), features)
    if key == "hirescam":
        return (features * gradients).sum(0)
    return (features * np.maximum(gradients, 0)).sum(0)


@pytest.mark.parametrize("key", ["grad-cam", "grad-cam++", "hirescam", "layercam"])
@pytest.mark.parametrize(("name", "options", "layer"), [case for case in FAMILIES + CONVNETS if case[2]])
def test_gradient_methods(tmp_path: Path, name: str, options: dict[str, Any], layer: str, key: str) -> None:
    classifier = classifier_of(tmp_path, name, options)
    saliency = saliency_map(classifier, PIXELS, method=key)
    assert saliency.layer == layer
    wanted = np.maximum(by_formula(key, *plain_features(classifier, layer)), 0)
    # Grad-CAM++ divides by sums that may nearly vanish, and its package adds a millionth to them.
    close = 2e-2 if key == "grad-cam++" else 1e-4
    np.testing.assert_allclose(saliency.grid, wanted, atol=close * max(wanted.max(), 1e-9))


@pytest.mark.parametrize(("name", "options", "layer"), [FAMILIES[0], FAMILIES[4], CONVNETS[0]])
def test_eigencam(tmp_path: Path, name: str, options: dict[str, Any], layer: str) -> None:
    classifier = classifier_of(tmp_path, name, options)
    features, _ = plain_features(classifier, layer)
    flat = features.reshape(len(features), -1)
    centred = flat - flat.mean(1, keepdims=True)
    _values, vectors = np.linalg.eigh(centred @ centred.T)
    projection = (vectors[:, -1] @ centred).reshape(features.shape[1:])
    if -projection.min() > projection.max():
        projection = -projection
    grid = saliency_map(classifier, PIXELS, method="eigencam").grid
    np.testing.assert_allclose(grid, np.maximum(projection, 0), atol=1e-3 * projection.max())


@pytest.mark.parametrize(("name", "options", "layer"), [FAMILIES[0], FAMILIES[4], CONVNETS[0]])
def test_score_cam(tmp_path: Path, name: str, options: dict[str, Any], layer: str) -> None:
    classifier = classifier_of(tmp_path, name, options)
    features, _ = plain_features(classifier, layer)
    saliency = saliency_map(classifier, PIXELS, method="score-cam")
    # Each feature drawn over the input pixel by pixel, with its cells where the map says they are (the input is the image here).
    rows, columns = features.shape[1:]
    (across, _, left), (_, down, top), _ = saliency.grid_to_radiograph
    y, x = (
        np.clip((np.arange(size) - start) / step, 0, cells - 1)
        for size, start, step, cells in ((64, top, down, rows), (96, left, across, columns))
    )
    prepared = classifier.preprocess(PIXELS[None])
    scores = []
    for feature in features:
        along = np.stack([np.interp(x, np.arange(columns), row) for row in feature])
        drawn = np.stack([np.interp(y, np.arange(rows), column) for column in along.T]).T
        spread = drawn.max() - drawn.min()
        mask = (drawn - drawn.min()) / spread if spread > 0 else np.zeros_like(drawn)
        with torch.no_grad():
            scores.append(float(log_odds(classifier.network(prepared * torch.from_numpy(mask).float()))[0]))
    weights = np.exp(scores - np.max(scores))
    wanted = np.maximum(np.einsum("c,cij->ij", weights / weights.sum(), features), 0)
    np.testing.assert_allclose(saliency.grid, wanted, atol=1e-4 * np.abs(features).max())


def test_score_cam_passes_have_one_shape_and_report_their_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = classifier_of(tmp_path, *FAMILIES[0][:2])
    alone = saliency_map(classifier, PIXELS, method="score-cam").grid
    monkeypatch.setattr(score_cam, "batch_size", lambda _device: 5)  # does not divide the 33 passes
    shapes: list[tuple[int, ...]] = []
    handle = classifier.network.register_forward_pre_hook(lambda _module, inputs: shapes.append(tuple(inputs[0].shape)))
    shares: list[float] = []
    together = saliency_map(classifier, PIXELS, method="score-cam", progress=shares.append).grid
    handle.remove()
    np.testing.assert_allclose(together, alone, atol=1e-5 * alone.max())
    assert set(shapes[1:]) == {(5, 1, 64, 96)} and shapes[0] == (1, 1, 64, 96)
    assert shares == sorted(shares) and shares[-1] == 1 and len(shares) == 7


class Attention:
    """Stands in for torch's fused attention: computes it openly and keeps what it was."""

    def __init__(self) -> None:
        self.kept: list[torch.Tensor] = []

    def __call__(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, attn_mask: torch.Tensor | None = None, **_: Any
    ) -> torch.Tensor:
        logits = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
        weights = torch.exp(logits if attn_mask is None else logits + attn_mask)
        weights = weights / weights.sum(-1, keepdim=True)
        self.kept.append(weights)
        return weights @ v


def plain_attention(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Attention and its gradients, (heads, queries, tokens) for each layer, where timm calls its fused kernel."""
    recorder = Attention()
    with monkeypatch.context() as patch:
        patch.setattr(torch.nn.functional, "scaled_dot_product_attention", recorder)
        score = log_odds(classifier.network(classifier.preprocess(PIXELS[None]).requires_grad_(True)))[0]
        gradients = torch.autograd.grad(score, recorder.kept)
    return [kept.detach()[0].numpy().astype(float) for kept in recorder.kept], [g[0].numpy().astype(float) for g in gradients]


@pytest.mark.parametrize(("name", "options", "_layer"), FAMILIES)
def test_attention_methods(
    tmp_path: Path, name: str, options: dict[str, Any], _layer: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier = classifier_of(tmp_path, name, options)
    network: Any = classifier.network
    attention, gradients = plain_attention(classifier, monkeypatch)
    pools, prefix = "siglip" in name, network.num_prefix_tokens
    assert len(attention) == 3 + pools
    tokens = prefix + 96

    # Rollout: the whole product of matrices, block after block, then the rows that the head reads.
    product = np.eye(tokens)
    for layer in attention[:3]:
        product = (layer.mean(0) + np.eye(tokens)) / 2 @ product
    if pools:
        rolled = attention[3].mean(0)[0] @ product
    elif "distilled" in name:
        rolled = product[:2].mean(0)
    elif network.global_pool == "token":
        rolled = product[0]
    else:
        rolled = product[prefix:].mean(0)
    assert abs(rolled.sum() - 1) < 1e-6
    saliency = saliency_map(classifier, PIXELS, method="rollout")
    np.testing.assert_allclose(saliency.grid.ravel(), rolled[prefix:], rtol=1e-4)
    assert saliency.layer == "attention of 3 blocks" + (" and of the pooling" if pools else "")

    raised = sum(np.maximum(layer, 0).mean(0).sum(0) for layer in gradients) / len(gradients)
    grid = saliency_map(classifier, PIXELS, method="gradient-attention").grid
    np.testing.assert_allclose(grid.ravel(), raised[prefix:], atol=1e-4 * raised.max())
