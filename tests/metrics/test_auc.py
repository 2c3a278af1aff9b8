"""AUCs against pysaliency's source and loops as in MIT's code, ties and draws included."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest

from mmsal.metrics import auc, auc_borji, auc_judd, auc_shuffled, score_map
from mmsal.metrics.ranks import FEW, count_below

from . import oracle
from .scenes import SIZE, as_map, random_scene

ROCS = oracle.pysaliency_module('numba_utils.py')


@pytest.mark.parametrize('kind', [np.float64, np.float32, np.int16, np.uint8])
@pytest.mark.parametrize('fixations', [1, 3, FEW, 40])
@pytest.mark.parametrize('levels', [None, 5, 200])
def test_exact_auc_is_pysaliencys(kind, fixations, levels):
    scene = random_scene(fixations, fixations=fixations, levels=levels)
    saliency = scene['saliency'].astype(kind)
    expected = oracle.auc_by_pysaliency(ROCS, saliency, scene['fixations'])
    assert auc(saliency, scene['fixations']) == pytest.approx(expected, abs=1e-14)
    others = np.concatenate(scene['other'])
    expected = oracle.auc_by_pysaliency(ROCS, saliency, scene['fixations'], others)
    shuffled = auc_shuffled(saliency, scene['fixations'], scene['other'], 'tuebingen')
    assert shuffled == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize('seed', range(4))
def test_judd_without_ties_is_both_published_codes(seed):
    scene = random_scene(seed, fixations=30)
    saliency = scene['saliency'] = scene['saliency'] / scene['saliency'].max()
    hit = as_map(scene['fixations'])
    assert hit.sum() < 30  # some are repeated
    # The noise is as published, and too small to matter here.
    random = np.random.default_rng(seed)
    expected = oracle.judd_by_mit(saliency, hit, random.random(SIZE) * 1e-7)
    assert auc_judd(saliency, scene['fixations']) == pytest.approx(expected, abs=1e-12)
    noise = random.normal(size=SIZE) * 1e-9
    expected = oracle.judd_by_pysaliency(ROCS, saliency, scene['fixations'], noise)
    found = auc_judd(saliency, scene['fixations'], 'tuebingen')
    assert found == pytest.approx(expected, abs=1e-12)
    assert found != auc_judd(saliency, scene['fixations'])


def orders_of_ties(saliency: np.ndarray, points: np.ndarray) -> Counter:
    """AUC-Judd of each order that noise can bring tied pixels in; all are as likely."""
    ranks = np.array(list(itertools.permutations(range(saliency.size))))
    noises = ranks.reshape(-1, *saliency.shape) * 1e-7 / saliency.size
    values = [oracle.judd_by_pysaliency(ROCS, saliency, points, noise) for noise in noises]
    return Counter(round(value, 9) for value in values)


@pytest.mark.parametrize('convention', ['mit', 'tuebingen'])
@pytest.mark.parametrize(
    'points', [[(0, 0)], [(0, 0), (0, 0), (1, 1)], [(1, 0), (2, 0), (2, 0), (0, 1)]]
)
def test_ties_are_broken_as_by_published_noise(convention, points):
    saliency = np.array([[0.0, 0.0, 0.5], [0.5, 0.5, 0.0]])
    points = np.array(points) + 0.5
    counted = np.unique(points, axis=0) if convention == 'mit' else points
    expected = orders_of_ties(saliency, counted)
    generator, rounds = np.random.default_rng(0), 3000
    scores = [auc_judd(saliency, points, convention, generator) for _ in range(rounds)]
    found = Counter(round(score, 9) for score in scores)
    assert set(found) == set(expected) and len(found) > 1
    for value, count in expected.items():
        share = count / expected.total()
        # 4 standard errors; the seed is fixed.
        tolerance = 4 * math.sqrt(share * (1 - share) / rounds)
        assert found[value] / rounds == pytest.approx(share, abs=tolerance)


@pytest.mark.parametrize('fixations', [1, 2, 17])
@pytest.mark.parametrize('levels', [None, 3])
def test_borji_is_mits(fixations, levels):
    scene = random_scene(fixations, fixations=fixations, levels=levels)
    hit = as_map(scene['fixations'])
    drawn = np.random.default_rng(5).integers(0, hit.size, (100, hit.sum())).T  # by draw
    expected = oracle.borji_by_mit(scene['saliency'], hit, drawn)
    found = auc_borji(scene['saliency'], scene['fixations'], seed=5)
    assert found == pytest.approx(expected, abs=1e-12)


def test_thresholds_include_both_ends():
    """Of a map of 0.3 and 1, stretched, all thresholds but 0 are reached by the fixated alone."""
    saliency, hit = np.full((4, 5), 0.3), np.zeros((4, 5), bool)
    saliency[0, :2], hit[0, :2] = 1, True
    other = ~hit
    assert auc_shuffled(saliency, hit, other) == 1
    assert auc_shuffled(-saliency, hit, other) == 0
    saliency[0, 2:4] = [0.37 - 1e-9, 0.37 + 1e-9]  # below and above the threshold 0.1
    hit[0, 2:4] = [True, False]
    other = as_map([(3, 0)], (4, 5))
    expected = oracle.shuffled_by_mit(saliency, hit, other, np.random.default_rng(0))
    assert auc_shuffled(saliency, hit, other) == pytest.approx(expected, abs=1e-12)
    assert expected == pytest.approx(2 / 3)  # by hand: (0, 2/3), then (1, 2/3), then (1, 1)


@pytest.mark.parametrize('count', [1, 12])
def test_shuffled_with_all_candidates_drawn_is_mits(count):
    """With as many fixations as candidates or more, chance has no part."""
    scene = random_scene(3, fixations=20)
    others = np.concatenate(scene['other'])[:count]
    hit = as_map(scene['fixations'])
    assert count <= hit.sum()
    expected = oracle.shuffled_by_mit(
        scene['saliency'], hit, as_map(others), np.random.default_rng(0), draws=2
    )
    found = auc_shuffled(scene['saliency'], scene['fixations'], others)
    assert found == pytest.approx(expected, abs=1e-12)


def test_shuffled_draws_as_mits_loop():
    """Mean and spread over draws, of a loop that permutes candidates; all seeds are fixed."""
    scene, rounds = random_scene(4, fixations=4), 60
    others, hit = np.concatenate(scene['other'][:10]), as_map(scene['fixations'])
    assert len(others) > 2 * hit.sum()
    generator = np.random.default_rng(1)
    loop = [
        oracle.shuffled_by_mit(scene['saliency'], hit, as_map(others), generator)
        for _ in range(rounds)
    ]
    ours = [
        auc_shuffled(scene['saliency'], scene['fixations'], others, seed=generator)
        for _ in range(rounds)
    ]
    error = np.std(loop) * math.sqrt(2 / rounds)
    assert np.mean(ours) == pytest.approx(np.mean(loop), abs=4 * error)
    # The area is linear in the negatives' shares, so its expectation is that of all candidates.
    stretched = scene['saliency'] - scene['saliency'].min()
    stretched /= stretched.max()
    expected = oracle._stepped(stretched[hit], stretched[as_map(others)][:, None])
    assert np.mean(ours) == pytest.approx(expected, abs=4 * error)
    assert np.std(ours) == pytest.approx(np.std(loop), rel=0.4)


def test_mit_draws_ten_images_that_have_fixations():
    """Image k has the pixel k alone, and only one of twelve is salient."""
    saliency, hit = np.zeros((1, 20)), np.zeros((1, 20), bool)
    saliency[0, [3, 19]] = 0.5, 1
    hit[0, 19] = True
    other = [np.array([[number + 0.5, 0.5]]) for number in range(12)]
    other += [np.empty((0, 2))] * 50
    scores = [auc_shuffled(saliency, hit, other, seed=seed) for seed in range(400)]
    # One negative is drawn of ten pixels; with 1 of 10 it is the salient one, if that is there.
    assert np.mean(scores) == 1  # 0.5 is below the fixated 1 in any case
    hit = as_map([(3, 0)], (1, 20))
    saliency[0, 19] = 0.5
    scores = np.array([auc_shuffled(saliency, hit, other, seed=seed) for seed in range(400)])
    assert pytest.approx((scores == 1).mean(), abs=0.06) == 2 / 12  # image 3 is not among the ten


@pytest.mark.parametrize('levels', [1, FEW, FEW + 1, 300])
def test_counting(levels):
    random = np.random.default_rng(levels)
    values = random.integers(0, 50, 700) / 4
    chosen = np.unique(random.integers(-3, 210, levels) / 4)
    below, equal = count_below(values, chosen)
    assert below.tolist() == [sum(value < level for value in values) for level in chosen]
    assert equal.tolist() == [sum(value == level for value in values) for level in chosen]


def test_a_chance_map_and_few_fixations():
    """Averaged over all pixels that could be fixated: exact AUC is 0.5, AUC-Judd is not."""
    saliency = np.random.default_rng(0).permutation(35).reshape(5, 7)
    pixels = [(x + 0.5, y + 0.5) for y in range(5) for x in range(7)]
    every = [np.array([pixel]) for pixel in pixels]
    assert np.mean([auc(saliency, one) for one in every]) == pytest.approx(0.5, abs=1e-12)
    assert np.mean([auc_judd(saliency, one) for one in every]) == pytest.approx(0.75, abs=1e-12)
    pairs = [np.array(pair) for pair in itertools.combinations(pixels, 2)]
    assert np.mean([auc(saliency, pair) for pair in pairs]) == pytest.approx(0.5, abs=1e-12)
    judd = [auc_judd(saliency, pair) for pair in pairs]
    assert np.mean(judd) == pytest.approx(4 / 6, abs=1e-12)


def test_constant_and_perfect_maps():
    flat = np.full(SIZE, 0.3)
    points = random_scene(0)['fixations']
    hit = as_map(points)
    chance = {('AUC', 'tuebingen'), ('AUC-Borji', 'mit'), ('sAUC', 'mit'), ('sAUC', 'tuebingen')}
    names = ('AUC', 'AUC-Borji', 'sAUC')
    scores = score_map(flat, fixations=points, other=~hit, metrics=names)
    assert scores == dict.fromkeys(chance, 0.5)
    generator = np.random.default_rng(0)
    judd = [auc_judd(flat, points, seed=generator) for _ in range(500)]
    count = hit.sum()
    assert np.mean(judd) == pytest.approx((count + 2) / (2 * count + 2), abs=0.01)
    assert len(set(judd)) > 100
    perfect = hit + 0.0
    for way in ('mit', 'tuebingen'):
        assert auc_judd(perfect, points, way) == 1
        assert auc_shuffled(perfect, points, ~hit, way) == 1
    # The fixated pixels are negatives, too: half of them count.
    assert auc(perfect, points) == pytest.approx(1 - count / hit.size / 2)
    assert auc_borji(perfect, points) > 0.95


def test_no_fixation_is_undefined():
    saliency, nothing, some = np.eye(3), np.empty((0, 2)), np.array([[1, 1]])
    for found in (
        auc(saliency, nothing),
        auc_borji(saliency, nothing),
        *(auc_judd(saliency, nothing, way) for way in ('mit', 'tuebingen')),
        *(auc_judd(saliency, np.ones((3, 3), bool), way) for way in ('mit', 'tuebingen')),
        *(auc_shuffled(saliency, nothing, [some], way) for way in ('mit', 'tuebingen')),
        *(auc_shuffled(saliency, some, [nothing] * 3, way) for way in ('mit', 'tuebingen')),
        *(auc_shuffled(saliency, some, [], way) for way in ('mit', 'tuebingen')),
    ):
        assert isinstance(found, float) and math.isnan(found)
