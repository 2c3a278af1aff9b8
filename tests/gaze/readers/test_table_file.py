"""Canonical tables as gaze files: CSV and Parquet, with and without the size of the video."""

import builtins

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsal.gaze import (
    FIXATION_COLUMNS,
    GazeFormatError,
    read_fixation_table,
    read_fixations,
    validate_fixations,
    write_fixation_table,
)

ROWS = [
    ('a.avi', 'o1', 0.0, 0.3, 80.5, 60.0),
    ('a.avi', 'NA', 0.25, 0.25, -3.0, 60.0),
    ('b.avi', '007', -1.0, -0.5, 10.0, 20.0),
    ('b.avi', '007', 1.0, 1.5, 640.0, 20.0),
]
TABLE = validate_fixations(pd.DataFrame(ROWS, columns=list(FIXATION_COLUMNS)))


@pytest.fixture(params=['.csv', '.parquet'])
def path(request, tmp_path):
    path = tmp_path / f'fixations{request.param}'
    write_fixation_table(TABLE, path)
    return path


def test_without_a_size_nothing_is_held_against_the_picture(path):
    table = read_fixations(path)
    pd.testing.assert_frame_equal(
        table, TABLE.drop(index=2).reset_index(drop=True), check_exact=True
    )
    counts = table.attrs['counts']
    assert (counts['rows'], counts['fixations'], counts['before_video']) == (4, 3, 1)
    assert counts['outside'] == counts['missing'] == 0


def test_with_a_size_points_outside_are_dropped_and_counted(path):
    table = read_fixations(path, video_size=(640, 480))
    assert table['x_px'].tolist() == [80.5]
    assert table.attrs['counts']['outside'] == 2
    # Only b.avi has a size here: what is outside a.avi is not known.
    table = read_fixations(path, video_size={'b.avi': (640, 480)})
    assert table['x_px'].tolist() == [80.5, -3.0]
    assert table.attrs['counts']['outside'] == 1


@pytest.mark.parametrize('name', ['video', 'observer'])
def test_names_that_the_table_has_are_not_said_again(path, name):
    with pytest.raises(GazeFormatError, match=f'leave out --{name}'):
        read_fixations(path, **{name: 'x'})


number = st.floats(-1e6, 1e6, allow_nan=False)
name = st.text(st.characters(codec='utf-8', exclude_categories=('C', 'Z')), min_size=1)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(name, name, number, number, number, number), max_size=5))
def test_parquet_is_read_back_unchanged(tmp_path_factory, rows):
    rows = [(v, o, min(s, e), max(s, e), x, y) for v, o, s, e, x, y in rows]
    table = validate_fixations(pd.DataFrame(rows, columns=list(FIXATION_COLUMNS)))
    path = tmp_path_factory.mktemp('parquet') / 'f.parquet'
    write_fixation_table(table, path)
    pd.testing.assert_frame_equal(read_fixation_table(path), table, check_exact=True)


def test_parquet_of_other_makers(tmp_path):
    path = tmp_path / 'f.parquet'
    other = TABLE.astype({'video': 'category', 'x_px': 'float32'}).assign(pupil=3)
    other[other.columns[::-1]].to_parquet(path)
    pd.testing.assert_frame_equal(read_fixation_table(path), TABLE)


def test_a_missing_value_in_parquet_is_named(tmp_path):
    path = tmp_path / 'f.parquet'
    TABLE.assign(x_px=[1.0, None, 2.0, 3.0]).to_parquet(path)
    with pytest.raises(GazeFormatError, match=r'f\.parquet: row 1: .* x_px'):
        read_fixation_table(path)


def test_parquet_without_a_column_and_cut_short(tmp_path):
    path = tmp_path / 'f.parquet'
    TABLE.drop(columns='end_s').to_parquet(path)
    with pytest.raises(GazeFormatError, match=r'f\.parquet: .*absent: end_s'):
        read_fixation_table(path)
    write_fixation_table(TABLE, path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(GazeFormatError, match=r'f\.parquet: expected a Parquet file'):
        read_fixations(path)
    with pytest.raises(FileNotFoundError):
        read_fixation_table(tmp_path / 'gone.parquet')


def test_without_pyarrow_it_is_one_line_and_the_old_file_stays(tmp_path, monkeypatch):
    path = tmp_path / 'f.parquet'
    write_fixation_table(TABLE, path)
    before = path.read_bytes()
    real = builtins.__import__

    def no_pyarrow(name, caller=None, *args, **kwargs):
        # pandas has it already, and goes on with it.
        if name.split('.')[0] == 'pyarrow' and caller['__name__'].startswith('mmsal'):
            raise ImportError('No module named pyarrow')
        return real(name, caller, *args, **kwargs)

    monkeypatch.setattr(builtins, '__import__', no_pyarrow)
    for call in (lambda: read_fixation_table(path), lambda: write_fixation_table(TABLE, path)):
        with pytest.raises(ImportError, match=r'Parquet needs pyarrow: pip install "mmsal'):
            call()
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
