"""The manifest of an output folder: what was done, and with which settings."""

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from mmsal.explain.jobs import HEATMAP_SUFFIXES
from mmsal.heatmaps.atomic import atomic_files


@dataclass
class ManifestRow:
    """One line of ``manifest.csv``.

    Attributes:
        video: Path as given.
        status: ``done``, ``failed``, or ``outdated`` where a run with ``--overwrite`` has not come
            to it yet: its file holds the maps of before.
        output: Heatmap file, relative to the manifest's folder.
        prediction: Name of the predicted class.
        score: Its probability.
        frames: Number of maps.
        seconds: Time spent.
        error: What went wrong.
    """

    video: str
    status: str = 'failed'
    output: str = ''
    prediction: str = ''
    score: str = ''
    frames: str = ''
    seconds: str = ''
    error: str = ''


class OutputTakenError(ValueError):
    """Two videos of different lists would write the same file."""


class Manifest:
    """``manifest.csv`` of an output folder, complete on disk after every video.

    Beside it, ``settings.json`` keeps how the maps were made, so that a later run with another
    checkpoint, class or method, or of other frames, does not pass older maps off as its own.

    Several processes that share a folder write a part each (:meth:`part`); whoever opens the
    manifest next, after a kill as well, finds their rows in it.

    Args:
        folder (Path): The output folder; it exists.
        overwrite (bool): What is no manifest may be replaced.

    Raises:
        ValueError: The folder's manifest is none.
    """

    def __init__(self, folder: Path, overwrite: bool = False) -> None:
        self.path = folder / 'manifest.csv'
        self.overwrite = overwrite
        self.rows: dict[str, ManifestRow] = {}
        for path in (self.path, *self._parts()):
            self._take(path)

    def _take(self, path: Path) -> None:
        try:
            self.rows.update(_read_rows(path))
        except ValueError:
            if not self.overwrite:
                raise

    def _parts(self) -> list[Path]:
        return sorted(self.path.parent.glob('.manifest.part*.csv'))

    def gather(self) -> None:
        """Write the rows of all parts into the manifest itself, and remove the parts."""
        parts = self._parts()
        for path in parts:
            self._take(path)
        if parts:
            _write_rows(self.path, self.rows.values())
            for path in parts:
                path.unlink()

    def part(self, number: int) -> 'ManifestPart':
        """Where one of several processes writes its rows."""
        return ManifestPart(self.path.with_name(f'.manifest.part{number}.csv'), self)

    def begin(self, settings: dict, frame_ranges: dict, overwrite: bool = False) -> None:
        """Note how maps are about to be made, unless others are there that were made otherwise.

        Args:
            settings (dict): Everything that changes the maps; JSON values.
            frame_ranges (dict): Of each video, by its path as given; JSON values.
            overwrite (bool): Begin anew with these videos; each keeps its maps until it has new
                ones. Maps of others stay, and must have been made with the same settings.

        Raises:
            ValueError: The folder's maps were made with other settings; nothing is changed then.
        """
        noted = self.path.with_name('settings.json')
        before = _read_settings(noted, overwrite)
        known = before.pop('frame_ranges', {})
        done = {row.video for row in self.rows.values() if row.status == 'done'}
        others = done - frame_ranges.keys()
        stay = others if overwrite else done
        if stay:  # else no maps are there that could be mistaken
            chosen = {video: frame_ranges[video] for video in stay - others}
            difference = _difference(
                before | _naming_videos(known), settings | _naming_videos(chosen)
            )
            if difference:
                whose = 'maps of other videos, ' if overwrite else 'maps '
                way_out = '' if others else ', or pass --overwrite'
                raise ValueError(
                    f'{self.path.parent} holds {whose}made with {difference}: name another '
                    f'folder{way_out}'
                )
        if overwrite:
            for row in self.rows.values():
                if row.output and row.video in frame_ranges:
                    row.status = 'outdated'
            _write_rows(self.path, self.rows.values())
        settings = {**settings, 'frame_ranges': {**known, **frame_ranges}}
        _write(noted, json.dumps(settings, indent=1, sort_keys=True) + '\n')

    def is_done(self, video: str, output: str) -> bool:
        """Whether this video was explained before, its file still being there."""
        row = self.rows.get(video)
        finished = row is not None and row.status == 'done' and row.output == output
        return finished and (self.path.parent / output).is_file()

    def claim(self, video: str, output: str) -> None:
        """Refuse an output file that holds another video's maps.

        Raises:
            OutputTakenError: Names that video.
        """
        for row in self.rows.values():
            if row.output == output and row.video != video:
                raise OutputTakenError(
                    f'{self.path.parent / output} holds the maps of {row.video}, not of {video}: '
                    'name another folder, or put both videos into one list'
                )

    def record(self, row: ManifestRow) -> None:
        """Add or replace a video's row and write the file anew, in one move."""
        self.discard_outdated(row)
        self.rows[row.video] = row
        _write_rows(self.path, self.rows.values())

    def discard_outdated(self, row: ManifestRow) -> None:
        """Remove a video's outdated maps, unless its new ones stand in their place."""
        former = self.rows.get(row.video)
        if former is None or former.status != 'outdated' or former.output == row.output:
            return
        folder = self.path.parent.resolve()
        path = (folder / former.output).resolve()
        # A manifest is a file that anybody can write: nothing outside its folder is removed.
        if path.name.endswith(HEATMAP_SUFFIXES) and path.is_relative_to(folder):
            path.unlink(missing_ok=True)
            path.with_name(f'{path.name}.json').unlink(missing_ok=True)


class ManifestPart:
    """One process's rows of a :class:`Manifest`."""

    def __init__(self, path: Path, whole: Manifest) -> None:
        self.path = path
        self.whole = whole
        self.rows: dict[str, ManifestRow] = {}

    def record(self, row: ManifestRow) -> None:
        """Add or replace a video's row and write the part anew, in one move."""
        self.whole.discard_outdated(row)
        self.rows[row.video] = row
        _write_rows(self.path, self.rows.values())


def _read_rows(path: Path) -> dict[str, ManifestRow]:
    if not path.is_file():
        return {}
    names = [field.name for field in fields(ManifestRow)]
    try:
        with path.open(newline='', encoding='utf-8') as file:
            reader = csv.DictReader(file, strict=True)
            if reader.fieldnames != names:
                raise ValueError(f'expected columns {names}')
            return {row['video']: ManifestRow(**row) for row in reader}
    except (ValueError, TypeError, csv.Error) as error:
        raise ValueError(f'{path} is no manifest: {error}') from error


def _write_rows(path: Path, rows: Iterable[ManifestRow]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(ManifestRow)])
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    _write(path, text.getvalue())


def _read_settings(path: Path, overwrite: bool) -> dict:
    if not path.is_file():
        return {}
    try:
        settings = json.loads(path.read_text(encoding='utf-8'))
        if isinstance(settings, dict):
            return settings
    except ValueError:
        pass
    if overwrite:
        return {}
    raise ValueError(f'{path} is damaged: name another folder, or pass --overwrite')


def _write(path: Path, text: str) -> None:
    with atomic_files(path) as (partial,):
        partial.write_text(text, encoding='utf-8', newline='')


def _naming_videos(frame_ranges: dict) -> dict:
    return {f'frame_ranges of {video}': ranges for video, ranges in frame_ranges.items()}


def _difference(before: dict, now: dict) -> str:
    """The first setting that differs, in words; empty where none does."""
    for key, value in now.items():
        if before.get(key) != value:
            values = f'{key} {before.get(key)!r}, not {value!r}'
            return values if len(values) <= 200 else f'another {key}'  # a whole config, say
    return ''


def failed(rows: Iterable[ManifestRow | None]) -> list[ManifestRow]:
    """The rows of jobs that failed."""
    return [row for row in rows if row is not None and row.status == 'failed']
