"""Grad-CAM against MMAction2's own, against captum's, and what it must leave as it was."""

import copy
import gc
import warnings

import pytest
import torch
import torch.nn.functional as F
from captum.attr import LayerGradCam
from mmaction.utils import GradCAM as UpstreamGradCAM

from mmsal.attribution import GradCAM, TargetLayerError, default_layer_names, find_layer
from tests.attribution.networks import CONFIGS, batch, build

LAYERS = {'x3d': 'backbone/layer4'}


def layer_of(name: str) -> str:
    return LAYERS.get(name, 'backbone/layer4/1/relu' if name != 'i3d' else 'backbone/layer4')


def upstream(model, layer):
    """MMAction2's GradCAM on a copy, for it changes the model."""
    warnings.filterwarnings('ignore', message='Using a non-full backward hook')
    return UpstreamGradCAM(copy.deepcopy(model), layer)


def assert_same_scores(found, expected):
    """To the rounding of float32 sums of one size; small scores are differences of large ones."""
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-6 * float(expected.abs().max()))


@pytest.mark.parametrize('name', CONFIGS)
@pytest.mark.parametrize('samples', [1, 2])
def test_equals_mmaction2(name, samples):
    model, data = build(name), batch(name, samples)
    expected, scores = upstream(model, layer_of(name))._calculate_localization_map(data, False)
    with GradCAM(model, layer_of(name)) as cam:
        found = cam.localize(data)
    maps = torch.stack([one.scaled for one in found])
    assert maps.shape == (samples, 1, 8, 64, 64)
    assert expected.max() == 1
    assert expected.std() > 0.05  # a map of nothing would prove nothing
    torch.testing.assert_close(maps.flatten(0, 1), expected, rtol=0, atol=1e-5)
    assert_same_scores(torch.stack([one.scores for one in found]), scores.detach())


@pytest.mark.parametrize('name', ['i3d', 'x3d'])
def test_equals_mmaction2_with_several_views(name):
    model, data = build(name), batch(name, samples=2, views=3)
    expected, _ = upstream(model, layer_of(name))._calculate_localization_map(data, False)
    with GradCAM(model, layer_of(name)) as cam:
        maps = cam.heatmaps(data)
    assert [one.shape for one in maps] == [(3, 8, 64, 64)] * 2
    torch.testing.assert_close(torch.cat(maps), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize('name', ['tsn', 'i3d'])
def test_called_as_mmaction2(name):
    model, data = build(name), batch(name, samples=2)
    expected, scores = upstream(model, layer_of(name))(data, use_labels=True, alpha=0.3)
    with GradCAM(model, layer_of(name)) as cam:
        blended, own_scores = cam(data, use_labels=True, alpha=0.3)
    torch.testing.assert_close(blended, expected, rtol=0, atol=0.01)  # a step of the colormap
    assert (blended - expected).abs().mean() < 1e-4
    assert_same_scores(own_scores, scores.detach())


@pytest.mark.parametrize('target', [0, 3])
def test_equals_captum(target):
    """captum averages the weights over time too, so one frame is compared."""
    model, data = build('tsn'), batch('tsn')
    data['inputs'] = [data['inputs'][0][:1]]
    inputs = model.data_preprocessor(data)['inputs']
    layer = find_layer(model, 'backbone/layer4')
    captum = LayerGradCam(lambda x: model(x, mode='tensor', stage='head'), layer)
    expected = captum.attribute(inputs, target, relu_attributions=True)
    expected = F.interpolate(expected, size=(64, 64), mode='bilinear', align_corners=False)
    with GradCAM(model, 'backbone/layer4') as cam:
        raw = cam.localize(data, target)[0].raw
    assert expected.max() > 0
    torch.testing.assert_close(raw, expected.detach().view_as(raw), rtol=1e-4, atol=1e-8)


def test_clips_of_a_cnn_lstm_are_explained_apart():
    model, data = build('cnn_lstm'), batch('cnn_lstm', views=3)
    with GradCAM(model) as cam:
        together = cam.heatmaps(data, target=2)[0]
        apart = [
            cam.heatmaps(dict(inputs=[clip], data_samples=data['data_samples']), target=2)[0]
            for clip in data['inputs'][0].split(8)
        ]
    assert together.shape == (3, 8, 64, 64)
    torch.testing.assert_close(together, torch.cat(apart), rtol=0, atol=1e-5)


def test_views_in_chunks_are_all_explained():
    """With ``max_testing_views`` the layer runs once per chunk; MMAction2 keeps the last only."""
    model, data = build('i3d'), batch('i3d', views=4)
    with GradCAM(model) as cam:
        expected = cam.heatmaps(data)[0]
        model.test_cfg = dict(max_testing_views=2)
        torch.testing.assert_close(cam.heatmaps(data)[0], expected, rtol=0, atol=1e-5)


def test_targets_change_the_map():
    model, data = build('i3d'), batch('i3d', samples=2)
    with GradCAM(model) as cam:
        both = cam.localize(data, [1, 4])
        assert [one.target for one in both] == [1, 4]
        same = cam.localize(data, 4)
    torch.testing.assert_close(both[1].raw, same[1].raw)
    assert not torch.allclose(both[0].raw, same[0].raw)


def test_leaves_the_model_as_it_was():
    model, data = build('cnn_lstm').train(), batch('cnn_lstm')
    frozen = next(model.backbone.parameters()).requires_grad_(False)
    model.cls_head.average_clips = 'prob'
    before = copy.deepcopy(model.state_dict())
    hooks = _hooks(model)
    with GradCAM(model) as cam:
        assert not model.training
        cam.heatmaps(data)
        assert _hooks(model) == hooks
    assert model.training
    assert model.cls_head.average_clips == 'prob'
    trained = [parameter.requires_grad for parameter in model.parameters()]
    assert not frozen.requires_grad
    assert sum(trained) == len(trained) - 1
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(value.equal(before[key]) for key, value in model.state_dict().items())


def test_leaves_the_model_as_it_was_after_an_error():
    model, data = build('tsn'), batch('tsn')
    hooks = _hooks(model)
    with GradCAM(model) as cam, pytest.raises(ValueError, match='from 0 to 4, got 5'):
        cam.heatmaps(data, target=5)
    assert _hooks(model) == hooks
    assert all(parameter.requires_grad for parameter in model.parameters())


def _hooks(model) -> int:
    return sum(len(m._forward_hooks) + len(m._backward_hooks) for m in model.modules())


def test_no_graph_outlives_a_call():
    model, data = build('tsn'), batch('tsn')

    def live_tensors() -> int:
        gc.collect()
        return sum(isinstance(thing, torch.Tensor) for thing in gc.get_objects())

    with GradCAM(model) as cam:
        cam.heatmaps(data)
        before = live_tensors()
        for _ in range(5):
            maps = cam.heatmaps(data)
        assert not maps[0].requires_grad
        del maps
        assert live_tensors() <= before


class TestLayers:
    @pytest.mark.parametrize('name', ['backbone/layer4/1/relu', 'backbone.layer4.1.relu'])
    def test_both_ways_to_name_a_layer(self, name):
        model = build('tsn')
        assert find_layer(model, name) is model.backbone.layer4[1].relu

    @pytest.mark.parametrize(
        ('name', 'listed'),
        [
            ('backbone/layer5', 'backbone/layer4'),
            ('bakbone', 'there is: backbone'),
            ('backbone/layer4/7', 'backbone/layer4/0, backbone/layer4/1'),
            ('backbone/maxpool/conv', 'no layer below it'),
        ],
    )
    def test_missing_layer_says_which_exist(self, name, listed):
        with pytest.raises(TargetLayerError, match='does not exist') as error:
            GradCAM(build('tsn'), name)
        assert listed in str(error.value)
        assert '\n' not in str(error.value)

    def test_default_is_the_last_stage(self):
        assert default_layer_names(build('i3d')) == ('backbone/layer4',)

    @pytest.mark.parametrize(
        ('layer', 'reason'),
        [
            ('cls_head/fc_feature', 'gives no feature map .* 2-D'),
            ('cls_head/recurrent/0', 'cannot be explained: it is .*, tokens or a sequence'),
            ('data_preprocessor', 'gives no feature map .* dict'),
        ],
    )
    def test_layer_without_a_map_is_refused(self, layer, reason):
        model, data = build('cnn_lstm'), batch('cnn_lstm')
        with GradCAM(model, layer) as cam, pytest.raises(TargetLayerError, match=reason):
            cam.heatmaps(data)

    def test_unused_layer_is_refused(self):
        model, data = build('tsn'), batch('tsn')
        model.spare = torch.nn.Conv2d(3, 3, 1)
        with GradCAM(model, 'spare') as cam, pytest.raises(TargetLayerError, match='takes no part'):
            cam.heatmaps(data)


def test_unknown_method_is_refused():
    with pytest.raises(ValueError, match=r'one of gradcam, gradcam\+\+, .*, got'):
        GradCAM(build('tsn'), method='magic')
