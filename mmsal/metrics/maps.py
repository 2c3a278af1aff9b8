"""What every metric of maps does first: check them, and take the pixels that count."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

CONVENTIONS = ('mit', 'tuebingen')


def check_convention(convention: str) -> None:
    """Refuse a convention that does not exist.

    Raises:
        ValueError: It is none of :data:`CONVENTIONS`.
    """
    if convention not in CONVENTIONS:
        raise ValueError(f'expected convention {" or ".join(CONVENTIONS)}, got {convention!r}')


def map_by_map(
    measure: Callable[[np.ndarray, np.ndarray], float],
    saliency: np.ndarray,
    reference: np.ndarray,
    seen: np.ndarray | None = None,
) -> float | np.ndarray:
    """Apply a measure to each pair of maps.

    Args:
        measure: Gets the seen pixels of both maps, two float64 `[P]`, and returns a number.
        saliency: `[H, W]` or `[T, H, W]`, real numbers, finite where seen.
        reference: As `saliency`, of the same shape.
        seen: `[H, W]` bool, the pixels that count; None takes all.

    Returns:
        A float for `[H, W]`; for `[T, H, W]` float64 `[T]`.

    Raises:
        ValueError: Shapes or types do not fit, no pixel is seen, or a seen one is not finite.
    """
    saliency, reference = np.asarray(saliency), np.asarray(reference)
    if saliency.ndim not in (2, 3) or 0 in saliency.shape:
        raise ValueError(f'expected saliency [H, W] or [T, H, W], none of 0, got {saliency.shape}')
    if reference.shape != saliency.shape:
        raise ValueError(
            f'expected reference of shape {saliency.shape}, as saliency, got {reference.shape}'
        )
    if seen is not None:
        seen = _checked_seen(seen, saliency.shape[-2:])
    # A map at a time: it stays in the processor's cache, and a long clip takes no more memory.
    values = [
        measure(_pixels('saliency', first, seen), _pixels('reference', second, seen))
        for first, second in zip(_stack(saliency), _stack(reference), strict=True)
    ]
    return values[0] if saliency.ndim == 2 else np.array(values, dtype=np.float64)


def _stack(maps: np.ndarray) -> np.ndarray:
    return maps if maps.ndim == 3 else maps[None]


def _checked_seen(seen: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    seen = np.asarray(seen)
    if seen.shape != shape or seen.dtype != np.bool_:
        raise ValueError(f'expected seen as bool {shape}, got {seen.dtype} {seen.shape}')
    if not seen.any():
        raise ValueError('expected seen to be True in at least one pixel, got none')
    return seen


def _pixels(name: str, one: np.ndarray, seen: np.ndarray | None) -> np.ndarray:
    """The seen pixels of a map, float64 `[P]`."""
    if one.dtype.kind not in 'fiub':
        raise ValueError(f'expected {name} of a real type, got {one.dtype}')
    pixels = (one.reshape(-1) if seen is None else one[seen]).astype(np.float64)
    if not np.isfinite(pixels).all():
        raise ValueError(f'expected finite values in {name}, got NaN or infinity')
    return pixels
