"""How sure a mean over videos is."""

import numpy as np


def bootstrap_interval(
    values: np.ndarray, seed: int = 0, resamples: int = 10_000, level: float = 0.95
) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean (Efron and Tibshirani, 1993, chapter 13).

    Args:
        values: `[N]`, one independent number per video, finite.
        seed: The same seed, the same interval.
        resamples: How often N of the N videos are drawn with replacement.
        level: Share of the resampled means within the interval.

    Returns:
        Lower and upper bound; NaN for fewer than two values, of which nothing can be said.
    """
    values = np.asarray(values, dtype=np.float64)
    if len(values) < 2:
        return np.nan, np.nan
    drawn = np.random.default_rng(seed).integers(len(values), size=(resamples, len(values)))
    tail = (1 - level) / 2
    low, high = np.quantile(values[drawn].mean(axis=1), [tail, 1 - tail])
    return float(low), float(high)
