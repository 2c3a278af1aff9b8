"""Overlays and videos: against MMAction2's blending, and read back by another program."""

import av
import numpy as np
import pytest
import torch
from mmaction.utils import GradCAM as UpstreamGradCAM
from PIL import Image

from mmsal.visualization import Row, evenly_spaced, overlay, write_contact_sheet, write_video
from tests.attribution.networks import build

RNG = np.random.default_rng(0)


def test_blends_as_mmaction2():
    frames = RNG.integers(0, 256, (4, 12, 16, 3), dtype=np.uint8)
    maps = RNG.uniform(size=(4, 12, 16)).astype(np.float32)
    upstream = UpstreamGradCAM(build('tsn'), 'backbone/layer4')
    inputs = torch.from_numpy(frames).permute(0, 3, 1, 2)
    expected = upstream._alpha_blending(torch.from_numpy(maps)[None], [inputs], 0.3)[0].numpy()
    blended = overlay(frames, maps, alpha=0.3)
    assert np.abs(blended / 255 - expected).max() <= 0.5 / 255 + 1e-6


def test_unseen_pixels_keep_their_colour():
    frames = RNG.integers(0, 256, (1, 4, 4, 3), dtype=np.uint8)
    seen = np.zeros((4, 4), bool)
    seen[1:3, 1:3] = True
    blended = overlay(frames, np.ones((1, 4, 4), np.float32), seen=seen)
    np.testing.assert_array_equal(blended[0][~seen], frames[0][~seen])
    assert (blended[0][seen] != frames[0][seen]).any()


def test_sizes_must_agree():
    with pytest.raises(ValueError, match='one size'):
        overlay(np.zeros((1, 4, 4, 3), np.uint8), np.zeros((1, 4, 5), np.float32))


def blocks(count: int, height: int, width: int) -> np.ndarray:
    """Frames of a colour each, which survive any codec."""
    frames = np.zeros((count, height, width, 3), np.uint8)
    for number, frame in enumerate(frames):
        frame[:] = 30 + 20 * number, 200 - 20 * number, 90
    return frames


@pytest.mark.parametrize('size', [(48, 64), (47, 63)])
def test_mp4_is_what_browsers_play(tmp_path, size):
    frames = blocks(8, *size)
    write_video(frames, tmp_path / 'a.mp4', fps=12.5)
    with av.open(str(tmp_path / 'a.mp4')) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == 'h264'
        assert stream.codec_context.pix_fmt == 'yuv420p'
        assert float(stream.average_rate) == 12.5
        decoded = [frame.to_ndarray(format='rgb24') for frame in container.decode(stream)]
    assert len(decoded) == 8
    assert decoded[0].shape == (48, 64, 3)  # odd sides are padded by one pixel
    for frame, written in zip(decoded, frames, strict=True):
        assert np.abs(frame.mean((0, 1)) - written.mean((0, 1))).max() < 6
    head = (tmp_path / 'a.mp4').read_bytes()
    assert head.index(b'moov') < head.index(b'mdat')  # plays before it is loaded


def test_gif(tmp_path):
    frames = blocks(5, 20, 30)
    write_video(frames, tmp_path / 'a.gif', fps=5)
    with Image.open(tmp_path / 'a.gif') as image:
        assert image.n_frames == 5
        assert image.info['duration'] == 200
        assert image.info['loop'] == 0
        image.seek(3)
        found = np.asarray(image.convert('RGB')).mean((0, 1))
    assert np.abs(found - frames[3].mean((0, 1))).max() < 6


@pytest.mark.parametrize(
    ('name', 'frames', 'fps', 'fault'),
    [
        ('a.webm', blocks(2, 8, 8), 5, 'ending with .mp4 or .gif'),
        ('a.mp4', blocks(0, 8, 8), 5, 'no frames'),
        ('a.gif', blocks(0, 8, 8), 5, 'no frames'),
        ('a.mp4', blocks(2, 8, 8), 0, 'positive frame rate'),
    ],
)
def test_what_cannot_be_written_leaves_nothing(tmp_path, name, frames, fps, fault):
    with pytest.raises(ValueError, match=fault):
        write_video(frames, tmp_path / name, fps)
    assert not list(tmp_path.iterdir())


def test_failure_in_the_middle_leaves_the_old_file(tmp_path):
    path = tmp_path / 'a.mp4'
    write_video(blocks(2, 8, 8), path, 5)
    before = path.read_bytes()

    def frames():
        yield blocks(1, 8, 8)[0]
        raise RuntimeError('decoder died')

    with pytest.raises(RuntimeError):
        write_video(frames(), path, 5)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_contact_sheet(tmp_path):
    rows = [
        Row(f'video {n}', blocks(3, 24, 32), ['frame 1', 'frame 2', 'frame 3']) for n in range(2)
    ]
    write_contact_sheet(rows, tmp_path / 'sheet.png', 'title')
    with Image.open(tmp_path / 'sheet.png') as image:
        picture = np.asarray(image.convert('RGB')).reshape(-1, 3)
    colours = {tuple(colour) for colour in picture}
    for block in blocks(3, 1, 1)[:, 0, 0]:
        assert tuple(block) in colours
    with pytest.raises(ValueError, match='nothing to draw'):
        write_contact_sheet([], tmp_path / 'none.png')


def test_evenly_spaced():
    assert evenly_spaced(10, 4).tolist() == [0, 3, 6, 9]
    assert evenly_spaced(2, 8).tolist() == [0, 1]
