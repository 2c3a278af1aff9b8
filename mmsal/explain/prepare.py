"""All of a video that an explanation needs, decoded and transformed; may run in another process."""

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmengine.config import Config

from mmsal.datasets.clip_range import fit_range
from mmsal.datasets.video import VideoInfo
from mmsal.explain.merge import frames_between
from mmsal.explain.pipeline import ClipPipeline, PreparedClip

Ranges = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Sampling:
    """Which frames of a video are looked at, and which get a map.

    Attributes:
        use_frames: Videos are folders of extracted frames.
        source_fps: Rate of the video that a folder's frames came from.
        stride: Frames from the start of one clip to the next, to cover the video (or each range)
            by clips; more than a clip is long leaves gaps, with a warning. None samples as the
            config does.
        window: Length of such a clip in frames, for configs whose clips have none of their own.
        dense: A map for the frames between sampled ones, too.
        keep_frames: Keep the pictures under the maps, for overlays.

    Raises:
        ValueError: A value that makes no sense.
    """

    use_frames: bool = False
    source_fps: float | None = None
    stride: int | None = None
    window: int | None = None
    dense: bool = False
    keep_frames: bool = False

    def __post_init__(self) -> None:
        for name in ('stride', 'window'):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f'expected {name} of at least 1 frame, got {value}')
        if self.window is not None and self.stride is None:
            raise ValueError('window is the length of the clips that stride lays out: set both')
        if self.source_fps is not None and not 0 < self.source_fps < float('inf'):
            raise ValueError(f'expected a positive source_fps, got {self.source_fps}')


@dataclass(frozen=True)
class PreparedVideo:
    """A video on its way into the network.

    Attributes:
        info: The source.
        clips: One per frame range or window.
        ranges: The frame ranges that were asked for; None is the whole video.
        frames: int64 [S], the frames that get a map, rising.
        pictures: uint8 [S, H, W, 3], RGB, those frames of the source, if they were asked for.
    """

    info: VideoInfo
    clips: list[PreparedClip]
    ranges: list[tuple[int, int] | None]
    frames: np.ndarray
    pictures: np.ndarray | None = None


def prepare_video(
    pipeline: ClipPipeline,
    video: str | Path,
    sampling: Sampling,
    frame_ranges: Ranges | None = None,
    from_source: bool = True,
) -> PreparedVideo:
    """Decode and transform a video.

    Args:
        pipeline (ClipPipeline): From :func:`open_pipeline`.
        video (str | Path): A video file, or a folder of frames.
        sampling (Sampling): Which frames.
        frame_ranges (Ranges, optional): Zero-based, half open, each a clip of its own.
        from_source (bool): Pictures, if kept, are those of the source; else of the network input.

    Raises:
        VideoError: The video cannot be read.
        ValueError: Its maps do not fit into this machine's memory.
    """
    info = pipeline.probe(video, sampling.source_fps)
    ranges = list(frame_ranges or [None])
    windows = ranges
    if sampling.stride is not None:
        length = sampling.window or pipeline.clip_span(info.fps)
        name = str(info.path)
        bounds = [fit_range(one or (0, info.frames), info.frames, name) for one in ranges]
        windows = [one for within in bounds for one in lay_out(within, length, sampling.stride)]
        if sampling.stride > length and len(windows) > len(ranges):
            warnings.warn(
                f'clips of {length} frames that begin {sampling.stride} frames apart leave the '
                'frames between them unseen',
                stacklevel=2,
            )
    clips = [pipeline.prepare(info, window) for window in windows]
    sampled = np.unique(np.concatenate([clip.frame_indices for clip in clips]))
    frames = frames_between(sampled, ranges) if sampling.dense else sampled
    if from_source:
        check_size(info, len(sampled), len(frames), sampling.keep_frames)
    pictures = None
    if sampling.keep_frames and from_source:
        pictures = pipeline.read_frames(info, frames)
    elif sampling.keep_frames:
        pictures = input_frames(clips, frames)
    return PreparedVideo(info, clips, ranges, frames, pictures)


def check_size(info: VideoInfo, sampled: int, frames: int, pictures: bool = False) -> None:
    """Refuse maps that no memory of this machine can hold, before the system ends the run for it.

    Args:
        info (VideoInfo): The source, in whose pixels the maps are.
        sampled (int): Frames that the network sees.
        frames (int): Frames that get a map; more than ``sampled`` where they are interpolated.
        pictures (bool): Whether the frames' pictures are kept, too.

    Raises:
        ValueError: Says by how much, and what to do.
    """
    maps = frames if frames == sampled else frames + sampled  # float32; both are held at once
    needed = info.width * info.height * (4 * maps + 3 * frames * pictures)
    memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
    if needed > memory:
        raise ValueError(
            f'{frames} maps of {info.width}x{info.height} pixels take {needed / 2**30:.1f} GiB, '
            f'more than the {memory / 2**30:.1f} GiB of this machine: explain parts of {info.path} '
            'with --frames, or use --space input'
        )


def open_pipeline(config: Config, sampling: Sampling) -> ClipPipeline:
    """The pipeline of a config, as this sampling needs it.

    Raises:
        ValueError: Clips of unknown length are to be laid out.
    """
    lay_out_clips = sampling.stride is not None and sampling.window is None
    pipeline = ClipPipeline(config, sampling.use_frames, lay_out_clips)
    if lay_out_clips and pipeline.clip_span() is None:
        raise ValueError(
            'the clips of this config have no length of their own: name the window in frames'
        )
    return pipeline


def lay_out(within: tuple[int, int], length: int, stride: int) -> list[tuple[int, int]]:
    """Windows that cover a range of frames, the last one flush with its end.

    A range shorter than a window is one window.

    Args:
        within (tuple[int, int]): Zero-based, half open.
        length (int): Frames of a window.
        stride (int): Frames from the start of one window to the next.
    """
    start, end = within
    starts = list(range(start, max(start, end - length) + 1, stride))
    if starts[-1] + length < end:
        starts.append(end - length)
    return [(first, min(first + length, end)) for first in starts]


def input_frames(clips: Sequence[PreparedClip], frames: np.ndarray) -> np.ndarray:
    """The network's input pictures of these source frames: uint8 [T, h, w, 3]."""
    pictures = {}
    for clip in clips:
        inputs = clip.data['inputs'][0]
        if inputs.dim() == 5:  # [V, 3, T, h, w] -> [V T, 3, h, w]
            inputs = inputs.transpose(1, 2).flatten(0, 1)
        pictures.update(zip(clip.frame_indices, inputs.permute(0, 2, 3, 1).numpy(), strict=False))
    return np.stack([pictures[frame] for frame in frames])
