"""`osteoscreen bench`: the options of the measurements; what they do is in `benchmarks`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from OsteoScreenLib.cli_options import Device, DeviceOption, JsonOption, Precision
from OsteoScreenLib.commands import failures

app = typer.Typer(help="Measure this installation.", no_args_is_help=True)


@app.command("start")
def start(as_json: JsonOption = False) -> None:
    """How long a fresh process takes to import OsteoScreen, and whether anything heavy comes along."""
    from OsteoScreenLib.benchmarks.start import measure_start

    figures = measure_start()
    if as_json:
        print(json.dumps(figures.as_json(), indent=2))
    else:
        heavy = ", ".join(figures.heavy_imports) or "none"
        print(
            f"import OsteoScreenLib: {figures.seconds:.3f} s (median of {figures.runs} fresh processes, slowest "
            f"{figures.slowest_seconds:.3f} s; limit {figures.limit_seconds:g} s)\n"
            f"torch, Qt, vtk, slicer imported: {heavy}\n{'passed' if figures.passed else 'not passed'}"
        )
    if not figures.passed:
        raise typer.Exit(failures.OUR_FAULT)


@app.command("panel")
def panel(
    image: Annotated[
        Path | None, typer.Argument(help="A radiograph; the simulated sample if none.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """How fast the viewer opens, answers, draws and cancels, in a fresh process without a display."""
    from OsteoScreenLib.benchmarks.panel import measure_panel, sample_radiograph
    from OsteoScreenLib.commands.view import require_packages

    require_packages()
    figures = measure_panel(image or sample_radiograph())
    print(json.dumps(figures.as_json(), indent=2) if as_json else figures.as_text())


@app.command("simulate")
def simulate(
    skeleton: Annotated[Path, typer.Option(help="BodyParts3D bones, bodyparts3d_stl.zip.")],
    thorax_ct: Annotated[Path, typer.Option(help="Folder of thorax CT, as for 'osteoscreen simulate'.")],
    work: Annotated[
        Path, typer.Option(help="Folder; the prepared bodies stay in its 'anatomies', for preparing takes minutes.")
    ],
    count: Annotated[int, typer.Option(help="How many radiographs are measured.", min=1)] = 24,
    size: Annotated[int, typer.Option(help="Rows and columns.", min=128, max=4096)] = 512,
    seed: Annotated[int, typer.Option(help="Seed of everything random.", min=0)] = 0,
    threads: Annotated[
        int | None, typer.Option(help="Processors to use, with a process each; all of them if not given.", min=1)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Simulated radiographs a second, the time of each stage, the projector beside NumPy, memory (needs the extra 'simulate')."""
    from rich.console import Console
    from rich.progress import Progress

    from OsteoScreenLib.benchmarks.simulate import measure_simulation

    with Progress(console=Console(stderr=True), disable=as_json) as shown:
        task = shown.add_task("Preparing the bodies", total=None)

        def progress(done: int, total: int) -> None:
            what = "Simulating radiographs" if done < total else "Projecting with NumPy"
            shown.update(task, description=what, completed=done, total=total)

        figures = measure_simulation(
            skeleton, thorax_ct, work, count=count, size=size, seed=seed, threads=threads, progress=progress
        )
    if as_json:
        print(json.dumps(figures.as_json(), indent=2))
    else:
        Console().print(figures.as_tables())


@app.command("explain")
def explain(
    backbone: Annotated[
        str | None,
        typer.Option(
            help="Any timm network's name, given random weights; without it a bundle is measured.", show_default=False
        ),
    ] = None,
    img_size: Annotated[
        int | None, typer.Option(help="Rows and columns of the backbone's input; 224 if not given.", min=16, max=4096)
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option(help="A model bundle's folder; the embedded one if not given.", show_default=False)
    ] = None,
    device: DeviceOption = Device.auto,
    precision: Annotated[Precision, typer.Option(help="Number format of the network.")] = Precision.auto,
    threads: Annotated[int | None, typer.Option(help="Threads; all processors if not given.", min=1)] = None,
    bones: Annotated[
        int | None, typer.Option(help="So many bones, spread over the chest, for small machines; all if not given.", min=1)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """How much faster a radiograph's explanation is than by a plain script, and how far apart their numbers are."""
    from rich.console import Console
    from rich.progress import Progress

    from OsteoScreenLib.benchmarks.explain import measure_explanation

    with Progress(console=Console(stderr=True), disable=as_json) as shown:
        task = shown.add_task("Explaining both ways", total=None)
        figures = measure_explanation(
            backbone,
            img_size,
            bundle=bundle,
            device=device.value,
            precision=precision.value,
            threads=threads,
            bones=bones,
            progress=lambda done, total: shown.update(task, completed=done, total=total),
        )
    if as_json:
        print(json.dumps(figures.as_json(), indent=2))
    else:
        Console().print(figures.as_tables())


@app.command("train")
def train(
    network: Annotated[
        str, typer.Option(help="Any timm vision transformer's name, given random weights.")
    ] = "vit_small_patch16_224",
    img_size: Annotated[int, typer.Option(help="Rows and columns of its input.", min=16, max=4096)] = 224,
    tuning: Annotated[str, typer.Option(help="Of the training step: partial or lora.")] = "partial",
    batch: Annotated[
        int | None, typer.Option(help="Images a step; 8 on a processor and 64 on a GPU if not given.", min=2)
    ] = None,
    rounds: Annotated[int, typer.Option(help="Rounds in which both sides take turns.", min=1)] = 5,
    epochs: Annotated[int, typer.Option(help="Of the loop that linear probing is compared with.", min=1)] = 100,
    device: DeviceOption = Device.auto,
    precision: Annotated[Precision, typer.Option(help="Number format of the network.")] = Precision.auto,
    threads: Annotated[int | None, typer.Option(help="Threads; all processors if not given.", min=1)] = None,
    as_json: JsonOption = False,
) -> None:
    """What the data path adds to a training step, what cached features save in linear probing, what evaluation adds to forward passes."""
    from rich.console import Console

    from OsteoScreenLib.benchmarks.training import measure_training

    figures = measure_training(
        network, img_size, device=device.value, precision=precision.value, threads=threads, batch=batch, tuning=tuning,
        rounds=rounds, epochs=epochs,
    )  # fmt: skip
    if as_json:
        print(json.dumps(figures.as_json(), indent=2))
    else:
        Console().print(figures.as_tables())


@app.command("explanations")
def explanations(
    skeleton: Annotated[Path, typer.Option(help="BodyParts3D bones, bodyparts3d_stl.zip.")],
    thorax_ct: Annotated[Path, typer.Option(help="Folder of thorax CT, as for 'osteoscreen simulate'.")],
    work: Annotated[
        Path, typer.Option(help="Folder for bodies, networks, numbers and tables; a second call goes on from there.")
    ],
    truths: Annotated[
        str, typer.Option(help="Bone groups that alone carry the signal, one network each; groups of one truth joined by '+'.")
    ] = "Spine,Right ribs,Clavicles,Humeri",
    networks: Annotated[str, typer.Option(help="Kinds of networks: resnet, vit.")] = "resnet,vit",
    bodies: Annotated[str, typer.Option(help="Bodies to train on, and others to explain.")] = "96,24",
    steps: Annotated[int | None, typer.Option(help="Steps of each training; the recipe's own if not given.", min=2)] = None,
    draws: Annotated[int, typer.Option(help="Draws of bodies for the intervals.", min=100, max=100_000)] = 2000,
    seed: Annotated[int, typer.Option(help="Seed of everything random.", min=0)] = 0,
    threads: Annotated[int, typer.Option(help="Threads of each training.", min=1)] = 1,
    as_json: JsonOption = False,
) -> None:
    """Do explanations find the bones that carry the signal? Networks whose reasons are known, explained (extra 'simulate')."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from OsteoScreenLib.benchmarks.explanations import measure_explanations

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=as_json) as shown:
        stages: dict[str, Any] = {}

        def progress(what: str, done: int, total: int) -> None:
            if what not in stages:
                stages[what] = shown.add_task(what, total=total)
            shown.update(stages[what], completed=done)

        found = measure_explanations(
            skeleton, thorax_ct, work, truths=truths, networks=networks, bodies=bodies, steps=steps, draws=draws, seed=seed,
            threads=threads, progress=progress,
        )  # fmt: skip
    if as_json:
        print(json.dumps(found.as_json(), indent=2, allow_nan=False))
    else:
        Console().print(found.as_tables())


@app.command("burned-in")
def burned_in(
    images: Annotated[
        list[Path] | None, typer.Argument(help="Radiographs; the simulated samples if none.", show_default=False)
    ] = None,
    count: Annotated[int, typer.Option(help="How many texts are drawn.", min=1)] = 100,
    seed: Annotated[int, typer.Option(help="Seed of the texts.", min=0)] = 0,
    as_json: JsonOption = False,
) -> None:
    """How much of text that is burned into radiographs is found, and how often text is seen where there is none."""
    from OsteoScreenLib.benchmarks.burned_in import measure_burned_in

    figures = measure_burned_in(images or [], count, seed)
    print(json.dumps(figures.as_json(), indent=2) if as_json else figures.as_text())


@app.command("coverage")
def coverage(
    patients: Annotated[int, typer.Option(help="Patients of each simulated sample.", min=4)] = 200,
    positives: Annotated[int, typer.Option(help="How many of them are positive.", min=2)] = 60,
    auc: Annotated[float, typer.Option(help="The true AUC.", min=0.5, max=0.999)] = 0.8,
    samples: Annotated[int, typer.Option(help="How many samples.", min=10)] = 1000,
    draws: Annotated[int, typer.Option(help="Draws of patients in each.", min=100, max=100_000)] = 1000,
    most_images: Annotated[int, typer.Option(help="A patient has one to so many images, alike.", min=1, max=20)] = 1,
    seed: Annotated[int, typer.Option(help="Seed of everything random.", min=0)] = 0,
    as_json: JsonOption = False,
) -> None:
    """How often the 95 % intervals of an AUC hold the true one, on simulated patients (extra 'study')."""
    from rich.console import Console
    from rich.progress import Progress
    from rich.table import Table

    from OsteoScreenLib.study.evaluation.coverage import CoverageOptions, measure_coverage

    options = CoverageOptions(patients, positives, auc, samples, draws, most_images, seed=seed)
    with Progress(console=Console(stderr=True), disable=as_json) as shown:
        task = shown.add_task("Simulating samples", total=samples)
        found = measure_coverage(options, lambda done, total: shown.update(task, completed=done, total=total))
    if as_json:
        print(json.dumps(found.as_json(), indent=2))
        return
    table = Table("interval", "holds the true AUC in", "95 % interval of that", "mean width")
    for method, share in found.covered.items():
        within = f"{100 * share.low:.1f} to {100 * share.high:.1f} %"
        table.add_row(method, f"{100 * share.value:.1f} %", within, f"{found.width[method]:.3f}")
    Console().print(table)


@app.command("realism")
def realism(
    real: Annotated[
        Path, typer.Option(help="Folder of real frontal chest radiographs; files that are none are left out by name.")
    ],
    simulated: Annotated[Path, typer.Option(help="Folder of a cohort that 'osteoscreen simulate' made.")],
    out: Annotated[Path, typer.Option(help="Folder for realism.png, simulated.jpg, and sheet.png with both side by side.")],
    as_json: JsonOption = False,
) -> None:
    """How like real radiographs simulated ones are: grey values, spectrum, and a sheet to look at (needs the extra 'simulate')."""
    from rich.console import Console

    from OsteoScreenLib.benchmarks.realism import measure_realism

    figures = measure_realism(real, simulated, out)
    if as_json:
        print(json.dumps(figures.as_json(), indent=2))
    else:
        Console().print(figures.as_table(), f"The plot and the sheet lie in {out}.", sep="\n")


@app.command("review")
def review(
    image: Annotated[
        Path | None, typer.Argument(help="A radiograph; the simulated sample if none.", show_default=False)
    ] = None,
    cases: Annotated[int, typer.Option(help="Cases of the long worklist.", min=1)] = 10_000,
    steps: Annotated[int, typer.Option(help="Cases that are read one after another.", min=2)] = 100,
    as_json: JsonOption = False,
) -> None:
    """How soon a long worklist opens and the next case is on the screen, and whether memory grows while cases are read."""
    from OsteoScreenLib.benchmarks.panel import sample_radiograph
    from OsteoScreenLib.benchmarks.review_room import measure_review
    from OsteoScreenLib.commands.view import require_packages

    require_packages()
    figures = measure_review(image or sample_radiograph(), cases, steps)
    print(json.dumps(figures.as_json(), indent=2) if as_json else figures.as_text())


@app.command("review-soak")
def review_soak(
    kills: Annotated[int, typer.Option(help="How many times the reading process is killed.", min=1)] = 200,
    folder: Annotated[
        Path | None, typer.Option(help="A folder on the disk to try; the system's temporary one if not given.", exists=True)
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the moments.", min=0)] = 0,
    as_json: JsonOption = False,
) -> None:
    """Does a reader who is killed lose a read? A process that locks and exports reads is killed at random moments."""
    from rich.console import Console
    from rich.progress import Progress

    from OsteoScreenLib.benchmarks.review_soak import soak

    with Progress(console=Console(stderr=True), disable=as_json) as shown:
        task = shown.add_task("Killing", total=kills)
        figures = soak(kills, seed, folder, lambda done, total: shown.update(task, completed=done, total=total))
    print(json.dumps(figures.as_json(), indent=2) if as_json else figures.as_text())
    if not figures.passed:
        raise typer.Exit(failures.OUR_FAULT)


@app.command("fuzz")
def fuzz(
    files: Annotated[int, typer.Option(help="How many broken DICOM files are read.", min=1)] = 5000,
    chain: Annotated[
        int, typer.Option(help="How many of those that can be read are analysed, DICOM results included.", min=0)
    ] = 200,
    seed: Annotated[int, typer.Option(help="Seed of what is broken.", min=0)] = 0,
    radiographs: Annotated[
        Path | None,
        typer.Option(help="Folder of DICOM radiographs to break besides the samples.", exists=True, file_okay=False),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for files that did not end in words.")] = Path("fuzz-faults"),
    seconds: Annotated[float, typer.Option(help="The longest that one file may take.", min=0.1)] = 10.0,
    memory_mb: Annotated[int, typer.Option(help="The most memory of the reading process, in MiB.", min=256)] = 1536,
    as_json: JsonOption = False,
) -> None:
    """Do broken DICOM files crash, hang or bloat anything? Thousands through reading, hundreds through the whole analysis."""
    from rich.console import Console
    from rich.progress import Progress

    from OsteoScreenLib.benchmarks.fuzz import Limits
    from OsteoScreenLib.benchmarks.fuzz import fuzz as run

    with Progress(console=Console(stderr=True), disable=as_json) as shown:
        tasks: dict[str, Any] = {}

        def progress(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = shown.add_task(what, total=total)
            shown.update(tasks[what], completed=done)

        found = sorted(path for path in radiographs.iterdir() if path.is_file()) if radiographs else []
        figures = run(
            files, chain, seed, out=out, radiographs=found, limits=Limits(seconds, memory_mb << 20), progress=progress
        )  # fmt: skip
    print(json.dumps(figures.as_json(), indent=2) if as_json else figures.as_text())
    if not figures.passed:
        raise typer.Exit(failures.OUR_FAULT)


@app.command("gateway")
def gateway_rate(
    images: Annotated[int, typer.Option(help="Radiographs a round.", min=1)] = 20,
    rounds: Annotated[int, typer.Option(help="Rounds in which both sides take turns.", min=1)] = 3,
    senders: Annotated[int, typer.Option(help="That send at once.", min=1, max=10)] = 4,
    folder: Annotated[
        Path | None, typer.Option(help="A folder on the disk to use; the system's temporary one if not given.", exists=True)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """What the screening gateway adds to the analyser's own time, with Orthanc on the same machine (extra 'gateway')."""
    from rich.console import Console
    from rich.progress import Progress

    from OsteoScreenLib.benchmarks.gateway_rate import measure

    with Progress(console=Console(stderr=True), disable=as_json) as shown:
        task = shown.add_task("Rounds", total=rounds)
        figures = measure(images, rounds, senders, folder, lambda done, total: shown.update(task, completed=done, total=total))
    print(json.dumps(figures.as_json(), indent=2) if as_json else figures.as_text())


@app.command("gateway-soak")
def gateway_soak(
    images: Annotated[int, typer.Option(help="Radiographs.", min=1)] = 300,
    others: Annotated[int, typer.Option(help="Images that are no chest, and are to be refused.", min=0)] = 12,
    senders: Annotated[int, typer.Option(help="That send at once.", min=1, max=9)] = 4,
    kills: Annotated[int, typer.Option(help="How many times the gateway is killed.", min=0)] = 10,
    restarts: Annotated[int, typer.Option(help="How many times Orthanc is restarted.", min=0)] = 2,
    folder: Annotated[
        Path | None, typer.Option(help="A folder on the disk to use; the system's temporary one if not given.", exists=True)
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of UIDs, order and moments.", min=0)] = 0,
    as_json: JsonOption = False,
) -> None:
    """Does a killed gateway lose or double a radiograph? Senders insist while it is killed, Orthanc restarted and the disk filled."""
    from rich.console import Console
    from rich.progress import Progress

    from OsteoScreenLib.benchmarks.gateway_soak import soak

    with Progress(console=Console(stderr=True), disable=as_json) as shown:
        task = shown.add_task("Cases", total=images + others)
        figures = soak(
            images, others=others, senders=senders, kills=kills, restarts=restarts, seed=seed, folder=folder,
            progress=lambda done, total: shown.update(task, completed=done, total=total),
        )  # fmt: skip
    print(json.dumps(figures.as_json(), indent=2) if as_json else figures.as_text())
    if not figures.passed:
        raise typer.Exit(failures.OUR_FAULT)
