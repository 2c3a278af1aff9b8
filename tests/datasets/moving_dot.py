"""SYNTHETIC video of a dot that is elsewhere in every frame, and the gaze that follows it."""

from fractions import Fraction

import av
import numpy as np
import pandas as pd

WIDTH, HEIGHT, FRAMES = 96, 72, 24
DOT = 3.0  # standard deviation of the dot, pixels
# Milliseconds at which the frames begin: no even rate.
BEGINS = np.cumsum([0, *[20, 60, 40, 90, 33] * 5])[:FRAMES]
# A walk over the whole picture, in corner coordinates: the first pixel's middle is (0.5, 0.5).
PLACES = np.column_stack(
    [
        WIDTH / 2 + 0.48 * WIDTH * np.sin(1.7 * np.arange(FRAMES) + 0.3),
        HEIGHT / 2 + 0.47 * HEIGHT * np.cos(1.3 * np.arange(FRAMES)),
    ]
)


def picture(frame: int) -> np.ndarray:
    """uint8 [H, W, 3]: black, with the dot where it is in this frame."""
    x, y = PLACES[frame]
    across = np.exp(-(((np.arange(WIDTH) + 0.5 - x) / DOT) ** 2) / 2)
    down = np.exp(-(((np.arange(HEIGHT) + 0.5 - y) / DOT) ** 2) / 2)
    return np.repeat(np.rint(250 * np.outer(down, across))[..., None], 3, axis=2).astype(np.uint8)


def write_video(path, begins=BEGINS):
    """A lossless video whose frames begin at these milliseconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('ffv1', rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, 'bgr0'
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for frame, begin in enumerate(begins):
            shot = av.VideoFrame.from_ndarray(picture(frame), format='rgb24')
            shot.pts, shot.time_base = int(begin), Fraction(1, 1000)
            container.mux(stream.encode(shot))
        container.mux(stream.encode())
    return path


def gaze_on_dot(video: str, begins=BEGINS) -> pd.DataFrame:
    """A fixation table: in every frame, for as long as it is shown, somebody looks at the dot."""
    begins = np.append(begins, begins[-1] + 40) / 1000
    return pd.DataFrame(
        {
            'video': video,
            'observer': 'one',
            'start_s': begins[:-1],
            'end_s': begins[1:],
            'x_px': PLACES[:, 0],
            'y_px': PLACES[:, 1],
        }
    )
