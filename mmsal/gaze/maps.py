"""Fixations as maps: which of them a frame, a window or a whole video shows, and their density."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from mmsal.gaze.table import GazeFormatError

LEAST_OVERLAP_S = 1e-3  # of a fixation and a frame that shows it
NARROWEST_SIGMA = 0.5  # pixels; below, what pixels' middles get depends on where in it a point is


def fixations_in_intervals(
    fixations: pd.DataFrame, starts: np.ndarray, ends: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Which fixations fall into which frames or windows: into every one that they overlap.

    A frame is shown from its own timestamp to that of the next frame, so videos of a varying rate
    are right, too. A fixation is in an interval if they overlap by more than a millisecond, so that
    clocks of single precision do not carry it into the next frame; one of at most two milliseconds
    is where it begins. In a window of many frames it counts once.

    Args:
        fixations: Of one video, columns ``start_s`` and ``end_s``, seconds from its first frame.
        starts: float [N], seconds, ascending.
        ends: float [N], above ``starts``, and ascending.

    Returns:
        Two int64 [M] of equal length, sorted by interval: number of the interval, and row (by
        place) of the fixation.

    Raises:
        ValueError: Intervals that are not ascending or are empty.
    """
    starts, ends = np.asarray(starts, np.float64), np.asarray(ends, np.float64)
    if starts.ndim != 1 or starts.shape != ends.shape:
        raise ValueError(f'expected starts and ends of one shape [N], got {starts.shape}')
    if (ends <= starts).any() or (np.diff(starts) < 0).any() or (np.diff(ends) < 0).any():
        raise ValueError('expected ascending intervals, each with its end after its start')
    begin = fixations['start_s'].to_numpy(np.float64)
    over = fixations['end_s'].to_numpy(np.float64)
    brief = over - begin <= 2 * LEAST_OVERLAP_S + 1e-9  # 0.502 - 0.5 is a little above 0.002
    over = np.where(brief, np.nextafter(begin, np.inf), over - LEAST_OVERLAP_S)
    begin = np.where(brief, begin, begin + LEAST_OVERLAP_S)
    first = np.searchsorted(ends, begin, side='right')
    last = np.searchsorted(starts, over, side='left')  # the first interval it does not reach
    counts = np.maximum(last - first, 0)
    rows = np.repeat(np.arange(len(begin)), counts)
    steps = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    intervals = np.repeat(first, counts) + steps
    order = np.argsort(intervals, kind='stable')
    return intervals[order], rows[order]


def frame_intervals(
    timestamps: np.ndarray, frame_indices: np.ndarray | None = None, fps: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """When frames are shown.

    Args:
        timestamps: float [T], seconds from the video's first frame to the start of each frame; of
            all the frames, or only of those in ``frame_indices``.
        frame_indices: int [T], ascending, the frames that the timestamps belong to; None: 0 to
            T - 1.
        fps: Frames per second, for frames whose successor has no timestamp. None takes the
            smallest step of the timestamps per frame.

    Returns:
        Start and end of each frame, two float64 [T] of seconds.

    Raises:
        ValueError: Timestamps that do not ascend, or a single one without a rate.
    """
    starts = np.asarray(timestamps, np.float64)
    frames = np.arange(len(starts)) if frame_indices is None else np.asarray(frame_indices)
    if starts.shape != frames.shape or (np.diff(starts) <= 0).any() or (np.diff(frames) < 1).any():
        raise ValueError('expected ascending timestamps, one per frame')
    steps = np.diff(starts) / np.diff(frames)
    if fps is None and not len(steps):
        raise ValueError('expected fps for a single frame')
    alone = 1 / fps if fps is not None else steps.min()
    lasting = np.full(len(starts), alone)
    following = np.diff(frames) == 1
    lasting[:-1][following] = steps[following]
    return starts, starts + lasting


def window_intervals(
    duration: float, length: float, step: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Windows of equal length over a video: start and end, two float64 [N] of seconds.

    The last window begins before the video ends and may reach beyond it.

    Args:
        duration: Of the video, in seconds.
        length: Of a window, in seconds.
        step: From one window's start to the next; None: they follow without overlap.

    Raises:
        ValueError: A number that is not positive.
    """
    step = length if step is None else step
    if not min(duration, length, step) > 0:
        raise ValueError(f'expected positive seconds, got {duration}, {length} and {step}')
    starts = np.arange(max(int(np.ceil(duration / step - 1e-9)), 1)) * step
    return starts, starts + length


def fixation_map(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Number of fixations per pixel.

    Args:
        points: [N, 2], x and y in pixels, origin top left; the pixel of a point is its floor.
        size: (width, height).

    Returns:
        int64 [H, W]; ``> 0`` makes it the binary map.

    Raises:
        GazeFormatError: A point is not in the picture.
    """
    width, height = size
    columns, rows = _checked(points, size).astype(np.int64).T
    return np.bincount(rows * width + columns, minlength=width * height).reshape(height, width)


def fixation_density(
    points: np.ndarray, size: tuple[int, int], sigma: float, weights: np.ndarray | None = None
) -> np.ndarray:
    """Density of fixations: a Gaussian at each of them, summed and scaled to sum to 1.

    Gaussians are evaluated exactly, without a window: the middle of pixel (0, 0) lies at (0.5,
    0.5). What of a Gaussian falls beyond the picture is cut off.

    Args:
        points: [N, 2], x and y in pixels, origin top left.
        size: (width, height).
        sigma: Standard deviation in pixels; see :func:`pixels_per_degree` for degrees. Below half a
            pixel, the pixel that a point lies in takes all of it.
        weights: [N], 0 or more; None counts each fixation once.

    Returns:
        float64 [H, W], sums to 1; 0 everywhere without fixations.

    Raises:
        GazeFormatError: A point is not in the picture.
        ValueError: A standard deviation that is not positive, or weights that do not fit.
    """
    if not 0 < sigma < np.inf:
        raise ValueError(f'expected a positive sigma, got {sigma}')
    points = _checked(points, size)
    weights = np.ones(len(points)) if weights is None else np.asarray(weights, np.float64)
    if weights.shape != (len(points),) or (weights < 0).any():
        raise ValueError(f'expected {len(points)} weights of 0 or more')
    width, height = size
    # exp(-(x^2 + y^2)) is a product, so that the sum over points is one product of matrices.
    across = _bells(points[:, 0], width, sigma)
    down = _bells(points[:, 1], height, sigma) * weights[:, None]
    density = down.T @ across
    total = density.sum()
    return density / total if total > 0 else density


def cell_density(
    points: np.ndarray,
    size: tuple[int, int],
    sigma: float | tuple[float, float],
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Density of fixations on a coarse grid: each cell gets what of the Gaussians lies in its area.

    What :func:`fixation_density` gives on a fine grid, summed over the pixels of each cell, but
    exact at any standard deviation: the integral over a cell is a difference of two values of the
    normal distribution function along each axis. What of a Gaussian falls beyond the grid is cut
    off.

    Args:
        points: [N, 2], x and y in cells, origin top left: the first cell's middle is (0.5, 0.5).
        size: (columns, rows) of the grid.
        sigma: Standard deviation in cells, one or (along x, along y).
        weights: [N], or [F, N] for F densities from the same points, 0 or more; None counts each
            point once.

    Returns:
        float64 [rows, columns], or [F, rows, columns]; each sums to 1, or is 0 everywhere where no
        point has a weight.

    Raises:
        GazeFormatError: A point is not on the grid.
        ValueError: A standard deviation that is not positive, or weights that do not fit.
    """
    along = np.broadcast_to(np.asarray(sigma, np.float64), 2)
    if not ((along > 0) & (along < np.inf)).all():
        raise ValueError(f'expected a positive sigma, got {sigma}')
    points = _checked(points, size)
    weights = np.ones(len(points)) if weights is None else np.asarray(weights, np.float64)
    if weights.ndim not in (1, 2) or weights.shape[-1] != len(points) or (weights < 0).any():
        raise ValueError(f'expected {len(points)} weights of 0 or more')
    across, down = (
        _shares(places, length, one)
        for places, length, one in zip(points.T, size, along, strict=True)
    )
    density = (weights[..., None, :] * down.T) @ across  # [..., rows, N] @ [N, columns]
    total = density.sum((-2, -1), keepdims=True)
    return density / np.where(total > 0, total, 1)


def area_shares(many: int, few: int) -> np.ndarray:
    """How much of each of many equal parts of a length lies in each of few.

    Along each axis of a density of mass per cell, ``area_shares(many, few) @ density`` brings it to
    fewer cells, and what lies across a border is divided by area.

    Args:
        many: Parts of the length.
        few: Parts of the same length.

    Returns:
        float64 [few, many], columns sum to 1.
    """
    # In units of 1 / (many * few) all bounds are whole numbers.
    edges, bounds = np.arange(many + 1) * few, np.arange(few + 1) * many
    starts = np.maximum(edges[:-1], bounds[:-1, None])
    ends = np.minimum(edges[1:], bounds[1:, None])
    return np.clip(ends - starts, 0, None) / few


def pixels_per_degree(
    screen_width_px: float,
    screen_width_cm: float,
    distance_cm: float,
    video_width: float | None = None,
    shown_width_px: float | None = None,
) -> float:
    """Pixels of the source video per degree of visual angle, straight ahead.

    Args:
        screen_width_px: Width of the screen in its pixels.
        screen_width_cm: Width of the screen.
        distance_cm: From the eye to the screen.
        video_width: Width of the source video in its pixels; None: it was shown pixel by pixel.
        shown_width_px: Width that the video had on the screen, in screen pixels.

    Returns:
        Pixels of the video that one degree spans, half of it to each side of the line of sight.

    Raises:
        ValueError: A length that is not positive, or only one of the two widths of the video.
    """
    if (video_width is None) != (shown_width_px is None):
        raise ValueError('expected video_width and shown_width_px together')
    scale = 1.0 if video_width is None else video_width / shown_width_px
    if not min(screen_width_px, screen_width_cm, distance_cm, scale) > 0:
        raise ValueError('expected positive lengths')
    return 2 * distance_cm * np.tan(np.pi / 360) * screen_width_px / screen_width_cm * scale


def _bells(places: np.ndarray, length: int, sigma: float) -> np.ndarray:
    if sigma < NARROWEST_SIGMA:
        return (np.arange(length) == np.floor(places[:, None])).astype(np.float64)
    return np.exp(-(((np.arange(length) + 0.5 - places[:, None]) / sigma) ** 2) / 2)


def _shares(places: np.ndarray, length: int, sigma: float) -> np.ndarray:
    """What of a Gaussian at each place lies in each cell of one axis: [N, length]."""
    edges = (np.arange(length + 1) - places[:, None]) / (sigma * math.sqrt(2))
    values = np.array([math.erf(edge) for edge in edges.ravel().tolist()]).reshape(edges.shape)
    return np.diff(values, axis=1) / 2


def _checked(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    points = np.asarray(points, np.float64)
    if points.ndim != 2 or points.shape[1] != 2:
        if points.size:
            raise ValueError(f'expected points [N, 2], got {list(points.shape)}')
        points = points.reshape(0, 2)
    out = ~((points >= 0) & (points < size)).all(axis=1)
    if out.any():
        raise GazeFormatError(
            f'expected points in a picture of {size[0]}x{size[1]} pixels, got {int(out.sum())} '
            f'outside, the first at {points[out.argmax()].tolist()}'
        )
    return points
