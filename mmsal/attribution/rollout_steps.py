"""The steps of attention rollout: from shares of a layer's output tokens to those of its input.

A row holds the share that each token of a clip has in what the head reads. Every step keeps the sum
of a row at 1. A block carries half of a share along its skip connection and half along its
attention. Where a layer makes one token of several, by pooling or by a strided convolution, the
share is spread evenly over the tokens of the window that exist; padding gets none.

``weights`` are attention matrices averaged over heads, [.., queries, keys], rows adding up to 1.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def mix(row: Tensor, moved: Tensor) -> Tensor:
    """Half of what the skip connection carries, half of what attention does."""
    return 0.5 * row + 0.5 * moved


def carry(row: Tensor, weights: Tensor) -> Tensor:
    """[B, queries] x [B, queries, keys] -> [B, keys]."""
    return (row[:, None] @ weights)[:, 0]


def attend(row: Tensor, weights: Tensor) -> Tensor:
    """All tokens [B, n] attend to all."""
    return mix(row, carry(row, weights))


def attend_in_groups(row: Tensor, weights: Tensor) -> Tensor:
    """Tokens [B, 1 + groups n] attend within runs of n; the first one stays out of it."""
    first, rest = row[:, :1], row[:, 1:]
    moved = attend(rest.reshape(len(weights), -1), weights)
    return torch.cat([first, moved.reshape_as(rest)], dim=1)


def attend_within_frames(row: Tensor, weights: Tensor) -> Tensor:
    """Tokens [B, 1 + p t] attend within frames; weights [B t, 1 + p, 1 + p].

    The first token takes part in every frame, and becomes the mean of what it is there.
    """
    frames = len(weights) // len(row)
    by_frame = row[:, 1:].unflatten(1, (-1, frames)).transpose(1, 2)  # [B, t, p]
    first = (row[:, :1] / frames)[:, :, None].expand(-1, frames, 1)
    moved = carry(torch.cat([first, by_frame], dim=2).flatten(0, 1), weights)
    moved = moved.unflatten(0, (-1, frames))
    first = moved[:, :, 0].sum(dim=1, keepdim=True)
    return mix(row, torch.cat([first, moved[:, :, 1:].transpose(1, 2).flatten(1)], dim=1))


def attend_in_windows(
    row: Tensor,
    weights: Tensor,
    size: Sequence[int],
    window: Sequence[int],
    shift: Sequence[int],
) -> Tensor:
    """Tokens [B, t h w] on a grid attend within windows, which are shifted cyclically.

    The grid is padded at its end to whole windows. The network lets tokens attend to padding,
    which is the same whatever the video shows; here the rows are scaled to sum to 1 without it.

    Args:
        row (Tensor): [B, t h w].
        weights (Tensor): [B windows, n, n].
        size: (t, h, w).
        window: Tokens along each axis.
        shift: By how much the windows start later, along each axis.

    Returns:
        Tensor: [B, t h w].
    """
    tokens = row.shape[1]
    places = torch.arange(tokens, device=row.device).view(*size)
    padding = [(-n) % w for n, w in zip(size, window, strict=True)]
    places = F.pad(places, [0, padding[2], 0, padding[1], 0, padding[0]], value=tokens)
    places = places.roll([-s for s in shift], dims=(0, 1, 2))
    for axis, width in ((2, window[2]), (1, window[1]), (0, window[0])):
        places = places.unflatten(axis, (-1, width))
    places = places.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(0, 2)  # [windows, n]
    exists = places < tokens
    weights = weights.unflatten(0, (len(row), -1)) * exists[:, None]
    # A query that is padding may see padding only; it has no share to pass on.
    weights = weights / weights.sum(dim=-1, keepdim=True).clamp(min=torch.finfo(row.dtype).tiny)
    shares = F.pad(row, [0, 1])[:, places]  # [B, windows, n], 0 where there is no token
    moved = (shares[:, :, None] @ weights)[:, :, 0]
    return mix(row, moved[:, exists][:, places[exists].argsort()])


def spread(
    row: Tensor,
    pooled: Sequence[int],
    size: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
) -> Tensor:
    """Each pooled token's share evenly over its window.

    Args:
        row (Tensor): [B, t' h' w'].
        pooled: (t', h', w').
        size: (t, h, w), of what was pooled.
        kernel: Of the pooling or convolution, as are ``stride`` and ``padding``.
        stride: Likewise.
        padding: Likewise; at the start of each axis.

    Returns:
        Tensor: [B, t h w].
    """
    row = row.unflatten(1, pooled)
    geometry = zip(size, kernel, stride, padding, strict=True)
    for axis, (tokens, width, step, pad) in enumerate(geometry, start=1):
        start = torch.arange(row.shape[axis], device=row.device)[:, None] * step - pad
        token = torch.arange(tokens, device=row.device)
        window = ((start <= token) & (token < start + width)).to(row.dtype)
        window = window / window.sum(dim=1, keepdim=True)
        row = (row.movedim(axis, -1) @ window).movedim(-1, axis)
    return row.flatten(1)
