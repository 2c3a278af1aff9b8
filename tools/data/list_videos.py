"""Lists of a folder of clips for MMAction2's VideoDataset, and which class has which label.

python tools/data/list_videos.py FOLDER [--group REGEX | --kth-split] [--classes A B ...]
"""

import argparse
import os
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from command_line import Parser, run


def parse_args() -> argparse.Namespace:
    parser = Parser(
        description='Divide the clips of a folder into training, validation and testing, and list '
        'them as MMAction2 reads them: lines of `path label`, paths relative to FOLDER. FOLDER has '
        'one sub-folder per class, with clips at any depth below it; or it is flat and its clips '
        'have the names of KTH (person01_walking_d1, perhaps with _seq0 behind), which tell the '
        'action. classes.txt has a class per line: the number of the line, from 0, is the label.',
        epilog='Why groups: clips of one person, or cut from one recording, resemble each other. '
        'With some of them in training and some in testing, the test rewards a network that '
        'knows the person or the place, and its accuracy says little about others. Exit code 2: '
        'bad usage or input, and nothing is written.',
    )
    add = parser.add_argument
    add('folder', metavar='FOLDER', help='folder of the clips')
    add('--out', metavar='DIR', help='folder for the lists (default: FOLDER/lists)')
    add('--classes', nargs='+', metavar='NAME', help='classes to list, in the order of their '
        'labels (default: all, by alphabet)')  # fmt: skip
    add('--val', type=float, metavar='SHARE', help='of the clips of every class, for validation '
        '(default: 0.1)')  # fmt: skip
    add('--test', type=float, metavar='SHARE', help='the same for testing (default: 0.2)')
    add('--seed', type=int, help='another seed, another split (default: 0)')
    add('--group', metavar='REGEX', help='keep clips together whose paths have the same text in '
        r"this expression's first group: 'person(\d+)', say")  # fmt: skip
    add('--kth-split', action='store_true', help="KTH's official split, by person, instead")
    add('--overwrite', action='store_true', help='replace lists that are there and differ')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    folder = Path(args.folder)
    out = Path(args.out) if args.out else folder / 'lists'
    found = find_clips(folder)
    classes = choose_classes(found, args.classes, folder)
    class_of = {clip: name for name in classes for clip in found[name]}
    subsets = divide(class_of, args)
    check_complete(class_of, subsets)
    write_lists(out, classes, class_of, subsets, args.overwrite)
    print(as_table(classes, class_of, subsets))
    for name in sorted(found.keys() - set(classes)):
        print(f'left out, for --classes does not name it: {name} ({len(found[name])} clips)')
    if not (args.group or args.kth_split):
        print(
            'note: divided clip by clip. Where several clips show one person or come from one '
            'recording, use --group, or the test has what was trained on'
        )
    print(f'lists in {out}; in the config: data_root = {str(folder)!r}, {len(classes)} classes')


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
    from mmsal.explain.jobs import VIDEO_SUFFIXES

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
    from mmsal.datasets.kth_sequences import clip_id, parse_name

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


def divide(class_of: Mapping[str, str], args: argparse.Namespace) -> dict[str, str]:
    """Give every clip its subset.

    Args:
        class_of: From clip (path relative to the folder) to its class.
        args: ``val`` and ``test`` (shares), ``seed``, ``group`` (regular expression or None) and
            ``kth_split``; each None (or False) where the command line does not name it.

    Returns:
        From clip to ``'train'``, ``'val'`` or ``'test'``.

    Raises:
        ValueError: Shares that leave a subset nothing, options that exclude each other, an
            expression that is none or does not match, a person who is not KTH's.
    """
    from mmsal.datasets.kth_sequences import split_groups

    if args.kth_split:
        named = [name for name in ('val', 'test', 'seed', 'group') if vars(args)[name] is not None]
        if named:
            raise ValueError(f"--kth-split is KTH's own split: drop --{named[0]}")
        return _kth_subsets(class_of)
    val = 0.1 if args.val is None else args.val
    test = 0.2 if args.test is None else args.test
    if not (val > 0 and test > 0 and val + test < 1):
        raise ValueError(
            f'--val, --test: expected shares above 0 with a sum below 1, got {val:g} and {test:g}'
        )
    groups = {clip: clip for clip in class_of}
    if args.group is not None:
        groups = _groups(class_of, args.group)
    samples = [(groups[clip], name) for clip, name in class_of.items()]
    subset_of = split_groups(samples, (1 - val - test, val, test), args.seed or 0)
    return {clip: subset_of[groups[clip]] for clip in class_of}


def _kth_subsets(clips: Mapping[str, str]) -> dict[str, str]:
    from mmsal.datasets.kth_sequences import OFFICIAL_SPLIT

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
    from mmsal.datasets.kth_sequences import SUBSETS

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
    from mmsal.datasets.kth_sequences import SUBSETS
    from mmsal.heatmaps.atomic import atomic_files

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
    from mmsal.datasets.kth_sequences import SUBSETS

    counts = Counter((name, subsets[clip]) for clip, name in class_of.items())
    width = max(len('class'), *map(len, classes))
    rows = [f'label  {"class":{width}}' + ''.join(f'{subset:>8}' for subset in SUBSETS)]
    for label, name in enumerate(classes):
        cells = ''.join(f'{counts[name, subset]:8d}' for subset in SUBSETS)
        rows.append(f'{label:5d}  {name:{width}}{cells}')
    totals = ''.join(f'{list(subsets.values()).count(subset):8d}' for subset in SUBSETS)
    rows.append(f'{"":5}  {"all":{width}}{totals}')
    return '\n'.join(rows)


if __name__ == '__main__':
    run(main)
