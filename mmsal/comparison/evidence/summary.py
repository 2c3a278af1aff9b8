"""Means over clips with their intervals, as a table for programs and one for readers."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mmsal.comparison.evidence.deletion import KINDS, area_under
from mmsal.comparison.evidence.regions import REGIONS, evidence_of_clip
from mmsal.comparison.evidence.run import RANDOM, EvidenceOptions, Tables
from mmsal.comparison.resampling import Bootstrap
from mmsal.datasets.kth_sequences import parse_name

RESAMPLES = 2000
CLIP = ['video', 'range']


def evidence_table(frames: pd.DataFrame) -> pd.DataFrame:
    """``evidence.csv``: frames pooled into clips, a row per clip, method, region and dilation."""
    keys = [*CLIP, 'method', 'region', 'dilation']
    return evidence_of_clip(frames, keys)[[*keys, 'share', 'area', 'ratio']]


def curve_areas(deletion: pd.DataFrame) -> pd.DataFrame:
    """Areas under the curves, a row per clip, method, order and kind.

    Returns:
        pd.DataFrame: ``auc`` of the probability and ``auc_logit``, both by the trapezoidal rule,
        and ``gain``: by how much ``auc`` is better than that of the clip's random order, that is
        lower for deletion and higher for insertion.
    """
    keys = [*CLIP, 'method', 'order', 'kind']
    rows = []
    for key, curve in deletion.groupby(keys, sort=False):
        areas = {
            name: area_under(curve['fraction'].to_numpy(), curve[score].to_numpy())
            for name, score in (('auc', 'probability'), ('auc_logit', 'logit'))
        }
        rows.append({**dict(zip(keys, key, strict=True)), **areas})
    table = pd.DataFrame(rows)
    others = [*CLIP, 'order', 'kind']
    chance = table[table['method'] == RANDOM].set_index(others)['auc']
    beyond = table['auc'] - table.set_index(others).index.map(chance)
    return table.assign(gain=beyond.where(table['kind'] == 'insertion', -beyond))


def interval(values: pd.Series, persons: pd.Series, seed: int) -> tuple[float, float]:
    """95 % percentile interval of the mean (Efron and Tibshirani, 1993), persons drawn anew.

    A person's clips are no independent ones: the same figure walks through the same scene. So
    whole persons are drawn, with all their clips.

    Args:
        values (pd.Series): One per clip, without NaN.
        persons (pd.Series): Whom each clip shows.
        seed (int): Of the 2000 draws.

    Returns:
        tuple: Lower and upper end; NaN with fewer than two persons.
    """
    groups = values.groupby(persons)
    sums, counts = groups.sum().to_numpy(), groups.count().to_numpy()
    bootstrap = Bootstrap(seed, RESAMPLES)
    drawn_sums, drawn_counts = bootstrap.means(np.column_stack([sums, counts])).T
    low, high = bootstrap.interval((drawn_sums / drawn_counts)[:, None])
    return float(low[0]), float(high[0])


def summarize(tables: Tables, options: EvidenceOptions) -> pd.DataFrame:
    """Means over clips.

    Returns:
        pd.DataFrame: ``method``, ``metric`` (share, area, ratio, auc, auc_logit, gain, accuracy),
        ``region``, ``dilation``, ``order``, ``kind``, ``prediction`` (each empty where it does not
        apply; curves of all clips together have no prediction, and follow by predicted class),
        ``mean``, ``low``, ``high`` (95 %, see :func:`interval`), ``clips`` that have a value and
        ``undefined``, those that have none (a map that is 0 everywhere has no share).
    """
    right = tables.predictions.assign(
        method='prediction', accuracy=tables.predictions.eval('label == prediction').astype(float)
    )
    areas = _with_prediction(curve_areas(tables.deletion), tables.predictions)
    curves, scores = ['method', 'order', 'kind'], ['auc', 'auc_logit', 'gain']
    parts = [
        _means(right, ['method'], ['accuracy'], options.seed),
        _means(
            evidence_table(tables.frames), ['method', 'region', 'dilation'],
            ['share', 'area', 'ratio'], options.seed,
        ),
        _means(areas, curves, scores, options.seed),
        _means(areas, [*curves, 'prediction'], scores, options.seed),
    ]  # fmt: skip
    columns = ['method', 'metric', 'region', 'dilation', 'order', 'kind', 'prediction']
    values = ['mean', 'low', 'high', 'clips', 'undefined']
    table = pd.concat(parts, ignore_index=True).reindex(columns=[*columns, *values])
    return table.astype({'dilation': 'Int64'})


def _with_prediction(table: pd.DataFrame, predictions: pd.DataFrame) -> pd.DataFrame:
    return table.merge(predictions[[*CLIP, 'prediction']], on=CLIP)


def _means(
    table: pd.DataFrame, keys: Sequence[str], metrics: Sequence[str], seed: int
) -> pd.DataFrame:
    rows = []
    for key, part in table.groupby(list(keys), sort=False):
        persons = part['video'].map(lambda video: parse_name(Path(video).stem).person)
        for metric in metrics:
            known = part[metric].dropna()
            low, high = interval(known, persons[known.index], seed)
            rows.append(
                {
                    **dict(zip(keys, key, strict=True)),
                    'metric': metric,
                    'mean': known.mean(),
                    'low': low,
                    'high': high,
                    'clips': len(known),
                    'undefined': len(part) - len(known),
                }
            )
    return pd.DataFrame(rows)


def as_markdown(summary: pd.DataFrame, tables: Tables, options: EvidenceOptions) -> str:
    """``summary.md``: what was measured in one paragraph, and a table per question."""
    predictions = tables.predictions
    right = int(predictions.eval('label == prediction').sum())
    lines = [
        f'SYNTHETIC clips: {len(predictions)}, of which the network names {right} rightly '
        f'({right / len(predictions):.1%}). Explained is the predicted class. Means over clips; in '
        f'brackets 95 % intervals, {RESAMPLES} draws of persons, seed {options.seed}.',
    ]
    for dilation in options.dilations:
        grown = f', each widened by {dilation} pixels' if dilation else ''
        lines += [
            '',
            f'**Saliency on the person{grown}** (a map of one value has a ratio of 1)',
            '',
        ]
        lines += _evidence_lines(summary[summary['dilation'] == dilation])
    for order in options.orders:
        for label, part in summary[summary['order'] == order].groupby('prediction'):
            title = f'**Deletion and insertion of {order}, predicted: {label}**'
            lines += ['', f'{title} (area under the probability)', '', *_curve_lines(part)]
    return '\n'.join(lines) + '\n'


def _evidence_lines(rows: pd.DataFrame) -> list[str]:
    titles = [f'{region}: {metric}' for region in REGIONS for metric in ('share', 'area', 'ratio')]

    def cells(part: pd.DataFrame) -> list[str]:
        return [
            _cell(part[(part['region'] == region) & (part['metric'] == metric)], metric != 'area')
            for region in REGIONS
            for metric in ('share', 'area', 'ratio')
        ]

    return _table(rows, titles, cells)


def _curve_lines(rows: pd.DataFrame) -> list[str]:
    titles = [
        'deletion (low is good)', 'lower than random by',
        'insertion (high is good)', 'higher than random by',
    ]  # fmt: skip

    def cells(part: pd.DataFrame) -> list[str]:
        return [
            _cell(part[(part['kind'] == kind) & (part['metric'] == metric)])
            for kind in KINDS
            for metric in ('auc', 'gain')
        ]

    return _table(rows, titles, cells)


def _table(
    rows: pd.DataFrame, titles: Sequence[str], cells: Callable[[pd.DataFrame], list[str]]
) -> list[str]:
    lines = [_line(['method', *titles, 'clips']), _line(['---'] * (len(titles) + 2))]
    for method, part in rows.groupby('method', sort=False):
        lines.append(_line([method, *cells(part), str(part['clips'].min())]))
    return lines


def _line(cells: Sequence[str]) -> str:
    return f'| {" | ".join(cells)} |'


def _cell(row: pd.DataFrame, with_interval: bool = True) -> str:
    mean, low, high = row[['mean', 'low', 'high']].to_numpy()[0]
    text = f'{mean:.3f}'
    return f'{text} [{low:.3f}, {high:.3f}]' if with_interval and np.isfinite(low) else text


def mean_curves(tables: Tables) -> dict[tuple[str, str], dict]:
    """Mean curves over clips, as :func:`mmsal.visualization.curve_plot.write_curves` takes them.

    One row of panels per order and predicted class: a network calls the clip with everything
    hidden something, and where that is the explained class nothing can be deleted.
    """
    curves = _with_prediction(tables.deletion, tables.predictions)
    panels: dict[tuple[str, str], dict] = {}
    for (order, label, kind), part in curves.groupby(['order', 'prediction', 'kind']):
        heading = f'{kind} of {order}, predicted: {label} (N = {len(part[CLIP].drop_duplicates())})'
        done = 'hidden' if kind == 'deletion' else 'shown'
        panel = panels.setdefault((heading, f'share of {order} {done}'), {})
        for method, lines in part.groupby('method', sort=False):
            mean = lines.groupby('fraction')['probability'].mean()
            panel[method] = mean.index.to_numpy(), mean.to_numpy()
    return panels
