"""From the network's input pixels to the source video's pixels.

A pixel's coordinate is that of its centre: the first pixel is 0, x runs right and y down. Every
spatial transform of a test pipeline (resize, crop, flip) maps each axis linearly, so a view is
described by ``source = scale * input + offset`` along each axis. The two numbers are read off a
coordinate ramp that went through the same transforms as the frames, whatever these were.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# A ramp may leave the straight line by this share of a source pixel before we refuse it.
TOLERANCE = 0.05


class GeometryError(ValueError):
    """The way from input to source pixels is no resize, crop or flip."""


@dataclass(frozen=True)
class Axis:
    """One axis of a view: ``source = scale * input + offset``, in pixel centres.

    Attributes:
        size: Pixels of the view along this axis.
        scale: Source pixels per input pixel; negative where the view is flipped.
        offset: Source coordinate of the view's first pixel centre.
    """

    size: int
    scale: float
    offset: float


@dataclass(frozen=True)
class View:
    """Where a view (one crop of one clip) lies in the source picture."""

    x: Axis
    y: Axis


def coordinate_ramp(width: int, height: int) -> np.ndarray:
    """An image that holds its own coordinates.

    Returns:
        np.ndarray: float32 [H, W, 3]; channel 0 is x, channel 1 is y, channel 2 is 0.
    """
    ramp = np.zeros((height, width, 3), np.float32)
    ramp[..., 0] = np.arange(width, dtype=np.float32)
    ramp[..., 1] = np.arange(height, dtype=np.float32)[:, None]
    return ramp


def view_of_ramp(ramp: np.ndarray) -> View:
    """Read a view's geometry off a transformed :func:`coordinate_ramp`.

    Args:
        ramp (np.ndarray): [h, w, >=2], the ramp after the view's transforms.

    Raises:
        GeometryError: The transforms did more than resize, crop and flip.
    """
    if ramp.ndim != 3 or ramp.shape[2] < 2 or min(ramp.shape[:2]) < 4:
        raise GeometryError(f'expected a view [h, w, 3] of at least 4x4 pixels, got {ramp.shape}')
    x, y = ramp[..., 0].astype(np.float64), ramp[..., 1].astype(np.float64)
    bent = max(np.ptp(x, axis=0).max(), np.ptp(y, axis=1).max())
    if bent > TOLERANCE:
        raise GeometryError('the pipeline turns or bends the picture; use the input space instead')
    return View(_fit(x.mean(axis=0)), _fit(y.mean(axis=1)))


def _fit(values: np.ndarray) -> Axis:
    # Interpolation repeats the border pixel, so the line is fitted to the middle half.
    size = len(values)
    middle = np.arange(size // 4, size - size // 4)
    scale, offset = np.polyfit(middle, values[middle], 1)
    error = np.abs(scale * middle + offset - values[middle]).max()
    if scale == 0 or error > TOLERANCE:
        raise GeometryError(
            'the pipeline does not map pixels linearly; use the input space instead'
        )
    return Axis(size, float(scale), float(offset))


def carry_along(
    maps: np.ndarray, dim: int, axis: Axis, source_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Carry maps from input to source pixels along one dimension, by linear interpolation.

    Element by element, because a matrix product rounds by the number of threads and by the
    processor, and files would differ in their last digit.

    Args:
        maps (np.ndarray): float32, ``axis.size`` long in dimension ``dim``.
        dim (int): Which dimension.
        axis (Axis): The view's axis.
        source_size (int): Pixels of the source video along it.

    Returns:
        tuple: float32, ``source_size`` long in dimension ``dim``, 0 at a pixel outside the view;
        and bool [source_size], whether the view covers the pixel.
    """
    position = (np.arange(source_size) - axis.offset) / axis.scale
    # A pixel is seen if its centre lies in the area of the view, half a pixel beyond its centres.
    seen = (position > -0.5 - 1e-6) & (position < axis.size - 0.5 + 1e-6)
    position = np.clip(position, 0, axis.size - 1)
    left = np.minimum(position.astype(np.int64), axis.size - 2)
    along = tuple(-1 if i == dim % maps.ndim else 1 for i in range(maps.ndim))
    weight = (position - left).astype(np.float32).reshape(along)
    carried = maps.take(left, dim) * (1 - weight) + maps.take(left + 1, dim) * weight
    return np.where(seen.reshape(along), carried, np.float32(0)), seen


def to_source(
    maps: np.ndarray, views: Sequence[View], source_size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Carry the maps of several crops of the same frames back to the source and average them.

    Args:
        maps (np.ndarray): [V, T, h, w], one map per view and frame.
        views (Sequence[View]): V views.
        source_size (tuple[int, int]): (width, height) of the source video.

    Returns:
        tuple: float32 [T, H, W], the mean over the views that cover a pixel, 0 where none does;
        and bool [H, W], whether any view does.
    """
    width, height = source_size
    total = np.zeros((maps.shape[1], height, width), np.float32)
    count = np.zeros((height, width), np.float32)
    for view_maps, view in zip(maps, views, strict=True):
        carried, seen_x = carry_along(view_maps.astype(np.float32), -1, view.x, width)
        carried, seen_y = carry_along(carried, -2, view.y, height)
        total += carried
        count += np.outer(seen_y, seen_x)
    seen = count > 0
    return total / np.maximum(count, 1), seen
