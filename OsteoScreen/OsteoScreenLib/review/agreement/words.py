"""Agreement in words: sentences and the cells of tables that are read."""

from __future__ import annotations

from collections.abc import Sequence

from OsteoScreenLib.review.agreement.agreement import Agreement
from OsteoScreenLib.review.agreement.change import Change, Outcome
from OsteoScreenLib.review.agreement.estimate import Estimate, Share
from OsteoScreenLib.review.agreement.pairs import Pair
from OsteoScreenLib.text_table import Table

NONE = "–"
MOST_CHANGES = 200  # that the page lists
MODES = {
    "blind": "Readers read each case unaided and locked the read before they saw the model's results and read it again (aided).",
    "open": "Readers saw the model's results from the start (aided).",
    "alone": "Readers saw no model (unaided).",
}
METHODS = (
    "Intervals are 95 % and count the images of a patient as belonging together. κ is Cohen's, plain and with linear and quadratic "
    "weights (Cohen 1960, 1968; with one image a patient, the standard error of Fleiss, Cohen and Everitt 1969), or Fleiss' for all "
    "readers at once (Fleiss 1971; Gwet 2008). Shares have Wilson's interval, divided by the design effect where patients have "
    "several images (Rao and Scott 1992). ROC curves are drawn from the confidence of 0 to 100; their areas have DeLong's interval "
    "on the logit scale. The average over readers has the variance of a U-statistic over readers and cases (Gallas 2006; Gallas et "
    "al. 2009) and Student's t with iMRMC's degrees of freedom. – stands where a figure is not defined, and an interval is left out "
    "where the images cannot tell one, for example when all agree. Figures other than repeats and times count first times only."
)
LIMITS = (
    "Aided reads follow unaided reads of the same image at once: what the model changes holds for that order, not for readers who "
    "see the model from the start.",
    "κ depends on how common the classes are; compare it only between groups of similar cases.",
    "Many intervals stand side by side; one in twenty of them misses what it should hold.",
)


def sentences(agreement: Agreement) -> list[str]:
    """What was read and the main answers, each in one sentence."""
    told = [
        f"{_count(len(agreement.readers), 'reader')} locked {_count(agreement.reads, 'read')} of {agreement.cases_read} of the "
        f"study's {_count(agreement.cases, 'case')}.",
        MODES[agreement.protocol.mode],
    ]
    for one in agreement.together:
        told.append(f"All readers together, {one.aided}: Fleiss' κ {figure(one.kappa)} on {_count(one.cases, 'case')}.")
    for change in agreement.changes[-1:]:
        told.append(_changed(change))
    for average in agreement.averages:
        what = f"AUC of {agreement.protocol.target}, averaged over readers, {average.modality}"
        told.append(f"{what}: {figure(average.auc, signed=' - ' in average.modality)}.")
    return told


def tables(agreement: Agreement) -> dict[str, Table]:
    """Every table there is something for, by the section it belongs to."""
    found = {
        "between": pair_table("Two readers at a time", agreement.between, ("reader", "and reader")),
        "within": pair_table("First time and repeat", agreement.within, ("reader", "")),
        "model": pair_table("Against the model", agreement.with_model, ("reader", "")),
        "reference": pair_table("Against the reference, three classes", agreement.with_reference, ("who", "")),
        "accuracy": accuracy_table(agreement),
        "roc": roc_table(agreement),
        "gains": gain_table(agreement),
        "change": change_table(agreement),
        "followed": followed_table(agreement),
        "changed": changed_table(agreement),
        "time": time_table(agreement),
    }
    return {name: table for name, table in found.items() if table.rows}


def pair_table(title: str, pairs: Sequence[Pair], heads: tuple[str, str]) -> Table:
    """One line a pair. heads : of the columns of both sides; "" leaves the second out."""
    rows = []
    for pair in pairs:
        sides = (pair.one, pair.other) if heads[1] else (pair.one,)
        kappas = (figure(pair.plain), figure(pair.linear), figure(pair.quadratic))
        rows.append((*sides, pair.aided or NONE, str(pair.images), share(pair.same), *kappas))
    head = (*(one for one in heads if one), "reading", "images", "same class", "κ", "κ, linear", "κ, quadratic")
    return Table(title, head, tuple(rows))


def accuracy_table(agreement: Agreement) -> Table:
    """Sensitivity and specificity for the target, and the share of right classes."""
    rows = tuple(
        (one.who, one.aided or NONE, share(one.sensitivity), share(one.specificity), share(one.right))
        for one in agreement.accuracies
    )
    title = f"Against the reference, {agreement.protocol.target} or not"
    return Table(title, ("who", "reading", "sensitivity", "specificity", "right class of three"), rows)


def roc_table(agreement: Agreement) -> Table:
    """Areas of each reader and the model, then averages over readers."""
    rows = [(one.who, one.aided or NONE, f"{one.positives} / {one.negatives}", figure(one.auc)) for one in agreement.areas]
    rows += [
        ("average over readers", one.modality, NONE, figure(one.auc, signed=" - " in one.modality))
        for one in agreement.averages
    ]
    note = (
        "Intervals of single readers hold for other cases; those of averages for other cases and other readers." if rows else ""
    )
    return Table(
        f"Areas under ROC curves of {agreement.protocol.target}", ("who", "reading", "with / without", "AUC"), tuple(rows), note
    )


def gain_table(agreement: Agreement) -> Table:
    """Of each reader with second reads."""
    rows = tuple((one.who, str(one.images), figure(one.gain, signed=True)) for one in agreement.gains)
    return Table("AUC aided less unaided", ("reader", "images", "difference"), rows)


def change_table(agreement: Agreement) -> Table:
    """What changed, and whether it helped."""
    rows = tuple(
        (one.who, share(one.changed), str(one.towards_model), str(one.away), *_outcome(one.classes), *_outcome(one.target)[:2])
        for one in agreement.changes
    )
    head = ("reader", "class changed", "to the model's", "from the model's", "helped", "harmed", "stayed right", "stayed wrong",
            "helped less harmed", "helped (target)", "harmed (target)")  # fmt: skip
    note = f"Helped: wrong, then right by the reference; harmed: right, then wrong. Target: {agreement.protocol.target} or not."
    return Table("Second reads against first reads", head, rows, note)


def followed_table(agreement: Agreement) -> Table:
    """Apart by whether the model was right: what is gained from it and what trusting it too much costs."""
    rows = tuple(
        (one.who, name, str(outcome.reads), *_outcome(outcome))
        for one in agreement.changes
        for name, outcome in (("right", one.model_right), ("wrong", one.model_wrong))
        if outcome.reads
    )
    head = ("reader", "the model was", "reads", "helped", "harmed", "stayed right", "stayed wrong", "helped less harmed")
    return Table("Where the model was right, and where it was wrong", head, rows)


def changed_table(agreement: Agreement) -> Table:
    """The reads whose class changed, with the readers' reasons."""
    shown = agreement.changed_reads[:MOST_CHANGES]
    rows = tuple(
        (
            one.case,
            one.reader,
            one.first,
            one.second,
            one.model or NONE,
            one.truth or NONE,
            one.effect or NONE,
            one.because or NONE,
        )
        for one in shown
    )
    left = len(agreement.changed_reads) - len(shown)
    note = f"{left} more are in the exported table of reads." if left else ""
    return Table(
        "Reads that changed", ("case", "reader", "first", "second", "model", "reference", "effect", "because"), rows, note
    )


def time_table(agreement: Agreement) -> Table:
    """Of each reader and phase."""
    rows = tuple(
        (one.who, one.aided, str(one.reads), f"{one.median:.0f} s", f"{one.lower_quartile:.0f} to {one.upper_quartile:.0f} s",
         f"{one.active / 60:.0f} min", f"{one.idle / 60:.0f} min")
        for one in agreement.times
    )  # fmt: skip
    head = ("reader", "reading", "reads", "median of a read", "middle half", "active in all", "idle in all")
    return Table("Time", head, rows, "Without idle time; repeats are counted.")


def counts_title(pair: Pair) -> str:
    """Over a 3 × 3 table of counts."""
    return f"{pair.one}, {pair.aided}" if pair.aided else pair.one


def figure(held: Estimate | None, signed: bool = False) -> str:
    """An estimate with its interval."""
    if held is None:
        return NONE
    plus = "+" if signed else ""
    value = f"{held.value:{plus}.2f}"
    return value if held.interval is None else f"{value} ({held.interval[0]:{plus}.2f} to {held.interval[1]:{plus}.2f})"


def share(held: Share | None) -> str:
    """A share with its interval and what it is a share of."""
    return NONE if held is None else str(held)


def _outcome(held: Outcome) -> tuple[str, ...]:
    if not held.reads:
        return (NONE,) * 5
    return (str(held.helped), str(held.harmed), str(held.stayed_right), str(held.stayed_wrong), figure(held.net, signed=True))


def _changed(change: Change) -> str:
    known = change.classes
    told = f"After seeing the model readers changed their class in {share(change.changed)} of the reads"
    if not known.reads:
        return told + "."
    return told + f"; of the {known.reads} reads with a known reference it helped {known.helped} and harmed {known.harmed}."


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
