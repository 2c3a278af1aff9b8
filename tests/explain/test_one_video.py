"""explain_video: whose frames, whose pixels, whose class."""

import numpy as np
import pytest
import torch
from mmaction.apis import inference_recognizer

from mmsal.datasets.synthetic import read_truth
from mmsal.explain import ClipPipeline, explain_video, load_recognizer, predict_video
from mmsal.heatmaps.geometry import to_source


@pytest.fixture(scope='module')
def model(config_path, checkpoint_path):
    return load_recognizer(config_path, checkpoint_path, device='cpu')


@pytest.fixture(scope='module')
def video(clips):
    return clips / 'person02_walking_d1_uncomp.avi'


def test_maps_lie_in_the_source(model, video, clips):
    found = explain_video(model, video, target='running')
    maps = found.heatmaps
    assert maps.values.shape == (8, 120, 160)
    assert maps.values.dtype == np.float32
    assert 0 <= maps.values.min() < maps.values.max() <= 1
    assert maps.seen is None
    truth = read_truth(clips / 'truth' / 'person02_walking_d1.npz')
    assert maps.meta['num_frames'] == len(truth.body)
    assert np.diff(maps.frame_indices).tolist() == [2] * 7
    assert maps.meta['target_label'] == 'running'
    assert maps.meta['timestamps'] == pytest.approx(maps.frame_indices / 25, abs=1e-3)


def test_input_space_is_the_network_s_own(model, video):
    source, own = (explain_video(model, video, target=0, space=s) for s in ('source', 'input'))
    assert own.heatmaps.values.shape == (8, 48, 64)
    pipeline = ClipPipeline(model.cfg)
    views = pipeline.prepare(pipeline.probe(video)).views
    carried, _ = to_source(own.heatmaps.values[None], views, (160, 120))
    np.testing.assert_allclose(source.heatmaps.values, carried, atol=1e-6)


def test_ranges_are_clips_of_their_own(model, video):
    ranges = [(20, 40), (50, 70)]
    both = explain_video(model, video, target=1, frame_ranges=ranges).heatmaps
    apart = [explain_video(model, video, target=1, frame_ranges=[r]).heatmaps for r in ranges]
    indices = np.concatenate([one.frame_indices for one in apart])
    assert both.frame_indices.tolist() == indices.tolist()
    assert ((indices >= 20) & (indices < 70)).all()
    assert not ((indices >= 40) & (indices < 50)).any()
    np.testing.assert_array_equal(both.values, np.concatenate([one.values for one in apart]))


def test_frame_of_two_clips_gets_their_mean(model, video):
    once, twice = [(20, 40)], [(20, 40), (24, 44)]
    first = explain_video(model, video, target=1, frame_ranges=once).heatmaps
    second = explain_video(model, video, target=1, frame_ranges=twice[1:]).heatmaps
    both = explain_video(model, video, target=1, frame_ranges=twice).heatmaps
    shared = np.intersect1d(first.frame_indices, second.frame_indices)
    assert len(shared) > 0
    frame = shared[0]
    pick = [one.values[one.frame_indices == frame][0] for one in (first, second, both)]
    assert not np.allclose(pick[0], pick[1])
    np.testing.assert_allclose(pick[2], (pick[0] + pick[1]) / 2, atol=1e-6)


def test_all_ranges_explain_the_class_of_the_video(model, video):
    ranges = [(0, 16), (20, 40), (40, 60), (60, 80)]
    found = explain_video(model, video, frame_ranges=ranges)
    assert found.heatmaps.meta['target_class'] == found.prediction.top
    named = explain_video(model, video, frame_ranges=ranges, target=found.prediction.label)
    np.testing.assert_array_equal(found.heatmaps.values, named.heatmaps.values)
    other = explain_video(model, video, frame_ranges=ranges, target=1 - found.prediction.top)
    assert not np.allclose(found.heatmaps.values, other.heatmaps.values)


def test_prediction_is_that_of_mmaction2(model, video):
    expected = inference_recognizer(model, str(video)).pred_score  # average_clips='prob'
    prediction = predict_video(model, video)
    torch.testing.assert_close(torch.from_numpy(prediction.probabilities), expected)
    assert prediction.probabilities.sum() == pytest.approx(1)
    ranked = prediction.ranked()
    assert [row['label'] for row in ranked] == [
        prediction.class_names[row['class']] for row in ranked
    ]
    assert ranked[0]['score'] >= ranked[1]['score']
    same = explain_video(model, video).prediction.probabilities
    np.testing.assert_allclose(same, prediction.probabilities, atol=1e-6)


@pytest.mark.parametrize(
    ('options', 'fault'),
    [
        (dict(target='jumping'), "class 'jumping' does not exist; there is: 0 walking, 1 running"),
        (dict(target=2), 'class 2 does not exist'),
        (dict(space='screen'), 'expected space to be one of source, input'),
        (dict(method='magic'), 'expected method to be one of gradcam'),
        (dict(target_layer_name='backbone/layer9'), 'does not exist; there is: backbone/layer'),
        (dict(frame_ranges=[(9000, 9010)]), 'no frame in common'),
    ],
)
def test_what_does_not_exist_is_refused(model, video, options, fault):
    with pytest.raises(ValueError, match=fault):
        explain_video(model, video, **options)


def test_several_crops_need_the_source_space(model, video):
    cropped = [step for step in model.cfg.test_pipeline if step['type'] != 'Resize']
    place = next(i for i, step in enumerate(cropped) if step['type'] == 'FormatShape')
    cropped.insert(place, dict(type='ThreeCrop', crop_size=(120, 120)))
    dataset = model.cfg.test_dataloader.dataset
    before, dataset.pipeline = dataset.pipeline, cropped
    try:
        maps = explain_video(model, video, target=1).heatmaps
        assert maps.values.shape == (8, 120, 160)
        with pytest.raises(ValueError, match='3 crops of each frame'):
            explain_video(model, video, target=1, space='input')
        cropped[place] = dict(type='CenterCrop', crop_size=(100, 80))
        dataset.pipeline = cropped
        maps = explain_video(model, video, target=1).heatmaps
        assert maps.seen[20:100, 30:130].all()
        assert maps.seen.sum() == 100 * 80
        assert not maps.values[:, ~maps.seen].any()
    finally:
        dataset.pipeline = before
