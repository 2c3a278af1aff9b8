"""Metrics that hold a saliency map against another map; definitions: Bylinskii et al. (TPAMI 2019,
arXiv 1604.03605)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mmsal.metrics.maps import Pixels, as_maps, as_partner, check_convention, over_stack

EPS = 2.2204e-16  # pysaliency's; MIT's code takes MATLAB's eps, 0.00002 nats away at most


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
    return _map_by_map(correlations, saliency, reference, convention, seen)


def similarity(
    saliency: np.ndarray,
    reference: np.ndarray,
    convention: str = 'mit',
    seen: np.ndarray | None = None,
) -> float | np.ndarray:
    """SIM, the histogram intersection of two maps that each sum to one, over pixels.

    ``'mit'`` first stretches each map to [0, 1] by its own minimum and maximum, so a constant map
    has no density, and SIM is NaN (MIT's code gives 0 where one is 0 everywhere). ``'tuebingen'``
    leaves the maps as they are and takes one that is 0 everywhere for uniform.

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
    return _map_by_map(intersections, saliency, reference, convention, seen)


def kl_divergence(
    saliency: np.ndarray,
    reference: np.ndarray,
    convention: str = 'mit',
    seen: np.ndarray | None = None,
) -> float | np.ndarray:
    r"""KLD, the divergence KL(reference, saliency) of two maps that each sum to one, over pixels.

    .. math:: D = \sum_i r_i \ln\left(\epsilon + \frac{r_i}{s_i + \epsilon}\right)

    with the published :math:`\epsilon`, 2.2204e-16, which makes a pixel without saliency that has
    all of the reference cost 36 nats. The conventions differ for a map that is 0 everywhere alone:
    it has no density, and ``'mit'`` gives NaN (its code would give 0, the best there is, for an
    empty reference); ``'tuebingen'`` takes it for uniform.

    Args:
        saliency: `[H, W]` or `[T, H, W]`, 0 or more and finite where seen.
        reference: As `saliency`, of the same shape.
        convention: ``'mit'`` or ``'tuebingen'``.
        seen: `[H, W]` bool, the pixels that count; None takes all.

    Returns:
        Map by map, nats, 0 (the same density) upwards or NaN: a float for `[H, W]`, float64 `[T]`
        for `[T, H, W]`. Rounding and epsilon may leave equal maps at -1e-11.

    Raises:
        ValueError: An unknown convention, maps that do not fit, or a negative value in one.
    """
    return _map_by_map(divergences, saliency, reference, convention, seen)


def correlations(first: Pixels, second: Pixels, conventions: tuple[str, ...]) -> dict[str, float]:
    """CC by convention."""
    if first.constant or second.constant:
        undefined = {'mit': np.nan, 'tuebingen': np.nan if second.constant else 0.0}
        return {convention: undefined[convention] for convention in conventions}
    powers, shared = np.zeros(2), 0.0
    for one, other in zip(first.blocks(), second.blocks(), strict=True):
        one, other = one - first.mean, other - second.mean
        powers += one @ one, other @ other
        shared += one @ other
    # The root of each alone: the product may be no float.
    value = float(np.clip(shared / np.sqrt(powers).prod(), -1, 1))
    return dict.fromkeys(conventions, value)


def intersections(first: Pixels, second: Pixels, conventions: tuple[str, ...]) -> dict[str, float]:
    """SIM by convention."""
    constant = first.constant or second.constant
    first, second = first.as_density('SIM'), second.as_density('SIM')
    shared = dict.fromkeys(conventions, 0.0)
    if constant:
        conventions = tuple(way for way in conventions if way != 'mit')
    totals = {way: _totals(first, second, way) for way in conventions}
    for pair in zip(first.blocks(), second.blocks(), strict=True):
        for way, (total, other_total) in totals.items():
            one, other = pair
            if way == 'mit':
                one, other = one - first.lowest, other - second.lowest
            other = other * (total / other_total)
            shared[way] += np.minimum(one, other, out=other).sum()
    return {
        way: float(min(shared[way] / totals[way][0], 1)) if way in totals else np.nan
        for way in shared
    }


def _totals(first: Pixels, second: Pixels, convention: str) -> tuple[float, float]:
    """What the maps are divided by."""
    if convention == 'mit':
        return first.stretched_total, second.stretched_total
    return first.total, second.total


def divergences(first: Pixels, second: Pixels, conventions: tuple[str, ...]) -> dict[str, float]:
    """KLD by convention."""
    empty = first.high == 0 or second.high == 0
    first, second = first.as_density('KLD'), second.as_density('KLD')
    # As the formula has it, but that both densities keep their totals, whose ratio leaves the
    # logarithm. Pixels where the reference is 0 add 0; to pick them out takes longer than they do.
    ratio, value = first.total / second.total, 0.0
    least, floor = EPS * first.total, EPS / ratio
    for terms, other in zip(first.copies(), second.blocks(), strict=True):
        terms += least
        np.divide(other, terms, out=terms)
        terms += floor
        value += other @ np.log(terms, out=terms)
    value = value / second.total + np.log(ratio)
    return {way: np.nan if empty and way == 'mit' else float(value) for way in conventions}


def _map_by_map(
    measure: Callable, saliency: np.ndarray, reference: np.ndarray, convention: str, seen
) -> float | np.ndarray:
    """Apply a measure of two maps to each pair of them."""
    check_convention(convention)
    grid, saliency = as_maps(saliency, seen)
    reference = as_partner('reference', reference, saliency)

    def value(first: np.ndarray, second: np.ndarray) -> float:
        pair = grid.pixels('saliency', first), grid.pixels('reference', second)
        return measure(*pair, (convention,))[convention]

    return over_stack(value, saliency, reference)
