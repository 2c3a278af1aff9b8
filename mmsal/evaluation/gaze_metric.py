"""Does the model look where people look? Gaze scores of validation and testing, beside accuracy."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmaction.registry import METRICS
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from torch import Tensor

from mmsal.attribution.on_grid import resized
from mmsal.gaze import area_shares
from mmsal.metrics import score_map

# By the name that is logged, that in mmsal.metrics.
AT_FIXATIONS = {'nss': 'NSS', 'auc': 'AUC'}
AGAINST_DENSITY = {'cc': 'CC', 'sim': 'SIM', 'kld': 'KLD'}
SCORES = AT_FIXATIONS | AGAINST_DENSITY
# Where the two published codes differ. A map without any contrast, as a young network's may be, is
# no better than chance by it (NSS and CC 0, SIM and KLD those of a uniform map), and not undefined.
CONVENTION = 'tuebingen'
# Of a map's largest value: what stretching a constant map, in float32, may put between its pixels.
ROUNDING = 1e-6


@METRICS.register_module()
class GazeMetric(BaseMetric):
    """Scores of a gaze-aligned recognizer's saliency maps against fixations.

    The maps are those that the recognizer adds to data samples with gaze: of the class that it
    predicts, or of attention. The gaze is that of :class:`mmsal.datasets.LoadGazeMaps`. Logged, as
    ``gaze/NAME``:

    - ``nss`` and ``auc`` (exact): at the fixations of each frame, the maps stretched to the
      network's input over frames, rows and columns as Grad-CAM's are (trilinear);
    - ``cc``, ``sim`` and ``kld`` (nats, less is better): at the resolution of the layer, its maps
      stretched over the frames alone, against the density of fixations;
    - ``clips`` and ``clips_without``: how many have gaze in a frame that was seen, and how many
      have none; the scores are of the former;
    - ``constant``: frames with gaze whose map has one value everywhere. They score what chance does
      (NSS 0, AUC 0.5, CC 0), and count;
    - ``undefined``: frames with gaze of which at least one score is NaN (a map that is not finite,
      a density without contrast). Such a score is left out of the clip's mean.

    Definitions and convention (Tuebingen, where there is a choice) are those of
    :mod:`mmsal.metrics`. A clip's score is the mean over the frames of all its views that show a
    fixation; the score is the mean over clips, each of which counts once.

    Without any gaze, and where nothing is defined, the scores are NaN, and a warning is logged.
    MMEngine's ``save_best`` keeps no checkpoint for a NaN, since it compares as neither greater nor
    less, and goes on when there are numbers again.

    In a config: ``val_evaluator = [dict(type='AccMetric'), dict(type='GazeMetric')]``, and
    ``default_hooks = dict(checkpoint=dict(save_best='gaze/nss', rule='greater'))`` to keep the
    checkpoint that looks most like people.

    Args:
        collect_device (str): As for :class:`mmengine.evaluator.BaseMetric`. Defaults to ``'cpu'``.
        prefix (str, optional): Before the names; None takes ``'gaze'``.
        collect_dir (str, optional): As for ``BaseMetric``.
    """

    default_prefix = 'gaze'

    def __init__(
        self,
        collect_device: str = 'cpu',
        prefix: str | None = None,
        collect_dir: str | None = None,
    ) -> None:
        super().__init__(collect_device, prefix, collect_dir)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Score a batch; only numbers are kept.

        Args:
            data_batch (Any): Not needed.
            data_samples (Sequence[dict]): Each with ``gaze_maps`` float [S, h, w] (S frames, view
                after view), ``gaze_points`` float [M, 3] (place of the frame, x and y as shares of
                the view, origin top left), ``saliency_maps`` float [V, t, h', w'], 0 or more, and
                ``img_shape``, (H, W) of the network's input in pixels.

        Raises:
            ValueError: One is absent, or the maps do not fit together.
        """
        # One for every sample, with gaze or not: those that fill up the last batch of several
        # processes are taken off by their place.
        self.results += [score_clip(sample) for sample in data_samples]

    def compute_metrics(self, results: list[dict[str, float]]) -> dict[str, float]:
        """Means over clips.

        Args:
            results (list[dict]): What :func:`score_clip` gave, one per clip.

        Returns:
            dict[str, float]: By name, without the prefix.
        """
        with_gaze = [clip for clip in results if clip['frames']]
        scores = {name: _mean([clip[name] for clip in with_gaze]) for name in SCORES}
        if not with_gaze:
            print_log(
                f'gaze: none of the {len(results)} clips has a fixation in a frame that was seen: '
                'there are no gaze scores, and no checkpoint is the best by them',
                logger='current',
                level=logging.WARNING,
            )
        elif any(np.isnan(value) for value in scores.values()):
            print_log(
                'gaze: a score is undefined in all frames with gaze; no checkpoint is the best by '
                'it',
                logger='current',
                level=logging.WARNING,
            )
        counts = {
            'clips': len(with_gaze),
            'clips_without': len(results) - len(with_gaze),
            'constant': sum(clip['constant'] for clip in with_gaze),
            'undefined': sum(clip['undefined'] for clip in with_gaze),
        }
        # MMEngine's JSON file of a test has no place for whole numbers of metrics.
        return scores | {name: float(count) for name, count in counts.items()}


def score_clip(sample: Mapping[str, Any]) -> dict[str, float]:
    """Scores of one data sample; see :meth:`GazeMetric.process`.

    Returns:
        dict[str, float]: By score the mean over the frames with gaze, NaN where it is undefined in
        all of them; ``frames`` with gaze, and of these how many are ``constant`` and ``undefined``.

    Raises:
        ValueError: Something is absent, or the maps do not fit together.
    """
    density, points = _gaze(sample)
    if not len(points):
        return {**dict.fromkeys(SCORES, np.nan), 'frames': 0, 'constant': 0, 'undefined': 0}
    maps = _maps(sample)  # [V, t, h', w']
    size = _input_size(sample)
    frames, rest = divmod(len(density), len(maps))
    if rest:
        raise ValueError(
            f'GazeMetric: expected as many frames of gaze in each of {len(maps)} views, got '
            f'{len(density)} in all'
        )
    _check_finer(density.shape[-2:], maps.shape[-2:])
    rows, constant = [], 0
    places = points[:, 0].astype(np.int64)
    for view, one in enumerate(maps):
        seen = np.unique(places[places // frames == view])
        if not len(seen):
            continue
        # Time, rows and columns are stretched each by itself.
        at_layer = resized(one[None], (frames, *one.shape[-2:]))[0].numpy()
        at_input = resized(one[None], (frames, *size))[0].numpy()
        for place in seen:
            coarse, fine = at_layer[place % frames], at_input[place % frames]
            if np.isfinite(coarse).all() and np.ptp(coarse) <= ROUNDING * np.abs(coarse).max():
                constant += 1
                coarse, fine = (np.full_like(each, coarse[0, 0]) for each in (coarse, fine))
            fixations = points[places == place, 1:] * size[::-1]
            rows.append(score_frame(coarse, fine, fixations, density[place]))
    means = {name: _mean([row[name] for row in rows]) for name in SCORES}
    undefined = sum(any(np.isnan(value) for value in row.values()) for row in rows)
    return {**means, 'frames': len(rows), 'constant': constant, 'undefined': undefined}


def score_frame(
    coarse: np.ndarray, fine: np.ndarray, fixations: np.ndarray, density: np.ndarray
) -> dict[str, float]:
    """Scores of one frame.

    Args:
        coarse: Its map [h', w'] as the layer has it, 0 or more.
        fine: The same [H, W] as large as the network's input.
        fixations: [N, 2], x and y in pixels of ``fine``, origin top left.
        density: [h, w], at least as fine as ``coarse``.

    Returns:
        dict[str, float]: By score; NaN where it is undefined.
    """
    if not np.isfinite(coarse).all():
        return dict.fromkeys(SCORES, np.nan)
    found = score_map(
        fine, fixations=fixations, metrics=AT_FIXATIONS.values(), conventions=CONVENTION
    ) | score_map(
        coarse,
        density=to_cells(density, coarse.shape),
        metrics=AGAINST_DENSITY.values(),
        conventions=CONVENTION,
    )
    return {name: found[metric, CONVENTION] for name, metric in SCORES.items()}


def to_cells(density: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A density on fewer cells: each takes what lies in it, of a cell on its border by area.

    Args:
        density: [h, w], mass per cell.
        size: Rows and columns, at most as many.

    Returns:
        float64 of that size, of the same sum.
    """
    if density.shape == tuple(size):
        return density.astype(np.float64)
    rows, columns = (area_shares(many, few) for many, few in zip(density.shape, size, strict=True))
    return rows @ density @ columns.T


def _gaze(sample: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Density float64 [S, h, w] and points float64 [M, 3]."""
    for name in ('gaze_maps', 'gaze_points'):
        if name not in sample:
            raise ValueError(
                f'GazeMetric: data samples have no {name}: the pipeline needs LoadGazeMaps, and '
                "PackActionInputs algorithm_keys=('gaze_maps', 'gaze_points')"
            )
    return _array(sample['gaze_maps']), _array(sample['gaze_points'])


def _maps(sample: Mapping[str, Any]) -> Tensor:
    """The model's maps, float32 [V, t, h', w'] on the CPU."""
    if 'saliency_maps' not in sample:
        raise ValueError(
            'GazeMetric: the model adds no saliency_maps to data samples with gaze: expected '
            'GazeAlignedRecognizer2D, GazeAlignedRecognizer3D or CNNLSTMRecognizer, with a '
            'gaze_loss'
        )
    maps = torch.as_tensor(sample['saliency_maps']).detach().cpu().float()
    if maps.dim() != 4:
        raise ValueError(
            f"GazeMetric: expected saliency_maps [V, t, h', w'], got {list(maps.shape)}"
        )
    return maps


def _input_size(sample: Mapping[str, Any]) -> tuple[int, int]:
    """(H, W) of the network's input."""
    if 'img_shape' not in sample:
        raise ValueError(
            "GazeMetric: data samples have no img_shape: add it to PackActionInputs' meta_keys"
        )
    height, width = (int(length) for length in sample['img_shape'])
    return height, width


def _check_finer(density: Sequence[int], layer: Sequence[int]) -> None:
    """Refuse maps that are finer than the density: nobody knows more than it tells."""
    if any(few > many for few, many in zip(layer, density, strict=True)):
        raise ValueError(
            f'GazeMetric: the maps of the model have {layer[0]}x{layer[1]} cells, the density of '
            f'fixations {density[0]}x{density[1]}: set map_size=({layer[0]}, {layer[1]}) of '
            'LoadGazeMaps'
        )


def _array(values: Any) -> np.ndarray:
    return torch.as_tensor(values).detach().cpu().double().numpy()


def _mean(values: Sequence[float]) -> float:
    """Of those that are not NaN; NaN if there is none."""
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float('nan')
