"""From screens of every kind into pixels of the video, and clocks of every kind into seconds."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsal.gaze.placing import RAW_COLUMNS, RawGaze, to_table, video_rectangle
from mmsal.gaze.recording import ORIGINS, TIME_UNITS, Recording
from mmsal.gaze.table import GazeFormatError


def raw(places, space='screen', origin='top-left', times=None, **more):
    """Fixations at these places, one second each unless told."""
    times = times or [(n, n + 1) for n in range(len(places))]
    rows = [('a', 'o', *time, *place) for time, place in zip(times, places, strict=True)]
    return RawGaze(pd.DataFrame(rows, columns=list(RAW_COLUMNS)), space, origin, **more)


def places(table):
    return table[['x_px', 'y_px']].to_numpy()


@pytest.mark.parametrize(
    ('video', 'screen', 'rect', 'expected'),
    [
        ((640, 360), (1440, 900), 'letterbox', (0, 45, 1440, 810)),  # bars above and below
        ((640, 480), (1920, 1080), 'letterbox', (240, 0, 1440, 1080)),  # at the sides
        ((640, 360), (1280, 720), 'letterbox', (0, 0, 1280, 720)),
        ((1920, 1080), (960, 600), 'letterbox', (0, 30, 960, 540)),  # made smaller
        ((640, 360), (1440, 900), 'screen', (0, 0, 1440, 900)),
        ((640, 360), (1440, 900), 'centre', (400, 270, 640, 360)),
        ((640, 360), None, (10, 20, 320, 180), (10, 20, 320, 180)),
    ],
)
def test_where_the_video_was(video, screen, rect, expected):
    recording = Recording(screen_size=screen, video_rect=rect)
    assert video_rectangle(recording, video) == pytest.approx(expected)


def test_the_mapping_of_dhf1k():
    """x*W/1440 and (y - (900 - H*1440/W)/2)*W/1440, as the data set's own code has it."""
    recording = Recording(video_size=(640, 360), screen_size=(1440, 900), video_rect='letterbox')
    rng = np.random.default_rng(0)
    on_screen = rng.uniform((0, 45), (1440, 855), (50, 2))
    x, y = on_screen.T
    wide, high = 640, 360
    expected = np.stack(
        [x * wide / 1440, (y - (900 - high * 1440 / wide) / 2) * wide / 1440], axis=1
    )
    assert places(to_table(raw(on_screen), recording)) == pytest.approx(expected)


def to_raw(place, rect, screen, video, space, origin):
    """A place in the video as a tracker would give it: the way out, written by itself."""
    x, y = place
    if space.startswith('screen'):
        x, y = rect[0] + x / video[0] * rect[2], rect[1] + y / video[1] * rect[3]
        area = screen
    else:
        area = video
    if space.endswith('normalised'):
        x, y, area = x / area[0], y / area[1], (1, 1)
    return {
        'top-left': (x, y),
        'bottom-left': (x, area[1] - y),
        'centre-up': (x - area[0] / 2, area[1] / 2 - y),
        'centre-down': (x - area[0] / 2, y - area[1] / 2),
    }[origin]


length = st.floats(16, 4000)
share = st.floats(0, 0.999)


@settings(max_examples=200, deadline=None)
@given(
    st.tuples(length, length),
    st.tuples(length, length),
    st.tuples(st.floats(-100, 500), st.floats(-100, 500), length, length),
    st.tuples(share, share),
    st.sampled_from(['screen', 'video', 'screen-normalised', 'video-normalised']),
    st.sampled_from(ORIGINS),
)
def test_places_come_back_through_every_screen(video, screen, rect, shares, space, origin):
    # Half a pixel from the edge, where rounding does not decide what is outside.
    place = tuple(0.5 + part * (size - 1) for part, size in zip(shares, video, strict=True))
    recording = Recording(video_size=video, screen_size=screen, video_rect=rect)
    given_place = to_raw(place, rect, screen, video, space, origin)
    table = to_table(raw([given_place], space, origin), recording)
    assert places(table) == pytest.approx(np.array([place]), abs=1e-6)


@pytest.mark.parametrize(
    ('place', 'kept'),
    [
        ((0, 0), True),
        ((-1e-9, 0), False),
        ((0, -1e-9), False),
        ((639.999, 359.999), True),
        ((640, 0), False),
        ((0, 360), False),
        ((np.nan, 3), False),
        ((3, np.inf), False),
    ],
)
def test_points_outside_are_counted_not_clipped(place, kept):
    table = to_table(raw([place, (1, 1)], 'video'), Recording(video_size=(640, 360)))
    assert len(table) == 1 + kept
    counts = table.attrs['counts']
    missing = not np.isfinite(place).all()
    assert counts['missing'] == missing and counts['outside'] == (not kept and not missing)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(-9, 20), st.floats(-9, 20), st.floats(-3, 3)), max_size=8))
def test_nothing_is_lost_uncounted(rows):
    rows = [(x, np.nan if y > 15 else y, start) for x, y, start in rows]
    times = [(start, start + 1) for _, _, start in rows]
    given_rows = raw([row[:2] for row in rows], 'video', times=times, counts={'missing': 2})
    table = to_table(given_rows, Recording(video_size=(10, 10)))
    counts = table.attrs['counts']
    assert counts['fixations'] == len(table)
    left_out = counts['missing'] - 2 + counts['before_video'] + counts['outside']
    assert len(table) + left_out == len(rows)


def test_only_what_is_over_before_the_first_frame_is_before_the_video():
    times = [(-2, -1), (-1, 0), (-1, 0.001), (0, 0), (0, 1)]
    table = to_table(raw([(1, 1)] * 5, 'video', times=times), Recording(video_size=(9, 9)))
    assert table['start_s'].tolist() == [-1, 0, 0]
    assert table.attrs['counts']['before_video'] == 2


def test_videos_may_differ_in_size_and_files_may_say_their_screen():
    gaze = raw([(720, 450), (720, 450)], screen_size=(1440, 900))
    gaze.fixations['video'] = ['a', 'b']
    recording = Recording(video_size={'a': (640, 360), 'b': (100, 100)}, video_rect='letterbox')
    assert places(to_table(gaze, recording)).tolist() == [[320, 180], [50, 50]]
    with pytest.raises(
        GazeFormatError, match='size of video b is not among the 1 of --video-size: a'
    ):
        to_table(gaze, Recording(video_size={'a': (1, 1)}, video_rect='letterbox'))
    with pytest.raises(GazeFormatError, match='size of video a is not said: give --video-size'):
        to_table(gaze, Recording(video_rect='letterbox'))
    spaced = Recording(video_size={' a ': (640, 360), 'b ': (100, 100)}, video_rect='letterbox')
    assert to_table(gaze, spaced).equals(to_table(gaze, recording))


@pytest.mark.parametrize('space', ['video', 'screen'])
def test_a_size_in_pixels_must_not_contradict_the_file(space):
    gaze = raw([(1, 1)], space)
    gaze.video_sizes = {gaze.fixations['video'][0]: (640, 360)}
    screen = {'screen_size': (640, 360), 'video_rect': 'screen'}
    assert places(to_table(gaze, Recording(video_size=(640, 360), **screen))).tolist() == [[1, 1]]
    with pytest.raises(GazeFormatError, match='has 640x360 pixels in the file, not 320x180'):
        to_table(gaze, Recording(video_size=(320, 180), **screen))
    shares = raw([(0.5, 0.5)], 'video-normalised')
    shares.video_sizes = gaze.video_sizes
    table = to_table(shares, Recording(video_size=(320, 180)))
    assert places(table).tolist() == [[160, 90]]


@pytest.mark.parametrize('unit', TIME_UNITS)
def test_seconds_of_every_unit(unit):
    per_second = {'s': 1, 'ms': 1000, 'us': 1_000_000, 'ns': 1_000_000_000}[unit]
    clock = [5 * per_second, 7 * per_second]
    assert Recording(time_zero=5 * per_second).seconds(clock, unit) == pytest.approx([0, 2])
    assert Recording().seconds(clock, unit) == pytest.approx([5, 7])


def test_nanoseconds_since_1970_lose_nothing():
    zero = 1_790_000_000_123_456_789
    clock = np.array([zero, zero + 1, zero + 3_000_000_007], dtype=np.int64)
    seconds = Recording(time_zero=zero).seconds(clock, 'ns')
    assert seconds.tolist() == [0, 1e-9, 3.000000007]


def test_the_first_reading_of_the_clock_may_be_zero():
    recording = Recording(time_zero='first')
    with pytest.raises(GazeFormatError, match='as a number'):
        recording.seconds([1.0], 's')
    assert recording.with_zero(40, 'file').seconds([41], 's').tolist() == [1]
    assert Recording(time_zero=3).with_zero(40, 'file').time_zero == 3
    with pytest.raises(GazeFormatError, match='--time-zero'):
        Recording().with_zero(40, 'file')
    with pytest.raises(GazeFormatError, match="got 'START'"):
        Recording(time_zero='START').with_zero(40, 'file')


def test_frames_have_the_times_of_the_video():
    starts, ends = Recording(fps=25).frame_starts('file', [0, 50])
    assert starts.tolist() == [0, 2] and ends.tolist() == [0.04, 2.04]
    varying = Recording(fps=25, frame_times=np.array([0, 0.1, 0.3, 0.4]))
    starts, ends = varying.frame_starts('file', [1, 3])
    assert starts.tolist() == [0.1, 0.4] and ends == pytest.approx([0.3, 0.5])
    with pytest.raises(GazeFormatError, match='frames 0 to 3'):
        varying.frame_starts('file', [4])
    with pytest.raises(GazeFormatError, match='--fps'):
        Recording().frame_starts('file', [0])


def test_all_that_is_absent_is_named_at_once():
    with pytest.raises(GazeFormatError) as error:
        Recording(fps=25).require('x.asc', 'observer', 'fps', 'time_zero')
    assert str(error.value) == (
        'x.asc does not say its observer, time_zero: give --observer, --time-zero'
    )


def test_names_may_come_from_the_file_name():
    named = Recording(video='{stem}.avi', observer='s{stem}', fps=3).named_after('07')
    assert (named.video, named.observer, named.fps) == ('07.avi', 's07', 3)
    assert Recording().named_after('07') == Recording()


def test_what_was_said_is_kept_and_defaults_stand_back():
    recording = Recording(video_size=(4, 3), frame_times=np.arange(7.0)).with_defaults(
        {'video_size': (9, 9), 'time_zero': 'first', 'screen_size': None}
    )
    assert recording.said() == {
        'video_size': (4, 3), 'time_zero': 'first', 'frame_times': '7 times'
    }  # fmt: skip


@pytest.mark.parametrize(
    ('said', 'words'),
    [
        ({'space': 'world'}, ['space screen, video', "'world'"]),
        ({'origin': 'top'}, ['origin', "'top'"]),
        ({'time_unit': 'h'}, ['time_unit s, ms, us, ns', "'h'"]),
        ({'eye': 'L'}, ['eye left, right, mean', "'L'"]),
        ({'video_size': (640, 0)}, ['(width, height)']),
        ({'video_size': {'a': (640,)}}, ['(width, height)']),
        ({'screen_size': (-1, 5)}, ['(width, height)']),
        ({'video_rect': (0, 0, 640)}, ['video_rect as (x, y, width, height)']),
        ({'video_rect': (0, 0, 640, 0)}, ['video_rect']),
        ({'video_rect': 'middle'}, ['letterbox', "'middle'"]),
        ({'fps': 0}, ['positive fps']),
        ({'time_zero': float('nan')}, ['finite time_zero', 'nan']),
        ({'frame_times': [0.04, 0.08]}, ['frame_times from 0', '0.04']),
        ({'frame_times': []}, ['frame_times from 0', 'none']),
        ({'frame_times': [0.0, 0.2, 0.1]}, ['ascend']),
        ({'min_confidence': 1.5}, ['0 to 1', '1.5']),
        ({'video_message': '(.*)'}, ['(?P<video>...)']),
        ({'video_message': '(?P<video>'}, ['regular expression']),
    ],
)
def test_what_makes_no_sense_is_refused(said, words):
    with pytest.raises(GazeFormatError) as error:
        Recording(**said)
    assert all(word in str(error.value) for word in words), str(error.value)


@pytest.mark.parametrize(
    ('space', 'origin', 'said', 'option'),
    [
        ('screen', 'top-left', {}, '--video-rect'),
        ('screen', 'top-left', {'video_rect': 'letterbox'}, '--screen-size'),
        ('screen', 'bottom-left', {'video_rect': (0, 0, 1, 1)}, '--screen-size'),
        ('screen-normalised', 'top-left', {'video_rect': (0, 0, 1, 1)}, '--screen-size'),
        ('video', 'top-left', {'video_size': None}, '--video-size'),
    ],
)
def test_geometry_asks_for_what_it_needs(space, origin, said, option):
    recording = Recording(**{'video_size': (4, 3)} | said)
    with pytest.raises(GazeFormatError, match=option):
        to_table(raw([(1, 1)], space, origin), recording)
