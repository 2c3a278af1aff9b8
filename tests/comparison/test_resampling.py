"""Resampling against SciPy, direct loops, theory and Fisher's own example."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mmsal.comparison import resampling
from mmsal.comparison.resampling import (
    Bootstrap,
    bootstrap_interval,
    columns_by_count,
    columns_by_gaps,
    sign_flip_test,
)

# Fisher (The Design of Experiments, 1935, section 21): Darwin's maize, crossed minus
# self-fertilised, in eighths of an inch; 863 of the 32768 sign patterns reach the sum of 314.
DARWIN = np.array([49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48], float)


def test_interval_is_that_of_scipy():
    values = np.random.default_rng(0).gamma(2, size=25)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=50_000, method='percentile', rng=1
    ).confidence_interval
    ours = bootstrap_interval(values, 2, 50_000)
    error = values.std() / 5
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.03 * error)


def test_means_are_those_of_a_direct_loop():
    values = np.random.default_rng(0).normal(size=(7, 3))
    drawn = np.random.default_rng(5).integers(7, size=(40, 7))
    expected = [[np.mean([values[unit, k] for unit in row]) for k in range(3)] for row in drawn]
    np.testing.assert_allclose(Bootstrap(5, 40).means(values), expected, atol=1e-14)


def test_crossed_means_are_those_of_a_direct_loop():
    rng = np.random.default_rng(0)
    values, known = rng.normal(size=(6, 4, 2)), rng.random((6, 4)) < 0.7
    known[:, 3] = False  # nobody's column: as if it were not there
    values[~known] = np.nan
    bootstrap = Bootstrap(3, 50)
    of_videos, of_observers = np.random.default_rng(3).spawn(2)
    videos = [video for video in range(6) if known[video].any()]
    drawn_videos = of_videos.integers(len(videos), size=(50, len(videos)))
    drawn_observers = of_observers.integers(3, size=(50, 3))
    expected = []
    for rows, columns in zip(drawn_videos, drawn_observers, strict=True):
        means = []
        for video in (videos[row] for row in rows):
            cells = [values[video, observer] for observer in columns if known[video, observer]]
            if cells:
                means.append(np.mean(cells, axis=0))
        expected.append(np.mean(means, axis=0))
    np.testing.assert_allclose(bootstrap.crossed_means(values, known), expected, atol=1e-14)


def test_crossed_draws_vary_as_theory_says():
    # Of x = a[video] + b[observer], the mean varies by var(a) / V + var(b) / O.
    rng = np.random.default_rng(0)
    videos, observers = rng.normal(0, 2, 12), rng.normal(0, 3, 9)
    values = (videos[:, None] + observers)[..., None]
    means = Bootstrap(0, 20_000).crossed_means(values, np.ones((12, 9), bool))
    theory = videos.var() / 12 + observers.var() / 9
    assert means.var() == pytest.approx(theory, rel=0.05)
    alone = Bootstrap(0, 20_000).means(values.mean(axis=1))
    assert alone.var() == pytest.approx(videos.var() / 12, rel=0.05)


def test_intervals_cover():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(300):
        low, high = bootstrap_interval(rng.normal(1, 1, 40), 0, 500)
        hits += low <= 1 <= high
    assert 0.90 < hits / 300 < 0.98  # a percentile interval of 40 values covers somewhat below 95 %


def test_blocks_change_nothing(monkeypatch):
    values = np.random.default_rng(0).normal(size=(37, 5))
    cube, known = values.reshape(37, 5, 1), np.ones((37, 5), bool)
    bootstrap = Bootstrap(1, 300)

    def all_three():
        crossed = bootstrap.crossed_means(cube, known)
        return bootstrap.means(values), crossed, sign_flip_test(values, 1, 999)

    whole = all_three()
    monkeypatch.setattr(resampling, 'CELLS', 100)
    for small, large in zip(all_three(), whole, strict=True):
        np.testing.assert_allclose(small, large, atol=1e-15)


def test_a_column_alone_and_beside_others():
    values = np.random.default_rng(0).normal(0.2, 1, size=(20, 6))
    bootstrap = Bootstrap(4, 500)
    beside = bootstrap.interval(bootstrap.means(values))
    p = sign_flip_test(values, 4, 2000)
    for column in range(6):
        alone = bootstrap_interval(values[:, column], 4, 500)
        assert alone == pytest.approx((beside[0][column], beside[1][column]), abs=1e-12)
        assert sign_flip_test(values[:, [column]], 4, 2000)[0] == p[column]


def test_what_cannot_be_said_is_nan():
    bootstrap = Bootstrap()
    assert np.isnan(bootstrap.means(np.ones((1, 2)))).all()
    with_infinity = bootstrap.interval(bootstrap.means(np.array([[1, np.inf], [2, 0]])))
    assert np.isnan(with_infinity).tolist() == [[False, True]] * 2
    assert np.isnan(sign_flip_test(np.array([[np.inf, 1], [1, 1]]))).tolist() == [True, False]
    assert np.isnan(sign_flip_test(np.ones((0, 2)))).all()
    cube = np.ones((3, 4, 1))
    one_observer = np.zeros((3, 4), bool)
    one_observer[:, 2] = True
    assert np.isnan(bootstrap.crossed_means(cube, one_observer)).all()
    # Two cells on the diagonal: some draws hold none of them and are left out of the interval.
    diagonal = bootstrap.crossed_means(np.ones((2, 2, 1)), np.eye(2, dtype=bool))
    assert np.isnan(diagonal).mean() == pytest.approx(1 / 8, abs=0.03)
    np.testing.assert_allclose(bootstrap.interval(diagonal), [[1], [1]])


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(seed=-1), 'expected a seed of 0 or more, got -1'),
        (dict(resamples=0), 'expected resamples of at least 1, got 0'),
        (dict(confidence=95), 'expected a confidence between 0 and 1, got 95'),
    ],
)
def test_settings_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        Bootstrap(**options)
    with pytest.raises(ValueError, match='expected flips of at least 1, got 0'):
        sign_flip_test(np.ones((3, 1)), flips=0)


def test_fishers_example():
    assert sign_flip_test(DARWIN[:, None], flips=20_000)[0] == 2 * 863 / 32768
    # Too many patterns to try all: 9999 random ones, standard error 0.0022.
    drawn = sign_flip_test(DARWIN[:, None], flips=9999)[0]
    assert drawn == pytest.approx(2 * 863 / 32768, abs=0.01) and drawn != 2 * 863 / 32768


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-4, 4), min_size=1, max_size=8))
def test_sign_flips_against_all_patterns_one_by_one(differences):
    reached = [
        abs(sum(sign * d for sign, d in zip(signs, differences, strict=True)))
        >= abs(sum(differences))
        for signs in product((1, -1), repeat=len(differences))
    ]
    for scale in (1, 0.1, 1e6 / 3):  # rounding makes no tie fail
        p = sign_flip_test(scale * np.array(differences, float)[:, None])[0]
        assert p == np.mean(reached)


def test_sign_flips_against_scipy():
    rng = np.random.default_rng(0)
    for size in (3, 8, 12):
        values = rng.normal(0.4, 1, size)
        theirs = stats.permutation_test(
            (values,), np.mean, permutation_type='samples', n_resamples=np.inf
        )
        assert sign_flip_test(values[:, None])[0] == pytest.approx(theirs.pvalue, abs=1e-12)


@pytest.mark.parametrize('pairs', [1, 2, 5, 6, 14])
def test_the_least_p(pairs):
    # A difference that is always the same: only it and its mirror reach it.
    p = sign_flip_test(np.full((pairs, 2), [0.1, -3.0]))
    assert p.tolist() == [2.0 ** (1 - pairs)] * 2
    assert sign_flip_test(np.zeros((pairs, 1))) == 1


def test_random_flips_never_give_0():
    # None of 999 patterns of 40 signs is all of one sign; the observed one counts.
    assert sign_flip_test(np.ones((40, 1)), flips=999) == 1 / 1000


def test_p_is_uniform_where_there_is_no_difference():
    p = sign_flip_test(np.random.default_rng(0).normal(size=(30, 2000)), flips=999)
    for alpha in (0.01, 0.05, 0.5):
        assert (p <= alpha).mean() == pytest.approx(alpha, abs=3 * np.sqrt(alpha / 2000) + 0.001)
    assert p.min() >= 1 / 1000


def test_columns_that_go_together():
    values = np.array([[1, 2, np.nan, 4], [5, 6, 7, np.nan], [9, 10, 11, np.nan]])
    by_gaps = [(known.tolist(), columns.tolist()) for known, columns in columns_by_gaps(values)]
    assert by_gaps == [
        ([True, True, True], [0, 1]), ([False, True, True], [2]), ([True, False, False], [3]),
    ]  # fmt: skip
    values[0, 1] = np.nan
    by_count = [(part.T.tolist(), columns.tolist()) for part, columns in columns_by_count(values)]
    assert by_count == [([[4]], [3]), ([[6, 10], [7, 11]], [1, 2]), ([[1, 5, 9]], [0])]
