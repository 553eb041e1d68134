"""`osteoscreen train-embedded`: the models and samples that ship with OsteoScreen, made again from CT and skeleton alone."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Train the embedded models again on simulated radiographs (needs the extra 'simulate').",
    no_args_is_help=True,
)

ThoraxCt = Annotated[
    Path,
    typer.Option(
        "--thorax-ct", help="Folder of thorax CT: X_ct.nrrd with X_labels.nrrd and X_labels.csv; others without labels."
    ),
]
MaybeThoraxCt = Annotated[
    Path | None, typer.Option("--thorax-ct", help="Folder of thorax CT, as for the classifier; the knee needs none.")
]
SeenOption = Annotated[Path | None, typer.Option(help="Markdown on what a person saw on real radiographs, for the card.")]
SiteOption = Annotated[str, typer.Option("--site", help="Body site: chest-frontal or knee.")]
Skeleton = Annotated[Path, typer.Option("--skeleton", help="bodyparts3d_stl.zip.")]
Work = Annotated[
    Path, typer.Option("--work", help="Folder for rendered views and checkpoints; a second call goes on from there.")
]
Out = Annotated[Path | None, typer.Option("--out", help="Folder of the bundle; in the work folder when not given.")]
LeaveOut = Annotated[
    str,
    typer.Option(
        help="A source of anatomy that is not trained on and gives the figures instead: 'skeleton' or a CT's name (the X of X_ct). "
        "The figures are kept in the work folder, for the card of the model that is trained on all."
    ),
]
Seed = Annotated[int, typer.Option(help="Seed of everything random.", min=0)]


@app.callback()
def _show_progress() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")


def _named(bundle: str, leave_out: str) -> str:
    return f"{bundle}-without-{leave_out}" if leave_out else bundle


@app.command()
def segmenter(
    skeleton: Skeleton,
    work: Work,
    thorax_ct: MaybeThoraxCt = None,
    site: SiteOption = "chest-frontal",
    out: Out = None,
    seed: Seed = 0,
    steps: int | None = None,
    leave_out: LeaveOut = "",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps; auto takes a GPU where there is one.")] = "auto",
    precision: Annotated[
        str, typer.Option(help="auto, fp32, bf16 or fp16; auto takes bf16 where the hardware has it.")
    ] = "auto",
    seen: SeenOption = None,
) -> None:
    """The segmenter of a body site."""
    from OsteoScreenLib.bones.vocabulary import site_named
    from OsteoScreenLib.study.segmenter_network_training import Schedule
    from OsteoScreenLib.study.train_segmenter import RECIPES, SegmenterOptions, train_segmenter

    recipe = RECIPES[site_named(site).name]
    schedule = Schedule(steps=steps or recipe.steps, grid=recipe.grid, device=device, precision=precision)
    # Runs for the figures alone take fewer chests.
    views, held_out = (120, 24) if leave_out else (SegmenterOptions.views, SegmenterOptions.held_out)
    options = SegmenterOptions(
        thorax_ct,
        skeleton,
        work,
        out or work / _named(recipe.words.bundle_id, leave_out),
        leave_out,
        views=views,
        held_out=held_out,
        view_size=recipe.view_size,
        seed=seed,
        seen=seen,
        schedule=schedule,
        site=site,
    )

    def show(stage: str, done: int, total: int, loss: float) -> None:
        if done % 25 == 0 or done == total:
            logging.info("%s %d of %d, loss %.4f", stage, done, total, loss)

    print(f"The bundle lies in {train_segmenter(options, show).folder}.")


@app.command()
def gate(
    thorax_ct: ThoraxCt,
    skeleton: Skeleton,
    work: Work,
    site: SiteOption = "chest-frontal",
    out: Out = None,
    seed: Seed = 0,
    steps: int | None = None,
    seen: SeenOption = None,
) -> None:
    """The gate of a body site: is it there or not, which way up, which polarity."""
    from dataclasses import replace

    from OsteoScreenLib.study.gate_card import WORDS
    from OsteoScreenLib.study.train_gate import GateOptions, train_gate

    folder = out or work / (WORDS[site].bundle_id if site in WORDS else site)
    options = replace(GateOptions.for_site(site, thorax_ct, skeleton, work, folder, seed), seen=seen)
    bundle = train_gate(replace(options, steps=steps) if steps else options)
    print(f"The bundle lies in {bundle.folder}.")


@app.command()
def classifier(
    thorax_ct: ThoraxCt,
    skeleton: Skeleton,
    work: Work,
    out: Out = None,
    seed: Seed = 0,
    steps: int | None = None,
    leave_out: LeaveOut = "",
    shuffle_labels: Annotated[
        bool,
        typer.Option(
            "--shuffle-labels", help="Each body keeps a class by lot: a model for 'osteoscreen sanity --random-labels'."
        ),
    ] = False,
) -> None:
    """The classifier of simulated bone density."""
    from OsteoScreenLib.study.label_randomised import train_label_randomised
    from OsteoScreenLib.study.train_classifier import SHUFFLED, ClassifierOptions, train_classifier

    folder = out or work / (_named("chest-sim-classifier", leave_out) + (SHUFFLED if shuffle_labels else ""))
    # Runs for the figures alone take fewer bodies.
    bodies = (96, 24, 32) if leave_out else ClassifierOptions.bodies
    options = ClassifierOptions(
        thorax_ct, skeleton, work, folder, seed, leave_out, steps=steps or ClassifierOptions.steps, bodies=bodies
    )
    bundle = train_label_randomised(train_classifier, options) if shuffle_labels else train_classifier(options)
    print(f"The bundle lies in {bundle.folder}.")


@app.command()
def samples(thorax_ct: ThoraxCt, skeleton: Skeleton, work: Work, out: Out = None, seed: Seed = 0) -> None:
    """The two simulated sample radiographs."""
    from OsteoScreenLib.study.samples import write_samples

    for path in write_samples(out or work / "samples", skeleton, thorax_ct, seed, cache=work / "anatomies"):
        print(f"Wrote {path}.")
