"""Gaze in ActivityNet-style JSON, as annotations of videos get exchanged.

ActivityNet's own layout (Caba Heilbron et al., CVPR 2015) has no points, so this is ours, as close
to it as can be; further keys are left out::

    {"units": "pixels",
     "database": {"v_abc.mp4": {"subset": "validation", "resolution": "640x360", "annotations": [
       {"segment": [0.5, 0.9], "observer": "o1", "point": [320.5, 180]},
       {"frame": 12, "observer": "o2", "points": [[10, 20], [30.5, 40]]}]}}}

- ``units``: ``pixels`` of the source video or ``normalised`` (shares of width and height); or
  ``--space``. The origin is the top left corner, unless ``--origin`` says otherwise.
- ``resolution`` (WIDTHxHEIGHT, as in ActivityNet) or ``--video-size``.
- ``segment``: start and end in seconds; or ``frame``, with ``--first-frame`` and ``--fps``.
- ``point`` or ``points``; each point is a fixation. ``null`` is a missing one. An annotation
  without either, such as a plain label, is left out and counted.
- ``observer``, or ``--observer``.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pandas as pd

from mmsal.gaze.placing import RAW_COLUMNS, RawGaze
from mmsal.gaze.readers.format import GazeFormat, read_text
from mmsal.gaze.recording import Recording, Size
from mmsal.gaze.table import GazeFormatError

SPACES = {'pixels': 'video', 'normalised': 'video-normalised', 'normalized': 'video-normalised'}
HAS_POINTS = re.compile(r'"points?"\s*:')
RESOLUTION = re.compile(r'(\d+)\s*x\s*(\d+)')


def _recognise(path: Path, head: str) -> bool:
    return head.lstrip().startswith('{') and '"database"' in head and bool(HAS_POINTS.search(head))


def _read(path: Path, recording: Recording) -> RawGaze:
    try:
        data = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise GazeFormatError(
            f'{path}, line {error.lineno}: expected JSON, which may be cut short: {error.msg}'
        ) from None
    database = data.get('database') if isinstance(data, dict) else None
    if not isinstance(database, dict) or not database:
        raise GazeFormatError(f'{path}: expected an object "database" with videos in it')
    space = _space(data.get('units'), recording, path)
    rows, counts, sizes = [], {'rows': 0, 'no_point': 0}, {}
    for video, entry in database.items():
        annotations = entry.get('annotations') if isinstance(entry, dict) else None
        if not isinstance(annotations, list):
            raise GazeFormatError(f'{path}, video {video}: expected a list "annotations"')
        if entry.get('resolution') is not None:
            sizes[video] = _size(entry['resolution'], f'{path}, video {video}')
        for number, annotation in enumerate(annotations):
            where = f'{path}, video {video}, annotation {number}'
            points = _points(annotation, where)
            counts['rows'] += max(len(points), 1)
            if not points:
                counts['no_point'] += 1
                continue
            start, end = _times(annotation, recording, where)
            observer = _observer(annotation, recording, where)
            rows += [(video, observer, start, end, *point) for point in points]
    fixations = pd.DataFrame(rows, columns=list(RAW_COLUMNS))
    return RawGaze(
        fixations, space, recording.origin or 'top-left', video_sizes=sizes, counts=counts
    )


def _space(units: Any, recording: Recording, path: Path) -> str:
    if units is None:
        recording.require(f'{path} (no "units")', 'space')
        if recording.space not in SPACES.values():
            raise GazeFormatError(
                f'{path}: expected --space video or video-normalised, got {recording.space}'
            )
        return recording.space
    if units not in SPACES:
        raise GazeFormatError(f'{path}: expected "units" pixels or normalised, got {units!r}')
    if recording.space not in (None, SPACES[units]):
        raise GazeFormatError(f'{path}: "units" is {units}, but --space {recording.space}')
    return SPACES[units]


def _size(text: Any, where: str) -> Size:
    found = RESOLUTION.fullmatch(text.strip()) if isinstance(text, str) else None
    if not found or not min(int(found[1]), int(found[2])):
        raise GazeFormatError(f'{where}: expected "resolution" like "640x360", got {text!r}')
    return int(found[1]), int(found[2])


def _points(annotation: Any, where: str) -> list[tuple[float, float]]:
    """The points of an annotation; NaN for one that is null."""
    if not isinstance(annotation, dict):
        raise GazeFormatError(f'{where}: expected an object, got {annotation!r}')
    if 'point' in annotation and 'points' in annotation:
        raise GazeFormatError(f'{where}: expected "point" or "points", got both')
    points = annotation.get('points', [])
    if 'point' in annotation:
        points = [annotation['point']]
    if not isinstance(points, list):
        raise GazeFormatError(f'{where}: expected a list "points", got {points!r}')
    missing = (math.nan, math.nan)
    return [missing if one is None else _pair(one, 'a point [x, y]', where) for one in points]


def _times(annotation: dict, recording: Recording, where: str) -> tuple[float, float]:
    if ('segment' in annotation) == ('frame' in annotation):
        raise GazeFormatError(f'{where}: expected either "segment" or "frame"')
    if 'segment' in annotation:
        start, end = _pair(annotation['segment'], '"segment" [start, end]', where)
        if end < start:
            raise GazeFormatError(f'{where}: the segment ends before it starts')
        return start, end
    recording.require(where, 'first_frame')
    frame = annotation['frame']
    if isinstance(frame, bool) or not isinstance(frame, int) or frame < recording.first_frame:
        raise GazeFormatError(
            f'{where}: expected "frame" as a whole number from {recording.first_frame}, got '
            f'{frame!r}'
        )
    starts, ends = recording.frame_starts(where, [frame - recording.first_frame])
    return float(starts[0]), float(ends[0])


def _observer(annotation: dict, recording: Recording, where: str) -> str:
    observer = annotation.get('observer', recording.observer)
    if observer is None:
        raise GazeFormatError(f'{where}: no "observer": give --observer')
    return str(observer)


def _pair(value: Any, what: str, where: str) -> tuple[float, float]:
    pair = value if isinstance(value, list) and len(value) == 2 else [None]
    if any(isinstance(one, bool) or not isinstance(one, int | float) for one in pair) or not all(
        math.isfinite(one) for one in pair
    ):
        raise GazeFormatError(f'{where}: expected {what} of two numbers, got {value!r}')
    return float(pair[0]), float(pair[1])


FORMAT = GazeFormat(
    name='activitynet_json',
    title='ActivityNet-style JSON with points',
    recognise=_recognise,
    read=_read,
    takes=('fps', 'frame_times', 'first_frame'),
)
