"""Frames over the same frames under their maps."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmsal.heatmaps.atomic import atomic_files

CELL, LINE = 1.6, 0.16  # inches: width of a picture, height of a line of text


@dataclass(frozen=True)
class Strip:
    """Some frames of one range.

    Attributes:
        name: Below the pictures.
        frames: uint8 [N, H, W, 3], RGB.
        maps: uint8 [N, H, W, 3], the same frames under their maps.
        above: Text above each frame.
        below: Text below each map.
    """

    name: str
    frames: np.ndarray
    maps: np.ndarray
    above: Sequence[str]
    below: Sequence[str]


def write_strips(strips: Sequence[Strip], path: str | Path, title: str = '') -> None:
    """Draw a PNG, a strip per range.

    Args:
        strips (Sequence[Strip]): At least one, their pictures of one size.
        path (str | Path): The picture; it appears under its name only when it is complete.
        title (str): Line above all.

    Raises:
        ValueError: There are no strips, or frames without a map each.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not strips:
        raise ValueError('there are no frames to draw')
    for strip in strips:
        if strip.frames.shape != strip.maps.shape:
            raise ValueError(
                f'expected a map of every frame, got {strip.frames.shape}, {strip.maps.shape}'
            )
    columns = max(len(strip.frames) for strip in strips)
    height, width = strips[0].frames.shape[1:3]
    high = CELL * height / width
    each = 2 * high + 4 * LINE  # two pictures, and text above, below and between strips
    size = (CELL * columns, each * len(strips) + 2 * LINE)
    figure = Figure(figsize=size)
    FigureCanvasAgg(figure)
    for number, strip in enumerate(strips):
        top = size[1] - 2 * LINE - number * each
        for column, pair in enumerate(zip(strip.frames, strip.maps, strict=True)):
            left = (column + 0.01) * CELL
            texts = (strip.above[column], 'bottom', 1.02), (strip.below[column], 'top', -0.02)
            for row, (picture, (text, anchor, place)) in enumerate(zip(pair, texts, strict=True)):
                box = (left, top - LINE - (row + 1) * high, 0.98 * CELL, 0.98 * high)
                axis = figure.add_axes([at / size[i % 2] for i, at in enumerate(box)])
                axis.imshow(picture, aspect='auto')
                axis.axis('off')
                axis.text(
                    0.5, place, text, transform=axis.transAxes, fontsize=7, ha='center', va=anchor
                )
        figure.text(
            0.002, (top - 3 * LINE - 2 * high) / size[1], strip.name, fontsize=8, va='bottom'
        )
    figure.suptitle(title, fontsize=9, y=1 - 0.3 * LINE / size[1], va='top')
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_files(path) as (temporary,):
        figure.savefig(temporary, dpi=150, format='png')
