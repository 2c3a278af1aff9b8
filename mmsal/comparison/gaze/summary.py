"""From values of single videos to means with intervals, and to shares of the human ceiling."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mmsal.comparison.gaze.values import MEASURE, observer_values, video_values
from mmsal.comparison.resampling import Bootstrap, columns_by_gaps
from mmsal.comparison.yardsticks import CEILING, CHANCE, EACH_OBSERVER, LOWER_IS_BETTER

SUMMARY_COLUMNS = (
    'model', *MEASURE, 'mean', 'low', 'high', 'videos', 'undefined',
    'share_of_ceiling', 'share_low', 'share_high',
)  # fmt: skip
VIDEOS, CROSSED = ('video',), ('video', 'observer')


def summarize(
    results: pd.DataFrame,
    *,
    seed: int = 0,
    resamples: int = 2000,
    confidence: float = 0.95,
    over: Sequence[str] = VIDEOS,
) -> pd.DataFrame:
    """Means over videos with percentile bootstrap intervals (Efron and Tibshirani, 1993).

    A mean is that of the videos' values, each video once however long it is. At the level
    ``window``, a video's value is the mean over its windows that have one.

    The share of the ceiling is (model - chance) / (human ceiling - chance): 0 is chance, 1 is as
    well as the other observers predict one of them. All three are means over the videos that have
    all three, and are drawn anew together. Only rows with the reference ``each observer`` have a
    share, since the ceiling has no other. It is NaN where the interval of the difference between
    ceiling and chance is not wholly on the better side of 0: what cannot be told from 0 is nothing
    to divide by.

    Args:
        results: Tidy, with the columns ``video, model, reference, level, frame, metric,
            convention, value``; NaN is undefined. Rows of single frames are not used.
        seed, resamples, confidence: Of :class:`mmsal.comparison.resampling.Bootstrap`.
        over: What is drawn anew. With ``('video', 'observer')``, rows of the reference ``each
            observer`` are computed from those of single observers (``observer P01``): mean over
            videos of the mean over observers, both drawn anew, so that the interval speaks of
            other videos and other observers. What has no rows of single observers keeps its mean
            and has neither interval nor share. Rows of all observers pooled draw videos only.

    Returns:
        One row per reference (all and each observer), level (video, static, window), metric,
        convention and model: ``mean`` over the videos that have a value, ``low`` and ``high`` (NaN
        with fewer than two videos, or observers, and where a value is infinite), ``videos`` that
        have a value, ``undefined`` those whose value is NaN (the rest of ``attrs['videos']`` has
        no row), ``share_of_ceiling``, ``share_low``, ``share_high``. Seed, resamples, confidence,
        over and the number of videos stand in ``attrs``.

    Raises:
        ValueError: Columns that lack, an unknown level, two values of the same thing, a setting
            out of range, or no single observers to draw at all.
    """
    over = (over,) if isinstance(over, str) else tuple(over)
    if over not in (VIDEOS, CROSSED):
        raise ValueError(f'expected over to be {VIDEOS} or {CROSSED}, got {over}')
    bootstrap = Bootstrap(seed, resamples, confidence)
    cubes = _cubes(results) if over == CROSSED else {}
    rows = []
    for measure, group in video_values(results).groupby(level=MEASURE, observed=True):
        table = group.unstack('model')
        models, undefined = list(table), group.isna().groupby('model', observed=True).sum()
        values = table.to_numpy()
        means = _describe(values, bootstrap)
        if over == CROSSED and measure[0] == EACH_OBSERVER:
            values = _of_observers(cubes, measure, models)
            means = [
                crossed if crossed[-1] else (mean, np.nan, np.nan, videos)
                for crossed, (mean, *_, videos) in zip(
                    _describe(values, bootstrap), means, strict=True
                )
            ]
        shares = np.full((len(models), 3), np.nan)
        if measure[0] == EACH_OBSERVER and {CHANCE, CEILING} <= set(models):
            shares = _shares(values, models, measure[2] in LOWER_IS_BETTER, bootstrap)
        rows += [
            (model, *measure, *mean, undefined[model], *share)
            for model, mean, share in zip(models, means, shares, strict=True)
        ]
    summary = pd.DataFrame(rows, columns=list(SUMMARY_COLUMNS))
    summary.attrs = {
        'seed': seed,
        'resamples': resamples,
        'confidence': confidence,
        'over': list(over),
        'videos': int(results['video'].nunique()),
    }
    return summary


def _cubes(results: pd.DataFrame) -> dict[tuple, tuple[list[str], np.ndarray]]:
    """By level, metric and convention: models, and values [videos, observers, models]."""
    cubes = {}
    for key, group in observer_values(results).groupby(level=MEASURE[1:], observed=True):
        table = group.droplevel(MEASURE[1:]).unstack('model')
        models = list(table)
        table = table.unstack('reference')  # a column per model and observer
        cubes[key] = models, table.to_numpy().reshape(len(table), len(models), -1).swapaxes(1, 2)
    return cubes


def _of_observers(cubes: dict, measure: tuple, models: list[str]) -> np.ndarray:
    """Values [videos, observers, models] of one measure, NaN for models without any."""
    known, cube = cubes.get(measure[1:], ([], np.zeros((1, 1, 0))))
    nothing = np.full((*cube.shape[:2], 1), np.nan)
    places = [known.index(model) if model in known else -1 for model in models]
    return np.concatenate([cube, nothing], axis=2)[..., places]


def _describe(values: np.ndarray, bootstrap: Bootstrap) -> list[tuple[float, float, float, int]]:
    """Mean, low, high and number of videos of every column of [V, K] or [V, O, K]."""
    described: list = [None] * values.shape[-1]
    for known, columns in columns_by_gaps(values):
        means, drawn = _means(values[..., columns], known, bootstrap)
        low, high = bootstrap.interval(drawn)
        videos = int(known.reshape(len(known), -1).any(axis=1).sum())
        for place, column in enumerate(columns):
            described[column] = (means[place], low[place], high[place], videos)
    return described


def _means(
    values: np.ndarray, known: np.ndarray, bootstrap: Bootstrap
) -> tuple[np.ndarray, np.ndarray]:
    """Means [K] over known places, and the same drawn anew [resamples, K]."""
    if not known.any():
        nothing = np.full((bootstrap.resamples, values.shape[-1]), np.nan)
        return nothing[0], nothing
    if values.ndim == 2:
        return values[known].mean(axis=0), bootstrap.means(values[known])
    videos = known.any(axis=1)
    sums = np.where(known[..., None], values, 0).sum(axis=1)[videos]
    means = (sums / known.sum(axis=1)[videos, None]).mean(axis=0)
    return means, bootstrap.crossed_means(values, known)


def _shares(
    values: np.ndarray, models: list[str], lower_is_better: bool, bootstrap: Bootstrap
) -> np.ndarray:
    """Share of the ceiling [K, 3] with its interval, NaN where there is none."""
    ends = [models.index(CHANCE), models.index(CEILING)]
    no_ends = np.isnan(values[..., ends]).any(axis=-1, keepdims=True)
    shares = np.full((len(models), 3), np.nan)
    for known, columns in columns_by_gaps(np.where(no_ends, np.nan, values)):
        together = values[..., [*columns, *ends]]
        means, drawn = _means(together, known, bootstrap)
        if lower_is_better:
            means, drawn = -means, -drawn
        chance, room = means[-2], means[-1] - means[-2]
        drawn_chance, drawn_room = drawn[:, -2:-1], drawn[:, -1:] - drawn[:, -2:-1]
        least = bootstrap.interval(drawn_room)[0][0]
        if not (room > 0 and least > 0):  # also where either is NaN
            continue
        shares[columns, 0] = (means[:-2] - chance) / room
        with np.errstate(divide='ignore', invalid='ignore'):  # a draw where they are the same
            shares[columns, 1:] = np.transpose(
                bootstrap.interval((drawn[:, :-2] - drawn_chance) / drawn_room)
            )
    return shares
