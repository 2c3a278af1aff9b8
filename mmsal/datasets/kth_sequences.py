"""KTH's names, its list of sub-sequences, and who belongs to which subset.

The KTH action database (Schuldt, Laptev and Caputo, "Recognizing human actions: a local SVM
approach", ICPR 2004) films 25 persons doing six actions in four scenarios. Each file holds the
action about four times, mostly with an empty scene in between; ``00sequences.txt`` says which
frames show it. That list counts frames from 1 and includes the last one; everything in this
package counts from 0 and leaves the end out, so the change is made here and nowhere else.
"""

import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

__all__ = [
    'ACTIONS',
    'ACTIVITYNET_SUBSETS',
    'OFFICIAL_SPLIT',
    'SUBSETS',
    'KTHName',
    'clip_id',
    'parse_name',
    'read_activitynet',
    'read_sequences',
    'split_groups',
    'write_sequences',
]

ACTIONS = ('boxing', 'handclapping', 'handwaving', 'jogging', 'running', 'walking')
SUBSETS = ('train', 'val', 'test')
# The division used in the ICPR 2004 paper, by person.
OFFICIAL_SPLIT = {
    'train': (11, 12, 13, 14, 15, 16, 17, 18),
    'val': (19, 20, 21, 23, 24, 25, 1, 4),
    'test': (22, 2, 3, 5, 6, 7, 8, 9, 10),
}

# What the subsets are called in ActivityNet's files.
ACTIVITYNET_SUBSETS = {'train': 'training', 'val': 'validation', 'test': 'testing'}

_NAME = re.compile(r'person([0-9]{2})_([a-z]+)_d([1-4])(?:_uncomp)?')
# tools/data/kth/trim_videos.py --sequences writes one file per sub-sequence.
_CUT = re.compile(r'(?P<stem>.+)_seq(?P<index>[0-9]+)')
_SEQUENCE_LINE = re.compile(r'(person\d+_\S*)\s*(.*)')
_RANGE = re.compile(r'([0-9]+)\s*-\s*([0-9]+)')


class KTHName(NamedTuple):
    """What the name of a KTH file says: person (1 and up), action, scenario (1 to 4)."""

    person: int
    action: str
    scenario: int

    @property
    def stem(self) -> str:
        """The name as in ``00sequences.txt``, e.g. ``'person01_walking_d1'``."""
        return f'person{self.person:02d}_{self.action}_d{self.scenario}'


def parse_name(stem: str) -> KTHName:
    """Take the name of a KTH file apart.

    Args:
        stem: ``personNN_ACTION_dS`` or ``personNN_ACTION_dS_uncomp``, without folder or suffix.

    Returns:
        The person, the action (one of :data:`ACTIONS`) and the scenario.

    Raises:
        ValueError: The name does not have that form, or the action is none of the six.
    """
    match = _NAME.fullmatch(stem)
    if match is None or match[2] not in ACTIONS:
        raise ValueError(
            f'{stem!r} is not a KTH name: expected personNN_ACTION_dS, optionally followed by '
            f'_uncomp, with ACTION one of {", ".join(ACTIONS)} and S from 1 to 4'
        )
    return KTHName(int(match[1]), match[2], int(match[3]))


def clip_id(stem: str) -> str:
    """Name a clip whichever way its file or folder is spelt.

    Args:
        stem: A KTH name, with ``_seqK`` at its end if the file holds one sub-sequence only.

    Returns:
        ``'person01_walking_d1'``, or ``'person01_walking_d1#0'`` for the first sub-sequence.

    Raises:
        ValueError: The name is not KTH's.
    """
    cut = _CUT.fullmatch(stem)
    if cut is None:
        return parse_name(stem).stem
    return f'{parse_name(cut["stem"]).stem}#{int(cut["index"])}'


def read_sequences(path: str | Path) -> dict[str, list[tuple[int, int]]]:
    """Read KTH's list of sub-sequences.

    Spaces, tabs, blank lines, either line ending and lines of prose are accepted. Files marked
    ``*missing*`` (person13_handclapping_d3) are left out. Ranges are returned as they stand: in
    the published list a few overlap and a few are not in order of time.

    Args:
        path: ``00sequences.txt``.

    Returns:
        From file stem (``'person01_walking_d1'``) to its frame ranges, zero-based and half-open:
        ``frames 1-75`` becomes ``(0, 75)``.

    Raises:
        ValueError: A line begins with a KTH name and goes on in an unexpected way, a file is
            listed twice, or there is no such line at all. The message has file, line and fault.
    """
    path = Path(path)
    sequences: dict[str, list[tuple[int, int]]] = {}
    # The published list is ASCII; whatever else stands in the prose must not stop the reader.
    text = path.read_text(encoding='utf-8-sig', errors='replace')
    for number, line in enumerate(text.splitlines(), start=1):
        match = _SEQUENCE_LINE.fullmatch(line.strip())
        if match is None or match[2].lower() == '*missing*':
            continue
        try:
            stem = parse_name(match[1]).stem
            ranges = _parse_ranges(match[2])
            if stem in sequences:
                raise ValueError(f'{stem} is listed a second time')
        except ValueError as error:
            raise ValueError(f'{path}, line {number}: {error}') from None
        sequences[stem] = ranges
    if not sequences:
        raise ValueError(
            f'{path}: no line like "person01_walking_d1  frames  1-75, 152-225" in it; '
            "is it KTH's 00sequences.txt?"
        )
    return sequences


def _parse_ranges(text: str) -> list[tuple[int, int]]:
    """Turn ``frames 1-75, 152-225`` into ``[(0, 75), (151, 225)]``."""
    word, _, rest = text.partition('frames')
    if word or not rest.strip():
        raise ValueError(f'expected "frames 1-75, 152-225" or "*missing*", got {text!r}')
    ranges = []
    for part in rest.split(','):
        match = _RANGE.fullmatch(part.strip())
        if match is None:
            raise ValueError(f'expected a range like 1-75, got {part.strip()!r}')
        first, last = int(match[1]), int(match[2])
        if first < 1 or last < first:
            raise ValueError(
                f'range {part.strip()} is empty or begins before 1; frames count from 1, both ends '
                'belong to the range'
            )
        ranges.append((first - 1, last))
    return ranges


def write_sequences(
    path: Path, sequences: Mapping[str, Sequence[tuple[int, int]]], header: str = ''
) -> None:
    """Write a list of sub-sequences in the format of KTH's ``00sequences.txt``.

    Args:
        path: File to write. It is replaced in one step, so a killed run leaves no half of it.
        sequences: From file stem to frame ranges, zero-based and half-open, none of them empty.
        header: Prose for the top of the file; no line of it may begin with a KTH name.

    Raises:
        ValueError: A name is not KTH's, a file has no range, a range is empty or negative, or a
            line of the header would be read back as a sequence.
    """
    path = Path(path)
    for line in header.splitlines():
        if _SEQUENCE_LINE.fullmatch(line.strip()):
            raise ValueError(f'{path}: header line {line!r} would be read as a sequence')
    lines = [*header.splitlines(), ''] if header else []
    for name, ranges in sequences.items():
        if not ranges:
            raise ValueError(f'{path}: {name} has no frame range')
        for start, end in ranges:
            if not 0 <= start < end:
                raise ValueError(f'{path}: {name} has the empty or negative range {(start, end)}')
        text = ', '.join(f'{start + 1}-{end}' for start, end in ranges)
        lines.append(f'{parse_name(name).stem}\tframes\t{text}')
    partial = path.with_name(f'.{path.name}.part')
    partial.write_text(''.join(f'{line}\n' for line in lines), encoding='utf-8')
    partial.replace(path)


def read_activitynet(path: str | Path) -> dict[str, tuple[str, tuple[int, int] | None]]:
    """Read subsets from an ActivityNet-style JSON file.

    Args:
        path: ``{"labels": [...], "database": {CLIP: {"subset": "training"|"validation"|"testing",
            "annotations": {"label": ACTION}}}}``. CLIP is a KTH name, perhaps with a folder and
            the suffix of a video. The annotations may have ``"frames": [start, end]``, zero-based
            and half-open, or ``"segment": [start, end]`` as in 3D-ResNets-PyTorch, half-open too
            but counted from 1.

    Returns:
        From clip (as :func:`clip_id` names it) to subset (``'train'``, ``'val'`` or ``'test'``)
        and frame range, zero-based and half-open, or None for the whole clip.

    Raises:
        ValueError: The file is not such a JSON file, a name is not KTH's or is there twice, or a
            label is not the action in the name. The message has the file and the fault.
    """
    entries = {}
    try:
        database = json.loads(Path(path).read_text(encoding='utf-8'))['database']
        for key, entry in database.items():
            clip = clip_id(re.sub(r'\.(avi|mp4|mkv|mov)$', '', key.rpartition('/')[2]))
            if clip in entries:
                raise ValueError(f'{clip} is listed a second time, as {key!r}')
            entries[clip] = _parse_entry(clip, entry)
    # JSONDecodeError is a ValueError with three arguments; MMEngine's registry rebuilds
    # exceptions from their message alone.
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from None
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f'{path}: expected {{"database": {{CLIP: {{"subset": ..., "annotations": {{"label": '
            f'...}}}}}}}} ({type(error).__name__}: {error})'
        ) from None
    return entries


def _parse_entry(clip: str, entry: Mapping) -> tuple[str, tuple[int, int] | None]:
    subsets = {theirs: ours for ours, theirs in ACTIVITYNET_SUBSETS.items()}
    if entry['subset'] not in subsets:
        raise ValueError(
            f'{clip} has the subset {entry["subset"]!r}; expected one of {", ".join(subsets)}'
        )
    annotations = entry['annotations']
    if annotations['label'] != parse_name(clip.partition('#')[0]).action:
        raise ValueError(f'{clip} has the label {annotations["label"]!r}')
    if 'frames' not in annotations and 'segment' not in annotations:
        return subsets[entry['subset']], None
    first = 0 if 'frames' in annotations else 1
    start, end = annotations['segment' if first else 'frames']
    if not (isinstance(start, int) and isinstance(end, int) and first <= start < end):
        raise ValueError(
            f'{clip} has the frame range {start}, {end}; expected whole numbers with '
            f'{first} <= start < end'
        )
    return subsets[entry['subset']], (start - first, end - first)


def split_groups(
    samples: Sequence[tuple[Hashable, str]],
    ratios: Sequence[float] = (0.6, 0.2, 0.2),
    seed: int = 0,
) -> dict[Hashable, str]:
    """Divide groups of samples at random into train, val and test.

    A group (a person, say) goes into one subset as a whole. Each subset gets its share of every
    class as nearly as the groups allow: groups are taken in random order, and each goes where its
    classes are, in proportion, furthest from their share. The order is that of a hash of seed and
    group, so it is the same on every machine and with every version of Python or numpy.

    Args:
        samples: One pair (group, class name) per sample.
        ratios: Shares of train, val and test; not negative, with sum 1.
        seed: Another seed, another split.

    Returns:
        From group to ``'train'``, ``'val'`` or ``'test'``. Every group has exactly one.

    Raises:
        ValueError: The ratios are not three shares with sum 1.
    """
    if len(ratios) != 3 or min(ratios) < 0 or abs(sum(ratios) - 1) > 1e-6:
        raise ValueError(f'expected three ratios (train, val, test) with sum 1, got {ratios}')
    totals = Counter(label for _, label in samples)
    groups: dict[Hashable, Counter] = defaultdict(Counter)
    for group, label in samples:
        groups[group][label] += 1
    # How many samples of each class a subset should get, and how many it has so far. The largest
    # share comes first because max() takes the first of equals.
    wanted = {
        subset: {label: ratio * total for label, total in totals.items()}
        for ratio, subset in sorted(zip(ratios, SUBSETS, strict=True), key=lambda pair: -pair[0])
        if ratio > 0
    }
    filled = {subset: Counter() for subset in wanted}
    order = sorted(groups, key=lambda group: hashlib.sha256(f'{seed}:{group}'.encode()).digest())
    assigned = {}
    for group in order:
        # Classes with one group each would all go to the largest share but for the second number.
        lacks = {
            subset: (
                _lack(groups[group], filled[subset], wanted[subset]),
                _lack(totals, filled[subset], wanted[subset]),
            )
            for subset in wanted
        }
        assigned[group] = max(lacks, key=lacks.__getitem__)
        filled[assigned[group]].update(groups[group])
    return assigned


def _lack(group: Counter, filled: Counter, wanted: Mapping[str, float]) -> float:
    """How far a subset is from its share of the classes in a group, weighted by the group."""
    lack = sum(count * (1 - filled[label] / wanted[label]) for label, count in group.items())
    return round(lack, 9)  # equal is equal, whatever the order of the sum
