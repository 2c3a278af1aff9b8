"""What ``frame_saliency.py`` writes: heatmaps, what each frame counts, and pictures of both."""

import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from mmsal.attribution.input_options import INPUT_OPTIONS
from mmsal.attribution.tsr.clip_tsr import TSR_OPTIONS
from mmsal.attribution.tsr.explainer import TSR
from mmsal.datasets.clip_range import fit_range
from mmsal.explain.batch import Effort, Output
from mmsal.explain.export import Look, draw_overlay, explain_with_progress, tell_failures
from mmsal.explain.frame_pictures import draw_strip, draw_times, frame_table
from mmsal.explain.jobs import Job
from mmsal.explain.manifest import Manifest, ManifestRow
from mmsal.explain.one_video import Explanation, Question
from mmsal.explain.prepare import Sampling, open_pipeline
from mmsal.heatmaps.atomic import atomic_files

ALIASES = {'gradient': 'input_gradient'}
TABLE, STRIP, PLOT, OVERLAY = '.time.csv', '.strip.png', '.time.png', '.mp4'


def ask(
    method: str, options: dict[str, Any], target: int | str | None = None, space: str = 'source'
) -> Question:
    """The question that a command line puts, its method's options complete.

    Complete, so that the sidecars tell all of them, and a default that is spelt out is no other
    setting.

    Args:
        method (str): One of ``METHODS``, or ``'gradient'`` for ``'input_gradient'``; likewise the
            option ``of``.
        options (dict): Those that were given. What is wrong with them is told by
            :meth:`Question.open`.
        target, space: See :class:`Question`.
    """
    method, given = ALIASES.get(method, method), dict(options)
    if 'of' in given:
        given['of'] = ALIASES.get(given['of'], given['of'])
    if method == TSR:
        known = {**TSR_OPTIONS, **INPUT_OPTIONS.get(given.get('of', TSR_OPTIONS['of']), {})}
    else:
        known = INPUT_OPTIONS.get(method, {})
    return Question(method, None, {**known, **given}, target, space)


def frame_output(
    folder: Path, look: Look, file_format: str = 'txt', overwrite: bool = False
) -> Output:
    """An :class:`Output` that writes, beside the heatmaps ``x.txt`` of each video x, its pictures.

    ``x.time.csv`` holds :func:`frame_table`, ``x.time.png`` draws it, ``x.strip.png`` shows some
    frames over their maps and ``x.mp4`` all of them.

    Args:
        folder (Path): Gets everything.
        look (Look): How it is written and drawn.
        file_format (str): Of the heatmaps: ``txt``, ``txt.gz`` or ``npz``.
        overwrite (bool): Explain again what a former run has done.
    """
    return Output(
        folder, f'.{file_format}', look.decimals, overwrite,
        also=partial(_write_pictures, folder, look), also_done=partial(_has_pictures, folder),
    )  # fmt: skip


def explain_frames_of_video(
    model: nn.Module,
    job: Job,
    output: Output,
    question: Question,
    sampling: Sampling,
    effort: Effort = Effort(),  # noqa: B008  it is frozen
) -> None:
    """As :func:`explain_frames_of_list`, of one video, whose faults are errors.

    Raises:
        ValueError: Also where the video cannot be explained.
    """
    # Before the folder is made.
    info = open_pipeline(model.cfg, sampling).probe(job.video, sampling.source_fps)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # a range that ends late is told again
        for one in job.frame_ranges or ():
            fit_range(one, info.frames, str(job.video))
    failures = explain_with_progress(model, [job], output, question, sampling, effort)
    if failures:
        raise ValueError(failures[0].error)
    row = Manifest(output.folder).rows[str(job.video)]
    print(f'prediction: {row.prediction} ({float(row.score):.4f})')
    print(f'{question.method} of {row.frames} frames: {output.folder / row.output}')


def explain_frames_of_list(
    model: nn.Module,
    jobs: Sequence[Job],
    output: Output,
    question: Question,
    sampling: Sampling,
    effort: Effort = Effort(),  # noqa: B008
) -> list[ManifestRow]:
    """Explain a list of videos, with a progress bar, and print which failed.

    Args:
        model (nn.Module): From :func:`mmsal.explain.load_recognizer`.
        jobs (Sequence[Job]): The list.
        output (Output): From :func:`frame_output`.
        question (Question): From :func:`ask`.
        sampling (Sampling): Of which frames, with ``keep_frames``.
        effort (Effort): By what means.

    Returns:
        list[ManifestRow]: The videos that failed.

    Raises:
        ValueError: The class or the method does not exist, or the folder holds other maps.
        OSError: The folder cannot be written.
    """
    failures = explain_with_progress(model, jobs, output, question, sampling, effort)
    tell_failures(failures, jobs, output.folder)
    return failures


def _path(folder: Path, job: Job, suffix: str) -> Path:
    return folder / f'{job.stem.as_posix()}{suffix}'


def _has_pictures(folder: Path, job: Job) -> bool:
    return all(_path(folder, job, suffix).is_file() for suffix in (TABLE, STRIP, PLOT, OVERLAY))


def _write_pictures(folder: Path, look: Look, job: Job, explanation: Explanation) -> None:
    table = frame_table(explanation.heatmaps)
    path = _path(folder, job, TABLE)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_files(path) as (partial_file,):
        table.to_csv(partial_file, index=False, float_format='%.9g', lineterminator='\n')
    draw_strip(explanation, table, job.frame_ranges, _path(folder, job, STRIP), look)
    draw_times(explanation, table, job.frame_ranges, _path(folder, job, PLOT))
    draw_overlay(explanation, _path(folder, job, OVERLAY), look)
