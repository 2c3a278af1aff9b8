"""The earth mover's distance of two maps."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from mmsal.metrics.maps import Grid, Pixels, as_maps, as_partner, over_stack

CELL = 32  # pixels, as published
# Far more than any pair of maps has needed; the solver says so if it stops there.
MAX_STEPS = 10_000_000


def emd(
    saliency: np.ndarray,
    reference: np.ndarray,
    seen: np.ndarray | None = None,
    cell: int = CELL,
) -> float | np.ndarray:
    """Earth mover's distance: the work of making one density of the other.

    Each map is summed over cells of 32 x 32 pixels (smaller ones at the right and lower edge),
    divided by its sum, and moved to the other in the cheapest way, exactly; moving all of it by one
    cell costs 1, the distance being Euclidean. Pele and Werman (ICCV 2009) solve the same problem,
    without a threshold, in the code of the MIT Saliency Benchmark. That code first also replaces
    the saliency's histogram by the reference's, so that only the saliency's order counts, and
    shrinks by bicubic interpolation, which may give negative mass; neither is done here, and its
    scores are not comparable to these.

    Args:
        saliency: `[H, W]` or `[T, H, W]`, 0 or more and finite where seen.
        reference: As `saliency`, of the same shape.
        seen: `[H, W]` bool, the pixels that count; None takes all.
        cell: Side of a cell in pixels, 1 or more. Time grows steeply with the number of cells.

    Returns:
        Map by map, in cells (times `cell` gives pixels), 0 for equal maps, NaN where one is 0
        everywhere: a float for `[H, W]`, float64 `[T]` for `[T, H, W]`.

    Raises:
        ValueError: Maps that do not fit, a negative value, or no such cell.
    """
    if isinstance(cell, bool) or not isinstance(cell, int | np.integer) or cell < 1:
        raise ValueError(f'expected cell as a whole number of 1 or more pixels, got {cell!r}')
    grid, saliency = as_maps(saliency, seen)
    reference = as_partner('reference', reference, saliency)

    def measure(first: np.ndarray, second: np.ndarray) -> float:
        pair = grid.pixels('saliency', first), grid.pixels('reference', second)
        return transport_distance(*pair, grid, cell)

    return over_stack(measure, saliency, reference)


def transport_distance(first: Pixels, second: Pixels, grid: Grid, cell: int = CELL) -> float:
    """EMD; see :func:`emd`."""
    from ot import emd2  # it imports much, which only this metric needs

    for one in (first, second):
        one.as_density('EMD')
    if first.high == 0 or second.high == 0:
        return np.nan
    surplus = _masses(first, grid, cell) - _masses(second, grid, cell)
    # Of a true distance, no cheapest way moves what both have in the same place.
    have, want = np.flatnonzero(surplus > 0), np.flatnonzero(surplus < 0)
    moved = surplus[have].sum()
    if not len(have) or not len(want) or moved < 1e-15:
        return 0.0
    shape = tuple(-(-side // cell) for side in grid.size)
    costs = _distances(shape).take(have, axis=0).take(want, axis=1)
    masses = surplus[have] / moved, surplus[want] / surplus[want].sum()
    # The masses fit by construction, and nobody asks for the duals.
    spared = dict(check_marginals=False, center_dual=False)
    value, log = emd2(*masses, costs, numItermax=MAX_STEPS, log=True, **spared)
    if log['warning'] is not None:
        raise RuntimeError(f"the earth mover's distance was not found: {log['warning']}")
    return float(moved * value)


def _masses(pixels: Pixels, grid: Grid, cell: int) -> np.ndarray:
    """Share of the map's sum in each cell, row by row."""
    picture = pixels.raw
    if grid.seen is not None:
        picture = np.zeros(grid.size)
        picture[grid.seen] = pixels.raw
    if pixels.scale != 1:
        picture = picture / pixels.scale
    picture = picture.reshape(grid.size)
    height, width = grid.size
    tops = range(0, height, cell)
    # A product with ones is the fastest sum over rows.
    rows = [np.ones(min(cell, height - top)) @ picture[top : top + cell] for top in tops]
    masses = np.add.reduceat(rows, np.arange(0, width, cell), axis=1).reshape(-1)
    return masses / masses.sum()


@lru_cache(maxsize=4)
def _distances(shape: tuple[int, int]) -> np.ndarray:
    """Euclidean, from each cell to each."""
    rows, columns = (index.reshape(-1) for index in np.indices(shape))
    return np.hypot(rows[:, None] - rows, columns[:, None] - columns)
