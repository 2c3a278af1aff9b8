"""Small SYNTHETIC comparisons: maps, gaze and videos of a few frames, written to a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from mmsal.gaze import fixation_density
from mmsal.heatmaps import HeatmapSequence, write_heatmaps
from mmsal.visualization.video_file import write_video

SIZE, FRAMES, FPS = (64, 32), 12, 10.0
VIDEOS = ('clip1', 'clip2', 'clip3')


def targets(video: int) -> np.ndarray:
    """Where something interesting is in each frame, [T, 2] pixels: a walk to the right."""
    x = np.linspace(8, 52, FRAMES)
    return np.stack([x, np.full(FRAMES, 8 + 8 * video)], axis=1)


def gaze(observers: int = 4, noise: float = 2.0, seed: int = 0) -> pd.DataFrame:
    """Observers who follow it, three frames per fixation."""
    random = np.random.default_rng(seed)
    rows = []
    for number, video in enumerate(VIDEOS):
        for observer in range(observers):
            for start in range(0, FRAMES, 3):
                x, y = targets(number)[start + 1] + random.normal(0, noise, 2)
                place = np.clip(x, 0, SIZE[0] - 1), np.clip(y, 0, SIZE[1] - 1)
                times = start / FPS, (start + 2.9) / FPS
                rows.append((f'{video}.mp4', f'P{observer:02d}', *times, *place))
    return pd.DataFrame(rows, columns=['video', 'observer', 'start_s', 'end_s', 'x_px', 'y_px'])


def good_maps(video: int, sigma: float = 4.0) -> np.ndarray:
    """A model that follows it, too: [T, H, W] in [0, 1]."""
    maps = [fixation_density(place[None], SIZE, sigma) for place in targets(video)]
    return np.stack([one / one.max() for one in maps])


def bad_maps(video: int) -> np.ndarray:
    """A model that looks at the opposite corner."""
    return good_maps(video)[:, ::-1, ::-1].copy()


def meta(**changes) -> dict:
    """What a sidecar says."""
    told = {
        'fps': FPS, 'num_frames': FRAMES, 'source_size': list(SIZE), 'space': 'source',
        'timestamps': [frame / FPS for frame in range(FRAMES)],
    }  # fmt: skip
    return {**told, **changes}


def write_maps(folder: Path, make, suffix: str = '.npz', **changes) -> Path:
    """Heatmap files of every video."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, video in enumerate(VIDEOS):
        maps = HeatmapSequence(make(number), np.arange(FRAMES), meta(**changes))
        write_heatmaps(maps, folder / f'{video}{suffix}')
    return folder


def write_videos(folder: Path) -> Path:
    """Video files in which a bright square moves along the targets."""
    folder.mkdir(parents=True, exist_ok=True)
    shade = np.add.outer(np.arange(SIZE[1]), np.arange(SIZE[0])).astype(np.uint8)
    background = np.repeat(shade[..., None], 3, axis=-1)
    for number, video in enumerate(VIDEOS):
        frames = []
        for x, y in targets(number).astype(int):
            frame = background.copy()
            frame[max(y - 3, 0) : y + 3, max(x - 3, 0) : x + 3] = 255
            frames.append(frame)
        write_video(frames, folder / f'{video}.mp4', FPS)
    return folder
