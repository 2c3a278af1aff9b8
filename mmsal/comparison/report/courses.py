"""Scores of one video over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mmsal.comparison.report.axes import Axes
from mmsal.comparison.report.files import rounded
from mmsal.comparison.report.tables import places_of

TIME_LEVELS = ('frame', 'window')


class TimedRows:
    """The rows with a frame number, ready to be taken out video by video."""

    def __init__(self, results: pd.DataFrame, axes: Axes):
        timed = results[
            results['level'].isin(TIME_LEVELS)
            & results['reference'].isin(axes.references)
            & results['frame'].notna()
        ]
        self._table = timed
        self._rows: Mapping[str, np.ndarray] = timed.groupby('video', observed=True).indices

    def of(self, video: str) -> pd.DataFrame:
        """Rows of one video; none where it has none."""
        return self._table.iloc[self._rows.get(video, [])]


def time_courses(
    rows: pd.DataFrame, axes: Axes, frame_indices: np.ndarray, times_s: np.ndarray
) -> list[dict]:
    """Scores over time, each level with its own frames.

    Args:
        rows: Of one video, with frame numbers.
        axes: Of the report.
        frame_indices: [N], ascending frames of which the time is known.
        times_s: [N], their times; frames between them get times between theirs.

    Returns:
        Per level: its name, ``frames``, ``times`` and ``series``: ``[place of the reference, of the
        metric, name of the convention, [[place of the model, values], ...]]``, where values are in
        the order of ``frames`` and NaN where there is none.
    """
    courses = []
    for level in TIME_LEVELS:
        part = rows[rows['level'] == level]
        if part.empty:
            continue
        frames, place = np.unique(part['frame'].to_numpy(np.int64), return_inverse=True)
        times = np.interp(frames, frame_indices, times_s)
        courses.append(
            {
                'level': level,
                'frames': frames.tolist(),
                'times': rounded(times, 7),
                'series': _series(part, place, len(frames), axes),
            }
        )
    return courses


def _series(part: pd.DataFrame, place: np.ndarray, count: int, axes: Axes) -> list[list]:
    models = places_of(part['model'], axes.models)
    values = part['value'].to_numpy(float)
    groups = part.groupby(['reference', 'metric', 'convention'], observed=True).indices
    series = []
    for reference, metric, convention in _ordered(groups, axes):
        rows = groups[(reference, metric, convention)]
        lines = []
        for model in np.unique(models[rows][models[rows] >= 0]):
            chosen = rows[models[rows] == model]
            line = np.full(count, np.nan)
            line[place[chosen]] = values[chosen]
            lines.append([int(model), rounded(line)])
        where = [axes.references.index(reference), axes.metrics.index(metric)]
        series.append([*where, convention, lines])
    return series


def _ordered(groups: Mapping[tuple, np.ndarray], axes: Axes) -> Sequence[tuple[str, str, str]]:
    return [
        (reference, metric, convention)
        for reference in axes.references
        for metric in axes.metrics
        for convention in axes.conventions
        if (reference, metric, convention) in groups
    ]
