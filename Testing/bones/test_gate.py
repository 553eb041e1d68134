"""The gate: its canvas commutes with every lay of the image, its answers do too, and tags that disagree are said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from OsteoScreenLib.bones.gate import Gate, GateLimits, GateReport, apply_gate, lay_upright, require_accepted  # noqa: E402
from OsteoScreenLib.bones.gate_network import GateNetwork, candidates, canvas  # noqa: E402
from OsteoScreenLib.bones.vocabulary import CHEST_FRONTAL, KNEE  # noqa: E402
from OsteoScreenLib.bundle import write_bundle  # noqa: E402
from OsteoScreenLib.errors import InputError, OsteoScreenError  # noqa: E402
from OsteoScreenLib.radiograph.radiograph import Placement, Radiograph, Source  # noqa: E402

LAYS = [Placement(mirrored, turns, inverted) for inverted in (False, True) for mirrored in (False, True) for turns in range(4)]
SIZE = 32


def lay(pixels: np.ndarray, placement: Placement) -> np.ndarray:
    turned = np.ascontiguousarray(placement.apply(pixels))
    return np.float32(1) - turned if placement.inverted else turned


def random_gate(seed: int = 0) -> Gate:
    torch.manual_seed(seed)
    return Gate(GateNetwork(SIZE, (4, 8, 8), 4), GateLimits(0.0, 0.5, 0.5), SIZE)


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(3).random((61, 90), dtype=np.float32)


@pytest.mark.parametrize("shape", [(61, 90), (200, 37), (64, 64), (5, 7), (1, 40)])
@pytest.mark.parametrize("levels", [0, 255, 4095])
def test_canvas_commutes_exactly_with_every_lay(shape, levels):
    image = np.random.default_rng(1).random(shape, dtype=np.float32)
    if levels:
        image = (np.round(image * levels) / levels).astype(np.float32)
    laid = candidates(canvas(image, SIZE))
    for index, placement in enumerate(LAYS):
        assert np.array_equal(canvas(lay(image, placement), SIZE), laid[index]), placement


def test_canvas_keeps_the_shape_and_centres_it():
    square = canvas(np.tile(np.linspace(0, 1, 80, dtype=np.float32), (20, 1)), SIZE)
    assert np.all(square[:, : SIZE * 3 // 8] == 0) and np.all(square[:, -SIZE * 3 // 8 :] == 0)
    assert square[0, SIZE // 2, 0] < -0.9 and square[0, SIZE // 2, -1] > 0.9


def test_ranks_do_not_feel_a_tone_curve(pixels):
    assert np.allclose(canvas(pixels[:SIZE, :SIZE], SIZE)[1], canvas(np.sqrt(pixels[:SIZE, :SIZE]), SIZE)[1])


def test_blank_image_gives_a_blank_canvas():
    assert not canvas(np.full((40, 30), 0.7, np.float32), SIZE).any()


@pytest.mark.parametrize("seed", range(4))
def test_every_copy_gets_the_same_answer_and_lands_on_the_same_picture(pixels, seed):
    gate = random_gate(seed)
    first = gate.inspect(Radiograph(pixels))
    upright = lay(pixels, first.correction)
    for placement in LAYS:
        copy = Radiograph(lay(pixels, placement))
        report = gate.inspect(copy)
        assert report.probability == first.probability
        assert report.confidence == first.confidence
        assert not report.correction.mirrored
        corrected = lay(copy.pixels, report.correction)
        unmirrored = np.fliplr(corrected) if placement.mirrored else corrected
        assert np.allclose(unmirrored, upright, atol=1e-6), placement


def test_mirrored_copy_flips_only_the_suspicion(pixels):
    gate = random_gate(2)
    plain, mirrored = (gate.inspect(Radiograph(image)) for image in (pixels, np.ascontiguousarray(np.fliplr(pixels))))
    assert plain.mirrored_suspected != mirrored.mirrored_suspected


def report(**changes) -> GateReport:
    return replace(GateReport(True, 0.99, Placement(), False, 0.98, False), **changes)


def codes(radiograph: Radiograph) -> list[str]:
    return [note.code for note in radiograph.notes]


def test_agreement_changes_nothing(pixels):
    radiograph = Radiograph(pixels)
    same = apply_gate(radiograph, report())
    assert same.pixels is radiograph.pixels and not same.notes and same.placement == Placement()


def test_disagreement_turns_the_image_and_is_noted(pixels):
    radiograph = Radiograph(pixels, spacing_mm=(0.1, 0.2), source=Source(photometric_interpretation="MONOCHROME1"))
    fixed = apply_gate(radiograph, report(correction=Placement(False, 1, True)))
    assert codes(fixed) == ["orientation-corrected", "polarity-corrected"]
    assert np.array_equal(fixed.pixels, 1 - np.rot90(pixels))
    assert fixed.spacing_mm == (0.2, 0.1)
    assert fixed.placement == Placement(False, 1, True)
    assert "MONOCHROME1" in fixed.notes[1].text


def test_what_the_reader_chose_is_kept_but_the_disagreement_is_said(pixels):
    wrong = report(correction=Placement(False, 2, True))
    kept = apply_gate(Radiograph(pixels), wrong, keep_orientation=True, keep_polarity=True)
    assert np.array_equal(kept.pixels, pixels) and kept.placement == Placement()
    assert codes(kept) == ["orientation-disagrees", "polarity-disagrees"]
    half = apply_gate(Radiograph(pixels), wrong, keep_orientation=True)
    assert np.array_equal(half.pixels, 1 - pixels) and codes(half) == ["orientation-disagrees", "polarity-corrected"]


def test_mirror_and_doubt_are_notes_and_change_nothing(pixels):
    doubted = apply_gate(Radiograph(pixels), report(mirrored_suspected=True, uncertain=True, confidence=0.6))
    assert codes(doubted) == ["mirror-suspected", "gate-uncertain"]
    assert np.array_equal(doubted.pixels, pixels)


@pytest.mark.parametrize(
    ("site", "said"), [("HIP", "HIP"), ("CHEST", "although its tags name the body part CHEST"), ("", "no body part")]
)
def test_refusal_is_one_sentence_that_says_what_the_tags_claim(pixels, site, said):
    with pytest.raises(InputError) as caught:
        require_accepted(Radiograph(pixels, site=site), report(accepted=False, probability=0.02))
    assert caught.value.code == "not-frontal-chest"
    message = str(caught.value)
    assert said in message and message.count(". ") == 0 and message.endswith(".")


@pytest.mark.parametrize(("site", "expected"), [("JAW", ["site-disagrees"]), ("CHEST", []), ("", []), ("THORAX PA", [])])
def test_chest_under_another_name_passes_with_a_note(pixels, site, expected):
    radiograph = Radiograph(pixels, site=site)
    require_accepted(radiograph, report())
    assert codes(apply_gate(radiograph, report())) == expected


def test_lateral_tag_on_a_frontal_chest_is_noted(pixels):
    assert codes(apply_gate(Radiograph(pixels, site="CHEST", view="LATERAL"), report())) == ["view-disagrees"]


@pytest.mark.parametrize(
    ("tagged", "said"), [("KNEE", "although its tags name the body part KNEE"), ("CHEST", "name the body part CHEST")]
)
def test_the_sentence_names_the_site_that_was_looked_for(pixels, tagged, said):
    with pytest.raises(InputError) as caught:
        require_accepted(Radiograph(pixels, site=tagged), report(accepted=False, probability=0.02, site=KNEE))
    assert caught.value.code == "not-frontal-knee"
    message = str(caught.value)
    assert "does not look like a frontal knee radiograph (2%" in message and said in message
    assert "this model reads frontal knees only" in message and "chest radiograph" not in message


def test_knee_under_the_name_of_a_chest_passes_with_a_note(pixels):
    passed = apply_gate(Radiograph(pixels, site="CHEST"), report(site=KNEE))
    assert codes(passed) == ["site-disagrees"] and "shows a frontal knee" in passed.notes[0].text
    assert not apply_gate(Radiograph(pixels, site="LEG"), report(site=KNEE)).notes


def test_a_site_without_a_gate_is_not_checked_and_says_so(pixels):
    unchecked = lay_upright(Radiograph(pixels), None, KNEE)
    assert codes(unchecked) == ["image-unchecked"] and "frontal knee" in unchecked.notes[0].text
    assert unchecked.pixels is pixels


def test_a_gate_without_a_limit_for_mirrors_never_suspects_one(pixels):
    torch.manual_seed(2)
    gate = Gate(GateNetwork(SIZE, (4, 8, 8), 4), GateLimits(0.0, 0.5, 0.0), SIZE, site=KNEE)
    for image in (pixels, np.ascontiguousarray(np.fliplr(pixels))):
        found = gate.inspect(Radiograph(image))
        assert found.site is KNEE and not found.mirrored_suspected


def gate_manifest(**changes):
    return {
        "id": "odd-gate", "kind": "gate", "title": "odd", "site": CHEST_FRONTAL.name, "preprocessing": {}, "training": {},
        "architecture": {"kwargs": {"size": 32, "widths": [4, 8], "reduced": 4}}, "licence": "Apache-2.0",
        "intended_use": "test", "limits": {"probability": 0.5, "confidence": 0.8, "mirrored": 0.2}, "temperature": 1.0,
    } | changes  # fmt: skip


def test_a_bundle_says_which_site_its_gate_looks_for(tmp_path):
    network = GateNetwork(32, (4, 8), 4)
    bundle = write_bundle(tmp_path / "a", gate_manifest(site="knee"), network.state_dict(), "# Odd\n")
    assert Gate.from_bundle(bundle).site is KNEE
    with pytest.raises(InputError, match="elbow"):
        Gate.from_bundle(write_bundle(tmp_path / "b", gate_manifest(site="elbow"), network.state_dict(), "# Odd\n"))


def test_weights_of_another_network_are_one_sentence(tmp_path):
    bundle = write_bundle(tmp_path / "odd-gate", gate_manifest(), {"weight": torch.zeros(3)}, "# Odd\n")
    with pytest.raises(OsteoScreenError, match="odd-gate"):
        Gate.from_bundle(bundle)
