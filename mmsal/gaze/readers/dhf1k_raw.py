"""Raw samples of DHF1K (Wang et al., CVPR 2018), as its SMI tracker exported them.

One file per observer and video, ``P01_Trail002.txt``, tab-separated, a row per sample. The clock
counts microseconds and the trial begins with the video. The screen had 1440x900 pixels; the video
filled its width at its own aspect ratio, in the middle of the height.

The tracker calls samples a fixation that are none, around blinks above all. A lost one is written
as 0, 0. Like the data set's own script (``record_mapping.m``), we leave out samples with x or y of
0 or less; more than 75 ms of them part two fixations. A step of more than 50 screen pixels from one
sample to the next (4 ms) parts them, too. What is left of a fixation that was parted counts if it
lasts 40 ms or more; the tracker's own shortest is 48 ms.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from mmsal.gaze.placing import RAW_COLUMNS, RawGaze
from mmsal.gaze.readers.format import GazeFormat, header_has, numbers, read_columns
from mmsal.gaze.recording import Recording
from mmsal.gaze.table import GazeFormatError

TIME, EVENT, X, Y = 'Time', 'L Event Info', 'L POR X [px]', 'L POR Y [px]'
COLUMNS = (TIME, 'Type', X, Y, EVENT)
FIXATION = 'Fixation'
LONGEST_GAP_S = 0.075
LARGEST_STEP_PX = 50.0
SHORTEST_PART_S = 0.040
FILE_NAME = re.compile(r'(?P<observer>P\d+)_Trail(?P<video>\d+)', re.IGNORECASE)


def _recognise(path: Path, head: str) -> bool:
    return bool(FILE_NAME.search(path.stem)) and header_has(head, COLUMNS, '\t')


def _read(path: Path, recording: Recording) -> RawGaze:
    named = FILE_NAME.search(path.stem)
    observer = recording.observer or (named and named['observer'])
    video = recording.video or (named and named['video'])
    if not observer or not video:
        raise GazeFormatError(
            f'{path}: expected a name like P01_Trail002.txt, or --observer and --video'
        )
    table = read_columns(path, COLUMNS, '\t')
    samples = table['Type'] == 'SMP'  # other rows are messages
    if not samples.any():
        raise GazeFormatError(f'{path}: there is no sample (Type SMP)')
    table = table[samples]
    clock = numbers(table, TIME, path).to_numpy()
    if np.isnan(clock).any() or (np.diff(clock) < 0).any():
        raise GazeFormatError(f'{path}: expected times that are there and do not fall')
    seconds = recording.with_zero(clock[0], str(path)).seconds(clock, 'us')
    fixating = (table[EVENT] == FIXATION).to_numpy()
    place = np.stack([numbers(table, name, path) for name in (X, Y)], axis=1)
    lost = fixating & ~(place > 0).all(axis=1)
    parts = [part for run in _runs(fixating) for part in _parts(run[~lost[run]], seconds, place)]
    rows = [
        (video, observer, seconds[part[0]], seconds[part[-1]], *place[part].mean(axis=0))
        for part in parts
    ]
    counts = {
        'rows': len(table),
        'no_fixation': int((~fixating).sum()),
        'lost': int(lost.sum()),
        'too_short': int((fixating & ~lost).sum()) - sum(map(len, parts)),
    }
    return RawGaze(pd.DataFrame(rows, columns=list(RAW_COLUMNS)), 'screen', counts=counts)


def _runs(flags: np.ndarray) -> list[np.ndarray]:
    """Places of flags that are True without a gap, one array per run."""
    places = np.flatnonzero(flags)
    return np.split(places, np.flatnonzero(np.diff(places) > 1) + 1) if len(places) else []


def _parts(run: np.ndarray, seconds: np.ndarray, place: np.ndarray) -> list[np.ndarray]:
    """The fixations in a run of samples that the tracker calls one; the run if it is whole."""
    if not len(run):
        return []
    apart = np.diff(seconds[run]) > LONGEST_GAP_S
    apart |= np.linalg.norm(np.diff(place[run], axis=0), axis=1) > LARGEST_STEP_PX
    if not apart.any():
        return [run]
    parts = np.split(run, np.flatnonzero(apart) + 1)
    return [part for part in parts if seconds[part[-1]] - seconds[part[0]] >= SHORTEST_PART_S]


FORMAT = GazeFormat(
    name='dhf1k_raw',
    title='DHF1K raw samples (SMI), P01_Trail002.txt',
    recognise=_recognise,
    read=_read,
    needs=('video_size',),
    takes=('screen_size', 'video_rect', 'time_zero'),
    defaults={'screen_size': (1440, 900), 'video_rect': 'letterbox', 'time_zero': 'first'},
)
