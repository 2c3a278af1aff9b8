"""Overlap of saliency with the known truth of simulated data.

Weighted Jaccard and Euclidean distance as Ismail et al. 2019 (arXiv 1910.12370, section 5) measure
them. Each saliency map is first stretched to [0, 1] by its own minimum and maximum, so that neither
its unit nor its scale counts; a map that is the same everywhere points nowhere and becomes 0.

Jaccard and AUC, which the authors' published code has too, take the order of the values alone.
Their chance levels are known, those of the first two depend on how values are distributed.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata


def weighted_jaccard(saliency: ArrayLike, truth: ArrayLike) -> float | np.ndarray:
    r"""Weighted Jaccard similarity of saliency, stretched to [0, 1], and truth.

    .. math:: J = \frac{\sum_i \min(s_i, t_i)}{\sum_i \max(s_i, t_i)}

    Args:
        saliency (ArrayLike): One map, [T, D] say, or a stack of them, [N, T, D]; finite.
        truth (ArrayLike): In [0, 1], or bool: True where a value matters. Same shape.

    Returns:
        float | np.ndarray: In [0, 1], 1 is best; of a stack, float64 [N]. NaN where truth and
        stretched saliency are 0 everywhere.

    Raises:
        ValueError: Shapes that differ, values that are not finite, or truth outside [0, 1].
    """
    saliency, truth = _checked(saliency, truth)
    shared, either = np.minimum(saliency, truth), np.maximum(saliency, truth)
    return _ratio(shared.sum(axis=(-2, -1)), either.sum(axis=(-2, -1)))


def euclidean_distance(saliency: ArrayLike, truth: ArrayLike) -> float | np.ndarray:
    r"""Euclidean distance from saliency, stretched to [0, 1], to truth, as a share of truth's norm.

    .. math:: E = \frac{\|s - t\|_2}{\|t\|_2}

    The division, which makes boxes of different sizes comparable, is that of the authors'
    published code. Saliency that is 0 everywhere has distance 1.

    Args:
        saliency (ArrayLike): One map, [T, D] say, or a stack of them, [N, T, D]; finite.
        truth (ArrayLike): In [0, 1], or bool: True where a value matters. Same shape.

    Returns:
        float | np.ndarray: At least 0, 0 is best; of a stack, float64 [N]. NaN where truth is 0
        everywhere.

    Raises:
        ValueError: Shapes that differ, values that are not finite, or truth outside [0, 1].
    """
    saliency, truth = _checked(saliency, truth)
    distance = np.linalg.norm(saliency - truth, axis=(-2, -1))
    return _ratio(distance, np.linalg.norm(truth, axis=(-2, -1)))


def jaccard(saliency: ArrayLike, truth: ArrayLike) -> float | np.ndarray:
    r"""Jaccard similarity of the true places and as many of the largest values.

    .. math:: J = \frac{h}{2 k - h}

    with k true places, h of which are among the k largest values. Of values that tie for the last
    of these k ranks, a place takes its even share, so that no order decides.

    Args:
        saliency (ArrayLike): One map, [T, D] say, or a stack of them, [N, T, D]; finite.
        truth (ArrayLike): 0 and 1, or bool: True where a value matters. Same shape.

    Returns:
        float | np.ndarray: In [0, 1], 1 is best, chance (h = k p) is p / (2 - p) where a share p of
        the places is true; of a stack, float64 [N]. NaN where no place is true.

    Raises:
        ValueError: Shapes that differ, values that are not finite, or truth that is neither 0 nor
            1.
    """
    values, true = _flat(saliency, truth)
    count = true.sum(axis=-1)
    place = np.minimum(values.shape[-1] - count, values.shape[-1] - 1)[..., None]
    last = np.take_along_axis(np.sort(values, axis=-1), place, axis=-1)
    above, tied = values > last, values == last
    left = count - above.sum(axis=-1)
    found = (above & true).sum(axis=-1) + left * (tied & true).sum(axis=-1) / tied.sum(axis=-1)
    return _ratio(found, 2 * count - found)


def region_auc(saliency: ArrayLike, truth: ArrayLike) -> float | np.ndarray:
    """Area under the ROC curve: the share of pairs of a true and another place in order, ties half.

    Unlike :func:`mmsal.metrics.auc.auc`, true places are not among the negatives.

    Args:
        saliency (ArrayLike): One map, [T, D] say, or a stack of them, [N, T, D]; finite.
        truth (ArrayLike): 0 and 1, or bool: True where a value matters. Same shape.

    Returns:
        float | np.ndarray: In [0, 1], 1 is best, 0.5 is chance, and 0 is largest everywhere but in
        the true places; of a stack, float64 [N]. NaN where all places are true, or none.

    Raises:
        ValueError: As :func:`jaccard`.
    """
    values, true = _flat(saliency, truth)
    count = true.sum(axis=-1)
    ranks = (rankdata(values, axis=-1) * true).sum(axis=-1)
    return _ratio(ranks - count * (count + 1) / 2, count * (values.shape[-1] - count))


def _flat(saliency: ArrayLike, truth: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Places in one axis: saliency as it is, since stretching could tie small values, and truth."""
    _, true = _checked(saliency, truth)
    if not np.isin(true, (0, 1)).all():
        raise ValueError('expected truth of 0 and 1 alone')
    shape = (*true.shape[:-2], -1)
    return np.asarray(saliency, np.float64).reshape(shape), (true > 0).reshape(shape)


def _checked(saliency: ArrayLike, truth: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64 and of one shape, the saliency stretched map by map."""
    saliency, truth = (np.asarray(values, np.float64) for values in (saliency, truth))
    if saliency.ndim not in (2, 3) or not saliency.size:
        raise ValueError(f'expected maps [T, D] or [N, T, D], got shape {list(saliency.shape)}')
    if saliency.shape != truth.shape:
        raise ValueError(
            f'expected truth of the shape of the saliency, {list(saliency.shape)}, got '
            f'{list(truth.shape)}'
        )
    if not np.isfinite(saliency).all():
        raise ValueError('expected finite saliency, got NaN or infinity')
    if not ((truth >= 0) & (truth <= 1)).all():
        raise ValueError('expected truth from 0 to 1')
    low = saliency.min(axis=(-2, -1), keepdims=True)
    span = saliency.max(axis=(-2, -1), keepdims=True) - low
    return (saliency - low) / np.where(span > 0, span, 1), truth


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> float | np.ndarray:
    found = np.full(np.shape(denominator), np.nan)
    np.divide(numerator, denominator, out=found, where=np.asarray(denominator) > 0)
    return found if found.ndim else float(found)
