"""The canonical fixation table: what is accepted, what is refused, and with which words."""

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
        (HEADER + 'a,b,0,1,2,3\na,b,0,1,2,3,4,5\n', 'line 3'),
    ],
)
def test_a_bad_file_is_named(tmp_path, text, words):
    path = tmp_path / 'bad.csv'
    path.write_text(text, encoding='utf-8')
    with pytest.raises(GazeFormatError) as error:
        read_fixation_table(path)
    assert str(error.value).startswith(str(path)) and words in str(error.value)


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
