"""That a layer's output is put back at the frames, rows and columns it belongs to."""

import numpy as np
import pytest
import torch
from einops import rearrange
from mmaction.registry import MODELS
from mmengine.config import Config

from mmsal.attribution import GradCAM, TargetLayerError, find_layer
from mmsal.attribution.explainer import InputShape, frozen
from mmsal.attribution.layouts import LayerOutput, LayoutError, find_layout
from tests.attribution.networks import UNIFORMERV2, _timesformer, batch, build

# Input sizes: wide where the family takes it, so that rows and columns cannot be exchanged.
# TimeSformer and UniFormerV2 take any size of 16 patches.
WIDE, FLAT = (64, 128), (32, 128)
BLOCK = 'backbone/transformer_layers/layers/0'
EARLY = {
    'timesformer': (FLAT, [
        'backbone/patch_embed', 'backbone/drop_after_pos', f'{BLOCK}/attentions/0',
        f'{BLOCK}/attentions/1/norm', f'{BLOCK}/attentions/1', BLOCK,
    ]),
    'timesformer_joint': (FLAT, ['backbone/patch_embed', f'{BLOCK}/norms/0', BLOCK]),
    'timesformer_space': (FLAT, [
        'backbone/patch_embed', 'backbone/drop_after_pos', f'{BLOCK}/norms/0', BLOCK,
    ]),
    'swin': (WIDE, [
        'backbone/patch_embed', 'backbone/pos_drop', 'backbone/layers/0/blocks/0/norm1',
        'backbone/layers/0/blocks/0', 'backbone/layers/0', 'backbone/layers/1',
    ]),
    'mvit': (WIDE, [
        'backbone/patch_embed', 'backbone/patch_embed/projection', 'backbone/blocks/0/attn/qkv',
        'backbone/blocks/0', 'backbone/blocks/1/norm1', 'backbone/blocks/1/norm2',
        'backbone/blocks/1',
    ]),
    'mvit_mean': (WIDE, [
        'backbone/patch_embed', 'backbone/blocks/0/attn', 'backbone/blocks/0',
        'backbone/blocks/1',
    ]),
    'videomae': (WIDE, [
        'backbone/patch_embed', 'backbone/patch_embed/projection', 'backbone/blocks/0/norm1',
        'backbone/blocks/0', 'backbone/blocks/1',
    ]),
    'vit_first': (WIDE, ['backbone/blocks/0/norm1', 'backbone/blocks/0', 'backbone/norm']),
    'uniformer': (WIDE, [
        'backbone/patch_embed1', 'backbone/patch_embed1/norm', 'backbone/blocks1/0',
        'backbone/patch_embed3/norm', 'backbone/blocks3/0/norm1', 'backbone/blocks3/0',
    ]),
    'uniformerv2': (FLAT, [
        'backbone/conv1', 'backbone/ln_pre', 'backbone/transformer/resblocks/0/ln_1',
        'backbone/transformer/resblocks/0',
    ]),
    'i3d': (WIDE, ['backbone/conv1', 'backbone/maxpool']),
    'c2d': (WIDE, ['backbone/conv1', 'backbone/layer1', 'backbone/layer2']),
    'slowfast': (WIDE, ['backbone/slow_path/conv1', 'backbone/fast_path/conv1']),
    'tsn': (WIDE, ['backbone/conv1', 'backbone/layer2']),
    'cnn_lstm': (WIDE, ['backbone/conv1', 'backbone/layer2']),
}  # fmt: skip
# A convolution, and MViT's pooling of queries, reaches a cell beyond the square.
SPREADING = ('mvit', 'mvit_mean', 'i3d', 'c2d', 'slowfast', 'tsn', 'cnn_lstm')
PLACES = [(0, 0, 96), (4, 16, 32)]  # frame, row, column; SlowFast's slow pathway sees 0 and 4


def outputs_of(model, data, names) -> dict:
    """The layers' outputs, the first map or sequence of each."""
    kept, hooks = {}, []

    def keep(name):
        def hook(module, inputs, output):
            while not isinstance(output, torch.Tensor):
                output = output[0]
            kept[name] = output.clone()

        return hook

    with frozen(model), torch.no_grad():
        hooks = [find_layer(model, name).register_forward_hook(keep(name)) for name in names]
        model.test_step(data)
    for hook in hooks:
        hook.remove()
    return kept


def lay_out(model, name, tensor, shape: InputShape):
    output = LayerOutput(
        model.backbone,
        name.split('/'),
        tuple(tensor.shape),
        shape.samples * shape.views,
        (shape.frames, *shape.size),
    )
    return find_layout(output)(tensor)


def with_square(data, shape: InputShape, place) -> dict:
    """The batch with a square in two frames of the second sample's first view inverted."""
    frame, row, column = place
    inputs = [clip.clone() for clip in data['inputs']]
    clip = inputs[1]
    clip = clip.movedim(1, 0) if clip.dim() == 4 else clip[0]  # [3, (V) T, H, W]
    clip[:, frame : frame + 2, row : row + 16, column : column + 16].bitwise_not_()
    return {**data, 'inputs': inputs}


def covered(place, shape: InputShape, grid) -> list[tuple[float, float]]:
    """First and last cell of each axis that the square covers."""
    sides = (2, 16, 16)
    pixels = (shape.frames, *shape.size)
    return [
        (int(start * cells / whole), int(np.ceil((start + side) * cells / whole)) - 1)
        for start, side, cells, whole in zip(place, sides, grid, pixels, strict=True)
    ]


@pytest.mark.parametrize('name', EARLY)
def test_a_change_shows_where_it_was_made(name):
    size, layers = EARLY[name]
    model = build(name)
    views = 1 if name == 'tsn' else 2  # a 2-D recognizer sees all its frames as one view
    data = batch(name, samples=2, views=views, size=size)
    shape = InputShape.of(model, data['inputs'])
    before = outputs_of(model, data, layers)
    for place in PLACES:
        after = outputs_of(model, with_square(data, shape, place), layers)
        for layer in layers:
            change = lay_out(model, layer, after[layer] - before[layer], shape)
            strength = change.abs().sum(dim=2)  # [B, t, h, w]
            assert len(strength) == 2 * views
            assert strength.flatten(1).any(dim=1).nonzero().flatten().tolist() == [views], layer
            strength = strength[views]  # clips lie sample by sample
            found = np.unravel_index(int(strength.argmax()), strength.shape)
            cells = covered(place, shape, strength.shape)
            slack = int(name in SPREADING)
            for cell, (first, last) in zip(found, cells, strict=True):
                assert first - slack <= cell <= last + slack, (layer, found, cells)


# Written from the backbones' own code: what is cut off in front, how the rest lies, its sizes.
PLAIN, CHANNELS_FIRST = 'b (t h w) c -> b t c h w', 'b c t h w -> b t c h w'
LAST = 'backbone/transformer_layers/layers/1'
DEEP = [
    ('timesformer', f'{LAST}/attentions/0', 1, 'b (h w t) c -> b t c h w', (8, 2, 8)),
    ('timesformer', f'{LAST}/attentions/1/norm', 1, '(b t) (h w) c -> b t c h w', (8, 2, 8)),
    ('timesformer_joint', f'{LAST}/norms/1', 1, 'b (h w t) c -> b t c h w', (8, 2, 8)),
    ('timesformer_space', f'{LAST}/norms/0', 1, '(b t) (h w) c -> b t c h w', (8, 2, 8)),
    ('swin', 'backbone/layers/1/blocks/1', 0, 'b t h w c -> b t c h w', (4, 8, 16)),
    ('swin', 'backbone/norm1', 0, 'b t h w c -> b t c h w', (4, 8, 16)),
    ('swin', 'backbone', 0, CHANNELS_FIRST, (4, 8, 16)),
    ('mvit', 'backbone/blocks/2', 1, PLAIN, (4, 8, 16)),
    ('mvit', 'backbone/blocks/3/norm1', 1, PLAIN, (4, 8, 16)),
    ('mvit', 'backbone/blocks/3/norm2', 1, PLAIN, (4, 4, 8)),
    ('mvit', 'backbone/norm2', 1, PLAIN, (4, 4, 8)),
    ('mvit_mean', 'backbone/blocks/3', 0, PLAIN, (4, 4, 8)),
    ('mvit_mean', 'backbone/norm2', 0, PLAIN, (4, 4, 8)),
    ('videomae', 'backbone/blocks/1', 0, PLAIN, (4, 4, 8)),
    ('vit_first', 'backbone/blocks/1/norm1', 0, PLAIN, (4, 4, 8)),
    ('uniformer', 'backbone/blocks4/0/norm1', 0, PLAIN, (4, 2, 4)),
    ('uniformer', 'backbone/norm', 0, CHANNELS_FIRST, (4, 2, 4)),
    ('uniformerv2', 'backbone/ln_pre', 1, '(b t) (h w) c -> b t c h w', (8, 4, 4)),
    ('uniformerv2', 'backbone/transformer/resblocks/2', 1, '(h w) (b t) c -> b t c h w', (8, 4, 4)),
    ('uniformerv2', 'backbone/transformer/dpe/1', 0, CHANNELS_FIRST, (8, 4, 4)),
    ('i3d', 'backbone/layer3', 0, CHANNELS_FIRST, (1, 4, 8)),
    ('c2d', 'backbone/layer3', 0, '(b t) c h w -> b t c h w', (4, 4, 8)),
    ('tsn', 'backbone/layer3', 0, '(b t) c h w -> b t c h w', (8, 4, 8)),
    ('slowfast', 'backbone/slow_path/layer3', 0, CHANNELS_FIRST, (2, 4, 8)),
    ('slowfast', 'backbone/fast_path/layer3', 0, CHANNELS_FIRST, (8, 4, 8)),
]


# At 40 x 100 pixels, which the patches and poolings do not divide.
UNEVEN = [
    ('mvit', 'backbone/blocks/3/norm1', 1, PLAIN, (4, 5, 13)),
    ('mvit', 'backbone/blocks/3', 1, PLAIN, (4, 3, 7)),
    ('videomae', 'backbone/blocks/1', 0, PLAIN, (4, 2, 6)),
    ('uniformer', 'backbone/blocks3/0/norm1', 0, PLAIN, (4, 2, 6)),
]


def by_hand(tensor, first, pattern, grid):
    """The layer laid out without mmsal."""
    if first:  # class tokens stand first; UniFormerV2's blocks have the tokens in front
        along = 0 if pattern.startswith('(h w)') else 1
        tensor = tensor.narrow(along, first, tensor.shape[along] - first)
    sizes = {axis: size for axis, size in zip('thw', grid, strict=True) if axis in pattern}
    return rearrange(tensor, pattern, **sizes)


@pytest.mark.parametrize(('name', 'layer', 'first', 'pattern', 'grid'), [*DEEP, *UNEVEN])
def test_equals_a_rearrangement_by_hand(name, layer, first, pattern, grid):
    size = {'uniformerv2': None}.get(name, FLAT if name.startswith('timesformer') else WIDE)
    if (name, layer, first, pattern, grid) in UNEVEN:
        size = (40, 100)
    model = build(name)
    data = batch(name, samples=2, views=1 if name == 'tsn' else 2, size=size)
    tensor = outputs_of(model, data, [layer])[layer]
    found = lay_out(model, layer, tensor, InputShape.of(model, data['inputs']))
    assert (found.shape[1], *found.shape[3:]) == grid
    assert found.equal(by_hand(tensor, first, pattern, grid))
    assert found.std(dim=(3, 4)).amax(dim=2).min() > 0  # a constant would prove nothing


REFUSED = [
    ('tsn', 'cls_head/avg_pool', 'it has one position per frame: it is pooled'),
    ('x3d', 'backbone/layer1/0/se_module/fc2', 'it has one position per frame: it is pooled'),
    ('swin', 'backbone/layers/0/blocks/0/attn', 'its tokens are those of shifted windows'),
    ('mvit', 'backbone/blocks/1/attn/norm_q', 'it is split by attention heads'),
    ('tanet', 'backbone/layer1/0/tam/L', 'tokens or a sequence, .* not for this layer of a TANet'),
    ('cnn_lstm', 'cls_head/recurrent/0', 'tokens or a sequence, .* this layer of a ResNet'),
    ('uniformerv2', 'backbone/transformer/dec/0', 'not .17, 8, C.: tokens are regrouped'),
    ('timesformer', f'{BLOCK}/attentions/0/norm', 'tokens are regrouped inside attention'),
    ('timesformer', f'{BLOCK}/attentions/1/attn', 'tokens are regrouped inside attention'),
    ('timesformer', 'backbone/norm', 'above it only one token is read'),
    ('timesformer', LAST, 'above it only one token is read'),
    ('timesformer_joint', f'{LAST}/norms/1', 'above it only one token is read'),
    ('timesformer_space', LAST, 'above it only one token is read'),
    ('mvit', 'backbone/blocks/3', 'above it only one token is read'),
    ('mvit', 'backbone/norm2', 'above it only one token is read'),
]


@pytest.mark.parametrize(('name', 'layer', 'reason'), REFUSED)
def test_a_layer_without_a_grid_is_refused(name, layer, reason):
    with GradCAM(build(name), layer) as cam, pytest.raises(TargetLayerError, match=reason) as error:
        cam.heatmaps(batch(name))
    assert '\n' not in str(error.value)
    assert str(error.value).startswith(f"layer '{layer}' cannot be explained: ")


@pytest.mark.parametrize(
    ('name', 'layer'),
    [
        ('videomae', 'backbone/blocks/0/attn/attn_drop'),
        ('uniformer', 'backbone/blocks3/0/attn/attn_drop'),
        ('swin', 'backbone/layers/1/blocks/0/attn/softmax'),
    ],
)
def test_attention_weights_are_refused(name, layer):
    """[B, heads, tokens, tokens] has four axes as the output of a 2-D convolution has."""
    with GradCAM(build(name), layer) as cam, pytest.raises(TargetLayerError, match='cannot be'):
        cam.heatmaps(batch(name))


def test_an_output_without_influence_is_refused():
    """MViT's class token, which alone is read, leaves the backbone beside the map."""
    with GradCAM(build('mvit'), 'backbone') as cam, pytest.raises(TargetLayerError):
        cam.heatmaps(batch('mvit'))


UNIFORMERV2_48 = (dict(UNIFORMERV2, input_resolution=48, t_size=5), (5, 48, 48))
TIMESFORMER_16 = (dict(_timesformer('divided_space_time')['backbone'], num_frames=16), (16, 64, 64))


@pytest.mark.parametrize(
    ('network', 'layer', 'first', 'pattern'),
    [
        (UNIFORMERV2_48, 'ln_pre', 1, '(b t) (h w) c -> b t c h w'),
        (UNIFORMERV2_48, 'transformer/resblocks/0', 1, '(h w) (b t) c -> b t c h w'),
        (TIMESFORMER_16, 'patch_embed', 0, '(b t) (h w) c -> b t c h w'),
        (TIMESFORMER_16, 'drop_after_time', 0, '(b h w) t c -> b t c h w'),
    ],
)
def test_as_many_tokens_as_frames(network, layer, first, pattern):
    """Two clips of 5 frames make 10 frames of 1 + 9 tokens, and 16 frames have 16 patches."""
    config, clip = network
    torch.manual_seed(0)
    backbone = MODELS.build(Config(dict(backbone=config)).backbone).eval()
    kept = []
    module = backbone.get_submodule(layer.replace('/', '.'))
    module.register_forward_hook(lambda module, inputs, output: kept.append(output))
    with torch.no_grad():
        backbone(torch.randn(2, 3, *clip))
    path = ['backbone', *layer.split('/')]
    output = LayerOutput(backbone, path, tuple(kept[0].shape), 2, clip)
    side = clip[1] // 16
    expected = by_hand(kept[0], first, pattern, (clip[0], side, side))
    try:
        found = find_layout(output)(kept[0])
    except LayoutError:
        assert layer == 'drop_after_time'  # inside attention: refusing it is right too
    else:
        assert found.equal(expected)
