"""`osteoscreen compare`: the study's models on a cohort, side by side."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from OsteoScreenLib import __version__
from OsteoScreenLib.commands.bars import Shown
from OsteoScreenLib.commands.cohort import columns_of
from OsteoScreenLib.commands.compare_pages import write_pages
from OsteoScreenLib.commands.packages import require
from OsteoScreenLib.errors import InputError

if TYPE_CHECKING:
    from OsteoScreenLib.study.cohort import CohortRow
    from OsteoScreenLib.study.comparison.one_model import Bones
    from OsteoScreenLib.study.comparison.plan import Plan


# The study does not say which sizes it took; these are the ones that a GPU of one workstation trains.
_BACKBONES = "openclip=openclip-vit-b16,dinov2=dinov2-base,chexagent=chexagent-vit-l16,raddino=rad-dino"


def compare(
    table: Annotated[
        Path,
        typer.Argument(
            help="CSV with the columns patient_id, image, label or t_score, and, where there are any, age, sex, split, masks; best the "
            "cohort.csv of 'osteoscreen cohort'.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the comparison; a second call goes on from there.")],
    backbones: Annotated[
        str, typer.Option(help="Which backbone stands for each family: openclip, dinov2, chexagent, raddino.")
    ] = _BACKBONES,
    tunings: Annotated[str, typer.Option(help="Among linear, partial, lora.")] = "linear,partial,lora",
    seeds: Annotated[str, typer.Option(help="Seeds of training; with a second one the ranking is compared.")] = "0",
    random_weights: Annotated[
        bool, typer.Option("--random-weights", help="Begin with random weights, to try out; every table says so.")
    ] = False,
    weights_folder: Annotated[
        Path | None, typer.Option(help="Folder with the backbones' weights; by default where 'models fetch' puts them.")
    ] = None,
    split: Annotated[
        str, typer.Option(help="Shares of training, validation and test, of patients that the table gives no split.")
    ] = "70,10,20",
    split_seed: Annotated[int, typer.Option(help="Seed of the splits and of the draws of patients.", min=0)] = 0,
    columns: Annotated[
        str, typer.Option(help="What the table calls a column, for example label=diagnosis,patient_id=case.")
    ] = "",
    bones: Annotated[
        bool,
        typer.Option("--bones/--no-bones", help="What bones are worth to each model, where there are masks or a segmenter."),
    ] = True,
    segmenter: Annotated[
        str, typer.Option(help="Who draws bones where the table names no masks: embedded or torchxrayvision.")
    ] = "embedded",
    fill: Annotated[str, typer.Option(help="What covered pixels are replaced with.")] = "mean",
    saliency: Annotated[str, typer.Option(help="How the heatmaps are made, or none.")] = "grad-cam",
    site: Annotated[str, typer.Option(help="What the images show: chest-frontal or knee.")] = "chest-frontal",
    simulated: Annotated[
        bool | None,
        typer.Option("--simulated/--real", help="What the images are; by default asked of the files beside table and images."),
    ] = None,
    image_size: Annotated[int | None, typer.Option(help="Rows and columns of the input, if not the backbone's own.")] = None,
    epochs: Annotated[int, typer.Option(help="Of partial tuning and LoRA, at most.", min=1)] = 30,
    batch: Annotated[int, typer.Option(help="Images a step.", min=1)] = 32,
    flip: Annotated[bool, typer.Option("--flip", help="Mirror training images left and right, too.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16 or fp16.")] = "auto",
    workers: Annotated[int, typer.Option(help="Processes that decode radiographs.", min=0)] = 0,
    draws: Annotated[int, typer.Option(help="Draws of patients for the intervals.", min=100, max=100_000)] = 2000,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else.")] = False,
) -> None:
    """Four backbones, three tunings: train, evaluate and explain them on a cohort, beside the published values (extra 'study')."""
    require("study", "sklearn", "scipy", "matplotlib", "statsmodels", "accelerate")
    training = {
        "site": site, "simulated": simulated, "image_size": image_size, "epochs": epochs, "batch": batch, "flip": flip,
        "device": device, "precision": precision, "workers": workers,
    }  # fmt: skip
    code = run(
        table, out, backbones=backbones, tunings=tunings, seeds=seeds, random_weights=random_weights,
        weights_folder=weights_folder, split=split, split_seed=split_seed, columns=columns_of(columns), bones=bones,
        segmenter=segmenter, effects={"fill": fill, "saliency": saliency}, training=training, draws=draws, as_json=as_json,
    )  # fmt: skip
    raise typer.Exit(code)


def run(
    table: Path,
    out: Path,
    *,
    backbones: str,
    tunings: str,
    seeds: str,
    random_weights: bool,
    weights_folder: Path | None,
    split: str,
    split_seed: int,
    columns: dict[str, str],
    bones: bool,
    segmenter: str,
    effects: dict[str, Any],
    training: dict[str, Any],
    draws: int,
    as_json: bool,
) -> int:
    """Train, evaluate and explain what is missing in `out`, write the report and say where it lies. Returns the exit code.

    effects : of `EffectOptions`. training : of `TrainOptions`, without what differs from model to model.
    Raises `OsteoScreenError` in one sentence for what is wrong with table, options, weights or disk.
    """
    from OsteoScreenLib.exchange.comparison_page import write_comparison_page
    from OsteoScreenLib.study.cohort import are_simulated, read_cohort
    from OsteoScreenLib.study.cohorts.splits import given_splits, read_shares, split_by_patient
    from OsteoScreenLib.study.comparison.comparison import write_tables
    from OsteoScreenLib.study.comparison.one_model import Cohort, Settings
    from OsteoScreenLib.study.comparison.plan import Plan, parse_backbones, parse_seeds, parse_tunings
    from OsteoScreenLib.study.comparison.run import compare as compare_models
    from OsteoScreenLib.study.training.options import TrainOptions

    plan = Plan(parse_backbones(backbones), parse_tunings(tunings), parse_seeds(seeds), random_weights)
    rows = read_cohort(table, columns)
    weights = _weights(plan, weights_folder)
    splits = split_by_patient(rows, read_shares(split), split_seed)
    cohort = Cohort(rows, splits, table.parent)
    recipe = {**training, "cache": out / "images"}
    if recipe["simulated"] is None:
        recipe["simulated"] = are_simulated(rows, table.parent)
    shown, omitted = _bones(cohort.of("test"), bones, segmenter, effects, training)
    settings = Settings(
        TrainOptions(backbone="", **recipe), weights, draws=draws, seed=split_seed, bones=shown, omitted=omitted
    )
    given = given_splits(rows)
    words = (
        "as the table gives it"
        if len(given) == len({row.patient for row in rows})
        else f"{split.replace(',', ' : ')} by class, seed {split_seed}{', beside what the table gives' if given else ''}"
    )
    with Shown(not as_json) as progress:
        comparison = compare_models(
            cohort, plan, settings, out, split=words, progress=progress,
            finished=lambda one: write_pages(one, cohort, recipe["device"], recipe["precision"]),
        )  # fmt: skip
    files = {**write_tables(out, comparison), "html": write_comparison_page(out, comparison)}
    if as_json:
        named = {kind: str(path) for kind, path in files.items()}
        models = {f"{row.folder}": None if row.auc is None else row.auc.value for row in comparison.rows}
        print(json.dumps({"osteoscreen": __version__, "auc": models, "limits": list(comparison.limits), "files": named}))
        return 0
    for row in comparison.first_seed:
        note = f" ({row.note})" if row.note else ""
        print(f"{row.title}{note}: AUC {row.auc}")
    print(f"The report: {files['html']}, and for programs {files['csv']} and {files['json']}")
    print(" ".join(comparison.facts["statements"]), file=sys.stderr)
    return 0


def _weights(plan: Plan, folder: Path | None) -> dict[str, Path | None]:
    """family → file of its backbone's weights, all found before anything is trained; None for random ones."""
    from OsteoScreenLib.classifier.backbones import backbone
    from OsteoScreenLib.classifier.base_weights import require

    known = {family: backbone(name) for family, name in plan.backbones.items()}
    if plan.random_weights:
        if folder is not None:
            raise InputError("Give either a folder of weights or random weights, not both.", code="option")
        return dict.fromkeys(known)
    return {family: require(one, folder) for family, one in known.items()}


def _bones(
    test: Sequence[CohortRow], wanted: bool, segmenter: str, effects: dict[str, Any], training: dict[str, Any]
) -> tuple[Bones | None, str]:
    """How bones are covered, or None and why their effects are omitted.

    Images are taken as they lie, as training takes them. Masks are the table's; where it names none for some test image, the
    segmenter draws those, if there is one for the site.
    """
    from OsteoScreenLib.bones.vocabulary import site_named
    from OsteoScreenLib.explain.fills import FILLS
    from OsteoScreenLib.explain.saliency_methods import SALIENCY_METHODS
    from OsteoScreenLib.study.bone_effects import NO_SALIENCY, EffectOptions, Reader
    from OsteoScreenLib.study.comparison.one_model import Bones

    site = site_named(training["site"])
    for name, known in (("fill", FILLS), ("saliency", (*SALIENCY_METHODS, NO_SALIENCY))):
        if effects[name] not in known:
            raise InputError(f"There is no {name} '{effects[name]}'; choose one of {', '.join(known)}.", code="option")
    if not wanted:
        return None, "omitted: not asked for"
    missing = sum(row.masks is None for row in test)
    note, drawer = "masks from the table", None
    if missing:
        from OsteoScreenLib.worker.models import Models

        try:
            drawer = Models().segmenter(segmenter, training["device"], site)
        except InputError as error:
            if error.code != "segmenter-missing":
                raise
            return None, "omitted: no masks"
        note = f"drawn by {drawer.name}" + (
            "" if missing == len(test) else f" on the {missing} test images without masks in the table"
        )
    return Bones(Reader(None, drawer, site), EffectOptions(**effects), note), ""
