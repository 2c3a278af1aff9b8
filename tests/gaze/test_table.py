"""The canonical fixation table: what is accepted, what is refused, and with which words."""

import gzip
import os
import threading

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsal.gaze import (
    FIXATION_COLUMNS,
    GazeFormatError,
    read_fixation_table,
    validate_fixations,
    write_fixation_table,
)

HEADER = 'video,observer,start_s,end_s,x_px,y_px\n'


def make_table(**changes):
    """Two fixations, with some columns replaced."""
    columns = {
        'video': ['a.avi', 'a.avi'],
        'observer': ['o1', 'o2'],
        'start_s': [0.0, 0.1],
        'end_s': [0.3, 0.1],
        'x_px': [80.5, -3.0],
        'y_px': [60.0, 500.0],
    }
    return pd.DataFrame(columns | changes)


def test_columns_are_the_promised_ones():
    assert list(FIXATION_COLUMNS) == ['video', 'observer', 'start_s', 'end_s', 'x_px', 'y_px']


def test_validate_gives_the_canonical_form():
    given_table = make_table(x_px=['80.5', '-3'], observer=[1, 2], pupil=[3.0, 4.0])
    given_table = given_table[given_table.columns[::-1]].set_index(pd.Index([7, 3]))
    before = given_table.copy()
    table = validate_fixations(given_table)
    assert list(table.columns) == list(FIXATION_COLUMNS)
    assert list(table.index) == [0, 1]
    assert table['x_px'].tolist() == [80.5, -3.0]
    assert table['observer'].tolist() == ['1', '2']
    assert all(table[name].dtype == np.float64 for name in ('start_s', 'end_s', 'x_px', 'y_px'))
    pd.testing.assert_frame_equal(given_table, before)


def test_a_table_without_rows_is_valid(tmp_path):
    path = tmp_path / 'none.csv'
    write_fixation_table(make_table().iloc[:0], path)
    table = read_fixation_table(path)
    assert len(table) == 0 and list(table.columns) == list(FIXATION_COLUMNS)


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'x_px': [1.0, np.nan]}, ['row 1', 'x_px', 'finite']),
        ({'y_px': [np.inf, 1.0]}, ['row 0', 'y_px', 'finite']),
        ({'start_s': ['0', 'soon']}, ['row 1', 'start_s', "'soon'"]),
        ({'end_s': [0.3, None]}, ['row 1', 'end_s']),
        ({'end_s': [0.3, 0.05]}, ['row 1', 'end_s >= start_s', '0.1', '0.05']),
        ({'video': ['a.avi', None]}, ['row 1', 'video']),
        ({'observer': [' ', 'o2']}, ['row 0', 'observer']),
    ],
)
def test_faults_are_named_with_their_row(changes, words):
    with pytest.raises(GazeFormatError) as error:
        validate_fixations(make_table(**changes))
    assert all(word in str(error.value) for word in words)


def test_absent_and_doubled_columns_are_named():
    with pytest.raises(GazeFormatError, match='absent: end_s'):
        validate_fixations(make_table().drop(columns='end_s'))
    doubled = pd.concat([make_table(), make_table()[['x_px']]], axis=1)
    with pytest.raises(GazeFormatError, match='one column x_px, got 2'):
        validate_fixations(doubled)


number = st.floats(-1e6, 1e6, allow_nan=False)
name = st.text(st.characters(codec='utf-8', exclude_categories=('C', 'Z')), min_size=1)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(name, name, number, number, number, number), max_size=5))
def test_what_is_written_is_read_back_unchanged(tmp_path_factory, rows):
    rows = [(v, o, min(s, e), max(s, e), x, y) for v, o, s, e, x, y in rows]
    table = validate_fixations(pd.DataFrame(rows, columns=list(FIXATION_COLUMNS)))
    path = tmp_path_factory.mktemp('table') / 'fixations.csv'
    write_fixation_table(table, path)
    pd.testing.assert_frame_equal(read_fixation_table(path), table, check_exact=True)


def test_names_that_look_like_something_else_stay_names(tmp_path):
    path = tmp_path / 'f.csv'
    path.write_text('\ufeff' + HEADER + '0001,NA,0,1,2,3\n', encoding='utf-8')
    row = read_fixation_table(path).iloc[0]
    assert (row['video'], row['observer']) == ('0001', 'NA')


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('', 'No columns'),
        ('video,observer\n', 'absent: start_s'),
        (HEADER + 'a,b,0,1,2,3\na,b,0,1,,3\n', "row 1: expected a finite number in x_px, got ''"),
        (
            HEADER + 'a,b,0,1,2,3\na,b,0,1,2,3,4,5\n',
            'line 3: expected 6 cells as in the header, got 8: decimal commas?',
        ),
        # Decimal commas from the first row on: pandas only warns, and reads 0, 5, 1 and 2.
        (HEADER + 'a,b,0,5,1,2,3\n' * 2, 'line 2: expected 6 cells as in the header, got 7'),
        (HEADER + 'a,b,0,1,2\na,b,0,1,2,3\n', 'line 2: expected 6 cells as in the header, got 5'),
        (HEADER[:-1] + ',note\na,b,0,1,2,3\n', 'line 2: expected 7 cells as in the header, got 6'),
        # The last cell, empty, would hide that the others moved.
        (HEADER[:-1] + ',note\na,b,0,5,1,2,3,\n', 'line 2: expected 7 cells'),
        (HEADER[:-1] + ',\na,b,0,5,1,2,3\n', 'line 2: expected 6 cells'),
        # A quote that is lost would swallow the rows up to the next one.
        (HEADER + '"a,b,0,1,2,3\na,b,0,1,2,3\n"a",b,0,1,2,3\n', 'line 2: a quote is not closed'),
        (
            HEADER[:-1] + ',note\na,b,0,1,2,3,x\na,b,0,1,2,3,"x\na,b,0,1,2,3,y"\n',
            'line 3: a quote is not closed',
        ),
        (HEADER + '"' + 'a' * 200_000, 'line 2: field larger'),
    ],
)
def test_a_bad_file_is_named(tmp_path, text, words):
    path = tmp_path / 'bad.csv'
    path.write_text(text, encoding='utf-8')
    with pytest.raises(GazeFormatError) as error:
        read_fixation_table(path)
    assert str(error.value).startswith(str(path)) and words in str(error.value)


@pytest.mark.parametrize(
    'text',
    [
        HEADER + 'a,b,0,1,2,3\n',
        HEADER + '\na,b,0,1,2,3\n  \n',
        HEADER[:-1] + ',,\na,b,0,1,2,3,,\n',
        HEADER + '"a", "b",0,1,2,3',
        (HEADER + 'a,b,0,1,2,3\n').replace('\n', '\r\n'),
        HEADER.replace(',', ', ') + ' a , b ,0,1,2,3\n',
        HEADER[:-1] + ',note\na,b,0,1,2,3,"1,5"\n',
    ],
)
def test_what_is_no_fault_of_a_row(tmp_path, text):
    path = tmp_path / 'good.csv'
    path.write_text(text, encoding='utf-8', newline='')
    (packed := tmp_path / 'good.csv.gz').write_bytes(gzip.compress(path.read_bytes()))
    for one in (path, packed):
        assert read_fixation_table(one).to_numpy().tolist() == [['a', 'b', 0, 1, 2, 3]]


@pytest.mark.parametrize('change', [lambda packed: packed[:-9], lambda packed: b'x' + packed])
def test_a_damaged_gzip_file_is_named(tmp_path, change):
    path = tmp_path / 'f.csv.gz'
    path.write_bytes(change(gzip.compress(f'{HEADER}a,b,0,1,2,3\n'.encode())))
    with pytest.raises(GazeFormatError, match=r'f\.csv\.gz: expected a whole gzip file'):
        read_fixation_table(path)


def test_a_pipe_can_be_read(tmp_path):
    os.mkfifo(pipe := tmp_path / 'pipe')
    text = HEADER + 'a,b,0,1,2,3\n'
    writer = threading.Thread(target=pipe.write_text, args=(text,), daemon=True)
    writer.start()
    assert len(read_fixation_table(pipe)) == 1
    writer.join(timeout=10)


def test_spaces_around_names_are_dropped():
    given_table = make_table(video=[' a.avi', 'a.avi\t'], observer=['my  name ', 'my  name'])
    table = validate_fixations(given_table)
    assert table['video'].tolist() == ['a.avi', 'a.avi']
    assert table['observer'].tolist() == ['my  name', 'my  name']  # those within stay


def test_a_file_in_another_encoding_is_refused(tmp_path):
    path = tmp_path / 'latin.csv'
    path.write_bytes((HEADER + 'a,J\xf6rg,0,1,2,3\n').encode('latin-1'))
    with pytest.raises(GazeFormatError, match='UTF-8'):
        read_fixation_table(path)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / 'f.csv'
    write_fixation_table(make_table(), path)
    old = path.read_bytes()

    def fail(self, target, **_):
        target.write_text('half')
        raise OSError('disk full')

    monkeypatch.setattr(pd.DataFrame, 'to_csv', fail)
    with pytest.raises(OSError, match='disk full'):
        write_fixation_table(make_table(x_px=[1.0, 2.0]), path)
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]
