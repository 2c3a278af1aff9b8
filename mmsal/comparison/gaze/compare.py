"""Saliency of models against gaze, from folders to tables and a report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mmsal.comparison.gaze.headlines import headlines
from mmsal.comparison.gaze.inputs import Folders, Inputs, chosen_files, find_inputs
from mmsal.comparison.gaze.matching import VideoFiles
from mmsal.comparison.gaze.notes import input_notes, origin, total_counts, versions
from mmsal.comparison.gaze.options import GazeComparison
from mmsal.comparison.gaze.pages import video_pages
from mmsal.comparison.gaze.pairs import compare_pairs
from mmsal.comparison.gaze.run import ComparisonFolder, Outcome, Scoring, describe, score_videos
from mmsal.comparison.gaze.summary import summarize
from mmsal.comparison.gaze.tables import write_tables
from mmsal.comparison.gaze.verdicts import verdicts
from mmsal.comparison.report import check_report_folder, write_report
from mmsal.comparison.resampling import Bootstrap


@dataclass(frozen=True)
class Statistics:
    """How means over videos become intervals and tests.

    Attributes:
        resamples: Of the bootstrap.
        confidence: Of the intervals.
        over: What is drawn anew, ``('video',)`` or ``('video', 'observer')``.
        correction: Of the tests, ``'holm'`` or ``'benjamini-hochberg'``.

    Raises:
        ValueError: A number that makes no sense.
    """

    resamples: int = 2000
    confidence: float = 0.95
    over: tuple[str, ...] = ('video',)
    correction: str = 'holm'

    def __post_init__(self) -> None:
        Bootstrap(0, self.resamples, self.confidence)  # refuses numbers that make no sense


def compare(
    heatmaps: Folders,
    fixations: pd.DataFrame | str | Path,
    *,
    videos: str | Path | None = None,
    fps: float | None = None,
    how: GazeComparison | None = None,
    partial: bool = False,
    workers: int = 1,
) -> pd.DataFrame:
    """Score the saliency of models against gaze, beside what it should be read by.

    Args:
        heatmaps: Folder of heatmap files, several of them, or one per model name.
        fixations: Fixation table, or its file.
        videos: Folder of the video files: for optical flow as a yardstick, and to check against.
        fps: Frames per second of heatmaps without a sidecar.
        how: What is measured.
        partial: Compare what matches where something does not, instead of refusing all.
        workers: Processes.

    Returns:
        Tidy table: ``video, model, reference, level, frame, metric, convention, value,
        n_fixations`` (see :func:`mmsal.comparison.gaze.scoring.score_video`); NaN is undefined.
        ``attrs['left_out']`` has a line for everything that was left out.

    Raises:
        MismatchError: Something does not match, and ``partial`` is not set.
        ValueError: An input cannot be used, or no video could be scored.
    """
    how = how or GazeComparison()
    inputs = find_inputs(heatmaps, fixations, videos, fps)
    files = chosen_files(inputs.matching, partial)
    scoring = Scoring(files, inputs.fixations, how)
    outcomes = sorted(score_videos(files, scoring, workers), key=lambda outcome: outcome.video)
    errors = [outcome.error for outcome in outcomes if outcome.error]
    tables = [outcome.table for outcome in outcomes if outcome.table is not None]
    if not tables:
        raise ValueError(f'no video could be compared: {"; ".join(errors)}')
    table = pd.concat(tables, ignore_index=True)
    table.attrs['left_out'] = [*inputs.matching.faults, *errors]
    return table


class GazeStudy:
    """A comparison in a folder: scores that a second run takes up, tables, and the report.

    Args:
        inputs: Of :func:`find_inputs`.
        folder: For everything that is written.
        how: What is measured.
        partial: See :func:`compare`.
        overwrite: Score again what a former run has scored.

    Attributes:
        files: The videos to score.
        failures: What went wrong, a line per video.

    Raises:
        MismatchError: As :func:`chosen_files`.
        ValueError: The folder holds a comparison of other inputs or options.
    """

    def __init__(
        self,
        inputs: Inputs,
        folder: Path,
        how: GazeComparison,
        partial: bool = False,
        overwrite: bool = False,
    ) -> None:
        self.inputs, self.how = inputs, how
        self.files = chosen_files(inputs.matching, partial)
        self.failures: list[str] = []
        self._facts: dict[str, dict[str, Any]] = {}
        check_report_folder(folder / 'report')  # before hours are spent on scores
        inside = [name for name, of in inputs.models.items() if of.resolve() == folder.resolve()]
        if inside:
            raise ValueError(f'{folder} holds the heatmaps of {inside[0]}: name another folder')
        self.settings = describe(inputs.models, inputs.fixations, how, self.files)
        self.store = ComparisonFolder(folder, self.settings, overwrite)
        # Of all videos: the yardsticks of one rest on the gaze of the others.
        self._scoring = Scoring(self.files, inputs.fixations, how)

    def score(self, workers: int = 1, progress: Callable[[str], None] = lambda video: None) -> None:
        """Score every video that a former run has not; ``progress`` is told each one's name."""
        missing = []
        for one in self.files:
            facts = self.store.read(one)
            if facts is None:
                missing.append(one)
            else:
                self._facts[one.video] = facts
                progress(one.video)
        if missing:
            self.store.discard_results()
        by_name = {one.video: one for one in self.files}
        for outcome in score_videos(missing, self._scoring, workers):
            self._take(by_name[outcome.video], outcome)
            progress(outcome.video)

    def _take(self, files: VideoFiles, outcome: Outcome) -> None:
        if outcome.table is None:
            self.failures.append(outcome.error)
            return
        try:
            self.store.write(files, outcome)
        except ValueError as error:
            self.failures.append(str(error))
            return
        self._facts[outcome.video] = outcome.facts

    def write(
        self, statistics: Statistics, pages: int | None = None, synthetic: bool = False
    ) -> list[str]:
        """Write ``results.csv``, ``summary.csv``, ``pairs.csv``, ``tables/`` and ``report/``.

        Args:
            statistics: Of the summary.
            pages: Videos that get a page of their own in the report, at most; None: all.
            synthetic: Say on every page and figure that the data are synthetic.

        Returns:
            The scores to read first, and what was found, a sentence per pair of models.

        Raises:
            ValueError: No video could be scored.
        """
        done = [one for one in self.files if one.video in self._facts]
        if not done:
            raise ValueError(f'no video could be compared: {"; ".join(self.failures)}')
        results = self.store.gather([one.video for one in done])
        told = {'seed': self.how.seed, 'resamples': statistics.resamples}
        told['confidence'] = statistics.confidence
        summary = summarize(results, over=statistics.over, **told)
        pairs = compare_pairs(results, correction=statistics.correction, **told)
        found = verdicts(pairs) or verdicts(pairs, headlines=_measured(pairs))
        write_tables(self.store.folder, summary, pairs, synthetic=synthetic)
        shown = done if pages is None else done[:pages]
        rows = [self.store.part(one.video) for one in shown]
        rows = [part[part['level'] == 'frame'] for part in rows]
        write_report(
            self.store.folder / 'report',
            pd.concat([results, *rows], ignore_index=True),
            summary, pairs, video_pages(shown, self._scoring),
            self._told(statistics, pairs, synthetic), [*headlines(summary, False), *found],
        )  # fmt: skip
        return [*headlines(summary), *found]

    def notes(self) -> list[str]:
        """What a reader of the results should know about their inputs, a line each."""
        lines = input_notes(self._facts, self.inputs.models)
        if self.how.sigma is not None and len({one.size for one in self.files}) > 1:
            lines.append(
                f'videos differ in size; sigma is {self.how.sigma:g} pixels in all of them'
            )
        return lines

    def _told(self, statistics: Statistics, pairs: pd.DataFrame, synthetic: bool) -> dict[str, Any]:
        """How all this was made, for the report."""
        return {
            'synthetic': synthetic,
            'models': {
                model: {'folder': str(folder), **origin(self.files[0].maps[model])}
                for model, folder in self.inputs.models.items()
            },
            'options': self.settings['options'],
            'statistics': {**vars(statistics), **pairs.attrs},
            'fixations': total_counts(self._facts),
            'notes': self.notes(),
            'left out': [*self.inputs.matching.faults, *self.failures] or 'nothing',
            'not used': self.inputs.matching.notes or 'nothing',
            'videos': {
                video: {name: value for name, value in facts.items() if name != 'seconds'}
                for video, facts in sorted(self._facts.items())
            },
            'versions': versions(),
        }


def _measured(pairs: pd.DataFrame) -> list[tuple[str, str]]:
    """Every metric and convention that there is."""
    return list(dict.fromkeys(zip(pairs['metric'], pairs['convention'], strict=True)))
