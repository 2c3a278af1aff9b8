from fractions import Fraction

import av
import numpy as np
import pytest


@pytest.fixture
def kth_data(real_data):
    """Folder of the three real KTH files and 00sequences.txt."""
    folder = real_data / 'kth'
    if not (folder / '00sequences.txt').is_file():
        pytest.skip(f'no KTH data in {folder} (MMSAL_TEST_DATA)')
    return folder


@pytest.fixture
def marked_frames():
    """Make frames, uint8 [H, W, 3], whose grey level tells their number (up to 60)."""

    def make(num_frames, height=48, width=64):
        return [np.full((height, width, 3), 10 + 4 * n, np.uint8) for n in range(num_frames)]

    return make


@pytest.fixture
def read_mark():
    """Read the number of a marked frame back, from the frame."""
    return lambda image: round((float(np.mean(image)) - 10) / 4)


@pytest.fixture
def write_marked_video(marked_frames):
    """Write a video of marked frames: (path, number of frames)."""

    def write(path, num_frames):
        path.parent.mkdir(parents=True, exist_ok=True)
        frames = marked_frames(num_frames)
        with av.open(str(path), 'w') as container:
            stream = container.add_stream('mpeg4', rate=Fraction(25))
            stream.height, stream.width = frames[0].shape[:2]
            stream.pix_fmt = 'yuv420p'
            stream.codec_context.options = {'qmin': '1', 'qmax': '2'}
            for frame in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format='rgb24')))
            container.mux(stream.encode())
        return path

    return write


@pytest.fixture
def write_marked_images(marked_frames):
    """Write a folder of marked frames: (folder, number of frames, template, first number)."""
    import cv2

    def write(folder, num_frames, template='image_{:05d}.jpg', first=1):
        folder.mkdir(parents=True)
        for number, frame in enumerate(marked_frames(num_frames), start=first):
            assert cv2.imwrite(str(folder / template.format(number)), frame)
        return folder

    return write
