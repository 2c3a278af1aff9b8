"""One call: a video in, heatmaps in the source video's frames and pixels out."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
import torch
from torch import nn

from mmsal.attribution import GradCAM, Localization
from mmsal.attribution.explainer import unaveraged_views
from mmsal.datasets.video import VideoInfo
from mmsal.explain.pipeline import ClipPipeline, PreparedClip
from mmsal.explain.recognizer import find_class
from mmsal.heatmaps import HeatmapSequence
from mmsal.heatmaps.geometry import to_source
from mmsal.version import __version__

SPACES = ('source', 'input')


@dataclass(frozen=True)
class Prediction:
    """What the recognizer says about a video.

    Attributes:
        probabilities: float32 [K], averaged over clips, crops and ranges as the config's head
            averages them in testing.
        class_names: K names.
    """

    probabilities: np.ndarray
    class_names: tuple[str, ...]

    @property
    def top(self) -> int:
        """The predicted class, 0-based."""
        return int(self.probabilities.argmax())

    @property
    def label(self) -> str:
        """Name of the predicted class."""
        return self.class_names[self.top]

    @property
    def score(self) -> float:
        """Probability of the predicted class, 0 to 1."""
        return float(self.probabilities[self.top])

    def ranked(self, count: int | None = None) -> list[dict]:
        """Classes by falling probability: ``class`` (0-based), ``label``, ``score``."""
        order = np.argsort(-self.probabilities, kind='stable')[:count]
        return [
            {
                'class': int(index),
                'label': self.class_names[index],
                'score': round(float(self.probabilities[index]), 6),
            }
            for index in order
        ]


@dataclass(frozen=True)
class Explanation:
    """Heatmaps of a video, and the prediction that they explain.

    Attributes:
        heatmaps: The maps, with everything the sidecar tells in ``meta``.
        prediction: What the recognizer says about the whole video.
        frames: With ``keep_frames``, uint8 [T, H, W, 3], RGB, the frames under the maps.
    """

    heatmaps: HeatmapSequence
    prediction: Prediction
    frames: np.ndarray | None = None


def predict_video(
    model: nn.Module,
    video: str | Path,
    frame_ranges: Sequence[tuple[int, int]] | None = None,
    use_frames: bool = False,
) -> Prediction:
    """Classify one video; arguments and errors as for :func:`explain_video`."""
    pipeline = ClipPipeline(model.cfg, use_frames)
    info = pipeline.probe(video)
    view_scores = []
    with unaveraged_views(model), torch.no_grad():
        for frame_range in frame_ranges or [None]:
            data = pipeline.prepare(info, frame_range).data
            view_scores.append(model.test_step(data)[0].pred_score)
    return _prediction(model, view_scores)


def explain_video(
    model: nn.Module,
    video: str | Path,
    method: str = 'gradcam',
    target: int | str | None = None,
    space: str = 'source',
    target_layer_name: str | None = None,
    frame_ranges: Sequence[tuple[int, int]] | None = None,
    use_frames: bool = False,
    keep_frames: bool = False,
    source_fps: float | None = None,
) -> Explanation:
    """Explain a recognizer's decision on one video.

    The frames are those that the config's test pipeline samples, once from the whole video or once
    from each range; a frame that several clips show gets the mean of its maps. Each view (one crop
    of one clip) is scaled to [0, 1] first, as MMAction2 does.

    Args:
        model (nn.Module): From :func:`mmsal.explain.load_recognizer`.
        video (str | Path): A video file, or with ``use_frames`` a folder of frames.
        method (str): See :class:`mmsal.attribution.GradCAM`.
        target (int | str, optional): Class number (from 0) or name; None explains the class that
            the whole video is assigned to.
        space (str): ``'source'`` for the source video's pixels, ``'input'`` for the network's.
        target_layer_name (str, optional): See :class:`mmsal.attribution.GradCAM`.
        frame_ranges (Sequence[tuple[int, int]], optional): Zero-based, half-open ranges of
            frames, each sampled and classified as a clip of its own.
        use_frames (bool): ``video`` is a folder of extracted frames.
        keep_frames (bool): Return the frames under the maps too, for overlays.
        source_fps (float, optional): Rate of the video that a folder's frames came from; without
            it the maps of a folder have no timestamps.

    Returns:
        Explanation: ``heatmaps.values`` is [T, H, W] in [0, 1], one map per sampled source frame in
        rising order; ``heatmaps.seen`` is None, or False where no view of the model saw a pixel.

    Raises:
        VideoError: The video cannot be read.
        TargetLayerError: The target layer cannot be explained.
        ValueError: Unknown class, method or space; or a pipeline whose geometry cannot be undone.
    """
    if space not in SPACES:
        raise ValueError(f'expected space to be one of {", ".join(SPACES)}, got {space!r}')
    wanted = find_class(model.class_names, target)
    pipeline = ClipPipeline(model.cfg, use_frames)
    info = pipeline.probe(video, source_fps)
    ranges = list(frame_ranges or [None])
    with GradCAM(model, target_layer_name, method=method) as cam:
        clips = [pipeline.prepare(info, frame_range) for frame_range in ranges]
        found = [cam.localize(clip.data, wanted)[0] for clip in clips]
        prediction = _prediction(model, [one.view_scores for one in found])
        explained = prediction.top if wanted is None else wanted
        # Clips of one video may disagree; all of them then explain the video's class.
        found = [
            one if one.target == explained else cam.localize(clip.data, explained)[0]
            for one, clip in zip(found, clips, strict=True)
        ]
    frames, values, seen = _merge(found, clips, info, space)
    meta = {
        **_describe_video(info, frames, space),
        'method': method,
        'target_layers': list(cam.layer_names),
        'target_class': explained,
        'target_label': model.class_names[explained],
        'predictions': prediction.ranked(5),
        **_describe_scaling(clips, found),
        **_describe_origin(model),
    }
    pictures = None
    if keep_frames:
        source = space == 'source'
        pictures = pipeline.read_frames(info, frames) if source else _input_frames(clips, frames)
    return Explanation(HeatmapSequence(values, frames, meta, seen), prediction, pictures)


def _prediction(model: nn.Module, view_scores: Sequence[torch.Tensor]) -> Prediction:
    """Average [V, K] scores as the config's head does: probabilities, or scores before softmax."""
    if model.cls_head.average_clips == 'prob':
        per_range = [scores.softmax(dim=-1).mean(dim=0) for scores in view_scores]
    else:
        per_range = [scores.mean(dim=0).softmax(dim=-1) for scores in view_scores]
    mean = torch.stack(per_range).mean(dim=0).float().cpu().numpy()
    return Prediction(mean, tuple(model.class_names))


def _merge(
    found: Sequence[Localization], clips: Sequence[PreparedClip], info: VideoInfo, space: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Frame numbers [T], maps [T, H, W] and seen [H, W] (None: all) from all clips of a video."""
    maps, seen = [], None
    for one, clip in zip(found, clips, strict=True):
        scaled = one.scaled.cpu().numpy()
        by_crop = scaled.reshape(-1, len(clip.frame_indices), *scaled.shape[-2:])  # [crops,F,h,w]
        if space == 'source':
            if clip.views is None:
                raise ValueError(f'maps cannot be carried to the source: {clip.no_views}')
            carried, covered = to_source(by_crop, clip.views, (info.width, info.height))
            seen = covered if seen is None else seen & covered
        elif len(by_crop) > 1:
            raise ValueError(
                f'the pipeline shows {len(by_crop)} crops of each frame, which only the source '
                'space can hold in one map'
            )
        else:
            carried = by_crop[0]
        maps.append(carried)
    indices = np.concatenate([clip.frame_indices for clip in clips])
    frames, place = np.unique(indices, return_inverse=True)
    values = np.zeros((len(frames), *maps[0].shape[1:]), np.float32)
    np.add.at(values, place, np.concatenate(maps))
    values /= np.bincount(place)[:, None, None]
    seen = None if seen is None or seen.all() else seen
    # Means of float32 numbers in [0, 1] may miss the bounds by a rounding error.
    return frames, values.clip(0, 1), seen


def _input_frames(clips: Sequence[PreparedClip], frames: np.ndarray) -> np.ndarray:
    """The network's input pictures of these source frames: uint8 [T, h, w, 3]."""
    pictures = {}
    for clip in clips:
        inputs = clip.data['inputs'][0]
        if inputs.dim() == 5:  # [V, 3, T, h, w] -> [V T, 3, h, w]
            inputs = inputs.transpose(1, 2).flatten(0, 1)
        pictures.update(zip(clip.frame_indices, inputs.permute(0, 2, 3, 1).numpy(), strict=True))
    return np.stack([pictures[frame] for frame in frames])


def _describe_video(info: VideoInfo, frames: np.ndarray, space: str) -> dict:
    return {
        'video': str(info.path),
        'fps': info.fps,
        'num_frames': info.frames,
        'source_size': [info.width, info.height],
        'space': space,
        'timestamps': None
        if info.timestamps is None
        else [round(float(second), 6) for second in info.timestamps[frames]],
    }


def _describe_scaling(
    clips: Sequence[PreparedClip],
    found: Sequence[Localization],
) -> dict:
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


def _describe_origin(model: nn.Module) -> dict:
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
