"""What ``vis_cam.py`` writes: heatmap files and overlays, of one video or of a list."""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import mmcv
import numpy as np
from torch import nn

from mmsal.explain.batch import Effort, Output, explain_jobs
from mmsal.explain.jobs import HEATMAP_SUFFIXES, Job, parse_frame_ranges
from mmsal.explain.manifest import Manifest, ManifestRow, failed
from mmsal.explain.one_video import Explanation, Question, explain_video
from mmsal.explain.prepare import Sampling
from mmsal.heatmaps import write_heatmaps
from mmsal.heatmaps.grid import MAX_DECIMALS
from mmsal.visualization import overlay, write_video
from mmsal.visualization.overlay import check_look
from mmsal.visualization.video_file import SUFFIXES as VIDEO_SUFFIXES

INTERPOLATIONS = ('nearest', 'bilinear', 'bicubic', 'area', 'lanczos')  # of mmcv.imresize


@dataclass(frozen=True)
class Look:
    """How files are written and overlays drawn, in the words of ``vis_cam.py``.

    Raises:
        ValueError: A value that could only fail later, after the time is spent.
    """

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


def draw_overlay(explanation: Explanation, path: str | Path, look: Look) -> None:
    """Write the frames under their heatmaps as .mp4 or .gif."""
    maps = explanation.heatmaps
    frames = overlay(explanation.frames, maps.values, look.alpha, look.colormap, maps.seen)
    write_video(_resized(frames, look), path, look.fps)


def _resized(frames: np.ndarray, look: Look) -> np.ndarray:
    scale = look.resolution
    if scale is None or max(scale) == -1:
        return frames
    # As MMAction2: within (w, h), or where one of them is -1 by the short side, ratio kept.
    height, width = frames.shape[1:3]
    within = (np.inf, max(scale)) if min(scale) == -1 else tuple(scale)
    size = mmcv.rescale_size((width, height), within)
    resize = [mmcv.imresize(frame, size, interpolation=look.interpolation) for frame in frames]
    return np.stack(resize)


def export_video(
    model: nn.Module,
    video: str,
    question: Question,
    sampling: Sampling,
    look: Look,
    heatmaps: str | None,
    overlays: str | None,
    frames: str | None = None,
    overwrite: bool = False,
    batch_size: int = 1,
) -> None:
    """Explain one video and say what came out.

    Args:
        model (nn.Module): From :func:`mmsal.explain.load_recognizer`.
        video (str): Video file or folder of frames.
        question (Question): What is asked.
        sampling (Sampling): Of which frames.
        look (Look): How it is written and drawn.
        heatmaps, overlays (str, optional): Output files, or folders (for ``.txt`` and ``.mp4``).
        frames (str, optional): Ranges like ``1-75,152-225``.
        overwrite (bool): Replace files that exist.
        batch_size (int): Clips that go through the network at once.

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
        batch_size=batch_size,
        **_as_options(question),
        **_as_options(replace(sampling, keep_frames=overlays is not None)),
    )
    meta, prediction = explanation.heatmaps.meta, explanation.prediction
    print(f'prediction: {prediction.label} ({prediction.score:.4f})')
    print(f'explained: {meta["target_label"]}, {_by_what(meta)}')
    if heatmaps is not None:
        write_heatmaps(explanation.heatmaps, heatmaps, decimals=look.decimals)
        print(f'heatmaps of {len(explanation.heatmaps.frame_indices)} frames: {heatmaps}')
    if overlays is not None:
        draw_overlay(explanation, overlays, look)
        print(f'overlay: {overlays}')


def _as_options(chosen: Question | Sampling) -> dict:
    return {field.name: getattr(chosen, field.name) for field in fields(chosen)}


def _by_what(meta: dict) -> str:
    layers = meta['target_layers']
    if not layers:
        return f'method: {meta["method"]}'
    return f'target layer{"s" if len(layers) > 1 else ""}: {", ".join(layers)}'


def _file_in(name: str | None, video: str, suffix: str) -> Path | None:
    if name is None:
        return None
    return Path(name) / (Path(video).stem + suffix) if _is_folder(name) else Path(name)


def export_list(
    model: nn.Module,
    jobs: Sequence[Job],
    question: Question,
    sampling: Sampling,
    look: Look,
    heatmaps: str | None,
    overlays: str | None,
    file_format: str = 'txt',
    overwrite: bool = False,
    effort: Effort = Effort(),  # noqa: B008  it is frozen
) -> list[ManifestRow]:
    """Explain a list of videos, with a progress bar, and print which failed.

    Args:
        model (nn.Module): From :func:`mmsal.explain.load_recognizer`.
        jobs (Sequence[Job]): The list; see :func:`mmsal.explain.read_job_list`.
        question (Question): What is asked.
        sampling (Sampling): Of which frames.
        look (Look): How it is written and drawn.
        heatmaps, overlays (str, optional): Folders. Without ``heatmaps`` the heatmap files go
            into ``overlays``: the manifest refers to them.
        file_format (str): ``txt``, ``txt.gz`` or ``npz``.
        overwrite (bool): Explain again what a former run has done.
        effort (Effort): By what means.

    Returns:
        list[ManifestRow]: The videos that failed, of all processes.

    Raises:
        ValueError: The class, the layer or the method does not exist, or the folder holds other
            maps.
        OSError: A folder cannot be written.
    """
    folder = Path(heatmaps or overlays)
    output = Output(folder, f'.{file_format}', look.decimals, overwrite)
    if overlays:
        drawn = Path(overlays)
        drawn.mkdir(parents=True, exist_ok=True)
        output = replace(
            output,
            also=lambda job, explanation: draw_overlay(explanation, _overlay_of(job, drawn), look),
            also_done=lambda job: _overlay_of(job, drawn).is_file(),
        )
    sampling = replace(sampling, keep_frames=overlays is not None)
    failures = explain_with_progress(model, jobs, output, question, sampling, effort)
    if effort.ranks.rank == 0:
        tell_failures(failures, jobs, folder)
    return failures


def explain_with_progress(
    model: nn.Module,
    jobs: Sequence[Job],
    output: Output,
    question: Question,
    sampling: Sampling,
    effort: Effort,
) -> list[ManifestRow]:
    """Work through :func:`mmsal.explain.explain_jobs` under a progress bar; same arguments.

    Returns:
        list[ManifestRow]: The videos that failed, of all processes.
    """
    rows = explain_jobs(model, jobs, output, question, sampling, effort)
    for _ in _with_progress(rows, len(effort.ranks.share(jobs)), quiet=effort.ranks.rank != 0):
        pass
    # Every process's rows are in the manifest by now.
    listed = Manifest(output.folder).rows
    return failed(listed.get(str(job.video)) for job in jobs)


def tell_failures(failures: Sequence[ManifestRow], jobs: Sequence[Job], folder: Path) -> None:
    """Print which videos of a list failed, and how many are done."""
    for row in failures:
        error = row.error.removeprefix(f'{row.video}: ')
        print(f'failed: {row.video}: {error}', file=sys.stderr)
    print(f'{len(jobs) - len(failures)} of {len(jobs)} videos in {folder}')


def _overlay_of(job: Job, folder: Path) -> Path:
    return folder / f'{job.stem.as_posix()}.mp4'


def _with_progress(rows, total: int, quiet: bool = False):
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
    with Progress(*columns, console=Console(stderr=True, quiet=quiet)) as progress:
        task = progress.add_task('explaining', total=total, rate='')
        for row in rows:
            yield row
            progress.advance(task)
            speed = progress.tasks[0].speed
            progress.update(task, rate=f'{speed:.2f} videos/s' if speed else '')
