"""Pairs of models in words: one sentence each."""

from collections.abc import Iterator, Sequence

import pandas as pd

from mmsal.comparison.gaze.pairs import BENJAMINI_HOCHBERG, HOLM
from mmsal.comparison.gaze.values import LEVELS, REFERENCES
from mmsal.comparison.yardsticks import (
    CEILING,
    CENTRE_BIAS,
    LOWER_IS_BETTER,
    OTHER_GAZE,
    YARDSTICKS,
)

# Chosen beforehand: what the sentences speak of, the first that shows a difference in full.
# Not IG: heatmaps are no densities that were made to predict, and it would judge them as such.
HEADLINES = tuple((metric, 'tuebingen') for metric in ('NSS', 'AUC', 'sAUC', 'CC'))
NAMES = {
    CENTRE_BIAS: 'the centre bias',
    OTHER_GAZE: 'the gaze of other videos',
    CEILING: 'the human ceiling',
}
CORRECTION_NAMES = {HOLM: 'Holm', BENJAMINI_HOCHBERG: 'Benjamini-Hochberg'}


def verdicts(
    pairs: pd.DataFrame,
    *,
    level: str | None = None,
    reference: str | None = None,
    headlines: Sequence[tuple[str, str]] = HEADLINES,
) -> list[str]:
    """One sentence per pair: which of the two is closer to people, or that this is not shown.

    A difference is shown where ``p_corrected`` is below 1 - confidence.

    Args:
        pairs: Of :func:`mmsal.comparison.gaze.pairs.compare_pairs`, with its ``attrs`` (confidence
            0.95 and Holm's correction where a file has lost them).
        level: ``video``, ``static`` or ``window``; None takes the first of these that is there.
        reference: ``all observers`` or ``each observer``; None takes, for each pair, the first of
            these that is there (the human ceiling has only the second).
        headlines: Metrics and conventions to speak of. The first that shows a difference, or else
            the first of all, is told in numbers: difference of the closer to the other, its
            interval, the videos in which the closer one is better (ties half), corrected p.

    Returns:
        Sentences in the order of the pairs; pairs without any of the headlines have none.
    """
    if level is None:
        level = next((name for name in LEVELS if (pairs['level'] == name).any()), LEVELS[0])
    alpha = round(1 - pairs.attrs.get('confidence', 0.95), 12)  # 1 - 0.95 is above 0.05
    correction = pairs.attrs.get('correction', HOLM)
    at_level = pairs[pairs['level'] == level]
    sentences = []
    for (model, other), rows in at_level.groupby(['model', 'other'], sort=False):
        for name in REFERENCES if reference is None else (reference,):
            found = list(_headline_rows(rows[rows['reference'] == name], headlines))
            if found:
                kind = at_level['other'].isin(YARDSTICKS) == (other in YARDSTICKS)
                family = at_level.loc[(at_level['reference'] == name) & kind, 'p'].notna().sum()
                tests = int(family) if correction == HOLM else 1
                sentences.append(_sentence(model, other, found, alpha, correction, tests))
                break
    return sentences


def _headline_rows(
    rows: pd.DataFrame, headlines: Sequence[tuple[str, str]]
) -> Iterator[dict[str, object]]:
    """The pair's rows, with ``gain``: the difference where more is better."""
    for metric, convention in headlines:
        here = (rows['metric'] == metric) & (rows['convention'] == convention)
        found = rows[here & (rows['videos'] > 0)]  # what neither has is not asked about
        for row in found.to_dict('records'):
            sign = -1 if metric in LOWER_IS_BETTER else 1
            yield {**row, 'gain': sign * row['difference']}


def _sentence(
    model: str, other: str, rows: list[dict], alpha: float, correction: str, tests: int
) -> str:
    shown = [row for row in rows if row['p_corrected'] < alpha and row['gain'] != 0]
    first, second = (NAMES.get(name, name) for name in (model, other))
    if not shown:
        text = f'no difference shown between {first} and {second}: '
        text += _finding(rows[0], model, correction) + _others('nor by', rows[1:])
        return text + _too_few(rows, tests, alpha)
    better = [row for row in shown if row['gain'] > 0]
    if 0 < len(better) < len(shown):
        worse = next(row for row in shown if row['gain'] < 0)
        return (
            f'the metrics disagree on {first} and {second}: {first} is closer to people by '
            f'{_finding(better[0], model, correction)}, further by '
            f'{_finding(worse, model, correction)}'
        )
    winner = model if better else other
    closer, further = (first, second) if better else (second, first)
    text = f'{closer} is closer to people than {further}: {_finding(shown[0], winner, correction)}'
    not_shown = [row for row in rows if row not in shown]
    return text + _others('so by', shown[1:]) + _others('not shown by', not_shown)


def _finding(row: dict, winner: str, correction: str) -> str:
    """A row in numbers, seen from the side of one of the two."""
    difference, low, high = row['difference'], row['low'], row['high']
    share, videos = row['probability'], row['videos']
    if winner != row['model']:
        difference, low, high, share = -difference, -high, -low, 1 - share
    measure = f'{row["metric"]} ({row["convention"]}, {row["level"]}, {row["reference"]})'
    interval = '' if pd.isna(low) else f' [{low:.3f}, {high:.3f}]'
    if pd.isna(difference):
        return f'{measure} undefined, {videos} videos'
    p = row['p_corrected']
    p = 'p < 0.001' if p < 0.001 else f'p = {p:.2g}'
    return (
        f'{measure} {difference:+.3f}{interval}, better in {share * videos:g} of {videos} videos, '
        f'{p} ({CORRECTION_NAMES[correction]})'
    )


def _others(words: str, rows: list[dict]) -> str:
    return f'; {words} {", ".join(row["metric"] for row in rows)}' if rows else ''


def _too_few(rows: list[dict], tests: int, alpha: float) -> str:
    """Says so where no number of signs could have shown anything."""
    videos = max(row['videos'] for row in rows)
    if not videos or tests * 2.0 ** (1 - videos) < alpha:
        return ''
    among = f' with {tests} tests' if tests > 1 else ''
    return f'; {videos} videos are too few to show any{among}'
