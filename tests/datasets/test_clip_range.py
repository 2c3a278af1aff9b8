import numpy as np
import pytest
from mmaction.registry import TRANSFORMS
from mmcv.transforms import Compose
from mmengine.registry import DefaultScope

import mmsal.datasets  # noqa: F401  registers ClipRange
from mmsal.datasets.kth import KTHDataset


@pytest.fixture(autouse=True)
def mmaction_scope():
    """Let datasets find MMAction2's transforms, as its runner does."""
    with DefaultScope.overwrite_default_scope('mmaction'):
        yield


INITS = ['DecordInit', 'PyAVInit', 'OpenCVInit']


def pipeline(*transforms):
    return Compose([TRANSFORMS.build(transform) for transform in transforms])


def sample(total_frames, clip_range=None, start_index=0, **options):
    results = {'total_frames': total_frames, 'start_index': start_index, 'filename': 'x.avi'}
    if clip_range is not None:
        results['clip_range'] = clip_range
    transforms = [{'type': 'ClipRange'}]
    if options:
        transforms.append({'type': 'SampleFrames', **options})
    return pipeline(*transforms)(results)


def test_a_sample_without_range_is_unchanged():
    before = {'total_frames': 40, 'start_index': 1, 'filename': 'x.avi'}
    assert TRANSFORMS.build({'type': 'ClipRange'})(dict(before)) == before


@pytest.mark.parametrize('first', [0, 1])
def test_range_becomes_start_and_length(first):
    results = sample(40, (10, 25), start_index=first)
    assert results['total_frames'] == 15
    assert results['start_index'] == first + 10
    assert results['clip_range'] == (10, 25)


def test_end_is_cut_at_the_end_of_the_video(recwarn):
    results = sample(40, (10, 44))
    assert (results['total_frames'], results['clip_range']) == (30, (10, 40))
    assert not recwarn


def test_a_range_of_another_version_of_the_video_is_reported():
    with pytest.warns(UserWarning, match=r'x\.avi: frames 1-75 end 45 frames after'):
        assert sample(30, (0, 75))['total_frames'] == 30


@pytest.mark.parametrize('clip_range', [(40, 50), (50, 60), (10, 10), (20, 10), (-5, 10), (5, -1)])
def test_nothing_left(clip_range):
    with pytest.raises(ValueError, match=r'x\.avi: frames .* in common with the 40 frames'):
        sample(40, clip_range)


def test_wrong_place_in_the_pipeline():
    clip_range = TRANSFORMS.build({'type': 'ClipRange'})
    for results in (
        {'clip_range': (0, 5)},
        {'clip_range': (0, 5), 'total_frames': 9, 'frame_inds': np.arange(3)},
    ):
        with pytest.raises(ValueError, match='before SampleFrames'):
            clip_range(results)


@pytest.mark.parametrize('test_mode', [True, False])
@pytest.mark.parametrize('sampler', [(8, 1, 1), (8, 2, 3), (1, 1, 8), (16, 4, 2)])
@pytest.mark.parametrize('out_of_bound_opt', ['loop', 'repeat_last'])
def test_samplers_stay_inside(test_mode, sampler, out_of_bound_opt):
    clip_len, frame_interval, num_clips = sampler
    options = {
        'clip_len': clip_len,
        'frame_interval': frame_interval,
        'num_clips': num_clips,
        'out_of_bound_opt': out_of_bound_opt,
        'test_mode': test_mode,
    }
    for seed in range(5):
        np.random.seed(seed)
        part = sample(60, (20, 45), **options)['frame_inds']
        # The same as in a video that has only these frames, moved by the start of the part.
        np.random.seed(seed)
        alone = sample(25, **options)['frame_inds']
        np.testing.assert_array_equal(part, alone + 20)
        assert part.min() >= 20 and part.max() < 45


def test_short_parts_loop_inside_themselves():
    results = sample(60, (30, 35), clip_len=12, test_mode=True)
    assert results['frame_inds'].tolist() == [30, 31, 32, 33, 34] * 2 + [30, 31]


@pytest.mark.parametrize('other', ['UniformSample', 'DenseSampleFrames'])
def test_other_samplers(other):
    options = {'clip_len': 4, 'num_clips': 2}
    if other == 'DenseSampleFrames':
        options |= {'frame_interval': 2, 'sample_range': 8, 'num_sample_positions': 3}
    results = {'total_frames': 60, 'start_index': 0, 'clip_range': (20, 45)}
    found = pipeline({'type': 'ClipRange'}, {'type': other, **options})(results)['frame_inds']
    assert found.min() >= 20 and found.max() < 45


@pytest.mark.parametrize('init', INITS)
def test_decoded_frames_of_a_video(tmp_path, write_marked_video, read_mark, init):
    path = write_marked_video(tmp_path / 'person01_walking_d1_uncomp.avi', 40)
    run = pipeline(
        {'type': init},
        {'type': 'ClipRange'},
        {'type': 'SampleFrames', 'clip_len': 8, 'frame_interval': 2, 'test_mode': True},
        {'type': init.replace('Init', 'Decode')},
    )
    results = run({'filename': str(path), 'start_index': 0, 'clip_range': (17, 27)})
    expected = [17, 19, 21, 23, 25, 17, 19, 21]
    assert results['frame_inds'].tolist() == expected
    assert [read_mark(image) for image in results['imgs']] == expected


@pytest.mark.parametrize('first', [0, 1])
def test_decoded_frames_of_a_folder(tmp_path, write_marked_images, read_mark, first):
    write_marked_images(tmp_path / 'person01_walking_d1', 40, first=first)
    (tmp_path / '00sequences.txt').write_text('person01_walking_d1 frames 3-8, 18-27\n')
    dataset = KTHDataset(
        data_prefix={'img': str(tmp_path)},
        subset='val',
        start_index=first,
        test_mode=True,
        pipeline=[
            {'type': 'ClipRange'},
            {'type': 'SampleFrames', 'clip_len': 8, 'frame_interval': 2, 'test_mode': True},
            {'type': 'RawFrameDecode'},
        ],
    )
    marks = [[read_mark(image) for image in dataset[i]['imgs']] for i in range(len(dataset))]
    assert marks == [[2, 4, 6, 2, 4, 6, 2, 4], [17, 19, 21, 23, 25, 17, 19, 21]]


def test_real_video(kth_data):
    dataset = KTHDataset(
        data_prefix={'video': str(kth_data)},
        subset='all',
        missing='skip',
        test_mode=True,
        pipeline=[
            {'type': 'DecordInit'},
            {'type': 'ClipRange'},
            {'type': 'SampleFrames', 'clip_len': 16, 'num_clips': 2, 'test_mode': True},
            {'type': 'DecordDecode'},
        ],
    )
    assert len(dataset) == 12
    for results in dataset:
        start, end = dataset.get_data_info(results['sample_idx'])['clip_range']
        assert results['clip_range'] == (start, end)  # no range had to be cut
        assert results['frame_inds'].min() >= start and results['frame_inds'].max() < end
        assert results['imgs'][0].shape == (120, 160, 3)
