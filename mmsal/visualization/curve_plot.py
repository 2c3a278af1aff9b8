"""Curves side by side, one line per method, in as many panels as there are questions."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mmsal.heatmaps.atomic import atomic_files

STYLES = ('-', '--', ':', '-.')  # of further methods, once the ten colours are used up
REFERENCE = {'color': 'black', 'linestyle': (0, (4, 2)), 'linewidth': 1.2}

# x [n] and y [n] of each line, by its name.
Panel = Mapping[str, tuple[np.ndarray, np.ndarray]]


def write_curves(
    panels: Mapping[tuple[str, str], Panel],
    path: str | Path,
    title: str = '',
    y_label: str = '',
    reference: str | None = None,
) -> None:
    """Draw curves to a PNG.

    Args:
        panels (Mapping): By (title of the panel, label of its x axis), in reading order, two in a
            row; lines of the same name have the same look everywhere.
        path (str | Path): The picture; it appears under its name only when it is complete.
        title (str): Line above all.
        y_label (str): What the curves show; all panels have the same scale.
        reference (str, optional): Name of the lines that are drawn dashed and black.

    Raises:
        ValueError: There are no panels.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not panels:
        raise ValueError('there are no curves to draw')
    names = list(dict.fromkeys(name for panel in panels.values() for name in panel))
    looks = _looks([name for name in names if name != reference])
    rows = -(-len(panels) // 2)
    figure = Figure(figsize=(9, 3.2 * rows + 1), layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, 2, squeeze=False, sharey=True).ravel()
    for axis in axes[len(panels) :]:
        axis.axis('off')
    handles = {}
    for axis, ((heading, x_label), panel) in zip(axes, panels.items(), strict=False):
        axis.set_title(heading, fontsize=9)
        axis.set_xlabel(x_label, fontsize=8)
        axis.set_ylabel(y_label, fontsize=8)
        axis.tick_params(labelsize=8)
        axis.grid(alpha=0.3)
        for name, (x, y) in panel.items():
            handles[name] = axis.plot(x, y, **(looks.get(name) or REFERENCE))[0]
    figure.legend(
        [handles[name] for name in names], names, loc='outside lower center', fontsize=8,
        ncols=min(4, len(names)),
    )  # fmt: skip
    if title:
        figure.suptitle(title, fontsize=10)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_files(path) as (temporary,):
        figure.savefig(temporary, dpi=150, format='png')


def _looks(names: list[str]) -> dict[str, dict]:
    """Colour and dashes by place: ten colours, then the same with other dashes."""
    return {
        name: {'color': f'C{place % 10}', 'linestyle': STYLES[place // 10 % len(STYLES)]}
        for place, name in enumerate(names)
    }
