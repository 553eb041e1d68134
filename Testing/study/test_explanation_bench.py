"""The explanation bench on chests of blocks: who reads what is known, so the figures that must come out are known, too."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from builders import make_classifier  # noqa: E402
from study.block_chests import block_bodies  # noqa: E402

from OsteoScreenLib import cli  # noqa: E402
from OsteoScreenLib.benchmarks.explanations import measure_explanations  # noqa: E402
from OsteoScreenLib.classifier.preprocess import PreprocessSpec  # noqa: E402
from OsteoScreenLib.errors import InputError  # noqa: E402
from OsteoScreenLib.explain.saliency_map import saliency_map  # noqa: E402
from OsteoScreenLib.simulate.thorax import GROUPS  # noqa: E402
from OsteoScreenLib.study import explanation_bench  # noqa: E402
from OsteoScreenLib.study.explained_view import MEASURES, PERFECT, explain_view, perfect_map, truth_first  # noqa: E402
from OsteoScreenLib.study.explanation_bench import BenchOptions, Explained, run_bench  # noqa: E402
from OsteoScreenLib.study.explanation_figures import bench_figures  # noqa: E402
from OsteoScreenLib.study.explanation_networks import Recipe, trained_network  # noqa: E402
from OsteoScreenLib.study.explanation_table import as_json, as_markdown, sentences  # noqa: E402
from OsteoScreenLib.study.truth_views import Truth, TruthView, held_out_views  # noqa: E402

SPINE, HUMERI = Truth.of("Spine"), Truth.of("Humeri")
NOWHERE = Path("nowhere")
QUICK = {
    "resnet": Recipe("resnet10t", {"channels": [4, 4, 8, 8], "stem_width": 4}, steps=2, size=64, batch=2),
    "vit": Recipe("vit_tiny_patch16_224", {"embed_dim": 12, "depth": 2, "num_heads": 2}, steps=2, size=64, batch=2),
}


def view_of(seed: int = 0, size: int = 96) -> TruthView:
    return next(view for number, _, view in held_out_views(block_bodies(1), SPINE, seed, size, [2]) if number == 2)


# How groups are ranked


def test_the_highest_score_is_first_and_equal_ones_share() -> None:
    scores: dict[str, float | None] = dict.fromkeys(GROUPS, 0.0)
    chance = pytest.approx(1 / 7)
    assert truth_first(scores | {"Spine": 1.0}, SPINE) == (1, 1, chance)
    assert truth_first(scores | {"Sternum": 2.0, "Spine": 1.0}, SPINE) == (0, 2, chance)
    assert truth_first(scores | {"Sternum": 1.0, "Spine": 1.0}, SPINE) == (0.5, 1.5, chance)
    assert truth_first(scores, SPINE) == (chance, 4, chance)


def test_what_is_not_defined_ranks_lowest_and_an_empty_map_knows_nothing() -> None:
    scores: dict[str, float | None] = dict.fromkeys(GROUPS, 0.5)
    assert truth_first(scores | {"Spine": None}, SPINE) == (0, 7, pytest.approx(1 / 7))
    assert truth_first(dict.fromkeys(GROUPS), SPINE) == (pytest.approx(1 / 7), 4, pytest.approx(1 / 7))


def test_a_truth_of_two_groups_has_twice_the_chance_and_one_that_is_not_shown_has_none() -> None:
    ribs = Truth.of("Right ribs+Left ribs")
    scores: dict[str, float | None] = {group: float(place) for place, group in enumerate(GROUPS)}
    assert truth_first(scores | {"Left ribs": 9.0}, ribs) == (1, 1, pytest.approx(2 / 7))
    assert truth_first({group: 1.0 for group in GROUPS if group != "Spine"}, SPINE) is None


# What is said of one radiograph


class Reader:
    """Stands in for a classifier that reads the mean grey of some pixels and nothing else; dark bone is osteoporosis."""

    precision = "fp32"

    def __init__(self, pixels: np.ndarray) -> None:
        self._pixels = pixels
        self.device = torch.device("cpu")

    def predict_stream(self, images: Any) -> Any:
        for image in images:
            share = float(1 / (1 + np.exp(12 * (image[self._pixels].mean() - 0.5)))) if self._pixels.any() else 0.3
            yield np.array([(1 - share) / 2, (1 - share) / 2, share])


@pytest.mark.parametrize("group", ["Spine", "Clavicles", "Humeri"])
def test_covering_puts_the_bone_that_is_read_first(group: str) -> None:
    view = view_of()
    reader: Any = Reader(view.groups[GROUPS.index(group)])
    told = explain_view(view, Truth.of(group), reader, (), ("mean", "black"))
    for fill in ("mean", "black"):
        for mode in ("remove", "add-back"):
            reference = told["untouched"] if mode == "remove" else told["sweeps"][fill]["covered"]
            effects = {name: abs(reference - p) for name, p in told["sweeps"][fill][mode].items()}
            assert truth_first(effects, Truth.of(group))[:2] == (1, 1)  # type: ignore[index]
            assert [name for name, effect in effects.items() if effect > 1e-9] == [group]
    assert told["without"] != pytest.approx(told["untouched"])
    assert told["alone"] == pytest.approx(told["untouched"])


def test_of_a_reader_that_ignores_the_picture_every_group_is_first_by_chance() -> None:
    view = view_of()
    reader: Any = Reader(np.zeros_like(view.groups[0]))
    told = explain_view(view, SPINE, reader, (), ("mean",))
    effects = {name: abs(told["untouched"] - p) for name, p in told["sweeps"]["mean"]["remove"].items()}
    assert truth_first(effects, SPINE)[0] == pytest.approx(1 / len(effects))  # type: ignore[index]
    assert told["untouched"] == told["without"] == told["alone"]


def test_the_perfect_map_puts_the_truth_first_where_cells_are_small(tmp_path: Path) -> None:
    spec = PreprocessSpec(rows=96, columns=96, channels=1, mean=(0.0,), std=(1.0,))
    classifier = make_classifier(tmp_path / "vit", preprocessing=spec)  # cells of 8 pixels
    view = view_of()
    drawn = saliency_map(classifier, view.image, "osteoporosis", "rollout")
    for group in ("Spine", "Clavicles", "Right ribs"):
        truth = Truth.of(group)
        perfect = perfect_map(drawn, view.masks(), truth)
        assert perfect.grid.shape == drawn.grid.shape and 0 <= perfect.grid.min() < perfect.grid.max() <= 1
        inside = view.groups[GROUPS.index(group)]
        # The cells' shares add up to the mask's area, but for cells across the picture's border.
        assert perfect.grid.sum() * 64 * np.prod(view.image.shape) / 96**2 == pytest.approx(inside.sum(), rel=0.25)
        told = explain_view(view, truth, classifier, ("rollout",), ())
        assert truth_first(told["maps"][PERFECT]["enrichment"], truth)[:2] == (1, 1)  # type: ignore[index]
        assert set(told["maps"]) == {"rollout", PERFECT} and set(told["maps"]["rollout"]) == set(MEASURES)


# Figures


def scripted(truth: Truth, hits: list[bool], black: list[bool], answers: list[float] | None = None) -> Explained:
    """A network whose explanations are written by hand: Grad-CAM by `hits`, covering with black by `black`, mean never.

    Three radiographs a body, of every class; LayerCAM always finds the truth, EigenCAM always the spine.
    """
    rows = []
    other = "Sternum"
    for number, (hit, good) in enumerate(zip(hits, black, strict=True)):
        label = number % 3

        def scores(first: str) -> dict[str, dict[str, float]]:
            return {measure: {group: float(group == first) for group in GROUPS} for measure in MEASURES}

        answer = 0.5 if answers is None else answers[number]

        def swept(first: str, answer: float = answer) -> dict[str, Any]:
            p = {group: answer - 0.05 if group == first else answer for group in GROUPS}
            return {"covered": answer, "remove": p, "add-back": p}

        own = truth.groups[0]
        rows.append(
            {
                "body": number // 3,
                "label": label,
                "untouched": answer,
                "without": 0.4,
                "alone": 0.2 + 0.1 * label,
                "maps": {
                    "grad-cam": scores(own if hit else other),
                    "layercam": scores(own),
                    "eigencam": scores("Spine"),
                    PERFECT: scores(own),
                },
                "sweeps": {"mean": swept(other), "black": swept(own if good else other)},
            }
        )
    return Explained(truth, "resnet", 5, tuple(rows))


def figures_of(*explained: Explained) -> Any:
    return bench_figures(explained, draws=200, seed=1)


def row(figures: Any, name: str, how: str) -> Any:
    return next(one for one in figures.rows if (one.name, one.how) == (name, how))


KNOWS = [0.1, 0.2, 0.9] * 8
HALF = [number % 2 == 0 for number in range(24)]


def test_rates_are_counted_and_their_intervals_draw_bodies() -> None:
    figures = figures_of(scripted(SPINE, HALF, [True] * 24, KNOWS))
    (network,) = figures.networks
    assert network.learned and network.untouched.value == network.alone.value == 1 and network.without.value == 0.5
    assert (network.bodies, network.images, network.reads_only_the_truth) == (8, 24, True)
    found = row(figures, "grad-cam", "enrichment")
    assert found.first.value == 0.5 and found.rank.value == (1 + 4.5) / 2 and found.chance == pytest.approx(1 / 7)
    assert found.first.low < 0.5 < found.first.high
    # Of the 24 every second is found, which is every second of the osteoporosis ones.
    assert found.first_osteoporosis.value == found.first_all.value == 0.5
    always, never = row(figures, "layercam", "iou_otsu"), row(figures, "mean", "remove")
    assert (always.first.value, always.first.low, always.first.high) == (1, 1, 1) and always.finds_the_truth
    assert (never.first.value, never.rank.value) == (0, 4.5) and not never.finds_the_truth
    assert figures.rows[0].name == PERFECT


def test_what_always_points_at_the_spine_is_seen_through() -> None:
    figures = figures_of(scripted(SPINE, HALF, HALF, KNOWS), scripted(HUMERI, HALF, HALF, KNOWS))
    blind = row(figures, "eigencam", "enrichment").by_truth
    assert (blind["Spine"].first.value, blind["Spine"].otherwise) == (1, 1)
    assert (blind["Humeri"].first.value, blind["Humeri"].otherwise) == (0, 0)
    sees = row(figures, "layercam", "enrichment").by_truth
    assert (sees["Spine"].first.value, sees["Spine"].otherwise) == (1, 0)
    assert row(figures, "eigencam", "enrichment").first.value == 0.5


def test_the_default_changes_only_where_another_is_surely_better() -> None:
    truths = (SPINE, HUMERI)
    figures = figures_of(*(scripted(truth, HALF, [True] * 24, KNOWS) for truth in truths))
    saliency, occlusion = figures.choices
    assert (saliency.current.name, saliency.best.name, saliency.chosen.name) == ("grad-cam", "layercam", "layercam")
    assert saliency.gain.value == 0.5 and saliency.gain.low > 0
    assert (occlusion.current.name, occlusion.chosen.name, occlusion.gain.value) == ("mean", "black", 1)
    told = sentences(figures)
    assert "Recommended default: LayerCAM" in told[0] and "does not find the true bones more often than chance" in told[1]

    rarely = [number != 8 for number in range(24)]  # one miss: many draws of bodies do not hold it
    saliency = figures_of(*(scripted(truth, rarely, HALF, KNOWS) for truth in truths)).choices[0]
    assert saliency.best.name == "layercam" and saliency.chosen.name == "grad-cam" and saliency.gain.low == 0


def test_saliency_counts_where_osteoporosis_is_and_covering_everywhere() -> None:
    worst, normal = [number % 3 == 2 for number in range(24)], [number % 3 == 0 for number in range(24)]
    figures = figures_of(scripted(SPINE, worst, normal, KNOWS), scripted(HUMERI, worst, normal, KNOWS))
    heat, covered = row(figures, "grad-cam", "iou_otsu"), row(figures, "black", "remove")
    assert (heat.first.value, heat.rank.value, heat.first_all.value) == (1, 1, pytest.approx(1 / 3))
    assert (covered.first.value, covered.first_osteoporosis.value) == (pytest.approx(1 / 3), 0)
    assert heat.by_truth["Humeri"].first.value == 1 and covered.by_truth["Humeri"].first.value == pytest.approx(1 / 3)


def test_a_map_that_is_the_same_for_every_class_is_never_the_default() -> None:
    def eigencam_knows(one: Explained) -> Explained:
        """Eigen-CAM always finds the truth, LayerCAM as often as Grad-CAM."""
        rows = [
            {**row, "maps": {**row["maps"], "eigencam": row["maps"][PERFECT], "layercam": row["maps"]["grad-cam"]}}
            for row in one.rows
        ]
        return replace(one, rows=tuple(rows))

    figures = figures_of(*(eigencam_knows(scripted(truth, HALF, HALF, KNOWS)) for truth in (SPINE, HUMERI)))
    saliency, occlusion = figures.choices
    assert (saliency.best.name, saliency.chosen.name, saliency.set_aside.name) == ("grad-cam", "grad-cam", "eigencam")
    assert saliency.set_aside.first.value == 1 and occlusion.set_aside is None
    assert row(figures, "eigencam", "enrichment").first.value == 1, "it stays in the table"
    told = sentences(figures)[0]
    assert (
        "Recommended default: Grad-CAM" in told
        and "EigenCAM" in told.split("default:")[1]
        and "the same for every class" in told
    )
    table = as_json(figures, BenchOptions(NOWHERE, NOWHERE, NOWHERE))
    assert [one["set_aside"] for one in table["defaults"]] == [["eigencam", "enrichment"], None]
    # What finds less than the best one needs no words.
    assert figures_of(*(scripted(truth, HALF, HALF, KNOWS) for truth in (SPINE, HUMERI))).choices[0].set_aside is None


def test_one_truth_alone_chooses_nothing() -> None:
    figures = figures_of(scripted(SPINE, HALF, HALF, KNOWS))
    assert figures.choices == () and "no default is chosen" in sentences(figures)[0]


def test_a_network_that_learned_nothing_counts_for_nothing_and_is_named() -> None:
    figures = figures_of(scripted(SPINE, HALF, HALF, KNOWS), scripted(HUMERI, [True] * 24, HALF))
    assert [network.learned for network in figures.networks] == [True, False]
    found = row(figures, "grad-cam", "enrichment")
    assert found.first.value == 0.5 and list(found.by_truth) == ["Spine"] and found.by_truth["Spine"].otherwise is None
    assert any(
        "did not learn Humeri" in sentence and "begins at 0." in sentence and "--steps" in sentence
        for sentence in sentences(figures)
    )
    nothing = figures_of(scripted(HUMERI, [True] * 24, HALF))
    assert nothing.rows == () and nothing.choices == () and "did not learn" in sentences(nothing)[-1]


def test_a_truth_is_learned_where_the_whole_interval_says_so() -> None:
    unsure = [0.1, 0.2, 0.9] * 6 + [0.4, 0.5, 0.1] * 2  # two bodies of eight are told wrongly
    (network,) = figures_of(scripted(SPINE, HALF, HALF, unsure)).networks
    assert network.untouched.low < 0.7 < network.untouched.value and not network.learned
    surer = [0.1, 0.2, 0.9] * 7 + [0.4, 0.5, 0.3]
    (network,) = figures_of(scripted(SPINE, HALF, HALF, surer)).networks
    assert network.untouched.low >= 0.7 and network.learned


def test_a_network_with_another_reason_is_told() -> None:
    one = scripted(SPINE, HALF, HALF, KNOWS)
    leaking = replace(one, rows=tuple({**each, "without": each["untouched"]} for each in one.rows))
    figures = figures_of(leaking)
    assert not figures.networks[0].reads_only_the_truth
    assert any("not its only reason" in sentence for sentence in sentences(figures))


def test_tables_say_every_number_and_the_command() -> None:
    figures = figures_of(scripted(SPINE, HALF, [True] * 24, KNOWS), scripted(HUMERI, HALF, [True] * 24, KNOWS))
    options = BenchOptions(NOWHERE, NOWHERE, NOWHERE, (SPINE, HUMERI), ("resnet",), (9, 8), 5, 3)
    text = as_markdown(figures, options)
    assert '--truths "Spine,Humeri" --networks resnet --bodies 9,8 --steps 5 --seed 3`' in text
    assert (
        "| Grad-CAM | 50 % (" in text and "| EigenCAM, times chance | 50 % (" in text and "100 % (100 %) | 0 % (0 %) |" in text
    )
    table = json.loads(json.dumps(as_json(figures, options), allow_nan=False))
    assert table["bodies"] == {"training": 9, "explained": 8} and len(table["explanations"]) == len(figures.rows)
    assert table["defaults"][0]["chosen"][0] == "layercam" and table["networks"][0]["learned"] is True


# A run


@pytest.fixture
def blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bodies of blocks in the place of rendered ones, and networks that are trained in a moment."""
    monkeypatch.setattr(explanation_bench, "NETWORKS", QUICK)
    monkeypatch.setattr(explanation_bench, "render_views", lambda *_args, **_more: [Path(str(n)) for n in range(5)])
    monkeypatch.setattr(explanation_bench, "load_bodies", lambda paths, _size: block_bodies(len(paths)))


def options_of(work: Path, **changes: Any) -> BenchOptions:
    return replace(BenchOptions(NOWHERE, NOWHERE, work, (SPINE,), ("resnet",), (3, 2)), **changes)


def test_a_killed_run_goes_on_where_it_stopped_and_ends_alike(
    tmp_path: Path, blocks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run_bench(options_of(tmp_path / "whole"))
    shown = 0

    def killed(*given: Any) -> dict[str, Any]:
        nonlocal shown
        shown += 1
        if shown in (3, 6):
            raise KeyboardInterrupt
        return explain_view(*given)

    monkeypatch.setattr(explanation_bench, "explain_view", killed)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            run_bench(options_of(tmp_path / "killed"))
    heard: list[tuple[str, int, int]] = []
    again = run_bench(options_of(tmp_path / "killed"), lambda *told: heard.append(told))
    assert again == whole and shown == 8  # six radiographs, and the two that the kills cost
    assert ("Explaining: Spine, resnet", 4, 6) in heard and not any("Training" in what for what, _, _ in heard)
    assert run_bench(options_of(tmp_path / "killed")) == whole and shown == 8


def test_another_seed_is_another_run_in_the_same_folder(tmp_path: Path, blocks: None) -> None:
    first = run_bench(options_of(tmp_path))
    assert run_bench(options_of(tmp_path, seed=1))[0].rows != first[0].rows
    assert run_bench(options_of(tmp_path)) == first


def test_every_method_and_fill_that_a_network_can_give_is_measured(tmp_path: Path, blocks: None) -> None:
    (resnet, vit) = run_bench(options_of(tmp_path, networks=("resnet", "vit"), bodies=(3, 2)))
    assert "tokens" in vit.rows[0]["sweeps"] and "tokens" not in resnet.rows[0]["sweeps"]
    assert {"rollout", "gradient-attention"} == set(vit.rows[0]["maps"]) - set(resnet.rows[0]["maps"])
    assert {"grad-cam", "score-cam", PERFECT} <= set(resnet.rows[0]["maps"])
    assert {one["label"] for one in resnet.rows} == {0, 1, 2} and {one["body"] for one in resnet.rows} == {0, 1}


def test_the_same_training_is_kept_and_another_one_replaces_it(tmp_path: Path) -> None:
    bodies, recipe = block_bodies(3), QUICK["resnet"]
    first = trained_network(tmp_path / "n", bodies, SPINE, recipe).model.bundle.sha256
    steps: list[int] = []
    same = trained_network(tmp_path / "n", bodies, SPINE, recipe, progress=lambda done, _all: steps.append(done))
    assert same.model.bundle.sha256 == first and steps == []
    assert (
        trained_network(tmp_path / "other", bodies, SPINE, recipe).model.bundle.weights_sha256
        == same.model.bundle.weights_sha256
    )
    longer = trained_network(
        tmp_path / "n", bodies, SPINE, replace(recipe, steps=3), progress=lambda done, _all: steps.append(done)
    )
    assert longer.model.bundle.sha256 != first and steps == [1, 2, 3]
    assert (
        trained_network(tmp_path / "n", bodies, HUMERI, recipe).model.bundle.weights_sha256 != same.model.bundle.weights_sha256
    )


def test_a_network_learns_to_read_its_truth_and_covering_finds_it(tmp_path: Path) -> None:
    """A short training on large blocks: the classes are told on bodies of other thickness, by the spine and nothing else."""
    recipe = Recipe("resnet10t", {"channels": [16, 32, 32, 32], "stem_width": 8}, steps=300, size=64, batch=4)
    classifier = trained_network(tmp_path / "n", block_bodies(4), SPINE, recipe)
    views = list(held_out_views(block_bodies(6), SPINE, 5, recipe.size, range(18)))
    rows = [
        {"body": body, "label": view.label(SPINE), **explain_view(view, SPINE, classifier, ("grad-cam",), ("mean",))}
        for _, body, view in views
    ]
    (network,) = bench_figures([Explained(SPINE, "resnet", recipe.steps, tuple(rows))], draws=100).networks
    assert network.untouched is not None and network.untouched.value > 0.9
    assert network.without is not None and network.without.value < 0.75 < 0.9 < network.alone.value  # type: ignore[union-attr]
    effects = [np.argmax([abs(one["untouched"] - one["sweeps"]["mean"]["remove"][group]) for group in GROUPS]) for one in rows]
    assert np.mean(np.array(effects) == GROUPS.index("Spine")) > 0.6


def test_the_command_writes_both_tables_where_the_work_lies(tmp_path: Path, blocks: None) -> None:
    found = measure_explanations(
        NOWHERE, NOWHERE, tmp_path, truths="Spine, Humeri", networks="resnet", bodies="3,2", steps=None, draws=100, seed=0,
        threads=1,
    )  # fmt: skip
    assert found.files["markdown"].read_text(encoding="utf-8").startswith("# Do explanations find")
    assert len(json.loads(found.files["json"].read_text(encoding="utf-8"))["networks"]) == 2
    assert found.as_json()["files"]["json"] == str(tmp_path / "explanations.json")
    found.as_tables()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"truths": "Skull"}, "is no truth"),
        ({"truths": "Spine,Spine"}, "none twice"),
        ({"networks": "transformer"}, "networks are resnet, vit"),
        ({"bodies": "many"}, "two numbers"),
        ({"bodies": "9"}, "two numbers"),
        ({"bodies": "1,5"}, "at least two bodies"),
        ({"steps": 1}, "two steps"),
    ],
)
def test_wrong_options_are_one_sentence(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    given = {"truths": "Spine", "networks": "resnet", "bodies": "3,2", "steps": None, "draws": 100, "seed": 0, "threads": 1}
    with pytest.raises(InputError, match=words) as caught:
        measure_explanations(NOWHERE, NOWHERE, tmp_path, **(given | changes))  # type: ignore[arg-type]
    assert caught.value.code == "option" and "\n" not in str(caught.value)


def test_the_command_line_runs_it_and_says_what_is_wrong(
    tmp_path: Path, blocks: None, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["bench", "explanations", "--skeleton", "s", "--thorax-ct", "c", "--work", str(tmp_path), "--bodies", "3,2"]
    assert cli.main([*given, "--truths", "Spine", "--networks", "resnet", "--draws", "100", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["networks"][0]["truth"] == "Spine" and Path(told["files"]["markdown"]).is_file()
    assert cli.main([*given, "--truths", "Skull"]) == 2
    assert "is no truth" in capsys.readouterr().err
