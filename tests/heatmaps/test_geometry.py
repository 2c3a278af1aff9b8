"""From input to source pixels, against MMAction2's own transforms and a direct loop."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmaction.registry import TRANSFORMS

from mmsal.heatmaps.geometry import (
    Axis,
    GeometryError,
    View,
    carry_along,
    coordinate_ramp,
    to_source,
    view_of_ramp,
)

sizes = st.integers(16, 80)


def transform(image, *steps):
    results = dict(imgs=[image], img_shape=image.shape[:2], modality='RGB')
    for step in steps:
        results = TRANSFORMS.build(step)(results)
    return results['imgs']


@settings(deadline=None, max_examples=60)
@given(width=sizes, height=sizes, new_width=sizes, new_height=sizes)
def test_resize_is_read_off_the_ramp(width, height, new_width, new_height):
    resize = dict(type='Resize', scale=(new_width, new_height), keep_ratio=False)
    view = view_of_ramp(transform(coordinate_ramp(width, height), resize)[0])
    assert view.x.size == new_width
    assert view.y.size == new_height
    # Half a pixel in from the border lies the first centre, in both pictures.
    assert view.x.scale == pytest.approx(width / new_width, abs=1e-3)
    assert view.y.offset == pytest.approx(0.5 * height / new_height - 0.5, abs=0.02)


@settings(deadline=None, max_examples=60)
@given(width=st.integers(40, 80), height=st.integers(40, 80), crop=st.integers(8, 40))
def test_centre_crop_and_flip(width, height, crop):
    steps = [dict(type='CenterCrop', crop_size=crop), dict(type='Flip', flip_ratio=1)]
    view = view_of_ramp(transform(coordinate_ramp(width, height), *steps)[0])
    left, top = (width - crop) // 2, (height - crop) // 2
    assert view.x == Axis(crop, pytest.approx(-1), pytest.approx(left + crop - 1))
    assert view.y == Axis(crop, pytest.approx(1), pytest.approx(top))


@pytest.mark.parametrize(
    'bend',
    [
        lambda ramp: ramp.transpose(1, 0, 2),
        lambda ramp: ramp[:, np.arange(30) ** 2 // 30],
        lambda ramp: ramp[:2],
        lambda ramp: np.zeros_like(ramp),
    ],
    ids=['turned', 'bent', 'tiny', 'blank'],
)
def test_anything_else_is_refused(bend):
    with pytest.raises(GeometryError):
        view_of_ramp(np.ascontiguousarray(bend(coordinate_ramp(30, 20))))


@settings(deadline=None, max_examples=80)
@given(
    size=st.integers(2, 20),
    scale=st.floats(0.2, 5).flatmap(lambda v: st.sampled_from([v, -v])),
    offset=st.floats(-10, 30),
    source=st.integers(2, 40),
)
def test_carrying_is_linear_interpolation(size, scale, offset, source):
    values = np.random.default_rng(0).uniform(size=(2, size, 3)).astype(np.float32)
    carried, seen = carry_along(values, 1, Axis(size, scale, offset), source)
    assert carried.shape == (2, source, 3) and carried.dtype == np.float32
    for pixel in range(source):
        position = (pixel - offset) / scale
        assert seen[pixel] == (-0.5 - 1e-6 < position < size - 0.5 + 1e-6)
        for row, column in np.ndindex(2, 3):
            known = values[row, :, column]
            expected = np.interp(position, np.arange(size), known) if seen[pixel] else 0
            assert carried[row, pixel, column] == pytest.approx(expected, abs=1e-6)


def test_overlapping_crops_are_averaged_and_the_rest_is_unseen():
    left = View(Axis(4, 1, 0), Axis(3, 1, 1))
    right = View(Axis(4, 1, 2), Axis(3, 1, 1))
    maps = np.stack([np.full((2, 3, 4), 0.2), np.full((2, 3, 4), 0.6)])
    merged, seen = to_source(maps, [left, right], (8, 5))
    assert merged.shape == (2, 5, 8)
    row = np.array([0.2, 0.2, 0.4, 0.4, 0.6, 0.6, 0, 0], np.float32)
    np.testing.assert_allclose(merged[1, 2], row, atol=1e-6)
    assert merged[:, [0, 4]].max() == 0
    assert seen[1:4, :6].all()
    assert seen.sum() == 18


def test_identity_changes_nothing():
    maps = np.random.default_rng(0).uniform(size=(1, 3, 10, 12)).astype(np.float32)
    view = view_of_ramp(coordinate_ramp(12, 10))
    merged, seen = to_source(maps, [view], (12, 10))
    np.testing.assert_allclose(merged, maps[0], atol=1e-6)
    assert seen.all()
