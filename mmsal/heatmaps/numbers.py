"""Numbers of any width, a text at a time: the fast way in for what other tools wrote.

Nothing is said here about faults: what is not plainly right is left to `rows`, which reads slowly
and says what is wrong and where. What is read is, bit for bit, what `rows` would read.
"""

from __future__ import annotations

import numpy as np

from .tokens import Text, Tokens, find_tokens

_CHUNK_SIZE = 1 << 18  # bytes of text; what is made of them fits into the cache
_POWERS = np.array([float(f'1e{power}') for power in range(125)])  # float() rounds correctly
_EXACT_POWER = 22  # the last one that float64 holds exactly
_EXACT_INTEGER = 2.0**52
_MOST_FRACTION = 24  # digits behind the point; numbers with more go through float(), one by one
# Of a result that is not exact; what is rounded on the way adds up to less than 20 * 2**-53.
_RELATIVE_ERROR = 2.0**-47


def parse_numbers(text: bytes) -> tuple[np.ndarray, np.ndarray] | None:
    """Read lines of numbers that are separated by spaces, tabs and commas.

    Args:
        text: The lines; the last one may lack its newline.

    Returns:
        The numbers `[N]` float32, finite, in their order, and how many each line holds, `[H]`
        int64. None when there is no number, or something is not in the syntax of `rows`, or is so
        rare that it is left to `rows`.
    """
    values, counts = [], []
    start = 0
    while start < len(text):
        stop = text.rfind(b'\n', start, start + _CHUNK_SIZE) + 1
        if not stop:
            stop = text.find(b'\n', start) + 1 or len(text)
        chunk = text[start:stop]
        parsed = _parse_chunk(chunk if chunk.endswith(b'\n') else chunk + b'\n')
        if parsed is None:
            return None
        values.append(parsed[0])
        counts.append(parsed[1])
        start = stop
    return (np.concatenate(values), np.concatenate(counts)) if values else None


def _parse_chunk(text: bytes) -> tuple[np.ndarray, np.ndarray] | None:
    forms = Text(text)
    tokens = find_tokens(forms)
    if tokens is None:
        return None
    values, uncertain = _evaluate(tokens, forms)
    if len(uncertain):
        spans = zip(tokens.begins[uncertain], tokens.stops[uncertain], strict=True)
        exact = np.array([float(text[begin:stop]) for begin, stop in spans])
        with np.errstate(over='ignore'):
            values[uncertain] = exact.astype(np.float32)
        if not np.isfinite(values).all():
            return None
    return values, tokens.line_counts


def _evaluate(tokens: Tokens, text: Text) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers as float32, and the indices of those that may be wrong."""
    places = -(-min(max(tokens.fraction, 0), _MOST_FRACTION) // 4) * 4
    values = _mantissas(tokens, text, places)
    exact = places <= _EXACT_POWER and values.max() < _EXACT_INTEGER
    if tokens.powers is None:
        values /= _POWERS[places]
    else:
        shifts = tokens.powers - places
        exact = exact and abs(shifts).max() <= _EXACT_POWER
        values *= _POWERS.take(np.maximum(shifts, 0))
        values /= _POWERS.take(np.maximum(-shifts, 0))
    if tokens.negative is not None:
        values *= 1 - 2 * tokens.negative.view(np.int8)
    with np.errstate(over='ignore'):
        rounded = values.astype(np.float32)
        if exact:
            return rounded, tokens.odd
        # Rounding keeps the order, so the right double is rounded to a float between these.
        low = (values * (1 - _RELATIVE_ERROR)).astype(np.float32)
        high = (values * (1 + _RELATIVE_ERROR)).astype(np.float32)
    uncertain = (low != high) | np.isinf(low)
    uncertain |= tokens.ends - tokens.points - 1 > _MOST_FRACTION
    uncertain[tokens.odd] = True
    return rounded, np.flatnonzero(uncertain)


def _mantissas(tokens: Tokens, text: Text, places: int) -> np.ndarray:
    """Return the numbers without sign and exponent times `10**places`, `[N]` float64.

    Args:
        tokens: The numbers.
        text: The text that holds them.
        places: How many digits behind the points are read, a multiple of 4.
    """
    values = np.zeros(len(tokens.stops))
    if places:
        quads = _quads(text.digits, text.is_digit.view(np.uint8))
        for place in range(1, places + 1, 4):
            # A point or an end is no digit, so that behind the last digit all quads are 0.
            part = quads.take(np.minimum(tokens.points + place, tokens.ends))
            if place == 1:
                values = part.astype(np.float64)
            else:
                values *= _POWERS[4]
                values += part
    if tokens.whole == 1:
        wholes = text.digits.take(tokens.starts)
        wholes[tokens.odd] = 0
        if wholes.any():
            values += wholes * _POWERS[places]
        return values
    for place in range(tokens.whole):
        # What stands before a start is no digit. (Before the text stands its last newline: -1.)
        at = np.maximum(tokens.points - (place + 1), tokens.starts - 1)
        values += text.digits.take(at) * _POWERS[places + place]
    return values


def _quads(digits: np.ndarray, flags: np.ndarray) -> np.ndarray:
    """Return for each byte the four digits from there on as a number, 0 to 9999, uint16.

    A byte that is no digit counts as 0, and so does what comes behind it.
    """
    pairs = digits * np.uint8(10)
    pairs[:-1] += digits[1:] * flags[:-1]
    quads = pairs.astype(np.uint16)
    quads *= np.uint16(100)
    quads[:-2] += pairs[2:] * (flags[:-2] & flags[1:-1])
    return quads
