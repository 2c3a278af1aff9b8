"""Metrics that hold a saliency map against another map; definitions: Bylinskii et al. (TPAMI 2019,
arXiv 1604.03605)."""

from __future__ import annotations

import numpy as np

from mmsal.metrics.maps import check_convention, map_by_map


def cc(
    saliency: np.ndarray,
    reference: np.ndarray,
    convention: str = 'mit',
    seen: np.ndarray | None = None,
) -> float | np.ndarray:
    """Pearson's correlation coefficient of two maps, over pixels.

    The conventions differ for a constant map alone, whose correlation is undefined: ``'mit'`` gives
    NaN where either map is constant, ``'tuebingen'`` 0 for a constant saliency map and NaN for a
    constant reference.

    Args:
        saliency: `[H, W]` or `[T, H, W]`, real numbers of any range, finite where seen.
        reference: As `saliency`, of the same shape.
        convention: ``'mit'`` or ``'tuebingen'``.
        seen: `[H, W]` bool, the pixels that count; None takes all.

    Returns:
        Map by map, -1 to 1 or NaN: a float for `[H, W]`, float64 `[T]` for `[T, H, W]`.

    Raises:
        ValueError: An unknown convention, or maps that do not fit.
    """
    check_convention(convention)
    constant = 0.0 if convention == 'tuebingen' else np.nan

    def measure(first: np.ndarray, second: np.ndarray) -> float:
        if np.ptp(second) == 0:
            return np.nan
        if np.ptp(first) == 0:
            return constant
        first, second = _deviations(first), _deviations(second)
        value = first @ second / np.sqrt((first @ first) * (second @ second))
        return float(np.clip(value, -1, 1))

    return map_by_map(measure, saliency, reference, seen)


def similarity(
    saliency: np.ndarray,
    reference: np.ndarray,
    convention: str = 'mit',
    seen: np.ndarray | None = None,
) -> float | np.ndarray:
    """SIM, the histogram intersection of two maps that each sum to one, over pixels.

    ``'mit'`` first stretches each map to [0, 1] by its own minimum and maximum, so a constant map
    has no density, and SIM is NaN. ``'tuebingen'`` leaves the maps as they are and takes one that
    is 0 everywhere for uniform.

    Args:
        saliency: `[H, W]` or `[T, H, W]`, 0 or more and finite where seen.
        reference: As `saliency`, of the same shape.
        convention: ``'mit'`` or ``'tuebingen'``.
        seen: `[H, W]` bool, the pixels that count; None takes all.

    Returns:
        Map by map, 0 (no pixel in common) to 1 (the same density) or NaN: a float for `[H, W]`,
        float64 `[T]` for `[T, H, W]`.

    Raises:
        ValueError: An unknown convention, maps that do not fit, or a negative value in one.
    """
    check_convention(convention)

    def measure(first: np.ndarray, second: np.ndarray) -> float:
        densities = _density(first, convention), _density(second, convention)
        return float(min(np.minimum(*densities).sum(), 1))

    return map_by_map(measure, saliency, reference, seen)


def _deviations(pixels: np.ndarray) -> np.ndarray:
    """Differences from the mean, the largest of them 1; the pixels are not all equal."""
    pixels = pixels / np.abs(pixels).max()  # numbers whose squares are no floats have a CC, too
    pixels -= pixels.mean()
    return pixels / np.abs(pixels).max()


def _density(pixels: np.ndarray, convention: str) -> np.ndarray:
    """The pixels as shares of their sum; NaN where there is no such density."""
    low, high = pixels.min(), pixels.max()
    if low < 0:
        raise ValueError(f'expected maps without negative values for SIM, got {low:g}')
    if convention == 'mit':
        if low == high:
            return np.full_like(pixels, np.nan)
        pixels = pixels - low
        high = high - low
    if high == 0:
        return np.full_like(pixels, 1 / pixels.size)
    pixels = pixels / high
    return pixels / pixels.sum()
