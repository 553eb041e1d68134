"""An evaluation in words: sentences and the cells of tables that are read."""

from __future__ import annotations

from collections.abc import Sequence

from OsteoScreenLib.study.classifier_figures import Interval
from OsteoScreenLib.study.evaluation.drift import Share, Shift, meaning_of
from OsteoScreenLib.study.evaluation.evaluate import Evaluation
from OsteoScreenLib.study.evaluation.level import LevelFigures
from OsteoScreenLib.study.evaluation.proportions import Proportion
from OsteoScreenLib.study.evaluation.questions import LOW_BONE_MASS, OSTEOPOROSIS
from OsteoScreenLib.text_table import Table

NONE = "–"
METHODS = (
    "Intervals are 95 %. “By patients” means that the images of one patient count as belonging together: for AUCs DeLong's variance "
    "of patients' sums (Obuchowski 1997) and, beside it, the middle 95 % of draws of patients with replacement. Proportions have "
    "Wilson's interval and state what they are a proportion of. Predictive values at another prevalence follow from sensitivity and "
    "specificity (Mercaldo et al. 2007). Operating points were fixed on validation images or came with the model; none was chosen on these images. κ is quadratic-weighted. "
    "ECE: ten bins of equal numbers of images; it is biased upwards in small samples. Calibration slope and intercept: logistic "
    "recalibration (Cox 1958; Van Calster et al. 2019). Decision curve: Vickers and Elkin 2006."
)
_ASKED = {OSTEOPOROSIS: "osteoporosis against the rest", LOW_BONE_MASS: "low bone mass against normal",
          "osteopenia": "osteopenia against the rest", "normal": "normal against the rest", "macro": "mean of the three classes"}  # fmt: skip


def sentences(evaluation: Evaluation) -> list[str]:
    """What was measured and the answer, each in one sentence."""
    figures = evaluation.per_image
    classes = ", ".join(f"{count} {name}" for name, count in figures.classes.items())
    told = [f"{figures.count} test images of {figures.patients} patients ({classes})."]
    auc, decided = figures.auc(), figures.at(OSTEOPOROSIS, evaluation.primary)
    if auc is not None:
        held = auc.clustered or auc.bootstrap
        words = f"{auc.value:.3f}, without an interval" if held is None else f"{number(held)}, its interval by patients"
        told.append(f"AUC of osteoporosis against the rest, image by image: {words}.")
    if decided is not None:
        told.append(
            f"At the operating point “{decided.point.name}” ({decided.point.threshold:.3f}, {decided.point.fixed_on}): "
            f"sensitivity {share(decided.sensitivity)}, specificity {share(decided.specificity)} (Wilson)."
        )
        if decided.at_prevalence is not None:
            value = decided.at_prevalence
            told.append(
                f"Where {100 * value.prevalence:g} % have osteoporosis, a positive answer is right in {percent(value.ppv)} and a "
                f"negative one in {percent(value.npv)}."
            )
    for base in evaluation.baselines:
        if base.question == OSTEOPOROSIS:
            told.append(
                f"{base.uses.capitalize()} alone {'give' if 'and' in base.uses else 'gives'} an AUC of {base.age_and_sex.value:.3f} on the {base.images} images with a known "
                f"age; the model's AUC differs from it by {signed(base.difference.value.value)} ({signed(base.difference.value.low)} "
                f"to {signed(base.difference.value.high)}), p {p_value(base.difference.p)} (DeLong's paired test, by patients)."
            )
    return told


def tables(evaluation: Evaluation) -> dict[str, Table]:
    """Every table there is something for, by the section it belongs to."""
    found = {
        "discrimination": discrimination(evaluation),
        "decisions": decisions(evaluation),
        "predictive": predictive(evaluation),
        "classes": ordinal(evaluation),
        "calibration": calibration(evaluation),
        "scores": scores(evaluation),
    }
    if evaluation.subgroups:
        found["subgroups"] = subgroups(evaluation)
    if evaluation.baselines:
        found["baseline"] = baseline(evaluation)
    if evaluation.drift is not None:
        found |= drift(evaluation)
    if evaluation.agreement is not None:
        found["agreement"] = agreement(evaluation)
    return found


def discrimination(evaluation: Evaluation) -> Table:
    """AUCs with their three intervals, by image and by patient."""
    rows = []
    for figures in _levels(evaluation):
        for auc in figures.aucs:
            counted = NONE if auc.positives is None else f"{auc.positives} / {auc.negatives}"
            ranges = [
                NONE if one is None else f"{one.low:.3f} to {one.high:.3f}"
                for one in (auc.clustered, auc.bootstrap, auc.delong)
            ]
            rows.append((_each(figures), _ASKED[auc.question], counted, f"{auc.value:.3f}", *ranges))
    head = (
        "counted",
        "question",
        "positive / negative",
        "AUC",
        "DeLong by patients",
        "patients drawn",
        "DeLong, all independent",
    )
    return Table("Areas under ROC curves", head, tuple(rows))


def decisions(evaluation: Evaluation) -> Table:
    """Every operating point, by image and by patient."""
    rows = tuple(
        (_each(figures), _ASKED[one.point.question], one.point.name, f"{one.point.threshold:.3f}",
         *(share(held) for held in (one.sensitivity, one.specificity, one.accuracy)))
        for figures in _levels(evaluation)
        for one in figures.decisions
    )  # fmt: skip
    head = ("counted", "question", "operating point", "threshold", "sensitivity", "specificity", "accuracy")
    note = (
        "Wilson's intervals; counted of the positives (sensitivity), of the negatives (specificity), of all (accuracy). Intervals by "
        "patients are in evaluation.csv."
    )
    return Table("Decisions at the operating points", head, rows, note)


def predictive(evaluation: Evaluation) -> Table:
    """What positive and negative answers are worth, here and at a chosen prevalence."""
    prevalence = evaluation.options.prevalence
    rows = []
    for figures in _levels(evaluation):
        for one in figures.decisions:
            cells: tuple[str, ...] = (
                _each(figures),
                _ASKED[one.point.question],
                one.point.name,
                share(one.ppv),
                share(one.npv),
            )
            if prevalence is not None:
                at = one.at_prevalence
                cells += (percent(at.ppv), percent(at.npv)) if at else (NONE, NONE)
            rows.append(cells)
    head: tuple[str, ...] = ("counted", "question", "operating point", "PPV here", "NPV here")
    if prevalence is not None:
        head += (f"PPV at {100 * prevalence:g} %", f"NPV at {100 * prevalence:g} %")
    note = "Here: at this sample's own share of positives, counted of the positive and of the negative answers, with Wilson's intervals."
    return Table("Predictive values", head, tuple(rows), note)


def ordinal(evaluation: Evaluation) -> Table:
    """The three classes."""
    rows = [
        (_each(figures), figures.ordinal.points, share(figures.ordinal.accuracy), number(figures.ordinal.kappa))
        for figures in _levels(evaluation)
    ]
    return Table(
        "Three classes", ("counted", "operating points", "accuracy (Wilson)", "quadratic κ (patients drawn)"), tuple(rows)
    )


def calibration(evaluation: Evaluation) -> Table:
    """Recalibration."""
    rows = tuple(
        (_each(figures), number(held.slope, 2), number(held.intercept, 2), number(held.observed_minus_predicted),
         f"{held.ece:.3f}", f"{held.ece_equal_width:.3f}")
        for figures in _levels(evaluation)
        for held in (figures.calibration,)
    )  # fmt: skip
    head = ("counted", "slope", "intercept", "observed − predicted", "ECE", "ECE, bins of equal width")
    note = (
        "Right would be slope 1, intercept 0 and no difference. An intercept below 0 means that the probabilities are too high."
    )
    return Table("Calibration of P(osteoporosis)", head, rows, note)


def scores(evaluation: Evaluation) -> Table:
    """Proper scores."""
    rows = tuple(
        (_each(figures), number(held.brier), f"{held.brier_prevalence:.3f}", number(held.log_loss))
        for figures in _levels(evaluation)
        for held in (figures.calibration,)
    )
    head = ("counted", "Brier of P(osteoporosis)", "of telling everyone the mean share", "log loss of the three classes")
    return Table("Scores (less is better)", head, rows, "Patients drawn.")


def subgroups(evaluation: Evaluation) -> Table:
    """Parts of the cohort; small ones are only counted."""
    rows = tuple(
        (one.by, one.name, str(one.images), str(one.patients), f"{one.positives} / {one.negatives}",
         NONE if one.auc is None else number(one.auc.clustered or one.auc.delong) if one.auc.delong else f"{one.auc.value:.3f}",
         share(one.sensitivity), share(one.specificity))
        for one in evaluation.subgroups
    )  # fmt: skip
    head = ("by", "", "images", "patients", "osteoporosis / others", "AUC", "sensitivity", "specificity")
    note = (
        f"At the operating point “{evaluation.primary}”, the same for all. Parts with fewer than {evaluation.options.least} images of "
        "osteoporosis or of others are counted, not measured. Many parts are looked at, so that one may stand out by chance."
    )
    return Table("Subgroups (osteoporosis against the rest, by image)", head, rows, note)


def baseline(evaluation: Evaluation) -> Table:
    """Model against age and sex."""
    rows = tuple(
        (_ASKED[one.question], str(one.images), number(one.model.clustered or one.model.delong),
         number(one.age_and_sex.clustered or one.age_and_sex.delong),
         f"{signed(one.difference.value.value)} ({signed(one.difference.value.low)} to {signed(one.difference.value.high)})",
         p_value(one.difference.p), p_value(one.independent.p))
        for one in evaluation.baselines
    )  # fmt: skip
    first = evaluation.baselines[0]
    head = ("question", "images with an age", "AUC of the model", f"AUC of {first.uses}", "difference", "p by patients",
            "p, all independent")  # fmt: skip
    note = f"Logistic regression on {first.uses}, fitted on {first.fitted_on}; DeLong's paired test."
    return Table("AUC of the model and of a logistic regression", head, rows, note)


def drift(evaluation: Evaluation) -> dict[str, Table]:
    """Against the development cohort."""
    held = evaluation.drift
    assert held is not None
    shares = [
        *((one.name, percent(one.here.wilson), percent(one.there.wilson), f"{signed(100 * one.difference, 1)} points")
          for one in _shares(held.labels, held.sexes)),
        *((f"input check: {level}", percent(here.wilson), NONE if there is None else percent(there.wilson), NONE)
          for level, here, there in held.domain),
    ]  # fmt: skip
    gaps = tuple(
        (_ASKED[question], f"{signed(gap.value.value)} ({signed(gap.value.low)} to {signed(gap.value.high)})", p_value(gap.p))
        for question, gap in held.auc.items()
    )
    overlap = (
        f" {held.shared_patients} patients stand in both, so that the two are not independent." if held.shared_patients else ""
    )
    found = {
        "shares": Table(
            "Who they are", ("share of patients", "here", "development", "difference"), tuple(shares),
            f"{held.patients[0]} patients here, {held.patients[1]} there.{overlap}",
        ),
        "shifts": Table(
            "What moved", ("of patients", "among", "median here", "there", "stability index", "Kolmogorov-Smirnov", "p"),
            tuple(_shift_cells(one) for one in held.shifts),
            "Population stability index over tenths of the development cohort: below 0.1 little, above 0.25 a large change, by the usual rule of thumb; “within chance” where samples of this size reach it in more than 5 % of cases without any change. Kolmogorov-Smirnov: the largest gap between the two distribution functions, 0 to 1. Among one class, scores do not move because the classes' shares did.",
        ),
    }  # fmt: skip
    if gaps:
        found["gaps"] = Table("AUC here less there, by patient", ("question", "difference", "p (DeLong, unpaired)"), gaps)
    return found


def agreement(evaluation: Evaluation) -> Table:
    """Of the T-scores."""
    held = evaluation.agreement
    assert held is not None
    cells = (f"{held.images} ({held.patients})", number(held.mae, 2), number(held.bias, 2), number(held.lower, 2), number(held.upper, 2),
             number(held.pearson, 2), number(held.icc, 2), number(held.slope, 2))  # fmt: skip
    head = (
        "images (patients)",
        "MAE",
        "bias",
        "lower limit",
        "upper limit",
        "Pearson r",
        "ICC(A,1)",
        "slope of difference on mean",
    )
    note = "Expected less measured, in units of T; limits of agreement are bias ± 1.96 SD; a slope below 0 means that the model shrinks towards the middle. Patients drawn."
    return Table("Expected and measured T-score", head, (cells,), note)


def number(held: Interval | None, digits: int = 3) -> str:
    """A value with its interval."""
    if held is None:
        return NONE
    return f"{held.value:.{digits}f} ({held.low:.{digits}f} to {held.high:.{digits}f})".replace("-", "−")


def percent(held: Interval | None) -> str:
    """The same in per cent."""
    return NONE if held is None else f"{100 * held.value:.1f} % ({100 * held.low:.1f} to {100 * held.high:.1f})"


def share(held: Proportion | None) -> str:
    """A proportion in per cent with what it was counted of."""
    return NONE if held is None else f"{percent(held.wilson)}, {held.count}/{held.of}"


def signed(value: float, digits: int = 3) -> str:
    """With its sign and a true minus."""
    return f"{value:+.{digits}f}".replace("-", "−")


def p_value(p: float) -> str:
    """Never zero."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _levels(evaluation: Evaluation) -> Sequence[LevelFigures]:
    same = evaluation.per_image.count == evaluation.per_image.patients
    return (evaluation.per_image,) if same else (evaluation.per_image, evaluation.per_patient)


def _each(figures: LevelFigures) -> str:
    return "images = patients" if figures.count == figures.patients and figures.unit == "image" else f"{figures.unit}s"


def _shares(*groups: Sequence[Share]) -> list[Share]:
    return [one for group in groups for one in group]


def _shift_cells(one: Shift) -> tuple[str, ...]:
    middle = tuple(NONE if value is None else f"{value:.3g}" for value in (one.median_here, one.median_there))
    if one.psi is None or one.ks is None or one.p is None:
        return (one.name, f"{one.among} ({one.here} / {one.there})", *middle, "too few", NONE, NONE)
    told = f"{one.psi:.2f}, {meaning_of(one)}"
    return (one.name, f"{one.among} ({one.here} / {one.there})", *middle, told, f"{one.ks:.2f}", p_value(one.p))
