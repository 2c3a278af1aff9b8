"""A bright square in a known place of a known frame, found again in source coordinates."""

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
import torch
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform
from mmengine.config import Config

from mmsal.explain import load_config
from mmsal.explain.pipeline import ClipPipeline, run_steps
from mmsal.heatmaps.geometry import to_source

WIDTH, HEIGHT, FRAMES = 96, 64, 40
SQUARE = (slice(24, 36), slice(50, 62))  # rows, columns


def pictures(frame: int) -> list[np.ndarray]:
    """A dark video with a bright square in one frame."""
    video = [np.full((HEIGHT, WIDTH, 3), 16, np.uint8) for _ in range(FRAMES)]
    video[frame][SQUARE] = 235
    return video


@pytest.fixture
def video(tmp_path):
    def write(frame: int):
        path = tmp_path / f'square{frame}.avi'
        with av.open(str(path), 'w') as container:
            stream = container.add_stream('mpeg4', rate=Fraction(25), options={'qscale': '1'})
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, 'yuv420p'
            stream.codec_context.gop_size = 1
            for picture in pictures(frame):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format='rgb24')))
            container.mux(stream.encode())
        return path

    return write


@pytest.fixture
def folder(tmp_path):
    def write(frame: int):
        path = tmp_path / 'frames'
        path.mkdir()
        for number, picture in enumerate(pictures(frame), 1):
            cv2.imwrite(str(path / f'img_{number:05}.png'), picture)
        return path

    return write


def pipeline(*spatial, sample, shape='NCTHW', loader='Decord'):
    init = [dict(type='DecordInit')] if loader == 'Decord' else []
    decode = dict(type='DecordDecode' if loader == 'Decord' else 'RawFrameDecode')
    steps = [
        *init,
        dict(type='SampleFrames', test_mode=True, **sample),
        decode,
        *spatial,
        dict(type='FormatShape', input_format=shape),
        dict(type='PackActionInputs'),
    ]
    dataset = dict(filename_tmpl='img_{:05}.png')
    return Config(dict(test_pipeline=steps, test_dataloader=dict(dataset=dataset)))


CONSECUTIVE = dict(clip_len=8, frame_interval=2, num_clips=1)
CLIPS = dict(clip_len=4, frame_interval=2, num_clips=3)
SEGMENTS = dict(clip_len=1, frame_interval=1, num_clips=8)
RESIZE = dict(type='Resize', scale=(-1, 48))
SQUEEZE = dict(type='Resize', scale=(56, 56), keep_ratio=False)
CENTRE = dict(type='CenterCrop', crop_size=48)
THREE = dict(type='ThreeCrop', crop_size=48)
TEN = dict(type='TenCrop', crop_size=40)
FLIP = dict(type='Flip', flip_ratio=1)


@pytest.mark.parametrize(
    ('spatial', 'sample', 'shape', 'crops'),
    [
        ([], CONSECUTIVE, 'NCTHW', 1),
        ([SQUEEZE], CONSECUTIVE, 'NCHW', 1),
        ([RESIZE, CENTRE], CONSECUTIVE, 'NCTHW', 1),
        ([RESIZE, FLIP, CENTRE], CONSECUTIVE, 'NCTHW', 1),
        ([RESIZE, THREE], CONSECUTIVE, 'NCTHW', 3),
        ([RESIZE, TEN], CONSECUTIVE, 'NCTHW', 10),
        ([RESIZE, CENTRE], CLIPS, 'NCTHW', 1),
        ([RESIZE, THREE], CLIPS, 'NCTHW', 3),
        ([RESIZE, TEN], SEGMENTS, 'NCHW', 10),
        ([RESIZE, CENTRE], SEGMENTS, 'NCHW', 1),
    ],
)
@pytest.mark.parametrize('frame_range', [None, (10, 30)])
def test_square_is_found_again(video, spatial, sample, shape, crops, frame_range):
    prepare = ClipPipeline(pipeline(*spatial, sample=sample, shape=shape))
    frames = prepare.prepare(prepare.probe(video(0)), frame_range).frame_indices
    marked = int(frames[len(frames) // 2])
    clip = prepare.prepare(prepare.probe(video(marked)), frame_range)
    assert clip.frame_indices.tolist() == frames.tolist()
    if frame_range is not None:
        assert frames.min() >= 10
        assert frames.max() < 30
    found, seen = _back_to_source(clip, shape)
    assert len(clip.views) == crops
    assert_square(found, seen, clip.frame_indices == marked)


def _back_to_source(clip, shape):
    """The input pictures themselves, taken for maps of the model."""
    inputs = clip.data['inputs'][0].float().mean(dim=1).numpy() / 255  # drop the colour axis
    if shape == 'NCHW':
        inputs = inputs[None]  # [S, h, w] -> one view
    by_crop = inputs.reshape(len(clip.views), len(clip.frame_indices), *inputs.shape[-2:])
    return to_source(by_crop, clip.views, (WIDTH, HEIGHT))


def assert_square(found, seen, marked):
    bright = found > 0.5
    assert not bright[~marked].any()
    for one in bright[marked]:
        rows, columns = np.nonzero(one)
        assert abs(rows.min() - 24) <= 1
        assert abs(rows.max() - 35) <= 1
        assert abs(columns.min() - 50) <= 1
        assert abs(columns.max() - 61) <= 1
    assert not found[:, ~seen].any()


def test_folder_of_frames_with_a_config_for_videos(folder):
    """The decoding steps are exchanged; frames are counted from 1 in names, from 0 by us."""
    config = pipeline(RESIZE, CENTRE, sample=CONSECUTIVE)
    prepare = ClipPipeline(config, use_frames=True)
    info = prepare.probe(folder(20))
    assert (info.frames, info.width, info.height) == (FRAMES, WIDTH, HEIGHT)
    clip = prepare.prepare(info, (5, 35))
    assert 20 in clip.frame_indices
    found, seen = _back_to_source(clip, 'NCTHW')
    assert_square(found, seen, clip.frame_indices == 20)
    frames = prepare.read_frames(info, np.array([19, 20]))
    assert frames[0].max() < 50
    assert frames[1][SQUARE].min() > 200


def test_video_with_a_config_for_frames(video):
    config = pipeline(RESIZE, CENTRE, sample=CONSECUTIVE, loader='RawFrame')
    prepare = ClipPipeline(config)
    clip = prepare.prepare(prepare.probe(video(20)))
    found, seen = _back_to_source(clip, 'NCTHW')
    assert_square(found, seen, clip.frame_indices == 20)


@TRANSFORMS.register_module()
class QuarterTurn(BaseTransform):
    """A transform that no scale and offset per axis can undo."""

    def transform(self, results):
        results['imgs'] = [np.ascontiguousarray(np.rot90(image)) for image in results['imgs']]
        return results


def test_pipeline_that_turns_the_picture_says_so(video):
    prepare = ClipPipeline(pipeline(dict(type='QuarterTurn'), sample=CONSECUTIVE))
    clip = prepare.prepare(prepare.probe(video(0)))
    assert clip.views is None
    assert 'turns or bends' in clip.no_views


@pytest.mark.parametrize('use_frames', [False, True])
@pytest.mark.parametrize('frame_range', [None, (10, 30)])
def test_gaze_in_the_pipeline_changes_nothing(video, folder, use_frames, frame_range):
    """Neither is its table looked for, nor do folders of frames need a rate."""
    gaze = dict(type='LoadGazeMaps', fixations='absent.csv', map_size=(7, 7), sigma=10.0)
    pack = dict(type='PackActionInputs', algorithm_keys=('gaze_maps', 'gaze_points'))
    plain = pipeline(RESIZE, FLIP, THREE, sample=CONSECUTIVE)
    looked_at = pipeline(dict(gaze, transforms=[RESIZE, FLIP, THREE]), sample=CONSECUTIVE)
    looked_at.test_pipeline[-1] = pack
    path, found = folder(0) if use_frames else video(0), []
    for config in (plain, looked_at):
        prepare = ClipPipeline(config, use_frames)
        assert prepare.clip_span() == 15
        found.append(prepare.prepare(prepare.probe(path), frame_range))
    one, other = found
    assert len(one.views) == 3
    assert one.views == other.views
    np.testing.assert_array_equal(one.frame_indices, other.frame_indices)
    assert torch.equal(one.data['inputs'][0], other.data['inputs'][0])


def test_views_of_a_test_loop_s_pipeline_with_gaze_are_found(video, tmp_path):
    """As of the heatmap dump, which runs the dataset's own steps; this video has no gaze."""
    table = tmp_path / 'fixations.csv'
    table.write_text('video,observer,start_s,end_s,x_px,y_px\nother,1,0,1,5,5\n', encoding='utf-8')
    gaze = dict(type='LoadGazeMaps', fixations=table, map_size=(7, 7), sigma=10.0)
    path, found = video(0), []
    for spatial in ([RESIZE, TEN], [dict(gaze, transforms=[RESIZE, TEN])]):
        steps = pipeline(*spatial, sample=CLIPS).test_pipeline
        steps[-1]['algorithm_keys'] = ('gaze_maps', 'gaze_points')
        sample = dict(filename=str(path), label=0, modality='RGB', start_index=0)
        found.append(run_steps([TRANSFORMS.build(step) for step in steps], sample))
    assert len(found[0].views) == 10
    assert found[0].views == found[1].views
    assert found[1].data['data_samples'][0].gaze_maps.shape == (120, 7, 7)


def test_config_without_a_test_pipeline_is_refused():
    with pytest.raises(ValueError, match='no test_pipeline'):
        ClipPipeline(Config({'model': {}}))


class TestWhichPipeline:
    """The dataset's own is what test.py runs; MMEngine's configs also keep it under a name."""

    def test_the_dataset_s_comes_first(self, video):
        config = pipeline(RESIZE, CENTRE, sample=CONSECUTIVE)
        other = pipeline(RESIZE, CENTRE, sample=CLIPS)
        config.test_dataloader.dataset.pipeline = other.test_pipeline
        prepare = ClipPipeline(config)
        assert len(prepare.prepare(prepare.probe(video(0))).frame_indices) == 12

    def test_options_reach_it_by_its_name(self, tmp_path):
        config = pipeline(RESIZE, CENTRE, sample=CONSECUTIVE)
        config.model = dict(type='Recognizer3D')
        config.test_dataloader.dataset.pipeline = config.test_pipeline
        config.dump(tmp_path / 'config.py')
        read = load_config(tmp_path / 'config.py', {'test_pipeline.1.num_clips': 5})
        assert read.test_dataloader.dataset.pipeline[1].num_clips == 5


@pytest.mark.parametrize(('fps', 'seconds'), [(None, None), (30, 10 / 30)])
def test_folder_of_frames_has_no_times_without_a_rate(folder, fps, seconds):
    prepare = ClipPipeline(pipeline(RESIZE, sample=CONSECUTIVE), use_frames=True)
    info = prepare.probe(folder(3), fps)
    assert info.fps == fps
    assert (None if info.timestamps is None else info.timestamps[10]) == seconds
