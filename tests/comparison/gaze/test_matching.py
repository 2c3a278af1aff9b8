"""What belongs together is found, and what does not fit is told."""

import gzip
import re
import unicodedata

import numpy as np
import pandas as pd
import pytest

from mmsal.comparison.gaze.matching import find_heatmaps, match
from mmsal.heatmaps import HeatmapSequence, write_heatmaps

from .studies import FPS, FRAMES, SIZE, gaze, good_maps, meta, write_maps, write_videos


def test_what_fits_is_matched(tmp_path):
    models = {
        'a': write_maps(tmp_path / 'a', good_maps),
        'b': write_maps(tmp_path / 'b', good_maps),
    }
    found = match(models, gaze(), write_videos(tmp_path / 'videos'))
    assert not found.faults
    first = found.videos[0]
    assert (first.video, first.gaze, first.size, first.fps) == ('clip1', 'clip1.mp4', SIZE, FPS)
    assert first.source.name == 'clip1.mp4'
    assert len(first.timestamps) == FRAMES


def change(folder, **changes):
    maps = HeatmapSequence(good_maps(1), np.arange(FRAMES), meta(**changes))
    write_heatmaps(maps, folder / 'clip2.npz')


@pytest.mark.parametrize(
    ('changes', 'fault'),
    [
        ({'fps': 25.0}, r'clip2: frame rate differs: 25 \(maps of a\), 10 \(maps of b\)'),
        ({'source_size': [96, 32]}, r'clip2: size differs: 96x32 \(maps of a\), 64x32'),
        ({'num_frames': 13}, r'clip2: number of frames differs: 13 \(maps of a\), 12'),
        ({'space': 'input'}, "clip2: maps of a lie in the network's input"),
        # A second apart after 17 minutes, though they differ by a thousandth only.
        ({'fps': 10.01}, r'clip2: frame rate differs: 10.01 \(maps of a\), 10 \(maps of b\)'),
        ({'fps': 9.99}, r'clip2: frame rate differs: 9.99 \(maps of a\), 10 \(maps of b\)'),
    ],
)
def test_what_models_disagree_about_is_told(tmp_path, changes, fault):
    models = {name: write_maps(tmp_path / name, good_maps) for name in 'ab'}
    change(models['a'], **changes)
    found = match(models, gaze())
    assert [one.video for one in found.videos] == ['clip1', 'clip3']
    (line,) = found.faults
    assert re.search(fault, line), line


def test_a_rate_on_the_command_line_that_contradicts_is_told(tmp_path):
    folder = write_maps(tmp_path / 'a', good_maps)
    faults = match({'a': folder}, gaze(), fps=25).faults
    assert faults[0] == 'clip1: frame rate differs: 10 (maps of a), 25 (--fps)'
    assert len(faults) == 3
    assert not match({'a': folder}, gaze(), fps=FPS).faults
    silent = write_maps(tmp_path / 'silent', good_maps, fps=None)
    faults = match({'a': silent}, gaze(), write_videos(tmp_path / 'videos'), fps=25).faults
    assert faults[0] == 'clip1: frame rate differs: 10 (the video clip1.mp4), 25 (--fps)'


@pytest.mark.parametrize('fps', [0, -25, float('nan'), float('inf'), '25'])
def test_a_rate_that_is_none_is_refused_before_anything(fps):
    with pytest.raises(ValueError, match=r'^expected fps as a positive number .*, got'):
        match({'a': None}, None, fps=fps)


def test_what_the_video_contradicts_is_told(tmp_path):
    models = {'a': write_maps(tmp_path / 'a', good_maps, fps=9.0)}
    found = match(models, gaze(), write_videos(tmp_path / 'videos'))
    assert len(found.faults) == 3
    assert 'clip1: frame rate differs: 9 (maps of a), 10 (the video clip1.mp4)' in found.faults[0]


def test_what_is_missing_is_told_on_every_side(tmp_path):
    models = {name: write_maps(tmp_path / name, good_maps) for name in 'ab'}
    (models['b'] / 'clip1.npz').unlink()
    videos = write_videos(tmp_path / 'videos')
    (videos / 'clip2.mp4').unlink()
    table = gaze()
    table['video'] = table['video'].replace('clip3.mp4', 'other.mp4')
    found = match(models, table, videos)
    assert not found.videos
    told = '\n'.join(found.faults)
    for line in (
        'clip1: no heatmaps of b',
        'clip2: no video file in',
        'clip3: no fixations',
        'other.mp4: fixations, but no heatmaps',
    ):
        assert line in told


def test_gaze_of_more_videos_is_a_note_where_all_maps_have_gaze(tmp_path):
    table = gaze()
    extra = table.assign(video='more.mp4')
    found = match({'a': write_maps(tmp_path / 'a', good_maps)}, pd.concat([table, extra]))
    assert not found.faults
    assert found.notes == ['fixations of 1 videos without heatmaps: more.mp4']


def test_text_without_sidecar_needs_a_rate_and_tells_its_size(tmp_path):
    folder = write_maps(tmp_path / 'a', good_maps, '.txt')
    for sidecar in folder.glob('*.json'):
        sidecar.unlink()
    assert all(
        'no file says its frame rate (--fps)' in line
        for line in match({'a': folder}, gaze()).faults
    )
    found = match({'a': folder}, gaze(), fps=FPS)
    assert not found.faults
    assert found.videos[0].size == SIZE


def test_maps_without_sidecar_that_cannot_be_read_are_told(tmp_path):
    folder = write_maps(tmp_path / 'a', good_maps, '.txt')
    for sidecar in folder.glob('*.json'):
        sidecar.unlink()
    (folder / 'clip2.txt').write_text('Frame 0 - Heatmap values:\n0.1 zero\n')
    found = match({'a': folder}, gaze(), fps=FPS)
    assert [one.video for one in found.videos] == ['clip1', 'clip3']
    (line,) = found.faults
    assert line.startswith(f'clip2: {folder / "clip2.txt"}') and 'zero' in line


def test_a_file_that_the_system_does_not_give_is_told(tmp_path):
    folder = write_maps(tmp_path / 'a', good_maps, '.txt')
    sidecar = folder / 'clip2.txt.json'
    sidecar.unlink()
    sidecar.mkdir()
    found = match({'a': folder}, gaze())
    assert [one.video for one in found.videos] == ['clip1', 'clip3']
    assert len(found.faults) == 1
    assert found.faults[0].startswith('clip2: ') and str(sidecar) in found.faults[0]


def test_models_files_are_the_same_video_however_their_accents_are_written(tmp_path):
    models = {name: write_maps(tmp_path / name, good_maps) for name in 'ab'}
    for form, folder in zip(('NFC', 'NFD'), models.values(), strict=True):
        (folder / 'clip2.npz').rename(folder / unicodedata.normalize(form, 'caf\u00e9.npz'))
    table = gaze().replace({'video': {'clip2.mp4': 'cafe\u0301.mp4'}})
    found = match(models, table)
    assert not found.faults
    assert [one.video for one in found.videos] == ['caf\u00e9', 'clip1', 'clip3']
    assert found.videos[0].gaze == 'cafe\u0301.mp4'


def test_failed_and_outdated_maps_are_not_taken(tmp_path):
    folder = write_maps(tmp_path / 'a', good_maps)
    (folder / 'manifest.csv').write_text(
        'video,status,output\nx,done,clip1.npz\ny,outdated,clip2.npz\nz,failed,clip3.npz\n'
    )
    assert list(find_heatmaps(folder)) == ['clip1']


def test_two_files_of_one_video_and_empty_folders_are_refused(tmp_path):
    folder = write_maps(tmp_path / 'a', good_maps)
    with gzip.open(folder / 'clip1.txt.gz', 'wt') as file:
        file.write('Frame 0 - Heatmap values:\n0.5\n')
    with pytest.raises(ValueError, match='two files of clip1'):
        find_heatmaps(folder)
    (tmp_path / 'empty').mkdir()
    with pytest.raises(ValueError, match='holds no heatmap files'):
        find_heatmaps(tmp_path / 'empty')


def test_a_damaged_file_is_named(tmp_path):
    folder = write_maps(tmp_path / 'a', good_maps)
    (folder / 'clip1.npz').write_bytes(b'no archive')
    found = match({'a': folder}, gaze())
    assert [one.video for one in found.videos] == ['clip2', 'clip3']
    assert 'clip1.npz: not a heatmap npz file' in found.faults[0]
