"""A structured report's content tree as plain values, read with care: a file from elsewhere may hold anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from OsteoScreenLib.bones.vocabulary import Code
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.radiograph import header

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_DEEPEST, _MOST = 32, 50_000  # levels and items; a report of ours has 6 levels and some thousand items


@dataclass(frozen=True)
class Node:
    """One content item. name : (scheme, code value). kind : value type.

    value : str of TEXT, PNAME and UIDREF; (scheme, code value) of CODE; float, or int where it is written as one, of NUM; None else.
    """

    name: tuple[str, str]
    kind: str
    value: Any
    children: tuple[Node, ...]

    def all(self, name: Code) -> Iterator[Node]:
        """The children of a name, in order."""
        return (child for child in self.children if child.name == key(name))

    def find(self, name: Code) -> Node | None:
        """The first child of a name."""
        return next(self.all(name), None)

    def needed(self, name: Code) -> Node:
        """The first child of a name. Raises `KeyError` where there is none."""
        found = self.find(name)
        if found is None:
            raise KeyError(name.value)
        return found

    def text(self, name: Code) -> str:
        """The text of a child, "" where there is none."""
        found = self.find(name)
        return "" if found is None else str(found.value)

    def number(self, name: Code) -> float:
        """The number of a child. Raises `KeyError` or `ValueError` where there is none."""
        found = self.needed(name).value
        if not isinstance(found, int | float):
            raise ValueError(name.value)
        return found

    def share(self, name: Code) -> float:
        """A number in per cent as a share of 0 to 1. Raises `ValueError` for one that is none."""
        share = self.number(name) / 100.0
        if not -1e-9 <= share <= 1 + 1e-6:
            raise ValueError(name.value)
        return share

    def answer(self, question: Code, answers: Mapping[str, Code]) -> str:
        """The word that the code of a child stands for. Raises `KeyError` or `ValueError` where it stands for none."""
        given = self.needed(question).value
        words = [word for word, code in answers.items() if key(code) == given]
        if not words:
            raise ValueError(question.value)
        return words[0]


def key(code: Code) -> tuple[str, str]:
    """What identifies a code; meanings may be translated."""
    return code.scheme, code.value


def tree_of(dataset: Dataset) -> Node:
    """The content tree of a document. Raises `InputError` (report) when it is deeper or larger than a report is."""
    left = [_MOST]
    return _node(dataset, 0, left)


def _node(item: Dataset, depth: int, left: list[int]) -> Node:
    left[0] -= 1
    if depth > _DEEPEST or left[0] < 0:
        raise InputError(
            "The structured report is larger or deeper than any report of OsteoScreen; it cannot be read.", "report"
        )
    kind = header.word(item, "ValueType")
    children = tuple(_node(child, depth + 1, left) for child in header.items(item, "ContentSequence"))
    return Node(_code(item, "ConceptNameCodeSequence"), kind, _value(item, kind), children)


def _value(item: Dataset, kind: str) -> Any:
    if kind == "TEXT":
        return header.text(item, "TextValue")
    if kind == "PNAME":
        return header.text(item, "PersonName")
    if kind == "UIDREF":
        return header.text(item, "UID")
    if kind == "CODE":
        return _code(item, "ConceptCodeSequence")
    if kind == "NUM":
        return _number(item)
    return None


def _number(item: Dataset) -> float | int | None:
    for measured in header.items(item, "MeasuredValueSequence"):
        exact = header.number(measured, "FloatingPointValue")
        if exact is not None:
            return exact
        written = header.text(measured, "NumericValue")
        if written.lstrip("+-").isdigit():
            return int(written)
        return header.number(measured, "NumericValue")
    return None


def _code(item: Dataset, keyword: str) -> tuple[str, str]:
    for code in header.items(item, keyword):
        return header.text(code, "CodingSchemeDesignator"), header.text(code, "CodeValue")
    return "", ""
