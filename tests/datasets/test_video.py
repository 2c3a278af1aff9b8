"""What can be read of a video file, and which files are refused."""

import numpy as np
import pytest

from mmsal.datasets.video import VideoError, probe_frames, probe_video, read_frames


def test_probe(write_marked_video, tmp_path):
    info = probe_video(write_marked_video(tmp_path / 'a.avi', 12))
    assert (info.frames, info.fps, info.width, info.height) == (12, 25, 64, 48)
    np.testing.assert_allclose(info.timestamps, np.arange(12) / 25, atol=1e-6)


def test_read_frames(write_marked_video, read_mark, tmp_path):
    path = write_marked_video(tmp_path / 'a.avi', 12)
    frames = read_frames(path, np.array([7, 0, 7]))
    assert frames.shape == (3, 48, 64, 3)
    assert [read_mark(frame) for frame in frames] == [7, 0, 7]


@pytest.mark.parametrize(
    ('content', 'fault'),
    [
        (None, 'does not exist'),
        (b'', 'is empty'),
        (b'words', 'not a video that can be read'),
        (bytes(range(256)) * 40, 'not a video that can be read'),
    ],
)
def test_what_is_no_video_is_refused(tmp_path, capfd, content, fault):
    path = tmp_path / 'a.avi'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(VideoError, match=fault) as error:
        probe_video(path)
    assert str(path) in str(error.value)
    assert capfd.readouterr().err == ''


def test_real_video_cut_short_is_refused(kth_data, tmp_path):
    whole = (kth_data / 'person01_running_d1_uncomp.avi').read_bytes()
    (tmp_path / 'cut.avi').write_bytes(whole[: len(whole) // 2])
    with pytest.raises(VideoError, match=r'cut short: \d+ of 335 frames'):
        probe_video(tmp_path / 'cut.avi')


def test_probe_real_video(kth_data):
    info = probe_video(kth_data / 'person01_walking_d1_uncomp.avi')
    assert (info.frames, info.fps, info.width, info.height) == (555, 25, 160, 120)
    assert info.timestamps[-1] == pytest.approx(554 / 25, abs=1e-3)


def test_probe_frames(write_marked_images, tmp_path):
    folder = write_marked_images(tmp_path / 'clip', 5)
    info = probe_frames(folder, 'image_{:05d}.jpg', 1, 25)
    assert (info.frames, info.width, info.height) == (5, 64, 48)
    with pytest.raises(VideoError, match=r'holds no frame called img_00001\.jpg'):
        probe_frames(folder, 'img_{:05d}.jpg', 1, 25)
    (folder / 'image_3.jpg').touch()  # another template's
    assert probe_frames(folder, 'image_{:05d}.jpg', 1).frames == 5


@pytest.mark.parametrize(
    ('gone', 'start', 'fault'),
    [
        ([3], 1, r'no frame image_00003\.jpg, but others up to number 5 \(1 missing\)'),
        ([1, 4], 1, r'no frame image_00001\.jpg, but others up to number 5 \(2 missing\)'),
        ([], 2, 'numbered from 1, not from 2: set start_index=1'),
        ([], 6, r'holds no frame called image_00006\.jpg'),
    ],
)
def test_frames_that_are_not_all_there_are_refused(
    write_marked_images, tmp_path, gone, start, fault
):
    folder = write_marked_images(tmp_path / 'clip', 5)
    for number in gone:
        (folder / f'image_{number:05d}.jpg').unlink()
    with pytest.raises(VideoError, match=fault) as error:
        probe_frames(folder, 'image_{:05d}.jpg', start)
    assert str(folder) in str(error.value)


def test_a_million_is_no_count_of_frames(write_marked_images, tmp_path):
    """Frames named by their time, say: told at once, not after a walk over all numbers."""
    folder = write_marked_images(tmp_path / 'clip', 2)
    (folder / 'image_00002.jpg').rename(folder / 'image_1700000000000.jpg')
    with pytest.raises(VideoError, match=r'no frame image_00002\.jpg.*1699999999998 missing'):
        probe_frames(folder, 'image_{:05d}.jpg', 1)


def test_file_for_folder_and_folder_for_file(write_marked_images, write_marked_video, tmp_path):
    folder = write_marked_images(tmp_path / 'clip', 2)
    with pytest.raises(VideoError, match='is a folder: pass --use-frames'):
        probe_video(folder)
    with pytest.raises(VideoError, match='is a file, not a folder of frames'):
        probe_frames(write_marked_video(tmp_path / 'a.avi', 12), 'img_{:05}.jpg', 1)
    with pytest.raises(VideoError, match='no does not exist'):
        probe_frames(tmp_path / 'no', 'img_{:05}.jpg', 1)
