"""Folders of saliency maps held against a folder of optical flow."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mmsal.comparison.flow.clip import (
    CENTRE_BIAS,
    MOTION_OF_OTHERS,
    align,
    centre_bias,
    compare_clip,
)
from mmsal.explain.jobs import HEATMAP_SUFFIXES
from mmsal.heatmaps import HeatmapSequence, read_heatmaps

CACHE = 2**30  # bytes of flow that are kept for the clips that come later


@dataclass(frozen=True)
class FlowComparison:
    """How saliency is held against flow.

    Attributes:
        sigma: Standard deviation of the centre bias, as a share of height and width.
        chance_clips: Other clips that chance is averaged over, at most, drawn with the seed.
        seed: Of these draws and of the bootstrap.
        resamples: Of the bootstrap.

    Raises:
        ValueError: A number that makes no sense.
    """

    sigma: float = 0.25
    chance_clips: int = 20
    seed: int = 0
    resamples: int = 10_000

    def __post_init__(self) -> None:
        centre_bias(1, 1, self.sigma)
        for name in ('chance_clips', 'resamples'):
            if getattr(self, name) < 1:
                raise ValueError(f'expected {name} of at least 1, got {getattr(self, name)}')
        if self.seed < 0:
            raise ValueError(f'expected a seed of at least 0, got {self.seed}')


def name_models(folders: Sequence[Path]) -> dict[str, Path]:
    """A name for each folder of heatmaps: its own, with as many of its parents' as it takes.

    Raises:
        ValueError: A folder is not there, is named twice, or is called like a baseline.
    """
    absolute = [Path(os.path.abspath(folder)) for folder in folders]  # noqa: PTH100  links stay
    for given, folder in zip(folders, absolute, strict=True):
        if not folder.is_dir():
            raise ValueError(f'{given} is no folder of heatmaps')
        if absolute.count(folder) > 1:
            raise ValueError(f'{given} is named twice')
        if folder.name in (CENTRE_BIAS, MOTION_OF_OTHERS):
            raise ValueError(f'{given} is called like a baseline: rename the folder')
    depth, names = 0, {}
    while len(names) < len(absolute):
        depth += 1
        names = {'/'.join(folder.parts[-depth:]): folder for folder in absolute}
    return names


class FlowFiles:
    """The flow of many videos, read when it is asked for.

    Args:
        paths: Heatmap file of each video, by its name.

    Attributes:
        sizes: [H, W] of each video's maps.
    """

    def __init__(self, paths: dict[str, Path]) -> None:
        self.paths = paths
        self._kept: dict[str, HeatmapSequence] = {}
        self._room = CACHE
        self._means = {video: self[video].to_saliency_map() for video in paths}
        self.sizes = {video: mean.shape for video, mean in self._means.items()}
        self._totals = {size: np.zeros(size) for size in self.sizes.values()}
        for mean in self._means.values():
            self._totals[mean.shape] += mean

    def __getitem__(self, video: str) -> HeatmapSequence:
        """One video's flow; raises HeatmapFormatError or OSError."""
        if video in self._kept:
            return self._kept[video]
        maps = read_heatmaps(self.paths[video])
        if maps.values.nbytes <= self._room:
            self._room -= maps.values.nbytes
            self._kept[video] = maps
        return maps

    def others(self, video: str) -> list[str]:
        """The other videos of the same size."""
        size = self.sizes[video]
        return [one for one in self.paths if one != video and self.sizes[one] == size]

    def mean_of_others(self, video: str) -> np.ndarray | None:
        """Mean map of :meth:`others`, float64 [H, W]; each of them counts alike."""
        others = len(self.others(video))
        if not others:
            return None
        total = self._totals[self.sizes[video]] - self._means[video]
        return total.clip(min=0) / others  # a difference of sums may miss 0 by a rounding error


def compare_folders(
    flows: FlowFiles,
    models: dict[str, Path],
    stems: dict[str, str],
    how: FlowComparison = FlowComparison(),
    progress: Callable[[str], None] = lambda video: None,
) -> tuple[pd.DataFrame, list[str]]:
    """Score every video that all models have maps of.

    Args:
        flows: Flow of each video.
        models: Folder of heatmaps of each model.
        stems: Of each video, where its heatmaps lie below such a folder, without suffix.
        how: Baselines and draws.
        progress: Called with the name of each video when it is done.

    Returns:
        The table of :func:`mmsal.comparison.flow.clip.compare_clip` over all videos, empty where
        none could be compared; and for each video that could not be, the reason in one line.
    """
    tables, faults = [], []
    for number, video in enumerate(flows.paths):
        try:
            tables.append(_compare_one(flows, models, stems[video], video, number, how))
        except (ValueError, OSError) as error:
            faults.append(' '.join(str(error).split()))
        progress(video)
    return (pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()), faults


def _compare_one(
    flows: FlowFiles,
    models: dict[str, Path],
    stem: str,
    video: str,
    number: int,
    how: FlowComparison,
) -> pd.DataFrame:
    paths = {model: _find(folder, stem, video, model) for model, folder in models.items()}
    saliency = {model: read_heatmaps(path) for model, path in paths.items()}
    clip = align(video, flows[video], saliency)
    others = flows.others(video)
    drawn = others
    if len(others) > how.chance_clips:
        random = np.random.default_rng([how.seed, number])
        drawn = [others[i] for i in random.choice(len(others), how.chance_clips, replace=False)]
    values = (flows[other].values for other in drawn)
    return compare_clip(clip, values, flows.mean_of_others(video), how.sigma)


def _find(folder: Path, stem: str, video: str, model: str) -> Path:
    found = [path for suffix in HEATMAP_SUFFIXES if (path := folder / f'{stem}{suffix}').is_file()]
    if not found:
        raise ValueError(f'{video}: no maps of {model} ({folder / stem}.txt, .txt.gz or .npz)')
    if len(found) > 1:
        raise ValueError(f'{video}: two files of {model}, {found[0].name} and {found[1].name}')
    return found[0]
