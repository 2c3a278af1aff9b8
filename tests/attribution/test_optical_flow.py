"""Optical flow of textures that move by a known law, and against OpenCV called by hand."""

import cv2
import numpy as np
import pytest

from mmsal.attribution.optical_flow import (
    ALGORITHMS,
    flow_options,
    optical_flow,
    optical_flow_magnitude,
)

HEIGHT, WIDTH = 72, 96
Y, X = np.mgrid[:HEIGHT, :WIDTH].astype(float)
INNER = (slice(16, -16), slice(16, -16))  # away from where texture comes in


def texture(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Grey levels at any real coordinates: waves of random direction, 9 to 25 pixels long."""
    random = np.random.default_rng(3)
    total = np.zeros_like(x)
    for _ in range(24):
        angle, phase = random.uniform(0, 2 * np.pi, 2)
        wavenumber = 2 * np.pi / random.uniform(9, 25)
        total += np.sin(wavenumber * (np.cos(angle) * x + np.sin(angle) * y) + phase)
    return np.rint(np.clip(127.5 + 25 * total, 0, 255)).astype(np.uint8)


def translated(dx: float, dy: float, count: int = 3) -> np.ndarray:
    """Frames [count, H, W] of a texture that moves right by dx and down by dy in each step."""
    return np.stack([texture(X - step * dx, Y - step * dy) for step in range(count)])


@pytest.mark.parametrize('algorithm', ALGORITHMS)
@pytest.mark.parametrize(('dx', 'dy'), [(2, 0), (0, 2), (-1.5, 0), (0, -2.5), (1.25, -0.75)])
def test_known_translation(algorithm, dx, dy):
    flow = optical_flow(translated(dx, dy), algorithm)
    assert flow.shape == (2, HEIGHT, WIDTH, 2) and flow.dtype == np.float32
    error = np.hypot(flow[..., 0] - dx, flow[..., 1] - dy)[(slice(None), *INNER)]
    assert np.median(error) < 0.1 and np.quantile(error, 0.95) < 0.3


@pytest.mark.parametrize('algorithm', ALGORITHMS)
def test_known_rotation(algorithm):
    """Every pixel has another displacement, so that swapped axes show."""
    turn = np.deg2rad(3)
    cos, sin = np.cos(turn), np.sin(turn)
    x, y = X - WIDTH / 2, Y - HEIGHT / 2
    # What is at p goes to R p, so the second frame shows at p what the first had at R' p.
    frames = np.stack([texture(x, y), texture(cos * x + sin * y, -sin * x + cos * y)])
    expected = np.stack([cos * x - sin * y - x, sin * x + cos * y - y], axis=-1)
    error = np.linalg.norm(optical_flow(frames, algorithm)[0] - expected, axis=-1)[INNER]
    assert np.median(error) < 0.2
    assert np.median(np.linalg.norm(expected[INNER], axis=-1)) > 0.8  # as much would zero miss


@pytest.mark.parametrize('algorithm', ALGORITHMS)
def test_a_map_lies_in_the_pixels_of_the_first_frame(algorithm):
    """A zoom by z moves what is at p of the first frame by (z - 1) p, but that at p of the second
    by (1 - 1 / z) p."""
    zoom = 1.1
    y, x = np.mgrid[-80:80, -100:100].astype(float)
    frames = np.stack([texture(x, y), texture(x / zoom, y / zoom)])
    flow = optical_flow(frames, algorithm)[0]
    errors = [
        np.median(np.hypot(flow[..., 0] - share * x, flow[..., 1] - share * y)[30:-30, 30:-30])
        for share in (zoom - 1, 1 - 1 / zoom)
    ]
    assert errors[0] < 0.75 * errors[1]
    assert errors[0] < 0.3


@pytest.mark.parametrize('algorithm', ALGORITHMS)
def test_nothing_moves(algorithm):
    frames = np.stack([texture(X, Y)] * 3)
    assert optical_flow_magnitude(frames, algorithm)[(slice(None), *INNER)].max() < 0.01
    assert not optical_flow_magnitude(np.full((2, 20, 20), 90, np.uint8), algorithm).any()


def test_magnitude_is_the_length_of_the_flow():
    frames = translated(1.5, -1)
    flow, speed = optical_flow(frames), optical_flow_magnitude(frames)
    assert speed.shape == (2, HEIGHT, WIDTH) and speed.dtype == np.float32
    expected = np.sqrt(flow[..., 0].astype(float) ** 2 + flow[..., 1].astype(float) ** 2)
    np.testing.assert_allclose(speed, expected, rtol=1e-5)


def test_farneback_has_the_tutorials_parameters():
    before, after = translated(1.5, 1, 2)
    by_hand = cv2.calcOpticalFlowFarneback(before, after, None, 0.5, 3, 15, 3, 5, 1.2, 0)
    flow = optical_flow(np.stack([before, after]))
    np.testing.assert_allclose(flow[0], by_hand, atol=1e-4)


@pytest.mark.parametrize(
    'options',
    [{'pyr_scale': 0.8}, {'levels': 1}, {'winsize': 31}, {'iterations': 1}, {'poly_n': 3},
     {'poly_sigma': 2}, {'flags': 256}],
    ids=lambda options: next(iter(options)),
)  # fmt: skip
def test_every_option_reaches_opencv(options):
    # Noise, and as large as this, because there all options matter.
    before, after = np.random.default_rng(0).integers(0, 256, (2, 160, 200), np.uint8)
    values = {'pyr_scale': 0.5, 'levels': 3, 'winsize': 15, 'iterations': 3, 'poly_n': 5,
              'poly_sigma': 1.2, 'flags': 0} | options  # fmt: skip
    flow = optical_flow(np.stack([before, after]), **options)[0]
    np.testing.assert_allclose(
        flow, cv2.calcOpticalFlowFarneback(before, after, None, **values), atol=1e-4
    )
    assert np.abs(flow - optical_flow(np.stack([before, after]))[0]).max() > 0.1


@pytest.mark.parametrize(
    ('preset', 'number'),
    [(None, cv2.DISOPTICAL_FLOW_PRESET_MEDIUM), ('medium', 2), ('fast', 1), ('ultrafast', 0)],
)
def test_presets_of_dis(preset, number):
    before, after = translated(2.5, 1, 2)
    options = {} if preset is None else {'preset': preset}
    by_hand = cv2.DISOpticalFlow.create(number).calc(before, after, None)
    flow = optical_flow(np.stack([before, after]), 'dis', **options)[0]
    np.testing.assert_allclose(flow, by_hand, atol=1e-4)


@pytest.mark.parametrize('algorithm', ALGORITHMS)
def test_a_pair_does_not_depend_on_its_company(algorithm):
    frames = np.concatenate([translated(2, 0), translated(0, -1)])
    together = optical_flow(frames, algorithm)
    for number, flow in enumerate(together):
        np.testing.assert_array_equal(flow, optical_flow(frames[number : number + 2], algorithm)[0])


def test_colour_is_luma_of_rgb():
    random = np.random.default_rng(0)
    grey = translated(1.5, 0.5, 2)
    colour = np.stack([grey, random.integers(0, 256, grey.shape, np.uint8), 255 - grey], axis=-1)
    luma = colour @ np.array([0.299, 0.587, 0.114])
    flow = optical_flow(colour)
    by_hand = optical_flow(np.rint(luma).astype(np.uint8))
    # OpenCV's weights are fractions of 2^15, so a few pixels differ by one grey level.
    assert np.abs(flow - by_hand).mean() < 0.02
    assert np.abs(optical_flow(colour[..., ::-1]) - by_hand).mean() > 0.2  # were it BGR


def test_frames_need_not_lie_together_in_memory():
    frames = translated(1, 1, 4)
    np.testing.assert_array_equal(optical_flow(frames[::2]), optical_flow(frames[::2].copy()))
    mirrored = optical_flow(frames[:2, :, ::-1])
    np.testing.assert_array_equal(mirrored, optical_flow(frames[:2, :, ::-1].copy()))


def test_options_are_completed():
    assert flow_options('dis') == {'preset': 'medium'}
    assert flow_options('farneback', winsize=21) == {
        'pyr_scale': 0.5, 'levels': 3, 'winsize': 21, 'iterations': 3, 'poly_n': 5,
        'poly_sigma': 1.2, 'flags': 0,
    }  # fmt: skip


GOOD = np.zeros((2, 16, 16), np.uint8)


@pytest.mark.parametrize(
    ('frames', 'algorithm', 'options', 'fault'),
    [
        (GOOD[:1], 'farneback', {}, 'at least two frames, got 1'),
        (GOOD[:0], 'farneback', {}, 'at least two frames, got 0'),
        (GOOD[0], 'farneback', {}, r'got \(16, 16\)'),
        (np.zeros((2, 16, 16, 1), np.uint8), 'farneback', {}, r'RGB\), got \(2, 16, 16, 1\)'),
        (np.zeros((2, 0, 16), np.uint8), 'farneback', {}, r'got \(2, 0, 16\)'),
        (GOOD.astype(np.float32), 'farneback', {}, 'uint8, got float32'),
        (GOOD[:, :8, :8], 'dis', {}, 'dis cannot compute the flow of frames of 8x8 pixels'),
        (GOOD, 'lucas', {}, "algorithm farneback or dis, got 'lucas'"),
        (GOOD, 'farneback', {'preset': 'fast'}, "pyr_scale, levels.*got 'preset'"),
        (GOOD, 'dis', {'winsize': 3}, "of dis: preset; got 'winsize'"),
        (GOOD, 'dis', {'preset': 'slow'}, "ultrafast, fast, medium, got 'slow'"),
        (GOOD, 'farneback', {'pyr_scale': 1}, 'pyr_scale from 0.01 to 0.99, got 1'),
        (GOOD, 'farneback', {'levels': 0}, 'levels from 1'),
        (GOOD, 'farneback', {'winsize': -3}, 'winsize from 1'),
        (GOOD, 'farneback', {'winsize': 3.5}, 'winsize to be a whole number, got 3.5'),
        (GOOD, 'farneback', {'iterations': True}, 'iterations to be a whole number, got True'),
        (GOOD, 'farneback', {'poly_sigma': 'x'}, "poly_sigma to be a number, got 'x'"),
        (GOOD, 'farneback', {'poly_sigma': float('nan')}, 'poly_sigma from'),
        (GOOD, 'farneback', {'flags': 4}, 'flags 0 or 256, got 4'),
    ],
)
def test_bad_input(frames, algorithm, options, fault):
    for compute in (optical_flow, optical_flow_magnitude):
        with pytest.raises(ValueError, match=fault) as error:
            compute(frames, algorithm, **options)
        assert '\n' not in str(error.value)
