"""Decoding ahead: the same in worker processes as here, and one bad video harms no other."""

import shutil
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from mmsal.datasets.video import read_frames
from mmsal.explain import Job, Sampling, load_config
from mmsal.explain.decoding import decode_videos, one_line
from mmsal.explain.prepare import open_pipeline

# Strides are tried that leave gaps; test_vis_cam_many.py has the warning.
pytestmark = pytest.mark.filterwarnings('ignore:clips of')

NAMES = ('person02_walking', 'person02_running', 'person01_walking', 'person01_running')


@pytest.fixture(scope='module')
def config(config_path):
    return load_config(config_path)


@pytest.fixture
def jobs(clips, damaged, tmp_path):
    """Good videos, and between them a missing one, a damaged one and one that is none."""
    good = [clips / f'{name}_d1_uncomp.avi' for name in NAMES]
    text = tmp_path / 'text.avi'
    text.write_text('no video')
    paths = [good[0], tmp_path / 'gone.avi', good[1], damaged, text, good[2], good[3]]
    ranges = {good[1]: ((0, 30), (40, 90)), good[2]: ((9000, 9010),)}
    return [Job(path, Path(path.stem), ranges.get(path)) for path in paths]


def decode(config, jobs, sampling, workers, from_source=True):
    pipeline = open_pipeline(config, sampling)
    return list(decode_videos(jobs, pipeline, sampling, from_source, workers))


def assert_same_clips(one, other):
    np.testing.assert_array_equal(one.frame_indices, other.frame_indices)
    assert (one.views, one.frame_range) == (other.views, other.frame_range)
    assert one.data.keys() == other.data.keys()
    assert torch.equal(one.data['inputs'][0], other.data['inputs'][0])
    metas = [clip.data['data_samples'][0].metainfo for clip in (one, other)]
    assert metas[0].keys() == metas[1].keys()


def told(one):
    """The error; of the damaged file only that there is one.

    The decoder's threads decide whether its fault shows when it is opened or when it is read.
    """
    return 'damaged' if 'damaged.mp4' in one.error else one.error


@pytest.mark.parametrize('from_source', [True, False])
def test_workers_give_the_same_in_the_order_of_the_list(config, jobs, from_source):
    sampling = Sampling(stride=20, keep_frames=True)
    here, there = (decode(config, jobs, sampling, workers, from_source) for workers in (0, 2))
    assert [one.job for one in here] == [one.job for one in there] == jobs
    assert [told(one) for one in here] == [told(one) for one in there]
    for one, other in zip(here, there, strict=True):
        assert (one.video is None) == (other.video is None) == bool(one.error)
        if one.video is None:
            continue
        np.testing.assert_array_equal(one.video.info.timestamps, other.video.info.timestamps)
        assert one.video.ranges == other.video.ranges
        np.testing.assert_array_equal(one.video.frames, other.video.frames)
        np.testing.assert_array_equal(one.video.pictures, other.video.pictures)
        for pair in zip(one.video.clips, other.video.clips, strict=True):
            assert_same_clips(*pair)


@pytest.mark.parametrize('workers', [0, 1, 2])
def test_bad_videos_are_errors_of_their_own(config, jobs, workers):
    found = {one.job.video.name: one for one in decode(config, jobs, Sampling(), workers)}
    errors = {name: one.error for name, one in found.items() if one.video is None}
    assert set(errors) == {
        'gone.avi', 'damaged.mp4', 'text.avi', 'person01_walking_d1_uncomp.avi'
    }  # fmt: skip
    assert 'does not exist' in errors['gone.avi']
    assert 'not a video' in errors['text.avi']
    assert 'no frame in common' in errors['person01_walking_d1_uncomp.avi']
    for name, error in errors.items():
        assert name in error
        assert '\n' not in error
    assert all(one.seconds > 0 for one in found.values())
    assert len(found['person02_running_d1_uncomp.avi'].video.clips) == 2


@pytest.mark.parametrize('workers', [0, 2])
def test_a_video_of_a_size_that_a_crop_does_not_fit_is_one_video_s_error(
    config_path, clips, tmp_path, workers
):
    small = tmp_path / 'small.avi'
    with av.open(str(small), 'w') as container:
        stream = container.add_stream('mpeg4', rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, 'yuv420p'
        for level in range(30):
            picture = np.full((48, 64, 3), level, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format='rgb24')))
        container.mux(stream.encode())
    config = load_config(config_path)
    pipeline = [step for step in config.test_pipeline if step['type'] != 'Resize']
    pipeline.insert(-2, dict(type='ThreeCrop', crop_size=120))  # asserts that it fits
    config.test_dataloader.dataset.pipeline = pipeline
    good = [clips / f'{name}_d1_uncomp.avi' for name in NAMES[:2]]
    jobs = [Job(path, Path(path.stem)) for path in (good[0], small, good[1])]
    found = decode(config, jobs, Sampling(), workers)
    assert [one.video is None for one in found] == [False, True, False]
    assert found[1].error


@pytest.mark.parametrize('dense', [False, True])
@pytest.mark.parametrize('workers', [0, 2])
def test_kept_pictures_are_the_frames_under_the_maps(config, clips, tmp_path, dense, workers):
    sampling = Sampling(dense=dense, keep_frames=True)
    video = shutil.copy(clips / 'person02_walking_d1_uncomp.avi', tmp_path / 'v.avi')
    jobs = [Job(video, Path('a'), ((10, 30), (50, 80))), Job(video, Path('b'))]
    for one in decode(config, jobs, sampling, workers):
        frames = one.video.frames
        assert (
            len(frames)
            == {('a', False): 16, ('a', True): 30, ('b', False): 8, ('b', True): 15}[
                one.job.stem.name, dense
            ]
        )
        np.testing.assert_array_equal(one.video.pictures, read_frames(video, frames))


def test_kept_pictures_of_the_network_s_own_pixels(config, clips):
    import mmcv

    video = clips / 'person02_walking_d1_uncomp.avi'
    job = Job(video, Path('a'), ((10, 30), (50, 80)))
    (one,) = decode(config, [job], Sampling(keep_frames=True), 0, from_source=False)
    frames = read_frames(video, one.video.frames)
    expected = np.stack([mmcv.imresize(frame, (64, 48)) for frame in frames])
    np.testing.assert_array_equal(one.video.pictures, expected)


def test_no_pictures_unless_they_are_asked_for(config, clips):
    job = Job(clips / 'person02_walking_d1_uncomp.avi', Path('a'))
    assert decode(config, [job], Sampling(), 0)[0].video.pictures is None


@pytest.mark.parametrize(
    ('error', 'line'),
    [
        (ValueError('two\n  lines'), 'two lines'),
        (OSError(), 'OSError'),
        (ValueError(' '), 'ValueE'),
    ],
)
def test_errors_become_one_line(error, line):
    assert one_line(error).startswith(line)
