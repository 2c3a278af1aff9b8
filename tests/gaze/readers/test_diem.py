"""DIEM's event data: eyes, events, frames (SYNTHETIC files)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsal.gaze import GazeFormatError, read_fixations

NAME = 'diem1s07_park_1280x720.txt'
SAID = {'screen_size': (1280, 960), 'video_rect': 'centre'}
LINES = [
    # frame, left x, y, pupil, event, right x, y, pupil, event
    (1, 100, 220, 900, 1, 110, 224, 900, 1),
    (2, 102, 222, 900, 1, 112, 226, 900, 2),
    (3, 400, 500, 900, 2, 114, 228, 900, 1),
    (4, 600, 500, 900, 1, 610, 500, 900, 1),
    (5, 0, 0, 0, 0, 0, 0, 0, 0),
    (6, 0, 0, 0, -1, 0, 0, 0, -1),
    (7, 640, 100, 900, 1, 640, 100, 900, 1),
]


def write_diem(folder, lines=LINES, name=NAME, newline='\n', separator='\t'):
    path = folder / name
    text = newline.join(separator.join(map(str, line)) for line in lines) + newline
    path.write_text(text, newline='')
    return path


@pytest.mark.parametrize(('newline', 'separator'), [('\n', '\t'), ('\r\n', ' '), ('\n', '  ')])
def test_a_correct_file_gives_the_exact_table(tmp_path, newline, separator):
    path = write_diem(tmp_path, newline=newline, separator=separator)
    table = read_fixations(path, **SAID, eye='left')
    assert table.attrs['format'] == 'diem'
    assert set(table['video']) == {'park_1280x720'} and set(table['observer']) == {'diem1s07'}
    # The video stands 120 pixels below the screen's top; frame 1 is the first, 30 to the second.
    np.testing.assert_allclose(
        table[['start_s', 'end_s', 'x_px', 'y_px']],
        [[0, 2 / 30, 101, 101], [3 / 30, 4 / 30, 600, 380]],
    )
    counts = table.attrs['counts']
    assert (counts['rows'], counts['no_fixation'], counts['outside']) == (7, 3, 1)


def test_the_other_eye_and_both(tmp_path):
    path = write_diem(tmp_path)
    right = read_fixations(path, **SAID, eye='right')
    np.testing.assert_allclose(right['x_px'], [110, 114, 610])
    mean = read_fixations(path, **SAID, eye='mean')
    np.testing.assert_allclose(mean[['x_px', 'y_px']], [[105, 102], [605, 380]])
    assert mean.attrs['counts']['one_eye_alone'] == 2
    assert mean.attrs['counts']['no_fixation'] == 2


def test_a_saccade_within_a_frame_parts_two_fixations(tmp_path):
    lines = [(frame, x, 480, 9, 1, x, 480, 9, 1) for frame, x in enumerate([200, 210, 400, 404], 1)]
    table = read_fixations(write_diem(tmp_path, lines), **SAID, eye='left')
    np.testing.assert_allclose(table['x_px'], [205, 402])
    np.testing.assert_allclose(table['end_s'], [2 / 30, 4 / 30])


def test_a_frame_that_is_left_out_parts_two_fixations(tmp_path):
    lines = [(frame, 200, 480, 9, 1, 200, 480, 9, 1) for frame in (1, 2, 5)]
    table = read_fixations(write_diem(tmp_path, lines), **SAID, eye='left')
    np.testing.assert_allclose(table[['start_s', 'end_s']], [[0, 2 / 30], [4 / 30, 5 / 30]])


def test_what_the_file_does_not_say_must_be_said(tmp_path):
    path = write_diem(tmp_path)
    with pytest.raises(GazeFormatError, match='--eye, --screen-size, --video-rect'):
        read_fixations(path)
    other = write_diem(tmp_path, name='gaze.txt')
    with pytest.raises(GazeFormatError, match='is not recognised'):
        read_fixations(other, **SAID, eye='left')
    with pytest.raises(GazeFormatError, match='--observer and --video'):
        read_fixations(other, 'diem', **SAID, eye='left')
    named = {'video': 'v', 'observer': 'o'}
    with pytest.raises(GazeFormatError, match='--video-size'):
        read_fixations(other, 'diem', **SAID, **named, eye='left')
    table = read_fixations(other, 'diem', **SAID, **named, eye='left', video_size=(1280, 720))
    assert len(table) == 2


def test_positions_that_are_on_the_video_already(tmp_path):
    table = read_fixations(write_diem(tmp_path), space='video', eye='left')
    np.testing.assert_allclose(table['y_px'], [221, 500, 100])


def test_positions_that_are_not_used_may_be_nan(tmp_path):
    lines = [list(line) for line in LINES]
    lines[0][5:8] = ['NaN'] * 3  # the other eye
    lines[4][1:4] = ['NaN'] * 3  # a blink
    table = read_fixations(write_diem(tmp_path, lines), **SAID, eye='left')
    assert table.equals(read_fixations(write_diem(tmp_path), **SAID, eye='left'))
    with pytest.raises(GazeFormatError, match='line 1: expected the place of a fixation'):
        read_fixations(write_diem(tmp_path, lines), **SAID, eye='mean')


def test_a_size_other_than_that_in_the_name_is_refused(tmp_path):
    with pytest.raises(GazeFormatError, match='1280x720 pixels in the file, not 640x360'):
        read_fixations(write_diem(tmp_path), **SAID, eye='left', video_size=(640, 360))


def test_frame_times_go_before_30_per_second(tmp_path):
    table = read_fixations(
        write_diem(tmp_path), **SAID, eye='left', frame_times=np.arange(7) * 0.04
    )
    np.testing.assert_allclose(table['end_s'], [0.08, 0.16])


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (lambda text: '', ['the file is empty']),
        (lambda text: text[:-4], ['line 7', 'expected 9 numbers']),
        (lambda text: text.replace('102', 'left'), ['line 2', 'expected 9 numbers', 'left']),
        (lambda text: text.replace('102', 'nan'), ['line 2', 'place of a fixation', 'nan, 222']),
        (lambda text: text.replace('3\t400', '1\t400'), ['line 3', 'count up, got 1']),
        (lambda text: text.replace('3\t400', '2.5\t400'), ['line 3', 'count up, got 2.5']),
        (lambda text: text.replace('-1', '7'), ['line 6', 'events -1 to 2', '7']),
    ],
)
def test_a_broken_file_is_named(tmp_path, change, words):
    path = write_diem(tmp_path)
    path.write_text(change(path.read_text()))
    with pytest.raises(GazeFormatError) as error:
        read_fixations(path, 'diem', **SAID, eye='left')
    assert all(word in str(error.value) for word in [str(path), *words]), error.value


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 9), st.integers(0, 1279), st.integers(120, 839)),
        min_size=1,
        max_size=5,
    )
)
def test_what_is_written_in_the_layout_is_read_back(tmp_path_factory, fixations):
    lines, expected = [], []
    for length, x, y in fixations:
        start = len(lines)
        lines += [(start + 1 + k, x, y, 9, 1, x, y, 9, 1) for k in range(length)]
        expected.append([start / 30, (start + length) / 30, x, y - 120])
        lines.append((len(lines) + 1, 0, 0, 0, 2, 0, 0, 0, 2))
    path = write_diem(tmp_path_factory.mktemp('diem'), lines)
    table = read_fixations(path, **SAID, eye='left')
    np.testing.assert_allclose(table[['start_s', 'end_s', 'x_px', 'y_px']], expected, atol=1e-9)
