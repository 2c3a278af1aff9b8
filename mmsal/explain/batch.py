"""Explaining a list of videos: one model, a manifest, and a second run goes on where it stopped."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from torch import nn

from mmsal.attribution import Explainer, TargetLayerError
from mmsal.explain.decoding import Decoded, decode_videos, one_line
from mmsal.explain.jobs import Job
from mmsal.explain.manifest import Manifest, ManifestRow
from mmsal.explain.one_video import Explanation, Question, check_fit, explain_prepared
from mmsal.explain.prepare import Sampling, open_pipeline
from mmsal.explain.ranks import Ranks
from mmsal.heatmaps import write_heatmaps


@dataclass(frozen=True)
class Output:
    """Where and how the results of a list are written.

    Attributes:
        folder: Gets one heatmap file per job, under the job's stem, and ``manifest.csv``.
        suffix: ``.txt``, ``.txt.gz`` or ``.npz``.
        decimals: Digits after the point in text files.
        overwrite: Explain again what the manifest says is done.
        also: Called with each job and its explanation, to draw an overlay, say; an error in it
            fails the job.
        also_done: Whether ``also`` has done its part of a job before.
    """

    folder: Path
    suffix: str = '.txt'
    decimals: int = 6
    overwrite: bool = False
    also: Callable[[Job, Explanation], None] = lambda job, explanation: None
    also_done: Callable[[Job], bool] = lambda job: True

    def name(self, job: Job) -> str:
        """The job's heatmap file, relative to the folder."""
        return f'{job.stem.as_posix()}{self.suffix}'

    def write(self, job: Job, explanation: Explanation) -> None:
        """Write a job's results, each in one move."""
        self.also(job, explanation)
        path = self.folder / self.name(job)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_heatmaps(explanation.heatmaps, path, decimals=self.decimals)


@dataclass(frozen=True)
class Effort:
    """What a list may take of the machine; changes nothing in the results but rounding.

    Attributes:
        batch_size: Clips that go through the network at once, where shapes allow.
        workers: Processes that decode ahead of the network.
        ranks: The processes that share the list.

    Raises:
        ValueError: A number that makes no sense.
    """

    batch_size: int = 1
    workers: int = 0
    ranks: Ranks = field(default_factory=Ranks)

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f'expected a batch size of at least 1, got {self.batch_size}')
        if self.workers < 0:
            raise ValueError(f'expected workers of at least 0, got {self.workers}')


def explain_jobs(
    model: nn.Module,
    jobs: Sequence[Job],
    output: Output,
    question: Question = Question(),  # noqa: B008  it is frozen
    sampling: Sampling = Sampling(),  # noqa: B008
    effort: Effort = Effort(),
) -> Iterator[ManifestRow | None]:
    """Write the heatmaps of every job into a folder, with a manifest.

    Args:
        model (nn.Module): From :func:`mmsal.explain.load_recognizer`.
        jobs (Sequence[Job]): From :func:`mmsal.explain.read_job_list`.
        output (Output): Where to.
        question (Question): What is asked.
        sampling (Sampling): Of which frames.
        effort (Effort): By what means.

    Returns:
        Iterator: After each job of this process's share its row, or None where it was done before.

    Raises:
        ValueError: The folder holds maps made with other settings or of other frames; or something
            that would fail every video.
        OutputTakenError: The file of a job holds another video's maps.
        TargetLayerError: Here or while iterating: the target layer cannot be explained, in no
            video.
        OSError: The folder cannot be written.
    """
    check_fit(question, sampling)
    pipeline = open_pipeline(model.cfg, sampling)
    with question.open(model):
        pass
    settings = {
        'checkpoint_sha256': model.checkpoint_info['sha256'],
        'config': model.cfg.pretty_text,
        'decimals': output.decimals,
        'format': output.suffix.lstrip('.'),
        **asdict(question),
        **{key: value or None for key, value in asdict(sampling).items() if key != 'keep_frames'},
    }
    ranges = {str(job.video): job.frame_ranges for job in jobs}
    # As JSON gives them back, to be compared: lists, not tuples.
    settings, ranges = json.loads(json.dumps([settings, ranges]))

    def begin() -> None:
        output.folder.mkdir(parents=True, exist_ok=True)
        manifest = Manifest(output.folder, output.overwrite)
        manifest.gather()
        manifest.begin(settings, ranges, output.overwrite)
        for job in _as_before(jobs, manifest, output.suffix):
            manifest.claim(str(job.video), output.name(job))

    effort.ranks.first(begin)
    manifest = Manifest(output.folder, output.overwrite)
    jobs = _as_before(jobs, manifest, output.suffix)
    # A generator of its own, so that what is wrong with the folder is told at the call.
    return _work_through(model, jobs, output, question, sampling, effort, pipeline, manifest)


def _as_before(jobs: Sequence[Job], manifest: Manifest, suffix: str) -> list[Job]:
    """The jobs, those that have a file under the name that it has.

    A list that has grown may name its videos from another folder than before.
    """
    settled = []
    for job in jobs:
        row = manifest.rows.get(str(job.video))
        if row is not None and row.output.endswith(suffix):
            job = replace(job, stem=Path(row.output.removesuffix(suffix)))
        settled.append(job)
    return settled


def _work_through(
    model, jobs, output, question, sampling, effort, pipeline, manifest
) -> Iterator[ManifestRow | None]:
    shared = effort.ranks.world > 1
    record = (manifest.part(effort.ranks.rank) if shared else manifest).record
    pending = []
    for job in effort.ranks.share(jobs):
        done = manifest.is_done(str(job.video), output.name(job)) and output.also_done(job)
        if done:
            yield None
        else:
            pending.append(job)
    source = question.space == 'source'
    decoded = decode_videos(pending, pipeline, sampling, source, effort.workers)
    with question.open(model) as explainer:
        for group in _grouped(decoded, effort.batch_size):
            for row in explain_group(explainer, group, output, question, effort.batch_size):
                record(row)
                yield row
    effort.ranks.wait()
    effort.ranks.first(manifest.gather)


def _grouped(decoded: Iterator[Decoded], batch_size: int) -> Iterator[list[Decoded]]:
    """As many videos together as their clips make a batch."""
    group, clips = [], 0
    for one in decoded:
        group.append(one)
        clips += len(one.video.clips) if one.video is not None else 0
        if clips >= batch_size or not clips:  # one that cannot be read waits for nobody
            yield group
            group, clips = [], 0
    if group:
        yield group


def explain_group(
    explainer: Explainer, group: Sequence[Decoded], output: Output, question: Question, batch: int
) -> Iterator[ManifestRow]:
    """Explain videos together, write their results and give a row for each.

    One that cannot be explained fails alone.

    Raises:
        TargetLayerError: The target layer cannot be explained, in no video.
    """
    readable = [one for one in group if one.video is not None]
    started = time.perf_counter()
    try:
        found = explain_prepared(explainer, [one.video for one in readable], question, batch)
    except TargetLayerError:  # every video's fault
        raise
    except (ValueError, OSError, RuntimeError, MemoryError) as error:
        if len(readable) > 1:  # one of them spoils it for the others
            for one in group:
                yield from explain_group(explainer, [one], output, question, batch)
            return
        found = [error] * len(readable)
    each = (time.perf_counter() - started) / max(1, len(readable))
    results = dict(zip(map(id, readable), found, strict=True))
    for one in group:
        row = ManifestRow(str(one.job.video), error=one.error)
        started = time.perf_counter()
        if one.video is not None:
            _finish(row, one.job, results[id(one)], output)
        seconds = one.seconds + each + time.perf_counter() - started
        row.seconds = f'{seconds:.3f}'
        yield row


def _finish(row: ManifestRow, job: Job, result: Explanation | Exception, output: Output) -> None:
    """Write a job's results and complete its row."""
    try:
        if isinstance(result, Exception):
            raise result
        output.write(job, result)
    except (ValueError, OSError) as error:
        row.error = one_line(error)
    except (RuntimeError, MemoryError) as error:  # of the network, or too large a video
        row.error = f'{type(error).__name__}: {one_line(error)}'
    else:
        row.status, row.output = 'done', output.name(job)
        row.prediction = result.prediction.label
        row.score = f'{result.prediction.score:.6f}'
        row.frames = str(len(result.heatmaps.frame_indices))
