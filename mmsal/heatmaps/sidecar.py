"""The JSON file beside a heatmap text: what the maps are, and which pixels the model saw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .errors import HeatmapFormatError
from .meta import dump_json, load_json, plain_meta
from .sequence import HeatmapSequence


def sidecar_path(path: Path) -> Path:
    """Return where the sidecar of a heatmap text stands: `x.txt` -> `x.txt.json`."""
    return path.with_name(path.name + '.json')


def write_sidecar(sequence: HeatmapSequence, path: Path) -> None:
    """Write the sidecar of a sequence: `meta`, and `seen`, `frame_indices` and `map_size`."""
    _, height, width = sequence.values.shape
    own = {
        'frame_indices': sequence.frame_indices.tolist(),
        'map_size': [width, height],
        'seen': None,
    }
    if sequence.seen is not None and not sequence.seen.all():
        own['seen'] = mask_to_rectangles(sequence.seen)
    path.write_bytes(dump_json({**plain_meta(sequence.meta), **own}))


def read_sidecar(
    path: Path, shape: tuple[int, int], frame_indices: np.ndarray
) -> tuple[dict[str, Any], np.ndarray | None]:
    """Read a sidecar and hold it against the text it stands beside.

    `seen`, `frame_indices` and `map_size` are checked where they are given, so a sidecar written
    by hand may leave them out.

    Args:
        path: The sidecar.
        shape: Height and width of the maps in the text.
        frame_indices: Frame indices of the text, `[T]`, in its order.

    Returns:
        `meta`, and the seen mask, `[H, W]` bool, or None when all pixels were seen.

    Raises:
        HeatmapFormatError: If the sidecar is not JSON or does not describe this text.
    """
    height, width = shape
    try:
        record = load_json(path.read_bytes())
        _check_same('map_size', record.pop('map_size', None), [width, height])
        _check_same('frame_indices', record.pop('frame_indices', None), frame_indices.tolist())
        rectangles = record.pop('seen', None)
        seen = None if rectangles is None else rectangles_to_mask(rectangles, shape)
        return plain_meta(record), seen
    except (ValueError, RecursionError) as error:
        raise HeatmapFormatError(path, f'faulty sidecar: {error}') from error


def _check_same(name: str, given: Any, expected: list[int]) -> None:
    if given is not None and given != expected:
        raise ValueError(
            f'expected {name} {_short(expected)} as in the heatmap text, got {_short(given)}'
        )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + '...'


def mask_to_rectangles(mask: np.ndarray) -> list[list[int]]:
    """Cover the True pixels of a mask with rectangles that do not overlap.

    Each run of True pixels in a row goes on downwards as long as the next row has the same run, so
    a mask that is one rectangle gives one rectangle.

    Args:
        mask: `[H, W]` bool.

    Returns:
        Rectangles `[x, y, width, height]`, origin top-left, sorted by y, then x.
    """
    rectangles = []
    growing: dict[tuple[int, int], list[int]] = {}  # (start, stop) of a run -> its rectangle
    for y, row in enumerate(mask):
        # +1 where a run begins, -1 one pixel after its end
        steps = np.diff(row.astype(np.int8), prepend=0, append=0)
        starts, stops = np.flatnonzero(steps == 1).tolist(), np.flatnonzero(steps == -1).tolist()
        above, growing = growing, {}
        for run in zip(starts, stops, strict=True):
            rectangle = above.get(run)
            if rectangle is None:
                rectangle = [run[0], y, run[1] - run[0], 0]
                rectangles.append(rectangle)
            rectangle[3] += 1
            growing[run] = rectangle
    return rectangles


def rectangles_to_mask(rectangles: Any, shape: tuple[int, int]) -> np.ndarray:
    """Return a `[H, W]` bool mask that is True inside the rectangles `[x, y, width, height]`.

    Raises:
        ValueError: If they are not a list of rectangles inside the map.
    """
    mask = np.zeros(shape, dtype=bool)
    if not isinstance(rectangles, list):
        raise ValueError(f'expected seen as a list of rectangles or null, got {_short(rectangles)}')
    for rectangle in rectangles:
        if not _is_inside(rectangle, shape):
            raise ValueError(
                f'expected seen as rectangles [x, y, width, height] inside a map of width '
                f'{shape[1]} and height {shape[0]}, got {_short(rectangle)}'
            )
        x, y, width, height = rectangle
        mask[y : y + height, x : x + width] = True
    return mask


def _is_inside(rectangle: Any, shape: tuple[int, int]) -> bool:
    if not isinstance(rectangle, list) or [type(item) for item in rectangle] != [int] * 4:
        return False
    x, y, width, height = rectangle
    fits = x + width <= shape[1] and y + height <= shape[0]
    return x >= 0 and y >= 0 and width > 0 and height > 0 and fits
