"""What ``vis_cam.py`` writes: heatmap files and overlays, of one video or of a list."""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import mmcv
import numpy as np
from torch import nn

from mmsal.attribution import GradCAM
from mmsal.explain.batch import ManifestRow, explain_jobs, failed
from mmsal.explain.jobs import HEATMAP_SUFFIXES, Job, parse_frame_ranges, read_job_list
from mmsal.explain.one_video import Explanation, explain_video
from mmsal.explain.recognizer import find_class
from mmsal.heatmaps import write_heatmaps
from mmsal.heatmaps.grid import MAX_DECIMALS
from mmsal.visualization import overlay, write_video
from mmsal.visualization.overlay import check_look
from mmsal.visualization.video_file import SUFFIXES as VIDEO_SUFFIXES

INTERPOLATIONS = ('nearest', 'bilinear', 'bicubic', 'area', 'lanczos')  # of mmcv.imresize


@dataclass(frozen=True)
class ExportOptions:
    """How to explain, and how to draw; the names are those of ``vis_cam.py``'s options.

    Raises:
        ValueError: A value that could only fail later, after the time is spent.
    """

    method: str = 'gradcam'
    target: str | None = None
    space: str = 'source'
    target_layer_name: str | None = None
    use_frames: bool = False
    source_fps: float | None = None
    decimals: int = 6
    fps: float = 5
    alpha: float = 0.5
    colormap: str = 'viridis'
    resolution: Sequence[int] | None = None
    interpolation: str = 'bilinear'

    def __post_init__(self) -> None:
        check_look(self.alpha, self.colormap)
        if self.decimals not in range(1, MAX_DECIMALS + 1):
            raise ValueError(f'expected decimals from 1 to {MAX_DECIMALS}, got {self.decimals}')
        if not 0 < self.fps < math.inf:
            raise ValueError(f'expected a positive frame rate, got {self.fps}')
        if any(side < 1 and side != -1 for side in self.resolution or ()):
            raise ValueError(f'expected a resolution in pixels or -1, got {self.resolution}')
        if self.interpolation not in INTERPOLATIONS:
            listed = ', '.join(INTERPOLATIONS)
            raise ValueError(f'expected interpolation {listed}, got {self.interpolation!r}')

    def explaining(self) -> dict:
        """Options of :func:`mmsal.explain.explain_video`."""
        names = ('method', 'target', 'space', 'target_layer_name', 'use_frames', 'source_fps')
        return {name: getattr(self, name) for name in names}


def check_outputs(heatmaps: str | None, overlays: str | None, is_list: bool) -> None:
    """Refuse output names that cannot work, before any time is spent.

    Raises:
        ValueError: No output is named, or one has the wrong kind of name.
    """
    if heatmaps is None and overlays is None:
        raise ValueError('nothing to do: name --file-url, --out-filename or both')
    for option, name, suffixes in (
        ('--file-url', heatmaps, HEATMAP_SUFFIXES),
        ('--out-filename', overlays, VIDEO_SUFFIXES),
    ):
        if name is None:
            continue
        is_file = name.lower().endswith(suffixes)
        if is_list and is_file:
            raise ValueError(f'expected {option} to name a folder for a list, got {name}')
        if not is_list and not is_file and not _is_folder(name):
            raise ValueError(f'expected {option} to end with {", ".join(suffixes)}, got {name}')


def _is_folder(name: str) -> bool:
    return name.endswith('/') or Path(name).is_dir()


def draw_overlay(explanation: Explanation, path: str | Path, options: ExportOptions) -> None:
    """Write the frames under their heatmaps as .mp4 or .gif."""
    maps = explanation.heatmaps
    frames = overlay(explanation.frames, maps.values, options.alpha, options.colormap, maps.seen)
    write_video(_resized(frames, options), path, options.fps)


def _resized(frames: np.ndarray, options: ExportOptions) -> np.ndarray:
    scale = options.resolution
    if scale is None or max(scale) == -1:
        return frames
    # As MMAction2: within (w, h), or where one of them is -1 by the short side, ratio kept.
    height, width = frames.shape[1:3]
    within = (np.inf, max(scale)) if min(scale) == -1 else tuple(scale)
    size = mmcv.rescale_size((width, height), within)
    resize = [mmcv.imresize(frame, size, interpolation=options.interpolation) for frame in frames]
    return np.stack(resize)


def export_video(
    model: nn.Module,
    video: str,
    options: ExportOptions,
    heatmaps: str | None,
    overlays: str | None,
    frames: str | None = None,
    overwrite: bool = False,
) -> None:
    """Explain one video and say what came out.

    Args:
        model (nn.Module): From :func:`mmsal.explain.load_recognizer`.
        video (str): Video file or folder of frames.
        options (ExportOptions): How.
        heatmaps, overlays (str, optional): Output files, or folders (for ``.txt`` and ``.mp4``).
        frames (str, optional): Ranges like ``1-75,152-225``.
        overwrite (bool): Replace files that exist.

    Raises:
        ValueError: An output exists; or what :func:`mmsal.explain.explain_video` raises.
    """
    heatmaps = _file_in(heatmaps, video, '.txt')
    overlays = _file_in(overlays, video, '.mp4')
    for path in (heatmaps, overlays):
        if path is not None and path.exists() and not overwrite:
            raise ValueError(f'{path} exists already: name another file, or pass --overwrite')
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
    explanation = explain_video(
        model,
        video,
        frame_ranges=parse_frame_ranges(frames) if frames else None,
        keep_frames=overlays is not None,
        **options.explaining(),
    )
    meta, prediction = explanation.heatmaps.meta, explanation.prediction
    print(f'prediction: {prediction.label} ({prediction.score:.4f})')
    print(f'explained: {meta["target_label"]}, target layer: {meta["target_layers"][0]}')
    if heatmaps is not None:
        write_heatmaps(explanation.heatmaps, heatmaps, decimals=options.decimals)
        print(f'heatmaps of {len(explanation.heatmaps.frame_indices)} frames: {heatmaps}')
    if overlays is not None:
        draw_overlay(explanation, overlays, options)
        print(f'overlay: {overlays}')


def _file_in(name: str | None, video: str, suffix: str) -> Path | None:
    if name is None:
        return None
    return Path(name) / (Path(video).stem + suffix) if _is_folder(name) else Path(name)


def export_list(
    model: nn.Module,
    path: str,
    options: ExportOptions,
    heatmaps: str | None,
    overlays: str | None,
    file_format: str = 'txt',
    overwrite: bool = False,
) -> list[ManifestRow]:
    """Explain a list of videos, with a progress bar, and print which failed.

    Args:
        model (nn.Module): From :func:`mmsal.explain.load_recognizer`.
        path (str): The list; see :func:`mmsal.explain.read_job_list`.
        options (ExportOptions): How.
        heatmaps, overlays (str, optional): Folders. Without ``heatmaps`` the heatmap files go
            into ``overlays``: the manifest refers to them.
        file_format (str): ``txt``, ``txt.gz`` or ``npz``.
        overwrite (bool): Explain again what a former run has done.

    Returns:
        list[ManifestRow]: The videos that failed.

    Raises:
        ListError: The list cannot be used.
        ValueError: The class, the layer or the method does not exist, or the folder holds other
            maps.
        OSError: A folder cannot be written.
    """
    jobs = read_job_list(path)
    # What is every video's fault is told before the first.
    find_class(model.class_names, options.target)
    with GradCAM(model, options.target_layer_name, method=options.method):
        pass
    if overlays:
        Path(overlays).mkdir(parents=True, exist_ok=True)
    rows = explain_jobs(
        model,
        jobs,
        heatmaps or overlays,
        f'.{file_format}',
        options.decimals,
        overwrite,
        also=_draw_into(Path(overlays), options) if overlays else None,
        also_done=(lambda job: _overlay_of(job, overlays).is_file()) if overlays else None,
        keep_frames=overlays is not None,
        **options.explaining(),
    )
    failures = failed(_with_progress(rows, len(jobs)))
    for row in failures:
        print(f'failed: {row.video}: {row.error}', file=sys.stderr)
    print(f'{len(jobs) - len(failures)} of {len(jobs)} videos in {heatmaps or overlays}')
    return failures


def _draw_into(folder: Path, options: ExportOptions):
    def draw(job: Job, explanation: Explanation) -> None:
        draw_overlay(explanation, _overlay_of(job, folder), options)

    return draw


def _overlay_of(job: Job, folder: str | Path) -> Path:
    return Path(folder) / f'{job.stem.as_posix()}.mp4'


def _with_progress(rows, total: int):
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(),
        TextColumn('{task.fields[rate]}'), TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task('explaining', total=total, rate='')
        for row in rows:
            yield row
            progress.advance(task)
            speed = progress.tasks[0].speed
            progress.update(task, rate=f'{speed:.2f} videos/s' if speed else '')
