"""A cohort of small pictures with masks, four tiny backbones, and a comparison of them that takes seconds.

`python mini.py COHORT OUT SEEDS BONES` runs it in a process of its own, which a test may kill.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from study.drawn_cohort import table_rows, write_cohort, write_table
from study.training.small_cohort import TINY, quick

from OsteoScreenLib.study.bone_effects import EffectOptions, Reader
from OsteoScreenLib.study.cohort import read_cohort
from OsteoScreenLib.study.cohorts.splits import split_by_patient
from OsteoScreenLib.study.comparison.comparison import Comparison
from OsteoScreenLib.study.comparison.one_model import Bones, Cohort, Settings
from OsteoScreenLib.study.comparison.plan import FAMILIES, TUNINGS, Plan
from OsteoScreenLib.study.comparison.run import compare
from OsteoScreenLib.study.training.options import Tuning

# Of different sizes, so that no two models give the same answers.
ENTRIES = {
    f"tiny-{family}": replace(
        TINY,
        id=f"tiny-{family}",
        title=f"A tiny ViT for {family}",
        architecture=replace(TINY.architecture, options={"depth": 2, "embed_dim": 24 + 24 * place, "num_heads": 3}),
    )
    for place, family in enumerate(FAMILIES)
}


def write_mini(folder: Path, images: int = 90, noise: float = 0.12) -> Path:
    """A cohort with ages that tell something of the class, one to three pictures a patient."""
    path = write_cohort(folder, images, seed=2, noise=noise)
    rng = np.random.default_rng(4)
    age: dict[str, int] = {}
    rows = table_rows(path)
    for row in rows:
        older = ("normal", "osteopenia", "osteoporosis").index(row["label"])
        row["age"] = str(age.setdefault(row["patient_id"], int(55 + 6 * older + 9 * rng.normal())))
        row["sex"] = "F"
    return write_table(path, rows)


def cohort_of(table: Path) -> Cohort:
    """Split 50 : 20 : 30."""
    rows = read_cohort(table)
    return Cohort(rows, split_by_patient(rows, (50, 20, 30), seed=1), table.parent)


def plan_of(
    families: tuple[str, ...] = tuple(FAMILIES), seeds: tuple[int, ...] = (0,), tunings: tuple[Tuning, ...] = tuple(TUNINGS)
) -> Plan:
    """Tiny backbones in the families' places."""
    return Plan({family: f"tiny-{family}" for family in families}, tunings, seeds, random_weights=True)


def settings_of(bones: bool = True, cache: Path | None = None) -> Settings:
    """Two epochs; bones covered in black, from the table's masks."""
    shown = Bones(Reader(None, None), EffectOptions(fill="black"), "masks from the table") if bones else None
    return Settings(
        quick(epochs=2, batch=16, simulated=True, cache=cache), dict.fromkeys(FAMILIES), ENTRIES, draws=100, bones=shown,
        omitted="omitted: no masks",
    )  # fmt: skip


def run_mini(table: Path, out: Path, plan: Plan, bones: bool = True) -> Comparison:
    """The whole comparison with its tables and pages."""
    from OsteoScreenLib.commands.compare_pages import write_pages
    from OsteoScreenLib.exchange.comparison_page import write_comparison_page
    from OsteoScreenLib.study.comparison.comparison import write_tables

    settings, cohort = settings_of(bones, table.parent / "cache"), cohort_of(table)
    comparison = compare(
        cohort, plan, settings, out, split="50 : 20 : 30, seed 1",
        finished=lambda one: write_pages(one, cohort, "cpu", "fp32"),
    )  # fmt: skip
    write_tables(out, comparison)
    write_comparison_page(out, comparison)
    return comparison


if __name__ == "__main__":
    seeds = tuple(int(one) for one in sys.argv[3].split(","))
    run_mini(Path(sys.argv[1]), Path(sys.argv[2]), plan_of(("openclip",), seeds), sys.argv[4] == "bones")
