"""`osteoscreen pseudonymise`: copies of radiographs without whom they show; and the same before `analyse --pseudonymise`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from OsteoScreenLib import __version__
from OsteoScreenLib.cli_options import JsonOption
from OsteoScreenLib.commands import failures
from OsteoScreenLib.errors import InputError, OsteoScreenError

if TYPE_CHECKING:
    from OsteoScreenLib.exchange.privacy.key import Key
    from OsteoScreenLib.exchange.privacy.profile import Options
    from OsteoScreenLib.exchange.privacy.pseudonymise import Pseudonymised


class TextChoice(StrEnum):
    """What to do with text found in the pixels."""

    ask = "ask"
    mask = "mask"
    keep = "keep"
    refuse = "refuse"


class DatesChoice(StrEnum):
    """What becomes of dates."""

    shift = "shift"
    remove = "remove"


@dataclass(frozen=True)
class Copy:
    """What became of one image. path : its copy, None when it was refused (`code`, `sentence`). text : "", or what was done with text."""

    image: Path
    path: Path | None = None
    pseudonym: str = ""
    areas: tuple[Mapping[str, int], ...] = ()
    text: str = ""
    code: str = ""
    sentence: str = ""
    fault: bool = field(default=False, compare=False)

    def as_json(self) -> dict[str, Any]:
        """The image's entry in the JSON document."""
        entry: dict[str, Any] = {"path": str(self.image), "status": "refused" if self.path is None else "copied"}
        if self.path is None:
            return {**entry, "status": "failed" if self.fault else "refused", "code": self.code, "sentence": self.sentence}
        return {**entry, "copy": str(self.path), "pseudonym": self.pseudonym, "text_areas": list(self.areas), "text": self.text}


def pseudonymise(
    images: Annotated[list[Path], typer.Argument(help="DICOM files; pictures and volumes become NRRD.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the copies.")],
    key: Annotated[
        Path,
        typer.Option(
            help="Key file, made if it is not there: the same key gives a patient the same pseudonym in every run. Keep it secret."
        ),
    ],
    text: Annotated[TextChoice, typer.Option(help="What to do when text is found in the pixels.")] = TextChoice.ask,
    dates: Annotated[
        DatesChoice, typer.Option(help="Move all dates of a patient by one number of weeks, or leave them out.")
    ] = DatesChoice.shift,
    characteristics: Annotated[
        bool, typer.Option("--characteristics/--no-characteristics", help="Keep sex, age (up to 90), size and weight.")
    ] = True,
    device: Annotated[bool, typer.Option("--device", help="Keep names and serial numbers of the device.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Copy radiographs without whom they show (DICOM PS3.15): pseudonyms, new UIDs, moved dates, nothing private, text masked on request."""
    from OsteoScreenLib.exchange.privacy.profile import Options

    options = Options(dates=dates.value, characteristics=characteristics, device=device)
    copies = write_copies(images, out, key, text.value, options)
    if as_json:
        print(
            json.dumps(
                {"osteoscreen": __version__, "command": "pseudonymise", "images": [one.as_json() for one in copies]}, indent=2
            )
        )
    else:
        for one in copies:
            print(one.sentence if one.path is None else f"{one.image.name}: {one.path}{_about_text(one)}", flush=True)
    raise typer.Exit(exit_code(copies))


def for_pictures(text: TextChoice | None) -> str:
    """The choice for pictures of the image itself, which stay on this machine until they are sent: kept unless something else was said."""
    if text is TextChoice.ask:
        raise InputError("--text ask goes with --pseudonymise; choose mask, keep or refuse.", code="option")
    return "keep" if text is None else text.value


def analyse_copies(
    images: Sequence[Path], out: Path, key: Path, text: str, options: Mapping[str, Any], *, as_json: bool, debug: bool
) -> int:
    """`analyse --pseudonymise`: copies first, and then their analysis, so that nothing of the originals can be in the results."""
    from OsteoScreenLib.commands.images import Outcome, run

    copies = write_copies(images, out, key, text)
    refused = [
        Outcome(str(one.image), "failed" if one.fault else "refused", "", one.sentence, one.code)
        for one in copies
        if one.path is None
    ]
    made = [one.path for one in copies if one.path is not None]
    return run("analyse", made, out, options, as_json=as_json, debug=debug, before=refused)


def write_copies(images: Sequence[Path], out: Path, key: Path, text: str = "ask", options: Options | None = None) -> list[Copy]:
    """A pseudonymised copy of each image in the folder `out`, which is made; refused ones say why.

    text : "mask", "keep", "refuse", or "ask", which asks on the terminal and refuses where there is none.
    Raises `OsteoScreenError` for what is wrong before any image is read.
    """
    from OsteoScreenLib.exchange.privacy.key import read_key
    from OsteoScreenLib.worker.requests import prepare_folder

    if key.resolve().parent.is_relative_to(out.resolve()):
        raise InputError("The key file would lie among the copies that it protects; give another place with --key.", "key")
    secret = read_key(key)
    prepare_folder(out)
    return [_copy(image, out, secret, text, options) for image in images]


def exit_code(copies: Sequence[Copy]) -> int:
    """0, 2 when an image was refused, 1 when one failed by our fault."""
    if any(one.fault for one in copies):
        return failures.OUR_FAULT
    return failures.WRONG_INPUT if any(one.path is None for one in copies) else failures.DONE


def _copy(image: Path, out: Path, key: Key, text: str, options: Options | None) -> Copy:
    from OsteoScreenLib.exchange.privacy.pictures import TextFound
    from OsteoScreenLib.exchange.privacy.pseudonymise import pseudonymise

    try:
        try:
            made = pseudonymise(image, out, key, options, "refuse" if text == "ask" else text)  # type: ignore[arg-type]
        except TextFound as found:
            answer = _asked(found) if text == "ask" else ""
            if not answer:
                raise
            made = pseudonymise(image, out, key, options, answer)  # type: ignore[arg-type]
    except OsteoScreenError as error:
        fault = not isinstance(error, InputError)
        return Copy(image, code=getattr(error, "code", "fault"), sentence=failures.sentence_of(error), fault=fault)
    return _kept(image, made)


def _kept(image: Path, made: Pseudonymised) -> Copy:
    areas = tuple(vars(area) for area in made.areas)
    return Copy(image, made.path, made.pseudonym, areas, made.text if areas else "")


def _asked(found: Exception) -> str:
    """ "mask", "keep", or "" to leave the image out, from the terminal; "" where there is none."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return ""
    sentence = str(found).split(";")[0]
    answer = (
        typer.prompt(f"{sentence}. Mask it? y = mask, k = keep, n = leave the image out", default="n", err=True).strip().lower()
    )
    return "mask" if answer.startswith(("y", "m")) else "keep" if answer.startswith("k") else ""


def _about_text(copy: Copy) -> str:
    if not copy.areas:
        return ""
    done = "masked" if copy.text == "mask" else "kept"
    return f"; what looks like text in {len(copy.areas)} place{'s' if len(copy.areas) > 1 else ''} was {done}"
