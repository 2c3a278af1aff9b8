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


class Manifest:
    """``manifest.csv`` of an output folder, complete on disk after every video.

    Beside it, ``settings.json`` keeps how the maps were made, so that a later run with another
    checkpoint, class or method does not pass older maps off as its own.

    Args:
        folder (Path): The output folder; it exists.
        settings (dict): Everything that changes the maps; JSON values.
        overwrite (bool): Begin anew, whatever the folder holds.

    Raises:
        ValueError: The folder's maps were made with other settings, or its manifest is none.
    """

    def __init__(self, folder: Path, settings: dict, overwrite: bool = False) -> None:
        self.path = folder / 'manifest.csv'
        self.rows: dict[str, ManifestRow] = {}
        noted = folder / 'settings.json'
        if not overwrite and noted.is_file():
            _compare_settings(json.loads(noted.read_text(encoding='utf-8')), settings, folder)
        _write(noted, json.dumps(settings, indent=1, sort_keys=True) + '\n')
        if not overwrite and self.path.is_file():
            names = [field.name for field in fields(ManifestRow)]
            with self.path.open(newline='', encoding='utf-8') as file:
                reader = csv.DictReader(file)
                if reader.fieldnames != names:
                    raise ValueError(f'{self.path} is no manifest: expected columns {names}')
                self.rows = {row['video']: ManifestRow(**row) for row in reader}

    def is_done(self, video: str, output: str) -> bool:
        """Whether this video was explained before, its file still being there."""
        row = self.rows.get(video)
        finished = row is not None and row.status == 'done' and row.output == output
        return finished and (self.path.parent / output).is_file()

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


def _compare_settings(before: dict, now: dict, folder: Path) -> None:
    changed = [key for key in now if before.get(key) != now[key]]
    if changed:
        key = changed[0]
        raise ValueError(
            f'{folder} holds maps made with {key} {before.get(key)!r}, not {now[key]!r}: '
            'name another folder, or pass --overwrite'
        )


def explain_jobs(
    model: nn.Module,
    jobs: Sequence[Job],
    folder: str | Path,
    suffix: str = '.txt',
    decimals: int = 6,
    overwrite: bool = False,
    also: Callable[[Job, Explanation], None] | None = None,
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
        options: Passed to :func:`mmsal.explain.explain_video`.

    Yields:
        After each job its row, or None where it was done before.

    Raises:
        ValueError: The folder holds maps made with other settings.
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
    manifest = Manifest(folder, settings, overwrite)
    for job in jobs:
        output = f'{job.stem.as_posix()}{suffix}'
        if not overwrite and manifest.is_done(str(job.video), output):
            yield None
            continue
        row = ManifestRow(str(job.video))
        started = time.perf_counter()
        try:
            explanation = explain_video(model, job.video, frame_ranges=job.frame_ranges, **options)
            if also is not None:
                also(job, explanation)
            (folder / output).parent.mkdir(parents=True, exist_ok=True)
            write_heatmaps(explanation.heatmaps, folder / output, decimals=decimals)
            row.status, row.output = 'done', output
            row.prediction = explanation.prediction.label
            row.score = f'{explanation.prediction.score:.6f}'
            row.frames = str(len(explanation.heatmaps.frame_indices))
        except (ValueError, OSError) as error:  # this video's fault: the others go on
            row.error = ' '.join(str(error).split())
        row.seconds = f'{time.perf_counter() - started:.3f}'
        manifest.record(row)
        yield row


def failed(rows: Iterable[ManifestRow | None]) -> list[ManifestRow]:
    """The rows of jobs that failed."""
    return [row for row in rows if row is not None and row.status == 'failed']
