"""Squares of maps against convolutions and poolings of whole maps."""

import itertools

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
@given(cases())
def test_squares_are_cut_and_pasted(case):
    _, shape, size, corners = case
    squares = squares_at(corners, size, shape)
    maps, others = noise(len(corners), 2, *shape), noise(len(corners), 2, *shape, seed=1)
    found, pasted = squares.cut(maps), others.contiguous(memory_format=torch.channels_last)
    common = squares.cut(maps[:1])
    squares.paste(found, pasted)
    for number, corner in enumerate(corners):
        where = inside(corner, size, shape)
        torch.testing.assert_close(pasted[number][:, where], maps[number][:, where])
        torch.testing.assert_close(pasted[number][:, ~where], others[number][:, ~where])
        assert torch.equal(found[number], square_of(maps[number], corner, size))
        assert torch.equal(common[number], square_of(maps[0], corner, size))


def square_of(maps, corner, size):
    """Pixel by pixel, 0 outside: [C, H, W] -> [C, size, size]."""
    found = torch.zeros(len(maps), size, size, dtype=maps.dtype)
    for row, column in itertools.product(range(size), repeat=2):
        at = (corner[0] + row, corner[1] + column)
        if 0 <= at[0] < maps.shape[1] and 0 <= at[1] < maps.shape[2]:
            found[:, row, column] = maps[:, at[0], at[1]]
    return found


@settings(max_examples=100, deadline=None)
@given(cases(), st.integers(0, 3), st.integers(0, 3))
def test_squares_within_others(case, above, left):
    """Pasted into others that were cut out, they are where they are on the maps."""
    _, shape, size, corners = case
    squares = squares_at(corners, size, shape)
    rows, columns = squares.rows - above, squares.columns - left
    others = Squares(rows, columns, size + 2, shape)
    maps, changed = noise(len(corners), 2, *shape), noise(len(corners), 2, *shape, seed=1)
    found = others.cut(maps)
    squares.within(others).paste(squares.cut(changed), found)
    squares.paste(squares.cut(changed), maps := maps.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(found, others.cut(maps))


@settings(max_examples=100, deadline=None)
@given(cases())
def test_places_in_squares_are_places_on_maps(case):
    _, shape, size, corners = case
    squares = squares_at(corners, size, shape)
    places = torch.arange(size**2).view(1, 1, size, size).expand(len(corners), 2, -1, -1)
    found = squares.places_on_maps(places)
    for number, (top, left) in enumerate(corners):
        for row, column in itertools.product(range(size), repeat=2):
            at = (top + row, left + column)
            if 0 <= at[0] < shape[0] and 0 <= at[1] < shape[1]:
                assert found[number, 0, row, column] == at[0] * shape[1] + at[1]
    assert int(found.min()) >= 0 and int(found.max()) < shape[0] * shape[1]


def test_more_samples_are_filled_in():
    squares = squares_at([(1, 2), (3, 4)], 2, (9, 9)).filled(2)
    assert squares.rows.tolist() == [1, 3, 3, 3]
    assert squares.columns.tolist() == [2, 4, 4, 4]
    assert squares_at([(1, 2)], 2, (9, 9)).filled(0).rows.tolist() == [1]
