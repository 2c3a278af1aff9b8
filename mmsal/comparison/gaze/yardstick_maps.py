"""Maps that a model's score is read by: chance, centre bias, other videos' gaze, motion."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmsal.attribution.optical_flow import optical_flow_magnitude
from mmsal.comparison.flow.maps import FlowSettings
from mmsal.gaze import fixation_density

# Of a uniform map, in every map where it is taken for a density that predicts (IG).
UNIFORM_SHARE = 0.01
BLOCK = 32  # frames whose flow is computed at once


@dataclass(frozen=True)
class OtherGaze:
    """Gaze of all videos but one, in that one's pixels.

    Attributes:
        points: Of each other video, float64 [N, 2], x and y.
        centre_bias: float64 [H, W], sums to 1: one Gaussian fitted to all these points.
        density: float64 [H, W], sums to 1: a Gaussian at each of them.
    """

    points: list[np.ndarray]
    centre_bias: np.ndarray
    density: np.ndarray


def gaze_of_others(
    video: str, shares: Mapping[str, np.ndarray], size: tuple[int, int], sigma: float
) -> OtherGaze | None:
    """What the gaze of all other videos says about where people look in this one.

    Args:
        video: The one to leave out.
        shares: Of every video, float64 [N, 2]: fixations as shares of its width and height, in
            [0, 1).
        size: Width and height of this one in pixels.
        sigma: Standard deviation of the density in pixels.

    Returns:
        None where there is no other video with at least three fixations in all.
    """
    points = [share * size for name, share in shares.items() if name != video and len(share)]
    # Rounding must not carry a point out of the picture.
    points = [np.minimum(point, np.nextafter(size, 0)) for point in points]
    if sum(map(len, points)) < 3:
        return None
    pooled = np.concatenate(points)
    return OtherGaze(points, gaussian_of(pooled, size), fixation_density(pooled, size, sigma))


def gaussian_of(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A Gaussian with the mean and covariance of points, at every pixel.

    The variance within a pixel is added, so that points on one spot or line have a density, too.

    Args:
        points: [N, 2], x and y in pixels, at least one.
        size: (width, height).

    Returns:
        float64 [H, W], sums to 1.
    """
    width, height = size
    spread = np.cov(points.T, bias=True) if len(points) > 1 else np.zeros((2, 2))
    inverse = np.linalg.inv(spread + np.eye(2) / 12)  # the variance within a pixel
    x = np.arange(width) + 0.5 - points[:, 0].mean()
    y = (np.arange(height) + 0.5 - points[:, 1].mean())[:, None]
    exponent = inverse[0, 0] * x**2 + 2 * inverse[0, 1] * x * y + inverse[1, 1] * y**2
    density = np.exp(-(exponent - exponent.min()) / 2)
    return density / density.sum()


def with_uniform(density: np.ndarray, seen: np.ndarray | None = None) -> np.ndarray:
    """A density with a hundredth of a uniform one, as the baseline of the information gain.

    No fixation is then infinitely surprising, however far from all others. What is scored is mixed
    alike (``uniform_share``), so that the centre bias gains nothing over itself.

    Args:
        density: float64 [H, W], sums to 1.
        seen: bool [H, W], the pixels that count; None takes all. The others become 0.
    """
    if seen is not None:
        density = np.where(seen, density, 0)
        density = density / density.sum()
    count = density.size if seen is None else seen.sum()
    return (1 - UNIFORM_SHARE) * density + UNIFORM_SHARE / count


def frame_random(seed: int, video: str, frame: int) -> np.random.Generator:
    """The random numbers of one frame of one video; ``frame`` may be -1 for the whole video."""
    return np.random.default_rng([seed, zlib.crc32(video.encode('utf-8')), frame + 1])


def motion_maps(source: Path, frames: np.ndarray, settings: FlowSettings) -> Iterator[np.ndarray]:
    """Speed of every pixel from each frame to the next; from the one before for the last frame.

    Args:
        source: The video file.
        frames: int [N], zero-based, ascending.
        settings: Of the optical flow.

    Yields:
        float32 [H, W] for each frame, pixels per frame step.

    Raises:
        VideoError: The video cannot be read.
        ValueError: It has a single frame.
    """
    info = settings.probe(source)
    if info.frames < 2:
        raise ValueError(f'{source}: motion takes two frames, and it has one')
    firsts = np.minimum(frames, info.frames - 2)
    for block in _blocks(firsts):
        pictures = settings.read(info, range(block[0], block[-1] + 2))
        flow = optical_flow_magnitude(pictures, settings.algorithm, **settings.options)
        yield from flow[block - block[0]]


def _blocks(firsts: np.ndarray) -> Iterator[np.ndarray]:
    """Runs of frames that follow each other (one may come twice), at most BLOCK of them."""
    start = 0
    for end in range(1, len(firsts) + 1):
        over = end == len(firsts) or firsts[end] - firsts[end - 1] > 1 or end - start == BLOCK
        if over:
            yield firsts[start:end]
            start = end
