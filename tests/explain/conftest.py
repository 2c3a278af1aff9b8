"""A video that only its decoding shows to be damaged."""

import av
import numpy as np
import pytest


@pytest.fixture(scope='session')
def damaged(tmp_path_factory):
    """A video whose header is whole and length right; only decoding finds out."""
    path = tmp_path_factory.mktemp('damaged') / 'damaged.mp4'
    frames = np.random.default_rng(0).integers(0, 256, (60, 120, 160, 3), dtype=np.uint8)
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 120, 'yuv420p'
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format='rgb24')))
        container.mux(stream.encode())
    content = bytearray(path.read_bytes())
    first, last = len(content) * 3 // 10, len(content) * 8 // 10
    content[first:last] = np.random.default_rng(1).bytes(last - first)
    path.write_bytes(content)
    return path
