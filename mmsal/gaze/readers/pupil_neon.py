"""Fixations of Pupil Neon and Invisible, as Pupil Cloud exports them (``fixations.csv``).

A row per fixation, in pixels of the world video from its top left corner; clocks count nanoseconds
since 1970 (docs.pupil-labs.com/neon/data-collection/data-format). Time zero is the world video's
first frame, from ``world_timestamps.csv`` of the same export. Fixations on a reference image or a
surface, which enrichments export under the same file name, are another thing and are refused.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mmsal.gaze.placing import RawGaze
from mmsal.gaze.readers.format import (
    GazeFormat,
    check_order,
    header_has,
    integers,
    numbers,
    read_columns,
)
from mmsal.gaze.readers.pupil_world import first_frame, require_names
from mmsal.gaze.recording import Recording
from mmsal.gaze.table import GazeFormatError

SECTION, RECORDING = 'section id', 'recording id'
START, END = 'start timestamp [ns]', 'end timestamp [ns]'
X, Y = 'fixation x [px]', 'fixation y [px]'
COLUMNS = (RECORDING, 'fixation id', START, END, X, Y)
# Of enrichments: positions are on an image or a surface, not in the world video.
MAPPED = ('fixation detected in reference image', 'fixation detected on surface')
WORLD_TIME = 'timestamp [ns]'


def _recognise(path: Path, head: str) -> bool:
    mapped = any(header_has(head, (name,), ',') for name in MAPPED)
    return header_has(head, COLUMNS, ',') and not mapped


def _read(path: Path, recording: Recording) -> RawGaze:
    video, observer = require_names(recording, path)
    table = read_columns(path, COLUMNS, ',')
    mapped = [name for name in MAPPED if name in table.columns]
    if mapped:
        raise GazeFormatError(
            f'{path}: positions are not in the world video, for it has the column {mapped[0]!r}'
        )
    section = _only(table, path)
    start, end = integers(table, START, path), integers(table, END, path)
    check_order(start, end, table, path)
    if recording.time_zero is None:
        text, beside = first_frame(path, WORLD_TIME, section)
        recording = recording.with_defaults({'time_zero': _nanoseconds(text, beside)})
    fixations = pd.DataFrame(
        {
            'video': video,
            'observer': observer,
            'start_s': recording.seconds(start, 'ns'),
            'end_s': recording.seconds(end, 'ns'),
            'x': numbers(table, X, path),
            'y': numbers(table, Y, path),
        }
    )
    return RawGaze(fixations, 'video', counts={'rows': len(table)})


def _only(table: pd.DataFrame, path: Path) -> str | None:
    """The one section that all rows are of; None where the file does not name it."""
    for column in (RECORDING, SECTION):
        if column in table.columns and table[column].nunique() > 1:
            raise GazeFormatError(
                f'{path}: expected one {column}, as there is one video to each, got '
                f'{table[column].nunique()}'
            )
    return table[SECTION].iloc[0] if SECTION in table.columns else None


def _nanoseconds(text: str, path: Path) -> int:
    try:
        return int(text)
    except ValueError:
        raise GazeFormatError(f'{path}: expected whole nanoseconds, got {text!r}') from None


FORMAT = GazeFormat(
    name='pupil_neon',
    title='Pupil Neon or Invisible: fixations.csv of Pupil Cloud, in the world video',
    recognise=_recognise,
    read=_read,
    needs=('video', 'observer', 'video_size'),
    takes=('time_zero',),
)
