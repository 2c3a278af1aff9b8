"""`meta`, the free-form description of a heatmap sequence, as plain JSON."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

# Names that the sidecar fills from the sequence itself.
RESERVED_KEYS = ('frame_indices', 'map_size', 'seen')


def plain_meta(meta: dict[str, Any] | None) -> dict[str, Any]:
    """Copy `meta` into plain Python values that JSON can hold.

    NumPy scalars and arrays become numbers and lists, tuples become lists, paths become strings.

    Raises:
        ValueError: If a value has no JSON form (NaN and infinity have none), if a key is not a
            string, or if a key is one that the sequence itself fills.
    """
    if meta is None:
        return {}
    if not isinstance(meta, dict):
        raise ValueError(f'expected meta as a dict or None, got {type(meta).__name__}')
    reserved = [key for key in RESERVED_KEYS if key in meta]
    if reserved:
        raise ValueError(
            f'expected meta without the keys {", ".join(RESERVED_KEYS)} (they are written from the '
            f'sequence itself), got {", ".join(reserved)}'
        )
    return _plain(meta, 'meta')


def _plain(value: Any, where: str) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise ValueError(f'expected strings as keys of {where}, got {key!r}')
        return {str(key): _plain(item, f'{where}[{key!r}]') for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, f'{where}[{i}]') for i, item in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f'expected finite numbers in meta, got {value} at {where}')
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Path):
        return str(value)
    raise ValueError(f'expected JSON values in meta, got {type(value).__name__} at {where}')


def dump_json(record: dict[str, Any]) -> bytes:
    """Write a record as UTF-8 JSON: sorted keys, no NaN, one newline at the end."""
    text = json.dumps(record, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False)
    # A file name that is not UTF-8 reaches Python with lone surrogates. They have no UTF-8 form,
    # but `backslashreplace` writes them as \udcXX, which is their JSON escape.
    return (text + '\n').encode('utf-8', 'backslashreplace')


def load_json(text: bytes | str) -> dict[str, Any]:
    """Read a record written by `dump_json`.

    Raises:
        ValueError: If it is not a JSON object, is not UTF-8, or holds NaN or infinity.
        RecursionError: If it is nested too deeply.
    """
    if isinstance(text, bytes):
        text = text.decode('utf-8')
    record = json.loads(text, parse_constant=_refuse_constant)
    if not isinstance(record, dict):
        raise ValueError(f'expected a JSON object, got {type(record).__name__}')
    return record


def _refuse_constant(name: str) -> None:
    raise ValueError(f'expected finite numbers, got {name}')
