"""Which videos to explain, and where each result goes."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmsal.gaze import VIDEO_SUFFIXES

HEATMAP_SUFFIXES = ('.txt', '.txt.gz', '.npz')

_RANGES = re.compile(r'(?P<video>.+?)\s+frames\s+(?P<ranges>.+)$', re.IGNORECASE)
# `PATH LABEL`, and `DIR TOTAL_FRAMES LABEL` of MMAction2's lists of frames.
_LABELLED = re.compile(r'(?P<video>.+?)(\s+-?\d+){1,2}$')


class ListError(ValueError):
    """A list of videos that cannot be used; names the file and the line."""


@dataclass(frozen=True)
class Job:
    """One video to explain.

    Attributes:
        video: Path of the video, or of a folder of frames.
        stem: Where its results go below an output folder, without suffix.
        frame_ranges: Zero-based, half open; None takes the whole video.
    """

    video: Path
    stem: Path
    frame_ranges: tuple[tuple[int, int], ...] | None = None


def parse_frame_ranges(text: str) -> tuple[tuple[int, int], ...]:
    """Frame ranges as KTH's list writes them: ``1-75, 152-225``, counted from 1, ends included.

    Returns:
        tuple: Zero-based, half-open ranges.

    Raises:
        ValueError: Something else, or a range that runs backwards.
    """
    ranges = []
    for part in text.replace(',', ' ').split():
        match = re.fullmatch(r'(\d+)-(\d+)', part)
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise ValueError(f'expected frame ranges like 1-75,152-225 (from 1), got {text!r}')
        ranges.append((int(match[1]) - 1, int(match[2])))
    if not ranges:
        raise ValueError('expected frame ranges like 1-75,152-225 (from 1), got none')
    return tuple(ranges)


def read_job_list(path: str | Path) -> list[Job]:
    """Read a list of videos, one per line.

    A line is a path; or ``PATH LABEL`` or ``DIR TOTAL_FRAMES LABEL`` as in MMAction2's lists, the
    numbers being ignored (unless the whole line is a path that exists); or
    ``PATH frames 1-75, 152-225``, with ranges as in KTH's ``00sequences.txt``. Blank lines and
    lines that begin with ``#`` are skipped. Relative paths count from the current folder, from the
    folder of the list, or from the folder above (where ``tools/data/list_videos.py`` lists what
    lies beside its lists). Whether a video exists is left to the one who opens it.

    Raises:
        ListError: The list is missing, empty, malformed, or names a video twice.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding='utf-8-sig').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, 'strerror', None) or 'it is no text in UTF-8'
        raise ListError(f'list {path} cannot be read: {reason}') from error
    entries = []
    for number, line in enumerate(lines, 1):
        line = line.strip()
        if not line or line.startswith('#'):
            continue
        try:
            entries.append(_parse_line(line))
        except ValueError as error:
            raise ListError(f'{path}, line {number}: {error}') from error
    if not entries:
        raise ListError(f'list {path} names no video')
    return _with_stems(entries, path)


def _parse_line(line: str) -> tuple[Path, tuple | None]:
    if Path(line).exists():
        return Path(line), None
    if match := _RANGES.fullmatch(line):
        return Path(match['video']), parse_frame_ranges(match['ranges'])
    if match := _LABELLED.fullmatch(line):
        return Path(match['video']), None
    return Path(line), None


def _with_stems(entries: Sequence[tuple[Path, tuple | None]], path: Path) -> list[Job]:
    """Name each result after its video's path as the list gives it.

    Where a path is absolute or climbs out of its folder, all are taken from the folder that they
    share instead.
    """
    relative = [video for video, _ in entries]
    if any(video.is_absolute() or '..' in video.parts for video in relative):
        # Not resolve(): a link is called as the user calls it.
        absolute = [Path(os.path.abspath(video)) for video in relative]  # noqa: PTH100
        root = os.path.commonpath([video.parent for video in absolute])
        relative = [video.relative_to(root) for video in absolute]
    jobs, taken = [], {}
    for (video, ranges), stem in zip(entries, relative, strict=True):
        if stem.suffix.lower() in VIDEO_SUFFIXES:
            stem = stem.with_suffix('')
        if stem in taken:
            raise ListError(
                f'list {path}: {video} and {taken[stem]} would give the same output {stem}; '
                'name each video once, with all its ranges'
            )
        taken[stem] = video
        jobs.append(Job(_found(video, path), stem, ranges))
    return jobs


def _found(video: Path, path: Path) -> Path:
    """The video where it is: from here, from the folder of its list, or from the folder above."""
    folders = (Path(), path.parent, path.absolute().parent.parent)
    return next((folder / video for folder in folders if (folder / video).exists()), video)
