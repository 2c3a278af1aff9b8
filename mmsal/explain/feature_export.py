"""What ``feature_saliency.py`` writes: matrices and a picture for each video, and a manifest."""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from torch import nn

from mmsal.attribution.tsr.features import check_has_frame_features
from mmsal.explain.decoding import Decoded, decode_videos, one_line
from mmsal.explain.features import FeatureExplanation, FeatureQuestion, explain_features
from mmsal.explain.jobs import Job
from mmsal.explain.manifest import Manifest, ManifestRow
from mmsal.explain.prepare import Sampling, open_pipeline
from mmsal.explain.recognizer import find_class
from mmsal.heatmaps.atomic import atomic_files
from mmsal.visualization.feature_plot import draw_features

SUFFIX = '.npz'


def export_feature_video(
    models: Sequence[nn.Module],
    job: Job,
    folder: Path,
    question: FeatureQuestion,
    sampling: Sampling,
    overwrite: bool = False,
) -> None:
    """As :func:`export_feature_list`, of one video, whose faults are errors.

    Raises:
        ValueError: Also where the video cannot be explained.
    """
    check_networks(models, question)
    for model in models:  # before the folder is made
        open_pipeline(model.cfg, sampling).probe(job.video, sampling.source_fps)
    row = next(_export(models, [job], folder, question, sampling, overwrite))
    if row.status == 'failed':
        raise ValueError(row.error)
    print(f'prediction: {row.prediction} ({float(row.score):.4f})')
    print(f'feature saliency of {row.frames} frames: {folder / row.output}')


def export_feature_list(
    models: Sequence[nn.Module],
    jobs: Sequence[Job],
    folder: Path,
    question: FeatureQuestion,
    sampling: Sampling,
    overwrite: bool = False,
) -> list[ManifestRow]:
    """Write ``x.npz`` and ``x.png`` for each video x, and a manifest; tell what failed.

    Args:
        models (Sequence[nn.Module]): From :func:`mmsal.explain.load_recognizer`: one, or two to be
            shown side by side; the second explains the class that the first one explains.
        jobs (Sequence[Job]): The videos.
        folder (Path): Of the results; what is done there already is not done again.
        question (FeatureQuestion): What is asked.
        sampling (Sampling): Of which frames.
        overwrite (bool): Do again what is done.

    Returns:
        list[ManifestRow]: The videos that failed.

    Raises:
        ValueError: See :func:`check_networks`; or the folder holds results made otherwise.
        OSError: The folder cannot be written.
    """
    check_networks(models, question)
    rows = _export(models, jobs, folder, question, sampling, overwrite)
    console = Console(stderr=True)
    failures = [
        row
        for row in track(rows, 'explaining', total=len(jobs), console=console)
        if row.status == 'failed'
    ]
    for row in failures:
        error = row.error.removeprefix(f'{row.video}: ')
        print(f'failed: {row.video}: {error}', file=sys.stderr)
    print(f'{len(jobs) - len(failures)} of {len(jobs)} videos in {folder}')
    return failures


def check_networks(models: Sequence[nn.Module], question: FeatureQuestion) -> None:
    """Refuse what no video could change.

    Raises:
        ValueError: A network without a sequence of frame features, networks of different classes,
            or an unknown class.
    """
    for model in models:
        check_has_frame_features(model)
    find_class(models[0].class_names, question.target)
    classes = {', '.join(model.class_names) for model in models}
    if len(classes) > 1:
        raise ValueError(
            f'expected two networks of the same classes, got {" and ".join(sorted(classes))}'
        )


def _export(
    models: Sequence[nn.Module],
    jobs: Sequence[Job],
    folder: Path,
    question: FeatureQuestion,
    sampling: Sampling,
    overwrite: bool,
) -> Iterator[ManifestRow]:
    """Begin the folder's manifest, then give a row for each video, in the order of the list."""
    pipelines = [open_pipeline(model.cfg, sampling) for model in models]
    folder.mkdir(parents=True, exist_ok=True)
    manifest = Manifest(folder, overwrite)
    ranges = {str(job.video): job.frame_ranges for job in jobs}
    settings = _settings(models, question, sampling)
    manifest.begin(*json.loads(json.dumps([settings, ranges])), overwrite)  # lists, not tuples
    for job in jobs:
        manifest.claim(str(job.video), _output(job))
    pending = [job for job in jobs if not _is_done(manifest, job, folder)]
    decoded = zip(
        *(decode_videos(pending, one, sampling, from_source=False) for one in pipelines),
        strict=True,
    )
    # A generator of its own, so that what is wrong with the folder is told at the call.
    return _work_through(models, jobs, set(pending), decoded, manifest, folder, question)


def _work_through(
    models: Sequence[nn.Module],
    jobs: Sequence[Job],
    pending: set[Job],
    decoded: Iterator[Sequence[Decoded]],
    manifest: Manifest,
    folder: Path,
    question: FeatureQuestion,
) -> Iterator[ManifestRow]:
    for job in jobs:
        if job in pending:
            manifest.record(_explain_job(models, next(decoded), folder, question))
        yield manifest.rows[str(job.video)]


def _settings(models: Sequence[nn.Module], question: FeatureQuestion, sampling: Sampling) -> dict:
    """All that changes the results; JSON values."""
    asked = {**asdict(question), **asdict(sampling)}
    unimportant = ('batch_size', 'keep_frames')
    return {
        'method': 'feature_saliency',
        'checkpoint_sha256': [model.checkpoint_info['sha256'] for model in models],
        'config': [model.cfg.pretty_text for model in models],
        **{key: value for key, value in asked.items() if key not in unimportant},
    }


def _output(job: Job) -> str:
    return f'{job.stem.as_posix()}{SUFFIX}'


def _is_done(manifest: Manifest, job: Job, folder: Path) -> bool:
    picture = folder / f'{job.stem.as_posix()}.png'
    return manifest.is_done(str(job.video), _output(job)) and picture.is_file()


def _explain_job(
    models: Sequence[nn.Module], decoded: Sequence[Decoded], folder: Path, question: FeatureQuestion
) -> ManifestRow:
    """Explain one video by all networks, write its files and give its row."""
    job, started = decoded[0].job, time.perf_counter()
    row = ManifestRow(str(job.video), error=next((one.error for one in decoded if one.error), ''))
    if not row.error:
        try:
            found = [explain_features(models[0], decoded[0].video, question)]
            same = replace(question, target=found[0].label)  # its name: a number may be one too
            for model, other in zip(models[1:], decoded[1:], strict=True):
                found.append(explain_features(model, other.video, same))
            _write(found, models, folder / job.stem)
        except (ValueError, OSError) as error:
            row.error = one_line(error)
        except (RuntimeError, MemoryError) as error:  # of the network, or too large a video
            row.error = f'{type(error).__name__}: {one_line(error)}'
        else:
            row.status, row.output = 'done', _output(job)
            row.prediction = found[0].prediction.label
            row.score = f'{found[0].prediction.score:.6f}'
            row.frames = str(found[0].frame_indices.size)
    seconds = sum(one.seconds for one in decoded) + time.perf_counter() - started
    row.seconds = f'{seconds:.3f}'
    return row


def _write(found: Sequence[FeatureExplanation], models: Sequence[nn.Module], stem: Path) -> None:
    """The npz file, complete when it appears, and the picture, which is there before it."""
    arrays = dict(found[0].arrays)
    for other in found[1:]:
        arrays.update({f'beside_{key}': value for key, value in other.arrays.items()})
    panels = [one.panel(_name(model)) for one, model in zip(found, models, strict=True)]
    best = found[0].prediction
    title = (
        f'{Path(found[0].meta["video"]).name}: predicted {best.label} ({best.score:.2f}), '
        f'explained {found[0].label}'
    )
    stem.parent.mkdir(parents=True, exist_ok=True)
    png, npz = (stem.with_name(f'{stem.name}{suffix}') for suffix in ('.png', SUFFIX))
    with atomic_files(png, npz) as (picture, data):
        draw_features(panels, picture, title)
        with data.open('wb') as file:  # a file, because NumPy would add .npz to another name
            np.savez_compressed(file, **arrays)


def _name(model: nn.Module) -> str:
    return Path(model.cfg.filename).stem if model.cfg.filename else type(model).__name__
