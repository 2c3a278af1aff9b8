"""What statistics of a gaze comparison start from: one value per video, in a fixed order."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mmsal.comparison.yardsticks import ALL_OBSERVERS, EACH_OBSERVER, ONE_OBSERVER, YARDSTICKS

LEVELS = ('video', 'static', 'window')  # those that statistics are made of
REFERENCES = (ALL_OBSERVERS, EACH_OBSERVER)
METRICS = ('NSS', 'AUC', 'AUC-Judd', 'AUC-Borji', 'sAUC', 'IG', 'CC', 'SIM', 'KLD', 'EMD')
MEASURE = ['reference', 'level', 'metric', 'convention']
KEYS = [*MEASURE, 'model', 'video']
COLUMNS = (*KEYS, 'frame', 'value')


def video_values(results: pd.DataFrame) -> pd.Series:
    """Values of videos under the references ``all observers`` and ``each observer``.

    Args:
        results: Tidy, with the columns ``video, model, reference, level, frame, metric,
            convention, value``; others are left alone. Rows of single frames are not used.

    Returns:
        float64, indexed by reference, level (video, static, window), metric, convention, model
        and video, sorted in this order: metrics as in :data:`METRICS`, models as they come in the
        results with the yardsticks last, videos by name. The value of a window level is the mean
        over the video's windows in which all of the user's models have one. NaN is undefined; what
        has no row has none here.

    Raises:
        ValueError: Columns that lack, an unknown level, or two values of the same thing.
    """
    _check(results)
    return _values(results[results['reference'].isin(REFERENCES)], REFERENCES)


def observer_values(results: pd.DataFrame) -> pd.Series:
    """The same of single observers: the index level ``reference`` holds ``observer P01`` etc.

    Raises:
        ValueError: As :func:`video_values`; also without any such row.
    """
    _check(results)
    names = sorted(
        name
        for name in results['reference'].unique()
        if str(name).startswith(ONE_OBSERVER.format(''))
    )
    values = _values(results[results['reference'].isin(names)], names)
    if not len(values):
        example = ONE_OBSERVER.format('P01')
        raise ValueError(f'expected rows of single observers (reference {example!r}), got none')
    return values


def models_of(values: pd.Series) -> list[str]:
    """Models and yardsticks of :func:`video_values`, in their order."""
    return list(values.index.unique('model').sort_values())


def _check(results: pd.DataFrame) -> None:
    missing = [name for name in COLUMNS if name not in results]
    if missing:
        raise ValueError(f'results: expected columns {", ".join(COLUMNS)}, got no {missing[0]}')
    known = {'frame', *LEVELS}
    unknown = [str(level) for level in results['level'].unique() if level not in known]
    if unknown:
        raise ValueError(f'results: expected levels frame, {", ".join(LEVELS)}, got {unknown[0]}')


def _values(results: pd.DataFrame, references: Sequence[str]) -> pd.Series:
    rows = results[results['level'].isin(LEVELS)]
    orders = {'reference': references, 'level': LEVELS, 'metric': METRICS, 'convention': ()}
    keys = {name: _in_order(rows[name], first) for name, first in orders.items()}
    keys['model'] = _in_order(rows['model'], last=YARDSTICKS)
    keys['video'] = pd.Categorical(rows['video'], sorted(rows['video'].unique()))
    table = pd.DataFrame(keys, index=rows.index).assign(
        frame=rows['frame'].where(rows['level'] == 'window'),
        value=rows['value'].astype(np.float64),
    )
    twice = table.duplicated([*KEYS, 'frame'])
    if twice.any():
        names = ', '.join(str(name) for name in table.loc[twice, KEYS].iloc[0])
        raise ValueError(f'results: expected one value each, got {1 + twice.sum()} with {names}')
    table['value'] = table['value'].mask(_undefined_windows(table))
    # The mean over windows; of the other levels each group is one row.
    return table.groupby(KEYS, observed=True, sort=True)['value'].mean()


def _undefined_windows(table: pd.DataFrame) -> np.ndarray:
    """Rows of windows in which one of the user's models has no value: bool, one per row.

    They count for no model, as frames do: a model that is silent where it is hard would gain.
    """
    window = ['reference', 'metric', 'convention', 'video', 'frame']
    gaps = table['value'].isna() & ~table['model'].isin(YARDSTICKS) & (table['level'] == 'window')
    if not gaps.any():
        return np.zeros(len(table), bool)
    places = pd.MultiIndex.from_frame(table[window].astype({'frame': float}))
    return (table['level'] == 'window').to_numpy() & places.isin(places[gaps.to_numpy()])


def _in_order(
    names: pd.Series, first: Sequence[str] = (), last: Sequence[str] = ()
) -> pd.Categorical:
    """Names as categories: the given ones first and last, the rest between as they come."""
    found = list(names.unique())
    between = [name for name in found if name not in first and name not in last]
    known = [[name for name in part if name in found] for part in (first, last)]
    return pd.Categorical(names, [*known[0], *between, *known[1]])
