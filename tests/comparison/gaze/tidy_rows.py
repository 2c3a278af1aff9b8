"""Small results tables of a gaze comparison, SYNTHETIC."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

COLUMNS = (
    'video', 'model', 'reference', 'level', 'frame', 'metric', 'convention', 'value', 'n_fixations',
)  # fmt: skip


def tidy(
    values: dict[str, Sequence[float | None]],
    metric: str = 'NSS',
    convention: str = 'tuebingen',
    level: str = 'video',
    reference: str = 'all observers',
    frame: int | None = None,
) -> pd.DataFrame:
    """A row per model and video; None has no row, NaN is undefined."""
    rows = [
        (f'{number:03}.mp4', model, reference, level, frame, metric, convention, value, 5)
        for model, of_videos in values.items()
        for number, value in enumerate(of_videos)
        if value is not None
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({'frame': 'Int64', 'value': float})


def tidy_observers(cubes: dict[str, np.ndarray], **measure: str) -> pd.DataFrame:
    """From values [V, O] per model: rows of single observers and of their mean."""
    parts = []
    for model, cube in cubes.items():
        for number, column in enumerate(np.asarray(cube, float).T):
            observer = f'observer P{number:02}'
            parts.append(tidy({model: list(column)}, reference=observer, **measure))
        known = ~np.isnan(cube)
        sums = np.where(known, cube, 0).sum(axis=1)
        counts = np.where(known.any(axis=1), known.sum(axis=1), np.nan)
        parts.append(tidy({model: list(sums / counts)}, reference='each observer', **measure))
    return pd.concat(parts, ignore_index=True)
