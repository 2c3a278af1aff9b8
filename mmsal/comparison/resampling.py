"""Chance by drawing anew: bootstrap intervals and the sign-flip test, for many columns at once.

Every draw depends on the seed and the number of units alone. So a column's result is the same
whether it is computed alone or beside others.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

CELLS = 2_000_000  # numbers held at once while drawing


@dataclass(frozen=True)
class Bootstrap:
    """Percentile bootstrap of means (Efron and Tibshirani, 1993, chapter 13).

    Attributes:
        seed: The same seed, the same draws.
        resamples: How often N of the N units are drawn with replacement.
        confidence: Share of the resampled means within the interval, above 0 and below 1.

    Raises:
        ValueError: A negative seed, no resample, or a confidence out of range.
    """

    seed: int = 0
    resamples: int = 2000
    confidence: float = 0.95

    def __post_init__(self):
        if self.seed < 0:
            raise ValueError(f'expected a seed of 0 or more, got {self.seed}')
        if self.resamples < 1:
            raise ValueError(f'expected resamples of at least 1, got {self.resamples}')
        if not 0 < self.confidence < 1:
            raise ValueError(f'expected a confidence between 0 and 1, got {self.confidence}')

    def means(self, values: np.ndarray) -> np.ndarray:
        """Means of the units drawn anew.

        Args:
            values: `[N, K]`, a row per unit and a column per quantity, without NaN. All columns
                see the same draws, so that differences and ratios of them may be taken.

        Returns:
            `[resamples, K]`; NaN for fewer than two units, of which nothing can be said, and in
            columns that hold an infinity.
        """
        values = np.asarray(values, dtype=np.float64)
        units, columns = values.shape
        if units < 2 or not columns:
            return np.full((self.resamples, columns), np.nan)
        generator = np.random.default_rng(self.seed)
        finite, unknown = _without_infinities(values)
        means = np.concatenate(
            [
                _draw_counts(units, size, generator) @ finite
                for size in _blocks(self.resamples, max(units, columns))
            ]
        )
        means /= units
        means[:, unknown] = np.nan
        return means

    def crossed_means(self, values: np.ndarray, known: np.ndarray) -> np.ndarray:
        """Means over videos of means over observers, both drawn anew, independently.

        The pigeonhole bootstrap (Owen, Annals of Applied Statistics, 2007; Owen and Eckles, 2012):
        a cell counts as often as its video times as its observer was drawn. Cells that are not
        known are left out; so is a video, in this resample, of which no known cell was drawn.

        Args:
            values: `[V, O, K]`, video by observer by quantity, without NaN where known.
            known: bool `[V, O]`, the cells that have values.

        Returns:
            `[resamples, K]`; NaN for fewer than two videos or observers with a known cell, in
            columns that hold an infinity, and in resamples without any known cell.
        """
        known = np.asarray(known, dtype=bool)
        videos, observers = known.any(axis=1), known.any(axis=0)
        known = known[np.ix_(videos, observers)]
        values = np.asarray(values, dtype=np.float64)[np.ix_(videos, observers)]
        columns = values.shape[2]
        if min(known.shape) < 2 or not columns:
            return np.full((self.resamples, columns), np.nan)
        finite, unknown = _without_infinities(np.where(known[..., None], values, 0))
        rows, width = len(finite), finite[0].size
        of_videos, of_observers = np.random.default_rng(self.seed).spawn(2)
        means = np.empty((self.resamples, columns))
        start = 0
        for size in _blocks(self.resamples, max(rows, width)):
            seen = _draw_counts(known.shape[1], size, of_observers)  # [R, O]
            cells = seen @ known.T  # [R, V], known cells drawn per video
            drawn = _draw_counts(rows, size, of_videos) * (cells > 0)
            weights = drawn / np.maximum(cells, 1)
            sums = (weights @ finite.reshape(rows, width)).reshape(size, -1, columns)
            with np.errstate(invalid='ignore'):  # 0 / 0: no known cell was drawn
                mean = np.einsum('rok,ro->rk', sums, seen) / drawn.sum(axis=1, keepdims=True)
            means[start : start + size] = mean
            start += size
        means[:, unknown] = np.nan
        return means

    def interval(self, statistics: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper bounds `[K]` of resampled statistics `[resamples, K]`.

        Resamples in which a statistic is NaN are left out; NaN where all are.
        """
        tail = (1 - self.confidence) / 2
        bounds = np.full((2, statistics.shape[1]), np.nan)
        gaps = np.isnan(statistics)
        whole, some = ~gaps.any(axis=0), gaps.any(axis=0) & ~gaps.all(axis=0)
        bounds[:, whole] = np.quantile(statistics[:, whole], [tail, 1 - tail], axis=0)
        if some.any():
            bounds[:, some] = np.nanquantile(statistics[:, some], [tail, 1 - tail], axis=0)
        return bounds[0], bounds[1]


def bootstrap_interval(
    values: np.ndarray, seed: int = 0, resamples: int = 10_000, level: float = 0.95
) -> tuple[float, float]:
    """Percentile bootstrap interval of one mean, see :class:`Bootstrap`.

    Args:
        values: `[N]`, one independent number per video, finite.
        seed: The same seed, the same interval.
        resamples: How often N of the N videos are drawn with replacement.
        level: Share of the resampled means within the interval.

    Returns:
        Lower and upper bound; NaN for fewer than two values, of which nothing can be said.
    """
    bootstrap = Bootstrap(seed, resamples, level)
    low, high = bootstrap.interval(bootstrap.means(np.asarray(values)[:, None]))
    return float(low[0]), float(high[0])


def columns_by_gaps(values: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Columns that have values in the same places, together.

    Args:
        values: `[N, K]` (or `[V, O, K]`), NaN where a column has no value.

    Yields:
        bool `[N]` (or `[V, O]`), the places that have values, and int `[k]`, the columns.
    """
    places, columns = values.shape[:-1], values.shape[-1]
    known = ~np.isnan(values).reshape(-1, columns)
    patterns: dict[bytes, list[int]] = {}
    for column in range(columns):
        patterns.setdefault(np.packbits(known[:, column]).tobytes(), []).append(column)
    for group in patterns.values():
        yield known[:, group[0]].reshape(places), np.array(group)


def columns_by_count(values: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Columns that have equally many values, together, without their gaps.

    Only the number of units decides on a draw, so columns may be drawn anew together even where
    their gaps differ, as long as each is looked at alone.

    Args:
        values: `[N, K]`, NaN where a column has no value.

    Yields:
        `[n, k]`, what each column has, in its order, and int `[k]`, the columns.
    """
    known = ~np.isnan(values)
    counts = known.sum(axis=0)
    for count in np.unique(counts):
        columns = np.flatnonzero(counts == count)
        picked = values[:, columns].T[known[:, columns].T]
        yield picked.reshape(len(columns), count).T, columns


def sign_flip_test(differences: np.ndarray, seed: int = 0, flips: int = 10_000) -> np.ndarray:
    """Two-sided p of a mean difference of pairs, by flipping signs (Fisher, 1935, section 21).

    If it makes no difference which of two models is which, every difference might as well have
    had the other sign. p is the share of the sign patterns whose mean lies at least as far from 0
    as the observed one. All 2^N patterns are tried if half of them (the other half mirrors them)
    are at most ``flips``; else ``flips`` random ones, and the observed one is counted among them
    (Phipson and Smyth, 2010), so that p is never 0. p is at least 2^(1 - N): five pairs cannot
    reach 0.05.

    Args:
        differences: `[N, K]`, a row per pair of values and a column per test, without NaN.
        seed: Of random patterns.
        flips: Patterns, at least 1.

    Returns:
        `[K]`; NaN without any pair, and in columns that hold an infinity.
    """
    if flips < 1:
        raise ValueError(f'expected flips of at least 1, got {flips}')
    differences = np.asarray(differences, dtype=np.float64)
    pairs, tests = differences.shape
    if not pairs or not tests:
        return np.full(tests, np.nan)
    finite, unknown = _without_infinities(differences)
    # A pattern that gives the observed sum in another order of adding must count as reaching it.
    bound = np.abs(finite.sum(axis=0)) - 1e-12 * np.abs(finite).sum(axis=0)
    exact = 2 ** (pairs - 1) <= flips
    total = 2 ** (pairs - 1) if exact else flips
    generator = np.random.default_rng(seed)
    reached, start = np.zeros(tests), 0
    for size in _blocks(total, max(pairs, tests)):
        if exact:
            patterns = np.arange(start, start + size)[:, None] >> np.arange(pairs) & 1
        else:
            # Whole words of 32 signs a row, so that the size of the blocks changes no pattern.
            words = generator.integers(2**32, size=(size, -(-pairs // 32)), dtype=np.uint32)
            patterns = np.unpackbits(words.view(np.uint8), axis=1)[:, :pairs]
        sums = (1.0 - 2.0 * patterns) @ finite
        reached += (np.abs(sums, out=sums) >= bound).sum(axis=0)
        start += size
    p = reached / total if exact else (reached + 1) / (total + 1)
    p[unknown] = np.nan
    return p


def _draw_counts(units: int, size: int, generator: np.random.Generator) -> np.ndarray:
    """float64 [size, units]: how often each unit is among as many drawn with replacement."""
    drawn = generator.integers(units, size=(size, units))
    drawn += units * np.arange(size)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=size * units)
    return counts.reshape(size, units).astype(np.float64)


def _blocks(total: int, width: int) -> Iterator[int]:
    """Sizes that sum to the total, none of which needs more than so many cells."""
    most = max(1, CELLS // width)
    for start in range(0, total, most):
        yield min(most, total - start)


def _without_infinities(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values with infinities as 0, and bool [K], the columns that hold any."""
    infinite = np.isinf(values)
    return np.where(infinite, 0, values), infinite.reshape(-1, values.shape[-1]).any(axis=0)
