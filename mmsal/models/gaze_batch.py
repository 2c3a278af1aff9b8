"""Gaze and labels of a batch, as the gaze loss wants them."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mmsal.attribution.explainer import InputShape
from mmsal.gaze import area_shares


def density_on_grid(density: Tensor, grid: Sequence[int]) -> Tensor:
    """Density of the frames on a layer's grid: what lies in each of its cells, by area.

    Args:
        density (Tensor): [B, T, h, w], mass per cell.
        grid (Sequence[int]): (t, h', w') of the layer.

    Returns:
        Tensor: [B, t, h', w'], of any sum; 0 where none of the frames shows a fixation.

    Raises:
        ValueError: The grid is finer than the density.
    """
    if any(have < want for have, want in zip(density.shape[2:], grid[1:], strict=True)):
        raise ValueError(
            f'gaze maps of {density.shape[2]}x{density.shape[3]} cells are coarser than the '
            f"layer's {grid[1]}x{grid[2]}: set map_size=({grid[1]}, {grid[2]}) of LoadGazeMaps"
        )
    if density.shape[1:] == tuple(grid):
        return density
    time, rows, columns = (
        torch.from_numpy(area_shares(many, few)).to(density)
        for many, few in zip(density.shape[1:], grid, strict=True)
    )
    return torch.einsum('btij,at,ri,cj->barc', density, time, rows, columns)


def densities_of(data_samples: Sequence, shape: InputShape) -> Tensor | None:
    """Densities [N V, T, h, w] of a batch, 0 for samples without gaze; None if none has any."""
    found = [getattr(sample, 'gaze_maps', None) for sample in data_samples]
    found = [maps if maps is not None and bool(maps.any()) else None for maps in found]
    known = [maps for maps in found if maps is not None]
    if not known:
        return None
    frames = shape.views * shape.frames
    for maps in known:
        if maps.dim() != 3 or len(maps) != frames or maps.shape != known[0].shape:
            raise ValueError(
                f'expected gaze_maps [{frames}, h, w], one per frame of the sample, got '
                f'{[list(maps.shape) for maps in known]}'
            )
    nothing = torch.zeros_like(known[0])
    stacked = torch.stack([nothing if maps is None else maps for maps in found])
    return stacked.unflatten(1, (shape.views, shape.frames)).flatten(0, 1)


def class_shares(data_samples: Sequence, scores: Tensor) -> Tensor:
    """How much each class counts in each sample, [N, K]: its own alone, or as soft labels say."""
    labels = torch.stack([sample.gt_label for sample in data_samples]).to(scores.device)
    if labels.is_floating_point():
        return labels.to(scores)
    return F.one_hot(labels[:, 0], scores.shape[1]).to(scores)
