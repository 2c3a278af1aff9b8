"""From scores of single videos to means with intervals, and the lines to read first."""

import numpy as np
import pandas as pd

from mmsal.comparison.flow.clip import CENTRE_BIAS, CHANCE, MOTION_OF_OTHERS, OWN
from mmsal.comparison.resampling import bootstrap_interval

KEYS = ['model', 'reference', 'metric', 'convention']
SUMMARY_COLUMNS = (
    *KEYS, 'mean', 'low', 'high', 'videos', 'undefined_videos', 'undefined_frames',
)  # fmt: skip
BASELINES = (CENTRE_BIAS, MOTION_OF_OTHERS)
MINUS_CHANCE = f'{OWN} minus {CHANCE}'


def summarize_flow(results: pd.DataFrame, seed: int = 0, resamples: int = 10_000) -> pd.DataFrame:
    """Means over videos, and differences within videos, with bootstrap intervals.

    Args:
        results: Of :func:`mmsal.comparison.flow.clip.compare_clip`, over all videos.
        seed, resamples: Of :func:`mmsal.comparison.resampling.bootstrap_interval`.

    Returns:
        One row per model, reference, metric and convention: ``mean`` over the videos that have a
        value, ``low`` and ``high`` of its 95 % interval, ``videos`` that have a value,
        ``undefined_videos`` and ``undefined_frames`` that have none. Then the same for differences:
        reference ``'flow minus flow of other clips'`` is a model's value minus its chance; model
        ``'NAME minus centre bias'`` (or ``minus mean flow of other clips``) is its value minus the
        baseline's. They are taken frame by frame, where both are defined, and then averaged, so
        they may differ a little from the difference of two means.
    """
    columns = results[KEYS].drop_duplicates().itertuples(index=False, name=None)
    frames, videos = (
        results[results['level'] == level].pivot(index=index, columns=KEYS, values='value')
        for level, index in (('frame', ['video', 'frame']), ('video', 'video'))
    )
    rows, differences = [], []
    for key in columns:
        rows.append([*key, *_describe(frames[key], videos[key], seed, resamples)])
        for named, other in _counterparts(*key):
            difference = frames[key] - frames[other]
            means = difference.groupby('video').mean()  # NaN only where all frames are
            differences.append([*named, *_describe(difference, means, seed, resamples)])
    return pd.DataFrame(rows + differences, columns=list(SUMMARY_COLUMNS))


def _counterparts(model: str, reference: str, *measure: str) -> list[tuple[tuple, tuple]]:
    """What a model's value with the flow is compared to: name of the difference, other value."""
    if model in BASELINES or reference != OWN:
        return []
    pairs = [((model, MINUS_CHANCE), (model, CHANCE))]
    pairs += [((f'{model} minus {name}', OWN), (name, OWN)) for name in BASELINES]
    return [((*named, *measure), (*other, *measure)) for named, other in pairs]


def _describe(frames: pd.Series, videos: pd.Series, seed: int, resamples: int) -> tuple:
    """Mean over videos, its interval, videos with and without a value, frames without."""
    defined = videos.dropna().to_numpy(float)
    mean = float(defined.mean()) if len(defined) else np.nan
    interval = bootstrap_interval(defined, seed, resamples)
    undefined = len(videos) - len(defined), int(frames.isna().sum())
    return mean, *interval, len(defined), *undefined


def headlines(summary: pd.DataFrame) -> list[str]:
    """The summary in words: of each model CC and SIM (MIT), beside chance and the baselines."""
    rows = summary[summary['convention'] == 'mit'].set_index(['model', 'reference', 'metric'])
    lines = []
    for metric in ('CC', 'SIM'):
        for model in summary['model'][summary['reference'] == MINUS_CHANCE].unique():
            own = rows.loc[(model, OWN, metric)]
            lines.append(
                f'{metric} of {model} with the flow {_with_interval(own)}, with the flow of other '
                f'clips {_number(rows.loc[(model, CHANCE, metric)]["mean"])}, difference '
                f'{_with_interval(rows.loc[(model, MINUS_CHANCE, metric)])}'
            )
        known = (f'{name} {_number(rows.loc[(name, OWN, metric)]["mean"])}' for name in BASELINES)
        lines.append(f'{metric} of the baselines with the flow: {", ".join(known)}')
    return lines


def _number(value: float) -> str:
    return 'undefined' if np.isnan(value) else f'{value:.3f}'


def _with_interval(row: pd.Series) -> str:
    if np.isnan(row['low']):
        return _number(row['mean'])
    return f'{row["mean"]:.3f} [{row["low"]:.3f}, {row["high"]:.3f}]'
