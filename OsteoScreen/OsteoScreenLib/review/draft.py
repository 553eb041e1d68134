"""The noun `Draft`: what a reader has entered so far, and what of an opinion is still missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.review.nouns import Opinion


@dataclass(frozen=True)
class Draft:
    """An opinion that is still being formed: "" and None stand for what was not entered. The rest as in `Opinion`."""

    decision: str = ""
    confidence: int | None = None
    quality: str = "good"
    findings: tuple[str, ...] = ()
    comment: str = ""
    changed_because: str = ""

    @classmethod
    def of(cls, opinion: Opinion) -> Draft:
        """A second read begins with what was locked in the first, without a reason for a change."""
        return replace(cls(**asdict(opinion)), changed_because="")

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Draft:
        """What `to_values` made; entries of other versions are left out."""
        known = {one.name: values[one.name] for one in fields(cls) if one.name in values}
        return cls(**{**known, "findings": tuple(map(str, known.get("findings", ())))})

    def to_values(self) -> dict[str, Any]:
        """JSON values."""
        return {**asdict(self), "findings": list(self.findings)}

    def opinion(self, former: Opinion | None = None) -> Opinion:
        """The finished opinion. former : of the first read, where this is the second.

        Raises `InputError` (opinion) naming the first thing that is missing; a second read that changes the class needs a reason.
        """
        if not self.decision:
            raise InputError("Choose normal, osteopenia or osteoporosis before locking.", code="opinion")
        if self.confidence is None:
            raise InputError("Say with the slider how confident you are before locking.", code="opinion")
        changed = former is not None and former.decision != self.decision
        if changed and not self.changed_because.strip():
            raise InputError("You have changed the class: say why under 'changed because' before locking.", code="opinion")
        return Opinion(**{**asdict(self), "comment": self.comment.strip(), "changed_because": self.changed_because.strip()})
