"""Small SYNTHETIC videos with motion that is known."""

from pathlib import Path

import numpy as np

from mmsal.datasets.synthetic.files import write_video

HEIGHT, WIDTH = 48, 64


def moving_square(steps, row=16, start=8, seed=0, size=(HEIGHT, WIDTH)) -> np.ndarray:
    """A textured square on a textured ground; uint8 [len(steps) + 1, H, W].

    The square moves right by ``steps[t]`` pixels between frames t and t + 1.
    """
    random = np.random.default_rng(seed)
    ground = _smooth(random.uniform(60, 120, size))
    square = _smooth(random.uniform(0, 255, (16, 16)))
    frames = []
    for column in np.cumsum([start, *steps]):
        frame = ground.copy()
        frame[row : row + 16, column : column + 16] = square
        frames.append(np.rint(frame).astype(np.uint8))
    return np.stack(frames)


def _smooth(picture: np.ndarray) -> np.ndarray:
    """The mean of every pixel and its neighbours, stretched back to the range of before."""
    padded = np.pad(picture, 1, 'edge')
    height, width = picture.shape
    shifted = [padded[y : y + height, x : x + width] for y in range(3) for x in range(3)]
    mean = np.mean(shifted, axis=0)
    return np.interp(mean, (mean.min(), mean.max()), (picture.min(), picture.max()))


def write_square(path: Path, *args, **options) -> Path:
    """Write :func:`moving_square` as a video."""
    write_video(moving_square(*args, **options), path)
    return path
