"""Many small pictures on few sheets, from which a browser draws one frame after the other.

A video element does not stop at exact frames, and does not keep in step with others; pictures do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

LARGEST_SHEET = 2048  # pixels; decoded, such a sheet has 16 MB, and browsers drop those not shown
BLOCK = 16  # pixels that one block of a JPEG spans at most; tiles that share none do not mix
UNKNOWN = 128  # grey of pixels without a value


@dataclass(frozen=True)
class SpriteSheets:
    """Where to find each picture.

    Picture n is on sheet ``n // per_sheet`` as its ``n % per_sheet``-th tile, row by row; tile t
    begins at ``(t % columns * pitch[0], t // columns * pitch[1])``.

    Attributes:
        files: Names of the sheets.
        tile: Width and height of a picture in pixels.
        pitch: From one picture to the next, to the right and down.
        columns: Pictures per row.
        per_sheet: Pictures per sheet; the last may have fewer.
    """

    files: tuple[str, ...]
    tile: tuple[int, int]
    pitch: tuple[int, int]
    columns: int
    per_sheet: int


def write_sprites(
    pictures: Iterator[np.ndarray], folder: Path, stem: str, quality: int = 88
) -> SpriteSheets:
    """Write pictures to JPEG sheets ``STEM-0.jpg``, ``STEM-1.jpg``, ...

    One sheet is in memory at a time. Colours are not subsampled.

    Args:
        pictures: uint8 [H, W, 3], RGB, all of one size, 2048 pixels or less.
        folder: It exists.
        stem: Beginning of the names.
        quality: Of JPEG, 1 to 95.

    Returns:
        Where each picture is.

    Raises:
        ValueError: There is no picture, or one is too large or of another size than the first.
    """
    pictures = iter(pictures)
    first = next(pictures, None)
    if first is None:
        raise ValueError('there are no pictures to put on a sheet')
    height, width = first.shape[:2]
    pitch = tuple(-(-length // BLOCK) * BLOCK for length in (width, height))
    columns, rows = (LARGEST_SHEET // length for length in pitch)
    if not columns or not rows:
        raise ValueError(f'expected at most {LARGEST_SHEET} pixels, got {width}x{height}')
    files = []
    batch = [first, *islice(pictures, columns * rows - 1)]
    while batch:
        path = folder / f'{stem}-{len(files)}.jpg'
        _write_sheet(batch, path, pitch, columns, quality)
        files.append(path.name)
        batch = list(islice(pictures, columns * rows))
    return SpriteSheets(tuple(files), (width, height), pitch, columns, columns * rows)


def shrink(picture: np.ndarray, size: tuple[int, int], most: int) -> np.ndarray:
    """A picture or map [H, W, ...] in the proportions of ``size``, no side above ``most`` pixels.

    It is never made larger than it is, but for one side where the proportions ask for it.
    """
    height, width = picture.shape[:2]
    scale = min(most / max(size), max(width / size[0], height / size[1]))
    target = tuple(max(1, round(scale * length)) for length in size)
    if target == (width, height):
        return picture
    return cv2.resize(picture, target, interpolation=cv2.INTER_AREA)


def colour_map(values: np.ndarray, colormap: str = 'viridis') -> np.ndarray:
    """Colour one map by its share of its own largest value.

    The scale begins at 0, or at the smallest value where that is below 0. A map that is 0
    everywhere has the lowest colour, NaN and infinities are grey.

    Args:
        values: [H, W].
        colormap: Of matplotlib.

    Returns:
        uint8 [H, W, 3], RGB.
    """
    values = np.asarray(values, dtype=np.float32)
    known = np.isfinite(values)
    low = min(0.0, float(values.min(where=known, initial=0)))
    span = float(values.max(where=known, initial=low)) - low
    share = np.where(known, values - low, 0) / (span or 1)
    colours = _table(colormap)[np.rint(share * 255).astype(np.uint8)]
    colours[~known] = UNKNOWN
    return colours


@cache
def _table(colormap: str) -> np.ndarray:
    from matplotlib import colormaps

    return np.rint(colormaps[colormap](np.arange(256))[:, :3] * 255).astype(np.uint8)


def _write_sheet(
    pictures: list[np.ndarray], path: Path, pitch: tuple[int, int], columns: int, quality: int
) -> None:
    from PIL import Image

    shape = pictures[0].shape
    rows = -(-len(pictures) // columns)
    sheet = np.zeros((rows * pitch[1], min(columns, len(pictures)) * pitch[0], 3), dtype=np.uint8)
    below, right = pitch[1] - shape[0], pitch[0] - shape[1]
    for place, picture in enumerate(pictures):
        if picture.shape != shape:
            raise ValueError(f'expected pictures of shape {shape}, got {picture.shape}')
        top, left = place // columns * pitch[1], place % columns * pitch[0]
        # The edge goes on to the end of the block: a step there would ring into the picture.
        sheet[top : top + pitch[1], left : left + pitch[0]] = np.pad(
            picture, ((0, below), (0, right), (0, 0)), mode='edge'
        )
    Image.fromarray(sheet).save(path, format='JPEG', quality=quality, subsampling=0)
