"""One value per frame over the time of a video, a panel per range of frames."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmsal.heatmaps.atomic import atomic_files

COLOUR = 'tab:blue'
COLUMNS = 4  # panels side by side
FRAME_LABEL = 'frame of the video, from 0'
FRAME_GAP = 0.5  # inches between two frame numbers


@dataclass(frozen=True)
class TimeLine:
    """The values of one range of frames.

    Attributes:
        label: Above its panel.
        frames: int [n], frames of the source video, zero-based, rising.
        values: float [n]; NaN leaves a gap.
        times: float [n], seconds from the video's first frame, or None where they are unknown.
        chosen: bool [n], frames that get a full dot, the others a hollow one; None: all full.
    """

    label: str
    frames: np.ndarray
    values: np.ndarray
    times: np.ndarray | None = None
    chosen: np.ndarray | None = None


def write_time_plot(
    lines: Sequence[TimeLine],
    path: str | Path,
    title: str = '',
    y_label: str = '',
    level: tuple[str, float] | None = None,
    chosen: str = '',
) -> None:
    """Draw a PNG, a panel per line: seconds below and frame numbers above, or these alone.

    The ranges of a video may lie far apart, so each panel has a time axis of its own; their values
    have one scale, which begins at 0.

    Args:
        lines (Sequence[TimeLine]): At least one. The axes are of seconds if all have times.
        path (str | Path): The picture; it appears under its name only when it is complete.
        title (str): Line above all.
        y_label (str): What the values are.
        level (tuple, optional): Name and value of a dotted line to hold the values against.
        chosen (str): What full dots mean, where a line tells which are.

    Raises:
        ValueError: There are no lines, or arrays of one that differ in length.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not lines:
        raise ValueError('there is nothing to draw over time')
    for line in lines:
        _check(line)
    in_seconds = all(line.times is not None for line in lines)
    columns = min(COLUMNS, len(lines))
    rows = -(-len(lines) // columns)
    width = 8 if columns == 1 else 2.8 * columns
    figure = Figure(figsize=(width, 2.6 * rows + 0.8), layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for axis in axes[len(lines) :]:
        axis.axis('off')
    for axis, line in zip(axes, lines, strict=False):
        axis.set_title(line.label, fontsize=9)
        _draw_line(axis, line, line.times if in_seconds else line.frames, chosen)
        if level is not None:
            axis.axhline(level[1], color='grey', linewidth=0.9, linestyle=':', label=level[0])
        axis.set_ylabel(y_label, fontsize=9)
        axis.label_outer()
        axis.grid(alpha=0.3)
        axis.tick_params(labelsize=8, labelbottom=True)
        axis.set_xlabel('seconds' if in_seconds else FRAME_LABEL, fontsize=9)
        if in_seconds:
            _number_frames(axis, line, FRAME_GAP * columns / width)
    axes[0].set_ylim(bottom=0)
    named = dict(zip(*axes[0].get_legend_handles_labels()[::-1], strict=True))
    if named:  # below the axes: within them it would hide dots
        figure.legend(named.values(), named, loc='outside lower center', fontsize=8, ncols=3)
    if title:
        figure.suptitle(title, fontsize=10)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_files(path) as (temporary,):
        figure.savefig(temporary, dpi=150, format='png')


def _check(line: TimeLine) -> None:
    count = len(line.frames)
    for name in ('values', 'times', 'chosen'):
        array = getattr(line, name)
        if array is not None and len(array) != count:
            raise ValueError(f'expected {name} of {count} frames, got {len(array)}')


def _draw_line(axis, line: TimeLine, places: np.ndarray, chosen: str) -> None:
    axis.plot(places, line.values, color=COLOUR, linewidth=1.2)
    full = np.ones(len(places), bool) if line.chosen is None else np.asarray(line.chosen, bool)
    for some, face in ((full, COLOUR), (~full, 'white')):
        label = chosen if chosen and line.chosen is not None and face == COLOUR else None
        axis.plot(
            places[some], line.values[some], 'o', markersize=4, markeredgecolor=COLOUR,
            markerfacecolor=face, label=label,
        )  # fmt: skip


def _number_frames(axis, line: TimeLine, least: float) -> None:
    """Above an axis of seconds the numbers of the first, the last and what frames have room.

    Args:
        axis: Of the panel.
        line (TimeLine): With times.
        least (float): Between two numbers, as a share of the panel.
    """
    least *= line.times[-1] - line.times[0]
    ticks: dict[float, int] = {}
    for place in (0, -1, *range(len(line.frames))):
        time = line.times[place]
        if all(abs(time - other) > least for other in ticks):
            ticks[time] = line.frames[place]
    above = axis.secondary_xaxis('top')
    above.set_xticks([*ticks], [str(frame) for frame in ticks.values()])
    above.set_xlabel(FRAME_LABEL, fontsize=8)
    above.tick_params(labelsize=8)
