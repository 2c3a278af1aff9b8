"""Saliency on legs and body: against loops over pixels, and on maps whose shares are known."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from mmsal.comparison.evidence.clips import list_known_clips
from mmsal.comparison.evidence.regions import dilate, evidence_by_frame, evidence_of_clip
from mmsal.datasets.synthetic import Truth, read_truth
from mmsal.heatmaps import HeatmapSequence

FRAMES, HEIGHT, WIDTH = 3, 6, 7
masks = npst.arrays(bool, (FRAMES, HEIGHT, WIDTH))


@st.composite
def cases(draw):
    body = draw(masks)
    values = draw(npst.arrays(np.float32, (2, HEIGHT, WIDTH), elements=st.floats(0, 1, width=16)))
    seen = draw(npst.arrays(bool, (HEIGHT, WIDTH)))
    seen[draw(st.integers(0, HEIGHT - 1)), 0] = True  # an unseen picture has no shares
    frames = draw(st.permutations(range(FRAMES)))[:2]
    maps = HeatmapSequence(values, frames, seen=seen if draw(st.booleans()) else None)
    return maps, Truth(body, body & draw(masks)), draw(st.integers(0, 3))


def near(mask, y, x, radius):
    """Whether a pixel of the mask has its centre within the radius, by looking at each."""
    return any((y - v) ** 2 + (x - u) ** 2 <= radius**2 for v, u in zip(*mask.nonzero()))  # noqa: B905


def by_loops(values, mask, seen, radius):
    inside = total = 0.0
    pixels = count = 0
    for y in range(HEIGHT):
        for x in range(WIDTH):
            if seen is None or seen[y, x]:
                hit = near(mask, y, x, radius)
                total, inside = total + float(values[y, x]), inside + hit * float(values[y, x])
                count, pixels = count + 1, pixels + hit
    return inside, total, pixels, count


def divided(a, b):
    return a / b if b else math.nan


@settings(max_examples=25, deadline=None)
@given(cases())
def test_shares_are_those_of_a_loop_over_pixels(case):
    maps, truth, radius = case
    table = evidence_by_frame(maps, truth, [radius])
    assert len(table) == 4
    pooled = evidence_of_clip(table).set_index('region')
    for region in ('legs', 'body'):
        sums = np.zeros(4)
        for place, frame in enumerate(maps.frame_indices):
            row = table[(table['region'] == region) & (table['frame'] == frame)].iloc[0]
            found = by_loops(maps.values[place], getattr(truth, region)[frame], maps.seen, radius)
            sums += found
            expect_shares(row, *found)
        expect_shares(pooled.loc[region], *sums)


def expect_shares(row, inside, total, pixels, count):
    assert (row['pixels'], row['seen']) == (pixels, count)
    share, area = divided(inside, total), pixels / count
    assert row['share'] == pytest.approx(share, rel=1e-6, nan_ok=True)
    assert row['area'] == pytest.approx(area)
    assert row['ratio'] == pytest.approx(divided(share, area), rel=1e-6, nan_ok=True)


@settings(max_examples=30, deadline=None)
@given(npst.arrays(bool, (HEIGHT, WIDTH)), st.integers(0, 9))
def test_dilation_is_by_distance(mask, radius):
    expected = [[near(mask, y, x, radius) for x in range(WIDTH)] for y in range(HEIGHT)]
    np.testing.assert_array_equal(dilate(mask, radius), expected)


@pytest.fixture(scope='module')
def truth(clips):
    return read_truth(clips / 'truth' / 'person02_walking_d1.npz')


@pytest.fixture(scope='module')
def frames(truth):
    return np.flatnonzero(truth.legs.any(axis=(1, 2)))[10:20]


def test_a_map_of_one_value_has_a_ratio_of_one(truth, frames):
    flat = HeatmapSequence(np.full((10, 120, 160), 0.3), frames)
    table = evidence_by_frame(flat, truth, [0, 4, 8])
    np.testing.assert_allclose(table['ratio'], 1, rtol=1e-6)
    widened = table[table['region'] == 'legs'].pivot(index='frame', columns='dilation')['area']
    assert (widened[0] < widened[4]).all() and (widened[4] < widened[8]).all()


def test_the_truth_as_a_map(truth, frames):
    maps = HeatmapSequence(truth.legs[frames].astype(np.float32), frames)
    clip = evidence_of_clip(evidence_by_frame(maps, truth, [0, 8]))
    np.testing.assert_allclose(clip['share'], 1)  # the legs are part of the body
    np.testing.assert_allclose(clip['ratio'], 1 / clip['area'])
    elsewhere = HeatmapSequence((truth.body & ~truth.legs)[frames].astype(np.float32), frames)
    shares = evidence_by_frame(elsewhere, truth).groupby('region')['share'].max()
    assert shares['legs'] == 0 and shares['body'] == 1
    # Eight pixels around the legs take in part of the trunk.
    assert 0 < evidence_by_frame(elsewhere, truth, [8]).query("region == 'legs'")['share'].min() < 1


def test_what_is_undefined_is_nan_and_does_not_spread(truth, frames):
    empty = int(np.flatnonzero(~truth.body.any(axis=(1, 2)))[0])
    values = np.stack([np.ones((120, 160)), np.zeros((120, 160)), np.ones((120, 160))])
    table = evidence_by_frame(HeatmapSequence(values, [empty, *frames[:2]]), truth)
    legs = table[table['region'] == 'legs'].set_index('frame')
    assert legs.loc[empty, 'share'] == legs.loc[empty, 'area'] == 0
    assert math.isnan(legs.loc[empty, 'ratio'])
    assert legs.loc[frames[0], ['share', 'ratio']].isna().all()
    clip = evidence_of_clip(table).set_index('region').loc['legs']
    assert clip['share'] == pytest.approx(truth.legs[frames[1]].sum() / (2 * 120 * 160))


def maps_of(shape=(2, 120, 160), frames=(20, 21), value=0.5, **options):
    return HeatmapSequence(np.full(shape, value), frames, **options)


@pytest.mark.parametrize(
    ('maps', 'dilation', 'message'),
    [
        (maps_of(meta={'space': 'input'}), 0, "network's input"),
        (maps_of((2, 60, 80)), 0, '160x120 pixels, as the truth, got 80x60'),
        (maps_of(frames=(3, 9999)), 0, r'frames that have a truth, got one of frame 9999'),
        (maps_of(value=-1), 0, 'values of 0 or more'),
        (maps_of(value=np.nan), 0, 'finite values'),
        (maps_of(seen=np.zeros((120, 160), bool)), 0, 'some pixels were seen'),
        (maps_of(), -1, 'dilation of 0 pixels or more, got -1'),
    ],
)
def test_refuses(truth, maps, dilation, message):
    with pytest.raises(ValueError, match=message) as refusal:
        evidence_by_frame(maps, truth, [dilation])
    assert '\n' not in str(refusal.value)


def test_the_listed_passes(clips):
    listed = (clips / '00sequences.txt').read_text()
    found = list_known_clips(clips, 'all')
    assert len(found) == 3 * 2 * 2  # persons, actions, passes
    for clip in found:
        line = next(line for line in listed.splitlines() if line.startswith(clip.truth.stem))
        assert clip.range in line and clip.label in line
        assert clip.video.is_file()
        first, last = (int(frame) for frame in clip.range.split('-'))
        assert read_truth(clip.truth).body[first - 1 : last].any(axis=(1, 2)).all()
    assert {clip.video.name[:8] for clip in list_known_clips(clips)} == {'person02'}
    few = list_known_clips(clips, 'all', 3)
    assert [found.index(clip) for clip in few] == [0, 6, 11]  # evenly spaced (5.5 rounds to 6)
    assert list_known_clips(clips, 'all', 99) == found
