"""A dataset's samples on their way through a test loop, with what leads back to their source."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import DataLoader

from mmsal.datasets.video import VideoInfo, probe_frames, probe_video
from mmsal.explain.jobs import Job
from mmsal.explain.manifest import OutputTakenError
from mmsal.explain.pipeline import PreparedClip, run_steps
from mmsal.explain.prepare import PreparedVideo
from mmsal.gaze import VIDEO_SUFFIXES

FIELD = 'heatmap_trace'  # where a packed sample carries its Trace


@dataclass(frozen=True)
class Source:
    """Where a sample's frames are.

    Attributes:
        path: Video file, or folder of frames.
        filename_tmpl: Names of a folder's frames; None for a video.
        first_number: Number of a folder's first frame.
    """

    path: str
    filename_tmpl: str | None = None
    first_number: int = 0

    @classmethod
    def of(cls, sample: dict) -> 'Source':
        """Of a sample as its dataset gives it; ValueError where it has no frames."""
        if sample.get('filename'):
            return cls(sample['filename'])
        if not sample.get('frame_dir'):
            raise ValueError(
                'heatmaps need samples with a video (filename) or a folder of frames (frame_dir), '
                f'but the dataset gives {", ".join(sample)}'
            )
        template = sample.get('filename_tmpl', 'img_{:05}.jpg')
        return cls(sample['frame_dir'], template, sample.get('start_index', 0))

    def probe(self) -> VideoInfo:
        """Look into it; VideoError where it cannot be read."""
        if self.filename_tmpl is None:
            return probe_video(self.path)
        return probe_frames(self.path, self.filename_tmpl, self.first_number)


@dataclass(frozen=True)
class Trace:
    """What a sample's packed form does not tell.

    Attributes:
        job: ``video`` names the sample in the manifest: its path, with the frame range if it has
            one. ``stem`` names its files.
        source: Its frames.
        clip: The prepared clip, without the data.
    """

    job: Job
    source: Source
    clip: PreparedClip

    def rejoin(self, data: dict, info: VideoInfo) -> PreparedVideo:
        """The sample as ``mmsal.explain.prepare_video`` would have given it.

        Args:
            data (dict): Batch of one.
            info (VideoInfo): Of the source.
        """
        clip = replace(self.clip, data=data)
        frames = np.unique(clip.frame_indices)
        return PreparedVideo(info, [clip], [clip.frame_range], frames)


def name_sample(sample: dict, roots: Sequence[str] = ()) -> Job:
    """Names of a sample's row and files: after its video, and its frame range if it has one.

    Args:
        sample (dict): As its dataset gives it.
        roots (Sequence[str]): Folders of the dataset; a video below one is named by the path from
            there, others by their name alone.
    """
    path = Source.of(sample).path
    absolute = Path(os.path.abspath(path))  # noqa: PTH100  a link is called as the user calls it
    stem = Path(absolute.name)
    for root in map(os.path.abspath, roots):
        if absolute.is_relative_to(root):
            stem = absolute.relative_to(root)
            break
    if stem.suffix.lower() in VIDEO_SUFFIXES:
        stem = stem.with_suffix('')
    if sample.get('clip_range') is None:
        return Job(Path(path), stem)
    start, end = map(int, sample['clip_range'])
    ending = f'.frames-{start + 1}-{end}'  # as KTH's list counts: from 1, with the end
    return Job(Path(f'{path}{ending}'), stem.with_name(stem.name + ending), ((start, end),))


class TracingPipeline:
    """Stands in for a dataset's pipeline: the same samples, each with its :class:`Trace`.

    Args:
        pipeline (Callable): The dataset's own.
        roots (Sequence[str]): See :func:`name_sample`.
    """

    def __init__(self, pipeline: Callable, roots: Sequence[str]) -> None:
        self.pipeline = pipeline
        self.roots = roots

    def __call__(self, sample: dict) -> dict:
        """Run the pipeline; the sample has its trace as a meta field called ``FIELD``."""
        job, source = name_sample(sample, self.roots), Source.of(sample)
        moved = sample.get('offset', 0)  # of a folder's frames in MMAction2's lists
        packed = []

        def keep(results: dict) -> dict:
            packed.append(results)
            return results

        steps = getattr(self.pipeline, 'transforms', [self.pipeline])
        clip = run_steps([*steps, keep], sample)
        clip = replace(clip, data={}, frame_indices=clip.frame_indices + moved)
        packed[-1]['data_samples'].set_field(Trace(job, source, clip), FIELD, field_type='metainfo')
        return packed[-1]


def leaf_datasets(dataset: Any) -> list:
    """The datasets with a pipeline, inside of those that only join or repeat others."""
    if hasattr(dataset, 'pipeline'):
        return [dataset]
    if hasattr(dataset, 'datasets'):
        return [leaf for part in dataset.datasets for leaf in leaf_datasets(part)]
    if hasattr(dataset, 'dataset'):
        return leaf_datasets(dataset.dataset)
    raise ValueError(f'heatmaps need a dataset with a pipeline, not a {type(dataset).__name__}')


def list_samples(dataset: Any) -> dict[Path, Job]:
    """All samples by the stem of their files, as far as the dataset lists them.

    Raises:
        OutputTakenError: Two samples would get one file.
    """
    listed: dict[Path, Job] = {}
    for leaf in leaf_datasets(dataset):
        indices = range(len(leaf)) if hasattr(leaf, 'get_data_info') else ()
        for index in indices:
            job = name_sample(leaf.get_data_info(index), roots_of(leaf))
            if job.stem in listed:
                raise taken(job, listed[job.stem])
            listed[job.stem] = job
    return listed


def taken(job: Job, other: Job) -> OutputTakenError:
    """Two samples would get one file."""
    return OutputTakenError(
        f'the samples {other.video} and {job.video} of the test dataset would get one heatmap '
        f'file, {job.stem}: set data_prefix to the folder that holds all videos'
    )


def roots_of(dataset: Any) -> list[str]:
    """The folders of a dataset."""
    prefixes = getattr(dataset, 'data_prefix', None) or {}
    return [prefix for prefix in prefixes.values() if isinstance(prefix, str)]


def trace_samples(loader: DataLoader) -> None:
    """Let the loader's samples carry their traces from now on."""
    for leaf in leaf_datasets(loader.dataset):
        if not isinstance(leaf.pipeline, TracingPipeline):
            leaf.pipeline = TracingPipeline(leaf.pipeline, roots_of(leaf))
    _start_workers_anew(loader)


def stop_tracing(loader: DataLoader) -> None:
    """Give the loader's datasets their own pipelines back."""
    for leaf in leaf_datasets(loader.dataset):
        if isinstance(leaf.pipeline, TracingPipeline):
            leaf.pipeline = leaf.pipeline.pipeline
    _start_workers_anew(loader)


def _start_workers_anew(loader: DataLoader) -> None:
    """Persistent workers keep the dataset as it was when they were started."""
    loader._iterator = None


def take_traces(batch: Any) -> list[Trace]:
    """Take the traces off a batch, which then is as it would have been without."""
    samples = batch.get('data_samples', ()) if isinstance(batch, dict) else ()
    traces = [sample.pop(FIELD, None) for sample in samples]
    if not traces or None in traces:
        raise ValueError(
            "heatmaps need batches of the test dataset's own pipeline, with data_samples; these "
            'come from elsewhere'
        )
    return traces
