"""Which paths and which names mean the same video."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

VIDEO_SUFFIXES = ('.avi', '.mp4', '.mkv', '.mov', '.webm', '.mpg', '.mpeg', '.m4v', '.wmv', '.flv')


class VideoNames:
    """Names of videos, for paths to be paired with.

    A path and a name belong together if they are the same, with or without the suffix of a video
    file; or if one is the end of the other, part by part (``walking/a`` and ``a.avi``), and nothing
    else on either side could be meant. Folders or suffixes that contradict (``walking/a`` and
    ``running/a.avi``) never do. Composed and decomposed letters (Unicode NFC and NFD) are the same.

    Args:
        names: As a fixation table gives them, say.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._by_last: dict[tuple[str, ...], list[tuple[str, _Parts]]] = defaultdict(list)
        for name in map(str, names):
            parts = _parts(name)
            self._by_last[parts.path[-1:]].append((name, parts))

    def pair(self, paths: Iterable[str]) -> dict[str, str]:
        """The name that belongs to each path, where there is no doubt.

        Args:
            paths: Of videos, or of what is called after them; each once. Which of them are asked
                for together matters: a name that two of them could mean belongs to neither.

        Returns:
            Names by path, both as they were given; paths without a name of their own are absent.
        """
        return self._decide(paths)[0]

    def doubtful(self, paths: Iterable[str]) -> dict[str, list[str]]:
        """The paths that :meth:`pair` leaves out although they could mean a name that is left.

        Args:
            paths: As for :meth:`pair`.

        Returns:
            For each of these paths, the names that it could mean and that belong to no other path.
        """
        pairs, alike = self._decide(paths)
        taken = set(pairs.values())
        doubts: dict[str, list[str]] = defaultdict(list)
        for path, name in alike:
            if path not in pairs and name not in taken:
                doubts[path].append(name)
        return dict(doubts)

    def _decide(self, paths: Iterable[str]) -> tuple[dict[str, str], list[tuple[str, str]]]:
        """The pairs, and every path with every name that fits it."""
        same, alike = [], []
        for path in paths:
            own = _parts(path)
            for name, parts in self._by_last.get(own.path[-1:], ()):
                if own.fits(parts):
                    alike.append((path, name))
                    if own.path == parts.path:
                        same.append((path, name))
        decided = {path for path, _ in same}
        pairs = {path: name for path, name in _without_doubt(alike) if path not in decided}
        return pairs | dict(_without_doubt(same)), alike


def pair_names(stems: Iterable[str], names: Iterable[str]) -> dict[str, str]:
    """The name that belongs to each stem, where there is no doubt; see :class:`VideoNames`.

    Args:
        stems: Paths of heatmaps below their folder, without the suffix of a heatmap file; or of
            videos.
        names: Names of videos.

    Returns:
        Names by stem, both as they were given; stems without a name of their own are absent.
    """
    return VideoNames(names).pair(stems)


def _without_doubt(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Pairs of which both sides are in no other pair."""
    stems, names = Counter(stem for stem, _ in pairs), Counter(name for _, name in pairs)
    return [(stem, name) for stem, name in pairs if stems[stem] == names[name] == 1]


class _Parts(NamedTuple):
    """A name of a video: its folders and last part, and the suffix of a video file, or ''."""

    path: tuple[str, ...]
    suffix: str

    def fits(self, other: _Parts) -> bool:
        """Whether one is the end of the other, and no suffix says another file."""
        length = min(len(self.path), len(other.path))
        if length and self.path[-length:] != other.path[-length:]:
            return False
        return self.suffix == other.suffix or not (self.suffix and other.suffix)


def _parts(name: str) -> _Parts:
    name = unicodedata.normalize('NFC', name).replace('\\', '/')
    suffix = next((one for one in VIDEO_SUFFIXES if name.lower().endswith(one)), '')
    path = name[: len(name) - len(suffix)].split('/')
    return _Parts(tuple(part for part in path if part not in ('', '.')), suffix)
