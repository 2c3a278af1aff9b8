"""Two values of every video side by side, with their means and the lines to beat."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap

import numpy as np

from mmsal.heatmaps.atomic import atomic_files

COLOURS = ('tab:blue', 'tab:orange', 'tab:green', 'tab:red', 'tab:purple', 'tab:brown')
GREY = '0.55'


@dataclass(frozen=True)
class Group:
    """One value per video, float [N], NaN where there is none; their mean and its interval."""

    values: np.ndarray
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Panel:
    """One measure.

    Attributes:
        title: Its name.
        pairs: By label, two groups over the same videos.
        lines: By label, what is to be beaten: a mean.
    """

    title: str
    pairs: dict[str, tuple[Group, Group]]
    lines: dict[str, float]


def write_paired_plot(
    panels: Sequence[Panel], sides: tuple[str, str], path: str | Path, title: str = ''
) -> None:
    """Draw the panels beside each other to a PNG.

    A dot is a video, hollow in the second group of a pair; a thin line joins a video's two. The
    diamonds are the means, with their intervals.

    Args:
        panels: At least one.
        sides: What the first and the second group of every pair are.
        path: The picture; it appears under its name only when it is complete.
        title: Line above the panels.

    Raises:
        ValueError: There are no panels.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not panels:
        raise ValueError('there is nothing to plot')
    path = Path(path)
    width = max(1.0 + 1.7 * max(len(panel.pairs) for panel in panels), 3.2)
    figure = Figure(figsize=(width * len(panels), 3.8), layout='constrained')
    FigureCanvasAgg(figure)
    for axis, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        _draw_panel(axis, panel, sides)
    if title:
        figure.suptitle(title, fontsize=10)
    with atomic_files(path) as (temporary,):
        figure.savefig(temporary, dpi=150, format='png')


def _draw_panel(axis, panel: Panel, sides: tuple[str, str]) -> None:
    below = axis.get_xaxis_transform()  # x in data, y in shares of the axis
    for number, (label, pair) in enumerate(panel.pairs.items()):
        _draw_pair(axis, 2 * number, pair, COLOURS[number % len(COLOURS)])
        name = '\n'.join(wrap(label, 24))
        axis.text(2 * number + 0.5, -0.1, name, transform=below, ha='center', va='top', fontsize=8)
    for (label, mean), style in zip(panel.lines.items(), ('--', ':', '-.'), strict=False):
        if np.isfinite(mean):
            axis.axhline(mean, color='black', lw=1, ls=style, label=f'{label} {mean:.2f}')
    count = len(panel.pairs)
    axis.set_xticks(range(2 * count), sides * count, fontsize=8)
    axis.set_xlim(-0.7, 2 * count - 0.3)
    axis.set_title(panel.title, fontsize=10)
    axis.tick_params(axis='y', labelsize=8)
    axis.spines[['top', 'right']].set_visible(False)
    if axis.get_legend_handles_labels()[0]:
        # Below the panel: within it, it would hide dots.
        axis.legend(fontsize=7, frameon=False, loc='upper center', bbox_to_anchor=(0.5, -0.2))


def _draw_pair(axis, left: int, pair: tuple[Group, Group], colour: str) -> None:
    axis.plot([left, left + 1], [group.values for group in pair], color=GREY, lw=0.5, alpha=0.5)
    for place, mean_place, group, face in zip(
        (left, left + 1), (left - 0.25, left + 1.25), pair, (colour, 'white'), strict=True
    ):
        places = np.full(len(group.values), place)
        axis.plot(places, group.values, 'o', ms=4, mec=colour, mfc=face)
        if not np.isfinite(group.mean):
            continue
        error = None
        if np.isfinite(group.low):
            error = [[group.mean - group.low], [group.high - group.mean]]
        axis.errorbar(mean_place, group.mean, error, fmt='D', ms=5, color='black', capsize=3)
