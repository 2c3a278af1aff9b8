"""Gaze for the frames of a sample, carried along by whatever resizes, crops and flips them."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Real
from pathlib import Path

import numpy as np
import torch
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from mmsal.datasets.fixations_by_frame import FixationsByFrame, FrameTimes
from mmsal.datasets.video import VideoError
from mmsal.datasets.view_tracing import share, state_of_chance, trace_views
from mmsal.gaze import cell_density
from mmsal.heatmaps.geometry import GeometryError, View

__all__ = ['LoadGazeMaps']

# A fixation on the border of a view is inside though the view's place is known to so much only.
_BORDER = 1e-3  # pixels of the view
_TRIALS = 16  # samples that show whether transforms draw alike from the same state of chance
_MOVED = ('crop_quadruple', 'crop_bbox', 'scale_factor', 'flip', 'lazy')  # what transforms leave


@TRANSFORMS.register_module()
class LoadGazeMaps(BaseTransform):
    """Apply spatial transforms to the frames, and give the gaze that belongs to what is left.

    Place it after the decoding, with the transforms that resize, crop and flip inside; others
    (colour, ``FormatShape``) come after it. Where they move the picture is read off two images that
    hold their own coordinates, which go through the same transforms before the frames do, with the
    same draws; so any transform that maps both axes linearly will do, and what is drawn at random
    is the same with and without gaze. ``lazy=True`` needs ``Fuse`` inside, and resizing must be
    bilinear, as it is by default.

    A frame is shown from its own timestamp to the next frame's, and has every fixation that
    overlaps this time by more than a millisecond (:func:`mmsal.gaze.fixations_in_intervals`). Each
    counts once; one outside the view does not count at all. The density is a Gaussian at each of
    them, whose standard deviation is scaled with the picture, integrated over the cells
    (:func:`mmsal.gaze.cell_density`) and scaled to sum to 1.

    Which video of the table a file is, ``mmsal.gaze.pair_names`` decides: the column ``video`` must
    be its path or the end of it, with or without suffix. A file that is not in the table has no
    gaze. Decoders must give the frames that were asked for (``mode='accurate'``, their default),
    and frames must have the size of the video that the fixations were measured on.

    Required Keys:

    - imgs: decoded, one [H, W, 3] per frame of ``frame_inds``
    - frame_inds
    - filename; or frame_dir, with start_index, clip_range and offset (optional)

    Modified Keys: those of the transforms

    Added Keys:

    - gaze_maps: float32 [S, h, w], a density per frame of ``imgs`` as the transforms leave it (crop
      after crop, within it clip after clip, frame after frame). Each sums to 1, or is 0 everywhere
      if the frame shows no fixation inside the view.
    - gaze_points: float32 [M, 3], a row per frame and fixation inside its view: place of the frame
      (0 to S - 1), x and y as shares of the view's width and height, in [0, 1), origin top left.

    ``PackActionInputs(algorithm_keys=('gaze_maps', 'gaze_points'), ...)`` passes them on.

    Args:
        fixations (str | Path): Fixation table, CSV or Parquet (docs: "The fixation table").
        map_size (tuple[int, int]): (rows, columns) of the densities: those of the target layer.
        sigma (float): Standard deviation of the Gaussians in pixels of the source video; see
            :func:`mmsal.gaze.pixels_per_degree`.
        transforms (Sequence[dict]): Spatial transforms, as configs write them. Defaults to none.
        fps (float, optional): Frames per second of the videos that folders of extracted frames
            come from; files tell it themselves. Defaults to None.

    Raises:
        ValueError: An option makes no sense, or the table is none. For a sample: its frames have no
            time; the transforms do more than resize, crop and flip, or not the same to each frame;
            the table's name of a video fits another one as well.
        FileNotFoundError: There is no such table.
    """

    def __init__(
        self,
        fixations: str | Path,
        map_size: tuple[int, int],
        sigma: float,
        transforms: Sequence[dict | Callable] = (),
        fps: float | None = None,
    ) -> None:
        size = tuple(map_size) if isinstance(map_size, Iterable) else (map_size,)
        if len(size) != 2 or not all(isinstance(n, int) and n > 0 for n in size):
            raise ValueError(f'LoadGazeMaps: expected map_size=(rows, columns), got {map_size}')
        for name, value in (('sigma', sigma), ('fps', 1 if fps is None else fps)):
            if not (isinstance(value, Real) and 0 < value < math.inf):
                raise ValueError(f'LoadGazeMaps: expected a positive {name}, got {value!r}')
        self.fixations, self.map_size, self.sigma, self.fps = fixations, size, float(sigma), fps
        self.transforms = [
            TRANSFORMS.build(step) if isinstance(step, Mapping) else step for step in transforms
        ]
        self._gaze = FixationsByFrame(fixations)
        self._times = FrameTimes()
        self._trials = _TRIALS

    @property
    def videos(self) -> tuple[str, ...]:
        """Names of the table's videos, sorted."""
        return self._gaze.videos

    def pair(self, filenames: Iterable[str | Path]) -> dict[str, str | None]:
        """Pair all files of a dataset with the videos of the table, before the first is loaded.

        Without this, each is paired when it comes, and that two of them fit the same name shows
        when the second comes.

        Args:
            filenames: ``filename`` or ``frame_dir`` of the samples; the same may come repeatedly.

        Returns:
            The table's name by file; None for files without gaze.

        Raises:
            ValueError: A name of the table fits several files, or a file several names.
        """
        return self._gaze.pair(filenames)

    def fixations_of(self, file: str | Path) -> np.ndarray:
        """Fixations of a video file or folder of frames, as the table has them.

        Args:
            file: ``filename`` or ``frame_dir`` of a sample.

        Returns:
            float64 [N, 4], start and end in seconds, x and y in pixels; N is 0 without gaze.
        """
        name = self._gaze.name_of(file)
        return np.zeros((0, 4)) if name is None else self._gaze.fixations(name)

    def transform(self, results: dict) -> dict | None:
        """Transform the frames of a sample and add their gaze.

        Args:
            results: The sample.

        Returns:
            The sample; None if one of the transforms gives None.
        """
        _check_place(results)
        height, width = results['imgs'][0].shape[:2]
        points, shown = self._looked_at(results)
        views = chance = None
        if shown.any():
            views, chance = self._trace(results)
            self._prove(results, views)
        for step in self.transforms:
            results = step(results)
            if results is None:
                return None
        pictures = len(results['imgs'])
        if views is None:
            maps, rows = np.zeros((pictures, *self.map_size)), np.zeros((0, 3))
        elif state_of_chance() != chance or pictures != len(shown) * len(views):
            raise ValueError(
                'LoadGazeMaps: its transforms do not treat all frames of a clip alike '
                '(they draw for each, or change their number), so that gaze cannot follow them'
            )
        else:
            in_picture = ((points >= 0) & (points < (width, height))).all(axis=1)
            maps, rows = self._in_views(points[in_picture], shown[:, in_picture], views)
        results['gaze_maps'] = torch.from_numpy(maps.astype(np.float32))
        results['gaze_points'] = torch.from_numpy(rows.astype(np.float32))
        return results

    def _looked_at(self, results: dict) -> tuple[np.ndarray, np.ndarray]:
        """Fixations [N, 2] in pixels of the source, and which of them each frame shows [F, N]."""
        frames = np.asarray(results['frame_inds'], np.int64).ravel()
        file = results.get('filename') or results.get('frame_dir')
        if not file:
            raise ValueError('LoadGazeMaps: expected samples with a filename or a frame_dir')
        folder = not results.get('filename')
        if folder and self.fps is None:
            raise ValueError(
                f'LoadGazeMaps: {file} is a folder of frames, which tells no time: set fps to the '
                'frames per second of the video that they come from'
            )
        name = self._gaze.name_of(file)
        if name is None:
            return np.zeros((0, 2)), np.zeros((len(frames), 0), bool)
        if folder:
            frames = frames - _first_number(results)
            return self._gaze.shown(name, frames / self.fps, (frames + 1) / self.fps)
        edges = self._times(file)
        if frames.max() + 1 >= len(edges):
            raise VideoError(
                f'LoadGazeMaps: frame {frames.max()} was sampled, but {file} has timestamps of '
                f'{len(edges) - 1} frames'
            )
        return self._gaze.shown(name, edges[frames], edges[frames + 1])

    def _trace(self, results: dict) -> tuple[list[View], tuple]:
        """Where the transforms, drawing from here on, put the picture; see :func:`trace_views`."""
        try:
            return trace_views(self.transforms, results)
        except Exception as error:  # whatever a transform does with pictures that it cannot take
            told = f'{type(error).__name__}: ' if not isinstance(error, GeometryError) else ''
            one_line = ' '.join(f'{told}{error}'.split())
            raise ValueError(
                f'LoadGazeMaps: gaze cannot follow its transforms ({one_line}): those that resize, '
                'crop and flip go inside, others (colour, FormatShape) after it'
            ) from error

    def _prove(self, results: dict, views: Sequence[View]) -> None:
        """Refuse transforms that draw otherwise from the same state of chance."""
        if self._trials:
            self._trials -= 1
            if self._trace(results)[0] != views:
                raise ValueError(
                    'LoadGazeMaps: its transforms draw from generators of their own, so that gaze '
                    "cannot follow them: let them use Python's, NumPy's or torch's global ones"
                )

    def _in_views(
        self, points: np.ndarray, shown: np.ndarray, views: Sequence[View]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Densities [S, h, w], and [M, 3] of place, x and y, view after view."""
        maps, rows = zip(*(self._in_view(points, shown, view) for view in views), strict=True)
        for place, one in enumerate(rows):
            one[:, 0] += place * len(shown)
        return np.concatenate(maps), np.concatenate(rows)

    def _in_view(
        self, points: np.ndarray, shown: np.ndarray, view: View
    ) -> tuple[np.ndarray, np.ndarray]:
        """Densities [F, h, w], and [M, 3] of frame, x and y, of what lies in a view."""
        axes = (view.x, view.y)
        shares = np.stack([share(points[:, i], axis) for i, axis in enumerate(axes)], axis=1)
        border = [_BORDER / axis.size for axis in axes]
        inside = ((shares >= np.negative(border)) & (shares < np.add(border, 1))).all(axis=1)
        shares = shares[inside].clip(0, np.nextafter(np.float32(1), np.float32(0)))
        shown = shown[:, inside]
        size = self.map_size[::-1]
        sigma = [
            self.sigma / abs(axis.scale) / axis.size * cells
            for axis, cells in zip(axes, size, strict=True)
        ]
        maps = cell_density(shares * size, size, sigma, shown)
        places, rows = np.nonzero(shown)
        return maps, np.column_stack([places, shares[rows]])

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(fixations={str(self.fixations)!r}, '
            f'map_size={self.map_size}, sigma={self.sigma}, transforms={self.transforms}, '
            f'fps={self.fps})'
        )


def _check_place(results: dict) -> None:
    """Refuse a sample that is not decoded yet, or whose frames have been moved already."""
    frames = np.size(results['frame_inds']) if 'frame_inds' in results else None
    if not isinstance(results.get('imgs'), list) or len(results['imgs']) != frames:
        raise ValueError(
            'LoadGazeMaps must stand after the step that decodes the sampled frames, and before '
            'FormatShape'
        )
    shape = results['imgs'][0].shape[:2]
    moved = [key for key in _MOVED if key in results]
    if moved or tuple(results.get('original_shape', shape)) != shape:
        raise ValueError(
            'LoadGazeMaps must stand right after the decoding: what resizes, crops and flips goes '
            f'into its transforms, but the frames were moved before ({", ".join(moved) or shape})'
        )


def _first_number(results: dict) -> int:
    """What ``frame_inds`` counts the first frame of the source as, in a folder of frames."""
    first = results.get('start_index', 0) - results.get('offset', 0)
    start, end = results.get('clip_range') or (0, None)
    # ClipRange has moved start_index and total_frames to the range; without it they are the whole.
    applied = end is not None and results.get('total_frames') == end - start
    return first - start if applied else first
