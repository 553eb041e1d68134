"""`analyse`: the numbers are those of forward passes on the covered pixels, signed as stated, and the JSON fits its schema."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch
from bones.quality_doubles import drawn_chest, packed
from builders import make_classifier, make_classifier_bundle, make_masks, make_network, make_radiograph

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.classifier.classifier import BATCH_BOUND, Classifier
from OsteoScreenLib.classifier.prediction import log_odds
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.explain.analyse import analyse, make_coverer
from OsteoScreenLib.explain.analysis import RESEARCH_USE_ONLY, SIMULATED_TRAINING, Analysis, AnalysisRequest
from OsteoScreenLib.explain.covering import MODES
from OsteoScreenLib.explain.fills import PAINTED
from OsteoScreenLib.explain.saliency_methods import SALIENCY_METHODS, SaliencyMethod
from OsteoScreenLib.files import resource_folder
from OsteoScreenLib.radiograph.radiograph import Note, Radiograph


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    """A random network with a strong head, so that small changes of the image show in its answer."""
    network: Any = make_network()
    with torch.no_grad():
        network.head.weight.mul_(8)
    return make_classifier(tmp_path_factory.mktemp("models") / "net", network=network)


def validated(analysis: Analysis) -> dict[str, Any]:
    schema = json.loads(resource_folder("Schemas", "analysis.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    table: dict[str, Any] = json.loads(analysis.to_json(), parse_constant=lambda word: pytest.fail(f"{word} in the JSON"))
    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(table)
    return table


def bony_radiograph() -> Radiograph:
    """A radiograph whose bones are bright, so that no fill can restore them."""
    radiograph, masks = make_radiograph(), make_masks()
    return replace(radiograph, pixels=np.where(masks.union(masks.names), np.float32(0.95), radiograph.pixels))


def forward(classifier: Classifier, pixels: np.ndarray) -> np.ndarray:
    """Class probabilities by a forward pass that shares nothing with the batching under test."""
    with torch.inference_mode():
        return torch.softmax(classifier.network(classifier.preprocess(pixels[None])).double(), 1)[0].numpy()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("fill", PAINTED)
def test_every_probability_is_a_forward_pass_on_the_covered_pixels(classifier: Classifier, mode: Any, fill: Any) -> None:
    radiograph, masks = bony_radiograph(), make_masks()
    request = AnalysisRequest(cover=("right ribs", "T5"), mode=mode, fill=fill, saliency=False, dilation_px=2.0, seed=3)

    analysis = analyse(radiograph, masks, classifier, request)

    coverer = make_coverer(radiograph, masks, request)
    untouched = forward(classifier, radiograph.pixels)
    np.testing.assert_allclose(list(analysis.prediction.probabilities.values()), untouched, atol=BATCH_BOUND)
    covering = analysis.covering
    assert covering is not None and covering.covered == ("T5", "right rib 1", "right rib 5")
    state = forward(classifier, coverer.cover(covering.covered))
    np.testing.assert_allclose(list(covering.prediction.probabilities.values()), state, atol=BATCH_BOUND)
    reference = untouched if mode == "remove" else forward(classifier, coverer.cover(masks.names))
    assert [(effect.of, effect.name, effect.bones) for effect in covering.effects] == [
        ("set", "all chosen bones", ("T5", "right rib 1", "right rib 5")),
        ("group", "Spine", ("T5",)),
        ("group", "Right ribs", ("right rib 1", "right rib 5")),
        ("bone", "T5", ("T5",)),
        ("bone", "right rib 1", ("right rib 1",)),
        ("bone", "right rib 5", ("right rib 5",)),
    ]
    for effect in covering.effects:
        hidden = effect.bones if mode == "remove" else tuple(n for n in masks.names if n not in effect.bones)
        variant = forward(classifier, coverer.cover(hidden))
        np.testing.assert_allclose(list(effect.probabilities.values()), variant, atol=BATCH_BOUND)
        assert effect.area_px == coverer.region(hidden).area > 0
        assert effect.reference_probability == pytest.approx(reference[2], abs=BATCH_BOUND)
        change = reference[2] - variant[2] if mode == "remove" else variant[2] - reference[2]
        odds = log_odds(reference[2]) - log_odds(variant[2])
        assert effect.delta_points == pytest.approx(100 * change, abs=300 * BATCH_BOUND)
        assert effect.delta_log_odds == pytest.approx(odds if mode == "remove" else -odds, abs=1e-3)
    assert max(abs(effect.delta_points) for effect in covering.effects) > 0.05, "a model blind to the bones tests nothing"
    change = untouched[2] - state[2] if mode == "remove" else state[2] - reference[2]
    assert covering.delta_points == pytest.approx(100 * change, abs=300 * BATCH_BOUND)
    validated(analysis)


def test_tokens_leave_out_the_patches_that_are_mostly_covered(classifier: Classifier, tmp_path: Path) -> None:
    radiograph, masks = bony_radiograph(), make_masks()
    request = AnalysisRequest(cover=("spine",), fill="tokens", saliency=False, dilation_px=12.0)
    analysis = analyse(radiograph, masks, classifier, request)
    dropped = classifier.patches.dropped(make_coverer(radiograph, masks, request).region(("T5", "T6")).full(masks.shape))
    expected = next(classifier.predict_without(radiograph.pixels, [dropped]))
    assert analysis.covering is not None and dropped.any()
    assert list(analysis.covering.prediction.probabilities.values()) == list(expected)
    validated(analysis)
    with pytest.raises(InputError, match="choose another fill than tokens"):
        analyse(radiograph, masks, make_classifier(tmp_path / "net", "resnet10t", {}), request)


def test_signs_on_a_model_that_reads_one_bone(tmp_path: Path) -> None:
    """The brighter the bone, the more osteoporosis: removing it in black lowers the answer, adding it back raises it."""
    network: Any = make_network("resnet10t")
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.Conv2d):
                module.weight.fill_(1 / module.weight[0].numel())
        network.fc.weight.zero_()
        network.fc.bias.zero_()
        network.fc.weight[2] = 0.05
    reading = make_classifier(tmp_path / "net", "resnet10t", {}, network=network)
    radiograph = replace(make_radiograph(), pixels=np.ones((240, 200), np.float32))
    for mode in MODES:
        covering = analyse(radiograph, make_masks(), reading, AnalysisRequest(cover=("T5",), mode=mode, fill="black")).covering
        assert covering is not None
        for effect in covering.effects:
            assert effect.delta_points > 0 and effect.delta_log_odds > 0, mode
        against = analyse(
            radiograph,
            make_masks(),
            reading,
            AnalysisRequest(target="normal", cover=("T5",), mode=mode, fill="black", saliency=False),
        )
        assert against.covering is not None and against.covering.effects[0].delta_points < 0
    assert covering is not None
    # In add-back, the state with T5 covered still shows every other bone: more than all covered.
    assert covering.delta_points > 0


def test_identical_sets_are_computed_once_and_progress_ends_at_one(classifier: Classifier) -> None:
    passes: list[int] = []
    handle = classifier.network.register_forward_pre_hook(lambda _module, args: passes.append(len(args[0])))
    shares: list[float] = []
    try:
        request = AnalysisRequest(cover=("T5",), saliency=False)
        analysis = analyse(make_radiograph(), make_masks(), classifier, request, lambda share, _words: shares.append(share))
    finally:
        handle.remove()
    # The set, its group and its bone are one and the same here.
    assert len(passes) == 2 and analysis.covering is not None and len(analysis.covering.effects) == 3
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] == 1


def test_the_same_request_gives_the_same_numbers_whatever_else_is_covered(classifier: Classifier) -> None:
    def probability(cover: tuple[str, ...]) -> float:
        covering = analyse(make_radiograph(), make_masks(), classifier, AnalysisRequest(cover=cover, saliency=False)).covering
        assert covering is not None
        return next(effect.probability for effect in covering.effects if effect.name == "T5" and effect.of == "bone")

    assert probability(("T5",)) == probability(("all",)) == probability(("right ribs", "spine"))


def test_the_json_says_everything_and_no_more(classifier: Classifier) -> None:
    radiograph = make_radiograph().with_notes(Note("no-view", "info", "The view is not stated."))
    analysis = analyse(radiograph, make_masks(), classifier, AnalysisRequest(cover=("T5", "sternum"), dilation_mm=1.0))
    table = validated(analysis)
    assert table["research_use_only"] is True
    assert table["statements"] == [RESEARCH_USE_ONLY, SIMULATED_TRAINING]
    assert table["radiograph"]["file"] == "test.dcm" and "somewhere" not in analysis.to_json()
    assert table["model"]["sha256"] == classifier.model.bundle.sha256
    assert table["covering"]["margin_px"] == 2.0 and table["covering"]["margin_mm"] == 1.0
    assert table["covering"]["not_found"] == ["sternum"]
    assert [note["code"] for note in table["notes"]] == ["input-unchecked", "no-view", "bones-not-found"]
    (t5,) = [bone for bone in table["bones"]["found"] if bone["name"] == "T5"]
    area = int(make_masks().mask("T5").sum())
    assert t5 == {
        "name": "T5", "group": "Spine", "side": "midline", "area_px": area, "area_mm2": pytest.approx(area * 0.25),
        "confidence": None, "remarks": [], "numbering_uncertain": True, "trust": None,
    }  # fmt: skip
    assert {"osteoscreen", "python", "torch", "timm", "grad-cam"} <= set(table["provenance"]["versions"])
    assert set(table["provenance"]["seconds"]) == {"prediction", "saliency", "covering"}
    assert analysis.saliency is not None
    np.testing.assert_allclose(table["saliency"]["grid"], analysis.saliency.grid)
    del table["request"]
    with pytest.raises(jsonschema.ValidationError):
        schema = json.loads(resource_folder("Schemas", "analysis.schema.json").read_text(encoding="utf-8"))
        jsonschema.validate(table, schema)


@pytest.mark.parametrize("method", SALIENCY_METHODS.values(), ids=lambda method: method.key)
def test_the_json_says_how_the_heatmap_was_made(classifier: Classifier, method: SaliencyMethod) -> None:
    shares: list[float] = []
    analysis = analyse(
        make_radiograph(), make_masks(), classifier, AnalysisRequest(saliency_method=method.key), lambda s, _: shares.append(s)
    )
    table = validated(analysis)
    assert table["request"]["saliency_method"] == method.key and table["saliency"]["method"] == method.title
    assert table["saliency"]["score"].startswith("none") != method.class_specific
    assert shares == sorted(shares) and (len(shares) > 10) == (method.key == "score-cam")
    assert validated(analyse(make_radiograph(), None, classifier, AnalysisRequest(saliency=False)))["saliency"] is None


def test_doubtful_masks_are_in_the_answer(classifier: Classifier) -> None:
    radiograph = make_radiograph((360, 340))
    masks = drawn_chest()
    for number in range(3, 8):  # on the wrong side
        masks[f"left rib {number}"] = np.roll(masks[f"left rib {number}"], -140, axis=1)
    del masks["right rib 6"]
    drawn = packed(masks).with_facts(
        confidence={"T7": 0.81}, left_out={"right rib 6": "out-of-order"}, edited=frozenset({"T8"})
    )
    table = validated(analyse(radiograph, drawn, classifier, AnalysisRequest(saliency=False)))
    bones = {bone["name"]: bone for bone in table["bones"]["found"]}
    assert bones["T7"]["confidence"] == 0.81 and bones["T7"]["trust"] == "check" and bones["T8"]["remarks"] == ["edited"]
    assert "wrong-side" in bones["left rib 5"]["remarks"] and bones["right clavicle"]["numbering_uncertain"] is False
    assert table["bones"]["absent"] == [{"name": "right rib 6", "remarks": ["out-of-order"]}]
    assert "masks-implausible" in [note["code"] for note in table["notes"]]


def test_without_bones_spacing_or_simulation(tmp_path: Path) -> None:
    training = {"simulated": False, "data": "a cohort"}
    real = Classifier.load(make_classifier_bundle(tmp_path / "real", training=training), "cpu", "fp32")
    table = validated(analyse(make_radiograph(spacing=None), None, real, AnalysisRequest(saliency=False)))
    assert table["statements"] == [RESEARCH_USE_ONLY] and table["model"]["simulated_training"] is False
    assert table["saliency"] is None and table["covering"] is None and table["bones"]["found"] == []
    assert table["radiograph"]["spacing_mm"] is None
    drawn = validated(analyse(make_radiograph(spacing=None), make_masks(), real, AnalysisRequest(saliency=False)))
    assert all(bone["area_mm2"] is None for bone in drawn["bones"]["found"])


@pytest.mark.parametrize("mode", MODES)
def test_chosen_bones_that_were_not_found_are_said(classifier: Classifier, mode: Any) -> None:
    for masks in (make_masks(), BoneMasks.pack({}, (240, 200))):
        analysis = analyse(make_radiograph(), masks, classifier, AnalysisRequest(cover=("humeri",), mode=mode, saliency=False))
        assert analysis.covering is not None and analysis.covering.effects == () and analysis.covering.area_px == 0
        assert "right humerus, left humerus" in analysis.notes[-1].text
        assert dict(analysis.covering.prediction.probabilities) == dict(analysis.prediction.probabilities)
        validated(analysis)


def test_wrong_requests_are_one_sentence(classifier: Classifier) -> None:
    unscaled: Radiograph = make_radiograph(spacing=None)
    wrong: list[tuple[AnalysisRequest, BoneMasks | None, str]] = [
        (AnalysisRequest(target="fracture"), make_masks(), "no target called 'fracture'"),
        (AnalysisRequest(saliency_method="magic"), make_masks(), "no saliency method called 'magic'"),
        (AnalysisRequest(cover=("left wing",)), make_masks(), "no bone or group called 'left wing'"),
        (AnalysisRequest(cover=("T5",)), None, "segment the radiograph first"),
        (AnalysisRequest(cover=("T5",), dilation_mm=1), make_masks(), "give it in pixels"),
        (AnalysisRequest(cover=("T5",), dilation_px=300), make_masks(), "from 0 to 200 pixels"),
        (AnalysisRequest(cover=("T5",), mode="hide"), make_masks(), "no mode called 'hide'"),  # type: ignore[arg-type]
        (AnalysisRequest(cover=("T5",), fill="pink"), make_masks(), "no fill called 'pink'"),  # type: ignore[arg-type]
        (AnalysisRequest(cover=("T5",)), make_masks((10, 10)), "use masks drawn on this radiograph"),
    ]
    for request, masks, words in wrong:
        with pytest.raises(InputError, match=words) as caught:
            analyse(unscaled, masks, classifier, request)
        assert "\n" not in str(caught.value)


def fail_once_where_gradients_are_kept(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """The heatmap's pass needs the most memory: it is the one that fails, once. The list says whether it has."""
    forward_pass = classifier.network.forward
    failed: list[bool] = []

    def full_when_gradients_are_kept(inputs: torch.Tensor) -> torch.Tensor:
        if torch.is_grad_enabled() and not failed:
            failed.append(True)
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        return forward_pass(inputs)

    monkeypatch.setattr(classifier.network, "forward", full_when_gradients_are_kept)
    return failed


def test_running_out_of_memory_on_the_way_ends_in_a_note_and_a_whole_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier = make_classifier(tmp_path / "net")
    expected = analyse(make_radiograph(), make_masks(), classifier)
    failed = fail_once_where_gradients_are_kept(classifier, monkeypatch)
    analysis = analyse(make_radiograph(), make_masks(), classifier)
    assert failed and [note.code for note in analysis.notes] == ["input-unchecked", "out-of-memory"]
    assert analysis.saliency is not None and expected.saliency is not None
    np.testing.assert_allclose(analysis.saliency.grid, expected.saliency.grid, rtol=1e-4, atol=1e-8)


def test_numbers_of_two_number_formats_never_stand_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory that gives out after the prediction moves the model; the prediction is then made again where the rest is."""
    expected = analyse(make_radiograph(), make_masks(), make_classifier(tmp_path / "whole"))
    classifier = make_classifier(tmp_path / "half")
    classifier.precision = "bf16"
    failed = fail_once_where_gradients_are_kept(classifier, monkeypatch)
    analysis = analyse(make_radiograph(), make_masks(), classifier)
    assert failed and analysis.provenance.precision == "fp32"
    assert analysis.prediction.probabilities == expected.prediction.probabilities


def test_a_model_of_another_site_is_refused_in_one_sentence(tmp_path: Path) -> None:
    knee = Classifier.load(make_classifier_bundle(tmp_path / "knee-model", site="knee"), "cpu", "fp32")
    radiograph = make_radiograph()
    with pytest.raises(InputError, match="knee-model was made for knee radiographs, and this is chest-frontal") as raised:
        analyse(radiograph, make_masks(radiograph.shape), knee)
    assert raised.value.code == "model-site" and str(raised.value).count(".") == 1
