"""Fixation maps and densities, against direct loops and SciPy's Gaussian filter."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage, stats

from mmsal.gaze import (
    GazeFormatError,
    area_shares,
    cell_density,
    fixation_density,
    fixation_map,
    fixations_in_intervals,
    frame_intervals,
    pixels_per_degree,
    window_intervals,
)


def table(*times):
    return pd.DataFrame(times, columns=['start_s', 'end_s'], dtype=float)


def test_a_fixation_is_in_every_frame_that_it_overlaps():
    starts, ends = frame_intervals(np.arange(5) * 0.04)
    frames, rows = fixations_in_intervals(
        table((0.05, 0.09), (0.0, 0.04), (0.3, 0.4)), starts, ends
    )
    assert frames.tolist() == [0, 1, 2]  # the second ends as frame 1 begins; the third is after all
    assert rows.tolist() == [1, 0, 0]


def test_timestamps_of_single_precision_change_nothing():
    starts, ends = frame_intervals(np.arange(1000) / 30)
    fixations = table(*((first / 30, (first + 7) / 30) for first in range(0, 900, 7)))
    exact = fixations_in_intervals(fixations, starts, ends)
    rounded = np.float32(starts), np.append(np.float32(starts[1:]), ends[-1])
    np.testing.assert_array_equal(exact, fixations_in_intervals(fixations, *rounded))
    assert np.bincount(exact[1]).tolist() == [7] * len(fixations)


def test_a_fixation_without_duration_is_where_it_begins():
    starts, ends = frame_intervals([0.0, 0.5, 1.0])
    frames, rows = fixations_in_intervals(table((0.5, 0.5), (0.7, 0.7)), starts, ends)
    assert (frames.tolist(), rows.tolist()) == ([1, 1], [0, 1])


def test_frames_that_were_not_sampled_show_nothing():
    starts, ends = frame_intervals([0.0, 0.2], frame_indices=[0, 5])
    assert ends == pytest.approx([0.04, 0.24])
    frames, _ = fixations_in_intervals(table((0.1, 0.15)), starts, ends)
    assert not len(frames)


times = st.floats(-1, 6).map(lambda value: round(value, 3))


@given(
    st.lists(st.tuples(times, st.floats(0, 3).map(lambda value: round(value, 3))), max_size=8),
    st.lists(st.floats(0.01, 0.9), min_size=2, max_size=8),
)
def test_intervals_equal_a_direct_loop_at_a_varying_rate(fixations, steps):
    starts, ends = frame_intervals(np.cumsum([0.0, *steps]))
    fixations = [(start, start + lasting) for start, lasting in fixations]
    frames, rows = fixations_in_intervals(table(*fixations), starts, ends)
    expected = [
        (frame, row)
        for frame in range(len(starts))
        for row, (start, end) in enumerate(fixations)
        if (
            starts[frame] <= start < ends[frame]
            if end - start <= 2e-3
            else start + 1e-3 < ends[frame] and end - 1e-3 > starts[frame]
        )
    ]
    assert list(zip(frames.tolist(), rows.tolist(), strict=True)) == expected


def test_windows_cover_the_video_and_count_a_fixation_once():
    starts, ends = window_intervals(1.0, 0.4)
    assert starts.tolist() == pytest.approx([0, 0.4, 0.8])
    frames, rows = fixations_in_intervals(table((0.1, 0.5)), starts, ends)
    assert (frames.tolist(), rows.tolist()) == ([0, 1], [0, 0])
    assert len(window_intervals(0.3 * 3, 0.3)[0]) == 3  # no fourth one by rounding


def test_map_counts_fixations_by_pixel():
    found = fixation_map([(0, 0), (3.99, 1.2), (3, 1)], (4, 2))
    assert found.tolist() == [[1, 0, 0, 0], [0, 0, 0, 2]]


@given(st.data())
def test_density_equals_a_gaussian_filter_without_walls(data):
    width, height = data.draw(st.integers(3, 30)), data.draw(st.integers(3, 30))
    sigma = data.draw(st.floats(0.8, 4))
    pixels = st.tuples(st.integers(0, width - 1), st.integers(0, height - 1))
    points = np.array(data.draw(st.lists(pixels, min_size=1, max_size=5)), float) + 0.5
    filtered = ndimage.gaussian_filter(
        fixation_map(points, (width, height)).astype(float), sigma, mode='constant', truncate=12
    )
    found = fixation_density(points, (width, height), sigma)
    assert found.sum() == pytest.approx(1)
    np.testing.assert_allclose(found, filtered / filtered.sum(), atol=1e-9)


def test_density_without_fixations_is_empty_and_weights_count():
    assert not fixation_density(np.empty((0, 2)), (4, 3), 1).any()
    double = fixation_density([(1, 1), (3, 2)], (4, 3), 1, weights=[2, 1])
    np.testing.assert_allclose(double, fixation_density([(1, 1), (1, 1), (3, 2)], (4, 3), 1))


@pytest.mark.parametrize('sigma', [0.001, 0.1, 0.3])
def test_a_narrow_density_is_the_map_of_fixations(sigma):
    points = [(10, 10), (10.2, 3.9), (10.5, 3.5), (0, 35.99)]
    density = fixation_density(points, (64, 36), sigma)
    np.testing.assert_array_equal(density, fixation_map(points, (64, 36)) / 4)


@given(st.data())
def test_density_of_cells_is_a_fine_one_summed(data):
    columns, rows = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))
    sigma = data.draw(st.floats(0.15, 3))
    place = st.tuples(st.floats(0, columns - 1e-9), st.floats(0, rows - 1e-9))
    points = np.array(data.draw(st.lists(place, min_size=1, max_size=5)))
    weights = data.draw(st.lists(st.floats(0.1, 3), min_size=len(points), max_size=len(points)))
    fine = 40
    expected = fixation_density(points * fine, (columns * fine, rows * fine), sigma * fine, weights)
    expected = expected.reshape(rows, fine, columns, fine).sum((1, 3))
    found = cell_density(points, (columns, rows), sigma, weights)
    np.testing.assert_allclose(found, expected, atol=3e-4)
    assert found.sum() == pytest.approx(1)


@given(st.floats(0, 6.999), st.floats(0, 4.999), st.floats(0.01, 5), st.floats(0.01, 5))
def test_density_of_cells_is_scipy_s_normal_distribution(x, y, sigma_x, sigma_y):
    across = np.diff(stats.norm.cdf(np.arange(8), x, sigma_x))
    down = np.diff(stats.norm.cdf(np.arange(6), y, sigma_y))
    expected = np.outer(down, across) / (down.sum() * across.sum())
    found = cell_density([(x, y)], (7, 5), (sigma_x, sigma_y))
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_many_densities_of_cells_come_from_the_same_points():
    points = [(0.5, 0.5), (3.2, 1.9), (2.0, 0.1)]
    weights = np.array([[1, 0, 0], [0, 2, 1], [0, 0, 0]])
    found = cell_density(points, (4, 2), 0.7, weights)
    assert found.shape == (3, 2, 4)
    np.testing.assert_allclose(found.sum((1, 2)), [1, 1, 0])
    np.testing.assert_allclose(found[0], cell_density(points[:1], (4, 2), 0.7))
    np.testing.assert_allclose(found[1], cell_density([points[1]] * 2 + points[2:], (4, 2), 0.7))
    assert not cell_density(np.empty((0, 2)), (4, 2), 0.7, np.empty((2, 0))).any()
    assert cell_density([], (4, 2), 0.7).shape == (2, 4)


def test_a_density_much_narrower_than_cells_is_in_the_cell_of_its_point():
    found = cell_density([(1.5, 0.5), (2.99, 1.01)], (4, 2), 1e-4)
    np.testing.assert_allclose(found, [[0, 0.5, 0, 0], [0, 0, 0.5, 0]])
    np.testing.assert_allclose(cell_density([(1, 0.5)], (2, 1), 0.1), [[0.5, 0.5]])  # on the edge


def test_fixations_of_two_milliseconds_are_in_a_frame_each():
    starts = np.arange(100) * 0.04
    ms = np.arange(3900)
    brief = pd.DataFrame({'start_s': ms / 1000, 'end_s': (ms + 2) / 1000})
    frames, rows = fixations_in_intervals(brief, starts, np.append(starts[1:], 4.0))
    assert sorted(rows) == list(range(3900))
    inside = ms[rows] % 40 > 0  # on the border a float may be in either
    np.testing.assert_array_equal(frames[inside], ms[rows][inside] // 40)


def test_degrees_become_pixels():
    # At 57.29 cm a centimetre spans a degree, but for the tangent: a screen of 40 px/cm.
    assert pixels_per_degree(1600, 40, 57.29) == pytest.approx(40, rel=1e-4)
    assert pixels_per_degree(1600, 40, 57.29, 800, 1600) == pytest.approx(20, rel=1e-4)


@pytest.mark.parametrize(
    'call',
    [
        lambda: fixation_map([(4, 0)], (4, 2)),
        lambda: fixation_density([(0, -0.1)], (4, 2), 1),
        lambda: fixation_map([(np.nan, 0)], (4, 2)),
        lambda: cell_density([(4, 0)], (4, 2), 1),
    ],
)
def test_points_outside_are_refused(call):
    with pytest.raises(GazeFormatError, match='1 outside'):
        call()


@given(st.integers(1, 40), st.integers(1, 40))
def test_area_shares_are_those_of_a_fine_ruler(many, few):
    found = area_shares(many, few)
    places = (np.arange(many * few) + 0.5) / (many * few)  # no border lies inside of such a part
    ruler = np.zeros((few, many))
    np.add.at(ruler, ((places * few).astype(int), (places * many).astype(int)), 1 / few)
    np.testing.assert_allclose(found, ruler, atol=1e-12)
    np.testing.assert_allclose(found.sum(axis=0), 1)


@pytest.mark.parametrize(
    'call',
    [
        lambda: fixation_density([(0, 0)], (4, 2), 0),
        lambda: fixation_density([(0, 0)], (4, 2), 1, weights=[-1]),
        lambda: cell_density([(0, 0)], (4, 2), (1, 0)),
        lambda: cell_density([(0, 0)], (4, 2), np.nan),
        lambda: cell_density([(0, 0)], (4, 2), 1, weights=[[-1]]),
        lambda: cell_density([(0, 0)], (4, 2), 1, weights=[1, 1]),
        lambda: fixation_map([(1, 2, 3)], (4, 2)),
        lambda: frame_intervals([0.0]),
        lambda: frame_intervals([0.0, 0.0]),
        lambda: fixations_in_intervals(table(), [0, 1], [1, 0.5]),
        lambda: window_intervals(1, 0),
        lambda: pixels_per_degree(100, 10, 50, video_width=3),
    ],
)
def test_what_makes_no_sense_is_refused(call):
    with pytest.raises(ValueError, match='expected'):
        call()
