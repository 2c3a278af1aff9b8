"""The five gaze losses against published definitions, and what they do at the edges."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmaction.registry import MODELS
from mmengine.logging import MessageHub
from scipy.special import softmax
from scipy.stats import entropy, pearsonr

from mmsal.metrics import cc, kl_divergence, nss, similarity
from mmsal.models import GazeAlignmentLoss
from mmsal.models.gaze_loss import METRICS

P = 5 * 7
BOUNDS = {
    'kl': (0, np.log(P) + 2 * np.sqrt(P)),
    'cc': (0, 2),
    'nss': (-np.sqrt(P), np.sqrt(P)),
    'sim': (0, 1),
    'mse': (0, 1),
}


def scene(seed=0, batch=2, frames=3, scale=1.0, shift=0.0, dtype=torch.float64):
    """Random maps and densities [B, t, 5, 7]."""
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randn(batch, frames, 5, 7, generator=generator, dtype=dtype) * scale + shift
    density = torch.rand(batch, frames, 5, 7, generator=generator, dtype=dtype).pow(4)
    return maps, density / density.sum(dim=(2, 3), keepdim=True)


def by_definition(metric, saliency, density):
    """One frame by another implementation: SciPy, or the metrics of mmsal.metrics."""
    standardised = (saliency - saliency.mean()) / saliency.std()
    distribution = softmax(standardised)
    if metric == 'kl':
        assert kl_divergence(distribution, density) == pytest.approx(
            entropy(density.ravel(), distribution.ravel()), abs=1e-9
        )
        return entropy(density.ravel(), distribution.ravel())
    if metric == 'cc':
        assert cc(saliency, density) == pytest.approx(
            pearsonr(saliency.ravel(), density.ravel())[0]
        )
        return 1 - pearsonr(saliency.ravel(), density.ravel())[0]
    if metric == 'nss':
        return -(standardised * density).sum()
    if metric == 'sim':
        return 1 - similarity(distribution, density, convention='tuebingen')
    stretched = (saliency - saliency.min()) / np.ptp(saliency)
    return ((stretched - density / density.max()) ** 2).mean()


@pytest.mark.parametrize('metric', METRICS)
def test_is_what_the_definition_says(metric):
    maps, density = scene()
    value = GazeAlignmentLoss(metric)(maps, density)
    frames = [
        by_definition(metric, one, other)
        for one, other in zip(
            maps.flatten(0, 1).numpy(), density.flatten(0, 1).numpy(), strict=True
        )
    ]
    assert value.item() == pytest.approx(np.mean(frames), rel=1e-9)


def test_nss_of_single_fixations_is_the_metric():
    maps, _ = scene(batch=1, frames=1)
    fixations = np.zeros((5, 7))
    fixations[1, 2], fixations[4, 4] = 1, 3
    points = [(2.5, 1.5)] + 3 * [(4.5, 4.5)]
    value = GazeAlignmentLoss('nss')(maps, torch.from_numpy(fixations)[None, None])
    expected = nss(maps[0, 0].numpy(), np.array(points), convention='tuebingen')
    assert -value.item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize('metric', METRICS)
@given(
    seed=st.integers(0, 2**31),
    exponent=st.integers(-25, 25),
    shift=st.floats(-3, 3),
    kind=st.sampled_from(['random', 'one', 'two', 'uniform']),
)
@settings(max_examples=40, deadline=None)
def test_is_bounded_and_knows_no_unit(metric, seed, exponent, shift, kind):
    maps, density = scene(seed, dtype=torch.float32)
    if kind == 'one':
        maps = torch.zeros_like(maps)
        maps[..., 2, 3] = 1
    elif kind == 'two':
        maps = (maps > 0).float()
    elif kind == 'uniform':
        density = torch.full_like(density, 1 / P)
    loss = GazeAlignmentLoss(metric)
    moved = ((maps + shift) * 10.0**exponent).requires_grad_(True)
    value = loss(moved, density)
    low, high = BOUNDS[metric]
    assert low - 1e-5 <= value.item() <= high + 1e-5
    assert value.item() == pytest.approx(loss(maps, density).item(), abs=1e-4)
    value.backward()
    assert moved.grad.isfinite().all()


@pytest.mark.parametrize('metric', METRICS)
@pytest.mark.parametrize('constant', [0.0, 1.0, -7.3, 1e-30, 3e30])
def test_constant_maps_are_finite_and_move_nothing(metric, constant):
    maps, density = scene(dtype=torch.float32)
    maps = torch.full_like(maps, constant)
    maps[0] *= 1 + 1e-7 * torch.randn_like(maps[0])  # constant but for rounding
    maps.requires_grad_(True)
    value = GazeAlignmentLoss(metric)(maps, density)
    value.backward()
    assert BOUNDS[metric][0] - 1e-6 <= value.item() <= BOUNDS[metric][1]
    assert not maps.grad.any()


@pytest.mark.parametrize('metric', METRICS)
def test_frames_without_gaze_add_nothing(metric):
    maps, density = scene(batch=4)
    density[0] = 0
    density[1, 1:] = 0
    maps.requires_grad_(True)
    value = GazeAlignmentLoss(metric)(maps, density)
    parts = [
        GazeAlignmentLoss(metric)(maps[i : i + 1, frames], density[i : i + 1, frames])
        for i, frames in ((1, slice(0, 1)), (2, slice(None)), (3, slice(None)))
    ]
    assert value.item() == pytest.approx(sum(part.item() for part in parts) / 4)
    value.backward()
    assert not maps.grad[0].any()
    assert not maps.grad[1, 1:].any()
    assert maps.grad[1, 0].any()
    nothing = GazeAlignmentLoss(metric)(maps, torch.zeros_like(density))
    assert nothing.item() == 0
    assert nothing.isfinite()


@pytest.mark.parametrize('metric', METRICS)
def test_gradient_is_that_of_differences(metric):
    maps, density = scene(batch=2, frames=2)
    density[1, 0] = 0
    maps.requires_grad_(True)
    loss = GazeAlignmentLoss(metric)
    assert torch.autograd.gradcheck(lambda x: loss(x, density), maps)


@pytest.mark.parametrize('metric', METRICS)
def test_descending_brings_the_map_to_the_gaze(metric):
    # NSS wants one position high and nothing else, so that it has its own best map.
    maps, density = scene(batch=1, frames=1, scale=0.1)
    maps = torch.nn.Parameter(maps)
    loss = GazeAlignmentLoss(metric)
    optimizer = torch.optim.Adam([maps], lr=0.05)
    first = loss(maps, density).item()
    for _ in range(300):
        optimizer.zero_grad()
        value = loss(maps, density)
        value.backward()
        optimizer.step()
    assert value.item() < first
    assert maps.flatten().argmax() == density.flatten().argmax()
    assert cc(maps.detach()[0, 0].numpy(), density[0, 0].numpy()) > 0.7


def test_weight_and_warmup_follow_the_runner():
    maps, density = scene()
    hub = MessageHub.get_instance('gaze loss')  # becomes the current one
    full = GazeAlignmentLoss('cc')(maps, density).item()
    warmed = GazeAlignmentLoss('cc', weight=2.0, warmup=10)
    for iteration, share in ((0, 0.0), (5, 0.5), (10, 1.0), (1000, 1.0)):
        hub.update_info('iter', iteration)
        assert warmed(maps, density).item() == pytest.approx(2 * share * full)


def test_can_be_built_copied_and_shown():
    loss = MODELS.build(dict(type='GazeAlignmentLoss', metric='sim', weight=0.5))
    assert copy.deepcopy(loss).metric == 'sim'
    assert "metric='sim', weight=0.5" in repr(loss)
    assert not loss.state_dict()  # a checkpoint with it fits a model without it


@pytest.mark.parametrize(
    ('options', 'said'),
    [
        (dict(metric='auc'), 'expected metric to be one of kl, cc, nss, sim, mse'),
        (dict(target='input'), 'expected target to be one of class, attention'),
        (dict(weight=-1), 'expected a finite weight'),
        (dict(weight=float('nan')), 'expected a finite weight'),
        (dict(weight='abc'), "expected a finite weight .* got 'abc'"),
        (dict(warmup=-1), 'warmup of 0 or more'),
    ],
)
def test_bad_options(options, said):
    with pytest.raises(ValueError, match=said):
        GazeAlignmentLoss(**options)


def test_shapes_must_agree():
    maps, density = scene()
    with pytest.raises(ValueError, match='of one shape'):
        GazeAlignmentLoss()(maps, density[:, :1])


def test_densities_must_be_numbers():
    maps, density = scene()
    density[0, 0, 0, 0] = float('nan')
    with pytest.raises(ValueError, match='densities of finite numbers'):
        GazeAlignmentLoss()(maps, density)


def test_short_types_are_reckoned_in_float32():
    maps, density = scene(dtype=torch.float32)
    value = GazeAlignmentLoss('kl')(maps.bfloat16(), density.bfloat16())
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(GazeAlignmentLoss('kl')(maps, density).item(), rel=0.05)
