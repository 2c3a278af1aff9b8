"""TSR by name, of whole batches: each view is a clip of its own."""

import numpy as np
import pytest
import torch

from mmsal.attribution import open_explainer, temporal_saliency_rescaling
from tests.attribution.networks import batch, build
from tests.attribution.tsr.test_frame_cnn import cnn_lstm, noise

SIZE = (20, 26)


pytestmark = pytest.mark.usefixtures('one_thread')


def explain(model, data, target=None, **options):
    with open_explainer(model, 'tsr', patch_size=13, **options) as explainer:
        return explainer.localize(data, target)


@pytest.mark.parametrize(('name', 'views'), [('tsn', 1), ('i3d', 2), ('x3d', 3)])
def test_each_view_is_a_clip_of_its_own(name, views):
    """Two samples; every map is that of the function, given the view's frames alone."""
    model = build(name)
    data = batch(name, samples=2, views=views, size=(32, 32))
    found = explain(model, data, [3, 0], quantile=0.9)
    inputs = model.data_preprocessor(data)['inputs']
    for sample, one, target in zip(inputs, found, (3, 0), strict=True):
        clips = sample[None] if name == 'tsn' else sample
        assert one.target == target
        assert one.raw.shape == (views, 8, 32, 32)
        assert one.time.shape == (views, 8)
        assert one.raw.dtype == one.time.dtype == torch.float32
        for view, clip in enumerate(clips):
            expected = temporal_saliency_rescaling(model, clip, target, 13, quantile=0.9)
            assert expected.direct
            assert float(expected.saliency.max()) > 0.5
            torch.testing.assert_close(one.raw[view], expected.saliency)
            torch.testing.assert_close(one.time[view], expected.time)


def test_views_of_a_cnn_lstm_are_cut_as_its_head_cuts_them():
    """16 frames are two clips of 8, and each is hidden in and explained alone."""
    model = cnn_lstm(clip_len=8).float()
    frames = noise(16, 3, *SIZE).float()
    (found,) = explain(model, dict(inputs=[frames], data_samples=[None]), 2, mask_value='blur')
    assert found.raw.shape == (2, 8, *SIZE)
    for view, clip in enumerate(frames.split(8)):
        expected = temporal_saliency_rescaling(model, clip, 2, 13, 'blur')
        assert not expected.direct
        torch.testing.assert_close(found.raw[view], expected.saliency)
        torch.testing.assert_close(found.time[view], expected.time)
    assert not torch.allclose(found.raw[0], found.raw[1], atol=0.1)


def test_scores_and_the_class_of_the_mean_of_all_views():
    """The head's bias is set so that the first view alone would be given another class."""
    model = build('x3d')
    data = batch('x3d', samples=2, views=2, size=(32, 32))
    inputs = model.data_preprocessor(data)['inputs']

    @torch.no_grad()
    def scores():
        return model(inputs, stage='head', mode='tensor').unflatten(0, (2, 2))

    with torch.no_grad():
        first, second = (scores()[0, :, 0] - scores()[0, :, 1]).tolist()
        model.cls_head.fc2.bias[:2] += 10
        model.cls_head.fc2.bias[0] -= (3 * first + second) / 4
    expected = scores()
    assert int(expected[0, 0].argmax()) != int(expected[0].mean(dim=0).argmax())
    for one, of_views in zip(explain(model, data, quantile=0.9), expected, strict=True):
        torch.testing.assert_close(one.view_scores, of_views)
        torch.testing.assert_close(one.scores, of_views.mean(dim=0))
        assert one.target == int(of_views.mean(dim=0).argmax())
        assert not one.raw.requires_grad


def test_options_reach_the_method():
    model = cnn_lstm().float()
    clip = noise(5, 3, *SIZE).float()
    data = dict(inputs=[clip], data_samples=[None])
    how = dict(
        of='smoothgrad', samples=2, noise=0.3, seed=5, mask_value='mean', quantile=0.2,
        form='paper', exact=True, memory=1,
    )  # fmt: skip
    (found,) = explain(model, data, 1, **how)
    expected = temporal_saliency_rescaling(model, clip, 1, 13, **how)
    torch.testing.assert_close(found.raw[0], expected.saliency)
    (default,) = explain(model, data, 1)
    for name, other in dict(seed=6, quantile=0.7, mask_value='blur', form='official').items():
        (changed,) = explain(model, data, 1, **{**how, name: other})
        assert not torch.allclose(changed.raw, found.raw), name
    assert not torch.allclose(default.raw, found.raw)
    # Whatever comes from it is made for [0, 1].
    assert float(found.scaled.max()) == pytest.approx(1)


@pytest.mark.parametrize('fails', [False, True])
def test_the_mode_comes_back_with_the_end_of_the_block(fails):
    model = cnn_lstm().float().train()
    data = dict(inputs=[noise(3, 3, *SIZE).float()], data_samples=[None])
    with open_explainer(model, 'tsr', patch_size=26) as explainer:
        assert not model.training
        if fails:
            with pytest.raises(ValueError, match='expected a class from 0 to 3, got 4'):
                explainer.localize(data, 4)
        else:
            assert len(explainer.localize(data)) == 1
        assert not model.training
    assert all(module.training for module in model.modules())


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (
            dict(patch=3),
            'expected options of tsr to be one of of, patch_size, .*memory, got .patch',
        ),
        (dict(steps=3), "got 'steps'"),
        (dict(of='smoothgrad', steps=3), "one of .*samples, noise, seed, got 'steps'"),
        (dict(of='integrated_gradients', steps=0), 'expected steps to be a whole number from 1'),
        (dict(of='smoothgrad', noise=-1), 'expected noise to be a number above 0, got -1'),
        (dict(of='occlusion'), "expected of to be one of input_gradient, .*, got 'occlusion'"),
        (dict(of='gradcam'), "expected of to be one of input_gradient, .*, got 'gradcam'"),
        (dict(patch_size=0), 'expected patch_size to be a whole number from 1, got 0'),
        (dict(patch_size=True), 'expected patch_size to be a whole number from 1, got True'),
        (dict(mask_value='black'), "expected mask_value to be .*, got 'black'"),
        (dict(quantile=1), 'expected quantile from 0 to below 1, got 1'),
        (dict(form='mine'), "expected form to be one of official, paper, got 'mine'"),
        (dict(exact=1), 'expected exact to be True or False, got 1'),
        (dict(memory=-1), 'expected memory to be a number of GiB above 0, got -1'),
        (dict(memory=float('nan')), 'expected memory to be a number of GiB above 0, got nan'),
        (dict(target_layer_name='backbone'), 'tsr looks at no single layer'),
    ],
)
def test_refuses_before_anything_is_read(options, message):
    model = cnn_lstm().train()
    with pytest.raises(ValueError, match=message) as caught:
        open_explainer(model, 'tsr', **options)
    assert '\n' not in str(caught.value)
    assert model.training


def test_whole_numbers_of_numpy_are_whole_numbers():
    model = cnn_lstm().float()
    clip = noise(3, 3, *SIZE).float()
    plain = temporal_saliency_rescaling(model, clip, 1, 13, quantile=0.5, exact=True)
    numpy = temporal_saliency_rescaling(
        model, clip, np.int64(1), np.int32(13), quantile=np.float64(0.5), exact=True
    )
    assert torch.equal(numpy.saliency, plain.saliency)
    assert numpy.target == 1
