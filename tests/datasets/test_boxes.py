"""The simulated boxes: their places, their means, and nothing else."""

import numpy as np
import pytest

from mmsal.datasets.synthetic.boxes import BOXES, make_boxes

# Ismail et al. 2019, 100 steps of 100 features: first and last (excluded) step and feature.
PUBLISHED = {'early': (0, 30, 10, 90), 'middle': (20, 80, 20, 80), 'late': (70, 100, 10, 90)}


@pytest.mark.parametrize('box', BOXES)
def test_boxes_are_where_the_paper_has_them(box):
    data = make_boxes(3, box)
    first, last, low, high = PUBLISHED[box]
    expected = [
        [first <= step < last and low <= feature < high for feature in range(100)]
        for step in range(100)
    ]
    assert data.truth.shape == data.inputs.shape == (3, 100, 100)
    assert (data.truth == np.array(expected)).all()
    with pytest.raises(ValueError, match='read-only'):
        data.truth[0, 0, 0] = True


@pytest.mark.parametrize('mean', [1.0, 0.25])
@pytest.mark.parametrize('box', BOXES)
def test_the_class_is_in_the_box_alone(box, mean):
    data = make_boxes(400, box, steps=20, features=10, mean=mean, seed=1)
    inside, outside = data.truth[0], ~data.truth[0]
    for label, sign in ((0, -1), (1, 1)):
        chosen = data.inputs[data.labels == label]
        for where, expected in ((inside, sign * mean), (outside, 0)):
            values = chosen[:, where]
            error = 5 / np.sqrt(values.size)  # five standard errors
            assert abs(values.mean() - expected) < error
            assert abs(values.std() - 1) < error
            # In every place, not only on average over them.
            assert np.abs(values.mean(axis=0) - expected).max() < 5 / np.sqrt(len(chosen))


def test_labels_and_types():
    data = make_boxes(300)
    assert data.inputs.dtype == np.float32
    assert data.labels.dtype == np.int64
    assert data.truth.dtype == bool
    assert set(data.labels) == {0, 1}
    assert 100 < data.labels.sum() < 200


def test_a_seed_gives_the_same_data_and_another_seed_other_data():
    one, same, other = (make_boxes(5, seed=seed) for seed in (7, 7, 8))
    assert (one.inputs == same.inputs).all() and (one.labels == same.labels).all()
    assert not np.isclose(one.inputs, other.inputs).all(axis=(1, 2)).any()


def test_boxes_keep_their_shares():
    truth = make_boxes(1, 'early', steps=40, features=20).truth[0]
    assert truth[:12, 2:18].all() and truth.sum() == 12 * 16


BAD = {
    'box': (dict(box='top'), 'early, middle, late'),
    'samples': (dict(samples=0), 'samples of at least 1'),
    'steps': (dict(steps=9), 'steps of at least 10'),
    'features': (dict(features=3), 'features of at least 10'),
    'mean': (dict(mean=0), 'mean above 0'),
    'nan': (dict(mean=float('nan')), 'mean above 0'),
}


@pytest.mark.parametrize(('options', 'words'), BAD.values(), ids=BAD)
def test_bad_numbers(options, words):
    with pytest.raises(ValueError, match=words):
        make_boxes(**{'samples': 2, **options})
