"""Pairs of models: differences, tests, corrections, and what is said of them."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mmsal.comparison.gaze.pairs import PAIR_COLUMNS, compare_pairs, correct
from mmsal.comparison.gaze.verdicts import verdicts
from mmsal.comparison.resampling import bootstrap_interval
from tests.comparison.gaze.tidy_rows import tidy

NAN = float('nan')
NUMBERS = ['difference', 'low', 'high', 'p', 'p_corrected', 'effect_size', 'probability']


def two(first, second, **options) -> pd.Series:
    pairs = compare_pairs(tidy({'a': first, 'b': second}), **options)
    assert len(pairs) == 1
    return pairs.iloc[0]


def test_a_pair_against_scipy_and_by_hand():
    rng = np.random.default_rng(0)
    first = rng.normal(1, 1, 10)
    second = first - rng.normal(0.4, 0.5, 10)
    pair = two(list(first), list(second), seed=4, resamples=3000)
    differences = first - second
    assert pair['difference'] == pytest.approx(differences.mean())
    assert pair[['low', 'high']].tolist() == pytest.approx(
        list(bootstrap_interval(differences, 4, 3000))
    )
    theirs = stats.permutation_test(
        (first, second), lambda x, y: np.mean(x) - np.mean(y),
        permutation_type='samples', n_resamples=np.inf, vectorized=False,
    )  # fmt: skip
    assert pair['p'] == pytest.approx(theirs.pvalue) and 0.002 < pair['p'] < 0.5
    # Cohen's d_z is the paired t by the square root of N.
    t = stats.ttest_rel(first, second).statistic
    assert pair['effect_size'] == pytest.approx(t / np.sqrt(10))
    assert pair['probability'] == np.mean(first > second)
    assert pair['videos'] == 10


def test_videos_that_both_have():
    first = [1.0, NAN, 3.0, 4.0, None, 6.0]
    second = [0.5, 1.0, NAN, 5.0, 1.0, 6.0]
    pair = two(first, second)
    assert pair['videos'] == 3
    assert pair['difference'] == pytest.approx((0.5 - 1 + 0) / 3)
    assert pair['probability'] == pytest.approx(1.5 / 3)  # one better, one worse, one tie
    expected = two([1.0, 4.0, 6.0], [0.5, 5.0, 6.0])
    pd.testing.assert_series_equal(pair[NUMBERS], expected[NUMBERS])
    nothing = two([1.0, NAN], [NAN, 1.0])
    assert nothing['videos'] == 0 and nothing[NUMBERS].isna().all()


def test_which_pairs_there_are():
    names = ['b', 'a', 'c', 'chance', 'motion']
    rng = np.random.default_rng(0)
    results = tidy({name: list(rng.normal(size=4)) for name in names})
    ceiling = tidy({'human ceiling': [1.0] * 4, 'a': [0.0] * 4}, reference='each observer')
    pairs = compare_pairs(pd.concat([results, ceiling]))
    assert tuple(pairs.columns) == PAIR_COLUMNS
    found = [tuple(p) for p in pairs.loc[pairs['reference'] == 'all observers', ['model', 'other']]
             .itertuples(index=False)]  # fmt: skip
    models, yardsticks = names[:3], names[3:]
    assert found == [
        *itertools.combinations(models, 2), *itertools.product(models, yardsticks),
    ]  # fmt: skip
    each = pairs[pairs['reference'] == 'each observer']
    assert each[['model', 'other']].to_numpy().tolist() == [['a', 'human ceiling']]
    chosen = compare_pairs(results, ['c', 'b'])
    assert chosen[['model', 'other']].to_numpy().tolist()[0] == ['c', 'b']
    assert len(chosen) == 5


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(*[st.floats(-10, 10, width=32) | st.just(NAN)] * 2), min_size=1, max_size=16
    ),
    st.sampled_from(['NSS', 'KLD']),
)
def test_swapping_two_models_flips_every_sign(values, metric):
    first, second = (list(column) for column in zip(*values, strict=True))
    results = tidy({'a': first, 'b': second}, metric)
    options = dict(resamples=200, flips=500)
    ab = compare_pairs(results, ['a', 'b'], **options).iloc[0]
    ba = compare_pairs(results, ['b', 'a'], **options).iloc[0]
    for name in ('difference', 'effect_size'):
        np.testing.assert_allclose(ab[name], -ba[name], atol=1e-9)
    np.testing.assert_allclose(ab['low'], -ba['high'], atol=1e-9)
    assert ab['p'] == ba['p'] or ab['videos'] == 0
    np.testing.assert_allclose(ab['probability'], 1 - ba['probability'])
    assert ab['videos'] == ba['videos'] == np.sum(~np.isnan(values).any(axis=1))


@settings(max_examples=15, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(0, 1000))
def test_order_of_rows_and_the_same_seed(random, seed):
    rng = np.random.default_rng(seed)
    results = pd.concat(
        tidy({name: list(rng.normal(size=17)) for name in ('a', 'b', 'chance')}, metric)
        for metric in ('NSS', 'CC')
    )
    order = list(range(len(results)))
    random.shuffle(order)
    options = dict(models=['a', 'b'], seed=seed, resamples=50, flips=300)
    one, other = (compare_pairs(table, **options) for table in (results, results.iloc[order]))
    pd.testing.assert_frame_equal(one, other)


def test_a_difference_that_is_always_the_same():
    base = np.array([0.1, 0.7, 0.3, 0.9, 0.2, 0.45])
    pair = two(list(base + 0.2), list(base))
    assert pair[['difference', 'low', 'high']].tolist() == pytest.approx([0.2] * 3)
    assert pair['p'] == 2 / 2**6 and pair['probability'] == 1
    assert np.isnan(pair['effect_size'])
    same = two(list(base), list(base * (1 + 1e-16)))
    assert same[['difference', 'p', 'probability']].tolist() == [0, 1, 0.5]


def test_infinite_values():
    pair = two([1.0, -np.inf, 2.0, -np.inf], [0.0, 0.0, 3.0, -np.inf])
    assert pair[['probability', 'videos']].tolist() == [1.5 / 4, 4]
    assert pair[NUMBERS[:-1]].isna().all()


def test_corrections_as_published():
    # A textbook's four tests; R's p.adjust gives the same.
    p = np.array([0.01, NAN, 0.04, 0.03, 0.005])
    np.testing.assert_allclose(correct(p), [0.03, NAN, 0.06, 0.06, 0.02])
    expected = stats.false_discovery_control(p[[0, 2, 3, 4]])
    np.testing.assert_allclose(correct(p, 'benjamini-hochberg')[[0, 2, 3, 4]], expected)
    np.testing.assert_allclose(expected, [0.02, 0.04, 0.04, 0.02])
    assert np.isnan(correct(np.array([NAN]))).all()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.001, 0.5))
def test_holm_rejects_what_its_steps_reject(p, alpha):
    rejected, left = set(), sorted(range(len(p)), key=lambda place: p[place])
    while left and p[left[0]] * len(left) <= alpha:
        rejected.add(left.pop(0))
    corrected = correct(np.array(p))
    assert {place for place in range(len(p)) if corrected[place] <= alpha} == rejected


def test_a_family_is_a_level_and_a_reference():
    rng = np.random.default_rng(0)
    values = [{'a': list(rng.normal(0.5, 1, 12)), 'b': list(rng.normal(size=12))} for _ in range(3)]
    parts = [
        tidy(values[0], 'NSS'),
        tidy(values[1], 'CC'),
        tidy(values[2], 'NSS', level='static'),
    ]
    pairs = compare_pairs(pd.concat(parts))
    video = pairs[pairs['level'] == 'video']
    np.testing.assert_allclose(video['p_corrected'], correct(video['p'].to_numpy()))
    static = pairs[pairs['level'] == 'static'].iloc[0]
    assert static['p_corrected'] == static['p']
    assert pairs.attrs['tests'] == {
        'video, all observers, models': 2,
        'static, all observers, models': 1,
    }
    assert pairs.attrs['correction'] == 'holm' and pairs.attrs['seed'] == 0
    rates = compare_pairs(pd.concat(parts), correction='benjamini-hochberg')
    expected = stats.false_discovery_control(video['p'])
    np.testing.assert_allclose(rates[rates['level'] == 'video']['p_corrected'], expected)


def test_pairs_with_yardsticks_are_a_family_of_their_own():
    rng = np.random.default_rng(0)
    names = ('a', 'b', 'chance', 'motion')
    values = {name: list(rng.normal(shift, 1, 12)) for shift, name in enumerate(names)}
    pairs = compare_pairs(tidy(values))
    of_models = pairs[~pairs['other'].isin(['chance', 'motion'])]
    assert of_models['p_corrected'].tolist() == of_models['p'].tolist()  # the only one
    others = pairs.drop(of_models.index)
    np.testing.assert_allclose(others['p_corrected'], correct(others['p'].to_numpy()))
    assert pairs.attrs['tests'] == {
        'video, all observers, models': 1,
        'video, all observers, yardsticks': 4,
    }


def test_what_has_no_value_is_not_spoken_of():
    parts = [tidy({'a': [1.0, 2.0], 'b': [0.0, 0.0]}, 'NSS')]
    parts.append(tidy({'a': [NAN, NAN], 'b': [NAN, NAN]}, 'sAUC'))
    (line,) = verdicts(compare_pairs(pd.concat(parts)))
    assert 'NSS' in line and 'sAUC' not in line


def test_random_flips_suffice_for_a_large_family():
    rng = np.random.default_rng(0)
    conventions = [f'convention {number}' for number in range(400)]
    values = {'a': list(rng.normal(3, 1, 25)), 'b': [0.0] * 25}
    results = pd.concat(tidy(values, convention=name) for name in conventions)
    pairs = compare_pairs(results, resamples=10)
    assert pairs.attrs['flips'] == {'video, all observers, models': 16_000}
    assert (pairs['p_corrected'] < 0.05).all()


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(models=['a', 'x']), "expected models among a, b, got 'x'"),
        (dict(models=['a', 'chance']), "expected models among a, b, got 'chance'"),
        (dict(models=['a', 'a']), 'expected each model once, got a, a'),
        (dict(correction='bonferroni'), "correction to be one of .*, got 'bonferroni'"),
        (dict(flips=0), 'flips of at least 1, got 0'),
        (dict(seed=-2), 'seed of 0 or more, got -2'),
    ],
)
def test_settings_that_make_no_sense(options, message):
    with pytest.raises(ValueError, match=message):
        compare_pairs(tidy({'a': [1.0], 'b': [2.0], 'chance': [0.0]}), **options)


def test_one_model_alone_and_nothing_at_all():
    alone = compare_pairs(tidy({'a': [1.0, 2.0]}))
    assert len(alone) == 0 and tuple(alone.columns) == PAIR_COLUMNS
    assert verdicts(alone) == []


BASE = np.linspace(1, 2, 14)
UP, DOWN = 0.2 + 0.02 * np.arange(14), -0.2 - 0.02 * np.arange(14)
MIXED = np.resize([0.3, -0.3], 14) + 0.01


def spoken(differences: dict[str, np.ndarray], **options) -> list[str]:
    """Verdicts on model `net`, which differs by so much from `old` in these metrics."""
    parts = [
        tidy({'net': list(BASE[: len(d)] + d), 'old': list(BASE[: len(d)])}, metric)
        for metric, d in differences.items()
    ]
    return verdicts(compare_pairs(pd.concat(parts)), **options)


def test_a_difference_is_told_with_its_numbers():
    (line,) = spoken({'CC': UP, 'NSS': UP, 'sAUC': MIXED, 'SIM': DOWN})
    low, high = bootstrap_interval(UP, 0, 2000)
    assert line == (
        'net is closer to people than old: NSS (tuebingen, video, all observers) +0.330 '
        f'[{low:.3f}, {high:.3f}], better in 14 of 14 videos, p < 0.001 (Holm); so by CC; '
        'not shown by sAUC'
    )


def test_the_closer_one_comes_first():
    (line,) = spoken({'NSS': DOWN})
    low, high = bootstrap_interval(DOWN, 0, 2000)
    assert line.startswith('old is closer to people than net: NSS (tuebingen, video, all ')
    assert f'+0.330 [{-high:.3f}, {-low:.3f}], better in 14 of 14 videos' in line
    (line,) = spoken({'KLD': DOWN}, headlines=[('KLD', 'tuebingen')])  # lower is better
    assert line.startswith('net is closer to people than old: KLD (tuebingen, video, all ')
    assert '-0.330 [' in line and 'better in 14 of 14 videos' in line


def test_nothing_shown_and_disagreement():
    (line,) = spoken({'NSS': MIXED, 'CC': MIXED})
    assert line.startswith('no difference shown between net and old: NSS (tuebingen, video, all ')
    assert '+0.010 [' in line and 'better in 7 of 14 videos' in line
    assert line.endswith('(Holm); nor by CC')
    (line,) = spoken({'NSS': DOWN, 'CC': UP, 'AUC': MIXED})
    assert line.startswith('the metrics disagree on net and old: net is closer to people by CC (')
    assert ', further by NSS (' in line


def test_too_few_videos_are_named():
    (line,) = spoken({'NSS': UP[:5]})
    assert 'p = 0.062 (Holm)' in line and line.endswith('; 5 videos are too few to show any')
    (line,) = spoken(dict.fromkeys(('NSS', 'CC', 'SIM', 'AUC-Judd'), UP[:7]))
    assert line.endswith('nor by CC; 7 videos are too few to show any with 4 tests')
    (line,) = spoken({'NSS': UP[:6]})
    assert line.startswith('net is closer to people than old') and 'p = 0.031' in line
    (line,) = spoken({'NSS': np.array([np.inf, 1.0])})
    assert 'NSS (tuebingen, video, all observers) undefined, 2 videos' in line


def test_yardsticks_levels_and_references_in_words():
    values = {'net': list(BASE), 'centre bias': list(BASE + DOWN)}
    each = {'net': list(BASE), 'human ceiling': list(BASE + UP), 'centre bias': list(BASE)}
    parts = [tidy(values), tidy(each, reference='each observer'), tidy(values, level='static')]
    pairs = compare_pairs(pd.concat(parts), correction='benjamini-hochberg')
    lines = verdicts(pairs)
    assert lines[0].startswith('net is closer to people than the centre bias: NSS (tuebingen, vid')
    assert 'all observers' in lines[0] and '(Benjamini-Hochberg)' in lines[0]
    assert lines[1].startswith('the human ceiling is closer to people than net')
    assert 'each observer' in lines[1]
    assert 'static' in verdicts(pairs, level='static')[0]
    alone = verdicts(pairs, reference='each observer')
    assert alone[0].startswith('no difference shown between net and the centre bias')
    assert verdicts(pairs, headlines=[('EMD', 'mit')]) == []
