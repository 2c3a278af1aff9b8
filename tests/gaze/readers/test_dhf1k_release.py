"""DHF1K as released: annotation/0001 with fixation/ and maps/ (SYNTHETIC files)."""

import cv2
import numpy as np
import pytest

from mmsal.gaze import GazeFormatError, read_density_maps, read_fixations


def write_release(folder):
    maps = np.zeros((3, 36, 64), np.uint8)
    maps[0, 10, 20] = maps[1, 10, 20] = maps[2, 5, 63] = 255
    for kind, images in (
        ('fixation', maps),
        ('maps', cv2.GaussianBlur(maps.transpose(1, 2, 0), (9, 9), 2)),
    ):
        (folder / kind).mkdir(parents=True)
        images = images if kind == 'fixation' else images.transpose(2, 0, 1)
        for number, image in enumerate(images, 1):
            assert cv2.imwrite(str(folder / kind / f'{number:04d}.png'), image)
    return folder


def test_a_video_of_the_release(tmp_path):
    folder = write_release(tmp_path / 'annotation' / '0001')
    table = read_fixations(folder, fps=30.0)
    assert table.attrs['format'] == 'dhf1k_release'
    # The first map, 0001.png, is the video's first frame, at 0 s.
    expected = [('0001', 'all', 0.0, 2 / 30, 20.5, 10.5), ('0001', 'all', 2 / 30, 0.1, 63.5, 5.5)]
    assert table['video'].tolist() == ['0001', '0001']
    assert table['observer'].tolist() == ['all', 'all']
    numbers = table[['start_s', 'end_s', 'x_px', 'y_px']].to_numpy()
    np.testing.assert_allclose(numbers, [row[2:] for row in expected], atol=1e-12)
    assert read_fixations(folder, fps=30.0, video='001.AVI')['video'][0] == '001.AVI'


def test_its_densities(tmp_path):
    folder = write_release(tmp_path / '0001')
    indices, maps = read_density_maps(folder / 'maps', first_frame=1)
    assert indices.tolist() == [0, 1, 2]
    assert maps.shape == (3, 36, 64) and maps[2, 5, 62] > 0 == maps[2, 30, 10]


def test_what_is_refused(tmp_path):
    folder = write_release(tmp_path / '0001')
    with pytest.raises(GazeFormatError, match='--fps'):
        read_fixations(folder)
    with pytest.raises(GazeFormatError, match='expected a folder with a folder fixation'):
        read_fixations(folder / 'maps', 'dhf1k_release', fps=30.0)
    with pytest.raises(GazeFormatError, match='read_density_maps'):
        read_fixations(folder / 'maps', video='v', first_frame=1, fps=30.0)
    for path in (folder / 'fixation').iterdir():
        path.unlink()
    with pytest.raises(GazeFormatError, match='no PNG file'):
        read_fixations(folder, 'dhf1k_release', fps=30.0)
