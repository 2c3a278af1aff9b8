"""A long video covered by clips: a square that jumps from frame to frame, found in each of them.

The networks follow brightness by construction: one convolution of positive weights, and a class
score that rises with its output. Their Grad-CAM is the picture itself, so a map whose peak lies in
another frame's square is a map of the wrong frame, and one beside the square of wrong pixels.
"""

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from torch import nn

from mmsal.explain import explain_video

# Strides are tried that leave gaps; test_vis_cam_many.py has the warning.
pytestmark = pytest.mark.filterwarnings('ignore:clips of')

WIDTH, HEIGHT, FRAMES = 96, 64, 163
DARK, BRIGHT = 16, 235
CELL, SIDE = 16, 12


def square(frame: int) -> tuple[slice, slice]:
    """Rows and columns of a frame's square: 24 places, all visited before one comes again."""
    row, column = divmod(frame * 7 % 24, 6)
    top, left = row * CELL + 2, column * CELL + 2
    return slice(top, top + SIDE), slice(left, left + SIDE)


def picture(frame: int) -> np.ndarray:
    image = np.full((HEIGHT, WIDTH, 3), DARK, np.uint8)
    image[square(frame)] = BRIGHT
    return image


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp('long') / 'jumping.avi'
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('mpeg4', rate=Fraction(25), options={'qscale': '1'})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, 'yuv420p'
        for frame in range(FRAMES):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(frame), format='rgb24')))
        container.mux(stream.encode())
    return path


@MODELS.register_module()
class Brightness(nn.Module):
    """One channel: the mean of each block of two by two pixels, of every frame apart."""

    def __init__(self, frames_apart: bool = True) -> None:
        super().__init__()
        if frames_apart:
            self.conv = nn.Conv2d(3, 1, 2, 2, bias=False)
        else:
            self.conv = nn.Conv3d(3, 1, (1, 2, 2), (1, 2, 2), bias=False)

    def init_weights(self) -> None:
        nn.init.constant_(self.conv.weight, 1 / 12)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


NORMALISE = dict(type='ActionDataPreprocessor', mean=[float(DARK)] * 3, std=[100.0] * 3)
TSN = dict(
    type='Recognizer2D',
    backbone=dict(type='Brightness'),
    cls_head=dict(type='TSNHead', num_classes=2, in_channels=1, average_clips='prob'),
    data_preprocessor=dict(NORMALISE, format_shape='NCHW'),
)
I3D = dict(
    type='Recognizer3D',
    backbone=dict(type='Brightness', frames_apart=False),
    cls_head=dict(type='I3DHead', num_classes=2, in_channels=1, average_clips='prob'),
    data_preprocessor=dict(NORMALISE, format_shape='NCTHW'),
)
CNN_LSTM = dict(
    type='CNNLSTMRecognizer',
    backbone=dict(type='Brightness'),
    cls_head=dict(
        type='CNNLSTMHead', num_classes=2, in_channels=1, feature_size=1, hidden_sizes=(),
        clip_len=8, average_clips='prob',
    ),
    data_preprocessor=dict(NORMALISE, format_shape='NCHW'),
)  # fmt: skip


def recognizer(model: dict, sample: dict, *spatial: dict) -> nn.Module:
    """A recognizer as ``load_recognizer`` gives it; class 1 is 'bright'."""
    steps = [
        dict(type='DecordInit'),
        dict(type='SampleFrames', test_mode=True, **sample),
        dict(type='DecordDecode'),
        *spatial,
        dict(type='FormatShape', input_format=model['data_preprocessor']['format_shape']),
        dict(type='PackActionInputs'),
    ]
    config = Config(dict(model=model, test_pipeline=steps))
    built = MODELS.build(config.model)
    built.backbone.init_weights()
    _rise_with_brightness(built.cls_head)
    built.cfg, built.config_options = config, {}
    built.class_names = ['dark', 'bright']
    built.checkpoint_info = {'path': '', 'sha256': None}
    return built.eval()


def _rise_with_brightness(head: nn.Module) -> None:
    """The score of class 1 rises with every frame's mean alike, that of class 0 falls."""
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.zero_()
        if hasattr(head, 'fc_cls'):
            head.fc_cls.weight[:] = torch.tensor([[-1.0], [1.0]])
            return
        head.fc_feature.weight.fill_(0.1)
        (lstm,) = head.recurrent
        # Gates: input, forget, cell, output, two units each. Nothing is forgotten.
        lstm.bias_ih_l0[2:4] = 20.0
        lstm.weight_ih_l0[4:6] = torch.tensor([[-1.0], [1.0]])


def explain(model, video, **options):
    """Maps of class 1, and their check against the video."""
    found = explain_video(model, video, target='bright', **options)
    assert found.prediction.label == 'bright'
    assert found.heatmaps.values.shape[1:] == (HEIGHT, WIDTH)
    return found.heatmaps


def assert_squares(values: np.ndarray, frames, seen=None) -> None:
    """Each map is bright in its own frame's square and nowhere else, to the pixel or so."""
    for one, frame in zip(values, frames, strict=True):
        wanted = np.zeros((HEIGHT, WIDTH), np.uint8)
        wanted[square(frame)] = 1
        core = cv2.erode(wanted, np.ones((5, 5), np.uint8)).astype(bool)
        around = cv2.dilate(wanted, np.ones((7, 7), np.uint8)).astype(bool)
        if seen is not None:
            core &= cv2.erode(seen.astype(np.uint8), np.ones((7, 7), np.uint8)).astype(bool)
        assert (one[core] > 0.8).all(), f'frame {frame}: its square is dark'
        assert (one[~around] < 0.1).all(), f'frame {frame}: bright beside its square'


def first_frames(start: int, end: int, span: int, stride: int) -> list[int]:
    """Of the clips that cover a range; written down anew, not taken from mmsal."""
    firsts = [f for f in range(start, end - span + 1) if (f - start) % stride == 0] or [start]
    return firsts if firsts[-1] + span >= end else [*firsts, end - span]


def sampled_frames(ranges, span: int, interval: int, stride: int) -> list[int]:
    firsts = [f for bounds in ranges for f in first_frames(*bounds, span, stride)]
    return sorted({frame for f in firsts for frame in range(f, f + span, interval)})


RESIZE = dict(type='Resize', scale=(-1, 48))
SQUEEZE = dict(type='Resize', scale=(72, 40), keep_ratio=False)
CENTRE = dict(type='CenterCrop', crop_size=48)
THREE = dict(type='ThreeCrop', crop_size=48)
EVERY = dict(clip_len=8, frame_interval=1, num_clips=1)
OTHER = dict(clip_len=8, frame_interval=2, num_clips=1)
SEVERAL = dict(clip_len=8, frame_interval=2, num_clips=5)
SEGMENTS = dict(clip_len=1, frame_interval=1, num_clips=8)

NETWORKS = {
    'tsn': (TSN, SQUEEZE),
    'i3d': (I3D, SQUEEZE),
    'cnn_lstm': (CNN_LSTM, SQUEEZE),
    'tsn, three crops': (TSN, RESIZE, THREE),
    'i3d, three crops': (I3D, RESIZE, THREE),
    'cnn_lstm, three crops': (CNN_LSTM, RESIZE, THREE),
    'i3d, centre crop': (I3D, RESIZE, CENTRE),
}
WHOLE = ((0, FRAMES),)
RANGES = ((3, 40), (60, 75), (90, 131))


@pytest.mark.parametrize('network', NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize(
    ('stride', 'ranges'), [(5, WHOLE), (8, RANGES), (15, WHOLE), (17, RANGES), (31, WHOLE)]
)
def test_every_frame_of_every_clip_is_found(video, network, stride, ranges):
    """Strides below, at and above the 15 frames that a clip spans."""
    model = recognizer(network[0], OTHER, *network[1:])
    chosen = None if ranges == WHOLE else ranges
    maps = explain(model, video, stride=stride, frame_ranges=chosen, batch_size=4)
    assert maps.frame_indices.tolist() == sampled_frames(ranges, 15, 2, stride)
    assert (maps.seen is None) == (CENTRE not in network)
    assert_squares(maps.values, maps.frame_indices, maps.seen)
    assert maps.meta['seen_frames'] is None
    clips = [one['frame_range'] for one in maps.meta['clips']]
    firsts = [f for bounds in ranges for f in first_frames(*bounds, 15, stride)]
    assert clips == [[first, first + 15] for first in firsts]


@pytest.mark.parametrize('stride', [1, 8])
def test_touching_clips_of_consecutive_frames_leave_none_out(video, stride):
    model = recognizer(I3D, EVERY, SQUEEZE)
    maps = explain(model, video, stride=stride, batch_size=16)
    assert maps.frame_indices.tolist() == list(range(FRAMES))
    assert_squares(maps.values, maps.frame_indices)
    np.testing.assert_allclose(maps.meta['timestamps'], np.arange(FRAMES) / 25, atol=1e-6)


def test_one_clip_for_each_window_where_the_config_takes_several(video):
    model = recognizer(I3D, SEVERAL, SQUEEZE)
    maps = explain(model, video, stride=15)
    assert maps.frame_indices.tolist() == sampled_frames(WHOLE, 15, 2, 15)
    assert {one['sampled_frames'] for one in maps.meta['clips']} == {8}
    assert_squares(maps.values, maps.frame_indices)


def test_a_range_shorter_than_a_clip(video):
    model = recognizer(I3D, EVERY, SQUEEZE)
    maps = explain(model, video, stride=4, frame_ranges=[(50, 53), (70, 78)])
    assert maps.frame_indices.tolist() == [50, 51, 52, *range(70, 78)]
    assert_squares(maps.values, maps.frame_indices)


@pytest.mark.parametrize(('window', 'stride'), [(16, 8), (16, 16), (24, 30)])
def test_windows_for_frames_taken_segment_by_segment(video, window, stride):
    model = recognizer(TSN, SEGMENTS, RESIZE, THREE)
    maps = explain(model, video, stride=stride, window=window)
    step = window // 8
    expected = {
        first + step * segment + step // 2
        for first in first_frames(0, FRAMES, window, stride)
        for segment in range(8)
    }
    assert maps.frame_indices.tolist() == sorted(expected)
    assert_squares(maps.values, maps.frame_indices)


class TestDense:
    """Maps of the frames between, too: as bright in both neighbours' squares as they are near."""

    @staticmethod
    def assert_between(maps, sampled):
        sampled = np.array(sampled)
        for values, frame in zip(maps.values, maps.frame_indices, strict=True):
            if frame in sampled:
                assert_squares([values], [frame])
                continue
            left, right = sampled[sampled < frame].max(), sampled[sampled > frame].min()
            share = (frame - left) / (right - left)
            for neighbour, brightness in ((left, 1 - share), (right, share)):
                inside = values[square(neighbour)][3:-3, 3:-3]
                np.testing.assert_allclose(inside, brightness, atol=0.1)

    # A centre crop would cut off half of the squares.
    @pytest.mark.parametrize('network', [*NETWORKS.values()][:-1], ids=[*NETWORKS][:-1])
    @pytest.mark.parametrize('stride', [15, 24])
    def test_with_a_stride(self, video, network, stride):
        model = recognizer(network[0], OTHER, *network[1:])
        maps = explain(model, video, stride=stride, dense=True)
        sampled = sampled_frames(WHOLE, 15, 2, stride)
        assert maps.frame_indices.tolist() == list(range(FRAMES))
        assert maps.meta['seen_frames'] == sampled
        assert len(sampled) < FRAMES
        self.assert_between(maps, sampled)

    def test_within_ranges_only(self, video):
        model = recognizer(I3D, OTHER, SQUEEZE)
        maps = explain(model, video, stride=15, dense=True, frame_ranges=RANGES)
        sampled = sampled_frames(RANGES, 15, 2, 15)
        within = [frame for bounds in RANGES for frame in range(*bounds)]
        assert maps.frame_indices.tolist() == within
        assert maps.meta['seen_frames'] == sampled
        self.assert_between(maps, sampled)

    def test_as_the_config_samples(self, video):
        """Not before the first sampled frame, nor after the last."""
        model = recognizer(TSN, SEGMENTS, SQUEEZE)
        sampled = explain(model, video).frame_indices.tolist()
        maps = explain(model, video, dense=True)
        assert maps.frame_indices.tolist() == list(range(sampled[0], sampled[-1] + 1))
        assert sampled[0] > 0 and sampled[-1] < FRAMES - 1
        assert maps.meta['seen_frames'] == sampled
        self.assert_between(maps, sampled)

    def test_nothing_between(self, video):
        model = recognizer(I3D, EVERY, SQUEEZE)
        maps = explain(model, video, stride=8, dense=True)
        assert len(maps) == FRAMES
        assert maps.meta['seen_frames'] is None

    def test_pictures_of_the_frames_between(self, video):
        model = recognizer(I3D, OTHER, SQUEEZE)
        found = explain_video(
            model, video, stride=15, dense=True, keep_frames=True, frame_ranges=[(40, 70)]
        )
        assert len(found.frames) == len(found.heatmaps) == 30
        for image, frame in zip(found.frames, found.heatmaps.frame_indices, strict=True):
            assert np.abs(image.astype(int) - picture(frame)).mean() < 5
        with pytest.raises(ValueError, match='no picture of the frames between'):
            explain_video(model, video, dense=True, keep_frames=True, space='input')
