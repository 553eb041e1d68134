"""What every figure about an ROC curve is made of: structural components of the area, and an interval that stays between 0 and 1."""

from __future__ import annotations

import numpy as np

Z95 = 1.959963984540054  # of the standard normal distribution, two-sided 95 %


def structural_components(scores: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The share of negatives below each positive (k, m) and of positives above each negative (k, n), ties half.

    Their means are the areas under the k curves (Mann and Whitney 1947), their covariance gives the areas' variance (DeLong, DeLong
    and Clarke-Pearson 1988, doi 10.2307/2531595); computed by midranks in O(n log n) (Sun and Xu 2014, doi 10.1109/LSP.2014.2337313).

    scores : (k, images), higher for positives. positive : bool (images,), with both answers.
    """
    from scipy.stats import rankdata

    above, below = scores[:, positive], scores[:, ~positive]
    m, n = above.shape[1], below.shape[1]
    among = rankdata(np.concatenate([above, below], axis=1), axis=1)
    return (among[:, :m] - rankdata(above, axis=1)) / n, 1 - (among[:, m:] - rankdata(below, axis=1)) / m


def logit_bounds(area: float, error: float) -> tuple[float, float]:
    """The 95 % interval of an area made on log(A / (1 - A)) (Pepe 2003, section 5.2). area : inside 0 to 1. error : its standard error."""
    middle, reach = np.log(area / (1 - area)), Z95 * error / (area * (1 - area))
    low, high = 1 / (1 + np.exp(-np.array([middle - reach, middle + reach])))
    return float(low), float(high)
