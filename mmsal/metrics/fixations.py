"""Fixations as points or as a map, brought to the pixels that they hit."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from mmsal.metrics.maps import Grid

IMAGES = 10  # that MIT's shuffled AUC takes its negatives from, as published


class Fixated:
    """The pixels that fixations hit, of those that count.

    Attributes:
        places: int64 `[N]`, one for each fixation, among the pixels that count.
    """

    def __init__(self, places: np.ndarray) -> None:
        self.places = places

    def __len__(self) -> int:
        return len(self.places)

    @cached_property
    def _counted(self) -> tuple[np.ndarray, np.ndarray]:
        return np.unique(self.places, return_counts=True)

    @property
    def distinct(self) -> np.ndarray:
        """Each fixated pixel once, ascending: what is True in a binary fixation map."""
        return self._counted[0]

    @property
    def counts(self) -> np.ndarray:
        """How many fixations hit each distinct pixel."""
        return self._counted[1]


class OtherFixations:
    """Fixations on other images, prepared once for many maps of one size.

    Args:
        other: A sequence of points `[N, 2]`, one array per other image (see
            :func:`mmsal.metrics.auc_shuffled`), or one array of points, or one bool map `[H, W]`,
            which count as one image.
        size: (H, W) in pixels of the maps that will be judged.
        seed: Draws the ten images of MIT's shuffled AUC once, for all maps, as
            `numpy.random.default_rng` takes it; None draws them anew for each map.
        seen: `[H, W]` bool, the pixels that count; fixations elsewhere are left out.

    Attributes:
        grid: The pixels of the maps, and which of them count.
        places: int64 `[M]`, all fixations of all images, among the pixels that count, ascending.

    Raises:
        ValueError: Points of another form or outside the picture, or a mask that does not fit.
    """

    def __init__(
        self,
        other: Sequence[np.ndarray] | np.ndarray,
        size: tuple[int, int],
        seed: int | Sequence[int] | np.random.Generator | None = None,
        seen: np.ndarray | None = None,
    ) -> None:
        self.grid = Grid(size, seen)
        images = [other] if isinstance(other, np.ndarray) and other.ndim == 2 else list(other)
        placed = [self.grid.places(flat_places(one, size, 'other')) for one in images]
        # An image that nobody looked at has nothing to draw from.
        self._images = [places for places in placed if len(places)]
        # In the order of memory, as they are looked up in each map.
        self.places = np.sort(np.concatenate([np.empty(0, np.int64), *self._images]))
        self._union = None if seed is None else self._drawn(np.random.default_rng(seed))

    def check(self, grid: Grid) -> None:
        """Refuse maps of another size or with other pixels that count.

        Raises:
            ValueError: They differ.
        """
        if grid.size != self.grid.size:
            raise ValueError(f'expected other for maps of {grid.size}, got {self.grid.size}')
        if grid.seen is None and self.grid.seen is None:
            return
        masks = [
            np.ones(grid.size, bool) if one.seen is None else one.seen for one in (grid, self.grid)
        ]
        if masks[0] is not masks[1] and not np.array_equal(*masks):
            raise ValueError('expected other with the mask `seen` of the maps, got another mask')

    def union(self, generator: np.random.Generator) -> np.ndarray:
        """Pixels fixated on any of ten images drawn at random (on all, if there are no more), each
        once."""
        return self._drawn(generator) if self._union is None else self._union

    def _drawn(self, generator: np.random.Generator) -> np.ndarray:
        chosen = self._images
        if len(chosen) > IMAGES:
            drawn = generator.choice(len(chosen), IMAGES, replace=False)
            chosen = [chosen[number] for number in drawn]
        hit = np.zeros(self.grid.count, bool)
        for places in chosen:
            hit[places] = True
        return np.flatnonzero(hit)


def as_other(other: OtherFixations | Sequence[np.ndarray], grid: Grid) -> OtherFixations:
    """Fixations on other images, prepared for a grid if they were not.

    Raises:
        ValueError: They do not fit it.
    """
    if not isinstance(other, OtherFixations):
        return OtherFixations(other, grid.size, seen=grid.seen)
    other.check(grid)
    return other


def as_fixated(fixations: np.ndarray | Sequence, saliency: np.ndarray, grid: Grid):
    """Fixations on maps.

    Args:
        fixations: For maps `[H, W]` a bool map or points `[N, 2]`; for `[T, H, W]` a bool stack or
            T arrays of points.
        saliency: The maps.
        grid: Of the maps.

    Returns:
        :class:`Fixated`; for a stack a list of T of them.

    Raises:
        ValueError: Fixations of another form, or outside the picture.
    """
    if saliency.ndim == 2:
        return Fixated(grid.places(flat_places(fixations, grid.size, 'fixations')))
    if len(fixations) != len(saliency):
        raise ValueError(
            f'expected fixations for each of {len(saliency)} maps, got {len(fixations)}'
        )
    return [
        Fixated(grid.places(flat_places(one, grid.size, f'fixations of map {number}')))
        for number, one in enumerate(fixations)
    ]


def flat_places(fixations: np.ndarray, size: tuple[int, int], name: str) -> np.ndarray:
    """Pixels y * W + x of one map's fixations.

    Args:
        fixations: bool `[H, W]`, or points `[N, 2]`: x and y in pixels, origin at the top left
            corner of the picture, so that a point lies in the pixel of its floor.
        size: (H, W).
        name: For messages.

    Returns:
        int64 `[N]`.

    Raises:
        ValueError: Another shape or type, not finite, or outside the picture.
    """
    fixations = np.asarray(fixations)
    if fixations.dtype == np.bool_:
        if fixations.shape != size:
            raise ValueError(f'expected {name} as a bool map {size}, got {fixations.shape}')
        return np.flatnonzero(fixations)
    if fixations.size == 0 and fixations.ndim in (1, 2):
        return np.empty(0, np.int64)
    if fixations.ndim != 2 or fixations.shape[1] != 2 or fixations.dtype.kind not in 'fiu':
        raise ValueError(
            f'expected {name} as points (x, y) [N, 2] or a bool map {size}, got '
            f'{fixations.dtype} {fixations.shape}'
        )
    x, y = np.floor(fixations.T)
    inside = (x >= 0) & (x < size[1]) & (y >= 0) & (y < size[0])  # NaN is not
    if not inside.all():
        raise ValueError(
            f'expected {name} inside the picture of {size[1]}x{size[0]} pixels, got '
            f'{np.count_nonzero(~inside)} of {len(inside)} outside'
        )
    return y.astype(np.int64) * size[1] + x.astype(np.int64)
