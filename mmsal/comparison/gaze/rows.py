"""Results of one video as tidy rows, and the means that they come to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mmsal.comparison.flow.clip import RESULT_COLUMNS, mean_of_defined
from mmsal.comparison.yardsticks import EACH_OBSERVER, ONE_OBSERVER

Scores = dict[tuple[str, str], float]  # by metric and convention


@dataclass
class Rows:
    """The results so far, and the means over frames that they come to.

    A map that is the same everywhere has no score in some metrics. Were it left out of its own
    model's mean alone, a model that is silent in hard frames would be scored on easy ones. So a
    frame in which a metric is undefined for one of the user's models counts for none of them.
    """

    video: str
    models: tuple[str, ...]
    rows: list[tuple] = field(default_factory=list)
    # By reference, metric and convention, then by model: value and fixations of each frame.
    frames: dict[tuple, dict[str, dict[int, tuple[float, int]]]] = field(default_factory=dict)

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
            by_model = self.frames.setdefault((reference, *key), {})
            by_model.setdefault(model, {})[frame] = value, count

    def finish(self) -> pd.DataFrame:
        """All rows, those of the level ``'video'`` last."""
        for (reference, metric, convention), by_model in self.frames.items():
            # Of yardsticks, what is undefined (optical flow where nothing moves) is theirs alone.
            undefined = {
                frame
                for model in self.models
                for frame, (value, _) in by_model.get(model, {}).items()
                if np.isnan(value)
            }
            for model, of_frames in by_model.items():
                kept = [
                    pair
                    for frame, pair in of_frames.items()
                    if frame not in undefined and not np.isnan(pair[0])
                ]
                mean = float(np.mean([value for value, _ in kept])) if kept else np.nan
                scores = {(metric, convention): mean}
                count = sum(count for _, count in kept)
                self.add(model, reference, 'video', None, scores, count)
        table = pd.DataFrame(self.rows, columns=list(RESULT_COLUMNS))
        return table.astype({'frame': 'Int64', 'n_fixations': 'int64', 'value': 'float64'})


def with_means(
    singles: dict[str, tuple[dict[str, Scores], int]],
) -> Iterator[tuple[str, str, Scores, int]]:
    """Model, reference, scores and fixations of single observers; then of the mean over them."""
    models = dict.fromkeys(model for by_model, _ in singles.values() for model in by_model)
    total = sum(count for _, count in singles.values())
    for model in models:
        of_observers = [by_model[model] for by_model, _ in singles.values()]
        for name, (by_model, count) in singles.items():
            yield model, ONE_OBSERVER.format(name), by_model[model], count
        means = {
            key: float(mean_of_defined(np.array([scores[key] for scores in of_observers])))
            for key in of_observers[0]
        }
        yield model, EACH_OBSERVER, means, total
