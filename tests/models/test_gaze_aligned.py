"""Gaze-aligned recognizers: which map is aligned, what its gradient is, and who is left alone."""

import copy

import pytest
import torch
import torch.nn.functional as F
from mmengine.optim import OptimWrapper
from torch import nn

from mmsal.attribution import GradCAM, TargetLayerError, find_layer
from mmsal.models import CNNLSTMRecognizer, GazeAlignedRecognizer2D, GazeAlignedRecognizer3D
from mmsal.models.gaze_batch import density_on_grid
from mmsal.training import BFloat16OptimWrapper
from tests.attribution.networks import ALL, batch, build

CONVOLUTIONAL = ('tsn', 'cnn_lstm', 'cnn_lstm_attention', 'i3d', 'x3d', 'slowfast')
LOSS = dict(type='GazeAlignmentLoss')
OMNI_HEAD = dict(type='I3DHead', num_classes=5, in_channels=2048)


def aligned(name, gaze_layer=None, **options):
    """The recognizer with a gaze loss, in evaluation mode."""
    kind, changes = ALL[name]['type'], {}
    if kind == 'RecognizerOmni':  # which trains on pictures, too; its backbone serves clips alone
        kind, changes = 'Recognizer3D', dict(cls_head=OMNI_HEAD)
    if kind != 'CNNLSTMRecognizer':
        kind = f'GazeAligned{kind}'
    gaze_loss = {**LOSS, **options}
    return build(name, type=kind, gaze_loss=gaze_loss, gaze_layer=gaze_layer, **changes)


def with_gaze(name, samples=2, gaze=(0,), size=8, seed=3, **options):
    """A batch of which some samples have gaze maps, by default the first."""
    data = batch(name, samples=samples, seed=seed, **options)
    shape = data['inputs'][0].shape
    frames = shape[0] * (shape[2] if len(shape) == 5 else 1)
    generator = torch.Generator().manual_seed(seed)
    for number in gaze:
        maps = torch.rand(frames, size, size, generator=generator).pow(4)
        maps /= maps.sum(dim=(1, 2), keepdim=True)
        data['data_samples'][number].set_field(maps, 'gaze_maps')
    return data


def losses_of(model, data, seed=0):
    """The losses of a training step, dropout drawn alike each time."""
    prepared = model.data_preprocessor(copy.deepcopy(data), True)
    torch.manual_seed(seed)
    return model(**prepared, mode='loss')


def gradients_of(loss, model):
    parameters = [one for one in model.parameters() if one.requires_grad]
    found = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    return [
        torch.zeros_like(parameter) if one is None else one
        for parameter, one in zip(parameters, found, strict=True)
    ]


@pytest.mark.parametrize('name', ALL)
def test_tested_maps_are_those_of_grad_cam(name):
    model = aligned(name)
    data = with_gaze(name, gaze=(0,))
    with torch.no_grad():
        first, second = model.val_step(copy.deepcopy(data))
    assert 'saliency_maps' not in second  # it has no gaze to be held against
    with GradCAM(model) as cam:
        shown = cam.localize(data)[0].raw
    maps = F.interpolate(
        first.saliency_maps[:, None], shown.shape[1:], mode='trilinear', align_corners=False
    )[:, 0]
    torch.testing.assert_close(maps / maps.max(), shown / shown.max(), atol=2e-5, rtol=0)


@pytest.mark.parametrize('name', ALL)
def test_every_network_is_trained_by_gaze(name):
    model = aligned(name).train()
    losses = losses_of(model, with_gaze(name))
    assert losses['loss_gaze'].isfinite()
    assert losses['loss_gaze'] > 0
    assert losses['gaze_clips'] == 0.5
    moved = gradients_of(losses['loss_gaze'], model.backbone)
    assert all(gradient.isfinite().all() for gradient in moved)
    # Down to the first layer: the stem or the patch embedding.
    assert moved[0].any() or moved[1].any() or moved[2].any()


@pytest.mark.parametrize('name', ['tsn', 'i3d', 'x3d', 'slowfast', 'cnn_lstm', 'swin', 'tpn'])
def test_class_loss_stays_what_it_is(name):
    plain, model = build(name).train(), aligned(name).train()
    data = with_gaze(name)
    expected, found = losses_of(plain, data), losses_of(model, data)
    assert set(found) == {*expected, 'loss_gaze', 'gaze_clips'}
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, rtol=0, atol=0)
    ours = gradients_of(found['loss_cls'], model)
    theirs = gradients_of(expected['loss_cls'], plain)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize('name', ['tsn', 'i3d', 'cnn_lstm', 'slowfast', 'mvit'])
@pytest.mark.parametrize('target', ['class', 'attention'])
def test_one_backward_pass_through_the_backbone(name, target):
    model = aligned(name, target=target).train()
    passes = []
    first = next(one for one in model.backbone.modules() if isinstance(one, nn.Conv2d | nn.Conv3d))
    first.weight.register_hook(lambda gradient: passes.append(gradient))
    losses = losses_of(model, with_gaze(name))
    assert not passes  # the class activation was made without one
    model.parse_losses(losses)[0].backward()
    assert len(passes) == 1


class Small(nn.Module):
    """A backbone of two convolutions, smooth so that differences are exact."""

    def __init__(self, conv):
        super().__init__()
        self.first = conv(3, 4, kernel_size=3, stride=2, padding=1)
        self.layer4 = conv(4, 5, kernel_size=3, padding=1)

    def forward(self, x):
        return torch.tanh(self.layer4(torch.tanh(self.first(x))))


def small_model(kind, **options):
    torch.manual_seed(0)
    head = dict(num_classes=3, in_channels=5, topk=(1,))
    if kind is CNNLSTMRecognizer:
        head.update(type='CNNLSTMHead', feature_size=4, hidden_sizes=(4,), attention_hops=2,
                    attention_size=3, cell=options.pop('cell'))  # fmt: skip
    elif kind is GazeAlignedRecognizer3D:
        head.update(type='I3DHead', dropout_ratio=0)
    else:
        head.update(type='TSNHead', dropout_ratio=0)
    model = kind(
        backbone=dict(type='ResNet', depth=18), cls_head=head, gaze_loss={**LOSS, **options},
        gaze_layer='backbone/layer4',
    )  # fmt: skip
    model.backbone = Small(nn.Conv3d if kind is GazeAlignedRecognizer3D else nn.Conv2d)
    return model.double().train()


@pytest.mark.parametrize('metric', ['kl', 'cc', 'nss', 'sim', 'mse'])
@pytest.mark.parametrize('target', ['class', 'attention'])
@pytest.mark.parametrize(
    ('kind', 'options'),
    [
        (GazeAlignedRecognizer2D, {}),
        (GazeAlignedRecognizer3D, {}),
        (CNNLSTMRecognizer, dict(cell='lstm')),
        (CNNLSTMRecognizer, dict(cell='input_cell_attention')),
    ],
)
def test_gradient_is_that_of_differences(kind, options, metric, target):
    model = small_model(kind, metric=metric, target=target, **options)
    shape = (2, 1, 3, 4, 8, 8) if kind is GazeAlignedRecognizer3D else (2, 3, 3, 8, 8)
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True)
    samples = batch('tsn', samples=2)['data_samples']
    frames = 4 if kind is GazeAlignedRecognizer3D else 3
    for sample in samples:
        density = torch.rand(frames, 4, 4, generator=generator, dtype=torch.float64)
        sample.set_field(density, 'gaze_maps')
    names, values = zip(*model.named_parameters(), strict=True)

    def loss(x, *parameters):
        weights = dict(zip(names, parameters, strict=True))
        arguments = (x, samples)
        return torch.func.functional_call(model, weights, arguments, dict(mode='loss'))['loss_gaze']

    leaves = [value.detach().clone().requires_grad_(True) for value in values]
    assert torch.autograd.gradcheck(loss, (inputs, *leaves), fast_mode=True)


def test_constant_weights_leave_the_classifier_alone():
    exact, constant = aligned('i3d').train(), aligned('i3d', constant_weights=True).train()
    data = with_gaze('i3d')
    ours, theirs = losses_of(exact, data), losses_of(constant, data)
    assert ours['loss_gaze'] == theirs['loss_gaze']
    assert gradients_of(ours['loss_gaze'], exact.cls_head)[0].any()
    assert not gradients_of(theirs['loss_gaze'], constant.cls_head)[0].any()
    for one, other in zip(
        gradients_of(ours['loss_gaze'], exact.backbone),
        gradients_of(theirs['loss_gaze'], constant.backbone),
        strict=True,
    ):  # the head is linear: the backbone gets the same from both
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize('name', CONVOLUTIONAL)
def test_attention_is_the_energy_of_the_activations(name):
    model = aligned(name, target='attention')
    data = with_gaze(name, gaze=(0, 1))
    kept = {}
    for layer in model._gaze_layers:
        find_layer(model, layer).register_forward_hook(
            lambda module, inputs, output, layer=layer: kept.update({layer: output})
        )
    with torch.no_grad():
        samples = model.val_step(copy.deepcopy(data))
    found = torch.cat([sample.saliency_maps for sample in samples])
    expected = 0
    for output in kept.values():
        energy = output.pow(2).mean(dim=1)  # [N T, h, w] or [N, t, h, w]
        energy = energy.view(2, -1, *energy.shape[-2:])
        whole = F.interpolate(energy[:, None], found.shape[1:], mode='trilinear')[:, 0]
        expected = expected + whole * energy[0].numel() / found[0].numel()
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_clips_without_gaze_train_with_the_class_loss_alone():
    model, plain = aligned('tsn').train(), build('tsn').train()
    losses = losses_of(model, with_gaze('tsn', gaze=()))
    assert losses['loss_gaze'] == 0
    assert losses['gaze_clips'] == 0
    total = model.parse_losses(losses)[0]
    expected = plain.parse_losses(losses_of(plain, with_gaze('tsn', gaze=())))[0]
    for one, other in zip(gradients_of(total, model), gradients_of(expected, plain), strict=True):
        torch.testing.assert_close(one, other)


def test_maps_of_zeros_and_no_maps_are_the_same():
    model = aligned('tsn').train()
    absent, empty = with_gaze('tsn', gaze=(0,)), with_gaze('tsn', gaze=(0, 1))
    empty['data_samples'][1].gaze_maps.zero_()
    ours, theirs = losses_of(model, absent), losses_of(model, empty)
    assert ours['loss_gaze'] == theirs['loss_gaze'] > 0
    assert ours['gaze_clips'] == theirs['gaze_clips'] == 0.5


def test_a_clip_weighs_the_same_beside_any_others():
    model = aligned('i3d').eval()  # batch norms must not mix the clips
    one, both = with_gaze('i3d', gaze=(0,)), with_gaze('i3d', gaze=(0, 1))
    other = copy.deepcopy(both)
    del other['data_samples'][0].gaze_maps
    values = [losses_of(model, data)['loss_gaze'] for data in (one, other, both)]
    torch.testing.assert_close(values[0] + values[1], values[2])


class Twice(nn.Module):
    """A backbone that uses one module twice, as torchvision's blocks use their ReLU."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 5, kernel_size=3, stride=2, padding=1)
        self.second = nn.Conv2d(5, 5, kernel_size=3, padding=1)
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(self.second(self.relu(self.first(x))))


@pytest.mark.parametrize('target', ['class', 'attention'])
def test_of_a_module_that_is_used_twice_the_last_use_counts(target):
    model = small_model(GazeAlignedRecognizer2D, target=target)
    model.backbone = Twice().double()
    inputs = torch.randn(2, 3, 3, 8, 8, dtype=torch.float64)
    samples = batch('tsn', samples=2)['data_samples']
    for sample in samples:
        sample.set_field(torch.rand(3, 4, 4, dtype=torch.float64), 'gaze_maps')
    model._gaze_layers = ('backbone/relu',)
    found = model(inputs, samples, mode='loss')['loss_gaze']
    model._gaze_layers = ('backbone',)  # which ends with the last use
    torch.testing.assert_close(found, model(inputs, samples, mode='loss')['loss_gaze'])


@pytest.mark.parametrize('name', ['i3d', 'slowfast'])
def test_views_taken_a_few_at_a_time_give_the_same_maps(name):
    model, data = aligned(name), with_gaze(name, samples=1, views=4)
    with torch.no_grad():
        expected = model.val_step(copy.deepcopy(data))[0].saliency_maps
        model.test_cfg = dict(max_testing_views=2)
        found = model.test_step(copy.deepcopy(data))[0].saliency_maps
    assert found.shape[0] == 4
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-6 * float(expected.max()))


def test_soft_labels_share_the_map():
    model = aligned('i3d').eval()
    data = with_gaze('i3d', samples=1)
    hard = losses_of(model, data)['loss_gaze']
    data['data_samples'][0].set_gt_label(torch.tensor([1.0, 0, 0, 0, 0]))
    torch.testing.assert_close(losses_of(model, data)['loss_gaze'], hard)
    data['data_samples'][0].set_gt_label(torch.tensor([0.5, 0.5, 0, 0, 0]))
    assert losses_of(model, data)['loss_gaze'] != hard


def test_views_of_a_sample_are_aligned_apart():
    model = aligned('i3d', target='attention').eval()
    two = with_gaze('i3d', samples=1, views=2)
    with torch.no_grad():
        whole = model.val_step(copy.deepcopy(two))[0]
        parts = []
        for view in range(2):
            one = copy.deepcopy(two)
            one['inputs'] = [two['inputs'][0][view : view + 1]]
            parts.append(model.val_step(one)[0].saliency_maps)
    torch.testing.assert_close(whole.saliency_maps, torch.cat(parts))


def test_explaining_it_is_left_alone():
    model = aligned('slowfast')
    data = with_gaze('slowfast')
    bare = batch('slowfast', samples=2, seed=3)
    with GradCAM(model) as cam:
        ours, theirs = cam.localize(data), cam.localize(bare)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one.raw, other.raw, rtol=0, atol=0)


def test_testing_changes_nothing_of_the_model():
    model = aligned('i3d')
    model.cls_head.average_clips = 'prob'
    data = with_gaze('i3d')
    before = copy.deepcopy(model.state_dict())
    trained = [parameter.requires_grad for parameter in model.parameters()]
    with torch.no_grad():
        found = model.val_step(copy.deepcopy(data))
        expected = build('i3d')
        expected.cls_head.average_clips = 'prob'
        scores = [one.pred_score for one in expected.val_step(batch('i3d', samples=2, seed=3))]
    for one, score in zip(found, scores, strict=True):
        torch.testing.assert_close(one.pred_score, score)
        assert not one.pred_score.requires_grad
    assert not found[0].saliency_maps.requires_grad
    assert model.cls_head.average_clips == 'prob'
    assert trained == [parameter.requires_grad for parameter in model.parameters()]
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    hooks = [module._forward_hooks for module in model.modules()]
    assert not any(hooks)


def test_no_hook_and_no_graph_outlives_a_step():
    model = aligned('cnn_lstm').train()
    losses_of(model, with_gaze('cnn_lstm'))
    assert not any(module._forward_hooks for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_weights_fit_the_plain_recognizer():
    assert set(aligned('x3d').state_dict()) == set(build('x3d').state_dict())
    plain = build('i3d', type='GazeAlignedRecognizer3D')  # gaze_loss is None
    assert 'loss_gaze' not in losses_of(plain, with_gaze('i3d'))


@pytest.mark.parametrize('name', ['slowonly', 'cnn_lstm'])
def test_trains_in_bfloat16(name):
    model = aligned(name).train()
    wrapper = BFloat16OptimWrapper(optimizer=torch.optim.SGD(model.parameters(), lr=1e-3))
    before = [parameter.detach().clone() for parameter in model.backbone.parameters()]
    exact = losses_of(model, with_gaze(name))['loss_gaze'].item()
    torch.manual_seed(0)
    found = model.train_step(with_gaze(name), wrapper)
    assert found['loss_gaze'].item() == pytest.approx(exact, rel=0.1)
    after = list(model.backbone.parameters())
    assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert all(parameter.isfinite().all() for parameter in after)


@pytest.mark.parametrize('name', ['i3d', 'cnn_lstm'])
def test_descends(name):
    model = aligned(name, weight=10.0).train()
    wrapper = OptimWrapper(torch.optim.Adam(model.parameters(), lr=1e-3))
    data = with_gaze(name, gaze=(0, 1), size=2)
    values = [model.train_step(copy.deepcopy(data), wrapper)['loss_gaze'].item() for _ in range(15)]
    assert values[-1] < 0.7 * values[0]


def test_gradient_checkpointing_below_the_layer():
    backbone = {**ALL['i3d']['backbone'], 'with_cp': True}
    model = build('i3d', type='GazeAlignedRecognizer3D', gaze_loss=LOSS, backbone=backbone).train()
    plain = aligned('i3d').train()
    data = with_gaze('i3d')
    ours, theirs = losses_of(model, data), losses_of(plain, data)
    torch.testing.assert_close(ours['loss_gaze'], theirs['loss_gaze'])
    ours['loss_gaze'].backward()
    theirs['loss_gaze'].backward()
    for one, other in zip(model.parameters(), plain.parameters(), strict=True):
        assert (one.grad is None) == (other.grad is None)
        if one.grad is not None:
            torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-6)


def test_density_on_a_coarser_grid_keeps_the_mass_where_it_is():
    density = torch.rand(2, 8, 6, 4)
    density[0, :2] = 0
    found = density_on_grid(density, (4, 3, 2))
    torch.testing.assert_close(found, density.view(2, 4, 2, 3, 2, 2, 2).sum(dim=(2, 4, 6)))
    uneven = density_on_grid(density, (3, 4, 3))
    torch.testing.assert_close(uneven.sum(dim=(1, 2, 3)), density.sum(dim=(1, 2, 3)))
    torch.testing.assert_close(  # a third of a row of six is half of a row of four
        uneven[:, :, 0].sum(dim=(1, 2)), (density[:, :, 0] + density[:, :, 1] / 2).sum(dim=(1, 2))
    )
    assert not found[0, 0].any()
    assert density_on_grid(density, (8, 6, 4)) is density


def test_density_must_not_be_coarser_than_the_layer():
    model = aligned('swin').train()  # its grid is 8x8
    with pytest.raises(ValueError, match=r'4x4 cells are coarser .* set map_size=\(8, 8\)'):
        losses_of(model, with_gaze('swin', size=4))


def test_gaze_must_be_of_the_frames_of_the_clip():
    model = aligned('tsn').train()
    data = with_gaze('tsn')
    data['data_samples'][0].set_field(torch.ones(3, 8, 8), 'gaze_maps')
    with pytest.raises(ValueError, match=r'expected gaze_maps \[8, h, w\]'):
        losses_of(model, data)


@pytest.mark.parametrize(
    ('layer', 'said'),
    [
        ('backbone/layer9', 'does not exist; there is: backbone/layer'),
        ('backbone/layer4,', 'between commas'),
    ],
)
def test_layers_are_looked_up_when_it_is_built(layer, said):
    with pytest.raises(TargetLayerError, match=said):
        aligned('tsn', gaze_layer=layer)


@pytest.mark.parametrize('target', ['class', 'attention'])
def test_layers_without_a_grid(target):
    model = aligned('tsn', gaze_layer='cls_head/avg_pool', target=target).train()
    with pytest.raises(TargetLayerError, match='cannot be aligned: it has one position'):
        losses_of(model, with_gaze('tsn'))


def test_a_layer_that_is_written_over_cannot_be_aligned():
    # Its ReLU in place would make the loss see another map than tests and Grad-CAM show.
    model = aligned('i3d', gaze_layer='backbone/layer4/0/conv1/bn').train()
    with pytest.raises(TargetLayerError, match='what follows it writes over its output'):
        losses_of(model, with_gaze('i3d'))


def test_a_pipeline_without_gaze_is_warned_of_once(monkeypatch):
    told = []
    monkeypatch.setattr(
        'mmsal.models.gaze_aligned.print_log', lambda text, **options: told.append(text)
    )
    model = aligned('tsn').train()
    for _ in range(2):
        losses_of(model, batch('tsn', samples=2))
    assert len(told) == 1 and 'LoadGazeMaps' in told[0]


def test_a_training_without_any_gaze_is_warned_of_once(monkeypatch):
    told = []
    monkeypatch.setattr('mmsal.models.gaze_aligned.PATIENCE', 3)
    monkeypatch.setattr(
        'mmsal.models.gaze_aligned.print_log', lambda text, **options: told.append(text)
    )
    empty = with_gaze('tsn')
    empty['data_samples'][0].gaze_maps.zero_()
    model = aligned('tsn').train()
    for _ in range(5):
        losses_of(model, empty)
    assert len(told) == 1 and 'none of the first 3 batches' in told[0]
    model = aligned('tsn').train()
    for data in (empty, with_gaze('tsn'), empty, empty, empty, empty):
        losses_of(model, data)
    assert len(told) == 1


def test_inference_mode_makes_no_maps():
    model = aligned('tsn')
    with torch.inference_mode():
        samples = model.val_step(with_gaze('tsn'))
    assert not hasattr(samples[0], 'saliency_maps')


def test_a_frozen_layer_cannot_be_aligned():
    model = aligned('tsn').train()
    model.backbone.requires_grad_(False)
    with pytest.raises(TargetLayerError, match='it is frozen'):
        losses_of(model, with_gaze('tsn'))


def test_mixed_clips_are_refused():
    mixed = {
        **ALL['tsn']['data_preprocessor'],
        'blending': dict(type='MixupBlending', num_classes=5),
    }
    with pytest.raises(ValueError, match='blending mixes clips'):
        build('tsn', type='GazeAlignedRecognizer2D', gaze_loss=LOSS, data_preprocessor=mixed)
