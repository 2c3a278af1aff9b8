import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mmsal import heatmaps
from mmsal.heatmaps import HeatmapSequence, read_heatmaps, write_heatmaps


def make(**changes):
    values = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4) / 24
    arguments = {'values': values, 'frame_indices': [5, 1], 'meta': {'timestamps': [0.2, 0.04]}}
    return HeatmapSequence(**{**arguments, **changes})


def test_columns_and_types():
    table = make().to_dataframe()
    assert {name: str(dtype) for name, dtype in table.dtypes.items()} == {
        'frame': 'int64',
        'time_s': 'float64',
        'x_px': 'int64',
        'y_px': 'int64',
        'value': 'float32',
        'seen': 'bool',
    }
    assert len(table) == 2 * 3 * 4
    assert table.index.equals(pd.RangeIndex(24))


def test_every_value_lands_at_its_frame_and_pixel():
    seen = np.array([[True, True, True, False], [True] * 4, [False] * 4])
    sequence = make(seen=seen)
    rows = list(sequence.to_dataframe().itertuples(index=False, name=None))
    expected = []
    for t, (frame, time) in enumerate([(5, 0.2), (1, 0.04)]):
        for y in range(3):
            for x in range(4):
                value = sequence.values[t, y, x]
                expected.append((frame, time, x, y, value, seen[y, x]))
    assert rows == expected


def test_the_origin_is_the_top_left_pixel():
    values = np.zeros((1, 3, 4), np.float32)
    values[0, 0, 3] = 1  # the top right corner
    table = make(values=values, frame_indices=[0], meta={}).to_dataframe()
    assert table.loc[table['value'] == 1, ['x_px', 'y_px']].to_numpy().tolist() == [[3, 0]]


def test_all_is_seen_when_nothing_is_known_about_it():
    assert make(seen=None).to_dataframe()['seen'].all()


@pytest.mark.parametrize(
    'times', [None, [], [0.5], [0.1, 0.2, 0.3], 0.5, 'ab', [0.1, None], ['0', '1'], [True, False]]
)
def test_unknown_times_are_nan(times):
    table = make(meta={'timestamps': times}).to_dataframe()
    assert table['time_s'].isna().all()
    assert table['time_s'].dtype == np.float64


def test_times_may_be_missing():
    assert make(meta={}).to_dataframe()['time_s'].isna().all()


def test_whole_seconds_are_times():
    table = make(meta={'timestamps': [3, 0.5]}).to_dataframe()
    assert table.groupby('frame')['time_s'].unique().map(list).to_dict() == {5: [3.0], 1: [0.5]}


def test_means_per_frame_equal_those_of_the_array():
    values = np.random.default_rng(0).random((4, 9, 7), dtype=np.float32)
    sequence = make(values=values, frame_indices=[8, 2, 5, 3], meta={})
    means = sequence.to_dataframe().groupby('frame', sort=False)['value'].mean()
    assert means.index.tolist() == [8, 2, 5, 3]
    np.testing.assert_allclose(means.to_numpy(), values.mean((1, 2)), rtol=1e-6)


def test_a_pivot_gives_the_map_back():
    sequence = make()
    table = sequence.to_dataframe()
    back = table[table['frame'] == 1].pivot(index='y_px', columns='x_px', values='value')
    np.testing.assert_array_equal(back.to_numpy(), sequence.values[1])


@pytest.mark.parametrize('order', ['C', 'F'])
def test_changes_to_the_table_do_not_reach_the_sequence(order):
    sequence = make(values=np.ones((2, 3, 4), np.float32, order=order))
    table = sequence.to_dataframe()
    table.loc[:, 'value'] = 7
    table.loc[:, 'frame'] = 7
    assert (sequence.values == 1).all()
    assert sequence.frame_indices.tolist() == [5, 1]


def test_a_file_read_back_gives_the_same_table(tmp_path):
    sequence = make(values=np.full((2, 3, 4), 0.5), seen=np.eye(3, 4, dtype=bool))
    sequence.values[:, ~sequence.seen] = 0
    write_heatmaps(sequence, tmp_path / 'x.txt')
    back = read_heatmaps(tmp_path / 'x.txt').to_dataframe()
    pd.testing.assert_frame_equal(back, sequence.to_dataframe())


def test_pandas_is_imported_for_nothing_else():
    # The room by itself: `mmsal` imports the other rooms, and these import pandas.
    code = f"""
import sys, types
mmsal = sys.modules['mmsal'] = types.ModuleType('mmsal')
mmsal.__path__ = [{str(Path(heatmaps.__file__).parents[1])!r}]
from mmsal import heatmaps
from mmsal.heatmaps import HeatmapSequence, read_heatmaps, write_heatmaps
print('pandas' in sys.modules)
HeatmapSequence([[[0.5]]], [0]).to_dataframe()
print('pandas' in sys.modules)
"""
    output = subprocess.run(
        [sys.executable, '-c', code], check=True, capture_output=True, text=True
    )
    assert output.stdout.split() == ['False', 'True']
