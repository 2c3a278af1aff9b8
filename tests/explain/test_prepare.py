"""How a long video is laid out in clips, and which samplings make no sense."""

import os
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmengine.config import Config

from mmsal.datasets.video import probe_video
from mmsal.explain import ClipPipeline, Sampling, load_recognizer
from mmsal.explain.prepare import check_size, lay_out, open_pipeline, prepare_video

# Strides are tried that leave gaps; test_vis_cam_many.py has the warning.
pytestmark = pytest.mark.filterwarnings('ignore:clips of')

LENGTHS = st.integers(1, 60)


def config(use_frames=False, **sample) -> Config:
    """A test pipeline that takes its frames by this step."""
    init = [] if use_frames else [dict(type='DecordInit')]
    decode = dict(type='RawFrameDecode' if use_frames else 'DecordDecode')
    steps = [
        *init,
        dict(type='SampleFrames', test_mode=True, **sample),
        decode,
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs'),
    ]
    dataset = dict(filename_tmpl='img_{:05}.png')
    return Config(dict(test_pipeline=steps, test_dataloader=dict(dataset=dataset)))


class TestLayOut:
    @given(st.integers(0, 500), st.integers(1, 300), LENGTHS, LENGTHS)
    def test_windows_lie_within_and_reach_the_end(self, start, frames, length, stride):
        within = (start, start + frames)
        windows = lay_out(within, length, stride)
        assert windows[0][0] == start
        assert windows[-1][1] == start + frames
        assert all(start <= first < end <= start + frames for first, end in windows)
        assert {end - first for first, end in windows} == {min(length, frames)}

    @given(st.integers(0, 500), st.integers(1, 300), LENGTHS, LENGTHS)
    def test_starts_lie_a_stride_apart_but_for_the_last(self, start, frames, length, stride):
        starts = [first for first, _ in lay_out((start, start + frames), length, stride)]
        gaps = np.diff(starts)
        assert (gaps[:-1] == stride).all()
        assert (gaps[-1:] > 0).all() and (gaps[-1:] <= stride).all()

    @given(st.integers(0, 500), st.integers(1, 300), LENGTHS, st.data())
    def test_every_frame_is_covered_where_windows_touch(self, start, frames, length, data):
        stride = data.draw(st.integers(1, length))
        windows = lay_out((start, start + frames), length, stride)
        covered = {frame for window in windows for frame in range(*window)}
        assert covered == set(range(start, start + frames))

    @pytest.mark.parametrize(
        ('within', 'length', 'stride', 'windows'),
        [
            ((0, 10), 4, 4, [(0, 4), (4, 8), (6, 10)]),
            ((0, 12), 4, 4, [(0, 4), (4, 8), (8, 12)]),
            ((3, 10), 4, 5, [(3, 7), (6, 10)]),
            ((0, 12), 4, 8, [(0, 4), (8, 12)]),
            ((5, 8), 4, 1, [(5, 8)]),
            ((5, 9), 4, 1, [(5, 9)]),
        ],
    )
    def test_examples(self, within, length, stride, windows):
        assert lay_out(within, length, stride) == windows


@pytest.mark.parametrize(
    ('options', 'fault'),
    [
        (dict(stride=0), 'expected stride of at least 1 frame, got 0'),
        (dict(stride=-3), 'expected stride of at least 1 frame, got -3'),
        (dict(stride=4, window=0), 'expected window of at least 1 frame, got 0'),
        (dict(window=4), 'window is the length of the clips that stride lays out: set both'),
        (dict(source_fps=0), 'expected a positive source_fps, got 0'),
        (dict(source_fps=-25), 'expected a positive source_fps, got -25'),
        (dict(source_fps=float('inf')), 'expected a positive source_fps, got inf'),
        (dict(source_fps=float('nan')), 'expected a positive source_fps, got nan'),
    ],
)
def test_samplings_that_make_no_sense_are_refused(options, fault):
    with pytest.raises(ValueError, match=fault):
        Sampling(**options)


class TestClipSpan:
    @pytest.mark.parametrize(
        ('clip_len', 'interval', 'span'), [(8, 1, 8), (8, 2, 15), (4, 5, 16), (2, 1, 2)]
    )
    @pytest.mark.parametrize('fps', [None, 50.0])
    def test_from_the_first_frame_to_the_last(self, clip_len, interval, span, fps):
        pipeline = ClipPipeline(config(clip_len=clip_len, frame_interval=interval))
        assert pipeline.clip_span(fps) == span

    @pytest.mark.parametrize(('fps', 'span'), [(30.0, 16), (60.0, 32), (15.0, 8), (25.0, 13)])
    def test_in_frames_of_the_source_where_the_rate_is_converted(self, fps, span):
        pipeline = ClipPipeline(config(clip_len=8, frame_interval=2, target_fps=30))
        assert pipeline.clip_span(fps) == span

    def test_single_frames_have_none(self):
        assert ClipPipeline(config(clip_len=1, num_clips=8)).clip_span(25.0) is None

    @pytest.mark.parametrize(
        ('target_fps', 'stride'), [(None, 8), (25, 9), (50, 8), (12.5, 15), (20, 7)]
    )
    @pytest.mark.parametrize(('clip_len', 'interval'), [(4, 2), (6, 1), (3, 3)])
    def test_windows_hold_whole_clips(self, clips, clip_len, interval, target_fps, stride):
        """None so short that its frames come round again, nor so long that some are left over."""
        sample = dict(clip_len=clip_len, frame_interval=interval, target_fps=target_fps)
        sampling = Sampling(stride=stride)
        pipeline = open_pipeline(config(**sample), sampling)
        # A clip of 21.6 frames, say, lies in a window of 22.
        assert_whole_clips(pipeline, clips / 'person02_walking_d1_uncomp.avi', sampling, spread=1)


def assert_whole_clips(pipeline, video, sampling, spread=0):
    """Each window shows its first frame first and its last one last, give or take a few."""
    for clip in prepare_video(pipeline, video, sampling, [(0, 60)]).clips:
        first, end = clip.frame_range
        frames = clip.frame_indices
        assert (np.diff(frames) >= 0).all()
        assert first <= frames[0] <= first + spread
        assert end - 1 - spread <= frames[-1] <= end - 1


@pytest.fixture
def folder(tmp_path):
    import cv2

    for number in range(1, 61):
        cv2.imwrite(str(tmp_path / f'img_{number:05}.png'), np.full((16, 16, 3), number, np.uint8))
    return tmp_path


@pytest.mark.parametrize('source_fps', [30.0, None, 15.0, 60.0])
def test_windows_of_a_folder_hold_whole_clips(folder, source_fps):
    """Of a folder SampleFrames knows no rate, so it converts none; nor may the windows."""
    sampling = Sampling(use_frames=True, source_fps=source_fps, stride=8)
    sample = dict(clip_len=4, frame_interval=2, target_fps=30)
    assert_whole_clips(open_pipeline(config(True, **sample), sampling), folder, sampling)


class TestRangesThatEndLate:
    """KTH's list overshoots by a few frames here and there; ClipRange cuts them off."""

    def prepare(self, clips, overshoot, stride=5):
        sampling = Sampling(stride=stride)
        pipeline = open_pipeline(config(clip_len=8, frame_interval=1), sampling)
        video = clips / 'person02_walking_d1_uncomp.avi'
        frames = pipeline.probe(video).frames
        late = (frames - 20, frames + overshoot)
        return prepare_video(pipeline, video, sampling, [late]).clips, frames

    def test_the_last_window_ends_with_the_video(self, clips):
        found, frames = self.prepare(clips, 3)
        assert found[-1].frame_range == (frames - 8, frames)
        assert found[-1].frame_indices.tolist() == [*range(frames - 8, frames)]

    def test_no_window_begins_after_the_video(self, clips):
        found, frames = self.prepare(clips, 9)
        assert found[-1].frame_indices[-1] == frames - 1


class TestWindow:
    def test_is_required_where_clips_have_no_length(self):
        with pytest.raises(ValueError, match='no length of their own: name the window') as told:
            open_pipeline(config(clip_len=1, num_clips=8), Sampling(stride=5))
        assert '\n' not in str(told.value)

    def test_is_divided_as_the_config_divides_a_video(self, clips):
        sampling = Sampling(stride=20, window=24)
        pipeline = open_pipeline(config(clip_len=1, num_clips=8), sampling)
        prepared = prepare_video(pipeline, clips / 'person02_walking_d1_uncomp.avi', sampling)
        first = prepared.clips[0].frame_indices
        assert first.tolist() == [1, 4, 7, 10, 13, 16, 19, 22]
        assert (prepared.clips[1].frame_indices == first + 20).all()

    def test_one_clip_to_a_window_that_is_as_long_as_a_clip(self, clips):
        sample = dict(clip_len=8, frame_interval=2, num_clips=10, twice_sample=True)
        pipeline = open_pipeline(config(**sample), Sampling(stride=15))
        prepared = prepare_video(
            pipeline, clips / 'person02_walking_d1_uncomp.avi', Sampling(stride=15), [(30, 75)]
        )
        starts = [clip.frame_indices[0] for clip in prepared.clips]
        assert starts == [30, 45, 60]
        for start, clip in zip(starts, prepared.clips, strict=True):
            assert clip.frame_indices.tolist() == list(range(start, start + 15, 2))
        whole = prepare_video(
            open_pipeline(config(**sample), Sampling()),
            clips / 'person02_walking_d1_uncomp.avi',
            Sampling(),
        )
        assert len(whole.clips[0].frame_indices) == 8 * 20


def test_sampled_frames_rise_and_pictures_are_theirs(clips, config_path, checkpoint_path):
    model = load_recognizer(config_path, checkpoint_path, device='cpu')
    sampling = Sampling(stride=9, keep_frames=True)
    pipeline = open_pipeline(model.cfg, sampling)
    video = clips / 'person02_walking_d1_uncomp.avi'
    for from_source, size in ((True, (120, 160)), (False, (48, 64))):
        prepared = prepare_video(pipeline, video, sampling, [(5, 40)], from_source)
        assert (np.diff(prepared.frames) > 0).all()
        shown = np.unique(np.concatenate([clip.frame_indices for clip in prepared.clips]))
        np.testing.assert_array_equal(prepared.frames, shown)
        assert prepared.pictures.shape == (len(shown), *size, 3)
        assert prepared.pictures.dtype == np.uint8


def test_maps_that_no_memory_can_hold_are_refused(clips):
    video = clips / 'person02_running_d1_uncomp.avi'
    info = replace(probe_video(video), width=7680, height=4320)
    memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
    most = memory // (4 * 7680 * 4320)
    check_size(info, most, most)
    said = rf'{most + 1} maps of 7680x4320 pixels take .* GiB.*{video.name}.*--space input'
    with pytest.raises(ValueError, match=said):
        check_size(info, most + 1, most + 1)
    with pytest.raises(ValueError, match=said):  # the sampled maps are there beside them
        check_size(info, most // 2, most + 1)
    with pytest.raises(ValueError, match=f'{most} maps'):
        check_size(info, most, most, pictures=True)


def test_maps_in_source_space_are_checked(clips, monkeypatch):
    pages = {'SC_PAGE_SIZE': 4096, 'SC_PHYS_PAGES': 10}
    monkeypatch.setattr(os, 'sysconf', pages.__getitem__)
    sampling = Sampling(stride=4, window=8)
    pipeline = open_pipeline(config(clip_len=4), sampling)
    video = clips / 'person02_running_d1_uncomp.avi'
    with pytest.raises(ValueError, match=r'maps of 160x120 pixels .* this machine'):
        prepare_video(pipeline, video, sampling)
    assert prepare_video(pipeline, video, sampling, from_source=False).clips
