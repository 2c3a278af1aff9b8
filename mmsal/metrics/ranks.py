"""How fixated pixels rank among others; all that a threshold-free AUC needs."""

from __future__ import annotations

import numpy as np

from mmsal.metrics.fixations import Fixated
from mmsal.metrics.maps import Pixels

# Up to so many values, comparing all pixels with each of them is faster than sorting the pixels
# (measured for 230400 pixels; the result is the same).
FEW = 6


class Ranking:
    """Ranks of a map's fixated pixels.

    Attributes:
        counts: `[D]`, how many fixations hit each distinct fixated pixel.
        levels: `[L]`, the values of these pixels, ascending, each once.
        level_of: int `[D]`, which level each distinct pixel has.
        below: int64 `[L]`, how many of all pixels have a smaller value.
        equal: int64 `[L]`, how many have this value.
        total: Number of pixels.
    """

    def __init__(self, saliency: Pixels, fixated: Fixated) -> None:
        self.counts = fixated.counts
        self.levels, self.level_of = np.unique(saliency.raw[fixated.distinct], return_inverse=True)
        self.below, self.equal = count_below(saliency.raw, self.levels)
        self.total = saliency.raw.size


def count_below(values: np.ndarray, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many of the values `[P]` are smaller than each level `[L]`, and how many equal it."""
    if len(levels) <= FEW:
        below = [np.count_nonzero(values < level) for level in levels]
        equal = [np.count_nonzero(values == level) for level in levels]
        return np.array(below, np.int64), np.array(equal, np.int64)
    # Pixels below the lowest level need no order, and they are most where saliency is right.
    kept = values >= levels[0] if np.count_nonzero(values < levels[0]) > len(values) / 2 else None
    ordered = np.sort(values if kept is None else values[kept])
    below = np.searchsorted(ordered, levels, side='left')
    equal = np.searchsorted(ordered, levels, side='right') - below
    return below + (len(values) - len(ordered)), equal
