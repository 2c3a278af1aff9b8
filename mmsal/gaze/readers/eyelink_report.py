"""EyeLink fixation report, as SR Research's Data Viewer writes it: a row per fixation.

Columns are those that the user picked for the report; here CURRENT_FIX_START, CURRENT_FIX_X,
CURRENT_FIX_Y and one of CURRENT_FIX_END and CURRENT_FIX_DURATION must be among them. Times are
milliseconds from the start of the trial, positions screen pixels, ``.`` is missing; decimals have
commas where the computer's region says so. Definitions: SR Research, EyeLink Data Viewer user
manual, "Fixation report".
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from mmsal.gaze.placing import RAW_COLUMNS, RawGaze
from mmsal.gaze.readers.eyes import one_eye
from mmsal.gaze.readers.format import GazeFormat, head_of, header_has, numbers, read_columns
from mmsal.gaze.readers.showings import repeated
from mmsal.gaze.recording import FIRST, Recording
from mmsal.gaze.table import GazeFormatError

START, END, DURATION = 'CURRENT_FIX_START', 'CURRENT_FIX_END', 'CURRENT_FIX_DURATION'
X, Y = 'CURRENT_FIX_X', 'CURRENT_FIX_Y'
COLUMNS = (START, X, Y)
OBSERVER = 'RECORDING_SESSION_LABEL'
TRIALS = ('TRIAL_INDEX', 'TRIAL_LABEL')  # the first that is there tells trials apart
EYES = ('EYE_REPORTED', 'EYE_USED')  # likewise, for eyes
# Clock of the tracker, not of the trial: the wrong one to subtract from CURRENT_FIX_START.
TRACKER_CLOCK = ('TRIAL_START_TIME', 'IP_START_TIME')
NO_NAME = ('', '.', 'UNDEFINED', 'UNDEFINEDnull')  # variables that a trial did not set
SEPARATORS = ('\t', ';', ',')


def _recognise(path: Path, head: str) -> bool:
    return _separator(head) is not None


def _separator(head: str) -> str | None:
    return next((one for one in SEPARATORS if header_has(head, COLUMNS, one)), None)


def _read(path: Path, recording: Recording) -> RawGaze:
    what = f'{path} (EyeLink fixation report)'
    table = read_columns(path, COLUMNS, _separator(head_of(path)) or '\t')
    recording.require(what, 'time_zero', *([] if OBSERVER in table else ['observer']))
    fixations = pd.DataFrame(
        {
            'video': _videos(table, path, recording),
            'observer': _observers(table, path, recording),
            'trial': _trials(table),
            'eye': _eyes(table, path),
            'start': numbers(table, START, path),
            'end': _ends(table, path),
            'x': numbers(table, X, path),
            'y': numbers(table, Y, path),
            'zero': _zeros(table, path, recording),
        }
    )
    _check(fixations, path, recording)
    counts = {'rows': len(table)}
    for reason, keep in (
        ('no_video', ~fixations['video'].isin(NO_NAME)),
        ('no_time_zero', fixations['zero'].notna()),
        ('missing', fixations[['start', 'end']].notna().all(axis=1)),
    ):
        keep = keep[fixations.index]
        counts[reason] = int((~keep).sum())
        fixations = fixations[keep]
    if (fixations['eye'] != '').any():
        fixations, left_out = one_eye(fixations, recording.eye, what, ['observer', 'trial'])
        counts |= left_out
    elif recording.eye is not None:
        raise GazeFormatError(f'{what} has no column {" or ".join(EYES)}: leave --eye out')
    for name in ('start', 'end'):
        fixations = fixations.assign(**{f'{name}_s': (fixations[name] - fixations['zero']) / 1000})
    showings = repeated(fixations, 'trial')
    fixations = fixations[list(RAW_COLUMNS)].reset_index(drop=True)
    fixations.attrs['showings'] = showings
    return RawGaze(fixations, 'screen', counts=counts)


def _observers(table: pd.DataFrame, path: Path, recording: Recording) -> pd.Series | str:
    if OBSERVER not in table:
        return recording.observer
    names = table[OBSERVER].str.strip()
    if recording.observer is None:
        return names
    if names.nunique() > 1:
        raise GazeFormatError(
            f'{path} names {names.nunique()} observers itself ({OBSERVER}): leave --observer out'
        )
    return recording.observer


def _videos(table: pd.DataFrame, path: Path, recording: Recording) -> pd.Series | str:
    if recording.video_column is None:
        recording.require(f'{path} (EyeLink fixation report)', 'video')
        return recording.video
    if recording.video is not None:
        raise GazeFormatError(f'{path}: expected --video or --video-column, got both')
    if recording.video_column not in table:
        raise GazeFormatError(f'{path}: there is no column {recording.video_column}')
    return table[recording.video_column].str.strip()


def _trials(table: pd.DataFrame) -> pd.Series | str:
    name = next((one for one in TRIALS if one in table), None)
    return '' if name is None else table[name].str.strip()


def _eyes(table: pd.DataFrame, path: Path) -> pd.Series | str:
    """'left', 'right', or '' where the report does not say."""
    name = next((one for one in EYES if one in table), None)
    if name is None:
        return ''
    eyes = table[name].str.strip().str.lower()
    wrong = ~eyes.isin(['left', 'right'])
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        raise GazeFormatError(
            f'{path}, line {row + 2}: expected LEFT or RIGHT in {name}, got '
            f'{table[name].iloc[row]!r}'
        )
    return eyes


def _ends(table: pd.DataFrame, path: Path) -> pd.Series:
    """Ends of fixations; start and duration where the report has no end."""
    if END not in table and DURATION not in table:
        raise GazeFormatError(f'{path}: expected a column {END} or {DURATION}')
    start = numbers(table, START, path)
    ends = numbers(table, END, path) if END in table else start * np.nan
    if DURATION in table:
        ends = ends.fillna(start + numbers(table, DURATION, path))
    backwards = (ends < start).to_numpy()
    if backwards.any():
        row = int(backwards.argmax())
        raise GazeFormatError(
            f'{path}, line {row + 2}: expected a fixation that ends after it starts, got '
            f'{start.iloc[row]:g} to {ends.iloc[row]:g} ms'
        )
    return ends


def _zeros(table: pd.DataFrame, path: Path, recording: Recording) -> pd.Series | float:
    """The trial's clock at the video's first frame, in ms."""
    zero = recording.time_zero
    if zero == FIRST:
        raise GazeFormatError(
            f'{path}: times count from the start of the trial; if the video starts with it, '
            'time_zero is 0'
        )
    if not isinstance(zero, str):
        return float(zero)
    if zero in TRACKER_CLOCK:
        raise GazeFormatError(
            f'{path}: {zero} is on the clock of the tracker, {START} on that of the trial; name a '
            'column with the time of the first frame within the trial, in ms'
        )
    if zero not in table:
        raise GazeFormatError(
            f'{path}: expected time_zero as a number of ms or a column, got {zero!r}'
        )
    text = table[zero].str.strip()
    return numbers(table.assign(**{zero: text.mask(text.isin(NO_NAME), '.')}), zero, path)


def _check(fixations: pd.DataFrame, path: Path, recording: Recording) -> None:
    """Refuse observers without a name, and several trials that would fall into one video."""
    nameless = fixations['observer'].isin(NO_NAME).to_numpy()
    if nameless.any():
        row = int(nameless.argmax())
        raise GazeFormatError(f'{path}, line {row + 2}: expected a name in {OBSERVER}, got none')
    if recording.video_column is None:
        trials = fixations.groupby('observer', sort=False)['trial'].unique()
        for observer, several in trials.items():
            if len(several) > 1:
                raise GazeFormatError(
                    f'{path}: observer {observer} has trials {several[0]} to {several[-1]}, so one '
                    '--video is not enough: give --video-column'
                )


FORMAT = GazeFormat(
    name='eyelink_report',
    title='EyeLink Data Viewer fixation report',
    recognise=_recognise,
    read=_read,
    needs=('video or video_column', 'time_zero', 'video_size', 'video_rect'),
    takes=('screen_size', 'video_rect', 'time_zero', 'video_column', 'eye'),
)
