"""Numbers of one width, `D.ddd`, as a grid of ASCII digits: the fast way in and out of text.

A row of W numbers with d decimals takes W * (d + 3) bytes: digit, point, d digits, and a space or,
after the last number, a newline. So a whole map is a byte array `[H, W, d + 3]`, and NumPy can
write and read it one digit position at a time.
"""

from __future__ import annotations

import numpy as np

MAX_DECIMALS = 9
_ZERO, _POINT, _SPACE, _NEWLINE = b'0. \n'


def format_grid(values: np.ndarray, decimals: int) -> bytes:
    """Print a map; every number equals `'%.{decimals}f' % value`.

    Args:
        values: `[H, W]` float32 in [0, 1] (not checked here).
        decimals: Digits after the point, 1 to 9.

    Returns:
        H lines of W numbers, one space between numbers, a newline after each line.
    """
    # A float32 has 24 significant bits and 5**9 has 21, so the product is exact in float64, and
    # rint rounds it as C and Python print it: half to even.
    rest = np.rint(values.astype(np.float64) * 10**decimals).astype(np.uint32)
    grid = np.empty((*values.shape, decimals + 3), np.uint8)
    for column in range(decimals + 1, 1, -1):
        quotient = rest // 10
        grid[..., column] = rest - quotient * 10 + _ZERO
        rest = quotient
    grid[..., 0] = rest + _ZERO
    grid[..., 1] = _POINT
    grid[..., -1] = _SPACE
    grid[:, -1, -1] = _NEWLINE
    return grid.tobytes()


def parse_grid(text: bytes) -> np.ndarray | None:
    """Read a map that has the layout of `format_grid`, with any number of decimals from 1 to 9.

    Args:
        text: The lines of the map, each with its newline.

    Returns:
        `[H, W]` float32, or None when a single byte departs from the layout.
    """
    length = text.find(b'\n') + 1  # of a line
    size = text.find(b' ', 0, length) + 1 or length  # of a number with what follows it
    decimals = size - 3
    if not 1 <= decimals <= MAX_DECIMALS or length % size or len(text) % length:
        return None
    width = length // size
    lowest = np.frombuffer((b'0.' + b'0' * decimals + b' ') * width, np.uint8).copy()
    lowest[-1] = _NEWLINE
    # The first digit is 0 or 1, or nine decimals would not fit in 32 bits.
    spread = np.tile(np.array([1, 0] + [9] * decimals + [0], np.uint8), width)
    grid = np.frombuffer(text, np.uint8).reshape(-1, length)
    if ((grid[0] - lowest) > spread).any():
        return None  # what another tool wrote mostly shows it in the first row
    grid = grid - lowest
    # Bytes below the lowest wrap round to large ones. A newline after every W-th number and
    # nowhere else also means that each row has exactly W numbers.
    if (grid > spread).any():
        return None
    digits = grid.reshape(-1, width, size)
    number = digits[..., 0].astype(np.uint32)
    for column in range(2, size - 1):
        number *= np.uint32(10)
        number += digits[..., column]
    # Both operands are exact in float64, so the quotient is the double nearest to the text.
    return (number / np.float64(10**decimals)).astype(np.float32)
