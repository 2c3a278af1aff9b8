"""One picture of the feature saliency of a video: features over time, and their sums."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmsal.visualization.contact_sheet import evenly_spaced

COLORMAP = 'viridis'
LETTERS = 'ABCDEFGH'  # of the networks, whose names may be long
LEAST_SHARE = 1e-8  # of the saliency; smaller ones are drawn at the foot of the time course


@dataclass(frozen=True)
class FeaturePanel:
    """The matrices of one network: C clips of T frames with D features.

    Attributes:
        name: In the legend.
        saliency: [C, T, D], >= 0.
        rescaled: [C, T, D], >= 0.
        time: [C, T], >= 0, time contributions of the rescaling.
        frame_indices: int [C, T], frames of the source video, zero-based.
    """

    name: str
    saliency: np.ndarray
    rescaled: np.ndarray
    time: np.ndarray
    frame_indices: np.ndarray


def draw_features(panels: Sequence[FeaturePanel], path: str | Path, title: str = '') -> None:
    """Draw a PNG: time courses of all networks in one axis, and two matrices for each network.

    Left is the saliency itself, right its temporal rescaling. Each matrix has its own unit and is
    divided by its largest value, so that all share one colour scale; the clips of a video stand end
    to end. Features are sorted by the frame of their largest saliency and then by its size: two
    networks' features have nothing to do with each other, so each network has its own order.

    Args:
        panels (Sequence[FeaturePanel]): One per network; 1 to 8.
        path (str | Path): The PNG.
        title (str): Line above everything.

    Raises:
        ValueError: Too few or too many networks, or arrays that do not fit together.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not 1 <= len(panels) <= len(LETTERS):
        raise ValueError(f'expected 1 to {len(LETTERS)} networks, got {len(panels)}')
    for panel in panels:
        _check(panel)
    rows = len(panels) + 1
    figure = Figure(figsize=(10.5, 2.2 + 3.2 * len(panels)), layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, 2, height_ratios=[2.2] + [3.2] * len(panels), squeeze=False)
    _draw_time_courses(*axes[0], panels)
    for letter, panel, (left, right) in zip(LETTERS, panels, axes[1:], strict=False):
        order = feature_order(panel.saliency)
        image = _draw_matrix(left, panel, panel.saliency, order)
        _draw_matrix(right, panel, panel.rescaled, order)
        left.set_title(f'{letter}: |gradient|', fontsize=9)
        right.set_title(f'{letter}: temporal saliency rescaling', fontsize=9)
        bar = figure.colorbar(image, ax=[left, right], pad=0.01)
        bar.set_label('share of the largest value', fontsize=8)
        bar.ax.tick_params(labelsize=7)
    # Beside the axes, because names of configs are long.
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc='outside lower center', ncols=1, fontsize=8)
    if title:
        figure.suptitle(title, fontsize=10)
    figure.savefig(path, dpi=130, format='png')


def time_share(saliency: np.ndarray) -> np.ndarray:
    """Share of each frame in a clip's saliency: [C, T, D] -> [C, T], rows adding up to 1.

    A clip without any saliency has shares of 0.
    """
    sums = saliency.sum(axis=2, dtype=np.float64)
    total = sums.sum(axis=1, keepdims=True)
    return np.divide(sums, total, out=np.zeros_like(sums), where=total > 0)


def feature_order(saliency: np.ndarray) -> np.ndarray:
    """Features by the frame of their peak in the mean clip, the larger first: [C, T, D] -> [D]."""
    mean = saliency.mean(axis=0, dtype=np.float64)  # [T, D]
    return np.lexsort((-mean.max(axis=0), mean.argmax(axis=0)))


def _check(panel: FeaturePanel) -> None:
    shape = panel.saliency.shape
    if len(shape) != 3 or not panel.saliency.size:
        raise ValueError(f'expected saliency [C, T, D], got shape {list(shape)}')
    for name, expected in (('rescaled', shape), ('time', shape[:2]), ('frame_indices', shape[:2])):
        found = getattr(panel, name).shape
        if found != expected:
            raise ValueError(f'expected {name} of shape {list(expected)}, got {list(found)}')


def _draw_time_courses(left, right, panels: Sequence[FeaturePanel]) -> None:
    """Means over clips, every network a line: share of the saliency, and time contribution."""
    for letter, panel in zip(LETTERS, panels, strict=False):
        steps, label = panel.saliency.shape[1], f'{letter}: {panel.name}'
        share = time_share(panel.saliency).mean(axis=0)
        numbers = np.arange(1, steps + 1)
        left.plot(numbers, np.maximum(share, LEAST_SHARE), marker='.', label=label)
        right.plot(numbers, panel.time.mean(axis=0), marker='.', label=label)
    longest = max(panel.saliency.shape[1] for panel in panels)
    left.axhline(1 / longest, color='grey', linewidth=0.8, linestyle=':', label='even share')
    left.set_yscale('log')
    left.set_title('share of each frame in the sum of |gradient|', fontsize=9)
    right.set_title('time contribution (rescaling)', fontsize=9)
    right.set_ylim(bottom=0)
    averaged = max(panel.saliency.shape[0] for panel in panels) > 1
    for axis in (left, right):
        axis.set_xlabel('frame of the clip' + (', mean over clips' if averaged else ''), fontsize=8)
        axis.tick_params(which='both', labelsize=7)


def _draw_matrix(axis, panel: FeaturePanel, values: np.ndarray, order: np.ndarray):
    """Features over the frames of all clips; returns the image, for the colour bar."""
    clips, steps, size = values.shape
    matrix = values.reshape(clips * steps, size).T[order].astype(np.float64)
    largest = matrix.max()
    if largest > 0:
        matrix = matrix / largest
    image = axis.imshow(
        matrix, aspect='auto', interpolation='nearest', cmap=COLORMAP, vmin=0, vmax=1
    )
    for clip in range(1, clips):
        axis.axvline(clip * steps - 0.5, color='white', linewidth=1)
    columns = evenly_spaced(clips * steps, 9)
    axis.set_xticks(columns, [str(frame) for frame in panel.frame_indices.ravel()[columns]])
    axis.set_xlabel('frame of the video, from 0', fontsize=8)
    axis.set_ylabel('feature, by time of its peak', fontsize=8)
    axis.set_yticks([])
    axis.tick_params(labelsize=7)
    return image
