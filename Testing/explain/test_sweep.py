"""The sweep: every bone and group in both modes, the same twice to the bit, alone as in the stream, and honest about its masks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import make_classifier, make_classifier_bundle, make_masks, make_network, make_radiograph
from explain.readers import SHAPE, Reader, as_classifier, grainy, reads, small_chest

from OsteoScreenLib.bones.embedded import EmbeddedSegmenter
from OsteoScreenLib.bones.masks import BoneMasks
from OsteoScreenLib.bundle import embedded_bundle
from OsteoScreenLib.classifier.classifier import BATCH_BOUND, PRECISION_BOUND, Classifier
from OsteoScreenLib.classifier.prediction import log_odds
from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.explain.bone_sweep import ALL_BONES, BoneSweep, SweepRequest, SweepRow, SweepTable
from OsteoScreenLib.explain.controls import Controls
from OsteoScreenLib.explain.covering import MODES, Coverer
from OsteoScreenLib.explain.fills import FILLS
from OsteoScreenLib.explain.sweep import Trial, sweep
from OsteoScreenLib.files import resource_folder
from OsteoScreenLib.radiograph.read import read_radiograph

GROUPS = {"Spine": ("T5", "T6"), "Right ribs": ("right rib 1", "right rib 5"), "Clavicles": ("right clavicle",)}
BONES = ("T5", "T6", "right rib 1", "right rib 5", "right clavicle")


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    """A random network with a strong head, so that small changes of the image show in its answer."""
    network: Any = make_network()
    with torch.no_grad():
        network.head.weight.mul_(8)
    return make_classifier(tmp_path_factory.mktemp("models") / "net", network=network)


def table(classifier: Any, **changes: Any) -> SweepTable:
    options = {"seed": 3, "margin_px": 2.0, "controls": 3, **changes}
    return BoneSweep(bony(), make_masks(), classifier, SweepRequest(**options)).run()


def bony() -> np.ndarray:
    """Bright bones, so that no fill can restore them."""
    masks = make_masks()
    return np.where(masks.union(masks.names), np.float32(0.95), make_radiograph().pixels)


def numbers(swept: SweepTable) -> list[Any]:
    return [(row.mode, vars(row.effect), None if row.chance is None else vars(row.chance)) for row in swept.rows]


@pytest.mark.parametrize("fill", FILLS)
def test_the_same_sweep_twice_gives_the_same_numbers_to_the_bit(classifier: Classifier, fill: Any) -> None:
    first, second = table(classifier, fill=fill), table(classifier, fill=fill)
    assert numbers(first) == numbers(second)
    assert len({row.effect.probability for row in first.rows}) > 6, "covering does change this model's answer"
    if fill in {"noise", "linear"}:
        assert numbers(table(classifier, fill=fill, seed=4)) != numbers(first)


@pytest.mark.parametrize("fill", FILLS)
def test_a_toggle_alone_agrees_with_the_sweep(classifier: Classifier, fill: Any) -> None:
    """On a processor to the bit; everywhere within the bound that `sweep` states."""
    swept = table(classifier, fill=fill, controls=0)
    every = frozenset(BONES)
    for row in swept.rows:
        bones = frozenset(row.effect.bones)
        coverer = Coverer(bony(), make_masks(), row.mode, fill, 2.0, 3)
        alone = Trial(bones if row.mode == "remove" else every - bones)
        (variant,) = sweep(coverer, classifier, [alone]).values()
        inside = np.array(list(row.effect.probabilities.values()))
        np.testing.assert_allclose(variant.probabilities, inside, atol=BATCH_BOUND, rtol=0)
        np.testing.assert_array_equal(variant.probabilities, inside)
        assert variant.area_px == row.effect.area_px


def test_every_bone_and_group_in_both_modes_with_the_stated_signs(classifier: Classifier) -> None:
    swept = table(classifier, controls=0)
    names = [ALL_BONES, *GROUPS, *BONES]
    assert [(row.mode, row.effect.name) for row in swept.rows] == [(mode, name) for mode in MODES for name in names]
    masks, coverers = make_masks(), {mode: Coverer(bony(), make_masks(), mode, "mean", 2.0) for mode in MODES}
    untouched = classifier.predict(bony()[None])[0][2]
    nothing = classifier.predict(coverers["remove"].cover(masks.names)[None])[0][2]
    for row in swept.rows:
        effect = row.effect
        assert effect.bones == (GROUPS | {ALL_BONES: BONES}).get(effect.name, (effect.name,))
        hidden = effect.bones if row.mode == "remove" else set(BONES) - set(effect.bones)
        shown = classifier.predict(coverers[row.mode].cover(hidden)[None])[0][2]
        assert effect.probability == pytest.approx(shown, abs=1e-9)
        wanted = 100 * (untouched - shown) if row.mode == "remove" else 100 * (shown - nothing)
        assert effect.delta_points == pytest.approx(wanted, abs=1e-6)
        odds = log_odds(untouched) - log_odds(shown) if row.mode == "remove" else log_odds(shown) - log_odds(nothing)
        assert effect.delta_log_odds == pytest.approx(odds, abs=1e-6)
    # Both are the whole bony skeleton's worth, looked at from its two ends.
    assert swept.row(ALL_BONES, "remove").effect.delta_points == swept.row(ALL_BONES, "add-back").effect.delta_points
    with pytest.raises(KeyError):
        swept.row("femur", "remove")


def test_controls_are_forward_passes_on_their_regions(classifier: Classifier) -> None:
    swept = table(classifier)
    coverer = Coverer(bony(), make_masks(), "remove", "mean", 2.0, 3)
    controls = Controls(coverer, 3)
    untouched = classifier.predict(bony()[None])[0][2]
    points = []
    for draw in (1, 2, 3):
        region = controls.region({"T5"}, "remove", draw)
        assert region is not None
        points.append(100 * (untouched - classifier.predict(coverer.cover_region(region)[None])[0][2]))
    chance = swept.row("T5", "remove").chance
    assert chance is not None and chance.draws == 3 and chance.quantiles["0.5"] == pytest.approx(sorted(points)[1], abs=1e-9)
    assert swept.row(ALL_BONES, "add-back").chance is None, "with every bone shown there is no other place to show"


def test_effects_come_first_then_controls_and_the_stream_can_be_left() -> None:
    reader = reads(np.ones(SHAPE), 0.001)
    rows: list[SweepRow] = []
    shares: list[float] = []
    sweeping = BoneSweep(grainy(1), small_chest(1), as_classifier(reader), SweepRequest(controls=4))
    for row in sweeping.stream(shares.append):
        rows.append(row)
    plain = [index for index, row in enumerate(rows) if row.chance is None]
    assert plain == list(range(2 * (1 + 5 + 12))) and len(rows) == 2 * len(plain) - 1, "all bones added back has no controls"
    assert shares == sorted(shares) and shares[-1] == 1.0
    all_passes, reader.passes = reader.passes, 0
    for number, _row in enumerate(sweeping.stream()):
        if number == 4:
            break
    assert reader.passes <= 7 < all_passes


def test_one_picture_is_one_pass(classifier: Classifier) -> None:
    """Five bones, three groups, one of them of a single bone, and all bones; in both modes; and the two references."""
    passes: list[int] = []
    handle = classifier.network.register_forward_pre_hook(lambda _module, args: passes.append(len(args[0])))
    try:
        table(classifier, controls=0)
        assert len(passes) == 2 + 2 * (5 + 2)
        passes.clear()
        masks = make_masks()
        twin = {name: masks.mask(name) for name in masks.names} | {"sternum": masks.mask("T6")}
        swept = BoneSweep(bony(), BoneMasks.pack(twin, masks.shape), classifier, SweepRequest(controls=0)).run()
    finally:
        handle.remove()
    assert len(passes) == 2 + 2 * (5 + 2)
    assert swept.row("T6", "remove").same_as == ("sternum",) and swept.row("sternum", "add-back").same_as == ("T6",)
    assert [(note.code, note.text) for note in swept.notes] == [
        ("masks-identical", "T6 and sternum have the very same mask, so their numbers are one and the same.")
    ]
    for mode in MODES:
        one, other = (swept.row(name, mode).effect for name in ("T6", "sternum"))
        assert replace(one, name="", bones=()) == replace(other, name="", bones=())


@pytest.mark.parametrize("mode", MODES)
def test_a_model_that_reads_one_bone_puts_it_first(mode: Any) -> None:
    first = exceeds = cases = 0
    for seed in range(150):
        masks = small_chest(seed)
        bone = masks.names[seed % len(masks.names)]
        mask = masks.mask(bone)
        reader = reads(mask / mask.sum(), 6.0)
        controls = 20 if seed % 10 == 0 else 0
        request = SweepRequest(modes=(mode,), seed=seed, controls=controls)
        rows = BoneSweep(grainy(seed, masks), masks, as_classifier(reader), request).run().rows
        bones = sorted((row for row in rows if row.effect.of == "bone"), key=lambda row: -row.effect.delta_points)
        first += bones[0].effect.name == bone and bones[0].effect.delta_points > bones[1].effect.delta_points
        if controls:
            cases += 1
            exceeds += bones[0].chance is not None and bones[0].chance.percentile > 95
    assert first >= 0.99 * 150, f"{first} of 150"
    assert exceeds == cases == 15


@pytest.mark.parametrize("fill", ["mean", "tokens"])
def test_bf16_agrees_with_fp32_within_the_stated_bound(tmp_path: Path, fill: Any) -> None:
    bundle = make_classifier_bundle(tmp_path / "net")
    full = Classifier.load(bundle, "cpu", "fp32")
    half = Classifier.load(bundle, "cpu", "bf16")
    assert half.precision == "bf16", [note.text for note in half.notes]
    one, other = table(full, fill=fill, controls=2), table(half, fill=fill, controls=2)
    assert (one.precision, other.precision) == ("fp32", "bf16")
    gaps = [abs(a.effect.probability - b.effect.probability) for a, b in zip(one.rows, other.rows, strict=True)]
    assert 0 < max(gaps) <= PRECISION_BOUND
    assert numbers(other) == numbers(table(half, fill=fill, controls=2)), "half precision repeats itself to the bit"


def test_left_out_patches_are_those_mostly_covered_and_controls_leave_out_as_many(classifier: Classifier) -> None:
    coverer = Coverer(bony(), make_masks(), "remove", "tokens", 12.0)
    controls, grid = Controls(coverer, 1), classifier.patches
    spine = frozenset({"T5", "T6"})
    shown: list[tuple[int, int]] = []
    trials = [Trial(spine), *(Trial(spine, None, draw) for draw in (1, 2, 3))]
    pictures: list[np.ndarray] = []

    def keep(trial: Trial, region: Any, picture: np.ndarray) -> None:
        shown.append((trial.draw, int(grid.dropped(region.full(coverer.pixels.shape)).sum())))
        pictures.append(picture)

    answers = sweep(coverer, classifier, trials, shown=keep, controls=controls)
    dropped = grid.dropped(coverer.region(spine).full(coverer.pixels.shape))
    assert shown == [(draw, int(dropped.sum())) for draw in range(4)] and dropped.sum() > 1
    expected = next(classifier.predict_without(bony(), [dropped]))
    np.testing.assert_array_equal(answers[trials[0]].probabilities, expected)
    assert len({tuple(answer.probabilities) for answer in answers.values()}) == 4
    notes = BoneSweep(bony(), make_masks(), classifier, SweepRequest(fill="tokens")).notes
    assert [note.code for note in notes] == ["no-patch-covered"] and "T5" in notes[0].text
    black = pictures[0] != bony()
    assert (pictures[0][black] == 0).all() and grid.coverage(black)[dropped].min() > 0.8


def test_a_device_that_gives_out_on_the_way_starts_the_table_again() -> None:
    reader = reads(np.ones(SHAPE), 0.001)
    plain = reader.score

    def giving_out(picture: np.ndarray) -> float:
        if reader.passes == 20:
            reader.device.type = "elsewhere"
        return plain(picture) + (1.0 if reader.device.type == "elsewhere" else 0.0)

    reader.score = giving_out
    swept = BoneSweep(grainy(1), small_chest(1), as_classifier(reader), SweepRequest(controls=2)).run()
    again = BoneSweep(grainy(1), small_chest(1), as_classifier(reader), SweepRequest(controls=2)).run()
    assert swept.device == "elsewhere" and numbers(swept) == numbers(again)


def test_what_cannot_be_swept_is_one_sentence(tmp_path: Path) -> None:
    reader, masks, pixels = as_classifier(Reader(lambda _picture: 0.0)), small_chest(0), grainy(0)
    nowhere = BoneMasks(np.zeros((1, *SHAPE), np.uint8), {"T5": (0, 1)})
    everywhere = BoneMasks.pack({"T5": np.ones(SHAPE, bool), "T6": masks.mask("T6")}, SHAPE)
    convnet = make_classifier(tmp_path / "convnet", "resnet10t", {})
    wrong: list[tuple[BoneMasks, Any, SweepRequest, str]] = [
        (BoneMasks.pack({}, SHAPE), reader, SweepRequest(), "no-masks"),
        (nowhere, reader, SweepRequest(), "no-masks"),
        (everywhere, reader, SweepRequest(), "masks-everywhere"),
        (everywhere, reader, SweepRequest(modes=("add-back",)), "masks-everywhere"),
        (masks, reader, SweepRequest(margin_px=190.0), "masks-everywhere"),
        (masks, convnet, SweepRequest(fill="tokens"), "tokens"),
        (masks, reader, SweepRequest(fill="pink"), "fill"),  # type: ignore[arg-type]
        (masks, reader, SweepRequest(modes=("hide",)), "mode"),  # type: ignore[arg-type]
        (masks, reader, SweepRequest(modes=()), "option"),
        (masks, reader, SweepRequest(controls=-1), "option"),
        (masks, reader, SweepRequest(target="fracture"), "target"),
        (masks, reader, SweepRequest(margin_px=300.0), "margin"),
    ]
    for drawn, model, request, code in wrong:
        with pytest.raises(InputError) as refused:
            BoneSweep(pixels, drawn, model, request)
        assert refused.value.code == code and "\n" not in str(refused.value) and str(refused.value).endswith(".")


def test_empty_and_one_pixel_masks_are_said_and_the_rest_is_swept() -> None:
    masks = small_chest(0)
    dot = np.zeros(SHAPE, bool)
    dot[60, 50] = True
    packed = BoneMasks.pack({"T5": masks.mask("T5"), "T9": dot}, SHAPE)
    drawn = BoneMasks(packed.layers, {**packed.table, "T10": (0, 77)})
    reader = reads(np.ones(SHAPE), 0.001)
    swept = BoneSweep(grainy(0, masks), drawn, as_classifier(reader), SweepRequest(controls=20)).run()
    assert {row.effect.name for row in swept.rows} == {ALL_BONES, "Spine", "T5", "T9"}
    assert swept.row("T9", "remove").effect.area_px == 1 and swept.row("T9", "remove").chance is not None
    assert [note.code for note in swept.notes] == ["masks-empty", "masks-tiny"]
    assert [note.text for note in swept.notes] == [
        "Not swept, because the mask is empty: T10.",
        "The mask is a single pixel, too small for the model to miss it: T9.",
    ]


def test_a_probability_that_is_no_number_is_one_sentence(tmp_path: Path) -> None:
    network: Any = make_network()
    with torch.no_grad():
        network.head.bias.fill_(float("nan"))
    broken = make_classifier(tmp_path / "net", network=network)
    for fill in ("mean", "tokens"):
        with pytest.raises(OsteoScreenError, match="no finite probability in fp32; its weights do not suit") as fault:
            BoneSweep(bony(), make_masks(), broken, SweepRequest(fill=fill)).run()  # type: ignore[arg-type]
        assert "\n" not in str(fault.value)


def test_the_embedded_model_in_bf16_agrees_with_fp32_on_a_sample_or_is_not_asked_in_it() -> None:
    """Each probability within `PRECISION_BOUND`, so each Δ within twice that; the sweep's own answer, not the references'."""
    radiograph = read_radiograph(resource_folder("SampleData", "simulated_chest_osteoporosis.dcm"))
    masks = EmbeddedSegmenter.from_bundle(embedded_bundle("chest-segmenter"), "cpu").segment(radiograph)
    tables = []
    for precision in ("fp32", "bf16"):
        model = Classifier.load(embedded_bundle("chest-sim-classifier"), "cpu", precision)
        assert model.precision == precision or [note.code for note in model.notes] == ["precision"]
        tables.append(BoneSweep(radiograph.pixels, masks, model, SweepRequest(controls=0)).run())
    pairs = [(a.effect.delta_points, b.effect.delta_points) for a, b in zip(tables[0].rows, tables[1].rows, strict=True)]
    assert max(abs(one - other) for one, other in pairs) <= 2 * 100 * PRECISION_BOUND
    assert max(abs(one) for one, _ in pairs) > 2, "effects that are larger than what half precision may change"
