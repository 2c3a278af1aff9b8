"""Pupil Core, in the layouts of Pupil Player's exports (SYNTHETIC files)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsal.gaze import GazeFormatError, read_fixations

HEADER = (
    'id,start_timestamp,duration,start_frame_index,end_frame_index,norm_pos_x,norm_pos_y,'
    'dispersion,confidence,method,gaze_point_3d_x,gaze_point_3d_y,gaze_point_3d_z,base_data'
)
SURFACE_HEADER = (
    'world_timestamp,world_index,fixation_id,start_timestamp,duration,dispersion,norm_pos_x,'
    'norm_pos_y,x_scaled,y_scaled,on_surf'
)
# start [pupil seconds], duration [ms], x, y from the bottom left, confidence
FIXATIONS = [
    (1000.25, 200.0, 0.25, 0.75, 0.99),
    (1001.0, 150.5, 0.5, 0.25, 0.4),
    (1002.0, 100.0, 1.25, 0.5, 0.9),
    (999.0, 100.0, 0.5, 0.5, 0.9),
]
SAID = {'video': 'world.mp4', 'observer': 'P1', 'video_size': (1280, 720)}


def write_core(folder, fixations=FIXATIONS, first=1000.0, newline='\n', start='\ufeff'):
    lines = [HEADER]
    for number, (begin, duration, x, y, confidence) in enumerate(fixations):
        lines.append(
            f'{number},{begin!r},{duration!r},{number},{number + 5},{x!r},{y!r},1.2,{confidence},'
            '3d gaze,1.0,2.0,300.0,"1000.25 1000.26"'
        )
    path = folder / 'fixations.csv'
    path.write_text(start + newline.join(lines) + newline, encoding='utf-8', newline='')
    if first is not None:
        (folder / 'world_timestamps.csv').write_text(
            f'# timestamps [seconds],pts\n{first!r},0\n{first + 0.033!r},512\n'
        )
    return path


def write_surface(folder, rows):
    path = folder / 'fixations_on_surface_screen.csv'
    lines = [SURFACE_HEADER]
    for world, (number, begin, duration, x, y, on) in enumerate(rows):
        lines.append(f'{1000 + world / 30},{world},{number},{begin},{duration},1,{x},{y},1,1,{on}')
    path.write_text('\n'.join(lines) + '\n')
    return path


@pytest.mark.parametrize('newline', ['\n', '\r\n'])
def test_a_correct_file_gives_the_exact_table(tmp_path, newline):
    path = write_core(tmp_path, newline=newline)
    table = read_fixations(path, **SAID)
    assert table.attrs['format'] == 'pupil_core'
    assert set(table['video']) == {'world.mp4'} and set(table['observer']) == {'P1'}
    # By hand: bottom left origin, so y = (1 - 0.75) * 720 = 180 and (1 - 0.25) * 720 = 540.
    assert table[['x_px', 'y_px']].to_numpy().tolist() == [[320, 180], [640, 540]]
    np.testing.assert_allclose(table['start_s'], [0.25, 1.0], atol=1e-9)
    np.testing.assert_allclose(table['end_s'], [0.45, 1.1505], atol=1e-9)
    counts = table.attrs['counts']
    assert (counts['rows'], counts['outside'], counts['before_video']) == (4, 1, 1)


def test_time_zero_that_is_said_goes_before_the_world_timestamps(tmp_path):
    table = read_fixations(write_core(tmp_path), **SAID, time_zero=998.0)
    np.testing.assert_allclose(table['start_s'], [2.25, 3.0, 1.0], atol=1e-9)


def test_min_confidence_is_counted(tmp_path):
    table = read_fixations(write_core(tmp_path), **SAID, min_confidence=0.6)
    assert table['x_px'].tolist() == [320]
    assert table.attrs['counts']['low_confidence'] == 1


def test_a_missing_position_is_counted(tmp_path):
    path = write_core(tmp_path)
    path.write_text(path.read_text('utf-8-sig').replace('0.25,0.75', ',0.75'))
    assert read_fixations(path, **SAID).attrs['counts']['missing'] == 1


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (lambda text: '', ['the file is empty']),
        (lambda text: HEADER + '\n', ['no row of data']),
        (lambda text: text.replace('duration', 'length'), ['absent: duration']),
        (lambda text: text.replace('1001.0', 'late'), ['line 3', 'start_timestamp', "'late'"]),
        (lambda text: text.replace('1001.0,', ','), ['line 3', 'start_timestamp', "''"]),
        (lambda text: text.replace('200.0', '-200.0'), ['line 2', 'ends before it starts']),
        (lambda text: text[: text.index('1001.0') + 3], ['line 3', 'cut short']),
        (lambda text: text.replace('0.5,0.25', 'x,0.25'), ['line 3', 'norm_pos_x', "'x'"]),
    ],
)
def test_a_broken_file_is_named(tmp_path, change, words):
    path = write_core(tmp_path)
    path.write_text(change(path.read_text('utf-8-sig')))
    with pytest.raises(GazeFormatError) as error:
        read_fixations(path, 'pupil_core', **SAID)
    assert all(word in str(error.value) for word in [str(path), *words]), error.value


def test_durations_in_seconds_are_refused(tmp_path):
    path = write_core(tmp_path, [(1000.0, 0.2, 0.5, 0.5, 1.0)])
    with pytest.raises(GazeFormatError, match=r'milliseconds, got at most 0\.2'):
        read_fixations(path, **SAID)


def test_what_the_file_does_not_say_must_be_said(tmp_path):
    path = write_core(tmp_path, first=None)
    with pytest.raises(GazeFormatError, match='--video, --observer'):
        read_fixations(path)
    with pytest.raises(GazeFormatError, match=r'world_timestamps\.csv .* --time-zero'):
        read_fixations(path, **SAID)
    with pytest.raises(GazeFormatError, match='--video-size'):
        read_fixations(path, video='v', observer='o', time_zero=1000.0)
    with pytest.raises(GazeFormatError, match="time_zero as a number, got 'first'"):
        read_fixations(path, **SAID, time_zero='first')


@pytest.mark.parametrize('said', [{'space': 'video'}, {'origin': 'top-left'}])
def test_what_the_format_defines_is_not_overridden_in_silence(tmp_path, said):
    (name, there) = next(iter(said.items()))
    with pytest.raises(GazeFormatError, match=f'not {there}: leave out --{name}'):
        read_fixations(write_core(tmp_path), **SAID, **said)


def test_broken_world_timestamps_are_named(tmp_path):
    path = write_core(tmp_path)
    world = tmp_path / 'world_timestamps.csv'
    world.write_text('# timestamps [seconds],pts\nsoon,0\n')
    with pytest.raises(GazeFormatError, match=r"world_timestamps\.csv, line 2: .*'soon'"):
        read_fixations(path, **SAID)
    world.write_text('timestamp [ns]\n1\n')
    with pytest.raises(GazeFormatError, match=r'absent: # timestamps \[seconds\]'):
        read_fixations(path, **SAID)


share = st.floats(0.001, 0.999)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(1000, 5000), st.floats(80, 900), share, share, share),
        min_size=1,
        max_size=6,
    )
)
def test_what_is_written_in_the_layout_is_read_back(tmp_path_factory, fixations):
    path = write_core(tmp_path_factory.mktemp('core'), fixations)
    table = read_fixations(path, **SAID)
    begin, duration, x, y, _ = np.array(fixations).T
    np.testing.assert_allclose(table['start_s'], begin - 1000, atol=1e-9)
    np.testing.assert_allclose(table['end_s'], begin - 1000 + duration / 1000, atol=1e-9)
    np.testing.assert_allclose(table['x_px'], x * 1280, atol=1e-9)
    np.testing.assert_allclose(table['y_px'], 720 - y * 720, atol=1e-9)


SURFACE = [
    # fixation, start, duration, x, y, on surface
    (7, 1000.5, 200, 0.2, 0.9, True),
    (7, 1000.5, 200, 0.4, 0.7, True),
    (7, 1000.5, 200, 1.4, 0.7, False),
    (8, 1001.0, 100, 0.5, 0.5, True),
    (9, 1002.0, 100, -0.5, 0.5, False),
]


def test_a_surface_that_is_the_video(tmp_path):
    table = read_fixations(
        write_surface(tmp_path, SURFACE), **SAID, space='video-normalised', time_zero=1000.0
    )
    assert table.attrs['format'] == 'pupil_core_surface'
    # Mean of (0.2, 0.9) and (0.4, 0.7), from the bottom: (0.3 * 1280, 0.2 * 720).
    np.testing.assert_allclose(table[['x_px', 'y_px']], [[384, 144], [640, 360]])
    np.testing.assert_allclose(table[['start_s', 'end_s']], [[0.5, 0.7], [1.0, 1.1]], atol=1e-9)
    counts = table.attrs['counts']
    assert (counts['rows'], counts['off_surface'], counts['joined']) == (5, 2, 1)


def test_a_surface_that_is_the_screen(tmp_path):
    table = read_fixations(
        write_surface(tmp_path, SURFACE),
        video='v.mp4',
        observer='P1',
        video_size=(640, 360),
        screen_size=(1280, 1024),
        video_rect=(0, 152, 1280, 720),
        space='screen-normalised',
        time_zero=1000.0,
    )
    # Screen (384, 204.8) and (640, 512), minus the top of the video, at half the size.
    np.testing.assert_allclose(table[['x_px', 'y_px']], [[192, 26.4], [320, 180]])


def test_a_surface_needs_to_be_explained(tmp_path):
    path = write_surface(tmp_path, SURFACE)
    with pytest.raises(GazeFormatError, match='--time-zero, --space'):
        read_fixations(path, **SAID)
    with pytest.raises(GazeFormatError, match='the surface is the screen'):
        read_fixations(path, **SAID, time_zero=1.0, space='video')
    with pytest.raises(GazeFormatError, match='no confidence'):
        read_fixations(path, **SAID, time_zero=1.0, space='video-normalised', min_confidence=0.5)
    path.write_text(path.read_text().replace('True', 'yes'))
    with pytest.raises(GazeFormatError, match='line 2: expected True or False in on_surf'):
        read_fixations(path, **SAID, time_zero=1.0, space='video-normalised')
