"""Folders of PNG maps: fixations of each pixel and frame, densities (SYNTHETIC files)."""

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as of_numpy

from mmsal.gaze import (
    GazeFormatError,
    fixation_map,
    fixations_in_intervals,
    read_density_maps,
    read_fixations,
)

SAID = {'video': 'a.avi', 'first_frame': 1, 'fps': 25.0}


def write_maps(folder, maps, first=1, name='{:04d}.png'):
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(maps, first):
        assert cv2.imwrite(str(folder / name.format(number)), image)
    return folder


def blank(frames=3, height=4, width=6):
    return np.zeros((frames, height, width), np.uint8)


def test_a_pixel_in_consecutive_frames_is_one_fixation(tmp_path):
    maps = blank(5)
    maps[:2, 1, 2] = 255  # frames 0 and 1, then again in frame 3
    maps[3, 1, 2] = 255
    maps[1, 3, 5] = 255
    table = read_fixations(write_maps(tmp_path / 'm', maps), **SAID)
    expected = [
        ('a.avi', 'all', 0.0, 0.08, 2.5, 1.5),
        ('a.avi', 'all', 0.04, 0.08, 5.5, 3.5),
        ('a.avi', 'all', 0.12, 0.16, 2.5, 1.5),
    ]
    pd.testing.assert_frame_equal(table, pd.DataFrame(expected, columns=table.columns))
    assert table.attrs['format'] == 'png_maps'
    assert table.attrs['counts']['rows'] == 4 and table.attrs['counts']['joined'] == 1


def test_a_frame_that_has_no_map_parts_two_fixations(tmp_path):
    maps = blank(3)
    maps[:, 0, 0] = 255
    folder = write_maps(tmp_path / 'm', maps)
    (folder / '0002.png').unlink()
    assert read_fixations(folder, **SAID)[['start_s', 'end_s']].to_numpy().tolist() == [
        [0.0, 0.04],
        [0.08, 0.12],
    ]


@settings(max_examples=30, deadline=None)
@given(
    of_numpy.arrays(bool, st.tuples(*[st.integers(1, 5)] * 3)),
    st.integers(0, 3),
    st.floats(1, 120),
)
def test_the_table_gives_the_maps_back(tmp_path_factory, looked, first, fps):
    looked[:, 0, 0] = False  # a map that is set everywhere is refused
    folder = write_maps(tmp_path_factory.mktemp('maps') / 'm', looked * np.uint8(255), first)
    table = read_fixations(folder, video='v', first_frame=first, fps=fps)
    frames, height, width = looked.shape
    middle = (np.arange(frames) + 0.25) / fps
    shown, rows = fixations_in_intervals(table, middle, middle + 0.5 / fps)
    for frame in range(frames):
        points = table[['x_px', 'y_px']].to_numpy()[rows[shown == frame]]
        np.testing.assert_array_equal(fixation_map(points, (width, height)), looked[frame])


def test_frame_times_go_before_fps(tmp_path):
    maps = blank(2)
    maps[1, 0, 0] = 1
    table = read_fixations(write_maps(tmp_path / 'm', maps), **SAID, frame_times=[0.0, 0.5, 2.0])
    assert table[['start_s', 'end_s']].to_numpy().tolist() == [[0.5, 2.0]]
    with pytest.raises(GazeFormatError, match='expected frames 0 to 0'):
        read_fixations(tmp_path / 'm', **SAID, frame_times=[0.0])


def test_maps_of_another_size_than_the_video(tmp_path):
    maps = blank(1)
    maps[0, 1, 2] = 255
    table = read_fixations(write_maps(tmp_path / 'm', maps), **SAID, video_size=(12, 12))
    np.testing.assert_allclose(table[['x_px', 'y_px']], [[5.0, 4.5]])


def test_maps_without_a_fixation_give_an_empty_table(tmp_path):
    table = read_fixations(write_maps(tmp_path / 'm', blank()), **SAID)
    assert len(table) == 0 and table.attrs['counts']['rows'] == 0


def test_grey_in_three_channels_is_grey(tmp_path):
    maps = blank(1)
    maps[0, 1, 2] = 255
    folder = write_maps(tmp_path / 'm', np.repeat(maps[..., None], 3, axis=3))
    assert len(read_fixations(folder, **SAID)) == 1


def test_a_density_is_refused_and_its_function_named(tmp_path):
    maps = blank(2)
    maps[1, 0, :3] = (10, 20, 30)
    with pytest.raises(GazeFormatError, match=r'0002\.png: .*got 4: .*read_density_maps'):
        read_fixations(write_maps(tmp_path / 'm', maps), **SAID)


@pytest.mark.parametrize(
    ('spoil', 'words'),
    [
        (lambda f: (f / '0002.png').write_bytes(b'no picture'), ['0002.png is not a PNG']),
        (
            lambda f: (f / '0002.png').write_bytes((f / '0002.png').read_bytes()[:-15]),
            ['0002.png is not a PNG picture, or is cut short'],
        ),
        (lambda f: (f / '0002.png').write_bytes(b''), ['0002.png is not a PNG']),
        (
            lambda f: (f / '0002.png').write_bytes(b'x' + (f / '0002.png').read_bytes()[1:]),
            ['0002.png is not a PNG picture, or is damaged'],
        ),
        (lambda f: write_maps(f, blank(1, 5, 6), 9), ['0009.png', 'expected 6x4', 'got 6x5']),
        (lambda f: write_maps(f, blank(1), 2, 'b_{}.png'), ['b_2.png', 'frame 2 is also 0002']),
        (lambda f: write_maps(f, blank(1), 0), ['0000.png', 'count from 1, got 0']),
        (lambda f: write_maps(f, blank(1), 0, 'x.png'), ['x.png', 'number of a frame']),
        (lambda f: write_maps(f, blank(1) + 255, 9), ['0009.png', 'expected 0 where nobody']),
        (
            lambda f: cv2.imwrite(str(f / '0009.png'), np.full((4, 6, 3), (1, 2, 3), np.uint8)),
            ['0009.png', 'expected a grey picture'],
        ),
    ],
)
def test_a_broken_map_is_named(tmp_path, spoil, words):
    folder = write_maps(tmp_path / 'm', blank())
    spoil(folder)
    with pytest.raises(GazeFormatError) as error:
        read_fixations(folder, **SAID)
    assert all(word in str(error.value) for word in words), error.value


def test_what_the_maps_do_not_say_must_be_said(tmp_path):
    folder = write_maps(tmp_path / 'm', blank())
    with pytest.raises(GazeFormatError, match='--video, --first-frame'):
        read_fixations(folder)
    with pytest.raises(GazeFormatError, match='--fps'):
        read_fixations(folder, video='v', first_frame=0)
    with pytest.raises(GazeFormatError, match='first_frame 0 or more'):
        read_fixations(folder, video='v', first_frame=-1)


@pytest.mark.parametrize('kind', [np.uint8, np.uint16])
def test_densities_are_shares_of_the_largest_grey(tmp_path, kind):
    maps = np.random.default_rng(0).integers(0, np.iinfo(kind).max, (3, 4, 6), endpoint=True)
    folder = write_maps(tmp_path / 'maps', maps.astype(kind))
    indices, densities = read_density_maps(folder, first_frame=1)
    assert indices.tolist() == [0, 1, 2] and indices.dtype == np.int64
    assert densities.dtype == np.float32
    np.testing.assert_allclose(densities, maps / np.iinfo(kind).max, rtol=1e-6)
    indices, some = read_density_maps(folder, first_frame=1, frames=[2, 0])
    assert indices.tolist() == [0, 2]
    np.testing.assert_array_equal(some, densities[[0, 2]])


def test_densities_that_are_not_there(tmp_path):
    folder = write_maps(tmp_path / 'maps', blank())
    with pytest.raises(GazeFormatError, match='no map of frame 7'):
        read_density_maps(folder, 1, frames=[7])
    with pytest.raises(GazeFormatError, match='expected frames to read'):
        read_density_maps(folder, 1, frames=[])
    with pytest.raises(FileNotFoundError):
        read_density_maps(tmp_path / 'gone', 1)
    (tmp_path / 'none').mkdir()
    with pytest.raises(GazeFormatError, match='no PNG file'):
        read_density_maps(tmp_path / 'none', 1)
