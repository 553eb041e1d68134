"""An evaluation as one HTML page that needs no other file: tables, figures, and the worst answers with their pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from OsteoScreenLib import __version__
from OsteoScreenLib.exchange.pages import Layout, png_uri, sections_of, template
from OsteoScreenLib.files import write_text
from OsteoScreenLib.study.evaluation.evaluate import Evaluation
from OsteoScreenLib.study.evaluation.evaluation_words import METHODS, sentences, tables

# Section → (heading, tables, figures with what they show).
_SECTIONS: Layout = (
    ("Discrimination", ("discrimination",), (
        ("roc", "ROC curves; marks show the operating points, which were fixed on other images. Dotted: age and sex alone."),
        ("scores", "Each image's probability by its true class; bars: middle half and median; dashed: the deciding threshold."),
    )),
    ("Decisions", ("decisions", "predictive", "classes"), (("confusion", "True and decided classes; per cent of the true class."),)),
    ("Calibration", ("calibration", "scores"), (
        ("calibration", "Observed share of osteoporosis against the probability that the model gives."),
    )),
    ("Use", (), (
        ("decision_curve", "Net benefit of acting on the model's probability; shaded: 95 % of draws of patients. It is read where a "
         "threshold makes sense for the action, and presumes calibrated probabilities."),
    )),
    ("Against age and sex alone", ("baseline",), ()),
    ("Subgroups", ("subgroups",), (("subgroups", "Dotted: the whole test split."),)),
    ("Against the development cohort", ("shares", "shifts", "gaps"), (("drift", "Share of patients at or below each probability."),)),
    ("T-score", ("agreement",), (("agreement", "Left: dashed lines at −1.0 and −2.5. Right: bands are 95 % intervals."),)),
)  # fmt: skip


def write_evaluation_page(
    folder: Path,
    evaluation: Evaluation,
    facts: Mapping[str, Any],
    figures: Mapping[str, bytes],
    pictures: Sequence[bytes | None] = (),
    left_out: Sequence[str] = (),
) -> Path:
    """Write report.html into an existing folder; its path."""
    return write_text(folder / "report.html", evaluation_page(evaluation, facts, figures, pictures, left_out))


def evaluation_page(
    evaluation: Evaluation,
    facts: Mapping[str, Any],
    figures: Mapping[str, bytes],
    pictures: Sequence[bytes | None] = (),
    left_out: Sequence[str] = (),
) -> str:
    """The page as HTML text without any outside reference.

    facts : "title", "statements", and "provenance", a list of (name, value). figures : name → PNG. pictures : PNG of each of the
    evaluation's failures, None where there is none. left_out : one sentence for each image that could not be used.
    """
    failures = [
        {"one": one, "name": PurePath(one.image).name, "picture": png_uri(picture) if picture else None}
        for one, picture in zip(evaluation.failures, [*pictures, *[None] * len(evaluation.failures)], strict=False)
    ]
    return template("evaluation.html.j2").render(
        title=facts["title"],
        statements=facts["statements"],
        provenance=facts["provenance"],
        sentences=sentences(evaluation),
        remarks=evaluation.remarks,
        methods=METHODS,
        sections=sections_of(_SECTIONS, tables(evaluation), figures),
        failures=failures,
        primary=evaluation.primary,
        left_out=left_out,
        version=__version__,
    )
