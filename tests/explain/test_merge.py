"""From the maps of clips and crops to one map per frame, and to the frames between."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmsal.attribution import Localization
from mmsal.datasets.video import VideoInfo
from mmsal.explain import PreparedClip
from mmsal.explain.merge import frames_between, interpolate_frames, merge_clips, merge_times
from mmsal.heatmaps.geometry import Axis, View

WIDTH, HEIGHT = 12, 8
INFO = VideoInfo(Path('x.avi'), 100, 25.0, WIDTH, HEIGHT, None)
WHOLE = View(Axis(WIDTH, 1.0, 0.0), Axis(HEIGHT, 1.0, 0.0))


def column(first: int, width: int) -> View:
    """The whole height, some columns."""
    return View(Axis(width, 1.0, float(first)), WHOLE.y)


def clip(frames, views=(WHOLE,), no_views='') -> PreparedClip:
    return PreparedClip({}, np.array(frames, np.int64), views, no_views)


def found(maps) -> Localization:
    """Maps [V, T, h, w] that scaling leaves alone: each view holds a 0 and a 1."""
    one = Localization(torch.as_tensor(maps, dtype=torch.float32), torch.zeros(1, 2), 0)
    assert torch.equal(one.scaled, one.raw)
    return one


def maps(*shape, seed=0) -> np.ndarray:
    values = np.random.default_rng(seed).random(shape, dtype=np.float32)
    values.reshape(shape[0], -1)[:, 0] = 0
    values.reshape(shape[0], -1)[:, -1] = 1
    return values


class TestClips:
    def test_a_frame_gets_the_mean_over_the_times_it_is_shown(self):
        """Frame 4 twice in the first clip (a short clip comes round again), once in the second."""
        one, other = maps(1, 3, HEIGHT, WIDTH), maps(1, 2, HEIGHT, WIDTH, seed=1)
        clips = [clip([4, 2, 4]), clip([9, 4])]
        frames, values, seen = merge_clips([found(one), found(other)], clips, INFO, 'source')
        assert frames.tolist() == [2, 4, 9]
        assert seen is None
        expected = [one[0, 1], (one[0, 0] + one[0, 2] + other[0, 1]) / 3, other[0, 0]]
        np.testing.assert_allclose(values, expected, atol=1e-6)
        assert values.dtype == np.float32

    def test_an_input_space_of_several_clips_too(self):
        one, other = maps(1, 2, 4, 6), maps(1, 2, 4, 6, seed=1)
        clips = [clip([0, 1]), clip([1, 2])]
        frames, values, seen = merge_clips([found(one), found(other)], clips, INFO, 'input')
        assert (frames.tolist(), seen) == ([0, 1, 2], None)
        expected = [one[0, 0], (one[0, 1] + other[0, 0]) / 2, other[0, 1]]
        np.testing.assert_allclose(values, expected, atol=1e-6)

    def test_clips_as_views_of_one_sample(self):
        """2-D heads cut a sample's frames into clips: V views of T frames, one crop."""
        several = maps(2, 3, HEIGHT, WIDTH)
        frames, values, _ = merge_clips(
            [found(several)], [clip([0, 2, 4, 4, 6, 8])], INFO, 'source'
        )
        assert frames.tolist() == [0, 2, 4, 6, 8]
        shared = (several[0, 2] + several[1, 0]) / 2
        np.testing.assert_allclose(values[2], shared, atol=1e-6)
        np.testing.assert_allclose(values[[0, 1]], several[0, :2], atol=1e-6)
        np.testing.assert_allclose(values[[3, 4]], several[1, 1:], atol=1e-6)


class TestCrops:
    LEFT, RIGHT = column(0, 8), column(4, 8)

    def test_are_averaged_by_how_many_cover_a_pixel(self):
        both = maps(2, 2, HEIGHT, 8)
        frames, values, seen = merge_clips(
            [found(both)], [clip([3, 5], (self.LEFT, self.RIGHT))], INFO, 'source'
        )
        assert (frames.tolist(), seen) == ([3, 5], None)
        np.testing.assert_allclose(values[..., :4], both[0][..., :4], atol=1e-6)
        np.testing.assert_allclose(
            values[..., 4:8], (both[0][..., 4:] + both[1][..., :4]) / 2, atol=1e-6
        )
        np.testing.assert_allclose(values[..., 8:], both[1][..., 4:], atol=1e-6)

    def test_seen_is_what_every_clip_covers(self):
        one, other = maps(1, 2, HEIGHT, 8), maps(1, 2, HEIGHT, 8, seed=1)
        clips = [clip([0, 1], (self.LEFT,)), clip([2, 3], (self.RIGHT,))]
        _, values, seen = merge_clips([found(one), found(other)], clips, INFO, 'source')
        assert seen[:, 4:8].all()
        assert seen.sum() == HEIGHT * 4
        assert not values[:2, :, 8:].any()
        assert not values[2:, :, :4].any()

    def test_seen_is_none_where_crops_cover_everything(self):
        part = clip([0, 1], (self.LEFT,))
        _, _, seen = merge_clips([found(maps(1, 2, HEIGHT, 8))], [part], INFO, 'source')
        assert seen.sum() == HEIGHT * 8
        both = clip([0, 1], (self.LEFT, self.RIGHT))
        _, _, seen = merge_clips([found(maps(2, 2, HEIGHT, 8))], [both], INFO, 'source')
        assert seen is None

    def test_several_are_refused_in_the_input_space(self):
        both = clip([0, 1], (self.LEFT, self.RIGHT))
        with pytest.raises(ValueError, match='shows 2 crops of each frame, which only the source'):
            merge_clips([found(maps(2, 2, HEIGHT, 8))], [both], INFO, 'input')

    def test_a_pipeline_that_cannot_be_undone_is_refused_in_the_source_space(self):
        bent = clip([0, 1], None, 'it bends the picture')
        one = found(maps(1, 2, HEIGHT, WIDTH))
        with pytest.raises(ValueError, match='cannot be carried to the source: it bends the pict'):
            merge_clips([one], [bent], INFO, 'source')
        assert merge_clips([one], [bent], INFO, 'input')[1].shape == (2, HEIGHT, WIDTH)


def timed(time) -> Localization:
    """Contributions [V, T] of frames."""
    time = torch.as_tensor(time, dtype=torch.float32)
    return Localization(torch.zeros(*time.shape, 1, 1), torch.zeros(1, 2), 0, time)


class TestTimes:
    def test_of_one_clip_are_its_own(self):
        times = merge_times([timed([[0.5, 0, 1]])], [clip([3, 5, 9])], np.array([3, 5, 9]))
        assert times.tolist() == [0.5, 0, 1]
        assert times.dtype == np.float64

    def test_crops_count_alike(self):
        several = timed([[0, 0.5, 1], [1, 0.25, 0], [0.5, 0, 0.5]])
        times = merge_times([several], [clip([0, 1, 2], (WHOLE,) * 3)], np.arange(3))
        np.testing.assert_allclose(times, [0.5, 0.25, 0.5])

    def test_a_frame_gets_the_mean_over_the_times_it_is_shown(self):
        """As for maps: frame 4 twice in the first clip, whose crops are two, once in the second."""
        first, second = timed([[0.2, 1, 0.6], [0.4, 0, 0.4]]), timed([[0.5, 0.1]])
        clips = [clip([4, 2, 4], (WHOLE, WHOLE)), clip([9, 4])]
        times = merge_times([first, second], clips, np.array([2, 4, 9]))
        np.testing.assert_allclose(times, [0.5, (0.3 + 0.5 + 0.1) / 3, 0.5], rtol=1e-6)

    def test_clips_as_views_of_one_sample(self):
        """2-D heads cut a sample's frames into clips: V views of T frames, one crop."""
        several = timed([[0, 0.2, 0.4], [1, 0.6, 0.8]])
        times = merge_times([several], [clip([0, 2, 4, 4, 6, 8])], np.array([0, 2, 4, 6, 8]))
        np.testing.assert_allclose(times, [0, 0.2, 0.7, 0.6, 0.8], rtol=1e-6)

    def test_of_a_method_without_them_are_none(self):
        clips = [clip([0, 1]), clip([2, 3])]
        both = [timed([[0, 1]]), found(maps(1, 2, HEIGHT, WIDTH))]
        assert merge_times(both, clips, np.arange(4)) is None

    @given(st.lists(st.lists(st.integers(0, 20), min_size=1, max_size=6), min_size=1, max_size=5))
    def test_as_a_table_grouped_by_frame(self, shown):
        """Against pandas: every clip that shows a frame gives a row."""
        random = np.random.default_rng(0)
        values = [random.random(len(frames)) for frames in shown]
        rows = pd.DataFrame({'frame': np.concatenate(shown), 'time': np.concatenate(values)})
        expected = rows.groupby('frame')['time'].mean()
        times = merge_times(
            [timed(one[None]) for one in values],
            [clip(frames) for frames in shown],
            expected.index.to_numpy(),
        )
        np.testing.assert_allclose(times, expected, rtol=1e-5, atol=1e-6)


FRAMES = st.sets(st.integers(0, 80), min_size=1, max_size=12).map(sorted).map(np.array)
RANGES = st.lists(
    st.tuples(st.integers(0, 80), st.integers(1, 30)).map(lambda one: (one[0], sum(one))),
    min_size=1,
    max_size=4,
)


class TestFramesBetween:
    @given(FRAMES)
    def test_all_from_the_first_to_the_last(self, frames):
        for ranges in (None, [None]):
            dense = frames_between(frames, ranges)
            assert dense.tolist() == list(range(frames[0], frames[-1] + 1))

    @given(FRAMES, RANGES)
    def test_of_each_range_apart(self, frames, ranges):
        """Sampled frames, and those with a sampled one on either side in the same range."""
        dense = frames_between(frames, ranges).tolist()

        def has_neighbours(frame):
            for start, end in ranges:
                inside = [one for one in frames if start <= one < end]
                if inside and inside[0] <= frame <= inside[-1]:
                    return True
            return False

        sampled = set(frames.tolist())
        assert dense == [f for f in range(111) if f in sampled or has_neighbours(f)]

    def test_example(self):
        frames = np.array([2, 4, 20, 23])
        assert frames_between(frames, [(0, 10), (18, 30)]).tolist() == [2, 3, 4, 20, 21, 22, 23]
        assert frames_between(frames, [(0, 10), (10, 22)]).tolist() == [2, 3, 4, 20, 23]


class TestInterpolation:
    @given(FRAMES, st.data())
    def test_as_numpy_does_it_pixel_by_pixel(self, frames, data):
        values = np.random.default_rng(len(frames)).random((len(frames), 2, 3), dtype=np.float32)
        wanted = np.array(
            data.draw(st.lists(st.integers(int(frames[0]), int(frames[-1])), unique=True)),
            np.int64,
        )
        result = interpolate_frames(values, frames, wanted)
        assert result.dtype == np.float32
        assert result.shape == (len(wanted), 2, 3)
        for row, column in np.ndindex(2, 3):
            expected = np.interp(wanted, frames, values[:, row, column])
            np.testing.assert_allclose(result[:, row, column], expected, atol=1e-6)

    @given(FRAMES, RANGES)
    def test_of_ranges_draws_on_their_own_frames_alone(self, frames, ranges):
        dense = frames_between(frames, ranges)
        values = np.random.default_rng(1).random((len(frames), 1, 1), dtype=np.float32)
        result = interpolate_frames(values, frames, dense)
        sampled = np.isin(dense, frames)
        np.testing.assert_array_equal(result[sampled], values)
        for frame, value in zip(dense[~sampled], result[~sampled], strict=True):
            left = frames[frames < frame].max()
            right = frames[frames > frame].min()
            pair = [values[frames == one].item() for one in (left, right)]
            assert min(pair) - 1e-6 <= value.item() <= max(pair) + 1e-6
            # One of the ranges that were asked for holds both.
            assert any(start <= left and right < end for start, end in ranges)
