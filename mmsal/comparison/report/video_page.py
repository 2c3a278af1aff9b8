"""What the page of one video shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from mmsal.visualization.contact_sheet import evenly_spaced


@dataclass(frozen=True)
class VideoPage:
    """Pictures, maps and fixations of the N frames of one video that were compared.

    Pictures and maps may be smaller than the source; each is stretched over the whole of it.

    Attributes:
        video (str): Its name in the results.
        frame_indices (np.ndarray): int64 [N], frames of the source, counted from 0, ascending.
        times_s (np.ndarray): float64 [N], seconds from the first frame of the source, ascending.
        source (np.ndarray, optional): uint8 [N, H, W, 3], RGB; None where there is no picture.
        density (np.ndarray): float [N, H, W], where people looked.
        maps (dict[str, np.ndarray]): By model, float [N, H, W]; NaN where the model saw nothing.
        fixations (Sequence[np.ndarray]): N arrays [K, 2] of (x, y) in pixels of the source, origin
            at its top left corner; K may differ from frame to frame and be 0.
        size (tuple[int, int]): Width and height of the source in pixels.

    Raises:
        ValueError: There is no frame, or the parts differ in their numbers of frames or have other
            shapes than these, or frames or times do not ascend.
    """

    video: str
    frame_indices: np.ndarray
    times_s: np.ndarray
    source: np.ndarray | None
    density: np.ndarray
    maps: dict[str, np.ndarray]
    fixations: Sequence[np.ndarray]
    size: tuple[int, int]

    def __post_init__(self):
        count = len(self.frame_indices)
        if not count:
            raise ValueError(f'{self.video}: expected at least one frame, got none')
        self._check_shape('times_s', self.times_s, (count,))
        for name in ('frame_indices', 'times_s'):
            steps = np.diff(np.asarray(getattr(self, name), dtype=float))
            # Frames are each there once; two of them may share a timestamp.
            low = steps > 0 if name == 'frame_indices' else steps >= 0
            if not low.all():
                raise ValueError(f'{self.video}: expected ascending {name}, got a step back')
        if self.source is not None:
            self._check_shape('source', self.source, (count, None, None, 3))
            if self.source.dtype != np.uint8:
                raise ValueError(f'{self.video}: expected source in uint8, got {self.source.dtype}')
        self._check_shape('density', self.density, (count, None, None))
        for model, values in self.maps.items():
            self._check_shape(f'map of {model}', values, (count, None, None))
        if len(self.fixations) != count:
            raise ValueError(
                f'{self.video}: expected fixations of {count} frames, got {len(self.fixations)}'
            )
        for points in self.fixations:
            self._check_shape('fixations of a frame', points, (None, 2))
        if min(self.size) < 1:
            raise ValueError(f'{self.video}: expected a size of 1 or more, got {self.size}')

    def _check_shape(self, name: str, values: np.ndarray, wanted: tuple) -> None:
        shape = np.shape(values)
        fits = len(shape) == len(wanted) and all(
            have == want if want is not None else want is None
            for have, want in zip(shape, wanted, strict=True)
        )
        if not fits:
            text = ', '.join('any' if want is None else str(want) for want in wanted)
            raise ValueError(f'{self.video}: expected {name} of shape [{text}], got {list(shape)}')

    def thinned(self, most: int) -> VideoPage:
        """The same page with at most ``most`` frames, evenly spaced, the first and last kept.

        Raises:
            ValueError: ``most`` is below 1.
        """
        if most < 1:
            raise ValueError(f'expected at least 1 frame per page, got {most}')
        if len(self.frame_indices) <= most:
            return self
        chosen = evenly_spaced(len(self.frame_indices), most)
        per_frame = {
            field.name: getattr(self, field.name)[chosen]
            for field in fields(self)
            if field.name in ('frame_indices', 'times_s', 'source', 'density')
            and getattr(self, field.name) is not None
        }
        return replace(
            self,
            **per_frame,
            maps={model: values[chosen] for model, values in self.maps.items()},
            fixations=[self.fixations[place] for place in chosen],
        )
