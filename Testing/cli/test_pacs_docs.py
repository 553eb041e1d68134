"""Commands and options as Resources/Docs/pacs.md names them are those that there are; the conformance page's tables are the code's."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
from exchange import conformance_docs

from OsteoScreenLib.cli import app

DOCS = Path(__file__).resolve().parents[2] / "Resources" / "Docs"
PACS = (DOCS / "pacs.md").read_text(encoding="utf-8")


def commands(group: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], set[str]]:
    """Every command's words → its options."""
    found = {}
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            found |= commands(command, (*path, name))
        else:
            found[(*path, name)] = {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
    return found


KNOWN = commands(typer.main.get_command(app))


def documented() -> list[tuple[tuple[str, ...], list[str]]]:
    """Each command line of the page: its words, and its options."""
    lines = [line.strip() for block in re.findall(r"```\n(.*?)```", PACS, re.DOTALL) for line in block.splitlines()]
    lines += re.findall(r"`(osteoscreen [^`]+)`", PACS)
    found = []
    for line in lines:
        if line.startswith("osteoscreen "):
            words = shlex.split(line)[1:]
            command = next((path for path in KNOWN if tuple(words[: len(path)]) == path), tuple(words[:1]))
            found.append((command, [word.split("=")[0] for word in words if word.startswith("--")]))
    return found


def test_every_command_line_can_be_typed() -> None:
    lines = documented()
    assert len(lines) > 15
    assert {words for words, _ in lines} >= {
        ("pacs", "add"), ("pacs", "test"), ("fetch",), ("send",), ("serve",), ("pseudonymise",), ("fhir",), ("show-result",),
    }  # fmt: skip
    for words, options in lines:
        assert words in KNOWN, words
        assert set(options) <= KNOWN[words], (words, options)


def test_every_option_exists() -> None:
    ours = set().union(
        *(
            KNOWN[one]
            for one in KNOWN
            if one[0] in {"pacs", "fetch", "send", "serve", "pseudonymise", "fhir", "show-result", "analyse"}
        ),
        *(KNOWN[one] for one in KNOWN if one[0] == "bench"),
    )
    for option in re.findall(r"`(--[a-z-]+)", PACS):
        assert option in ours, option


@pytest.mark.parametrize("page", ["pacs.md", "dicom-conformance.md"])
def test_links_and_pictures_lead_somewhere(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        assert target.startswith("https://") or (DOCS / target).exists(), target


def test_the_conformance_tables_are_up_to_date() -> None:
    text = conformance_docs.PAGE.read_text(encoding="utf-8")
    assert conformance_docs.renewed(text) == text, "run python Testing/exchange/conformance_docs.py --write"


def test_private_codes_fit_their_places() -> None:
    """PS3.5 6.2: SH has at most 16 characters, LO 64; a value stands for one meaning."""
    from OsteoScreenLib.exchange.dicom.report_codes import private_concepts

    concepts = private_concepts()
    assert len({code.value for code in concepts}) == len(concepts) > 60
    assert all(len(code.value) <= 16 and len(code.meaning) <= 64 and code.meaning.isascii() for code in concepts)
