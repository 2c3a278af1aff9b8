"""Writing video that browsers play, and animated GIF."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np

from mmsal.heatmaps.atomic import atomic_files

SUFFIXES = ('.mp4', '.gif')


def write_video(frames: Iterable[np.ndarray], path: str | Path, fps: float) -> None:
    """Write frames as H.264 (.mp4) or animated GIF (.gif).

    The file appears under its name only when it is complete.

    Args:
        frames: uint8 [H, W, 3] each, RGB, all of one size.
        path: Ends with .mp4 or .gif.
        fps: Frames per second.

    Raises:
        ValueError: Another suffix, no frames, or a rate that is not positive.
        OSError: The file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f'expected a video name ending with {" or ".join(SUFFIXES)}, got {path}')
    if fps <= 0:
        raise ValueError(f'expected a positive frame rate, got {fps}')
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_files(path) as (partial,):
        write = _write_gif if path.suffix.lower() == '.gif' else _write_mp4
        if not write(frames, partial, fps):
            raise ValueError(f'there are no frames to write to {path}')


def _write_mp4(frames: Iterable[np.ndarray], path: Path, fps: float) -> int:
    import av

    count, stream = 0, None
    # faststart: a browser begins to play before it has the whole file.
    with av.open(str(path), 'w', format='mp4', options={'movflags': 'faststart'}) as container:
        for frame in frames:
            # yuv420p halves the colour planes, so both sides must be even.
            even = np.pad(frame, ((0, frame.shape[0] % 2), (0, frame.shape[1] % 2), (0, 0)), 'edge')
            if stream is None:
                rate = Fraction(fps).limit_denominator(1000)
                stream = container.add_stream('libx264', rate=rate, options={'crf': '18'})
                stream.height, stream.width = even.shape[:2]
                stream.pix_fmt = 'yuv420p'
            packets = stream.encode(av.VideoFrame.from_ndarray(even, format='rgb24'))
            container.mux(packets)
            count += 1
        if stream is not None:
            container.mux(stream.encode())
    return count


def _write_gif(frames: Iterable[np.ndarray], path: Path, fps: float) -> int:
    from PIL import Image

    images = [Image.fromarray(frame) for frame in frames]
    if images:
        # GIF counts in hundredths of a second, and browsers slow down anything below two.
        duration = max(round(100 / fps), 2) * 10
        images[0].save(
            path, format='GIF', save_all=True, append_images=images[1:], duration=duration, loop=0
        )
    return len(images)
