"""The NumPy format: `values`, `frame_indices`, `seen` and `meta` in one compressed .npz file."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from .errors import HeatmapFormatError
from .meta import load_json, plain_meta
from .sequence import HeatmapSequence


def write_npz(sequence: HeatmapSequence, path: Path) -> None:
    """Write a sequence; `seen` is left out when it is None.

    Raises:
        ValueError: If a pixel that was seen is NaN or infinite (the frame is named).
    """
    _check_finite(sequence)
    arrays = {'values': sequence.values, 'frame_indices': sequence.frame_indices}
    if sequence.seen is not None:
        arrays['seen'] = sequence.seen
    # A string array, so that the file can be read without pickle.
    arrays['meta'] = np.array(json.dumps(plain_meta(sequence.meta), sort_keys=True))
    with path.open('wb') as file:  # a file, because NumPy would add .npz to another name
        np.savez_compressed(file, **arrays)


def read_npz(path: Path) -> HeatmapSequence:
    """Read a sequence; `seen` and `meta` may be missing.

    Raises:
        HeatmapFormatError: If the file is not such an .npz file, lacks `values` or
            `frame_indices`, holds pickled objects, or has NaN or infinity in a seen pixel.
    """
    content = path.read_bytes()  # first, so that a fault of the disk stays an OSError
    try:
        arrays = _load_arrays(content)
        meta = arrays.get('meta')
        if meta is not None and (meta.shape != () or meta.dtype.kind != 'U'):
            raise ValueError(f'expected meta as one string, got {meta.dtype} of shape {meta.shape}')
        sequence = HeatmapSequence(
            arrays['values'],
            arrays['frame_indices'],
            None if meta is None else load_json(str(meta)),
            arrays.get('seen'),
        )
        _check_finite(sequence)
    except Exception as error:  # zipfile and numpy raise a dozen kinds on damaged files
        raise HeatmapFormatError(path, f'not a heatmap npz file: {error}') from error
    return sequence


def read_npz_meta(path: Path) -> dict[str, Any]:
    """`meta`, `map_size` [width, height] and `frame_indices`, without reading the maps.

    Raises:
        HeatmapFormatError: If the file is not such an .npz file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            with archive.open('values.npy') as file:
                old = np.lib.format.read_magic(file) == (1, 0)
                kind = np.lib.format
                header = kind.read_array_header_1_0 if old else kind.read_array_header_2_0
                (_, height, width), _, _ = header(file)
            with archive.open('frame_indices.npy') as file:
                frames = np.lib.format.read_array(file, allow_pickle=False).tolist()
            meta = {}
            if 'meta.npy' in archive.namelist():
                with archive.open('meta.npy') as file:
                    meta = load_json(str(np.lib.format.read_array(file, allow_pickle=False)))
    except OSError:
        raise
    except Exception as error:  # zipfile and numpy raise a dozen kinds on damaged files
        raise HeatmapFormatError(path, f'not a heatmap npz file: {error}') from error
    return {**meta, 'map_size': [width, height], 'frame_indices': frames}


def _load_arrays(content: bytes) -> dict[str, np.ndarray]:
    loaded = np.load(io.BytesIO(content), allow_pickle=False)
    if not isinstance(loaded, np.lib.npyio.NpzFile):
        raise ValueError('expected an .npz archive, got a single array')
    with loaded:
        for name in ('values', 'frame_indices'):
            if name not in loaded.files:
                raise ValueError(f'expected an array {name!r}, got {sorted(loaded.files)}')
        names = {'values', 'frame_indices', 'seen', 'meta'}.intersection(loaded.files)
        return {name: loaded[name] for name in names}


def _check_finite(sequence: HeatmapSequence) -> None:
    for index, frame in zip(sequence.frame_indices, sequence.values, strict=True):
        good = np.isfinite(frame)
        if sequence.seen is not None:
            good |= ~sequence.seen
        if not good.all():
            raise ValueError(f'expected finite values, got NaN or infinity in frame {index}')
