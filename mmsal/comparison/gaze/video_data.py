"""One video of a comparison, loaded: its models' maps and its gaze on the same frames."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np
import pandas as pd

from mmsal.comparison.flow.clip import places_of
from mmsal.comparison.gaze.matching import VideoFiles
from mmsal.comparison.gaze.options import GazeComparison
from mmsal.gaze import fixations_in_intervals, frame_intervals
from mmsal.heatmaps import HeatmapSequence, read_heatmaps


@dataclass(frozen=True)
class VideoData:
    """Maps and gaze of one video.

    Attributes:
        video: Its name in the results.
        frames: int64 [N], zero-based, ascending: the frames that all models have maps of.
        starts, ends: float64 [N], seconds during which each frame is shown.
        maps: Of each model, float32 [N, H, W], 0 or more where seen.
        seen: bool [H, W], what every model saw; None is everything.
        points: float64 [M, 2], x and y of the fixations on seen pixels.
        observers: int64 [M], place of each fixation's observer in ``names``.
        names: Observers of this video, sorted.
        in_frames: Two int64 arrays, frame (by place) and fixation of each pair that overlaps.
        counts: ``fixations`` of the video, and those left out: ``outside`` the picture,
            ``unseen`` by a model, at a time that has ``no_map``; ``used`` are the others.
        frames_left_out: Frames that some models have maps of and others do not.
    """

    video: str
    frames: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    maps: dict[str, np.ndarray]
    seen: np.ndarray | None
    points: np.ndarray
    observers: np.ndarray
    names: list[str]
    in_frames: tuple[np.ndarray, np.ndarray]
    counts: dict[str, int]
    frames_left_out: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        _, height, width = next(iter(self.maps.values())).shape
        return width, height

    def fixations_of(self, *places: int) -> np.ndarray:
        """Which fixations (by place) some frames (by place) show, each once, int64 [K]."""
        frames, rows = self.in_frames
        bounds = np.searchsorted(frames, [places, np.add(places, 1)])
        return np.unique(np.concatenate([rows[start:end] for start, end in bounds.T]))


def load_video(files: VideoFiles, fixations: pd.DataFrame, how: GazeComparison) -> VideoData:
    """Read the maps of one video and bring gaze onto their frames.

    Args:
        files: What there is of it.
        fixations: The fixation table of this video alone.
        how: Options; ``frame_step`` and ``sampled_only`` are applied here.

    Raises:
        ValueError: Maps of another size than the video or each other, negative ones, no frame or no
            pixel in common, or no fixation on them.
        HeatmapFormatError, OSError: A file cannot be read.
    """
    sequences = {model: read_heatmaps(path) for model, path in files.maps.items()}
    for model, maps in sequences.items():
        if maps.values.shape[:0:-1] != files.size:
            height, width = maps.values.shape[1:]
            raise ValueError(
                f'{files.video}: maps of {model} are {width}x{height} pixels, expected '
                f'{files.size[0]}x{files.size[1]}'
            )
    frames, left_out = _common_frames(sequences, how)
    seen = _common_pixels(sequences)
    if not len(frames) or (seen is not None and not seen.any()):
        what = 'pixel was seen by all models' if len(frames) else 'frame has maps of all models'
        raise ValueError(f'{files.video}: no {what}')
    times = [told for maps in sequences.values() if (told := _timestamps(maps)) is not None]
    starts, ends = _shown(files, frames, times[0] if times else None)
    values = {}
    for model in list(sequences):
        maps = sequences.pop(model)  # one by one, so that no video is in memory twice
        values[model] = maps.values[places_of(maps, frames)]
        least = (values[model] if seen is None else values[model][:, seen]).min()
        if not least >= 0:
            raise ValueError(f'{files.video}: maps of {model} have negative values or NaN')
    table, points, counts = _usable(fixations, files.size, seen)
    spans = fixations_in_intervals(table, starts, ends)
    shown = np.unique(spans[1]).size
    counts['no_map'] = len(table) - shown
    counts['used'] = shown
    if not shown:
        raise ValueError(
            f'{files.video}: no fixation lies on the pixels and frames that have maps '
            f'({_in_words(counts)}; frames from {starts[0]:.1f} to {ends[-1]:.1f} s)'
        )
    names, observers = np.unique(table['observer'].to_numpy(str), return_inverse=True)
    return VideoData(
        files.video, frames, starts, ends, values, seen, points, observers, names.tolist(), spans,
        counts, left_out,
    )  # fmt: skip


def _common_frames(
    sequences: dict[str, HeatmapSequence], how: GazeComparison
) -> tuple[np.ndarray, int]:
    """Frames that all models have maps of, ascending; and how many only some have."""
    own = [_frames_of(maps, how.sampled_only) for maps in sequences.values()]
    common = reduce(np.intersect1d, own)
    return common[:: how.frame_step], len(reduce(np.union1d, own)) - len(common)


def _common_pixels(sequences: dict[str, HeatmapSequence]) -> np.ndarray | None:
    """Pixels that every model saw, bool [H, W]; None for all."""
    masks = [maps.seen for maps in sequences.values() if maps.seen is not None]
    return reduce(np.logical_and, masks) if masks else None


def _frames_of(maps: HeatmapSequence, sampled_only: bool) -> np.ndarray:
    sampled = maps.meta.get('seen_frames')
    if sampled_only and sampled is not None:
        return np.intersect1d(maps.frame_indices, sampled)
    return np.sort(maps.frame_indices)


def _timestamps(maps: HeatmapSequence) -> dict[int, float] | None:
    """Seconds of each mapped frame, where the sidecar has them."""
    times = maps.meta.get('timestamps')
    if times is None:
        return None
    if len(times) != len(maps):
        raise ValueError(f'expected {len(maps)} timestamps, one per map, got {len(times)}')
    return dict(zip(maps.frame_indices.tolist(), times, strict=True))


def _shown(
    files: VideoFiles, frames: np.ndarray, times: dict[int, float] | None
) -> tuple[np.ndarray, np.ndarray]:
    """When the frames are shown: by timestamps of the video or its sidecar, or by the rate."""
    if files.timestamps is not None:
        starts, ends = frame_intervals(np.array(files.timestamps), fps=files.fps)
        if frames[-1] >= len(starts):
            raise ValueError(
                f'{files.video}: maps of frame {frames[-1]}, but the video has {len(starts)} frames'
            )
        return starts[frames], ends[frames]
    if times is None:
        return frame_intervals(frames / files.fps, frames, files.fps)
    return frame_intervals(np.array([times[frame] for frame in frames.tolist()]), frames, files.fps)


def _usable(
    fixations: pd.DataFrame, size: tuple[int, int], seen: np.ndarray | None
) -> tuple[pd.DataFrame, np.ndarray, dict[str, int]]:
    """Fixations on seen pixels, with their points; and how many are not."""
    points = fixations[['x_px', 'y_px']].to_numpy(np.float64)
    inside = ((points >= 0) & (points < size)).all(axis=1)
    kept = inside.copy()
    if seen is not None:
        columns, rows = points[inside].astype(int).T
        kept[inside] = seen[rows, columns]
    counts = {
        'fixations': len(fixations), 'outside': int((~inside).sum()),
        'unseen': int((inside & ~kept).sum()),
    }  # fmt: skip
    return fixations[kept].reset_index(drop=True), points[kept], counts


def _in_words(counts: dict[str, int]) -> str:
    return ', '.join(f'{number} {what.replace("_", " ")}' for what, number in counts.items())
