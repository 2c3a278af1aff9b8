"""All scores of one video: models and yardsticks against gaze, frame by frame and as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from mmsal.comparison.gaze.options import GazeComparison
from mmsal.comparison.gaze.video_data import VideoData
from mmsal.comparison.gaze.yardstick_maps import (
    UNIFORM_SHARE,
    OtherGaze,
    frame_random,
    random_map,
    with_uniform,
)
from mmsal.comparison.yardsticks import (
    ALL_OBSERVERS,
    CEILING,
    CENTRE_BIAS,
    CHANCE,
    EACH_OBSERVER,
    MOTION,
    ONE_OBSERVER,
    OTHER_GAZE,
)
from mmsal.gaze import fixation_density
from mmsal.metrics import METRICS, OtherFixations, fixation_scores, score_map

RESULT_COLUMNS = (
    'video', 'model', 'reference', 'level', 'frame', 'metric', 'convention', 'value', 'n_fixations',
)  # fmt: skip
WHOLE = -1  # in place of a frame, for the random numbers of the whole video

Scores = dict[tuple[str, str], float]


@dataclass
class _Rows:
    """The results so far, and the means over frames that they come to."""

    video: str
    rows: list[tuple] = field(default_factory=list)
    frames: dict[tuple, list[tuple[float, int]]] = field(default_factory=dict)

    def add(
        self, model: str, reference: str, level: str, frame: int | None, scores: Scores, count: int
    ) -> None:
        for (metric, convention), value in scores.items():
            key = (self.video, model, reference, level, frame, metric, convention)
            self.rows.append((*key, value, count))

    def add_frame(
        self, model: str, reference: str, frame: int, scores: Scores, count: int, row: bool = True
    ) -> None:
        """One frame's scores, for the mean of the video; and as a row of their own."""
        if row:
            self.add(model, reference, 'frame', frame, scores, count)
        for key, value in scores.items():
            self.frames.setdefault((model, reference, *key), []).append((value, count))

    def finish(self) -> pd.DataFrame:
        """All rows, those of the level ``'video'`` last: the mean over frames that have a value."""
        for (model, reference, metric, convention), pairs in self.frames.items():
            values, counts = np.array(pairs).T
            defined = ~np.isnan(values)
            mean = float(values[defined].mean()) if defined.any() else np.nan
            total = int(counts[defined].sum())
            self.add(model, reference, 'video', None, {(metric, convention): mean}, total)
        table = pd.DataFrame(self.rows, columns=list(RESULT_COLUMNS))
        return table.astype({'frame': 'Int64', 'n_fixations': 'int64', 'value': 'float64'})


def score_video(
    data: VideoData,
    others: OtherGaze | None,
    motion: Iterator[np.ndarray] | None,
    how: GazeComparison,
) -> pd.DataFrame:
    """Score every model and every yardstick of one video at every level.

    A frame, window or video without fixations has NaN throughout. Frames are scored with the
    gaze of all observers pooled, and, for the metrics that are means over fixations (AUC, NSS, sAUC
    and information gain in the Tübingen convention), with each observer's alone; the mean over
    observers has the reference ``'each observer'``. The whole video has every metric for
    either; its saliency is the sum of the maps over their number, its gaze every fixation that
    these frames show, each once. So it is with windows.

    Args:
        data: Maps and gaze.
        others: Gaze of the other videos; None leaves NaN for what rests on it.
        motion: One map per frame of the data, float [H, W]; None where the video file is absent.
        how: Options.

    Returns:
        Tidy table with the columns ``RESULT_COLUMNS``. ``frame`` is the first frame of a window and
        empty for the levels ``'video'`` (mean over frames that have a value) and ``'static'``;
        ``n_fixations`` counts pairs of fixation and frame at the level ``'video'``.
    """
    scorer = _Scorer(data, others, how)
    rows = _Rows(data.video)
    sums: dict[str, np.ndarray] = {}
    windows = _Windows(data, how)
    for place, frame in enumerate(data.frames.tolist()):
        flow = None if motion is None else next(motion)
        maps = scorer.maps_at(frame, {name: maps[place] for name, maps in data.maps.items()}, flow)
        moving = {name: one for name, one in maps.items() if name in data.maps or name == MOTION}
        for name, one in moving.items():
            sums[name] = sums.get(name, 0) + one.astype(np.float64)
        chosen = data.fixations_of(place)
        for model, scores in scorer.pooled(maps, chosen, frame).items():
            rows.add_frame(model, ALL_OBSERVERS, frame, scores, len(chosen))
        singles = scorer.singles(maps, chosen)
        for model, reference, scores in _with_means(singles):
            row = reference == EACH_OBSERVER  # single observers have rows for the whole alone
            rows.add_frame(model, reference, frame, scores, len(chosen), row)
        windows.take(place, moving, scorer, rows)
    _score_whole(data, scorer, sums, rows)
    return rows.finish()


def _score_whole(data: VideoData, scorer: _Scorer, sums: dict, rows: _Rows) -> None:
    """The video's summed maps against every fixation of it, pooled and observer by observer."""
    means = {name: total / len(data.frames) for name, total in sums.items()}
    flow = means.pop(MOTION, None)
    maps = scorer.maps_at(WHOLE, means, flow)
    chosen = data.fixations_of(*range(len(data.frames)))
    for model, scores in scorer.pooled(maps, chosen, WHOLE).items():
        rows.add(model, ALL_OBSERVERS, 'static', None, scores, len(chosen))
    singles = {}
    for observer in np.unique(data.observers[chosen]):
        own = chosen[data.observers[chosen] == observer]
        rest = chosen[data.observers[chosen] != observer]
        with_ceiling = {**maps, CEILING: scorer.density(rest)} if len(rest) else maps
        singles[data.names[observer]] = scorer.pooled(with_ceiling, own, WHOLE)
    for model, reference, scores in _with_means(singles):
        rows.add(model, reference, 'static', None, scores, len(chosen))


class _Windows:
    """Scores of windows: mean map of a window's frames, and each of its fixations once."""

    def __init__(self, data: VideoData, how: GazeComparison) -> None:
        self.data = data
        self.window_of = None
        if how.window_s is not None:
            since = (data.starts - data.starts[0]) / how.window_s
            self.window_of = np.floor(since + 1e-9)  # a start that rounding has put just before
        self.places: list[int] = []
        self.sums: dict[str, np.ndarray] = {}

    def take(self, place: int, maps: dict[str, np.ndarray], scorer: _Scorer, rows: _Rows) -> None:
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

    def _score(self, scorer: _Scorer, rows: _Rows) -> None:
        first = int(self.data.frames[self.places[0]])
        means = {name: total / len(self.places) for name, total in self.sums.items()}
        maps = scorer.maps_at(first, means, means.pop(MOTION, None))
        chosen = self.data.fixations_of(*self.places)
        for model, scores in scorer.pooled(maps, chosen, first).items():
            rows.add(model, ALL_OBSERVERS, 'window', first, scores, len(chosen))
        for model, reference, scores in _with_means(scorer.singles(maps, chosen)):
            if reference == EACH_OBSERVER:
                rows.add(model, reference, 'window', first, scores, len(chosen))


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
        self.baseline = None if others is None else with_uniform(others.centre_bias)
        self.still = {}
        self.other = None
        if others is not None:
            self.still = {CENTRE_BIAS: others.centre_bias, OTHER_GAZE: others.density}
            random = frame_random(how.seed, data.video, WHOLE)
            self.other = OtherFixations(others.points, data.size[::-1], random, data.seen)

    def maps_at(
        self, frame: int, maps: dict[str, np.ndarray], flow: np.ndarray | None
    ) -> dict[str, np.ndarray]:
        """Models' maps and yardsticks' beside them."""
        chance = random_map(self.how.seed, self.data.video, frame, self.data.size)
        motion = {} if flow is None else {MOTION: flow}
        return {**maps, CHANCE: chance, **self.still, **motion}

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
            'conventions': self.how.conventions,
        }  # fmt: skip
        # The same random numbers for every model, so that they differ by their maps alone.
        return {
            model: score_map(
                one, **shared, seed=frame_random(self.how.seed, self.data.video, frame)
            )
            for model, one in maps.items()
        }

    def singles(
        self, maps: dict[str, np.ndarray], chosen: np.ndarray
    ) -> dict[str, dict[str, Scores]]:
        """By observer and model, metrics that are means over fixations, each observer's alone."""
        observers = self.data.observers[chosen]
        present = np.unique(observers)
        # With one observer alone there is no ceiling to read the models' scores by.
        if 'tuebingen' not in self.how.conventions or len(present) < 2:
            return {}
        found: dict[str, dict[str, Scores]] = {self.data.names[one]: {} for one in present}
        for model, one in maps.items():
            values = self._by_fixation(one, chosen)
            for observer in present:
                own = observers == observer
                found[self.data.names[observer]][model] = {
                    key: float(value[own].mean()) for key, value in values.items()
                }
        for observer in present:
            own = observers == observer
            values = self._by_fixation(self.density(chosen[~own]), chosen[own])
            found[self.data.names[observer]][CEILING] = {
                key: float(value.mean()) for key, value in values.items()
            }
        return found

    def _by_fixation(self, saliency: np.ndarray, chosen: np.ndarray) -> Scores:
        """float64 [K] of each metric that is a mean over fixations."""
        values = fixation_scores(
            saliency, self.data.points[chosen], other=self.other, baseline=self.baseline,
            uniform_share=UNIFORM_SHARE, seen=self.data.seen, metrics=self.metrics,
        )  # fmt: skip
        return {key: value for key, value in values.items() if key in self.wanted}


def _with_means(
    singles: dict[str, dict[str, Scores]],
) -> Iterator[tuple[str, str, Scores]]:
    """Model, reference and scores of single observers; then of the mean over them."""
    models = dict.fromkeys(model for by_model in singles.values() for model in by_model)
    for model in models:
        of_observers = {
            name: by_model[model] for name, by_model in singles.items() if model in by_model
        }
        for name, scores in of_observers.items():
            yield model, ONE_OBSERVER.format(name), scores
        keys = next(iter(of_observers.values()))
        yield (
            model,
            EACH_OBSERVER,
            {
                key: _mean_of_defined([scores[key] for scores in of_observers.values()])
                for key in keys
            },
        )


def _mean_of_defined(values: list[float]) -> float:
    defined = [value for value in values if not np.isnan(value)]
    return float(np.mean(defined)) if defined else np.nan
