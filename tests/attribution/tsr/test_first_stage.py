"""The beginning of a ResNet against the layers it is made of, and against autograd."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmaction.registry import MODELS
from mmcv.cnn import fuse_conv_bn
from mmengine.config import Config
from torch import nn

from mmsal.attribution.tsr.first_stage import FirstStage
from mmsal.attribution.tsr.squares import Squares

DEPTHS = (18, 50)  # basic blocks, bottlenecks with a convolution in the first shortcut
ALL_STAGES = dict(num_stages=4, strides=(1, 2, 2, 2), dilations=(1,) * 4, out_indices=(3,))
STAGES = dict(num_stages=2, strides=(1, 2), dilations=(1, 1), out_indices=(1,))


@pytest.fixture(scope='module', autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


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
    """By depth: the layers, and what replaces them."""
    backbones = {depth: folded(depth=depth) for depth in DEPTHS}
    for backbone in backbones.values():
        for module in backbone.modules():
            if isinstance(module, nn.ReLU):
                module.inplace = False
    return {
        depth: (
            nn.Sequential(backbone.conv1, backbone.maxpool, backbone.layer1),
            FirstStage.taken_out_of(copy.deepcopy(backbone)),
        )
        for depth, backbone in backbones.items()
    }


def assert_the_same(found, expected):
    atol = 1e-11 * float(expected.abs().max())
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=atol)


@pytest.mark.parametrize('depth', DEPTHS)
@pytest.mark.parametrize('shape', [(32, 32), (33, 46), (57, 40)])
def test_maps_gradients_and_derivatives_are_the_layers(built, depth, shape):
    layers, stage = built[depth]
    leaf = noise(9, 3, *shape).requires_grad_(True)
    expected, found = layers(leaf), stage(leaf)
    assert_the_same(found.detach(), expected.detach())
    vectors = noise(*expected.shape, seed=1)
    (wanted,) = torch.autograd.grad(expected, leaf, vectors)
    (first,) = torch.autograd.grad(found, leaf, vectors, retain_graph=True)
    (again,) = torch.autograd.grad(found, leaf, vectors, retain_graph=True)
    assert_the_same(first, wanted)
    assert torch.equal(first, again)
    # J u as the derivative of u J' v by v, and by difference.
    leaf_vectors = torch.zeros_like(vectors, requires_grad=True)
    (back,) = torch.autograd.grad(found, leaf, leaf_vectors, create_graph=True)
    directions = noise(*leaf.shape, seed=2)
    (along,) = torch.autograd.grad(back, leaf_vectors, directions)
    step = 1e-7 * directions
    with torch.no_grad():
        difference = (layers(leaf + step) - layers(leaf - step)) / 2e-7
    kinks = (along - difference).abs() > 1e-5 * along.abs().max()
    assert float(kinks.double().mean()) < 1e-3
    assert along.abs().max() > 0.1


@settings(max_examples=60, deadline=None)
@given(
    depth=st.sampled_from(DEPTHS),
    shape=st.tuples(st.integers(24, 70), st.integers(24, 70)),
    size=st.integers(1, 16),
    seed=st.integers(0, 9),
    flat=st.booleans(),
    data=st.data(),
)
def test_around_squares_is_the_same_as_whole_frames(built, depth, shape, size, seed, flat, data):
    layers, stage = built[depth]
    corner = st.tuples(st.integers(0, shape[0] - 1), st.integers(0, shape[1] - 1))
    corners = data.draw(st.lists(corner, min_size=1, max_size=5))
    frame = noise(1, 3, *shape, seed=seed)
    frames = frame.repeat(len(corners), 1, 1, 1)
    for one, (top, left) in zip(frames, corners, strict=True):
        part = one[:, top : top + size, left : left + size]
        part[:] = 0.3 if flat else noise(*part.shape, seed=seed + 1)
    rows, columns = torch.tensor(corners).unbind(dim=1)
    squares = Squares(rows, columns, size, shape)
    leaf = frames.requires_grad_(True)
    found = stage.around(leaf, stage.passed(frame), squares)
    expected = layers(leaf)
    assert_the_same(found.detach(), expected.detach())
    vectors = noise(*expected.shape, seed=seed + 2)
    # Which of the equal values of a flat square a pooling takes is for the whole stage to tell.
    whole = stage(leaf) if flat else expected
    (wanted,) = torch.autograd.grad(whole, leaf, vectors)
    assert_the_same(torch.autograd.grad(found, leaf, vectors)[0], wanted)


@pytest.mark.parametrize(
    'changes',
    [
        dict(out_indices=(0,)),
        dict(type='ResNetTSM', num_segments=4, is_shift=True, **ALL_STAGES),
        dict(type='ResNetCBAM'),
        dict(act_cfg=dict(type='LeakyReLU')),
        dict(dilations=(2, 1)),
        dict(strides=(2, 2)),
    ],
)
def test_other_beginnings_are_left_alone(changes):
    backbone = folded(**changes)
    before = {name: id(module) for name, module in backbone.named_modules()}
    assert FirstStage.taken_out_of(backbone) is None
    assert {name: id(module) for name, module in backbone.named_modules()} == before


@pytest.mark.parametrize('depth', DEPTHS)
def test_the_backbone_goes_on_with_the_second_stage(depth):
    backbone = folded(depth=depth)
    frames = noise(2, 3, 40, 36)
    expected = backbone(frames)
    stage = FirstStage.taken_out_of(backbone)
    assert_the_same(backbone(stage(frames)), expected)
