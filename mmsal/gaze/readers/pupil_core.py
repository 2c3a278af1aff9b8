"""Fixations of Pupil Core, as Pupil Player exports them (docs.pupil-labs.com/core, Raw Data).

``fixations.csv``: a row per fixation; ``start_timestamp`` in pupil time (seconds), ``duration`` in
milliseconds, ``norm_pos`` as shares of the world video from its bottom left corner, ``confidence``
0 to 1. Time zero is the first frame of the exported world video.

``surfaces/fixations_on_surface_NAME.csv``: a row per fixation and world frame, positions as shares
of the surface, from its bottom left corner. The video that was watched is another than the world
video, so its start in pupil time must be said; and whether the surface is the screen or the video.
Of a fixation the frames with ``on_surf`` count; its position is their mean.

Old versions of Player wrote durations in seconds and other names of columns (``start_frame`` or
``start_index``, ``on_srf``); such files are refused.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from mmsal.gaze.placing import RAW_COLUMNS, RawGaze
from mmsal.gaze.readers.format import (
    GazeFormat,
    check_order,
    given_numbers,
    header_has,
    numbers,
    read_columns,
)
from mmsal.gaze.readers.pupil_world import first_frame, require_names
from mmsal.gaze.recording import Recording
from mmsal.gaze.table import GazeFormatError

ID, START, DURATION, CONFIDENCE = 'id', 'start_timestamp', 'duration', 'confidence'
X, Y = 'norm_pos_x', 'norm_pos_y'
COLUMNS = (ID, START, DURATION, 'start_frame_index', 'end_frame_index', X, Y, CONFIDENCE)
SURFACE_ID, ON_SURFACE = 'fixation_id', 'on_surf'
SURFACE_COLUMNS = ('world_timestamp', 'world_index', SURFACE_ID, START, DURATION, X, Y, ON_SURFACE)
WORLD_TIME = '# timestamps [seconds]'
SHORTEST_MS = 5.0  # no detector calls a shorter thing a fixation; seconds would be below it
SURFACES = ('screen-normalised', 'video-normalised')


def _read(path: Path, recording: Recording) -> RawGaze:
    video, observer = require_names(recording, path)
    table = read_columns(path, COLUMNS, ',')
    if recording.time_zero is None:
        text, beside = first_frame(path, WORLD_TIME)
        recording = recording.with_defaults({'time_zero': _seconds(text, beside)})
    start, end = _times(table, path)
    fixations = pd.DataFrame(
        {
            'video': video,
            'observer': observer,
            'start_s': recording.seconds(start, 's'),
            'end_s': recording.seconds(end, 's'),
            'x': numbers(table, X, path),
            'y': numbers(table, Y, path),
        }
    )
    counts = {'rows': len(table)}
    if recording.min_confidence is not None:
        # A confidence that is missing is none.
        low = ~(numbers(table, CONFIDENCE, path) >= recording.min_confidence)
        fixations = fixations[~low]
        counts['low_confidence'] = int(low.sum())
    return RawGaze(fixations, 'video-normalised', 'bottom-left', counts=counts)


def _read_surface(path: Path, recording: Recording) -> RawGaze:
    video, observer = require_names(recording, path)
    recording.require(f'{path} (fixations on a surface)', 'time_zero', 'space')
    if recording.space not in SURFACES:
        raise GazeFormatError(
            f'{path}: expected --space {" (the surface is the screen) or ".join(SURFACES)} (it is '
            f'the video), got {recording.space}'
        )
    if recording.min_confidence is not None:
        raise GazeFormatError(f'{path} has no confidence: leave out --min-confidence')
    table = read_columns(path, SURFACE_COLUMNS, ',')
    start, end = _times(table, path)
    on_surface = _truths(table, path)
    rows = pd.DataFrame(
        {
            'fixation': table[SURFACE_ID].str.strip(),
            'start_s': recording.seconds(start, 's'),
            'end_s': recording.seconds(end, 's'),
            'x': numbers(table, X, path),
            'y': numbers(table, Y, path),
        }
    )[on_surface]
    fixations = rows.groupby('fixation', sort=False).agg(
        start_s=('start_s', 'first'), end_s=('end_s', 'first'), x=('x', 'mean'), y=('y', 'mean')
    )
    fixations = fixations.assign(video=video, observer=observer).reset_index(drop=True)
    counts = {
        'rows': len(table),
        'off_surface': int((~on_surface).sum()),
        'joined': int(on_surface.sum()) - len(fixations),
    }
    return RawGaze(fixations[list(RAW_COLUMNS)], recording.space, 'bottom-left', counts=counts)


def _times(table: pd.DataFrame, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Start and end in pupil time, seconds."""
    start = given_numbers(table, START, path).to_numpy()
    duration = given_numbers(table, DURATION, path).to_numpy()
    end = start + duration / 1000
    check_order(np.zeros(len(duration)), duration, table, path)
    if duration.max() < SHORTEST_MS:
        raise GazeFormatError(
            f'{path}: expected durations in milliseconds, got at most {duration.max():g}; old '
            'versions of Pupil Player wrote seconds: export again'
        )
    return start, end


def _truths(table: pd.DataFrame, path: Path) -> np.ndarray:
    words = table[ON_SURFACE].str.strip().str.lower()
    wrong = ~words.isin(['true', 'false'])
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        raise GazeFormatError(
            f'{path}, line {table.index[row] + 2}: expected True or False in {ON_SURFACE}, got '
            f'{table[ON_SURFACE].iloc[row]!r}'
        )
    return (words == 'true').to_numpy()


def _seconds(text: str, path: Path) -> float:
    try:
        return float(text)
    except ValueError:
        raise GazeFormatError(f'{path}, line 2: expected seconds, got {text!r}') from None


FORMAT = GazeFormat(
    name='pupil_core',
    title='Pupil Core: fixations.csv of Pupil Player, in the world video',
    recognise=lambda path, head: header_has(head, COLUMNS, ','),
    read=_read,
    needs=('video', 'observer', 'video_size'),
    takes=('time_zero', 'min_confidence'),
)
SURFACE_FORMAT = GazeFormat(
    name='pupil_core_surface',
    title='Pupil Core: fixations_on_surface_NAME.csv of Pupil Player',
    recognise=lambda path, head: header_has(head, SURFACE_COLUMNS, ','),
    read=_read_surface,
    needs=('video', 'observer', 'video_size', 'time_zero', 'space'),
    takes=('screen_size', 'video_rect', 'time_zero', 'min_confidence'),  # refused with its reason
)
