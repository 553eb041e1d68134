"""A comparison from table to tables, in one folder that can be killed and resumed at any time.

Every model has a folder of its own, `seed-S/FAMILY-TUNING`, with `training`, `evaluation` and `bones` in it. What is there is not
done again; the tables are made from all of it at the end, and do not tell how often the run was interrupted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.explain.analyse import versions
from OsteoScreenLib.explain.analysis import RESEARCH_USE_ONLY, SIMULATED_TRAINING
from OsteoScreenLib.files import remove_leftovers, write_text
from OsteoScreenLib.study.claim import RUN, claim_folder
from OsteoScreenLib.study.cohort import cohort_digest
from OsteoScreenLib.study.comparison.comparison import Comparison
from OsteoScreenLib.study.comparison.one_model import TARGET, Cohort, ModelResult, Settings, run_model
from OsteoScreenLib.study.comparison.plan import RANDOM_WEIGHTS, Plan
from OsteoScreenLib.study.comparison.summary import summarise_models
from OsteoScreenLib.study.training.options import Progress

# Of a combination, not of the comparison.
_OWN = ("backbone", "tuning", "seed", "random_weights")


def compare(
    cohort: Cohort,
    plan: Plan,
    settings: Settings,
    folder: Path,
    *,
    split: str,
    progress: Progress | None = None,
    finished: Callable[[ModelResult], None] | None = None,
) -> Comparison:
    """Train, evaluate and explain every model of the plan, as far as `folder` does not hold it yet, and put them side by side.

    Parameters
    ----------
    folder : is made; it may hold the same comparison with fewer seeds, to which the others are added. split : how the splits came about, in words. finished : called with each model once it is there, for its pages.

    Raises
    ------
    InputError
        run-differs or out for a folder of something else; whatever is wrong with cohort, options or weights, before anything is
        trained where that can be known.
    OsteoScreenError
        The disk is full, or a training does not converge.
    """
    _check(cohort, plan)
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    facts = _facts(cohort, plan, settings, split)
    _take_more_seeds(folder, facts)
    facts = claim_folder(folder, facts)
    combinations = list(plan.combinations())
    results: list[ModelResult] = []
    for place, combination in enumerate(combinations, start=1):
        target = folder / combination.folder
        target.mkdir(parents=True, exist_ok=True)
        named = f"{place}/{len(combinations)} {combination.key}, seed {combination.seed}"
        results.append(run_model(cohort, combination, settings, target, _told_of(named, progress)))
        if finished is not None:
            finished(results[-1])
    return summarise_models(results, cohort, plan, settings, folder, facts)


def _take_more_seeds(folder: Path, facts: dict[str, Any]) -> None:
    """A comparison that differs in nothing but fewer seeds becomes this one; its models stay."""
    try:
        held = json.loads((folder / RUN).read_text(encoding="utf-8"))
        grown = {**held, "plan": {**held["plan"], "seeds": facts["plan"]["seeds"]}}
        more = set(held["plan"]["seeds"]) < set(facts["plan"]["seeds"])
    except (OSError, ValueError, KeyError, TypeError):
        return  # whoever claims the folder says what is wrong with it
    if more and all(grown.get(key) == facts[key] for key in facts if key != "versions"):
        write_text(folder / RUN, json.dumps(grown, indent=2) + "\n")


def _told_of(model: str, progress: Progress | None) -> Progress:
    """Progress that says of which model it is."""

    def tell(stage: str, done: int, every: int, remark: str) -> None:
        if progress is not None:
            progress(f"{model}: {stage}", done, every, remark)

    return tell


def _check(cohort: Cohort, plan: Plan) -> None:
    test = cohort.of("test")
    if not test:
        raise InputError(
            "No patient is in the test part, so there is nothing to compare on; give it a share.", code="split-empty"
        )
    if len({row.label == TARGET for row in test}) < 2:
        raise InputError(
            "The test images are all of osteoporosis, or none is, so there is no AUC; choose other shares or another seed of the "
            "split.",
            code="one-class",
        )


def _facts(cohort: Cohort, plan: Plan, settings: Settings, split: str) -> dict[str, Any]:
    training = {key: value for key, value in settings.training.recipe().items() if key not in _OWN}
    bones = settings.bones
    return {
        "research_use_only": True,
        "statements": [
            RESEARCH_USE_ONLY,
            *([SIMULATED_TRAINING.replace("This model was", "These models were").replace("its answer is", "their answers are")]
              if settings.training.simulated else []),
            *([f"Every model began with {RANDOM_WEIGHTS}."] if plan.random_weights else []),
        ],
        "plan": {
            "backbones": dict(plan.backbones),
            "tunings": list(plan.tunings),
            "seeds": list(plan.seeds),
            "random_weights": plan.random_weights,
        },
        "training": training,
        "intervals": {"draws": settings.draws, "seed": settings.seed},
        "bones": settings.omitted if bones is None else {"drawn": bones.note, **asdict(bones.options)},
        "cohort": {
            "images": len(cohort.rows),
            "patients": len({row.patient for row in cohort.rows}),
            "site": settings.training.site,
            "split": split,
            "splits_sha256": hashlib.sha256(json.dumps(sorted(cohort.splits.items())).encode()).hexdigest(),
            "sha256": cohort_digest(cohort.rows, cohort.source),
        },
        "versions": versions(),
    }  # fmt: skip
