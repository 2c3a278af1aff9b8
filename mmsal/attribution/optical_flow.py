"""Dense optical flow between the frames of a clip; NumPy and OpenCV only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np

# The parameters of OpenCV's tutorial on dense flow.
FARNEBACK = {
    'pyr_scale': 0.5,
    'levels': 3,
    'winsize': 15,
    'iterations': 3,
    'poly_n': 5,
    'poly_sigma': 1.2,
    'flags': 0,
}
DIS = {'preset': 'medium'}
DEFAULTS = {'farneback': FARNEBACK, 'dis': DIS}
ALGORITHMS = tuple(DEFAULTS)
DIS_PRESETS = {
    'ultrafast': cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
    'fast': cv2.DISOPTICAL_FLOW_PRESET_FAST,
    'medium': cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
}
# What OpenCV can compute with; outside it fails late, or is silent about it.
_BOUNDS = {
    'pyr_scale': (0.01, 0.99),
    'levels': (1, 100),
    'winsize': (1, 1000),
    'iterations': (1, 1000),
    'poly_n': (1, 100),
    'poly_sigma': (0.01, 100.0),
}


def optical_flow(frames: np.ndarray, algorithm: str = 'farneback', **options: Any) -> np.ndarray:
    """Displacement of every pixel from each frame to the next.

    Colour is reduced to luma (ITU-R BT.601) first; nothing else is done to the frames.

    Args:
        frames: uint8, grey `[T, H, W]` or RGB `[T, H, W, 3]`, at least two frames.
        algorithm: `'farneback'` (Farnebäck, SCIA 2003) or `'dis'` (dense inverse search; Kroeger
            et al., ECCV 2016).
        options: Of Farnebäck `pyr_scale` (0.5), `levels` (3), `winsize` (15 px), `iterations` (3),
            `poly_n` (5 px), `poly_sigma` (1.2 px) and `flags` (0; 256 weights the window by a
            Gaussian), with the meaning that OpenCV gives them. Of DIS `preset`: `'ultrafast'`,
            `'fast'` or `'medium'` (the default).

    Returns:
        `[T-1, H, W, 2]` float32. `flow[t, y, x]` is `(dx, dy)` in pixels per frame step: what is at
        `(x, y)` of frame t is at `(x + dx, y + dy)` in frame t + 1, x to the right, y downwards. So
        map t lies in the pixels of frame t, the first of its pair.

    Raises:
        ValueError: Frames of another shape or type, fewer than two, too small for the algorithm, or
            an unknown algorithm or option.
    """
    return np.stack(list(_flows(frames, algorithm, options)))


def optical_flow_magnitude(
    frames: np.ndarray, algorithm: str = 'farneback', **options: Any
) -> np.ndarray:
    """Speed of every pixel from each frame to the next.

    Args:
        frames, algorithm, options: See :func:`optical_flow`.

    Returns:
        `[T-1, H, W]` float32, the length of `(dx, dy)` in pixels per frame step, 0 or more. Map t
        lies in the pixels of frame t.

    Raises:
        ValueError: As :func:`optical_flow`.
    """
    flows = _flows(frames, algorithm, options)
    return np.stack([np.hypot(one[..., 0], one[..., 1]) for one in flows])


def flow_options(algorithm: str = 'farneback', **options: Any) -> dict[str, Any]:
    """All options of an algorithm: those given, and the defaults of the others.

    Raises:
        ValueError: An unknown algorithm or option, or a value out of its range.
    """
    if algorithm not in DEFAULTS:
        raise ValueError(f'expected algorithm {" or ".join(ALGORITHMS)}, got {algorithm!r}')
    known = DEFAULTS[algorithm]
    unknown = [name for name in options if name not in known]
    if unknown:
        raise ValueError(f'expected options of {algorithm}: {", ".join(known)}; got {unknown[0]!r}')
    chosen = {**known, **options}
    for name, value in chosen.items():
        _check_option(name, value, known[name])
    return chosen


def _check_option(name: str, value: Any, default: Any) -> None:
    if name == 'preset':
        if value not in DIS_PRESETS:
            raise ValueError(f'expected preset {", ".join(DIS_PRESETS)}, got {value!r}')
        return
    kinds = (int, float) if isinstance(default, float) else int
    if isinstance(value, bool) or not isinstance(value, kinds):
        kind = 'a number' if isinstance(default, float) else 'a whole number'
        raise ValueError(f'expected {name} to be {kind}, got {value!r}')
    if name == 'flags':
        # The other flag, OPTFLOW_USE_INITIAL_FLOW, reads a flow that nobody has given.
        if value not in (0, cv2.OPTFLOW_FARNEBACK_GAUSSIAN):
            raise ValueError(f'expected flags 0 or {cv2.OPTFLOW_FARNEBACK_GAUSSIAN}, got {value}')
        return
    low, high = _BOUNDS[name]
    if not low <= value <= high:
        raise ValueError(f'expected {name} from {low} to {high}, got {value}')


def _flows(frames: np.ndarray, algorithm: str, options: dict[str, Any]) -> Iterator[np.ndarray]:
    """The flow of each pair, `[H, W, 2]` float32; one pair is held at a time."""
    compute = _algorithm(algorithm, flow_options(algorithm, **options))
    frames = _checked(frames)
    before = _grey(frames[0])
    for frame in frames[1:]:
        after = _grey(frame)
        try:
            yield compute(before, after)
        except cv2.error as error:
            height, width = before.shape
            raise ValueError(
                f'{algorithm} cannot compute the flow of frames of {width}x{height} pixels: '
                f'{error.err or error.code}'
            ) from error
        before = after


def _algorithm(name: str, options: dict) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    if name == 'dis':
        search = cv2.DISOpticalFlow.create(DIS_PRESETS[options['preset']])
        return lambda before, after: search.calc(before, after, None)
    return lambda before, after: cv2.calcOpticalFlowFarneback(before, after, None, **options)


def _checked(frames: np.ndarray) -> np.ndarray:
    frames = np.asarray(frames)
    shaped = frames.ndim == 3 or (frames.ndim == 4 and frames.shape[-1] == 3)
    if not shaped or 0 in frames.shape[1:]:
        raise ValueError(
            f'expected frames of shape [T, H, W] (grey) or [T, H, W, 3] (RGB), got {frames.shape}'
        )
    if frames.dtype != np.uint8:
        raise ValueError(f'expected frames of type uint8, got {frames.dtype}')
    if len(frames) < 2:
        raise ValueError(f'expected at least two frames, got {len(frames)}')
    return frames


def _grey(frame: np.ndarray) -> np.ndarray:
    frame = np.ascontiguousarray(frame)
    return frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
