"""Grad-CAM on every family of recognizers: which layer, which values, and what they hang on."""

import copy
import warnings
from math import prod

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from einops import einsum, rearrange, reduce
from mmaction.utils import GradCAM as UpstreamGradCAM
from scipy.stats import spearmanr

from mmsal.attribution import CAM_METHODS, GradCAM, find_layer
from tests.attribution.networks import ALL, batch, build

RESNETS = (
    'tsn', 'tsm', 'cnn_lstm', 'cnn_lstm_attention', 'i3d', 'tpn', 'tpn_tsm', 'c2d', 'r2plus1d',
    'slowonly', 'csn', 'i3d_nonlocal', 'tanet', 'trn', 'trn_single',
)  # fmt: skip
PATHWAYS = ('backbone/slow_path/layer4', 'backbone/fast_path/layer4')
LAST = 'backbone/transformer_layers/layers/1'
DEFAULTS = {
    **dict.fromkeys(RESNETS, ('backbone/layer4',)),
    'x3d': ('backbone/conv5',),
    'c3d': ('backbone/conv5b',),
    'slowfast': PATHWAYS,
    'omni': ('backbone',),
    'mobilenet': ('backbone',),
    'mobilenet_tsm': ('backbone',),
    'timesformer': (f'{LAST}/attentions/0',),
    'timesformer_joint': (f'{LAST}/norms/0',),
    'timesformer_space': (f'{LAST}/norms/0',),
    'swin': ('backbone/norm1',),
    'mvit': ('backbone/blocks/3/norm1',),
    'mvit_mean': ('backbone/norm2',),
    'videomae': ('backbone/blocks/1',),
    'vit_first': ('backbone/blocks/1/norm1',),
    'uniformer': ('backbone/norm',),
    'uniformerv2': ('backbone/transformer/resblocks/2',),
}


@pytest.mark.parametrize('name', ALL)
def test_without_naming_a_layer(name):
    model = build(name)
    data, other = batch(name, samples=2, seed=3), batch(name, samples=2, seed=4)
    shape = (1, 16, 32, 32) if name == 'c3d' else (1, 8, 64, 64)
    with GradCAM(model) as cam:
        found = cam.localize(data)
        changed = cam.localize(other, [one.target for one in found])
    assert cam.layer_names == DEFAULTS[name]
    for one, another in zip(found, changed, strict=True):
        assert one.raw.shape == another.raw.shape == shape
        assert one.raw.isfinite().all()
        assert one.raw.min() >= 0
        assert one.raw.std() > 1e-3 * one.raw.max() > 0
        assert (one.raw - another.raw).abs().max() > 0.01 * one.raw.max()


# What MMAction2 can explain: one map [N, C, H, W] or [N, C, T, H, W], of Recognizer2D or 3D.
UPSTREAM = {
    name: layers[0]
    for name, layers in DEFAULTS.items()
    if name in (*RESNETS, 'x3d', 'c3d', 'mobilenet', 'mobilenet_tsm', 'uniformer')
}
UPSTREAM.update(c2d='backbone', swin='backbone')  # it takes neither C2D's stages nor Swin's norm

# Deep random networks, of which MMAction2's own maps lie as far from those in double precision
# (test_precision.py).
ROUNDED = ('tpn', 'tpn_tsm', 'r2plus1d', 'csn', 'i3d_nonlocal')


@pytest.mark.parametrize('name', UPSTREAM)
def test_equals_mmaction2(name):
    model, data = build(name), batch(name, samples=2, seed=3)
    warnings.filterwarnings('ignore', message='Using a non-full backward hook')
    np.random.seed(0)  # TRN draws from it, and mmsal has it start here
    upstream = UpstreamGradCAM(copy.deepcopy(model), UPSTREAM[name])
    expected, scores = upstream._calculate_localization_map(data, False)
    with GradCAM(model, UPSTREAM[name]) as cam:
        found = cam.localize(data)
    maps = torch.cat([one.scaled for one in found])
    assert expected.flatten(1).amax(dim=1).eq(1).all()
    assert expected.std() > 0.05  # a map of nothing would prove nothing
    torch.testing.assert_close(maps, expected, rtol=0, atol=1e-4 if name in ROUNDED else 1e-5)
    own_scores, largest = torch.stack([one.scores for one in found]), float(scores.abs().max())
    torch.testing.assert_close(own_scores, scores.detach(), rtol=0, atol=1e-5 * largest)


def by_hand(name, layer, layout, data, targets) -> torch.Tensor:
    """Grad-CAM [B, t, h, w] at a layer by a full backward pass, laid out with einops.

    ``layout`` is a pattern, its sizes, and the axis along which the class token stands first.
    """
    pattern, sizes, token_axis = layout
    model, kept = build(name), []

    def keep(module, inputs, output):
        while not isinstance(output, torch.Tensor):
            output = output[0]
        output.retain_grad()
        kept.append(output)

    find_layer(model, layer).register_forward_hook(keep)
    model.cls_head.average_clips = 'score'
    results = model.test_step(data)
    sum(one.pred_score[target] for one, target in zip(results, targets, strict=True)).backward()

    def lay_out(tensor):
        if token_axis is not None:
            tensor = tensor.narrow(token_axis, 1, tensor.shape[token_axis] - 1)
        return rearrange(tensor, pattern, **sizes)

    activations, gradients = lay_out(kept[0].detach()), lay_out(kept[0].grad)
    weights = reduce(gradients, 'b t c h w -> b t c', 'mean')
    return einsum(weights, activations, 'b t c, b t c h w -> b t h w').relu()


def enlarged(maps, size=(8, 64, 64)):
    """To the frames, rows and columns of the input; [B, T, H, W]."""
    return F.interpolate(maps[:, None], size=size, mode='trilinear', align_corners=False)[:, 0]


FRAMES, TUBES = dict(t=8, h=4, w=4), dict(t=4, h=4, w=4)
BY_HAND = {
    'timesformer': ('b (h w t) c -> b t c h w', FRAMES, 1),
    'timesformer_joint': ('b (h w t) c -> b t c h w', FRAMES, 1),
    'timesformer_space': ('(b t) (h w) c -> b t c h w', FRAMES, 1),
    'swin': ('b t h w c -> b t c h w', {}, None),
    'mvit': ('b (t h w) c -> b t c h w', dict(t=4, h=8, w=8), 1),
    'mvit_mean': ('b (t h w) c -> b t c h w', TUBES, None),
    'videomae': ('b (t h w) c -> b t c h w', TUBES, None),
    'vit_first': ('b (t h w) c -> b t c h w', TUBES, None),
    'uniformerv2': ('(h w) (b t) c -> b t c h w', FRAMES, 0),
    'c2d': ('(b t) c h w -> b t c h w', dict(t=4), None),
}
CHANNELS_FIRST = ('b c t h w -> b t c h w', {}, None)


@pytest.mark.parametrize('name', BY_HAND)
def test_equals_a_full_backward_pass(name):
    data, targets = batch(name, samples=2, views=2), [1, 4]
    expected = enlarged(by_hand(name, DEFAULTS[name][0], BY_HAND[name], data, targets))
    with GradCAM(build(name)) as cam:
        raw = torch.cat([one.raw for one in cam.localize(data, targets)])
    assert expected.amax(dim=(1, 2, 3)).min() > 0
    torch.testing.assert_close(raw, expected, rtol=1e-4, atol=1e-5 * float(expected.max()))


def test_neck_by_name():
    """TPN's neck gives a map and a dictionary; it has pooled time away."""
    data, targets = batch('tpn', samples=2, views=2), [1, 4]
    expected = by_hand('tpn', 'neck', CHANNELS_FIRST, data, targets)
    assert expected.shape == (4, 1, 2, 2)
    with GradCAM(build('tpn'), 'neck') as cam:
        raw = torch.cat([one.raw for one in cam.localize(data, targets)])
    assert raw.std() > 0
    largest = float(expected.abs().max())
    torch.testing.assert_close(raw, enlarged(expected), rtol=0, atol=1e-4 * largest)


class TestSlowFast:
    def pathways(self, data, targets) -> list[torch.Tensor]:
        return [by_hand('slowfast', layer, CHANNELS_FIRST, data, targets) for layer in PATHWAYS]

    @pytest.mark.parametrize('names', [*PATHWAYS, ', '.join(PATHWAYS), None])
    def test_equals_a_full_backward_pass(self, names):
        data, targets = batch('slowfast', samples=2, views=2), [1, 4]
        slow, fast = self.pathways(data, targets)
        assert (slow.shape, fast.shape) == ((4, 2, 2, 2), (4, 8, 2, 2))
        assert slow.max() > 0 < fast.max()
        # Both: a map of a quarter as many positions counts a quarter.
        share = prod(slow.shape) / prod(fast.shape)
        both = enlarged(slow) * share + enlarged(fast)
        expected = dict(zip(PATHWAYS, (enlarged(slow), enlarged(fast)), strict=True))
        with GradCAM(build('slowfast'), names) as cam:
            raw = torch.cat([one.raw for one in cam.localize(data, targets)])
        torch.testing.assert_close(raw, expected.get(names, both), rtol=1e-4, atol=1e-6)

    def test_shares_add_up(self):
        """Summed over the input, each pathway counts as it does summed over its positions."""
        data, targets = batch('slowfast'), [2]
        slow, fast = self.pathways(data, targets)
        with GradCAM(build('slowfast')) as cam:
            raw = cam.localize(data, targets)[0].raw
        whole = float(slow.sum() + fast.sum())  # enlarging by whole numbers keeps the mean
        assert float(raw.sum()) * fast.numel() / raw.numel() == pytest.approx(whole, rel=1e-4)

    @pytest.mark.parametrize('below', ['slow_path/layer3', 'fast_path/layer3'])
    def test_a_layer_below_another_has_its_whole_gradient(self, below):
        """By way of the layer above and, for the fast pathway, past it, by the lateral ones."""
        data, targets = batch('slowfast'), [1]
        names = [f'backbone/{below}', 'backbone/slow_path/layer4']
        maps = [by_hand('slowfast', name, CHANNELS_FIRST, data, targets) for name in names]
        most = max(one.numel() for one in maps)
        expected = sum(enlarged(one) * (one.numel() / most) for one in maps)
        with GradCAM(build('slowfast'), ','.join(names)) as cam:
            raw = cam.localize(data, targets)[0].raw
        torch.testing.assert_close(raw, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize('name', ['trn', 'trn_single'])
def test_what_trn_draws_is_always_the_same(name):
    model, data = build(name), batch(name, seed=3)
    np.random.seed(5)
    before = np.random.get_state()
    with GradCAM(model) as cam:
        first = cam.heatmaps(data)[0]
        after = np.random.get_state()
        np.random.seed(6)
        second = cam.heatmaps(data)[0]
    assert first.equal(second)
    assert before[2] == after[2]
    assert np.array_equal(before[1], after[1])


@pytest.mark.parametrize('name', ['slowfast', 'timesformer', 'swin', 'mvit', 'uniformerv2', 'c2d'])
@pytest.mark.parametrize('at_once', [1, 2])
def test_views_in_chunks(name, at_once):
    """Three views, so that of two at once the last chunk is a smaller one."""
    model, data = build(name), batch(name, views=3)
    with GradCAM(model) as cam:
        expected = cam.localize(data, 1)[0].raw
        model.test_cfg = dict(max_testing_views=at_once)
        raw = cam.localize(data, 1)[0].raw
    assert expected.amax(dim=(1, 2, 3)).min() > 0
    torch.testing.assert_close(raw, expected, rtol=1e-3, atol=1e-5 * float(expected.max()))


def content(model, layer, method, data) -> np.ndarray:
    """Maps less their mean over clips and frames: what the picture's edge alone does is no content.

    With zeros around a picture of noise, LayerCAM of a shuffled ResNet correlates with the former
    one's by 0.95.
    """
    with GradCAM(model, layer, method=method) as cam:
        raw = torch.cat([one.raw for one in cam.localize(data, 1)])
    return (raw - raw.mean(dim=(0, 1))).flatten(1).numpy()


def correlation(maps: np.ndarray, others: np.ndarray) -> float:
    """Spearman's, averaged over clips."""
    return float(np.mean([spearmanr(*pair).statistic for pair in zip(maps, others, strict=True)]))


def change_weights(model, change) -> None:
    with torch.no_grad():
        for weights in model.parameters():
            weights.copy_(change(weights))


@pytest.mark.parametrize(
    ('name', 'layer'),
    [
        ('tsn', 'backbone/layer3'),
        ('slowonly', 'backbone/layer2'),
        ('uniformer', 'backbone/blocks3/0'),
        ('timesformer', None),
        ('uniformerv2', None),
    ],
)
def test_depends_on_the_weights(name, layer):
    """The sanity check of Adebayo et al., NeurIPS 2018, with every tensor of weights shuffled.

    Unrelated maps of 64 positions and more correlate by at most 0.05 (one standard deviation of
    the mean over six clips); over five seeds none came to 0.35.
    """
    model, data = build(name), batch(name, samples=6)
    former = {method: content(model, layer, method, data) for method in CAM_METHODS}
    generator = torch.Generator().manual_seed(0)
    change_weights(model, lambda w: w * (1 + 1e-4 * torch.randn(w.shape, generator=generator)))
    for method in CAM_METHODS:  # the measure does notice when nothing much has changed
        assert correlation(former[method], content(model, layer, method, data)) > 0.8, method
    change_weights(
        model, lambda w: w.flatten()[torch.randperm(w.numel(), generator=generator)].view_as(w)
    )
    for method in CAM_METHODS:
        found = correlation(former[method], content(model, layer, method, data))
        assert abs(found) < 0.4, method


@pytest.mark.parametrize(
    'name',
    [
        'videomae',
        'mvit',
    ],
)
def test_sign_of_eigencam_is_none_of_rounding(name):
    model, data = build(name), batch(name, samples=6)
    former = content(model, None, 'eigencam', data)
    generator = torch.Generator().manual_seed(1)
    change_weights(model, lambda w: w * (1 + 1e-6 * torch.randn(w.shape, generator=generator)))
    for pair in zip(former, content(model, None, 'eigencam', data), strict=True):
        assert np.corrcoef(pair)[0, 1] > 0.99
