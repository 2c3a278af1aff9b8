"""CC, SIM and KLD against pysaliency's source and MIT's formulas."""

import math
from fractions import Fraction

import numpy as np
import pytest

from mmsal.metrics import cc, kl_divergence, similarity
from mmsal.metrics.maps import BLOCK

from . import oracle
from .scenes import random_scene

pytestmark = pytest.mark.filterwarnings('ignore:divide by zero encountered in log')  # pysaliency's
PYSALIENCY = oracle.pysaliency_module('metrics.py')


@pytest.mark.parametrize('kind', [np.float64, np.float32, np.uint8])
@pytest.mark.parametrize('seed', range(3))
def test_equal_the_published_codes(seed, kind):
    scene = random_scene(seed)
    saliency, reference = (
        (255 * scene[name] / scene[name].max()).astype(kind) for name in ('saliency', 'density')
    )
    pair = saliency.astype(float), reference.astype(float)
    expected = {
        (cc, 'tuebingen'): PYSALIENCY.CC(*pair),
        (cc, 'mit'): PYSALIENCY.CC(*pair),
        (similarity, 'tuebingen'): PYSALIENCY.SIM(*pair),
        (similarity, 'mit'): oracle.sim_by_mit(*pair),
        (kl_divergence, 'tuebingen'): PYSALIENCY.MIT_KLDiv(*pair),
        (kl_divergence, 'mit'): oracle.kld_by_mit(*pair),
    }
    for (metric, way), value in expected.items():
        # MATLAB's eps is not 2.2204e-16 to all digits, which pixels without saliency show.
        tolerance = 3e-5 if metric is kl_divergence and way == 'mit' else 1e-11
        assert metric(saliency, reference, way) == pytest.approx(value, abs=tolerance)
        assert abs(value) > 0.1


def test_divergence_by_hand():
    saliency, reference = np.array([[1.0, 3.0]]), np.array([[2.0, 2.0]])
    expected = 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)
    reverse = 0.25 * math.log(0.25 / 0.5) + 0.75 * math.log(0.75 / 0.5)
    for way in ('mit', 'tuebingen'):
        assert kl_divergence(saliency, reference, way) == pytest.approx(expected)
        assert kl_divergence(reference, saliency, way) == pytest.approx(reverse)
    missed = kl_divergence(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]))
    assert missed == pytest.approx(-math.log(2.2204e-16))


def divergence_by_loop(saliency: np.ndarray, reference: np.ndarray) -> float:
    """The formula in whole digits, but for the logarithm."""
    first, second = ([Fraction(v) for v in one.ravel().tolist()] for one in (saliency, reference))
    totals, eps = (sum(first), sum(second)), Fraction(2.2204e-16)
    shares = ((s / totals[0], r / totals[1]) for s, r in zip(first, second, strict=True))
    return math.fsum(float(r) * math.log(eps + r / (s + eps)) for s, r in shares)


@pytest.mark.parametrize('scales', [(1, 1), (1e90, 1e-90), (1e-90, 1e90), (1e-250, 1e200)])
@pytest.mark.parametrize('kind', [np.float64, np.float32])
def test_divergence_to_all_digits(kind, scales):
    """Maps of several pieces with zeros in either, in units far apart."""
    random = np.random.default_rng(0)
    # The last piece is short; stretches without saliency, without reference, and without both.
    maps = random.gamma(0.5, size=(2, 3, BLOCK // 2 - 7)).astype(kind)
    maps[0, 0, :90], maps[1, 0, 60:5000] = 0, 0
    saliency, reference = (
        one.astype(float) * scale for one, scale in zip(maps, scales, strict=True)
    )
    if scales == (1, 1):
        saliency, reference = maps
    before = saliency.copy(), reference.copy()
    expected = divergence_by_loop(saliency, reference)
    assert kl_divergence(saliency, reference) == pytest.approx(expected, abs=1e-12)
    np.testing.assert_array_equal([saliency, reference], before)  # they are not written to


def test_empty_maps():
    empty, bump = np.zeros((2, 2)), np.array([[1.0, 0.0], [0.0, 3.0]])
    for pair in ((empty, bump), (bump, empty), (empty, empty)):
        assert math.isnan(kl_divergence(*pair))
        expected = PYSALIENCY.MIT_KLDiv(*(one.copy() for one in pair))
        assert kl_divergence(*pair, 'tuebingen') == pytest.approx(expected, abs=1e-12)
    flat = np.full((2, 2), 7.0)
    uniform = kl_divergence(empty, bump, 'tuebingen')
    assert kl_divergence(flat, bump, 'mit') == pytest.approx(uniform, abs=1e-14)
    np.testing.assert_array_equal(
        kl_divergence(np.stack([bump, empty]), np.stack([bump + 1, bump])) > 0, [True, False]
    )


@pytest.mark.parametrize('way', ['mit', 'tuebingen'])
def test_negative_values_have_no_divergence(way):
    for pair in ((np.eye(2) - 1, np.eye(2)), (np.eye(2), np.eye(2) - 1)):
        with pytest.raises(ValueError, match='without negative values for KLD, got -1'):
            kl_divergence(*pair, way)
