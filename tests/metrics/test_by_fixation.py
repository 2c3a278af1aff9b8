"""Scores fixation by fixation: each is that of the fixation alone, and their mean the metric."""

import math

import numpy as np
import pytest

from mmsal.metrics import OtherFixations, fixation_scores, score_map

from .scenes import SIZE, random_scene

NAMES = ('AUC', 'sAUC', 'NSS', 'IG')
NO_FIXATION = np.empty((0, 2))


@pytest.mark.parametrize('levels', [None, 4])
@pytest.mark.parametrize('prepared', [False, True])
@pytest.mark.parametrize('share', [0, 0.2])
def test_each_is_the_score_of_the_fixation_alone(levels, prepared, share):
    scene = random_scene(0, fixations=30, levels=levels)
    scene['saliency'] += 0.01
    scene.pop('density')
    saliency, points = scene.pop('saliency'), scene.pop('fixations')
    options = dict(scene, uniform_share=share)
    if prepared:
        options['other'] = OtherFixations(scene['other'], SIZE)
    found = fixation_scores(saliency, points, **options)
    assert set(found) == {(name, 'tuebingen') for name in NAMES}
    whole = score_map(saliency, fixations=points, **options)
    for pair, values in found.items():
        assert values.shape == (30,) and values.dtype == np.float64
        assert values.mean() == pytest.approx(whole[pair], abs=1e-12)
    for number, point in enumerate(points):
        alone = score_map(saliency, fixations=point[None], **options)
        for pair, values in found.items():
            assert values[number] == pytest.approx(alone[pair], abs=1e-12)


def test_undefined():
    scene = random_scene(0, fixations=3)
    saliency, points = scene['saliency'], scene['fixations']
    found = fixation_scores(saliency, points, metrics=('NSS', 'sAUC', 'IG', 'CC'))
    assert {name: np.isnan(values).tolist() for (name, _), values in found.items()} == {
        'sAUC': [True] * 3, 'NSS': [False] * 3, 'IG': [True] * 3,
    }  # fmt: skip
    for nothing in ([], [NO_FIXATION]):
        assert np.isnan(fixation_scores(saliency, points, nothing)['sAUC', 'tuebingen']).all()
    flat = fixation_scores(saliency * 0, points)
    assert flat['NSS', 'tuebingen'].tolist() == [0] * 3
    assert flat['AUC', 'tuebingen'].tolist() == [0.5] * 3
    none = fixation_scores(saliency, NO_FIXATION, scene['other'], scene['baseline'])
    assert all(values.shape == (0,) for values in none.values())
    assert math.isnan(score_map(saliency, fixations=NO_FIXATION)['AUC', 'tuebingen'])


def test_bad_input():
    seen = np.ones(SIZE, bool)
    seen[0, 0] = False
    with pytest.raises(ValueError, match='expected fixations on seen pixels, got 1 off'):
        fixation_scores(np.ones(SIZE), np.array([[0, 0], [1, 1]]), seen=seen)
    with pytest.raises(ValueError, match='one saliency map'):
        fixation_scores(np.ones((1, *SIZE)), np.array([[0, 0]]))
