"""A picture per metric and setting of the switch, for the page and for papers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mmsal.comparison.report.axes import Axes
from mmsal.comparison.report.files import slugs
from mmsal.comparison.report.metric_notes import METRIC_NOTES
from mmsal.comparison.yardsticks import CEILING, CENTRE_BIAS, CHANCE, LOWER_IS_BETTER
from mmsal.visualization.metric_plot import Estimate, write_metric_plot

LINES = {CHANCE: ':', CENTRE_BIAS: '--', CEILING: '-'}
SHORT = {'tuebingen': 'Tübingen', 'mit': 'MIT'}


@dataclass(frozen=True)
class MetricFigure:
    """One picture: its files' name without suffix, what it is of, and its numbers in words."""

    stem: str
    level: str
    reference: str
    convention: str
    metric: str
    title: str
    caption: str
    words: str


def write_figures(
    summary: pd.DataFrame, axes: Axes, folder: Path, synthetic: bool
) -> Iterator[MetricFigure]:
    """Draw all pictures into a folder, as SVG and PDF.

    Args:
        summary: Of the report.
        axes: Of the report.
        folder: It exists.
        synthetic: Say so in every picture.

    Yields:
        Each of them, in the order of the switch and of the metrics.
    """
    order = ['level', 'reference', 'convention', 'metric']
    parts = dict(iter(summary.groupby(order, sort=False, observed=True)))
    keys = [
        (level, reference, convention, metric)
        for level in axes.levels
        for reference in axes.references
        for convention in axes.conventions
        for metric in axes.metrics
        if (level, reference, convention, metric) in parts
    ]
    stems = slugs(' '.join(key) for key in keys)
    for key in keys:
        level, reference, convention, metric = key
        rows = parts[key].drop_duplicates('model').set_index('model')
        estimates = [_estimate(model, rows) for model in axes.models if model in rows.index]
        own = [estimate for estimate in estimates if estimate.label in axes.own]
        yardsticks = [estimate for estimate in estimates if estimate.label in axes.yardsticks]
        title = f'{metric} ({SHORT.get(convention, convention)})'
        stem = stems[' '.join(key)]
        write_metric_plot(
            own, yardsticks, folder / stem, title, metric in LOWER_IS_BETTER,
            'SYNTHETIC data' if synthetic else '',
        )  # fmt: skip
        yield MetricFigure(
            stem, level, reference, convention, metric, title,
            METRIC_NOTES[metric].title if metric in METRIC_NOTES else '',
            '; '.join(map(_in_words, estimates)),
        )  # fmt: skip


def _estimate(model: str, rows: pd.DataFrame) -> Estimate:
    mean, low, high = (float(rows.loc[model, name]) for name in ('mean', 'low', 'high'))
    return Estimate(model, mean, low, high, LINES.get(model, ''))


def _in_words(row: Estimate) -> str:
    if row.mean != row.mean:
        return f'{row.label} undefined'
    interval = '' if row.low != row.low else f' [{row.low:.3g}, {row.high:.3g}]'
    return f'{row.label} {row.mean:.3g}{interval}'
