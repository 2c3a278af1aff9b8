"""The pictures of a video's page, as sheets that its script draws from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mmsal.comparison.report.axes import Axes
from mmsal.comparison.report.files import rounded
from mmsal.comparison.report.video_page import VideoPage
from mmsal.visualization.sprite import SpriteSheets, colour_map, shrink, write_sprites


def write_pictures(page: VideoPage, folder: Path, axes: Axes, tile_size: int) -> list[dict]:
    """Draw source, density and maps of a page to sheets.

    Args:
        page: Its frames are all drawn.
        folder: It is made; its name is that of the page.
        axes: Of the report.
        tile_size: Longest side of a picture in pixels.

    Returns:
        For the script, per picture: name, kind ('source', 'gaze' or 'map'), place of the model or
        -1, and where the frames are.
    """
    folder.mkdir(parents=True)
    panels = []

    def add(name: str, kind: str, model: int, pictures: Iterator[np.ndarray]) -> None:
        sheets = write_sprites(pictures, folder, f'{kind}-{len(panels)}')
        panels.append(
            {'name': name, 'kind': kind, 'model': model, **_describe(sheets, folder.name)}
        )

    if page.source is not None:
        small = (shrink(picture, page.size, tile_size) for picture in page.source)
        add('Source', 'source', -1, small)
    add('People', 'gaze', -1, _coloured(page.density, page.size, tile_size))
    for name, values in page.maps.items():
        place = axes.models.index(name) if name in axes.models else -1
        add(name, 'map', place, _coloured(values, page.size, tile_size))
    return panels


def describe_frames(page: VideoPage, total: int) -> dict:
    """Frames, times and fixations for the script; ``total`` frames were compared."""
    return {
        'size': list(page.size),
        'frames': np.asarray(page.frame_indices).tolist(),
        'times': rounded(page.times_s, 7),
        'total': total,
        'fixations': [rounded(np.ravel(points), 5) for points in page.fixations],
    }


def _coloured(values: np.ndarray, size: tuple[int, int], most: int) -> Iterator[np.ndarray]:
    for frame in values:
        yield colour_map(shrink(np.asarray(frame, dtype=np.float32), size, most))


def _describe(sheets: SpriteSheets, folder: str) -> dict:
    return {
        'files': [f'{folder}/{name}' for name in sheets.files],
        'tile': list(sheets.tile),
        'pitch': list(sheets.pitch),
        'columns': sheets.columns,
        'perSheet': sheets.per_sheet,
    }
