"""Templates of this room: HTML pages that need no other file."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from OsteoScreenLib.text_table import Table

if TYPE_CHECKING:
    import jinja2

# What a page is made of: (heading, names of tables, (name of a figure, what it shows)) of each section.
Layout = tuple[tuple[str, tuple[str, ...], tuple[tuple[str, str], ...]], ...]


def template(name: str, **filters: Callable[..., Any]) -> jinja2.Template:
    """The template of that name beside this file; whatever is put into it is escaped, and a missing value is an error."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= filters
    return environment.get_template(name)


def sections_of(layout: Layout, tables: Mapping[str, Table], figures: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """The sections that have something to show: "heading", "tables", and "figures" with "source" and "words". figures : name → PNG."""
    sections: list[dict[str, Any]] = [
        {
            "heading": heading,
            "tables": [tables[name] for name in names if name in tables],
            "figures": [{"source": png_uri(figures[name]), "words": words} for name, words in shown if name in figures],
        }
        for heading, names, shown in layout
    ]
    return [one for one in sections if one["tables"] or one["figures"]]


def png_uri(png: bytes) -> str:
    """A PNG file's bytes as a data URI."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
