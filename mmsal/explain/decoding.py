"""Decoding the videos of a list, in worker processes ahead of the network."""

import os
import pickle
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import torch
from torch.utils.data import DataLoader, Dataset

from mmsal.explain.jobs import Job
from mmsal.explain.pipeline import ClipPipeline
from mmsal.explain.prepare import PreparedVideo, Sampling, prepare_video


@dataclass(frozen=True)
class Decoded:
    """One video of a list.

    Attributes:
        job: Which.
        video: Ready for the network, or None where it could not be read.
        error: Why, in one line.
        seconds: Spent on it.
    """

    job: Job
    video: PreparedVideo | None
    error: str
    seconds: float


class _Videos(Dataset):
    """Each item is a pickled :class:`Decoded`.

    Pickled here, because tensors that a worker hands over as they are take shared memory, of which
    a container may have 64 MB, and a file descriptor each.
    """

    def __init__(
        self, jobs: Sequence[Job], pipeline: ClipPipeline, sampling: Sampling, from_source: bool
    ) -> None:
        self.jobs = jobs
        self.pipeline = pipeline
        self.sampling = sampling
        self.from_source = from_source

    def __len__(self) -> int:
        return len(self.jobs)

    def __getitem__(self, place: int) -> bytes:
        return pickle.dumps(self.decode(place), protocol=pickle.HIGHEST_PROTOCOL)

    def decode(self, place: int) -> Decoded:
        job, started = self.jobs[place], time.perf_counter()
        video, error = None, ''
        try:
            video = prepare_video(
                self.pipeline, job.video, self.sampling, job.frame_ranges, self.from_source
            )
        except (ValueError, OSError) as fault:  # this video's: the others go on
            error = one_line(fault)
        except (AssertionError, RuntimeError, MemoryError, cv2.error) as fault:  # of a transform
            error = f'{type(fault).__name__}: {one_line(fault)}'
        return Decoded(job, video, error, time.perf_counter() - started)


def decode_videos(
    jobs: Sequence[Job],
    pipeline: ClipPipeline,
    sampling: Sampling,
    from_source: bool = True,
    workers: int = 0,
) -> Iterator[Decoded]:
    """Decode and transform videos, in the order of the list.

    Args:
        jobs (Sequence[Job]): The list.
        pipeline (ClipPipeline): From :func:`mmsal.explain.prepare.open_pipeline`.
        sampling (Sampling): Which frames.
        from_source (bool): See :func:`mmsal.explain.prepare.prepare_video`.
        workers (int): Processes; 0 decodes in this one, when a video's turn comes.
    """
    videos = _Videos(jobs, pipeline, sampling, from_source)
    if workers == 0 or len(jobs) < 2:
        for place in range(len(jobs)):
            yield videos.decode(place)
        return
    loader = DataLoader(
        videos,
        batch_size=None,
        num_workers=min(workers, len(jobs)),
        collate_fn=_as_it_is,
        prefetch_factor=1,
        worker_init_fn=_start_worker,
    )
    for packed in loader:
        yield pickle.loads(packed)


def _as_it_is(item: bytes) -> bytes:
    return item


def _start_worker(worker: int) -> None:
    """The network has the other cores; and a worker ends with the process it works for.

    Where that one is killed, a worker's exit would wait for ever for somebody to take its last
    video.
    """
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    end_with_parent()


def end_with_parent() -> None:
    """End this process within a second of the one that started it, even where that is killed."""
    threading.Thread(target=_wait_for_end, args=(os.getppid(),), daemon=True).start()


def _wait_for_end(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def one_line(error: Exception) -> str:
    """An error's message without line breaks, or its name where it has none."""
    return ' '.join(str(error).split()) or type(error).__name__
