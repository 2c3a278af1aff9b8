"""Input attributions against loops written out here, finite differences and their own axioms."""

import copy
import gc
import importlib.util
import sys
from functools import partial
from itertools import product

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor

from mmsal.attribution.input_methods import INPUT_METHODS, InputAttribution
from tests.attribution.networks import batch, build

CLIP = (8, 32, 48)  # T, H, W
small = partial(batch, size=CLIP[1:])
NETWORKS = ['tsn', 'i3d', 'cnn_lstm', 'videomae']
QUICK = {
    'input_gradient': {},
    'integrated_gradients': dict(steps=2),
    'smoothgrad': dict(samples=2),
    'occlusion': dict(window=(8, 32, 16), stride=(8, 32, 16)),
}


def preprocessed(model, data) -> Tensor:
    return model.data_preprocessor(data)['inputs']


def mean_scores(model, inputs: Tensor) -> Tensor:
    """[N, K] over views, by a way through MMAction2 that the attributions do not take."""
    np.random.seed(0)  # TRN draws frame relations
    scores = model(inputs, mode='tensor', stage='head')
    return scores.unflatten(0, (len(inputs), -1)).mean(dim=1)


def gradient(model, inputs: Tensor, target: int) -> Tensor:
    inputs = inputs.clone().requires_grad_(True)
    return torch.autograd.grad(mean_scores(model, inputs)[:, target].sum(), inputs)[0]


def explain(model, data, method, target=None, **options) -> Tensor:
    """[N, V, T, H, W]."""
    with InputAttribution(model, method, **options) as explainer:
        return torch.stack([one.raw for one in explainer.localize(data, target)])


def close(found: Tensor, expected: Tensor) -> None:
    assert found.dtype == torch.float32
    assert expected.std() > 0.02 * expected.max() > 0  # a map of nothing would prove nothing
    atol = 1e-4 * float(expected.max())
    torch.testing.assert_close(found, expected.float().view_as(found), rtol=1e-3, atol=atol)


@pytest.mark.parametrize('name', NETWORKS)
def test_input_gradient_is_the_gradient(name):
    model, data = build(name), small(name, samples=2)
    raw = explain(model, data, 'input_gradient', target=3)
    assert raw.shape == (2, 1, *CLIP)
    close(raw, gradient(model, preprocessed(model, data), 3).abs().sum(dim=2))


@pytest.mark.parametrize('name', NETWORKS)
def test_input_gradient_is_a_quotient_of_differences(name):
    model, data = build(name).double(), small(name)
    raw = explain(model, data, 'input_gradient', target=1)[0, 0]
    inputs = preprocessed(model, data)
    frames = inputs[0] if inputs.dim() == 5 else inputs[0, 0].transpose(0, 1)  # [T, 3, H, W]
    step = 1e-6
    for t, y, x in [np.unravel_index(int(raw.argmax()), CLIP), (0, 10, 40), (3, 30, 20)]:
        expected = 0.0
        for colour in range(3):
            scores = []
            for sign in (1, -1):
                frames[t, colour, y, x] += sign * step  # inputs share its memory
                with torch.no_grad():
                    scores.append(float(mean_scores(model, inputs)[0, 1]))
                frames[t, colour, y, x] -= sign * step
            expected += abs(scores[0] - scores[1]) / (2 * step)
        assert float(raw[t, y, x]) == pytest.approx(expected, rel=1e-3, abs=1e-9)
    assert raw.max() > 1e-4


@pytest.mark.parametrize('name', NETWORKS)
def test_integrated_gradients_are_the_integral(name):
    model, data = build(name), small(name, samples=2)
    inputs = preprocessed(model, data)
    total = torch.zeros_like(inputs)
    for place, weight in zip(*np.polynomial.legendre.leggauss(4), strict=True):
        total += weight / 2 * gradient(model, inputs * ((place + 1) / 2), 2)
    expected = (total * inputs).sum(dim=2)
    assert expected.min() < 0  # what speaks against the class is left out
    raw = explain(model, data, 'integrated_gradients', target=2, steps=4)
    close(raw, expected.clamp(min=0))


@pytest.mark.parametrize('name, views', [('i3d', 1), ('cnn_lstm', 1), ('videomae', 2)])
def test_integrated_gradients_add_up_to_the_score(name, views):
    model, data = build(name), small(name, views=views)
    with InputAttribution(model, 'integrated_gradients') as explainer:
        signed, view_scores, targets = explainer._signed(data)
    assert explainer.options == {'steps': 32}
    inputs = preprocessed(model, data)
    with torch.no_grad():
        difference = mean_scores(model, inputs) - mean_scores(model, torch.zeros_like(inputs))
    target = int(targets)
    assert target == int(view_scores.mean(dim=1).argmax())
    assert float(signed.sum()) == pytest.approx(float(difference[0, target]), rel=0.02)


@pytest.mark.parametrize('name', NETWORKS)
def test_smoothgrad_is_the_mean_gradient_of_noisy_copies(name):
    model, data = build(name), small(name, samples=2)
    data['inputs'][1] //= 3  # another range, so other noise
    raw = explain(model, data, 'smoothgrad', target=2, samples=3, noise=0.2, seed=7)
    for one, sample in zip(raw, preprocessed(model, data).split(1), strict=True):
        deviation = torch.full_like(sample, 0.2 * float(sample.max() - sample.min()))
        torch.manual_seed(7)
        copies = [sample + torch.normal(0, deviation) for _ in range(3)]
        mean = sum(gradient(model, copy, 2) for copy in copies) / 3
        close(one, mean.abs().sum(dim=2))


def test_smoothgrad_hangs_on_its_seed_alone():
    model, data = build('videomae'), small('videomae')
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = explain(model, data, 'smoothgrad')
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert torch.equal(explain(model, data, 'smoothgrad', seed=0), first)
    other = explain(model, data, 'smoothgrad', seed=1)
    assert (other - first).abs().max() > 0.01 * first.max()


def drops(model, inputs: Tensor, target: int, views: int, window, stride) -> Tensor:
    """[N, V, T, H, W], signed; hides one window of one view at a time."""
    total, count = torch.zeros(len(inputs), views, *CLIP), torch.zeros(views, *CLIP)
    whole = mean_scores(model, inputs)[:, target]
    starts = [range(0, a - b + c, c) for a, b, c in zip(CLIP, window, stride, strict=True)]
    for view, t, y, x in product(range(views), *starts):
        hidden = torch.zeros(views, *CLIP, dtype=torch.bool)
        hidden[view, t : t + window[0], y : y + window[1], x : x + window[2]] = True
        over = hidden if inputs.dim() == 6 else hidden.flatten(0, 1)
        without = torch.where(over.unsqueeze(1), torch.zeros(()), inputs)
        total += hidden * (whole - mean_scores(model, without)[:, target]).view(-1, 1, 1, 1, 1)
        count += hidden
    assert count.min() >= 1
    assert count.max() >= 4
    return total / count


@pytest.mark.parametrize(
    'name, views, target',
    [('tsn', 1, 1), ('i3d', 2, 1), ('cnn_lstm', 2, 0), ('videomae', 2, 1), ('trn', 1, 1)],
)
@torch.no_grad()
def test_occlusion_hides_window_by_window(name, views, target):
    """The last windows stick out of the clip, and those of a CNN-LSTM could reach the next one."""
    model, data = build(name), small(name, samples=2, views=views)
    window, stride = (6, 24, 28), (4, 16, 18)
    expected = drops(model, preprocessed(model, data), target, views, window, stride)
    raw = explain(model, data, 'occlusion', target, window=window, stride=stride)
    assert raw.shape == (2, views, *CLIP)
    close(raw, expected.clamp(min=0))


def test_windows_are_cut_to_the_clip_and_overlap_by_half():
    model, data = build('videomae'), small('videomae')
    cut = explain(model, data, 'occlusion', 1, window=(100, 24, 60))
    same = explain(model, data, 'occlusion', 1, window=[8, 24, 48], stride=[1, 12, 1])
    assert cut.max() > 0
    assert torch.equal(same, cut)
    with InputAttribution(model, 'occlusion', window=(1, 5, 6)) as explainer:
        assert explainer.options['stride'] == (1, 2, 3)


@pytest.mark.parametrize('method', INPUT_METHODS)
@pytest.mark.parametrize('name', ['i3d', 'cnn_lstm'])
def test_samples_and_views_are_explained_apart(name, method):
    model, data = build(name), small(name, samples=2, views=2)
    together = explain(model, data, method, 1, **QUICK[method])

    def alone(inputs: Tensor) -> Tensor:
        one = dict(inputs=[inputs], data_samples=data['data_samples'][:1])
        return explain(model, one, method, 1, **QUICK[method])[0]

    def differ(one: Tensor, other: Tensor) -> float:
        # By rounding here and there a ReLU closes, so not pixel by pixel.
        return float((one - other).abs().sum() / other.sum())

    assert differ(together[0], together[1]) > 0.2
    for number, inputs in enumerate(data['inputs']):
        found = together[number]
        assert differ(found, alone(inputs)) < 0.01
        if method != 'smoothgrad':  # the noise of a view hangs on the range of its sample
            assert differ(found[number], alone(inputs.chunk(2)[number])[0] / 2) < 0.01


def test_views_in_chunks():
    model, data = build('i3d'), small('i3d', views=2)
    expected = explain(model, data, 'occlusion', 0, **QUICK['occlusion'])
    model.test_cfg = dict(max_testing_views=1)
    close(explain(model, data, 'occlusion', 0, **QUICK['occlusion']), expected)


def test_the_omni_recognizer_is_called_in_its_own_way():
    model, data = build('omni'), small('omni')
    inputs = preprocessed(model, data).requires_grad_(True)
    score = model.cls_head(model.backbone(inputs.flatten(0, 1)))[0, 2]
    expected = torch.autograd.grad(score, inputs)[0].abs().sum(dim=2)
    close(explain(model, data, 'input_gradient', 2), expected)


@pytest.mark.parametrize('method', INPUT_METHODS)
def test_targets_and_scores(method):
    model, data = build('videomae'), small('videomae', samples=2, views=3)
    scores = mean_scores(model, preprocessed(model, data))
    with InputAttribution(model, method, **QUICK[method]) as explainer:
        both = explainer.localize(data, [1, 4])
        same = explainer.localize(data, 4)
        best = explainer.localize(data)
        maps = explainer.heatmaps(data)
    assert [one.target for one in both] == [1, 4]
    assert [one.target for one in best] == scores.argmax(dim=1).tolist()
    torch.testing.assert_close(both[1].raw, same[1].raw)
    assert not torch.allclose(both[0].raw, same[0].raw)
    assert both[0].view_scores.shape == (3, 5)
    torch.testing.assert_close(torch.stack([one.scores for one in best]), scores)
    assert all(one.raw.min() >= 0 and one.raw.dtype == torch.float32 for one in both)
    assert all(one.shape == (3, *CLIP) and one.max() <= 1 for one in maps)


@pytest.mark.parametrize(
    'name, method, most',
    [('tsn', 'input_gradient', 0.6), *(('videomae', method, 0.3) for method in INPUT_METHODS)],
)
def test_other_weights_give_another_map(name, method, most):
    """Adebayo et al., NeurIPS 2018: a map that survives shuffled weights explains no network.

    Not all of it goes: strides favour every second pixel, and edges are seen less, in any CNN.
    """
    model, data = build(name), small(name)
    options = dict(window=(8, 8, 8), stride=(8, 8, 8)) if method == 'occlusion' else QUICK[method]
    first, again = (explain(model, data, method, 1, **options).flatten() for _ in range(2))
    assert spearmanr(first, again).statistic > 0.999
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            order = torch.randperm(parameter.numel(), generator=generator)
            parameter.copy_(parameter.flatten()[order].view_as(parameter))
    other = explain(model, data, method, 1, **options).flatten()
    assert other.std() > 0
    assert abs(spearmanr(first, other).statistic) < most


def live_tensors() -> int:
    gc.collect()
    return sum(isinstance(thing, Tensor) for thing in gc.get_objects())


@pytest.mark.filterwarnings('ignore:.*reduce_op:FutureWarning')  # from looking at all there is
@pytest.mark.parametrize('method', INPUT_METHODS)
def test_leaves_everything_as_it_was(method):
    model, data = build('cnn_lstm').train(), small('cnn_lstm', samples=2)
    fixed = next(model.backbone.parameters()).requires_grad_(False)
    model.cls_head.average_clips = 'prob'
    before, inputs = copy.deepcopy(model.state_dict()), copy.deepcopy(data['inputs'])
    labels = [sorted(sample.keys()) for sample in data['data_samples']]
    with InputAttribution(model, method, **QUICK[method]) as explainer:
        assert not model.training
        found = explainer.localize(data)
        tensors = live_tensors()
        found = explainer.localize(data)
        assert live_tensors() == tensors
        assert found[0].raw.grad_fn is found[0].view_scores.grad_fn is None
        with pytest.raises(ValueError, match='from 0 to 4, got 5'):
            explainer.localize(data, target=5)
    assert model.training
    assert model.cls_head.average_clips == 'prob'
    assert not any(m._forward_hooks or m._backward_hooks for m in model.modules())
    assert not any('forward' in vars(m) for m in model.modules())
    assert [p.requires_grad for p in model.parameters()].count(False) == 1
    assert not fixed.requires_grad
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(value.equal(before[key]) for key, value in model.state_dict().items())
    assert all(map(torch.equal, data['inputs'], inputs))
    assert [sorted(sample.keys()) for sample in data['data_samples']] == labels


@pytest.mark.parametrize(
    'method, options, message',
    [
        ('saliency', {}, 'expected method to be one of input_gradient, .*, got .saliency.'),
        ('input_gradient', dict(steps=3), 'options of input_gradient to be none, got .steps.'),
        ('smoothgrad', dict(sigma=1), 'to be one of samples, noise, seed, got .sigma.'),
        ('smoothgrad', dict(samples=0), 'samples to be a whole number from 1 to .*, got 0'),
        ('smoothgrad', dict(noise=0), 'noise to be a number above 0, got 0'),
        ('smoothgrad', dict(noise='much'), 'noise to be a number above 0, got .much.'),
        ('smoothgrad', dict(seed=-1), 'seed to be a whole number from 0 to .*, got -1'),
        ('integrated_gradients', dict(steps=2.5), 'steps to be a whole number .*, got 2.5'),
        ('integrated_gradients', dict(steps=True), 'steps to be a whole number .*, got True'),
        ('occlusion', dict(window=32), r'window to be \(frames, height, width\), got 32'),
        ('occlusion', dict(window=(4, 32)), r'window to be .*, got \(4, 32\)'),
        ('occlusion', dict(window=(4, 0, 32)), 'window to be a whole number from 1 to .*, got 0'),
        ('occlusion', dict(stride=(0, 1, 1)), 'stride to be a whole number from 1 to .*, got 0'),
        ('occlusion', dict(stride=(1, 33, 1)), r'at most the window, \(4, 32, 32\), got \(1, 33'),
    ],
)
def test_refuses(method, options, message):
    model = torch.nn.Identity()
    with pytest.raises(ValueError, match=message) as refusal:
        InputAttribution(model, method, **options)
    assert '\n' not in str(refusal.value)
    assert model.training


def test_occlusion_refuses_views_without_scores_of_their_own():
    model, data = build('tsn'), small('tsn', views=2)
    model.cls_head.clip_len = 8  # but its scores are averaged over all frames
    with (
        InputAttribution(model, 'occlusion') as explainer,
        pytest.raises(ValueError, match=r'each of the 2 views .* got 1 for all'),
    ):
        explainer.localize(data)


def test_without_captum(monkeypatch):
    monkeypatch.setitem(sys.modules, 'captum', None)
    monkeypatch.setitem(sys.modules, 'captum.attr', None)
    spec = importlib.util.find_spec(InputAttribution.__module__)
    afresh = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(afresh)  # captum is imported when it is needed
    model = torch.nn.Identity()
    with pytest.raises(ImportError, match='pip install captum') as refusal:
        afresh.InputAttribution(model, 'occlusion')
    assert '\n' not in str(refusal.value)
    assert model.training
