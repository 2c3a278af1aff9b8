"""A layer's activations and their gradients on the grid of frames, rows and columns."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmsal.attribution.explainer import InputShape
from mmsal.attribution.layers import split_name
from mmsal.attribution.layouts import LayerOutput, LayoutError, find_layout


def on_grid(
    model: nn.Module,
    name: str,
    uses: Sequence[tuple[Tensor, ...]],
    shape: InputShape,
    check_reach: bool = True,
) -> tuple[Tensor, ...]:
    """Lay a layer's outputs out, and what has their shape.

    Args:
        model (nn.Module): The recognizer.
        name (str): Of the layer.
        uses (Sequence[tuple[Tensor, ...]]): Per use of the layer its output and, if there is one,
            the gradient at it. Several uses are of as many parts of the views.
        shape (InputShape): Of the network's inputs.
        check_reach (bool): Refuse gradients of a score that reads one token alone.

    Returns:
        tuple[Tensor, ...]: Activations and gradients, each [N V, t, C, h, w].

    Raises:
        LayoutError: The output lies on no such grid, or one token alone counts.
    """
    batch = shape.samples * shape.views
    everything = sum(use[0].numel() for use in uses)
    laid = []
    for use in uses:
        output = LayerOutput(
            getattr(model, 'backbone', None),
            split_name(name),
            tuple(use[0].shape),
            batch * use[0].numel() // everything,
            (shape.frames, *shape.size),
        )
        layout = find_layout(output)
        laid.append(tuple(layout(one) for one in use))
        if check_reach and len(use) > 1:
            _check_reach(use[1], laid[-1][1])
    return tuple(torch.cat(parts) for parts in zip(*laid, strict=True))


def _check_reach(gradient: Tensor, on_grid: Tensor) -> None:
    """Refuse tokens of which only one, such as the class token, is read above them."""
    positions = on_grid.abs().sum(dim=2).flatten(1).count_nonzero(dim=1)  # [B]
    dropped = on_grid.numel() < gradient.numel()
    one_alone = bool((positions == (0 if dropped else 1)).all()) and bool(gradient.any())
    if one_alone and on_grid[0, :, 0].numel() > 1:
        raise LayoutError(
            'above it only one token is read, so no other counts; name a layer before the last '
            'attention (the layer taken by default is one)'
        )


def added_up(maps: Sequence[Tensor], size: tuple[int, int, int]) -> Tensor:
    """Maps of several layers as one, each by the share of the score that its positions carry.

    Args:
        maps (Sequence[Tensor]): [B, t, h, w] each, with t, h and w of its own.
        size (tuple[int, int, int]): (T, H, W) of the sum.

    Returns:
        Tensor: [B, T, H, W].
    """
    most = max(one[0].numel() for one in maps)
    return sum(resized(one, size) * (one[0].numel() / most) for one in maps)


def resized(maps: Tensor, size: tuple[int, int, int]) -> Tensor:
    """[B, t, h, w] -> [B, T, H, W]."""
    return F.interpolate(maps[:, None], size=size, mode='trilinear', align_corners=False)[:, 0]
