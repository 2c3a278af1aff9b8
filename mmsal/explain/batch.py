"""Explaining a list of videos: one model, a manifest, and a second run goes on where it stopped."""

import csv
import io
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from torch import nn

from mmsal.attribution import TargetLayerError
from mmsal.explain.jobs import Job
from mmsal.explain.one_video import Explanation, explain_video
from mmsal.heatmaps import write_heatmaps


@dataclass
class ManifestRow:
    """One line of ``manifest.csv``.

    Attributes:
        video: Path as given.
        status: ``done`` or ``failed``.
        output: Heatmap file, relative to the manifest's folder.
        prediction: Name of the predicted class.
        score: Its probability.
        frames: Number of maps.
        seconds: Time spent.
        error: What went wrong.
    """

    video: str
    status: str = 'failed'
    output: str = ''
    prediction: str = ''
    score: str = ''
    frames: str = ''
    seconds: str = ''
    error: str = ''


class OutputTakenError(ValueError):
    """Two videos of different lists would write the same file."""


class Manifest:
    """``manifest.csv`` of an output folder, complete on disk after every video.

    Beside it, ``settings.json`` keeps how the maps were made, so that a later run with another
    checkpoint, class or method, or of other frames, does not pass older maps off as its own.

    Args:
        folder (Path): The output folder; it exists.
        settings (dict): Everything that changes the maps; JSON values.
        frame_ranges (dict): Of each video, by its path as given; JSON values.
        overwrite (bool): Begin anew with these videos. Maps of others stay, and must have been
            made with the same settings.

    Raises:
        ValueError: The folder's maps were made with other settings, or its manifest is none.
    """

    def __init__(
        self, folder: Path, settings: dict, frame_ranges: dict, overwrite: bool = False
    ) -> None:
        self.path = folder / 'manifest.csv'
        self.rows = self._read(overwrite)
        if overwrite:
            self.rows = {v: row for v, row in self.rows.items() if v not in frame_ranges}
        noted = folder / 'settings.json'
        before = json.loads(noted.read_text(encoding='utf-8')) if noted.is_file() else {}
        known = before.pop('frame_ranges', {})
        done = [row.video for row in self.rows.values() if row.status == 'done']
        if done:  # else no maps are there that could be mistaken
            chosen = {video: frame_ranges[video] for video in done if video in frame_ranges}
            _compare_settings(
                before | _naming_videos(known), settings | _naming_videos(chosen), folder, overwrite
            )
        settings = {**settings, 'frame_ranges': {**known, **frame_ranges}}
        _write(noted, json.dumps(settings, indent=1, sort_keys=True) + '\n')

    def _read(self, overwrite: bool) -> dict[str, ManifestRow]:
        if not self.path.is_file():
            return {}
        names = [field.name for field in fields(ManifestRow)]
        with self.path.open(newline='', encoding='utf-8') as file:
            reader = csv.DictReader(file)
            if reader.fieldnames == names:
                return {row['video']: ManifestRow(**row) for row in reader}
        if overwrite:
            return {}
        raise ValueError(f'{self.path} is no manifest: expected columns {names}')

    def is_done(self, video: str, output: str) -> bool:
        """Whether this video was explained before, its file still being there."""
        row = self.rows.get(video)
        finished = row is not None and row.status == 'done' and row.output == output
        return finished and (self.path.parent / output).is_file()

    def claim(self, video: str, output: str) -> None:
        """Refuse an output file that holds another video's maps.

        Raises:
            OutputTakenError: Names that video.
        """
        for row in self.rows.values():
            if row.output == output and row.video != video:
                raise OutputTakenError(
                    f'{self.path.parent / output} holds the maps of {row.video}, not of {video}: '
                    'name another folder, or put both videos into one list'
                )

    def record(self, row: ManifestRow) -> None:
        """Add or replace a video's row and write the file anew, in one move."""
        self.rows[row.video] = row
        text = io.StringIO()
        writer = csv.DictWriter(text, [field.name for field in fields(ManifestRow)])
        writer.writeheader()
        writer.writerows(asdict(one) for one in self.rows.values())
        _write(self.path, text.getvalue())


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f'.{path.name}.{os.getpid()}')
    partial.write_text(text, encoding='utf-8', newline='')
    partial.replace(path)


def _naming_videos(frame_ranges: dict) -> dict:
    return {f'frame_ranges of {video}': ranges for video, ranges in frame_ranges.items()}


def _compare_settings(before: dict, now: dict, folder: Path, overwrite: bool) -> None:
    for key, value in now.items():
        if before.get(key) == value:
            continue
        values = f'{key} {before.get(key)!r}, not {value!r}'
        if len(values) > 200:  # a whole config, say
            values = f'another {key}'
        whose = 'maps of other videos, ' if overwrite else 'maps '
        way_out = '' if overwrite else ', or pass --overwrite'
        raise ValueError(f'{folder} holds {whose}made with {values}: name another folder{way_out}')


def explain_jobs(
    model: nn.Module,
    jobs: Sequence[Job],
    folder: str | Path,
    suffix: str = '.txt',
    decimals: int = 6,
    overwrite: bool = False,
    also: Callable[[Job, Explanation], None] | None = None,
    also_done: Callable[[Job], bool] | None = None,
    **options,
) -> Iterator[ManifestRow | None]:
    """Write the heatmaps of every job into a folder, with a manifest.

    Args:
        model (nn.Module): From :func:`mmsal.explain.load_recognizer`.
        jobs (Sequence[Job]): From :func:`mmsal.explain.read_job_list`.
        folder: Gets one heatmap file per job, under the job's stem, and ``manifest.csv``.
        suffix (str): ``.txt``, ``.txt.gz`` or ``.npz``.
        decimals (int): Digits after the point in text files.
        overwrite (bool): Explain again what the manifest says is done.
        also: Called with each job and its explanation, to draw an overlay, say; an error in it
            fails the job.
        also_done: Whether ``also`` has done its part of a job before; it always has by default.
        options: Passed to :func:`mmsal.explain.explain_video`.

    Returns:
        Iterator: After each job its row, or None where it was done before.

    Raises:
        ValueError: The folder holds maps made with other settings or of other frames.
        OutputTakenError: The file of a job holds another video's maps.
        TargetLayerError: While iterating: the target layer cannot be explained, in no video.
        OSError: The folder cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        'checkpoint_sha256': model.checkpoint_info['sha256'],
        'config': model.cfg.pretty_text,
        'decimals': decimals,
        **{key: value for key, value in options.items() if key != 'keep_frames'},
    }
    # As JSON gives them back, to be compared: lists, not tuples.
    ranges = {str(job.video): job.frame_ranges and [*map(list, job.frame_ranges)] for job in jobs}
    manifest = Manifest(folder, settings, ranges, overwrite)
    for job in jobs:
        manifest.claim(str(job.video), f'{job.stem.as_posix()}{suffix}')

    def explain(job: Job, output: str) -> Explanation:
        explanation = explain_video(model, job.video, frame_ranges=job.frame_ranges, **options)
        if also is not None:
            also(job, explanation)
        (folder / output).parent.mkdir(parents=True, exist_ok=True)
        write_heatmaps(explanation.heatmaps, folder / output, decimals=decimals)
        return explanation

    # A generator of its own, so that what is wrong with the folder is told at the call.
    return _work_through(jobs, manifest, explain, suffix, overwrite, also_done)


def _work_through(
    jobs: Sequence[Job],
    manifest: Manifest,
    explain: Callable[[Job, str], Explanation],
    suffix: str,
    overwrite: bool,
    also_done: Callable[[Job], bool] | None,
) -> Iterator[ManifestRow | None]:
    for job in jobs:
        output = f'{job.stem.as_posix()}{suffix}'
        done = manifest.is_done(str(job.video), output)
        if done and not overwrite and (also_done is None or also_done(job)):
            yield None
            continue
        row = ManifestRow(str(job.video))
        started = time.perf_counter()
        try:
            explanation = explain(job, output)
            row.status, row.output = 'done', output
            row.prediction = explanation.prediction.label
            row.score = f'{explanation.prediction.score:.6f}'
            row.frames = str(len(explanation.heatmaps.frame_indices))
        except TargetLayerError:  # every video's fault
            raise
        except (ValueError, OSError) as error:  # this video's fault: the others go on
            row.error = ' '.join(str(error).split())
        row.seconds = f'{time.perf_counter() - started:.3f}'
        manifest.record(row)
        yield row


def failed(rows: Iterable[ManifestRow | None]) -> list[ManifestRow]:
    """The rows of jobs that failed."""
    return [row for row in rows if row is not None and row.status == 'failed']
