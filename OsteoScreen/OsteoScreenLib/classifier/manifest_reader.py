"""Reading a manifest's keys strictly: what is wrong is said with the key's name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from OsteoScreenLib.errors import InputError


@dataclass(frozen=True)
class ManifestReader:
    """One table of a manifest, and the words that name it in messages ("preprocessing.")."""

    table: Mapping[str, Any]
    owner: str
    prefix: str = ""

    def wrong(self, key: str, must: str) -> InputError:
        """The error for a key: "manifest.json of X: "preprocessing.mean" must be …"."""
        return InputError(
            f'manifest.json of {self.owner}: "{self.prefix}{key}" must be {must}; get the bundle again or choose another one.',
            code="bundle-manifest",
        )

    def section(self, key: str) -> ManifestReader:
        """A nested table; empty when absent."""
        value = self.table.get(key, {})
        if not isinstance(value, Mapping):
            raise self.wrong(key, "a table")
        return ManifestReader(value, self.owner, f"{self.prefix}{key}.")

    def only(self, *known: str) -> ManifestReader:
        """Refuse keys that are not known: a misspelt setting must not be passed over in silence."""
        for key in self.table:
            if key not in known:
                raise self.wrong(key, f"left out, for it is not known (known: {', '.join(known)})")
        return self

    def text(self, key: str, default: str | None = None) -> str:
        """A non-empty text."""
        value = self.table.get(key, default)
        if not isinstance(value, str) or not value.strip():
            raise self.wrong(key, "a text")
        return value

    def choice(self, key: str, choices: tuple[str, ...], default: str | None = None) -> str:
        """One of a few words."""
        value = self.table.get(key, default)
        if value not in choices:
            raise self.wrong(key, f"one of {', '.join(choices)}")
        return str(value)

    def integer(self, key: str, low: int, high: int, default: int | None = None) -> int:
        """A whole number within bounds, both included."""
        value = self.table.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self.wrong(key, f"a whole number from {low} to {high}")
        return value

    def number(self, key: str, low: float, high: float, default: float | None = None) -> float:
        """A finite number within bounds, both included."""
        value = self.table.get(key, default)
        if not _is_number(value) or not low <= value <= high:
            raise self.wrong(key, f"a number from {low:g} to {high:g}")
        return float(value)

    def numbers(self, key: str, count: int, low: float, high: float) -> tuple[float, ...]:
        """A list of `count` finite numbers within bounds."""
        value = self.table.get(key)
        if not isinstance(value, list) or len(value) != count or not all(_is_number(v) and low <= v <= high for v in value):
            raise self.wrong(key, f"a list of {count} number{'s' if count > 1 else ''} from {low:g} to {high:g}")
        return tuple(float(v) for v in value)

    def flag(self, key: str, default: bool) -> bool:
        """true or false."""
        value = self.table.get(key, default)
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false")
        return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
