"""One metric: means of models with their intervals, above the yardsticks they are held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap

import numpy as np

from mmsal.heatmaps.atomic import atomic_files

# Dark enough on white (contrast 4.5 and more) and told apart by colour-blind people too; the labels
# beside the rows say what is what in any case.
COLOURS = ('#0072B2', '#B34700', '#00735A', '#9C3D77', '#7A5C00', '#4B4F9E')
MARKERS = ('o', 's', 'D', '^', 'v', 'P')
GREY = '#555555'
RULE = '#BBBBBB'
WIDTH = 3.5  # inches: one column of a paper
# One font, no bold, no italics, no signs from elsewhere: each font costs a PDF 0.2 s and 15 KB.
PARAMETERS = {
    'svg.fonttype': 'path',  # looks the same wherever it is opened
    'svg.hashsalt': 'mmsal',  # the same numbers give the same file
    'pdf.fonttype': 42,  # journals refuse Type 3
    'font.family': 'DejaVu Sans',
}


@dataclass(frozen=True)
class Estimate:
    """A labelled mean and its interval; NaN where there is none.

    Attributes:
        label: Name of the row.
        mean: Its mean.
        low: Lower end of the interval.
        high: Upper end.
        line: Style of matplotlib of the line that is drawn through all rows at the mean, or ''.
    """

    label: str
    mean: float
    low: float
    high: float
    line: str = ''


def write_metric_plot(
    models: Sequence[Estimate],
    yardsticks: Sequence[Estimate],
    stem: str | Path,
    title: str,
    lower_is_better: bool = False,
    note: str = '',
) -> None:
    """Draw ``STEM.svg`` and ``STEM.pdf``.

    Models are filled and coloured, each with its own marker; yardsticks are hollow and grey,
    below a rule. Lines run from the yardsticks that have one through all rows.

    Args:
        models: From top to bottom.
        yardsticks: Below them.
        stem: Path of the two files without suffix; they appear when both are complete.
        title: Of the metric.
        lower_is_better: Said below the axis.
        note: Small line at the bottom, for instance that the data is SYNTHETIC.

    Raises:
        ValueError: There are no rows.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not models and not yardsticks:
        raise ValueError('there is nothing to plot')
    rows = [*models, *yardsticks]
    labels = [label_lines(row.label) for row in rows]
    lines = sum(label.count('\n') + 1 for label in labels)
    with mpl.rc_context(PARAMETERS):
        figure = Figure(figsize=(WIDTH, 0.75 + 0.2 * lines), layout='constrained')
        FigureCanvasAgg(figure)
        axis = figure.subplots()
        _draw_rows(axis, models, yardsticks)
        _dress(axis, labels, len(models), title, lower_is_better)
        if note:
            figure.text(0.01, 0.01, note, fontsize=6.5, va='bottom', color=GREY)
        _save(figure, Path(stem))


def label_lines(label: str, width: int = 24) -> str:
    """A name as a label: in at most two lines, without what cannot be printed."""
    clean = ''.join(sign if sign.isprintable() else ' ' for sign in label)
    lines = wrap(clean, width, max_lines=2, placeholder=' …', break_on_hyphens=False)
    return '\n'.join(lines) or '(no name)'


def _draw_rows(axis, models: Sequence[Estimate], yardsticks: Sequence[Estimate]) -> None:
    for place, row in enumerate(models):
        look = {
            'fmt': MARKERS[place % len(MARKERS)],
            'color': COLOURS[place % len(COLOURS)],
            'ms': 5.5,
            'lw': 1.6,
        }
        _draw_row(axis, place, row, look)
    for place, row in enumerate(yardsticks, start=len(models)):
        _draw_row(axis, place, row, {'fmt': 'o', 'color': GREY, 'mfc': 'white', 'ms': 4, 'lw': 1})
        if row.line and np.isfinite(row.mean):
            axis.axvline(row.mean, color=GREY, lw=0.9, ls=row.line, zorder=0)
    if models and yardsticks:
        axis.axhline(len(models) - 0.5, color=RULE, lw=0.8, zorder=0)


def _draw_row(axis, place: int, row: Estimate, look: dict) -> None:
    if not np.isfinite(row.mean):
        across = axis.get_yaxis_transform()  # x in shares of the axis, y in data
        axis.text(0.5, place, 'undefined', transform=across, ha='center', va='center', fontsize=7)
        return
    error = None
    if np.isfinite(row.low) and np.isfinite(row.high):
        # Rounding may put a mean a hair outside an interval of no width.
        error = [[max(row.mean - row.low, 0)], [max(row.high - row.mean, 0)]]
    axis.errorbar(row.mean, place, xerr=error, capsize=2, zorder=3, **look)


def _dress(axis, labels: list[str], models: int, title: str, lower_is_better: bool) -> None:
    axis.set_yticks(range(len(labels)), labels, fontsize=8, parse_math=False)
    for text in axis.get_yticklabels()[models:]:
        text.set(color=GREY)
    axis.set_ylim(len(labels) - 0.4, -0.6)
    axis.margins(x=0.08)
    axis.locator_params(axis='x', nbins=5)
    axis.tick_params(axis='x', labelsize=8)
    axis.tick_params(axis='y', length=0)
    axis.grid(axis='x', color='#E6E6E6', lw=0.6, zorder=-1)
    axis.set_axisbelow(True)
    axis.spines[['top', 'right', 'left']].set_visible(False)
    axis.set_title(title, fontsize=10, loc='left', parse_math=False)
    direction = 'lower is better' if lower_is_better else 'higher is better'
    axis.set_xlabel(direction, fontsize=7.5, loc='right')


def _save(figure, stem: Path) -> None:
    import warnings

    with warnings.catch_warnings():
        # Names in scripts that the font does not have are drawn as boxes; tables have them whole.
        warnings.filterwarnings('ignore', message='Glyph .* missing from')
        figure.draw_without_rendering()
        figure.set_layout_engine('none')  # solved once for both files
        targets = tuple(stem.with_name(f'{stem.name}.{kind}') for kind in ('svg', 'pdf'))
        with atomic_files(*targets) as (vector, paper):
            figure.savefig(vector, format='svg', metadata={'Date': None})
            figure.savefig(paper, format='pdf', metadata={'CreationDate': None})
