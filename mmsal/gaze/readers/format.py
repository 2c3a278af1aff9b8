"""What a reader is: a format's name, how to know its files, and how to read them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mmsal.gaze.placing import RawGaze
from mmsal.gaze.recording import Recording
from mmsal.gaze.table import GazeFormatError, check_cells, quoting

HEAD_BYTES = 65536
# Thousands between commas: 0, 999, 1,100. A decimal comma may look alike, 0,512 does not.
THOUSANDS = r'0|[1-9]\d{0,2}(?:,\d{3})*'
DECIMAL_POINT = r'[+-]?\d+\.\d+'


@dataclass(frozen=True)
class GazeFormat:
    """One kind of gaze file.

    Attributes:
        name: What ``format=`` and ``--format`` take, in lower case with underscores.
        title: For people, with the vendor's name and version where they matter.
        recognise: Told a path and the text at the file's beginning (empty for a folder): is it this
            format? It must not read more, and must say no where it is not sure.
        read: The file as fixations; raises GazeFormatError with line and fault. Its fixations may
            have ``attrs['showings']`` (:func:`mmsal.gaze.readers.showings.repeated`).
        needs: Options that its files usually need, for the list of formats.
        takes: Options that can change what is read, beside those that every format takes
            (``mmsal.gaze.readers.FOR_ALL``); any other is refused.
        defaults: Options that the format or data set defines, where the user says nothing else.
    """

    name: str
    title: str
    recognise: Callable[[Path, str], bool]
    read: Callable[[Path, Recording], RawGaze]
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)


def head_of(path: Path) -> str:
    """The text at the beginning of a file, as far as it is text; '' for folders and pictures."""
    if path.is_dir():
        return ''
    with path.open('rb') as file:
        start = file.read(HEAD_BYTES)
    return decode(start)


def decode(text: bytes) -> str:
    """Text of an eye tracker's export: UTF-8 or UTF-16 with a mark, else UTF-8, else Latin-1."""
    if text.startswith((b'\xff\xfe', b'\xfe\xff')):
        return text.decode('utf-16', 'replace')
    try:
        return text.decode('utf-8-sig')
    except UnicodeDecodeError as error:
        # The head of a file may end within a character.
        if error.start >= len(text) - 3:
            return text[: error.start].decode('utf-8-sig')
        return text.decode('latin-1')


def read_text(path: Path) -> str:
    """A whole text file; raises GazeFormatError where it is empty."""
    text = decode(path.read_bytes())
    if not text.strip():
        raise GazeFormatError(f'{path}: the file is empty')
    return text


def header_has(head: str, columns: tuple[str, ...], separator: str) -> bool:
    """Whether the first line that is not empty has all these columns, in any order."""
    first = next((line for line in head.splitlines() if line.strip()), '')
    names = {name.strip().strip('"') for name in first.split(separator)}
    return names.issuperset(columns)


def read_columns(path: Path, columns: Iterable[str], separator: str) -> pd.DataFrame:
    """Columns of a table with a header line, all cells as text, without spaces and quotes.

    Args:
        path: The file.
        columns: Names of the columns that must be there; further ones are kept.
        separator: Between cells. Only between commas may a cell in quotes have a separator in it;
            else a quote is a character, and one at both ends of a cell is taken off.

    Raises:
        GazeFormatError: A column is absent, there is no row, a row has more or fewer cells than
            the header, a quote between commas is not closed, or the file is no such table.
    """
    text = read_text(path)
    try:
        width = check_cells(io.StringIO(text, newline=''), separator)
    except GazeFormatError as error:
        raise GazeFormatError(f'{path}, {error}') from None
    try:
        table = pd.read_csv(
            io.StringIO(text), sep=separator, dtype=str, keep_default_na=False,
            index_col=False, skipinitialspace=True, usecols=range(width),
            quoting=quoting(separator),
        )  # fmt: skip
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise GazeFormatError(f'{path}: {error}') from None
    if separator != ',' and '"' in text:
        table = table.apply(_without_quotes)
        table.columns = _without_quotes(table.columns.to_series()).tolist()
    table.columns = [name.strip() for name in table.columns]
    absent = [name for name in columns if name not in table.columns]
    if absent:
        raise GazeFormatError(
            f'{path}: expected the columns {", ".join(columns)}; absent: {", ".join(absent)}'
        )
    if table.empty:
        raise GazeFormatError(f'{path}: there is a header, but no row of data')
    return table


def _without_quotes(cells: pd.Series) -> pd.Series:
    text = cells.str.strip()
    quoted = (text.str.len() > 1) & text.str.startswith('"') & text.str.endswith('"')
    return cells.where(~quoted, text.str[1:-1].str.replace('""', '"', regex=False))


def numbers(table: pd.DataFrame, column: str, path: Path, first_line: int = 2) -> pd.Series:
    """A column of text as float64; NaN for cells that are empty, ``.`` or ``NaN``.

    Decimal commas are read as points, if all the column has commas.

    Args:
        table: Of :func:`read_columns`.
        column: Which of its columns.
        path: For the message.
        first_line: Line of the file that row 0 stands in.

    Raises:
        GazeFormatError: Something else that is no number, with its line; a column with points and
            commas, or with commas that may part thousands, as other columns have decimal points.
    """
    text = table[column].str.strip()
    missing = text.str.lower().isin(['', '.', 'nan'])
    _check_commas(table, column, text[~missing], path, first_line)
    text = text.str.replace(',', '.', regex=False)
    values = pd.to_numeric(text.where(~missing), errors='coerce')
    wrong = values.isna() & ~missing
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        raise GazeFormatError(
            f'{path}, line {table.index[row] + first_line}: expected a number in {column}, got '
            f'{table[column].iloc[row]!r}'
        )
    return values.astype('float64')


def _check_commas(
    table: pd.DataFrame, column: str, text: pd.Series, path: Path, first_line: int
) -> None:
    comma = text.str.contains(',', regex=False)
    if not comma.any():
        return
    line = text.index[int(comma.to_numpy().argmax())] + first_line
    if text.str.contains('.', regex=False).any():
        raise GazeFormatError(
            f'{path}, line {line}: {column} has decimal points and commas: '
            f'{table[column][line - first_line]!r}'
        )
    if text.str.fullmatch(THOUSANDS).all() and any(
        table[other].str.strip().str.fullmatch(DECIMAL_POINT).any()
        for other in table.columns
        if other != column
    ):
        raise GazeFormatError(
            f'{path}, line {line}: is {table[column][line - first_line]!r} in {column} a decimal '
            'comma or thousands? Other columns have decimal points: export it without commas'
        )


def given_numbers(table: pd.DataFrame, column: str, path: Path, first_line: int = 2) -> pd.Series:
    """As :func:`numbers`, but none may be missing or infinite, as times must not be."""
    values = numbers(table, column, path, first_line)
    wrong = ~np.isfinite(values.to_numpy())
    if wrong.any():
        row = int(wrong.argmax())
        raise GazeFormatError(
            f'{path}, line {table.index[row] + first_line}: expected a number in {column}, got '
            f'{table[column].iloc[row]!r}'
        )
    return values


def check_order(
    starts: np.ndarray, ends: np.ndarray, table: pd.DataFrame, path: Path, first_line: int = 2
) -> None:
    """Raise GazeFormatError, with the line, where a fixation ends before it starts."""
    backwards = np.asarray(ends) < np.asarray(starts)
    if backwards.any():
        line = table.index[int(backwards.argmax())] + first_line
        raise GazeFormatError(f'{path}, line {line}: the fixation ends before it starts')


def integers(table: pd.DataFrame, column: str, path: Path, first_line: int = 2) -> np.ndarray:
    """A column of text as int64, exactly: nanoseconds since 1970 do not fit a float.

    Arguments as :func:`numbers`.

    Raises:
        GazeFormatError: A cell that is no whole number of 64 bits, with its line.
    """
    values = np.empty(len(table), dtype=np.int64)
    for row, cell in enumerate(table[column].str.strip()):
        try:
            values[row] = int(cell)
        except (ValueError, OverflowError):
            raise GazeFormatError(
                f'{path}, line {table.index[row] + first_line}: expected a whole number in '
                f'{column}, got {cell!r}'
            ) from None
    return values
