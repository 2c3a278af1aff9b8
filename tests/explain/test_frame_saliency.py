"""Frames of an explained video as a table, a strip and a plot."""

from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib import colormaps

from mmsal.explain import frame_pictures
from mmsal.explain.export import Look
from mmsal.explain.frame_pictures import draw_strip, draw_times, frame_table
from mmsal.explain.frame_saliency import ask
from mmsal.heatmaps import HeatmapSequence

FRAMES = [4, 6, 8, 20, 22, 24]
TIMES = [0.0, 0.5, 1.0, 0.2, 0.0, 0.1]
RANGES = ((0, 20), (20, 30))
CLIPS = [
    {'frame_range': [0, 20], 'sampled_frames': 3, 'views': 1},
    {'frame_range': [20, 30], 'sampled_frames': 3, 'views': 1},
]
TSR = {
    'method': 'tsr',
    'method_options': {'of': 'smoothgrad', 'quantile': 0.4},
    'time_contributions': TIMES,
    'clips': CLIPS,
}


def explained(values=None, seen=None, **meta):
    """Maps of six frames, as explain_video gives them."""
    if values is None:
        values = np.random.default_rng(0).random((6, 8, 10), dtype=np.float32)
    known = {
        'video': 'films/x.avi', 'timestamps': [frame / 25 for frame in FRAMES],
        'method': 'occlusion', 'method_options': {}, 'target_label': 'running',
    }  # fmt: skip
    return HeatmapSequence(values, FRAMES, {**known, **meta}, seen)


# --- options --------------------------------------------------------------------------------------


def test_options_are_completed():
    tsr = ask('tsr', {'of': 'gradient', 'patch_size': 7}, 'running', 'input')
    assert (tsr.method, tsr.target, tsr.space) == ('tsr', 'running', 'input')
    assert tsr.method_options == {
        'of': 'input_gradient', 'patch_size': 7, 'mask_value': 'first', 'quantile': 0.55,
        'form': 'official', 'exact': False, 'memory': 2.0,
    }  # fmt: skip
    smooth = ask('tsr', {'of': 'smoothgrad', 'samples': 3})
    assert {'samples': 3, 'noise': 0.15, 'seed': 0}.items() <= smooth.method_options.items()
    assert ask('gradient', {}).method == 'input_gradient'
    assert ask('integrated_gradients', {}).method_options == {'steps': 32}
    assert ask('gradcam', {}).method_options == {}


# --- table ----------------------------------------------------------------------------------------


def test_table_of_a_method_without_times():
    maps = explained()
    table = frame_table(maps)
    assert list(table) == ['frame', 'time_s', 'share', 'contribution', 'chosen']
    assert table['frame'].tolist() == FRAMES
    assert table['time_s'].tolist() == [0.16, 0.24, 0.32, 0.8, 0.88, 0.96]
    total = sum(float(value) for value in maps.values.ravel())
    for share, one in zip(table['share'], maps.values, strict=True):
        assert share == pytest.approx(sum(float(value) for value in one.ravel()) / total)
    assert table[['contribution', 'chosen']].isna().all(axis=None)


def test_maps_of_nothing_have_no_shares_and_folders_no_times():
    table = frame_table(explained(np.zeros((6, 8, 10), np.float32), timestamps=None))
    assert table[['share', 'time_s']].isna().all(axis=None)


def test_frames_above_the_quantile_of_their_clip_are_chosen():
    """The quantile 0.4 of three numbers lies between the first and the second."""
    table = frame_table(explained(**TSR))
    assert table['contribution'].tolist() == TIMES
    assert table['chosen'].tolist() == [False, True, True, True, False, True]
    whole = {**TSR, 'clips': [{'frame_range': None, 'sampled_frames': 6, 'views': 1}]}
    assert frame_table(explained(**whole))['chosen'].tolist() == [
        False, True, True, True, False, False,
    ]  # fmt: skip
    # The order in which clips were asked for is not that of their frames.
    turned = {**TSR, 'clips': CLIPS[::-1]}
    assert frame_table(explained(**turned))['chosen'].equals(table['chosen'])


@pytest.mark.parametrize(
    'clips',
    [
        [{**CLIPS[0], 'views': 3}, CLIPS[1]],  # means over crops
        [{**CLIPS[0], 'frame_range': [0, 22]}, CLIPS[1]],  # frame 20 in both ranges
        [{**CLIPS[0], 'frame_range': [0, 22], 'sampled_frames': 4}, CLIPS[1]],
        [{**CLIPS[0], 'sampled_frames': 4}, CLIPS[1]],  # one of them twice
    ],
)
def test_which_frames_were_chosen_is_not_guessed(clips):
    table = frame_table(explained(**{**TSR, 'clips': clips}))
    assert table['contribution'].tolist() == TIMES
    assert table['chosen'].isna().all()


# --- pictures -------------------------------------------------------------------------------------


@pytest.fixture
def drawn(monkeypatch):
    """What is handed to be drawn, by the name of the function that draws it."""
    calls = {}
    for name in ('write_strips', 'write_time_plot'):

        def keep(*args, name=name, **options):
            calls[name] = args, options

        monkeypatch.setattr(frame_pictures, name, keep)
    return calls


def explanation(maps):
    frames = np.random.default_rng(1).integers(0, 256, (*maps.values.shape, 3), dtype=np.uint8)
    return SimpleNamespace(
        heatmaps=maps, frames=frames, prediction=SimpleNamespace(label='walking', score=0.75)
    )


TITLE = 'x.avi: tsr of smoothgrad, predicted walking (0.75), explained running'


def test_a_strip_per_range_in_its_own_brightness(drawn):
    values = np.zeros((6, 8, 10), np.float32)
    values[:3, :4], values[3:, 4:] = 0.8, 0.2  # half of the pixels of each range
    one = explanation(explained(values, **TSR))
    look = Look(alpha=0.6, colormap='magma')
    draw_strip(one, frame_table(one.heatmaps), RANGES, 'x.png', look)
    (strips, path, title), _ = drawn['write_strips']
    assert (path, title) == ('x.png', TITLE)
    assert [strip.name for strip in strips] == ['frames 4 to 8', 'frames 20 to 24']
    dark, bright = (np.array(colormaps['magma'](value)[:3]) * 255 for value in (0.0, 1.0))
    halves = (one.frames[:3], True), (one.frames[3:], False)
    for strip, (frames, above) in zip(strips, halves, strict=True):
        np.testing.assert_array_equal(strip.frames, frames)
        top, bottom = (bright, dark) if above else (dark, bright)
        expected = 0.4 * frames.astype(float)
        expected[:, :4] += 0.6 * top
        expected[:, 4:] += 0.6 * bottom
        assert np.abs(strip.maps - expected).max() <= 0.51
    assert strips[0].above == ['frame 4', 'frame 6', 'frame 8']
    assert strips[1].below == [f'time contribution {value}' for value in ('0.2', '0', '0.1')]


def test_a_strip_of_shares_leaves_unseen_pixels_alone(drawn):
    seen = np.ones((8, 10), bool)
    seen[:, 8:] = False
    values = np.full((6, 8, 10), 0.5, np.float32) * seen
    one = explanation(explained(values, seen))
    draw_strip(one, frame_table(one.heatmaps), None, 'x.png', Look())
    ((strip,), _, title), _ = drawn['write_strips']
    assert strip.name == 'frames 4 to 24'
    assert title == 'x.avi: occlusion, predicted walking (0.75), explained running'
    assert strip.below == ['share 0.167'] * 6
    np.testing.assert_array_equal(strip.maps[..., 8:, :], one.frames[..., 8:, :])
    assert (strip.maps[..., :8, :] != one.frames[..., :8, :]).any()


def test_a_strip_shows_no_more_than_can_be_seen(drawn):
    count = 300
    maps = HeatmapSequence(
        np.ones((count, 4, 6), np.float32),
        np.arange(count),
        explained().meta | {'timestamps': None},
    )
    one, ranges = explanation(maps), [(n, n + 10) for n in range(0, count, 10)]
    draw_strip(one, frame_table(maps), ranges, 'x.png', Look())
    (strips, _, _), _ = drawn['write_strips']
    assert len(strips) == 20
    assert strips[0].above[0] == 'frame 0' and strips[-1].above[-1] == 'frame 299'
    assert {len(strip.frames) for strip in strips} == {8}


@pytest.mark.parametrize('method', ['tsr', 'gradient'])
@pytest.mark.parametrize('peak', [0, 3, 50, 99])
def test_the_frame_that_counts_most_is_on_the_strip(drawn, method, peak):
    values = np.full((100, 4, 6), 0.5, np.float32)
    meta = explained().meta | {'timestamps': None}
    if method == 'tsr':
        times = np.where(np.arange(100) == peak, 1.0, 0.1).tolist()
        meta |= TSR | {'time_contributions': times, 'clips': []}
    else:
        values[peak] = 0.6
    one = explanation(HeatmapSequence(values, np.arange(100), meta))
    draw_strip(one, frame_table(one.heatmaps), None, 'x.png', Look())
    ((strip,), *_), _ = drawn['write_strips']
    numbers = [int(name.removeprefix('frame ')) for name in strip.above]
    even = np.linspace(0, 99, 8)
    assert len(numbers) == 8 and peak in numbers and numbers == sorted(numbers)
    assert sorted(np.abs(numbers - even))[-2] <= 0.5  # the others are where they were
    np.testing.assert_array_equal(strip.frames, one.frames[numbers])


def test_a_line_per_range_of_time_contributions(drawn):
    one = explanation(explained(**TSR))
    draw_times(one, frame_table(one.heatmaps), RANGES[::-1], 'x.png')
    (lines, path, title, label), options = drawn['write_time_plot']
    assert (path, title, label) == ('x.png', TITLE, 'time contribution')
    assert [line.label for line in lines] == ['frames 20 to 24', 'frames 4 to 8']
    assert [line.values.tolist() for line in lines] == [TIMES[3:], TIMES[:3]]
    assert [line.chosen.tolist() for line in lines] == [[True, False, True], [False, True, True]]
    assert lines[1].frames.tolist() == [4, 6, 8] and lines[1].times.tolist() == [0.16, 0.24, 0.32]
    assert options['chosen']


def test_shares_against_an_even_share(drawn):
    one = explanation(explained(timestamps=None))
    table = frame_table(one.heatmaps)
    draw_times(one, table, None, 'x.png')
    ((line,), _, _, label, level), _ = drawn['write_time_plot']
    assert label == 'share of the saliency'
    assert level == ('even share', 1 / 6)
    assert line.values.tolist() == table['share'].tolist()
    assert line.times is None and line.chosen is None
