"""Tables of eye trackers as text: every row has the cells that the header names."""

import warnings

import pytest

from mmsal.gaze import GazeFormatError
from mmsal.gaze.readers.format import numbers, read_columns


def read(tmp_path, text, separator):
    path = tmp_path / 'table.txt'
    path.write_text(text, encoding='utf-8', newline='')
    with warnings.catch_warnings():
        warnings.simplefilter('error')  # of pandas, which loses data with a warning
        return read_columns(path, ('t', 'x'), separator)


@pytest.mark.parametrize(
    ('text', 'separator', 'words'),
    [
        ('t,x\n0,1,5\n1,2,5\n', ',', 'line 2: expected 2 cells as in the header, got 3: decimal'),
        ('t,x\n0,1\n\n1,2,5\n', ',', 'line 4: expected 2 cells as in the header, got 3: decimal'),
        ('t,x,y\n0,1,\n0,5,1,\n', ',', 'line 3: expected 3 cells as in the header, got 4'),
        ('t\tx\ty\n0\t1\n1\t2\t3\n', '\t', 'line 2: expected 3 cells as in the header, got 2'),
        ('t,x\n"0,1\n1,2\n"2",3\n', ',', 'line 2: a quote is not closed'),
        ('t\tx\n0\t1\t2\n', '\t', 'line 2: expected 2 cells as in the header, got 3'),
        ('t\tx\t\n0\t1\t2\n', '\t', 'line 2: expected 2 cells as in the header, got 3'),
        ('t;x\n0;1,5\n1', ';', 'line 3: expected 2 cells as in the header, got 1: is it cut short'),
    ],
)
def test_rows_with_more_or_fewer_cells_are_named(tmp_path, text, separator, words):
    with pytest.raises(GazeFormatError) as error:
        read(tmp_path, text, separator)
    assert str(error.value).startswith(f'{tmp_path / "table.txt"}, {words}'), str(error.value)


@pytest.mark.parametrize(
    ('text', 'separator'),
    [
        ('t\tx\n0\t1,5\n1\t2,5\n', '\t'),
        ('t\tx\n0\t1,5\t\n1\t2,5\t\n', '\t'),  # each row ends with a separator, the header does not
        ('t\tx\t\n0\t1,5\n1\t2,5\t\n', '\t'),  # some do
        ('t;x\r\n0;1,5\r\n\r\n1;2,5', ';'),
        ('"t","x"\n"0","1,5"\n"1", "2,5"\n', ','),
    ],
)
def test_the_cells_of_good_rows_are_kept(tmp_path, text, separator):
    table = read(tmp_path, text, separator)
    assert table.to_dict('list') == {'t': ['0', '1'], 'x': ['1,5', '2,5']}


@pytest.mark.parametrize('separator', ['\t', ';'])
def test_stray_quotes_swallow_no_rows(tmp_path, separator):
    lines = ['t|"x"', '0|"', '1|"a ""b"""', '2| "c" ', '3|"', '4|d"']
    table = read(tmp_path, '\n'.join(lines).replace('|', separator) + '\n', separator)
    assert table.to_dict('list') == {'t': list('01234'), 'x': ['"', 'a "b"', 'c', '"', 'd"']}


def numbers_of(tmp_path, *cells, others='0'):
    lines = ['t;x', *(f'{cell};{others}' for cell in cells)]
    table = read(tmp_path, '\n'.join(lines) + '\n', ';')
    return numbers(table, 't', tmp_path / 'table.txt').tolist()


def test_missing_numbers_and_decimal_commas(tmp_path):
    found = numbers_of(tmp_path, '1,5', 'NaN', 'nan', '.', '', '-2,25')
    assert [value for value in found if value == value] == [1.5, -2.25]
    assert [value != value for value in found] == [False, True, True, True, True, False]


def test_a_column_with_points_and_commas_is_refused(tmp_path):
    with pytest.raises(GazeFormatError, match="line 3: t has decimal points and commas: '2,5'"):
        numbers_of(tmp_path, '1.5', '2,5')


def test_thousands_are_not_taken_for_decimals(tmp_path):
    with pytest.raises(GazeFormatError, match="line 3: is '1,100' in t a decimal comma or thous"):
        numbers_of(tmp_path, '900', '1,100', '12,345', others='3.5')
    assert numbers_of(tmp_path, '900', '1,100', others='3,5') == [900, 1.1]
    assert numbers_of(tmp_path, '0,512', '1,100', others='3.5') == [0.512, 1.1]
