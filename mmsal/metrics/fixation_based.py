"""Metrics of the values at fixations: NSS and information gain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmsal.metrics.fixations import Fixated, as_fixated
from mmsal.metrics.maps import Pixels, as_maps, as_partner, check_convention, over_stack


def nss(
    saliency: np.ndarray,
    fixations: np.ndarray | Sequence,
    convention: str = 'mit',
    seen: np.ndarray | None = None,
) -> float | np.ndarray:
    """Normalized scanpath saliency: the mean, at fixations, of the map in its standard deviations.

    Of Peters et al. (Vision Research 2005). ``'mit'`` takes each fixated pixel once, and the
    standard deviation with N - 1; a constant map has none, and NSS is NaN. ``'tuebingen'``
    takes each fixation, and N; a constant map has 0.

    Args:
        saliency: `[H, W]` or `[T, H, W]`, real numbers of any range, finite where seen.
        fixations: Of a map, bool `[H, W]` or points `[N, 2]`: x and y in pixels, origin top left, a
            point lies in the pixel of its floor. Of a stack, bool `[T, H, W]` or T such arrays.
        convention: ``'mit'`` or ``'tuebingen'``.
        seen: `[H, W]` bool, the pixels that count, fixations elsewhere are left out; None takes
            all.

    Returns:
        Map by map, standard deviations, chance 0, NaN without a fixation: a float for `[H, W]`,
        float64 `[T]` for `[T, H, W]`.

    Raises:
        ValueError: Arguments that do not fit, or fixations outside the picture.
    """
    check_convention(convention)
    grid, saliency = as_maps(saliency, seen)

    def measure(one: np.ndarray, fixated: Fixated) -> float:
        pixels = grid.pixels('saliency', one)
        return standardized_means(pixels, fixated, (convention,))[convention]

    return over_stack(measure, saliency, as_fixated(fixations, saliency, grid))


def information_gain(
    saliency: np.ndarray,
    fixations: np.ndarray | Sequence,
    baseline: np.ndarray,
    uniform_share: float = 0.0,
    seen: np.ndarray | None = None,
) -> float | np.ndarray:
    r"""IG: how much better a density predicts the fixations than a baseline density does.

    .. math:: IG = \frac{1}{N} \sum_n \log_2 p(x_n) - \log_2 b(x_n)

    Of Kuemmerer et al. (PNAS 2015), as in pysaliency; each fixation counts. Saliency that is no
    density is made one by dividing by its sum, as pysaliency does; that is no fair treatment of a
    model that was not made to predict a density. A fixation where the density is 0 costs
    infinitely much: IG is then -inf, unless `uniform_share` is above 0.

    Args:
        saliency: `[H, W]` or `[T, H, W]`, 0 or more and finite where seen; 0 everywhere stands for
            uniform.
        fixations: As for :func:`nss`.
        baseline: As `saliency`, of the same shape, or one `[H, W]` for all maps: what is known
            without the video, say the density of fixations on other videos.
        uniform_share: 0 to 1; p is this much of a uniform density and the rest of the saliency's,
            so that no pixel has none (pysaliency adds a number to all pixels before it divides by
            their sum, which does the same).
        seen: As for :func:`nss`.

    Returns:
        Map by map, bits per fixation, 0 for the baseline itself, NaN without a fixation and where
        both densities are 0 at one: a float for `[H, W]`, float64 `[T]` for `[T, H, W]`.

    Raises:
        ValueError: As :func:`nss`, or a negative value.
    """
    check_share(uniform_share)
    grid, saliency = as_maps(saliency, seen)
    baseline = as_partner('baseline', baseline, saliency, shared=True)

    def measure(one: np.ndarray, fixated: Fixated, known: np.ndarray) -> float:
        pair = grid.pixels('saliency', one), grid.pixels('baseline', known)
        return mean_gain(*pair, fixated, uniform_share)

    return over_stack(measure, saliency, as_fixated(fixations, saliency, grid), baseline)


def standardized_means(
    saliency: Pixels, fixated: Fixated, conventions: tuple[str, ...]
) -> dict[str, float]:
    """NSS by convention."""
    values = dict.fromkeys(conventions, np.nan)
    for convention in conventions:
        mit = convention == 'mit'
        if not len(fixated):
            continue
        if saliency.constant:
            values[convention] = np.nan if mit else 0.0
            continue
        places = fixated.distinct if mit else fixated.places
        deviation = np.sqrt(saliency.power / (saliency.raw.size - mit))
        values[convention] = float((saliency.at(places) - saliency.mean).mean() / deviation)
    return values


def check_share(share: float) -> None:
    """Refuse what is no share.

    Raises:
        ValueError: It is not from 0 to 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f'expected uniform_share from 0 to 1, got {share}')


def mean_gain(
    saliency: Pixels, baseline: Pixels, fixated: Fixated, uniform_share: float = 0.0
) -> float:
    """IG; see :func:`information_gain`."""
    gains = fixation_gains(saliency, baseline, fixated, uniform_share)
    with np.errstate(invalid='ignore'):  # inf - inf
        return float(gains.mean()) if len(gains) else np.nan


def fixation_gains(
    saliency: Pixels, baseline: Pixels, fixated: Fixated, uniform_share: float = 0.0
) -> np.ndarray:
    """IG of each fixation, float64 `[N]`."""
    densities = []
    for one in (saliency, baseline):
        density = one.as_density('IG')
        densities.append(density.at(fixated.places) / density.total)
    densities[0] = (1 - uniform_share) * densities[0] + uniform_share / saliency.raw.size
    with np.errstate(divide='ignore', invalid='ignore'):
        return np.log2(densities[0]) - np.log2(densities[1])
