"""EyeLink ASC: events of an EDF file as text, as SR Research's ``edf2asc`` writes them.

``EFIX eye start end duration x y pupil`` ends each fixation; times are milliseconds of the
tracker's clock, ``end`` is its last sample's, positions are screen pixels. ``MSG time text`` lines
are what the experiment sent. Layout: EyeLink user manual, "Data files"; trials and messages with an
offset (``MSG 1250 750 text`` speaks of 500): SR Research, "Data Viewer Integration Messaging
Protocol".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from mmsal.gaze.placing import RAW_COLUMNS, RawGaze
from mmsal.gaze.readers.eyes import one_eye
from mmsal.gaze.readers.format import GazeFormat, read_text
from mmsal.gaze.readers.showings import repeated
from mmsal.gaze.recording import FIRST, Recording, Size
from mmsal.gaze.table import GazeFormatError

OF_THIS_FORMAT = re.compile(
    r'^(\*\* CONVERTED FROM .*\.edf\b|EFIX +[LR]\s+\d|START\s+\d+\s.*(SAMPLES|EVENTS))',
    re.MULTILINE | re.IGNORECASE,
)
LINE = re.compile(r'^(?P<what>EFIX|MSG|START|END|EVENTS)[ \t](?P<rest>.*)$', re.MULTILINE)
MESSAGE = re.compile(r'\s*(?P<time>\d+(?:\.\d+)?)(?:[ \t](?P<text>.*))?$')
OFFSET = re.compile(r'(?P<offset>[+-]?\d+)\s+(?P<text>.*)$')
# A message's second line may begin with these words too.
START = re.compile(r'\s*(?P<time>\d+(?:\.\d+)?)[A-Z\s]*$')
HEADLESS_START = re.compile(r'[A-Z\s]*\b(SAMPLES|EVENTS)\s*$')
END = re.compile(r'\s*\d+(\.\d+)?(\s+(SAMPLES|EVENTS|RES)\b.*)?\s*$')
TRIAL_START = re.compile(r'^TRIALID\b')
SCREEN = re.compile(r'(?P<name>GAZE_COORDS|DISPLAY_COORDS)\s*=?(?P<corners>(\s+-?\d+(\.\d+)?){4})')
EYES = {'L': 'left', 'R': 'right'}
COLUMNS = ('eye', 'start', 'end', 'x', 'y', 'trial')


@dataclass
class _Trial:
    """What lies between one start of a trial and the next."""

    begin: float  # ms
    videos: list[tuple[float, str]] = field(default_factory=list)  # when it was named, name
    zeros: list[float] = field(default_factory=list)  # when its first frame was shown


@dataclass
class _Events:
    """Lines of the file, sorted by kind."""

    fixations: list[tuple] = field(default_factory=list)  # eye, start, end, x, y
    messages: list[tuple[float, str]] = field(default_factory=list)  # ms, text with its offset
    starts: list[float] = field(default_factory=list)
    screen: tuple[float, float, float, float] | None = None  # left, top, right, bottom


def _recognise(path: Path, head: str) -> bool:
    return bool(OF_THIS_FORMAT.search(head))


def _read(path: Path, recording: Recording) -> RawGaze:
    recording.require(f'{path} (EyeLink ASC)', 'observer', 'time_zero')
    events = _events(path)
    trials = _trials(path, events, recording)
    table = pd.DataFrame(events.fixations, columns=list(COLUMNS[:-1]))
    counts = {'rows': len(table)}
    begins = np.array([trial.begin for trial in trials])
    # What was fixated before the first trial began can only be that trial's.
    table['trial'] = np.maximum(np.searchsorted(begins, table['start'], side='right') - 1, 0)
    table, left_out = one_eye(table, recording.eye, str(path), within=['trial'])
    counts |= left_out
    table = _with_spanning(table, trials, counts)
    for reason, known in (
        ('no_video', [bool(trial.videos) for trial in trials]),
        ('no_time_zero', [bool(trial.zeros) for trial in trials]),
    ):
        keep = np.array(known)[table['trial']]
        counts[reason] = int((~keep).sum())
        table = table[keep]
    zeros = table['trial'].map(lambda number: trials[number].zeros[0]).astype(float)
    left, top = events.screen[:2] if events.screen else (0.0, 0.0)
    fixations = pd.DataFrame(
        {
            'video': table['trial'].map(lambda number: trials[number].videos[0][1]).astype(object),
            'observer': recording.observer,
            'start_s': (table['start'] - zeros) / 1000,
            'end_s': (table['end'] - zeros) / 1000,
            'x': table['x'] - left,
            'y': table['y'] - top,
        },
        columns=list(RAW_COLUMNS),
    )
    showings = repeated(fixations.assign(trial=table['trial']), 'trial')
    fixations = fixations.reset_index(drop=True)
    fixations.attrs['showings'] = showings
    screen = _screen_size(path, events, recording)
    return RawGaze(fixations, 'screen', screen_size=screen, counts=counts)


def _events(path: Path) -> _Events:
    """Read the lines that matter; samples and saccades are passed over."""
    text = read_text(path).replace('\r\n', '\n').replace('\r', '\n')
    events, open_since = _Events(), None

    def fault(match: re.Match, what: str) -> GazeFormatError:
        line = text.count('\n', 0, match.start()) + 1
        return GazeFormatError(f'{path}, line {line}: {what}, got {match[0].strip()!r}')

    for match in LINE.finditer(text):
        what, rest = match['what'], match['rest']
        if what == 'EFIX':
            events.fixations.append(_fixation(match, fault))
        elif what == 'MSG':
            if (message := MESSAGE.match(rest)) is None:
                raise fault(match, 'expected MSG time text')
            _keep_message(events, float(message['time']), (message['text'] or '').strip())
        elif what == 'EVENTS' and 'HREF' in rest.split():
            raise fault(match, 'expected positions in screen pixels (GAZE)')
        elif what == 'START':
            if HEADLESS_START.match(rest):
                raise fault(match, 'expected START time')
            if start := START.match(rest):
                events.starts.append(float(start['time']))
                open_since = match
        elif what == 'END' and END.match(rest):
            open_since = None
    if open_since is not None:
        raise fault(open_since, 'the file is cut short: expected an END line after this START')
    if not events.fixations:
        raise GazeFormatError(f'{path}: there is no fixation (EFIX): was it converted with events?')
    return events


def _keep_message(events: _Events, time: float, text: str) -> None:
    corners = SCREEN.match(text)
    # Positions are in GAZE_COORDS; DISPLAY_COORDS is what an experiment says beside it.
    if corners and (events.screen is None or corners['name'] == 'GAZE_COORDS'):
        events.screen = tuple(float(one) for one in corners['corners'].split())
    offset = OFFSET.match(text)
    events.messages.append((time - int(offset[1]) if offset else time, text))


def _search(pattern: re.Pattern, text: str) -> re.Match | None:
    """The pattern in a message; ``^`` may stand before its offset or after it."""
    return pattern.search(OFFSET.sub(r'\g<text>', text)) or pattern.search(text)


def _fixation(match: re.Match, fault: Callable[..., GazeFormatError]) -> tuple:
    """Eye, start and end in ms, x and y in pixels (NaN is missing) of an EFIX line."""
    cells = match['rest'].split()
    try:
        eye, start, end, duration = EYES[cells[0]], *(float(cell) for cell in cells[1:4])
        x, y = (np.nan if cell == '.' else float(cell) for cell in cells[4:6])
    except (KeyError, IndexError, ValueError):
        raise fault(match, 'expected EFIX eye start end duration x y pupil') from None
    if len(cells) < 7:
        raise fault(match, 'expected EFIX eye start end duration x y pupil')
    if not (np.isfinite([start, end, duration]).all() and start <= end and duration >= 0):
        raise fault(match, 'expected a fixation that ends after it starts')
    return eye, start, end, x, y


def _trials(path: Path, events: _Events, recording: Recording) -> list[_Trial]:
    """Trials with the video and its start, in order of time; those without a video have no zero."""
    zero = recording.time_zero
    if recording.video_message is None:
        recording.require(f'{path} (EyeLink ASC)', 'video')
        _refuse_several(path, events, recording)
        trials = [_Trial(-np.inf, [(-np.inf, recording.video)])]
    elif recording.video is not None:
        raise GazeFormatError(f'{path}: expected --video or --video-message, got both')
    else:
        trials = _split(events, re.compile(recording.video_message))
        if not any(trial.videos for trial in trials):
            raise GazeFormatError(f'{path}: no message fits {recording.video_message!r}')
    if zero == FIRST:
        starts = events.starts
        if not starts:
            raise GazeFormatError(f'{path}: time_zero {FIRST!r} needs a START line; there is none')
    elif isinstance(zero, str):
        pattern = recording.start_pattern()
        starts = [time for time, text in events.messages if _search(pattern, text)]
        if not starts:
            raise GazeFormatError(f'{path}: no message fits time_zero {zero!r}')
    else:
        starts = [float(zero)]
    _give_zeros(path, trials, starts, recording)
    return trials


def _refuse_several(path: Path, events: _Events, said: Recording) -> None:
    """One video's first frame at one time cannot be said of a file with several trials."""
    trials = sum(bool(_search(TRIAL_START, text)) for _, text in events.messages)
    for count, thing in ((trials, 'trials (TRIALID)'), (len(events.starts), 'recordings (START)')):
        if count > 1 and (said.time_zero == FIRST or not isinstance(said.time_zero, str)):
            raise GazeFormatError(
                f'{path}: one --video with time_zero {said.time_zero} for {count} {thing}: give '
                '--video-message, or a regular expression that one message fits as time_zero'
            )


def _split(events: _Events, pattern: re.Pattern) -> list[_Trial]:
    """Trials from TRIALID to TRIALID; each video's name begins one where they hold several."""
    named = [(time, found['video'].strip()) for time, text in events.messages
             if (found := _search(pattern, text)) and (found['video'] or '').strip()]  # fmt: skip
    begins = sorted(time for time, text in events.messages if _search(TRIAL_START, text))
    trials = [_Trial(begin) for begin in begins] or [_Trial(-np.inf)]
    if named and begins and min(named)[0] < begins[0]:
        trials.insert(0, _Trial(-np.inf))
    for time, name in sorted(named, key=lambda one: one[0]):
        [trial for trial in trials if trial.begin <= time][-1].videos.append((time, name))
    whole = []
    for trial in trials:
        if len({name for _, name in trial.videos}) < 2:
            whole.append(trial)
            continue
        begin = trial.begin
        for number, (time, name) in enumerate(trial.videos):
            if number == 0 or name != trial.videos[number - 1][1]:
                whole.append(_Trial(begin if number == 0 else time, [(time, name)]))
    return whole


def _give_zeros(path: Path, trials: list[_Trial], starts: list[float], said: Recording) -> None:
    for start in starts:
        owners = [trial for trial in trials if trial.begin <= start]
        (owners[-1] if owners else trials[0]).zeros.append(start)
    for trial in trials:
        if not trial.videos:
            trial.zeros.clear()  # practice, calibration: nothing was named
        if said.time_zero == FIRST and said.video_message is None:
            del trial.zeros[1:]
        if len(trial.zeros) > 1:
            raise GazeFormatError(
                f'{path}: expected one line for time_zero {said.time_zero!r} per video, got '
                f'{len(trial.zeros)} for {trial.videos[0][1]}; several videos in one file need '
                '--video-message'
            )
    if not any(trial.zeros for trial in trials):
        raise GazeFormatError(f'{path}: time_zero {said.time_zero!r} is in no trial with a video')


def _with_spanning(table: pd.DataFrame, trials: list[_Trial], counts: dict) -> pd.DataFrame:
    """Add a row to the next trial for a fixation that goes on past the start of its video."""
    after = [*(trial.zeros[0] if trial.zeros else np.inf for trial in trials[1:]), np.inf]
    goes_on = table[table['end'] > table['trial'].map(lambda number: after[number])]
    if len(goes_on):
        counts['in_two_trials'] = len(goes_on)
    both = pd.concat([table, goes_on.assign(trial=goes_on['trial'] + 1)])
    return both.sort_values(['trial', 'start'], kind='stable')


def _screen_size(path: Path, events: _Events, recording: Recording) -> Size | None:
    if events.screen is None:
        return None
    left, top, right, bottom = events.screen
    size = right - left + 1, bottom - top + 1  # the corners are pixels
    said = recording.screen_size
    # Some experiments send the size as the last pixel: one more is no contradiction.
    if said is not None and max(abs(said[0] - size[0]), abs(said[1] - size[1])) > 1:
        raise GazeFormatError(
            f'{path}: expected the screen of the file, {size[0]:g}x{size[1]:g}, got '
            f'{said[0]:g}x{said[1]:g}'
        )
    return size


FORMAT = GazeFormat(
    name='eyelink_asc',
    title='EyeLink ASC (edf2asc), fixation events',
    recognise=_recognise,
    read=_read,
    needs=('observer', 'video or video_message', 'time_zero', 'video_size', 'video_rect'),
    takes=('screen_size', 'video_rect', 'time_zero', 'video_message', 'eye'),
)
