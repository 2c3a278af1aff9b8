"""The networks of our configs are PyTorchVideo's: same scores, parameters and operations."""

import pytest
import torch
from fvcore.nn import FlopCountAnalysis
from torch import nn

from mmsal.models import load_pytorchvideo_state_dict

from .published import (
    KINETICS,
    SIZES,
    Scores,
    as_published,
    clip,
    our_network,
    published_network,
)

# Parameters in millions and operations per view in 1e9 as PyTorchVideo's model zoo states them.
PUBLISHED_PARAMETERS = {'i3d_r50': 28.04, 'x3d_l': 6.15, 'slowfast_r101': 53.77}


@pytest.fixture(scope='module', params=KINETICS)
def pair(request) -> tuple[str, nn.Module, nn.Module]:
    """PyTorchVideo's network, without X3D's softmax, and ours with its weights."""
    network = request.param
    options = {'head_activation': None} if network == 'x3d_l' else {}
    published = published_network(network, **options)
    scores = {'model.cls_head.average_windows': 'score'} if network == 'x3d_l' else {}
    ours = our_network(network, **scores)
    assert load_pytorchvideo_state_dict(ours, published.state_dict()) == []
    return network, published, ours


@pytest.mark.parametrize('crop', [1, 2], ids=['training crop', 'test crop'])
@torch.no_grad()
def test_scores_are_the_same(pair, crop):
    network, published, ours = pair
    x = clip(network, SIZES[network][crop])
    expected = published(as_published(network, x))
    scores = Scores(ours)(x)
    assert 0.2 < expected.std() < 20  # else 1e-4 would be no test, or too much of one
    torch.testing.assert_close(scores, expected, rtol=0, atol=1e-4)


@torch.no_grad()
def test_scores_are_the_same_for_clips_that_are_longer_or_not_square(pair):
    network, published, ours = pair
    frames, crop, _ = SIZES[network]
    # A longer clip of SlowFast's would take too long.
    longer = frames if network == 'slowfast_r101' else frames + 4
    x = torch.randn(1, 3, longer, crop, crop + 64, generator=torch.Generator().manual_seed(2))
    expected = published(as_published(network, x))
    torch.testing.assert_close(Scores(ours)(x), expected, rtol=0, atol=1e-4)


def test_parameters_are_as_many(pair):
    network, published, ours = pair
    count = sum(parameter.numel() for parameter in ours.parameters())
    assert count == sum(parameter.numel() for parameter in published.parameters())
    assert abs(count / 1e6 - PUBLISHED_PARAMETERS[network]) < 0.01


@torch.no_grad()
def test_operations_at_the_test_crop_are_as_many(pair):
    network, published, ours = pair
    x = clip(network, SIZES[network][2])
    expected, found = (
        FlopCountAnalysis(model, inputs)
        .unsupported_ops_warnings(False)
        .uncalled_modules_warnings(False)
        .total()
        for model, inputs in ((published, (as_published(network, x),)), (Scores(ours), (x,)))
    )
    assert found == pytest.approx(expected, rel=1e-3)


@torch.no_grad()
def test_x3d_averages_probabilities_over_windows_as_published():
    """At the test crop, where the published network, softmax included, has nine windows."""
    published, ours = published_network('x3d_l'), our_network('x3d_l')
    load_pytorchvideo_state_dict(ours, published.state_dict())
    x = clip('x3d_l', SIZES['x3d_l'][2])
    probabilities = Scores(ours)(x).softmax(dim=1)
    expected = published(x)
    torch.testing.assert_close(probabilities, expected, rtol=1e-4, atol=1e-7)
    ours.cls_head.average_windows = 'score'
    assert (Scores(ours)(x).softmax(dim=1) - expected).abs().max() > 1e-4  # it does matter


@torch.no_grad()
def test_one_window_has_the_same_scores_either_way():
    head = our_network('x3d_l').cls_head
    maps = torch.randn(2, 432, 16, 10, 10, generator=torch.Generator().manual_seed(0))
    assert head.average_windows == 'prob'
    averaged = head(maps)
    head.average_windows = 'score'
    torch.testing.assert_close(averaged, head(maps), rtol=0, atol=1e-6)
