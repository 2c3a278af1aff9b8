"""NSS and information gain against pysaliency's source and MIT's formula."""

import math
from fractions import Fraction

import numpy as np
import pytest

from mmsal.metrics import information_gain, nss
from mmsal.metrics.maps import BLOCK

from . import oracle
from .scenes import SIZE, as_map, random_scene

PYSALIENCY = oracle.pysaliency_module('metrics.py')


@pytest.mark.parametrize('kind', [np.float64, np.float32, np.int16, np.uint8])
@pytest.mark.parametrize('fixations', [1, 30])
def test_nss_is_the_published_one(kind, fixations):
    scene = random_scene(fixations, fixations=fixations, levels=60)
    saliency, points = scene['saliency'].astype(kind), scene['fixations']
    expected = PYSALIENCY.NSS(saliency, *points.T).mean()
    assert nss(saliency, points, 'tuebingen') == pytest.approx(expected, abs=1e-12)
    expected = oracle.nss_by_mit(saliency.astype(float), as_map(points))
    assert nss(saliency, points) == pytest.approx(expected, abs=1e-12)


def test_nss_by_hand():
    saliency, points = np.array([[1.0, 2.0, 3.0]]), np.array([[2.9, 0.1], [2.0, 0.0], [1.5, 0.5]])
    assert nss(saliency, points) == pytest.approx(0.5)  # (1 + 0) / 2, in units of 1
    assert nss(saliency, points, 'tuebingen') == pytest.approx(2 / 3 / math.sqrt(2 / 3))


@pytest.mark.parametrize('kind', [np.float64, np.float32])
@pytest.mark.parametrize('offset', [0, -0.4, 2, 30, 1e5])
def test_nss_far_from_zero(offset, kind):
    """However small the deviations are beside the mean, in maps of several pieces."""
    random = np.random.default_rng(0)
    saliency = (random.random((3, BLOCK // 2 - 7)) + offset).astype(kind)
    points = np.array([[4, 0], [16_000, 1], [16_000, 1], [90, 2]])
    values = [Fraction(value) for value in saliency.ravel().tolist()]
    mean = sum(values) / len(values)
    power = float(sum((value - mean) ** 2 for value in values))
    above = [float(Fraction(saliency[y, x].item()) - mean) for x, y in points.tolist()]
    expected = np.mean(above) / math.sqrt(power / len(values))
    # The mean is a float64, whose last digit is 1e-11 at 1e5.
    assert nss(saliency, points, 'tuebingen') == pytest.approx(
        expected, abs=1e-15 * (1000 + offset)
    )
    expected = (above[0] + above[1] + above[3]) / 3 / math.sqrt(power / (len(values) - 1))
    assert nss(saliency, points) == pytest.approx(expected, abs=1e-15 * (1000 + offset))


def test_a_constant_map_has_no_standard_deviation():
    """Its mean in float64 is not 0.1, and its standard deviation above 0."""
    flat, points = np.full((7, 9), 0.1), np.array([[1, 1]])
    assert flat.std() > 0
    assert math.isnan(nss(flat, points))
    assert nss(flat, points, 'tuebingen') == 0


@pytest.mark.parametrize('minimum_value', [0.0, 0.3])
@pytest.mark.parametrize('fixations', [1, 30])
def test_gain_is_pysaliencys(fixations, minimum_value):
    scene = random_scene(fixations, fixations=fixations)
    parts = scene['saliency'], scene['fixations'], scene['baseline']
    expected = oracle.gain_by_pysaliency(PYSALIENCY, *parts, minimum_value)
    added = minimum_value * parts[0].size
    found = information_gain(*parts, uniform_share=added / (parts[0].sum() + added))
    assert found == pytest.approx(expected, abs=1e-12) and abs(found) > 0.1


def test_gain_by_hand():
    saliency, baseline = np.array([[1.0, 3.0]]), np.array([[5.0, 5.0]])
    assert information_gain(saliency, np.array([[1, 0]]), baseline) == pytest.approx(math.log2(1.5))
    both = np.array([[1, 0], [0, 0]])
    expected = (math.log2(1.5) - 1) / 2
    assert information_gain(saliency, both, baseline) == pytest.approx(expected)
    assert information_gain(baseline, both, saliency) == pytest.approx(-expected)


def test_the_expected_gain_of_the_truth_is_its_divergence():
    """Weighted by how often each pixel is fixated, IG of the density is KL(density, baseline)."""
    random = np.random.default_rng(0)
    density, baseline = random.gamma(1, size=(2, 4, 5))
    points = [(x, y) for y in range(4) for x in range(5)]
    gains = [information_gain(density, np.array([point]), baseline) for point in points]
    p, b = ((one / one.sum()).ravel() for one in (density, baseline))
    assert p @ gains == pytest.approx((p * np.log2(p / b)).sum())
    assert b @ gains == pytest.approx(-(b * np.log2(b / p)).sum())


def test_densities_of_zero():
    empty, left, points = np.zeros((1, 2)), np.array([[1.0, 0.0]]), np.array([[1, 0]])
    assert information_gain(left, points, empty) == -math.inf
    assert information_gain(empty, points, left) == math.inf  # 0 everywhere stands for uniform
    assert information_gain(empty, points, empty) == 0
    assert math.isnan(information_gain(left, points, left))
    assert information_gain(left, points, empty, uniform_share=0.25) == pytest.approx(-2)
    assert information_gain(left, points, empty, uniform_share=1) == 0


def test_without_fixations():
    saliency, nothing = np.eye(3), np.empty((0, 2))
    assert math.isnan(information_gain(saliency, nothing, saliency))
    for flat in (saliency, saliency * 0):
        assert all(math.isnan(nss(flat, nothing, way)) for way in ('mit', 'tuebingen'))


@pytest.mark.parametrize(
    ('saliency', 'baseline', 'share', 'fault'),
    [
        (-np.eye(3), np.eye(3), 0, 'without negative values for IG, got -1'),
        (np.eye(3), -np.eye(3), 0, 'without negative values for IG, got -1'),
        (np.eye(3), np.eye(2), 0, r'baseline of shape \(3, 3\), as saliency, got \(2, 2\)'),
        (np.eye(3), np.eye(3), -0.1, 'uniform_share from 0 to 1, got -0.1'),
        (np.eye(3), np.eye(3), math.nan, 'uniform_share from 0 to 1, got nan'),
        (np.eye(3), np.full((3, 3), math.inf), 0, 'finite values in baseline'),
    ],
)
def test_bad_densities(saliency, baseline, share, fault):
    with pytest.raises(ValueError, match=fault):
        information_gain(saliency, np.array([[1, 1]]), baseline, share)


def test_one_baseline_serves_a_stack():
    scene = random_scene(1)
    stack = np.stack([scene['saliency'], scene['density']])
    points = [scene['fixations']] * 2
    found = information_gain(stack, points, scene['baseline'])
    each = [information_gain(one, points[0], scene['baseline']) for one in stack]
    np.testing.assert_array_equal(found, each)
    np.testing.assert_array_equal(
        found, information_gain(stack, points, np.stack([scene['baseline']] * 2))
    )
    assert stack.shape == (2, *SIZE)
