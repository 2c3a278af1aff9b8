"""What ``compare.py`` does: one study with a bar, and what to read first."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mmsal.comparison.flow.run import progress_bar
from mmsal.comparison.gaze.compare import GazeStudy, Statistics
from mmsal.comparison.gaze.inputs import Folders, find_inputs
from mmsal.comparison.gaze.options import SIGMA_SHARE, GazeComparison


def run_study(
    heatmaps: Folders,
    fixations: str | Path,
    out: Path,
    how: GazeComparison,
    statistics: Statistics,
    *,
    videos: str | Path | None = None,
    fps: float | None = None,
    partial: bool = False,
    workers: int | None = None,
    pages: int | None = None,
    synthetic: bool = False,
    overwrite: bool = False,
) -> tuple[list[str], list[str]]:
    """Score, write all tables and the report; arguments as :func:`compare` and `GazeStudy.write`.

    Returns:
        What was left out, a line each; and the lines to read first, the report's path last.

    Raises:
        MismatchError: Something does not match, and ``partial`` is not set.
        ValueError: An input or option cannot be used, or no video could be scored.
    """
    if workers is not None and workers < 1:
        raise ValueError(f'expected at least 1 worker, got {workers}')
    if pages is not None and pages < 0:
        raise ValueError(f'expected 0 pages or more, got {pages}')
    inputs = find_inputs(heatmaps, fixations, videos, fps)
    study = GazeStudy(inputs, out, how, partial, overwrite)
    if how.sigma is None:
        share = f'1/{round(1 / SIGMA_SHARE)}'
        print(f"no --sigma given: {share} of each video's width is taken", file=sys.stderr)
    if len(study.files) == 1:
        print('one video: no centre bias and no gaze of other videos to compare with, and no '
              'intervals', file=sys.stderr)  # fmt: skip
    for note in inputs.matching.notes:
        print(f'not used: {note}', file=sys.stderr)
    with progress_bar('scoring', len(study.files)) as advance:
        study.score(workers or _workers(len(study.files)), lambda video: advance())
    found = study.write(statistics, pages, synthetic)
    for note in study.notes():
        print(note, file=sys.stderr)
    left_out = [*inputs.matching.faults, *study.failures]
    scored = len(study.files) - len(study.failures)
    lines = [f'{scored} videos scored: {out / "results.csv"}', *found]
    return left_out, [*lines, f'report: {out / "report" / "index.html"}']


def _workers(videos: int) -> int:
    """A process per core, but none for less than four videos: each takes seconds to begin."""
    return min(os.cpu_count() or 1, max(videos // 4, 1))
