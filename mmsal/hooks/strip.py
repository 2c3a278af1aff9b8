"""One picture of one explained clip: its frames, and below them the same frames under the maps."""

import numpy as np
import torch
from torch import Tensor

from mmsal.visualization import evenly_spaced, overlay

# Pixels.
GAP = 4
HEADING = 44
SMALL = 120  # a narrower frame is enlarged
NARROW = 460  # the caption needs so much
DPI = 100


def first_view(inputs: Tensor, frames: int) -> np.ndarray:
    """The pictures of a sample's first view.

    Args:
        inputs (Tensor): [S, 3, H, W] (2-D) or [V, 3, T, H, W] (3-D).
        frames (int): T.

    Returns:
        np.ndarray: uint8 [T, H, W, 3]. Numbers that are no pixels any more are stretched to them.

    Raises:
        ValueError: The input is no picture in colours.
    """
    pictures = inputs[0].transpose(0, 1) if inputs.dim() == 5 else inputs[:frames]
    if pictures.dim() != 4 or pictures.shape[1] != 3:
        raise ValueError(f'expected frames of 3 colours to draw, got inputs {list(inputs.shape)}')
    pictures = pictures.detach().cpu().permute(0, 2, 3, 1)
    if pictures.dtype != torch.uint8:
        low, high = pictures.min(), pictures.max()
        pictures = ((pictures - low) / (high - low + 1e-20) * 255).round().to(torch.uint8)
    return pictures.contiguous().numpy()


def draw_strip(
    frames: np.ndarray,
    maps: np.ndarray,
    count: int,
    caption: str,
    alpha: float = 0.5,
    colormap: str = 'viridis',
) -> np.ndarray:
    """Draw some frames of a clip in a row, and below each the same frame under its map.

    Args:
        frames (np.ndarray): uint8 [T, H, W, 3], RGB.
        maps (np.ndarray): [T, H, W] in [0, 1].
        count (int): At most so many frames, from the first to the last.
        caption (str): Line above.
        alpha, colormap: See :func:`mmsal.visualization.overlay`.

    Returns:
        np.ndarray: uint8 [h, w, 3], RGB.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    chosen = evenly_spaced(len(frames), count)
    cells = np.stack([frames[chosen], overlay(frames[chosen], maps[chosen], alpha, colormap)])
    montage, step = _side_by_side(cells)
    high, wide = montage.shape[0] + HEADING, max(montage.shape[1] + GAP, NARROW)
    # Half a pixel more, for matplotlib rounds down what is 114.99999 of them.
    figure = Figure(figsize=((wide + 0.5) / DPI, (high + 0.5) / DPI), dpi=DPI)
    canvas = FigureCanvasAgg(figure)
    figure.figimage(montage, GAP, 0)
    figure.text(GAP / wide, 1 - 4 / high, caption, fontsize=9, va='top')
    for column, place in enumerate(chosen):
        left, above = (GAP + column * step) / wide, 1 - (HEADING - 4) / high
        figure.text(left, above, f'input frame {place}', fontsize=7, va='bottom')
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _side_by_side(cells: np.ndarray) -> tuple[np.ndarray, int]:
    """Pictures [rows, columns, H, W, 3] as one, and the pixels from column to column."""
    times = -(-SMALL // cells.shape[3])
    cells = cells.repeat(times, axis=2).repeat(times, axis=3)
    right_and_below = ((0, 0), (0, 0), (0, GAP), (0, GAP), (0, 0))
    cells = np.pad(cells, right_and_below, constant_values=255)
    rows, columns, high, wide, _ = cells.shape
    return cells.swapaxes(1, 2).reshape(rows * high, columns * wide, 3), wide
