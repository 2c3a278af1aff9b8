"""What sidecars and videos say: in the right form, and without contradiction."""

import json

import numpy as np
import pytest

from mmsal.comparison.gaze.claims import Claims, agree
from mmsal.comparison.gaze.matching import match
from mmsal.heatmaps import HeatmapSequence, write_heatmaps

from .studies import FPS, FRAMES, gaze, good_maps, meta, write_maps, write_videos


@pytest.mark.parametrize(
    ('rates', 'same'),
    [
        ((24, 23.976), False),
        ((23.976, 24), False),
        ((29.97, 30000 / 1001), True),
        ((30000 / 1001, 29.97), True),
        ((23.98, 24000 / 1001), True),
        ((25, 25.006, 24.996), False),  # each like the first, but not the last two
    ],
)
def test_rates_that_drift_apart_differ_in_any_order(tmp_path, rates, same):
    models = {}
    for number, rate in enumerate(rates):
        name = f'm{number}'
        models[name] = write_maps(tmp_path / name, good_maps, fps=rate, timestamps=None)
    found = match(models, gaze())
    assert (not found.faults) is same
    assert all('frame rate differs' in line for line in found.faults)


def say(folder, changes, video='clip2'):
    """Change the sidecar of a text file."""
    path = folder / f'{video}.txt.json'
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ('changes', 'fault'),
    [
        ({'num_frames': 11}, 'maps of a have frame 11, expected frames 0 to 10 of 11'),
        ({'map_size': [32, 16]}, 'maps of a have 32x16 pixels, expected 64x32 as the source'),
        ({'fps': '25'}, "expected fps as a positive number, got '25'"),
        ({'fps': 0}, 'expected fps as a positive number, got 0'),
        ({'fps': True}, 'expected fps as a positive number, got True'),
        ({'fps': 10**400}, 'expected fps as a positive number, got 1000'),
        ({'source_size': [64]}, 'expected source_size as two whole numbers of pixels, [width, hei'),
        ({'source_size': {'width': 64}}, 'expected source_size as two whole numbers of pixels'),
        ({'source_size': '64'}, 'expected source_size as two whole numbers of pixels'),
        ({'source_size': [64.5, 32]}, 'expected source_size as two whole numbers of pixels'),
        ({'map_size': 64}, 'expected map_size as two whole numbers of pixels'),
        ({'num_frames': 'twelve'}, "expected num_frames as a whole number of at least 1, got 'tw"),
        ({'num_frames': 10**30}, 'expected num_frames as a whole number of at least 1, got 1000'),
        ({'timestamps': '0.1'}, "expected timestamps as a list of finite numbers of seconds, got"),
        ({'timestamps': [0, None]}, 'expected timestamps as a list of finite numbers of seconds'),
        ({'timestamps': [0.0, 0.1]}, 'expected timestamps of 12 frames, got 2'),
        ({'frame_indices': 'all'}, "expected frame_indices as a list of whole numbers from 0"),
        ({'frame_indices': [0, 0]}, 'expected frame_indices as a list of whole numbers from 0'),
        ({'seen_frames': 3}, 'expected seen_frames as a list of whole numbers from 0, got 3'),
        ({'space': 5}, "expected space as 'source' or 'input', got 5"),
    ],
)  # fmt: skip
def test_what_a_sidecar_says_wrongly_is_a_fault_with_its_file(tmp_path, changes, fault):
    folder = write_maps(tmp_path / 'a', good_maps, '.txt')
    say(folder, changes)
    found = match({'a': folder}, gaze())
    assert [one.video for one in found.videos] == ['clip1', 'clip3']
    (line,) = found.faults
    assert line.startswith('clip2: ') and fault in line and '\n' not in line, line
    assert fault.startswith('maps of') or f'{folder / "clip2.txt.json"}: ' in line


def test_odd_values_in_an_npz_are_faults_too(tmp_path):
    folder = write_maps(tmp_path / 'a', good_maps)
    maps = HeatmapSequence(good_maps(1), np.arange(FRAMES), meta(fps='25'))
    write_heatmaps(maps, folder / 'clip2.npz')
    (line,) = match({'a': folder}, gaze()).faults
    assert line == f"clip2: {folder / 'clip2.npz'}: expected fps as a positive number, got '25'"


def test_more_frames_than_the_video_has_are_told(tmp_path):
    folder = write_maps(tmp_path / 'a', good_maps, '.txt')
    times = [frame / FPS for frame in range(1, FRAMES + 1)]
    say(folder, {'num_frames': None, 'frame_indices': [*range(1, FRAMES + 1)], 'timestamps': times})
    found = match({'a': folder}, gaze(), write_videos(tmp_path / 'videos'))
    assert found.faults == ['clip2: maps of a have frame 12, expected frames 0 to 11 of 12']


def test_timestamps_of_common_frames_must_agree(tmp_path):
    models = {name: write_maps(tmp_path / name, good_maps, '.txt') for name in 'ab'}
    # b knows every other frame only: its fourth number is that of frame 6.
    half = [2 * frame for frame in range(FRAMES // 2)]
    say(models['b'], {'frame_indices': half, 'timestamps': [frame / FPS for frame in half]})
    assert not match(models, gaze()).faults
    within = [frame / FPS + 0.0009 for frame in half]
    say(models['b'], {'timestamps': within})
    assert not match(models, gaze()).faults
    say(models['b'], {'timestamps': [*within[:3], 1.0, *within[4:]]})
    assert match(models, gaze()).faults == [
        'clip2: timestamps differ between maps of a and maps of b (frame 6: 0.600 s, 1.000 s)'
    ]


def test_timestamps_must_agree_with_the_video(tmp_path):
    folder = write_maps(tmp_path / 'a', good_maps, '.txt')
    videos = write_videos(tmp_path / 'videos')
    say(folder, {'timestamps': [frame / FPS + 0.002 * (frame > 4) for frame in range(FRAMES)]})
    found = match({'a': folder, 'b': write_maps(tmp_path / 'b', good_maps, '.txt')}, gaze(), videos)
    assert found.faults == [
        'clip2: timestamps differ between maps of a and the video clip2.mp4 '
        '(frame 5: 0.502 s, 0.500 s)'
    ]


@pytest.mark.parametrize('seconds', [10.0, 50_000.0])
def test_single_precision_of_a_video_is_no_difference(seconds):
    step = float(np.spacing(np.float32(seconds)))
    video = Claims(
        frames=np.arange(2), timestamps=np.array([0, seconds + step]), single_precision=True
    )
    maps = Claims(frames=np.array([1]), timestamps=np.array([seconds]))
    assert not agree({'maps of a': maps, 'the video x': video})[1]
    far = Claims(frames=np.array([1]), timestamps=np.array([seconds - 0.002 - step]))
    assert len(agree({'maps of a': far, 'the video x': video})[1]) == 1
