"""The tuned CNN of single frames against the network it was made of, and against autograd."""

import gc
import weakref

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmaction.registry import MODELS
from mmengine.config import Config
from torch import nn

from mmsal.attribution.tsr.frame_cnn import FrameCNN, share_out, works_frame_by_frame
from mmsal.attribution.tsr.hiding import Hiding
from mmsal.attribution.tsr.resnet import QuickResNet
from mmsal.attribution.tsr.stem import UnshuffledConv2d

GIB = 2**30
BACKBONES = {
    'resnet18': (dict(type='ResNet', depth=18, num_stages=2), 128),
    'bottleneck': (dict(type='ResNet', depth=50, num_stages=2), 512),
    'cbam': (dict(type='ResNetCBAM', depth=18, num_stages=2), 128),
}


pytestmark = pytest.mark.usefixtures('one_thread')


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def cnn_lstm(name='resnet18', cell='lstm', **head):
    """In double precision; batch-norm statistics are not the initial ones, weights matter."""
    torch.manual_seed(0)
    backbone, channels = BACKBONES[name]
    stages = backbone.get('num_stages', 4)
    backbone = dict(
        backbone, strides=(1, 2, 2, 2)[:stages], dilations=(1,) * stages, out_indices=(stages - 1,)
    )
    head = dict(
        type='CNNLSTMHead', num_classes=4, in_channels=channels, feature_size=24,
        hidden_sizes=(10,), cell=cell, attention_hops=3, attention_size=4, topk=(1,), **head,
    )  # fmt: skip
    config = dict(type='CNNLSTMRecognizer', backbone=backbone, cls_head=head)
    model = MODELS.build(Config(dict(model=config)).model)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    for parameter in model.cls_head.parameters():
        nn.init.normal_(parameter, std=0.3)
    return model.double().eval().requires_grad_(False)


def mixing_frames(segments):
    """A CNN-LSTM whose backbone shifts channels from frame to frame."""
    torch.manual_seed(0)
    backbone = dict(type='ResNetTSM', depth=18, num_segments=segments, is_shift=True)
    head = dict(type='CNNLSTMHead', num_classes=4, in_channels=512, topk=(1,))
    config = dict(type='CNNLSTMRecognizer', backbone=backbone, cls_head=head)
    model = MODELS.build(Config(dict(model=config)).model)
    for name, parameter in model.named_parameters():
        if 'bn' in name or 'downsample.1' in name:
            nn.init.normal_(parameter, mean=0.5, std=0.1)
    return model.double().eval().requires_grad_(False)


@pytest.mark.parametrize('name', BACKBONES)
def test_features_and_jacobians_are_the_networks(name):
    model = cnn_lstm(name)
    cnn = FrameCNN(model, noise(3, 33, 38), GIB)
    frames, vectors = noise(3, 3, 33, 38), noise(3, 2, 24, seed=1)
    leaf = frames.clone().requires_grad_(True)
    features = model.extract_frame_features(leaf[None])[0]
    torch.testing.assert_close(cnn.features(frames), features.detach(), rtol=1e-9, atol=1e-9)
    products = torch.stack(cnn.products(frames, vectors))
    assert products.shape == (3, 2, 3 * 33 * 38)
    trace = cnn.trace(frames)
    torch.testing.assert_close(trace.features, features.detach(), rtol=1e-9, atol=1e-9)
    for k in range(2):
        (expected,) = torch.autograd.grad(features, leaf, vectors[:, k], retain_graph=True)
        assert expected.abs().max() > 1e-6
        atol = 1e-9 * float(expected.abs().max())
        torch.testing.assert_close(products[:, k], expected.flatten(1), rtol=1e-7, atol=atol)
        found = trace.back(vectors[:, k], again=True)
        torch.testing.assert_close(found, expected.flatten(1), rtol=1e-7, atol=atol)
    directions = noise(3, 3, 33, 38, seed=2)
    _, along = torch.autograd.functional.jvp(
        lambda some: model.extract_frame_features(some[None])[0], frames, directions
    )
    found = cnn.derivatives(frames, directions.flatten(1))
    torch.testing.assert_close(found, along, rtol=1e-7, atol=1e-9 * float(along.abs().max()))
    assert not products.requires_grad
    assert not found.requires_grad
    assert not trace.features.requires_grad


def test_a_resnet_is_written_anew_and_of_others_the_first_layers():
    """MMAction2 builds them of mmcv's classes, not of torch's."""
    assert type(FrameCNN(cnn_lstm(), noise(3, 33, 38), GIB).model.backbone) is QuickResNet
    other = FrameCNN(cnn_lstm('cbam'), noise(3, 33, 38), GIB)
    assert type(other.model.backbone.conv1.conv) is UnshuffledConv2d


@pytest.mark.parametrize('name', ['resnet18', 'bottleneck'])
def test_frames_with_a_part_hidden_around_it(name):
    cnn = FrameCNN(cnn_lstm(name), noise(3, 33, 38), GIB, parts=20)
    assert cnn.by_frame
    assert cnn.batch == 20
    hiding = Hiding(noise(2, 3, 33, 38), noise(2, 3, 33, 38, seed=1), 8)
    hidden = hiding.patches(1)[:7] + hiding.patches(1)[-6:]
    frames, vectors = hiding.hide(hidden), noise(13, 24, seed=2)
    trace = cnn.trace_around(cnn.passed(hiding.frames[[1]]), frames, hidden)
    whole = cnn.trace(frames)
    torch.testing.assert_close(trace.features, whole.features, rtol=1e-9, atol=1e-9)
    back = trace.back(vectors, again=True)
    torch.testing.assert_close(back, whole.back(vectors, again=True), rtol=1e-8, atol=1e-11)
    assert not trace.back(torch.zeros_like(vectors), again=True).any()
    directions = noise(*cnn.trace(frames)._leaf.shape, seed=3)
    torch.testing.assert_close(trace.forth(directions)[:13], whole.forth(directions)[:13])


@pytest.mark.parametrize(
    ('parts', 'batch', 'by_frame'),
    [(145, 49, True), (64, 64, True), (16, 16, True), (15, 64, False)],
)
def test_batches_are_even_shares_of_a_frames_parts(parts, batch, by_frame):
    cnn = FrameCNN(cnn_lstm(), noise(3, 20, 20), GIB, parts)
    assert (cnn.batch, cnn.by_frame) == (batch, by_frame)


def test_the_model_is_left_as_it_is_and_the_copy_goes():
    model = cnn_lstm()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modules = {name: id(module) for name, module in model.named_modules()}
    cnn = FrameCNN(model, noise(3, 20, 20), GIB)
    cnn.trace(noise(2, 3, 20, 20))
    after = model.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert {name: id(module) for name, module in model.named_modules()} == modules
    weight = weakref.ref(next(cnn.model.backbone.parameters()))
    del cnn
    gc.collect()
    assert weight() is None


def test_what_nothing_is_asked_of_is_zero():
    """As the last frames of a batch that is filled up."""
    cnn, frames = FrameCNN(cnn_lstm(), noise(3, 24, 20), GIB), noise(4, 3, 24, 20)
    vectors = noise(4, 24, seed=1)
    whole = cnn._traced(frames).back(vectors)
    for zeros in (slice(2, None), slice(None), slice(0, 1)):
        some = vectors.clone()
        some[zeros] = 0
        expected = whole.clone()
        expected[zeros] = 0
        torch.testing.assert_close(cnn._traced(frames).back(some), expected)


def test_less_memory_gives_smaller_batches_and_the_same_numbers():
    model, frames = cnn_lstm(), noise(4, 3, 24, 20)
    tuned = [FrameCNN(model, frames[0], memory) for memory in (GIB, 4 * 2**20, 1)]
    batches = [cnn.batch for cnn in tuned]
    assert batches[0] > batches[1] > batches[2] == 1
    found = [torch.cat([cnn.trace(some).features for some in frames.split(cnn.batch)])
             for cnn in tuned]  # fmt: skip
    torch.testing.assert_close(found[1], found[0])
    torch.testing.assert_close(found[2], found[0])


@pytest.mark.parametrize('memory', [GIB, 1])
def test_a_backbone_that_mixes_frames_is_noticed(memory):
    frames = noise(8, 3, 32, 32)
    quiet = cnn_lstm()
    assert works_frame_by_frame(quiet, FrameCNN(quiet, frames[0], GIB), frames)
    mixing = mixing_frames(8)
    alone = mixing_frames(1)
    assert not works_frame_by_frame(mixing, FrameCNN(alone, frames[0], memory), frames)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=9), st.integers(1, 8))
def test_work_is_shared_out_without_loss(counts, batch):
    """Every vector once, the longest share first, never slower than frame by frame."""
    batches = share_out(counts, batch)
    done = sorted((s.frame, place) for some in batches for s in some for place in s.places)
    assert done == [(frame, place) for frame, count in enumerate(counts) for place in range(count)]
    steps = 0
    for some in batches:
        lengths = [len(share.places) for share in some]
        assert len(some) <= batch
        assert lengths == sorted(lengths, reverse=True)
        steps += lengths[0] + 1
    assert steps * batch >= sum(counts)
    assert steps <= sum(count + 1 for count in counts)


def test_a_frame_with_many_vectors_is_worked_on_in_several_places():
    batches = share_out([30, 2, 2], 8)
    assert [share.frame for share in batches[0]].count(0) > 3
    assert sum(len(some[0].places) for some in batches) < 10


def kernels(most):
    return st.integers(1, most) | st.tuples(st.integers(1, most), st.integers(1, most))


@settings(max_examples=60, deadline=None)
@given(
    kernels(8),
    st.integers(2, 4),
    kernels(4),
    st.integers(1, 4),
    st.integers(8, 20),
    st.integers(8, 20),
    st.booleans(),
)
def test_unshuffled_convolution_is_the_strided_one(
    kernel, stride, padding, channels, height, width, bias
):
    torch.manual_seed(0)
    conv = nn.Conv2d(channels, 3, kernel, stride, padding, bias=bias).double()
    conv.requires_grad_(False)
    assert UnshuffledConv2d.can_replace(conv)
    leaf = noise(2, channels, height, width).requires_grad_(True)
    expected, found = conv(leaf), UnshuffledConv2d(conv)(leaf)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    vector = noise(*expected.shape, seed=1)
    gradients = [torch.autograd.grad(one, leaf, vector)[0] for one in (found, expected)]
    torch.testing.assert_close(*gradients, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    'conv',
    [
        nn.Conv2d(3, 4, 3),
        nn.Conv2d(3, 4, 3, stride=(1, 2)),
        nn.Conv2d(5, 4, 3, stride=2),
        nn.Conv2d(3, 3, 3, stride=2, groups=3),
        nn.Conv2d(3, 4, 3, stride=2, dilation=2),
        nn.Conv2d(3, 4, 3, stride=2, padding=1, padding_mode='reflect'),
        nn.Conv2d(3, 4, 1, stride=1, padding='same'),
        nn.Conv3d(3, 4, 3, stride=2),
    ],
)
def test_other_convolutions_stay(conv):
    assert not UnshuffledConv2d.can_replace(conv)
