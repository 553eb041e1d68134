"""From predictions to an evaluation: everything that is measured, with what it was measured on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from OsteoScreenLib.classifier.prediction import OperatingPoints
from OsteoScreenLib.errors import InputError
from OsteoScreenLib.study.evaluation.agreement import Agreement, agreement_of
from OsteoScreenLib.study.evaluation.baseline import Baseline, People, baselines
from OsteoScreenLib.study.evaluation.drift import Drift, drift_between
from OsteoScreenLib.study.evaluation.failures import Failure, worst_failures
from OsteoScreenLib.study.evaluation.level import LevelFigures, level_figures
from OsteoScreenLib.study.evaluation.operating_points import BUNDLE, YOUDEN, OperatingPoint, fixed_on_validation, of_bundle
from OsteoScreenLib.study.evaluation.patient_level import by_patient, mixed_patients
from OsteoScreenLib.study.evaluation.predictions import Predictions
from OsteoScreenLib.study.evaluation.questions import OSTEOPOROSIS
from OsteoScreenLib.study.evaluation.subgroups import Subgroup, subgroups_of

NO_PEOPLE = "No age-and-sex baseline: nobody to fit it on is known; give the predictions on the development cohort."


@dataclass(frozen=True)
class EvaluationOptions:
    """How to evaluate.

    prevalence : at which predictive values are given too. sensitivity : at which a second operating point is fixed. least :
    positives (and negatives) below which a subgroup is only counted. failures : images of each kind that are listed. draws, seed :
    of patients. points : the model's own operating points, where it brings any; they then decide the classes.
    """

    prevalence: float | None = None
    sensitivity: float = 0.9
    least: int = 10
    failures: int = 6
    draws: int = 2000
    seed: int = 0
    points: OperatingPoints | None = None


@dataclass(frozen=True)
class Evaluation:
    """What came out.

    primary : the name of the operating points that decide classes, subgroups and failures. per_patient : with a patient's mean
    probability and worst class; its thresholds are fixed on patients too. remarks : sentences that a reader needs beside the figures.
    """

    options: EvaluationOptions
    primary: str
    per_image: LevelFigures
    per_patient: LevelFigures
    subgroups: tuple[Subgroup, ...]
    baselines: tuple[Baseline, ...]
    drift: Drift | None
    agreement: Agreement | None
    failures: tuple[Failure, ...]
    remarks: tuple[str, ...]


def evaluate(
    validation: Predictions | None,
    test: Predictions,
    options: EvaluationOptions | None = None,
    *,
    people: People | None = None,
    people_are: str = "the validation images",
    development: Predictions | None = None,
) -> Evaluation:
    """Evaluate a classifier's predictions on test images.

    Parameters
    ----------
    validation : of the same model, on other patients; the operating points are fixed on it. None leaves those of `options.points`.
    people, people_are : whom the age-and-sex baseline is fitted on, and what they are called; those of the validation images by
        default, and without those the development cohort's.
    development : of the same model on the cohort that it was developed on, for drift.

    Raises
    ------
    InputError
        patients: fewer than two; one-class: no image of osteoporosis, or nothing else; no-validation: nothing to fix operating
        points on; leak: a patient is in validation and test; validation-class, sensitivity, prevalence, draws.
    """
    options = options or EvaluationOptions()
    _check(validation, test, options)
    points = _points(validation, options)
    primary = BUNDLE if options.points is not None else YOUDEN
    same = {"prevalence": options.prevalence, "draws": options.draws, "seed": options.seed}
    per_image = level_figures(test, points, primary, unit="image", **same)  # type: ignore[arg-type]
    patients = by_patient(test)
    if patients is test and (validation is None or by_patient(validation) is validation):
        per_patient = replace(per_image, unit="patient")
    else:
        fixed = _points(None if validation is None else by_patient(validation), options)
        per_patient = level_figures(patients, fixed, primary, unit="patient", **same)  # type: ignore[arg-type]
    deciding = next(point for point in points if (point.question, point.name) == (OSTEOPOROSIS, primary))
    if people is None and validation is not None:
        people = People.of(validation)
    if people is None and development is not None:
        people, people_are = People.of(development), "the development cohort"
    compared: tuple[tuple[Baseline, ...], tuple[str, ...]] = ((), (NO_PEOPLE,))
    if people is not None:
        compared = baselines(people, people_are, test)
    return Evaluation(
        options=options,
        primary=primary,
        per_image=per_image,
        per_patient=per_patient,
        subgroups=subgroups_of(test, deciding, options.least),
        baselines=compared[0],
        drift=None if development is None else drift_between(test, development),
        agreement=agreement_of(test, options.draws, options.seed),
        failures=worst_failures(test, deciding, options.failures),
        remarks=(*_remarks(test, per_image, validation), *compared[1]),
    )


def _check(validation: Predictions | None, test: Predictions, options: EvaluationOptions) -> None:
    if test.patients < 2:
        raise InputError(
            f"The test images are all of one patient ({test.patient[0]}), so nothing can be said of others; add patients.",
            code="patients",
        )
    classes = np.unique(test.label)
    if 2 not in classes or len(classes) == 1:
        what = "There is no image of osteoporosis among" if 2 not in classes else "Osteoporosis is the only class of"
        raise InputError(f"{what} the test images, so it cannot be told from the rest; add images.", code="one-class")
    if validation is None and options.points is None:
        raise InputError(
            "There are no validation images on which operating points could be fixed, and the model brings none; give predictions "
            "of validation images, because thresholds chosen on the test images would flatter the model.",
            code="no-validation",
        )
    if options.prevalence is not None and not 0 < options.prevalence < 1:
        raise InputError(f"A prevalence of {options.prevalence:g} is none; give one between 0 and 1.", code="prevalence")
    if options.draws < 100:
        raise InputError(f"{options.draws} draws are too few for a 95 % interval; take at least 100.", code="draws")
    if validation is not None:
        both = np.intersect1d(validation.patient, test.patient)
        if both.size:
            raise InputError(
                f"{both.size} patients are in validation and in test, for example {both[0]}; split the cohort by patient.",
                code="leak",
            )


def _points(validation: Predictions | None, options: EvaluationOptions) -> Sequence[OperatingPoint]:
    own = of_bundle(options.points) if options.points is not None else ()
    if validation is None:
        return own
    what = f"fixed on {len(validation)} validation images of {validation.patients} patients"
    return (*own, *fixed_on_validation(validation, options.sensitivity, what))


def _remarks(test: Predictions, figures: LevelFigures, validation: Predictions | None) -> list[str]:
    remarks = []
    positives, several = figures.classes[OSTEOPOROSIS], len(test) - test.patients
    if several:
        remarks.append(
            f"{test.patients} patients have {len(test)} images. Intervals marked as by patients take the images of one patient as "
            "belonging together; Wilson's and DeLong's own take every image as independent and are then too narrow."
        )
    if mixed := mixed_patients(test):
        remarks.append(f"{mixed} patients have images of different classes; per patient the worst class counts.")
    if positives < 100:
        remarks.append(
            f"Only {positives} images of osteoporosis: figures that depend on them are rough (Collins et al. 2016 advise at least "
            "100 events to validate a model)."
        )
    if any(one.value in (0.0, 1.0) for one in figures.aucs):
        remarks.append("An AUC of 1 (or 0) has no interval: every pair is in order, which few images can be by chance.")
    if figures.calibration.slope is None:
        remarks.append(
            "The calibration slope is not defined: the probability parts the classes without error, or hardly varies."
        )
    if validation is None:
        remarks.append("No validation images were given, so only the model's own operating points are evaluated.")
    return remarks
