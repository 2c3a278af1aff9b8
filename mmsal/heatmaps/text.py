"""The text format: `Frame N - Heatmap values:` and H rows of W numbers, per frame."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from .errors import HeatmapFormatError
from .grid import MAX_DECIMALS, format_grid, parse_grid
from .numbers import parse_numbers
from .rows import check_layout, is_blank, parse_row, quote, split_numbers, to_spaces
from .sequence import HeatmapSequence

_GZIP_MAGIC = b'\x1f\x8b'
_UTF8_MARK = b'\xef\xbb\xbf'
_BUFFER_SIZE = 1 << 18  # bytes; the usual 8 KiB hold four rows of 224 numbers
_FIRST_OF_ROW = frozenset(bytes([code]) for code in b'0123456789.+-[')
_HEADER = re.compile(rb'\s*Frame\s+(\d+)\s*-\s*Heatmap values:?\s*', re.IGNORECASE)


# --- writing ---------------------------------------------------------------------------------


def write_text(sequence: HeatmapSequence, path: Path, decimals: int, compress: bool) -> None:
    """Write the text of a sequence, without its sidecar.

    Args:
        sequence: Heatmaps with finite values in [0, 1]; pixels that were not seen may hold
            anything and are written as 0.
        path: File to write.
        decimals: Digits after the point, 1 to 9.
        compress: Whether to gzip the text.

    Raises:
        ValueError: If a value is not in [0, 1] (the frame is named), or `decimals` is not 1 to 9.
    """
    if isinstance(decimals, bool) or decimals not in range(1, MAX_DECIMALS + 1):
        raise ValueError(f'expected decimals from 1 to {MAX_DECIMALS}, got {decimals!r}')
    with ExitStack() as stack:
        file = stack.enter_context(path.open('wb'))
        if compress:
            # No name and no time in the header: the same maps give the same bytes.
            file = stack.enter_context(gzip.GzipFile('', 'wb', 6, file, mtime=0))
        for index, frame in zip(sequence.frame_indices, sequence.values, strict=True):
            if sequence.seen is not None:
                frame = np.where(sequence.seen, frame, np.float32(0))
            _check_range(frame, index)
            file.write(b'Frame %d - Heatmap values:\n' % index)
            file.write(format_grid(frame, int(decimals)))


def _check_range(frame: np.ndarray, index: int) -> None:
    good = (frame >= 0) & (frame <= 1)  # False for NaN
    if not good.all():
        y, x = np.unravel_index(np.argmin(good), good.shape)
        raise ValueError(
            f'expected finite values in [0, 1], got {frame[y, x]} in frame {index} at x={x}, y={y}'
        )


# --- reading ---------------------------------------------------------------------------------


def read_text(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a text file, gzipped or not, without its sidecar.

    Returns:
        Values `[T, H, W]` float32 as they stand in the file, and frame indices `[T]` int64 in the
        order of the file.

    Raises:
        HeatmapFormatError: If the file departs from the format; names the line where there is one.
    """
    indices = []
    values = None
    with _open_lines(path) as lines:
        for block in _split_blocks(path, lines):
            frame = _parse_block(path, block, None if values is None else values.shape[1:])
            if values is None:
                values = np.empty((4, *frame.shape), np.float32)
            elif len(values) == len(indices):
                values = _double(values)
            values[len(indices)] = frame
            indices.append(block.index)
    if values is None:
        raise HeatmapFormatError(path, "no frame: expected a line 'Frame N - Heatmap values:'")
    values.resize((len(indices), *values.shape[1:]), refcheck=False)
    return values, np.array(indices, dtype=np.int64)


def _double(values: np.ndarray) -> np.ndarray:
    larger = np.empty((2 * len(values), *values.shape[1:]), np.float32)
    larger[: len(values)] = values  # the other half takes no memory until it is set
    return larger


@contextmanager
def _open_lines(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading by lines; what it holds, not its name, says whether it is gzip."""
    with ExitStack() as stack:
        file = stack.enter_context(path.open('rb', _BUFFER_SIZE))
        if file.peek(2)[:2] == _GZIP_MAGIC:
            unzipped = stack.enter_context(gzip.GzipFile(fileobj=file))
            file = io.BufferedReader(unzipped, _BUFFER_SIZE)
        try:
            yield file
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise HeatmapFormatError(path, f'broken gzip file ({error})') from error


@dataclass
class _Block:
    """A header and all lines up to the next one."""

    index: int
    line: int  # of the header
    raw: list[bytes] = field(default_factory=list)  # the lines below it, untouched
    is_last: bool = False


@dataclass
class _Rows:
    """The rows of one frame: its lines without comments, ends and blank ones."""

    texts: list[bytes]
    lines: list[int]  # their line numbers


def _split_blocks(path: Path, lines: Iterable[bytes]) -> Iterator[_Block]:
    block = None
    known = set()
    for number, raw in enumerate(lines, 1):
        line = raw if number > 1 else raw.removeprefix(_UTF8_MARK)
        if line[:1] not in _FIRST_OF_ROW and line.lstrip()[:5].lower() == b'frame':
            if block is not None:
                yield block
            block = _Block(_parse_header(path, number, line), number)
            if block.index in known:
                raise HeatmapFormatError(path, f'duplicate frame {block.index}', number)
            known.add(block.index)
        elif block is not None:
            block.raw.append(raw)
        elif not is_blank(_clean_line(path, number, line)):
            raise HeatmapFormatError(
                path,
                f"expected a header 'Frame N - Heatmap values:' before the first row, got "
                f'{quote(line.strip())}',
                number,
            )
    if block is not None:
        block.is_last = True
        yield block


def _parse_header(path: Path, number: int, raw: bytes) -> int:
    line = _clean_line(path, number, raw)
    match = _HEADER.fullmatch(line)
    if not match:
        raise HeatmapFormatError(
            path, f"expected 'Frame N - Heatmap values:', got {quote(line)}", number
        )
    digits = match[1].lstrip(b'0') or b'0'
    if len(digits) > 18:
        raise HeatmapFormatError(path, f'frame index too large: {quote(digits)}', number)
    return int(digits)


def _clean_line(path: Path, number: int, raw: bytes) -> bytes:
    """Check the encoding of a line and take off its comment and its end."""
    if not raw.isascii():
        try:
            raw.decode('utf-8')
        except UnicodeDecodeError:
            raise HeatmapFormatError(path, 'not a text file in UTF-8', number) from None
    if b'\0' in raw:
        raise HeatmapFormatError(path, 'not a text file (it has NUL bytes)', number)
    if b'#' in raw:
        raw = raw.partition(b'#')[0]
    return raw.rstrip()


def _parse_block(path: Path, block: _Block, shape: tuple[int, int] | None) -> np.ndarray:
    """Read one frame and hold its size against `shape`, the size of the frames before it."""
    raw = b''.join(block.raw)
    frame = parse_grid(raw)
    if frame is None:
        frame = _parse_lines(raw)
    complete = raw.endswith(b'\n') or not block.is_last
    if frame is not None and complete and shape in (None, frame.shape):
        return frame
    rows = _clean_rows(path, block)
    frames = _parse_rows(path, rows)
    _check_size(path, block, rows, [len(row) for row in frames], shape)
    if block.is_last:
        _check_last_number(path, block, rows)
    return np.stack(frames)


def _parse_lines(raw: bytes) -> np.ndarray | None:
    """Read lines that need no cleaning and hold one complete frame, or return None."""
    parsed = parse_numbers(raw)
    if parsed is None:
        return None
    values, counts = parsed
    widths = counts[counts > 0]  # the others are blank
    return values.reshape(len(widths), -1) if (widths == widths[0]).all() else None


def _parse_rows(path: Path, rows: _Rows) -> list[np.ndarray]:
    """Read each row; what is wrong inside one is an error, their sizes are not looked at."""
    text = b''.join(row + b'\n' for row in rows.texts)
    frame = parse_grid(text)
    if frame is not None:
        return list(frame)
    parsed = parse_numbers(to_spaces(text))
    if parsed is None:
        return [parse_row(path, *item) for item in zip(rows.lines, rows.texts, strict=True)]
    values, counts = parsed
    for item in zip(rows.lines, rows.texts, counts.tolist(), strict=True):
        check_layout(path, *item)
    return np.split(values, np.cumsum(counts)[:-1])


def _clean_rows(path: Path, block: _Block) -> _Rows:
    rows = _Rows([], [])
    for number, raw in enumerate(block.raw, block.line + 1):
        line = _clean_line(path, number, raw)
        if not is_blank(line):
            rows.texts.append(line)
            rows.lines.append(number)
    if not rows.lines:
        raise HeatmapFormatError(path, f'frame {block.index} has no rows', block.line)
    return rows


def _check_size(
    path: Path, block: _Block, rows: _Rows, counts: list[int], shape: tuple[int, int] | None
) -> None:
    """Check how many numbers each row has, and how many rows there are."""
    height, width = shape or (len(counts), None)
    alone = block.is_last and len(counts) == 1 < height  # too little is left to tell a size from
    if width is None or not (width in counts or alone):
        width = Counter(counts).most_common(1)[0][0]
    for row, count in enumerate(counts):
        if count != width:
            fault = f'ragged row: {count} numbers, expected {width}'
            if block.is_last and row == len(counts) - 1 and count < width:
                fault += f' (truncated last frame {block.index}?)'
            raise HeatmapFormatError(path, fault, rows.lines[row])
    if shape is None or (len(counts), width) == shape:
        return
    if block.is_last and width == shape[1] and len(counts) < height:
        raise HeatmapFormatError(
            path,
            f'truncated last frame {block.index}: {len(counts)} rows, expected {height}',
            rows.lines[-1],
        )
    raise HeatmapFormatError(
        path,
        f'frames of different size: frame {block.index} has {len(counts)} rows of {width}, '
        f'expected {height} rows of {shape[1]} as before',
        block.line,
    )


def _check_last_number(path: Path, block: _Block, rows: _Rows) -> None:
    """Find a file that was cut inside its very last number.

    Such a file still has all its numbers, but the last one may be wrong. It shows when all others
    have one length, the last one is shorter, and the newline is missing. Where the others have no
    more than five characters nothing is said: people type such numbers.
    """
    ends_in_row = rows.lines[-1] == block.line + len(block.raw)
    if not ends_in_row or block.raw[-1].endswith(b'\n'):
        return
    *others, last = split_numbers(rows.texts[-1])
    lengths = {len(token) for token in others}
    for text in rows.texts[:-1]:
        if len(lengths) > 1:
            return  # seen soon in what other tools wrote
        lengths.update(map(len, split_numbers(text)))
    if len(lengths) == 1 and max(5, len(last)) < lengths.pop():
        raise HeatmapFormatError(
            path,
            f'truncated last frame {block.index}: the file ends inside a number, {quote(last)} '
            '(if the number is complete, end the line)',
            rows.lines[-1],
        )
