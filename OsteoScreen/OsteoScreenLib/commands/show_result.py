"""`osteoscreen show-result`: what a structured report or an analysis.json says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from OsteoScreenLib.cli_options import JsonOption


def show_result(
    result: Annotated[
        Path, typer.Argument(help="A structured report of OsteoScreen (sr.dcm), or an analysis.json.", show_default=False)
    ],
    as_json: JsonOption = False,
) -> None:
    """Show a prior result: class, probabilities, operating points, effects of bones, remarks, the model."""
    from OsteoScreenLib.exchange.analysis_file import read_result

    found = read_result(result)
    if as_json:
        from OsteoScreenLib.exchange.prior_json import to_json

        print(to_json(found))
        return
    from OsteoScreenLib.exchange.prior_rows import rows

    lines = rows(found)
    width = min(max(len(title) for title, _ in lines), 44)
    for title, value in lines:
        print(f"{title:<{width}}  {value}")
