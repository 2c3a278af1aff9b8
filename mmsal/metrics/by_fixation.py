"""Metrics that are means over fixations, fixation by fixation: to be averaged by observer, say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from mmsal.metrics.fixation_based import check_share, fixation_gains
from mmsal.metrics.fixations import Fixated, OtherFixations, as_other, flat_places
from mmsal.metrics.maps import Pixels, as_maps, as_partner
from mmsal.metrics.ranks import count_below

WAY = 'tuebingen'  # where each fixation counts; at MIT each fixated pixel does
BY_FIXATION = ('AUC', 'sAUC', 'NSS', 'IG')


def fixation_scores(
    saliency: np.ndarray,
    fixations: np.ndarray,
    other: OtherFixations | Sequence[np.ndarray] | np.ndarray | None = None,
    baseline: np.ndarray | None = None,
    metrics: Iterable[str] = BY_FIXATION,
    uniform_share: float = 0.0,
    seen: np.ndarray | None = None,
) -> dict[tuple[str, str], np.ndarray]:
    """Score one map at each fixation; the mean over fixations is the metric itself.

    Args:
        saliency: `[H, W]`, finite where seen; 0 or more for IG.
        fixations: Points `[N, 2]` on pixels that count: x and y in pixels, origin top left.
        other, baseline, uniform_share, seen: As for :func:`mmsal.metrics.score_map`.
        metrics: Names; those that are no means over fixations are left out.

    Returns:
        By (metric, ``'tuebingen'``) float64 `[N]`, in the order of the fixations. NaN where an
        ingredient is None or the metric is undefined.

    Raises:
        ValueError: Arguments that do not fit, or a fixation on a pixel that does not count.
    """
    grid, saliency = as_maps(saliency, seen)
    if saliency.ndim != 2:
        raise ValueError(f'expected one saliency map [H, W], got {saliency.shape}')
    pixels = grid.pixels('saliency', saliency)
    flat = flat_places(np.asarray(fixations), grid.size, 'fixations')
    fixated = Fixated(grid.places(flat))
    if len(fixated) != len(flat):
        raise ValueError(f'expected fixations on seen pixels, got {len(flat) - len(fixated)} off')
    check_share(uniform_share)
    measures = {
        'AUC': lambda: _areas(pixels.raw, pixels, fixated),
        'sAUC': lambda: _shuffled(
            pixels, fixated, None if other is None else as_other(other, grid)
        ),
        'NSS': lambda: _standardized(pixels, fixated),
        'IG': lambda: _gains(pixels, fixated, known, uniform_share),
    }
    known = None
    if baseline is not None:
        known = grid.pixels('baseline', as_partner('baseline', baseline, saliency))
    asked = [name for name in BY_FIXATION if name in metrics]
    return {(name, WAY): measures[name]() for name in asked}


def _areas(among: np.ndarray, saliency: Pixels, fixated: Fixated) -> np.ndarray:
    """Share of the values `among` below the one at each fixation, half of those equal."""
    if not len(among):
        return np.full(len(fixated), np.nan)
    levels, level_of = np.unique(saliency.raw[fixated.places], return_inverse=True)
    below, equal = count_below(among, levels)
    return (2 * below + equal)[level_of] / (2 * len(among))


def _shuffled(saliency: Pixels, fixated: Fixated, other: OtherFixations | None) -> np.ndarray:
    places = np.empty(0, np.int64) if other is None else other.places
    return _areas(saliency.raw[places], saliency, fixated)


def _standardized(saliency: Pixels, fixated: Fixated) -> np.ndarray:
    if saliency.constant:
        return np.zeros(len(fixated))
    deviations = saliency.at(fixated.places) - saliency.mean
    return deviations / np.sqrt(saliency.power / saliency.raw.size)


def _gains(
    saliency: Pixels, fixated: Fixated, baseline: Pixels | None, uniform_share: float
) -> np.ndarray:
    if baseline is None:
        return np.full(len(fixated), np.nan)
    return fixation_gains(saliency, baseline, fixated, uniform_share)
