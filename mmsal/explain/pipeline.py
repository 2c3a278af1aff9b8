"""A clip on its way into the network, and the way back: frames and views of the source video."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from mmaction.registry import TRANSFORMS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate

from mmsal.datasets.chance import chance_restored
from mmsal.datasets.gaze_maps import LoadGazeMaps
from mmsal.datasets.video import (
    VideoError,
    VideoInfo,
    decoding_errors,
    probe_frames,
    probe_video,
    read_frames,
)
from mmsal.heatmaps.geometry import GeometryError, View, coordinate_ramp, view_of_ramp


@dataclass(frozen=True)
class PreparedClip:
    """One sample of the test pipeline, ready for the model.

    Attributes:
        data: Batch of one, for ``model.test_step``.
        frame_indices: int64 [F], zero-based frames of the source video, clip after clip. Every
            crop shows all of them, so the model's V x T maps are crops x F, crop after crop.
        views: One per crop; None where the pipeline does more than resize, crop and flip.
        no_views: Why ``views`` is None.
        frame_range: Zero-based, half open, as used (cut at the video's end); None: whole video.
    """

    data: dict
    frame_indices: np.ndarray
    views: tuple[View, ...] | None
    no_views: str = ''
    frame_range: tuple[int, int] | None = None


class ClipPipeline:
    """The test pipeline of a config, run on any video, frame range or folder of frames.

    Args:
        config (Config): With ``test_pipeline``, or a test dataset that has a pipeline.
        use_frames (bool): Read folders of extracted frames instead of videos. The pipeline's
            loading steps are exchanged where the config was written for the other kind.
        one_clip (bool): Sample one clip of consecutive frames where the config samples several:
            for windows that are as long as a clip.

    Raises:
        ValueError: The config has no test pipeline.
    """

    def __init__(self, config: Config, use_frames: bool = False, one_clip: bool = False) -> None:
        dataset = config.get('test_dataloader', {}).get('dataset', {})
        # The dataset's own comes first: it is what test.py runs.
        steps = dataset.get('pipeline') or config.get('test_pipeline')
        if not steps:
            raise ValueError('the config has no test_pipeline')
        self.use_frames = use_frames
        self.filename_tmpl = dataset.get('filename_tmpl', 'img_{:05}.jpg')
        self.first_number = dataset.get('start_index', 1) if use_frames else 0
        steps = _with_clip_range(_with_loader(_without_gaze(steps), use_frames))
        if one_clip:
            steps = [_with_one_clip(step) for step in steps]
        try:
            self.steps = [TRANSFORMS.build(step) for step in steps]
        except (KeyError, TypeError) as error:
            raise ValueError(f'the test pipeline cannot be built: {error}') from error

    def probe(self, path: str | Path, fps: float | None = None) -> VideoInfo:
        """Look into the video or folder; ``fps`` is for folders, which do not tell it."""
        if self.use_frames:
            return probe_frames(path, self.filename_tmpl, self.first_number, fps)
        return probe_video(path)

    def read_frames(self, info: VideoInfo, indices: np.ndarray) -> np.ndarray:
        """Frames of the source, by zero-based number: uint8 [T, H, W, 3], RGB."""
        if not self.use_frames:
            return read_frames(info.path, indices)
        names = [self.filename_tmpl.format(self.first_number + index) for index in indices]
        pictures = [cv2.imread(str(info.path / name)) for name in names]
        for name, picture in zip(names, pictures, strict=True):
            if picture is None:
                raise VideoError(f'{info.path / name} is no readable image')
        return np.stack([cv2.cvtColor(picture, cv2.COLOR_BGR2RGB) for picture in pictures])

    def clip_span(self, fps: float | None = None) -> int | None:
        """Frames of the source from the first to the last of a clip.

        Args:
            fps (float, optional): Rate of the source, for configs that sample at a ``target_fps``.

        Returns:
            int: None where clips have no length of their own, as those of segment-wise samplers.
        """
        sampler = next((step for step in self.steps if _samples_clips(step)), None)
        if sampler is None or sampler.clip_len < 2:
            return None
        if sampler.target_fps:
            # Only DecordInit tells the sampler a rate; without one it converts nothing.
            told = fps if any(type(step).__name__ == 'DecordInit' for step in self.steps) else None
            ratio = told / sampler.target_fps if told else 1.0
            return max(1, int(sampler.clip_len * sampler.frame_interval * ratio))
        return (sampler.clip_len - 1) * sampler.frame_interval + 1

    def prepare(self, info: VideoInfo, frame_range: tuple[int, int] | None = None) -> PreparedClip:
        """Sample, decode and transform a video, or one range of its frames.

        Args:
            info (VideoInfo): From :meth:`probe`.
            frame_range (tuple[int, int], optional): Zero-based, half open.
        """
        results = self._source(info)
        if frame_range is not None:
            results['clip_range'] = tuple(frame_range)
        return run_steps(self.steps, results)

    def _source(self, info: VideoInfo) -> dict:
        source = {'label': -1, 'modality': 'RGB', 'start_index': self.first_number}
        if not self.use_frames:
            return {**source, 'filename': str(info.path)}
        return {
            **source,
            'frame_dir': str(info.path),
            'total_frames': info.frames,
            'filename_tmpl': self.filename_tmpl,
        }


def run_steps(steps: Sequence[Callable], results: dict) -> PreparedClip:
    """Run a test pipeline on a sample, and keep what leads back to the source.

    Args:
        steps (Sequence[Callable]): The transforms.
        results (dict): The sample as a dataset gives it; ``start_index`` is the number of the
            source's first frame.

    Raises:
        VideoError: Its frames cannot be read.
    """
    name = results.get('filename') or results.get('frame_dir')
    first_number = results.get('start_index', 0)
    views, no_views = None, 'the pipeline does not decode frames'
    frames, used = np.zeros(0, np.int64), None
    for place, step in enumerate(steps):
        undecoded = 'imgs' not in results
        try:
            results = step(results)
        except decoding_errors() as error:
            if not undecoded:
                raise
            raise VideoError(f'{name} is damaged: its frames cannot be read') from error
        if undecoded and 'imgs' in results:
            views, no_views = _trace_views(steps[place + 1 :], results)
            used = results.get('clip_range')
            frames = np.asarray(results['frame_inds']) - first_number
    data = pseudo_collate([results])
    return PreparedClip(data, frames.astype(np.int64).ravel(), views, no_views, used)


def _trace_views(steps: Sequence[Callable], decoded: dict) -> tuple[tuple[View, ...] | None, str]:
    """Send a coordinate ramp through the spatial transforms that follow the decoding."""
    height, width = decoded['imgs'][0].shape[:2]
    results = {**decoded, 'imgs': [coordinate_ramp(width, height)]}
    results.update(clip_len=1, num_clips=1)
    try:
        # A step that draws at random draws the same again for the frames themselves.
        with chance_restored():
            for step in _moving(steps):
                if type(step).__name__.startswith(('FormatShape', 'Pack')):
                    break
                results = step(results)
        return tuple(view_of_ramp(ramp) for ramp in results['imgs']), ''
    except GeometryError as error:
        return None, str(error)
    except Exception as error:  # a transform that takes only uint8 pictures, say
        return None, f'{type(error).__name__} while tracing the pipeline: {error}'


def _moving(steps: Sequence[Callable]) -> Iterator[Callable]:
    """The steps, with those inside of ``LoadGazeMaps`` in its place: a ramp has no gaze."""
    for step in steps:
        yield from step.transforms if isinstance(step, LoadGazeMaps) else [step]


def _samples_clips(step: Callable) -> bool:
    """Whether it samples clips of so many frames at such an interval (MMAction2's SampleFrames)."""
    return all(hasattr(step, name) for name in ('clip_len', 'frame_interval', 'target_fps'))


def _with_one_clip(step: dict) -> dict:
    if step['type'] != 'SampleFrames' or step.get('clip_len', 1) < 2:
        return step
    return {**{key: step[key] for key in step if key != 'twice_sample'}, 'num_clips': 1}


def _with_loader(steps: Sequence[dict], use_frames: bool) -> list[dict]:
    """Exchange the decoding steps if they are for the other kind of source."""
    kinds = [step['type'] for step in steps]
    for_frames = 'RawFrameDecode' in kinds
    if for_frames == use_frames:
        return list(steps)
    if use_frames:
        kept = [step for step in steps if not step['type'].endswith('Init')]
        decoders = ('DecordDecode', 'PyAVDecode', 'OpenCVDecode')
        return [{'type': 'RawFrameDecode'} if s['type'] in decoders else s for s in kept]
    exchanged = [{'type': 'DecordInit'}]
    for step in steps:
        exchanged.append({'type': 'DecordDecode'} if step['type'] == 'RawFrameDecode' else step)
    return exchanged


def _without_gaze(steps: Sequence[dict]) -> list[dict]:
    """Explaining needs no gaze, nor the table: only the transforms inside of ``LoadGazeMaps``."""
    kept = []
    for step in steps:
        gaze = step['type'] in ('LoadGazeMaps', LoadGazeMaps)
        kept += step.get('transforms', ()) if gaze else [step]
    return kept


def _with_clip_range(steps: Sequence[dict]) -> list[dict]:
    """Put ``ClipRange`` before the sampling step, so that any pipeline takes a frame range."""
    if any(step['type'] == 'ClipRange' for step in steps):
        return list(steps)
    for place, step in enumerate(steps):
        if 'Sample' in step['type']:
            return [*steps[:place], {'type': 'ClipRange'}, *steps[place:]]
    return list(steps)
