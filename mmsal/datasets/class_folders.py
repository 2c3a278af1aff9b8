"""A folder of clips, one sub-folder per class, divided and listed for MMAction2's VideoDataset.

Errors name the options of ``tools/data/list_videos.py``.
"""

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmsal.datasets.kth_sequences import (
    OFFICIAL_SPLIT,
    SUBSETS,
    clip_id,
    parse_name,
    split_groups,
)
from mmsal.gaze import VIDEO_SUFFIXES
from mmsal.heatmaps.atomic import atomic_files


def find_clips(folder: Path) -> dict[str, list[str]]:
    """Find the clips of every class.

    Args:
        folder: One sub-folder per class; or flat, with KTH's names.

    Returns:
        From class to the paths of its clips, relative to ``folder``, with ``/``, in order.
        Hidden files and folders are no clips.

    Raises:
        ValueError: There are no clips, clips beside the folders of classes, a name in a flat
            folder that is not KTH's.
        OSError: The folder cannot be read.
    """
    loose, found = [], {}
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith('.'):
            continue
        if entry.is_dir():
            if clips := _clips_below(entry, folder, VIDEO_SUFFIXES):
                found[entry.name] = clips
        elif entry.suffix.lower() in VIDEO_SUFFIXES:
            loose.append(entry.name)
    if found and loose:
        raise ValueError(
            f'{folder}: expected clips in one sub-folder per class, got {loose[0]} beside '
            f'{next(iter(found))}/'
        )
    for name in loose:
        found.setdefault(_kth_name(name).action, []).append(name)
    if not found:
        raise ValueError(
            f'{folder}: no clips ({" ".join(VIDEO_SUFFIXES)}) in it or in its sub-folders'
        )
    return found


def _clips_below(class_folder: Path, folder: Path, suffixes: Sequence[str]) -> list[str]:
    """Clips at any depth, behind links too; a folder that is reached twice counts once."""
    clips, seen = [], set()
    for place, folders, files in os.walk(class_folder, onerror=_refuse, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith('.'))
        clips += [
            (Path(place) / name).relative_to(folder).as_posix()
            for name in files
            if Path(name).suffix.lower() in suffixes and not name.startswith('.')
        ]
    return sorted(clips)


def _refuse(error: OSError) -> None:
    """A folder that cannot be read is a mistake, not an empty one."""
    raise error


def _kth_name(clip: str):
    try:
        return parse_name(clip_id(Path(clip).stem).partition('#')[0])
    except ValueError as error:
        raise ValueError(f'{clip}: {error}') from None


def choose_classes(
    found: Mapping[str, Sequence[str]], wanted: Sequence[str] | None, folder: Path
) -> list[str]:
    """Classes in the order of their labels.

    Raises:
        ValueError: Fewer than two; a class that has no clips, or is wanted twice; white space in
            the path of a clip.
    """
    classes = sorted(found) if wanted is None else list(wanted)
    absent = [name for name in classes if name not in found]
    if absent:
        raise ValueError(
            f'--classes: no clips of {absent[0]!r} in {folder}; there are '
            f'{", ".join(sorted(found))}'
        )
    if len(set(classes)) != len(classes):
        raise ValueError(f'--classes: expected each class once, got {" ".join(classes)}')
    if len(classes) < 2:
        raise ValueError(f'{folder}: expected two classes or more, got {classes[0]} alone')
    for clip in (clip for name in classes for clip in found[name]):
        if re.search(r'\s', clip):
            raise ValueError(
                f'{folder}: white space in {clip!r}: VideoDataset splits its lines there; rename it'
            )
    return classes


def divide(
    class_of: Mapping[str, str],
    *,
    kth_split: bool = False,
    val: float | None = None,
    test: float | None = None,
    seed: int | None = None,
    group: str | None = None,
) -> dict[str, str]:
    """Give every clip its subset.

    Args:
        class_of: From clip (path relative to the folder) to its class.
        kth_split: KTH's official split, by person; nothing else may be given with it.
        val: Share of the clips of every class for validation; 0.1 unless given.
        test: The same for testing; 0.2 unless given.
        seed: Another seed, another split; 0 unless given.
        group: Regular expression with a group; clips in whose paths it finds the same stay
            together.

    Returns:
        From clip to ``'train'``, ``'val'`` or ``'test'``.

    Raises:
        ValueError: Shares that leave a subset nothing, options that exclude each other, an
            expression that is none or does not match, a person who is not KTH's.
    """
    if kth_split:
        given = dict(val=val, test=test, seed=seed, group=group)
        named = [name for name, value in given.items() if value is not None]
        if named:
            raise ValueError(f"--kth-split is KTH's own split: drop --{named[0]}")
        return _kth_subsets(class_of)
    val, test = 0.1 if val is None else val, 0.2 if test is None else test
    if not (val > 0 and test > 0 and val + test < 1):
        raise ValueError(
            f'--val, --test: expected shares above 0 with a sum below 1, got {val:g} and {test:g}'
        )
    groups = _groups(class_of, group) if group is not None else {clip: clip for clip in class_of}
    samples = [(groups[clip], name) for clip, name in class_of.items()]
    subset_of = split_groups(samples, (1 - val - test, val, test), seed or 0)
    return {clip: subset_of[groups[clip]] for clip in class_of}


def _kth_subsets(clips: Mapping[str, str]) -> dict[str, str]:
    subset_of = {person: subset for subset, persons in OFFICIAL_SPLIT.items() for person in persons}
    subsets = {}
    for clip in clips:
        person = _kth_name(clip).person
        if person not in subset_of:
            raise ValueError(f'{clip}: the official split has persons 1 to 25, got {person}')
        subsets[clip] = subset_of[person]
    return subsets


def _groups(clips: Mapping[str, str], expression: str) -> dict[str, str]:
    try:
        pattern = re.compile(expression)
    except re.error as error:
        raise ValueError(f'--group {expression}: {error}') from None
    if not pattern.groups:
        raise ValueError(
            f'--group {expression}: expected a group in round brackets, as in person(\\d+)'
        )
    groups = {}
    for clip in clips:
        match = pattern.search(clip)
        if match is None or match[1] is None:
            raise ValueError(f'--group {expression}: does not match {clip}')
        groups[clip] = match[1]
    return groups


def check_complete(class_of: Mapping[str, str], subsets: Mapping[str, str]) -> None:
    """Refuse a split in which a subset has no clip of some class.

    Raises:
        ValueError: There is such a subset; it is named, and the class.
    """
    there = {(name, subsets[clip]) for clip, name in class_of.items()}
    for name in dict.fromkeys(class_of.values()):
        for subset in SUBSETS:
            if (name, subset) not in there:
                raise ValueError(
                    f'no clip of {name} in the {subset} subset: more clips or groups of it, larger '
                    'shares or another --seed are needed'
                )


def write_lists(
    out: Path,
    classes: Sequence[str],
    class_of: Mapping[str, str],
    subsets: Mapping[str, str],
    overwrite: bool,
) -> None:
    """Write the four files, all of them or none.

    Raises:
        ValueError: One is there with other content, and ``overwrite`` is False.
        OSError: They cannot be written.
    """
    label_of = {name: label for label, name in enumerate(classes)}
    texts = {
        out / f'{subset}.txt': ''.join(
            f'{clip} {label_of[name]}\n'
            for clip, name in sorted(class_of.items())
            if subsets[clip] == subset
        )
        for subset in SUBSETS
    }
    texts[out / 'classes.txt'] = ''.join(f'{name}\n' for name in classes)
    for path, text in texts.items():
        if not overwrite and path.exists() and path.read_bytes() != text.encode():
            raise ValueError(f'{path} exists and differs: --overwrite replaces it')
    out.mkdir(parents=True, exist_ok=True)
    with atomic_files(*texts) as partials:
        for partial, text in zip(partials, texts.values(), strict=True):
            partial.write_bytes(text.encode())


def as_table(
    classes: Sequence[str], class_of: Mapping[str, str], subsets: Mapping[str, str]
) -> str:
    """Numbers of clips by class and subset, as text."""
    counts = Counter((name, subsets[clip]) for clip, name in class_of.items())
    width = max(len('class'), *map(len, classes))
    rows = [f'label  {"class":{width}}' + ''.join(f'{subset:>8}' for subset in SUBSETS)]
    for label, name in enumerate(classes):
        cells = ''.join(f'{counts[name, subset]:8d}' for subset in SUBSETS)
        rows.append(f'{label:5d}  {name:{width}}{cells}')
    totals = ''.join(f'{list(subsets.values()).count(subset):8d}' for subset in SUBSETS)
    rows.append(f'{"":5}  {"all":{width}}{totals}')
    return '\n'.join(rows)
