"""Deletion and insertion: against a network that can be worked out by hand, and against loops."""

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from mmsal.attribution import Localization, open_explainer
from mmsal.comparison.evidence.deletion import (
    Curve,
    PixelCurves,
    area_under,
    blur,
    frame_ranks,
    pixel_ranks,
    random_map,
)
from tests.attribution.networks import batch, build


@pytest.fixture(autouse=True)
def one_thread():
    """So small a network is done sooner by one thread than by several that wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def small(name: str, views: int = 1) -> tuple[nn.Module, dict]:
    model = build(name)
    model.class_names = [str(number) for number in range(5)]
    model.cls_head.average_clips = 'score' if name == 'i3d' else 'prob'
    return model, batch(name, views=views, size=32)


class WeighedSum(nn.Module):
    """Two classes: the sum of all weighed pixels, and 0. Takes clips [S, 3, H, W] as they are."""

    class_names = ('sum', 'nothing')

    def __init__(self, weights: torch.Tensor) -> None:
        super().__init__()
        self.weights = weights  # [T, H, W]
        self.cls_head = nn.Module()
        self.cls_head.average_clips = 'prob'

    def data_preprocessor(self, data: dict, training: bool) -> dict:
        return {'inputs': torch.stack(data['inputs']).float()}

    def _run_forward(self, data: dict, mode: str) -> list:
        for answer, clip in zip(data['data_samples'], data['inputs'], strict=True):
            total = (clip * self.weights[:, None]).sum()
            answer.set_pred_score(torch.stack([total, torch.zeros(())])[None])
        return data['data_samples']


@pytest.fixture
def weighed():
    generator = torch.Generator().manual_seed(3)
    weights = torch.randn((4, 6, 5), generator=generator)
    clip = torch.rand((4, 3, 6, 5), generator=generator)
    return WeighedSum(weights), {'inputs': [clip]}, weights, clip


def test_curves_of_a_sum(weighed):
    model, data, weights, clip = weighed
    contribution = (clip.sum(dim=1) * weights).numpy()
    order = np.argsort(-contribution.ravel())
    curves = PixelCurves(model, data, target=0, steps=7, start='mean', batch_size=3)
    found = curves.of_map(torch.from_numpy(contribution)[None])
    counts = [round(k * 120 / 7) for k in range(8)]
    gone = np.array([contribution.ravel()[order[:count]].sum() for count in counts])
    np.testing.assert_allclose(found['deletion'].fraction, np.array(counts) / 120)
    np.testing.assert_allclose(found['deletion'].logit, gone[-1] - gone, atol=1e-4)
    np.testing.assert_allclose(found['insertion'].logit, gone, atol=1e-4)
    for curve in found.values():
        np.testing.assert_allclose(curve.probability, 1 / (1 + np.exp(-curve.logit)), atol=1e-6)
    other = PixelCurves(model, data, target=1, steps=7, start='mean')
    opposite = other.of_map(torch.from_numpy(contribution)[None])['deletion']
    np.testing.assert_allclose(opposite.probability, 1 - found['deletion'].probability, atol=1e-6)


def test_no_order_beats_that_of_the_contributions(weighed):
    model, data, weights, clip = weighed
    curves = PixelCurves(model, data, target=0, steps=12, start='mean')
    best = curves.of_map((clip.sum(dim=1) * weights)[None])
    for seed in range(5):
        chance = curves.of_map(random_map(curves.map_shape, seed))
        assert best['deletion'].area('logit') < chance['deletion'].area('logit') - 1
        assert best['insertion'].area('logit') > chance['insertion'].area('logit') + 1


@pytest.mark.parametrize('name', ['cnn_lstm', 'i3d', 'tsn'])
@pytest.mark.parametrize('start', ['blur', 'mean'])
def test_curves_are_those_of_a_loop(name, start):
    views = 1 if name == 'tsn' else 2
    model, data = small(name, views)
    with open_explainer(model, 'input_gradient') as explainer:
        found = explainer.localize(data)[0]
    assert found.raw.shape == (views, 8, 32, 32)
    curves = PixelCurves(model, data, found.target, steps=4, start=start, batch_size=2)
    got = curves.of_map(found)
    order = np.argsort(-found.raw.numpy().ravel())
    clip = model.data_preprocessor(data, training=False)['inputs']
    hidden = torch.zeros_like(clip)
    first = blur(clip, 5.0) if start == 'blur' else hidden
    for kind, before, after in (('deletion', clip, hidden), ('insertion', first, clip)):
        for step in range(5):
            mask = np.zeros(found.raw.numel(), bool)
            mask[order[: len(order) * step // 4]] = True
            mask = mask.reshape(found.raw.shape)
            colours = mask[:, None] if clip.dim() == 6 else mask.reshape(-1, 1, 32, 32)
            mixed = torch.where(torch.from_numpy(colours)[None], after, before)
            scores = scores_of(model, mixed, views)
            curve = got[kind]
            assert curve.logit[step] == pytest.approx(
                float(scores[:, found.target].mean()), abs=1e-4
            )
            if model.cls_head.average_clips == 'prob':
                probabilities = scores.softmax(dim=1).mean(dim=0)
            else:
                probabilities = scores.mean(dim=0).softmax(dim=0)
            probability = float(probabilities[found.target])
            assert curve.probability[step] == pytest.approx(probability, abs=1e-4)


@torch.no_grad()
def scores_of(model: nn.Module, inputs: torch.Tensor, views: int) -> torch.Tensor:
    """[V', K] by backbone and head, past everything that test_step does."""
    features = model.backbone(inputs.flatten(0, 1))
    if inputs.dim() == 6:
        return model.cls_head(features)
    scores = model.cls_head(features, num_segs=inputs.shape[1])
    return scores.view(-1, scores.shape[-1])


def test_the_ends_and_the_size_of_batches():
    model, data = small('cnn_lstm')
    raw = random_map((1, 8, 32, 32))
    one, many = (
        PixelCurves(model, data, 2, steps=6, batch_size=size).of_map(raw) for size in (1, 5)
    )
    for kind in one:
        np.testing.assert_allclose(one[kind].logit, many[kind].logit, atol=1e-5)
    with torch.no_grad():
        whole = float(model.test_step(data)[0].pred_score[2])
    assert one['deletion'].probability[0] == pytest.approx(whole, abs=1e-5)
    assert one['insertion'].probability[-1] == pytest.approx(whole, abs=1e-5)
    # Nothing is not the same as a blurred clip.
    assert abs(one['deletion'].logit[-1] - one['insertion'].logit[0]) > 1e-6


def test_nothing_is_left_behind():
    model, data = small('i3d')
    raw = random_map((1, 8, 32, 32))
    needing = [parameter.requires_grad for parameter in model.parameters()]
    before = data['inputs'][0].clone()
    curves = PixelCurves(model, data, 0, steps=2)
    assert curves.map_shape == (1, 8, 32, 32)
    curves.of_map(raw)
    assert [parameter.requires_grad for parameter in model.parameters()] == needing
    assert all(parameter.grad is None for parameter in model.parameters())
    torch.testing.assert_close(data['inputs'][0], before)
    assert not model.training and torch.is_grad_enabled()


def test_ranks():
    raw = torch.tensor([[[[3.0, -1.0], [9.0, 2.0]], [[8.0, 7.0], [0.0, -2.0]]]])
    assert pixel_ranks(raw).flatten().tolist() == [3, 6, 0, 4, 1, 2, 5, 7]
    # Sums 13 and 13.5: the second frame goes first, then the first.
    raw[0, 1, 1, 1] = -1.5
    assert frame_ranks(raw).flatten(2)[0].tolist() == [[4, 5, 6, 7], [0, 1, 2, 3]]


def test_equal_values_go_in_random_order():
    raw = torch.zeros(1, 4, 20, 20)
    raw[0, 2, :5] = 1
    ranks = pixel_ranks(raw, seed=1)
    assert sorted(ranks.flatten().tolist()) == list(range(1600))
    assert ranks[raw > 0].max() == 99 and ranks[raw == 0].min() == 100
    # Each frame has its part in the first half of the zeros, not the first frames all of it.
    early = ((ranks >= 100) & (ranks < 850)).flatten(2).sum(dim=2)[0] / (raw == 0).flatten(2).sum(
        2
    )[0]
    assert ((early > 0.4) & (early < 0.6)).all()
    assert not torch.equal(pixel_ranks(raw, seed=2), ranks)
    assert torch.equal(pixel_ranks(raw, seed=1), ranks)


def test_whole_frames_go_one_by_one(weighed):
    model, data, weights, clip = weighed
    raw = torch.zeros(1, 4, 6, 5)
    raw[0, :, 3, 3] = torch.tensor([2.0, 4.0, 1.0, 3.0])
    curve = PixelCurves(model, data, 0, steps=9).of_map(raw, by='frames')['deletion']
    per_frame = (clip.sum(dim=1) * weights).sum(dim=(1, 2)).numpy()
    left = [per_frame.sum()]
    for frame in (1, 3, 0, 2):
        left.append(left[-1] - per_frame[frame])
    np.testing.assert_allclose(curve.fraction, [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(curve.logit, left, atol=1e-4)


def test_area_is_the_trapezoid():
    fraction = np.array([0, 0.25, 1.0])
    curve = Curve(fraction, np.array([1, 0.5, 0]), np.array([4.0, 2.0, 2.0]))
    assert curve.area() == pytest.approx(0.25 * 0.75 + 0.75 * 0.25)
    assert curve.area('logit') == pytest.approx(0.25 * 3 + 0.75 * 2)
    assert area_under(fraction, np.ones(3)) == pytest.approx(1)


def test_blur_is_opencv_s():
    clip = torch.rand((2, 3, 24, 30), generator=torch.Generator().manual_seed(0))
    border = cv2.BORDER_REPLICATE
    for found, picture in zip(
        blur(clip, 2.0).flatten(0, 1), clip.flatten(0, 1).numpy(), strict=True
    ):
        expected = cv2.GaussianBlur(picture, (13, 13), 2.0, borderType=border)
        np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)
    # A picture smaller than the window.
    assert blur(torch.ones(1, 4, 4), 5.0).numpy() == pytest.approx(1, abs=1e-5)


def test_options_that_make_no_sense(weighed):
    model, data, _, clip = weighed
    for options, message in (
        (dict(steps=0), 'steps of at least 1, got 0'),
        (dict(batch_size=0), 'batch_size of at least 1, got 0'),
        (dict(start='white'), "start to be one of blur, mean, got 'white'"),
    ):
        with pytest.raises(ValueError, match=message):
            PixelCurves(model, data, 0, **options)
    with pytest.raises(ValueError, match='one clip, got 2'):
        PixelCurves(model, {'inputs': [clip, clip]}, 0)
    curves = PixelCurves(model, data, 0)
    with pytest.raises(ValueError, match=r'a map of shape \(1, 4, 6, 5\), got \(1, 4, 5, 6\)'):
        curves.of_map(torch.zeros(1, 4, 5, 6))
    with pytest.raises(ValueError, match="an order by pixels or frames, got 'rows'"):
        curves.of_map(torch.zeros(1, 4, 6, 5), by='rows')
    with pytest.raises(ValueError, match='finite values to rank'):
        curves.of_map(Localization(torch.full((1, 4, 6, 5), torch.nan), torch.zeros(1, 2), 0))
