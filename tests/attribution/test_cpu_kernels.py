"""Quick kernels: the same values, and nothing left behind."""

import pytest
import torch
from torch import nn

from mmsal.attribution.cpu_kernels import quick_cpu_kernels

POOLS = [
    (nn.MaxPool2d(3, 2, 1), (4, 8, 15, 17)),
    (nn.MaxPool2d((2, 3), padding=(1, 0), ceil_mode=True), (4, 8, 15, 17)),
    (nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)), (2, 8, 5, 15, 17)),
    (nn.MaxPool3d((2, 1, 1), (2, 1, 1)), (2, 8, 5, 9, 9)),
    (nn.MaxPool3d((2, 1, 1), (1, 1, 1)), (2, 8, 5, 9, 9)),
    (nn.MaxPool3d((2, 1, 1), (2, 1, 1), ceil_mode=True), (2, 8, 5, 9, 9)),
    (nn.MaxPool3d((2, 1, 1), (2, 1, 1), (1, 0, 0)), (2, 8, 5, 9, 9)),
    (nn.MaxPool3d(2, dilation=2), (2, 8, 7, 9, 9)),
]


@pytest.mark.parametrize(('pool', 'shape'), POOLS, ids=[str(pool) for pool, _ in POOLS])
def test_values_are_the_same_to_the_last_bit(pool, shape):
    torch.manual_seed(0)
    x = torch.randn(shape).relu()  # many equal values
    expected = pool(x)
    with quick_cpu_kernels(nn.Sequential(pool)):
        found = pool(x)
    assert found.equal(expected)
    assert found.is_contiguous()
    assert 'forward' not in vars(pool)


def test_gradient_chooses_as_torch_does():
    pool = nn.MaxPool3d((2, 1, 1), (2, 1, 1))
    gradients = []
    for model in (nn.Sequential(), nn.Sequential(pool)):
        x = torch.zeros(1, 1, 4, 2, 2, requires_grad=True)
        with quick_cpu_kernels(model):
            pool(x).sum().backward()
        gradients.append(x.grad)
    assert gradients[0].equal(gradients[1])
    assert gradients[0].max() == 1  # one of the equal values, not a share for each


def test_is_undone_after_an_error():
    pool = nn.MaxPool2d(2)
    with pytest.raises(RuntimeError), quick_cpu_kernels(nn.Sequential(pool)):
        assert 'forward' in vars(pool)
        raise RuntimeError
    assert 'forward' not in vars(pool)


def test_keeps_off_a_forward_that_somebody_else_put_there():
    pool = nn.MaxPool2d(2)
    pool.forward = mine = lambda x: x
    with quick_cpu_kernels(nn.Sequential(pool)):
        assert pool.forward is mine
    assert pool.forward is mine


CONVOLUTIONS = [
    nn.Conv3d(8, 6, (1, 3, 3), padding=(0, 1, 1), bias=False),
    nn.Conv3d(8, 6, (1, 3, 3), stride=(2, 2, 2), padding=(0, 1, 1)),
    nn.Conv3d(8, 6, (1, 5, 5), dilation=(1, 2, 2), groups=2),
    nn.Conv3d(8, 6, (1, 3, 3), padding='same'),
    nn.Conv3d(8, 6, (1, 3, 3), padding=(0, 1, 1), padding_mode='circular'),
    nn.Conv3d(8, 6, 3, padding=1),
    nn.Conv3d(8, 6, 1),
]


@pytest.mark.parametrize('conv', CONVOLUTIONS, ids=str)
@pytest.mark.parametrize('clips', [1, 2])
def test_convolution_agrees_to_rounding(conv, clips):
    torch.manual_seed(0)
    conv = conv.requires_grad_(False)
    x = torch.randn(clips, 8, 5, 15, 17)
    expected = conv(x)
    with quick_cpu_kernels(nn.Sequential(conv)):
        found = conv(x)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    assert 'forward' not in vars(conv)


def test_convolution_with_a_gradient_is_left_alone():
    conv = nn.Conv3d(8, 6, (1, 3, 3))
    x = torch.randn(1, 8, 5, 9, 9, requires_grad=True)
    with quick_cpu_kernels(nn.Sequential(conv)):
        conv(x).sum().backward()
    assert x.grad.abs().max() > 0
    assert conv.weight.grad.abs().max() > 0
