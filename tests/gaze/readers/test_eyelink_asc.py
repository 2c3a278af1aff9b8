"""EyeLink ASC: files written here to the layout of SR Research's edf2asc, with several trials."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsal.gaze.readers import find_format, read_fixations
from mmsal.gaze.table import GazeFormatError

HEAD = """\
** CONVERTED FROM C:\\data\\s01.edf using edfapi 4.2.1 Linux standalone Sep 26 2023
** DATE: Tue Mar  3 10:11:12 2026
** TYPE: EDF_FILE BINARY EVENT SAMPLE TAGGED
** VERSION: EYELINK II 1
**

MSG\t4000000 DISPLAY_COORDS 0 0 1279 1023
"""
SAID = {
    'observer': 's01',
    'video_size': (640, 512),
    'video_rect': 'letterbox',  # 2 screen pixels per pixel of the video
    'time_zero': 'VIDEO_START',
}


def recording(lines, start=4000100, end=4009000, eyes='RIGHT'):
    """One block of recording around lines of messages and events."""
    return (
        f'START\t{start} \t{eyes}\tSAMPLES\tEVENTS\nPRESCALER\t1\nVPRESCALER\t1\n'
        f'PUPIL\tAREA\nEVENTS\tGAZE\t{eyes}\tRATE\t1000.00\tTRACKING\tCR\tFILTER\t2\n'
        f'SAMPLES\tGAZE\t{eyes}\tRATE\t1000.00\tTRACKING\tCR\tFILTER\t2\n'
        f'{start}\t  980.4\t  556.0\t  606.0\t...\n' + lines +
        f'END\t{end} \tSAMPLES\tEVENTS\tRES\t  47.75\t  45.92\n'
    )  # fmt: skip


def efix(eye, start, end, x, y, pupil=572):
    """A fixation as edf2asc writes it: the duration counts the last sample too."""
    return f'EFIX {eye}   {start}\t{end}\t{end - start + 1}\t  {x}\t  {y}\t   {pupil}\n'


ONE_EYE = recording(
    'MSG\t4001000 VIDEO_START\n'
    'SFIX R   4001100\n' + efix('R', 4001100, 4001298, 100.0, 50.0) +
    'SSACC R  4001300\nESACC R  4001300\t4001320\t21\t100.0\t50.0\t300.0\t80.0\t3.1\t280\n'
    'SBLINK R 4001330\nEBLINK R 4001330\t4001400\t71\n' + efix('R', 4001404, 4001900, 300.4, 80.2)
)  # fmt: skip


def write(tmp_path, text, name='s01.asc'):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def rows(table):
    return [tuple(row) for row in table.round(9).itertuples(index=False)]


def test_a_recording_of_one_eye_gives_the_exact_table(tmp_path):
    path = write(tmp_path, HEAD + ONE_EYE)
    assert find_format(path).name == 'eyelink_asc'
    table = read_fixations(path, video='a.avi', **SAID)
    assert rows(table) == [
        ('a.avi', 's01', 0.1, 0.298, 50.0, 25.0),
        ('a.avi', 's01', 0.404, 0.9, 150.2, 40.1),
    ]
    assert table.attrs['counts'] == {
        'rows': 2, 'no_video': 0, 'no_time_zero': 0, 'missing': 0, 'before_video': 0, 'outside': 0,
        'fixations': 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    'change',
    [
        lambda text: text.replace(b'\n', b'\r\n'),
        lambda text: b'\xef\xbb\xbf' + text,
        lambda text: text.decode().encode('utf-16'),
        lambda text: text.replace(b'VIDEO_START', b'VIDEO_START J\xf6rg'),  # Latin-1
    ],
    ids=['CRLF', 'BOM', 'UTF-16', 'Latin-1'],
)
def test_encodings_and_line_ends_change_nothing(tmp_path, change):
    plain = read_fixations(write(tmp_path, HEAD + ONE_EYE), video='a.avi', **SAID)
    changed = write(tmp_path, change((HEAD + ONE_EYE).encode()), 'changed.asc')
    pd.testing.assert_frame_equal(read_fixations(changed, video='a.avi', **SAID), plain)


def test_time_zero_may_be_a_number_or_the_start_of_recording(tmp_path):
    path = write(tmp_path, HEAD + ONE_EYE)
    at = {
        zero: read_fixations(path, video='a', **SAID | {'time_zero': zero})['start_s'][0]
        for zero in (4001000, 4000600.5, 'first')
    }
    assert at == pytest.approx({4001000: 0.1, 4000600.5: 0.4995, 'first': 1.0})


@pytest.mark.parametrize(
    ('message', 'start'),
    [
        ('MSG\t4001000 -12 VIDEO_START\n', 0.088),  # shown 12 ms after the message was sent
        ('MSG\t4003000 2000 VIDEO_START\n', 0.1),  # sent 2 s after the first frame
        ('MSG 4001000 0 !V VFRAME 1 0 0 VIDEO_START.avi\n', 0.1),
    ],
)
def test_the_offset_of_a_message_is_subtracted(tmp_path, message, start):
    text = HEAD + ONE_EYE.replace('MSG\t4001000 VIDEO_START\n', message)
    assert read_fixations(write(tmp_path, text), video='a', **SAID)['start_s'][0] == (
        pytest.approx(start)
    )


def test_missing_early_and_outside_fixations_are_counted(tmp_path):
    text = HEAD + recording(
        efix('R', 4000200, 4000400, 100.0, 50.0)  # over before the first frame
        + efix('R', 4000500, 4001050, 10.0, 20.0)  # begins before it
        + 'MSG\t4001000 VIDEO_START\n'
        + efix('R', 4001100, 4001200, '.', '.', 0)
        + efix('R', 4001300, 4001400, 1280.0, 50.0)
        + efix('R', 4001500, 4001600, -0.1, 50.0)
        + efix('R', 4001700, 4001800, 1279.9, 1023.9)
    )
    table = read_fixations(write(tmp_path, text), video='a', **SAID)
    assert table['start_s'].tolist() == pytest.approx([-0.5, 0.7])
    counts = table.attrs['counts']
    assert (counts['before_video'], counts['missing'], counts['outside']) == (1, 1, 2)


BOTH_EYES = HEAD + recording(
    'MSG\t4001000 VIDEO_START\n'
    # The right eye leaves 5 ms late: it touches the left eye's second fixation.
    + efix('L', 4001100, 4001300, 100.0, 50.0)
    + efix('R', 4001105, 4001310, 104.0, 54.0)
    + efix('L', 4001305, 4001500, 300.0, 80.0)
    + efix('R', 4001315, 4001505, 302.0, 82.0)
    + efix('L', 4001600, 4001650, 500.0, 90.0),
    eyes='LEFT\tRIGHT',
)


def test_both_eyes_need_a_word_on_which(tmp_path):
    path = write(tmp_path, BOTH_EYES)
    with pytest.raises(GazeFormatError, match='both eyes: give --eye left, right or mean'):
        read_fixations(path, video='a', **SAID)
    left = read_fixations(path, video='a', eye='left', **SAID)
    assert left['x_px'].tolist() == [50, 150, 250] and left.attrs['counts']['other_eye'] == 2
    right = read_fixations(path, video='a', eye='right', **SAID)
    assert right['x_px'].tolist() == [52, 151] and right.attrs['counts']['other_eye'] == 3


def test_the_mean_of_the_eyes_is_of_fixations_at_one_time(tmp_path):
    table = read_fixations(write(tmp_path, BOTH_EYES), video='a', eye='mean', **SAID)
    assert rows(table) == [
        ('a', 's01', 0.105, 0.3, 51.0, 26.0),
        ('a', 's01', 0.315, 0.5, 150.5, 40.5),
    ]
    assert table.attrs['counts']['one_eye_alone'] == 1


@pytest.mark.parametrize(('eye', 'words'), [('left', 'got right only'), ('mean', 'needs both')])
def test_an_eye_that_is_not_there_is_refused(tmp_path, eye, words):
    with pytest.raises(GazeFormatError, match=words):
        read_fixations(write(tmp_path, HEAD + ONE_EYE), video='a', eye=eye, **SAID)


def trial(number, begin, video, after_end=False):
    """A trial as Experiment Builder writes it; the video's name may come after the recording."""
    name = f'MSG\t{begin + 1000 if after_end else begin + 5} !V TRIAL_VAR video {video}\n'
    block = recording(
        f'MSG\t{begin + 100} -10 VIDEO_START\n' + efix('R', begin + 210, begin + 400, 10, 20),
        begin + 10, begin + 900,
    )  # fmt: skip
    parts = [f'MSG\t{begin} TRIALID {number}\n', block]
    parts.insert(2 if after_end else 1, name if video else '')
    return ''.join(parts) + f'MSG\t{begin + 1010} TRIAL_RESULT 0\n'


@pytest.mark.parametrize('after_end', [False, True])
def test_messages_name_the_videos_of_several_trials(tmp_path, after_end):
    text = HEAD + (
        trial(1, 4010000, '')  # practice
        + trial(2, 4020000, 'clips/a b.avi', after_end)
        + trial(3, 4030000, 'c.avi', after_end)
        + trial(4, 4040000, 'clips/a b.avi', after_end)  # shown again
    )
    path = write(tmp_path, text)
    said = SAID | {'video_message': r'TRIAL_VAR video (?P<video>.+)'}
    table = read_fixations(path, **said)
    assert table['video'].tolist() == ['clips/a b.avi', 'c.avi', 'clips/a b.avi']
    assert table['start_s'].tolist() == pytest.approx([0.1] * 3)
    assert table.attrs['counts']['no_video'] == 1
    first = read_fixations(path, **said | {'time_zero': 'first'})
    assert first['start_s'].tolist() == pytest.approx([0.2] * 3)


def test_frame_messages_name_videos_without_trials(tmp_path):
    frames = ''.join(
        f'MSG\t{begin + 40 * number} -3 !V VFRAME {number + 1} 12 34 ../{video}\n'
        for begin, video in ((4001000, 'a.avi'), (4003000, 'b.avi'))
        for number in range(3)
    )
    text = HEAD + recording(
        frames
        + efix('R', 4001103, 4001200, 10, 20)
        + efix('R', 4002900, 4003103, 30, 40)  # goes on when the next video starts
    )
    table = read_fixations(
        write(tmp_path, text),
        video_message=r'VFRAME \d+ \d+ \d+ \.\./(?P<video>\S+)',
        **SAID | {'time_zero': r'VFRAME 1 '},
    )
    assert rows(table) == [
        ('a.avi', 's01', 0.1, 0.197, 5.0, 10.0),
        ('a.avi', 's01', 1.897, 2.1, 15.0, 20.0),
        ('b.avi', 's01', -0.103, 0.1, 15.0, 20.0),
    ]
    assert table.attrs['counts']['in_two_trials'] == 1


def test_an_aborted_trial_is_counted_not_guessed(tmp_path):
    aborted = trial(2, 4020000, 'b.avi').replace('VIDEO_START', 'ABORT')
    text = HEAD + trial(1, 4010000, 'a.avi') + aborted
    table = read_fixations(
        write(tmp_path, text), video_message='TRIAL_VAR video (?P<video>.+)', **SAID
    )
    assert table['video'].tolist() == ['a.avi']
    assert table.attrs['counts']['no_time_zero'] == 1


@pytest.mark.parametrize(
    ('said', 'words'),
    [
        ({'observer': None, 'time_zero': None}, ['--observer, --time-zero']),
        ({'video': None}, ['--video']),
        ({'time_zero': 'NO_SUCH'}, ["no message fits time_zero 'NO_SUCH'"]),
        ({'time_zero': '(VIDEO'}, ['regular expression']),
        ({'video_message': 'VIDEO (.*)'}, ['(?P<video>...)']),
        ({'video_message': '(?P<video>VIDEO)'}, ['--video or --video-message', 'both']),
        ({'video_message': '(?P<video>X)', 'video': None}, ['no message fits']),
        ({'screen_size': (1920, 1080)}, ['1280x1024', '1920x1080']),
        ({'video_rect': None}, ['--video-rect']),
    ],
)
def test_what_must_be_said_is_asked_for(tmp_path, said, words):
    with pytest.raises(GazeFormatError) as error:
        read_fixations(write(tmp_path, HEAD + ONE_EYE), **{'video': 'a'} | SAID | said)
    assert all(word in str(error.value) for word in words)


def test_a_start_that_fits_several_messages_is_refused(tmp_path):
    text = HEAD + trial(1, 4010000, 'a.avi') + trial(2, 4020000, 'b.avi')
    with pytest.raises(GazeFormatError, match=r'got 2 for a; several videos .* --video-message'):
        read_fixations(write(tmp_path, text), video='a', **SAID)


def test_the_screen_may_start_elsewhere_and_gaze_coords_go_first(tmp_path):
    text = HEAD + 'MSG\t4000001 GAZE_COORDS 100.00 50.00 739.00 561.00\n' + ONE_EYE
    table = read_fixations(write(tmp_path, text), video='a', **SAID)
    # The screen is 640x512 from (100, 50), as large as the video.
    assert table[['x_px', 'y_px']].to_numpy() == pytest.approx(np.array([[0, 0], [200.4, 30.2]]))


@pytest.mark.parametrize(
    ('old', 'new', 'words'),
    [
        ('', None, ['empty']),
        (ONE_EYE, '', ['no fixation (EFIX)']),
        ('300.4', 'x300', ['line 22', 'EFIX eye start end', 'x300']),
        ('EFIX R   4001404', 'EFIX X   4001404', ['line 22', 'EFIX eye']),
        ('4001404\t4001900', '4001904\t4001900', ['line 22', 'ends after it starts']),
        ('\t497\t', '\t-497\t', ['line 22', 'ends after it starts']),
        ('4001404\t4001900', '4001404\tnan', ['line 22']),
        ('MSG\t4001000', 'MSG\tsoon', ['line 15', 'MSG time text']),
        ('EVENTS\tGAZE', 'EVENTS\tHREF', ['line 12', 'screen pixels']),
        ('START\t4000100', 'START\t', ['line 8', 'START time']),
    ],
)
def test_faults_are_named_with_their_line(tmp_path, old, new, words):
    text = '' if new is None else (HEAD + ONE_EYE).replace(old, new)
    path = write(tmp_path, text)
    with pytest.raises(GazeFormatError) as error:
        read_fixations(path, format='eyelink_asc', video='a', **SAID)
    assert str(error.value).startswith(str(path)) and '\n' not in str(error.value)
    assert all(word in str(error.value) for word in words), str(error.value)


def test_a_file_cut_short_anywhere_after_its_first_fixation_is_refused(tmp_path):
    text = HEAD + ONE_EYE
    first, last = text.index('EFIX') + 1, text.index('\nEND\t')
    for cut in range(first, last + 4, 7):
        with pytest.raises(GazeFormatError):
            read_fixations(write(tmp_path, text[:cut]), format='eyelink_asc', video='a', **SAID)


fixation = st.tuples(
    st.integers(0, 3000), st.integers(0, 800), st.integers(0, 12799), st.integers(0, 10239)
)


@settings(max_examples=40, deadline=None)
@given(st.lists(fixation, min_size=1, max_size=6))
def test_what_is_written_is_read_back(tmp_path_factory, given_fixations):
    clock = 4002000
    lines, expected = 'MSG\t4002000 VIDEO_START\n', []
    for gap, length, x, y in given_fixations:
        start, end = clock + gap, clock + gap + length
        lines += efix('R', start, end, f'{x / 10:.1f}', f'{y / 10:.1f}')
        expected.append([(start - 4002000) / 1e3, (end - 4002000) / 1e3, x / 20, y / 20])
        clock = end + 1
    path = write(tmp_path_factory.mktemp('asc'), HEAD + recording(lines, end=clock + 10))
    table = read_fixations(path, video='a', **SAID)
    assert table[['start_s', 'end_s', 'x_px', 'y_px']].to_numpy() == (
        pytest.approx(np.array(expected))
    )


TWO_TRIALS = HEAD + trial(1, 4010000, 'a.avi') + trial(2, 4020000, 'a.avi')


@pytest.mark.parametrize('zero', ['first', 4010100])
def test_one_time_for_several_trials_is_refused(tmp_path, zero):
    with pytest.raises(GazeFormatError, match=r'2 trials \(TRIALID\): give --video-message'):
        read_fixations(write(tmp_path, TWO_TRIALS), video='a', **SAID | {'time_zero': zero})
    blocks = TWO_TRIALS.replace('TRIALID', 'RUN')
    with pytest.raises(GazeFormatError, match=r'2 recordings \(START\)'):
        read_fixations(write(tmp_path, blocks), video='a', **SAID | {'time_zero': zero})


def test_a_pattern_that_fits_once_is_enough_for_several_trials(tmp_path):
    text = TWO_TRIALS.replace('4020100 -10 VIDEO_START', '4020100 OTHER')
    table = read_fixations(write(tmp_path, text), video='a', **SAID)
    assert table['start_s'].tolist() == pytest.approx([0.1, 10.1])


def test_a_video_seen_twice_is_told(tmp_path):
    said = SAID | {'video_message': r'TRIAL_VAR video (?P<video>.+)'}
    table = read_fixations(write(tmp_path, TWO_TRIALS), **said)
    assert table.attrs['showings'] == [{'video': 'a.avi', 'observer': 's01', 'showings': 2}]
    assert table.attrs['screen_size'] == [1280, 1024]


@pytest.mark.parametrize('pattern', ['TRIAL_VAR video(?P<video> x)?', 'TRIAL_VAR (?P<video>)'])
def test_messages_whose_group_is_empty_name_nothing(tmp_path, pattern):
    with pytest.raises(GazeFormatError, match='no message fits'):
        read_fixations(write(tmp_path, TWO_TRIALS), video_message=pattern, **SAID)


@pytest.mark.parametrize('line', ['START when ready', 'END of the block', 'START 5 seconds later'])
def test_a_second_line_of_a_message_is_no_event(tmp_path, line):
    text = (HEAD + ONE_EYE).replace('MSG\t4001000 VIDEO_START', f'MSG\t4001000 VIDEO_START\n{line}')
    table = read_fixations(write(tmp_path, text), video='a', **SAID)
    assert len(table) == 2
    with pytest.raises(GazeFormatError, match='cut short'):
        read_fixations(write(tmp_path, text[: text.index('\nEND\t')]), video='a', **SAID)
