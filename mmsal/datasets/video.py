"""What is in a video file: frames, rate, size, timestamps; and whether it can be read at all."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np


class VideoError(ValueError):
    """A file that is missing, empty, cut short or no video. One line, with the path."""


@dataclass(frozen=True)
class VideoInfo:
    """A video file.

    Attributes:
        path: The file, or the folder of frames.
        frames: Number of frames that can be decoded.
        fps: Frames per second, averaged over the video; None for frames of unknown rate.
        width, height: Pixels.
        timestamps: float64 [frames], seconds from the video's first frame to each frame's start;
            None where the rate is unknown.
    """

    path: Path
    frames: int
    fps: float | None
    width: int
    height: int
    timestamps: np.ndarray | None


def decoding_errors() -> tuple[type[Exception], ...]:
    """What decord and OpenCV raise at frames that they cannot read."""
    import cv2
    from decord import DECORDError

    return (RuntimeError, DECORDError, cv2.error)


def probe_video(path: str | Path) -> VideoInfo:
    """Open a video file and read what is in it.

    Raises:
        VideoError: The file is missing, empty, no video, or its header promises more frames than
            can be read.
    """
    import av
    import decord

    path = Path(path)
    if path.is_dir():
        raise VideoError(f'{path} is a folder: pass --use-frames if it holds frames')
    if not path.is_file():
        raise VideoError(f'video {path} does not exist')
    if path.stat().st_size == 0:
        raise VideoError(f'video {path} is empty')
    try:
        # PyAV tells what is wrong in an exception; decord prints it.
        decord.logging.set_level(decord.logging.QUIET)
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise VideoError(f'{path} holds no video stream')
            declared = container.streams.video[0].frames
        reader = decord.VideoReader(str(path), num_threads=1)
        frames = len(reader)
        height, width = reader[0].shape[:2]
        starts = np.asarray(reader.get_frame_timestamp(range(frames)), np.float64)[:, 0]
    except (av.error.FFmpegError, IndexError, *decoding_errors()) as error:
        raise VideoError(f'{path} is not a video that can be read') from error
    # Containers may count a frame or two more than they hold; a file cut short misses many.
    if declared > frames * 1.02 + 2:
        raise VideoError(f'video {path} is cut short: {frames} of {declared} frames can be read')
    fps = float(reader.get_avg_fps())
    return VideoInfo(path, frames, fps, width, height, starts - starts[0])


def read_frames(path: str | Path, indices: Sequence[int]) -> np.ndarray:
    """Frames of a video by zero-based number: uint8 [T, H, W, 3], RGB."""
    import decord

    try:
        reader = decord.VideoReader(str(path), num_threads=1)
        return reader.get_batch([int(index) for index in indices]).asnumpy()
    except decoding_errors() as error:
        raise VideoError(f'{path} is damaged: its frames cannot be read') from error


def probe_frames(
    folder: str | Path, filename_tmpl: str, start_index: int, fps: float | None = None
) -> VideoInfo:
    """Look into a folder of extracted frames, numbered without a gap from the first to the last.

    Args:
        folder: The folder.
        filename_tmpl: Such as ``img_{:05}.jpg``.
        start_index: Number of the first frame.
        fps: Frames per second of the video that they came from, if that is known.

    Raises:
        VideoError: There is no such frame, one between the others is missing, others come before
            the first, or the first cannot be read.
    """
    import cv2

    folder = Path(folder)
    if not folder.is_dir():
        fault = 'is a file, not a folder of frames' if folder.exists() else 'does not exist'
        raise VideoError(f'{folder} {fault}')
    frames = count_frames(folder, filename_tmpl, start_index)
    image = cv2.imread(str(folder / filename_tmpl.format(start_index)))
    if image is None:
        raise VideoError(f'{folder / filename_tmpl.format(start_index)} is no readable image')
    height, width = image.shape[:2]
    times = None if fps is None else np.arange(frames) / fps
    return VideoInfo(folder, frames, fps, width, height, times)


def count_frames(folder: Path, filename_tmpl: str, start_index: int) -> int:
    """Count the frames of a folder, numbered from ``start_index`` without a gap.

    Args:
        folder (Path): It exists.
        filename_tmpl (str): Such as ``img_{:05}.jpg``.
        start_index (int): Number of the first frame.

    Raises:
        VideoError: There are none, others come before the first, or one in between is missing.
    """
    if '{' not in filename_tmpl:
        raise VideoError(f'filename_tmpl {filename_tmpl!r} has no place for a number')
    # A name belongs to the template if formatting its number gives it back.
    head, tail = re.split(r'\{.*\}', filename_tmpl, maxsplit=1)
    numbers = set()
    for path in folder.iterdir():
        digits = path.name[len(head) : len(path.name) - len(tail)]
        if digits.isdecimal() and filename_tmpl.format(int(digits)) == path.name:
            numbers.add(int(digits))
    first, last = min(numbers, default=start_index), max(numbers, default=start_index - 1)
    if last < start_index:
        raise VideoError(
            f'folder {folder} holds no frame called {filename_tmpl.format(start_index)}; their '
            'names are set by filename_tmpl and start_index of the dataset'
        )
    if first < start_index:
        raise VideoError(
            f'the frames of folder {folder} are numbered from {first}, not from {start_index}: set '
            f'start_index={first} of the dataset'
        )
    absent = last - start_index + 1 - len(numbers)
    if absent:
        gap = next(number for number in count(start_index) if number not in numbers)
        raise VideoError(
            f'folder {folder} has no frame {filename_tmpl.format(gap)}, but others up to '
            f'number {last} ({absent} missing): extract them again'
        )
    return len(numbers)
