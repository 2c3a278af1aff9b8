import io
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmsal.heatmaps import HeatmapFormatError, HeatmapSequence, read_heatmaps, write_heatmaps

GOOD = {
    'values': np.zeros((2, 3, 4), np.float32),
    'frame_indices': np.array([4, 8]),
    'seen': np.ones((3, 4), bool),
    'meta': np.array('{"fps": 25}'),
}


def write_arrays(path, **changes):
    arrays = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
    np.savez_compressed(path, **arrays)


def test_the_file_holds_plain_arrays(tmp_path):
    path = tmp_path / 'x.npz'
    seen = np.eye(3, 4, dtype=bool)
    write_heatmaps(HeatmapSequence(GOOD['values'], [4, 8], {'fps': 25}, seen), path)
    with np.load(path, allow_pickle=False) as arrays:
        assert sorted(arrays.files) == ['frame_indices', 'meta', 'seen', 'values']
        assert arrays['values'].dtype == np.float32
        assert arrays['frame_indices'].dtype == np.int64
        np.testing.assert_array_equal(arrays['seen'], seen)
        assert arrays['meta'].dtype.kind == 'U'
        assert str(arrays['meta']) == '{"fps": 25}'
    assert [entry.name for entry in tmp_path.iterdir()] == ['x.npz']


def test_seen_is_left_out_when_all_was_seen(tmp_path):
    path = tmp_path / 'x.npz'
    write_heatmaps(HeatmapSequence(GOOD['values'], [4, 8]), path)
    with np.load(path) as arrays:
        assert 'seen' not in arrays.files
    assert read_heatmaps(path).seen is None


def test_seen_and_meta_may_be_missing_and_other_arrays_are_ignored(tmp_path):
    path = tmp_path / 'x.npz'
    write_arrays(path, seen=None, meta=None, notes=np.array(['a'], object))
    back = read_heatmaps(path)
    assert back.meta == {}
    assert back.seen is None


FAULTY = {
    'no values': ({'values': None}, "expected an array 'values', got"),
    'no frame indices': ({'frame_indices': None}, "expected an array 'frame_indices', got"),
    'flat values': ({'values': np.zeros((3, 4))}, r'expected values of shape \[T, H, W\]'),
    'words for values': ({'values': np.full((2, 3, 4), 'a')}, 'real type'),
    'NaN': ({'values': np.full((2, 3, 4), np.nan), 'seen': None}, 'NaN or infinity in frame 4'),
    'too few indices': ({'frame_indices': np.array([4])}, 'one per frame'),
    'equal indices': ({'frame_indices': np.array([4, 4])}, 'unique'),
    'other seen': ({'seen': np.ones((4, 3), bool)}, 'seen of shape'),
    'numbers for seen': ({'seen': np.ones((3, 4))}, 'seen of type bool'),
    'pickled values': ({'values': np.zeros((2, 3, 4), object)}, 'allow_pickle'),
    'pickled meta': ({'meta': np.array({'fps': 25}, object)}, 'allow_pickle'),
    'number for meta': ({'meta': np.array(3)}, 'meta as one string'),
    'meta no object': ({'meta': np.array('3')}, 'expected a JSON object'),
    'meta no JSON': ({'meta': np.array('{')}, 'Expecting'),
}


@pytest.mark.parametrize('name', FAULTY)
def test_faulty_arrays_are_refused(tmp_path, name):
    changes, words = FAULTY[name]
    path = tmp_path / 'x.npz'
    write_arrays(path, **changes)
    with pytest.raises(HeatmapFormatError, match=words) as caught:
        read_heatmaps(path)
    assert caught.value.path == str(path)


def npy_bytes():
    buffer = io.BytesIO()
    np.save(buffer, GOOD['values'])
    return buffer.getvalue()


def huge_npz():
    """Return an archive whose values claim more bytes than any machine has."""
    npy = npy_bytes().replace(b'(2, 3, 4), }', b'(2,%s, 4),}' % (b'9' * 17))
    buffer = io.BytesIO()
    write_arrays(buffer, values=None)
    with zipfile.ZipFile(buffer, 'a') as archive:
        archive.writestr('values.npy', npy)
    return buffer.getvalue()


@pytest.mark.parametrize(
    'content',
    [b'', b'Frame 0 - Heatmap values:\n1\n', b'PK\x03\x04', b'PK\x05\x06' + bytes(18), npy_bytes()],
)
def test_files_that_are_no_archive_are_refused(tmp_path, content):
    path = tmp_path / 'x.npz'
    path.write_bytes(content)
    with pytest.raises(HeatmapFormatError, match='not a heatmap npz file'):
        read_heatmaps(path)


def test_claims_of_impossible_size_are_refused(tmp_path):
    path = tmp_path / 'x.npz'
    path.write_bytes(huge_npz())
    with pytest.raises(HeatmapFormatError, match='not a heatmap npz file'):
        read_heatmaps(path)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
@pytest.mark.filterwarnings('ignore')
def test_mutated_files_parse_or_are_refused(tmp_path, data):
    buffer = io.BytesIO()
    save = data.draw(st.sampled_from([np.savez, np.savez_compressed]))
    save(buffer, **GOOD)
    content = buffer.getvalue()
    start = data.draw(st.integers(0, len(content)))
    stop = data.draw(st.integers(start, min(start + 8, len(content))))
    path = tmp_path / 'x.npz'
    path.write_bytes(content[:start] + data.draw(st.binary(max_size=8)) + content[stop:])
    try:
        back = read_heatmaps(path)
    except HeatmapFormatError as error:
        assert error.path == str(path)
    else:
        assert np.isfinite(back.values[:, back.seen if back.seen is not None else ...]).all()
