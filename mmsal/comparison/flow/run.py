"""What ``optical_flow.py`` does: flow of videos to files, and saliency against them, with a bar."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mmsal.comparison.flow.folder import FlowComparison, FlowFiles, compare_folders
from mmsal.comparison.flow.maps import FlowSettings, export_flow
from mmsal.comparison.flow.report import write_flow_report
from mmsal.comparison.flow.summary import headlines, summarize_flow
from mmsal.explain.jobs import Job, parse_frame_ranges, read_job_list
from mmsal.gaze import VIDEO_SUFFIXES


def list_jobs(video: str, frames: str | None = None) -> list[Job]:
    """The videos of a list, or one video or folder of frames, named by its own name.

    Args:
        video: A list (.txt), a video file, or a folder of frames.
        frames: Ranges like ``1-75,152-225``, of one video.

    Raises:
        ListError: The list cannot be used.
        ValueError: Ranges of a list, or none that can be read.
    """
    path = Path(video)
    if path.suffix == '.txt' and not path.is_dir():
        if frames:
            raise ValueError('--frames is for one video: write the ranges into the list')
        return read_job_list(path)
    name = path.stem if path.suffix.lower() in VIDEO_SUFFIXES else path.name
    return [Job(path, Path(name), parse_frame_ranges(frames) if frames else None)]


def export_with_progress(
    jobs: Sequence[Job],
    folder: Path,
    suffix: str,
    settings: FlowSettings,
    overwrite: bool = False,
) -> tuple[dict[Job, Path], list[str]]:
    """Write the flow of every video; arguments and errors as :func:`export_flow`.

    Returns:
        The heatmap file of each video that has one, and of the others what went wrong.
    """
    done, failures = {}, []
    rows = export_flow(jobs, folder, suffix, settings, overwrite)
    with progress_bar('optical flow', len(jobs)) as advance:
        for job, row in zip(jobs, rows, strict=True):
            if row.status == 'done':
                done[job] = folder / row.output
            else:
                named = row.video in row.error
                failures.append(row.error if named else f'{row.video}: {row.error}')
            advance()
    return done, failures


def compare_with_progress(
    flows: dict[Job, Path],
    folder: Path,
    models: dict[str, Path],
    how: FlowComparison,
    title: str = '',
) -> tuple[list[str], list[str]]:
    """Hold saliency against flow and write the tables and the picture.

    Args:
        flows: Heatmap file of each video's flow.
        folder: For the results.
        models: Folder of heatmaps of each model.
        how: Baselines and draws.
        title: Line above the picture.

    Returns:
        The lines to read first; and the videos that were left out, with the reasons.

    Raises:
        ValueError: No video could be compared; it says why.
    """
    stems = {str(job.video): job.stem.as_posix() for job in flows}
    with progress_bar('saliency against flow', len(flows)) as advance:
        files = FlowFiles({str(job.video): path for job, path in flows.items()})
        results, left_out = compare_folders(files, models, stems, how, lambda video: advance())
    if results.empty:
        raise ValueError(f'no video can be compared: {"; ".join(left_out)}')
    summary = summarize_flow(results, how.seed, how.resamples)
    write_flow_report(folder, results, summary, models, how, left_out, title)
    return headlines(summary), left_out


@contextmanager
def progress_bar(what: str, total: int) -> Iterator:
    """A bar on the terminal's stderr, none elsewhere; yields what advances it by one."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    # Without a terminal, rich would leave an empty line in the log; in a notebook, hundreds.
    with Progress(console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)
