"""Feature saliency against captum, finite differences and the published two-step procedure."""

import gc
import weakref

import numpy as np
import pytest
import torch
from captum.attr import Saliency
from mmaction.registry import MODELS
from mmengine.config import Config

from mmsal.attribution.tsr import FORMS
from mmsal.attribution.tsr.features import (
    feature_saliency,
    frame_features,
    rescaled_feature_saliency,
    rescaled_sequence_saliency,
    sequence_saliency,
)

CELLS = ('lstm', 'input_cell_attention')
MASKS = ('first', 'mean', -0.5)


def build(cell='lstm', features=5, **options):
    """A small CNN-LSTM in double precision; its random weights are large enough to matter."""
    torch.manual_seed(3)
    backbone = dict(
        type='ResNet', depth=18, num_stages=1, strides=(1,), dilations=(1,), out_indices=(0,)
    )
    head = dict(
        type='CNNLSTMHead', num_classes=3, in_channels=64, feature_size=features,
        hidden_sizes=(6,), cell=cell, attention_hops=3, attention_size=4, topk=(1,),
    )  # fmt: skip
    config = dict(type='CNNLSTMRecognizer', backbone=backbone, cls_head=head, **options)
    model = MODELS.build(Config(dict(model=config)).model).double()
    with torch.no_grad():
        for parameter in model.cls_head.parameters():
            parameter.normal_(std=0.7)
    return model.eval()


pytestmark = pytest.mark.usefixtures('one_thread')


@pytest.fixture(params=CELLS)
def model(request):
    return build(request.param)


@pytest.fixture(scope='module')
def clip():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(6, 3, 16, 16, dtype=torch.float64, generator=generator)


def published_rescaling(model, sequence, target, mask_value, quantile, form):
    """The two steps as published, one hidden thing and one captum call at a time; float [T, D]."""
    saliency = Saliency(model.classify_sequence)

    def attribute(one):
        leaf = one[None].clone().requires_grad_(True)
        return saliency.attribute(leaf, target=target)[0].numpy()

    def minmax(values):
        low, high = min(values), max(values)
        return [(v - low) / (high - low) for v in values] if form == 'official' else list(values)

    steps, size = sequence.shape
    hidden_by = {
        'first': [float(sequence[0, 0])] * size,
        'mean': [float(sequence[:, d].mean()) for d in range(size)],
    }.get(mask_value, [mask_value] * size)
    whole = attribute(sequence)
    time = []
    for t in range(steps):
        without = sequence.clone()
        for d in range(size):
            without[t, d] = hidden_by[d]
        time.append(float(np.abs(whole - attribute(without)).sum()))
    time = minmax(time)
    threshold = np.quantile(time, quantile)
    found = np.zeros((steps, size))
    for t in range(steps):
        parts = [0.1 if form == 'official' else 0.0] * size
        if time[t] > threshold:
            for d in range(size):
                without = sequence.clone()
                without[t, d] = hidden_by[d]
                parts[d] = float(np.abs(whole - attribute(without)).sum())
            parts = minmax(parts)
        for d in range(size):
            found[t, d] = time[t] * parts[d]
    return found, time


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize('mask_value', MASKS)
def test_rescaling_equals_the_published_procedure(model, clip, form, mask_value):
    sequence = frame_features(model, clip)
    expected, time = published_rescaling(model, sequence, 1, mask_value, 0.55, form)
    found = rescaled_feature_saliency(
        model, clip, 1, mask_value=mask_value, form=form, batch_size=4
    )
    scale = expected.max()
    assert scale > 0
    np.testing.assert_allclose(found.contributions, expected, rtol=1e-6, atol=1e-9 * scale)
    np.testing.assert_allclose(found.time, time, rtol=1e-6, atol=1e-9 * max(time))
    assert 0 < int(found.chosen.sum()) < 6


@pytest.mark.parametrize('quantile', [0, 0.3, 0.9])
def test_quantile_is_the_share_of_frames_below(model, clip, quantile):
    sequence = frame_features(model, clip)
    expected, _ = published_rescaling(model, sequence, 0, 'first', quantile, 'official')
    found = rescaled_sequence_saliency(model, sequence, 0, quantile=quantile)
    np.testing.assert_allclose(found.contributions, expected, rtol=1e-6, atol=1e-9)
    assert int(found.chosen.sum()) == sum(place > 5 * quantile for place in range(6))


def test_batches_change_nothing_but_rounding(model, clip):
    sequence = frame_features(model, clip)
    one, all_at_once = (
        rescaled_sequence_saliency(model, sequence, 2, batch_size=size) for size in (1, 1000)
    )
    torch.testing.assert_close(one.contributions, all_at_once.contributions)


def test_no_more_sequences_at_once_than_asked(clip, monkeypatch):
    model, seen = build(), []
    original = model.classify_sequence

    def counted(sequences):
        seen.append(len(sequences))
        return original(sequences)

    monkeypatch.setattr(model, 'classify_sequence', counted)
    found = rescaled_feature_saliency(model, clip, batch_size=4)
    assert max(seen) == 4
    hidden = 6 + int(found.chosen.sum()) * 5
    assert sum(seen) == hidden + 2  # the sequence itself: for its class, and for its saliency


def test_saliency_equals_captum(model, clip):
    sequence = frame_features(model, clip)
    for target in range(3):
        expected = Saliency(model.classify_sequence).attribute(
            sequence[None].clone().requires_grad_(True), target=target
        )
        torch.testing.assert_close(feature_saliency(model, clip, target), expected[0])


def test_saliency_equals_finite_differences(model, clip):
    sequence = frame_features(model, clip)
    found = feature_saliency(model, clip, 0)
    assert found.shape == (6, 5)
    step = 1e-6
    for t, d in [(0, 0), (2, 3), (5, 4)]:
        ends = sequence.repeat(2, 1, 1)
        ends[0, t, d] -= step
        ends[1, t, d] += step
        with torch.no_grad():
            low, high = model.classify_sequence(ends)[:, 0]
        slope = float(high - low) / (2 * step)
        assert float(found[t, d]) == pytest.approx(abs(slope), rel=1e-4, abs=1e-9)


def test_features_are_those_that_the_recognizer_classifies(model, clip):
    scores = model(clip[None], mode='tensor', stage='head')
    sequence = frame_features(model, clip)
    torch.testing.assert_close(model.classify_sequence(sequence[None]), scores)
    assert not sequence.requires_grad


def test_none_explains_the_predicted_class(model, clip):
    top = int(model.classify_sequence(frame_features(model, clip)[None]).argmax())
    saliencies = [feature_saliency(model, clip, target) for target in range(3)]
    torch.testing.assert_close(feature_saliency(model, clip), saliencies[top])
    assert all(
        not torch.allclose(saliencies[top], saliencies[other]) for other in range(3) if other != top
    )
    # A hidden frame may change the prediction, but not the class that is explained.
    torch.testing.assert_close(
        rescaled_feature_saliency(model, clip).contributions,
        rescaled_feature_saliency(model, clip, top).contributions,
    )


def test_sequences_of_a_batch_do_not_see_each_other(model):
    sequences = torch.randn(3, 4, 5, dtype=torch.float64)
    together = sequence_saliency(model, sequences, [2, 0, 1])
    for one, target, found in zip(sequences, [2, 0, 1], together, strict=True):
        torch.testing.assert_close(sequence_saliency(model, one, target), found)


@pytest.mark.parametrize('function', [feature_saliency, rescaled_feature_saliency])
def test_the_model_is_left_as_it_was(clip, function):
    model = build()
    model.train()
    model.backbone.eval()
    model.cls_head.fc_feature.weight.requires_grad_(False)
    modes = [module.training for module in model.modules()]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    asked = [parameter.requires_grad for parameter in model.parameters()]
    trained = model.cls_head.recurrent[0].weight_ih_l0
    trained.grad = torch.ones_like(trained)
    function(model, clip, 1)
    assert [module.training for module in model.modules()] == modes
    assert [parameter.requires_grad for parameter in model.parameters()] == asked
    assert bool((trained.grad == 1).all())
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_a_failing_model_is_left_as_it_was(clip):
    model = build().train()
    with pytest.raises(ValueError, match='class'):
        feature_saliency(model, clip, 3)
    assert model.training and all(parameter.requires_grad for parameter in model.parameters())


def test_no_graph_outlives_the_call_and_none_reaches_the_parameters(clip, monkeypatch):
    model, scores = build(), []
    original = model.classify_sequence

    def watched(sequences):
        assert not any(parameter.requires_grad for parameter in model.parameters())
        found = original(sequences)
        scores.append(weakref.ref(found))
        return found

    monkeypatch.setattr(model, 'classify_sequence', watched)
    results = feature_saliency(model, clip), rescaled_feature_saliency(model, clip).contributions
    assert all(result.grad_fn is None and not result.requires_grad for result in results)
    gc.collect()
    assert len(scores) > 3
    assert all(reference() is None for reference in scores)


def test_works_where_gradients_are_off(clip):
    model = build()
    expected = feature_saliency(model, clip)
    with torch.no_grad():
        torch.testing.assert_close(feature_saliency(model, clip), expected)


def test_dropout_and_batch_norm_rest(clip):
    model = build().train()
    model.cls_head.dropout.p = 0.5
    torch.testing.assert_close(feature_saliency(model, clip), feature_saliency(model, clip))
    torch.testing.assert_close(feature_saliency(model, clip), feature_saliency(model.eval(), clip))


def test_where_nothing_is_hidden_nothing_counts():
    model = build('input_cell_attention')
    sequence = torch.full((4, 5), 0.25, dtype=torch.float64)
    found = rescaled_sequence_saliency(model, sequence, 0, mask_value=0.25, form='paper')
    assert sequence_saliency(model, sequence, 0).max() > 1e-3
    assert found.time.max() < 1e-12


BAD_OPTIONS = {
    'word': (dict(mask_value='last'), 'mask_value'),
    'infinite': (dict(mask_value=float('inf')), 'mask_value'),
    'nan': (dict(mask_value=float('nan')), 'mask_value'),
    'form': (dict(form='other'), 'official, paper'),
    'quantile': (dict(quantile=1.0), 'quantile'),
    'batch': (dict(batch_size=0), 'batch size'),
    'class': (dict(target=3), 'class from 0 to 2'),
}


@pytest.mark.parametrize(('options', 'words'), BAD_OPTIONS.values(), ids=BAD_OPTIONS)
def test_bad_options(clip, options, words):
    with pytest.raises(ValueError, match=words):
        rescaled_feature_saliency(build(), clip, **options)


@pytest.mark.parametrize(
    'bad', [torch.zeros(2, 3, 3, 8, 8), torch.zeros(4, 3, 8, 8, dtype=torch.uint8)]
)
def test_bad_clips(bad):
    with pytest.raises(ValueError, match='one float clip'):
        feature_saliency(build(), bad)


def test_bad_sequences():
    for bad in (torch.zeros(5), torch.zeros(2, 5, dtype=torch.int64)):
        with pytest.raises(ValueError, match='float features'):
            sequence_saliency(build(), bad)
    with pytest.raises(ValueError, match=r'features \[T, D\]'):
        rescaled_sequence_saliency(build(), torch.zeros(1, 2, 5))


def test_a_model_without_frame_features_is_refused(clip):
    with pytest.raises(ValueError, match='CNNLSTMRecognizer, not Linear'):
        feature_saliency(torch.nn.Linear(2, 2), clip)
