"""One row of a heatmap as people and other tools write it: commas, tabs, brackets, exponents."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from .errors import HeatmapFormatError

_SEPARATORS = b'[](),\t'
_TO_SPACES = bytes.maketrans(_SEPARATORS, b' ' * len(_SEPARATORS))
# Whatever else a float parser knows (nan, inf, 1_000, other scripts' digits) needs more than these.
_NUMBER_BYTES = b'0123456789+-.eE '

NUMBER = re.compile(rb'[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?')
_NOT_FINITE = re.compile(rb'[+-]?(nan|inf|infinity)', re.IGNORECASE)


def is_blank(line: bytes) -> bool:
    """Say whether a line holds no number: nothing but white space, brackets and commas."""
    return not line.strip(b' ' + _SEPARATORS)


def to_spaces(text: bytes) -> bytes:
    """Replace all other separators in rows by spaces."""
    return text.translate(_TO_SPACES)


def split_numbers(row: bytes) -> list[bytes]:
    """Split a row into its numbers, as text."""
    return to_spaces(row).split()


def parse_row(path: Path, line: int, row: bytes) -> np.ndarray:
    """Read one row.

    Args:
        path: The file, for the error.
        line: The row's line number, for the error.
        row: The line without its newline; it holds at least one number or fault.

    Returns:
        `[W]` float32, finite.

    Raises:
        HeatmapFormatError: If a number is missing, malformed, not finite or too large, or if the
            line is not exactly one row.
    """
    tokens = split_numbers(row)
    check_layout(path, line, row, len(tokens))
    if to_spaces(row).translate(None, _NUMBER_BYTES):
        raise _token_fault(path, line, row)
    try:
        values = np.array(tokens, dtype=np.float64)
    except ValueError:
        raise _token_fault(path, line, row) from None
    with np.errstate(over='ignore'):
        values = values.astype(np.float32)
    if not np.isfinite(values).all():
        token = tokens[int(np.argmin(np.isfinite(values)))]
        raise HeatmapFormatError(path, f'number too large for float32: {quote(token)}', line)
    return values


def check_layout(path: Path, line: int, row: bytes, count: int) -> None:
    """Refuse lines whose brackets or commas say that they are not one complete row."""
    if len(row.translate(None, b'[](),')) == len(row):
        return
    compact = row.translate(None, b' \t')
    if compact.startswith(b',') or any(pair in compact for pair in (b',,', b'[,', b'(,')):
        raise HeatmapFormatError(path, 'not a number: nothing before a comma', line)
    opens = b'[' in row or b'(' in row
    closes = b']' in row or b')' in row
    if opens != closes:
        # NumPy breaks long rows when it prints them; a row cut in half would look like two rows.
        raise HeatmapFormatError(
            path, 'a bracket without its partner: expected each row on one line', line
        )
    boundaries = sum(map(compact.replace(b',', b'').count, (b'][', b')(')))
    if boundaries and boundaries + 1 != count:  # '[1] [2]' is one row, '[1 2] [3 4]' is two
        raise HeatmapFormatError(
            path, 'several bracketed rows: expected each row on a line of its own', line
        )


def _token_fault(path: Path, line: int, row: bytes) -> HeatmapFormatError:
    # Split at spaces only, so that an odd white space character stays in the token it spoils.
    for token in to_spaces(row).split(b' '):
        if _NOT_FINITE.fullmatch(token):
            return HeatmapFormatError(path, f'NaN or infinity: {quote(token)}', line)
        if token and not NUMBER.fullmatch(token):
            return HeatmapFormatError(path, f'not a number: {quote(token)}', line)
    return HeatmapFormatError(path, f'not a row of numbers: {quote(row)}', line)


def quote(text: bytes) -> str:
    """Show a piece of a file in an error message, at most 40 bytes of it."""
    shown = text[:40] + b'...' if len(text) > 40 else text
    return repr(shown.decode('utf-8', 'replace'))
