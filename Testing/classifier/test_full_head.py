"""Half precision rounds no logit: the head computes in full precision, and nothing of that stays on the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from builders import make_classifier_bundle, make_network

from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.classifier.full_head import full_head


def test_logits_are_those_of_the_features_in_full_precision() -> None:
    network: Any = make_network()
    with torch.no_grad():
        network.head.bias.copy_(torch.tensor([40.0, -40.0, 40.0]))
    image = torch.from_numpy(np.random.default_rng(0).random((1, 1, 56, 56), dtype=np.float32))
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        features = network.forward_head(network.forward_features(image), pre_logits=True).float()
        rounded = network(image)
        with full_head(network, "cpu"):
            full = network(image)
        after = network(image)
        exact = features.double() @ network.head.weight.double().T + network.head.bias
    assert rounded.dtype == torch.bfloat16 and full.dtype == torch.float32
    torch.testing.assert_close(full.double(), exact, atol=2e-5, rtol=0)
    assert (rounded - exact).abs().max() > 100 * (full - exact).abs().max()
    assert torch.equal(after, rounded) and not network.head._forward_hooks


def test_a_head_that_is_no_linear_layer_is_left_alone() -> None:
    with full_head(torch.nn.Flatten(), "cpu"):
        pass


def test_a_classifier_in_half_precision_uses_it(tmp_path: Path) -> None:
    bundle = make_classifier_bundle(tmp_path / "net")
    full, half = (Classifier.load(bundle, "cpu", precision) for precision in ("fp32", "bf16"))
    assert half.precision == "bf16"
    images = np.random.default_rng(0).random((4, 80, 80), dtype=np.float32)
    logits = torch.from_numpy(np.log(half.predict(images)))
    steps = (logits - logits.bfloat16().double()).abs()
    assert (steps > 1e-6).any(), "answers in half precision are not rounded to it"
    np.testing.assert_allclose(half.predict(images), full.predict(images), atol=5e-3)
