"""Overlap with known truth against loops, SciPy and cases that can be told by hand."""

import itertools
import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import mannwhitneyu

from mmsal.metrics.overlap import euclidean_distance, jaccard, region_auc, weighted_jaccard

METRICS = (weighted_jaccard, euclidean_distance, jaccard, region_auc)
SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 5))
BOX = np.zeros((4, 5), bool)
BOX[:2, 1:4] = True  # 6 of 20


def scaled(saliency):
    low, high = saliency.min(), saliency.max()
    return [[(v - low) / (high - low) if high > low else 0.0 for v in row] for row in saliency]


def jaccard_by_loop(saliency, truth):
    least = most = 0.0
    for row, truths in zip(scaled(saliency), truth, strict=True):
        for value, true in zip(row, truths, strict=True):
            least += min(value, true)
            most += max(value, true)
    return least / most if most else math.nan


def distance_by_loop(saliency, truth):
    apart = norm = 0.0
    for row, truths in zip(scaled(saliency), truth, strict=True):
        for value, true in zip(row, truths, strict=True):
            apart += (value - true) ** 2
            norm += true**2
    return math.sqrt(apart) / math.sqrt(norm) if norm else math.nan


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_equal_loops(data):
    shape = data.draw(SHAPES)
    # Whole multiples of 1/64: no difference is lost to rounding.
    values = st.integers(-640, 640).map(lambda number: number / 64)
    saliency = data.draw(arrays(np.float64, shape, elements=values))
    truth = data.draw(arrays(np.float64, shape, elements=st.sampled_from([0, 0.25, 1])))
    jaccard, distance = jaccard_by_loop(saliency, truth), distance_by_loop(saliency, truth)
    assert weighted_jaccard(saliency, truth) == pytest.approx(jaccard, nan_ok=True)
    assert euclidean_distance(saliency, truth) == pytest.approx(distance, nan_ok=True)


@settings(max_examples=30, deadline=None)
@given(arrays(np.float64, (3, 4), elements=st.integers(0, 99).map(float)), st.integers(-9, 9))
def test_scale_and_offset_do_not_count(saliency, power):
    other = saliency * 2.0**power + 3
    for metric in METRICS:
        assert metric(other, BOX[:3, :4]) == pytest.approx(metric(saliency, BOX[:3, :4]))


def auc_by_loop(saliency, truth):
    inside, outside = saliency[truth].tolist(), saliency[~truth].tolist()
    pairs = [(a > b) + (a == b) / 2 for a in inside for b in outside]
    return sum(pairs) / len(pairs) if pairs else math.nan


def top_jaccard_by_sets(saliency, truth):
    """Mean hits over all ways to break ties at the last rank, by drawing one place at a time."""
    places = sorted(range(saliency.size), key=lambda n: -saliency.flat[n])
    box = {n for n in range(saliency.size) if truth.flat[n]}
    if not box:
        return math.nan
    least = saliency.flat[places[len(box) - 1]]
    sure = {n for n in places if saliency.flat[n] > least}
    tied = {n for n in places if saliency.flat[n] == least}
    ways = itertools.combinations(tied, len(box) - len(sure))
    hits = statistics.mean(len(box & (sure | set(way))) for way in ways)
    return hits / (2 * len(box) - hits)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_measures_of_order_equal_loops(data):
    shape = data.draw(st.tuples(st.integers(1, 3), st.integers(1, 4)))
    saliency = data.draw(arrays(np.float64, shape, elements=st.integers(0, 4).map(float)))
    truth = data.draw(arrays(bool, shape))
    assert jaccard(saliency, truth) == pytest.approx(
        top_jaccard_by_sets(saliency, truth), nan_ok=True
    )
    assert region_auc(saliency, truth) == pytest.approx(auc_by_loop(saliency, truth), nan_ok=True)


def test_area_is_that_of_the_rank_sum_test():
    generator = np.random.default_rng(3)
    saliency, truth = generator.random((20, 30)) ** 40, generator.random((20, 30)) < 0.3
    statistic = mannwhitneyu(saliency[truth], saliency[~truth]).statistic
    expected = statistic / truth.sum() / (~truth).sum()
    assert region_auc(saliency, truth) == pytest.approx(expected)


def test_values_that_stretching_would_tie_keep_their_order():
    saliency = np.array([[3e-30, 2e-30, 1e-30, 1.0, -1.0]])
    truth = np.array([[1, 1, 0, 0, 0]])
    assert region_auc(saliency, truth) == pytest.approx(2 / 3)
    assert jaccard(saliency, truth) == pytest.approx(1 / 3)


def test_chance_levels_of_measures_of_order():
    generator = np.random.default_rng(4)
    saliency, truth = generator.random((400, 10, 10)), np.zeros((400, 10, 10), bool)
    truth[:, :3, 1:9] = True
    assert region_auc(saliency, truth).mean() == pytest.approx(0.5, abs=0.01)
    assert jaccard(saliency, truth).mean() == pytest.approx(0.24 / 1.76, abs=0.01)
    flat = np.ones((10, 10))
    assert region_auc(flat, truth[0]) == 0.5
    assert jaccard(flat, truth[0]) == pytest.approx(0.24 / 1.76)


CASES = {
    # name: (saliency, Jaccard, distance)
    'perfect': (BOX * 7.0, 1, 0),
    'the opposite': (~BOX * 1.0, 0, math.sqrt(20 / 6)),
    'blank': (np.full(BOX.shape, 2.0), 0, 1),
    'one place in the box': (np.eye(20)[1].reshape(4, 5), 1 / 6, math.sqrt(5 / 6)),
    'one place outside': (np.eye(20)[0].reshape(4, 5), 0, math.sqrt(7 / 6)),
    'half the box full, half of it at a half': (
        BOX * np.array([[1.0], [0.5], [0], [0]]), 4.5 / 6, math.sqrt(3 / 4 / 6),
    ),
    'very small values': (BOX * 1e-30, 1, 0),
}  # fmt: skip


@pytest.mark.parametrize(('saliency', 'jaccard', 'distance'), CASES.values(), ids=CASES)
def test_known_cases(saliency, jaccard, distance):
    assert weighted_jaccard(saliency, BOX) == pytest.approx(jaccard)
    assert euclidean_distance(saliency, BOX) == pytest.approx(distance, abs=1e-12)


@pytest.mark.parametrize('metric', METRICS)
def test_a_stack_gives_one_number_per_map(metric):
    generator = np.random.default_rng(0)
    saliency = generator.random((6, 4, 5)) * np.logspace(-20, 3, 6)[:, None, None]
    truth = generator.random((6, 4, 5)) < 0.4
    together = metric(saliency.astype(np.float32), truth)
    assert together.shape == (6,)
    for one, mask, found in zip(saliency, truth, together, strict=True):
        assert found == pytest.approx(metric(one, mask), rel=1e-5)
        assert isinstance(metric(one, mask), float)
    truth[2] = False
    holes = np.isnan(metric(saliency, truth))
    assert holes.tolist() == [metric is not weighted_jaccard and n == 2 for n in range(6)]


def test_undefined_is_nan():
    nothing = np.zeros((2, 2))
    assert math.isnan(weighted_jaccard(nothing, nothing))
    assert math.isnan(euclidean_distance(nothing, nothing))
    assert math.isnan(jaccard(nothing, nothing))
    assert math.isnan(region_auc(nothing, nothing))
    assert math.isnan(region_auc(nothing, nothing + 1))
    assert jaccard(nothing, nothing + 1) == 1


BAD = {
    'shapes': (np.zeros((2, 3)), np.zeros((3, 2)), r'\[2, 3\], got \[3, 2\]'),
    'a vector': (np.zeros(3), np.zeros(3), r'maps \[T, D\]'),
    'nothing': (np.zeros((0, 3)), np.zeros((0, 3)), r'maps \[T, D\]'),
    'nan': (np.full((2, 2), np.nan), np.zeros((2, 2)), 'finite'),
    'infinite': (np.array([[1, np.inf]]), np.zeros((1, 2)), 'finite'),
    'truth above 1': (np.zeros((2, 2)), np.full((2, 2), 2), 'truth from 0 to 1'),
    'truth nan': (np.zeros((2, 2)), np.full((2, 2), np.nan), 'truth from 0 to 1'),
}  # fmt: skip


@pytest.mark.parametrize('metric', METRICS)
@pytest.mark.parametrize(('saliency', 'truth', 'words'), BAD.values(), ids=BAD)
def test_bad_input(metric, saliency, truth, words):
    with pytest.raises(ValueError, match=words):
        metric(saliency, truth)


@pytest.mark.parametrize('metric', [jaccard, region_auc])
def test_measures_of_order_need_places_that_are_true_or_not(metric):
    with pytest.raises(ValueError, match='0 and 1'):
        metric(np.zeros((2, 2)), np.full((2, 2), 0.5))
