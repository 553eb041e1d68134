"""From images to patients: one line for each patient, so that nothing is counted twice."""

from __future__ import annotations

import numpy as np

from OsteoScreenLib.study.evaluation.predictions import Predictions


def by_patient(predictions: Predictions) -> Predictions:
    """One place for each patient, in the order in which they first stand there.

    Probabilities, T-scores, ages and distances are means over the patient's images; the label is the worst of them; sex, device
    and view are kept where all images agree. `image` is that of the first. The same object when every patient has one image.
    """
    names, first, places = np.unique(predictions.patient, return_index=True, return_inverse=True)
    if len(names) == len(predictions):
        return predictions
    order = np.argsort(first)
    members = [np.flatnonzero(places == one) for one in order]

    def means(values: np.ndarray) -> np.ndarray:
        known = np.isfinite(values)
        sums = np.bincount(places, np.where(known, values, 0.0))[order]
        among = np.bincount(places, known)[order]
        return np.divide(sums, among, out=np.full(len(sums), np.nan), where=among > 0)

    def agreed(values: np.ndarray) -> np.ndarray:
        return np.array([values[rows[0]] if (values[rows] == values[rows[0]]).all() else "" for rows in members])

    return Predictions(
        image=predictions.image[first[order]],
        patient=names[order],
        label=np.array([predictions.label[rows].max() for rows in members]),
        probabilities=np.stack([means(column) for column in predictions.probabilities.T], axis=1),
        t_score=means(predictions.t_score),
        age=means(predictions.age),
        sex=agreed(predictions.sex),
        device=agreed(predictions.device),
        view=agreed(predictions.view),
        expected_t=means(predictions.expected_t),
        domain_distance=means(predictions.domain_distance),
        domain_level=agreed(predictions.domain_level),
    )


def mixed_patients(predictions: Predictions) -> int:
    """How many patients have images of different classes."""
    pairs = np.unique(np.stack([np.unique(predictions.patient, return_inverse=True)[1], predictions.label]), axis=1)
    return int((np.bincount(pairs[0]) > 1).sum())
