"""All metrics of one map in one call, with what they share found once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mmsal.metrics.auc import (
    Seed,
    borji_area,
    exact_area,
    exact_shuffled_area,
    judd_areas,
    shuffled_area,
)
from mmsal.metrics.distribution_based import correlations, divergences, intersections
from mmsal.metrics.fixation_based import check_share, mean_gain, standardized_means
from mmsal.metrics.fixations import Fixated, OtherFixations, as_fixated, as_other
from mmsal.metrics.maps import CONVENTIONS, Grid, Pixels, as_maps, as_partner, check_convention
from mmsal.metrics.ranks import Ranking
from mmsal.metrics.transport import transport_distance


@dataclass(frozen=True)
class Metric:
    """What there is to know of a metric before it is measured.

    Attributes:
        name: As in results.
        conventions: Those in which it exists, of :data:`mmsal.metrics.CONVENTIONS`.
        needs: Beside the saliency, of 'fixations', 'density', 'other' and 'baseline'.
        higher_is_better: False for a distance.
        unit: Of its values; '' for a share.
        title: One line for humans.
    """

    name: str
    conventions: tuple[str, ...]
    needs: frozenset[str]
    higher_is_better: bool
    unit: str
    title: str


def _metric(name, conventions, needs, unit, title, higher_is_better=True) -> Metric:
    return Metric(name, conventions, frozenset(needs.split()), higher_is_better, unit, title)


MIT, TUEBINGEN, BOTH = ('mit',), ('tuebingen',), CONVENTIONS
_LIST = (
    _metric('AUC', TUEBINGEN, 'fixations', '', 'exact AUC, fixations against all pixels'),
    _metric('AUC-Judd', BOTH, 'fixations', '', 'AUC-Judd, fixations against unfixated pixels'),
    _metric('AUC-Borji', MIT, 'fixations', '', 'AUC-Borji, fixations against random pixels'),
    _metric('sAUC', BOTH, 'fixations other', '', 'shuffled AUC, fixations against those elsewhere'),
    _metric(
        'NSS', BOTH, 'fixations', 'standard deviations', 'normalized scanpath saliency at fixations'
    ),
    _metric(
        'IG', TUEBINGEN, 'fixations baseline', 'bits per fixation', 'information gain over baseline'
    ),
    _metric('CC', BOTH, 'density', '', 'correlation with the density of fixations'),
    _metric('SIM', BOTH, 'density', '', 'similarity to the density of fixations'),
    _metric('KLD', BOTH, 'density', 'nats', 'KL divergence from the density of fixations', False),
    _metric(
        'EMD', MIT, 'density', 'cells of 32 pixels', "earth mover's distance to the density", False
    ),
)
METRICS: dict[str, Metric] = {metric.name: metric for metric in _LIST}


def score_map(
    saliency: np.ndarray,
    *,
    fixations: np.ndarray | None = None,
    density: np.ndarray | None = None,
    other: OtherFixations | Sequence[np.ndarray] | np.ndarray | None = None,
    baseline: np.ndarray | None = None,
    metrics: Iterable[str] | None = None,
    conventions: Iterable[str] = CONVENTIONS,
    uniform_share: float = 0.0,
    seed: Seed = 0,
    seen: np.ndarray | None = None,
) -> dict[tuple[str, str], float]:
    """Score one map by many metrics; each value is the one that the metric's own function gives.

    Args:
        saliency: `[H, W]`, 0 or more (of any sign for AUCs, NSS and CC), finite where seen.
        fixations: Points `[N, 2]` (x, y in pixels, origin top left) or bool `[H, W]`.
        density: `[H, W]`, 0 or more: the reference of CC, SIM, KLD and EMD.
        other: Fixations on other images, as :func:`mmsal.metrics.auc_shuffled` takes them. Prepare
            :class:`mmsal.metrics.OtherFixations` once for the maps of a video.
        baseline: `[H, W]`, 0 or more: what IG is a gain over.
        uniform_share: For IG, the share of a uniform density that the saliency's is mixed with, 0
            to 1. A map with zeros, as Grad-CAM's are, has an IG of -inf without it.
        metrics: Names of :data:`METRICS`; None takes all.
        conventions: Of :data:`mmsal.metrics.CONVENTIONS`.
        seed: Of the random parts, as `numpy.random.default_rng` takes it. Each metric starts with
            it anew, as it would alone; of a Generator one number is drawn, which is then the seed.
            Frames of a video should have different seeds, ``(0, frame)`` say, or they all use the
            same draws.
        seen: `[H, W]` bool, the pixels that count; None takes all.

    Returns:
        By (metric, convention), those asked for that exist, in the order of :data:`METRICS`. NaN
        where an ingredient is None, and where the metric is undefined.

    Raises:
        ValueError: An unknown metric or convention, or arguments that do not fit.
    """
    names, conventions = _asked(metrics, conventions)
    check_share(uniform_share)
    grid, saliency = as_maps(saliency, seen)
    if saliency.ndim != 2:
        raise ValueError(f'expected one saliency map [H, W], got {saliency.shape}')
    asked = {
        name: tuple(way for way in METRICS[name].conventions if way in conventions)
        for name in names
    }
    # What no metric needs is not looked at.
    needed = frozenset().union(*(METRICS[name].needs for name, ways in asked.items() if ways))
    maps = {'density': density, 'baseline': baseline}
    partners = {
        name: grid.pixels(name, as_partner(name, one, saliency))
        for name, one in maps.items()
        if name in needed and one is not None
    }
    scene = _Scene(
        grid,
        grid.pixels('saliency', saliency),
        None if fixations is None else as_fixated(fixations, saliency, grid),
        partners.get('density'),
        None if other is None or 'other' not in needed else as_other(other, grid),
        partners.get('baseline'),
        int(seed.integers(2**63)) if isinstance(seed, np.random.Generator) else seed,
        uniform_share,
    )
    scores = {}
    for name, ways in asked.items():
        if not ways:
            continue
        absent = any(getattr(scene, need) is None for need in METRICS[name].needs)
        found = dict.fromkeys(ways, np.nan) if absent else MEASURES[name](scene, ways)
        scores.update(((name, way), found[way]) for way in ways)
    return scores


@dataclass
class _Scene:
    """One map and all it is held against."""

    grid: Grid
    saliency: Pixels
    fixations: Fixated | None
    density: Pixels | None
    other: OtherFixations | None
    baseline: Pixels | None
    seed: int | Sequence[int]
    uniform_share: float

    @cached_property
    def ranking(self) -> Ranking:
        return Ranking(self.saliency, self.fixations)

    def generator(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)


def _shuffled(scene: _Scene, conventions: tuple[str, ...]) -> dict[str, float]:
    parts, values = (scene.saliency, scene.fixations, scene.other), {}
    if 'mit' in conventions:
        values['mit'] = shuffled_area(*parts, scene.generator())
    if 'tuebingen' in conventions:
        values['tuebingen'] = exact_shuffled_area(*parts)
    return values


def _borji(scene: _Scene, _) -> dict[str, float]:
    return {'mit': borji_area(scene.saliency, scene.fixations, scene.generator())}


def _gain(scene: _Scene, _) -> dict[str, float]:
    parts = scene.saliency, scene.baseline, scene.fixations, scene.uniform_share
    return {'tuebingen': mean_gain(*parts)}


def _transport(scene: _Scene, _) -> dict[str, float]:
    return {'mit': transport_distance(scene.saliency, scene.density, scene.grid)}


# By metric: (scene, conventions) -> value by convention.
MEASURES: dict[str, Callable[[_Scene, tuple[str, ...]], dict[str, float]]] = {
    'AUC': lambda scene, _: {'tuebingen': exact_area(scene.ranking)},
    'AUC-Judd': lambda scene, ways: judd_areas(scene.ranking, scene.generator(), ways),
    'AUC-Borji': _borji,
    'sAUC': _shuffled,
    'NSS': lambda scene, ways: standardized_means(scene.saliency, scene.fixations, ways),
    'IG': _gain,
    'CC': lambda scene, ways: correlations(scene.saliency, scene.density, ways),
    'SIM': lambda scene, ways: intersections(scene.saliency, scene.density, ways),
    'KLD': lambda scene, ways: divergences(scene.saliency, scene.density, ways),
    'EMD': _transport,
}


def _asked(metrics, conventions) -> tuple[list[str], tuple[str, ...]]:
    """Checked, the metrics in their order."""
    asked = METRICS if metrics is None else (metrics,) if isinstance(metrics, str) else [*metrics]
    unknown = [name for name in asked if name not in METRICS]
    if unknown:
        raise ValueError(f'expected metrics of {", ".join(METRICS)}, got {unknown[0]!r}')
    ways = (conventions,) if isinstance(conventions, str) else tuple(conventions)
    for convention in ways:
        check_convention(convention)
    return [name for name in METRICS if name in asked], ways
