"""One call: a video in, heatmaps in the source video's frames and pixels out."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from mmsal.attribution import Explainer, Localization, open_explainer
from mmsal.attribution.explainer import unaveraged_views
from mmsal.explain.describe import describe_origin, describe_scaling, describe_video
from mmsal.explain.merge import interpolate_frames, merge_clips, merge_times
from mmsal.explain.pipeline import ClipPipeline, PreparedClip
from mmsal.explain.prediction import Prediction, average_views
from mmsal.explain.prepare import PreparedVideo, Ranges, Sampling, open_pipeline, prepare_video
from mmsal.explain.recognizer import find_class
from mmsal.heatmaps import HeatmapSequence

SPACES = ('source', 'input')


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


@dataclass(frozen=True)
class Question:
    """What is asked of a recognizer, the same for every video.

    Attributes:
        method: See :func:`mmsal.attribution.open_explainer`, also for the next two.
        target_layer_name: None takes the model's last layers.
        method_options: Options of the method.
        target: Class number (from 0) or name; None explains the class that the whole video is
            assigned to.
        space: ``'source'`` for the source video's pixels, ``'input'`` for the network's.

    Raises:
        ValueError: An unknown space.
    """

    method: str = 'gradcam'
    target_layer_name: str | None = None
    method_options: dict[str, Any] = field(default_factory=dict)
    target: int | str | None = None
    space: str = 'source'

    def __post_init__(self) -> None:
        if self.space not in SPACES:
            raise ValueError(f'expected space to be one of {", ".join(SPACES)}, got {self.space!r}')

    def open(self, model: nn.Module) -> Explainer:
        """An explainer for a ``with`` block; what is wrong with model and question is told here."""
        find_class(model.class_names, self.target)
        return open_explainer(model, self.method, self.target_layer_name, **self.method_options)


def check_fit(question: Question, sampling: Sampling) -> None:
    """Refuse a question that cannot be answered with such a sampling.

    Raises:
        ValueError: Pictures of frames that the network never got.
    """
    if sampling.dense and sampling.keep_frames and question.space == 'input':
        raise ValueError('the network has no picture of the frames between: use the source space')


def predict_video(
    model: nn.Module,
    video: str | Path,
    frame_ranges: Ranges | None = None,
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
    return average_views(model, view_scores)


def explain_video(
    model: nn.Module,
    video: str | Path,
    method: str = 'gradcam',
    target: int | str | None = None,
    space: str = 'source',
    target_layer_name: str | None = None,
    frame_ranges: Ranges | None = None,
    method_options: dict[str, Any] | None = None,
    batch_size: int = 1,
    **sampling: Any,
) -> Explanation:
    """Explain a recognizer's decision on one video.

    The frames are those that the config's test pipeline samples, once from the whole video or once
    from each range; a frame that several clips show gets the mean of its maps. Each view (one crop
    of one clip) is scaled to [0, 1] first, as MMAction2 does.

    Args:
        model (nn.Module): From :func:`mmsal.explain.load_recognizer`.
        video (str | Path): A video file, or with ``use_frames`` a folder of frames.
        method, target, space, target_layer_name, method_options: See :class:`Question`.
        frame_ranges (Ranges, optional): Zero-based, half-open ranges of frames, each sampled and
            classified as a clip of its own.
        batch_size (int): Clips that go through the network at once, where shapes allow.
        sampling: ``use_frames``, ``source_fps``, ``stride``, ``window``, ``dense`` and
            ``keep_frames``, see :class:`mmsal.explain.Sampling`.

    Returns:
        Explanation: ``heatmaps.values`` is [T, H, W] in [0, 1], one map per sampled source frame in
        rising order; ``heatmaps.seen`` is None, or False where no view of the model saw a pixel.

    Raises:
        VideoError: The video cannot be read.
        TargetLayerError: The target layer cannot be explained.
        ValueError: Unknown class, method or space; or a pipeline whose geometry cannot be undone.
    """
    question = Question(method, target_layer_name, dict(method_options or {}), target, space)
    chosen = Sampling(**sampling)
    check_fit(question, chosen)
    with question.open(model) as explainer:
        pipeline = open_pipeline(model.cfg, chosen)
        prepared = prepare_video(pipeline, video, chosen, frame_ranges, space == 'source')
        return explain_prepared(explainer, [prepared], question, batch_size)[0]


def explain_prepared(
    explainer: Explainer, videos: Sequence[PreparedVideo], question: Question, batch_size: int = 1
) -> list[Explanation]:
    """Explain videos that are decoded already; errors as for :func:`explain_video`."""
    model = explainer.model
    wanted = find_class(model.class_names, question.target)
    clips = [clip for video in videos for clip in video.clips]
    found = _localize(explainer, clips, [wanted] * len(clips), batch_size)
    owners = [number for number, video in enumerate(videos) for _ in video.clips]
    predictions = [
        average_views(model, [f.view_scores for f, o in zip(found, owners, strict=True) if o == n])
        for n in range(len(videos))
    ]
    # Clips of one video may disagree; all of them then explain the video's class.
    explained = [p.top if wanted is None else wanted for p in predictions]
    again = [i for i, one in enumerate(found) if one.target != explained[owners[i]]]
    if again:
        targets = [explained[owners[i]] for i in again]
        second = _localize(explainer, [clips[i] for i in again], targets, batch_size)
        for i, one in zip(again, second, strict=True):
            found[i] = one
    return [
        _explanation(
            explainer, video, [f for f, o in zip(found, owners, strict=True) if o == n],
            predictions[n], question,
        )
        for n, video in enumerate(videos)
    ]  # fmt: skip


def _localize(
    explainer: Explainer,
    clips: Sequence[PreparedClip],
    targets: Sequence[int | None],
    batch_size: int,
) -> list[Localization]:
    """Explain clips, as many of one shape at a time as the batch size allows."""
    found: list[Localization | None] = [None] * len(clips)
    by_shape: dict[tuple, list[int]] = {}
    for place, clip in enumerate(clips):
        by_shape.setdefault(tuple(clip.data['inputs'][0].shape), []).append(place)
    for places in by_shape.values():
        for start in range(0, len(places), batch_size):
            batch = places[start : start + batch_size]
            data = {
                key: [one for place in batch for one in clips[place].data[key]]
                for key in clips[batch[0]].data
            }
            chosen = [targets[place] for place in batch]
            target = None if chosen[0] is None else chosen
            for place, one in zip(batch, explainer.localize(data, target), strict=True):
                found[place] = one
    return found


def _explanation(
    explainer: Explainer,
    video: PreparedVideo,
    found: Sequence[Localization],
    prediction: Prediction,
    question: Question,
) -> Explanation:
    frames, values, seen = merge_clips(found, video.clips, video.info, question.space)
    if len(video.frames) > len(frames):
        values = interpolate_frames(values, frames, video.frames)
    model, explained = explainer.model, found[0].target
    meta = {
        **describe_video(video.info, video.frames, frames, question.space),
        'method': question.method,
        'method_options': question.method_options,
        'target_layers': list(explainer.layer_names),
        'target_class': explained,
        'target_label': model.class_names[explained],
        'predictions': prediction.ranked(5),
        **describe_scaling(video.clips, found),
        **describe_origin(model),
    }
    times = merge_times(found, video.clips, frames)
    if times is not None:
        meta['time_contributions'] = [float(f'{time:.6g}') for time in times]
    if meta['raw_minimum'] == meta['raw_maximum']:
        warnings.warn(
            f'{video.info.path}: {question.method} is {meta["raw_minimum"]:g} everywhere, so the '
            'map shows nothing',
            stacklevel=2,
        )
    heatmaps = HeatmapSequence(values, video.frames, meta, seen)
    return Explanation(heatmaps, prediction, video.pictures)
