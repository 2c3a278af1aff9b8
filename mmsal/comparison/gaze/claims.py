"""What the files of one video say about it, and whether they agree."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from mmsal.datasets.video import VideoInfo
from mmsal.heatmaps import read_heatmap_meta
from mmsal.heatmaps.sidecar import sidecar_path

# Relative. 29.97 and 30000/1001 are one rate, 23.976 and 24 are two: a second apart in 17 minutes.
SAME_RATE = 2e-4
SAME_TIME_S = 1e-3


@dataclass(frozen=True)
class Claims:
    """What one file, or the command line, says about a video; None where it says nothing.

    Attributes:
        fps: Frames per second.
        size: (width, height) of the source in pixels.
        map_size: (width, height) of the maps, where they lie in the source.
        num_frames: Of the source.
        frames: int64 [T], zero-based index of each frame that the file has.
        timestamps: float64 [T], seconds from the source's first frame to each of these.
        single_precision: Whether the timestamps passed through float32, as decord's do.
    """

    fps: float | None = None
    size: tuple[int, int] | None = None
    map_size: tuple[int, int] | None = None
    num_frames: int | None = None
    frames: np.ndarray | None = None
    timestamps: np.ndarray | None = None
    single_precision: bool = False


@dataclass(frozen=True)
class Agreed:
    """What all files of a video say about it; None where none says anything."""

    fps: float | None
    size: tuple[int, int] | None


def claims_of_maps(path: Path, model: str) -> tuple[Claims, list[str]]:
    """What a heatmap file or its sidecar says, without reading the maps.

    Args:
        path: The heatmap file.
        model: Whose maps they are, for the faults.

    Returns:
        What it says; and its faults, a line each: values of another kind than expected, another
        number of timestamps than of frames, maps in the network's input.

    Raises:
        HeatmapFormatError, OSError: It cannot be read.
    """
    meta = read_heatmap_meta(path)
    where = path if path.suffix.lower() == '.npz' else sidecar_path(path)
    values: dict[str, Any] = dict.fromkeys(_EXPECTED)
    faults = []
    for name, (convert, words) in _EXPECTED.items():
        try:
            values[name] = None if meta.get(name) is None else convert(meta[name])
        except (TypeError, ValueError, OverflowError):
            faults.append(f'{where}: expected {name} as {words}, got {reprlib.repr(meta[name])}')
    frames, times = values['frame_indices'], values['timestamps']
    if frames is not None and times is not None and len(frames) != len(times):
        faults.append(f'{where}: expected timestamps of {len(frames)} frames, got {len(times)}')
    in_source = values['space'] != 'input'
    if not in_source:
        faults.append(f"maps of {model} lie in the network's input, not the source")
    claims = Claims(
        values['fps'], values['source_size'], values['map_size'] if in_source else None,
        values['num_frames'], frames, times,
    )  # fmt: skip
    return claims, faults


def claims_of_video(info: VideoInfo) -> Claims:
    """What a video file says."""
    times = info.timestamps
    frames = None if times is None else np.arange(info.frames)
    size = (info.width, info.height)
    return Claims(info.fps, size, None, info.frames, frames, times, single_precision=True)


def agree(said: Mapping[str, Claims]) -> tuple[Agreed, list[str]]:
    """What the files of one video say together, and what they contradict each other about.

    Frame rates agree up to two parts in ten thousand, timestamps of the same frame up to a
    millisecond (and the rounding of single precision, where a video file tells them), all else
    exactly. Maps must have the size of the source, and no frame beyond its number of frames.

    Args:
        said: What each says, by what it is called in the faults (``maps of a``).

    Returns:
        What they agree about, and the faults, a line each.
    """
    rates = _told(said, 'fps')
    faults = []
    if rates and max(rates.values()) - min(rates.values()) > SAME_RATE * max(rates.values()):
        faults.append(_differing('frame rate', rates))
    sizes, map_sizes = _told(said, 'size'), _told(said, 'map_size')
    size, wrong = _equal('size', sizes or map_sizes)
    faults += wrong
    if size is not None:
        faults += [
            f'{who} have {_words(other)} pixels, expected {_words(size)} as the source'
            for who, other in map_sizes.items()
            if other != size
        ]
    number, wrong = _equal('number of frames', _told(said, 'num_frames'))
    faults += wrong
    if number is not None:
        faults += [
            f'{who} have frame {frames.max()}, expected frames 0 to {number - 1} of {number}'
            for who, frames in _told(said, 'frames').items()
            if len(frames) and frames.max() >= number
        ]
    faults += _differing_times(said)
    return Agreed(next(iter(rates.values()), None), size), faults


def _told(said: Mapping[str, Claims], what: str) -> dict[str, Any]:
    """What is said about one thing, by those that say something."""
    told = {who: getattr(claims, what) for who, claims in said.items()}
    return {who: value for who, value in told.items() if value is not None}


def _equal(what: str, told: Mapping[str, Any]) -> tuple[Any, list[str]]:
    """What all say about one thing; or that they differ, in one line."""
    if len(set(told.values())) > 1:
        return None, [_differing(what, told)]
    return next(iter(told.values()), None), []


def _differing(what: str, told: Mapping[str, Any]) -> str:
    return f'{what} differs: ' + ', '.join(
        f'{_words(value)} ({who})' for who, value in told.items()
    )


def _differing_times(said: Mapping[str, Claims]) -> list[str]:
    """Pairs whose timestamps of a common frame differ; the first such frame of each."""
    timed = {
        who: claims
        for who, claims in said.items()
        if claims.frames is not None and claims.timestamps is not None
    }
    pairs = list(combinations(timed, 2))
    videos = {who for who, claims in timed.items() if claims.single_precision}
    if videos:  # models that agree with the video agree with each other
        pairs = [pair for pair in pairs if videos & set(pair)]
    faults = []
    for one, other in pairs:
        first, second = timed[one], timed[other]
        frames, places, others = np.intersect1d(first.frames, second.frames, return_indices=True)
        times, other_times = first.timestamps[places], second.timestamps[others]
        allowed = np.full(len(frames), SAME_TIME_S)
        if first.single_precision or second.single_precision:
            allowed += np.spacing(np.maximum(abs(times), abs(other_times)).astype(np.float32))
        wrong = np.flatnonzero(abs(times - other_times) > allowed)
        if wrong.size:
            at = wrong[0]
            faults.append(
                f'timestamps differ between {one} and {other} (frame {frames[at]}: '
                f'{times[at]:.3f} s, {other_times[at]:.3f} s)'
            )
    return faults


def _words(value: Any) -> str:
    if isinstance(value, tuple):
        return f'{value[0]}x{value[1]}'
    return f'{value:.6g}' if isinstance(value, float) else str(value)


def _whole(value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    if not (value == int(value) and least <= value < 2**63):
        raise ValueError
    return int(value)


def _finite(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    if not math.isfinite(value):
        raise ValueError
    return float(value)


def _rate(value: Any) -> float:
    if not _finite(value) > 0:
        raise ValueError
    return float(value)


def _size(value: Any) -> tuple[int, int]:
    if not isinstance(value, list):
        raise TypeError
    width, height = (_whole(side, 1) for side in value)
    return width, height


def _frames(value: Any) -> np.ndarray:
    if not isinstance(value, list):
        raise TypeError
    return np.array([_whole(frame, 0) for frame in value], dtype=np.int64)


def _different_frames(value: Any) -> np.ndarray:
    frames = _frames(value)
    if len(np.unique(frames)) != len(frames):
        raise ValueError
    return frames


def _times(value: Any) -> np.ndarray:
    if not isinstance(value, list):
        raise TypeError
    return np.array([_finite(time) for time in value], dtype=np.float64)


def _space(value: Any) -> str:
    if value not in ('source', 'input'):
        raise ValueError
    return value


# How each thing in a sidecar is read, and what it is expected to be.
_EXPECTED: dict[str, tuple[Callable[[Any], Any], str]] = {
    'fps': (_rate, 'a positive number'),
    'source_size': (_size, 'two whole numbers of pixels, [width, height]'),
    'map_size': (_size, 'two whole numbers of pixels, [width, height]'),
    'num_frames': (lambda value: _whole(value, 1), 'a whole number of at least 1'),
    'frame_indices': (_different_frames, 'a list of whole numbers from 0, each once'),
    'seen_frames': (_frames, 'a list of whole numbers from 0'),
    'timestamps': (_times, 'a list of finite numbers of seconds'),
    'space': (_space, "'source' or 'input'"),
}
