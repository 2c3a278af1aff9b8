"""GazeMetric against pysaliency's source and loops, through MMEngine's evaluator."""

import logging
import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmaction.registry import METRICS
from mmaction.structures import ActionDataSample
from mmengine.evaluator import Evaluator
from mmengine.hooks import CheckpointHook
from mmengine.logging import MMLogger

from mmsal.attribution import GradCAM
from mmsal.attribution.on_grid import resized
from mmsal.evaluation import GazeMetric
from mmsal.evaluation.gaze_metric import SCORES, to_cells
from tests.attribution.networks import batch, build
from tests.metrics import oracle

PUBLISHED = oracle.pysaliency_module('metrics.py')
ROCS = oracle.pysaliency_module('numba_utils.py')
SIZE = (24, 32)  # rows, columns of the network's input
COUNTS = ('clips', 'clips_without', 'constant', 'undefined')


def a_sample(seed: int = 0, views: int = 2, frames: int = 4, layer=(2, 3, 4), cells=(3, 4)):
    """A data sample with gaze in about two thirds of its frames."""
    random = np.random.default_rng(seed)
    total = views * frames
    seen = random.random(total) < 0.66
    seen[0] = True
    counts = random.integers(1, 4, total) * seen
    points = np.concatenate(
        [np.column_stack([np.full(n, place), random.random((n, 2))])
         for place, n in enumerate(counts)]
    )  # fmt: skip
    density = random.gamma(0.5, size=(total, *cells)) * seen[:, None, None]
    sums = density.sum(axis=(1, 2), keepdims=True)
    return pack(random.gamma(0.5, size=(views, *layer)), density / np.where(sums, sums, 1), points)


def pack(saliency, density, points, **meta) -> ActionDataSample:
    sample = ActionDataSample(metainfo={'img_shape': SIZE, 'video_id': 'a', **meta})
    sample.set_gt_label(0).set_pred_score(torch.tensor([0.3, 0.7]))
    sample.gaze_maps = torch.tensor(np.asarray(density), dtype=torch.float32)
    sample.gaze_points = torch.tensor(np.asarray(points), dtype=torch.float32).reshape(-1, 3)
    if saliency is not None:
        sample.saliency_maps = torch.tensor(np.asarray(saliency), dtype=torch.float32)
    return sample


def without_gaze(frames: int = 8) -> ActionDataSample:
    return pack(np.ones((1, 2, 3, 4)), np.zeros((frames, 3, 4)), np.zeros((0, 3)))


def evaluate(*samples, chunk_size: int = 2) -> dict[str, float]:
    evaluator = Evaluator([dict(type='GazeMetric')])
    found = evaluator.offline_evaluate(list(samples), chunk_size=chunk_size)
    assert set(found) == {f'gaze/{name}' for name in (*SCORES, *COUNTS)}
    return {name.removeprefix('gaze/'): value for name, value in found.items()}


def stretched(values: np.ndarray, length: int, axis: int) -> np.ndarray:
    """Linear along one axis, cells by their middles, the first and last value beyond theirs."""
    many = values.shape[axis]
    places = (np.arange(length) + 0.5) * many / length - 0.5
    return np.apply_along_axis(lambda row: np.interp(places, np.arange(many), row), axis, values)


def by_hand(sample: ActionDataSample) -> dict[str, float]:
    """Frame by frame, with pysaliency's functions."""
    saliency = sample.saliency_maps.double().numpy()
    points = sample.gaze_points.double().numpy()
    frames, (height, width) = len(sample.gaze_maps) // len(saliency), sample.img_shape
    rows = []
    for place in range(len(sample.gaze_maps)):
        here = points[points[:, 0] == place]
        if not len(here):
            continue
        coarse = stretched(saliency[place // frames], frames, 0)[place % frames]
        fine = stretched(stretched(coarse, height, 0), width, 1)
        pixels = np.floor(here[:, 1:] * (width, height)).astype(int)
        density = sample.gaze_maps[place].double().numpy()
        rows.append(
            {
                'nss': PUBLISHED.NSS(fine, *pixels.T).mean(),
                'auc': oracle.auc_by_pysaliency(ROCS, fine, pixels),
                'cc': PUBLISHED.CC(coarse, density),
                'sim': PUBLISHED.SIM(coarse, density),
                'kld': PUBLISHED.MIT_KLDiv(coarse, density),
            }
        )
    return {name: float(np.mean([row[name] for row in rows])) for name in SCORES}


@pytest.mark.parametrize('views', [1, 2, 6])
@pytest.mark.parametrize('layer', [(2, 3, 4), (4, 3, 4), (1, 3, 4)])
def test_scores_are_pysaliencys(views, layer):
    sample = a_sample(views, views=views, layer=layer)
    found, expected = evaluate(sample), by_hand(sample)
    for name in SCORES:
        assert found[name] == pytest.approx(expected[name], rel=2e-4, abs=2e-4), name
    assert [found[name] for name in COUNTS] == [1, 0, 0, 0]


@pytest.mark.parametrize('name', ['i3d', 'slowfast', 'tsn'])
def test_a_recognizers_maps_score_as_grad_cams_heatmaps(name):
    # Through the model, with two views, whose order must be that of the gaze.
    random, views, frames = np.random.default_rng(0), 2, 8
    dimensions = '2D' if name == 'tsn' else '3D'
    model = build(
        name, type=f'GazeAlignedRecognizer{dimensions}',
        gaze_loss=dict(type='GazeAlignmentLoss'),
    )  # fmt: skip
    data = batch(name, samples=1, views=views, seed=1)
    height, width = data['inputs'][0].shape[-2:]
    with GradCAM(model) as cam:
        (heatmaps,) = cam.heatmaps(data)
    heatmaps = heatmaps.flatten(0, 1).double().cpu().numpy()
    assert len(heatmaps) == views * frames
    places = np.repeat(np.arange(views * frames), 3)
    points = np.column_stack([places, random.random((len(places), 2))]).astype(np.float32)
    (sample,) = data['data_samples']
    sample.set_metainfo({'img_shape': (height, width)})
    sample.gaze_maps, sample.gaze_points = torch.ones(len(heatmaps), 9, 9), torch.tensor(points)
    with torch.no_grad():
        (sample,) = model.test_step(data)
    found = evaluate(sample)
    values = []
    for place, heatmap in enumerate(heatmaps):
        pixels = np.floor(points[points[:, 0] == place, 1:] * (width, height)).astype(int)
        if heatmap.min() < heatmap.max():
            nss = PUBLISHED.NSS(heatmap, *pixels.T).mean()
            values.append((nss, oracle.auc_by_pysaliency(ROCS, heatmap, pixels)))
        else:
            values.append((0, 0.5))
    expected = np.mean(values, axis=0)
    assert (found['nss'], found['auc']) == pytest.approx(expected, abs=2e-3)
    assert abs(expected[0]) > 0.01


def test_a_map_that_shows_the_fixations_beats_the_same_map_elsewhere():
    density = np.zeros((4, 3, 4))
    density[:, 0, 3] = 1  # the upper right corner
    points = [[frame, 0.95, 0.05] for frame in range(4)]
    right, left = np.zeros((2, 1, 2, 3, 4))
    right[..., 0, 3] = left[..., 0, 0] = 1
    there, elsewhere = evaluate(pack(right, density, points)), evaluate(pack(left, density, points))
    assert there['nss'] > 3 and elsewhere['nss'] < 0
    assert there['auc'] > 0.98 and there['cc'] == pytest.approx(1)
    assert there['sim'] == pytest.approx(1) and there['kld'] == pytest.approx(0, abs=1e-6)
    assert elsewhere['cc'] < 0 and elsewhere['sim'] == 0 and elsewhere['kld'] > 30


def test_a_clip_counts_once_however_many_frames_have_gaze():
    samples = [a_sample(seed, views=views) for seed, views in ((0, 1), (1, 5), (2, 2))]
    alone = [evaluate(sample) for sample in samples]
    together = evaluate(*samples, without_gaze())
    for name in SCORES:
        assert together[name] == pytest.approx(np.mean([one[name] for one in alone]))
    assert [together[name] for name in COUNTS] == [3, 1, 0, 0]


def test_the_right_edge_is_a_pixel():
    last = np.nextafter(np.float32(1), np.float32(0))
    sample = pack(np.eye(3, 4)[None, None], np.ones((1, 3, 4)) / 12, [[0, last, last]])
    assert np.isfinite(evaluate(sample)['nss'])


def test_maps_without_contrast_score_chance_and_are_counted():
    sample = a_sample(0, frames=7, layer=(3, 4, 5), cells=(4, 5))
    sample.set_metainfo({'img_shape': (50, 61)})
    sample.saliency_maps = torch.full_like(sample.saliency_maps, 0.7682217955589294)
    large = resized(sample.saliency_maps, (7, 50, 61))
    assert large.min() < large.max()  # by rounding alone
    found = evaluate(sample)
    seen = len(sample.gaze_points[:, 0].unique())
    assert [found['nss'], found['auc'], found['cc']] == [0, 0.5, 0]
    assert found['constant'] == seen and found['undefined'] == 0
    sample.saliency_maps[0] = torch.rand(sample.saliency_maps.shape[1:])
    assert evaluate(sample)['constant'] == len({int(p) for p in sample.gaze_points[:, 0] if p >= 7})


@pytest.mark.parametrize('value', [math.nan, math.inf])
def test_what_is_not_finite_is_undefined_and_counted(value):
    sample, other = a_sample(0, layer=(4, 3, 4)), a_sample(1)
    sample.saliency_maps[0, 0, 1, 1] = value
    found = evaluate(sample, other)
    assert [found[name] for name in COUNTS] == [2, 0, 0, 1]
    points = sample.gaze_points
    rest = pack(sample.saliency_maps, sample.gaze_maps, points[points[:, 0] > 0])
    alone = evaluate(rest)['nss']
    assert found['nss'] == pytest.approx((alone + evaluate(other)['nss']) / 2)


def warnings_of(*samples) -> tuple[dict, list[str]]:
    logger, said = MMLogger.get_current_instance(), []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: said.append(record.getMessage())
    logger.addHandler(handler)
    try:
        return evaluate(*samples), said
    finally:
        logger.removeHandler(handler)


def test_without_any_gaze_scores_are_nan_and_no_checkpoint_is_the_best():
    found, said = warnings_of(without_gaze(), without_gaze())
    assert all(math.isnan(found[name]) for name in SCORES)
    assert [found[name] for name in COUNTS] == [0, 2, 0, 0]
    assert len(said) == 1 and 'gaze: none of the 2 clips has a fixation' in said[0]
    hook = CheckpointHook(save_best=['gaze/nss', 'gaze/kld'], rule=['greater', 'less'])
    for name, rule in (('nss', 'greater'), ('kld', 'less')):
        start = hook.init_value_map[rule]
        better = hook.is_better_than[f'gaze/{name}']
        assert not better(found[name], start) and not better(found[name], 0.5)
        assert better(evaluate(a_sample())[name], start)


def test_scores_undefined_everywhere_are_said():
    sample = a_sample()
    sample.saliency_maps[:] = torch.inf
    found, said = warnings_of(sample)
    assert math.isnan(found['nss']) and found['undefined'] > 0
    assert len(said) == 1 and 'undefined in all frames' in said[0]
    assert not warnings_of(a_sample())[1]


def test_results_hold_numbers_alone():
    # One per sample, also of those without gaze: by their number the fillers of the last batch
    # of several processes are taken off.
    metric = METRICS.build(dict(type='GazeMetric'))
    samples = [a_sample(0), without_gaze(), a_sample(1)]
    metric.process({}, [sample.to_dict() for sample in samples])
    assert len(metric.results) == 3
    assert len(pickle.dumps(metric.results)) < 1000
    assert all(type(value) in (int, float) for one in metric.results for value in one.values())
    found = metric.evaluate(2)
    assert found['gaze/clips'] == 1 and found['gaze/clips_without'] == 1
    assert found['gaze/nss'] == pytest.approx(evaluate(samples[0])['nss'])


def test_another_prefix():
    evaluator = Evaluator([dict(type='GazeMetric', prefix='look')])
    assert 'look/nss' in evaluator.offline_evaluate([a_sample()])


@given(st.integers(1, 9), st.integers(1, 9), st.data())
@settings(max_examples=40, deadline=None)
def test_cells_keep_the_mass_that_lies_in_them(rows, columns, data):
    few = data.draw(st.integers(1, rows)), data.draw(st.integers(1, columns))
    density = np.random.default_rng(rows).random((rows, columns))
    # Each cell cut into pieces so small that none lies in two of the few.
    fine = np.kron(density, np.ones(few)) / np.prod(few)
    blocks = fine.reshape(few[0], rows, few[1], columns).sum(axis=(1, 3))
    np.testing.assert_allclose(to_cells(density, few), blocks, atol=1e-12)


def test_a_finer_density_is_brought_to_the_layer():
    random = np.random.default_rng(0)
    saliency, density = random.random((1, 2, 3, 4)), random.random((2, 6, 12))
    points = [[0, 0.5, 0.5], [1, 0.1, 0.9]]
    coarse = density.reshape(2, 3, 2, 4, 3).sum(axis=(2, 4))
    fine, same = (evaluate(pack(saliency, one, points)) for one in (density, coarse))
    for name in SCORES:
        assert fine[name] == pytest.approx(same[name], abs=1e-6)


REFUSED = {
    'no gaze': ({'gaze_maps'}, 'data samples have no gaze_maps: .* LoadGazeMaps'),
    'no points': ({'gaze_points'}, 'no gaze_points: .* algorithm_keys'),
    'no maps': ({'saliency_maps'}, 'adds no saliency_maps .* gaze_loss'),
    'no size': ({'img_shape'}, 'no img_shape: .* meta_keys'),
}


@pytest.mark.parametrize(('absent', 'words'), REFUSED.values(), ids=REFUSED)
def test_what_is_absent_is_named(absent, words):
    fields = a_sample().to_dict()
    sample = {name: value for name, value in fields.items() if name not in absent}
    with pytest.raises(ValueError, match=f'^GazeMetric: .*{words}') as error:
        GazeMetric().process({}, [sample])
    assert '\n' not in str(error.value)


def test_maps_finer_than_the_density_are_refused():
    sample = a_sample(layer=(2, 3, 5), cells=(3, 4))
    with pytest.raises(ValueError, match=r'3x5 cells.* 3x4: set map_size=\(3, 5\)'):
        evaluate(sample)


def test_views_that_do_not_share_the_frames_are_refused():
    sample = a_sample(views=3, frames=4)
    sample.saliency_maps = torch.rand(5, 2, 3, 4)
    with pytest.raises(ValueError, match='each of 5 views, got 12 in all'):
        evaluate(sample)
