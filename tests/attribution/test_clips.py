"""Attributions of one clip: input_gradient against captum, and the model left as it was."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from captum.attr import Saliency

from mmsal.attribution import feature_saliency, input_gradient
from mmsal.attribution.clips import ClipLayout, evaluating
from tests.attribution.networks import build

NETWORKS = ('tsn', 'cnn_lstm', 'cnn_lstm_attention', 'i3d', 'x3d')


pytestmark = pytest.mark.usefixtures('one_thread')


def clip_for(name, dtype=torch.float64):
    """8 frames of noise, 34 x 40 pixels, as the recognizer takes them."""
    clip = torch.randn(8, 3, 34, 40, generator=torch.Generator().manual_seed(0), dtype=dtype)
    return clip if name in ('tsn', 'cnn_lstm', 'cnn_lstm_attention') else clip.transpose(0, 1)


def tensor_mode(model, clip):
    """MMAction2's own way to scores, of one clip: a 3-D one is the only view of its sample."""
    inputs = clip if clip.shape[1] == 3 else clip.unsqueeze(0)
    return model(inputs.unsqueeze(0), stage='head', mode='tensor')


@pytest.mark.parametrize('name', NETWORKS)
def test_equals_captum(name):
    model = build(name).double().requires_grad_(False)
    clip = clip_for(name)
    saliency = Saliency(lambda leaf: tensor_mode(model, leaf))
    for target in (2, None):
        found = input_gradient(model, clip, target)
        explained = int(tensor_mode(model, clip)[0].argmax()) if target is None else target
        expected = saliency.attribute(clip.clone().requires_grad_(True), target=explained)
        expected = expected.sum(dim=1 if clip.shape[1] == 3 else 0)
        assert found.dtype == torch.float32
        assert found.shape == (8, 34, 40)
        assert not found.requires_grad
        assert expected.std() > 0.02 * expected.max() > 0
        atol = 1e-6 * float(expected.max())
        torch.testing.assert_close(found, expected.float(), rtol=1e-5, atol=atol)


@pytest.mark.parametrize('fails', [False, True])
def test_leaves_everything_as_it_was(fails):
    model = build('cnn_lstm').train()
    model.backbone.layer1.eval()
    model.cls_head.fc_feature.bias.requires_grad_(False)
    modes = [module.training for module in model.modules()]
    wanted = [parameter.requires_grad for parameter in model.parameters()]
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    clip = clip_for('cnn_lstm', torch.float32).requires_grad_(True)
    before, torch_state = clip.detach().clone(), torch.get_rng_state()
    numpy_state = np.random.get_state()[1].copy()
    if fails:
        with pytest.raises(ValueError, match='expected a class from 0 to 4, got 5'):
            input_gradient(model, clip, 5)
    else:
        assert not input_gradient(model, clip).requires_grad
    assert [module.training for module in model.modules()] == modes
    assert [parameter.requires_grad for parameter in model.parameters()] == wanted
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(clip, before)
    assert clip.grad is None
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert (np.random.get_state()[1] == numpy_state).all()


@pytest.mark.parametrize('fails', [False, True])
@pytest.mark.parametrize('function', [input_gradient, feature_saliency])
def test_cudnn_is_off_for_the_recurrent_gradient_alone(function, fails):
    """In evaluation mode cuDNN has no backward pass of an LSTM; the CNN keeps its quick kernels."""
    model = build('cnn_lstm')
    seen = {'recurrent': [], 'cnn': []}

    def note(kind):
        def hook(*_):
            if kind == 'recurrent' and not torch.is_grad_enabled():
                return  # scores alone, which cuDNN may give
            seen[kind].append(torch.backends.cudnn.enabled)
            if fails and kind == 'recurrent':
                raise RuntimeError('on purpose')

        return hook

    model.cls_head.recurrent[0].register_forward_pre_hook(note('recurrent'))
    model.backbone.conv1.register_forward_pre_hook(note('cnn'))
    assert torch.backends.cudnn.enabled
    with pytest.raises(RuntimeError, match='on purpose') if fails else nullcontext():
        function(model, clip_for('cnn_lstm', torch.float32), 1)
    assert seen['recurrent'] and not any(seen['recurrent'])
    assert seen['cnn'] and all(seen['cnn'])
    assert torch.backends.cudnn.enabled


def test_evaluating_sees_to_every_part_and_survives_an_error():
    model = torch.nn.Sequential(torch.nn.Dropout(), torch.nn.Sequential(torch.nn.Dropout()))
    model[1].eval()
    with pytest.raises(RuntimeError, match='on purpose'), evaluating(model):
        assert not any(module.training for module in model.modules())
        raise RuntimeError('on purpose')
    assert [module.training for module in model.modules()] == [True, True, False, False]


@pytest.mark.parametrize(
    ('name', 'expected', 'shape'),
    [('tsn', r'\[T, 3, H, W\]', (8, 3, 34, 40)), ('i3d', r'\[3, T, H, W\]', (3, 8, 34, 40))],
)
def test_refuses_what_is_no_clip(name, expected, shape):
    model = build(name)
    clip = torch.zeros(shape)
    wrong = [clip[0], clip[None], clip.transpose(0, 1), clip.to(torch.uint8), clip[:, :, :0]]
    for one in wrong:
        with pytest.raises(ValueError, match=f'expected a preprocessed float clip {expected}, got'):
            input_gradient(model, one)


def test_layout_of_a_clip():
    clip = torch.arange(2 * 3 * 4 * 5.0).view(2, 3, 4, 5)
    assert torch.equal(ClipLayout(frames_first=True).frames(clip), clip)
    assert torch.equal(ClipLayout(frames_first=False).frames(clip.transpose(0, 1)), clip)
    assert [ClipLayout.of(build(name)).frames_first for name in ('tsn', 'x3d')] == [True, False]
