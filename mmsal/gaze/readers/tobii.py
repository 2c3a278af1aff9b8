"""Tobii: data exports of Pro Lab and Studio as tab-separated text, a row per sample and event.

Columns bear their unit or coordinate system in brackets, in a way that changed over the years:
``Fixation point X``, ``Fixation point X (MCSnorm)``, ``Fixation point X [DACS px]``, in Studio
``FixationPointX (MCSpx)``. DACS (ADCS in Studio) is the display area, MCS the medium shown; all
have their origin at the top left. Rows of one fixation share its number (``Eye movement type
index``) and its place. Layout: Tobii Pro Lab user manual, "Data export"; Tobii Studio user manual,
"Exporting data".
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from mmsal.gaze.placing import RAW_COLUMNS, RawGaze
from mmsal.gaze.readers.format import GazeFormat, numbers, read_columns
from mmsal.gaze.readers.showings import repeated
from mmsal.gaze.recording import FIRST, TIME_UNITS, Recording, Size
from mmsal.gaze.table import GazeFormatError

# Names without spaces and capitals; the first that is there is taken.
TIME = ('recordingtimestamp',)
OBSERVER = ('participantname',)
RECORDING = ('recordingname',)
VIDEO = ('presentedstimulusname', 'presentedmedianame', 'recordingmedianame', 'medianame')
KIND = ('eyemovementtype', 'gazeeventtype')
NUMBER = ('eyemovementtypeindex', 'fixationindex')
EVENT, EVENT_VALUE = ('event', 'studioevent'), ('eventvalue', 'studioeventdata')
SENSOR = ('sensor',)
SCREEN = ('recordingresolutionwidth', 'recordingresolutionheight')
MEDIUM = ('presentedmediapositionx', 'presentedmediapositiony',
          'presentedmediawidth', 'presentedmediaheight')  # fmt: skip
X, Y = 'fixationpointx', 'fixationpointy'
# Coordinate systems by what stands in the brackets.
SPACES = {
    'mcsnorm': 'video-normalised',
    'mcspx': 'video',
    'dacspx': 'screen',
    'adcspx': 'screen',
    '': 'screen',
}
UNITS = {'ms': 'ms', 'us': 'us', '\u00b5s': 'us', '\u03bcs': 'us'}  # micro sign and Greek mu
ON_MEDIUM = 'video-normalised'
STUDIO_TIME = 'RecordingTimestamp'  # Studio's is in ms and does not say so
KEY = ['observer', 'recording', 'video']
FIXATION_KEY = ['observer', 'recording', 'number']
FIXATION, EYE_TRACKER = 'Fixation', 'eye tracker'  # the latter in small letters
VIDEO_START = r'^(VideoStimulusStart|MovieStart)$'
BRACKETS = re.compile(r'^(?P<name>.*?)\s*[\[(](?P<unit>[^\])]*)[\])]$')


def _key(header: str) -> tuple[str, str]:
    """Name and what stands in brackets behind it, both without spaces and capitals."""
    found = BRACKETS.match(header.strip().strip('"'))
    parts = (found['name'], found['unit']) if found else (header.strip().strip('"'), '')
    return tuple(part.replace(' ', '').lower() for part in parts)


def _find(table: pd.DataFrame, names: tuple[str, ...]) -> str | None:
    """The header of the first of these columns that is there."""
    keys = {_key(header)[0]: header for header in reversed(table.columns)}
    return next((keys[name] for name in names if name in keys), None)


def _recognise(path: Path, head: str) -> bool:
    first = next((line for line in head.splitlines() if line.strip()), '')
    names = {_key(header)[0] for header in first.split('\t')}
    return not names.isdisjoint(TIME) and not names.isdisjoint(KIND)


def _read(path: Path, recording: Recording) -> RawGaze:
    table = read_columns(path, (), '\t')
    rows = _rows(table, path, recording)
    counts = {'rows': len(rows)}
    sampled = _sampled(rows)
    fixating = sampled & (rows['kind'] == FIXATION)
    counts['no_sample'] = int((~sampled).sum())
    counts['no_fixation'] = int((sampled & ~fixating).sum())
    if not fixating.any():
        raise GazeFormatError(f'{path}: no row is of the type {FIXATION}')
    space, places = _places(table, path, recording)
    fixations = _fixations(pd.concat([rows, places], axis=1)[fixating], path)
    named = fixations['video'] != ''
    # One that lasts into or out of a video has a part without it, and is not lost.
    somewhere = named.groupby([fixations[name] for name in FIXATION_KEY], sort=False).any()
    counts['no_video'] = int((~somewhere).sum())
    fixations = fixations[named].copy()
    zeros = _zeros(rows, fixations, path, recording)
    counts['no_time_zero'] = int(np.isnan(zeros).sum())
    unit = _time_unit(table, path, recording)
    for name in ('start', 'end'):
        fixations[f'{name}_s'] = (fixations[name] - zeros) * TIME_UNITS[unit]
    fixations['showing'] = list(zip(fixations['recording'], zeros, strict=True))
    fixations = fixations[~np.isnan(zeros)].reset_index(drop=True)
    showings = repeated(fixations, 'showing')
    fixations = fixations[list(RAW_COLUMNS)]
    fixations.attrs['showings'] = showings
    return RawGaze(fixations, space, screen_size=_screen_size(table, path), counts=counts)


def _sampled(rows: pd.DataFrame) -> pd.Series:
    """Rows of the eye tracker: mice and events have their own, which repeat what the eyes did."""
    return rows['sensor'].str.lower().isin(['', EYE_TRACKER]) & (rows['event'] == '')


def _rows(table: pd.DataFrame, path: Path, recording: Recording) -> pd.DataFrame:
    """The columns that matter, under our names; text that the file does not have is ''."""
    columns = {
        'time': TIME, 'observer': OBSERVER, 'recording': RECORDING, 'kind': KIND,
        'number': NUMBER, 'video': VIDEO, 'event': EVENT, 'value': EVENT_VALUE, 'sensor': SENSOR,
    }  # fmt: skip
    found = {name: _find(table, keys) for name, keys in columns.items()}
    stimuli = [header for name in VIDEO if (header := _find(table, (name,))) is not None]
    # Pro Lab exports both names of a stimulus, and one of them may be empty throughout.
    filled = (header for header in stimuli if table[header].str.strip().any())
    found['video'] = next(filled, found['video'])
    if recording.video_column is not None:
        if recording.video_column not in table:
            raise GazeFormatError(f'{path}: there is no column {recording.video_column}')
        found['video'] = recording.video_column
    absent = [name for name in ('time', 'kind', 'number') if found[name] is None]
    if absent:
        names = ', '.join(columns[name][0] for name in absent)
        raise GazeFormatError(f'{path}: expected the columns {names} (whatever spaces, capitals)')
    if found['video'] is not None and recording.video is not None:
        raise GazeFormatError(
            f'{path} names its videos itself ({found["video"]}): leave --video out'
        )
    needed = [name for name in ('video', 'observer') if found[name] is None]
    recording.require(f'{path} (Tobii)', *needed)
    text = {
        name: '' if header is None else table[header].str.strip()
        for name, header in found.items()
        if name != 'time'
    }
    rows = pd.DataFrame({'time': numbers(table, found['time'], path), **text})
    if found['video'] is None:
        rows['video'] = recording.video
    if recording.observer is not None:
        observers = rows['observer'].nunique()
        if observers > 1:
            raise GazeFormatError(
                f'{path} names {observers} observers itself ({found["observer"]}): leave '
                '--observer out'
            )
        rows['observer'] = recording.observer
    _check(rows, path)
    return rows


def _check(rows: pd.DataFrame, path: Path) -> None:
    """Refuse clocks that stop, or fall back within one recording, and fixations of nobody."""
    before = rows.groupby(['observer', 'recording'], sort=False)['time'].shift()
    wrong = (rows['time'].isna() | (rows['time'] < before)).to_numpy()
    if wrong.any():
        row = int(wrong.argmax())
        raise GazeFormatError(
            f'{path}, line {row + 2}: expected times that are there and do not fall within a '
            f'recording, got {rows["time"].iloc[row]:g} (is the column Recording name exported?)'
        )
    nameless = (rows['observer'] == '').to_numpy()
    if nameless.any():
        row = int(nameless.argmax())
        raise GazeFormatError(f'{path}, line {row + 2}: expected a name of the participant')


def _places(table: pd.DataFrame, path: Path, said: Recording) -> tuple[str, pd.DataFrame]:
    """Coordinate system and positions (x, y) of all rows, NaN where there are none."""
    keys = {_key(header): header for header in table.columns}
    found = {
        SPACES[unit]: (keys[X, unit], keys[Y, unit])
        for unit in SPACES
        if (X, unit) in keys and (Y, unit) in keys
    }
    medium = [_find(table, (name,)) for name in MEDIUM]
    space = _space(found, None not in medium, path, said)
    from_screen = space == ON_MEDIUM and space not in found
    names = found['screen' if from_screen else space]
    places = pd.DataFrame(
        {axis: numbers(table, name, path) for axis, name in zip('xy', names, strict=True)}
    )
    if from_screen:
        left, top, width, height = (numbers(table, name, path) for name in medium)
        places['x'] = (places['x'] - left) / width
        places['y'] = (places['y'] - top) / height
    return space, places


def _space(found: dict, placed: bool, path: Path, said: Recording) -> str:
    """Which coordinate system to take: what is said; the medium; the screen."""
    if said.space is not None:
        if said.space not in found:
            raise GazeFormatError(
                f'{path}: expected fixation points in the space {said.space}, got '
                f'{", ".join(found) or "none"}'
            )
        return said.space
    if said.video_rect is None and (ON_MEDIUM in found or (placed and 'screen' in found)):
        return ON_MEDIUM
    for space in ('screen', ON_MEDIUM):
        if space in found:
            return space
    if found:
        raise GazeFormatError(
            f'{path} has fixation points in pixels of the medium (MCS px) alone: if it was shown '
            'at its own size, give --space video; else export MCS norm'
        )
    raise GazeFormatError(f'{path}: expected the columns Fixation point X and Fixation point Y')


def _fixations(samples: pd.DataFrame, path: Path) -> pd.DataFrame:
    """A row per fixation and video: times of its first and last sample, and its place."""
    unnumbered = (samples['number'] == '').to_numpy()
    if unnumbered.any():
        line = samples.index[int(unnumbered.argmax())] + 2
        raise GazeFormatError(f'{path}, line {line}: expected a number of the fixation, got none')
    groups = samples.groupby(['observer', 'recording', 'video', 'number'], sort=False)
    return groups.agg(
        start=('time', 'first'), end=('time', 'last'), x=('x', 'first'), y=('y', 'first')
    ).reset_index()


def _zeros(rows: pd.DataFrame, fixations: pd.DataFrame, path: Path, said: Recording) -> np.ndarray:
    """The clock at the first frame of each fixation's video; NaN where it has no start.

    A video shown twice has two starts: of these, the last before the fixation ends.
    """
    if said.time_zero is not None and not isinstance(said.time_zero, str):
        shown = fixations[KEY].drop_duplicates()
        if len(shown) > 1:
            raise GazeFormatError(
                f'{path}: one number as time_zero for {len(shown)} recordings and videos: give '
                f'{FIRST!r} or a regular expression of the event that starts each'
            )
        return np.full(len(fixations), float(said.time_zero))
    starts = _starts(rows, path, said)
    times = {key: np.sort(part['time'].to_numpy()) for key, part in starts.groupby(KEY)}
    zeros = np.full(len(fixations), np.nan)
    keys = fixations[KEY].itertuples(index=False, name=None)
    for row, (key, end) in enumerate(zip(keys, fixations['end'], strict=True)):
        if key in times:
            zeros[row] = times[key][max(np.searchsorted(times[key], end, side='right') - 1, 0)]
    return zeros


def _starts(rows: pd.DataFrame, path: Path, said: Recording) -> pd.DataFrame:
    """Rows at which a video starts, with its name."""
    if said.time_zero == FIRST:
        # Samples without a video part two showings of the same one.
        told = rows[(rows['video'] != '') | _sampled(rows)]
        begins = (told[KEY] != told[KEY].shift()).any(axis=1)
        return told[begins & (told['video'] != '')]
    pattern = re.compile(VIDEO_START) if said.time_zero is None else said.start_pattern()
    starts = rows['event'].map(lambda event: bool(pattern.search(event))) & (rows['event'] != '')
    if not starts.any():
        said.require(f'{path} (Tobii) has no event VideoStimulusStart and', 'time_zero')
        raise GazeFormatError(f'{path}: no event fits time_zero {said.time_zero!r}')
    # An event names its video in its value; where it does not, the next row with a video does.
    videos = rows['video'].where(rows['video'] != '')
    upcoming = videos.groupby([rows['observer'], rows['recording']]).bfill()
    videos = rows['value'].where(rows['value'].isin(videos.dropna().unique()), upcoming)
    return rows.assign(video=videos)[starts].dropna(subset='video')


def _time_unit(table: pd.DataFrame, path: Path, said: Recording) -> str:
    header = _find(table, TIME)
    unit = 'ms' if header == STUDIO_TIME else UNITS.get(_key(header)[1])
    if unit is None:
        said.require(f'{path} ({header})', 'time_unit')
        return said.time_unit
    if said.time_unit not in (None, unit):
        raise GazeFormatError(f'{path}: {header} is in {unit}, got time_unit {said.time_unit}')
    return unit


def _screen_size(table: pd.DataFrame, path: Path) -> Size | None:
    """Size of the screen in pixels, where the export has it in all its rows alike."""
    headers = [_find(table, (name,)) for name in SCREEN]
    if None in headers:
        return None
    sizes = pd.concat([numbers(table, header, path) for header in headers], axis=1).dropna()
    sizes = sizes.drop_duplicates().to_numpy()
    return tuple(sizes[0].tolist()) if len(sizes) == 1 else None


FORMAT = GazeFormat(
    name='tobii',
    title='Tobii Pro Lab or Studio, data export (TSV)',
    recognise=_recognise,
    read=_read,
    takes=('screen_size', 'video_rect', 'time_unit', 'time_zero', 'video_column'),
    needs=('video_size', 'video_rect, unless the export has MCS norm or the place of the medium'),
)
