"""DIEM (Mital et al., Cognitive Computation 2011): gaze per frame, a text file per observer.

``event_data/diem1s01_NAME_1280x720.txt``, nine numbers to a line: frame, then x, y, pupil and event
of the left eye, then of the right. Frames count from 1 at 30 per second; events are -1 dropped, 0
blink, 1 fixation, 2 saccade; positions are screen coordinates
(thediemproject.wordpress.com/videos-and-data). The file name says the size of the video, but
neither the screen's nor where the video was on it: both must be said. A video in its own size in
the middle of the screen is ``--video-rect centre``; hold the result against the frames before you
trust it.

Consecutive frames of event 1, which alone must have finite positions, are one fixation at their
mean. As a saccade may be over within a frame, a step of more than 50 pixels from one frame to the
next parts two fixations.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from mmsal.gaze.placing import RAW_COLUMNS, RawGaze
from mmsal.gaze.readers.format import GazeFormat, read_text
from mmsal.gaze.recording import Recording
from mmsal.gaze.table import GazeFormatError

FILE_NAME = re.compile(
    r'^(?P<observer>diem\d+s\d+)_(?P<video>.+?_(?P<width>\d+)x(?P<height>\d+))$', re.IGNORECASE
)
COLUMNS = 9  # frame; x, y, pupil, event of the left eye; of the right
EYE_COLUMNS = {'left': slice(1, 5), 'right': slice(5, 9)}
EVENTS = (-1, 0, 1, 2)
FIXATION = 1
LARGEST_STEP_PX = 50.0


def _recognise(path: Path, head: str) -> bool:
    first = next((line for line in head.splitlines() if line.strip()), '')
    return bool(FILE_NAME.match(path.stem)) and _numbers(first) is not None


def _read(path: Path, recording: Recording) -> RawGaze:
    named = FILE_NAME.match(path.stem)
    observer = recording.observer or (named and named['observer'])
    video = recording.video or (named and named['video'])
    if not observer or not video:
        raise GazeFormatError(
            f'{path}: expected a name like diem1s01_NAME_1280x720.txt, or --observer and --video'
        )
    space = recording.space or 'screen'
    if space == 'screen':
        recording.require(str(path), 'eye', 'screen_size', 'video_rect')
    recording.require(str(path), 'eye')
    values, lines = _parse(path)
    place, fixating, one_eye = _gaze(values, recording.eye)
    nowhere = fixating & ~np.isfinite(place).all(axis=1)
    if nowhere.any():
        row = int(nowhere.argmax())
        raise GazeFormatError(
            f'{path}, line {lines[row]}: expected the place of a fixation, got '
            f'{place[row, 0]:g}, {place[row, 1]:g}'
        )
    frames = values[:, 0].astype(np.int64)
    runs = _runs(frames, place, fixating)
    starts = recording.frame_starts(
        str(path), [frames[run[0]] - recording.first_frame for run in runs]
    )[0]
    ends = recording.frame_starts(
        str(path), [frames[run[-1]] - recording.first_frame for run in runs]
    )[1]
    rows = [
        (video, observer, start, end, *place[run].mean(axis=0))
        for run, start, end in zip(runs, starts, ends, strict=True)
    ]
    counts = {
        'rows': len(values),
        'no_fixation': int((~fixating).sum()) - one_eye,
        'one_eye_alone': one_eye,
    }
    sizes = {video: (int(named['width']), int(named['height']))} if named else {}
    fixations = pd.DataFrame(rows, columns=list(RAW_COLUMNS))
    return RawGaze(
        fixations, space, recording.origin or 'top-left', video_sizes=sizes, counts=counts
    )


def _gaze(values: np.ndarray, eye: str) -> tuple[np.ndarray, np.ndarray, int]:
    """Position [N, 2] and whether it is a fixation [N]; frames where only one of two fixates."""
    eyes = [values[:, columns] for columns in EYE_COLUMNS.values()]
    if eye != 'mean':
        one = values[:, EYE_COLUMNS[eye]]
        return one[:, :2], one[:, 3] == FIXATION, 0
    left, right = (one[:, 3] == FIXATION for one in eyes)
    return (eyes[0][:, :2] + eyes[1][:, :2]) / 2, left & right, int((left ^ right).sum())


def _runs(frames: np.ndarray, place: np.ndarray, fixating: np.ndarray) -> list[np.ndarray]:
    """Rows of each fixation."""
    rows = np.flatnonzero(fixating)
    if not len(rows):
        return []
    apart = np.diff(rows) > 1
    apart |= np.diff(frames[rows]) > 1  # a frame is left out in the file
    apart |= np.linalg.norm(np.diff(place[rows], axis=0), axis=1) > LARGEST_STEP_PX
    return np.split(rows, np.flatnonzero(apart) + 1)


def _parse(path: Path) -> tuple[np.ndarray, list[int]]:
    """The numbers of a file, float64 [N, 9], and the lines they stand in."""
    rows, lines = [], []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip():
            continue
        values = _numbers(line)
        if values is None:
            raise GazeFormatError(
                f'{path}, line {number}: expected {COLUMNS} numbers, got {line.strip()[:60]!r}'
            )
        if not {values[4], values[8]} <= set(EVENTS):
            raise GazeFormatError(
                f'{path}, line {number}: expected events -1 to 2, got {values[4]:g}, {values[8]:g}'
            )
        if values[0] % 1 or (rows and values[0] < rows[-1][0]):
            raise GazeFormatError(
                f'{path}, line {number}: expected frames that count up, got {values[0]:g}'
            )
        rows.append(values)
        lines.append(number)
    return np.array(rows), lines


def _numbers(line: str) -> list[float] | None:
    cells = line.split()
    try:
        return [float(cell) for cell in cells] if len(cells) == COLUMNS else None
    except ValueError:
        return None


FORMAT = GazeFormat(
    name='diem',
    title='DIEM: event_data/diem1s01_NAME_1280x720.txt',
    recognise=_recognise,
    read=_read,
    needs=('eye', 'screen_size', 'video_rect'),
    takes=('eye', 'screen_size', 'video_rect', 'fps', 'frame_times', 'first_frame'),
    defaults={'fps': 30.0, 'first_frame': 1},
)
