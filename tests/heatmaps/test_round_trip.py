import gzip
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from mmsal.heatmaps import HeatmapSequence, read_heatmaps, write_heatmaps

META = {'video': 'Größe \U0001f600 \udcff.avi', 'fps': 29.97, 'top': [['walk', 0.5], ['run', 0.1]]}
TEXT_NAMES = ['x.txt', 'x.txt.gz']
NAMES = [*TEXT_NAMES, 'x.npz']


@st.composite
def sequences(draw):
    shape = draw(array_shapes(min_dims=3, max_dims=3, max_side=5))
    unit = st.floats(0, 1, width=32)
    indices = draw(
        st.lists(st.integers(0, 10**12), min_size=shape[0], max_size=shape[0], unique=True)
    )
    seen = draw(st.none() | arrays(bool, shape[1:]))
    return HeatmapSequence(draw(arrays(np.float32, shape, elements=unit)), indices, META, seen)


def printed(sequence, decimals):
    """Return the values as the text format keeps them, by way of Python's own formatting."""
    values = sequence.values.copy()
    if sequence.seen is not None:
        values[:, ~sequence.seen] = 0
    tokens = [f'{value:.{decimals}f}' for value in values.ravel().tolist()]
    return np.array([float(token) for token in tokens]).astype(np.float32).reshape(values.shape)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sequence=sequences(), decimals=st.integers(1, 9), name=st.sampled_from(NAMES))
def test_round_trip_is_exact_to_the_printed_decimals(tmp_path, sequence, decimals, name):
    path = tmp_path / name
    write_heatmaps(sequence, path, decimals)
    back = read_heatmaps(path)
    expected = sequence.values if name == 'x.npz' else printed(sequence, decimals)
    np.testing.assert_array_equal(back.values, expected)
    assert back.values.dtype == np.float32
    np.testing.assert_array_equal(back.frame_indices, sequence.frame_indices)
    assert back.meta == sequence.meta
    if sequence.seen is None or (sequence.seen.all() and name != 'x.npz'):
        assert back.seen is None
    else:
        np.testing.assert_array_equal(back.seen, sequence.seen)


@pytest.mark.parametrize('name', TEXT_NAMES)
def test_the_text_is_exactly_the_format(tmp_path, name):
    values = [[[0, 0.0134819], [1, 0.5]], [[1e-9, 1 / 3], [0.25, 0.75]]]
    write_heatmaps(HeatmapSequence(np.array(values), [0, 2]), tmp_path / name)
    content = (tmp_path / name).read_bytes()
    assert (gzip.decompress(content) if name.endswith('.gz') else content) == (
        b'Frame 0 - Heatmap values:\n'
        b'0.000000 0.013482\n'
        b'1.000000 0.500000\n'
        b'Frame 2 - Heatmap values:\n'
        b'0.000000 0.333333\n'
        b'0.250000 0.750000\n'
    )


@pytest.mark.parametrize('name', NAMES)
def test_the_same_sequence_gives_the_same_bytes(tmp_path, name, monkeypatch):
    sequence = HeatmapSequence(np.full((2, 3, 4), 0.5), [0, 1], META)
    write_heatmaps(sequence, tmp_path / name)
    first = [path.read_bytes() for path in sorted(tmp_path.iterdir())]
    monkeypatch.setattr('time.time', lambda: 2e9)
    write_heatmaps(sequence, tmp_path / name)
    assert [path.read_bytes() for path in sorted(tmp_path.iterdir())] == first


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf, -1e-7, np.nextafter(np.float32(1), 2)])
@pytest.mark.parametrize('name', TEXT_NAMES)
def test_values_outside_the_unit_interval_are_not_written(tmp_path, name, bad):
    values = np.zeros((3, 4, 5), np.float32)
    values[1, 2, 3] = bad
    words = r'expected finite values in \[0, 1\], got .* in frame 12 at x=3, y=2'
    with pytest.raises(ValueError, match=words):
        write_heatmaps(HeatmapSequence(values, [11, 12, 13]), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_npz_keeps_any_finite_value_and_refuses_others(tmp_path):
    path = tmp_path / 'x.npz'
    values = np.array([[[-5, 1e30]]], np.float32)
    write_heatmaps(HeatmapSequence(values, [3]), path)
    np.testing.assert_array_equal(read_heatmaps(path).values, values)
    with pytest.raises(ValueError, match='NaN or infinity in frame 3'):
        write_heatmaps(HeatmapSequence(values * np.float32(np.nan), [3]), path)


@pytest.mark.parametrize('name', NAMES)
def test_unseen_pixels_may_hold_anything(tmp_path, name):
    seen = np.array([[True, False]])
    write_heatmaps(HeatmapSequence([[[0.5, np.nan]]], [0], seen=seen), tmp_path / name)
    back = read_heatmaps(tmp_path / name)
    assert back.values[0, 0, 0] == 0.5
    assert name == 'x.npz' or back.values[0, 0, 1] == 0
    np.testing.assert_array_equal(back.seen, seen)


@pytest.mark.parametrize('decimals', [0, 10, -1, 2.5, True, None, '6'])
def test_decimals_are_checked(tmp_path, decimals):
    with pytest.raises(ValueError, match='expected decimals from 1 to 9, got'):
        write_heatmaps(HeatmapSequence([[[0.5]]], [0]), tmp_path / 'x.txt', decimals)


@pytest.mark.parametrize('name', TEXT_NAMES)
def test_the_sidecar_holds_meta_and_what_the_sequence_knows(tmp_path, name):
    seen = np.zeros((3, 4), bool)
    seen[1:, :2] = True
    meta = {'video': 'é.avi', 'fps': np.float64(25), 'frames': np.int32(9)}
    write_heatmaps(HeatmapSequence(np.zeros((2, 3, 4)), [8, 4], meta, seen), tmp_path / name)
    content = (tmp_path / f'{name}.json').read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [name, f'{name}.json']
    assert json.loads(content) == {
        'fps': 25.0,
        'frame_indices': [8, 4],
        'frames': 9,
        'map_size': [4, 3],
        'seen': [[0, 1, 2, 2]],
        'video': 'é.avi',
    }
    assert 'é.avi'.encode() in content
    assert content.endswith(b'}\n')
    keys = [line.split('"')[1] for line in content.decode().splitlines() if line[1:2] == '"']
    assert keys == sorted(keys)


def test_the_reader_needs_no_sidecar(tmp_path):
    path = tmp_path / 'x.txt'
    write_heatmaps(HeatmapSequence([[[0.5]]], [0], META, np.array([[False]])), path)
    (tmp_path / 'x.txt.json').unlink()
    back = read_heatmaps(path)
    assert back.meta == {}
    assert back.seen is None
