"""Tobii exports: files written here in the layouts of Pro Lab (old and new) and Studio."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsal.gaze.readers import find_format, read_fixations
from mmsal.gaze.table import GazeFormatError

# Headers by what they hold; None where a version does not have it.
NEW = {
    'time': 'Recording timestamp [\u03bcs]', 'sensor': 'Sensor', 'who': 'Participant name',
    'recording': 'Recording name', 'event': 'Event', 'value': 'Event value',
    'video': 'Presented Stimulus name', 'kind': 'Eye movement type',
    'number': 'Eye movement type index', 'x': 'Fixation point X [DACS px]',
    'y': 'Fixation point Y [DACS px]',
}  # fmt: skip
OLD = NEW | {
    'time': 'Recording timestamp', 'video': 'Presented Media name', 'x': 'Fixation point X',
    'y': 'Fixation point Y',
}  # fmt: skip
STUDIO = {
    'time': 'RecordingTimestamp', 'who': 'ParticipantName', 'recording': 'RecordingName',
    'event': 'StudioEvent', 'value': 'StudioEventData', 'video': 'MediaName',
    'kind': 'GazeEventType', 'number': 'FixationIndex', 'x': 'FixationPointX (ADCSpx)',
    'y': 'FixationPointY (ADCSpx)',
}  # fmt: skip
SAID = {'video_size': (320, 240), 'video_rect': (80, 60, 640, 480)}
START = {'event': 'VideoStimulusStart', 'sensor': ''}


def sample(time, kind='Fixation', number=1, x='', y='', **more):
    cells = {'time': time, 'sensor': 'Eye Tracker', 'who': 'P1', 'recording': 'R1', 'kind': kind}
    return cells | {'video': 'a', 'number': number, 'x': x, 'y': y} | more


# Milliseconds; other units are written from these.
SAMPLES = [
    sample(100, 'Unclassified', 1, video=''),
    sample(200, '', '', value='a', **START),
    sample(200, 'Fixation', 1, 400, 300),
    sample(216, 'Fixation', 1, 400, 300),
    sample(220, 'Fixation', 1, 400, 300, sensor='Mouse'),
    sample(233, 'Fixation', 1, 400, 300),
    sample(250, 'Saccade', 1),
    sample(266, 'EyesNotFound', 1),
    sample(300, 'Fixation', 2, 420, 340),
    sample(316, 'Fixation', 2, 420, 340, video=''),  # the video is over
    sample(10, '', '', who='P2', video='b', value='b', **START),
    sample(20, 'Fixation', 1, 480, 360, who='P2', video='b'),
    sample(37, 'Fixation', 1, 480, 360, who='P2', video='b'),
    sample(60, 'Fixation', 2, '', '', who='P2', video='b'),
    sample(90, 'Fixation', 3, 900, 360, who='P2', video='b'),
]
EXPECTED = [
    ('a', 'P1', 0.0, 0.033, 160.0, 120.0),
    ('a', 'P1', 0.1, 0.1, 170.0, 140.0),
    ('b', 'P2', 0.01, 0.027, 200.0, 150.0),
]


def tsv(samples=SAMPLES, layout=NEW, scale=1000, point='.'):
    """Rows in the layout, times multiplied by ``scale``."""
    lines = ['\t'.join(layout.values())]
    for one in samples:
        cells = one | {'time': f'{one["time"] * scale:g}' if one['time'] != '' else ''}
        lines.append('\t'.join(str(cells.get(name, '')) for name in layout))
    return '\n'.join(lines).replace('.', point) + '\n'


def write(tmp_path, text, name='export.tsv'):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def rows(table):
    return [tuple(row) for row in table.round(9).itertuples(index=False)]


def test_an_export_gives_the_exact_table(tmp_path):
    path = write(tmp_path, tsv())
    assert find_format(path).name == 'tobii'
    table = read_fixations(path, **SAID)
    assert rows(table) == EXPECTED
    assert table.attrs['counts'] == {
        'rows': 15, 'no_sample': 3, 'no_fixation': 3, 'no_video': 0, 'no_time_zero': 0,
        'missing': 1, 'before_video': 0, 'outside': 1, 'fixations': 3,
    }  # fmt: skip


@pytest.mark.parametrize(
    ('layout', 'scale', 'said'),
    [
        (NEW | {'time': 'Recording timestamp [us]'}, 1000, {}),
        (NEW | {'time': 'Recording timestamp [\u00b5s]'}, 1000, {}),
        (NEW | {'time': 'Recording timestamp [ms]'}, 1, {}),
        (OLD, 1, {'time_unit': 'ms'}),
        (OLD, 1000, {'time_unit': 'us'}),
        (NEW | {'kind': 'Gaze event type'}, 1000, {}),
        (NEW, 1000, {'time_zero': 'StimulusStart'}),
        (NEW, 1000, {'time_unit': 'us'}),
        (NEW | {'video': 'Clip'}, 1000, {'video_column': 'Clip'}),
    ],
)
def test_versions_and_units_change_nothing(tmp_path, layout, scale, said):
    path = write(tmp_path, tsv(layout=layout, scale=scale))
    assert find_format(path).name == 'tobii'
    assert rows(read_fixations(path, **SAID | said)) == EXPECTED


def test_studio_counts_in_ms_and_calls_videos_movies(tmp_path):
    samples = [
        one | {'event': one['event'].replace('VideoStimulus', 'Movie')} if 'event' in one else one
        for one in SAMPLES
        if one['sensor'] != 'Mouse'  # there are no rows of other sensors
    ]
    path = write(tmp_path, tsv(samples, STUDIO, 1))
    assert find_format(path).name == 'tobii'
    assert rows(read_fixations(path, **SAID)) == EXPECTED


@pytest.mark.parametrize(
    'change',
    [
        lambda text: text.replace('\n', '\r\n').encode(),
        lambda text: b'\xef\xbb\xbf' + text.encode(),
        lambda text: text.encode('utf-16'),
        lambda text: text.replace('\t400\t', '\t400,0\t').encode(),
        lambda text: text.replace('\n', '\t\n').encode(),
    ],
    ids=['CRLF', 'BOM', 'UTF-16', 'decimal commas', 'tab at the end'],
)
def test_encodings_and_line_ends_change_nothing(tmp_path, change):
    path = write(tmp_path, change(tsv()))
    assert find_format(path).name == 'tobii'
    assert rows(read_fixations(path, **SAID)) == EXPECTED


def normalised(samples, x, y):
    """Places as shares of the medium, which lies at (80, 60) and has 640x480 pixels."""
    return [
        one | {x: (one['x'] - 80) / 640, y: (one['y'] - 60) / 480} if one['x'] != '' else one
        for one in samples
    ]


def test_positions_on_the_medium_need_no_screen(tmp_path):
    norm = {'u': 'Fixation point X (MCSnorm)', 'v': 'Fixation point Y (MCSnorm)'}
    samples = normalised(SAMPLES, 'u', 'v')
    for layout in (NEW | norm, {k: v for k, v in NEW.items() if k not in 'xy'} | norm):
        table = read_fixations(write(tmp_path, tsv(samples, layout)), video_size=(320, 240))
        assert rows(table) == EXPECTED


def test_the_export_may_say_where_the_medium_was(tmp_path):
    place = {
        'left': 'Presented Media position X [DACS px]',
        'top': 'Presented Media position Y (DACSpx)',
        'wide': 'Presented Media width [px]', 'high': 'Presented Media height',
    }  # fmt: skip
    samples = [one | {'left': 80, 'top': 60, 'wide': 640, 'high': 480} for one in SAMPLES]
    path = write(tmp_path, tsv(samples, NEW | place))
    assert rows(read_fixations(path, video_size=(320, 240))) == EXPECTED
    # What the user says goes before: the whole of an 800x600 screen.
    said = {'video_size': (320, 240), 'screen_size': (800, 600), 'video_rect': 'screen'}
    assert read_fixations(path, **said)['x_px'].tolist() == pytest.approx([160, 168, 192])


def test_pixels_of_the_medium_are_taken_on_the_users_word_alone(tmp_path):
    layout = STUDIO | {'x': 'FixationPointX (MCSpx)', 'y': 'FixationPointY (MCSpx)'}
    samples = [one for one in SAMPLES if one['sensor'] != 'Mouse']
    samples = [one | {'event': 'MovieStart'} if 'event' in one else one for one in samples]
    path = write(tmp_path, tsv(samples, layout, 1))
    with pytest.raises(GazeFormatError, match='give --space video'):
        read_fixations(path, video_size=(1024, 768))
    table = read_fixations(path, video_size=(1024, 768), space='video')
    assert table['x_px'].tolist() == [400, 420, 480, 900]


def test_the_screen_of_the_export_is_used(tmp_path):
    layout = NEW | {'w': 'Recording resolution width [px]', 'h': 'Recording resolution height [px]'}
    samples = [one | {'w': 800, 'h': 600} for one in SAMPLES]
    path = write(tmp_path, tsv(samples, layout))
    table = read_fixations(path, video_size=(400, 225), video_rect='letterbox')
    # 800x450 in the middle of 800x600: two screen pixels per pixel, 75 above.
    assert table['x_px'].tolist() == [200, 210, 240]
    assert table['y_px'].tolist() == [112.5, 132.5, 142.5]
    assert table.attrs['screen_size'] == [800, 600]


def test_a_video_shown_twice_has_two_starts(tmp_path):
    samples = [
        sample(0, '', '', value='a', **START),
        sample(100, 'Fixation', 1, 400, 300),
        sample(110, 'Fixation', 1, 400, 300),
        sample(500, 'Fixation', 2, 400, 300, video='b'),
        sample(1000, '', '', video='', **START),  # names nothing: the next row does
        sample(1050, 'Fixation', 3, 400, 300),
        sample(1060, 'Fixation', 3, 400, 300),
    ]
    path = write(tmp_path, tsv(samples))
    table = read_fixations(path, **SAID)
    assert table['start_s'].tolist() == pytest.approx([0.1, 0.05])
    assert table.attrs['counts']['no_time_zero'] == 1
    first = read_fixations(path, **SAID, time_zero='first')
    assert first['video'].tolist() == ['a', 'b', 'a']
    assert first['start_s'].tolist() == pytest.approx([0.1, 0.0, 0.0])


def test_two_recordings_of_one_person_are_two(tmp_path):
    samples = [
        *SAMPLES[:10],
        *(one | {'recording': 'R2'} for one in SAMPLES[1:4]),
    ]
    table = read_fixations(write(tmp_path, tsv(samples)), **SAID)
    assert rows(table) == [*EXPECTED[:2], ('a', 'P1', 0.0, 0.016, 160.0, 120.0)]
    unnamed = {name: header for name, header in NEW.items() if name != 'recording'}
    with pytest.raises(GazeFormatError, match=r'line 12: .* Recording name'):
        read_fixations(write(tmp_path, tsv(samples, unnamed)), **SAID)


def test_one_recording_may_be_named_by_hand(tmp_path):
    layout = {k: v for k, v in NEW.items() if k not in ('who', 'video', 'event', 'value')}
    samples = [one for one in SAMPLES[2:9] if one['sensor'] == 'Eye Tracker']
    path = write(tmp_path, tsv(samples, layout))
    with pytest.raises(GazeFormatError, match='--video, --observer'):
        read_fixations(path, **SAID)
    with pytest.raises(GazeFormatError, match='--time-zero'):
        read_fixations(path, video='a', observer='P1', **SAID)
    table = read_fixations(path, video='a', observer='P1', time_zero=200000, **SAID)
    assert rows(table) == EXPECTED[:2]


@pytest.mark.parametrize(
    ('layout', 'said', 'words'),
    [
        (OLD, {}, ['Recording timestamp', '--time-unit']),
        (NEW, {'time_unit': 'ms'}, ['is in us, got time_unit ms']),
        (NEW, {'video': 'a'}, ['Presented Stimulus name', 'leave --video out']),
        (NEW, {'video_column': 'Clip'}, ['no column Clip']),
        (NEW, {'time_zero': 'MovieStart'}, ["no event fits time_zero 'MovieStart'"]),
        (NEW, {'time_zero': 200000}, ['one number', '2 recordings and videos']),
        (NEW, {'space': 'video'}, ['space video', 'got screen']),
        (NEW, {'video_rect': None}, ['--video-rect']),
    ],
)
def test_what_must_be_said_is_asked_for(tmp_path, layout, said, words):
    with pytest.raises(GazeFormatError) as error:
        read_fixations(write(tmp_path, tsv(layout=layout)), **SAID | said)
    assert all(word in str(error.value) for word in words), str(error.value)


def changed(which, /, **cells):
    return tsv([one | cells if row == which else one for row, one in enumerate(SAMPLES)])


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('', ['empty']),
        (tsv([]), ['no row']),
        (tsv(layout={k: v for k, v in NEW.items() if k != 'number'}), ['eyemovementtypeindex']),
        (tsv(layout={k: v for k, v in NEW.items() if k != 'y'}), ['Fixation point Y']),
        (tsv(SAMPLES[:2]), ['no row is of the type Fixation']),
        (changed(3, x='left'), ['line 5', 'Fixation point X', "'left'"]),
        (changed(3, time=''), ['line 5', 'times that are there']),
        (changed(3, time=100), ['line 5', 'do not fall']),
        (changed(3, number=''), ['line 5', 'number of the fixation']),
        (changed(3, who=''), ['line 5', 'participant']),
        (tsv()[:-30], ['line 16', 'cut short']),
    ],
)
def test_faults_are_named_with_their_line(tmp_path, text, words):
    path = write(tmp_path, text)
    with pytest.raises(GazeFormatError) as error:
        read_fixations(path, format='tobii', **SAID)
    assert str(error.value).startswith(str(path)) and '\n' not in str(error.value)
    assert all(word in str(error.value) for word in words), str(error.value)


fixation = st.tuples(
    st.integers(1, 900_000), st.integers(0, 40), st.integers(80, 719), st.integers(60, 539)
)


@settings(max_examples=40, deadline=None)
@given(st.lists(fixation, min_size=1, max_size=6))
def test_what_is_written_is_read_back(tmp_path_factory, fixations):
    clock, expected = 7_000, []
    samples = [sample(clock, '', '', value='a', **START)]
    for number, (gap, length, x, y) in enumerate(fixations, 1):
        times = [clock + gap + 8_333 * step for step in range(length + 1)]
        samples += [sample(time, 'Fixation', number, x, y) for time in times]
        clock = times[-1]
        expected.append(
            [(times[0] - 7_000) / 1e6, (clock - 7_000) / 1e6, (x - 80) / 2, (y - 60) / 2]
        )
    text = '\n'.join('\t'.join(str(one.get(name, '')) for name in NEW) for one in [NEW, *samples])
    path = write(tmp_path_factory.mktemp('tobii'), text)
    table = read_fixations(path, **SAID)
    assert table[['start_s', 'end_s', 'x_px', 'y_px']].to_numpy() == (
        pytest.approx(np.array(expected))
    )


def test_a_video_shown_again_after_a_blank_starts_again(tmp_path):
    samples = [
        sample(100, 'Fixation', 1, 400, 300),
        sample(110, 'Fixation', 1, 400, 300),
        sample(500, 'Saccade', 1, video=''),
        sample(1000, 'Fixation', 2, 400, 300),
        sample(1005, '', '', video='', event='KeyboardEvent', sensor=''),  # no blank
        sample(1010, 'Fixation', 3, 400, 300),
    ]
    table = read_fixations(write(tmp_path, tsv(samples)), **SAID, time_zero='first')
    assert table['start_s'].tolist() == pytest.approx([0.0, 0.0, 0.01])
    assert table.attrs['showings'] == [{'video': 'a', 'observer': 'P1', 'showings': 2}]


def test_a_fixation_without_any_video_is_counted(tmp_path):
    samples = [*SAMPLES[:10], sample(400, 'Fixation', 3, 400, 300, video='')]
    assert read_fixations(write(tmp_path, tsv(samples)), **SAID).attrs['counts']['no_video'] == 1


def test_an_empty_column_of_stimuli_gives_way_to_the_next(tmp_path):
    path = write(tmp_path, tsv(layout={'empty': 'Presented Stimulus name'} | OLD, scale=1))
    assert rows(read_fixations(path, **SAID, time_unit='ms')) == EXPECTED


def test_the_sensor_may_be_written_in_small_letters(tmp_path):
    path = write(tmp_path, tsv().replace('Eye Tracker', 'Eye tracker'))
    assert rows(read_fixations(path, **SAID)) == EXPECTED


def test_one_observer_may_be_renamed_and_several_may_not(tmp_path):
    with pytest.raises(GazeFormatError, match=r'names 2 observers .* leave --observer out'):
        read_fixations(write(tmp_path, tsv()), observer='x', **SAID)
    table = read_fixations(write(tmp_path, tsv(SAMPLES[:10])), observer='x', **SAID)
    assert set(table['observer']) == {'x'}
