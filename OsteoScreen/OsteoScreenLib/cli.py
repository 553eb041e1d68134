"""The command line: `osteoscreen analyse`, `view`, `segment`, `simulate` and the others; `osteoscreen bench` is in `cli_bench`.

Exit codes: 0 done; 2 the input or the options are wrong, or one of several images was refused; 1 a fault of ours. Never a
traceback, unless `--debug` asks for it. Options are declared here; what they do is in `commands`.
"""

from __future__ import annotations

import json
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from OsteoScreenLib import __version__, cli_bench
from OsteoScreenLib.cli_options import Device, DeviceOption, JsonOption, Precision
from OsteoScreenLib.commands import (
    cohort,
    compare,
    evaluate,
    failures,
    fetch,
    fhir,
    models,
    pacs,
    pseudonymise,
    review,
    send,
    serve,
    show_result,
    train,
    training,
)
from OsteoScreenLib.errors import InputError

app = typer.Typer(
    name="osteoscreen",
    help="Opportunistic osteoporosis screening on radiographs. Research use only.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(models.app, name="models")
app.add_typer(cli_bench.app, name="bench")
app.add_typer(training.app, name="train-embedded")
app.add_typer(review.app, name="review")
app.add_typer(pacs.app, name="pacs")
app.command("cohort")(cohort.cohort)
app.command("compare")(compare.compare)
app.command("evaluate")(evaluate.evaluate)
app.command("fetch")(fetch.fetch)
app.command("send")(send.send)
app.command("fhir")(fhir.fhir)
app.command("show-result")(show_result.show_result)
app.command("serve")(serve.serve)
app.command("pseudonymise")(pseudonymise.pseudonymise)
app.command("train")(train.train)


class Mode(StrEnum):
    """What covering a bone means."""

    remove = "remove"
    add_back = "add-back"


class Fill(StrEnum):
    """What covered pixels are replaced with."""

    mean = "mean"
    blur = "blur"
    inpaint = "inpaint"
    noise = "noise"
    black = "black"
    linear = "linear"
    tokens = "tokens"


class Saliency(StrEnum):
    """How the heatmap is made."""

    auto = "auto"
    grad_cam = "grad-cam"
    grad_cam_plus_plus = "grad-cam++"
    hirescam = "hirescam"
    layercam = "layercam"
    eigencam = "eigencam"
    score_cam = "score-cam"
    rollout = "rollout"
    gradient_attention = "gradient-attention"
    none = "none"


class SegmenterChoice(StrEnum):
    """Who draws the bones."""

    embedded = "embedded"
    torchxrayvision = "torchxrayvision"


class Rotation(StrEnum):
    """Quarter turns counter-clockwise."""

    none = "0"
    quarter = "90"
    half = "180"
    three_quarters = "270"


class Flip(StrEnum):
    """Mirroring of the stored image."""

    none = "none"
    horizontal = "horizontal"
    vertical = "vertical"


Images = Annotated[list[Path], typer.Argument(help="DICOM, PNG, JPEG, TIFF, NRRD or NIfTI files.", show_default=False)]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the results; several images get a folder each in it.")]
SegmenterOption = Annotated[SegmenterChoice, typer.Option(help="Who draws the bones.")]
RotationOption = Annotated[
    Rotation | None, typer.Option("--rotate", help="Turn the stored image counter-clockwise, instead of asking the image.")
]
FlipOption = Annotated[Flip | None, typer.Option("--flip", help="Mirror the stored image.")]
InvertOption = Annotated[
    bool | None, typer.Option("--invert/--no-invert", help="Invert the grey values or keep them, instead of asking the image.")
]


@app.callback(invoke_without_command=True)
def osteoscreen(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks; may stand anywhere.")] = False,
) -> None:
    """Opportunistic osteoporosis screening on radiographs. Research use only."""
    if version:
        print(f"osteoscreen {__version__}")
        raise typer.Exit()


@app.command()
def analyse(
    images: Images,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the results; several images get a folder each in it.")
    ] = None,
    study: Annotated[
        Path | None,
        typer.Option(
            help="Instead of --out: a reader study's folder, where all that a reader could ask is stored; made if it is not there."
        ),
    ] = None,
    model: Annotated[str, typer.Option(help="Id of a classifier, or its folder.")] = "chest-sim-classifier",
    device: DeviceOption = Device.auto,
    precision: Annotated[Precision, typer.Option(help="Number format of the network.")] = Precision.auto,
    cover: Annotated[
        list[str] | None, typer.Option(help="Cover this bone or group, for example 'Spine' or 'right rib 5'; may be repeated.")
    ] = None,
    mode: Annotated[
        Mode, typer.Option(help="'remove' takes the covered bones away; 'add-back' shows only the others.")
    ] = Mode.remove,
    fill: Annotated[Fill, typer.Option(help="What covered pixels are replaced with.")] = Fill.mean,
    margin: Annotated[float, typer.Option(help="Cover this many pixels around each bone too.", min=0, max=200)] = 0.0,
    margin_mm: Annotated[
        float | None, typer.Option(help="The same in millimetres; needs a known pixel spacing.", min=0)
    ] = None,
    target: Annotated[
        str, typer.Option(help="The class that is explained: normal, osteopenia, osteoporosis or 'low bone mass'.")
    ] = "osteoporosis",
    saliency: Annotated[
        Saliency,
        typer.Option(
            help="How the heatmap is made; auto: gradient-attention on vision transformers, which alone can give it, else grad-cam."
        ),
    ] = Saliency.auto,
    verdict: Annotated[
        bool, typer.Option("--verdict", help="Say whether the answer comes from bone, with controls; takes some seconds more.")
    ] = False,
    segmenter: SegmenterOption = SegmenterChoice.embedded,
    masks: Annotated[Path | None, typer.Option(help="Bone masks drawn on this image, as .seg.nrrd or DICOM SEG.")] = None,
    dicom: Annotated[
        bool,
        typer.Option(
            "--dicom", help="Write DICOM objects too: seg.dcm, sr.dcm, sc.dcm, pr.dcm, saliency.dcm (and saliency.nrrd)."
        ),
    ] = False,
    reads: Annotated[
        Path | None,
        typer.Option(
            help="With --dicom: a reader study, whose locked read of the image goes into sr.dcm under the reader's code."
        ),
    ] = None,
    reader: Annotated[str, typer.Option(help="With --reads: the reader's code, where several have read the image.")] = "",
    pseudonym_key: Annotated[
        Path | None,
        typer.Option(
            "--pseudonymise",
            metavar="KEYFILE",
            help="Analyse pseudonymised copies, written beside the results; as `pseudonymise --key`.",
        ),
    ] = None,
    text: Annotated[
        pseudonymise.TextChoice | None,
        typer.Option(
            help="What to do with text found in the pixels: 'mask' it in pictures and copies, 'keep' it, 'refuse' the image."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the fills 'noise' and 'linear'.", min=0)] = 0,
    rotate: RotationOption = None,
    flip: FlipOption = None,
    invert: InvertOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read radiographs; write the class with its probabilities, the bones, the heatmap and a report for each."""
    from OsteoScreenLib.worker.model_folders import site_of

    options = {
        **_shared(device, segmenter, rotate, flip, invert),
        "model": model,
        "precision": precision.value,
        "cover": list(site_of(model).expand(cover)) if cover else [],
        "mode": mode.value,
        "fill": fill.value,
        "margin_px": margin,
        "margin_mm": margin_mm,
        "target": target,
        "saliency": saliency.value,
        "verdict": verdict,
        "masks": str(masks) if masks else None,
        "dicom": dicom,
        "reads": str(reads) if reads else None,
        "reader": reader,
        "seed": seed,
    }
    if reads is not None and not dicom:
        raise InputError("--reads goes into the structured report; add --dicom.", code="option")
    if study is not None:
        for option, given in (("--pseudonymise", pseudonym_key), ("--text", text)):
            if given is not None:
                raise InputError(f"{option} does not go with --study; leave it out.", code="option")
        _store("--out" if out else "", study, images, options, as_json)
    if out is None:
        raise InputError("Name a folder for the results with --out, or a reader study with --study.", code="out")
    if pseudonym_key is not None:
        chosen = text or pseudonymise.TextChoice.ask
        raise typer.Exit(
            pseudonymise.analyse_copies(images, out, pseudonym_key, chosen.value, options, as_json=as_json, debug=_debug)
        )
    _run("analyse", images, out, {**options, "text": pseudonymise.for_pictures(text)}, as_json)


@app.command()
def view(
    image: Annotated[
        Path | None,
        typer.Argument(help="A radiograph, a scene (.mrb) or a study's folder, opened at once.", show_default=False),
    ] = None,
) -> None:
    """Open the viewer's window: radiograph, heatmap, bones to switch off and on, and the answer that follows."""
    from OsteoScreenLib.commands.view import open_window

    raise typer.Exit(open_window(image))


@app.command()
def segment(
    images: Images,
    out: Out,
    device: DeviceOption = Device.auto,
    segmenter: SegmenterOption = SegmenterChoice.embedded,
    site: Annotated[str, typer.Option(help="What the images show: chest-frontal or knee.")] = "chest-frontal",
    rotate: RotationOption = None,
    flip: FlipOption = None,
    invert: InvertOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draw the bones of radiographs into masks.seg.nrrd and a picture, without a prediction."""
    from OsteoScreenLib.bones.vocabulary import site_named

    options = {**_shared(device, segmenter, rotate, flip, invert), "site": site_named(site).name}
    _run("segment", images, out, options, as_json)


class ViewChoice(StrEnum):
    """How the simulated patients stand."""

    pa = "pa"
    ap = "ap"
    mixed = "mixed"


class Shortcut(StrEnum):
    """What besides bone tells the class of a simulated radiograph."""

    none = "none"
    age = "age"
    tone = "tone"
    marker = "marker"


@app.command()
def simulate(
    skeleton: Annotated[Path, typer.Option(help="BodyParts3D bones, bodyparts3d_stl.zip.")],
    thorax_ct: Annotated[
        Path, typer.Option(help="Folder of thorax CT: X_ct.nrrd with X_labels.nrrd and X_labels.csv; others without labels.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the cohort; a second call goes on from there.")],
    count: Annotated[int, typer.Option(help="How many radiographs.", min=1)] = 100,
    seed: Annotated[int, typer.Option(help="Seed of everything random.", min=0)] = 0,
    size: Annotated[int, typer.Option(help="Rows and columns.", min=128, max=4096)] = 1024,
    view: Annotated[ViewChoice, typer.Option(help="PA upright, AP, or two thirds PA.")] = ViewChoice.mixed,
    prevalence: Annotated[str, typer.Option(help="Shares of normal, osteopenia, osteoporosis.")] = "1,1,1",
    bone_loss: Annotated[
        str, typer.Option(help="'global', or bones and groups that alone lose bone, such as 'Spine,right rib 5'.")
    ] = "global",
    follow_up: Annotated[
        float,
        typer.Option(
            help="Share of the radiographs that show the patient of the one before again, in another posture.", min=0, max=0.9
        ),
    ] = 0.0,
    shortcut: Annotated[Shortcut, typer.Option(help="What else shall tell the class, to provoke shortcuts.")] = Shortcut.none,
    strength: Annotated[float, typer.Option(help="How surely the shortcut tells it.", min=0, max=1)] = 1.0,
    workers: Annotated[int, typer.Option(help="Processes.", min=1, max=64)] = 2,
    cache: Annotated[
        Path | None,
        typer.Option(help="Folder for the prepared bodies, to share them between cohorts; preparing takes minutes."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Simulate radiographs with known bones and known bone density: DICOM, masks and cohort.csv (needs the extra 'simulate')."""
    from OsteoScreenLib.commands.simulate import run

    code = run(
        skeleton, thorax_ct, out, count=count, seed=seed, size=size, view=view.value, prevalence=prevalence,
        bone_loss=bone_loss, follow_up=follow_up, shortcut=shortcut.value, strength=strength, workers=workers, cache=cache,
        as_json=as_json,
    )  # fmt: skip
    raise typer.Exit(code)


@app.command("explain-cohort")
def explain_cohort(
    cohort: Annotated[
        Path,
        typer.Argument(
            help="CSV with the columns patient_id, image, label or t_score, and, where there are any, masks.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the numbers; a second call goes on from there.")],
    model: Annotated[str, typer.Option(help="Id of a classifier, or its folder.")] = "chest-sim-classifier",
    device: DeviceOption = Device.auto,
    precision: Annotated[Precision, typer.Option(help="Number format of the network.")] = Precision.auto,
    fill: Annotated[Fill, typer.Option(help="What covered pixels are replaced with.")] = Fill.mean,
    margin: Annotated[float, typer.Option(help="Cover this many pixels around each bone too.", min=0, max=200)] = 0.0,
    margin_mm: Annotated[
        float | None, typer.Option(help="The same in millimetres; needs a known pixel spacing.", min=0)
    ] = None,
    target: Annotated[
        str, typer.Option(help="The class that is told from the rest: normal, osteopenia, osteoporosis or 'low bone mass'.")
    ] = "osteoporosis",
    saliency: Annotated[Saliency, typer.Option(help="How the heatmap is made whose overlap is measured.")] = Saliency.grad_cam,
    segmenter: SegmenterOption = SegmenterChoice.embedded,
    image_check: Annotated[
        bool,
        typer.Option("--image-check/--no-image-check", help="Ask each image whether and how the model's body site lies there."),
    ] = True,
    draws: Annotated[int, typer.Option(help="Draws of patients for the intervals.", min=100, max=100_000)] = 2000,
    seed: Annotated[int, typer.Option(help="Seed of the draws and of the fills 'noise' and 'linear'.", min=0)] = 0,
    as_json: JsonOption = False,
) -> None:
    """What each bone is worth over a cohort: AUC with it shown alone or removed, overlap of the heatmap, with intervals."""
    from OsteoScreenLib.commands.explain_cohort import run

    options = {
        "target": target, "fill": fill.value, "margin_px": margin, "margin_mm": margin_mm, "saliency": saliency.value, "seed": seed,
    }  # fmt: skip
    code = run(
        cohort, out, model=model, device=device.value, precision=precision.value, segmenter=segmenter.value,
        image_check=image_check, draws=draws, options=options, as_json=as_json,
    )  # fmt: skip
    raise typer.Exit(code)


@app.command()
def sanity(
    images: Images,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the tables.")],
    model: Annotated[str, typer.Option(help="Id of a classifier, or its folder.")] = "chest-sim-classifier",
    method: Annotated[
        list[Saliency] | None,
        typer.Option(help="A saliency method; may be repeated. All that the network can give if not given."),
    ] = None,
    random_labels: Annotated[
        str | None,
        typer.Option(
            help="A classifier trained on shuffled labels by the same recipe, its id or folder, to compare maps with."
        ),
    ] = None,
    draws: Annotated[int, typer.Option(help="Random networks for each image.", min=2, max=200)] = 10,
    fill: Annotated[Fill, typer.Option(help="What deleted pixels are replaced with; not 'tokens'.")] = Fill.blur,
    steps: Annotated[int, typer.Option(help="Steps of the deletion and insertion curves.", min=2, max=200)] = 16,
    orders: Annotated[int, typer.Option(help="Random orders that each curve is compared with.", min=0, max=1000)] = 20,
    target: Annotated[
        str, typer.Option(help="The class that is explained: normal, osteopenia, osteoporosis or 'low bone mass'.")
    ] = "osteoporosis",
    device: DeviceOption = Device.auto,
    image_check: Annotated[
        bool,
        typer.Option("--image-check/--no-image-check", help="Ask each image whether and how the model's body site lies there."),
    ] = True,
    seed: Annotated[int, typer.Option(help="Seed of everything random.", min=0)] = 0,
    as_json: JsonOption = False,
) -> None:
    """Do heatmaps say anything about the model? Random weights, shuffled labels, deletion and insertion, method by method."""
    from OsteoScreenLib.commands.sanity import run

    curves = {"target": target, "fill": fill.value, "steps": steps, "orders": orders, "seed": seed}
    code = run(
        images, out, model=model, device=device.value, methods=[one.value for one in method or []], draws=draws, curves=curves,
        random_labels=random_labels, image_check=image_check, as_json=as_json,
    )  # fmt: skip
    raise typer.Exit(code)


def _shared(
    device: Device, segmenter: SegmenterChoice, rotate: Rotation | None, flip: Flip | None, invert: bool | None
) -> dict[str, Any]:
    return {
        "device": device.value,
        "segmenter": segmenter.value,
        "rotate": int(rotate.value) if rotate is not None else None,
        "flip": flip.value if flip is not None else None,
        "invert": invert,
    }


def _run(command: Any, images: list[Path], out: Path, options: dict[str, Any], as_json: bool) -> None:
    from OsteoScreenLib.commands.images import run

    raise typer.Exit(run(command, images, out, options, as_json=as_json, debug=_debug))


def _store(out: str, study: Path, images: list[Path], options: dict[str, Any], as_json: bool) -> None:
    """The results of a study. Every bone is covered there anyway, and its readers see the images as the files have them."""
    from OsteoScreenLib.commands.store_analyses import analyse_images
    from OsteoScreenLib.worker.requests import AnalysisOptions, options_from

    wanted = options_from(AnalysisOptions, options)
    plain = AnalysisOptions(
        device=wanted.device, segmenter=wanted.segmenter, model=wanted.model, precision=wanted.precision, target=wanted.target,
        saliency=wanted.saliency,
    )  # fmt: skip
    others = [name for name, value in vars(wanted).items() if value != vars(plain)[name]]
    if out or others:
        option = out or "--" + {"margin_px": "margin"}.get(others[0], others[0].replace("_", "-"))
        raise InputError(f"{option} does not go with --study; leave it out.", code="option")
    raise typer.Exit(analyse_images(study, images, plain, as_json=as_json, debug=_debug))


_debug = False  # set once by `main`, because --debug may stand anywhere on the command line


def main(arguments: list[str] | None = None) -> int:
    """Run one command line and return its exit code. Whatever happens, the user gets one sentence."""
    global _debug
    given = sys.argv[1:] if arguments is None else arguments
    _debug = "--debug" in given
    try:
        code = app([word for word in given if word != "--debug"], prog_name="osteoscreen", standalone_mode=False)
        sys.stdout.flush()
        if code == failures.INTERRUPTED:  # newer Typers turn Ctrl-C into this code themselves
            print("Cancelled.", file=sys.stderr)
        return int(code or 0)
    except BrokenPipeError:  # the reader of our output left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return failures.OUR_FAULT
    except (Exception, KeyboardInterrupt) as error:
        if _debug:
            failures.show_traceback(error)
        sentence, code = failures.sentence_of(error), failures.exit_code(error)
        if "--json" in given:
            print(
                json.dumps(
                    {"osteoscreen": __version__, "error": {"code": getattr(error, "code", "fault"), "sentence": sentence}}
                )
            )
        print(sentence, file=sys.stderr)
        return code


if __name__ == "__main__":
    sys.exit(main())
