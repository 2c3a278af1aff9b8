"""Pupil Neon, in the layout of Pupil Cloud's time series (SYNTHETIC files)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsal.gaze import GazeFormatError, read_fixations

HEADER = (
    'section id,recording id,fixation id,start timestamp [ns],end timestamp [ns],duration [ms],'
    'fixation x [px],fixation y [px],azimuth [deg],elevation [deg]'
)
ZERO = 1725032224852161732
SAID = {'video': 'scene.mp4', 'observer': 'P1', 'video_size': (1600, 1200)}
FIXATIONS = [
    (ZERO + 1, ZERO + 200_000_001, 800.25, 600.5),
    (ZERO + 1_000_000_000, ZERO + 1_250_000_000, 1700.0, 600.0),
    (ZERO - 300, ZERO - 100, 10.0, 10.0),
]


def write_neon(folder, fixations=FIXATIONS, newline='\n', world=True):
    lines = [HEADER]
    for number, (start, end, x, y) in enumerate(fixations, 1):
        lines.append(f's1,r1,{number},{start},{end},{(end - start) // 10**6},{x!r},{y!r},1.0,-2.0')
    path = folder / 'fixations.csv'
    path.write_text(newline.join(lines) + newline, newline='')
    if world:
        (folder / 'world_timestamps.csv').write_text(
            f'section id,recording id,timestamp [ns]\ns0,r1,5\ns1,r1,{ZERO}\ns1,r1,{ZERO + 33}\n'
        )
    return path


@pytest.mark.parametrize('newline', ['\n', '\r\n'])
def test_a_correct_file_gives_the_exact_table(tmp_path, newline):
    table = read_fixations(write_neon(tmp_path, newline=newline), **SAID)
    assert table.attrs['format'] == 'pupil_neon'
    # A float of nanoseconds since 1970 would be off by up to 128 ns.
    assert table.to_numpy().tolist() == [['scene.mp4', 'P1', 1e-9, 0.200000001, 800.25, 600.5]]
    counts = table.attrs['counts']
    assert (counts['rows'], counts['outside'], counts['before_video']) == (3, 1, 1)


@pytest.mark.parametrize(
    'header', ['recording id,timestamp [ns]', 'section id,recording id,timestamp [ns]']
)
def test_the_clock_of_another_recording_is_refused(tmp_path, header):
    path = write_neon(tmp_path)
    row = f'other,{ZERO}' if header.startswith('recording') else f's1,other,{ZERO}'
    (tmp_path / 'world_timestamps.csv').write_text(f'{header}\n{row}\n')
    with pytest.raises(GazeFormatError, match='is not of the recording r1, which'):
        read_fixations(path, **SAID)


def test_time_zero_that_is_said_loses_nothing(tmp_path):
    path = write_neon(tmp_path, world=False)
    table = read_fixations(path, **SAID, time_zero=ZERO - 1)
    assert table['start_s'][0] == 2e-9


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 10**12), st.integers(0, 10**9), st.floats(0, 1599), st.floats(0, 1199)
        ),
        min_size=1,
        max_size=6,
    )
)
def test_what_is_written_in_the_layout_is_read_back(tmp_path_factory, fixations):
    written = [(ZERO + start, ZERO + start + length, x, y) for start, length, x, y in fixations]
    table = read_fixations(write_neon(tmp_path_factory.mktemp('neon'), written), **SAID)
    assert np.rint(table['start_s'] * 1e9).tolist() == [start for start, *_ in fixations]
    assert np.rint(table['end_s'] * 1e9).tolist() == [one[0] + one[1] for one in fixations]
    assert table['x_px'].tolist() == [one[2] for one in fixations]


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (lambda text: '', ['the file is empty']),
        (lambda text: HEADER + '\n', ['no row of data']),
        (lambda text: text.replace('end timestamp', 'stop'), ['absent: end timestamp [ns]']),
        (lambda text: text.replace(f',{ZERO + 1},', ',1.7e18,'), ['line 2', 'whole number']),
        (lambda text: text.replace(f',{ZERO + 1},', ',,'), ['line 2', 'start timestamp', "''"]),
        (
            lambda text: text.replace(f',{ZERO + 200_000_001},', f',{ZERO},'),
            ['line 2', 'ends before it starts'],
        ),
        (lambda text: text[: text.rindex(str(ZERO)[:5]) + 3], ['line 4', 'cut short']),
        (lambda text: text.replace('800.25', 'left'), ['line 2', 'fixation x [px]', "'left'"]),
        (lambda text: text.replace('s1,r1,2', 's1,r2,2'), ['expected one recording id', 'got 2']),
        (lambda text: text.replace('s1,r1,2', 's2,r1,2'), ['expected one section id', 'got 2']),
        (lambda text: text.replace('s1,', 's9,'), ['world_timestamps.csv', 'section s9']),
        (
            lambda text: text.replace('azimuth [deg]', 'fixation detected on surface'),
            ['not in the world video'],
        ),
    ],
)
def test_a_broken_file_is_named(tmp_path, change, words):
    path = write_neon(tmp_path)
    path.write_text(change(path.read_text()))
    with pytest.raises(GazeFormatError) as error:
        read_fixations(path, 'pupil_neon', **SAID)
    assert all(word in str(error.value) for word in [str(path), *words]), error.value


def test_a_missing_position_is_counted(tmp_path):
    path = write_neon(tmp_path)
    path.write_text(path.read_text().replace('800.25', ''))
    table = read_fixations(path, **SAID)
    assert len(table) == 0 and table.attrs['counts']['missing'] == 1


def test_what_the_file_does_not_say_must_be_said(tmp_path):
    path = write_neon(tmp_path, world=False)
    with pytest.raises(GazeFormatError, match='--video, --observer'):
        read_fixations(path)
    with pytest.raises(GazeFormatError, match='--time-zero'):
        read_fixations(path, **SAID)
