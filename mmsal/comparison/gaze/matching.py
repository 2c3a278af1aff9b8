"""Which heatmaps, fixations and video files belong together, and whether they fit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from mmsal.datasets.video import VideoError, VideoInfo, probe_video
from mmsal.explain.jobs import HEATMAP_SUFFIXES, VIDEO_SUFFIXES
from mmsal.heatmaps import HeatmapFormatError, read_heatmap_meta, read_heatmaps

SAME_RATE = 1e-3  # rates that differ by less, relatively, are the same: 29.97 and 30000/1001


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
    """Heatmap files below a folder, by path without suffix.

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
        stem = inside.removesuffix(suffix)
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

    A name fits another if it is the same without the suffix of a video file; if no other name
    ends alike, the folders before it need not be the same either.

    Args:
        models: Folder of heatmaps of each model.
        fixations: Fixation table.
        videos: Folder of the video files, looked through with all its folders.
        fps: Frames per second of heatmaps whose sidecar says nothing.

    Returns:
        The videos that fit, sorted by name, and every fault: maps that one model lacks, without
        gaze or video file; rates, sizes, numbers of frames that differ between models or from the
        video; maps in the network's input instead of the source's pixels; files that cannot be
        read. Gaze without maps is a note where all maps have gaze, else a fault.

    Raises:
        ValueError: A folder without heatmaps, or with two of one name.
    """
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


def pair_names(stems: Iterable[str], names: Iterable[str]) -> dict[str, str]:
    """The name that fits each stem: the same path, or the same last part where it is unique."""
    stems = list(stems)
    whole: dict[str, list[str]] = defaultdict(list)
    last: dict[str, list[str]] = defaultdict(list)
    for name in map(str, names):
        stem = without_video_suffix(name)
        whole[stem].append(name)
        last[stem.rsplit('/', 1)[-1]].append(name)
    ends: dict[str, list[str]] = defaultdict(list)
    for stem in stems:
        ends[stem.rsplit('/', 1)[-1]].append(stem)
    pairs = {}
    for stem in stems:
        end = stem.rsplit('/', 1)[-1]
        candidates = whole[stem] or (last[end] if len(ends[end]) == 1 else [])
        if len(candidates) == 1:
            pairs[stem] = candidates[0]
    return pairs


def without_video_suffix(name: str) -> str:
    """A video's name with slashes and without the suffix of a video file."""
    name = name.replace('\\', '/').removeprefix('./')
    suffix = next((one for one in VIDEO_SUFFIXES if name.lower().endswith(one)), '')
    return name[: len(name) - len(suffix)]


def _check(
    stem: str, paths: dict[str, Path], gaze: str, source: Path | None, fps: float | None
) -> tuple[VideoFiles | None, list[str]]:
    """One video whose files are all there; what does not fit about it."""
    said: dict[str, dict[str, Any]] = {}
    faults = []
    for model, path in paths.items():
        try:
            meta = read_heatmap_meta(path)
        except HeatmapFormatError as error:
            faults.append(f'{stem}: {error}')
            continue
        if meta.get('space', 'source') != 'source':
            faults.append(f"{stem}: maps of {model} lie in the network's input, not the source")
        said[f'maps of {model}'] = {
            'frame rate': meta.get('fps') or fps,
            'size': _pair(meta.get('source_size')) or _pair(meta.get('map_size')),
            'map size': _pair(meta.get('map_size')) or _pair(meta.get('source_size')),
            'number of frames': meta.get('num_frames'),
        }
    info = None
    if source is not None:
        try:
            info = probe_video(source)
            said[f'the video {source.name}'] = _said_by(info)
        except VideoError as error:
            faults.append(f'{stem}: {error}')
    if not faults and not any(told['map size'] for told in said.values()):
        # No sidecar and no video file: only the maps themselves tell.
        for model, path in paths.items():
            size = read_heatmaps(path).values.shape[:0:-1]
            said[f'maps of {model}'].update({'size': size, 'map size': size})
    known = {}
    for what in ('frame rate', 'size', 'map size', 'number of frames'):
        known[what], differing = _agree(stem, what, said)
        faults += differing
    if known['frame rate'] is None and not faults:
        faults.append(f'{stem}: no file says its frame rate (--fps)')
    if faults:
        return None, faults
    times = None if info is None else tuple(info.timestamps.tolist())
    return VideoFiles(stem, paths, gaze, known['size'], known['frame rate'], source, times), []


def _said_by(info: VideoInfo) -> dict[str, Any]:
    size = (info.width, info.height)
    return {
        'frame rate': info.fps, 'size': size, 'map size': size, 'number of frames': info.frames,
    }  # fmt: skip


def _agree(stem: str, what: str, said: dict[str, dict[str, Any]]) -> tuple[Any, list[str]]:
    """What all say about one thing; or that they differ, in one line."""
    values = {who: told[what] for who, told in said.items() if told[what] is not None}
    if not values:
        return None, []
    first = next(iter(values.values()))
    if what == 'frame rate':
        same = all(abs(value - first) <= SAME_RATE * first for value in values.values())
    else:
        same = all(value == first for value in values.values())
    if same:
        return first, []
    told = ', '.join(f'{_words(value)} ({who})' for who, value in values.items())
    return None, [f'{stem}: {what} differs: {told}']


def _words(value: Any) -> str:
    return f'{value[0]}x{value[1]}' if isinstance(value, tuple) else f'{value:g}'


def _pair(size: Any) -> tuple[int, int] | None:
    return None if size is None else (int(size[0]), int(size[1]))


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
