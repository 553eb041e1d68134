"""`osteoscreen train`: a cohort's table becomes a model, in a run folder that a killed run goes on in."""

from __future__ import annotations

import json
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from OsteoScreenLib import __version__
from OsteoScreenLib.commands.bars import Shown
from OsteoScreenLib.commands.cohort import columns_of
from OsteoScreenLib.errors import InputError

if TYPE_CHECKING:
    from OsteoScreenLib.study.training.options import TrainOptions
    from OsteoScreenLib.study.training.train import TrainedRun


def train(
    context: typer.Context,
    table: Annotated[
        Path,
        typer.Argument(
            help="CSV with the columns patient_id, image, label or t_score, and, where there are any, split, age, sex; best the "
            "cohort.csv of 'osteoscreen cohort'.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the run; a second call goes on from there.")],
    backbone: Annotated[str, typer.Option(help="Id of a backbone; see 'osteoscreen models backbones'.")],
    tuning: Annotated[str, typer.Option(help="linear, partial or lora.")] = "linear",
    weights: Annotated[
        Path | None, typer.Option(help="File of the backbone's weights; by default where 'models fetch' puts them.")
    ] = None,
    random_weights: Annotated[bool, typer.Option("--random-weights", help="Begin with random weights, to try out.")] = False,
    image_size: Annotated[int | None, typer.Option(help="Rows and columns of the input, if not the backbone's own.")] = None,
    site: Annotated[str, typer.Option(help="What the images show: chest-frontal or knee.")] = "chest-frontal",
    name: Annotated[str, typer.Option(help="The model's id; made of site, backbone and tuning if not given.")] = "",
    split: Annotated[
        str, typer.Option(help="Shares of training, validation and test, of patients that the table gives no split.")
    ] = "70,10,20",
    split_seed: Annotated[int, typer.Option(help="Seed of the splits.", min=0)] = 0,
    columns: Annotated[
        str, typer.Option(help="What the table calls a column, for example label=diagnosis,patient_id=case.")
    ] = "",
    blocks: Annotated[int, typer.Option(help="Partial: so many of the last blocks.")] = 1,
    lora_rank: Annotated[int, typer.Option(help="LoRA: rank of the adapters.")] = 8,
    lora_alpha: Annotated[int, typer.Option(help="LoRA: their product is scaled by alpha / rank.")] = 16,
    lora_targets: Annotated[str, typer.Option(help="LoRA: layers that get adapters, by the ends of their names.")] = "qkv",
    lora_dropout: Annotated[float, typer.Option(help="LoRA: share of an adapter's inputs left out in training.")] = 0.0,
    adapters_alone: Annotated[
        bool, typer.Option("--adapters-alone", help="LoRA: the model holds adapters and names the file they belong to.")
    ] = False,
    epochs: Annotated[int, typer.Option(help="Of partial tuning and LoRA, at most.")] = 30,
    patience: Annotated[int, typer.Option(help="Epochs without a better validation AUC before training stops.")] = 8,
    batch: Annotated[int, typer.Option(help="Images a step, of all processes together.")] = 32,
    rate: Annotated[
        float | None, typer.Option(help="Learning rate of blocks or adapters; the tuning's own if not given.")
    ] = None,
    head_rate: Annotated[float, typer.Option(help="Learning rate of the head.")] = 1e-3,
    weight_decay: Annotated[float, typer.Option(help="Of AdamW, on matrices.")] = 0.05,
    imbalance: Annotated[str, typer.Option(help="Rare classes: weights, sampling or none.")] = "weights",
    augment: Annotated[bool, typer.Option("--augment/--no-augment", help="Turn, shift, scale, tone training images.")] = True,
    flip: Annotated[bool, typer.Option("--flip", help="Mirror training images left and right, too.")] = False,
    t_score: Annotated[bool, typer.Option("--t-score", help="Fit the expected T-score, too.")] = False,
    sensitivity: Annotated[
        float | None, typer.Option(help="Of both operating points on validation; Youden's index if not given.")
    ] = None,
    simulated: Annotated[
        bool | None,
        typer.Option("--simulated/--real", help="What the images are; by default asked of the files beside table and images."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of training.", min=0)] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16 or fp16.")] = "auto",
    workers: Annotated[int, typer.Option(help="Processes that decode radiographs.")] = 0,
    checkpoint_steps: Annotated[int, typer.Option(help="Steps between checkpoints.")] = 100,
    cache: Annotated[
        Path | None, typer.Option(help="Folder of resized images, to share between runs; in --out if not given.")
    ] = None,
    processes: Annotated[
        int, typer.Option(help="Train with so many processes, one a GPU; for several machines use 'accelerate launch'.", min=1)
    ] = 1,
    add: Annotated[bool, typer.Option("--add/--no-add", help="Put the model where panel and command line list it.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else.")] = False,
) -> None:
    """Train a classifier on a cohort: one backbone, one tuning, a model that the panel opens."""
    from OsteoScreenLib.study.training.launch import launch, leads, started_by_launcher

    if processes > 1 and not started_by_launcher():
        raise typer.Exit(launch([str(context.info_name), *_arguments(context)], processes))
    from OsteoScreenLib.study.training.options import TrainOptions

    targets = tuple(word.strip() for word in lora_targets.split(",") if word.strip())
    given = {
        one.name: context.params[one.name] for one in fields(TrainOptions) if one.name not in ("lora_targets", "simulated")
    }
    options = TrainOptions(**given, lora_targets=targets, simulated=bool(simulated)).checked()
    done = _trained(table, columns, out, split, split_seed, options, simulated is None, leads() and not as_json)
    if leads():
        _tell(done, _added(done.bundle) if add else ("", ""), as_json)


def _trained(
    table: Path, columns: str, out: Path, split: str, split_seed: int, options: TrainOptions, ask_files: bool, shown: bool
) -> TrainedRun:
    """ask_files : whether the images are simulated is asked of the files beside them."""
    from OsteoScreenLib.bones.vocabulary import site_named
    from OsteoScreenLib.study.cohort import are_simulated, read_cohort
    from OsteoScreenLib.study.cohorts.splits import read_shares, split_by_patient
    from OsteoScreenLib.study.training.train import train

    site_named(options.site)
    rows = read_cohort(table, columns_of(columns))
    splits = split_by_patient(rows, read_shares(split), split_seed)
    if ask_files:
        options = replace(options, simulated=are_simulated(rows, table.parent))
    with Shown(shown) as progress:
        return train(rows, splits, options, out, progress)


def _tell(done: TrainedRun, added: tuple[str, str], as_json: bool) -> None:
    figures = json.loads((done.folder / "done.json").read_text(encoding="utf-8"))["figures"]
    model, remark = added
    if as_json:
        files = {name: str(path) for name, path in done.predictions.items()}
        told = {
            "run": str(done.folder),
            "bundle": str(done.bundle),
            "model": model or None,
            "predictions": files,
            "figures": figures,
        }
        print(json.dumps({"osteoscreen": __version__, **told}, indent=2))
        return
    for part, one in figures.items():
        print(
            f"{part.capitalize()}: {one['images']} images of {one['patients']} patients, AUC of osteoporosis against the rest "
            f"{one['auc_osteoporosis']:.3f}, of low bone mass {one['auc_low_bone_mass']:.3f}"
        )
    print(f"The model: {done.bundle}" + (f"; the panel lists it as {model}" if model else ""))
    print(f"Predictions: {', '.join(str(path) for path in done.predictions.values())}")
    if remark:
        print(remark, file=sys.stderr)
    print("Research use only: not for diagnosis or for decisions on treatment.", file=sys.stderr)


def _arguments(context: typer.Context) -> list[str]:
    """The command line that gives these parameters again."""
    words: list[str] = []
    for one in context.command.params:
        value = context.params.get(str(one.name))
        if value is None or one.name == "help":
            continue
        if one.param_type_name == "argument":
            words.append(str(value))
        elif isinstance(value, bool):
            words += [one.opts[0]] if value else one.secondary_opts[:1]
        else:
            words += [one.opts[0], str(value)]
    return words


def _added(bundle: Path) -> tuple[str, str]:
    """Copy a bundle to the user's models: its id there, or why not."""
    from OsteoScreenLib.bundle import open_bundle
    from OsteoScreenLib.worker.model_folders import add_model, user_folder

    opened = open_bundle(bundle)
    there = user_folder() / opened.id
    if there.is_dir() and open_bundle(there).sha256 == opened.sha256:
        return opened.id, ""
    try:
        return add_model(bundle).id, ""
    except InputError as error:
        return "", f"The panel does not list it yet: {error} To have both, train with another --name."
