"""A reader study as one HTML page that needs no other file: agreement, accuracy, and what seeing the model changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from OsteoScreenLib import __version__
from OsteoScreenLib.exchange.pages import Layout, sections_of, template
from OsteoScreenLib.explain.analysis import RESEARCH_USE_ONLY, SIMULATED_TRAINING
from OsteoScreenLib.files import write_text
from OsteoScreenLib.review.agreement.agreement import Agreement
from OsteoScreenLib.review.agreement.figures import agreement_figures
from OsteoScreenLib.review.agreement.words import LIMITS, METHODS, sentences, tables

# Section → (heading, tables, figures with what they show).
_SECTIONS: Layout = (
    ("Agreement", ("between", "within", "model"), (
        ("kappa", "Cohen's κ with quadratic weights and its 95 % interval: readers with each other, with their own repeats, with the "
         "model and with the reference."),
    )),
    ("Against the reference", ("accuracy", "reference"), (
        ("counts", "Classes named (columns) by the reference's class (rows): counts, shaded by their share of the row."),
    )),
    ("ROC of confidence", ("roc", "gains"), (
        ("roc", "From each reader's confidence and the model's probability; rings: what readers called the target."),
    )),
    ("What seeing the model changes", ("change", "followed"), (("change", "Second reads against first reads, by the three classes."),)),
    ("Time", ("time",), (("time", "Without idle time."),)),
    ("Reads that changed", ("changed",), ()),
)  # fmt: skip


def write_review_page(
    path: Path,
    agreement: Agreement,
    statements: Sequence[str] = (),
    provenance: Sequence[tuple[str, str]] = (),
    *,
    simulated_model: bool = False,
) -> Path:
    """Write the page to `path`, whose folder must exist; its path. See `review_page`."""
    return write_text(path, review_page(agreement, statements, provenance, simulated_model=simulated_model))


def review_page(
    agreement: Agreement,
    statements: Sequence[str] = (),
    provenance: Sequence[tuple[str, str]] = (),
    *,
    simulated_model: bool = False,
    figures: Mapping[str, bytes] | None = None,
) -> str:
    """The page as HTML text without any outside reference.

    statements : what else is to be known, such as reads that do not count. provenance : (name, value). simulated_model : the model
    that readers were shown was trained on simulated radiographs. figures : name → PNG; drawn here when None.
    """
    drawn = agreement_figures(agreement) if figures is None else figures
    models = [("Model", f"{name or 'unnamed'}, bundle {digest or 'unknown'}") for name, digest in agreement.models]
    return template("review.html.j2").render(
        title=agreement.protocol.title,
        banner=[RESEARCH_USE_ONLY, *([SIMULATED_TRAINING] if simulated_model else [])],
        sentences=sentences(agreement),
        remarks=[*statements, *agreement.remarks],
        methods=METHODS,
        limits=LIMITS if agreement.changes else LIMITS[1:],
        sections=sections_of(_SECTIONS, tables(agreement), drawn),
        provenance=[*provenance, *models],
        version=__version__,
    )
