"""The quick way of TSR against the direct one: networks, gradients, tolerance, memory.

Strictly compared with a blurred filling: a patch of one colour makes the first maps flat, and which
of equal values a max pooling hands the gradient to is a matter of the last bit, in the direct loop
too. In float64, where next to no rounding shuts a ReLU that another batch size would leave open.
"""

import pytest
import torch
from captum.attr import Saliency

from mmsal.attribution import input_gradient, temporal_saliency_rescaling
from mmsal.attribution.tsr import clip_tsr
from mmsal.attribution.tsr.elsewhere import Elsewhere
from tests.attribution.networks import build
from tests.attribution.tsr.test_frame_cnn import BACKBONES, cnn_lstm, noise

CELLS = ('lstm', 'input_cell_attention')
METHODS = {
    'input_gradient': {},
    'smoothgrad': dict(samples=2, noise=0.1),
    'integrated_gradients': dict(steps=2),
}


pytestmark = pytest.mark.usefixtures('one_thread')


@pytest.fixture
def batches(monkeypatch):
    """How many frames the CNN takes at once, of each call that follows."""
    made = []

    class Watched(clip_tsr.FrameCNN):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            made.append(self.batch)

    monkeypatch.setattr(clip_tsr, 'FrameCNN', Watched)
    return made


@pytest.fixture
def around(monkeypatch):
    """One entry for each time that the CNN looked around patches alone."""
    calls, looks = [], clip_tsr.FrameCNN.trace_around
    monkeypatch.setattr(
        clip_tsr.FrameCNN,
        'trace_around',
        lambda *arguments: calls.append(1) or looks(*arguments),
    )
    return calls


def both(model, clip, patch_size=9, mask_value='blur', **options):
    """Of class 1: the quick way's result and the direct one's."""
    how = dict(patch_size=patch_size, mask_value=mask_value, **options)
    quick = temporal_saliency_rescaling(model, clip, 1, **how)
    direct = temporal_saliency_rescaling(model, clip, 1, exact=True, **how)
    assert (quick.direct, direct.direct) == (False, True)
    return quick, direct


def error(quick, direct):
    """Largest difference of the maps, and of the times, as shares of the largest value."""
    pairs = (quick.saliency, direct.saliency), (quick.time, direct.time)
    assert all(b.max() > 0 for _, b in pairs)
    return max(float((a - b).abs().max() / b.max()) for a, b in pairs)


def trained(cell):
    """Taught, CNN and all, to tell clips that grow lighter from clips that grow darker."""
    model = cnn_lstm(cell=cell).requires_grad_(True)
    ramp = torch.linspace(-1, 1, 5, dtype=torch.float64).view(5, 1, 1, 1)
    labels = torch.arange(8) % 2
    signs = (2.0 * labels - 1).view(8, 1, 1, 1, 1)
    clips = 0.5 * noise(8, 5, 3, 16, 16, seed=3) + signs * ramp
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-4)
    losses = []
    for _ in range(15):
        scores = model.classify_sequence(model.extract_frame_features(clips))
        loss = torch.nn.functional.cross_entropy(4 * scores[:, :2], labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    return model.requires_grad_(False)


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('cell', CELLS)
def test_equals_the_direct_way(cell, method, around):
    clip, how = noise(5, 3, 25, 29), dict(of=method, **METHODS[method])
    quick, direct = both(cnn_lstm(cell=cell), clip, patch_size=6, **how)
    assert len(around) > 1
    assert quick.chosen.tolist() == direct.chosen.tolist()
    assert error(quick, direct) < 1e-3


def test_smoothgrad_by_captum():
    """R is the size of captum's mean gradient at noisy copies, the noise that of the whole clip."""
    model, clip = cnn_lstm(), noise(4, 3, 20, 26)
    gradient = Saliency(
        lambda frames: model.classify_sequence(model.extract_frame_features(frames))
    )
    generator = torch.Generator().manual_seed(6)
    draws = [torch.randn(clip.shape, generator=generator, dtype=clip.dtype) for _ in range(2)]
    shifts = [0.2 * (clip.max() - clip.min()) * draw for draw in draws]

    def attribution(frames):
        copies = torch.stack([frames + shift for shift in shifts]).requires_grad_(True)
        return gradient.attribute(copies, target=1, abs=False).mean(dim=0).abs()

    expected = []
    for t in range(4):
        without = clip.clone()
        without[t] = 0.5
        expected.append(float((attribution(clip) - attribution(without)).abs().sum()))
    how = dict(mask_value=0.5, form='paper', of='smoothgrad', samples=2, noise=0.2, seed=6)
    for exact, closeness in ((True, 1e-6), (False, 1e-3)):
        found = temporal_saliency_rescaling(model, clip, 1, 20, exact=exact, **how)
        torch.testing.assert_close(
            found.time.double(), torch.tensor(expected).double(), rtol=closeness, atol=0
        )


@pytest.mark.parametrize('cell', CELLS)
@pytest.mark.parametrize('patch_size', [6, 9])
def test_equals_the_direct_way_once_trained(cell, patch_size):
    quick, direct = both(trained(cell), noise(7, 3, 25, 29), patch_size)
    assert quick.chosen.tolist() == direct.chosen.tolist()
    assert error(quick, direct) < 1e-3


@pytest.mark.parametrize('name', sorted(set(BACKBONES) - {'resnet18'}))
@pytest.mark.parametrize('patch_size', [6, 9])
def test_equals_the_direct_way_with_other_backbones(name, patch_size):
    assert error(*both(cnn_lstm(name), noise(5, 3, 25, 29), patch_size, form='paper')) < 1e-3


def test_patches_that_hide_what_is_there_anyway_count_nothing(around):
    """Though float64 convolutions round flat squares otherwise than flat maps."""
    colour = torch.tensor([-2.118, -2.036, -1.804], dtype=torch.float64)
    clip = colour.view(3, 1, 1).expand(4, 3, 60, 60).clone()
    clip[:, :, 20:40, 20:40] += noise(4, 3, 20, 20)
    quick, direct = both(cnn_lstm(), clip, 10, 'first', form='paper', quantile=0)
    assert around
    still = direct.patches < 1e-9 * direct.patches.max()
    assert int(still[quick.chosen].sum()) > 30
    assert float(quick.patches[still].max()) < 2e-3 * float(direct.patches.max())


def test_a_recognizer_that_changes_frames_before_its_backbone(around):
    model = cnn_lstm()

    class Halving(type(model)):
        def extract_frame_features(self, inputs):
            return super().extract_frame_features(0.5 * inputs)

        def extract_feat(self, inputs, *arguments, **options):
            return super().extract_feat(0.5 * inputs, *arguments, **options)

    model.__class__ = Halving
    assert error(*both(model, noise(4, 3, 25, 29), patch_size=6)) < 1e-3
    assert len(around) == 1  # and found out by that


def test_patches_without_any_slope(around):
    """The largest feature over time: hiding most patches leaves its frame without a slope."""
    model = cnn_lstm()
    model.cls_head.classify_sequence = lambda features: features.amax(dim=1)[:, :4]
    how = dict(patch_size=5, mask_value=3.0, quantile=0)
    quick, direct = both(model, noise(5, 3, 20, 26), **how)
    assert around
    assert error(quick, direct) < 1e-3


@pytest.mark.parametrize('shape', [(1, 20, 20), (2, 9, 31), (3, 5, 7)])
def test_small_clips(shape):
    length, height, width = shape
    quick, direct = both(cnn_lstm(), noise(length, 3, height, width), form='paper', quantile=0)
    assert quick.saliency.shape == (length, height, width)
    assert quick.chosen.tolist() == direct.chosen.tolist()
    scale = float(direct.saliency.max())
    assert (scale > 0) == (length > 1)  # no frame is above the quantile of itself alone
    torch.testing.assert_close(quick.saliency, direct.saliency, rtol=0, atol=1e-3 * scale)
    torch.testing.assert_close(quick.time, direct.time, rtol=1e-3, atol=0)


def test_hiding_what_is_there_anyway_changes_nothing():
    """A clip of one colour, hidden by that colour: no change but for rounding."""
    model, clip = cnn_lstm(), torch.full((4, 3, 20, 20), 0.3).double()
    scale = float(input_gradient(model, clip, 1).sum())
    for result in both(model, clip, mask_value='first'):
        assert not result.saliency.any()
        assert not result.time.any()
    for result in both(model, clip, mask_value='first', form='paper'):
        assert 0 <= float(result.time.max()) < 1e-9 * scale
        assert 0 <= float(result.saliency.max()) < (1e-9 * scale) ** 2


@pytest.mark.parametrize('cell', CELLS)
def test_float32_but_for_rounding(cell):
    """In float32 rounding, another in every batch size, shuts a ReLU here and opens one there.

    The gradient of the few patches concerned jumps. For such a patch the direct loop's own answer
    hangs on how many clips it is computed with, so that there is nothing closer to compare with.
    """
    quick, direct = both(cnn_lstm(cell=cell).float(), noise(6, 3, 36, 44).float(), 6)
    difference = (quick.saliency - direct.saliency).abs() / direct.saliency.max()
    assert float((difference < 1e-3).double().mean()) > 0.99
    assert float(difference.max()) < 5e-2
    assert float((quick.time - direct.time).abs().max()) < 5e-3


def test_a_tighter_tolerance_gives_a_smaller_error(monkeypatch):
    model, clip = cnn_lstm(), noise(5, 3, 28, 36)
    direct = temporal_saliency_rescaling(model, clip, 1, 6, 'blur', exact=True)
    errors = []
    for tolerance in (10.0, 0.1, 1e-3, 1e-8):
        monkeypatch.setattr(clip_tsr, 'TOLERANCE', tolerance)
        quick = temporal_saliency_rescaling(model, clip, 1, 6, 'blur')
        errors.append(error(quick, direct))
    assert errors[0] > 3 * errors[1] > 9 * errors[2]
    assert errors[3] < 1e-6


def test_what_is_known_of_a_frame_is_orthonormal(monkeypatch):
    """Also of one without a direction to begin with, as one whose gradient is 0."""
    made = []
    init, derivatives = Elsewhere.__init__, clip_tsr.FrameCNN.derivatives
    some = torch.tensor([0, 1, 1, 0, 1])[:, None]
    monkeypatch.setattr(
        Elsewhere, '__init__', lambda self, *given: init(self, *given) or made.append(self)
    )
    monkeypatch.setattr(clip_tsr.FrameCNN, 'derivatives', lambda *given: derivatives(*given) * some)
    assert error(*both(cnn_lstm(), noise(5, 3, 28, 36), 6)) < 1e-3
    (elsewhere,) = made
    assert {at.frame for at in elsewhere.known} == set(range(5))
    for parts in elsewhere.known.values():
        vectors = torch.cat([part.vectors for part in parts])
        torch.testing.assert_close(vectors @ vectors.T, torch.eye(len(vectors)).double())


def test_little_memory_is_enough(batches):
    model, clip = cnn_lstm(), noise(5, 3, 25, 29)
    exact = temporal_saliency_rescaling(model, clip, 1, 9, 'blur', exact=True)
    assert batches == []
    for memory in (2.0, 0.02, 1e-9):
        quick = temporal_saliency_rescaling(model, clip, 1, 9, 'blur', memory=memory)
        assert not quick.direct
        assert error(quick, exact) < 1e-3
    assert batches[0] > batches[1] > batches[2] == 1


@pytest.mark.parametrize('name', ['tsn', 'x3d'])
def test_recognizers_without_a_cnn_of_frames_are_explained_directly(name, batches):
    clip = noise(8, 3, 32, 32).float()
    clip = clip if name == 'tsn' else clip.transpose(0, 1)
    assert temporal_saliency_rescaling(build(name), clip, 1, 32).direct
    assert batches == []


def test_a_head_that_cuts_its_frames_into_clips():
    """8 frames are two clips of 4 whose scores are averaged; that mean is what is explained."""
    model, clip = cnn_lstm(clip_len=4), noise(8, 3, 20, 20)
    how = dict(patch_size=10, mask_value='blur')
    direct = temporal_saliency_rescaling(model, clip, 1, exact=True, **how)
    found = temporal_saliency_rescaling(model, clip, 1, **how)
    assert error(found, direct) < 1e-3
