"""All scores of one video: models and yardsticks against gaze, frame by frame and as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from mmsal.comparison.gaze.options import GazeComparison
from mmsal.comparison.gaze.rows import Rows, Scores, with_means
from mmsal.comparison.gaze.video_data import VideoData
from mmsal.comparison.gaze.yardstick_maps import (
    UNIFORM_SHARE,
    OtherGaze,
    frame_random,
    with_uniform,
)
from mmsal.comparison.yardsticks import (
    ALL_OBSERVERS,
    CEILING,
    CENTRE_BIAS,
    CHANCE,
    EACH_OBSERVER,
    MOTION,
    OTHER_GAZE,
)
from mmsal.gaze import fixation_density
from mmsal.metrics import METRICS, OtherFixations, fixation_scores, score_map

WHOLE = -1  # in place of a frame, for the random numbers of the whole video


def score_video(
    data: VideoData,
    others: OtherGaze | None,
    motion: Iterator[np.ndarray] | None,
    how: GazeComparison,
) -> pd.DataFrame:
    """Score every model and every yardstick of one video at every level.

    A frame, window or video without fixations has NaN throughout. The level ``'video'`` is the mean
    over frames in which the metric is defined for all of the user's models. Frames are scored with
    the gaze of all observers pooled, and, for the metrics that are means over fixations (AUC, NSS,
    sAUC and information gain in the Tübingen convention), with each observer's alone; the mean
    over observers has the reference ``'each observer'``. The whole video has every metric for
    either; its saliency is the sum of the maps over their number, its gaze every fixation that
    these frames show, each once. So it is with windows.

    Args:
        data: Maps and gaze.
        others: Gaze of the other videos; None leaves NaN for what rests on it.
        motion: One map per frame of the data, float [H, W]; None where the video file is absent.
        how: Options.

    Returns:
        Tidy table with the columns ``RESULT_COLUMNS``. ``frame`` is the first frame of a window and
        empty for the levels ``'video'`` and ``'static'``; ``n_fixations`` are those that the row
        rests on, at the level ``'video'`` pairs of fixation and frame.
    """
    scorer = _Scorer(data, others, how)
    rows = Rows(data.video, tuple(data.maps))
    sums: dict[str, np.ndarray] = {}
    windows = _Windows(data, how)
    for place, frame in enumerate(data.frames.tolist()):
        flow = None if motion is None else next(motion)
        maps = scorer.maps_with({name: maps[place] for name, maps in data.maps.items()}, flow)
        moving = {name: one for name, one in maps.items() if name in data.maps or name == MOTION}
        for name, one in moving.items():
            sums[name] = sums.get(name, 0) + one.astype(np.float64)
        chosen = data.fixations_of(place)
        for model, scores in scorer.pooled(maps, chosen, frame).items():
            rows.add_frame(model, ALL_OBSERVERS, frame, scores, len(chosen))
        for model, reference, scores, count in with_means(scorer.singles(maps, chosen)):
            row = reference == EACH_OBSERVER  # single observers have rows for the whole alone
            rows.add_frame(model, reference, frame, scores, count, row)
        windows.take(place, moving, scorer, rows)
    _score_whole(data, scorer, sums, rows)
    return rows.finish()


def _score_whole(data: VideoData, scorer: _Scorer, sums: dict, rows: Rows) -> None:
    """The video's summed maps against every fixation of it, pooled and observer by observer."""
    means = {name: total / len(data.frames) for name, total in sums.items()}
    flow = means.pop(MOTION, None)
    maps = scorer.maps_with(means, flow)
    chosen = data.fixations_of(*range(len(data.frames)))
    for model, scores in scorer.pooled(maps, chosen, WHOLE).items():
        rows.add(model, ALL_OBSERVERS, 'static', None, scores, len(chosen))
    present = np.unique(data.observers[chosen])
    singles = {}
    for observer in present if len(present) > 1 else ():
        own = data.observers[chosen] == observer
        with_ceiling = {**maps, CEILING: scorer.density(chosen[~own])}
        found = scorer.pooled(with_ceiling, chosen[own], WHOLE)
        singles[data.names[observer]] = found, int(own.sum())
    for model, reference, scores, count in with_means(singles):
        rows.add(model, reference, 'static', None, scores, count)


class _Windows:
    """Scores of windows: mean map of a window's frames, and each of its fixations once."""

    def __init__(self, data: VideoData, how: GazeComparison) -> None:
        self.data = data
        self.window_of = None
        if how.window_s is not None:
            since = (data.starts - data.starts[0]) / how.window_s
            # Timestamps may be of single precision: a millisecond before a window is in it.
            self.window_of = np.floor(since + 1e-3 / how.window_s)
        self.places: list[int] = []
        self.sums: dict[str, np.ndarray] = {}

    def take(self, place: int, maps: dict[str, np.ndarray], scorer: _Scorer, rows: Rows) -> None:
        """Add a frame; score its window where the next frame begins another."""
        if self.window_of is None:
            return
        for name, one in maps.items():
            self.sums[name] = self.sums.get(name, 0) + one.astype(np.float64)
        self.places.append(place)
        following = self.window_of[place + 1 : place + 2]
        if not len(following) or following[0] != self.window_of[place]:
            self._score(scorer, rows)
            self.places, self.sums = [], {}

    def _score(self, scorer: _Scorer, rows: Rows) -> None:
        first = int(self.data.frames[self.places[0]])
        means = {name: total / len(self.places) for name, total in self.sums.items()}
        flow = means.pop(MOTION, None)
        maps = scorer.maps_with(means, flow)
        chosen = self.data.fixations_of(*self.places)
        for model, scores in scorer.pooled(maps, chosen, first).items():
            rows.add(model, ALL_OBSERVERS, 'window', first, scores, len(chosen))
        for model, reference, scores, count in with_means(scorer.singles(maps, chosen)):
            if reference == EACH_OBSERVER:
                rows.add(model, reference, 'window', first, scores, count)


class _Scorer:
    """What all frames of a video are scored with."""

    def __init__(self, data: VideoData, others: OtherGaze | None, how: GazeComparison) -> None:
        self.data = data
        self.how = how
        self.sigma = how.sigma_of(data.size[0])
        metrics = METRICS if how.metrics is None else how.metrics
        self.metrics = [name for name in METRICS if name in metrics]
        self.wanted = [
            (name, convention)
            for name in self.metrics
            for convention in METRICS[name].conventions
            if convention in how.conventions
        ]
        self.baseline = None if others is None else with_uniform(others.centre_bias, data.seen)
        self.uniform = np.ones(data.size[::-1], np.float32)
        self.still = {}
        self.other = None
        if others is not None:
            self.still = {CENTRE_BIAS: others.centre_bias, OTHER_GAZE: others.density}
            random = frame_random(how.seed, data.video, WHOLE)
            self.other = OtherFixations(others.points, data.size[::-1], random, data.seen)

    def maps_with(
        self, maps: dict[str, np.ndarray], flow: np.ndarray | None
    ) -> dict[str, np.ndarray]:
        """Models' maps and yardsticks' beside them."""
        motion = {} if flow is None else {MOTION: flow}
        return {**maps, CHANCE: self.uniform, **self.still, **motion}

    def density(self, chosen: np.ndarray) -> np.ndarray:
        """Human density of some fixations, float64 [H, W]."""
        return fixation_density(self.data.points[chosen], self.data.size, self.sigma)

    def pooled(
        self, maps: dict[str, np.ndarray], chosen: np.ndarray, frame: int
    ) -> dict[str, Scores]:
        """Every metric of every map against some fixations."""
        if not len(chosen):
            return {model: dict.fromkeys(self.wanted, np.nan) for model in maps}
        shared: dict[str, Any] = {
            'fixations': self.data.points[chosen], 'density': self.density(chosen),
            'other': self.other, 'baseline': self.baseline, 'seen': self.data.seen,
            'uniform_share': UNIFORM_SHARE, 'metrics': self.metrics,
        }  # fmt: skip
        # The same random numbers for every model, so that they differ by their maps alone.
        found = {
            model: score_map(
                one, **shared, seed=frame_random(self.how.seed, self.data.video, frame)
            )
            for model, one in maps.items()
        }
        _make_chance(found[CHANCE])
        _leave_out_own_negatives(found)
        return {model: {key: scores[key] for key in self.wanted} for model, scores in found.items()}

    def singles(
        self, maps: dict[str, np.ndarray], chosen: np.ndarray
    ) -> dict[str, tuple[dict[str, Scores], int]]:
        """By observer: scores by model, of metrics that are means over fixations; and their number.

        With one observer alone there is no ceiling to read scores by, and nothing is measured.
        """
        observers = self.data.observers[chosen]
        present = np.unique(observers)
        if 'tuebingen' not in self.how.conventions or len(present) < 2:
            return {}
        of_model = {model: self._by_fixation(one, chosen) for model, one in maps.items()}
        _leave_out_own_negatives(of_model)
        found = {}
        for observer in present:
            own = observers == observer
            scores = {
                model: {key: float(value[own].mean()) for key, value in values.items()}
                for model, values in of_model.items()
            }
            ceiling = self._by_fixation(self.density(chosen[~own]), chosen[own])
            scores[CEILING] = {key: float(value.mean()) for key, value in ceiling.items()}
            found[self.data.names[observer]] = scores, int(own.sum())
        return found

    def _by_fixation(self, saliency: np.ndarray, chosen: np.ndarray) -> Scores:
        """float64 [K] of each metric that is a mean over fixations."""
        values = fixation_scores(
            saliency, self.data.points[chosen], other=self.other, baseline=self.baseline,
            uniform_share=UNIFORM_SHARE, seen=self.data.seen, metrics=self.metrics,
        )  # fmt: skip
        return {key: value for key, value in values.items() if key in self.wanted}


def _leave_out_own_negatives(scores: dict[str, dict]) -> None:
    """No shuffled AUC of other videos' gaze: its map peaks at the very points that it would be held
    against, so that it scores below 0.5 whatever people do, the more so the fewer videos there are.
    """
    for key, value in scores.get(OTHER_GAZE, {}).items():
        if key[0] == 'sAUC':
            scores[OTHER_GAZE][key] = value * np.nan


def _make_chance(scores: Scores) -> None:
    """Scores of a uniform map as those of no information, also where MIT's code has none.

    There, a constant map has no deviation to divide by and no range to stretch; what it tells is
    the same as in the other convention: NSS and CC 0, SIM that of the uniform density.
    """
    for metric in ('NSS', 'CC', 'SIM'):
        if (metric, 'mit') in scores:
            scores[metric, 'mit'] = scores[metric, 'tuebingen']
