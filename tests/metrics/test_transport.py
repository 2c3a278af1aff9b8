"""EMD against the transport problem written out as a linear program, and by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mmsal.metrics import emd

from . import oracle

maps = arrays(np.float64, (3, 4), elements=st.integers(0, 20).map(float)).filter(np.any)
quick = settings(max_examples=40, deadline=None)


@quick
@given(first=maps, second=maps)
def test_equals_a_linear_program(first, second):
    assert emd(first, second, cell=1) == pytest.approx(oracle.emd_by_program(first, second))


@quick
@given(first=maps, second=maps, scale=st.floats(1e-5, 1e5))
def test_a_distance(first, second, scale):
    value = emd(first, second, cell=1)
    assert value == pytest.approx(emd(second, first, cell=1), abs=1e-9)
    assert value == pytest.approx(emd(first[::-1], second[::-1], cell=1), abs=1e-9)
    assert value == pytest.approx(emd(first * scale, second, cell=1), abs=1e-9)
    assert (value == 0) == np.allclose(first / first.sum(), second / second.sum())
    assert emd(first, first * 3, cell=1) == pytest.approx(0, abs=1e-9)


def test_by_hand():
    """A dot that moves by three cells to the right and four down, in a picture of uneven size."""
    first, second = np.zeros((2, 170, 130))
    first[3, 5] = 8
    second[3 + 4 * 32, 5 + 3 * 32] = 0.5
    assert emd(first, second) == pytest.approx(5)
    second[0, 0] = 0.5
    assert emd(first, second) == pytest.approx(2.5)
    second[0, 0], second[169, 129] = 0, 0.5  # a corner of the last cells, which are smaller
    assert emd(first, second) == pytest.approx((5 + math.hypot(4, 5)) / 2)


def test_within_a_cell_nothing_moves():
    first, second = np.zeros((2, 64, 64))
    first[0, 0], second[31, 31] = 1, 1
    assert emd(first, second) == 0
    assert emd(first, second, cell=31) == pytest.approx(math.sqrt(2))
    assert emd(first, second, cell=1) == pytest.approx(31 * math.sqrt(2))


def test_undefined_seen_and_stacks():
    random = np.random.default_rng(0)
    stacks = random.random((2, 3, 40, 70))
    stacks[1, 2] = 0
    values = emd(*stacks, cell=10)
    assert np.isnan(values).tolist() == [False, False, True]
    single = [emd(*pair, cell=10) for pair in zip(*stacks, strict=True)]
    np.testing.assert_array_equal(values, single)
    seen = np.zeros((40, 70), bool)
    seen[10:30, 20:50] = True
    spoilt = np.where(seen, stacks[:, :2], np.nan)
    cropped = emd(*stacks[:, :2, 10:30, 20:50], cell=10)
    np.testing.assert_allclose(emd(*spoilt, seen, cell=10), cropped)
    assert np.abs(values[:2] - cropped).min() > 0.001


@pytest.mark.parametrize('cell', [0, -1, 2.5, True, '32'])
def test_bad_cells(cell):
    with pytest.raises(ValueError, match='expected cell as a whole number of 1 or more pixels'):
        emd(np.eye(3), np.eye(3), cell=cell)


def test_negative_mass():
    with pytest.raises(ValueError, match='without negative values for EMD, got -1'):
        emd(np.eye(3) - 1, np.eye(3))
