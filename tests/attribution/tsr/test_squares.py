"""Squares of maps against convolutions and poolings of whole maps."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from mmsal.attribution.tsr.squares import Sliding, Squares


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def squares_at(corners, size, shape):
    rows, columns = torch.tensor(corners).unbind(dim=1)
    return Squares(rows, columns, size, shape)


@st.composite
def cases(draw):
    """A map's shape, squares that reach into it, and a layer that slides over it."""
    kernel = draw(st.integers(1, 5))
    layer = Sliding(kernel, draw(st.integers(1, 3)), draw(st.integers(0, (kernel - 1) // 2)))
    height, width = draw(st.integers(kernel, 14)), draw(st.integers(kernel, 14))
    size = draw(st.integers(1, 6))
    corner = st.tuples(st.integers(1 - size, height - 1), st.integers(1 - size, width - 1))
    corners = draw(st.lists(corner, min_size=1, max_size=3))
    return layer, (height, width), size, corners


def inside(corner, size, shape):
    """bool [H, W]."""
    found = torch.zeros(shape, dtype=torch.bool)
    top, left = corner
    found[max(top, 0) : top + size, max(left, 0) : left + size] = True
    return found


@settings(max_examples=200, deadline=None)
@given(cases())
def test_all_that_a_layer_makes_of_a_square_is_found(case):
    layer, shape, size, corners = case
    weight = torch.ones(1, 1, layer.kernel, layer.kernel, dtype=torch.float64)
    out_shape = tuple(layer.length(length) for length in shape)
    after = squares_at(corners, size, shape).seen_by(layer, out_shape)
    for number, corner in enumerate(corners):
        changed = inside(corner, size, shape).double()
        reached = functional.conv2d(
            changed[None, None], weight, stride=layer.stride, padding=layer.padding
        )[0, 0]
        assert tuple(reached.shape) == out_shape
        where = (int(after.rows[number]), int(after.columns[number]))
        assert not bool((reached > 0)[~inside(where, after.size, out_shape)].any())
    # And little else: one row or column more than the most that a square can reach.
    assert after.size <= (size + layer.kernel - 2) // layer.stride + 1


@settings(max_examples=200, deadline=None)
@given(cases())
def test_a_layer_on_what_it_needs_makes_the_squares(case):
    layer, shape, size, corners = case
    maps, weight = noise(len(corners), 2, *shape), noise(3, 2, layer.kernel, layer.kernel, seed=1)
    whole = functional.conv2d(maps, weight, stride=layer.stride, padding=layer.padding)
    squares = squares_at(corners, size, tuple(whole.shape[2:]))
    needed = squares.needed_by(layer, shape).cut(maps)
    found = functional.conv2d(needed, weight, stride=layer.stride)
    torch.testing.assert_close(squares.clear_outside(found), squares.cut(whole))


@settings(max_examples=200, deadline=None)
@given(cases(), st.integers(0, 2))
def test_squares_are_cut_and_pasted(case, margin):
    _, shape, size, corners = case
    squares = squares_at(corners, size, shape).grown(margin)
    maps, others = noise(len(corners), 2, *shape), noise(len(corners), 2, *shape, seed=1)
    found, pasted = squares.cut(maps), others.contiguous(memory_format=torch.channels_last)
    common = squares.cut(maps[:1])
    squares.paste(found, pasted)
    for number, (top, left) in enumerate(corners):
        corner = (top - margin, left - margin)
        where = inside(corner, size + 2 * margin, shape)
        torch.testing.assert_close(pasted[number][:, where], maps[number][:, where])
        torch.testing.assert_close(pasted[number][:, ~where], others[number][:, ~where])
        for row in range(squares.size):
            for column in range(squares.size):
                at = (corner[0] + row, corner[1] + column)
                is_in = 0 <= at[0] < shape[0] and 0 <= at[1] < shape[1]
                expected = maps[number][:, at[0], at[1]] if is_in else torch.zeros(2).double()
                assert torch.equal(found[number, :, row, column], expected)
                expected = maps[0][:, at[0], at[1]] if is_in else torch.zeros(2).double()
                assert torch.equal(common[number, :, row, column], expected)


def test_more_samples_are_filled_in():
    squares = squares_at([(1, 2), (3, 4)], 2, (9, 9)).filled(2)
    assert squares.rows.tolist() == [1, 3, 3, 3]
    assert squares.columns.tolist() == [2, 4, 4, 4]
    assert squares_at([(1, 2)], 2, (9, 9)).filled(0).rows.tolist() == [1]
