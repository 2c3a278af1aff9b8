"""Overlap of saliency with the known truth of simulated data: weighted Jaccard, Euclidean distance.

Both as Ismail et al. 2019 (arXiv 1910.12370, section 5) measure them. Each saliency map is first
stretched to [0, 1] by its own minimum and maximum, so that neither its unit nor its scale counts; a
map that is the same everywhere points nowhere and becomes 0.
"""

import numpy as np
from numpy.typing import ArrayLike


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
