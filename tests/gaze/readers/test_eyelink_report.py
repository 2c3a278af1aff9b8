"""Fixation reports: files written here as SR Research's Data Viewer writes them."""

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsal.gaze.readers import find_format, read_fixations
from mmsal.gaze.table import GazeFormatError

HEADER = (
    'RECORDING_SESSION_LABEL\tTRIAL_INDEX\tEYE_USED\tCURRENT_FIX_INDEX\tCURRENT_FIX_START\t'
    'CURRENT_FIX_END\tCURRENT_FIX_DURATION\tCURRENT_FIX_X\tCURRENT_FIX_Y\tvideo\tonset\n'
)
REPORT = HEADER + (
    's01\t1\tRIGHT\t1\t512\t700\t189\t400.20\t300.00\ta.avi\t500\n'
    's01\t1\tRIGHT\t2\t730\t.\t171\t401.00\t302.40\ta.avi\t500\n'
    's01\t2\tRIGHT\t1\t900\t1000\t101\t.\t.\tb.avi\t650\n'
    's02\t1\tLEFT\t1\t300\t450\t151\t420.00\t340.00\tb.avi\t400\n'
    's02\t2\tLEFT\t1\t300\t450\t151\t420.00\t340.00\t.\t.\n'
)
SAID = {
    'video_column': 'video',
    'time_zero': 'onset',
    'video_size': (320, 240),
    'video_rect': (80, 60, 640, 480),  # 2 screen pixels per pixel of the video
}


def write(tmp_path, text, name='report.txt'):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def rows(table):
    return [tuple(row) for row in table.round(9).itertuples(index=False)]


EXPECTED = [
    ('a.avi', 's01', 0.012, 0.2, 160.1, 120.0),
    ('a.avi', 's01', 0.23, 0.401, 160.5, 121.2),
    ('b.avi', 's02', -0.1, 0.05, 170.0, 140.0),
]


def test_a_report_gives_the_exact_table(tmp_path):
    path = write(tmp_path, REPORT)
    assert find_format(path).name == 'eyelink_report'
    table = read_fixations(path, **SAID)
    assert rows(table) == EXPECTED
    assert table.attrs['counts'] == {
        'rows': 5, 'no_video': 1, 'no_time_zero': 0, 'missing': 1, 'before_video': 0, 'outside': 0,
        'fixations': 3,
    }  # fmt: skip


def quoted(text):
    lines = [[f'"{cell}"' for cell in line.split('\t')] for line in text.splitlines()]
    return '\n'.join(','.join(line) for line in lines)


@pytest.mark.parametrize(
    'change',
    [
        lambda text: text.replace('.00', ',00').replace('.20', ',20').replace('.40', ',40'),
        lambda text: text.replace('\t', ';'),
        lambda text: text.replace('\t', ','),
        quoted,
        lambda text: text.replace('\n', '\r\n'),
        lambda text: b'\xef\xbb\xbf' + text.encode(),
        lambda text: text.encode('utf-16'),
        lambda text: text.replace('\t700\t', '\t.\t').replace('RIGHT', 'Right'),
    ],
    ids=['decimal commas', ';', ',', 'quoted', 'CRLF', 'BOM', 'UTF-16', 'no end'],
)
def test_what_the_region_of_the_computer_changes(tmp_path, change):
    path = write(tmp_path, change(REPORT), 'report.csv')
    assert find_format(path).name == 'eyelink_report'
    table = read_fixations(path, **SAID)
    expected = EXPECTED
    if b'\t.\t189' in path.read_bytes():
        # The duration counts the last sample, END names it.
        expected = [(*EXPECTED[0][:3], 0.201, *EXPECTED[0][4:]), *EXPECTED[1:]]
    assert rows(table) == expected


def without(column, text=REPORT):
    table = pd.read_csv(io.StringIO(text), sep='\t', dtype=str).drop(columns=column)
    return table.to_csv(sep='\t', index=False)


def test_end_or_duration_is_enough(tmp_path):
    no_end = read_fixations(write(tmp_path, without('CURRENT_FIX_END')), **SAID)
    assert no_end['end_s'].tolist() == pytest.approx([0.201, 0.401, 0.051])
    no_duration = read_fixations(write(tmp_path, without('CURRENT_FIX_DURATION')), **SAID)
    assert no_duration['end_s'].tolist() == pytest.approx([0.2, 0.05])
    assert no_duration.attrs['counts']['missing'] == 2


def test_one_trial_may_be_named_by_hand(tmp_path):
    path = write(tmp_path, without(['video', 'onset'], HEADER + REPORT.split('\n')[1] + '\n'))
    said = SAID | {'video_column': None, 'video': 'x', 'time_zero': 512, 'observer': '{stem}'}
    assert rows(read_fixations(path, **said)) == [('x', 'report', 0.0, 0.188, 160.1, 120.0)]


BOTH = HEADER + (
    's01\t1\tLEFT\t1\t500\t700\t201\t400.00\t300.00\ta.avi\t500\n'
    's01\t1\tRIGHT\t1\t510\t710\t201\t402.00\t304.00\ta.avi\t500\n'
    's01\t2\tLEFT\t1\t500\t700\t201\t500.00\t300.00\tb.avi\t500\n'
    's01\t2\tRIGHT\t1\t900\t910\t11\t502.00\t304.00\tb.avi\t500\n'
)


def test_both_eyes_need_a_word_on_which(tmp_path):
    path = write(tmp_path, BOTH)
    with pytest.raises(GazeFormatError, match='both eyes'):
        read_fixations(path, **SAID)
    left = read_fixations(path, eye='left', **SAID)
    assert left['x_px'].tolist() == [160, 210] and left.attrs['counts']['other_eye'] == 2
    mean = read_fixations(path, eye='mean', **SAID)
    assert rows(mean) == [('a.avi', 's01', 0.01, 0.2, 160.5, 121.0)]
    assert mean.attrs['counts']['one_eye_alone'] == 2


@pytest.mark.parametrize(
    ('said', 'words'),
    [
        ({'time_zero': None}, ['--time-zero']),
        ({'video_column': None}, ['--video']),
        ({'video_column': None, 'video': 'x'}, ['s01 has trials 1 to 2', '--video-column']),
        ({'video': 'x'}, ['got both']),
        ({'video_column': 'clip'}, ['no column clip']),
        ({'time_zero': 'start'}, ['a number of ms or a column', "'start'"]),
        ({'time_zero': 'first'}, ['start of the trial', 'time_zero is 0']),
        ({'time_zero': 'IP_START_TIME'}, ['clock of the tracker']),
        ({'video_rect': None}, ['--video-rect']),
    ],
)
def test_what_must_be_said_is_asked_for(tmp_path, said, words):
    with pytest.raises(GazeFormatError) as error:
        read_fixations(write(tmp_path, REPORT), **SAID | said)
    assert all(word in str(error.value) for word in words), str(error.value)


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('', ['empty']),
        (HEADER, ['no row']),
        (without('CURRENT_FIX_X'), ['absent: CURRENT_FIX_X']),
        (without(['CURRENT_FIX_END', 'CURRENT_FIX_DURATION']), ['_END or CURRENT_FIX_DURATION']),
        (without('RECORDING_SESSION_LABEL'), ['--observer']),
        (without('EYE_USED'), ['EYE_REPORTED or EYE_USED: leave --eye out']),
        (REPORT.replace('730', 'soon'), ['line 3', 'CURRENT_FIX_START', "'soon'"]),
        (REPORT.replace('\t700\t', '\t500\t'), ['line 2', 'ends after it starts']),
        (REPORT.replace('\t.\t171', '\t.\t-171'), ['line 3', 'ends after it starts']),
        (REPORT.replace('RIGHT\t2', 'BOTH\t2'), ['line 3', 'LEFT or RIGHT', "'BOTH'"]),
        (REPORT.replace('s02\t1', '\t1'), ['line 5', 'RECORDING_SESSION_LABEL']),
        (REPORT.replace('401.00', '1.401.00'), ['line 3', 'CURRENT_FIX_X']),
        (REPORT[: REPORT.index('151\t420') + 5], ['line 5', 'cut short']),
    ],
)
def test_faults_are_named_with_their_line(tmp_path, text, words):
    path = write(tmp_path, text)
    with pytest.raises(GazeFormatError) as error:
        read_fixations(path, format='eyelink_report', eye='right', **SAID)
    assert str(error.value).startswith(str(path)) and '\n' not in str(error.value)
    assert all(word in str(error.value) for word in words), str(error.value)


fixation = st.tuples(
    st.sampled_from(['s01', '007', 'NA']),
    st.sampled_from(['a.avi', 'b c.avi']),
    st.integers(0, 9000),
    st.integers(0, 900),
    st.integers(8000, 71999),
    st.integers(6000, 53999),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(fixation, min_size=1, max_size=6), st.sampled_from('.,'))
def test_what_is_written_is_read_back(tmp_path_factory, fixations, point):
    lines, expected = [], []
    for number, (observer, video, start, length, x, y) in enumerate(fixations):
        place = [f'{axis / 100:.2f}'.replace('.', point) for axis in (x, y)]
        cells = [observer, 1, 'LEFT', number, start, start + length, length + 1, *place, video, 250]
        lines.append('\t'.join(map(str, cells)))
        expected.append([(start - 250) / 1e3, (start + length - 250) / 1e3, (x / 100 - 80) / 2,
                         (y / 100 - 60) / 2])  # fmt: skip
    path = write(tmp_path_factory.mktemp('report'), HEADER + '\n'.join(lines) + '\n')
    table = read_fixations(path, **SAID)
    kept = [one for one in expected if not (one[0] < 0 and one[1] <= 0)]
    assert table[['start_s', 'end_s', 'x_px', 'y_px']].to_numpy().reshape(-1, 4) == (
        pytest.approx(np.array(kept).reshape(-1, 4))
    )
    assert len(kept) + table.attrs['counts']['before_video'] == len(fixations)


@pytest.mark.parametrize('cell', ['UNDEFINED', '.', ''])
def test_a_trial_whose_start_was_not_set_is_counted(tmp_path, cell):
    text = REPORT.replace('b.avi\t400\n', f'b.avi\t{cell}\n')
    table = read_fixations(write(tmp_path, text), **SAID)
    assert rows(table) == EXPECTED[:2] and table.attrs['counts']['no_time_zero'] == 1


def test_several_observers_cannot_be_renamed(tmp_path):
    with pytest.raises(GazeFormatError, match=r'names 2 observers .* leave --observer out'):
        read_fixations(write(tmp_path, REPORT), observer='x', **SAID)
    one = '\n'.join(REPORT.split('\n')[:4]) + '\n'
    assert set(read_fixations(write(tmp_path, one), observer='x', **SAID)['observer']) == {'x'}


def test_a_video_seen_in_two_trials_is_told(tmp_path):
    table = read_fixations(write(tmp_path, REPORT.replace('b.avi', 'a.avi')), **SAID)
    assert table.attrs['showings'] == [{'video': 'a.avi', 'observer': 's01', 'showings': 2}]
