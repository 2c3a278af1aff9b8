"""The steps of attention rollout against what the layers of MMAction2 read, by their Jacobians."""

import numpy as np
import pytest
import torch
from mmaction.models.backbones.swin import PatchMerging, SwinTransformerBlock3D, compute_mask
from mmaction.models.common.transformer import (
    DividedSpatialAttentionWithNorm,
    DividedTemporalAttentionWithNorm,
)
from torch import nn

from mmsal.attribution.rollout_steps import (
    attend_in_groups,
    attend_in_windows,
    attend_within_frames,
    spread,
)


def support(function, *shape) -> torch.Tensor:
    """[outputs, inputs], whether an output token [1, .., C] depends on an input token."""
    x = torch.randn(shape, requires_grad=True)
    out = function(x).flatten(1, -2)[0]
    gradients = [
        torch.autograd.grad(token.square().sum(), x, retain_graph=True)[0] for token in out
    ]
    return torch.stack([one.flatten(1, -2)[0].norm(dim=1) > 1e-12 for one in gradients])


@pytest.mark.parametrize('size', [(4, 6, 6), (3, 5, 7), (2, 3, 6)])
@pytest.mark.parametrize('shift', [(0, 0, 0), (1, 1, 1), (1, 2, 1)])
def test_windows_are_those_of_swin(size, shift):
    torch.manual_seed(0)
    window = (2, 3, 3)
    used = [0 if n <= w else s for n, w, s in zip(size, window, shift, strict=True)]
    padded = [-(-n // w) * w for n, w in zip(size, window, strict=True)]
    block = SwinTransformerBlock3D(8, 2, window, shift)
    mask = compute_mask(*padded, window, tuple(used), 'cpu')
    tokens, weights = int(np.prod(size)), []
    hook = block.attn.attn_drop.register_forward_hook(
        lambda module, args, output: weights.append(output.mean(dim=1))
    )
    expected = support(lambda x: block.forward_part1(x, mask), 1, *size, 8)
    hook.remove()
    weights = weights[0].detach()
    assert 0 < expected.float().mean() < 1
    rows = torch.eye(tokens)
    found = [attend_in_windows(row[None], weights, size, window, used)[0] for row in rows]
    found = 2 * torch.stack(found) - rows
    torch.testing.assert_close(found.sum(dim=1), torch.ones(tokens))
    assert torch.equal(found > 1e-12, expected)


@pytest.mark.parametrize('size', [(2, 4, 6), (3, 5, 7)])
@pytest.mark.parametrize(
    ('kernel', 'stride', 'padding'),
    [((3, 3, 3), (1, 2, 2), (1, 1, 1)), ((3, 3, 3), (1, 4, 4), (1, 1, 1)),
     ((1, 3, 3), (1, 2, 2), (0, 1, 1)), ((1, 2, 2), (1, 2, 2), (0, 0, 0))],
)  # fmt: skip
def test_spread_is_the_support_of_pooling(size, kernel, stride, padding):
    torch.manual_seed(0)
    conv = nn.Conv3d(1, 1, kernel, stride, padding)
    pooled = conv(torch.zeros(1, 1, *size)).shape[2:]
    expected = support(lambda x: conv(x.movedim(-1, 1)).movedim(1, -1), 1, *size, 1)
    found = [spread(row[None], pooled, size, kernel, stride, padding)[0]
             for row in torch.eye(pooled.numel())]  # fmt: skip
    found = torch.stack(found)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(len(found)))
    assert torch.equal(found > 0, expected)
    assert all(row[row > 0].unique().numel() == 1 for row in found)


def test_spread_is_the_support_of_patch_merging():
    torch.manual_seed(0)
    size, pooled, geometry = (2, 5, 7), (2, 3, 4), ((1, 2, 2), (1, 2, 2), (0, 0, 0))
    expected = support(PatchMerging(8), 1, *size, 8)
    found = [spread(row[None], pooled, size, *geometry)[0] for row in torch.eye(24)]
    assert torch.equal(torch.stack(found) > 0, expected)


@pytest.mark.parametrize(
    ('kind', 'step', 'groups'),
    [(DividedTemporalAttentionWithNorm, attend_in_groups, 5),
     (DividedSpatialAttentionWithNorm, attend_within_frames, 3)],
)  # fmt: skip
def test_divided_attention_mixes_what_timesformer_mixes(kind, step, groups):
    torch.manual_seed(0)
    attention = kind(8, 2, num_frames=3).eval()
    if hasattr(attention, 'temporal_fc'):
        nn.init.normal_(attention.temporal_fc.weight)
    expected = support(attention, 1, 1 + 5 * 3, 8)
    members = 15 // groups + (step is attend_within_frames)
    weights = torch.full((groups, members, members), 1 / members)
    found = torch.stack([step(row[None], weights)[0] for row in torch.eye(16)])
    assert torch.equal(found > 0, expected)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(16))
