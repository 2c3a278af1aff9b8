"""The whole report: an overview, a page per video, figures for papers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mmsal.comparison.flow.clip import RESULT_COLUMNS
from mmsal.comparison.report.axes import (
    PAIR_COLUMNS,
    Axes,
    check_columns,
    find_axes,
)
from mmsal.comparison.report.courses import TimedRows, time_courses
from mmsal.comparison.report.figures import MetricFigure, write_figures
from mmsal.comparison.report.files import copy_static, slugs, write_html, write_script
from mmsal.comparison.report.metric_notes import METRIC_NOTES
from mmsal.comparison.report.pictures import describe_frames, write_pictures
from mmsal.comparison.report.tables import (
    fixation_counts,
    pair_rows,
    summary_rows,
    video_scores,
    videos_of,
)
from mmsal.comparison.report.video_page import VideoPage
from mmsal.comparison.report.whole_folder import check_own, whole_folder
from mmsal.comparison.yardsticks import LOWER_IS_BETTER
from mmsal.version import __version__

PARTS = ('index.html', 'videos', 'figures', 'data', 'static')


@dataclass(frozen=True)
class _Report:
    """What all steps need."""

    results: pd.DataFrame
    summary: pd.DataFrame
    pairs: pd.DataFrame
    settings: Mapping
    verdicts: Sequence[str]
    axes: Axes
    names: dict[str, str]  # slug of each video
    max_frames: int
    tile_size: int

    @property
    def common(self) -> dict:
        """What every template needs."""
        return {'synthetic': bool(self.settings.get('synthetic')), 'version': __version__}


def check_report_folder(folder: Path) -> None:
    """Refuse a folder that :func:`write_report` would refuse.

    Raises:
        FileExistsError: It has something in it that is not of a report.
    """
    if folder.exists():
        check_own(folder, PARTS)


def write_report(
    folder: str | Path,
    results: pd.DataFrame,
    summary: pd.DataFrame,
    pairs: pd.DataFrame,
    pages: Iterable[VideoPage],
    settings: Mapping,
    verdicts: Sequence[str] = (),
    *,
    max_frames: int = 200,
    tile_size: int = 320,
) -> Path:
    """Write a report that opens from disk, with no network and nothing outside its folder.

    Its parts are ``index.html``, ``videos/`` (a page per video), ``figures/`` (SVG and PDF),
    ``data/`` and ``static/``. The folder appears when all of it is written; an earlier report there
    is replaced then, and stays if something fails.

    Args:
        folder: New, empty, or an earlier report.
        results: Tidy, with the columns ``video, model, reference, level, frame, metric, convention,
            value, n_fixations``; NaN is undefined.
        summary: With ``model, reference, level, metric, convention, mean, low, high, videos,
            undefined, share_of_ceiling, share_low, share_high``, one row per key. Its ``attrs``
            and those of ``pairs`` are shown with the settings.
        pairs: With ``model, other, reference, level, metric, convention, difference, low, high, p,
            p_corrected, effect_size, probability, videos``; it may be empty.
        pages: Of videos of the results, each at most once; taken one after the other, so that they
            can be made when they are needed. Videos without one are in the tables alone.
        settings: How all this was made, nested as you like; ``synthetic`` true puts a banner on
            every page and a note into every figure.
        verdicts: Sentences at the top.
        max_frames: Frames shown per video at most, evenly spaced; the page says so.
        tile_size: Longest side of the pictures in pixels.

    Returns:
        Path of ``index.html``.

    Raises:
        ValueError: A table lacks a column or the summary has no row, or a page is of a video that
            the results do not have or had a page already.
        FileExistsError: The folder has something in it that is not of a report.
    """
    if not 1 <= tile_size <= 2048:
        raise ValueError(f'expected a tile_size of 1 to 2048 pixels, got {tile_size}')
    if max_frames < 1:
        raise ValueError(f'expected at least 1 frame per page, got {max_frames}')
    check_columns('results', results, RESULT_COLUMNS)
    check_columns('pairs', pairs, PAIR_COLUMNS)
    axes = find_axes(summary)
    names = slugs(videos_of(results))
    report = _Report(
        results, summary, pairs, settings, verdicts, axes, names, max_frames, tile_size
    )
    folder = Path(folder)
    with whole_folder(folder, PARTS) as new:
        for part in ('videos', 'figures', 'data'):
            (new / part).mkdir()
        copy_static(new / 'static')
        frames = _write_videos(new, report, pages)
        figures = list(write_figures(summary, axes, new / 'figures', report.common['synthetic']))
        _write_data(new / 'data', report, frames)
        _write_index(new, report, figures)
    return folder / 'index.html'


def _write_videos(new: Path, report: _Report, pages: Iterable[VideoPage]) -> dict[str, int]:
    """Write the pages; number of frames of each video that has one."""
    timed = TimedRows(report.results, report.axes)
    frames: dict[str, int] = {}
    iterator = iter(pages)
    # No name holds a page while the next one is made: there is one video in memory at a time.
    while _write_next(new, report, iterator, timed, frames):
        pass
    return frames


def _write_next(
    new: Path,
    report: _Report,
    pages: Iterator[VideoPage],
    timed: TimedRows,
    frames: dict[str, int],
) -> bool:
    """Write the next page, if there is one."""
    page = next(pages, None)
    if page is None:
        return False
    if page.video not in report.names:
        raise ValueError(f'expected pages of videos of the results, got one of {page.video!r}')
    if page.video in frames:
        raise ValueError(f'expected one page per video, got two of {page.video!r}')
    total = frames[page.video] = len(page.frame_indices)
    slug = report.names[page.video]
    rows = timed.of(page.video)
    courses = time_courses(rows, report.axes, page.frame_indices, page.times_s)
    page = page.thinned(report.max_frames)
    panels = write_pictures(page, new / 'videos' / slug, report.axes, report.tile_size)
    video = {**describe_frames(page, total), 'panels': panels, 'courses': courses}
    write_script(new / 'videos' / f'{slug}.js', 'video', {'name': page.video, **video})
    write_html(
        new / 'videos' / f'{slug}.html', 'video.html.j2', name=page.video, slug=slug,
        panels=panels, shown=len(page.frame_indices), total=total, size=page.size,
        has_source=page.source is not None, has_courses=bool(courses), **report.common,
    )  # fmt: skip
    return True


def _write_data(folder: Path, report: _Report, frames: dict[str, int]) -> None:
    axes = report.axes
    write_script(folder / 'axes.js', 'axes', axes.describe())
    videos = list(report.names)
    listed = [
        [name, report.names[name] if name in frames else '', frames.get(name, float('nan')), count]
        for name, count in zip(videos, fixation_counts(report.results, videos), strict=True)
    ]
    write_script(folder / 'videos.js', 'videos', listed)
    write_script(folder / 'summary.js', 'summary', summary_rows(report.summary, axes))
    write_script(folder / 'pairs.js', 'pairs', pair_rows(report.pairs, axes))
    levels = report.results[report.results['level'].isin(axes.levels)]
    known = levels[levels['reference'].isin(axes.references)]
    files = []
    for switch, scores in video_scores(known, axes, videos):
        files.append('_'.join(map(str, switch)))
        write_script(folder / f'scores_{files[-1]}.js', f'scores_{files[-1]}', scores)
    write_script(folder / 'score_files.js', 'scoreFiles', files)


def _write_index(new: Path, report: _Report, figures: Sequence[MetricFigure]) -> None:
    axes = report.axes
    notes = [
        (metric, METRIC_NOTES.get(metric), metric in LOWER_IS_BETTER) for metric in axes.metrics
    ]
    settings = {name: value for name, value in report.settings.items() if name != 'synthetic'}
    write_html(
        new / 'index.html', 'index.html.j2', axes=axes, figures=figures, notes=notes,
        verdicts=list(report.verdicts), settings=settings, videos=len(report.names),
        means=report.summary.attrs, pairs=report.pairs.attrs,
        describe=axes.describe(), **report.common,
    )  # fmt: skip
