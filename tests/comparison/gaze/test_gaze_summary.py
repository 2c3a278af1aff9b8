"""Means, intervals and shares of the ceiling, on numbers small enough to work out by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsal.comparison.gaze.summary import SUMMARY_COLUMNS, summarize
from mmsal.comparison.gaze.values import video_values
from mmsal.comparison.resampling import Bootstrap, bootstrap_interval
from tests.comparison.gaze.tidy_rows import tidy, tidy_observers

NAN = float('nan')
EACH = {'reference': 'each observer'}


def row(summary: pd.DataFrame, **where: str) -> pd.Series:
    found = summary.loc[(summary[list(where)] == pd.Series(where)).all(axis=1)]
    assert len(found) == 1
    return found.iloc[0]


def test_means_counts_and_intervals():
    results = tidy({'net': [0.5, NAN, 1.5, 4.0, None], 'other': [1.0, 2.0, 3.0, 4.0, 5.0]})
    summary = summarize(results, seed=3, resamples=500, confidence=0.9)
    assert tuple(summary.columns) == SUMMARY_COLUMNS
    assert summary.attrs == {
        'seed': 3, 'resamples': 500, 'confidence': 0.9, 'over': ['video'], 'videos': 5,
    }  # fmt: skip
    net = row(summary, model='net')
    assert net[['mean', 'videos', 'undefined']].tolist() == [2.0, 3, 1]
    expected = bootstrap_interval(np.array([0.5, 1.5, 4.0]), 3, 500, 0.9)
    assert net[['low', 'high']].tolist() == pytest.approx(expected)
    assert summary['share_of_ceiling'].isna().all()


def test_windows_in_which_one_model_has_no_value_count_for_none():
    windows = [
        tidy({'net': [1.0], 'silent': [1.0], 'motion': [NAN]}, level='window', frame=0),
        tidy({'net': [5.0], 'silent': [NAN], 'motion': [7.0]}, level='window', frame=30),
        tidy({'net': [3.0], 'silent': [3.0], 'motion': [9.0]}, level='window', frame=60),
    ]
    means = summarize(pd.concat(windows)).set_index('model')['mean']
    assert means.to_dict() == {'net': 2.0, 'silent': 2.0, 'motion': 9.0}


def test_a_window_level_counts_every_video_once():
    windows = [
        tidy({'net': [1.0, 10.0, NAN]}, level='window', frame=0),
        tidy({'net': [3.0, None, NAN]}, level='window', frame=30),
        tidy({'net': [NAN, None, NAN]}, level='window', frame=60),
        tidy({'net': [7.0, 7.0, 7.0]}, level='frame', frame=0),
    ]
    net = summarize(pd.concat(windows)).iloc[0]
    assert net[['level', 'mean', 'videos', 'undefined']].tolist() == ['window', 6.0, 2, 1]


def test_one_video_has_a_mean_and_no_interval():
    net = summarize(tidy({'net': [0.25]})).iloc[0]
    assert net['mean'] == 0.25 and np.isnan(net['low']) and np.isnan(net['high'])
    nothing = summarize(tidy({'net': [NAN, NAN]})).iloc[0]
    assert np.isnan(nothing['mean']) and nothing[['videos', 'undefined']].tolist() == [0, 2]


def test_infinite_values_are_told_and_have_no_interval():
    net = summarize(tidy({'net': [1.0, -np.inf, 2.0]}, metric='IG')).iloc[0]
    assert net['mean'] == -np.inf and np.isnan(net['low'])


@pytest.mark.parametrize(('metric', 'sign'), [('NSS', 1), ('KLD', -1)])
def test_share_of_the_ceiling(metric, sign):
    values = {
        'net': [2.0, 3.0, 4.0, 9.0],
        'centre bias': [1.0, 1.5, 3.0, NAN],
        'chance': [0.0, 1.0, 1.0, 9.0],
        'human ceiling': [4.0, 5.0, 6.0, None],
    }
    values = {m: [v and sign * v for v in row] for m, row in values.items()}
    summary = summarize(tidy(values, metric, **EACH), resamples=5000)
    # The last video has no ceiling, and so no part in any share.
    share = summary.set_index('model')['share_of_ceiling']
    expected = {'net': 7 / 13, 'centre bias': 3.5 / 13, 'chance': 0, 'human ceiling': 1}
    assert share[list(expected)].tolist() == pytest.approx(list(expected.values()))
    # With the same draws, worked out one by one.
    drawn = np.random.default_rng(0).integers(3, size=(5000, 3))
    net, chance, ceiling = (np.array(values[m][:3]) for m in ('net', 'chance', 'human ceiling'))
    ratios = (net - chance)[drawn].mean(axis=1) / (ceiling - chance)[drawn].mean(axis=1)
    low, high = np.quantile(ratios, [0.025, 0.975])
    assert row(summary, model='net')[['share_low', 'share_high']].tolist() == pytest.approx(
        [low, high]
    )


@pytest.mark.parametrize(
    'ceiling',
    [
        [0.0, 0.5, -0.2, 0.1],  # worse than chance
        [1.0, 2.0, 0.5, 1.4],  # better, but the interval of the difference holds 0
        [None] * 4,
        [NAN] * 4,
        [5.0, None, None, None],  # one video gives no interval, so none is known to be above 0
    ],
)
def test_no_share_without_room_above_chance(ceiling):
    values = {'net': [2.0, 3.0, 4.0, 5.0], 'chance': [1.0, 1.0, 1.0, 1.0]}
    summary = summarize(tidy({**values, 'human ceiling': ceiling}, **EACH))
    assert summary[['share_of_ceiling', 'share_low', 'share_high']].isna().all(axis=None)
    assert row(summary, model='net')['mean'] == 3.5


def test_only_each_observer_has_shares():
    values = {'net': [2.0, 3.0, 4.0], 'chance': [0.0] * 3, 'human ceiling': [5.0] * 3}
    both = pd.concat([tidy(values), tidy(values, **EACH)])
    shares = summarize(both).groupby('reference')['share_of_ceiling'].apply(lambda s: s.notna())
    assert not shares['all observers'].any() and shares['each observer'].all()


@pytest.fixture
def cubes():
    rng = np.random.default_rng(0)
    videos, observers = rng.normal(0, 0.1, (12, 1)), rng.normal(0, 0.4, (1, 8))
    cubes = {
        name: mean + videos + observers + rng.normal(0, 0.05, (12, 8))
        for name, mean in (('net', 1.0), ('chance', 0.0), ('human ceiling', 3.0))
    }
    for cube in cubes.values():
        cube[3, 2] = NAN
    cubes['net'][5] = NAN
    return cubes


def test_videos_and_observers_drawn_anew(cubes):
    results = tidy_observers(cubes)
    crossed = summarize(results, over=('video', 'observer'), resamples=1000, seed=2)
    alone = summarize(results, resamples=1000, seed=2)
    assert crossed.attrs['over'] == ['video', 'observer']
    columns = ['mean', 'videos', 'undefined']
    np.testing.assert_allclose(crossed[columns].astype(float), alone[columns].astype(float))
    net = row(crossed, model='net')
    assert net[['videos', 'undefined']].tolist() == [11, 1]
    known = ~np.isnan(cubes['net'])
    bootstrap = Bootstrap(2, 1000)
    low, high = bootstrap.interval(bootstrap.crossed_means(cubes['net'][..., None], known))
    assert net[['low', 'high']].tolist() == pytest.approx([low[0], high[0]])
    # Observers differ four times as much as videos do.
    widths = [table['high'] - table['low'] for table in (crossed, alone)]
    assert (widths[0] > 2 * widths[1]).all()
    # What observers have in common with chance and ceiling leaves the share.
    assert net['share_of_ceiling'] == pytest.approx(1 / 3, abs=0.03)
    assert net['share_high'] - net['share_low'] < 0.05


def test_crossed_draws_leave_pooled_observers_alone(cubes):
    pooled = tidy({'net': [1.0, 2.0, 4.0]})
    both = pd.concat([pooled, tidy_observers(cubes)])
    crossed = row(
        summarize(both, over=('video', 'observer')), model='net', reference='all observers'
    )
    assert crossed[['low', 'high']].tolist() == pytest.approx(
        list(bootstrap_interval(np.array([1.0, 2.0, 4.0]), 0, 2000))
    )


def test_crossed_draws_need_observers(cubes):
    with pytest.raises(ValueError, match=r"reference 'observer P01'.*, got none"):
        summarize(tidy({'net': [1.0, 2.0]}), over=('video', 'observer'))


def test_without_rows_of_single_observers_there_is_a_mean_alone(cubes):
    results = tidy_observers(cubes)
    gone = (results['model'] == 'chance') & (results['reference'] != 'each observer')
    windows = [tidy({'net': [1.0, 2.0]}, level='window', frame=frame, **EACH) for frame in (0, 9)]
    summary = summarize(
        pd.concat([results[~gone], *windows]), over=('video', 'observer'), resamples=100
    )
    numbers = ['low', 'high', 'share_of_ceiling', 'share_low', 'share_high']
    for where in (dict(level='video', model='chance'), dict(level='window', model='net')):
        found = row(summary, **where)
        assert found[numbers].isna().all()
    assert found[['mean', 'videos']].tolist() == [1.5, 2]
    assert row(summary, level='video', model='net')[['low', 'high']].notna().all()


def test_order_of_the_table():
    values = {'chance': [1.0], 'b': [1.0], 'human ceiling': [1.0], 'a': [1.0]}
    parts = [
        tidy(values, metric, level=level, **EACH)
        for metric in ('EMD', 'NSS', 'new metric')
        for level in ('static', 'video')
    ]
    summary = summarize(pd.concat(parts))
    assert list(dict.fromkeys(summary['model'])) == ['b', 'a', 'chance', 'human ceiling']
    assert list(dict.fromkeys(summary['level'])) == ['video', 'static']
    assert list(dict.fromkeys(summary['metric'])) == ['NSS', 'EMD', 'new metric']


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(0, 2**31))
def test_order_of_rows_is_irrelevant(random, seed):
    rng = np.random.default_rng(seed)
    values = {name: list(rng.normal(size=6)) for name in ('net', 'other', 'chance')}
    values['net'][2], values['other'][4] = NAN, None
    values['human ceiling'] = list(rng.normal(4, 1, 6))
    results = tidy(values, **EACH)
    order = list(range(len(results)))
    random.shuffle(order)
    one, two = (
        summarize(table, resamples=50, seed=seed % 7).sort_values('model', ignore_index=True)
        for table in (results, results.iloc[order])
    )
    pd.testing.assert_frame_equal(one, two)


def test_columns_as_categories_and_more_rows_than_needed():
    values = {'net': [1.0, 2.0, 4.0], 'chance': [0.0, 0.0, 1.0]}
    results = pd.concat([tidy(values), tidy(values, level='frame', frame=3)], ignore_index=True)
    as_categories = results.astype({'model': 'category', 'video': 'category', 'level': 'category'})
    pd.testing.assert_frame_equal(summarize(results), summarize(as_categories))
    assert len(video_values(results)) == 6


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda r: r.drop(columns='value'), 'expected columns .*, got no value'),
        (lambda r: r.assign(level='clip'), 'expected levels frame, .*, got clip'),
        (lambda r: pd.concat([r, r[:1]]), 'one value each, got 2 with .* NSS, tuebingen, net'),
        (lambda r: pd.concat([r, r[:1].assign(frame=3)]), 'one value each, got 2 with'),
    ],
)
def test_results_that_make_no_sense(change, message):
    with pytest.raises(ValueError, match=message):
        summarize(change(tidy({'net': [1.0, 2.0]})))


def test_settings_that_make_no_sense():
    with pytest.raises(ValueError, match=r"expected over to be .*, got \('observer',\)"):
        summarize(tidy({'net': [1.0]}), over='observer')
    with pytest.raises(ValueError, match='confidence between 0 and 1, got 1'):
        summarize(tidy({'net': [1.0]}), confidence=1)


def test_no_rows_at_all():
    summary = summarize(tidy({'net': [1.0]}, level='frame', frame=1))
    assert len(summary) == 0 and tuple(summary.columns) == SUMMARY_COLUMNS


def test_a_model_that_lacks_an_observer(cubes):
    results = tidy_observers(cubes)
    gone = (results['model'] == 'net') & (results['reference'] == 'observer P01')
    summary = summarize(results[~gone], over=('video', 'observer'), resamples=200)
    left = np.delete(np.delete(cubes['net'], 5, axis=0), 1, axis=1)  # video 5 has no value
    assert row(summary, model='net')['mean'] == pytest.approx(np.nanmean(left, axis=1).mean())
    whole = summarize(results, over=('video', 'observer'), resamples=200)
    for name in ('chance', 'human ceiling'):
        pd.testing.assert_series_equal(row(summary, model=name), row(whole, model=name))
