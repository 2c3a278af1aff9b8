"""SYNTHETIC inputs of a report: moving blobs and invented scores, with seeds.

``python -m tests.comparison.report.made_up FOLDER`` writes a report of them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from mmsal.comparison.report import VideoPage, write_report
from mmsal.comparison.yardsticks import (
    ALL_OBSERVERS,
    CEILING,
    CENTRE_BIAS,
    CHANCE,
    EACH_OBSERVER,
    LOWER_IS_BETTER,
    MOTION,
    OTHER_GAZE,
    YARDSTICKS,
)

MODELS = ('Grad-CAM of I3D', 'Grad-CAM of I3D, fine-tuned', 'gradient of CNN-LSTM')
# Where on the way from chance (0) to a perfect map (1) each of them is.
QUALITY = {
    **dict(zip(MODELS, (0.35, 0.5, 0.28), strict=True)),
    CHANCE: 0.0, CENTRE_BIAS: 0.3, OTHER_GAZE: 0.36, MOTION: 0.33, CEILING: 0.66,
}  # fmt: skip
SCALES = {  # chance and perfect
    ('NSS', 'tuebingen'): (0, 4), ('NSS', 'mit'): (0, 3.9), ('AUC', 'tuebingen'): (0.5, 1),
    ('sAUC', 'tuebingen'): (0.5, 0.9), ('IG', 'tuebingen'): (0, 3), ('CC', 'tuebingen'): (0, 1),
    ('CC', 'mit'): (0, 1), ('SIM', 'tuebingen'): (0.2, 0.9), ('KLD', 'tuebingen'): (2.4, 0.1),
    ('KLD', 'mit'): (2.4, 0.1), ('AUC-Judd', 'mit'): (0.6, 1), ('EMD', 'mit'): (4, 0.3),
}  # fmt: skip
FEW = {key: SCALES[key] for key in (('NSS', 'tuebingen'), ('KLD', 'tuebingen'))}
FPS = 25


def make_results(
    videos, models=MODELS, frames=40, seed=0, undefined=0.03, scales=SCALES
) -> pd.DataFrame:
    """Invented scores at every level, some of them undefined."""
    draw = np.random.default_rng(seed)
    parts = []
    quality = dict(zip(models, (0.35, 0.5, 0.28, *[0.3] * len(models)), strict=False))
    quality |= {name: QUALITY[name] for name in YARDSTICKS}
    for video in videos:
        ease = draw.normal(0, 0.06)
        wave = 0.1 * np.sin(np.arange(frames) / 6 + draw.uniform(0, 6))
        for model, level_of in quality.items():
            offset = ease + draw.normal(0, 0.04)
            for reference in (ALL_OBSERVERS, EACH_OBSERVER):
                if model == CEILING and reference == ALL_OBSERVERS:
                    continue
                noise = draw.normal(0, 0.05, frames)
                share = level_of + (level_of > 0) * (offset + wave) + noise
                for (metric, convention), (low, high) in scales.items():
                    values = low + (high - low) * share
                    values[draw.random(frames) < undefined] = np.nan
                    keys = (video, model, reference, metric, convention)
                    parts.append(_rows(*keys, values))
    return pd.concat(parts, ignore_index=True)


def _rows(video, model, reference, metric, convention, values) -> pd.DataFrame:
    windows = range(0, len(values), 10)
    levels = ['frame'] * len(values) + ['window'] * len(windows) + ['video', 'static']
    frames = [*range(len(values)), *windows, None, None]
    mean = np.nanmean(values)
    means = [np.nanmean(values[start : start + 10]) for start in windows]
    return pd.DataFrame(
        {
            'video': video,
            'model': model,
            'reference': reference,
            'level': levels,
            'frame': pd.array(frames, dtype='Int64'),
            'metric': metric,
            'convention': convention,
            'value': [*values, *means, mean, mean],
            'n_fixations': [5] * len(values) + [50] * len(windows) + [5 * len(values)] * 2,
        }
    )


def make_summary(results: pd.DataFrame) -> pd.DataFrame:
    """Means over videos and two standard errors; shares of the ceiling for single observers."""
    keys = ['model', 'reference', 'level', 'metric', 'convention']
    videos = results[results['level'] != 'frame'].groupby([*keys, 'video'], sort=False)['value']
    groups = videos.mean().groupby(level=keys, sort=False)
    table = groups.agg(['mean', 'sem', 'count', 'size']).reset_index()
    table['low'], table['high'] = (table['mean'] + k * table['sem'] for k in (-2, 2))
    table['videos'], table['undefined'] = table['count'], table['size'] - table['count']
    lines = table.set_index(keys)['mean']
    share = []
    for row in table.itertuples():
        where = (row.reference, row.level, row.metric, row.convention)
        chance, ceiling = (lines.get((name, *where), np.nan) for name in (CHANCE, CEILING))
        share.append((row.mean - chance) / (ceiling - chance))
    table['share_of_ceiling'] = share
    table['share_low'] = table['share_of_ceiling'] - 0.08
    table['share_high'] = table['share_of_ceiling'] + 0.08
    return table.drop(columns=['sem', 'count', 'size'])


def make_pairs(summary: pd.DataFrame) -> pd.DataFrame:
    """Differences of the means, with invented p values."""
    draw = np.random.default_rng(1)
    own = [model for model in summary['model'].unique() if model not in YARDSTICKS]
    rows = []
    for key, part in summary.groupby(['reference', 'level', 'metric', 'convention'], sort=False):
        means = part.set_index('model')['mean']
        for number, model in enumerate(own):
            for other in [*own[number + 1 :], *(name for name in YARDSTICKS if name in means)]:
                difference = means[model] - means[other]
                sign = -1 if key[2] in LOWER_IS_BETTER else 1
                p = float(draw.uniform(0, 0.02)) if abs(difference) > 0.05 else 0.4
                width = 0.3 * abs(difference)
                rows.append(
                    (model, other, *key, difference, difference - width, difference + width, p,
                     min(1, 3 * p), difference * 4, 0.9 if sign * difference > 0 else 0.1, 8)
                )  # fmt: skip
    columns = [
        'model', 'other', 'reference', 'level', 'metric', 'convention', 'difference', 'low',
        'high', 'p', 'p_corrected', 'effect_size', 'probability', 'videos',
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def make_pages(
    videos, models=MODELS, frames=40, width=320, height=180, source=True
) -> Iterator[VideoPage]:
    """A disc that moves over a textured ground; people look at it, models less so."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    for number, video in enumerate(videos):
        draw = np.random.default_rng(number)
        turn = np.arange(frames) / 25 * 2 + number
        centre = np.stack([0.5 + 0.32 * np.cos(turn), 0.5 + 0.3 * np.sin(1.3 * turn)], axis=1)
        centre *= (width, height)

        def blobs(places, sigma):
            return np.stack(
                [np.exp(-((x - a) ** 2 + (y - b) ** 2) / (2 * sigma**2)) for a, b in places]
            )

        ground = 70 + 40 * np.sin(x / 17)[..., None] * np.cos(y / 11)[..., None]
        ground = ground * np.array([0.7, 1.0, 0.9]) + draw.normal(0, 3, (height, width, 3))
        disc = blobs(centre, width / 30)[..., None]
        pictures = ground * (1 - disc) + np.array([240.0, 150, 60]) * disc
        wander = draw.normal(0, width / 14, (len(models), frames // 8 + 2, 2))
        maps = {}
        for place, model in enumerate(models):
            steps = np.linspace(0, len(wander[place]) - 1, frames)
            left = np.floor(steps).astype(int).clip(max=len(wander[place]) - 2)
            share = (steps - left)[:, None]
            shift = wander[place][left] * (1 - share) + wander[place][left + 1] * share
            maps[model] = blobs(centre + shift, width / (9 + 3 * place))
        yield VideoPage(
            video,
            np.arange(frames),
            np.arange(frames) / FPS,
            pictures.clip(0, 255).astype(np.uint8) if source else None,
            blobs(centre, width / 16),
            maps,
            [draw.normal(where, width / 30, (5, 2)) * 2 for where in centre],
            (2 * width, 2 * height),
        )


VERDICTS = (
    'Grad-CAM of I3D, fine-tuned is closer to people than Grad-CAM of I3D: NSS (tuebingen, video) '
    '+0.60 [0.42, 0.78], 8 of 8 videos, p = 0.024 (Holm)',
    'no difference shown between Grad-CAM of I3D and the centre bias: NSS (tuebingen, video) '
    '+0.20 [-0.02, 0.42], 5 of 8 videos, p = 0.41 (Holm)',
)
SETTINGS = {
    'synthetic': True,
    'command': 'python -m tests.comparison.report.made_up FOLDER',
    'seed': 0,
    'options': {'sigma_px': 19.0, 'levels': ['video', 'window', 'static'], 'window_s': 0.4},
    'dropped points': {'outside the picture': 12, 'outside the video': 3},
    'versions': {'mmsal': '0', 'python': '3', 'packages': {'numpy': '2', 'pandas': '3'}},
    'notes': ['SYNTHETIC: scores are invented.'],
}


def make_inputs(count=8, frames=40, scales=SCALES, **options) -> tuple:
    """All arguments of write_report but the folder."""
    videos = [f'clips/SYNTHETIC_{number:02d}.avi' for number in range(count)]
    results = make_results(videos, frames=frames, scales=scales)
    summary = make_summary(results)
    pages = make_pages(videos, frames=frames, **options)
    return results, summary, make_pairs(summary), pages, SETTINGS, VERDICTS


if __name__ == '__main__':
    print(write_report(Path(sys.argv[1]), *make_inputs(8, 100)))
