"""The verdict: right on models whose interest is known, silent by the stated rules, and no more often wrong than stated."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch
from builders import GREY, make_classifier, make_masks, make_radiograph
from explain.looking import looking_transformer
from explain.readers import Reader, as_classifier, grainy, reads, small_chest
from scipy.stats import binom
from study.drawn_cohort import BONE, CELL, bones

from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.classifier.classifier import Classifier
from OsteoScreenLib.classifier.domain import Domain
from OsteoScreenLib.explain import judging
from OsteoScreenLib.explain.analyse import analyse
from OsteoScreenLib.explain.analysis import AnalysisRequest, BoneEffect
from OsteoScreenLib.explain.bone_sweep import BoneSweep, SweepRequest, SweepRow
from OsteoScreenLib.explain.chance import against_chance
from OsteoScreenLib.explain.covering import Coverer
from OsteoScreenLib.explain.map_similarity import Similarity
from OsteoScreenLib.explain.overlap import Overlap
from OsteoScreenLib.explain.sanity import Cascade
from OsteoScreenLib.explain.verdict import FEWEST_CONTROLS, LEVEL, SMALLEST_EFFECT, Verdict, against_controls, verdict_on_image
from OsteoScreenLib.files import resource_folder

GROUPS = ("Spine", "Right ribs", "Left ribs", "Clavicles", "Scapulae", "Sternum", "Humeri")


def row(name: str, delta: float, controls: Any, of: Any = "group", mode: Any = "remove") -> SweepRow:
    """A sweep's row with this Δ and these controls' Δ, in percentage points."""
    effect = BoneEffect(of, name, (name,), 100, {}, 0.5, 0.5, delta, delta / 25)
    return SweepRow(mode, effect, chance=against_chance(delta, [float(value) for value in controls]))


def spread(scale: float, draws: int = 20, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, scale, draws)


SPINE = [row("Spine", 12.0, spread(1.0)), row("Right ribs", 0.5, spread(1.0, seed=1))]


def test_a_group_that_stands_out_is_looked_at_in_either_direction() -> None:
    for sign in (1, -1):
        verdict = verdict_on_image([row("Spine", 12.0 * sign, spread(1.0)), SPINE[1]])
        assert verdict.kind == "looks at bone" and verdict.numbers["group"] == "Spine"
        assert verdict.numbers["p_more"] == pytest.approx(1 / 21) and "12.0 percentage points" in verdict.sentence
        assert verdict.about == "image" and verdict.rules["level"] == LEVEL
    last = verdict_on_image(SPINE[::-1])
    assert (last.kind, last.numbers["group"]) == ("looks at bone", "Spine"), "whichever group comes first"


def test_only_groups_that_were_removed_count() -> None:
    others = [row("T5", 40.0, spread(1.0), of="bone"), row("Spine", 40.0, spread(1.0), mode="add-back"),
              row("all bones", 40.0, spread(1.0), of="set"), replace(SPINE[0], chance=None)]  # fmt: skip
    assert against_controls(others) is None
    assert verdict_on_image(others).kind == "cannot tell" and "no bone group has controls" in verdict_on_image(others).sentence
    assert verdict_on_image([*others, SPINE[1]]).kind == "cannot tell"


def test_the_fewest_controls_are_those_with_which_chance_can_be_told() -> None:
    enough, few = (
        verdict_on_image([row("Spine", 12.0, spread(1.0, draws))]) for draws in (FEWEST_CONTROLS, FEWEST_CONTROLS - 1)
    )
    assert enough.kind == "looks at bone" and 1 / (1 + FEWEST_CONTROLS) <= LEVEL < 1 / FEWEST_CONTROLS
    assert few.kind == "cannot tell" and "too few" in few.sentence
    # A group with little room for controls does not silence the others.
    assert verdict_on_image([SPINE[0], row("Humeri", 1.0, spread(1.0, 4))]).kind == "looks at bone"


def test_an_effect_within_rounding_is_none() -> None:
    small, large = (verdict_on_image([row("Spine", size, spread(0.01))]) for size in (SMALLEST_EFFECT - 1e-6, SMALLEST_EFFECT))
    assert (small.kind, large.kind) == ("cannot tell", "looks at bone") and "no covering" in small.sentence


def test_bone_that_matters_less_than_its_surroundings_is_not_looked_at() -> None:
    elsewhere = 5 + np.abs(spread(2.0))
    verdict = verdict_on_image([row("Spine", 0.2, elsewhere), row("Right ribs", -0.1, elsewhere[::-1])])
    assert verdict.kind == "does not" and verdict.sentence.startswith("Does not look at bone")
    assert verdict.numbers["largest_points"] == pytest.approx(0.2) and verdict.numbers["p_less"] == pytest.approx(1 / 21)
    # One group as strong as what is elsewhere: no longer.
    assert verdict_on_image([row("Spine", 0.2, elsewhere), row("Right ribs", 6.0, elsewhere)]).kind == "cannot tell"
    # Nothing moves the answer, here or elsewhere.
    still = verdict_on_image([row("Spine", 0.0, 0.1 * elsewhere)])
    assert still.kind == "cannot tell"


def cascade(values: tuple[float, ...]) -> Cascade:
    return Cascade("grad-cam", ("all",), (tuple(Similarity(value, None) for value in values),))


SENSITIVE, INSENSITIVE, OPEN = cascade((0.1, 0.0, -0.1)), cascade((0.9, 0.95, 0.92)), cascade((0.9, 0.1, 0.4))
ON_SPINE = Overlap("group", "Spine", 0.1, 0.3, 3.0)


@pytest.mark.parametrize(
    ("known", "kind", "words"),
    [
        ({}, "looks at bone", "p = 0.048"),
        ({"overlap": (ON_SPINE,)}, "looks at bone", "3.0 times as rich"),
        ({"overlap": (replace(ON_SPINE, enrichment=1.0),)}, "cannot tell", "lies elsewhere"),
        ({"overlap": (replace(ON_SPINE, enrichment=0.2, of="bone"),)}, "looks at bone", "Spine"),
        ({"overlap": (replace(ON_SPINE, enrichment=None),)}, "looks at bone", "Spine"),
        ({"sanity": SENSITIVE}, "looks at bone", "Spine"),
        ({"sanity": INSENSITIVE}, "cannot tell", "does not depend on what was learnt"),
        ({"sanity": OPEN}, "cannot tell", "whether the map depends"),
        ({"sanity": Cascade("grad-cam", ("all",), ())}, "looks at bone", "Spine"),
        ({"domain": Domain(9.0, 100.0, "out")}, "cannot tell", "unlike the images"),
        ({"domain": Domain(1.6, 97.0, "borderline")}, "looks at bone", "Spine"),
        ({"domain": Domain(1.6, 97.0, "out"), "sanity": INSENSITIVE}, "cannot tell", "unlike the images"),
    ],
)
def test_what_else_is_known_can_silence_the_verdict(known: dict[str, Any], kind: str, words: str) -> None:
    verdict = verdict_on_image(SPINE, **known)
    assert verdict.kind == kind and words in verdict.sentence and verdict.sentence.endswith(".")
    assert verdict.sentence.count(". ") == 0, "one sentence"


def test_a_heatmap_never_makes_the_verdict() -> None:
    rich = Overlap("group", "Spine", 0.1, 0.9, 9.0)
    chance = [row("Spine", 1.5, spread(2.0))]
    assert verdict_on_image(chance, (rich,), SENSITIVE).kind == "cannot tell"
    elsewhere = [row("Spine", 0.2, 5 + np.abs(spread(2.0)))]
    assert verdict_on_image(elsewhere, (rich,), SENSITIVE).kind == "does not"


def test_by_chance_alone_it_is_said_no_more_often_than_stated() -> None:
    """Bones whose effects are drawn as their controls' are, groups of very different strength."""
    kinds: list[str] = []
    images = 1500
    for seed in range(images):
        rng = np.random.default_rng(seed)
        drawn = [rng.normal(rng.normal(0, 3), 4.0**place, 21) for place in range(-1, 4)]
        kinds.append(verdict_on_image([row(GROUPS[i], one[0], one[1:]) for i, one in enumerate(drawn)]).kind)
    for kind in ("looks at bone", "does not"):
        said = kinds.count(kind)
        assert binom.sf(said - 1, images, LEVEL) > 1e-3, (kind, said)
        assert said > 0.01 * images, "the test is not made to say nothing"


def verdicts(make: Any, seeds: range = range(12)) -> list[Verdict]:
    found = []
    for seed in seeds:
        masks = small_chest(seed)
        rows = (
            BoneSweep(grainy(seed, masks), masks, as_classifier(make(masks, seed)), SweepRequest(modes=("remove",))).run().rows
        )
        found.append(verdict_on_image(rows))
    return found


def test_a_reader_of_the_spine_looks_at_bone() -> None:
    def spine(masks: BoneMasks, seed: int) -> Reader:
        return reads(masks.union([name for name in masks.names if name.startswith("T")]).astype(np.float32), 0.01)

    found = verdicts(spine)
    assert sum(one.kind == "looks at bone" for one in found) >= 11, [one.sentence for one in found]
    assert all(one.numbers["group"] == "Spine" for one in found if one.kind == "looks at bone")


def test_a_reader_of_what_is_not_bone_does_not() -> None:
    def tissue(masks: BoneMasks, seed: int) -> Reader:
        outside = ~masks.union(masks.names)

        def grain(picture: np.ndarray) -> float:  # covering tissue anywhere takes some of it away
            return float((abs(picture - 0.35) * outside).sum())

        untouched = grain(grainy(seed, masks))
        return Reader(lambda picture: 0.05 * (grain(picture) - untouched))

    found = verdicts(tissue)
    assert sum(one.kind == "does not" for one in found) >= 11, [one.sentence for one in found]


def test_a_reader_of_nothing_cannot_be_told() -> None:
    assert {one.kind for one in verdicts(lambda masks, seed: Reader(lambda picture: 0.3), range(3))} == {"cannot tell"}


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    network: Any
    network, options = looking_transformer("class token", GREY, CELL)
    with torch.no_grad():
        network.head.weight.mul_(6)
    return make_classifier(tmp_path_factory.mktemp("models") / "reads-one-bone", options=options, network=network)


def bright_bone() -> Any:
    masks = bones()
    pixels = np.full(masks.shape, 0.2, np.float32)
    pixels[masks.mask(BONE)] = 0.9
    return replace(make_radiograph(masks.shape), pixels=pixels), masks


def test_an_analysis_carries_the_verdict_where_it_is_asked_for(reader: Classifier) -> None:
    radiograph, masks = bright_bone()
    told: list[float] = []
    request = AnalysisRequest(verdict=True, fill="black", seed=1, cover=("Spine",))
    found = analyse(radiograph, masks, reader, request, lambda share, _words: told.append(share))
    assert found.verdict is not None and found.verdict.kind == "looks at bone", found.verdict
    assert found.verdict.numbers["group"] == "Spine" and found.verdict.numbers["map_method"] == "gradient-attention"
    assert told == sorted(told) and found.provenance.seconds["verdict"] > 0
    table = json.loads(found.to_json())
    schema = json.loads(resource_folder("Schemas", "analysis.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(table)
    assert table["verdict"] == json.loads(json.dumps(asdict(found.verdict)))
    again = analyse(radiograph, masks, reader, request).verdict
    assert again == found.verdict

    assert analyse(radiograph, masks, reader, AnalysisRequest()).verdict is None
    assert json.loads(analyse(radiograph, None, reader, request=AnalysisRequest(verdict=True)).to_json())["verdict"] is None


def test_the_groups_numbers_are_those_of_the_whole_sweep(reader: Classifier) -> None:
    radiograph, masks = bright_bone()
    request = AnalysisRequest(fill="black", seed=3)
    coverer = Coverer(radiograph.pixels, masks, "remove", "black", seed=3)
    told: list[float] = []
    found = judging.swept_groups(coverer, reader, request, told.append)
    whole = BoneSweep(radiograph.pixels, masks, reader, SweepRequest(modes=("remove",), fill="black", seed=3)).run().rows
    assert list(found) == [one for one in whole if one.effect.of != "bone"] and told == sorted(told)


def test_outside_the_training_images_nothing_is_measured(reader: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    radiograph, masks = bright_bone()
    monkeypatch.setattr(judging, "swept_groups", lambda *_: pytest.fail("there is no need to"))
    coverer = Coverer(radiograph.pixels, masks, "remove", "black")
    verdict = judging.judge(coverer, reader, AnalysisRequest(), domain=Domain(9.0, 100.0, "out"))
    assert verdict.kind == "cannot tell" and verdict.numbers["domain"] == "out"


def test_without_a_bone_the_verdict_is_a_sentence(reader: Classifier) -> None:
    radiograph, masks = bright_bone()
    nothing = BoneMasks.pack({}, masks.shape)
    verdict = analyse(radiograph, nothing, reader, AnalysisRequest(verdict=True, saliency=False)).verdict
    assert verdict is not None and verdict.kind == "cannot tell" and verdict.numbers["controls"] == 0


def test_a_heatmap_that_is_empty_is_no_witness(tmp_path: Path) -> None:
    """A random network whose heatmap may be anything: judged without one, no number of it appears."""
    classifier = make_classifier(tmp_path / "net")
    masks = make_masks((120, 100))
    radiograph = replace(make_radiograph((120, 100)), pixels=np.full((120, 100), 0.5, np.float32))
    coverer = Coverer(radiograph.pixels, masks, "remove", "black")
    verdict = judging.judge(coverer, classifier, AnalysisRequest(fill="black"))
    assert verdict.numbers["map_method"] is None and verdict.numbers["map_without_learning"] is None
