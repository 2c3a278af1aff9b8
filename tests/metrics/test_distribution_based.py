"""CC and SIM against loops over their published definitions (Bylinskii et al., 1604.03605)."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from mmsal.metrics import CONVENTIONS, cc, similarity

METRICS = (cc, similarity)
NAN = math.nan


def cc_by_loop(first: np.ndarray, second: np.ndarray) -> float:
    """Covariance divided by the product of standard deviations."""
    pairs = list(zip(first.ravel().tolist(), second.ravel().tolist(), strict=True))
    means = [math.fsum(values) / len(pairs) for values in zip(*pairs, strict=True)]
    covariance = math.fsum((a - means[0]) * (b - means[1]) for a, b in pairs)
    spreads = [math.fsum((pair[i] - means[i]) ** 2 for pair in pairs) for i in (0, 1)]
    return covariance / math.sqrt(spreads[0] * spreads[1])


def sim_by_loop(first: np.ndarray, second: np.ndarray, stretch: bool) -> float:
    """Sum over pixels of the smaller of the two densities."""
    densities = []
    for one in (first, second):
        values = one.ravel().tolist()
        if stretch:
            low, high = min(values), max(values)
            values = [(value - low) / (high - low) for value in values]
        total = math.fsum(values)
        densities.append([value / total for value in values])
    return math.fsum(min(pair) for pair in zip(*densities, strict=True))


def random_maps(seed: int, shape=(7, 9)) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    first = random.gamma(0.5, size=shape)
    return first, 0.5 * first + random.gamma(0.5, size=shape)


@pytest.mark.parametrize('seed', range(5))
def test_equals_the_definition(seed):
    first, second = random_maps(seed)
    expected = cc_by_loop(first, second)
    assert 0.1 < expected < 0.9
    for convention in CONVENTIONS:
        assert cc(first, second, convention) == pytest.approx(expected, abs=1e-12)
        stretched = convention == 'mit'
        sim = sim_by_loop(first, second, stretched)
        assert similarity(first, second, convention) == pytest.approx(sim, abs=1e-12)
    assert cc(first, second) == pytest.approx(np.corrcoef(first.ravel(), second.ravel())[0, 1])


def test_by_hand():
    first, second = np.array([[3.0, 1.0]]), np.array([[1.0, 3.0]])
    assert cc(first, second) == pytest.approx(-1)
    assert similarity(first, second, 'tuebingen') == pytest.approx(0.25 + 0.25)
    assert similarity(first, second, 'mit') == 0  # stretched, they are (1, 0) and (0, 1)
    third = np.array([[1.0, 1.0, 2.0, 4.0]])
    fourth = np.array([[2.0, 1.0, 1.0, 4.0]])
    assert similarity(third, fourth, 'tuebingen') == pytest.approx(7 / 8)
    assert similarity(third, fourth, 'mit') == pytest.approx(3 / 4)  # (0 0 1 3)/4 and (1 0 0 3)/4


FLAT, EMPTY, BUMP = np.full((2, 2), 3.0), np.zeros((2, 2)), np.array([[1.0, 0.0], [0.0, 3.0]])
UNDEFINED = {  # (metric, convention): values of (FLAT, BUMP), (BUMP, FLAT), (EMPTY, BUMP), ...
    (cc, 'mit'): (NAN, NAN, NAN, NAN, NAN),
    (cc, 'tuebingen'): (0, NAN, 0, NAN, NAN),
    (similarity, 'mit'): (NAN, NAN, NAN, NAN, NAN),
    # A flat or empty map is uniform: 1/4 each, of BUMP's 1/4, 0, 0 and 3/4.
    (similarity, 'tuebingen'): (0.5, 0.5, 0.5, 0.5, 1),
}


@pytest.mark.parametrize(('metric', 'convention'), UNDEFINED)
def test_constant_maps(metric, convention):
    pairs = [(FLAT, BUMP), (BUMP, FLAT), (EMPTY, BUMP), (BUMP, EMPTY), (FLAT, EMPTY)]
    values = [metric(*pair, convention) for pair in pairs]
    np.testing.assert_array_equal(values, UNDEFINED[metric, convention])


def test_a_constant_that_float64_cannot_average():
    """The mean of 0.1 over 63 pixels is not 0.1; the map is constant all the same."""
    flat, other = np.full((7, 9), 0.1), random_maps(0)[0]
    assert flat.std() > 0
    for convention, expected in (('mit', NAN), ('tuebingen', 0)):
        np.testing.assert_equal(cc(flat, other, convention), expected)
        np.testing.assert_equal(cc(other, flat, convention), NAN)


sizes = array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=6)
levels = st.integers(0, 1000).map(lambda number: number / 8)
pairs = sizes.flatmap(
    lambda size: st.tuples(*[arrays(np.float64, size, elements=levels)] * 2)
).filter(lambda pair: all(np.ptp(one) > 0 for one in pair))
quick = settings(max_examples=60, deadline=None)


def values_of(first: np.ndarray, second: np.ndarray) -> list[float]:
    return [metric(first, second, way) for metric in METRICS for way in CONVENTIONS]


@quick
@given(pair=pairs)
def test_range_and_symmetry(pair):
    values = values_of(*pair)
    assert all(-1 <= value <= 1 for value in values[:2])
    assert all(0 <= value <= 1 for value in values[2:])
    np.testing.assert_allclose(values, values_of(*pair[::-1]), atol=1e-12)


@quick
@given(pair=pairs)
def test_a_map_is_most_like_itself(pair):
    np.testing.assert_allclose(values_of(pair[0], pair[0]), 1)
    assert cc(pair[0], pair[0].max() - pair[0]) == pytest.approx(-1)


@quick
@given(pair=pairs, scale=st.floats(1e-200, 1e200))
def test_scale_changes_nothing(pair, scale):
    scaled = values_of(scale * pair[0], pair[1] / 3)
    np.testing.assert_allclose(scaled, values_of(*pair), atol=1e-9)


@quick
@given(pair=pairs, offset=st.floats(0, 100))
def test_an_offset_changes_only_tuebingens_sim(pair, offset):
    shifted, values = values_of(pair[0] + offset, pair[1]), values_of(*pair)
    np.testing.assert_allclose(shifted[:3], values[:3], atol=1e-9)
    expected = sim_by_loop(pair[0] + offset, pair[1], stretch=False)
    assert shifted[3] == pytest.approx(expected, abs=1e-9)


@quick
@given(pair=pairs, data=st.data())
def test_where_pixels_lie_changes_nothing(pair, data):
    order = data.draw(st.permutations(range(pair[0].size)))
    moved = [one.ravel()[order].reshape(one.shape) for one in pair]
    np.testing.assert_allclose(values_of(*moved), values_of(*pair), atol=1e-12)


@pytest.mark.parametrize('convention', CONVENTIONS)
@pytest.mark.parametrize('metric', METRICS)
def test_a_stack_is_map_by_map(metric, convention):
    stacks = random_maps(1, (4, 7, 9))
    stacks[1][2] = 5  # undefined there, and nowhere else
    values = metric(*stacks, convention)
    assert values.shape == (4,) and values.dtype == np.float64
    single = [metric(*maps, convention) for maps in zip(*stacks, strict=True)]
    assert all(isinstance(value, float) for value in single)
    np.testing.assert_array_equal(values, single)
    assert np.isnan(values).tolist() == [False, False, values[2] != values[2], False]


@pytest.mark.parametrize('convention', CONVENTIONS)
@pytest.mark.parametrize('metric', METRICS)
def test_only_seen_pixels_count(metric, convention):
    maps = random_maps(2, (3, 7, 9))
    seen = np.zeros((7, 9), bool)
    seen[2:6, 1:5] = True
    expected = metric(*(one[:, 2:6, 1:5] for one in maps), convention)
    spoilt = [np.where(seen, one, filler) for one, filler in zip(maps, (np.nan, -9), strict=True)]
    np.testing.assert_allclose(metric(*spoilt, convention, seen), expected, atol=1e-12)
    assert np.abs(metric(*maps, convention) - expected).max() > 0.01


@pytest.mark.parametrize('kind', [np.float32, np.float16, np.uint8, bool])
def test_types(kind):
    first, second = ((10 * (one > 0.4) * one).astype(kind) for one in random_maps(3))
    assert first.dtype == kind and np.ptp(first.astype(float)) > 0
    for metric in METRICS:
        value = metric(first, second)
        assert value == metric(first.astype(float), second.astype(float))


GOOD = np.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize(
    ('first', 'second', 'options', 'fault'),
    [
        (GOOD, GOOD, {'convention': 'MIT'}, "convention mit or tuebingen, got 'MIT'"),
        (GOOD, GOOD.T, {}, r'reference of shape \(2, 3\), as saliency, got \(3, 2\)'),
        (GOOD[0], GOOD[0], {}, r'got \(3,\)'),
        (GOOD[None, None], GOOD[None, None], {}, r'got \(1, 1, 2, 3\)'),
        (GOOD[:0], GOOD[:0], {}, r'none of 0, got \(0, 3\)'),
        (GOOD * np.nan, GOOD, {}, 'finite values in saliency'),
        (GOOD, np.where(GOOD == 2, np.inf, GOOD), {}, 'finite values in reference'),
        (GOOD.astype(complex), GOOD, {}, 'saliency of a real type, got complex128'),
        (GOOD, GOOD.astype(str), {}, 'reference of a real type, got <U'),
        (GOOD, GOOD, {'seen': np.ones((3, 2), bool)}, r'seen as bool \(2, 3\), got bool \(3, 2\)'),
        (GOOD, GOOD, {'seen': np.ones((2, 3))}, 'got float64'),
        (GOOD, GOOD, {'seen': np.zeros((2, 3), bool)}, 'at least one pixel, got none'),
    ],
)
def test_bad_input(first, second, options, fault):
    for metric in METRICS:
        with pytest.raises(ValueError, match=fault):
            metric(first, second, **options)


@pytest.mark.parametrize('convention', CONVENTIONS)
def test_negative_values_have_no_similarity(convention):
    for pair in ((GOOD - 1, GOOD), (GOOD, GOOD - 1)):
        with pytest.raises(ValueError, match='without negative values for SIM, got -1'):
            similarity(*pair, convention)
    assert cc(GOOD - 1, GOOD, convention) == pytest.approx(1)
