"""The quick ResNet against MMAction2's own, and against autograd."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmaction.registry import MODELS
from mmcv.cnn import fuse_conv_bn
from mmengine.config import Config
from torch import nn

from mmsal.attribution.tsr.residual import Around
from mmsal.attribution.tsr.resnet import QuickResNet, worthwhile
from mmsal.attribution.tsr.squares import Squares

DEPTHS = (18, 50)  # basic blocks, bottlenecks with a convolution in the first shortcut
STAGES = dict(num_stages=3, strides=(1, 2, 2), dilations=(1,) * 3, out_indices=(2,))
ALL_STAGES = dict(num_stages=4, strides=(1, 2, 2, 2), dilations=(1,) * 4, out_indices=(3,))


pytestmark = pytest.mark.usefixtures('one_thread')


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def folded(**changes):
    """A ResNet of MMAction2 in double precision, with batch norms that do something, folded."""
    torch.manual_seed(0)
    config = dict(type='ResNet', depth=18, **STAGES)
    backbone = MODELS.build(Config(dict(model=config | changes)).model)
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
    backbone.eval()
    return fuse_conv_bn(backbone.double()).requires_grad_(False)


@pytest.fixture(scope='module')
def built():
    """By depth: the network, and what replaces it."""
    backbones = {depth: folded(depth=depth) for depth in DEPTHS}
    return {depth: (backbone, QuickResNet(backbone)) for depth, backbone in backbones.items()}


def assert_the_same(found, expected):
    atol = 1e-11 * float(expected.abs().max())
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=atol)


@pytest.mark.parametrize('depth', DEPTHS)
@pytest.mark.parametrize('shape', [(32, 32), (33, 46), (57, 40)])
def test_maps_gradients_and_derivatives_are_the_network(built, depth, shape):
    network, quick = built[depth]
    leaf = noise(9, 3, *shape).requires_grad_(True)
    expected, found = network(leaf), quick(leaf)
    assert_the_same(found.detach(), expected.detach())
    vectors = noise(*expected.shape, seed=1)
    (wanted,) = torch.autograd.grad(expected, leaf, vectors)
    (first,) = torch.autograd.grad(found, leaf, vectors, retain_graph=True)
    (again,) = torch.autograd.grad(found, leaf, vectors, retain_graph=True)
    assert_the_same(first, wanted)
    assert torch.equal(first, again)
    # J u as the derivative of u J' v by v.
    leaf_vectors = torch.zeros_like(vectors, requires_grad=True)
    (back,) = torch.autograd.grad(found, leaf, leaf_vectors, create_graph=True)
    directions = noise(*leaf.shape, seed=2)
    (along,) = torch.autograd.grad(back, leaf_vectors, directions)
    _, wanted = torch.autograd.functional.jvp(network, leaf.detach(), directions)
    assert_the_same(along, wanted)


@settings(max_examples=60, deadline=None)
@given(
    depth=st.sampled_from(DEPTHS),
    shape=st.tuples(st.integers(24, 70), st.integers(24, 70)),
    size=st.integers(1, 16),
    seed=st.integers(0, 9),
    data=st.data(),
)
def test_around_squares_is_the_same_as_whole_frames(built, depth, shape, size, seed, data):
    network, quick = built[depth]
    corner = st.tuples(st.integers(0, shape[0] - 1), st.integers(0, shape[1] - 1))
    corners = data.draw(st.lists(corner, min_size=1, max_size=5))
    frame = noise(1, 3, *shape, seed=seed)
    frames = frame.repeat(len(corners), 1, 1, 1)
    for one, (top, left) in zip(frames, corners, strict=True):
        part = one[:, top : top + size, left : left + size]
        part[:] = noise(*part.shape, seed=seed + 1)
    rows, columns = torch.tensor(corners).unbind(dim=1)
    squares = Squares(rows, columns, size, shape)
    leaf = frames.requires_grad_(True)
    found = quick.around(leaf, quick.passed(frame), squares)
    expected = network(leaf)
    assert_the_same(found.detach(), expected.detach())
    vectors = noise(*expected.shape, seed=seed + 2)
    (wanted,) = torch.autograd.grad(expected, leaf, vectors)
    assert_the_same(torch.autograd.grad(found, leaf, vectors)[0], wanted)


@pytest.mark.parametrize(
    'changes',
    [
        dict(out_indices=(0,)),
        dict(type='ResNetTSM', num_segments=4, is_shift=True, **ALL_STAGES),
        dict(type='ResNetCBAM'),
        dict(act_cfg=dict(type='LeakyReLU')),
        dict(norm_cfg=dict(type='GN', num_groups=2)),
        dict(dilations=(2, 1, 1)),
        dict(out_indices=(0, 2)),
    ],
)
def test_other_networks_are_left_to_others(changes):
    assert not QuickResNet.can_replace(folded(**changes))


def test_the_squares_of_a_patch_are_followed_through_two_stages(built):
    _, quick = built[18]
    frame = noise(1, 3, 120, 120)
    squares = Squares(torch.tensor([50]), torch.tensor([110]), 10, (120, 120))
    passed = quick.passed_around(frame, quick.passed(frame), squares)
    around = [isinstance(maps[-1], Around) for maps in passed.blocks]
    assert around == [True, True, True, False, False, False]
    sizes = [maps.at.size for block in passed.blocks[:3] for maps in block]
    assert sizes == [7, 9, 11, 13, 8, 10]


def test_large_squares_are_not_worth_it():
    at = torch.zeros(1, dtype=torch.int64)
    assert worthwhile(Squares(at, at, 8, (10, 9)))
    assert not worthwhile(Squares(at, at, 9, (10, 9)))
