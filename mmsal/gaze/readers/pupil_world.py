"""The clock of a world video, from the ``world_timestamps.csv`` that Pupil Labs exports beside it.

Pupil Player: the first column, ``# timestamps [seconds]``, in pupil time. Pupil Cloud (Neon,
Invisible): ``timestamp [ns]``, since 1970, ``section id`` and ``recording id``. Both have a row per
frame of the exported world video, so the first row is that video's first frame.
"""

from __future__ import annotations

from pathlib import Path

from mmsal.gaze.readers.format import read_columns
from mmsal.gaze.recording import Recording
from mmsal.gaze.table import GazeFormatError

FILE_NAME = 'world_timestamps.csv'
RECORDING = 'recording id'


def first_frame(path: Path, column: str, section: str | None = None) -> tuple[str, Path]:
    """The clock at the world video's first frame, as the file's own text, and where it stands.

    Args:
        path: The file of fixations.
        column: Of the timestamps.
        section: Only rows of this ``section id`` count, where the file has that column.

    Raises:
        GazeFormatError: There is no such file beside ``path``, it is of another recording, or it
            has no such row.
    """
    beside = path.with_name(FILE_NAME)
    if not beside.is_file():
        raise GazeFormatError(
            f"{path}: the time of the video's first frame is not said: put {FILE_NAME} of the "
            'same export beside it, or give --time-zero'
        )
    table = read_columns(beside, (column,), ',')
    own = read_columns(path, (), ',')
    if RECORDING in table.columns and RECORDING in own.columns:
        table = table[table[RECORDING].str.strip().isin(own[RECORDING].str.strip())]
        if table.empty:
            raise GazeFormatError(
                f'{beside} is not of the recording {own[RECORDING].iloc[0]}, which {path} is of'
            )
    if section is not None and 'section id' in table.columns:
        table = table[table['section id'] == section]
        if table.empty:
            raise GazeFormatError(f'{beside}: no frame of section {section}, which {path} is of')
    return table[column].iloc[0].strip(), beside


def require_names(recording: Recording, path: Path) -> tuple[str, str]:
    """Video and observer, which Pupil Labs' files do not name."""
    recording.require(str(path), 'video', 'observer')
    return recording.video, recording.observer
