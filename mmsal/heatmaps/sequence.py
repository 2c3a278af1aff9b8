"""`HeatmapSequence`: one heatmap per frame of a video."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from .meta import plain_meta

if TYPE_CHECKING:
    import pandas as pd


@dataclass(eq=False, repr=False)
class HeatmapSequence:
    """One heatmap per frame of a video, with the frames they belong to.

    The origin of a map is its top-left pixel: `values[t, y, x]`.

    Args:
        values: Heatmaps, `[T, H, W]`, any real type, kept as float32. By convention they lie in
            [0, 1]; the text format insists on it, this class does not. An array that is float32
            already is not copied.
        frame_indices: Zero-based index of each map's frame in the source video, `[T]` integers,
            all different, in any order, kept as int64 (a copy).
        meta: What is known about the maps (video, fps, method ...), as JSON values; NumPy numbers
            and paths are converted, the dict is copied. None means nothing: `{}`.
        seen: `[H, W]` bool, False for pixels that no view of the model saw (a copy is kept).
            None means that all pixels were seen.

    Raises:
        ValueError: If shapes, types or indices do not fit, or `meta` has no JSON form.
    """

    values: np.ndarray
    frame_indices: np.ndarray
    meta: dict[str, Any] = field(default_factory=dict)
    seen: np.ndarray | None = None

    def __post_init__(self) -> None:
        self.values = _checked_values(self.values)
        self.frame_indices = _checked_frame_indices(self.frame_indices, len(self.values))
        self.meta = plain_meta(self.meta)
        self.seen = _checked_seen(self.seen, self.values.shape[1:])

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.values)

    def __repr__(self) -> str:
        frames, height, width = self.values.shape
        return f'HeatmapSequence({frames} frames, width {width}, height {height})'

    def to_saliency_map(self) -> np.ndarray:
        """Merge the frames into one map for the whole video.

        Returns:
            The sum over frames divided by the number of frames, `[H, W]` float32. The sum is taken
            in float64. Pixels that were not seen are averaged like all others; mask them with
            `seen`.
        """
        total = self.values.sum(axis=0, dtype=np.float64)
        return (total / len(self.values)).astype(np.float32)

    def to_dataframe(self) -> pd.DataFrame:
        """Spread the maps out as a tidy table, one row per frame and pixel.

        Frames stand in the order of `values`, the pixels of a frame row by row from the top and
        in each row from the left. Pixels that were not seen have rows, too: leave them out with
        `table[table['seen']]`.

        Returns:
            T * H * W rows of 37 bytes, numbered from 0, with the columns

            - `frame`: int64, zero-based index of the frame in the source video.
            - `time_s`: float64, seconds from the first frame of the source video, as in
              `meta['timestamps']`; NaN in all rows where that is no list of T numbers.
            - `x_px`, `y_px`: int64, column and row of the pixel in the map, zero-based from the
              top-left pixel.
            - `value`: float32, as in `values`.
            - `seen`: bool, False for pixels that no view of the model saw.
        """
        import pandas as pd  # here, because reading and writing maps need only NumPy

        frames, height, width = self.values.shape
        pixels = height * width
        seen = np.ones((height, width), bool) if self.seen is None else self.seen
        return pd.DataFrame(
            {
                'frame': np.repeat(self.frame_indices, pixels),
                'time_s': np.repeat(self._timestamps(), pixels),
                'x_px': np.tile(np.arange(width, dtype=np.int64), frames * height),
                'y_px': np.tile(np.repeat(np.arange(height, dtype=np.int64), width), frames),
                'value': self.values.reshape(-1),
                'seen': np.tile(seen.reshape(-1), frames),
            }
        )

    def _timestamps(self) -> np.ndarray:
        times = self.meta.get('timestamps')
        known = isinstance(times, list) and len(times) == len(self)
        if known and all(type(time) in (int, float) for time in times):
            return np.array(times, dtype=np.float64)
        return np.full(len(self), np.nan)


def _checked_values(values: Any) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim != 3 or 0 in array.shape:
        raise ValueError(f'expected values of shape [T, H, W], none of them 0, got {array.shape}')
    if array.dtype.kind not in 'fiub':
        raise ValueError(f'expected values of a real type, got {array.dtype}')
    if array.dtype == np.float32:
        return array
    with np.errstate(over='ignore'):
        cast = array.astype(np.float32)
    if np.isinf(cast).any() and (np.isinf(cast) & np.isfinite(array)).any():
        raise ValueError('expected values in the range of float32, got larger ones')
    return cast


def _checked_frame_indices(frame_indices: Any, count: int) -> np.ndarray:
    array = np.asarray(frame_indices)
    if array.shape != (count,):
        raise ValueError(
            f'expected frame_indices of shape ({count},), one per frame of values, '
            f'got {array.shape}'
        )
    if array.dtype.kind not in 'iu':
        raise ValueError(f'expected frame_indices of an integer type, got {array.dtype}')
    if array.min() < 0 or array.max() > np.iinfo(np.int64).max:
        raise ValueError(
            f'expected zero-based frame_indices in the range of int64, got {array.min()} to '
            f'{array.max()}'
        )
    unique, counts = np.unique(array, return_counts=True)
    if len(unique) != count:
        raise ValueError(f'expected unique frame_indices, got {unique[counts > 1][0]} twice')
    return array.astype(np.int64)


def _checked_seen(seen: Any, shape: tuple[int, ...]) -> np.ndarray | None:
    if seen is None:
        return None
    array = np.array(seen)
    if array.shape != shape:
        raise ValueError(f'expected seen of shape {shape}, as the maps, got {array.shape}')
    if array.dtype != np.bool_:
        raise ValueError(f'expected seen of type bool, got {array.dtype}')
    return array
