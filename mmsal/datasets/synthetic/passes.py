"""Which frames of a clip are listed as a pass through the picture."""

from __future__ import annotations

import numpy as np

from .clip import Plan
from .scene import WIDTH


def list_passes(plan: Plan, visible: np.ndarray) -> list[tuple[int, int]]:
    """Find the frames of every pass for ``00sequences.txt``.

    They are the frames in which the person is visible. A foot may swing into the picture and out
    again before the person follows; such a glimpse is left out, so that no listed frame is empty.

    With evidence in the legs alone they are the frames in which the hips are in the picture: long
    legs are visible for longer, and frames sampled evenly from longer ranges would make runners
    faster, which is evidence off the legs.

    Args:
        plan: The clip's plan.
        visible: ``[T]`` bool, frames in which any of the person is visible.

    Returns:
        Zero-based, half-open frame ranges, one per pass.
    """
    motion = plan.motion
    if plan.evidence == 'legs':
        visible = (motion.hip_x >= 0) & (motion.hip_x < WIDTH)
    passes = range(motion.passing.max() + 1)
    return [_longest_run(visible & (motion.passing == number)) for number in passes]


def _longest_run(flags: np.ndarray) -> tuple[int, int]:
    """Begin and end (half-open) of the longest unbroken run of True."""
    padded = np.concatenate([[0], flags, [0]])
    starts, ends = np.flatnonzero(np.diff(padded)).reshape(-1, 2).T
    longest = np.argmax(ends - starts)
    return int(starts[longest]), int(ends[longest])
