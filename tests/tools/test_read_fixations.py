"""The command that reads gaze files: many into one table, faults spared, counts in words."""

import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from mmsal.gaze import FORMATS, Recording, read_fixation_table, read_fixations

TOOL = 'data/gaze/read_fixations.py'
ROOT = Path(__file__).resolve().parents[2]
HEADER = 'video,observer,start_s,end_s,x_px,y_px\n'
NEON = (
    'recording id,fixation id,start timestamp [ns],end timestamp [ns],fixation x [px],'
    'fixation y [px]\n'
)
ZERO = 1725032224852161732


@pytest.fixture
def tables(tmp_path):
    """Three tables of three observers, the last of them broken. SYNTHETIC."""
    folder = tmp_path / 'gaze'
    folder.mkdir()
    (folder / 'a.csv').write_text(HEADER + 'v.mp4,o1,0,1,10,20\nv.mp4,o1,1,2,900,20\n')
    (folder / 'b.csv').write_text(HEADER + 'v.mp4,o2,0,1,30,40\n')
    (folder / 'c.csv').write_text(HEADER + 'v.mp4,o3,0,1,30,40\nv.mp4,o3,0,1,here,40\n')
    return folder


def test_many_files_become_one_table(command, tables, tmp_path):
    out = tmp_path / 'new' / 'fixations.csv'
    status, said, errors = command(
        TOOL, tables / 'a.csv', tables / 'b.csv', '--out', out, '--video-size', '640x360'
    )
    assert (status, errors) == (0, '')
    table = read_fixation_table(out)
    assert table.to_numpy().tolist() == [
        ['v.mp4', 'o1', 0.0, 1.0, 10.0, 20.0],
        ['v.mp4', 'o2', 0.0, 1.0, 30.0, 40.0],
    ]
    lines = said.splitlines()
    left = 'left out: 1 outside the picture'
    assert lines[0] == f'{tables / "a.csv"}: 1 fixation from 2 rows; {left} (table)'
    assert lines[1] == f'{tables / "b.csv"}: 1 fixation from 1 row (table)'
    total = '2 of 2 files, 1 video, 2 observers: 2 fixations from 3 rows'
    assert lines[2] == f'{total}; {left}: {out}'
    note = json.loads((out.parent / 'fixations.csv.json').read_text())
    assert note['failed'] == [] and note['files'][0]['counts']['outside'] == 1
    assert note['files'][0]['recording'] == {'video_size': [640.0, 360.0]}
    assert sorted(path.name for path in out.parent.iterdir()) == [
        'fixations.csv',
        'fixations.csv.json',
    ]


def test_a_file_that_fails_leaves_nothing_and_the_others_go_on(command, tables, tmp_path):
    out = tmp_path / 'fixations.parquet'
    status, said, errors = command(TOOL, *sorted(tables.iterdir()), '--out', out)
    assert status == 3
    assert errors.count('\n') == 1 and errors.startswith('failed: ')
    assert 'c.csv: row 1' in errors and "'here'" in errors
    assert set(read_fixation_table(out)['observer']) == {'o1', 'o2'}
    assert '2 of 3 files' in said
    note = json.loads((tmp_path / 'fixations.parquet.json').read_text())
    assert [Path(one['file']).name for one in note['failed']] == ['c.csv']


def test_all_that_fail_write_nothing(command, tables, tmp_path):
    out = tmp_path / 'fixations.csv'
    paths = [tables / 'c.csv', tables / 'gone.csv']
    status, _, errors = command(TOOL, *paths, '--out', out)
    assert status == 2 and not out.exists()
    lines = errors.splitlines()
    assert lines[0].startswith('failed: ') and 'gone.csv: no such gaze file' in lines[1]
    assert lines[2] == 'error: none of 2 files could be read'


def test_patterns_and_repeated_paths(command, tables, tmp_path):
    out = tmp_path / 'fixations.csv'
    status, said, _ = command(TOOL, tables / '[ab].csv', tables / 'a.csv', '--out', out)
    assert status == 0 and '2 of 2 files' in said


def test_an_observer_in_two_files_is_pointed_out(command, tables, tmp_path):
    (tables / 'd.csv').write_text((tables / 'a.csv').read_text())
    status, _, errors = command(
        TOOL, tables / 'a.csv', tables / 'd.csv', '--out', tmp_path / 'fixations.csv'
    )
    assert status == 0
    assert errors.startswith('warning: observer o1 on v.mp4 is in several files: ')


def test_a_file_of_which_nothing_is_left_is_pointed_out(command, tables, tmp_path):
    out = tmp_path / 'fixations.csv'
    size = ('--video-size', '5x5')
    status, _, errors = command(TOOL, tables / 'b.csv', '--out', out, *size)
    assert status == 0 and len(read_fixation_table(out)) == 0
    assert errors.startswith(f'warning: {tables / "b.csv"}: no fixation is left: 0 fixations')


def write_neon(folder, start):
    folder.mkdir(parents=True)
    (folder / 'fixations.csv').write_text(NEON + f'r,1,{start},{start + 10**9},100,50\n')
    return folder / 'fixations.csv'


def test_names_from_the_path_and_an_exact_clock(command, tmp_path):
    paths = [
        write_neon(tmp_path / name / 'park', ZERO + place)
        for place, name in enumerate(('P1', 'P2'))
    ]
    out = tmp_path / 'fixations.csv'
    names = r'(?P<observer>P\d+)/(?P<video>[^/]+)/fixations\.csv$'
    size = ('--video-size', '640x360', '--time-zero', ZERO)
    assert command(TOOL, *paths, '--out', out, '--names', names, *size)[0] == 0
    table = read_fixation_table(out)
    assert table['observer'].tolist() == ['P1', 'P2'] and set(table['video']) == {'park'}
    assert table['start_s'].tolist() == [0.0, 1e-9]


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        (['--names', '(?P<observer>'], ['regular expression']),
        (['--names', 'P1'], ['(?P<video>...)']),
        (['--names', '(?P<observer>P9)', '--video', 'v'], ['does not fit --names']),
        (['--names', '(?P<observer>P1)', '--observer', 'o'], ['said twice', '--observer']),
        (['--video', 'v', '--observer', 'o'], ['--time-zero']),
        (['--video', 'v', '--observer', 'o', '--time-zero', '5'], ['--video-size']),
        (['--fps', '0'], ['positive fps']),
        (['--frame-times', 'gone.txt'], ['gone.txt']),
        (['--video-size', 'gone.csv'], ['gone.csv']),
        (['--screen-size', '5'], ["'5'"]),
        (['--video-rect', '1,2,3'], ['x, y, width, height']),
    ],
)
def test_mistakes_in_the_options_are_one_line(command, tmp_path, options, words):
    path = write_neon(tmp_path / 'P1', ZERO)
    status, _, errors = command(TOOL, path, '--out', tmp_path / 'fixations.csv', *options)
    assert status == 2 and errors.count('\n') == 1 and errors.startswith('error: '), errors
    assert all(word in errors for word in words), errors
    assert not (tmp_path / 'fixations.csv').exists()


def test_sizes_and_frame_times_from_files(command, tmp_path):
    gaze = {
        'units': 'pixels',
        'database': {
            name: {'annotations': [{'frame': 1, 'observer': 'o', 'point': [99.0, 9.0]}]}
            for name in ('small', 'large')
        },
    }
    (tmp_path / 'gaze.json').write_text(json.dumps(gaze))
    (tmp_path / 'sizes.csv').write_text('video,width,height\nsmall,64,48\nlarge,640,480\n')
    (tmp_path / 'times.txt').write_text('0\n0.04\n0.1\n')
    out = tmp_path / 'fixations.csv'
    status, said, errors = command(
        TOOL, tmp_path / 'gaze.json', '--out', out, '--video-size', tmp_path / 'sizes.csv',
        '--frame-times', tmp_path / 'times.txt', '--first-frame', '0',
    )  # fmt: skip
    assert (status, errors) == (0, '') and '1 outside the picture' in said
    assert read_fixation_table(out).to_numpy().tolist() == [['large', 'o', 0.04, 0.1, 99.0, 9.0]]


def test_every_format_is_listed(command):
    status, said, _ = command(TOOL, '--list-formats')
    assert status == 0
    assert all(f'{name}: {one.title}' in said for name, one in FORMATS.items())


def test_everything_a_recording_may_say_is_an_option(command):
    status, said, _ = command(TOOL, '--help')
    assert status == 0
    for one in fields(Recording):
        assert f'--{one.name.replace("_", "-")} ' in said, one.name


def test_the_command_as_a_process_of_its_own(tables, tmp_path):
    done = subprocess.run(
        [sys.executable, str(ROOT / 'tools' / TOOL), str(tables / 'b.csv'), '--out', 'f.csv'],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, '')
    assert len(read_fixation_table(tmp_path / 'f.csv')) == 1


def test_real_recordings_become_the_table_that_reading_them_gives(command, real_data, tmp_path):
    paths = sorted((real_data / 'gaze' / 'dhf1k_002').glob('P0[123]_Trail002.txt'))
    out = tmp_path / 'fixations.parquet'
    status, said, errors = command(TOOL, *paths, '--out', out, '--video-size', '640x360')
    assert (status, errors) == (0, '') and '3 of 3 files, 1 video, 3 observers' in said
    table = read_fixation_table(out)
    for path in paths:
        one = read_fixations(path, video_size=(640, 360))
        rows = table[table['observer'] == path.name[:3]]
        np.testing.assert_array_equal(rows.to_numpy(), one.to_numpy())
