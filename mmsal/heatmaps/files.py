"""Heatmap files of every format, chosen by the suffix of the file name."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

from .atomic import atomic_files
from .errors import HeatmapFormatError
from .meta import load_json
from .npz import read_npz, read_npz_meta, write_npz
from .sequence import HeatmapSequence
from .sidecar import read_sidecar, sidecar_path, write_sidecar
from .text import read_text, write_text

_SUFFIXES = ('.txt', '.txt.gz', '.npz')


def read_heatmaps(path: str | os.PathLike[str]) -> HeatmapSequence:
    """Read the heatmaps of one video.

    Text may come from other tools: frames in any order and numbering, numbers separated by spaces,
    tabs, commas or brackets, blank lines, `#` comments, CRLF, gzip under either suffix. Values are
    returned as they stand, also outside [0, 1]. A text's sidecar (`x.txt.json`) is read if there
    is one; without it `meta` is empty and `seen` is None.

    Args:
        path: A `.txt`, `.txt.gz` or `.npz` file.

    Returns:
        The maps, `[T, H, W]` float32 with the origin top-left, frames in the order of the file.

    Raises:
        HeatmapFormatError: If the suffix is another one, or the file or its sidecar is faulty; the
            message names file, line and fault.
        FileNotFoundError: If there is no such file.
    """
    path = Path(path)
    suffix = _suffix(path)
    if not path.exists():
        raise FileNotFoundError(errno.ENOENT, 'no such heatmap file', str(path))
    if suffix == '.npz':
        return read_npz(path)
    values, frame_indices = read_text(path)
    meta, seen = {}, None
    sidecar = sidecar_path(path)
    if sidecar.exists():
        meta, seen = read_sidecar(sidecar, values.shape[1:], frame_indices)
    return HeatmapSequence(values, frame_indices, meta, seen)


def read_heatmap_meta(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What a heatmap file says about its maps, without reading the maps.

    Args:
        path: A `.txt`, `.txt.gz` or `.npz` file.

    Returns:
        `meta` of the maps, and `map_size` [width, height] and `frame_indices` where they are known
        without them; {} for a text without sidecar. Nothing is held against the maps themselves.

    Raises:
        HeatmapFormatError: If the suffix is another one, or sidecar or archive are faulty.
        FileNotFoundError: If there is no such file.
    """
    path = Path(path)
    suffix = _suffix(path)
    if not path.exists():
        raise FileNotFoundError(errno.ENOENT, 'no such heatmap file', str(path))
    if suffix == '.npz':
        return read_npz_meta(path)
    sidecar = sidecar_path(path)
    try:
        return load_json(sidecar.read_bytes()) if sidecar.exists() else {}
    except (ValueError, RecursionError) as error:
        raise HeatmapFormatError(sidecar, f'faulty sidecar: {error}') from error


def write_heatmaps(
    sequence: HeatmapSequence, path: str | os.PathLike[str], decimals: int = 6
) -> None:
    """Write the heatmaps of one video, completely or not at all.

    Text holds `Frame N - Heatmap values:` and H rows of W numbers per frame, and nothing else;
    pixels that were not seen are written as 0. What else is known goes to the sidecar
    `x.txt.json`, which is in place before the text is. An existing file is replaced.

    Args:
        sequence: The maps. Text needs values in [0, 1], npz only finite ones; pixels that were
            not seen may hold anything.
        path: A `.txt`, `.txt.gz` or `.npz` file in an existing directory.
        decimals: Digits after the point in text, 1 to 9; npz keeps the numbers as they are.

    Raises:
        HeatmapFormatError: If the suffix is another one.
        ValueError: If a value is out of range (the frame is named), or `decimals` is.
        FileNotFoundError: If there is no such directory.
    """
    path = Path(path)
    suffix = _suffix(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, 'no such directory', str(path.parent))
    if suffix == '.npz':
        with atomic_files(path) as (new_path,):
            write_npz(sequence, new_path)
        return
    with atomic_files(sidecar_path(path), path) as (new_sidecar, new_path):
        write_sidecar(sequence, new_sidecar)
        write_text(sequence, new_path, decimals, compress=suffix == '.txt.gz')


def _suffix(path: Path) -> str:
    for suffix in _SUFFIXES:
        if path.name.lower().endswith(suffix):
            return suffix
    raise HeatmapFormatError(path, f'unknown suffix, expected one of {", ".join(_SUFFIXES)}')
