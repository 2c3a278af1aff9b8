"""Pooling by windows, the frames of the slow pathway, and what the parts refuse."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmaction.models.backbones import X3D
from mmaction.registry import MODELS

from mmsal.models.pytorchvideo import (
    PyTorchVideoI3D,
    PyTorchVideoI3DHead,
    PyTorchVideoSlowFast,
    PyTorchVideoSlowFastHead,
    PyTorchVideoX3D,
    PyTorchVideoX3DHead,
)
from mmsal.models.pytorchvideo.pooling import WindowPool

SIZE = st.integers(1, 6)


@given(st.tuples(SIZE, SIZE, SIZE), st.tuples(SIZE, SIZE, SIZE), st.integers(0, 99))
def test_windows_are_means_of_a_direct_loop(extent, window, seed):
    maps = torch.randn(2, 3, *extent, generator=torch.Generator().manual_seed(seed))
    found = WindowPool(window)(maps)
    size = [min(pair) for pair in zip(window, extent, strict=True)]
    for place in np.ndindex(*[e - s + 1 for e, s in zip(extent, size, strict=True)]):
        part = maps[(..., *(slice(p, p + s) for p, s in zip(place, size, strict=True)))]
        torch.testing.assert_close(found[(..., *place)], part.mean(dim=(2, 3, 4)))


def test_no_window_is_the_whole_map():
    maps = torch.randn(2, 3, 4, 5, 6)
    torch.testing.assert_close(WindowPool(None)(maps).flatten(1), maps.mean(dim=(2, 3, 4)))


@pytest.mark.parametrize('window', [(4, 7), (4, 7, 0), (1, 2, 3, 4), 7, '477', (4, 7, 7.0)])
def test_a_window_that_is_none_is_refused(window):
    with pytest.raises(ValueError, match='three positive integers'):
        PyTorchVideoI3DHead(num_classes=2, in_channels=8, pool_window=window)


def test_slowfast_wants_two_windows():
    with pytest.raises(ValueError, match='two windows, of the slow and of the fast pathway'):
        PyTorchVideoSlowFastHead(num_classes=2, in_channels=9, pool_windows=[(4, 7, 7)])


HEADS = {
    'i3d': (PyTorchVideoI3DHead, 16, torch.randn(2, 16, 2, 3, 3)),
    'x3d': (PyTorchVideoX3DHead, 16, torch.randn(2, 16, 2, 3, 3)),
    'slowfast': (PyTorchVideoSlowFastHead, 16,
                 (torch.randn(2, 12, 2, 3, 3), torch.randn(2, 4, 8, 3, 3))),
}  # fmt: skip


@pytest.mark.parametrize(('head', 'channels', 'maps'), HEADS.values(), ids=HEADS)
def test_without_a_window_a_head_is_mmactions(head, channels, maps):
    ours = head(num_classes=5, in_channels=channels).eval()
    theirs = MODELS.get(head.__name__.removeprefix('PyTorchVideo'))(
        num_classes=5, in_channels=channels
    ).eval()
    theirs.load_state_dict(ours.state_dict())
    torch.testing.assert_close(ours(maps), theirs(maps))


def test_x3d_averages_scores_or_probabilities_only():
    with pytest.raises(ValueError, match="'score' or 'prob', got 'max'"):
        PyTorchVideoX3DHead(num_classes=2, in_channels=8, average_windows='max')


def test_x3d_averages_probabilities_of_a_direct_loop():
    torch.manual_seed(0)
    head = PyTorchVideoX3DHead(
        num_classes=4, in_channels=8, pool_window=(2, 2, 2), average_windows='prob'
    ).eval()
    maps = 10 * torch.randn(3, 8, 2, 3, 4)
    windows = [
        maps[:, :, :, y : y + 2, x : x + 2].mean(dim=(2, 3, 4)) for y in range(2) for x in range(3)
    ]
    each = [head.fc2(head.fc1(window).relu()).softmax(dim=1) for window in windows]
    torch.testing.assert_close(head(maps).softmax(dim=1), torch.stack(each).mean(dim=0))


def test_only_the_shortcut_of_the_first_stage_differs_from_mmactions_x3d():
    ours, theirs = (kind(gamma_d=1.0).state_dict() for kind in (PyTorchVideoX3D, X3D))
    assert {name for name in theirs if name not in ours} == {
        f'layer1.0.downsample.bn.{tensor}'
        for tensor in ('weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked')
    }
    assert set(ours) <= set(theirs)


BACKBONES = {
    'i3d': lambda **options: PyTorchVideoI3D(depth=18, pretrained=None, **options),
    'x3d': lambda **options: PyTorchVideoX3D(gamma_d=1.0, **options),
}


@pytest.mark.parametrize('build', BACKBONES.values(), ids=BACKBONES)
def test_switching_the_mode_returns_the_backbone(build):
    backbone = build()
    assert backbone.eval() is backbone and backbone.train() is backbone


@pytest.mark.parametrize('build', BACKBONES.values(), ids=BACKBONES)
def test_stages_are_frozen_from_the_beginning(build):
    """Several processes are told when they begin which weights will have gradients."""
    backbone = build(frozen_stages=2)
    frozen = {name for name, weight in backbone.named_parameters() if not weight.requires_grad}
    assert {name.split('.')[0].rstrip('_st') for name in frozen} == {'conv1', 'layer1', 'layer2'}
    backbone.train()
    assert frozen == {n for n, weight in backbone.named_parameters() if not weight.requires_grad}


@pytest.fixture(scope='module')
def slowfast() -> PyTorchVideoSlowFast:
    options = dict(type='resnet3d', depth=18, pretrained=None, conv1_stride_t=1, pool1_stride_t=1)
    return PyTorchVideoSlowFast(
        resample_rate=4, speed_ratio=4,
        slow_pathway=dict(**options, lateral=True, conv1_kernel=(1, 7, 7), fusion_kernel=5),
        fast_pathway=dict(**options, lateral=False, base_channels=8, conv1_kernel=(5, 7, 7)),
    ).eval()  # fmt: skip


@pytest.mark.parametrize('frames', [4, 8, 32, 64])
def test_slow_frames_reach_from_the_first_to_the_last(slowfast, frames):
    found = slowfast.slow_frames(frames).tolist()
    assert found == [int(i * (frames - 1) / max(frames // 4 - 1, 1)) for i in range(frames // 4)]
    if frames > 4:
        assert found[0] == 0 and found[-1] == frames - 1
    slow, fast = slowfast(torch.randn(1, 3, frames, 32, 32))
    assert slow.shape[2] == frames // 4 and fast.shape[2] == frames


def test_frames_that_do_not_divide_are_refused(slowfast):
    with pytest.raises(ValueError, match='multiple of 4, got 30'):
        slowfast(torch.randn(1, 3, 30, 32, 32))


def test_pathways_at_other_rates_are_refused():
    with pytest.raises(ValueError, match=r'speed_ratio to equal resample_rate \(8\), got 4'):
        PyTorchVideoSlowFast(resample_rate=8, speed_ratio=4)
