"""Feature saliency of videos: which feature of which frame a CNN-LSTM listens to."""

import json
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor, nn

from mmsal.attribution.tsr.features import (
    BATCH_SIZE,
    check_has_frame_features,
    check_options,
    frame_features,
    rescaled_sequence_saliency,
    sequence_saliency,
)
from mmsal.explain.describe import describe_origin
from mmsal.explain.pipeline import PreparedClip
from mmsal.explain.prediction import Prediction, average_views
from mmsal.explain.prepare import PreparedVideo
from mmsal.explain.recognizer import find_class
from mmsal.visualization.feature_plot import FeaturePanel


@dataclass(frozen=True)
class FeatureQuestion:
    """What is asked of every video.

    Attributes:
        target: Class number (from 0) or name; None explains the class that the whole video is
            assigned to.
        mask_value, quantile, form, batch_size: See
            :func:`mmsal.attribution.tsr.features.rescaled_sequence_saliency`.

    Raises:
        ValueError: A value that makes no sense.
    """

    target: int | str | None = None
    mask_value: str | float = 'first'
    quantile: float = 0.55
    form: str = 'official'
    batch_size: int = BATCH_SIZE

    def __post_init__(self) -> None:
        check_options(self.mask_value, self.quantile, self.form, self.batch_size)


@dataclass(frozen=True)
class FeatureExplanation:
    """Feature saliency of a video: C clips (views of the recognizer) of T frames, D features.

    Attributes:
        saliency: float32 [C, T, D], \\|d score / d feature\\|, the score before softmax.
        rescaled: float32 [C, T, D], its temporal rescaling.
        time: float32 [C, T], time contributions of the rescaling.
        frame_indices: int64 [C, T], zero-based frames of the source video.
        target: The class that is explained, 0-based.
        prediction: What the recognizer says about the whole video.
        meta: Where it comes from and how it was made.
    """

    saliency: np.ndarray
    rescaled: np.ndarray
    time: np.ndarray
    frame_indices: np.ndarray
    target: int
    prediction: Prediction
    meta: dict

    @property
    def label(self) -> str:
        """Name of the class that is explained."""
        return self.prediction.class_names[self.target]

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """What the npz file holds; strings, so that it can be read without pickle."""
        return {
            'saliency': self.saliency,
            'rescaled': self.rescaled,
            'time': self.time,
            'frame_indices': self.frame_indices,
            'target': np.array(self.target),
            'label': np.array(self.label),
            'meta': np.array(json.dumps(self.meta, sort_keys=True)),
        }

    def panel(self, name: str) -> FeaturePanel:
        """What is drawn of it."""
        return FeaturePanel(name, self.saliency, self.rescaled, self.time, self.frame_indices)


def explain_features(
    model: nn.Module, video: PreparedVideo, question: FeatureQuestion
) -> FeatureExplanation:
    """Feature saliency of one video that is decoded already.

    Each clip goes through the CNN once; all the rest is done on its features.

    Args:
        model (nn.Module): From :func:`mmsal.explain.load_recognizer`; a
            :class:`mmsal.models.CNNLSTMRecognizer`.
        video (PreparedVideo): From :func:`mmsal.explain.prepare.prepare_video`.
        question (FeatureQuestion): What is asked.

    Raises:
        ValueError: A model without a sequence of frame features, an unknown class, or clips of
            different lengths.
    """
    check_has_frame_features(model)
    wanted = find_class(model.class_names, question.target)
    per_range = [_features(model, clip) for clip in video.clips]
    with torch.no_grad():
        scores = [model.classify_sequence(features) for features in per_range]
    prediction = average_views(model, scores)
    target = prediction.top if wanted is None else wanted
    frames = [_frames(clip, len(f)) for clip, f in zip(video.clips, per_range, strict=True)]
    lengths = {one.shape[1] for one in frames}
    if len(lengths) > 1:
        raise ValueError(f'expected clips of one length, got {sorted(lengths)} frames')
    saliency, rescaled, times = [], [], []
    for sequence in (one for features in per_range for one in features):
        saliency.append(sequence_saliency(model, sequence, target))
        found = rescaled_sequence_saliency(
            model, sequence, target, question.mask_value, question.quantile, question.form,
            question.batch_size,
        )  # fmt: skip
        rescaled.append(found.contributions)
        times.append(found.time)
    indices = np.concatenate(frames)
    meta = _describe(model, video, question, indices, prediction, target)
    arrays = [torch.stack(one).float().cpu().numpy() for one in (saliency, rescaled, times)]
    return FeatureExplanation(*arrays, indices, target, prediction, meta)


def _features(model: nn.Module, clip: PreparedClip) -> Tensor:
    """Of every view of a range: [V, T, D]."""
    inputs = model.data_preprocessor(clip.data, training=False)['inputs'][0]  # [V T, 3, H, W]
    length = getattr(model.cls_head, 'clip_len', None) or len(inputs)
    if len(inputs) % length:
        raise ValueError(f'expected whole clips of {length} frames, got {len(inputs)} frames')
    return torch.stack([frame_features(model, view) for view in inputs.split(length)])


def _frames(clip: PreparedClip, views: int) -> np.ndarray:
    """Source frames of every view: int64 [V, T]; every crop shows all frames of the range."""
    shown = clip.frame_indices
    crops = len(clip.data['inputs'][0]) // len(shown)
    return np.tile(shown, crops).reshape(views, -1)


def _describe(
    model: nn.Module,
    video: PreparedVideo,
    question: FeatureQuestion,
    indices: np.ndarray,
    prediction: Prediction,
    target: int,
) -> dict:
    times = video.info.timestamps
    asked = asdict(question)
    return {
        'method': 'feature_saliency',
        'video': str(video.info.path),
        'fps': video.info.fps,
        'num_frames': video.info.frames,
        'timestamps': None if times is None else np.round(times[indices], 6).tolist(),
        'frame_ranges': [None if one is None else list(map(int, one)) for one in video.ranges],
        **{name: asked[name] for name in ('mask_value', 'quantile', 'form')},
        'target_class': target,
        'target_label': model.class_names[target],
        'predictions': prediction.ranked(5),
        **describe_origin(model),
    }
