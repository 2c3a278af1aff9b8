"""Which fixations of a table belong to a video file, and which of them its frames show."""

import os
from collections import OrderedDict
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from mmsal.datasets.video import VideoError, decoding_errors
from mmsal.gaze import (
    VideoNames,
    fixations_in_intervals,
    frame_intervals,
    read_fixation_table,
)

__all__ = ['FixationsByFrame', 'FrameTimes']

_NUMBERS = ['start_s', 'end_s', 'x_px', 'y_px']


class FixationsByFrame:
    """A fixation table, asked video by video and frame by frame.

    Args:
        path: The table, CSV or Parquet; it is read here, once.

    Attributes:
        videos: Names of the table's videos, sorted.

    Raises:
        GazeFormatError, FileNotFoundError: See :func:`mmsal.gaze.read_fixation_table`.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = path
        table = read_fixation_table(path)
        codes, names = pd.factorize(table['video'], sort=True)
        order = np.argsort(codes, kind='stable')
        bounds = np.searchsorted(codes[order], np.arange(len(names) + 1)).tolist()
        self.videos = tuple(names.tolist())
        # One block of numbers: small to send to workers, and shared by those that are forked.
        self._numbers = table[_NUMBERS].to_numpy(np.float64)[order]
        self._rows = dict(zip(self.videos, pairwise(bounds), strict=True))
        self._names = VideoNames(self.videos)
        self._paired: dict[str, str | None] = {}
        self._taken: dict[str, str] = {}  # file by name

    def pair(self, files: Iterable[str | Path]) -> dict[str, str | None]:
        """Find each file's name in the table, and keep to it from now on.

        Names are paired by :func:`mmsal.gaze.pair_names`, over all the files at once. What was
        paired before is forgotten.

        Args:
            files: Video files or folders of frames; one may be there several times.

        Returns:
            The name by file; None for files that are not in the table.

        Raises:
            ValueError: A name fits several files, or a file several names.
        """
        files = list(dict.fromkeys(map(str, files)))
        one_file: dict[str, str] = {}
        for file in files:
            one_file.setdefault(_absolute(file), file)
        asked = list(one_file.values())
        self._refuse_doubts(self._names.doubtful(asked))
        pairs = self._names.pair(asked)
        self._paired = {file: pairs.get(one_file[_absolute(file)]) for file in files}
        self._taken = {name: file for file, name in pairs.items()}
        return dict(self._paired)

    def name_of(self, file: str | Path) -> str | None:
        """The name of a file in the table, None if it is not there.

        As :meth:`pair` found it; for a file that it was not asked about, by its own path alone.

        Raises:
            ValueError: Several names fit it, or its name fitted another file before.
        """
        file = str(file)
        if file in self._paired:
            return self._paired[file]
        self._refuse_doubts(self._names.doubtful([file]))
        name = self._names.pair([file]).get(file)
        if name is not None:
            other = self._taken.setdefault(name, file)
            if _absolute(other) != _absolute(file):
                raise ValueError(self._both({other: [name], file: [name]}, name))
        self._paired[file] = name
        return name

    def fixations(self, name: str) -> np.ndarray:
        """Those of a video, one of ``videos``: float64 [N, 4], start_s, end_s, x_px, y_px."""
        return self._numbers[slice(*self._rows[name])]

    def shown(
        self, name: str, starts: np.ndarray, ends: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Where people look while frames are shown.

        Args:
            name: Of the video, one of ``videos``.
            starts: float [F], seconds; frames in any order, each as often as it was drawn.
            ends: float [F], seconds.

        Returns:
            float64 [N, 2], x and y of the fixations that any of the frames shows, pixels of the
            source video; and bool [F, N], which of them each frame shows. See
            :func:`mmsal.gaze.fixations_in_intervals`.
        """
        numbers = self.fixations(name)
        table = pd.DataFrame(numbers[:, :2], columns=_NUMBERS[:2])
        _, first, back = np.unique(starts, return_index=True, return_inverse=True)
        frames, rows = fixations_in_intervals(table, starts[first], ends[first])
        shown = np.zeros((len(first), len(numbers)), bool)
        shown[frames, rows] = True
        used = shown.any(axis=0)
        return numbers[used, 2:], shown[:, used][back]

    def _refuse_doubts(self, doubts: dict[str, list[str]]) -> None:
        if not doubts:
            return
        file, names = next(iter(doubts.items()))
        sharing = [one for one, fitting in doubts.items() if names[0] in fitting]
        if len(sharing) > 1:
            raise ValueError(self._both(doubts, names[0]))
        raise ValueError(
            f'{self.path}: {file} could be {" or ".join(names[:3])} of the column video: call it '
            'there by its path'
        )

    def _both(self, doubts: dict[str, list[str]], name: str) -> str:
        sharing = [file for file, names in doubts.items() if name in names]
        return (
            f'{self.path}: {name} of the column video could be '
            f'{" or ".join(sharing[:3])}: give the folder there, too'
        )


class FrameTimes:
    """When the frames of video files are shown, from the files' own timestamps.

    Files that were asked for lately are remembered, with so many frames in all; not in copies and
    in other processes.

    Args:
        most_frames: Frames to remember; 8 bytes each.
    """

    def __init__(self, most_frames: int = 4_000_000) -> None:
        self.most_frames = most_frames
        self._edges: OrderedDict[str, np.ndarray] = OrderedDict()
        self._frames = 0

    def __call__(self, path: str | Path) -> np.ndarray:
        """Seconds from the first frame's start, float64 [T + 1]: of each frame, and the end.

        A frame is shown until the next one is; the last for one frame at the video's average rate.

        Raises:
            VideoError: The file cannot be read, or its timestamps do not ascend.
        """
        path = str(path)
        if path in self._edges:
            self._edges.move_to_end(path)
            return self._edges[path]
        edges = self._edges[path] = _read_edges(path)
        self._frames += len(edges)
        while self._frames > self.most_frames and len(self._edges) > 1:
            self._frames -= len(self._edges.popitem(last=False)[1])
        return edges

    def __getstate__(self) -> dict:
        return {'most_frames': self.most_frames}

    def __setstate__(self, state: dict) -> None:
        self.__init__(**state)


def _read_edges(path: str) -> np.ndarray:
    import decord

    if not Path(path).is_file():
        raise VideoError(f'video {path} does not exist: its timestamps tell which gaze is whose')
    try:
        # Its index has them; nothing is decoded.
        reader = decord.VideoReader(path, num_threads=1)
        starts = np.asarray(reader.get_frame_timestamp(range(len(reader))), np.float64)[:, 0]
        starts, ends = frame_intervals(starts - starts[0], fps=float(reader.get_avg_fps()))
    except decoding_errors() as error:
        raise VideoError(f'{path} is not a video that can be read') from error
    except ValueError as error:
        raise VideoError(f'{path}: its frames cannot be told apart in time: {error}') from error
    return np.append(starts, ends[-1])


def _absolute(file: str) -> str:
    return os.path.abspath(file)  # noqa: PTH100  a link is called as the user calls it
