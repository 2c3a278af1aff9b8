"""What every metric does first: check its maps, and take the pixels that count."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property

import numpy as np

CONVENTIONS = ('mit', 'tuebingen')
# Between these a float64 can be squared and summed without loss; other maps are scaled first.
SMALL, LARGE = 1e-100, 1e100
BLOCK = 2**15  # pixels at a time


def check_convention(convention: str) -> None:
    """Refuse a convention that does not exist.

    Raises:
        ValueError: It is none of :data:`CONVENTIONS`.
    """
    if convention not in CONVENTIONS:
        raise ValueError(f'expected convention {" or ".join(CONVENTIONS)}, got {convention!r}')


class Grid:
    """A picture's pixels, and which of them count.

    Attributes:
        size: (H, W).
        seen: bool `[H, W]`; None takes all.
        count: How many pixels count.
    """

    def __init__(self, size: tuple[int, int], seen: np.ndarray | None = None) -> None:
        self.size = tuple(size)
        self.seen = seen if seen is None else _checked_seen(seen, self.size)
        self.count = int(np.prod(self.size) if seen is None else self.seen.sum())

    def pixels(self, name: str, one: np.ndarray) -> Pixels:
        """Those pixels of a map `[H, W]` that count.

        Raises:
            ValueError: The map has no real type, or a pixel that counts is not finite.
        """
        if one.dtype.kind not in 'fiub':
            raise ValueError(f'expected {name} of a real type, got {one.dtype}')
        return Pixels(name, one.reshape(-1) if self.seen is None else one[self.seen])

    def places(self, flat: np.ndarray) -> np.ndarray:
        """Where pixels y * W + x stand among those that count; the others are left out."""
        if self.seen is None:
            return flat
        return self._order[flat[self.seen.reshape(-1)[flat]]]

    @cached_property
    def _order(self) -> np.ndarray:
        return np.cumsum(self.seen.reshape(-1)) - 1


class Pixels:
    """Values `[P]` of one map, and what several metrics need of them, found once.

    Attributes:
        raw: float32 where the map has that type, else float64.
        low: The smallest value.
        high: The largest.
        scale: What the values are divided by before they are summed; 1 but for maps so small or
            large that their squares would be no numbers.
    """

    def __init__(self, name: str, values: np.ndarray) -> None:
        # Ranks need no more digits than the map has, and float32 is sorted twice as fast.
        self.raw = values if values.dtype in (np.float32, np.float64) else values.astype(float)
        self.low, self.high = float(self.raw.min()), float(self.raw.max())
        if not (np.isfinite(self.low) and np.isfinite(self.high)):
            raise ValueError(f'expected finite values in {name}, got NaN or infinity')
        largest = max(-self.low, self.high)
        self.scale = 1.0 if SMALL < largest < LARGE or largest == 0 else largest

    @property
    def constant(self) -> bool:
        """All pixels have one value."""
        return self.low == self.high

    @property
    def lowest(self) -> float:
        """The smallest value, as `blocks` has it."""
        return self.low / self.scale

    def blocks(self) -> Iterator[np.ndarray]:
        """The values, scaled, piece by piece: float64, to be read only."""
        # Pieces stay in the processor's cache; whole arrays would be new memory for each step,
        # which costs more than the arithmetic on them.
        for start in range(0, self.raw.size, BLOCK):
            block = self.raw[start : start + BLOCK].astype(np.float64, copy=False)
            yield block if self.scale == 1 else block / self.scale

    def copies(self) -> Iterator[np.ndarray]:
        """As `blocks`, to be written to: the next piece comes in the same memory."""
        memory = np.empty(min(BLOCK, self.raw.size))
        for start in range(0, self.raw.size, BLOCK):
            piece = self.raw[start : start + BLOCK]
            block = memory[: piece.size]
            block[...] = piece
            if self.scale != 1:
                block /= self.scale
            yield block

    def at(self, places: np.ndarray) -> np.ndarray:
        """Values at places, as `blocks` has them."""
        return self.raw[places].astype(np.float64) / self.scale

    @cached_property
    def total(self) -> float:
        """Sum."""
        if self.scale != 1:
            return float((self.raw / self.scale).sum())
        # Of float32, einsum adds float64 faster than sum does; both without a copy of the map.
        return float(np.einsum('p->', self.raw, dtype=np.float64))

    @cached_property
    def stretched_total(self) -> float:
        """Sum of what is above the smallest value."""
        less = self.raw.size * self.lowest
        if abs(less) < self.total / 2:  # the difference has all digits
            return self.total - less
        return float(sum((block - self.lowest).sum() for block in self.blocks()))

    @property
    def mean(self) -> float:
        """Of the values."""
        return self.total / self.raw.size

    @cached_property
    def power(self) -> float:
        """Sum of the squared deviations from the mean."""
        squares, less = float(sum(block @ block for block in self.blocks())), self.total * self.mean
        if less < 0.9 * squares:  # the difference has all digits but one
            return squares - less
        deviations = (block - self.mean for block in self.blocks())
        return float(sum(block @ block for block in deviations))

    def stretched_at(self, places: np.ndarray) -> np.ndarray:
        """Values at places, of the map stretched to [0, 1]; 0 where it is constant."""
        if self.constant:
            return np.zeros(len(places))
        return (self.raw[places].astype(np.float64) - self.low) / (self.high - self.low)

    def as_density(self, metric: str) -> Pixels:
        """The map itself, which divided by its total is a density; if it is 0 everywhere, a uniform
        one in its place.

        Raises:
            ValueError: There is a negative value.
        """
        if self.low < 0:
            raise ValueError(
                f'expected maps without negative values for {metric}, got {self.low:g}'
            )
        return self if self.high else Pixels('uniform', np.ones(self.raw.size))


def as_maps(saliency: np.ndarray, seen: np.ndarray | None) -> tuple[Grid, np.ndarray]:
    """Check the form of the maps that are judged.

    Returns:
        The picture's grid, and the maps as an array `[H, W]` or `[T, H, W]`.

    Raises:
        ValueError: Another shape, or a mask that does not fit.
    """
    saliency = np.asarray(saliency)
    if saliency.ndim not in (2, 3) or 0 in saliency.shape:
        raise ValueError(f'expected saliency [H, W] or [T, H, W], none of 0, got {saliency.shape}')
    return Grid(saliency.shape[-2:], seen), saliency


def as_partner(name: str, maps: np.ndarray, saliency: np.ndarray, shared: bool = False):
    """Check that maps have the shape of the saliency; `shared` ones may be one `[H, W]` for all.

    Raises:
        ValueError: They have another shape.
    """
    maps = np.asarray(maps)
    if maps.shape != saliency.shape and not (shared and maps.shape == saliency.shape[-2:]):
        raise ValueError(
            f'expected {name} of shape {saliency.shape}, as saliency, got {maps.shape}'
        )
    return maps


def over_stack(
    measure: Callable[..., float], saliency: np.ndarray, *partners: Iterable
) -> float | np.ndarray:
    """Measure map by map.

    Args:
        measure: Gets one map, and of each partner what belongs to it.
        saliency: `[H, W]` or `[T, H, W]`.
        partners: For a stack T things each, maps or others, or one map `[H, W]` for all; else one.

    Returns:
        A float for `[H, W]`; for `[T, H, W]` float64 `[T]`.
    """
    if saliency.ndim == 2:
        return measure(saliency, *partners)
    # A map at a time: it stays in the processor's cache, and a long clip takes no more memory.
    columns = [_one_each(partner, len(saliency)) for partner in partners]
    return np.array([measure(*row) for row in zip(saliency, *columns, strict=True)], np.float64)


def _one_each(partner: np.ndarray | Sequence, count: int) -> Iterable:
    if isinstance(partner, np.ndarray) and partner.ndim == 2:
        return [partner] * count
    return partner


def _checked_seen(seen: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    seen = np.asarray(seen)
    if seen.shape != size or seen.dtype != np.bool_:
        raise ValueError(f'expected seen as bool {size}, got {seen.dtype} {seen.shape}')
    if not seen.any():
        raise ValueError('expected seen to be True in at least one pixel, got none')
    return seen
