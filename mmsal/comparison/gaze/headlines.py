"""The scores to read first, a line per model and yardstick."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mmsal.comparison.yardsticks import ALL_OBSERVERS, CEILING, EACH_OBSERVER, YARDSTICKS

# Metrics in the convention in which every fixation counts, so that ceiling and models compare.
SHOWN, CONVENTION, LEVEL = ('NSS', 'AUC', 'CC'), 'tuebingen', 'video'
SHARE_OF = 'NSS'


def headlines(summary: pd.DataFrame, yardsticks: bool = True) -> list[str]:
    """Means over videos with their intervals, models first, then yardsticks.

    Args:
        summary: Of :func:`mmsal.comparison.gaze.summary.summarize`.
        yardsticks: Whether these have lines, too.

    Returns:
        Lines such as ``gradcam: NSS 0.51 [0.35, 0.67], AUC 0.65 [0.60, 0.71]; 35 % of the way from
        chance to the human ceiling (NSS)``; those of the metrics that were measured.
    """
    rows = summary[(summary['level'] == LEVEL) & (summary['convention'] == CONVENTION)]
    models = dict.fromkeys(rows['model'])
    ordered = [name for name in models if name not in YARDSTICKS]
    if yardsticks:
        ordered += [name for name in YARDSTICKS if name in models]
    return [line for model in ordered if (line := _line(rows[rows['model'] == model], model))]


def _line(rows: pd.DataFrame, model: str) -> str:
    whose = EACH_OBSERVER if model == CEILING else ALL_OBSERVERS
    cells = []
    for metric in SHOWN:
        row = rows[(rows['metric'] == metric) & (rows['reference'] == whose)]
        if len(row) and np.isfinite(row['mean'].item()):
            cells.append(f'{metric} {_interval(row)}')
    if not cells:
        return ''
    share = rows[(rows['metric'] == SHARE_OF) & (rows['reference'] == EACH_OBSERVER)]
    part = ''
    known = len(share) and np.isfinite(share['share_of_ceiling'].item())
    if known and model not in YARDSTICKS:
        part = (
            f'; {share["share_of_ceiling"].item():.0%} of the way from chance to the human ceiling '
            f'({SHARE_OF})'
        )
    return f'{model}: {", ".join(cells)}{part}'


def _interval(row: pd.DataFrame) -> str:
    mean, low, high = (row[name].item() for name in ('mean', 'low', 'high'))
    return f'{mean:.2f}' + (f' [{low:.2f}, {high:.2f}]' if np.isfinite(low) else '')
