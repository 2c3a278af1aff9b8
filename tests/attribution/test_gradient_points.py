"""Gradient methods as one formula, on functions whose gradients can be written down."""

import gc
import weakref

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients
from torch import nn

from mmsal.attribution.gradient_points import gradient_points, sum_of_gradients
from mmsal.attribution.graph_size import graph_size


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def powers(inputs):
    """Two classes: sum of x^2, and sum of x^3."""
    flat = inputs.flatten(1)
    return torch.stack([(flat**2).sum(dim=1), (flat**3).sum(dim=1)], dim=1)


def summed(method, inputs, targets, times_input, score=powers, **options):
    points = gradient_points(method, inputs, **options)
    return sum_of_gradients(score, inputs, torch.as_tensor(targets), points, times_input)


def test_gradient_of_each_samples_own_class():
    x = noise(2, 3, 4)
    found = summed('input_gradient', x, [0, 1], times_input=False)
    torch.testing.assert_close(found, torch.stack([2 * x[0], 3 * x[1] ** 2]))
    assert not found.requires_grad


def test_integrated_gradients_add_up_to_the_score():
    """Of a polynomial they are exact: x d/dx (a x)^n over a in [0, 1] is x^n, pixel by pixel."""
    x = noise(2, 3, 4)
    found = summed('integrated_gradients', x, [0, 1], times_input=True, steps=2)
    torch.testing.assert_close(found, torch.stack([x[0] ** 2, x[1] ** 3]))


def test_integrated_gradients_are_captums():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 7), nn.Tanh(), nn.Linear(7, 3)).double()
    x, targets = noise(2, 3, 4), torch.tensor([2, 0])
    found = summed('integrated_gradients', x, targets, times_input=True, score=net, steps=5)
    expected = IntegratedGradients(net).attribute(
        x, 0.0, targets, n_steps=5, method='gausslegendre'
    )
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize('steps', [1, 4, 32])
def test_weights_of_the_nodes_add_up_to_one(steps):
    points = list(gradient_points('integrated_gradients', noise(1, 3), steps=steps))
    assert len(points) == steps
    assert sum(point.weight for point in points) == pytest.approx(1)
    assert all(0 < point.scale < 1 and point.offset == 0 for point in points)


def test_smoothgrad_is_the_mean_gradient_at_noisy_copies():
    x = noise(2, 3, 50)
    points = list(gradient_points('smoothgrad', x, samples=5, noise=0.3, seed=4))
    assert [point.weight for point in points] == [0.2] * 5
    expected = torch.stack([3 * (x + point.offset) ** 2 for point in points]).mean(dim=0)
    found = summed('smoothgrad', x, [1, 1], False, samples=5, noise=0.3, seed=4)
    torch.testing.assert_close(found, expected)


def test_noise_is_a_share_of_each_samples_own_range():
    x = torch.stack([noise(20000), 10 * noise(20000, seed=1)])
    draws = torch.stack([p.offset for p in gradient_points('smoothgrad', x, samples=3, noise=0.2)])
    # 60 000 draws know their standard deviation to 0.3 %, their mean to 0.4 % of it.
    for one, drawn in zip(x, draws.unbind(1), strict=True):
        deviation = 0.2 * float(one.max() - one.min())
        assert float(drawn.std()) == pytest.approx(deviation, rel=0.02)
        assert abs(float(drawn.mean())) < 0.02 * deviation
    correlation = np.corrcoef(draws[:, 0].numpy())
    assert np.abs(correlation - np.eye(3)).max() < 0.05  # the copies differ from each other
    units = draws / (x.amax(dim=1) - x.amin(dim=1)).view(2, 1)
    torch.testing.assert_close(units[:, 0], units[:, 1])  # in whatever company the same


def test_the_seed_decides_and_the_global_state_does_not():
    state = torch.get_rng_state()
    x = noise(1, 30)

    def draw(seed):
        (point,) = gradient_points('smoothgrad', x, samples=1, seed=seed)
        return point.offset

    first = draw(0)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    assert torch.equal(draw(0), first)
    assert not torch.allclose(draw(1), first)


def test_inputs_are_left_alone():
    x = noise(1, 4).requires_grad_(True)
    before = x.detach().clone()
    for method, times_input in [('input_gradient', False), ('integrated_gradients', True)]:
        assert summed(method, x, [1], times_input).grad_fn is None
    assert torch.equal(x, before)
    assert x.grad is None


def test_graph_size_counts_what_autograd_keeps():
    """exp keeps its result, sin its argument, a product both: three tensors of 40 numbers."""
    x = torch.zeros(5, 8)
    assert graph_size(lambda leaf: leaf.exp(), x) == 160
    assert graph_size(lambda leaf: leaf.exp().sin(), x) == 160  # the same tensor
    assert graph_size(lambda leaf: leaf.exp() * leaf.cos().exp(), x) == 3 * 160
    assert graph_size(lambda leaf: leaf.exp(), x.double()) == 320
    assert graph_size(lambda leaf: leaf + 1, x) == 0


def test_graph_size_leaves_out_weights():
    layer = nn.Linear(8, 100, bias=False).requires_grad_(False)
    assert graph_size(lambda leaf: layer(leaf).exp(), torch.zeros(5, 8)) == 5 * 100 * 4


def test_graph_size_lets_go_of_its_graph():
    """A graph that kept its own outputs would stay, and hold the network's weights."""
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2)).requires_grad_(False)
    assert graph_size(net, torch.randn(1, 1, 8, 8)) > 0
    weight = weakref.ref(net[0].weight)
    del net
    gc.collect()
    assert weight() is None
