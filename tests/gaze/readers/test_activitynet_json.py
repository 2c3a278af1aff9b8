"""ActivityNet-style JSON with points (SYNTHETIC files)."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsal.gaze import GazeFormatError, read_fixations

DATA = {
    'units': 'pixels',
    'labels': ['walking'],
    'database': {
        'a.mp4': {
            'subset': 'validation',
            'resolution': '640x360',
            'annotations': [
                {'segment': [0.5, 0.9], 'observer': 'o1', 'point': [320.5, 180]},
                {'segment': [1, 2], 'observer': 'o2', 'points': [[10, 20], [700, 40], None]},
                {'segment': [0, 9], 'label': 'walking'},
                {'frame': 12, 'observer': 7, 'point': [0, 0]},
            ],
        },
        'b.mp4': {'subset': 'training', 'annotations': []},
    },
}
SAID = {'fps': 25.0, 'first_frame': 0}


def write_json(folder, data):
    path = folder / 'gaze.json'
    path.write_text(data if isinstance(data, str) else json.dumps(data), encoding='utf-8')
    return path


def changed(**entry):
    """DATA with one annotation, or other keys, of its first video replaced."""
    data = json.loads(json.dumps(DATA))
    video = data['database']['a.mp4']
    if 'annotation' in entry:
        video['annotations'][0] = entry['annotation']
    else:
        video.update(entry)
    return data


def test_a_correct_file_gives_the_exact_table(tmp_path):
    table = read_fixations(write_json(tmp_path, DATA), **SAID)
    assert table.attrs['format'] == 'activitynet_json'
    assert table.to_numpy().tolist() == [
        ['a.mp4', 'o1', 0.5, 0.9, 320.5, 180.0],
        ['a.mp4', 'o2', 1.0, 2.0, 10.0, 20.0],
        ['a.mp4', '7', 0.48, 0.52, 0.0, 0.0],
    ]
    assert table.attrs['counts'] == {
        'rows': 6, 'no_point': 1, 'missing': 1, 'before_video': 0, 'outside': 1, 'fixations': 3
    }  # fmt: skip


def test_shares_and_another_origin(tmp_path):
    data = {
        'units': 'normalised',
        'database': {'v': {'annotations': [{'segment': [0, 1], 'point': [0.25, 0.25]}]}},
    }
    table = read_fixations(
        write_json(tmp_path, data), video_size=(640, 360), observer='o', origin='bottom-left'
    )
    assert table[['x_px', 'y_px']].to_numpy().tolist() == [[160.0, 270.0]]


def test_units_may_be_said_but_not_against_the_file(tmp_path):
    data = changed()
    del data['units']
    path = write_json(tmp_path, data)
    with pytest.raises(GazeFormatError, match='--space'):
        read_fixations(path, **SAID)
    with pytest.raises(GazeFormatError, match='--space video or video-normalised'):
        read_fixations(path, **SAID, space='screen')
    assert len(read_fixations(path, **SAID, space='video')) == 3
    with pytest.raises(GazeFormatError, match='"units" is pixels'):
        read_fixations(write_json(tmp_path, DATA), **SAID, space='video-normalised')


@pytest.mark.parametrize(
    ('data', 'words'),
    [
        ('', ['the file is empty']),
        (json.dumps(DATA, indent=1)[:-30], ['line', 'cut short']),
        ('[1, 2]', ['"database"']),
        ({'database': {}}, ['"database"']),
        ({'units': 'metres', 'database': DATA['database']}, ['pixels or normalised', 'metres']),
        (changed(annotations=3), ['video a.mp4', 'a list "annotations"']),
        (changed(resolution='big'), ['video a.mp4', '"resolution"', 'big']),
        (changed(annotation=5), ['annotation 0', 'expected an object']),
        (
            changed(annotation={'segment': [2, 1], 'observer': 'o', 'point': [1, 1]}),
            ['video a.mp4, annotation 0', 'ends before it starts'],
        ),
        (
            changed(annotation={'segment': [0, 1], 'observer': 'o', 'point': ['left', 1]}),
            ['annotation 0', 'a point [x, y]', 'left'],
        ),
        (changed(annotation={'segment': [0], 'observer': 'o', 'point': [1, 1]}), ['"segment"']),
        (
            changed(annotation={'segment': [0, float('nan')], 'observer': 'o', 'point': [1, 1]}),
            ['"segment"', 'nan'],
        ),
        (changed(annotation={'segment': [0, 1], 'point': [1, 1]}), ['--observer']),
        (changed(annotation={'observer': 'o', 'point': [1, 1]}), ['"segment" or "frame"']),
        (changed(annotation={'frame': -1, 'observer': 'o', 'point': [1, 1]}), ['"frame"', '-1']),
        (changed(annotation={'frame': 1.5, 'observer': 'o', 'point': [1, 1]}), ['"frame"', '1.5']),
        (
            changed(annotation={'segment': [0, 1], 'observer': 'o', 'point': [1], 'points': []}),
            ['"point" or "points"'],
        ),
    ],
)
def test_a_broken_file_is_named(tmp_path, data, words):
    path = write_json(tmp_path, data)
    with pytest.raises(GazeFormatError) as error:
        read_fixations(path, 'activitynet_json', **SAID)
    assert all(word in str(error.value) for word in [str(path), *words]), error.value


def test_frames_and_sizes_must_be_said(tmp_path):
    path = write_json(tmp_path, DATA)
    with pytest.raises(GazeFormatError, match='--first-frame'):
        read_fixations(path)
    with pytest.raises(GazeFormatError, match='--fps'):
        read_fixations(path, first_frame=0)
    data = changed()
    del data['database']['a.mp4']['resolution']
    with pytest.raises(GazeFormatError, match='--video-size'):
        read_fixations(write_json(tmp_path, data), **SAID)


number = st.floats(0, 300)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(number, number, number, number), min_size=1, max_size=6))
def test_what_is_written_in_the_layout_is_read_back(tmp_path_factory, fixations):
    annotations = [
        {'segment': [start, start + length], 'observer': 'o', 'point': [x, y]}
        for start, length, x, y in fixations
    ]
    data = {
        'units': 'pixels',
        'database': {'v': {'resolution': '640x360', 'annotations': annotations}},
    }
    table = read_fixations(write_json(tmp_path_factory.mktemp('json'), data))
    assert table[['start_s', 'end_s', 'x_px', 'y_px']].to_numpy().tolist() == [
        [start, start + length, x, y] for start, length, x, y in fixations
    ]
