"""Attention rollout against whole matrices, against Jacobians, and what it must leave as it was."""

import copy

import pytest
import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.config import Config
from torch import nn

from mmsal.attribution import TargetLayerError
from mmsal.attribution.rollout import AttentionRollout
from tests.attribution.dense_rollout import dense_rollout
from tests.attribution.networks import ALL, batch, build

NAMES = (
    'timesformer',
    'timesformer_joint',
    'timesformer_space',
    'swin',
    'mvit',
    'mvit_mean',
    'videomae',
    'vit_first',
    'uniformer',
    'uniformerv2',
)
# Not square: Swin pads to whole windows and merges an odd number of patches, UniFormer drops the
# last row and column of 5 x 7, MViT pools an odd number.
SIZES = (
    ('swin', (60, 44)),
    ('swin', (12, 40)),
    ('mvit', (56, 100)),
    ('mvit_mean', (64, 96)),
    ('videomae', (48, 96)),
    ('uniformer', (80, 112)),
)


def rolled_out(model, data, target=None) -> torch.Tensor:
    """[N, V, T, H, W]"""
    with AttentionRollout(model) as explainer:
        return torch.stack([one.raw for one in explainer.localize(data, target)])


def rebuilt(name: str, backbone: dict | None = None, head: dict | None = None) -> nn.Module:
    """One of the networks with some options changed."""
    config = Config(dict(model=ALL[name])).copy().model
    config.backbone.update(backbone or {})
    config.cls_head.update(head or {})
    torch.manual_seed(0)
    return MODELS.build(config).eval()


def assert_same(maps, expected):
    """To 1e-5 of the largest share; attention of random weights differs by a few percent."""
    assert expected.std() > 0.02 * expected.mean()
    torch.testing.assert_close(maps, expected, rtol=0, atol=1e-5 * float(expected.max()))


@pytest.mark.parametrize(('name', 'size'), [(name, None) for name in NAMES] + list(SIZES))
def test_equals_whole_matrices(name, size, monkeypatch):
    model, data = build(name), batch(name, samples=2, size=size)
    expected = torch.from_numpy(dense_rollout(name, model, data, monkeypatch)).float()
    maps = rolled_out(model, data)
    assert (maps >= 0).all()
    assert maps.dtype == torch.float32
    expected = F.interpolate(
        expected[:, None], size=data['inputs'][0].shape[-3:], mode='trilinear', align_corners=False
    )
    assert_same(maps, expected)


def spied(explainer, monkeypatch) -> list:
    """Every row that is laid out from now on, with its trace."""
    rows, lay_out = [], explainer.family.lay_out

    def noting(row, trace):
        rows.append((row, trace))
        return lay_out(row, trace)

    monkeypatch.setattr(explainer.family, 'lay_out', noting)
    return rows


@pytest.mark.parametrize('name', NAMES)
def test_shares_add_up_to_one(name, monkeypatch):
    model, data = build(name), batch(name, views=2, size=(60, 44) if name == 'swin' else None)
    explainer = AttentionRollout(model)
    rows = spied(explainer, monkeypatch)
    explainer.localize(data)
    per_clip = rows[0][0].reshape(2, -1).sum(dim=1)  # space-only: a row for each frame
    torch.testing.assert_close(per_clip, torch.ones(2))


@pytest.mark.parametrize('name', NAMES)
def test_samples_and_views_are_apart(name):
    model, data = build(name), batch(name, samples=2, views=3)
    maps = rolled_out(model, data)
    assert maps.shape == (2, 3, 8, 64, 64)
    for sample, view in ((0, 0), (0, 2), (1, 1)):
        one = dict(
            inputs=[data['inputs'][sample][view : view + 1]],
            data_samples=data['data_samples'][:1],
        )
        assert_same(maps[sample, view], rolled_out(model, one)[0, 0])
    assert (maps[0, 0] - maps[1, 0]).abs().max() > 1e-3 * maps.max()
    assert (maps[0, 0] - maps[0, 1]).abs().max() > 1e-3 * maps.max()


@pytest.mark.parametrize('name', ['timesformer_space', 'swin', 'mvit', 'uniformerv2'])
def test_views_in_chunks(name):
    model, data = build(name), batch(name, views=3)
    expected = rolled_out(model, data)
    model.test_cfg = dict(max_testing_views=2)
    assert_same(rolled_out(model, data), expected)


def tokens_below(block_input: torch.Tensor, name: str) -> torch.Tensor:
    """The first block's input as [rows, tokens, C], tokens in the order of a row."""
    if name == 'swin':
        return block_input.flatten(1, 3)
    if name == 'uniformer':
        return block_input.flatten(2).transpose(1, 2)
    if name == 'uniformerv2':  # [1 + h w, T, C]
        frames = block_input.transpose(0, 1).flatten(0, 1)[None]
        return F.pad(frames, [0, 0, 1, 0])
    return block_input


@pytest.mark.parametrize('name', NAMES)
def test_grid_is_that_of_the_input(name, monkeypatch):
    """Where the tokens change that come from a changed patch, there the map is."""
    model, data = build(name), batch(name)
    explainer = AttentionRollout(model)
    rows, seen = spied(explainer, monkeypatch), []
    explainer.family.blocks[0].register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    explainer.localize(data)
    patch = (slice(4, 6), slice(16, 32), slice(48, 64))
    data['inputs'][0][(..., *patch)] ^= 255
    explainer.localize(data)
    change = (tokens_below(seen[1], name) - tokens_below(seen[0], name)).norm(dim=2)
    grid = explainer.family.lay_out(change, rows[0][1])
    change = F.interpolate(grid[:, None], size=(8, 64, 64), mode='nearest')[0, 0]
    assert change[patch].mean() > 4 * change.mean()


@pytest.mark.parametrize('name', NAMES)
def test_scores_and_model_stay(name):
    model, data = build(name), batch(name, samples=2, views=2)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    expected = torch.stack([one.pred_score for one in model.test_step(data)])  # of each view
    model.cls_head.average_clips = 'prob'
    model.train()
    with AttentionRollout(model) as explainer:
        found = explainer.localize(data)
        assert not model.training
    assert model.training
    assert explainer.layer_names
    for one in explainer.layer_names:
        assert model.get_submodule(one.replace('/', '.'))
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key]), key
    assert model.cls_head.average_clips == 'prob'
    assert torch.equal(torch.stack([one.view_scores for one in found]), expected)
    assert not found[0].raw.requires_grad


def hooks(model) -> int:
    return sum(len(one._forward_hooks) + len(one._forward_pre_hooks) for one in model.modules())


@pytest.mark.parametrize('name', ['timesformer', 'swin', 'uniformerv2'])
def test_nothing_stays_behind(name, monkeypatch):
    model, data = build(name), batch(name)
    with AttentionRollout(model) as explainer:
        before = hooks(model)
        expected = explainer.localize(data)[0].raw
        assert hooks(model) == before
        with pytest.raises(ValueError, match='expected a class from 0 to 4'):
            explainer.localize(data, 5)
        with monkeypatch.context() as patch:
            patch.setattr(explainer.family.blocks[-1], 'forward', None)
            with pytest.raises(TypeError):
                explainer.localize(data)
        assert hooks(model) == before
        assert not torch.overrides.has_torch_function((torch.ones(1),))  # no mode is on
        assert all(one.requires_grad for one in model.cls_head.parameters())
        assert torch.equal(explainer.localize(data)[0].raw, expected)


def test_class_changes_the_target_alone():
    model, data = build('videomae'), batch('videomae', samples=2)
    with AttentionRollout(model) as explainer:
        own, others = explainer.localize(data), explainer.localize(data, [1, 3])
    scores = torch.stack([one.scores for one in own])
    assert [one.target for one in own] == scores.argmax(dim=1).tolist()
    assert [one.target for one in others] == [1, 3]
    for one, other in zip(own, others, strict=True):
        assert torch.equal(one.raw, other.raw)


def rank_correlation(a, b) -> float:
    ranks = torch.stack([a.flatten().argsort().argsort(), b.flatten().argsort().argsort()])
    return float(torch.corrcoef(ranks.double())[0, 1])


def even_attention(model) -> nn.Module:
    """A copy of an MViT in which every query is zero, so that it attends to all keys alike."""
    model = copy.deepcopy(model)
    for block in model.backbone.blocks:
        nn.init.zeros_(block.attn.norm_q.weight)
        nn.init.zeros_(block.attn.norm_q.bias)
    return model


@pytest.mark.parametrize('name', NAMES)
def test_other_weights_another_map(name):
    """Sanity check of Adebayo et al. (NeurIPS 2018)."""
    model, data = build(name), batch(name)
    before, geometry = rolled_out(model, data), 1
    if name.startswith('mvit'):  # its pooling alone makes much of the map
        geometry = rolled_out(even_attention(model), data)
    torch.manual_seed(0)
    with torch.no_grad():
        for values in model.backbone.parameters():
            values.copy_(values.flatten()[torch.randperm(values.numel())].view_as(values))
    assert rank_correlation(before / geometry, rolled_out(model, data) / geometry) < 0.5


@pytest.mark.parametrize(
    ('name', 'backbone', 'head', 'reason'),
    [
        ('swin', {}, {'spatial_type': None, 'in_channels': 32 * 256}, 'does not average'),
        ('uniformer', {}, {'spatial_type': None, 'in_channels': 64 * 16}, 'does not average'),
        ('swin', {'out_indices': (0,)}, {'in_channels': 16}, 'last stage'),
        ('videomae', {'return_feat_map': True}, {}, 'TimeSformerHead does not average'),
        ('mvit', {}, {'with_cls_token': False}, 'output_cls_token'),
        ('mvit', {'out_scales': [0]}, {'in_channels': 16}, 'last scale'),
        ('mvit', {}, {'type': 'I3DHead'}, 'not an MViTHead'),
    ],
)
def test_refuses_what_the_head_does_not_read(name, backbone, head, reason):
    model = rebuilt(name, backbone, head).train()
    with pytest.raises(TargetLayerError, match=reason) as refusal:
        AttentionRollout(model)
    assert '\n' not in str(refusal.value)
    assert model.training


@pytest.mark.parametrize('name', ['tsn', 'slowfast', 'omni'])
def test_refuses_networks_without_attention(name):
    with pytest.raises(ValueError, match='VisionTransformer, Swin') as refusal:
        AttentionRollout(build(name))
    assert 'Res' in str(refusal.value)
    assert '\n' not in str(refusal.value)


def test_refuses_other_layers_and_necks():
    model = build('timesformer')
    model.neck = nn.Identity()
    with pytest.raises(TargetLayerError, match='neck Identity'):
        AttentionRollout(model)
    model = build('timesformer')
    model.backbone.transformer_layers.layers[1].attentions[0] = nn.Identity()
    with pytest.raises(TargetLayerError, match='have Identity, DividedSpatial'):
        AttentionRollout(model)


def test_refuses_attention_without_softmax():
    model, data = build('videomae'), batch('videomae')
    model.backbone.blocks[0].attn.forward = lambda x: x
    with pytest.raises(TargetLayerError, match='without softmax'):
        AttentionRollout(model).localize(data)


def test_refuses_another_number_of_frames():
    """Attention within frames takes any multiple, and makes more clips of it than there are."""
    model, data = build('timesformer_space'), batch('timesformer_space')
    data['inputs'] = [torch.cat([one, one], dim=2) for one in data['inputs']]
    with pytest.raises(TargetLayerError, match='2 clips of 1 views'):
        AttentionRollout(model).localize(data)


def test_feature_maps_that_are_averaged():
    """VideoMAE may leave the averaging to the head."""
    data = batch('videomae')
    expected = rolled_out(rebuilt('videomae'), data)
    model = rebuilt('videomae', dict(return_feat_map=True), dict(type='I3DHead'))
    assert_same(rolled_out(model, data), expected)
