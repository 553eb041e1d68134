"""The noun `Comparison`: everything that a finished comparison says, ready for the page and the files; and its JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from OsteoScreenLib.files import write_text
from OsteoScreenLib.study.comparison.checklists import CHECKLISTS
from OsteoScreenLib.study.comparison.partitions import Partition
from OsteoScreenLib.study.comparison.published import INTERVAL_WARNING, NOT_PUBLISHED, SOURCE
from OsteoScreenLib.study.comparison.rank import Agreement, Correlation, Standing
from OsteoScreenLib.study.comparison.table import TableRow, as_csv, by_auc


@dataclass(frozen=True)
class SeedRanking:
    """The models of one seed: their ranks by AUC, and AUC against each explainability measure."""

    seed: int
    standings: tuple[Standing, ...]
    correlations: tuple[Correlation, ...]


@dataclass(frozen=True)
class Comparison:
    """facts : what the run is (run.json). rows : of every seed, in the study's order. baseline : age and sex alone, if known.

    baseline_note : how it was made, or why it is not there. tests : what DeLong's test of each model against the baseline says.
    limits : what this run cannot show, each one sentence. figures : name → file inside the folder.
    """

    facts: Mapping[str, Any]
    partitions: tuple[Partition, ...]
    rows: tuple[TableRow, ...]
    baseline: TableRow | None
    baseline_note: str
    tests: tuple[str, ...]
    rankings: tuple[SeedRanking, ...]
    agreements: tuple[Agreement, ...]
    limits: tuple[str, ...]
    figures: Mapping[str, str]

    @property
    def first_seed(self) -> tuple[TableRow, ...]:
        """The rows of the table that is read: the first seed, and the baseline last."""
        seed = self.facts["plan"]["seeds"][0]
        return (*(row for row in self.rows if row.seed == seed), *self._baselines)

    @property
    def _baselines(self) -> tuple[TableRow, ...]:
        return () if self.baseline is None else (self.baseline,)


def write_tables(folder: Path, comparison: Comparison) -> dict[str, Path]:
    """Write comparison.csv (the study's order), comparison-sorted.csv (by AUC) and comparison.json into an existing folder."""
    every = (*comparison.rows, *comparison._baselines)
    return {
        "csv": write_text(folder / "comparison.csv", as_csv(every)),
        "sorted_csv": write_text(folder / "comparison-sorted.csv", as_csv(by_auc(every))),
        "json": write_text(folder / "comparison.json", as_json(comparison)),
    }


def as_json(comparison: Comparison) -> str:
    """Everything, with how it came about and what the study published; null where a number is not defined."""
    values = asdict(comparison)
    facts = values.pop("facts")
    cohort = {**facts.pop("cohort"), "partitions": values.pop("partitions")}
    published = {"source": SOURCE, "not_published": NOT_PUBLISHED, "intervals": INTERVAL_WARNING}
    checklists = [{"name": one.name, "source": one.source, "items": [asdict(item) for item in one.items]} for one in CHECKLISTS]
    whole = {**facts, "cohort": cohort, **values, "published": published, "checklists": checklists}
    return json.dumps(whole, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
