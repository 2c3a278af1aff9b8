"""Heatmaps over frames."""

import numpy as np


def check_look(alpha: float, colormap: str) -> None:
    """Refuse a weight or colormap that :func:`overlay` cannot draw with.

    Raises:
        ValueError: The weight is not in 0 to 1, or matplotlib has no such colormap.
    """
    from matplotlib import colormaps

    if not 0 <= alpha <= 1:
        raise ValueError(f'expected alpha from 0 to 1, got {alpha}')
    if colormap not in colormaps:
        raise ValueError(f'expected a colormap of matplotlib, got {colormap!r}')


def overlay(
    frames: np.ndarray,
    maps: np.ndarray,
    alpha: float = 0.5,
    colormap: str = 'viridis',
    seen: np.ndarray | None = None,
) -> np.ndarray:
    """Blend heatmaps with frames.

    Args:
        frames (np.ndarray): uint8 [T, H, W, 3], RGB.
        maps (np.ndarray): [T, H, W] in [0, 1].
        alpha (float): Weight of the heatmap, 0 to 1. Defaults to 0.5, as MMAction2.
        colormap (str): Of matplotlib. Defaults to ``'viridis'``, as MMAction2.
        seen (np.ndarray, optional): bool [H, W]; pixels that no view saw stay uncoloured.

    Returns:
        np.ndarray: uint8 [T, H, W, 3], RGB.

    Raises:
        ValueError: Frames and maps differ in size, or what :func:`check_look` refuses.
    """
    from matplotlib import colormaps

    check_look(alpha, colormap)
    if frames.shape[:3] != maps.shape:
        raise ValueError(f'expected frames and maps of one size, got {frames.shape}, {maps.shape}')
    blended = np.empty_like(frames)
    weight = alpha if seen is None else alpha * seen[..., None]
    for frame, heat, out in zip(frames, maps, blended, strict=True):
        colours = colormaps[colormap](heat)[..., :3] * 255
        out[:] = np.rint(weight * colours + (1 - weight) * frame).astype(np.uint8)
    return blended
