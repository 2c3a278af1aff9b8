"""Which pixels fixations hit, and which are refused."""

import numpy as np
import pytest

from mmsal.metrics import OtherFixations, auc, auc_shuffled, nss
from mmsal.metrics.fixations import flat_places

SIZE = (4, 6)
MAP = np.arange(24.0).reshape(SIZE)


def test_a_point_lies_in_the_pixel_of_its_floor():
    points = [[0, 0], [0.99, 0.99], [1, 0], [5.999, 3.999], [2.5, 1]]
    assert flat_places(points, SIZE, 'points').tolist() == [0, 0, 1, 23, 8]
    assert flat_places(np.array(points, np.float32)[:3], SIZE, 'points').tolist() == [0, 0, 1]
    assert flat_places(np.array([[5, 3]]), SIZE, 'points').tolist() == [23]
    assert flat_places(MAP > 21, SIZE, 'points').tolist() == [22, 23]
    for nothing in ([], np.empty((0, 2)), np.zeros(SIZE, bool)):
        assert flat_places(nothing, SIZE, 'points').tolist() == []


@pytest.mark.parametrize(
    ('fixations', 'fault'),
    [
        ([[6, 0]], r'inside the picture of 6x4 pixels, got 1 of 1 outside'),
        ([[0, 4], [0, -0.1], [1, 1]], 'got 2 of 3 outside'),
        ([[np.nan, 1], [np.inf, 1]], 'got 2 of 2 outside'),
        ([[1, 1, 1]], r'points \(x, y\) \[N, 2\] or a bool map \(4, 6\), got int64 \(1, 3\)'),
        ([1, 1], r'got int64 \(2,\)'),
        (MAP, r'got float64 \(4, 6\)'),
        (MAP.T > 3, r'a bool map \(4, 6\), got \(6, 4\)'),
        ([['1', '1']], 'got <U1'),
    ],
)
def test_bad_fixations(fixations, fault):
    with pytest.raises(ValueError, match='expected fixations .*' + fault):
        auc(MAP, fixations)
    with pytest.raises(ValueError, match='expected other .*' + fault):
        auc_shuffled(MAP, [[1, 1]], [fixations])
    with pytest.raises(ValueError, match='expected fixations of map 1 .*' + fault):
        nss(np.stack([MAP, MAP]), [[[1, 1]], fixations])


def test_a_stack_needs_fixations_for_each():
    with pytest.raises(ValueError, match='fixations for each of 2 maps, got 3'):
        auc(np.stack([MAP, MAP]), [[[1, 1]]] * 3)


def test_one_array_of_others_is_one_image():
    points = np.array([[0, 0], [3, 2], [3, 2]])
    for other in ([points], points, OtherFixations(points, SIZE)):
        for way in ('mit', 'tuebingen'):
            found = auc_shuffled(MAP, [[3, 1]], other, way)
            assert found == auc_shuffled(MAP, [[3, 1]], [points], way)
    # Of three fixations, one is on the pixel 0, below 9, and two on 15, above.
    assert auc_shuffled(MAP, [[3, 1]], points, 'tuebingen') == pytest.approx(1 / 3)
    assert auc_shuffled(MAP, [[3, 1]], MAP < 1, 'tuebingen') == 1


def test_prepared_others_belong_to_a_size_and_a_mask():
    seen = MAP > 3
    other = OtherFixations([[[0, 0], [3, 2]]], SIZE, seen=seen)
    assert len(other.places) == 1  # the pixel 0 is not seen
    assert auc_shuffled(MAP, [[3, 1]], other, 'tuebingen', seen=seen.copy()) == 0
    with pytest.raises(ValueError, match='with the mask `seen` of the maps'):
        auc_shuffled(MAP, [[3, 1]], other)
    with pytest.raises(ValueError, match='with the mask `seen` of the maps'):
        auc_shuffled(MAP, [[3, 1]], other, seen=~seen)
    with pytest.raises(ValueError, match=r'other for maps of \(6, 4\), got \(4, 6\)'):
        auc_shuffled(MAP.T, [[3, 1]], other)
    everything = OtherFixations([[[0, 0], [3, 2]]], SIZE, seen=np.ones(SIZE, bool))
    assert auc_shuffled(MAP, [[3, 1]], everything, 'tuebingen') == 0.5


def test_ten_images_are_drawn_anew_or_once():
    random = np.random.default_rng(0)
    images = [random.random((1, 2)) * SIZE[::-1] for _ in range(40)]
    draws = [np.random.default_rng(seed) for seed in range(20)]
    anew, once = OtherFixations(images, SIZE), OtherFixations(images, SIZE, seed=3)
    unions = {tuple(anew.union(draw)) for draw in draws}
    assert len(unions) > 15 and max(map(len, unions)) <= 10
    assert {tuple(once.union(draw)) for draw in draws} == {
        tuple(anew.union(np.random.default_rng(3)))
    }
