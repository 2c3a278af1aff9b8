"""Fixations that a tracker found in each eye by itself, brought down to one row per fixation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mmsal.gaze.table import GazeFormatError


def one_eye(
    fixations: pd.DataFrame, eye: str | None, what: str, within: Sequence[str] = ()
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Fixations of the eye that was asked for, or of both together.

    Args:
        fixations: Columns ``eye`` (``'left'`` or ``'right'``), ``start``, ``end``, ``x``, ``y``;
            further ones are kept.
        eye: ``'left'``, ``'right'``; ``'mean'``: see :func:`mean_of_eyes`; None is enough where no
            recording has both.
        what: The file, for the message.
        within: Columns that tell one recording from the other.

    Returns:
        The rows, in their order, and what was left out: ``other_eye``, or ``one_eye_alone`` for
        ``'mean'``.

    Raises:
        GazeFormatError: Both eyes are there and none was asked for, or what was asked for is not
            there.
    """
    recordings = list(fixations.groupby(list(within), sort=False)) if within else [((), fixations)]
    found = sorted(set(fixations['eye']))
    if eye is None:
        if any(part['eye'].nunique() > 1 for _, part in recordings):
            raise GazeFormatError(f'{what} has both eyes: give --eye left, right or mean')
        return fixations, {}
    if eye == 'mean':
        if len(found) < 2:
            raise GazeFormatError(f'{what} has one eye only ({found[0]}): --eye mean needs both')
        pairs = pd.concat([mean_of_eyes(part) for _, part in recordings])
        return pairs, {'one_eye_alone': len(fixations) - 2 * len(pairs)}
    wanted = fixations['eye'] == eye
    if not wanted.any():
        raise GazeFormatError(f'{what}: expected the {eye} eye, got {", ".join(found)} only')
    return fixations[wanted], {'other_eye': int((~wanted).sum())}


def mean_of_eyes(fixations: pd.DataFrame) -> pd.DataFrame:
    """Pairs of a left and a right fixation that each overlap the other longest.

    A fixation of one eye often touches the next of the other, for the eyes do not leave together;
    averaging those two would give a place between them where neither looked. So a fixation is
    paired only with the one it shares most time with, if that goes for both.

    Args:
        fixations: As of :func:`one_eye`, of one recording.

    Returns:
        A row per pair: mean of both positions, the time in which both eyes fixate, other columns as
        the left eye has them. Fixations without a partner are not in it.
    """
    left, right = (fixations[fixations['eye'] == side] for side in ('left', 'right'))
    if left.empty or right.empty:
        return left[:0]
    starts = np.maximum.outer(left['start'].to_numpy(), right['start'].to_numpy())
    ends = np.minimum.outer(left['end'].to_numpy(), right['end'].to_numpy())
    shared = ends - starts  # [left, right]
    best = shared.argmax(axis=1)
    rows = np.arange(len(left))
    mutual = (shared.argmax(axis=0)[best] == rows) & (shared[rows, best] > 0)
    rows, partners = rows[mutual], best[mutual]
    pairs = left.iloc[rows].copy()
    pairs['start'], pairs['end'] = starts[rows, partners], ends[rows, partners]
    for name in ('x', 'y'):
        pairs[name] = (pairs[name].to_numpy() + right[name].to_numpy()[partners]) / 2
    return pairs.assign(eye='mean')
