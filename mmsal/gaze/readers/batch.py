"""Many gaze files into one fixation table; a fault in one file spares the others."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mmsal.gaze.readers import read_fixations
from mmsal.gaze.table import FIXATION_COLUMNS, GazeFormatError, validate_fixations

KEPT, READ, TWICE = 'fixations', 'rows', 'in_two_trials'
WORDS = {
    'no_fixation': 'not fixating',
    'missing': 'without a position',
    'outside': 'outside the picture',
    'before_video': 'before the video',
    'low_confidence': 'of low confidence',
    'other_eye': 'of the other eye',
    'one_eye_alone': 'where one eye alone fixates',
    'no_sample': 'that are no samples',
    'no_video': 'of no video',
    'no_time_zero': 'of a video whose start is not known',
    'off_surface': 'not on the surface',
    'no_point': 'annotations without a point',
    'joined': 'joined to another of the same fixation',
}


@dataclass(frozen=True)
class FileRead:
    """What became of one file: its ``table`` (with ``attrs``), or the ``error`` in one line."""

    path: Path
    table: pd.DataFrame | None
    error: str = ''


def read_files(
    paths: Iterable[Path], format: str | None = None, names: str | None = None, **recording
) -> Iterator[FileRead]:
    """Read gaze files one by one.

    Args:
        paths: Files, or folders that are one recording.
        format: See :func:`mmsal.gaze.readers.read_fixations`.
        names: Regular expression that is searched in each path (with ``/`` between folders) and
            whose groups ``video`` and ``observer`` name these; None leaves that to the files and to
            ``recording``.
        **recording: See :class:`mmsal.gaze.recording.Recording`.

    Yields:
        A :class:`FileRead` per path, in order.

    Raises:
        GazeFormatError: ``names`` cannot be used.
    """
    pattern = None if names is None else _compile(names, recording)
    for path in paths:
        try:
            named = {} if pattern is None else _named(pattern, path)
            yield FileRead(path, read_fixations(path, format, **{**recording, **named}))
        except OSError as error:
            yield FileRead(path, None, f'{path}: {error.strerror or error}')
        except (ValueError, ImportError) as error:
            message = ' '.join(str(error).split())
            yield FileRead(path, None, message if str(path) in message else f'{path}: {message}')


def join_tables(reads: Iterable[FileRead]) -> pd.DataFrame:
    """One fixation table of all files that could be read; ``attrs['counts']`` are their sums."""
    tables = [one.table for one in reads if one.table is not None]
    counts: Counter = Counter()
    for table in tables:
        counts.update(table.attrs['counts'])
    columns = [table[list(FIXATION_COLUMNS)] for table in tables]
    for table in columns:
        table.attrs = {}  # pandas compares them
    joined = (
        pd.concat(columns, ignore_index=True)
        if columns
        else pd.DataFrame(columns=list(FIXATION_COLUMNS))
    )
    joined = validate_fixations(joined)
    joined.attrs['counts'] = dict(counts)
    return joined


def doubled(reads: Iterable[FileRead]) -> list[str]:
    """Sentences on observers who saw one video several times, in one file or in several."""
    reads = list(reads)
    files: dict[tuple[str, str], list[Path]] = {}
    for one in reads:
        if one.table is not None:
            for key in one.table.groupby(['video', 'observer'], sort=False).groups:
                files.setdefault(key, []).append(one.path)
    within = [
        f'observer {each["observer"]} saw {each["video"]} {each["showings"]} times in {one.path}'
        for one in reads
        if one.table is not None
        for each in one.table.attrs.get('showings', ())
    ]
    return within + [
        f'observer {observer} on {video} is in several files: {", ".join(map(str, paths))}'
        for (video, observer), paths in files.items()
        if len(paths) > 1
    ]


def emptied(reads: Iterable[FileRead]) -> list[str]:
    """Sentences on files that could be read and of which no fixation is left."""
    return [
        f'{one.path}: no fixation is left: {in_words(one.table.attrs["counts"])}'
        for one in reads
        if one.table is not None and one.table.empty
    ]


def in_words(counts: dict[str, int]) -> str:
    """Counts of a table as a phrase: fixations, rows, and what was left out."""
    left = [
        f'{count} {WORDS.get(reason, reason.replace("_", " "))}'
        for reason, count in counts.items()
        if reason not in (KEPT, READ, TWICE) and count
    ]
    out = f'; left out: {", ".join(left)}' if left else ''
    twice = f', {counts[TWICE]} of them in two trials' if counts.get(TWICE) else ''
    return f'{many(counts[KEPT], "fixation")} from {many(counts.get(READ, 0), "row")}{twice}{out}'


def many(count: int, thing: str) -> str:
    """A number and what it counts, in the plural unless it is 1."""
    return f'{count} {thing}' if count == 1 else f'{count} {thing}s'


def record(reads: Iterable[FileRead]) -> dict:
    """Of every file its format, counts, and what was said about it; JSON values."""
    files, failed = [], []
    for one in reads:
        if one.table is None:
            failed.append({'file': str(one.path), 'error': one.error})
        else:
            files.append({'file': str(one.path), **one.table.attrs})
    return {'files': files, 'failed': failed}


def _compile(names: str, recording: dict) -> re.Pattern:
    try:
        pattern = re.compile(names)
    except re.error as error:
        raise GazeFormatError(f'expected names as a regular expression: {error}') from None
    groups = set(pattern.groupindex)
    if not groups or groups - {'video', 'observer'}:
        raise GazeFormatError(
            f'expected names with groups (?P<video>...) or (?P<observer>...), got {names!r}'
        )
    twice = [name for name in sorted(groups) if recording.get(name) is not None]
    if twice:
        raise GazeFormatError(f'{twice[0]} is said twice, by names and by --{twice[0]}')
    return pattern


def _named(pattern: re.Pattern, path: Path) -> dict[str, str]:
    found = pattern.search(path.as_posix())
    if not found or not all(found.groupdict().values()):
        raise GazeFormatError(f'{path}: the path does not fit --names {pattern.pattern!r}')
    return found.groupdict()
