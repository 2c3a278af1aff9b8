"""Which heatmaps, fixations and video files belong together, and whether they fit."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from numbers import Real
from pathlib import Path

import pandas as pd

from mmsal.comparison.gaze.claims import Claims, agree, claims_of_maps, claims_of_video
from mmsal.datasets.video import VideoError, probe_video
from mmsal.explain.jobs import HEATMAP_SUFFIXES
from mmsal.gaze import VIDEO_SUFFIXES, pair_names
from mmsal.heatmaps import HeatmapFormatError, read_heatmaps


class MismatchError(ValueError):
    """Heatmaps, fixations and videos do not fit; ``faults`` has every reason, a line each."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        listed = '; '.join(faults[:20])
        more = f'; and {len(faults) - 20} more' if len(faults) > 20 else ''
        super().__init__(f'{len(faults)} mismatches: {listed}{more}')


@dataclass(frozen=True)
class VideoFiles:
    """What there is of one video.

    Attributes:
        video: Its name in the results: the path of its heatmaps below their folder, no suffix.
        maps: Heatmap file of each model.
        gaze: Its name in the fixation table.
        size: (width, height) of the source in pixels.
        fps: Frames per second.
        source: The video file, where one is given.
        timestamps: Seconds from the first frame to the start of each frame, where ``source`` is.
    """

    video: str
    maps: Mapping[str, Path]
    gaze: str
    size: tuple[int, int]
    fps: float
    source: Path | None = None
    timestamps: tuple[float, ...] | None = None


@dataclass
class Matching:
    """Videos that can be compared; what does not fit, and what is left unused, a line each."""

    videos: list[VideoFiles] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find_heatmaps(folder: Path) -> dict[str, Path]:
    """Heatmap files below a folder, by path without suffix, in Unicode NFC.

    What the folder's manifest calls failed or outdated is left out: its file is an older run's.

    Raises:
        ValueError: There are none, or two of one name.
    """
    stale = _stale(folder)
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob('*')):
        inside = path.relative_to(folder).as_posix()
        hidden = any(part.startswith('.') for part in path.relative_to(folder).parts)
        suffix = next((one for one in ('.txt.gz', '.txt', '.npz') if inside.endswith(one)), None)
        if suffix is None or hidden or inside in stale or not path.is_file():
            continue
        # File systems differ in how they write accents; models' folders must not.
        stem = unicodedata.normalize('NFC', inside.removesuffix(suffix))
        if stem in found:
            raise ValueError(f'{folder}: two files of {stem}, {found[stem].name} and {path.name}')
        found[stem] = path
    if not found:
        raise ValueError(f'{folder} holds no heatmap files ({", ".join(HEATMAP_SUFFIXES)})')
    return found


def match(
    models: Mapping[str, Path],
    fixations: pd.DataFrame,
    videos: Path | None = None,
    fps: float | None = None,
) -> Matching:
    """Bring together what belongs to each video, and check that it fits.

    Names are paired by :func:`mmsal.gaze.pair_names`.

    Args:
        models: Folder of heatmaps of each model.
        fixations: Fixation table.
        videos: Folder of the video files, looked through with all its folders.
        fps: Frames per second, positive, of heatmaps whose sidecar says nothing.

    Returns:
        The videos that fit, sorted by name, and every fault: maps that one model lacks, without
        gaze or video file; rates, sizes, numbers of frames, timestamps that differ between models,
        from the video, or from ``fps``; maps of frames that the video has not, of another size than
        the source or in the network's input; files that cannot be read or say something else than
        expected. Gaze without maps is a note where all maps have gaze, else a fault.

    Raises:
        ValueError: A folder without heatmaps, or with two of one name; an ``fps`` that is no rate.
    """
    if fps is not None and not (isinstance(fps, Real) and 0 < fps < math.inf):
        raise ValueError(f'expected fps as a positive number of frames per second, got {fps!r}')
    found = {model: find_heatmaps(folder) for model, folder in models.items()}
    stems = sorted({stem for paths in found.values() for stem in paths})
    gaze = pair_names(stems, fixations['video'].unique())
    files = {} if videos is None else _video_files(videos)
    sources = pair_names(stems, files)
    matching = Matching()
    for stem in stems:
        lacking = [model for model, paths in found.items() if stem not in paths]
        faults = [f'{stem}: no heatmaps of {model} ({models[model]})' for model in lacking]
        if stem not in gaze:
            faults.append(f'{stem}: no fixations')
        if videos is not None and stem not in sources:
            faults.append(f'{stem}: no video file in {videos}')
        if not faults:
            paths = {model: found[model][stem] for model in models}
            source = files[sources[stem]] if videos is not None else None
            one, faults = _check(stem, paths, gaze[stem], source, fps)
            if one is not None:
                matching.videos.append(one)
        matching.faults += faults
    unused = sorted(set(map(str, fixations['video'].unique())) - set(gaze.values()))
    if len(gaze) < len(stems):  # one of these may be what the heatmaps lack, under another name
        matching.faults += [f'{name}: fixations, but no heatmaps' for name in unused]
    elif unused:
        shown = ', '.join(unused[:5]) + (' ...' if len(unused) > 5 else '')
        matching.notes.append(f'fixations of {len(unused)} videos without heatmaps: {shown}')
    return matching


def _check(
    stem: str, paths: dict[str, Path], gaze: str, source: Path | None, fps: float | None
) -> tuple[VideoFiles | None, list[str]]:
    """One video whose files are all there; what does not fit about it."""
    said: dict[str, Claims] = {}
    faults = []
    for model, path in paths.items():
        try:
            said[f'maps of {model}'], wrong = claims_of_maps(path, model)
            faults += wrong
        except (HeatmapFormatError, OSError) as error:
            faults.append(str(error))
    info = None
    if source is not None:
        try:
            info = probe_video(source)
            said[f'the video {source.name}'] = claims_of_video(info)
        except (VideoError, OSError) as error:
            faults.append(str(error))
    if fps is not None:
        said['--fps'] = Claims(fps=fps)
    if not faults and not any(claims.size or claims.map_size for claims in said.values()):
        faults += _look_at_maps(paths, said)
    agreed, wrong = agree(said)
    faults += wrong
    if agreed.fps is None and not faults:
        faults.append('no file says its frame rate (--fps)')
    if faults:
        return None, [f'{stem}: {fault}' for fault in faults]
    times = None if info is None else tuple(info.timestamps.tolist())
    return VideoFiles(stem, paths, gaze, agreed.size, agreed.fps, source, times), []


def _look_at_maps(paths: dict[str, Path], said: dict[str, Claims]) -> list[str]:
    """Size and frames from the maps themselves, where neither sidecar nor video file tells."""
    faults = []
    for model, path in paths.items():
        try:
            maps = read_heatmaps(path)
        except (HeatmapFormatError, OSError) as error:
            faults.append(str(error))
            continue
        who, size = f'maps of {model}', maps.values.shape[:0:-1]
        said[who] = replace(said[who], map_size=size, frames=maps.frame_indices)
    return faults


def _video_files(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise ValueError(f'{folder} is no folder of videos')
    return {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob('*'))
        if path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith('.')
    }


def _stale(folder: Path) -> set[str]:
    """Files that the folder's manifest says are not those of its last run."""
    path = folder / 'manifest.csv'
    if not path.is_file():
        return set()
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    if not {'status', 'output'} <= set(table.columns):
        return set()
    return set(table.loc[table['status'] != 'done', 'output'])
