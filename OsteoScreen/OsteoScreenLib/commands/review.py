"""`osteoscreen review`: make a reader study, see how far it is, merge what several computers hold, and report it.

Options are declared here; what the longer commands do is in `review_create` and `review_results`.
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from OsteoScreenLib import __version__
from OsteoScreenLib.cli_options import JsonOption
from OsteoScreenLib.commands import review_analyse, review_create, review_results

app = typer.Typer(help="Reader studies: read blind, then see the model, then check the masks.", no_args_is_help=True)
app.command("analyse")(review_analyse.analyse_study)

Study = Annotated[Path, typer.Argument(help="Folder of the study.", show_default=False)]


class ModeChoice(StrEnum):
    """When a reader sees the model."""

    blind = "blind"
    open = "open"
    alone = "alone"


class StatusChoice(StrEnum):
    """How far a case is."""

    unread = "unread"
    first = "first"
    done = "done"
    skipped = "skipped"


@app.command()
def create(
    sources: Annotated[
        list[Path],
        typer.Argument(
            help="Folders, a CSV with the column image (and patient_id, label, t_score, view), a DICOMDIR, or image files.",
            show_default=False,
        ),
    ],
    study: Annotated[Path, typer.Option("--study", "-o", help="Folder for the study; a new one.")],
    title: Annotated[str, typer.Option(help="What the study is called; no name of a person.")] = "Reader study",
    mode: Annotated[
        ModeChoice,
        typer.Option(help="'blind': read, lock, then see the model and read again. 'open': with the model. 'alone': without."),
    ] = ModeChoice.blind,
    readers: Annotated[str, typer.Option(help="Codes of the readers, such as R1,R2,R3; anyone with a code if not given.")] = "",
    each_case: Annotated[int, typer.Option(help="How many of the readers read each case; 0 is all.", min=0)] = 0,
    repeats: Annotated[float, typer.Option(help="Share of the cases that a reader gets twice.", min=0, max=1)] = 0.0,
    seed: Annotated[int, typer.Option(help="Seed of order, repeats and assignment.", min=0)] = 0,
    site: Annotated[str, typer.Option(help="What the images show: chest-frontal or knee.")] = "chest-frontal",
    target: Annotated[str, typer.Option(help="The class that the confidence is about.")] = "osteoporosis",
    columns: Annotated[str, typer.Option(help="What the table calls a column, for example label=diagnosis,image=file.")] = "",
    copy: Annotated[
        bool, typer.Option("--copy", help="Put de-identified copies into the study, to carry it to another computer.")
    ] = False,
    truth_apart: Annotated[
        bool,
        typer.Option(
            "--truth-apart", help="Keep the truth in the folder 'private', where readers of a carried study have none."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a reader study: pseudonyms for the cases, an order for each reader."""
    from OsteoScreenLib.review.nouns import Protocol

    codes = tuple(code.strip() for code in readers.split(",") if code.strip())
    protocol = Protocol(title, site, mode.value, codes, each_case, repeats, seed, target=target)
    code = review_create.run(sources, study, protocol, columns=columns, copy=copy, truth_apart=truth_apart, as_json=as_json)
    raise typer.Exit(code)


@app.command("list")
def list_tasks(
    study: Study,
    reader: Annotated[str, typer.Option(help="Code of the reader whose worklist it is.", show_default=False)],
    status: Annotated[StatusChoice | None, typer.Option(help="Only the cases of this status.")] = None,
    search: Annotated[str, typer.Option(help="Only the case of this number.")] = "",
    view: Annotated[str, typer.Option(help="Only this view: PA, AP, LATERAL, OBLIQUE.")] = "",
    as_json: JsonOption = False,
) -> None:
    """A reader's worklist with how far each case is. Pseudonyms are not shown, so that nobody sees which case comes again."""
    from OsteoScreenLib.review.project import merged
    from OsteoScreenLib.review.study import open_study
    from OsteoScreenLib.review.worklist import worklist

    opened = open_study(study)
    tasks = worklist(opened, reader)
    statuses = review_results.statuses_of(tasks, merged(opened.folder))
    chosen = tasks.matching(statuses, search=search, status=status.value if status else None, view=view.upper())
    entries = [{"number": tasks.number(task), "status": statuses[task], "view": tasks.cases[task.case].view} for task in chosen]
    if as_json:
        print(json.dumps({"osteoscreen": __version__, "reader": tasks.reader, "tasks": entries}, indent=2))
        return
    for task in chosen:
        words = [review_results.STATUS_WORDS[statuses[task]], tasks.cases[task.case].view]
        print(f"{tasks.label(task)}: {', '.join(filter(None, words))}")
    if not chosen:
        print("No case fits.")


@app.command()
def status(study: Study, as_json: JsonOption = False) -> None:
    """How far each reader is, how many cases are analysed, and what is wrong with the reads."""
    raise typer.Exit(review_results.show_status(study, as_json=as_json))


@app.command()
def merge(
    study: Study,
    others: Annotated[
        list[Path],
        typer.Argument(help="The same study as it came back from other computers, or single stores of it.", show_default=False),
    ],
    as_json: JsonOption = False,
) -> None:
    """Take reads and corrected masks of other computers into a study; twice or in another order gives the same."""
    raise typer.Exit(review_results.merge(study, others, as_json=as_json))


@app.command()
def export(
    study: Study,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the tables; the study's 'exports' if not given.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write all reads, verdicts on masks and conflicts as tables, and for iMRMC where the truth is known."""
    raise typer.Exit(review_results.export(study, out, as_json=as_json))


@app.command()
def report(
    study: Study,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the report; the study's 'exports' if not given.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """How far the readers agree, with each other, with themselves, the model and the truth: a page and a table (extra 'study')."""
    raise typer.Exit(review_results.report(study, out, as_json=as_json))
