"""The scores to read first, a line per model and yardstick."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mmsal.comparison.yardsticks import ALL_OBSERVERS, EACH_OBSERVER, YARDSTICKS

TUEBINGEN = 'tuebingen'
SHOWN, LEVEL = ('NSS', 'AUC', 'CC'), 'video'
SHARE_OF = 'NSS'


def headlines(summary: pd.DataFrame, yardsticks: bool = True) -> list[str]:
    """Means over videos with their intervals, models first, then yardsticks.

    Args:
        summary: Of :func:`mmsal.comparison.gaze.summary.summarize`.
        yardsticks: Whether these have lines, too.

    Returns:
        What the lines are; then lines such as ``gradcam: NSS 0.51 [0.35, 0.67], AUC 0.65 [0.60,
        0.71]; 35% of the way from chance to the human ceiling (NSS)``. Of NSS, AUC and CC, or of
        what else was measured; each metric in one convention and with one reference for all:
        Tübingen's, and each observer alone, where there is that.
    """
    rows = summary[summary['level'] == LEVEL]
    shown = [name for name in SHOWN if (rows['metric'] == name).any()]
    columns = [
        _column(rows[rows['metric'] == metric], metric)
        for metric in shown or dict.fromkeys(rows['metric'])
    ]
    models = dict.fromkeys(rows['model'])
    ordered = [name for name in models if name not in YARDSTICKS]
    if yardsticks:
        ordered += [name for name in YARDSTICKS if name in models]
    what = ', '.join(f'{metric} ({way}, {whose})' for metric, way, whose, _ in columns)
    lines = [line for model in ordered if (line := _line(columns, model))]
    return [f'means over videos [interval]: {what}', *lines] if lines else []


def _column(rows: pd.DataFrame, metric: str) -> tuple[str, str, str, pd.DataFrame]:
    """One metric in one convention and with one reference; its rows by model."""
    ways, references = set(rows['convention']), set(rows['reference'])
    way = TUEBINGEN if TUEBINGEN in ways else sorted(ways)[0]
    rows = rows[rows['convention'] == way]
    alone = rows[(rows['reference'] == EACH_OBSERVER) & rows['mean'].notna()]
    whose = EACH_OBSERVER if len(alone) and EACH_OBSERVER in references else ALL_OBSERVERS
    return metric, way, whose, rows[rows['reference'] == whose].set_index('model')


def _line(columns: list[tuple[str, str, str, pd.DataFrame]], model: str) -> str:
    cells, part = [], ''
    for metric, _, _, rows in columns:
        if model not in rows.index or not np.isfinite(rows['mean'][model]):
            continue
        cells.append(f'{metric} {_interval(rows.loc[model])}')
        share = rows['share_of_ceiling'][model]
        if metric == SHARE_OF and np.isfinite(share) and model not in YARDSTICKS:
            part = f'; {share:.0%} of the way from chance to the human ceiling ({SHARE_OF})'
    return f'{model}: {", ".join(cells)}{part}' if cells else ''


def _interval(row: pd.Series) -> str:
    low, high = row['low'], row['high']
    return f'{row["mean"]:.2f}' + (f' [{low:.2f}, {high:.2f}]' if np.isfinite(low) else '')
