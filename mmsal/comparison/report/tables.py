"""The tables of the overview as compact rows: numbers in place of names, few digits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd

from mmsal.comparison.report.axes import Axes
from mmsal.comparison.report.files import rounded
from mmsal.comparison.yardsticks import ALL_OBSERVERS

SUMMARY_NUMBERS = (
    'mean', 'low', 'high', 'videos', 'undefined', 'share_of_ceiling', 'share_low', 'share_high',
)  # fmt: skip
PAIR_NUMBERS = (
    'difference', 'low', 'high', 'p', 'p_corrected', 'effect_size', 'probability', 'videos',
)  # fmt: skip


def summary_rows(summary: pd.DataFrame, axes: Axes) -> list[list[float]]:
    """Rows of places of model, reference, level, metric and convention, then the numbers."""
    return _compact(summary, axes, ('model',), SUMMARY_NUMBERS)


def pair_rows(pairs: pd.DataFrame, axes: Axes) -> list[list[float]]:
    """Rows of places of model, other, reference, level, metric and convention, then the numbers."""
    return _compact(pairs, axes, ('model', 'other'), PAIR_NUMBERS)


def _compact(
    table: pd.DataFrame, axes: Axes, models: Sequence[str], numbers: Sequence[str]
) -> list[list[float]]:
    orders = {
        **dict.fromkeys(models, axes.models),
        'reference': axes.references,
        'level': axes.levels,
        'metric': axes.metrics,
        'convention': axes.conventions,
    }
    places = [places_of(table[column], order) for column, order in orders.items()]
    known = np.all([column >= 0 for column in places], axis=0)
    columns = [column[known].tolist() for column in places]
    columns += [rounded(table[name].to_numpy(float)[known], 5) for name in numbers]
    return [list(row) for row in zip(*columns, strict=True)]


def places_of(column: pd.Series, order: Sequence[str]) -> np.ndarray:
    """int64 [N]: where each entry is in ``order``, -1 where it is not."""
    return pd.Index(order, dtype=object).get_indexer(column.astype(object))


def video_scores(
    results: pd.DataFrame, axes: Axes, videos: Sequence[str]
) -> Iterator[tuple[tuple[int, int, int], list]]:
    """Scores of the videos, for one setting of the switch after the other.

    Windows of a video are averaged; those without a value are left out of that mean, and a video
    without any has NaN.

    Args:
        results: The rows of the levels of the switch; frames may be among them and are left out.
        axes: Of the report.
        videos: Names, in the order of the numbers.

    Yields:
        ((place of the level, of the reference, of the convention), [[place of the metric,
        [by model, a list of one number per video]], ...]).
    """
    coded = pd.DataFrame(
        {
            name: places_of(results[name], order)
            for name, order in (
                ('video', videos), ('model', axes.models), ('reference', axes.references),
                ('level', axes.levels), ('metric', axes.metrics),
                ('convention', axes.conventions),
            )
        }
    ).assign(value=results['value'].to_numpy(float))  # fmt: skip
    coded = coded[(coded >= 0).drop(columns='value').all(axis=1)]
    keys = ['level', 'reference', 'convention', 'metric', 'model', 'video']
    means = coded.groupby(keys)['value'].mean()
    for switch, part in means.groupby(level=keys[:3]):
        metrics = []
        for metric, scores in part.groupby(level='metric'):
            square = np.full((len(axes.models), len(videos)), np.nan)
            places = [scores.index.get_level_values(name) for name in ('model', 'video')]
            square[tuple(places)] = scores.to_numpy()
            metrics.append([int(metric), [rounded(line) for line in square]])
        yield tuple(map(int, switch)), metrics


def videos_of(results: pd.DataFrame) -> list[str]:
    """Names of the videos in the order of their first rows."""
    return list(results['video'].unique())


def fixation_counts(results: pd.DataFrame, videos: Iterable[str]) -> list[float]:
    """Fixations of each video that its static map was held against; NaN where there is none."""
    rows = results[(results['level'] == 'static') & (results['reference'] == ALL_OBSERVERS)]
    counts = rows.groupby('video', observed=True)['n_fixations'].max()
    return counts.reindex(list(videos)).to_numpy(float).tolist()
