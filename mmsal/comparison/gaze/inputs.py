"""What a comparison begins with: models' folders, gaze, and what belongs together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mmsal.comparison.flow.folder import name_models
from mmsal.comparison.gaze.matching import Matching, MismatchError, VideoFiles, match
from mmsal.comparison.yardsticks import YARDSTICKS
from mmsal.gaze import read_fixation_table, validate_fixations

LONG_S = 10.0  # longer than any fixation but a few
Folders = str | Path | Sequence[str | Path] | Mapping[str, str | Path]


@dataclass
class Inputs:
    """What is compared: models' folders, gaze, and what belongs together."""

    models: dict[str, Path]
    fixations: pd.DataFrame
    matching: Matching


def find_inputs(
    heatmaps: Folders,
    fixations: pd.DataFrame | str | Path,
    videos: str | Path | None = None,
    fps: float | None = None,
) -> Inputs:
    """Read the fixation table and find what belongs together; see :func:`compare`."""
    models = _named(heatmaps)
    in_memory = isinstance(fixations, pd.DataFrame)
    fixations = validate_fixations(fixations) if in_memory else read_fixation_table(fixations)
    _check_units(fixations)
    matching = match(models, fixations, None if videos is None else Path(videos), fps)
    return Inputs(models, fixations, matching)


def chosen_files(matching: Matching, partial: bool) -> list[VideoFiles]:
    """The videos to score.

    Raises:
        MismatchError: Something does not match, and ``partial`` is not set, or nothing does.
    """
    if matching.faults and not (partial and matching.videos):
        raise MismatchError(matching.faults)
    return matching.videos


def _check_units(fixations: pd.DataFrame) -> None:
    """Refuse a table that is not in seconds and pixels; scores would come out, and be wrong."""
    if not len(fixations):
        raise ValueError('the fixation table has no rows')
    places = fixations[['x_px', 'y_px']].to_numpy()
    if len(places) > 1 and ((places >= 0) & (places <= 1)).all():
        raise ValueError(
            'all fixations lie between 0 and 1: expected pixels of the source video, got shares of '
            'its size (read_fixations.py --space video-normalised)'
        )
    lasting = float((fixations['end_s'] - fixations['start_s']).median())
    if lasting > LONG_S:
        raise ValueError(
            f'half of the fixations last {lasting:.0f} s or more: expected seconds, got '
            'milliseconds, it seems'
        )


def _named(heatmaps: Folders) -> dict[str, Path]:
    if isinstance(heatmaps, Mapping):
        models = {str(name): Path(folder) for name, folder in heatmaps.items()}
        name_models(list(models.values()))  # they are there, and different
    else:
        several = [heatmaps] if isinstance(heatmaps, str | Path) else heatmaps
        models = name_models([Path(folder) for folder in several])
    for name in models:
        if not name or name in YARDSTICKS:
            raise ValueError(f'expected a model not to be called {name!r}, a yardstick of our own')
    if not models:
        raise ValueError('expected at least one folder of heatmaps')
    return models
