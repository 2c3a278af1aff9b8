"""Optical flow of videos as heatmap files: pixels that move are bright."""

import json
import platform
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmsal.attribution.optical_flow import flow_options, optical_flow_magnitude
from mmsal.datasets.clip_range import fit_range
from mmsal.datasets.video import VideoError, VideoInfo, probe_frames, probe_video, read_frames
from mmsal.explain.describe import describe_video
from mmsal.explain.jobs import Job
from mmsal.explain.manifest import Manifest, ManifestRow
from mmsal.explain.prepare import Ranges, check_size
from mmsal.heatmaps import HeatmapSequence, write_heatmaps
from mmsal.version import __version__

# Frames that are decoded at once: a long video's frames need not fit into memory beside its maps.
BLOCK = 64


@dataclass(frozen=True)
class FlowSettings:
    """How flow is computed, the same for every video.

    Attributes:
        algorithm: See :func:`mmsal.attribution.optical_flow.optical_flow`, also for the options.
        options: Those given; the others have their defaults.
        filename_tmpl: Names of the frames where a video is a folder of them.
        start_index: Number of the first of them.
        source_fps: Rate of the video that they came from.

    Raises:
        ValueError: An unknown algorithm or option, or a rate that is not positive.
    """

    algorithm: str = 'farneback'
    options: dict[str, Any] = field(default_factory=dict)
    filename_tmpl: str = 'img_{:05}.jpg'
    start_index: int = 1
    source_fps: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, 'options', flow_options(self.algorithm, **self.options))
        if self.source_fps is not None and not 0 < self.source_fps < float('inf'):
            raise ValueError(f'expected a positive source_fps, got {self.source_fps}')

    def probe(self, video: Path) -> VideoInfo:
        """What is in a video or folder of frames; raises VideoError."""
        if video.is_dir():
            return probe_frames(video, self.filename_tmpl, self.start_index, self.source_fps)
        return probe_video(video)

    def read(self, info: VideoInfo, indices: range) -> np.ndarray:
        """Frames by zero-based number: uint8 [T, H, W, 3], RGB; raises VideoError."""
        if not info.path.is_dir():
            return read_frames(info.path, indices)
        pictures = []
        for index in indices:
            path = info.path / self.filename_tmpl.format(index + self.start_index)
            picture = cv2.imread(str(path))
            if picture is None or picture.shape[:2] != (info.height, info.width):
                raise VideoError(f'{path} is no image of {info.width}x{info.height} pixels')
            pictures.append(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
        return np.stack(pictures)


def first_frames(info: VideoInfo, frame_ranges: Ranges | None = None) -> np.ndarray:
    """First frame of every pair of neighbours that lies within one of the ranges.

    Args:
        info: The video.
        frame_ranges: Zero-based, half open; they may overlap. None takes the whole video.

    Returns:
        int64 [N], rising, each once.

    Raises:
        ValueError: A range lies outside the video, or none holds two frames.
    """
    bounds = [
        fit_range(one, info.frames, str(info.path)) for one in frame_ranges or [(0, info.frames)]
    ]
    firsts = np.unique(np.concatenate([np.arange(start, end - 1) for start, end in bounds]))
    if not len(firsts):
        raise ValueError(f'{info.path}: flow takes two frames, and no range has more than one')
    return firsts.astype(np.int64)


def flow_heatmaps(
    video: str | Path,
    settings: FlowSettings = FlowSettings(),
    frame_ranges: Ranges | None = None,
) -> HeatmapSequence:
    """Speed of every pixel of a video, as heatmaps.

    Args:
        video: A video file or a folder of frames.
        settings: The algorithm, and how frames are named.
        frame_ranges: Zero-based, half open; no pair of frames straddles two ranges. None takes the
            whole video.

    Returns:
        ``values`` [N, H, W]: pixels per frame step divided by the largest of the whole video
        (``meta['raw_maximum']``), 0 to 1; ``frame_indices``: the first frame of each pair, in whose
        pixels the map lies; ``meta['frame_pairs']``: both. A video in which nothing moves is 0
        everywhere, and a warning says so.

    Raises:
        VideoError: The video cannot be read.
        ValueError: A range without two frames, or maps larger than this machine's memory.
    """
    info = settings.probe(Path(video))
    firsts = first_frames(info, frame_ranges)
    check_size(info, len(firsts), len(firsts))
    values = np.empty((len(firsts), info.height, info.width), np.float32)
    for start, end in _blocks(firsts):
        frames = settings.read(info, range(firsts[start], firsts[end - 1] + 2))
        values[start:end] = optical_flow_magnitude(frames, settings.algorithm, **settings.options)
    largest = float(values.max())
    if largest > 0:
        values /= values.max()
    else:
        warnings.warn(f'{info.path}: nothing moves, so the map shows nothing', stacklevel=2)
    return HeatmapSequence(values, firsts, _describe(info, firsts, settings, frame_ranges, largest))


def _blocks(firsts: np.ndarray) -> Iterator[tuple[int, int]]:
    """Places [start, end) of pairs that follow each other without a gap, at most BLOCK of them."""
    breaks = np.flatnonzero(np.diff(firsts) != 1) + 1
    for run in np.split(np.arange(len(firsts)), breaks):
        for start in range(run[0], run[-1] + 1, BLOCK):
            yield start, min(start + BLOCK, run[-1] + 1)


def _describe(
    info: VideoInfo,
    firsts: np.ndarray,
    settings: FlowSettings,
    frame_ranges: Ranges | None,
    largest: float,
) -> dict:
    packages = {'opencv': cv2.__version__, 'numpy': metadata.version('numpy')}
    return {
        **describe_video(info, firsts, firsts, 'source'),
        'frame_pairs': [[int(first), int(first) + 1] for first in firsts],
        'frame_ranges': None if frame_ranges is None else [list(one) for one in frame_ranges],
        'method': 'optical_flow',
        'method_options': {'algorithm': settings.algorithm, **settings.options},
        'unit': 'pixels per frame step',
        'normalisation': "speed divided by the video's largest, over all pairs of frames",
        'raw_minimum': 0.0,
        'raw_maximum': largest,
        'versions': {'mmsal': __version__, 'python': platform.python_version(), **packages},
    }


def export_flow(
    jobs: Sequence[Job],
    folder: Path,
    suffix: str = '.npz',
    settings: FlowSettings = FlowSettings(),
    overwrite: bool = False,
) -> Iterator[ManifestRow]:
    """Write the flow of every video into a folder, with a manifest; a second run goes on.

    Args:
        jobs: The videos.
        folder: Gets one heatmap file per job, under the job's stem, and ``manifest.csv``; made if
            it is not there.
        suffix: ``.npz``, ``.txt`` or ``.txt.gz``.
        settings: How flow is computed.
        overwrite: Compute again what the manifest says is done.

    Returns:
        After each job its row of the manifest: done, now or before, or failed.

    Raises:
        ValueError: The folder holds maps made with other settings or of other frames, or the file
            of a job holds another video's maps.
        OSError: The folder cannot be written.
    """
    ranges = {str(job.video): job.frame_ranges for job in jobs}
    # As JSON gives them back, to be compared: lists, not tuples.
    noted, ranges = json.loads(json.dumps([asdict(settings), ranges]))
    noted.update(method='optical_flow', format=suffix.lstrip('.'), **noted.pop('options'))
    folder.mkdir(parents=True, exist_ok=True)
    manifest = Manifest(folder, overwrite)
    manifest.begin(noted, ranges, overwrite)
    for job in jobs:
        manifest.claim(str(job.video), flow_file(job, suffix))
    # A generator of its own, so that what is wrong with the folder is told at the call.
    return _work_through(jobs, folder, suffix, settings, manifest)


def flow_file(job: Job, suffix: str) -> str:
    """The job's flow, relative to the folder."""
    return f'{job.stem.as_posix()}{suffix}'


def _work_through(jobs, folder, suffix, settings, manifest) -> Iterator[ManifestRow]:
    for job in jobs:
        name = flow_file(job, suffix)
        if not manifest.is_done(str(job.video), name):
            manifest.record(_export_one(job, folder / name, name, settings))
        yield manifest.rows[str(job.video)]


def _export_one(job: Job, path: Path, name: str, settings: FlowSettings) -> ManifestRow:
    row, started = ManifestRow(str(job.video)), time.perf_counter()
    try:
        maps = flow_heatmaps(job.video, settings, job.frame_ranges)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_heatmaps(maps, path)
    except (ValueError, OSError, MemoryError) as error:  # this video's: the others go on
        row.error = ' '.join(str(error).split()) or type(error).__name__
    else:
        row.status, row.output, row.frames = 'done', name, str(len(maps))
    row.seconds = f'{time.perf_counter() - started:.3f}'
    return row
