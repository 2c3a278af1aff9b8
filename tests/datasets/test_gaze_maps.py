"""A SYNTHETIC dot that people look at is found again under the gaze, whatever moves the frames."""

import copy
import pickle
import random
from itertools import pairwise

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform
from mmengine.dataset import Compose

from mmsal.datasets import KTHDataset, LoadGazeMaps
from mmsal.datasets.fixations_by_frame import FrameTimes
from mmsal.datasets.video import VideoError
from mmsal.gaze import (
    GazeFormatError,
    fixations_in_intervals,
    read_fixations,
    write_fixation_table,
)
from mmsal.metrics import nss

from .moving_dot import BEGINS, DOT, FRAMES, HEIGHT, PLACES, WIDTH, gaze_on_dot, picture
from .moving_dot import write_video as write_dot

CLOSE = 0.1  # pixels of the view: the pictures are rounded to 8 bits, once per resize


@pytest.fixture(scope='module')
def dot(tmp_path_factory):
    """The video and its table."""
    folder = tmp_path_factory.mktemp('dot')
    table = folder / 'fixations.csv'
    write_fixation_table(gaze_on_dot('dot.mkv'), table)
    return write_dot(folder / 'dot.mkv'), table


def seed(number: int) -> None:
    random.seed(number)
    np.random.seed(number)
    torch.manual_seed(number)


def next_draws() -> list[float]:
    return [random.random(), np.random.rand(), float(torch.rand(()))]


def loading(*steps, sample, ranged=True):
    first = [dict(type='DecordInit'), dict(type='ClipRange')] if ranged else []
    return [*first, dict(type='SampleFrames', **sample), dict(type='DecordDecode'), *steps]


def build(steps) -> Compose:
    return Compose([TRANSFORMS.build(step) for step in steps])


def source(video, **more) -> dict:
    return dict(filename=str(video), start_index=0, modality='RGB', label=0, **more)


def gaze_step(table, *transforms, size=(6, 7), sigma=DOT, **more) -> dict:
    return dict(
        type='LoadGazeMaps', fixations=table, map_size=size, sigma=sigma, transforms=transforms,
        **more,
    )  # fmt: skip


# --- the picture moves ---------------------------------------------------------------------------

RESIZES = [
    [],
    [dict(type='RandomRescale', scale_range=(48, 110))],
    [dict(type='Resize', scale=(80, 90), keep_ratio=False)],
    [dict(type='Resize', scale=(-1, 54))],
    [dict(type='Resize', scale=(58, 54), keep_ratio=False)],
]
CROPS = [
    [],
    [dict(type='RandomCrop', size=40)],
    [dict(type='RandomResizedCrop', area_range=(0.3, 1.0))],
    [dict(type='MultiScaleCrop', input_size=(48, 40), scales=(1, 0.8), random_crop=True)],
    [dict(type='MultiScaleCrop', input_size=48, scales=(1, 0.9), max_wh_scale_gap=1)],
    [dict(type='CenterCrop', crop_size=(48, 41))],
]
SEVERAL_CROPS = [
    [dict(type='TenCrop', crop_size=40)],
    [dict(type='Resize', scale=(-1, 48)), dict(type='ThreeCrop', crop_size=48)],
]
FLIPS = [
    [],
    [dict(type='Flip', flip_ratio=0.5)],
    [dict(type='Flip', flip_ratio=1)],
    [dict(type='Flip', flip_ratio=0.5, direction='vertical')],
]
LAST = [[], [dict(type='Resize', scale=(56, 48), keep_ratio=False)]]
LAZY = [
    dict(type='Resize', scale=(90, 70), keep_ratio=False, lazy=True),
    dict(type='RandomResizedCrop', area_range=(0.4, 1.0), lazy=True),
    dict(type='Resize', scale=(56, 48), keep_ratio=False, lazy=True),
    dict(type='Flip', flip_ratio=0.5, lazy=True),
    dict(type='Fuse'),
]


@st.composite
def spatial(draw):
    if draw(st.integers(0, 9)) == 0:
        return LAZY
    flip, crop = draw(st.sampled_from(FLIPS)), draw(st.sampled_from(CROPS + SEVERAL_CROPS))
    # Flip works in place and would tear crops that overlap; see below.
    flip_first = crop in SEVERAL_CROPS or draw(st.booleans())
    moves = [*flip, *crop] if flip_first else [*crop, *flip]
    return [*draw(st.sampled_from(RESIZES)), *moves, *draw(st.sampled_from(LAST))]


@st.composite
def sampling(draw):
    sample = dict(
        clip_len=draw(st.integers(1, 6)),
        frame_interval=draw(st.integers(1, 5)),
        num_clips=draw(st.integers(1, 3)),
        out_of_bound_opt=draw(st.sampled_from(['loop', 'repeat_last'])),
        test_mode=draw(st.booleans()),
    )
    start = draw(st.integers(0, FRAMES - 4))
    ranges = [None, (start, draw(st.integers(start + 1, FRAMES + 3)))]
    return sample, draw(st.sampled_from(ranges))


def cells_of(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """What of a picture's light lies in each cell of a coarse grid, as shares: [rows, columns]."""
    down, across = (_overlaps(*both) for both in zip(size, image.shape, strict=True))
    light = down @ image.astype(np.float64) @ across.T
    return light / light.sum()


def _overlaps(cells: int, length: int) -> np.ndarray:
    """How much of each pixel lies in each cell, along one axis: [cells, length]."""
    edges, pixels = np.linspace(0, length, cells + 1)[:, None], np.arange(length)
    return (np.minimum(edges[1:], pixels + 1) - np.maximum(edges[:-1], pixels)).clip(0)


def assert_gaze_is_on_dot(images, points, maps) -> int:
    """Returns how many of the dots lie in the middle of a view, where their place is exact."""
    exact = 0
    for place, image in enumerate(images):
        light = image[..., 0].astype(np.float64)
        height, width = light.shape
        found = points[points[:, 0] == place, 1:] * (width, height)
        border = np.concatenate([light[0], light[-1], light[:, 0], light[:, -1]]).max()
        assert len(found) <= 1
        if light.max() < 120:
            assert not len(found)  # the dot's middle is outside, or all of it
        elif border <= 2:
            centroid = [
                (light.sum(axis) * (np.arange(length) + 0.5)).sum() / light.sum()
                for axis, length in enumerate((width, height))
            ]
            np.testing.assert_allclose(found, [centroid], atol=CLOSE)
            exact += 1
        elif border < 0.5 * 250 and light.max() > 230:
            assert len(found) == 1  # the dot's middle is inside
        if len(found):
            row, column = np.unravel_index(light.argmax(), light.shape)
            np.testing.assert_allclose(found, [[column + 0.5, row + 0.5]], atol=3)
            # The dot is as wide as the density, so the light is the density.
            expected = cells_of(light, maps.shape[1:])
            np.testing.assert_allclose(maps[place], expected, atol=0.02)
        else:
            assert not maps[place].any()
    return exact


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(spatial(), sampling(), st.integers(0, 2**31))
def test_the_dot_is_found_under_the_gaze(dot, transforms, sampled, number):
    video, table = dot
    sample, clip_range = sampled
    pipeline = build(loading(gaze_step(table, *transforms), sample=sample))
    seed(number)
    results = pipeline(source(video, clip_range=clip_range))
    images, points, maps = (results[key] for key in ('imgs', 'gaze_points', 'gaze_maps'))
    assert (points.dtype, maps.dtype) == (torch.float32, torch.float32)
    points, maps = points.numpy(), maps.numpy()
    assert maps.shape == (len(images), 6, 7)
    assert len(images) % (sample['clip_len'] * sample['num_clips']) == 0
    assert ((points[:, 1:] >= 0) & (points[:, 1:] < 1)).all()
    assert_gaze_is_on_dot(images, points, maps)
    total = maps.sum(axis=(1, 2))
    has_gaze = np.isin(np.arange(len(images)), points[:, 0])
    np.testing.assert_allclose(total, has_gaze, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(spatial(), sampling(), st.integers(0, 2**31))
def test_frames_and_what_is_drawn_later_are_the_same_without_gaze(dot, transforms, sampled, number):
    video, table = dot
    sample, clip_range = sampled
    seen = []
    for inside in ([gaze_step(table, *transforms)], transforms):
        seed(number)
        results = build(loading(*inside, sample=sample))(source(video, clip_range=clip_range))
        seen.append((results, next_draws()))
    (with_gaze, later), (without, later_without) = seen
    assert later == later_without
    np.testing.assert_array_equal(with_gaze['imgs'], without['imgs'])
    added = {'gaze_maps', 'gaze_points'}
    assert with_gaze.keys() - added == without.keys()
    for key in without.keys() - {'imgs'}:
        np.testing.assert_equal(with_gaze[key], without[key])


def test_dots_in_the_middle_of_views_are_found_at_all(dot):
    """The property test would pass on nothing but dots that were cut off."""
    video, table = dot
    transforms = [dict(type='Resize', scale=(-1, 54)), dict(type='TenCrop', crop_size=48)]
    sample = dict(clip_len=FRAMES, frame_interval=1, num_clips=1, test_mode=True)
    results = build(loading(gaze_step(table, *transforms), sample=sample))(source(video))
    points, maps = results['gaze_points'].numpy(), results['gaze_maps'].numpy()
    assert len(results['imgs']) == 10 * FRAMES
    exact = assert_gaze_is_on_dot(results['imgs'], points, maps)
    assert 30 < exact < len(points) < 9 * FRAMES


def test_a_fixation_is_in_the_frames_that_are_shown_meanwhile(dot, tmp_path):
    video, _ = dot
    # Of frames 3 (120 ms) to 5 (243 ms, until 263 ms), by the file's own uneven timestamps.
    brief = {'start_s': [0.13], 'end_s': [0.25], 'x_px': [48.0], 'y_px': [36.0]}
    write_fixation_table(
        pd.DataFrame({'video': 'dot', 'observer': '7', **brief}), tmp_path / 'f.csv'
    )
    sample = dict(clip_len=FRAMES, frame_interval=1, num_clips=1, test_mode=True)
    results = build(loading(gaze_step(tmp_path / 'f.csv'), sample=sample))(source(video))
    assert BEGINS[3:7].tolist() == [120, 210, 243, 263]
    np.testing.assert_allclose(
        results['gaze_points'], [[3, 0.5, 0.5], [4, 0.5, 0.5], [5, 0.5, 0.5]], atol=1e-5
    )


def test_looks_out_of_the_picture_count_nowhere_and_borders_are_inside(dot, tmp_path):
    video, _ = dot
    x = [0, 0, WIDTH - 1e-4, WIDTH, -0.5, 40]
    y = [0, HEIGHT - 1e-4, 0, 10, 10, HEIGHT + 5]
    table = gaze_on_dot('dot').head(len(x)).assign(start_s=0, end_s=5, x_px=x, y_px=y)
    write_fixation_table(table, tmp_path / 'f.csv')
    sample = dict(clip_len=1, frame_interval=1, num_clips=1)
    for flip in (0, 1):
        resize = dict(type='Resize', scale=(53, 61), keep_ratio=False)
        steps = [resize, dict(type='Flip', flip_ratio=flip)]
        pipeline = build(loading(gaze_step(tmp_path / 'f.csv', *steps, size=(2, 2)), sample=sample))
        results = pipeline(source(video))
        assert len(results['gaze_points']) == 3
        maps = results['gaze_maps'][0].numpy()
        empty = (1, 0 if flip else 1)
        assert maps[empty] == pytest.approx(0, abs=1e-6)
        assert maps.sum() == pytest.approx(1)


def test_a_video_that_is_not_in_the_table_has_no_gaze(dot, tmp_path):
    _, table = dot
    other = write_dot(tmp_path / 'other.mkv')
    transforms = [dict(type='Resize', scale=(-1, 48)), dict(type='ThreeCrop', crop_size=48)]
    sample = dict(clip_len=4, frame_interval=1, num_clips=2)
    results = build(loading(gaze_step(table, *transforms), sample=sample))(source(other))
    assert results['gaze_maps'].shape == (24, 6, 7)
    assert not results['gaze_maps'].any()
    assert results['gaze_points'].shape == (0, 3)
    assert results['gaze_points'].dtype == results['gaze_maps'].dtype == torch.float32


def test_gaze_is_packed(dot):
    video, table = dot
    pack = dict(type='PackActionInputs', algorithm_keys=('gaze_maps', 'gaze_points'))
    steps = [gaze_step(table), dict(type='FormatShape', input_format='NCHW'), pack]
    sample = dict(clip_len=5, frame_interval=1, num_clips=1)
    packed = build(loading(*steps, sample=sample))(source(video))
    assert packed['data_samples'].gaze_maps.shape == (5, 6, 7)
    assert packed['data_samples'].gaze_points.shape == (5, 3)
    assert packed['inputs'].shape == (5, 3, HEIGHT, WIDTH)


class CountUp(BaseTransform):
    """Changes in place what a sample holds."""

    def transform(self, results):
        results['counts'] += 1
        results['nested']['counts'].append(1)
        return results


def test_looking_where_transforms_go_leaves_the_sample_alone(dot):
    video, table = dot
    before = build(loading(sample=dict(clip_len=2)))
    step = LoadGazeMaps(table, (2, 2), 5.0, [CountUp()])
    results = step(before(source(video, counts=np.zeros(2), nested={'counts': []})))
    assert results['counts'].tolist() == [1, 1]
    assert results['nested'] == {'counts': [1]}
    assert len(results['gaze_points'])


# --- folders of frames, KTH ----------------------------------------------------------------------


@pytest.fixture(scope='module')
def frames_folder(tmp_path_factory):
    """The dot's frames, each numbered in many ways: folder by number of the first frame."""
    made = {}
    for first in (0, 1, 7):
        folder = made[first] = tmp_path_factory.mktemp(f'from{first}') / 'dot'
        folder.mkdir()
        for number in range(FRAMES):
            cv2.imwrite(str(folder / f'img_{number + first:05}.png'), picture(number))
    return made


@pytest.mark.parametrize('first', [0, 1, 7])
@pytest.mark.parametrize('clip_range', [None, (5, 15), (5, FRAMES + 4), (0, FRAMES)])
@pytest.mark.parametrize('ranged', [True, False])
@pytest.mark.parametrize('offset', [0, 3])
def test_frames_of_a_folder_are_shown_one_by_one(
    frames_folder, tmp_path, first, clip_range, ranged, offset
):
    write_fixation_table(gaze_on_dot('dot.avi', np.arange(FRAMES) * 40), tmp_path / 'f.csv')
    steps = [
        *([dict(type='ClipRange')] if ranged else []),
        dict(type='SampleFrames', clip_len=4, frame_interval=2, num_clips=2),
        dict(type='RawFrameDecode'),
        gaze_step(tmp_path / 'f.csv', dict(type='Flip', flip_ratio=1), fps=25),
    ]
    seed(0)
    results = build(steps)(
        dict(
            frame_dir=str(frames_folder[first]),
            filename_tmpl='img_{:05}.png',
            total_frames=FRAMES - offset,
            start_index=first,
            offset=offset,
            clip_range=clip_range,
            modality='RGB',
            label=0,
        )
    )
    points, maps = results['gaze_points'].numpy(), results['gaze_maps'].numpy()
    assert_gaze_is_on_dot(results['imgs'], points, maps)
    assert len(points) == len(results['imgs'])


def test_a_folder_of_frames_needs_a_rate(frames_folder, dot):
    _, table = dot
    steps = [
        dict(type='SampleFrames', clip_len=4),
        dict(type='RawFrameDecode'),
        gaze_step(table),
    ]
    folder = dict(frame_dir=str(frames_folder[1]), filename_tmpl='img_{:05}.png', start_index=1)
    with pytest.raises(ValueError, match=r'folder of frames, which tells no time: set fps'):
        build(steps)(dict(**folder, total_frames=FRAMES, modality='RGB'))


def test_sub_sequences_of_kth_have_the_gaze_of_their_frames(kth_data, tmp_path):
    """A fixation per frame whose x says which it is."""
    name = 'walking/person01_walking_d1_uncomp.avi'
    frame = np.arange(555)
    rows = dict(start_s=frame / 25, end_s=(frame + 1) / 25, x_px=frame / 4 + 0.1, y_px=60.0)
    table = pd.DataFrame({'video': name, 'observer': 'one', **rows})
    table['video'] = table['video'].str.rsplit('/').str[-1]
    write_fixation_table(table, tmp_path / 'f.csv')
    sample = dict(clip_len=16, frame_interval=2, num_clips=2)
    resize = dict(type='Resize', scale=(112, 84), keep_ratio=False)
    dataset = KTHDataset(
        data_root=str(kth_data),
        subset='all',
        missing='skip',
        pipeline=loading(gaze_step(tmp_path / 'f.csv', resize, sigma=10), sample=sample),
    )
    gaze = dataset.pipeline.transforms[-1]
    files = [dataset.get_data_info(i)['filename'] for i in range(len(dataset))]
    known = {file: name is not None for file, name in gaze.pair(files).items()}
    assert sum(known.values()) == 1
    assert len(known) == 3
    walked = 0
    for index, file in enumerate(files):
        results = dataset[index]
        if not known[file]:
            assert not len(results['gaze_points'])
            continue
        walked += 1
        start, end = results['clip_range']
        frames = results['frame_inds']
        assert ((frames >= start) & (frames < end)).all()
        told = (results['gaze_points'][:, 1].numpy() * 160 - 0.1) * 4
        np.testing.assert_allclose(told, frames, atol=0.05)
    assert walked == 4


# --- which video is which ------------------------------------------------------------------------


def gaze_of(tmp_path, *names) -> LoadGazeMaps:
    table = pd.concat([gaze_on_dot(name) for name in names])
    write_fixation_table(table, tmp_path / 'names.csv')
    return LoadGazeMaps(str(tmp_path / 'names.csv'), (2, 2), 5.0)


def test_a_dataset_s_files_are_paired_all_at_once(tmp_path):
    gaze = gaze_of(tmp_path, 'walking/a.avi', 'b', 'c')
    assert gaze.videos == ('b', 'c', 'walking/a.avi')
    files = ['/d/walking/a.avi', '/d/running/a.avi', '/d/x/b.mp4', '/d/x/b.mp4', '/d/x/../x/b.mp4']
    assert gaze.pair(files) == {
        '/d/walking/a.avi': 'walking/a.avi',
        '/d/running/a.avi': None,
        '/d/x/b.mp4': 'b',
        '/d/x/../x/b.mp4': 'b',
    }


def test_a_name_that_two_files_fit_is_refused(tmp_path, dot):
    gaze = gaze_of(tmp_path, 'a.mkv')
    fault = r'names\.csv: a\.mkv of the column video could be .*walking/a\.mkv or .*running/a\.mkv'
    with pytest.raises(ValueError, match=fault):
        gaze.pair(['/d/walking/a.mkv', '/d/running/a.mkv', '/d/b.mkv'])
    # One by one it shows when the second comes.
    files = [write_dot(tmp_path / folder / 'a.mkv') for folder in ('walking', 'running')]
    before = build(loading(sample=dict(clip_len=1)))
    for _ in range(2):
        assert len(gaze(before(source(files[0])))['gaze_points'])
    with pytest.raises(ValueError, match=fault):
        gaze(before(source(files[1])))


def test_a_file_that_fits_two_names_is_refused(tmp_path, dot):
    gaze = gaze_of(tmp_path, 'x/dot', 'dot.mkv', 'other')
    file = write_dot(tmp_path / 'x' / 'dot.mkv')
    fault = r'x/dot\.mkv could be dot\.mkv or x/dot of the column'
    with pytest.raises(ValueError, match=fault):
        gaze.pair([file])
    with pytest.raises(ValueError, match=fault):
        gaze(build(loading(sample=dict(clip_len=1)))(source(file)))


def test_what_was_paired_holds_for_files_that_come_later(tmp_path):
    gaze = gaze_of(tmp_path, 'a.mkv')
    files = [write_dot(tmp_path / folder / 'a.mkv') for folder in ('walking', 'running')]
    gaze.pair(files[:1])
    with pytest.raises(ValueError, match=r'a\.mkv of the column video could be'):
        gaze(build(loading(sample=dict(clip_len=1)))(source(files[1])))
    gaze.pair(files[1:])
    assert len(gaze(build(loading(sample=dict(clip_len=1)))(source(files[1])))['gaze_points'])


# --- copies --------------------------------------------------------------------------------------


@pytest.mark.parametrize('copied', [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_copy_does_the_same_and_keeps_the_pairing(dot, copied):
    video, table = dot
    step = TRANSFORMS.build(gaze_step(table, dict(type='RandomResizedCrop')))
    step.pair([str(video)])
    size = len(pickle.dumps(step))
    before = build(loading(sample=dict(clip_len=4)))
    seed(3)
    first = step(before(source(video)))
    assert len(pickle.dumps(step)) == size  # the timestamps stay at home
    other = copied(step)
    assert other.pair([str(video)]) == {str(video): 'dot.mkv'}
    seed(3)
    second = other(before(source(video)))
    for key in ('gaze_maps', 'gaze_points'):
        assert torch.equal(first[key], second[key])
    assert repr(other).startswith(f"LoadGazeMaps(fixations='{table}', map_size=(6, 7), sigma=3.0, ")
    assert 'RandomResizedCrop' in repr(other)


def test_timestamps_are_remembered_up_to_so_many_frames(tmp_path):
    times = FrameTimes(most_frames=60)
    files = [write_dot(tmp_path / f'{n}.mkv') for n in range(3)]
    for file in (files[0], files[1], files[0], files[2]):
        np.testing.assert_allclose(times(file)[:-1], BEGINS / 1000, atol=1e-6)
    for file in files:
        file.unlink()
    times(files[0]), times(files[2])
    with pytest.raises(VideoError, match=r'1\.mkv does not exist'):  # not asked for lately
        times(files[1])


# --- bad input -----------------------------------------------------------------------------------


class Odd(BaseTransform):
    """Something that gaze cannot follow."""

    def __init__(self, how):
        self.how = how
        self.own = np.random.default_rng(0)

    def transform(self, results):
        results['imgs'] = getattr(self, self.how)(results['imgs'])
        return results

    def turn(self, images):
        return [np.rot90(image).copy() for image in images]

    def brighten(self, images):
        return [image * 2 for image in images]

    def pad(self, images):
        return [np.pad(image, ((4, 4), (4, 4), (0, 0))) for image in images]

    def reverse(self, images):
        return images[::-1]

    def halve(self, images):
        return images[: len(images) // 2]

    def each(self, images):
        return [image[:, ::-1] if np.random.rand() < 0.5 else image for image in images]

    def each_seldom(self, images):
        return [image[:, ::-1] if np.random.rand() < 1e-9 else image for image in images]

    def drift(self, images):
        return [image[:, place : place + 40] for place, image in enumerate(images)]

    def generator(self, images):
        return [image[:, ::-1] for image in images] if self.own.random() < 0.5 else images

    def bytes_only(self, images):
        return [cv2.LUT(image, np.arange(256, dtype=np.uint8)) for image in images]

    def crash(self, images):
        raise KeyError('two\nlines')

    def shrink(self, images):
        return [image[:3, :3] for image in images]


@pytest.mark.parametrize(
    ('how', 'fault'),
    [
        ('turn', 'turn, bend'),
        ('brighten', 'change colours'),
        ('pad', 'change colours, pad'),
        ('reverse', 'order frames anew'),
        ('halve', 'something else than pictures'),
        ('each', 'move the frames of a clip apart|do not treat all frames of a clip alike'),
        ('each_seldom', 'do not treat all frames of a clip alike'),
        ('drift', 'move the frames of a clip apart'),
        ('generator', 'generators of their own'),
        ('bytes_only', 'those that resize, crop and flip go inside'),
        ('crash', r"KeyError: 'two\\nlines'"),
        ('shrink', 'at least 4x4 pixels'),
    ],
)
def test_transforms_that_gaze_cannot_follow_are_refused(dot, how, fault):
    video, table = dot
    step = LoadGazeMaps(table, (2, 2), 5.0, [Odd(how)])
    before = build(loading(sample=dict(clip_len=8)))
    seed(0)
    with pytest.raises(ValueError, match=fault) as caught:
        for _ in range(10):
            step(before(source(video)))
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    ('steps', 'fault'),
    [
        ([dict(type='FormatShape', input_format='NCHW')], 'something else than pictures'),
        ([dict(type='Flip', lazy=True)], 'needs Fuse'),
        (
            [dict(type='Resize', scale=(-1, 50), interpolation='nearest')],
            "otherwise than 'bilinear'",
        ),
        ([dict(type='Resize', scale=(-1, 50), interpolation='area')], "otherwise than 'bilinear'"),
        ([dict(type='RandomCrop', size=200)], 'AssertionError'),
        # MMAction2's Flip works in place, crop by crop, in memory that crops share.
        ([dict(type='TenCrop', crop_size=40), dict(type='Flip', flip_ratio=1)], 'turn, bend'),
    ],
)
def test_mmaction_s_own_in_the_wrong_place_are_refused(dot, steps, fault):
    video, table = dot
    pipeline = build(loading(gaze_step(table, *steps), sample=dict(clip_len=4)))
    with pytest.raises(ValueError, match=fault) as caught:
        pipeline(source(video))
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    'before',
    [
        dict(type='Resize', scale=(-1, 48)),
        dict(type='Flip', flip_ratio=0),
        dict(type='CenterCrop', crop_size=40),
        dict(type='FormatShape', input_format='NCHW'),
    ],
)
def test_transforms_before_it_are_refused(dot, before):
    video, table = dot
    pipeline = build(loading(before, gaze_step(table), sample=dict(clip_len=4)))
    with pytest.raises(ValueError, match='LoadGazeMaps must stand'):
        pipeline(source(video))


def test_undecoded_samples_are_refused(dot):
    _, table = dot
    with pytest.raises(ValueError, match='after the step that decodes'):
        TRANSFORMS.build(gaze_step(table))(source('x.avi'))


@pytest.mark.parametrize(
    'options',
    [
        dict(size=7),
        dict(size=(7,)),
        dict(size=(7, 0)),
        dict(size=(7, 2.5)),
        dict(sigma=0),
        dict(sigma=float('nan')),
        dict(sigma='10'),
        dict(fps=-25),
    ],
)
def test_options_that_make_no_sense_are_refused(dot, options):
    with pytest.raises(ValueError, match='LoadGazeMaps: expected'):
        TRANSFORMS.build(gaze_step(dot[1], **options))


def test_a_table_that_is_none_is_refused_when_the_pipeline_is_built(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'absent\.csv'):
        TRANSFORMS.build(gaze_step(tmp_path / 'absent.csv'))
    (tmp_path / 'bad.csv').write_text('video,x\na,1\n', encoding='utf-8')
    with pytest.raises(GazeFormatError, match=r'bad\.csv: expected the columns'):
        TRANSFORMS.build(gaze_step(tmp_path / 'bad.csv'))


def test_frames_beyond_the_file_are_refused(dot):
    video, table = dot
    step = TRANSFORMS.build(gaze_step(table))
    results = source(video, imgs=[picture(0)], frame_inds=np.array([FRAMES]))
    with pytest.raises(VideoError, match=f'frame {FRAMES} was sampled, but .* {FRAMES} frames'):
        step(results)


def test_places_of_the_dot_reach_the_borders():
    """So that crops do cut it off."""
    assert PLACES.min() < 5
    assert PLACES[:, 0].max() > WIDTH - 5
    assert PLACES[:, 1].max() > HEIGHT - 5


def test_real_gaze_lies_on_what_moves_in_the_real_video(real_data, tmp_path):
    # DHF1K's observers: the packed points score the motion as a direct way through the source does.
    folder = real_data / 'gaze' / 'dhf1k_002'
    tables = [read_fixations(path, video_size=(640, 360)) for path in sorted(folder.glob('P*.txt'))]
    fixations = pd.concat(tables, ignore_index=True).assign(video='002.AVI')
    write_fixation_table(fixations, tmp_path / 'fixations.csv')
    gaze = dict(
        type='LoadGazeMaps',
        fixations=str(tmp_path / 'fixations.csv'),
        map_size=(9, 16),
        sigma=20.0,
        transforms=[dict(type='Resize', scale=(320, 180), keep_ratio=False)],
    )
    sample = dict(clip_len=120, frame_interval=3, num_clips=1, test_mode=True)
    steps = [dict(type='DecordInit'), *loading(gaze, sample=sample, ranged=False)]
    results = build(steps)(source(folder / '002.AVI'))
    frames, points = results['imgs'], results['gaze_points'].numpy()
    moved = [np.abs(b.astype(float) - a).sum(axis=2) for a, b in pairwise(frames)]
    scores = [
        nss(change, points[points[:, 0] == place][:, 1:] * (320, 180), 'tuebingen')
        for place, change in enumerate(moved, start=1)
    ]
    starts = np.asarray(results['frame_inds']) / 30
    shown, rows = fixations_in_intervals(fixations, starts, starts + 1 / 30)
    places = fixations[['x_px', 'y_px']].to_numpy() / 2
    direct = [
        nss(change, places[rows[shown == place]], 'tuebingen')
        for place, change in enumerate(moved, start=1)
    ]
    assert np.nanmean(scores) == pytest.approx(np.nanmean(direct), rel=0.01)
    assert np.nanmean(scores) > 2
