"""Areas under the ROC curve: does saliency tell fixated pixels from others?

Exact ones in the way of pysaliency (Kuemmerer et al., ECCV 2018), and those of the MIT Saliency
Benchmark's code (Judd, Borji, shuffled); definitions: Bylinskii et al. (TPAMI 2019, 1604.03605).
Only the order of values counts, save in the two that step through thresholds (AUC-Borji and MIT's
shuffled AUC): there an affine change alone leaves the score as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmsal.metrics.fixations import Fixated, OtherFixations, as_fixated, as_other
from mmsal.metrics.maps import Pixels, as_maps, check_convention, over_stack
from mmsal.metrics.ranks import Ranking, count_below

Seed = int | Sequence[int] | np.random.Generator

DRAWS = 100  # of negatives, as published
MANY = 1000  # candidates from which on NumPy draws faster by marginals than by counting
STEPS = np.arange(11) / 10  # thresholds on maps stretched to [0, 1], as published


def auc(
    saliency: np.ndarray, fixations: np.ndarray | Sequence, seen: np.ndarray | None = None
) -> float | np.ndarray:
    """Exact AUC: the share of all pixels that are less salient than a fixated one, ties half.

    The mean over fixations, each of which counts, repeated ones too. All pixels are negatives, the
    fixated ones as well, so that a map without any relation to gaze has an expectation of 0.5
    however few fixations there are. It is pysaliency's ``AUC``.

    Args:
        saliency: `[H, W]` or `[T, H, W]`, real numbers of any range, finite where seen.
        fixations: Of a map, bool `[H, W]` or points `[N, 2]`: x and y in pixels, origin top left, a
            point lies in the pixel of its floor. Of a stack, bool `[T, H, W]` or T such arrays.
        seen: `[H, W]` bool, the pixels that count, fixations elsewhere are left out; None takes
            all.

    Returns:
        Map by map, 0 to 1, chance 0.5, NaN without a fixation: a float for `[H, W]`, float64 `[T]`
        for `[T, H, W]`.

    Raises:
        ValueError: Arguments that do not fit, or fixations outside the picture.
    """
    grid, saliency = as_maps(saliency, seen)

    def measure(one: np.ndarray, fixated: Fixated) -> float:
        return exact_area(Ranking(grid.pixels('saliency', one), fixated))

    return over_stack(measure, saliency, as_fixated(fixations, saliency, grid))


def auc_judd(
    saliency: np.ndarray,
    fixations: np.ndarray | Sequence,
    convention: str = 'mit',
    seed: Seed = 0,
    seen: np.ndarray | None = None,
) -> float | np.ndarray:
    """AUC-Judd: thresholds at the fixated values alone, unfixated pixels as negatives.

    The straight line from the curve's last point to (1, 1) flatters few fixations: with n of them a
    random map has an expectation of (n + 2) / (2 n + 2), 0.75 with one and 0.67 with two.
    :func:`auc` is free of that. ``'mit'`` takes each fixated pixel once, ``'tuebingen'`` each
    fixation.

    Ties are broken at random, for which the published codes add noise of 1e-7 to the map (uniform
    at MIT, Gaussian in pysaliency). Here tied pixels are put in a random order instead, which is
    the same for ties, and leaves alone values that differ by less than 1e-7, as they do in the
    tails of a density, so that the score does not depend on the map's unit.

    Args:
        saliency: As for :func:`auc`.
        fixations: As for :func:`auc`.
        convention: ``'mit'`` or ``'tuebingen'``.
        seed: For the ties: what `numpy.random.default_rng` takes. One generator runs through a
            stack.
        seen: As for :func:`auc`.

    Returns:
        As :func:`auc`; NaN without a fixation, and where all pixels are fixated.

    Raises:
        ValueError: An unknown convention, or as :func:`auc`.
    """
    check_convention(convention)
    grid, saliency = as_maps(saliency, seen)
    generator = np.random.default_rng(seed)

    def measure(one: np.ndarray, fixated: Fixated) -> float:
        ranking = Ranking(grid.pixels('saliency', one), fixated)
        return judd_areas(ranking, generator, (convention,))[convention]

    return over_stack(measure, saliency, as_fixated(fixations, saliency, grid))


def auc_borji(
    saliency: np.ndarray,
    fixations: np.ndarray | Sequence,
    seed: Seed = 0,
    seen: np.ndarray | None = None,
) -> float | np.ndarray:
    """AUC-Borji of MIT's code: as many random pixels as fixated ones are the negatives.

    The mean over 100 draws, with thresholds 0, 0.1, ..., 1 on the map stretched to [0, 1].
    Differences within a step do not count.

    Args:
        saliency: As for :func:`auc`.
        fixations: As for :func:`auc`; each fixated pixel counts once.
        seed: For the draws, as for :func:`auc_judd`.
        seen: As for :func:`auc`.

    Returns:
        As :func:`auc`; a constant map has 0.5.

    Raises:
        ValueError: As :func:`auc`.
    """
    grid, saliency = as_maps(saliency, seen)
    generator = np.random.default_rng(seed)

    def measure(one: np.ndarray, fixated: Fixated) -> float:
        return borji_area(grid.pixels('saliency', one), fixated, generator)

    return over_stack(measure, saliency, as_fixated(fixations, saliency, grid))


def auc_shuffled(
    saliency: np.ndarray,
    fixations: np.ndarray | Sequence,
    other: Sequence[np.ndarray] | np.ndarray | OtherFixations,
    convention: str = 'mit',
    seed: Seed = 0,
    seen: np.ndarray | None = None,
) -> float | np.ndarray:
    """Shuffled AUC: fixations on other images are the negatives, so that centre bias gains nothing.

    ``'mit'`` takes the pixels fixated on 10 of the other images, drawn at random, and as many of
    them as there are fixated pixels (all, if there are fewer), without repeats, 100 times, with
    thresholds as :func:`auc_borji`. ``'tuebingen'`` is exact: all fixations on all other images,
    ties half.

    Args:
        saliency: As for :func:`auc`.
        fixations: As for :func:`auc`.
        other: For each other image its fixations, points `[M, 2]` in pixels of this picture or a
            bool map; one array stands for one image. The same for all maps of a stack.
            :class:`OtherFixations` spares the preparation.
        convention: ``'mit'`` or ``'tuebingen'``.
        seed: For the draws, as for :func:`auc_judd`.
        seen: As for :func:`auc`.

    Returns:
        As :func:`auc`; NaN without a fixation here or on other images.

    Raises:
        ValueError: An unknown convention, or as :func:`auc`.
    """
    check_convention(convention)
    grid, saliency = as_maps(saliency, seen)
    generator = np.random.default_rng(seed)
    other = as_other(other, grid)

    def measure(one: np.ndarray, fixated: Fixated) -> float:
        pixels = grid.pixels('saliency', one)
        if convention == 'mit':
            return shuffled_area(pixels, fixated, other, generator)
        return exact_shuffled_area(pixels, fixated, other)

    return over_stack(measure, saliency, as_fixated(fixations, saliency, grid))


def exact_area(ranking: Ranking) -> float:
    """Mean over fixations of the share of pixels below, half of those equal."""
    fixations = int(ranking.counts.sum())
    if not fixations:
        return np.nan
    # In whole numbers: no rounding before the division.
    doubled = int((2 * ranking.below + ranking.equal)[ranking.level_of] @ ranking.counts)
    return doubled / (2 * fixations * ranking.total)


def exact_shuffled_area(saliency: Pixels, fixated: Fixated, other: OtherFixations) -> float:
    """As :func:`exact_area`, among fixations on other images."""
    if not len(fixated) or not len(other.places):
        return np.nan
    levels, level_of = np.unique(saliency.raw[fixated.places], return_inverse=True)
    below, equal = count_below(saliency.raw[other.places], levels)
    doubled = int((2 * below + equal)[level_of].sum())
    return doubled / (2 * len(fixated) * len(other.places))


def judd_areas(
    ranking: Ranking, generator: np.random.Generator, conventions: tuple[str, ...]
) -> dict[str, float]:
    """AUC-Judd by convention, the ties broken the same way in each."""
    negatives = ranking.total - len(ranking.counts)
    if not len(ranking.counts) or not negatives:
        return dict.fromkeys(conventions, np.nan)
    order, above = _unfixated_above(ranking, generator)
    shares = np.concatenate([[0], above / negatives, [1]])
    areas = {}
    for convention in conventions:
        counts = ranking.counts[order] if convention == 'tuebingen' else np.ones(len(order), int)
        hits = np.cumsum(counts)
        hits = np.concatenate([[0], hits / hits[-1], [1]])
        areas[convention] = float(_trapezoids(shares, hits))
    return areas


def _unfixated_above(
    ranking: Ranking, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Distinct fixated pixels, most salient first, and how many unfixated ones are above each."""
    fixated = np.bincount(ranking.level_of, minlength=len(ranking.levels))
    above = ranking.total - ranking.below - ranking.equal
    above = above - (len(ranking.level_of) - np.cumsum(fixated))  # less the fixated ones above
    tied = ranking.equal - fixated
    # Where each stands among its equals: 0 is first.
    stand = np.zeros(len(ranking.level_of), np.int64)
    for level in np.flatnonzero(tied):
        members = ranking.level_of == level
        stand[members] = generator.choice(ranking.equal[level], fixated[level], replace=False)
    order = np.lexsort((stand, -ranking.level_of))
    stand, level_of = stand[order], ranking.level_of[order]
    first = np.concatenate([[0], np.cumsum(fixated[::-1])[:-1]])[::-1]  # of its level, in `order`
    among = np.where(tied[level_of] > 0, stand - (np.arange(len(order)) - first[level_of]), 0)
    return order, above[level_of] + among


def borji_area(saliency: Pixels, fixated: Fixated, generator: np.random.Generator) -> float:
    """Mean over draws of the area with random pixels as negatives."""
    positives = fixated.distinct
    if not len(positives):
        return np.nan
    drawn = generator.integers(0, saliency.raw.size, DRAWS * len(positives))
    return _stepped_area(saliency, positives, _reached(saliency, drawn))


def shuffled_area(
    saliency: Pixels, fixated: Fixated, other: OtherFixations, generator: np.random.Generator
) -> float:
    """Mean over draws of the area with fixated pixels of other images as negatives."""
    positives, candidates = fixated.distinct, other.union(generator)
    if not len(positives) or not len(candidates):
        return np.nan
    steps = _reached(saliency, candidates)
    # Only how many of a draw lie in each step counts, and that is hypergeometric.
    size = min(len(positives), len(candidates))
    way = 'count' if len(candidates) < MANY else 'marginals'  # the faster one
    counts = generator.multivariate_hypergeometric(steps, size, DRAWS, method=way)
    return _stepped_area(saliency, positives, counts.sum(axis=0))


def _reached(saliency: Pixels, places: np.ndarray) -> np.ndarray:
    """How many of some pixels reach each threshold and not the next, int64 `[11]`."""
    steps = np.searchsorted(STEPS, saliency.stretched_at(places), side='right') - 1
    return np.bincount(steps, minlength=len(STEPS))


def _stepped_area(saliency: Pixels, positives: np.ndarray, negatives: np.ndarray) -> float:
    """Mean over draws of the area under the curve through the thresholds.

    All draws have the same size and the same positives, and the area is linear in the negatives'
    shares: the mean of the draws' areas is the area of all draws together.

    Args:
        saliency: The map.
        positives: Fixated pixels.
        negatives: int `[11]`, of all draws, how many reach each threshold and not the next.
    """
    # From the point (0, 0) to the lowest threshold, which all reach.
    curves = [
        np.concatenate([[0], np.cumsum(counts[::-1])])
        for counts in (negatives, _reached(saliency, positives))
    ]
    return float(_trapezoids(*(curve / curve[-1] for curve in curves)))


def _trapezoids(x: np.ndarray, y: np.ndarray) -> float:
    """Area under a curve."""
    return np.diff(x) @ (y[1:] + y[:-1]) / 2
