"""TSR against the published procedure, and the quick way against the direct one."""

import copy
import ctypes
import gc
from pathlib import Path

import numpy as np
import pytest
import torch

from mmsal.attribution import temporal_saliency_rescaling
from tests.attribution.networks import build
from tests.attribution.tsr.oracle import direct_loop, scores_of
from tests.attribution.tsr.test_frame_cnn import cnn_lstm

SMOOTH = 'blur'  # the only filling that leaves no flat patches
CELLS = ('cnn_lstm', 'cnn_lstm_attention')
FILLINGS = {
    'first': lambda clip: clip[0, :, 0, 0][:, None, None],
    'mean': lambda clip: clip.mean(dim=(0, 2, 3))[:, None, None],
    0.5: lambda clip: torch.full((1, 1, 1), 0.5, dtype=clip.dtype),
}


pytestmark = pytest.mark.usefixtures('one_thread')


def noise(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def frozen_double(name):
    """In float64, where rounding shuts no ReLU that was open in another batch."""
    model = build(name).double()
    model.cls_head.clip_len = None
    return model.requires_grad_(False)


def trained(name):
    """Taught for some steps to tell clips that grow lighter from clips that grow darker."""
    model = frozen_double(name)
    model.cls_head.requires_grad_(True)
    head = model.cls_head
    optimizer = torch.optim.Adam(
        [
            dict(params=head.fc_feature.parameters(), lr=3e-3),
            dict(params=head.recurrent.parameters(), lr=3e-4),
        ]
    )
    ramp = torch.linspace(-1, 1, 5, dtype=torch.float64).view(1, 5, 1, 1, 1)
    labels = torch.arange(8) % 2
    clips = (
        noise(8, 5, 3, 24, 24, seed=3)
        + torch.where(labels == 1, 1, -1)[:, None, None, None, None] * ramp
    )
    with torch.no_grad():
        maps = model.backbone(clips.flatten(0, 1))
    losses = []
    for _ in range(60):
        scores = model.classify_sequence(head.frame_features(maps).unflatten(0, (8, 5)))
        loss = torch.nn.functional.cross_entropy(4 * scores[:, :2], labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    assert losses[-1] < 0.5 * losses[0]
    return model.requires_grad_(False)


def largest_difference(found, expected):
    expected = torch.as_tensor(expected)
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize('form', ['official', 'paper'])
@pytest.mark.parametrize('name', ['cnn_lstm', 'tsn', 'x3d'])
def test_direct_loop_is_the_published_procedure(name, form):
    model = build(name).double().requires_grad_(False)
    frames_first = name != 'x3d'
    if name == 'cnn_lstm':
        model.cls_head.clip_len = None
    frames = noise(4, 3, 34, 40)
    if name == 'tsn':
        model.cls_head.consensus.num_segments = 4
    score = scores_of(model, frames_first)
    target = int(score(frames[None]).mean(dim=0).argmax())
    saliency, time = direct_loop(score, frames, target, FILLINGS['first'](frames), 16, form=form)
    clip = frames if frames_first else frames.transpose(0, 1)
    result = temporal_saliency_rescaling(model, clip, patch_size=16, form=form, exact=True)
    assert result.direct
    assert result.target == target
    assert largest_difference(result.time.double(), time) < 1e-5
    assert largest_difference(result.saliency.double(), saliency) < 1e-5


@pytest.mark.parametrize('mask_value', FILLINGS)
@pytest.mark.parametrize('quantile', [0.0, 0.8])
def test_options_against_the_published_procedure(mask_value, quantile):
    model = frozen_double('cnn_lstm')
    frames = noise(4, 3, 26, 22)
    saliency, time = direct_loop(
        scores_of(model, True), frames, 1, FILLINGS[mask_value](frames), 12, quantile=quantile
    )
    result = temporal_saliency_rescaling(model, frames, 1, 12, mask_value, quantile, exact=True)
    assert result.chosen.tolist() == (time > np.quantile(time, quantile)).tolist()
    assert largest_difference(result.saliency.double(), saliency) < 1e-5


@pytest.mark.parametrize('state', [frozen_double, trained])
@pytest.mark.parametrize('name', CELLS)
def test_quick_way_equals_the_direct_loop(name, state):
    model = state(name)
    clip = noise(5, 3, 30, 26, seed=1)
    quick = temporal_saliency_rescaling(model, clip, 1, 8, SMOOTH)
    direct = temporal_saliency_rescaling(model, clip, 1, 8, SMOOTH, exact=True)
    assert not quick.direct
    assert direct.direct
    assert quick.chosen.tolist() == direct.chosen.tolist()
    assert largest_difference(quick.saliency, direct.saliency) < 1e-3
    assert largest_difference(quick.time, direct.time) < 1e-3


class Rounded(torch.autograd.Function):
    """To nine decimals, and on the way back as if nothing had been done."""

    @staticmethod
    def forward(ctx, maps):
        return maps.round(decimals=9)

    @staticmethod
    def backward(ctx, gradient):
        return gradient


def equal_values_are_equal(model):
    """A copy whose pooling sees through rounding.

    A patch of one colour makes the CNN's first maps flat. Of equal values a max pooling takes the
    first, and the gradient goes there; but torch's convolutions in float64 round equal sums apart.
    """
    model = copy.deepcopy(model)
    pool = model.backbone.maxpool.forward
    model.backbone.maxpool.forward = lambda maps: pool(Rounded.apply(maps))
    return model


@pytest.mark.parametrize('state', [frozen_double, trained])
@pytest.mark.parametrize('name', CELLS)
@pytest.mark.parametrize('dtype', [torch.float64, torch.float32])
def test_quick_way_with_flat_patches(name, state, dtype):
    model = state(name).to(dtype)
    clip = noise(4, 3, 32, 32, seed=1).to(dtype)
    quick = temporal_saliency_rescaling(model, clip, 1, patch_size=8)
    whole = equal_values_are_equal(model) if dtype == torch.float64 else model
    direct = temporal_saliency_rescaling(whole, clip, 1, patch_size=8, exact=True)
    assert (quick.direct, direct.direct) == (False, True)
    assert quick.chosen.tolist() == direct.chosen.tolist()
    assert largest_difference(quick.saliency, direct.saliency) < 1e-3
    assert largest_difference(quick.time, direct.time) < 1e-3


def test_integrated_gradients_against_captum():
    model = frozen_double('cnn_lstm_attention')
    frames = noise(4, 3, 26, 22)
    saliency, _ = direct_loop(
        scores_of(model, True), frames, 1, FILLINGS['mean'](frames), 13,
        of='integrated_gradients', steps=4,
    )  # fmt: skip
    how = dict(of='integrated_gradients', steps=4, exact=True)
    result = temporal_saliency_rescaling(model, frames, 1, 13, 'mean', **how)
    assert largest_difference(result.saliency.double(), saliency) < 1e-5


def test_a_backbone_that_mixes_frames_is_noticed():
    from mmaction.registry import MODELS
    from mmengine.config import Config

    from tests.attribution.networks import CONFIGS

    config = copy.deepcopy(CONFIGS['cnn_lstm'])
    config['backbone'] = dict(type='ResNetTSM', depth=18, num_segments=8, is_shift=True)
    torch.manual_seed(0)
    model = MODELS.build(Config(dict(model=config)).model).eval()
    result = temporal_saliency_rescaling(model, noise(8, 3, 32, 32, dtype=torch.float32), 1, 32)
    assert result.direct


@pytest.mark.parametrize('exact', [False, True])
def test_leaves_everything_as_it_was(exact):
    model = build('cnn_lstm')
    model.cls_head.clip_len = None
    model.train()
    model.backbone.layer1.eval()
    model.cls_head.fc_feature.weight.requires_grad_(False)
    modes = [module.training for module in model.modules()]
    wanted = [parameter.requires_grad for parameter in model.parameters()]
    state = {name: value.clone() for name, value in model.state_dict().items()}
    clip = noise(3, 3, 32, 32, dtype=torch.float32)
    before, random_state = clip.clone(), torch.get_rng_state()
    result = temporal_saliency_rescaling(model, clip, patch_size=32, exact=exact)
    assert [module.training for module in model.modules()] == modes
    assert [parameter.requires_grad for parameter in model.parameters()] == wanted
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert torch.equal(clip, before)
    assert not clip.requires_grad
    assert torch.equal(torch.get_rng_state(), random_state)
    assert result.saliency.grad_fn is None
    assert result.time.grad_fn is None


def resident() -> int:
    gc.collect()
    ctypes.CDLL('libc.so.6').malloc_trim(0)
    return int(Path('/proc/self/statm').read_text().split()[1]) * 4096


@pytest.mark.parametrize('cell', ['lstm', 'input_cell_attention'])
def test_no_graph_outlives_a_call(cell):
    model = cnn_lstm(cell=cell).float()
    clip = noise(3, 3, 32, 32, dtype=torch.float32)

    def call():
        temporal_saliency_rescaling(model, clip, 1, patch_size=8)

    for _ in range(5):
        call()
    tensors, memory = sum(map(torch.is_tensor, gc.get_objects())), resident()
    for _ in range(50):
        call()
    # A call works with 10 MB of activations and copied weights: fifty that leaked would show.
    assert resident() - memory < 20e6
    gc.collect()
    assert sum(map(torch.is_tensor, gc.get_objects())) <= tensors + 5


@pytest.mark.parametrize('fails', [False, True])
def test_cudnn_is_off_around_the_recurrent_part_alone(monkeypatch, fails):
    model = build('cnn_lstm')
    model.cls_head.clip_len = None
    seen = {'recurrent': [], 'cnn': []}

    def look(kind):
        def hook(*arguments):
            seen[kind].append((torch.is_grad_enabled(), torch.backends.cudnn.enabled))
            if fails and kind == 'recurrent' and len(seen[kind]) > 3:
                raise RuntimeError('on purpose')

        return hook

    model.cls_head.recurrent[0].register_forward_pre_hook(look('recurrent'))
    model.backbone.layer4[-1].conv2.conv.register_forward_pre_hook(look('cnn'))  # copied with it
    assert torch.backends.cudnn.enabled
    try:
        temporal_saliency_rescaling(model, noise(3, 3, 32, 32, dtype=torch.float32), 1, 32)
        assert not fails
    except RuntimeError as error:
        assert 'on purpose' in str(error)
        assert fails
    with_gradient = [enabled for gradient, enabled in seen['recurrent'] if gradient]
    assert with_gradient and not any(with_gradient)
    assert len(seen['cnn']) > 2
    assert all(enabled for _, enabled in seen['cnn'])
    assert torch.backends.cudnn.enabled


@pytest.mark.parametrize(
    ('changed', 'message'),
    [
        (dict(patch_size=0), 'patch_size'),
        (dict(patch_size=2.5), 'patch_size'),
        (dict(mask_value='black'), 'mask_value'),
        (dict(mask_value=float('nan')), 'mask_value'),
        (dict(quantile=1.0), 'quantile'),
        (dict(quantile='much'), 'quantile'),
        (dict(form='mine'), 'form'),
        (dict(exact='yes'), 'exact'),
        (dict(of='gradcam'), 'of to be one of'),
        (dict(memory=0), 'memory'),
        (dict(memory=float('inf')), 'memory'),
        (dict(target=0.5), 'class from 0 to 4'),
        (dict(steps=3), "'steps'"),
        (dict(target=7), 'class from 0 to 4'),
    ],
)
def test_refuses(changed, message):
    with pytest.raises(ValueError, match=message):
        temporal_saliency_rescaling(
            build('cnn_lstm'), noise(8, 3, 32, 32, dtype=torch.float32), **changed
        )


def test_refuses_numbers_that_are_none():
    clip = noise(8, 3, 32, 32, dtype=torch.float32)
    clip[2, 0, 5, 5] = float('nan')
    with pytest.raises(ValueError, match='finite numbers, got NaN or inf'):
        temporal_saliency_rescaling(build('cnn_lstm'), clip)


@pytest.mark.parametrize(
    'clip',
    [
        torch.zeros(3, 32, 32),
        torch.zeros(8, 4, 32, 32),
        torch.zeros(8, 3, 32, 32, dtype=torch.uint8),
    ],
)
def test_refuses_what_is_no_clip(clip):
    with pytest.raises(ValueError, match='expected a preprocessed float clip'):
        temporal_saliency_rescaling(build('cnn_lstm'), clip)
