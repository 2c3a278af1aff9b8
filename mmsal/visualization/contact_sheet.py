"""One picture of many explained videos: a row per video, frames with their heatmaps."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmsal.heatmaps.atomic import atomic_files


@dataclass(frozen=True)
class Row:
    """One video of a contact sheet: caption, uint8 [N, H, W, 3] pictures and a title for each."""

    caption: str
    pictures: np.ndarray
    titles: Sequence[str]


def evenly_spaced(count: int, wanted: int) -> np.ndarray:
    """At most ``wanted`` indices out of ``count``, from the first to the last."""
    return np.unique(np.linspace(0, count - 1, min(wanted, count)).round().astype(int))


def write_contact_sheet(rows: Sequence[Row], path: str | Path, title: str = '') -> None:
    """Draw the rows to a PNG.

    Args:
        rows: At least one.
        path: The picture; it appears under its name only when it is complete.
        title: Line above the rows.

    Raises:
        ValueError: There are no rows.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not rows:
        raise ValueError('there is nothing to draw on the contact sheet')
    path = Path(path)
    columns = max(len(row.pictures) for row in rows)
    figure = Figure(figsize=(1.6 * columns + 0.3, 1.65 * len(rows) + 0.5), layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for row, line in zip(rows, axes, strict=True):
        for axis in line:
            axis.axis('off')
        for axis, picture, name in zip(line, row.pictures, row.titles, strict=False):
            axis.imshow(picture)
            axis.set_title(name, fontsize=6, pad=2)
        caption = line[0].text(
            0, -0.06, row.caption, transform=line[0].transAxes, fontsize=7, va='top', ha='left'
        )
        caption.set_in_layout(False)  # it runs under the whole row, not under the first picture
    if title:
        figure.suptitle(title, fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_files(path) as (temporary,):
        figure.savefig(temporary, dpi=150, format='png')
