"""What the sidecar of a heatmap file tells: where the maps come from and how they were made."""

import platform
from collections.abc import Sequence
from importlib import metadata

import numpy as np
from torch import nn

from mmsal.attribution import Localization
from mmsal.datasets.video import VideoInfo
from mmsal.explain.pipeline import PreparedClip
from mmsal.version import __version__


def describe_video(info: VideoInfo, frames: np.ndarray, sampled: np.ndarray, space: str) -> dict:
    """The source, and which of its frames have a map; ``seen_frames`` null: the model saw all."""
    times = info.timestamps
    return {
        'video': str(info.path),
        'fps': info.fps,
        'num_frames': info.frames,
        'source_size': [info.width, info.height],
        'space': space,
        'timestamps': None if times is None else [round(float(t), 6) for t in times[frames]],
        'seen_frames': None if len(sampled) == len(frames) else sampled.tolist(),
    }


def describe_scaling(clips: Sequence[PreparedClip], found: Sequence[Localization]) -> dict:
    """How raw values became [0, 1], clip by clip."""
    return {
        'clips': [_describe_clip(*one) for one in zip(clips, found, strict=True)],
        'normalisation': 'each view of the recognizer to [0, 1] by its minimum and maximum: one '
        'crop of one clip, or all frames and crops together where a 2-D recognizer pools them',
        'raw_minimum': min(float(one.raw.min()) for one in found),
        'raw_maximum': max(float(one.raw.max()) for one in found),
    }


def _describe_clip(clip: PreparedClip, found: Localization) -> dict:
    used = clip.frame_range
    return {
        'frame_range': None if used is None else [int(bound) for bound in used],
        'sampled_frames': len(clip.frame_indices),
        'crops': None if clip.views is None else len(clip.views),
        'views': int(found.raw.shape[0]),
        'raw_minimum': [float(low) for low in found.raw.flatten(1).min(dim=1)[0]],
        'raw_maximum': [float(high) for high in found.raw.flatten(1).max(dim=1)[0]],
    }


def describe_origin(model: nn.Module) -> dict:
    """Config, checkpoint and versions."""
    packages = ('mmaction2', 'mmengine', 'torch', 'numpy')
    return {
        'config': None if model.cfg.filename is None else str(model.cfg.filename),
        'config_options': model.config_options,
        'checkpoint': model.checkpoint_info,
        'versions': {
            'mmsal': __version__,
            'python': platform.python_version(),
            **{package: metadata.version(package) for package in packages},
        },
    }
