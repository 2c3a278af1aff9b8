"""What the report's page of one video shows, made from its files when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from mmsal.comparison.gaze.matching import VideoFiles
from mmsal.comparison.gaze.run import Scoring
from mmsal.comparison.gaze.video_data import VideoData, load_video
from mmsal.comparison.report import VideoPage
from mmsal.datasets.video import read_frames
from mmsal.gaze import fixation_density

LONGEST_SIDE = 320  # of the pictures, in pixels
BLOCK = 32  # frames that are decoded at once


def video_pages(files: Sequence[VideoFiles], scoring: Scoring) -> Iterator[VideoPage]:
    """Pages of videos, one in memory at a time, with all frames that were scored.

    Args:
        files: The videos, each of which could be scored.
        scoring: What they were scored with.

    Raises:
        ValueError, OSError: A file cannot be read any more.
    """
    for one in files:
        data = load_video(one, scoring.fixations[one.video], scoring.how)
        yield make_page(one, data, scoring.how.sigma_of(data.size[0]))


def make_page(files: VideoFiles, data: VideoData, sigma: float) -> VideoPage:
    """One video's frames, human density and maps, made smaller where they are large.

    Args:
        files: The source is shown where it has one.
        data: The same video's maps and gaze.
        sigma: Of the density, in pixels of the source.

    Returns:
        Pictures of at most 320 pixels, positions in those of the source.
    """
    width, height = data.size
    scale = min(1.0, LONGEST_SIDE / max(width, height))
    small = max(round(width * scale), 1), max(round(height * scale), 1)
    factors = np.divide(small, data.size)
    points = [data.points[data.fixations_of(place)] for place in range(len(data.frames))]
    maps = {model: _smaller(maps, small, data.seen) for model, maps in data.maps.items()}
    density = np.stack(
        [fixation_density(one * factors, small, sigma * factors[0]) for one in points]
    )
    source = None if files.source is None else _pictures(files, data.frames, small)
    return VideoPage(
        data.video, data.frames, data.starts, source, density.astype(np.float32), maps, points,
        data.size,
    )  # fmt: skip


def _smaller(maps: np.ndarray, size: tuple[int, int], seen: np.ndarray | None) -> np.ndarray:
    """Maps of a new size, [N, H, W]; NaN where the model saw nothing."""
    if maps.shape[:0:-1] != size:
        maps = np.stack([cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in maps])
    if seen is None or seen.all():
        return maps
    mask = cv2.resize(seen.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    return np.where(mask.astype(bool), maps, np.nan)


def _pictures(files: VideoFiles, frames: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Frames of the source, uint8 [N, H, W, 3], RGB."""
    pictures = np.empty((len(frames), size[1], size[0], 3), np.uint8)
    for start in range(0, len(frames), BLOCK):
        for place, one in enumerate(read_frames(files.source, frames[start : start + BLOCK])):
            pictures[start + place] = cv2.resize(one, size, interpolation=cv2.INTER_AREA)
    return pictures
