"""How much of a heatmap falls on the evidence, on SYNTHETIC clips, where that is known."""

from collections.abc import Sequence

import cv2
import numpy as np
import pandas as pd

from mmsal.datasets.synthetic import Truth
from mmsal.heatmaps import HeatmapSequence

REGIONS = ('legs', 'body')
SUMS = ['saliency', 'total', 'pixels', 'seen']


def evidence_by_frame(
    heatmaps: HeatmapSequence, truth: Truth, dilations: Sequence[int] = (0,)
) -> pd.DataFrame:
    r"""Saliency on the legs and on the body, frame by frame, against the area they take.

    With the map S >= 0, the region R and the seen pixels P of a frame:

    .. math:: share = \frac{\sum_{R \cap P} S}{\sum_P S}, \quad
              area = \frac{|R \cap P|}{|P|}, \quad ratio = \frac{share}{area}

    A map that knows nothing of the person has a ratio of 1 on average, at any dilation; the
    highest ratio there can be is 1 / area. Dilation widens the region by what a coarse map cannot
    resolve: it raises share and area together, so ratios compare at one dilation only.

    Args:
        heatmaps (HeatmapSequence): In the pixels of the source video, values >= 0.
        truth (Truth): Of the same video, from :func:`mmsal.datasets.synthetic.read_truth`. The
            legs are part of the body.
        dilations (Sequence[int]): Pixels by which the regions are widened in every direction
            within their frame (a disc, so by Euclidean distance). Defaults to (0,).

    Returns:
        pd.DataFrame: A row per frame, region and dilation (pixels): ``frame``, ``region``,
        ``dilation``, ``saliency`` and ``total`` (sums of the map over the region and over all
        seen pixels), ``pixels`` and ``seen`` (their numbers), ``share``, ``area``, ``ratio``.
        Share and ratio are NaN where the map is 0 everywhere, ratio also where nobody is there.

    Raises:
        ValueError: Maps of another size or of frames that the video does not have, maps in the
            network's pixels, negative or infinite values, or a negative dilation.
    """
    _check(heatmaps, truth, dilations)
    seen = np.ones(heatmaps.values.shape[1:], bool) if heatmaps.seen is None else heatmaps.seen
    rows = []
    for values, frame in zip(heatmaps.values, heatmaps.frame_indices, strict=True):
        for region in REGIONS:
            for dilation in dilations:
                inside = dilate(getattr(truth, region)[frame], dilation) & seen
                rows.append(
                    {
                        'frame': frame,
                        'region': region,
                        'dilation': dilation,
                        'saliency': values.sum(where=inside, dtype=np.float64),
                        'total': values.sum(where=seen, dtype=np.float64),
                        'pixels': int(inside.sum()),
                        'seen': int(seen.sum()),
                    }
                )
    return _with_shares(pd.DataFrame(rows))


def evidence_of_clip(
    by_frame: pd.DataFrame, keys: Sequence[str] = ('region', 'dilation')
) -> pd.DataFrame:
    """Pool frames into a clip: sums of all frames go into the shares, so bright frames count more.

    Args:
        by_frame (pd.DataFrame): From :func:`evidence_by_frame`.
        keys (Sequence[str]): Columns that tell apart what is not to be pooled; more of them where
            the table holds several clips. Defaults to region and dilation.

    Returns:
        pd.DataFrame: The keys and all other columns but ``frame``, a row per value of the keys.
    """
    sums = by_frame.groupby(list(keys), sort=False, as_index=False)[SUMS].sum()
    return _with_shares(sums)


def dilate(mask: np.ndarray, radius: int) -> np.ndarray:
    """Widen a mask by all pixels whose centre is at most ``radius`` pixels from one of its own.

    Args:
        mask (np.ndarray): bool [H, W].
        radius (int): Pixels, >= 0.

    Returns:
        np.ndarray: bool [H, W].
    """
    across = np.arange(-radius, radius + 1) ** 2
    disc = (across[:, None] + across <= radius**2).astype(np.uint8)
    return cv2.dilate(mask.astype(np.uint8), disc).astype(bool)


def _with_shares(table: pd.DataFrame) -> pd.DataFrame:
    # 0 / 0 is NaN in pandas, which is what it means here: undefined.
    share, area = table['saliency'] / table['total'], table['pixels'] / table['seen']
    return table.assign(share=share, area=area, ratio=(share / area).where(area > 0))


def _check(heatmaps: HeatmapSequence, truth: Truth, dilations: Sequence[int]) -> None:
    values, frames, size = heatmaps.values, heatmaps.frame_indices, truth.body.shape[1:]
    if heatmaps.meta.get('space') == 'input':
        raise ValueError("expected maps in the source video's pixels, got the network's input")
    if values.shape[1:] != size:
        raise ValueError(
            f'expected maps of {size[1]}x{size[0]} pixels, as the truth, got '
            f'{values.shape[2]}x{values.shape[1]}'
        )
    if frames.max() >= len(truth.body):
        raise ValueError(
            f'expected maps of the {len(truth.body)} frames that have a truth, got one of frame '
            f'{frames.max()} (counted from 0)'
        )
    # A share of signed values is no share, and one NaN would hide in a sum over a whole clip.
    if not np.isfinite(values).all() or values.min() < 0:
        raise ValueError('expected finite values of 0 or more')
    if heatmaps.seen is not None and not heatmaps.seen.any():
        raise ValueError('expected maps of which some pixels were seen, got none')
    for dilation in dilations:
        if dilation < 0:
            raise ValueError(f'expected a dilation of 0 pixels or more, got {dilation}')
