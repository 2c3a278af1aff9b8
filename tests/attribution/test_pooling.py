"""Quick max pooling: the very same values, and nothing left behind."""

import pytest
import torch
from torch import nn

from mmsal.attribution.pooling import quick_max_pooling

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
    with quick_max_pooling(nn.Sequential(pool)):
        found = pool(x)
    assert found.equal(expected)
    assert found.is_contiguous()
    assert 'forward' not in vars(pool)


def test_gradient_chooses_as_torch_does():
    pool = nn.MaxPool3d((2, 1, 1), (2, 1, 1))
    gradients = []
    for model in (nn.Sequential(), nn.Sequential(pool)):
        x = torch.zeros(1, 1, 4, 2, 2, requires_grad=True)
        with quick_max_pooling(model):
            pool(x).sum().backward()
        gradients.append(x.grad)
    assert gradients[0].equal(gradients[1])
    assert gradients[0].max() == 1  # one of the equal values, not a share for each


def test_is_undone_after_an_error():
    pool = nn.MaxPool2d(2)
    with pytest.raises(RuntimeError), quick_max_pooling(nn.Sequential(pool)):
        assert 'forward' in vars(pool)
        raise RuntimeError
    assert 'forward' not in vars(pool)


def test_keeps_off_a_forward_that_somebody_else_put_there():
    pool = nn.MaxPool2d(2)
    pool.forward = mine = lambda x: x
    with quick_max_pooling(nn.Sequential(pool)):
        assert pool.forward is mine
    assert pool.forward is mine
