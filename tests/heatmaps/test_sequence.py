import numpy as np
import pytest

from mmsal.heatmaps import HeatmapSequence


def make(**changes):
    arguments = {'values': np.zeros((2, 3, 4), np.float32), 'frame_indices': [5, 1]}
    return HeatmapSequence(**{**arguments, **changes})


def test_arrays_get_their_types():
    sequence = make(values=np.ones((2, 3, 4)), seen=np.ones((3, 4), bool))
    assert sequence.values.dtype == np.float32
    assert sequence.frame_indices.dtype == np.int64
    assert sequence.frame_indices.tolist() == [5, 1]
    assert sequence.meta == {}
    assert sequence.seen.dtype == np.bool_
    assert len(sequence) == 2


def test_changes_to_the_arguments_do_not_reach_the_sequence():
    indices, seen, meta = np.array([0, 1]), np.ones((3, 4), bool), {'views': [1]}
    sequence = make(frame_indices=indices, seen=seen, meta=meta)
    indices[:] = 9
    seen[:] = False
    meta['views'].append(2)
    assert sequence.frame_indices.tolist() == [0, 1]
    assert sequence.seen.all()
    assert sequence.meta == {'views': [1]}


def test_meta_becomes_plain_json_values(tmp_path):
    meta = {
        'fps': np.float32(0.5),
        'frames': np.int64(3),
        'ok': np.bool_(True),
        'range': (np.array([1, 2]), None),
        'video': tmp_path / 'a.avi',
    }
    plain = make(meta=meta).meta
    assert plain == {
        'fps': 0.5,
        'frames': 3,
        'ok': True,
        'range': [[1, 2], None],
        'video': str(tmp_path / 'a.avi'),
    }
    assert [type(plain[key]) for key in ('fps', 'frames', 'ok')] == [float, int, bool]


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'values': np.zeros((3, 4))}, r'expected values of shape \[T, H, W\].*got \(3, 4\)'),
        ({'values': np.zeros((2, 0, 4))}, r'none of them 0, got \(2, 0, 4\)'),
        ({'values': np.zeros((2, 3, 4), complex)}, 'real type, got complex128'),
        ({'values': np.full((2, 3, 4), 1e39)}, 'range of float32'),
        ({'frame_indices': [0]}, r'frame_indices of shape \(2,\).*got \(1,\)'),
        ({'frame_indices': [0.0, 1.0]}, 'integer type, got float64'),
        ({'frame_indices': [-1, 1]}, 'zero-based frame_indices.*got -1 to 1'),
        ({'frame_indices': np.array([0, 2**63], np.uint64)}, 'int64, got 0 to 9223372036854775808'),
        ({'frame_indices': [3, 3]}, 'unique frame_indices, got 3 twice'),
        ({'seen': np.ones((4, 3), bool)}, r'seen of shape \(3, 4\), as the maps, got \(4, 3\)'),
        ({'seen': np.ones((3, 4))}, 'seen of type bool, got float64'),
        ({'meta': [1]}, 'meta as a dict or None, got list'),
        ({'meta': {'a': {'b': [0, float('nan')]}}}, r"got nan at meta\['a'\]\['b'\]\[1\]"),
        ({'meta': {'a': np.float32('inf')}}, r"got inf at meta\['a'\]"),
        ({'meta': {'a': {1: 2}}}, r"strings as keys of meta\['a'\], got 1"),
        ({'meta': {'a': object()}}, r"JSON values in meta, got object at meta\['a'\]"),
        ({'meta': {'seen': None}}, 'without the keys .*, got seen'),
    ],
)
def test_construction_says_what_it_expected(changes, words):
    with pytest.raises(ValueError, match=words):
        make(**changes)


def test_infinity_in_memory_is_not_mistaken_for_an_overflow():
    assert np.isinf(make(values=np.full((2, 3, 4), np.inf)).values).all()


def test_saliency_map_is_the_sum_over_frames_divided_by_their_number():
    values = np.random.default_rng(0).random((7, 5, 6)).astype(np.float32)
    saliency = make(values=values, frame_indices=np.arange(7)).to_saliency_map()
    assert saliency.dtype == np.float32
    assert saliency.shape == (5, 6)
    for y in range(5):
        for x in range(6):
            total = 0.0
            for frame in values:
                total += float(frame[y, x])
            assert saliency[y, x] == np.float32(total / 7)


def test_repr_is_short():
    assert repr(make()) == 'HeatmapSequence(2 frames, width 4, height 3)'
