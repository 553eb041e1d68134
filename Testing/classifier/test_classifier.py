"""Predictions: the same alone and in any batch, ordinal decisions, and a device that runs out of memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import GREY, make_classifier, make_classifier_bundle, make_network, make_radiograph

from OsteoScreenLib.classifier import classifier as classifier_module
from OsteoScreenLib.classifier import devices
from OsteoScreenLib.classifier.classifier import BATCH_BOUND, PRECISION_BOUND, Classifier
from OsteoScreenLib.classifier.prediction import OperatingPoints, decide, log_odds, target_probability
from OsteoScreenLib.errors import InputError, OsteoScreenError


def images(count: int, shape: tuple[int, int] = (120, 90)) -> np.ndarray:
    return np.stack([make_radiograph(shape, seed).pixels for seed in range(count)])


def test_probabilities_are_those_of_a_plain_forward_pass(tmp_path: Path) -> None:
    classifier = make_classifier(tmp_path / "net")
    pixels = images(3)
    found = classifier.predict(pixels)
    with torch.inference_mode():
        expected = torch.softmax(classifier.network(classifier.preprocess(pixels)).double(), 1).numpy()
    assert found.shape == (3, 3) and found.dtype == np.float64
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert np.ptp(found, axis=0).max() > 1e-3, "a network that answers the same to everything tests nothing"
    assert classifier.predict(pixels[:0]).shape == (0, 3)


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "resnet10t"])
@pytest.mark.parametrize("batch", [1, 8])
def test_alone_and_in_any_batch_agree_within_the_bound(
    tmp_path: Path, name: str, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For the processor's batch shape and for the GPU's, whatever the company and the place in the batch."""
    monkeypatch.setattr(classifier_module, "batch_size", lambda _device: batch)
    classifier = make_classifier(tmp_path / "net", name)
    pixels = images(11)
    together = classifier.predict(pixels)
    backwards = classifier.predict(pixels[::-1])[::-1]
    alone = np.concatenate([classifier.predict(pixels[index : index + 1]) for index in range(len(pixels))])
    assert abs(alone - together).max() <= BATCH_BOUND
    assert abs(backwards - together).max() <= BATCH_BOUND
    if batch == devices.BATCH_ON_CPU:
        np.testing.assert_array_equal(alone, together)


def test_every_forward_pass_has_the_same_shape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = make_classifier(tmp_path / "net")
    shapes: list[torch.Size] = []
    classifier.network.register_forward_pre_hook(lambda _module, args: shapes.append(args[0].shape))
    for batch, passes in ((1, 11), (8, 2)):
        monkeypatch.setattr(classifier_module, "batch_size", lambda _device, batch=batch: batch)
        shapes.clear()
        classifier.predict(images(11))
        assert shapes == [torch.Size([batch, 1, GREY.rows, GREY.columns])] * passes


def test_a_stream_holds_one_large_image_at_a_time(tmp_path: Path) -> None:
    classifier = make_classifier(tmp_path / "net")
    events: list[str] = []

    def source() -> Any:
        for index in range(3):
            events.append(f"made {index}")
            yield images(1)[0]

    for index, _ in enumerate(classifier.predict_stream(source())):
        events.append(f"answered {index}")
    assert events == ["made 0", "answered 0", "made 1", "answered 1", "made 2", "answered 2"]


def test_repeated_predictions_are_identical(tmp_path: Path) -> None:
    pixels = images(4)
    one = make_classifier(tmp_path / "net")
    np.testing.assert_array_equal(one.predict(pixels), one.predict(pixels))
    np.testing.assert_array_equal(one.predict(pixels), make_classifier(tmp_path / "again").predict(pixels))


def test_temperature_softens(tmp_path: Path) -> None:
    warm = Classifier.load(make_classifier_bundle(tmp_path / "warm", temperature=2.0), "cpu", "fp32")
    cold = Classifier.load(make_classifier_bundle(tmp_path / "cold"), "cpu", "fp32")
    logits = np.log(cold.predict(images(2)))
    expected = np.exp(logits / 2)
    np.testing.assert_allclose(warm.predict(images(2)), expected / expected.sum(axis=1, keepdims=True), atol=1e-6)


@pytest.mark.parametrize(
    ("probabilities", "decision"),
    [
        ((0.5, 0.3, 0.2), "osteoporosis"),  # above its operating point although the least probable
        ((0.5, 0.31, 0.19), "osteopenia"),
        ((0.6, 0.4, 0.0), "osteopenia"),
        ((0.61, 0.39, 0.0), "normal"),
        ((0.05, 0.8, 0.15), "osteopenia"),
    ],
)
def test_the_decision_is_ordinal_and_not_the_largest_probability(probabilities: tuple[float, ...], decision: str) -> None:
    prediction = decide(np.array(probabilities), OperatingPoints(osteoporosis=0.2, low_bone_mass=0.4))
    assert prediction.decision == decision
    assert tuple(prediction.probabilities.values()) == probabilities
    assert prediction.low_bone_mass == pytest.approx(probabilities[1] + probabilities[2])


def test_targets_and_log_odds() -> None:
    p = np.array([[0.7, 0.2, 0.1]])
    assert target_probability(p, "low bone mass")[0] == pytest.approx(0.3)
    assert target_probability(p, "osteoporosis")[0] == pytest.approx(0.1)
    assert log_odds(0.2) == pytest.approx(np.log(0.25))
    assert np.isfinite([log_odds(0.0), log_odds(1.0)]).all() and log_odds(0.0) == pytest.approx(-log_odds(1.0), rel=1e-3)


def test_out_of_gpu_memory_moves_to_the_processor_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = make_classifier(tmp_path / "net")
    expected = classifier.predict(images(3))
    forward = classifier.network.forward
    raised: list[int] = []

    def full_once(inputs: torch.Tensor) -> torch.Tensor:
        if len(raised) < 1:
            raised.append(len(inputs))
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return forward(inputs)

    monkeypatch.setattr(classifier.network, "forward", full_once)
    classifier.precision = "bf16"
    np.testing.assert_allclose(classifier.predict(images(3)), expected, atol=BATCH_BOUND)
    assert raised and classifier.device.type == "cpu" and classifier.precision == "fp32"
    (note,) = classifier.notes
    assert note.code == "out-of-memory" and "ran out of memory" in note.text and note.text.endswith(".")
    classifier.predict(images(1))
    assert len(classifier.notes) == 1, "said once"


@pytest.mark.parametrize(
    "error",
    [RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"), RuntimeError("[enforce fail] can't allocate memory")],
)
def test_other_devices_say_it_in_words_and_a_full_processor_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: RuntimeError
) -> None:
    classifier = make_classifier(tmp_path / "net")

    def always_full(_inputs: torch.Tensor) -> torch.Tensor:
        raise error

    monkeypatch.setattr(classifier.network, "forward", always_full)
    with pytest.raises(OsteoScreenError, match=r"too little memory for this model; close other programs"):
        classifier.predict(images(1))


def test_other_runtime_errors_are_not_taken_for_a_full_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = make_classifier(tmp_path / "net")

    def broken(_inputs: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(classifier.network, "forward", broken)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        classifier.predict(images(1))
    assert classifier.notes == ()


def test_not_finite_is_one_sentence(tmp_path: Path) -> None:
    classifier = make_classifier(tmp_path / "net")
    network: Any = classifier.network
    with torch.no_grad():
        network.head.bias.fill_(float("nan"))
    with pytest.raises(OsteoScreenError, match="no finite probability"):
        classifier.predict(images(1))


def test_half_precision_is_kept_where_it_agrees(tmp_path: Path) -> None:
    bundle = make_classifier_bundle(tmp_path / "net", temperature=20.0)
    classifier = Classifier.load(bundle, "cpu", "bf16")
    assert classifier.precision == "bf16" and classifier.notes == ()
    exact = Classifier.load(bundle, "cpu", "fp32")
    gap = abs(classifier.predict(images(3)) - exact.predict(images(3))).max()
    assert 0 < gap <= PRECISION_BOUND


def test_half_precision_that_differs_is_given_up_with_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Features beyond 65,504 overflow fp16; and rounding that is larger than the bound allows is not accepted either."""
    network: Any = make_network()
    with torch.no_grad():
        network.blocks[0].mlp.fc2.weight.mul_(1e7)
    overflowing = make_classifier_bundle(tmp_path / "overflow", network=network)
    monkeypatch.setattr(classifier_module, "PRECISION_BOUND", 1e-12)
    rounding = make_classifier_bundle(tmp_path / "rounding")
    for bundle, precision in ((overflowing, "fp16"), (rounding, "bf16")):
        classifier = Classifier.load(bundle, "cpu", precision)
        assert classifier.precision == "fp32"
        (note,) = classifier.notes
        assert note.code == "precision" and "full precision is used" in note.text
        assert np.isfinite(classifier.predict(images(1))).all()


def test_automatic_choices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert devices.choose_device("auto").type == "cpu"
    for name in ("cuda", "mps"):
        with pytest.raises(InputError, match="choose --device auto or --device cpu"):
            devices.choose_device(name)
    with pytest.raises(InputError, match="no device called 'tpu'"):
        devices.choose_device("tpu")
    with pytest.raises(InputError, match="no precision called 'fp8'"):
        devices.choose_precision(torch.device("cpu"), "fp8")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert devices.choose_device("auto").type == "mps"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert devices.choose_device("auto").type == "cuda"
    for capability, precision in (((6, 1), "fp32"), ((7, 5), "fp16"), ((8, 0), "bf16")):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device, capability=capability: capability)
        assert devices.choose_precision(torch.device("cuda")) == precision
    for has, precision in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr(devices, "processor_has_bf16", lambda has=has: has)
        assert devices.choose_precision(torch.device("cpu")) == precision
    assert devices.choose_precision(torch.device("mps")) == "fp32"


def test_each_case_settles_its_own_precision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = Classifier.load(make_classifier_bundle(tmp_path / "bundle"), "cpu", "bf16")
    assert classifier.precision == "bf16"
    case = list(images(2))
    with monkeypatch.context() as strict:
        strict.setattr(classifier_module, "PRECISION_BOUND", 1e-12)
        classifier.settle_precision(case)
        assert classifier.precision == "fp32" and [note.code for note in classifier.notes] == ["precision"]
        full = classifier.predict(images(2))
        classifier.settle_precision(case)
        assert len(classifier.notes) == 1
    # The next case is asked in half precision again.
    classifier.settle_precision(case)
    assert classifier.precision == "bf16" and not classifier.notes
    assert np.abs(classifier.predict(images(2)) - full).max() <= classifier_module.PRECISION_BOUND
    exact = Classifier.load(make_classifier_bundle(tmp_path / "exact"), "cpu", "fp32")
    exact.settle_precision(case)
    assert exact.precision == "fp32" and not exact.notes
