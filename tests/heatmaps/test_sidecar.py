import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from mmsal.heatmaps import HeatmapFormatError, HeatmapSequence, read_heatmaps, write_heatmaps
from mmsal.heatmaps.sidecar import mask_to_rectangles, rectangles_to_mask

masks = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=9))


@given(masks)
def test_rectangles_cover_the_mask_exactly_and_once(mask):
    rectangles = mask_to_rectangles(mask)
    count = np.zeros(mask.shape, int)
    for x, y, width, height in rectangles:
        assert x + width <= mask.shape[1] and y + height <= mask.shape[0]
        count[y : y + height, x : x + width] += 1
    np.testing.assert_array_equal(count, mask.astype(int))
    np.testing.assert_array_equal(rectangles_to_mask(rectangles, mask.shape), mask)


@given(masks, st.data())
def test_one_rectangle_stays_one(mask, data):
    height, width = mask.shape
    x, y = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    w, h = data.draw(st.integers(1, width - x)), data.draw(st.integers(1, height - y))
    mask[:] = False
    mask[y : y + h, x : x + w] = True
    assert mask_to_rectangles(mask) == [[x, y, w, h]]


def test_two_crops_side_by_side_are_two_rectangles():
    mask = np.zeros((5, 9), bool)
    mask[1:4, 0:3] = mask[1:4, 5:9] = True
    assert mask_to_rectangles(mask) == [[0, 1, 3, 3], [5, 1, 4, 3]]


@pytest.fixture
def text(tmp_path):
    """Write a text of two frames, 3 high and 4 wide, and return its path."""
    path = tmp_path / 'x.txt'
    write_heatmaps(HeatmapSequence(np.zeros((2, 3, 4)), [4, 8], {'fps': 25}), path)
    return path


FAULTY = {
    'empty': (b'', 'Expecting value'),
    'cut': (b'{"fps": 25', 'delimiter'),
    'not UTF-8': (b'{"video": "\xe9"}', 'utf-8'),
    'no object': (b'[1]', 'expected a JSON object, got list'),
    'NaN': (b'{"fps": NaN}', 'expected finite numbers, got NaN'),
    'overflow': (b'{"fps": 1e999}', 'got inf'),
    'endless nesting': (b'{"a":' * 100_000, 'recursion'),
    'other size': (b'{"map_size": [3, 4]}', r'expected map_size \[4, 3\].*got \[3, 4\]'),
    'other frames': (b'{"frame_indices": [4, 9]}', r'frame_indices \[4, 8\].*got \[4, 9\]'),
    'other order': (b'{"frame_indices": [8, 4]}', r'got \[8, 4\]'),
    'seen no list': (b'{"seen": true}', 'list of rectangles or null, got True'),
    'seen no rectangle': (b'{"seen": [[0, 0, 1]]}', r'got \[0, 0, 1\]'),
    'seen outside': (b'{"seen": [[3, 0, 2, 1]]}', r'inside a map of width 4 and height 3, got'),
    'seen below': (b'{"seen": [[0, 2, 1, 2]]}', 'inside a map'),
    'seen negative': (b'{"seen": [[-1, 0, 2, 1]]}', 'inside a map'),
    'seen empty': (b'{"seen": [[1, 1, 0, 1]]}', 'inside a map'),
    'seen fractional': (b'{"seen": [[0.5, 0, 1, 1]]}', 'inside a map'),
    'seen of truths': (b'{"seen": [[true, true, true, true]]}', 'inside a map'),
}


@pytest.mark.parametrize('name', FAULTY)
def test_faulty_sidecar_is_refused_by_name(text, name):
    content, words = FAULTY[name]
    sidecar = text.with_name('x.txt.json')
    sidecar.write_bytes(content)
    with pytest.raises(HeatmapFormatError, match=words) as caught:
        read_heatmaps(text)
    assert caught.value.path == str(sidecar)
    assert 'faulty sidecar' in str(caught.value)


@pytest.mark.parametrize('depth', range(100, 1100, 100))
def test_deep_nesting_is_read_or_refused(text, depth):
    text.with_name('x.txt.json').write_bytes(b'{"a":' + b'[' * depth + b']' * depth + b'}')
    try:
        nested = read_heatmaps(text).meta['a']
    except HeatmapFormatError:
        return
    for _ in range(depth - 1):
        (nested,) = nested
    assert nested == []


def test_text_cut_between_frames_is_noticed_by_its_sidecar(text):
    content = text.read_bytes()
    text.write_bytes(content[: content.index(b'Frame 8')])
    with pytest.raises(HeatmapFormatError, match='expected frame_indices'):
        read_heatmaps(text)


def test_sidecar_written_by_hand_may_be_short(text):
    text.with_name('x.txt.json').write_text('{"fps": 30}')
    back = read_heatmaps(text)
    assert back.meta == {'fps': 30}
    assert back.seen is None


def test_mask_without_a_seen_pixel_round_trips(text):
    write_heatmaps(HeatmapSequence(np.zeros((1, 3, 4)), [0], seen=np.zeros((3, 4), bool)), text)
    assert json.loads(text.with_name('x.txt.json').read_text())['seen'] == []
    assert not read_heatmaps(text).seen.any()


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_mutated_sidecars_parse_or_are_refused(text, data):
    sidecar = text.with_name('x.txt.json')
    content = b'{"fps": 25, "map_size": [4, 3], "frame_indices": [4, 8], "seen": [[0, 1, 2, 2]]}'
    start = data.draw(st.integers(0, len(content)))
    stop = data.draw(st.integers(start, min(start + 8, len(content))))
    sidecar.write_bytes(content[:start] + data.draw(st.binary(max_size=8)) + content[stop:])
    try:
        back = read_heatmaps(text)
    except HeatmapFormatError as error:
        assert error.path == str(sidecar)
    else:
        assert back.frame_indices.tolist() == [4, 8]
