"""`osteoscreen review analyse`: its options; what it does is in `store_analyses`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from OsteoScreenLib.cli_options import Device, DeviceOption, JsonOption, Precision


def analyse_study(
    study: Annotated[Path, typer.Argument(help="Folder of the study.", show_default=False)],
    model: Annotated[str, typer.Option(help="Id of a classifier, or its folder.")] = "chest-sim-classifier",
    device: DeviceOption = Device.auto,
    precision: Annotated[Precision, typer.Option(help="Number format of the network.")] = Precision.auto,
    segmenter: Annotated[str, typer.Option(help="Who draws the bones: embedded or torchxrayvision.")] = "embedded",
    saliency: Annotated[str, typer.Option(help="How the heatmaps are made, as in 'osteoscreen analyse'.")] = "auto",
    controls: Annotated[
        bool, typer.Option("--controls/--no-controls", help="Compare every bone with controls; most of the time goes there.")
    ] = True,
    replace: Annotated[
        bool, typer.Option("--replace", help="Throw stored results of another model, or with other options, away first.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Store the model's results of every case, so that readers need neither the model nor PyTorch; goes on where it stopped."""
    from OsteoScreenLib.commands.store_analyses import run
    from OsteoScreenLib.review.study import open_study
    from OsteoScreenLib.worker.requests import AnalysisOptions

    opened = open_study(study)
    options = AnalysisOptions(
        model=model, device=device.value, precision=precision.value, segmenter=segmenter, saliency=saliency,
        target=opened.protocol.target,
    )  # fmt: skip
    raise typer.Exit(run(opened, opened.cases, options, controls=controls, replace=replace, as_json=as_json))
