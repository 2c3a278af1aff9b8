"""What is hidden, and by what: geometry as properties, the blur against scipy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from mmsal.attribution.tsr import fill_in
from mmsal.attribution.tsr.direct import DirectChanges
from mmsal.attribution.tsr.hiding import Hiding

quickly = settings(max_examples=40, deadline=None)


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@st.composite
def hidings(draw):
    """Clips of up to 4 frames and 13 x 13 pixels; patches may be larger than a frame."""
    shape = [draw(st.integers(1, most)) for most in (4, 3, 13, 13)]
    frames = noise(*shape, seed=draw(st.integers(0, 99)))
    filling = fill_in(frames, draw(st.sampled_from(['first', 'mean', 'blur', 7.0])))
    return Hiding(frames, filling, draw(st.integers(1, 16)))


@quickly
@given(hidings())
def test_patches_tile_the_frame(hiding):
    length, _, height, width = hiding.frames.shape
    for t in range(length):
        covered = np.zeros((height, width), int)
        for patch in hiding.patches(t):
            assert patch.frame == t
            (top, bottom), (left, right) = patch.rows, patch.columns
            assert 0 < bottom - top <= hiding.patch_size
            assert 0 < right - left <= hiding.patch_size
            assert bottom <= height and right <= width
            covered[top:bottom, left:right] += 1
        assert (covered == 1).all()
        assert len(hiding.patches(t)) == hiding.grid[0] * hiding.grid[1]


@quickly
@given(hidings())
def test_spread_puts_every_value_where_its_patch_was(hiding):
    length, _, height, width = hiding.frames.shape
    values = noise(length, hiding.grid[0] * hiding.grid[1], seed=1)
    maps = hiding.spread(values)
    assert maps.shape == (length, height, width)
    for t in range(length):
        for value, patch in zip(values[t], hiding.patches(t), strict=True):
            assert (maps[t, slice(*patch.rows), slice(*patch.columns)] == value).all()


@quickly
@given(hidings(), st.data())
def test_hide_changes_the_patch_alone(hiding, data):
    length = len(hiding.frames)
    before = hiding.frames.clone()
    everything = [one for t in range(length) for one in [hiding.whole(t), *hiding.patches(t)]]
    hidden = data.draw(st.lists(st.sampled_from(everything), min_size=1, max_size=5))
    found = hiding.hide(hidden)
    assert found.shape == (len(hidden), *before.shape[1:])
    for frame, one in zip(found, hidden, strict=True):
        rows, columns = range(*one.rows), range(*one.columns)
        for c, y, x in np.ndindex(*before.shape[1:]):
            t = one.frame
            inside = y in rows and x in columns
            # A filling broadcasts: one colour for all, or a picture for each frame.
            picture = hiding.filling[min(t, len(hiding.filling) - 1)]
            colour = picture[min(c, len(picture) - 1)]
            wanted = colour[min(y, len(colour) - 1), min(x, colour.shape[1] - 1)]
            assert frame[c, y, x] == (wanted if inside else before[t, c, y, x])
    assert torch.equal(hiding.frames, before)


def test_colours():
    frames = noise(3, 3, 5, 4)
    first, mean = fill_in(frames, 'first'), fill_in(frames, 'mean')
    for c in range(3):
        assert first.expand_as(frames)[2, c, 4, 3] == frames[0, c, 0, 0]
        expected = np.mean([float(frames[t, c, y, x]) for t, y, x in np.ndindex(3, 5, 4)])
        assert float(mean.expand_as(frames)[2, c, 4, 3]) == pytest.approx(expected, abs=1e-12)
    assert (fill_in(frames, -2).expand_as(frames) == -2).all()
    assert (fill_in(frames, np.float32(0.5)).expand_as(frames) == 0.5).all()


@pytest.mark.parametrize('size', [(20, 31), (4, 3), (1, 1)])
def test_blur_is_a_gaussian_of_a_tenth_of_the_longer_side(size):
    frames = noise(2, 3, *size)
    found = fill_in(frames, 'blur')
    deviation = max(size) / 10
    expected = gaussian_filter(
        frames.numpy(), deviation, axes=(2, 3), mode='nearest', radius=int(np.ceil(3 * deviation))
    )
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-12)
    if max(size) > 10:
        assert found.std() < 0.5 * frames.std()


@pytest.mark.parametrize('value', ['black', None, True, float('nan'), float('inf'), [0.5]])
def test_refuses_other_fillings(value):
    with pytest.raises(ValueError, match='expected mask_value to be first, mean, blur or a number'):
        fill_in(noise(2, 3, 4, 4), value)


@pytest.mark.parametrize('batch', [1, 2, 100])
def test_direct_changes_of_an_attribution_worked_out_by_hand(batch):
    """R(x) = x summed up over time: hiding in frame t moves R by the same in T - t frames."""
    hiding = Hiding(noise(4, 2, 5, 7), torch.zeros(1, 1, 1, 1, dtype=torch.float64), 3)
    changes = DirectChanges(lambda clips: clips.cumsum(dim=1), hiding, batch)
    sizes = hiding.frames.abs().sum(dim=1)  # [T, H, W], what is lost at each pixel
    expected = [float(sizes[t].sum()) * (4 - t) for t in range(4)]
    np.testing.assert_allclose(changes.of_frames(), expected, rtol=1e-12)
    found = changes.of_parts([3, 1])
    assert found.shape == (2, 6)
    for row, t in enumerate((3, 1)):
        starts = [(top, left) for top in (0, 3) for left in (0, 3, 6)]
        parts = [float(sizes[t, y : y + 3, x : x + 3].sum()) * (4 - t) for y, x in starts]
        np.testing.assert_allclose(found[row], parts, rtol=1e-12)
    assert changes.of_parts([]).shape == (0, 6)
