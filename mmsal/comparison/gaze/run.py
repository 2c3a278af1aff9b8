"""Scoring many videos, side by side, in a folder where a second run goes on."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mmsal.comparison.flow.maps import FlowSettings
from mmsal.comparison.gaze.matching import VideoFiles
from mmsal.comparison.gaze.options import GazeComparison
from mmsal.comparison.gaze.scoring import score_video
from mmsal.comparison.gaze.video_data import VideoData, load_video
from mmsal.comparison.gaze.yardstick_maps import gaze_of_others, motion_maps
from mmsal.explain.decoding import end_with_parent
from mmsal.heatmaps.atomic import atomic_files
from mmsal.heatmaps.sidecar import sidecar_path
from mmsal.version import __version__

SETTINGS, PARTS, RESULTS = 'comparison.json', 'parts', 'results.csv'
KIND = 'comparison with gaze'


@dataclass(frozen=True)
class Outcome:
    """What became of one video.

    Attributes:
        video: Its name.
        table: Its results; None where it failed.
        facts: Frames, observers, counts of fixations, share of seen pixels, seconds.
        signature: Of its files as they were before they were read.
        error: What went wrong, in one line; '' where nothing did.
    """

    video: str
    table: pd.DataFrame | None
    facts: dict[str, Any]
    error: str = ''
    signature: dict[str, list[int]] = field(default_factory=dict)


class Scoring:
    """Scores of videos, one at a time; the same numbers in any order and any process.

    Args:
        files: The videos.
        fixations: Fixation table of all of them.
        how: Options.
    """

    def __init__(
        self, files: Sequence[VideoFiles], fixations: pd.DataFrame, how: GazeComparison
    ) -> None:
        self.how = how
        by_name = dict(iter(fixations.groupby('video', sort=False)))
        self.fixations = {one.video: by_name[one.gaze] for one in files}
        self.shares = {one.video: _as_shares(by_name[one.gaze], one.size) for one in files}

    def score(self, files: VideoFiles) -> Outcome:
        """Score one video; what is wrong with it becomes its error."""
        started, signature = time.perf_counter(), _signature(files)
        try:
            data = load_video(files, self.fixations[files.video], self.how)
            sigma = self.how.sigma_of(data.size[0])
            others = gaze_of_others(files.video, self.shares, data.size, sigma)
            motion = None
            if files.source is not None and self.how.motion and len(files.timestamps) > 1:
                motion = motion_maps(files.source, data.frames, FlowSettings())
            table = score_video(data, others, motion, self.how)
        except (ValueError, OSError, MemoryError, RuntimeError) as error:
            text = ' '.join(str(error).split()) or type(error).__name__
            named = text if files.video in text else f'{files.video}: {text}'
            return Outcome(files.video, None, {}, named)
        seen = 1.0 if data.seen is None else float(data.seen.mean())
        facts = {
            'frames': len(data.frames), 'frames_left_out': data.frames_left_out,
            'observers': len(data.names), 'sigma_px': sigma,
            'constant_maps': _constant_maps(data),
            'size': list(data.size), 'fps': files.fps, 'seen_share': seen, 'counts': data.counts,
            'seconds': round(time.perf_counter() - started, 3),
        }  # fmt: skip
        return Outcome(files.video, table, facts, signature=signature)


class ComparisonFolder:
    """The folder of a comparison: settings, a part per video, and the results they make up.

    A part says which settings and which files it was made with; another's is never taken.

    Args:
        folder: Made if it is not there.
        settings: Everything that changes the results; JSON values.
        overwrite: Take up no part of a former run.

    Raises:
        ValueError: The folder's results were made with other settings; nothing is changed then.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any], overwrite: bool = False) -> None:
        self.folder, self.overwrite = folder, overwrite
        settings = json.loads(json.dumps({**settings, 'mmsal': __version__}))
        noted = folder / SETTINGS
        if noted.is_file():
            before = _read_settings(noted)
            names = sorted(settings.keys() | before.keys())
            differing = [name for name in names if settings.get(name) != before.get(name)]
            if differing and not overwrite:
                raise ValueError(
                    f'{folder} holds a comparison made with other {", ".join(differing)}: name '
                    'another folder, or pass --overwrite'
                )
        text = json.dumps(settings, indent=1, sort_keys=True) + '\n'
        self._digest = hashlib.sha256(text.encode('utf-8')).hexdigest()
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_files(noted) as (new,):
            new.write_text(text, encoding='utf-8')

    def read(self, files: VideoFiles) -> dict[str, Any] | None:
        """Facts of a video that was scored before, from the files that are there now; or None."""
        table, facts = self._part(files.video)
        if self.overwrite or not (table.is_file() and facts.is_file()):
            return None
        try:
            noted = json.loads(facts.read_text(encoding='utf-8'))
            same = (
                noted['settings'] == self._digest
                and noted['files'] == _signature(files)
                and noted['table'] == _digest_of(table)
            )
            return noted['facts'] if same else None
        except (ValueError, KeyError, TypeError):
            return None  # no part of ours: it is written anew

    def write(self, files: VideoFiles, outcome: Outcome) -> None:
        """Keep a video's results; they are there as a whole or not at all.

        Raises:
            ValueError: The video's files are no longer those that were scored.
        """
        if outcome.signature != _signature(files):
            raise ValueError(f'{files.video}: its files changed while it was scored')
        table, facts = self._part(files.video)
        table.parent.mkdir(parents=True, exist_ok=True)
        with atomic_files(facts, table) as (new_facts, new_table):
            outcome.table.to_csv(new_table, index=False, lineterminator='\n')
            noted = {
                'facts': outcome.facts, 'files': outcome.signature, 'settings': self._digest,
                'table': _digest_of(new_table),
            }  # fmt: skip
            new_facts.write_text(json.dumps(noted, indent=1), encoding='utf-8')

    def discard_results(self) -> None:
        """Remove the tables over all videos, which new parts are about to make outdated."""
        for name in (RESULTS, 'summary.csv', 'pairs.csv'):
            (self.folder / name).unlink(missing_ok=True)

    def gather(self, videos: Sequence[str]) -> pd.DataFrame:
        """Write ``results.csv`` from the parts of these videos.

        Returns:
            Its rows but for those of single frames, of which there may be millions.
        """
        kept = []
        with atomic_files(self.folder / RESULTS) as (new,), new.open('wb') as out:
            for number, video in enumerate(videos):
                path, _ = self._part(video)
                with path.open('rb') as part:
                    header = part.readline()
                    if number == 0:
                        out.write(header)
                    for block in iter(lambda part=part: part.read(2**20), b''):
                        out.write(block)
                table = read_results(path)
                kept.append(table[table['level'] != 'frame'])
        return pd.concat(kept, ignore_index=True)

    def part(self, video: str) -> pd.DataFrame:
        """All rows of one video."""
        return read_results(self._part(video)[0])

    def _part(self, video: str) -> tuple[Path, Path]:
        base = self.folder / PARTS / video
        return base.with_name(f'{base.name}.csv'), base.with_name(f'{base.name}.json')


def read_results(path: Path) -> pd.DataFrame:
    """``results.csv``, or a part of it, with its types; NaN only where a value is undefined."""
    text = dict.fromkeys(('video', 'model', 'reference', 'level', 'metric', 'convention'), str)
    numbers = {'frame': 'Int64', 'value': 'float64', 'n_fixations': 'Int64'}
    nothing = {'frame': [''], 'value': [''], 'n_fixations': ['']}
    return pd.read_csv(path, dtype=text | numbers, keep_default_na=False, na_values=nothing)


def score_videos(
    files: Sequence[VideoFiles], scoring: Scoring, workers: int = 1
) -> Iterator[Outcome]:
    """Score videos, in this process or in several; outcomes come as they are done.

    Args:
        files: Some of the videos of ``scoring``.
        scoring: Of all of them, since the yardsticks of one rest on the gaze of the others.
        workers: Processes, at most.
    """
    if workers <= 1 or len(files) <= 1:
        yield from map(scoring.score, files)
        return
    # Processes that begin afresh: forks of one that has run OpenCV or BLAS threads may hang.
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(
        min(workers, len(files)), context, initializer=_begin, initargs=(scoring,)
    ) as pool:
        tasks = {pool.submit(_score_here, one): one.video for one in files}
        try:
            for task in as_completed(tasks):
                yield _outcome(task, tasks[task])
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


_scoring: Scoring | None = None  # of a worker process


def _begin(scoring: Scoring) -> None:
    global _scoring
    import cv2

    end_with_parent()
    cv2.setNumThreads(1)  # a process per core: threads of each would only wait
    _scoring = scoring


def _score_here(files: VideoFiles) -> Outcome:
    return _scoring.score(files)


def _outcome(task: Future, video: str) -> Outcome:
    try:
        return task.result()
    except Exception as error:  # the process died: of memory, mostly
        return Outcome(video, None, {}, f'{video}: its process ended ({error})')


def describe(
    models: Mapping[str, Path],
    fixations: pd.DataFrame,
    how: GazeComparison,
    files: Sequence[VideoFiles],
) -> dict[str, Any]:
    """Everything that changes the results, for :class:`ComparisonFolder`.

    All videos' names, sizes and rates are in it, since the yardsticks of one rest on the gaze of
    the others.
    """
    digest = hashlib.sha256(pd.util.hash_pandas_object(fixations, index=False).to_numpy().tobytes())
    folders = {model: os.path.abspath(folder) for model, folder in models.items()}  # noqa: PTH100
    videos = {one.video: [*one.size, one.fps] for one in files}
    return {
        'kind': KIND, 'options': asdict(how), 'models': folders, 'videos': videos,
        'gaze_sha256': digest.hexdigest(),
    }  # fmt: skip


def _as_shares(fixations: pd.DataFrame, size: tuple[int, int]) -> np.ndarray:
    """Fixations inside the picture as shares of its width and height, [N, 2]."""
    shares = fixations[['x_px', 'y_px']].to_numpy(np.float64) / size
    return shares[((shares >= 0) & (shares < 1)).all(axis=1)]


def _signature(files: VideoFiles) -> dict[str, list[int]]:
    """Size and time of every file that a video's results come from."""
    paths = [*files.maps.values(), *([files.source] if files.source else [])]
    paths += [sidecar_path(path) for path in files.maps.values()]
    return {
        str(path): [path.stat().st_size, path.stat().st_mtime_ns] for path in paths if path.exists()
    }


def _digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _constant_maps(data: VideoData) -> dict[str, int]:
    """How many maps of each model are the same in all seen pixels."""
    found = {}
    for model, maps in data.maps.items():
        pixels = maps.reshape(len(maps), -1) if data.seen is None else maps[:, data.seen]
        found[model] = int((pixels.min(axis=1) == pixels.max(axis=1)).sum())
    return found


def _read_settings(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(path.read_text(encoding='utf-8'))
        if settings['kind'] == KIND:
            return settings
    except (ValueError, TypeError, KeyError):
        pass
    raise ValueError(f'{path} is not of a comparison with gaze: name another folder')
