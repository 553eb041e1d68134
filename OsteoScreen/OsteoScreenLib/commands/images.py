"""`analyse` and `segment`: several images through one inference process, one line or one JSON entry each."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from OsteoScreenLib import __version__
from OsteoScreenLib.bones.quality import IMPLAUSIBLE, SHORT
from OsteoScreenLib.commands import failures
from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.workbench.worker_client import ProgressCallback, WorkerClient
from OsteoScreenLib.worker.requests import prepare_folder

Command = Literal["analyse", "segment"]
_NAMED = 8  # implausible bones that a line names


@dataclass
class Outcome:
    """What became of one image. status : "analysed" (or "segmented"), "refused" for the user to mend, "failed" by our fault."""

    path: str
    status: str
    out: str
    sentence: str = ""
    code: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The image's entry in the JSON document."""
        entry: dict[str, Any] = {"path": self.path, "status": self.status}
        if self.sentence:
            return {**entry, "code": self.code, "sentence": self.sentence}
        return {**entry, "out": self.out, **self.body}

    def as_line(self) -> str:
        """The image's line on the terminal."""
        name = Path(self.path).name
        if self.sentence.startswith(name):  # the sentence names the file itself
            return self.sentence
        return f"{name}: {self.sentence or summary(self.body)}"


def summary(body: Mapping[str, Any]) -> str:
    """The answer in one line: class and probabilities, or the bones found; warnings; where the report lies."""
    warnings = sum(1 for note in body["notes"] if note["severity"] == "warning")
    remark = f"; {warnings} warning{'s' if warnings > 1 else ''}" if warnings else ""
    if "decision" not in body:
        return f"{len(body['bones'])} bones{to_check(body.get('remarks', {}))}{remark}; masks: {body['files']['masks']}"
    verdict = f"; {_verdict(body['verdict']['sentence'])}" if body.get("verdict") else ""
    t_score = body.get("expected_t_score")
    expected = "" if t_score is None else f"; expected T-score {t_score:+.1f}"
    shares = ", ".join(f"{name} {100 * value:.1f} %" for name, value in body["probabilities"].items())
    return f"{_INPUT_CHECK[(body.get('domain') or {}).get('level')]}{body['decision']} ({shares}){expected}{verdict}{remark}; report: {body['files']['report']}"


def _verdict(sentence: str) -> str:
    return f"{sentence[:1].lower()}{sentence[1:].rstrip('.')}"


# What the reader has to know before the answer.
_INPUT_CHECK = {
    None: "[input not checked] ",
    "in": "",
    "borderline": "[at the edge of what the model was trained on] ",
    "out": "[unlike the model's training images: do not trust this answer] ",
}


def to_check(remarks: Mapping[str, Sequence[str]]) -> str:
    """Bones whose mask, or its absence, looks implausible, in a few words for a line."""
    named = [f"{name} ({', '.join(SHORT[code] for code in codes if code in IMPLAUSIBLE)})" for name, codes in remarks.items()
             if IMPLAUSIBLE.intersection(codes)]  # fmt: skip
    if not named:
        return ""
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return f", {len(named)} to check: {', '.join(named[:_NAMED])}{more}"


def run(
    command: Command,
    images: Sequence[Path],
    out: Path,
    options: Mapping[str, Any],
    *,
    as_json: bool = False,
    debug: bool = False,
    client: WorkerClient | None = None,
    before: Sequence[Outcome] = (),
) -> int:
    """Send every image through one inference process and print what became of it. Returns the exit code.

    options : as the worker's requests take them. client : a process to use instead of a new one; it is closed at the end.
    before : what became of images that got no further than this; they are reported with the others.
    Raises `OsteoScreenError` for what is wrong before any image is read.
    """
    if options.get("masks") and len(images) > 1:
        raise InputError("--masks belongs to one radiograph; analyse the images one by one.", code="masks-several")
    folders = output_folders(images, out)
    outcomes: list[Outcome] = list(before)
    for outcome in outcomes if not as_json else ():
        print(outcome.as_line(), flush=True)
    prepare_folder(out)
    if not images:
        return _reported(command, outcomes, as_json)
    with client or WorkerClient(log=failures.log_file()) as client, _progress(not as_json) as show:
        client.request(
            "load",
            {**options, "command": command, "first": str(images[0])},
            on_progress=show.within(0),
            doing="loading the models",
        )
        for number, (image, folder) in enumerate(zip(images, folders, strict=True)):
            show.start(number, len(images), image.name)
            following = images[number + 1] if number + 1 < len(images) else None
            outcome = _one(client, command, image, folder, following, options, show.within(number), debug)
            outcomes.append(outcome)
            if not as_json:
                show.print(outcome.as_line())
    return _reported(command, outcomes, as_json)


def _reported(command: Command, outcomes: Sequence[Outcome], as_json: bool) -> int:
    """What is said when all images are done, and the exit code."""
    notice = next((str(outcome.body["notice"]) for outcome in outcomes if "notice" in outcome.body), "")
    if as_json:
        entries = [outcome.as_json() for outcome in outcomes]
        print(json.dumps({"osteoscreen": __version__, "command": command, "notice": notice, "images": entries}, indent=2))
    elif notice:
        print(f"{notice}.", file=sys.stderr)
    statuses = {outcome.status for outcome in outcomes}
    if "failed" in statuses:
        return failures.OUR_FAULT
    return failures.WRONG_INPUT if "refused" in statuses else failures.DONE


def output_folders(images: Sequence[Path], out: Path) -> list[Path]:
    """One folder an image: `out` itself for a single one, else a folder in it named after the file, no two alike.

    Names are compared as case-insensitive file systems do.
    """
    if len(images) == 1:
        return [out]
    taken: set[str] = set()
    folders = []
    for image in images:
        stem = re.sub(r'[\x00-\x1f<>:"/\\|?*]', "_", image.stem).strip(". ") or "image"
        name, number = stem, 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.casefold())
        folders.append(out / name)
    return folders


def _one(
    client: WorkerClient,
    command: Command,
    image: Path,
    folder: Path,
    following: Path | None,
    options: Mapping[str, Any],
    on_progress: ProgressCallback,
    debug: bool,
) -> Outcome:
    doing = f"{'analysing' if command == 'analyse' else 'segmenting'} {image.name}"
    body = {**options, "path": str(image), "out": str(folder), "next": str(following) if following else None}
    try:
        answer = client.request(command, body, on_progress=on_progress, doing=doing)
    except OsteoScreenError as error:
        if debug:
            failures.show_traceback(error)
        status = "refused" if isinstance(error, InputError) else "failed"
        return Outcome(str(image), status, str(folder), failures.sentence_of(error), getattr(error, "code", "fault"))
    reply = {key: value for key, value in answer.body.items() if key != "request"}
    return Outcome(str(image), "analysed" if command == "analyse" else "segmented", str(folder), body=reply)


class _Quiet:
    """No progress: the output is not a terminal, or JSON was asked for."""

    def start(self, number: int, total: int, name: str) -> None:
        """A further image begins."""

    def within(self, number: int) -> ProgressCallback:
        """The callback for one image's stages."""
        return lambda stage, fraction, message: None

    def print(self, line: str) -> None:
        """One line of results."""
        print(line, flush=True)


class _Bar(_Quiet):
    """A bar on stderr; results go to stdout above it."""

    def __init__(self, progress: Any, task: Any) -> None:
        self._progress, self._task = progress, task
        self._name = ""

    def start(self, number: int, total: int, name: str) -> None:
        self._name = name
        self._progress.update(self._task, total=total, completed=number, description=name)

    def within(self, number: int) -> ProgressCallback:
        def show(stage: str, fraction: float, message: str) -> None:
            text = f"{self._name}: {message}" if self._name else message
            self._progress.update(self._task, completed=number + (fraction if self._name else 0), description=text)

        return show

    def print(self, line: str) -> None:
        if sys.stdout.isatty():
            self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            print(line, flush=True)


@contextlib.contextmanager
def _progress(wanted: bool) -> Iterator[_Quiet]:
    if not wanted or not sys.stderr.isatty():
        yield _Quiet()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    # Rich would otherwise lead what is printed on stdout to its own console, which is stderr here.
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as progress:
        yield _Bar(progress, progress.add_task("Starting", total=1))
