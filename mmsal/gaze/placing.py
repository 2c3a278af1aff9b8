"""Fixations as readers find them, brought into pixels of the source video."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mmsal.gaze.recording import CENTRE, WHOLE_SCREEN, Recording, Size
from mmsal.gaze.table import FIXATION_COLUMNS, GazeFormatError, validate_fixations

RAW_COLUMNS = ('video', 'observer', 'start_s', 'end_s', 'x', 'y')


@dataclass
class RawGaze:
    """Fixations as a reader finds them, not yet in pixels of the video.

    Attributes:
        fixations: Columns ``RAW_COLUMNS``: names, seconds from the video's first frame, and x, y
            in ``space`` from ``origin``. Positions may be NaN (missing).
        space, origin: See :class:`mmsal.gaze.recording.Recording`.
        screen_size: (width, height) of the screen in pixels, where the file says it.
        video_sizes: (width, height) by video name, where the file itself says them. What the user
            says goes before for shares of the picture; for pixels it must not differ.
        needs_size: False for positions that are on the video already: where no size is said, they
            are not checked against the picture.
        counts: What was left out so far, by reason; ``'rows'`` counts all rows of data in the file.
    """

    fixations: pd.DataFrame
    space: str
    origin: str = 'top-left'
    screen_size: Size | None = None
    video_sizes: dict[str, Size] = field(default_factory=dict)
    needs_size: bool = True
    counts: dict[str, int] = field(default_factory=dict)


def to_table(raw: RawGaze, recording: Recording) -> pd.DataFrame:
    """Bring fixations into pixels of the source video and drop those that are not on it.

    Args:
        raw: As a reader found them.
        recording: Sizes of screen and video, and where on the screen the video was.

    Returns:
        Fixation table (:data:`mmsal.gaze.table.FIXATION_COLUMNS`). ``attrs['counts']`` has
        ``fixations``, the rows of the table, and what was dropped: ``missing`` (no position),
        ``outside`` (x or y not in [0, width) or [0, height) of the picture), ``before_video``
        (over before the first frame), beside what the reader counted.

    Raises:
        GazeFormatError: Sizes are needed and unsaid, the file says another, or the table is not
            valid.
    """
    for name in ('space', 'origin'):
        said, there = getattr(recording, name), getattr(raw, name)
        if said not in (None, there):
            raise GazeFormatError(
                f'the {name} of this format is {there}, not {said}: leave out --{name}'
            )
    recording = recording.with_defaults({'screen_size': raw.screen_size})
    frame = raw.fixations
    x, y = np.empty(len(frame)), np.empty(len(frame))
    sizes = np.empty((len(frame), 2))
    for video, rows in frame.groupby('video', sort=False, dropna=False).indices.items():
        sizes[rows] = size = _size(video, raw, recording)
        place = frame[['x', 'y']].to_numpy(np.float64)[rows]
        x[rows], y[rows] = _to_video(place, raw, recording, size).T
    missing = ~(np.isfinite(x) & np.isfinite(y))
    start, end = (frame[name].to_numpy(np.float64) for name in ('start_s', 'end_s'))
    before = ~missing & (start < 0) & (end <= 0)
    on_it = (x >= 0) & (y >= 0) & (x < sizes[:, 0]) & (y < sizes[:, 1]) | np.isinf(sizes[:, 0])
    outside = ~missing & ~before & ~on_it
    columns = {name: frame[name] for name in ('video', 'observer', 'start_s', 'end_s')}
    table = pd.DataFrame({**columns, 'x_px': x, 'y_px': y})[list(FIXATION_COLUMNS)]
    kept = ~(missing | before | outside)
    table = validate_fixations(table[kept])
    table.attrs['counts'] = {
        **raw.counts,
        'missing': raw.counts.get('missing', 0) + int(missing.sum()),
        'before_video': int(before.sum()),
        'outside': int(outside.sum()),
        'fixations': len(table),
    }
    return table


def video_rectangle(recording: Recording, video_size: Size) -> tuple[float, float, float, float]:
    """Where the video was on the screen: x, y, width, height in screen pixels.

    Raises:
        GazeFormatError: It is not said, or what it rests on is not.
    """
    rect = recording.video_rect
    if rect is None:
        raise GazeFormatError('positions on the screen need the place of the video: --video-rect')
    if not isinstance(rect, str):
        return rect
    recording.require(f'video_rect {rect!r}', 'screen_size')
    wide, high = recording.screen_size
    if rect == WHOLE_SCREEN:
        return 0.0, 0.0, wide, high
    scale = 1.0 if rect == CENTRE else min(wide / video_size[0], high / video_size[1])
    width, height = video_size[0] * scale, video_size[1] * scale
    return (wide - width) / 2, (high - height) / 2, width, height


def _size(video: str, raw: RawGaze, recording: Recording) -> Size:
    """Width and height of a video; infinite where none is said and none is needed."""
    said, there = recording.said_size(video), raw.video_sizes.get(video)
    in_pixels = not raw.space.endswith('normalised')
    if said and there and in_pixels and tuple(said) != tuple(there):
        raise GazeFormatError(
            f'video {video} has {there[0]:g}x{there[1]:g} pixels in the file, not '
            f'{said[0]:g}x{said[1]:g}: leave out --video-size'
        )
    said = there if said is None else said
    if said is None and not raw.needs_size:
        return np.inf, np.inf
    return recording.size_of(video) if said is None else said


def _to_video(place: np.ndarray, raw: RawGaze, recording: Recording, video: Size) -> np.ndarray:
    """Positions [N, 2] of ``raw.space`` as pixels of the video, origin top left."""
    on_screen = raw.space.startswith('screen')
    if on_screen and (raw.space != 'screen' or raw.origin != 'top-left'):
        recording.require('a position on the screen', 'screen_size')
    size = np.array(recording.screen_size or (np.nan, np.nan) if on_screen else video, np.float64)
    unit = np.ones(2) if raw.space.endswith('normalised') else size
    place = place.copy()
    if raw.origin == 'bottom-left':
        place[:, 1] = unit[1] - place[:, 1]
    elif raw.origin.startswith('centre'):
        if raw.origin == 'centre-up':
            place[:, 1] = -place[:, 1]
        place += unit / 2
    if raw.space.endswith('normalised'):
        place *= size
    if not on_screen:
        return place
    left, top, width, height = video_rectangle(recording, video)
    return (place - (left, top)) * (video[0] / width, video[1] / height)
