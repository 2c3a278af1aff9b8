"""What a gaze file does not say about itself: screen, video, clock."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from mmsal.gaze.table import GazeFormatError

# Where positions may lie: pixels, or shares of width and height, of the screen or of the video.
SPACES = ('screen', 'video', 'screen-normalised', 'video-normalised')
# 'centre-up' and 'centre-down': origin in the middle, y grows up or down.
ORIGINS = ('top-left', 'bottom-left', 'centre-up', 'centre-down')
TIME_UNITS = {'s': 1.0, 'ms': 1e-3, 'us': 1e-6, 'ns': 1e-9}
EYES = ('left', 'right', 'mean')
LETTERBOX, WHOLE_SCREEN, CENTRE = 'letterbox', 'screen', 'centre'
FIRST = 'first'  # as time_zero

Size = tuple[float, float]


@dataclass(frozen=True)
class Recording:
    """What the user says about a recording; None is left unsaid, and nothing is guessed.

    A reader asks for what it needs with :meth:`require`; what the file itself says, or its format
    defines, need not be given.

    Attributes:
        video: Name of the video that was watched, where the file has no name of its own;
            ``{stem}`` in it stands for the file's name without its last suffix.
        observer: Name of the observer, likewise.
        video_size: (width, height) of the source video in pixels; a mapping by video name where
            they differ.
        screen_size: (width, height) of the screen in its pixels.
        video_rect: Where the video was on the screen: (x, y, width, height) in screen pixels from
            the screen's top left corner; ``'letterbox'``: as large as the screen allows at the
            video's own aspect ratio, in the middle; ``'screen'``: stretched over all of it;
            ``'centre'``: at its own size, in the middle.
        space: What positions are measured in, one of ``SPACES``.
        origin: One of ``ORIGINS``.
        time_unit: Unit of the file's clock, a key of ``TIME_UNITS``.
        time_zero: The file's clock at the video's first frame, in the file's own unit; or
            ``'first'``, the first line of data; or, for files with messages, a regular expression
            that the message of the video's start matches; or, for reports, the column that has it.
        video_message: For files with messages and several videos: a regular expression with a group
            ``video``, such as ``'TRIAL_VAR video (?P<video>.+)'``.
        video_column: For tables of several videos: the column that names the video.
        fps: Frames per second of the video, for files that count frames.
        frame_times: float [T], seconds from the video's first frame to the start of each, so the
            first is 0, for files that count frames of a video whose rate varies; goes before
            ``fps``.
        first_frame: The number by which the file calls the video's first frame, 0 or 1 mostly.
        eye: Which eye of two, one of ``EYES``.
        min_confidence: Fixations of lower confidence (0 to 1) are left out and counted.

    Raises:
        GazeFormatError: A value that makes no sense.
    """

    video: str | None = None
    observer: str | None = None
    video_size: Size | Mapping[str, Size] | None = None
    screen_size: Size | None = None
    video_rect: tuple[float, float, float, float] | str | None = None
    space: str | None = None
    origin: str | None = None
    time_unit: str | None = None
    time_zero: float | str | None = None
    video_message: str | None = None
    video_column: str | None = None
    fps: float | None = None
    frame_times: np.ndarray | None = None
    first_frame: int | None = None
    eye: str | None = None
    min_confidence: float | None = None

    def __post_init__(self) -> None:
        choices = {'space': SPACES, 'origin': ORIGINS, 'time_unit': TIME_UNITS, 'eye': EYES}
        for name, allowed in choices.items():
            given = getattr(self, name)
            if given is not None and given not in allowed:
                raise GazeFormatError(f'expected {name} {", ".join(allowed)}, got {given!r}')
        sizes = self.video_size if isinstance(self.video_size, Mapping) else {'': self.video_size}
        for size in (*sizes.values(), self.screen_size):
            if size is not None and not (len(size) == 2 and min(size) > 0):
                raise GazeFormatError(f'expected a size as (width, height), got {size!r}')
        _check_rect(self.video_rect)
        if self.fps is not None and not 0 < self.fps < np.inf:
            raise GazeFormatError(f'expected a positive fps, got {self.fps}')
        if (
            self.video_message is not None
            and 'video' not in _pattern(self.video_message).groupindex
        ):
            raise GazeFormatError(
                f'expected video_message with a group (?P<video>...), got {self.video_message!r}'
            )
        _check_times(self.frame_times)
        zero = self.time_zero
        if not (zero is None or isinstance(zero, str) or math.isfinite(zero)):
            raise GazeFormatError(f'expected a finite time_zero, got {zero}')
        if self.first_frame is not None and self.first_frame < 0:
            raise GazeFormatError(f'expected first_frame 0 or more, got {self.first_frame}')
        if self.min_confidence is not None and not 0 <= self.min_confidence <= 1:
            raise GazeFormatError(f'expected min_confidence 0 to 1, got {self.min_confidence}')

    def require(self, what: str, *names: str) -> None:
        """Refuse to go on without what only the user can say.

        Args:
            what: The format, for the message.
            names: Attributes that must be given.

        Raises:
            GazeFormatError: Names all that are absent, as options of the command line too.
        """
        absent = [name for name in names if getattr(self, name) is None]
        if absent:
            options = ', '.join(f'--{name.replace("_", "-")}' for name in absent)
            raise GazeFormatError(f'{what} does not say its {", ".join(absent)}: give {options}')

    def seconds(self, clock: Any, unit: str) -> np.ndarray:
        """Readings of the file's clock as seconds from the video's first frame, float64 [N].

        ``time_zero`` is subtracted before the readings become floats of seconds, so that a clock
        of nanoseconds since 1970 loses nothing.

        Raises:
            GazeFormatError: ``time_zero`` is text; readers resolve that first.
        """
        if isinstance(self.time_zero, str):
            raise GazeFormatError(f'expected time_zero as a number, got {self.time_zero!r}')
        clock = np.asarray(clock)
        zero = 0 if self.time_zero is None else self.time_zero
        if clock.dtype.kind in 'iu' and float(zero).is_integer():
            zero = int(zero)
        return (clock - zero) * TIME_UNITS[unit]

    def with_zero(self, first: float, what: str) -> Recording:
        """The same with ``time_zero='first'`` put in numbers: ``first``, the clock's first reading.

        Raises:
            GazeFormatError: ``time_zero`` is not given, or is other text.
        """
        self.require(what, 'time_zero')
        if self.time_zero == FIRST:
            return replace(self, time_zero=first)
        if isinstance(self.time_zero, str):
            raise GazeFormatError(
                f'{what}: expected time_zero as a number or {FIRST!r}, got {self.time_zero!r}'
            )
        return self

    def start_pattern(self) -> re.Pattern:
        """``time_zero`` as the regular expression of a message or event.

        Raises:
            GazeFormatError: It is none.
        """
        return _pattern(str(self.time_zero))

    def named_after(self, stem: str) -> Recording:
        """The same with ``{stem}`` in the names of video and observer put in words."""
        named = {
            name: given.replace('{stem}', stem)
            for name in ('video', 'observer')
            if (given := getattr(self, name)) is not None
        }
        return replace(self, **named)

    def with_defaults(self, defaults: Mapping[str, Any]) -> Recording:
        """The same with what a format defines, where the user says nothing else."""
        unsaid = {name: value for name, value in defaults.items() if getattr(self, name) is None}
        return replace(self, **unsaid)

    def frame_starts(self, what: str, frames: Any) -> tuple[np.ndarray, np.ndarray]:
        """Start and end of frames by zero-based number, two float64 [N] of seconds.

        Raises:
            GazeFormatError: Neither ``frame_times`` nor ``fps`` is given, or a frame has no time.
        """
        frames = np.asarray(frames, dtype=np.int64)
        if self.frame_times is None:
            self.require(what, 'fps')
            return frames / self.fps, (frames + 1) / self.fps
        times = np.asarray(self.frame_times, dtype=np.float64)
        if len(frames) and not 0 <= frames.min() <= frames.max() < len(times):
            raise GazeFormatError(
                f'{what}: expected frames 0 to {len(times) - 1}, which frame_times has, got '
                f'{frames.min()} to {frames.max()}'
            )
        step = np.median(np.diff(times)) if len(times) > 1 else 0.0
        ends = np.append(times[1:], times[-1] + step)
        return times[frames], ends[frames]

    def said_size(self, video: str) -> Size | None:
        """Width and height of a video in pixels, None where they are unsaid."""
        if not isinstance(self.video_size, Mapping):
            return self.video_size
        # Names in a fixation table have no spaces at their ends.
        sizes = {str(name).strip(): size for name, size in self.video_size.items()}
        return sizes.get(str(video).strip())

    def size_of(self, video: str) -> Size:
        """As :meth:`said_size`, but raises GazeFormatError where they are unsaid."""
        size = self.said_size(video)
        if size is None and self.video_size is not None:
            raise GazeFormatError(
                f'size of video {video} is not among the {len(self.video_size)} of --video-size: '
                f'{", ".join(list(map(str, self.video_size))[:5])}'
            )
        if size is None:
            raise GazeFormatError(f'size of video {video} is not said: give --video-size')
        return size

    def said(self) -> dict[str, Any]:
        """What was said, as JSON values, for the record."""
        given = {one.name: getattr(self, one.name) for one in fields(self)}
        if self.frame_times is not None:
            given['frame_times'] = f'{len(self.frame_times)} times'
        return {name: value for name, value in given.items() if value is not None}


def _pattern(text: str) -> re.Pattern:
    try:
        return re.compile(text)
    except re.error as error:
        raise GazeFormatError(f'expected a regular expression, got {text!r}: {error}') from None


def _check_times(times: Any) -> None:
    if times is None:
        return
    if not len(times) or not abs(times[0]) < 1e-9:
        raise GazeFormatError(
            "expected frame_times from 0, seconds from the video's first frame, got "
            f'{times[0] if len(times) else "none"}'
        )
    if not (np.diff(times) > 0).all():
        raise GazeFormatError('expected frame_times that ascend')


def _check_rect(rect: Any) -> None:
    if rect is None or rect in (LETTERBOX, WHOLE_SCREEN, CENTRE):
        return
    if isinstance(rect, str) or len(rect) != 4 or not min(rect[2:]) > 0:
        raise GazeFormatError(
            f'expected video_rect as (x, y, width, height), {LETTERBOX!r}, {WHOLE_SCREEN!r} or '
            f'{CENTRE!r}, got {rect!r}'
        )
