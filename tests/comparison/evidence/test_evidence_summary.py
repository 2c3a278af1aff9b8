"""Summaries: on numbers small enough to work out by hand."""

import numpy as np
import pandas as pd
import pytest

from mmsal.comparison.evidence.run import RANDOM, EvidenceOptions, Tables
from mmsal.comparison.evidence.summary import (
    as_markdown,
    curve_areas,
    evidence_table,
    interval,
    mean_curves,
    summarize,
)

CLIPS = [
    ('person02_running_d1_uncomp.avi', '1-9', 'running', 'running'),
    ('person02_running_d1_uncomp.avi', '20-30', 'running', 'walking'),
    ('person03_walking_d1_uncomp.avi', '1-9', 'walking', 'walking'),
]
# Scores at 0, 1/2 and 1: (deletion, insertion) by method.
CURVES = {
    RANDOM: ([1.0, 0.6, 0.2], [0.2, 0.6, 1.0]),
    'gradcam': ([1.0, 0.4, 0.2], [0.2, 0.9, 1.0]),
}


@pytest.fixture
def tables():
    predictions = pd.DataFrame(CLIPS, columns=['video', 'range', 'label', 'prediction'])
    frames, curves = [], []
    for number, (video, span, *_) in enumerate(CLIPS):
        for frame in range(2):
            # Of the third clip, the map is 0 everywhere.
            total = 0.0 if number == 2 else 8.0
            row = {'frame': frame, 'saliency': total * frame / 4, 'total': total}
            base = {'video': video, 'range': span, 'method': 'gradcam', 'dilation': 0}
            frames += [
                {**base, **row, 'region': r, 'pixels': 10, 'seen': 100} for r in ('legs', 'body')
            ]
        for method, both in CURVES.items():
            for kind, scores in zip(('deletion', 'insertion'), both, strict=True):
                keys = {'method': method, 'order': 'pixels', 'kind': kind}
                for fraction, score in zip((0, 0.5, 1), scores, strict=True):
                    score = {'probability': score, 'logit': 10 * score + number}
                    curves.append(
                        {'video': video, 'range': span, **keys, 'fraction': fraction, **score}
                    )
    return Tables(predictions, pd.DataFrame(frames), pd.DataFrame(curves))


def test_frames_are_pooled_clip_by_clip(tables):
    table = evidence_table(tables.frames)
    assert len(table) == 6
    np.testing.assert_allclose(table['share'], [1 / 8] * 4 + [np.nan] * 2)  # (0 + 2) / (8 + 8)
    np.testing.assert_allclose(table['area'], 0.1)
    np.testing.assert_allclose(table['ratio'], [1.25] * 4 + [np.nan] * 2)


def test_areas_and_their_distance_from_random(tables):
    table = curve_areas(tables.deletion)
    first = table[table['range'] == '20-30'].set_index(['method', 'kind'])
    # (1 + 2 * 0.4 + 0.2) / 4 and so on
    expected = {
        (RANDOM, 'deletion'): (0.6, 7.0, 0.0),
        (RANDOM, 'insertion'): (0.6, 7.0, 0.0),
        ('gradcam', 'deletion'): (0.5, 6.0, 0.1),
        ('gradcam', 'insertion'): (0.75, 8.5, 0.15),
    }
    for key, values in expected.items():
        assert first.loc[key, ['auc', 'auc_logit', 'gain']].tolist() == pytest.approx(values)


def test_summary(tables):
    table = summarize(tables, EvidenceOptions(dilations=(0,)))
    accuracy = table[table['metric'] == 'accuracy'].iloc[0]
    assert accuracy['mean'] == pytest.approx(2 / 3)
    share = table.query("metric == 'share' and region == 'legs'").iloc[0]
    assert (share['mean'], share['clips'], share['undefined']) == (1 / 8, 2, 1)
    areas = table.query("metric == 'auc_logit' and method == 'gradcam' and kind == 'deletion'")
    by_label = dict(zip(areas['prediction'].fillna('all'), areas['mean'], strict=True))
    assert by_label == pytest.approx({'all': 6.0, 'running': 5.0, 'walking': 6.5})
    text = as_markdown(table, tables, EvidenceOptions(dilations=(0,)))
    assert text.startswith('SYNTHETIC clips: 3, of which the network names 2 rightly (66.7%)')
    assert '| gradcam | 0.125 | 0.100 | 1.250 | 0.125 | 0.100 | 1.250 | 2 |' in text.splitlines()
    walking = text.split('predicted: walking')[1]
    assert '| gradcam | 0.500 [0.500, 0.500] | 0.100 [0.100, 0.100] | 0.750' in walking


def test_curves_for_the_plot(tables):
    panels = mean_curves(tables)
    assert list(panels) == [
        ('deletion of pixels, predicted: running (N = 1)', 'share of pixels hidden'),
        ('insertion of pixels, predicted: running (N = 1)', 'share of pixels shown'),
        ('deletion of pixels, predicted: walking (N = 2)', 'share of pixels hidden'),
        ('insertion of pixels, predicted: walking (N = 2)', 'share of pixels shown'),
    ]
    x, y = list(panels.values())[3]['gradcam']
    np.testing.assert_allclose((x, y), ([0, 0.5, 1], [0.2, 0.9, 1.0]))


def test_interval_draws_persons():
    # Two persons, one with three clips: of both drawn the mean is 0 (1/4), 1 (1/4) or 3/4 (1/2).
    values, persons = pd.Series([1.0, 1.0, 1.0, 0.0]), pd.Series([1, 1, 1, 2])
    assert interval(values, persons, seed=0) == (0, 1)
    assert np.isnan(interval(values[:3], persons[:3], seed=0)).all()
    # Many persons: close to the normal theory, 1.96 standard errors to either side.
    rng = np.random.default_rng(1)
    many = pd.Series(rng.normal(5, 2, 400))
    low, high = interval(many, pd.Series(np.arange(400)), seed=0)
    error = many.std(ddof=0) / 20
    assert (low, high) == pytest.approx(
        (many.mean() - 1.96 * error, many.mean() + 1.96 * error), abs=0.15 * error
    )
    assert interval(many, pd.Series(np.arange(400)), seed=0) == (low, high)
    assert interval(many, pd.Series(np.arange(400)), seed=1) != (low, high)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(steps=0), 'steps of at least 1, got 0'),
        (dict(dilations=(0, -3)), 'dilations of 0 pixels or more, got -3'),
        (dict(orders=('rows',)), "orders of pixels, frames, got 'rows'"),
        (dict(start='black'), "start to be one of blur, mean, got 'black'"),
        (dict(seed=-1), 'a seed of 0 or more, got -1'),
    ],
)
def test_options_that_make_no_sense(options, message):
    with pytest.raises(ValueError, match=message):
        EvidenceOptions(**options)
