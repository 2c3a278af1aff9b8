"""The fixation table: the one form in which gaze goes from readers to comparisons.

One row per fixation. Positions are pixels of the source video with the origin at its top left
corner, x to the right and y down; times are seconds from the video's first frame. Positions outside
the picture and times outside the video are valid: people do look away.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

FIXATION_COLUMNS = {
    'video': str,  # file name or relative path of the video
    'observer': str,
    'start_s': float,
    'end_s': float,
    'x_px': float,
    'y_px': float,
}

PARQUET = '.parquet'


class GazeFormatError(ValueError):
    """A file or table with gaze in it is not as expected; the message says what and where."""


def validate_fixations(frame: pd.DataFrame) -> pd.DataFrame:
    """Check a fixation table and bring it into its canonical form.

    Args:
        frame: Table with at least the columns ``FIXATION_COLUMNS``, in any order. Numbers may be
            given as text. Names of videos and observers become text, without spaces at
            their ends.

    Returns:
        A new table with exactly these columns, in this order: ``video, observer`` text; ``start_s,
        end_s`` (seconds) and ``x_px, y_px`` (pixels of the source video, origin top left) float64.
        Order of the rows is kept, the index counts them from 0. A table without rows is valid.

    Raises:
        GazeFormatError: A column is absent or there twice, a name is empty, a number is not a
            finite number, or a fixation ends before it starts. Rows count from 0.
    """
    absent = [name for name in FIXATION_COLUMNS if name not in frame.columns]
    if absent:
        raise GazeFormatError(
            f'expected the columns {", ".join(FIXATION_COLUMNS)}; absent: {", ".join(absent)}; '
            f'got {", ".join(map(str, frame.columns)) or "none"}'
        )
    columns = {}
    for name, kind in FIXATION_COLUMNS.items():
        if isinstance(frame[name], pd.DataFrame):
            raise GazeFormatError(f'expected one column {name}, got {frame[name].shape[1]}')
        convert = _names if kind is str else _numbers
        columns[name] = convert(frame[name].reset_index(drop=True))
    table = pd.DataFrame(columns)
    backwards = np.flatnonzero(table['end_s'] < table['start_s'])
    if backwards.size:
        row = table.iloc[backwards[0]]
        raise GazeFormatError(
            f'row {backwards[0]}: expected end_s >= start_s, got {row["start_s"]} to {row["end_s"]}'
        )
    return table


def read_fixation_table(path: str | Path) -> pd.DataFrame:
    """Read a fixation table from CSV or Parquet.

    Args:
        path: A Parquet file if it is called ``.parquet``, else a CSV file in UTF-8 (``.gz``:
            packed) with a header line and as many cells in every row; further columns are left out.

    Returns:
        The table, as :func:`validate_fixations` gives it.

    Raises:
        FileNotFoundError: There is no such file.
        GazeFormatError: The file is not such a table; the message has file, row or line, and fault.
        ImportError: It is Parquet, and pyarrow is not installed.
    """
    path = Path(path)
    if path.suffix.lower() == PARQUET:
        return _read_parquet(path)
    try:
        text = _read_text(path)
        check_cells(io.StringIO(text, newline=''), ',')
        # All as text: an observer called "007" or "NA" keeps its name, a bad number its row.
        cells = pd.read_csv(
            io.StringIO(text), dtype=str, keep_default_na=False, index_col=False,
            skipinitialspace=True,
        )  # fmt: skip
        return validate_fixations(cells)
    except (GazeFormatError, pd.errors.EmptyDataError, pd.errors.ParserError) as error:
        raise GazeFormatError(f'{path}: {error}') from None
    except UnicodeDecodeError:
        raise GazeFormatError(f'{path}: expected a CSV file in UTF-8') from None


def write_fixation_table(frame: pd.DataFrame, path: str | Path) -> None:
    """Write a fixation table with all digits, so that it is read back unchanged.

    Args:
        frame: The table; it is checked first.
        path: File to write, in an existing folder: Parquet if it is called ``.parquet``, else CSV.
            It is replaced in one step: a killed run leaves no half file.

    Raises:
        GazeFormatError: The table is not valid.
        ImportError: Parquet is asked for, and pyarrow is not installed.
    """
    table = validate_fixations(frame)
    path = Path(path)
    parquet = path.suffix.lower() == PARQUET
    if parquet:
        _require_pyarrow(path)
    temporary = path.with_name(f'.{path.name}.part')
    try:
        if parquet:
            table.to_parquet(temporary, engine='pyarrow', index=False)
        else:
            table.to_csv(temporary, index=False, encoding='utf-8', lineterminator='\n')
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def check_cells(lines: Iterable[str], separator: str) -> int:
    """Refuse a table in which a row has more or fewer cells than the header has names.

    Such a row is cut short, or has a decimal comma between separating commas; pandas would move
    its cells into other columns or drop the last. Blank lines are no rows, and empty cells past the
    header's last name are none. Between commas the header must have such empty cells, too: the
    last cell of a row that a decimal comma moved may be empty.

    Args:
        lines: Of the table, the header first, with their line ends.
        separator: Between cells. Between commas, cells with commas in them are in double quotes;
            between others a quote is a character like any other, as a key that was pressed may be.

    Returns:
        Cells of the header up to its last name; 0 where there is no header.

    Raises:
        GazeFormatError: Such a row, or a cell with a line end in it, which a lost quote makes of
            the rows up to the next quote; the message has the line, counted from 1.
    """
    reader = csv.reader(
        lines, delimiter=separator, skipinitialspace=True, quoting=quoting(separator)
    )
    names = most = line = 0
    try:
        for row in reader:
            cells, line = len(row), line + 1
            if reader.line_num > line:
                raise GazeFormatError(f'line {line}: a quote is not closed')
            if cells == names == most or (cells <= 1 and not ''.join(row).strip()):
                continue
            filled = next((at for at in range(cells, 0, -1) if row[at - 1].strip()), 0)
            if not names:
                names, most = filled, cells
            elif cells < names or filled > names or (separator == ',' and cells > most):
                raise GazeFormatError(
                    f'line {reader.line_num}: expected {names} cells as in the header, got {cells}'
                    + (': is it cut short?' if cells < names else '')
                    + (': decimal commas?' if cells > names and separator == ',' else '')
                )
    except csv.Error as error:
        raise GazeFormatError(f'line {reader.line_num}: {error}') from None
    return names


def quoting(separator: str) -> int:
    """Of the ``csv`` module, for tables with this separator; see :func:`check_cells`."""
    return csv.QUOTE_MINIMAL if separator == ',' else csv.QUOTE_NONE


def _read_text(path: Path) -> str:
    opened = gzip.open if path.suffix.lower() == '.gz' else open
    try:
        with opened(path, 'rt', encoding='utf-8-sig', newline='') as file:
            return file.read()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise GazeFormatError(f'expected a whole gzip file: {error}') from None


def _read_parquet(path: Path) -> pd.DataFrame:
    _require_pyarrow(path)
    if not path.is_file():
        raise FileNotFoundError(2, 'no such fixation table', str(path))
    from pyarrow import ArrowException

    try:
        return validate_fixations(pd.read_parquet(path, engine='pyarrow'))
    except GazeFormatError as error:
        raise GazeFormatError(f'{path}: {error}') from None
    except (ArrowException, OSError) as error:
        raise GazeFormatError(
            f'{path}: expected a Parquet file, which may be cut short: {error}'
        ) from None


def _require_pyarrow(path: Path) -> None:
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise ImportError(
            f'{path}: Parquet needs pyarrow: pip install "mmsal[parquet]", or use .csv'
        ) from None


def _names(column: pd.Series) -> pd.Series:
    """The column as text; an error for the first name that is absent."""
    text = column.astype(object).where(column.notna(), '').map(lambda name: str(name).strip())
    empty = np.flatnonzero(text == '')
    if empty.size:
        raise GazeFormatError(f'row {empty[0]}: expected a name in {column.name}, got nothing')
    return text.astype(str)


def _numbers(column: pd.Series) -> pd.Series:
    """The column as float64; an error for the first entry that is not a finite number."""
    numbers = np.empty(len(column))
    for row, entry in enumerate(column):
        try:
            numbers[row] = float(entry)
        except (TypeError, ValueError):
            numbers[row] = np.nan
        if not np.isfinite(numbers[row]):
            raise GazeFormatError(
                f'row {row}: expected a finite number in {column.name}, got {entry!r}'
            )
    return pd.Series(numbers, name=column.name)
