"""Short runs of the gate's and the classifier's training: seeded, learning the right thing, and written as bundles that load."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from OsteoScreenLib.bones.gate import Gate, GateLimits  # noqa: E402
from OsteoScreenLib.bundle import embedded_bundle  # noqa: E402
from OsteoScreenLib.classifier.classifier import Classifier  # noqa: E402
from OsteoScreenLib.simulate.thorax import PATH_NAMES  # noqa: E402
from OsteoScreenLib.study.classifier_figures import softmax  # noqa: E402
from OsteoScreenLib.study.density_views import Bodies, develop, triplets  # noqa: E402
from OsteoScreenLib.study.disturb import Framing  # noqa: E402
from OsteoScreenLib.study.drawn_chest import drawn_chest  # noqa: E402
from OsteoScreenLib.study.gate_figures import gate_figures, temperature_of  # noqa: E402
from OsteoScreenLib.study.gate_images import Bank  # noqa: E402
from OsteoScreenLib.study.train_classifier import ClassifierOptions, ordered, specification  # noqa: E402
from OsteoScreenLib.study.train_classifier import fit as fit_classifier  # noqa: E402
from OsteoScreenLib.study.train_gate import GateOptions, Sampler  # noqa: E402
from OsteoScreenLib.study.train_gate import fit as fit_gate  # noqa: E402
from OsteoScreenLib.study.unlike import limb  # noqa: E402

NOWHERE = Path("nowhere")
GATE = GateOptions(NOWHERE, NOWHERE, NOWHERE, NOWHERE, steps=3, batch=4, fresh=2, size=32, widths=(4, 8, 8), reduced=4)


@pytest.fixture(scope="module")
def bank() -> Bank:
    rng = np.random.default_rng(0)
    images = [drawn_chest(rng, 64) for _ in range(4)] + [limb(rng, 64) for _ in range(4)]
    return Bank(tuple((255 * image).astype(np.uint8) for image in images), ("chest drawn",) * 4 + ("limb",) * 4)


def test_half_of_each_batch_are_counterexamples_and_only_upright_bright_chests_are_right(bank):
    inputs, right, facing, counts = next(Sampler(bank, GATE, np.random.default_rng(1)).batches())
    assert inputs.shape == (8, 2, 32, 32)
    assert torch.equal(right, counts) and not right[1::2].any()
    assert set(facing.tolist()) <= {0.0, 1.0}


def test_gate_training_is_seeded(bank):
    first, again, other = (fit_gate(bank, replace(GATE, seed=seed)).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


def test_gate_figures_count_every_image_once(bank):
    gate = Gate(fit_gate(bank, GATE), GateLimits(0.0, 0.5, 0.5), 32)
    figures = gate_figures(gate, bank, Framing(), 0)
    assert figures.seen == {"chest drawn": 4, "limb": 4} and figures.accepted == figures.seen
    assert (figures.wanted_seen, figures.wanted_accepted, figures.wrongly_accepted) == (4, 4, 4) and max(
        figures.upright, figures.bright, figures.facing
    ) <= 4
    assert 0.5 <= temperature_of(figures) <= 5


def bodies(count: int = 3, size: int = 72) -> Bodies:
    """Blocks: a body, two lungs, a spine and ribs as stripes."""
    rng = np.random.default_rng(2)
    maps = {name: np.zeros((size, size), np.float16) for name in PATH_NAMES}
    maps["body"][:, 6:-6] = 200
    maps["lungs"][12:54, 12:32] = maps["lungs"][12:54, 42:60] = 120
    maps["Spine"][:, 33:40] = 30
    maps["Spine core"][:, 34:39] = 28
    for name in ("Right ribs", "Left ribs"):
        maps[name][14:54:6, 10:62] = 8
        maps[f"{name} core"][14:54:6, 10:62] = 6
    stacks = tuple(np.stack([maps[name] * np.float16(rng.uniform(0.9, 1.1)) for name in PATH_NAMES]) for _ in range(count))
    return Bodies(stacks, PATH_NAMES)


def test_dense_bone_stands_out_more_than_thin_bone():
    contrasts = []
    for t_score in (1.0, -4.0):
        images = [develop(bodies(1), 0, t_score, np.random.default_rng(seed), 72, still=True) for seed in range(6)]
        contrasts.append(np.mean([image[14:50:6, 46:58].mean() - image[17:50:6, 46:58].mean() for image in images]))
    assert contrasts[0] > 1.5 * contrasts[1] > 0


def test_a_body_comes_in_every_class():
    drawn = next(triplets(bodies(1), np.random.default_rng(0), 64))
    images, scores = drawn.images, drawn.t_scores
    assert scores[0] >= -1 > scores[1] > -2.5 >= scores[2]
    assert all(max(image.shape) == 64 and image.min() >= 0 and image.max() <= 1 for image in images)


def test_ranking_penalty_is_small_only_when_bodies_are_in_order():
    rising = torch.tensor([[4.0, 0, -4], [0, 0, 0], [-4, 0, 4]])
    assert ordered(rising) < 0.01 < 5 < ordered(rising.flip(0))
    assert ordered(torch.zeros(3, 3)).item() == pytest.approx(np.log(2), rel=1e-5)


def test_classifier_training_is_seeded():
    options = ClassifierOptions(
        NOWHERE,
        NOWHERE,
        NOWHERE,
        NOWHERE,
        size=64,
        steps=2,
        batch=2,
        network_options={"channels": [4, 4, 8, 8], "stem_width": 4},
    )
    first, again = (fit_classifier(bodies(), options).state_dict() for _ in range(2))
    assert all(torch.equal(first[key], again[key]) for key in first)


def test_embedded_classifier_loads_and_its_temperature_softens():
    classifier = Classifier.load(embedded_bundle("chest-sim-classifier", "classifier"), device="cpu", precision="fp32")
    assert classifier.model.simulated and classifier.model.preprocessing == specification(classifier.model.preprocessing.rows)
    image = drawn_chest(np.random.default_rng(0), 160)
    probabilities = classifier.predict(image[None])
    with torch.inference_mode():
        logits = classifier.network(classifier.preprocess(image[None])).double().numpy()
    assert np.allclose(probabilities, softmax(logits, classifier.model.temperature), atol=1e-5)
    assert 0 < classifier.model.operating_points.osteoporosis < 1
