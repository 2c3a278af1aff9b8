"""Each CAM method against its published definition, written out with loops."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsal.attribution import CAM_METHODS, GradCAM, find_layer
from tests.attribution.networks import batch, build

LINEAR = ('gradcam', 'layercam', 'hirescam')  # in the gradients, but for their sign
OF_GRADIENTS = (*LINEAR, 'gradcam++')
GRIDS = [(2, 3, 7, 2, 4), (2, 3, 30, 2, 4)]  # more positions than channels, and fewer


def random_pair(shape, seed=0) -> tuple[np.ndarray, np.ndarray]:
    """Activations and gradients, float64 [B, t, C, h, w]; both have zeros, as after a ReLU."""
    random = np.random.default_rng(seed)
    pair = random.normal(size=(2, *shape))
    return tuple(pair * (random.random((2, *shape)) < 0.8))


def found(method, *pair) -> np.ndarray:
    return CAM_METHODS[method](*(torch.from_numpy(one.copy()) for one in pair)).numpy()


# One frame, [C, h, w] twice, to [h, w].
def gradcam(activations, gradients):
    total = np.zeros(activations.shape[1:])
    for one, gradient in zip(activations, gradients, strict=True):
        total += gradient.sum() / gradient.size * one
    return np.maximum(total, 0)


def gradcam_plus_plus(activations, gradients):
    total = np.zeros(activations.shape[1:])
    for one, gradient in zip(activations, gradients, strict=True):
        weight = 0.0
        for g in gradient.flat:
            if g != 0:
                alpha = g**2 / (2 * g**2 + one.sum() * g**3)
                weight += alpha * max(g, 0)
        total += weight * one
    return np.maximum(total, 0)


def layercam(activations, gradients):
    total = np.zeros(activations.shape[1:])
    for one, gradient in zip(activations, gradients, strict=True):
        for place in np.ndindex(total.shape):
            total[place] += max(gradient[place], 0) * one[place]
    return np.maximum(total, 0)


def hirescam(activations, gradients):
    total = np.zeros(activations.shape[1:])
    for one, gradient in zip(activations, gradients, strict=True):
        for place in np.ndindex(total.shape):
            total[place] += gradient[place] * one[place]
    return np.maximum(total, 0)


def eigencam_of_clip(activations):
    """One clip, [t, C, h, w] to [t, h, w]."""
    frames, _, *size = activations.shape
    points = np.array(
        [activations[t, :, i, j] for t in range(frames) for i, j in np.ndindex(*size)]
    )
    centred = points - points.mean(axis=0)
    projected = centred @ np.linalg.svd(centred)[2][0]
    upwards = (projected**3).sum()
    if abs(upwards) <= 1e-6 * (abs(projected) ** 3).sum():
        upwards = np.dot(projected, points.mean(axis=1) - points.mean())
    if upwards < 0:
        projected = -projected
    return np.maximum(projected, 0).reshape(frames, *size)


FRAME_BY_FRAME = {
    'gradcam': gradcam,
    'gradcam++': gradcam_plus_plus,
    'layercam': layercam,
    'hirescam': hirescam,
}


def defined(method, activations, gradients) -> np.ndarray:
    if method == 'eigencam':
        return np.array([eigencam_of_clip(clip) for clip in activations])
    one = FRAME_BY_FRAME[method]
    return np.array(
        [[one(*frame) for frame in zip(*clip, strict=True)]
         for clip in zip(activations, gradients, strict=True)]
    )  # fmt: skip


def test_every_method_is_here():
    assert set(CAM_METHODS) == {*FRAME_BY_FRAME, 'eigencam'}


@pytest.mark.parametrize('shape', GRIDS)
@pytest.mark.parametrize('method', CAM_METHODS)
def test_equals_its_definition(method, shape):
    for seed in range(5):
        pair = random_pair(shape, seed)
        expected = defined(method, *pair)
        maps = found(method, *pair)
        assert maps.dtype == np.float64
        assert (expected > 0).mean() > 0.2
        np.testing.assert_allclose(maps, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize('method', CAM_METHODS)
def test_is_precise_in_single_precision(method):
    pair = random_pair(GRIDS[0])
    maps = found(method, *(one.astype(np.float32) for one in pair))
    assert maps.dtype == np.float32
    np.testing.assert_allclose(maps, defined(method, *pair), rtol=1e-4, atol=1e-4)


shapes = st.tuples(*(st.integers(1, 4) for _ in range(5)))
pairs = st.builds(random_pair, shapes, st.integers(0, 2**32 - 1))
quick = settings(max_examples=40, deadline=None)


@pytest.mark.parametrize('method', CAM_METHODS)
@quick
@given(pair=pairs)
def test_is_finite_and_not_negative(method, pair):
    maps = found(method, *pair)
    assert np.isfinite(maps).all()
    assert maps.min() >= 0


@pytest.mark.parametrize('method', LINEAR)
@quick
@given(pair=pairs, scale=st.floats(1e-6, 1e6))
def test_scale_of_the_gradients_does_not_change_the_pattern(method, pair, scale):
    activations, gradients = pair
    maps = found(method, activations, gradients)
    np.testing.assert_allclose(found(method, activations, scale * gradients), scale * maps, 1e-6)


@pytest.mark.parametrize('method', CAM_METHODS)
@quick
@given(pair=pairs, data=st.data())
def test_order_of_the_channels_changes_nothing(method, pair, data):
    order = data.draw(st.permutations(range(pair[0].shape[2])))
    permuted = found(method, *(one[:, :, order] for one in pair))
    np.testing.assert_allclose(permuted, found(method, *pair), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize('method', CAM_METHODS)
@quick
@given(pair=pairs, axis=st.sampled_from([0, 1, -2, -1]))
def test_a_flipped_picture_has_a_flipped_map(method, pair, axis):
    """As do clips and frames in reverse."""
    flipped = found(method, *(np.flip(one, axis) for one in pair))
    np.testing.assert_allclose(flipped, np.flip(found(method, *pair), axis), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize('method', OF_GRADIENTS)
@pytest.mark.parametrize('precision', [np.float32, np.float64])
def test_no_gradient_gives_no_map(method, precision):
    activations = random_pair(GRIDS[0])[0].astype(precision)
    assert not found(method, activations, np.zeros_like(activations)).any()


def test_constant_activations():
    """Where nothing varies in space, nothing is localized: a flat map, or none for EigenCAM."""
    activations = np.broadcast_to(np.float32([0.1, -0.7, 3.3])[:, None, None], (1, 2, 3, 4, 5))
    gradients = np.abs(random_pair(activations.shape)[1]).astype(np.float32)
    assert not found('eigencam', activations, gradients).any()
    for method in ('gradcam', 'gradcam++'):
        maps = found(method, activations, gradients)
        assert (maps.max(axis=(2, 3)) > 0).all()
        np.testing.assert_allclose(np.ptp(maps, axis=(2, 3)), 0, atol=1e-6)


@pytest.mark.parametrize('scale', [1e-12, 1e-20, 1e-30])
def test_gradcam_plus_plus_of_tiny_gradients(scale):
    """Their squares are no float32 numbers; alpha is 1/2 then."""
    activations, gradients = random_pair(GRIDS[0])
    tiny = (scale * gradients).astype(np.float32)
    maps = found('gradcam++', activations.astype(np.float32), tiny)
    weights = np.maximum(gradients, 0).sum(axis=(3, 4), keepdims=True) / 2
    expected = np.maximum((weights * activations).sum(axis=2), 0)
    assert expected.max() > 1
    np.testing.assert_allclose(maps / np.float32(scale), expected, rtol=1e-4, atol=1e-4)


def test_gradcam_plus_plus_where_its_denominator_is_zero():
    """g = 1 and a sum of -2; elsewhere the definition holds."""
    activations = np.array([[-1.0, -1.0], [3.0, 1.0]]).reshape(1, 1, 2, 1, 2)
    gradients = np.array([[1.0, 1.0], [1.0, 0.0]]).reshape(1, 1, 2, 1, 2)
    maps = found('gradcam++', activations, gradients)
    np.testing.assert_allclose(maps.ravel(), [3 / 6, 1 / 6])


def hooked(model, layer, data, targets) -> tuple[torch.Tensor, torch.Tensor]:
    """A layer's output and its gradient, by hooks and a full backward pass."""
    kept = []

    def keep(module, inputs, output):
        output.retain_grad()
        kept.append(output)

    handle = find_layer(model, layer).register_forward_hook(keep)
    model.cls_head.average_clips = 'score'
    results = model.test_step(data)
    handle.remove()
    sum(one.pred_score[target] for one, target in zip(results, targets, strict=True)).backward()
    return kept[0].detach(), kept[0].grad


@pytest.mark.parametrize(
    ('name', 'layer'), [('tsn', 'backbone/layer3'), ('i3d', 'backbone/layer2')]
)
def test_through_the_interface(name, layer):
    model, data, targets = build(name), batch(name, samples=2), [4, 1]
    pair = [
        (one.unflatten(0, (2, 8)) if name == 'tsn' else one.transpose(1, 2)).double().numpy()
        for one in hooked(model, layer, data, targets)
    ]
    for method in CAM_METHODS:
        with GradCAM(model, layer, method=method) as cam:
            raw = torch.cat([one.raw for one in cam.localize(data, targets)])
        maps = torch.from_numpy(defined(method, *pair))[:, None]
        expected = F.interpolate(maps, (8, 64, 64), mode='trilinear', align_corners=False)[:, 0]
        scale = float(expected.max())
        assert expected.std() > 0.01 * scale > 0, method
        torch.testing.assert_close(raw.double(), expected, rtol=1e-3, atol=1e-4 * scale)


@pytest.mark.parametrize('method', ['GradCAM', '', 'gradcam ', 'scorecam'])
def test_an_unknown_method_is_refused(method):
    with pytest.raises(ValueError, match='expected method to be one of') as error:
        GradCAM(build('slowonly'), method=method)
    assert all(known in str(error.value) for known in (*CAM_METHODS, repr(method)))
    assert '\n' not in str(error.value)
