"""The noun `Table`: cells in words, as a page shows them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A table to read. title : above it. head : of its columns. rows : as many cells each. note : below it."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
