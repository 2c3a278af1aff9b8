"""Fixation tables as this package writes them (:mod:`mmsal.gaze.table`), as CSV or Parquet.

Positions are pixels of the source video already. Where the size of the video is said, points
outside the picture are left out and counted; where it is not, they stay.
"""

from __future__ import annotations

from pathlib import Path

from mmsal.gaze.placing import RawGaze
from mmsal.gaze.readers.format import GazeFormat, header_has
from mmsal.gaze.recording import Recording
from mmsal.gaze.table import (
    FIXATION_COLUMNS,
    PARQUET,
    GazeFormatError,
    read_fixation_table,
)

PARQUET_MAGIC = 'PAR1'


def _recognise_csv(path: Path, head: str) -> bool:
    return header_has(head, tuple(FIXATION_COLUMNS), ',')


def _recognise_parquet(path: Path, head: str) -> bool:
    return path.suffix.lower() == PARQUET and head.startswith(PARQUET_MAGIC)


def _read(path: Path, recording: Recording) -> RawGaze:
    for name in ('video', 'observer'):
        if getattr(recording, name) is not None:
            raise GazeFormatError(f'{path}: the table names every {name}; leave out --{name}')
    table = read_fixation_table(path)
    table = table.rename(columns={'x_px': 'x', 'y_px': 'y'})
    return RawGaze(table, 'video', needs_size=False, counts={'rows': len(table)})


CSV_FORMAT = GazeFormat(
    name='table',
    title='Fixation table of this package (CSV: video, observer, start_s, end_s, x_px, y_px)',
    recognise=_recognise_csv,
    read=_read,
)
PARQUET_FORMAT = GazeFormat(
    name='table_parquet',
    title='Fixation table of this package (Parquet; needs pyarrow)',
    recognise=_recognise_parquet,
    read=_read,
)
