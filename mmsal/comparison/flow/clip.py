"""Saliency held against optical flow, beside chance, a centre bias and other clips' motion."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mmsal.heatmaps import HeatmapSequence
from mmsal.metrics import cc, similarity

OWN, CHANCE = 'flow', 'flow of other clips'  # references
CENTRE_BIAS, MOTION_OF_OTHERS = 'centre bias', 'mean flow of other clips'  # models
MEASURES = (
    ('CC', 'mit', cc),
    ('CC', 'tuebingen', cc),
    ('SIM', 'mit', similarity),
    ('SIM', 'tuebingen', similarity),
)
RESULT_COLUMNS = (
    'video', 'model', 'reference', 'level', 'frame', 'metric', 'convention', 'value', 'n_fixations',
)  # fmt: skip


@dataclass(frozen=True)
class FlowClip:
    """Flow and saliency of one video, on the frames and pixels that all of them have.

    Attributes:
        video: Its name in the results.
        frames: int64 [N], first frame of each pair.
        positions: float64 [N], where in the video's flow each of them is, above 0 and below 1.
        flow: [N, H, W], 0 or more, of any one scale.
        saliency: By model, each [N, H, W], 0 or more.
        seen: bool [H, W], what all models saw; None is everything.
    """

    video: str
    frames: np.ndarray
    positions: np.ndarray
    flow: np.ndarray
    saliency: dict[str, np.ndarray]
    seen: np.ndarray | None


def align(video: str, flow: HeatmapSequence, saliency: dict[str, HeatmapSequence]) -> FlowClip:
    """Bring a video's maps together: the saliency of frame t beside the flow from t to t + 1.

    Args:
        video: Its name in the results.
        flow: Of :func:`mmsal.comparison.flow.maps.flow_heatmaps`.
        saliency: Heatmaps by model, at least one, in the source video's pixels.

    Raises:
        ValueError: Maps in another space or size than the flow, negative ones, no frame or no pixel
            that all have.
    """
    size = flow.values.shape[1:]
    frames, seen = flow.frame_indices, None
    for model, maps in saliency.items():
        if maps.meta.get('space', 'source') != 'source':
            raise ValueError(f"{video}: maps of {model} lie in the network's input, not the source")
        if maps.values.shape[1:] != size:
            raise ValueError(
                f'{video}: maps of {model} are {maps.values.shape[2]}x{maps.values.shape[1]} '
                f'pixels, the flow {size[1]}x{size[0]}'
            )
        frames = np.intersect1d(frames, maps.frame_indices)
        if maps.seen is not None:
            seen = maps.seen if seen is None else seen & maps.seen
    if not len(frames):
        raise ValueError(f'{video}: no frame has both flow and saliency')
    if seen is not None and not seen.any():
        raise ValueError(f'{video}: no pixel was seen by all models')
    chosen = {model: maps.values[places_of(maps, frames)] for model, maps in saliency.items()}
    for model, values in chosen.items():
        if (values if seen is None else values[:, seen]).min() < 0:
            raise ValueError(f'{video}: maps of {model} have negative values')
    places = places_of(flow, frames)
    positions = (places + 0.5) / len(flow)
    return FlowClip(video, frames, positions, flow.values[places], chosen, seen)


def places_of(maps: HeatmapSequence, frames: np.ndarray) -> np.ndarray:
    """Where frames, all of which have a map, stand in a sequence: int64 [N]."""
    order = np.argsort(maps.frame_indices)
    return order[np.searchsorted(maps.frame_indices, frames, sorter=order)]


def centre_bias(height: int, width: int, sigma: float = 0.25) -> np.ndarray:
    """A Gaussian about the middle of the picture, stretched to its aspect ratio.

    Args:
        height, width: Pixels.
        sigma: Standard deviation as a share of the height and of the width.

    Returns:
        float64 [H, W], 1 in the middle.

    Raises:
        ValueError: A standard deviation that is not positive.
    """
    if not 0 < sigma < np.inf:
        raise ValueError(f'expected a positive sigma, got {sigma}')
    y = (np.arange(height) - (height - 1) / 2) / (sigma * height)
    x = (np.arange(width) - (width - 1) / 2) / (sigma * width)
    return np.exp(-(y[:, None] ** 2 + x**2) / 2)


def compare_clip(
    clip: FlowClip,
    others: Iterable[np.ndarray] = (),
    motion_of_others: np.ndarray | None = None,
    sigma: float = 0.25,
) -> pd.DataFrame:
    """Score a clip's saliency maps and the baselines, frame by frame and averaged over frames.

    A frame from which nothing moves within the seen pixels has no reference: all its values are
    NaN, those of chance as well, so that they stay comparable. The value of the video is the mean
    over the frames that have one.

    Args:
        clip: From :func:`align`.
        others: Flow of other clips of the same size, each [M, H, W], any M; the frame at the same
            share of the way through it is taken. Chance is the mean over them.
        motion_of_others: [H, W], the mean flow of other clips.
        sigma: Of :func:`centre_bias`.

    Returns:
        Tidy table with the columns ``RESULT_COLUMNS``; ``frame`` is empty at the level of the
        video, ``n_fixations`` always. Without other clips the values that need them are NaN.
    """
    scores = {
        (model, OWN): score(maps, clip.flow, clip.seen) for model, maps in clip.saliency.items()
    }
    scores.update(_against_others(clip, others))
    baselines = {
        CENTRE_BIAS: centre_bias(*clip.flow.shape[1:], sigma),
        MOTION_OF_OTHERS: motion_of_others,
    }
    for name, one in baselines.items():
        scores[name, OWN] = (
            np.full((len(MEASURES), len(clip.frames)), np.nan)
            if one is None
            else score(np.broadcast_to(one, clip.flow.shape), clip.flow, clip.seen)
        )
    still = ~moving(clip.flow, clip.seen)
    tables = []
    for (model, reference), values in scores.items():
        values[:, still] = np.nan
        tables.append(_tidy(clip, model, reference, values))
    return pd.concat(tables, ignore_index=True)


def score(saliency: np.ndarray, flow: np.ndarray, seen: np.ndarray | None) -> np.ndarray:
    """Every measure of every frame: float64 [len(MEASURES), N], for maps [N, H, W]."""
    return np.stack(
        [measure(saliency, flow, convention, seen) for _, convention, measure in MEASURES]
    )


def moving(flow: np.ndarray, seen: np.ndarray | None) -> np.ndarray:
    """Frames from which something moves within the seen pixels: bool [N], for flow [N, H, W]."""
    return (flow > 0 if seen is None else flow[:, seen] > 0).reshape(len(flow), -1).any(axis=1)


def mean_of_defined(values: np.ndarray, axis: int = -1) -> np.ndarray:
    """Mean of what is not NaN along an axis; NaN where nothing is."""
    defined = ~np.isnan(values)
    total = np.where(defined, values, 0).sum(axis=axis)
    with np.errstate(invalid='ignore'):
        return total / defined.sum(axis=axis)


def _against_others(clip: FlowClip, others: Iterable[np.ndarray]) -> dict:
    found = {model: [np.full((len(MEASURES), len(clip.frames)), np.nan)] for model in clip.saliency}
    for other in others:
        matched = other[(clip.positions * len(other)).astype(int)]
        still = ~moving(matched, clip.seen)
        for model, maps in clip.saliency.items():
            values = score(maps, matched, clip.seen)
            values[:, still] = np.nan
            found[model].append(values)
    return {(model, CHANCE): mean_of_defined(np.stack(all_), 0) for model, all_ in found.items()}


def _tidy(clip: FlowClip, model: str, reference: str, values: np.ndarray) -> pd.DataFrame:
    """Rows of one model and reference: of each measure its frames, then the video."""
    count = len(clip.frames)
    numbers = np.column_stack([values, mean_of_defined(values)]).reshape(-1)
    table = pd.DataFrame(
        {
            'video': clip.video,
            'model': model,
            'reference': reference,
            'level': (['frame'] * count + ['video']) * len(MEASURES),
            'frame': pd.array([*clip.frames.tolist(), None] * len(MEASURES), dtype='Int64'),
            'metric': np.repeat([metric for metric, _, _ in MEASURES], count + 1),
            'convention': np.repeat([convention for _, convention, _ in MEASURES], count + 1),
            'value': numbers,
            'n_fixations': pd.array([None] * len(numbers), dtype='Int64'),
        }
    )
    return table[list(RESULT_COLUMNS)]
