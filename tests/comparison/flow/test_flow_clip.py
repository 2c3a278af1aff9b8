"""Saliency against flow, in cases whose answer is known, and against loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsal.comparison.flow.clip import (
    CENTRE_BIAS,
    CHANCE,
    MOTION_OF_OTHERS,
    OWN,
    RESULT_COLUMNS,
    align,
    centre_bias,
    compare_clip,
    mean_of_defined,
)
from mmsal.heatmaps import HeatmapSequence


def random_maps(seed: int, count=5, size=(6, 8)) -> np.ndarray:
    return np.random.default_rng(seed).gamma(0.5, size=(count, *size)).astype(np.float32)


def sequence(values: np.ndarray, frames=None, seen=None, **meta) -> HeatmapSequence:
    frames = np.arange(len(values)) if frames is None else np.asarray(frames)
    return HeatmapSequence(values, frames, {'space': 'source', **meta}, seen)


def scores(table, model, reference=OWN, metric='CC', convention='mit', level='frame'):
    chosen = table[
        (table['model'] == model) & (table['reference'] == reference) & (table['level'] == level)
        & (table['metric'] == metric) & (table['convention'] == convention)
    ]  # fmt: skip
    return chosen['value'].to_numpy()


def correlation(one: np.ndarray, two: np.ndarray) -> float:
    return np.corrcoef(one.ravel(), two.ravel())[0, 1]


def test_saliency_that_is_the_flow_is_perfect():
    flow = random_maps(0)
    table = compare_clip(align('a.avi', sequence(flow), {'net': sequence(3 * flow)}))
    for metric in ('CC', 'SIM'):
        for convention in ('mit', 'tuebingen'):
            for level, count in (('frame', 5), ('video', 1)):
                values = scores(table, 'net', OWN, metric, convention, level)
                np.testing.assert_allclose(values, np.ones(count), atol=1e-6)


def test_saliency_where_nothing_moves_has_no_similarity():
    flow = np.zeros((3, 4, 6), np.float32)
    flow[:, :, :2] = 1
    table = compare_clip(align('a.avi', sequence(flow), {'net': sequence(1 - flow)}))
    np.testing.assert_allclose(scores(table, 'net'), -1)
    for convention in ('mit', 'tuebingen'):
        assert not scores(table, 'net', OWN, 'SIM', convention).any()


def test_the_tidy_table():
    frames = [4, 7, 9]
    flow, saliency = (sequence(random_maps(seed, 3), frames) for seed in (0, 1))
    clip = align('b/c.avi', flow, {'n': saliency})
    table = compare_clip(clip, [random_maps(2)], random_maps(3)[0])
    assert tuple(table.columns) == RESULT_COLUMNS
    pairs = table[['model', 'reference']].drop_duplicates().to_records(index=False).tolist()
    assert pairs == [('n', OWN), ('n', CHANCE), (CENTRE_BIAS, OWN), (MOTION_OF_OTHERS, OWN)]
    assert len(table) == 4 * 4 * (3 + 1)  # pairs, measures, frames and the video
    assert set(table['video']) == {'b/c.avi'}
    assert table['n_fixations'].isna().all()
    assert table['frame'].isna().equals(table['level'] == 'video')
    assert sorted(table['frame'].dropna().unique()) == frames
    for key, rows in table.groupby(['model', 'reference', 'metric', 'convention']):
        by_level = rows.set_index('level')['value']
        assert by_level['video'] == pytest.approx(by_level['frame'].mean()), key


def test_frame_t_is_held_against_the_pair_t_to_t_plus_1():
    """Any order of the files, and frames that only one of them has."""
    flow, saliency = random_maps(0, 4), random_maps(1, 4)
    clip = align(
        'a.avi', sequence(flow, [12, 10, 30, 11]), {'net': sequence(saliency, [10, 40, 12, 9])}
    )
    assert clip.frames.tolist() == [10, 12]
    found = scores(compare_clip(clip), 'net')
    expected = [correlation(saliency[0], flow[1]), correlation(saliency[2], flow[0])]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_models_are_compared_on_common_frames_and_pixels():
    flow, one, two = (random_maps(seed, 4) for seed in range(3))
    left, top = np.ones((6, 8), bool), np.ones((6, 8), bool)
    left[:, 6:], top[4:] = False, False
    models = {
        'one': sequence(one[:3], seen=left),
        'two': sequence(np.where(top, two[1:], np.nan), [1, 2, 3], seen=top),
    }
    clip = align('a.avi', sequence(flow), models)
    assert clip.frames.tolist() == [1, 2]
    table = compare_clip(clip)
    for name, maps in (('one', one), ('two', two)):
        expected = [correlation(maps[t, :4, :6], flow[t, :4, :6]) for t in (1, 2)]
        np.testing.assert_allclose(scores(table, name), expected, atol=1e-6)


def test_chance_is_the_mean_over_other_clips_at_the_same_share_of_the_way():
    saliency, long, short = random_maps(0, 4), random_maps(1, 8), random_maps(2, 2)
    clip = align('a.avi', sequence(random_maps(3, 4)), {'net': sequence(saliency)})
    table = compare_clip(clip, [long, short])
    expected = []
    for t in range(4):
        # Frame t lies (t + 1/2) / 4 on the way: in eight frames in the frame 2 t + 1.
        pair = [long[2 * t + 1], short[t // 2]]
        expected.append(np.mean([correlation(saliency[t], one) for one in pair]))
    np.testing.assert_allclose(scores(table, 'net', CHANCE), expected, atol=1e-6)
    assert scores(table, 'net', CHANCE, level='video') == pytest.approx(np.mean(expected), abs=1e-6)


def test_frames_without_saliency_keep_their_place_on_the_way():
    """Maps of the last two of ten frames meet the end of another clip, not all of it."""
    clip = align('a.avi', sequence(random_maps(0, 10)), {'n': sequence(random_maps(1, 2), [8, 9])})
    other = random_maps(2, 10)
    expected = [correlation(clip.saliency['n'][i], other[8 + i]) for i in (0, 1)]
    found = scores(compare_clip(clip, [other]), 'n', CHANCE)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(count=st.integers(1, 300), other=st.integers(1, 300), data=st.data())
def test_every_frame_has_a_match_in_every_clip(count, other, data):
    chosen = data.draw(st.lists(st.integers(0, count - 1), min_size=1, unique=True))
    maps = np.ones((count, 1, 2), np.float32)
    clip = align('a', sequence(maps), {'n': sequence(maps[: len(chosen)], chosen)})
    matched = (clip.positions * other).astype(int)
    assert matched.min() >= 0 and matched.max() < other
    assert (np.diff(matched) >= 0).all()
    if other == count:
        assert matched.tolist() == sorted(chosen)


def test_baselines():
    flow = random_maps(0)
    clip = align('a.avi', sequence(flow), {'net': sequence(random_maps(1))})
    average = random_maps(2)[0]
    table = compare_clip(clip, [], average, sigma=0.3)
    for model, baseline in ((CENTRE_BIAS, centre_bias(6, 8, 0.3)), (MOTION_OF_OTHERS, average)):
        expected = [correlation(baseline, one) for one in flow]
        np.testing.assert_allclose(scores(table, model), expected, atol=1e-6)
    assert np.isnan(scores(table, 'net', CHANCE)).all()
    assert np.isnan(scores(compare_clip(clip), MOTION_OF_OTHERS)).all()


def test_a_frame_in_which_nothing_moves_counts_for_nobody():
    flow, other = random_maps(0), random_maps(1)
    flow[2] = 0
    clip = align('a.avi', sequence(flow), {'net': sequence(random_maps(2))})
    table = compare_clip(clip, [other], other[0])
    frames = table[table['level'] == 'frame']
    assert frames['value'].isna().tolist() == (frames['frame'] == 2).tolist()
    for reference in (OWN, CHANCE):
        whole = scores(table, 'net', reference, 'SIM', 'tuebingen', 'video')
        values = scores(table, 'net', reference, 'SIM', 'tuebingen')
        assert whole == pytest.approx(values[[0, 1, 3, 4]].mean())


def test_a_still_frame_of_another_clip_is_no_chance():
    saliency, other = random_maps(0), random_maps(1)
    moving = other.copy()
    other[1] = 0
    clip = align('a.avi', sequence(random_maps(2)), {'net': sequence(saliency)})
    both = scores(compare_clip(clip, [other, moving]), 'net', CHANCE, 'SIM', 'tuebingen')
    alone = scores(compare_clip(clip, [moving]), 'net', CHANCE, 'SIM', 'tuebingen')
    np.testing.assert_allclose(both, alone)
    one = scores(compare_clip(clip, [other]), 'net', CHANCE, 'SIM', 'tuebingen')
    assert np.isnan(one).tolist() == [False, True, False, False, False]


def test_a_clip_that_never_moves_is_undefined():
    clip = align('a', sequence(np.zeros((3, 4, 4))), {'net': sequence(random_maps(0, 3, (4, 4)))})
    assert compare_clip(clip, [random_maps(1, 3, (4, 4))])['value'].isna().all()


def test_empty_saliency_is_undefined_or_zero():
    flow = random_maps(0)
    saliency = random_maps(1)
    saliency[3] = 0
    table = compare_clip(align('a', sequence(flow), {'net': sequence(saliency)}))
    assert np.isnan(scores(table, 'net')).tolist() == [False, False, False, True, False]
    assert scores(table, 'net', convention='tuebingen')[3] == 0
    whole = scores(table, 'net', level='video')
    assert whole == pytest.approx(np.nanmean(scores(table, 'net')))


def test_centre_bias():
    gauss = centre_bias(41, 81, 0.25)
    assert gauss[20, 40] == gauss.max() == 1
    np.testing.assert_allclose(gauss, gauss[::-1, ::-1])
    # One standard deviation from the middle, along either axis: a quarter of the side.
    bell = np.exp(-0.5)
    assert np.interp(20 + 41 / 4, np.arange(41), gauss[:, 40]) == pytest.approx(bell, abs=2e-3)
    assert np.interp(40 - 81 / 4, np.arange(81), gauss[20]) == pytest.approx(bell, abs=2e-3)
    assert gauss[0, 0] == pytest.approx(gauss[0, 40] * gauss[20, 0])
    even = centre_bias(4, 2)
    assert even.max() < 1 and even[1, 0] == even[2, 1]
    for sigma in (0, -1, float('nan'), float('inf')):
        with pytest.raises(ValueError, match='positive sigma'):
            centre_bias(4, 4, sigma)


def test_mean_of_defined():
    values = np.array([[1, np.nan, 3], [np.nan, np.nan, np.nan]])
    np.testing.assert_array_equal(mean_of_defined(values), [2, np.nan])
    np.testing.assert_array_equal(mean_of_defined(values, 0), [1, np.nan, 3])


FLOW = sequence(random_maps(0, 3))
UNSEEN = np.zeros((6, 8), bool)
FAULTS = {
    'input': (sequence(random_maps(1, 3), space='input'), "lie in the network's input"),
    'size': (sequence(random_maps(1, 3, (8, 6))), 'net are 6x8 pixels, the flow 8x6'),
    'frames': (sequence(random_maps(1, 3), [7, 8, 9]), 'no frame has both'),
    'seen': (sequence(random_maps(1, 3), seen=UNSEEN), 'no pixel was seen'),
    'negative': (sequence(random_maps(1, 3) - 1), 'net have negative values'),
}


@pytest.mark.parametrize(('saliency', 'fault'), FAULTS.values(), ids=FAULTS)
def test_maps_that_cannot_be_compared(saliency, fault):
    with pytest.raises(ValueError, match=fault) as error:
        align('d/a.avi', FLOW, {'net': saliency})
    assert str(error.value).startswith('d/a.avi: ')
