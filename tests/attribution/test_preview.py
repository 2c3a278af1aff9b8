"""The list of layers that can be explained, beside what the networks really give."""

import pytest
import torch

from mmsal.attribution import GradCAM, TargetLayerError, default_layer_names, find_layer
from mmsal.attribution.preview import preview_layers
from tests.attribution.networks import batch, build

WIDE = (64, 128)
CONVOLUTIONAL = ('i3d', 'slowfast', 'tpn')
CLASS_TOKEN_ONLY = 'above it only one token is read'
# Written by hand for 8 frames of 64 x 128 pixels.
GRIDS = {
    'i3d': {
        'backbone/conv1': (4, 32, 64),
        'backbone/maxpool': (2, 16, 32),
        'backbone/pool2': (1, 16, 32),
        'backbone/layer2/0': (1, 8, 16),
        'backbone/layer4': (1, 2, 4),
    },
    'slowfast': {
        'backbone/slow_path/conv1': (2, 32, 64),
        'backbone/fast_path/conv1': (8, 32, 64),
        'backbone/slow_path/layer4': (2, 2, 4),
        'backbone/fast_path/layer4': (8, 2, 4),
    },
    'mvit': {
        'backbone/patch_embed': (4, 16, 32),
        'backbone/blocks/1/norm1': (4, 16, 32),
        'backbone/blocks/1/norm2': (4, 8, 16),
        'backbone/blocks/1': (4, 8, 16),
        'backbone/blocks/3/norm1': (4, 8, 16),
        'backbone/blocks/3': (4, 4, 8),
    },
    'tpn': {
        'backbone/layer3': (8, 4, 8),
        'backbone/layer4': (8, 2, 4),
        'neck/temporal_modulation_ops/0': (1, 2, 4),
        'neck': (1, 2, 4),
    },
}


def hooks_of(model) -> int:
    return sum(len(module._forward_hooks) for module in model.modules())


def reported_sizes(model, data) -> dict:
    """Frames, rows and columns of every layer's output, as far as the network itself says."""
    sizes, hooks = {}, []

    def keep(name):
        def hook(module, inputs, output):
            if isinstance(output, tuple) and isinstance(output[-1], (tuple, list, torch.Size)):
                sizes[name] = tuple(output[-1])  # MViT's blocks give tokens and their grid
                return
            while not isinstance(output, torch.Tensor):
                output = output[0]
            if output.dim() == 5:
                sizes[name] = tuple(output.shape[2:])

        return hook

    for name, module in model.named_modules():
        if name.startswith(('backbone', 'neck')):
            hooks.append(module.register_forward_hook(keep(name.replace('.', '/'))))
    with torch.no_grad():
        model.test_step(data)
    for hook in hooks:
        hook.remove()
    return sizes


@pytest.mark.parametrize('name', GRIDS)
def test_grids_are_those_of_the_outputs(name):
    model, data = build(name), batch(name, views=2, size=WIDE)
    listed = {layer.name: layer for layer in preview_layers(model, data)}
    sizes = reported_sizes(model, data)
    assert len(listed) >= 12
    for layer in listed.values():
        assert layer.output[0] == 1  # of the two views
        if name in CONVOLUTIONAL:
            assert layer.grid == layer.output[2:] == sizes[layer.name], layer.name
        elif layer.name in sizes and layer.name != 'backbone':
            assert layer.grid == sizes[layer.name], layer.name
    assert {layer: listed[layer].grid for layer in GRIDS[name]} == GRIDS[name]
    assert listed['backbone'].kind == type(model.backbone).__name__


def test_blocks_report_their_grids():
    """Else the test above would have nothing to compare MViT's with."""
    sizes = reported_sizes(build('mvit'), batch('mvit', size=WIDE))
    assert sizes['backbone/blocks/1'] == (4, 8, 16)


@pytest.mark.parametrize('name', [*GRIDS, 'swin', 'timesformer', 'uniformerv2', 'x3d', 'mobilenet'])
def test_the_default_layers_are_marked(name):
    model = build(name)
    found = preview_layers(model, batch(name))
    assert tuple(layer.name for layer in found if layer.default) == default_layer_names(model)
    assert len({layer.name for layer in found}) == len(found)


@pytest.mark.parametrize('name', GRIDS)
def test_every_listed_layer_can_be_named(name):
    model, data = build(name), batch(name)
    layers = [layer.name for layer in preview_layers(model, data)]
    refused = []
    for place, layer in enumerate(layers):
        assert type(find_layer(model, layer)).__name__
        if layer == 'backbone' and name == 'mvit':
            continue  # test_layouts.py has it
        # EigenCAM asks for no gradient, and so refuses less.
        method = 'eigencam' if place % 2 and name != 'mvit' else 'gradcam'
        with GradCAM(model, layer, method=method) as cam:
            try:
                raw = cam.localize(data)[0].raw
            except TargetLayerError as error:
                assert CLASS_TOKEN_ONLY in str(error)
                refused.append(layer)
            else:
                assert raw.isfinite().all()
                assert raw.shape == (1, 8, 64, 64)
    last = ['backbone/blocks/3/norm2', 'backbone/blocks/3', 'backbone/norm2']
    assert refused == (last if name == 'mvit' else [])


@pytest.mark.parametrize('name', ['tsn', 'timesformer', 'uniformer'])
def test_lists_stages_blocks_and_norms_only(name):
    layers = [layer.name for layer in preview_layers(build(name), batch(name))]
    expected = {
        'tsn': ['backbone/layer1/0', 'backbone/layer1'],
        'timesformer': ['backbone/transformer_layers/layers/0/attentions/0'],
        'uniformer': ['backbone/blocks1/0', 'backbone/blocks3/0/norm1'],
    }[name]
    assert set(expected) <= set(layers)
    assert not any(part in layer for layer in layers for part in ('mlp', 'ffn', '/relu', 'drop_p'))


def test_leaves_the_model_as_it_was():
    model, data = build('slowfast'), batch('slowfast')
    before = hooks_of(model)
    preview_layers(model, data)
    assert hooks_of(model) == before
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_leaves_no_hook_after_an_error():
    model, data = build('slowfast'), batch('slowfast')
    data['inputs'] = [clip[:, :2] for clip in data['inputs']]  # two channels
    before = hooks_of(model)
    with pytest.raises((RuntimeError, ValueError, AssertionError)):
        preview_layers(model, data)
    assert hooks_of(model) == before
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_one_view_is_enough():
    """Thirty views of a network at full size take minutes and gigabytes."""
    model, data = build('i3d'), batch('i3d', views=3)
    seen = []
    model.backbone.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    assert [layer.output[0] for layer in preview_layers(model, data)][:1] == [1]
    assert seen == [1] and len(data['inputs'][0]) == 3


def test_views_in_chunks():
    model, data = build('i3d'), batch('i3d', views=4)
    expected = [(layer.name, layer.grid) for layer in preview_layers(model, data)]
    model.test_cfg = dict(max_testing_views=2)
    found = [(layer.name, layer.grid) for layer in preview_layers(model, data)]
    assert found == expected
