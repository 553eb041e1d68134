"""A run's folder: what the run is, what happened, how it went, and that it is done."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from OsteoScreenLib.errors import InputError, OsteoScreenError
from OsteoScreenLib.files import remove_leftovers, write_atomically, write_text
from OsteoScreenLib.study.claim import RUN, begun

DONE, LOG = "done.json", "log.jsonl"


@dataclass(frozen=True)
class RunFolder:
    """path : the folder. writes : whether this process is the one that writes."""

    path: Path
    writes: bool = True

    def claim(self, facts: Mapping[str, Any]) -> dict[str, Any] | None:
        """Write run.json, or see that the one that is there tells of the same run; what done.json says if that run is done.

        Raises `InputError`: run-differs when the folder holds a run of another recipe or cohort; out when it holds something else.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OsteoScreenError(
                f"Could not make {self.path}: {error.strerror or error}; choose another folder with --out."
            ) from error
        if begun(self.path, facts):
            return None
        held = _read(self.path / RUN)
        wanted = json.loads(json.dumps(facts))
        differs = [word for word in _differing(held, wanted) if not word.startswith("versions")]
        if differs:
            told = ", ".join(differs[:6]) + (" and more" if len(differs) > 6 else "")
            raise InputError(
                f"{self.path} holds a run that differs in {told}; choose another folder with --out, or the same options and table.",
                code="run-differs",
            )
        if self.writes:
            remove_leftovers(self.path)
        return _read(self.path / DONE) or None

    def log(self, event: str, **values: Any) -> None:
        """A line in log.jsonl: when, what, and what belongs to it. Raises `OsteoScreenError` when the disk is full."""
        if not self.writes:
            return
        line = json.dumps({"time": datetime.now(UTC).isoformat(timespec="seconds"), "event": event, **values})
        try:
            with open(self.path / LOG, "a", encoding="utf-8") as stream:
                stream.write(line + "\n")
        except OSError as error:
            raise OsteoScreenError(
                f"Could not write {LOG} in {self.path}: {error.strerror or error}; free some space and run the command again."
            ) from error

    def curves(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Write curves.csv and curves.png: a row, and a place along the curves, for each epoch or strength tried."""
        table = io.StringIO()
        writer = csv.DictWriter(table, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text(self.path / "curves.csv", table.getvalue())
        write_atomically(self.path / "curves.png", lambda temporary: _draw(temporary, rows))

    def done(self, facts: Mapping[str, Any]) -> None:
        """Write done.json, the last file of a run."""
        write_text(self.path / DONE, json.dumps(facts, indent=2, allow_nan=False) + "\n")


def _read(path: Path) -> dict[str, Any]:
    """A JSON object; an empty one where the file is missing or damaged."""
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return held if isinstance(held, dict) else {}


def _differing(held: Mapping[str, Any], wanted: Mapping[str, Any], prefix: str = "") -> list[str]:
    """The keys, nested ones with dots, whose values differ."""
    found = []
    for key in sorted({*held, *wanted}):
        one, other = held.get(key), wanted.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            found += _differing(one, other, f"{prefix}{key}.")
        elif one != other:
            found.append(prefix + key)
    return found


def _draw(path: Path, rows: Sequence[Mapping[str, float]]) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    axis = "strength" if "strength" in rows[0] else "epoch"
    along = [row[axis] for row in rows]
    losses, aucs = figure.subplots(1, 2)
    for name in ("training_loss", "validation_loss"):
        losses.plot(along, [row[name] for row in rows], marker=".", label=name.replace("_", " "))
    losses.set_ylabel("cross-entropy")
    losses.legend(frameon=False)
    aucs.plot(along, [row["validation_auc"] for row in rows], marker=".", color="tab:green")
    aucs.set_ylabel("validation AUC, osteoporosis against the rest")
    for one in (losses, aucs):
        one.set_xlabel("inverse strength of the penalty" if axis == "strength" else "epoch")
        if axis == "strength":
            one.set_xscale("log")
    figure.savefig(path, dpi=110, metadata={"Software": None})
