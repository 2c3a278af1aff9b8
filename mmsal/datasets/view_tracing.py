"""Where spatial transforms put the picture, read off images of coordinates that they are given."""

import copy
import random
from collections.abc import Callable, Sequence

import numpy as np
import torch

from mmsal.datasets.chance import chance_restored
from mmsal.heatmaps.geometry import Axis, GeometryError, View, coordinate_ramp, view_of_ramp

_MUTABLE = (dict, list, set, np.ndarray, torch.Tensor)


def trace_views(transforms: Sequence[Callable], results: dict) -> tuple[list[View], tuple]:
    """Send two frames that hold their own coordinates through transforms.

    The sample is left as it is, and so are the generators that the transforms draw from.

    Args:
        transforms: Of MMAction2's kind, drawing from here on as they will for the frames.
        results: A decoded sample, ``imgs`` [H, W, 3].

    Returns:
        A view per crop; and the state of chance that the transforms leave (to be compared with
        :func:`state_of_chance`).

    Raises:
        GeometryError: The transforms do more than resize, crop and flip, or do it not alike to both
            frames. Others: whatever a transform raises.
    """
    height, width = results['imgs'][0].shape[:2]
    traced = {
        key: copy.deepcopy(value) if isinstance(value, _MUTABLE) else value
        for key, value in results.items()
        if key != 'imgs'
    }
    ramps = [_marked_ramp(width, height, mark) for mark in (1, 2)]
    traced.update(imgs=ramps, num_clips=1, clip_len=2)
    with chance_restored():
        for step in transforms:
            traced = step(traced)
        chance = state_of_chance()
    if 'lazy' in traced:
        raise GeometryError('lazy=True needs Fuse among them')
    return _views(traced['imgs']), chance


def state_of_chance() -> tuple:
    """Of Python's, NumPy's and torch's global generators on the CPU; for comparisons."""
    _, keys, place, *_ = np.random.get_state()
    return random.getstate(), keys.tobytes(), place, torch.random.get_rng_state().numpy().tobytes()


def share(places: np.ndarray, axis: Axis) -> np.ndarray:
    """Places in the source as shares of a view's side; 0 to 1 is inside.

    Args:
        places: Pixels of the source along the axis, the middle of the first pixel being 0.5.
        axis: Of the view.
    """
    return ((places - 0.5 - axis.offset) / axis.scale + 0.5) / axis.size


def _marked_ramp(width: int, height: int, mark: float) -> np.ndarray:
    """A coordinate ramp whose third channel tells it from others, and shows what recolours it."""
    ramp = coordinate_ramp(width, height)
    ramp[..., 2] = mark
    return ramp


def _views(ramps: Sequence[np.ndarray]) -> list[View]:
    """The views of two ramps (marks 1 and 2), crop after crop; equal ramps are one view."""
    if not isinstance(ramps, list) or len(ramps) % 2 or any(np.ndim(one) != 3 for one in ramps):
        raise GeometryError('they leave something else than pictures [h, w, 3]')
    for place, ramp in enumerate(ramps):
        if ramp.shape[2] != 3 or np.abs(ramp[..., 2] - (place % 2 + 1)).max() > 1e-3:
            raise GeometryError('they change colours, pad, or order frames anew')
    pairs = list(zip(ramps[::2], ramps[1::2], strict=True))
    if not all(np.array_equal(one[..., :2], two[..., :2]) for one, two in pairs):
        raise GeometryError('they move the frames of a clip apart')
    try:
        return [view_of_ramp(one) for one, _ in pairs]
    except GeometryError as error:
        if 'at least' in str(error):
            raise
        raise GeometryError(
            "they turn, bend or recolour the picture, or resize it otherwise than 'bilinear'"
        ) from error
