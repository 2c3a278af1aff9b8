"""score_map against the single functions; what all metrics have in common."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsal.metrics import (
    CONVENTIONS,
    METRICS,
    OtherFixations,
    auc,
    auc_borji,
    auc_judd,
    auc_shuffled,
    cc,
    emd,
    information_gain,
    kl_divergence,
    nss,
    score_map,
    similarity,
)

from .scenes import SIZE, as_map, random_scene

PAIRS = {(name, way) for name, metric in METRICS.items() for way in metric.conventions}
RANDOM = ('AUC-Judd', 'AUC-Borji', 'sAUC')


def one_by_one(scene: dict, name: str, way: str, **options):
    """The metric's own function."""
    saliency, points = scene['saliency'], scene['fixations']
    seeded = dict(options, seed=options.get('seed', 0))
    options.pop('seed', None)
    calls = {
        'AUC': lambda: auc(saliency, points, **options),
        'AUC-Judd': lambda: auc_judd(saliency, points, way, **seeded),
        'AUC-Borji': lambda: auc_borji(saliency, points, **seeded),
        'sAUC': lambda: auc_shuffled(saliency, points, scene['other'], way, **seeded),
        'NSS': lambda: nss(saliency, points, way, **options),
        'IG': lambda: information_gain(saliency, points, scene['baseline'], **options),
        'CC': lambda: cc(saliency, scene['density'], way, **options),
        'SIM': lambda: similarity(saliency, scene['density'], way, **options),
        'KLD': lambda: kl_divergence(saliency, scene['density'], way, **options),
        'EMD': lambda: emd(saliency, scene['density'], **options),
    }
    return calls[name]()


def scored(scene: dict, **options) -> dict:
    scene = dict(scene)
    return score_map(scene.pop('saliency'), **scene, **options)


LARGE = (70, 101)  # some cells for EMD


@pytest.mark.parametrize('kind', [np.float64, np.float32, np.float16, np.uint8, np.int64])
@pytest.mark.parametrize('levels', [None, 9])
@pytest.mark.parametrize('masked', [False, True])
def test_equals_the_single_functions(kind, levels, masked):
    scene = random_scene(1, LARGE, 17, levels)
    seen = None
    for name in ('saliency', 'density', 'baseline'):
        scene[name] = (50 * scene[name] + 1).astype(kind)
    if masked:
        seen = np.random.default_rng(0).random(LARGE) < 0.6
        if kind == np.float32:
            scene['saliency'][~seen] = np.nan
    scores = scored(scene, seed=(3, 1), seen=seen)
    assert set(scores) == PAIRS
    for (name, way), value in scores.items():
        assert isinstance(value, float) and math.isfinite(value)
        assert value == one_by_one(scene, name, way, seed=(3, 1), seen=seen), name
    other = OtherFixations(scene['other'], LARGE, seen=seen)
    assert scored(dict(scene, other=other), seed=(3, 1), seen=seen) == scores
    assert scored(dict(scene, fixations=scene['fixations'][::-1]), seed=(3, 1), seen=seen) == (
        pytest.approx(scores, abs=1e-12)
    )


def test_the_uniform_share_is_for_gain_alone():
    scene = random_scene(2)
    first, second = scored(scene), scored(scene, uniform_share=0.3)
    parts = scene['saliency'], scene['fixations'], scene['baseline']
    assert second.pop(('IG', 'tuebingen')) == information_gain(*parts, uniform_share=0.3)
    assert first.pop(('IG', 'tuebingen')) != information_gain(*parts, uniform_share=0.3)
    assert second == first


def test_asked_for_alone_it_is_the_same():
    scene = random_scene(2, levels=7)
    scores = scored(scene, seed=4)
    for name, way in PAIRS:
        alone = scored(scene, seed=4, metrics=[name], conventions=[way])
        assert alone == {(name, way): scores[name, way]}
    assert scored(scene, metrics='NSS', conventions='mit').keys() == {('NSS', 'mit')}
    assert scored(scene, metrics=['AUC'], conventions=['mit']) == {}
    names = [name for name, _ in scored(scene, metrics=('KLD', 'AUC'))]
    assert names == ['AUC', 'KLD', 'KLD']


def test_a_generator_is_one_seed():
    scene = random_scene(2, levels=7)
    seed = int(np.random.default_rng(9).integers(2**63))
    assert scored(scene, seed=np.random.default_rng(9)) == scored(scene, seed=seed)
    random = {name for name, way in PAIRS if name in RANDOM}
    first, second = scored(scene, seed=1), scored(scene, seed=2)
    differing = {name for name, way in PAIRS if first[name, way] != second[name, way]}
    assert differing == random


@pytest.mark.parametrize('absent', ['fixations', 'density', 'other', 'baseline'])
def test_what_is_missing_is_nan(absent):
    scene = random_scene(3)
    scores, without = scored(scene), scored(dict(scene, **{absent: None}))
    for name, way in PAIRS:
        if absent in METRICS[name].needs:
            assert math.isnan(without[name, way])
        else:
            assert without[name, way] == scores[name, way]
    nothing = scored(dict(scene, fixations=np.empty((0, 2))))
    for name, way in PAIRS:
        assert math.isnan(nothing[name, way]) == ('fixations' in METRICS[name].needs)


def test_the_table_of_metrics():
    assert ' '.join(METRICS) == 'AUC AUC-Judd AUC-Borji sAUC NSS IG CC SIM KLD EMD'
    assert all(metric.name == name and metric.title for name, metric in METRICS.items())
    assert {name for name, metric in METRICS.items() if not metric.higher_is_better} == {
        'KLD', 'EMD',
    }  # fmt: skip
    assert len(PAIRS) == 16
    # A map that fits better scores better, in the direction that the table says.
    scene = random_scene(0, LARGE, 40)
    noise = np.random.default_rng(99).gamma(0.5, size=LARGE)
    good, bad = (scored(dict(scene, saliency=one)) for one in (scene['density'], noise))
    for name, way in PAIRS:
        sign = 1 if METRICS[name].higher_is_better else -1
        assert sign * good[name, way] > sign * bad[name, way]


@pytest.mark.parametrize(('name', 'way'), sorted(PAIRS))
def test_a_stack_is_map_by_map(name, way):
    scenes = [random_scene(seed, levels=6) for seed in range(4)]
    stack = {key: np.stack([one[key] for one in scenes]) for key in ('saliency', 'density')}
    stack['baseline'] = np.stack([one['baseline'] for one in scenes])
    stack['fixations'] = [one['fixations'] for one in scenes]
    stack['other'] = scenes[0]['other']
    stack['fixations'][2] = np.empty((0, 2))
    seeded = name in RANDOM
    options = dict(seed=np.random.default_rng(5)) if seeded else {}
    values = one_by_one(stack, name, way, **options)
    assert values.shape == (4,) and values.dtype == np.float64
    generator = np.random.default_rng(5)  # runs through the stack
    for number, value in enumerate(values):
        scene = {key: part[number] for key, part in stack.items() if key != 'other'}
        scene['other'] = stack['other']
        options = dict(seed=generator) if seeded else {}
        np.testing.assert_equal(value, one_by_one(scene, name, way, **options))
    assert math.isnan(values[2]) == ('fixations' in METRICS[name].needs)


def test_a_bool_map_is_its_pixels():
    scene = random_scene(5, fixations=25)
    hit = as_map(scene['fixations'])
    pixels = np.argwhere(hit)[:, ::-1]
    others = [as_map(points) for points in scene['other']]
    found = scored(dict(scene, fixations=hit, other=others), seed=1)
    points = [np.argwhere(one)[:, ::-1] for one in others]
    assert found == scored(dict(scene, fixations=pixels, other=points), seed=1)
    every = scored(scene, seed=1)
    for way, same in (('mit', True), ('tuebingen', False)):  # repeats count
        assert (every['NSS', way] == found['NSS', way]) == same


@pytest.mark.parametrize(('name', 'way'), sorted(PAIRS - {('EMD', 'mit')}))
def test_only_seen_pixels_count(name, way):
    """As if the picture were cropped; tests/metrics/test_transport.py has EMD's."""
    scene = random_scene(6, SIZE, 60)
    seen = np.zeros(SIZE, bool)
    seen[2:14, 5:20] = True
    cropped = {key: scene[key][2:14, 5:20] for key in ('saliency', 'density', 'baseline')}

    def inside(points):
        points = points - [5, 2]
        return points[((points >= 0) & (points < [15, 12])).all(axis=1)]

    cropped['fixations'] = inside(scene['fixations'])
    cropped['other'] = [inside(points) for points in scene['other']]
    assert 0 < len(cropped['fixations']) < 60
    expected = one_by_one(cropped, name, way)
    whole = one_by_one(scene, name, way)
    spoilt = {key: np.where(seen, scene[key], -np.inf) for key in ('saliency', 'density')}
    spoilt['baseline'] = np.where(seen, scene['baseline'], np.nan)
    found = one_by_one({**scene, **spoilt}, name, way, seen=seen)
    assert found == pytest.approx(expected, abs=1e-12)
    assert abs(found - whole) > 1e-4


quick = settings(max_examples=50, deadline=None)
numbers = st.integers(0, 10**6)
RANKED = ('AUC', 'AUC-Judd')


def distinct_and_tied(seed: int) -> list[dict]:
    return [random_scene(seed, (6, 8), 5), random_scene(seed, (6, 8), 5, levels=3)]


@quick
@given(seed=numbers, scale=st.floats(1e-6, 1e6), offset=st.floats(-10, 10))
def test_affine_changes(seed, scale, offset):
    """AUCs, NSS and CC do not see them; nor does MIT's SIM see scale."""
    for scene in distinct_and_tied(seed):
        # Powers of two, and whole numbers: no tie is made or lost by rounding.
        saliency = np.round(scene['saliency'] * 2**20)
        factor, shift = 2.0 ** round(math.log2(scale)), round(offset)
        names = ['AUC', 'AUC-Judd', 'AUC-Borji', 'sAUC', 'NSS', 'CC']
        first = scored(dict(scene, saliency=saliency), metrics=names)
        second = scored(dict(scene, saliency=(saliency + shift) * factor), metrics=names)
        assert second == pytest.approx(first, abs=1e-9, nan_ok=True)


@quick
@given(seed=numbers)
def test_only_the_order_counts_for_exact_aucs(seed):
    for scene in distinct_and_tied(seed):
        ranks = np.unique(scene['saliency'], return_inverse=True)[1].reshape(
            scene['saliency'].shape
        )
        changed = dict(scene, saliency=np.exp(ranks / 7) - 50)
        first, second = (scored(one, metrics=[*RANKED, 'sAUC']) for one in (scene, changed))
        for pair in first.keys() - {('sAUC', 'mit')}:
            np.testing.assert_equal(first[pair], second[pair])
        # Of the opposite order, the exact ones are the complement.
        opposite = scored(dict(scene, saliency=-scene['saliency']), metrics=['AUC', 'sAUC'])
        for name in ('AUC', 'sAUC'):
            pair = name, 'tuebingen'
            assert opposite[pair] == pytest.approx(1 - first[pair], abs=1e-12, nan_ok=True)


@quick
@given(seed=numbers)
def test_where_the_pixels_lie_changes_nothing(seed):
    """A picture turned over scores the same. AUC-Borji draws other pixels, EMD has other cells."""
    for scene, names in zip(distinct_and_tied(seed), (set(METRICS), set(METRICS)), strict=True):
        names -= {'AUC-Borji', 'EMD'}
        if len(np.unique(scene['saliency'])) < scene['saliency'].size:
            names.remove('AUC-Judd')  # other tied pixels come first
        turned = {key: scene[key][:, ::-1] for key in ('saliency', 'density', 'baseline')}
        turned['fixations'] = turned_over(scene['fixations'], 8)
        turned['other'] = [turned_over(points, 8) for points in scene['other']]
        first, second = (scored(one, metrics=names) for one in (scene, turned))
        assert second == pytest.approx(first, abs=1e-9, nan_ok=True)


def turned_over(points: np.ndarray, width: int) -> np.ndarray:
    """To the pixels at the other side."""
    return np.stack([width - 1 - np.floor(points[:, 0]), points[:, 1]], axis=-1)


@quick
@given(seed=numbers)
def test_ranges(seed):
    for scene in distinct_and_tied(seed):
        scores = scored(scene)
        for (name, _), value in scores.items():
            if name in ('AUC', 'AUC-Judd', 'AUC-Borji', 'sAUC', 'SIM'):
                assert 0 <= value <= 1 or (name == 'sAUC' and math.isnan(value))
            elif name == 'KLD':
                assert value > -1e-10
        for way in CONVENTIONS:
            assert similarity(scene['saliency'], scene['density'], way) == pytest.approx(
                similarity(scene['density'], scene['saliency'], way)
            )


GOOD = dict(saliency=np.eye(4, 5), fixations=np.array([[1.0, 2.0]]))


@pytest.mark.parametrize(
    ('options', 'fault'),
    [
        (dict(metrics=['auc']), r"metrics of AUC, AUC-Judd, .*, got 'auc'"),
        (dict(conventions=['MIT']), "convention mit or tuebingen, got 'MIT'"),
        (dict(saliency=np.zeros((2, 4, 5))), r'one saliency map \[H, W\], got \(2, 4, 5\)'),
        (dict(saliency=np.eye(4, 5) * np.nan), 'finite values in saliency'),
        (dict(density=np.eye(5)), r'density of shape \(4, 5\), as saliency, got \(5, 5\)'),
        (dict(baseline=np.full((4, 5), np.inf)), 'finite values in baseline'),
        (dict(fixations=np.array([[5, 0], [0, 0]])), r'fixations inside .* 5x4 .* 1 of 2 outside'),
        (dict(other=[np.array([[0, -1e-9]])]), 'other inside the picture .* 1 of 1 outside'),
        (dict(uniform_share=2), 'uniform_share from 0 to 1, got 2'),
        (dict(density=-np.eye(4, 5)), 'without negative values'),
    ],
)
def test_bad_input(options, fault):
    arguments = {**GOOD, **options}
    with pytest.raises(ValueError, match=fault):
        score_map(arguments.pop('saliency'), **arguments)
