"""Where the numbers of a text lie, found for all of them at once.

Separators cut the text into tokens. Of each token we guess where sign, point and exponent are,
look at these bytes, and at last count: with no other sign, letter and point in the text, every
token is a number. The few for which the guess fails are looked at one by one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .rows import NUMBER

_TAB, _NEWLINE, _SPACE, _PLUS, _COMMA, _MINUS, _POINT, _E = b'\t\n +,-.e'
_ZERO = np.uint8(ord('0'))
_TO_LOWER_CASE = 32
_ODD = 16  # of so many tokens one may be looked at by itself; with more, `rows` is as fast


class Text:
    """A text in the forms in which it is looked at.

    Attributes:
        text: `[B]` bytes, the last one a newline.
        codes: `[B]` uint8, the same.
        is_digit: `[B]` bool.
        digits: `[B]` uint8, the value of each digit, 0 elsewhere.
    """

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.codes = np.frombuffer(text, np.uint8)
        self.digits = self.codes - _ZERO
        self.is_digit = self.digits < 10
        self.digits *= self.is_digit.view(np.uint8)


@dataclass
class Tokens:
    """Positions of numbers in a text, `[N]` int64 each; an end is the byte behind.

    Args:
        begins: First byte of each number.
        stops: End of the number.
        width: Bytes of the longest number.
        line_counts: `[H]` int64, how many numbers stand on each line.
        starts: First byte behind the sign.
        ends: End of what stands before the exponent.
        points: The decimal point; where there is none, the same as `ends`.
        whole: As many digits, or fewer, stand before each point, up to 4; if 1, then exactly 1.
        fraction: As many digits, or fewer, stand behind each point.
        negative: `[N]` bool; None where no number has a sign.
        powers: `[N]` int64 from -99 to 99, the exponents; None where no number has one.
        odd: Indices of the numbers for which all but `begins` and `stops` may be wrong.
    """

    begins: np.ndarray
    stops: np.ndarray
    width: int
    line_counts: np.ndarray
    starts: np.ndarray = field(init=False)
    ends: np.ndarray = field(init=False)
    points: np.ndarray = field(init=False)
    whole: int = 1
    fraction: int = field(init=False)
    negative: np.ndarray | None = None
    powers: np.ndarray | None = None
    odd: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        self.starts, self.ends = self.begins, self.stops
        self.fraction = max(self.width - 2, 0)


def find_tokens(text: Text) -> Tokens | None:
    """Find the numbers of a text whose separators are spaces, tabs, commas and newlines.

    Returns:
        None when there is no number, or something is not in the syntax of `rows`, or is so rare
        that it is left to `rows`.
    """
    codes, is_digit = text.codes, text.is_digit
    is_separator = codes <= _SPACE
    if b',' in text.text:
        is_separator |= codes == _COMMA
    stops = np.flatnonzero(is_separator)
    tokens = _split(codes, stops)
    if tokens is None:
        return None
    unknown = len(codes) - np.count_nonzero(is_digit) - len(stops)
    if unknown <= len(tokens.stops):  # no more than one point each, or so it seems
        fits, pointed = _find_points(tokens, text)
        if unknown == np.count_nonzero(pointed) and fits.all():
            return tokens
    strange = ~(is_digit | is_separator)
    return tokens if _look_closer(tokens, text, strange) else None


def _split(codes: np.ndarray, stops: np.ndarray) -> Tokens | None:
    """Cut a text into tokens; return None where a separator is unknown or a comma is too many."""
    kinds = codes.take(stops)
    newlines = kinds == _NEWLINE
    commas = kinds == _COMMA
    if not (newlines | commas | (kinds == _SPACE) | (kinds == _TAB)).all():
        return None
    line_ends = stops.compress(newlines)
    begins = np.empty_like(stops)
    begins[0] = 0
    np.add(stops[:-1], 1, out=begins[1:])
    widths = stops - begins
    if not widths.all():
        if (commas & (widths == 0)).any():
            return None  # perhaps no number stands before the comma
        begins, stops = begins.compress(widths), stops.compress(widths)
        if not len(stops):
            return None
    line_counts = np.searchsorted(stops, line_ends, side='right')
    line_counts[1:] -= line_counts[:-1].copy()
    return Tokens(begins, stops, int(widths.max()), line_counts)


def _find_points(tokens: Tokens, text: Text) -> tuple[np.ndarray, np.ndarray]:
    """Set `points`; return which numbers have fitted the guess, and which have a point."""
    points = tokens.starts + 1
    pointed = text.codes.take(points) == _POINT
    fits = pointed if pointed.all() else pointed | (points == tokens.ends)
    if np.count_nonzero(fits) * _ODD < len(fits) * (_ODD - 1):
        lengths = _count_digits(text.is_digit).take(tokens.starts)
        points = tokens.starts + lengths
        pointed = text.codes.take(points) == _POINT
        fits = pointed | (points == tokens.ends)
        if not lengths.all():
            fits &= (lengths > 0) | (tokens.ends - points > 1)  # at least one digit
        tokens.whole = int(lengths.max(initial=2))
        tokens.fraction = int((tokens.ends - points).max()) - 1
    tokens.points = points
    return fits, pointed


def _count_digits(is_digit: np.ndarray) -> np.ndarray:
    """Return for each byte how many digits, up to 4, stand from there on; uint8."""
    lengths = is_digit.view(np.uint8).copy()
    two = is_digit[:-1] & is_digit[1:]
    lengths[:-1] += two
    lengths[:-2] += two[:-1] & is_digit[2:]
    lengths[:-3] += two[:-2] & two[2:]
    return lengths


# --- signs, exponents, and numbers that are odd ------------------------------------------------


def _look_closer(tokens: Tokens, text: Text, strange: np.ndarray) -> bool:
    """Find signs, exponents, points, and the numbers that are odd.

    Args:
        tokens: What is to be completed.
        text: The text.
        strange: `[B]` bool, the bytes that are neither digits nor separators. Those that are
            understood are cleared.

    Returns:
        False for a fault, and when more is odd than is worth the effort.
    """
    is_point = text.codes == _POINT
    strange &= ~is_point
    most_odd = 4 + len(tokens.stops) // _ODD
    for take_off in (_take_off_signs, _take_off_exponents):
        if np.count_nonzero(strange) > most_odd:
            take_off(tokens, text, strange)
    fits, pointed = _find_points(tokens, text)
    odd = ~fits
    odd[np.searchsorted(tokens.stops, np.flatnonzero(strange))] = True
    tokens.odd = np.flatnonzero(odd)
    if len(tokens.odd) > most_odd:
        return False
    tokens.points[tokens.odd] = tokens.ends[tokens.odd]
    tokens.fraction = int((tokens.ends - tokens.points).max()) - 1
    points = np.count_nonzero(is_point) - np.count_nonzero(pointed & ~odd)
    for index in tokens.odd:
        token = text.text[tokens.begins[index] : tokens.stops[index]]
        if not NUMBER.fullmatch(token):
            return False
        points -= token.count(b'.')
    return points == 0  # with a point left over, some number has two


def _take_off_signs(tokens: Tokens, text: Text, strange: np.ndarray) -> None:
    """Move `starts` behind signs, and clear these in `strange`."""
    first = text.codes.take(tokens.begins)
    tokens.negative = first == _MINUS
    # A sign that is the whole token stays strange.
    signed = (tokens.negative | (first == _PLUS)) & (tokens.stops - tokens.begins > 1)
    tokens.starts = tokens.begins + signed
    strange[tokens.begins] &= ~signed


def _take_off_exponents(tokens: Tokens, text: Text, strange: np.ndarray) -> None:
    """Move `ends` before exponents such as `e-05`, as C prints them, and clear these."""
    if tokens.width < 5:
        return
    letters = np.maximum(tokens.stops - 4, 0)
    sign = text.codes.take(letters + 1)
    found = (text.codes.take(letters) | _TO_LOWER_CASE == _E) & (letters > tokens.starts)
    # Whether two digits follow shows when signs, letters and points are counted.
    found &= (sign == _MINUS) | (sign == _PLUS)
    if not found.any():
        return
    tens, ones = text.digits.take(letters + 2), text.digits.take(letters + 3)
    tokens.powers = tens.astype(np.int64) * 10 + ones
    tokens.powers *= found
    tokens.powers *= 1 - 2 * (sign == _MINUS).view(np.int8)
    tokens.ends = np.where(found, letters, tokens.stops)
    letters = letters[found]
    strange[letters] = False
    strange[letters + 1] = False
