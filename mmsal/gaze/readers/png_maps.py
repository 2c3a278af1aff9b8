"""Fixations and densities as pictures: a folder with one PNG per frame of one video.

In a fixation map a pixel is 0 or has the map's one other value, where somebody looked. A pixel that
is set in consecutive frames is one fixation over all of them; its position is the middle of the
pixel. Who looked is not in the maps: observers are pooled under the name ``all``.

A map with more values is a density, which has no fixations any more: :func:`read_density_maps`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from mmsal.gaze.placing import RawGaze
from mmsal.gaze.readers.format import GazeFormat
from mmsal.gaze.recording import Recording
from mmsal.gaze.table import GazeFormatError

NUMBER = re.compile(r'\d+')
PNG_END = b'IEND\xaeB`\x82'
POOLED = 'all'


def read_density_maps(
    folder: str | Path, first_frame: int, frames: Iterable[int] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Read densities of fixations that were published as pictures, such as DHF1K's ``maps/``.

    Args:
        folder: With one grey PNG per frame; the last number in a file's name is the frame's.
        first_frame: The number of the video's first frame, 1 for DHF1K.
        frames: Zero-based frames to read; None reads all that are there.

    Returns:
        frame_indices: int64 [T], zero-based from the video's first frame, ascending.
        maps: float32 [T, H, W], from 0 to 1, which is the largest value that the picture's type
            holds (255 or 65535); origin top left. They are not scaled to sum to 1.

    Raises:
        FileNotFoundError: There is no such folder.
        GazeFormatError: There is no map, a frame in ``frames`` has none, a file cannot be read or
            is not grey, or sizes differ.
    """
    files = frame_files(Path(folder), first_frame)
    if frames is not None:
        wanted = sorted({int(frame) for frame in frames})
        absent = [frame for frame in wanted if frame not in files]
        if absent:
            raise GazeFormatError(f'{folder}: no map of frame {absent[0]} (zero-based)')
        files = {frame: files[frame] for frame in wanted}
    maps = None
    for place, (path, image) in enumerate(_images(files)):
        if image.dtype not in (np.uint8, np.uint16):
            raise GazeFormatError(f'{path}: expected 8 or 16 bits, got {image.dtype}')
        if maps is None:
            maps = np.empty((len(files), *image.shape), dtype=np.float32)
        maps[place] = image / np.float32(np.iinfo(image.dtype).max)
    if maps is None:
        raise GazeFormatError(f'{folder}: expected frames to read, got none')
    return np.array(list(files), dtype=np.int64), maps


def frame_files(folder: Path, first_frame: int) -> dict[int, Path]:
    """The PNG files of a folder by zero-based frame, in order.

    Raises:
        FileNotFoundError: There is no such folder.
        GazeFormatError: There is no PNG, a name has no number, two have the same, or one is below
            ``first_frame``.
    """
    if not folder.is_dir():
        raise FileNotFoundError(2, 'no such folder of maps', str(folder))
    files: dict[int, Path] = {}
    for path in sorted(png_files(folder)):
        found = NUMBER.findall(path.stem)
        if not found:
            raise GazeFormatError(f'{path}: expected the number of a frame in the file name')
        frame = int(found[-1]) - first_frame
        if frame < 0:
            raise GazeFormatError(
                f'{path}: expected frames to count from {first_frame}, got {int(found[-1])}'
            )
        if frame in files:
            raise GazeFormatError(f'{path}: frame {int(found[-1])} is also {files[frame].name}')
        files[frame] = path
    if not files:
        raise GazeFormatError(f'{folder}: there is no PNG file')
    return dict(sorted(files.items()))


def png_files(folder: Path) -> list[Path]:
    """PNG files right in a folder; hidden ones are left out."""
    return [
        path
        for path in folder.iterdir()
        if path.suffix.lower() == '.png' and not path.name.startswith('.')
    ]


def read_fixation_maps(folder: Path, video: str, recording: Recording) -> RawGaze:
    """Fixations from a folder of fixation maps; ``recording`` has ``first_frame`` and a rate.

    Raises:
        GazeFormatError: A file is no fixation map, sizes differ, or times of frames are not said.
    """
    files = frame_files(folder, recording.first_frame)
    found, size = [], None
    for frame, (path, image) in zip(files, _images(files), strict=True):
        size = image.shape[::-1]
        rows, columns = np.nonzero(_binary(path, image))
        found.append(np.stack([rows, columns, np.full(len(rows), frame)]))
    # Sorted by pixel, then by frame: a fixation ends where the pixel changes or a frame is skipped.
    marks = np.concatenate(found, axis=1)
    marks = marks[:, np.lexsort((marks[2], marks[1], marks[0]))]
    step = np.diff(marks, axis=1)
    breaks = np.flatnonzero((step[:2] != 0).any(axis=0) | (step[2] != 1)) + 1
    none = marks.shape[1] == 0
    first = np.array([], int) if none else np.concatenate([[0], breaks])
    last = np.array([], int) if none else np.append(breaks, marks.shape[1]) - 1
    fixations = pd.DataFrame(
        {
            'video': video,
            'observer': recording.observer or POOLED,
            'start_s': recording.frame_starts(str(folder), marks[2, first])[0],
            'end_s': recording.frame_starts(str(folder), marks[2, last])[1],
            # As shares, so that maps of another size than the video fit, too.
            'x': (marks[1, first] + 0.5) / size[0],
            'y': (marks[0, first] + 0.5) / size[1],
        }
    ).sort_values(['start_s', 'y', 'x'], kind='stable', ignore_index=True)
    counts = {'rows': marks.shape[1], 'joined': marks.shape[1] - len(first)}
    return RawGaze(fixations, 'video-normalised', video_sizes={video: size}, counts=counts)


def _images(files: dict[int, Path]):
    """Path and grey picture [H, W] of each file; an error where sizes differ."""
    shape = None
    for path in files.values():
        image = _grey(path)
        if shape is not None and image.shape != shape:
            raise GazeFormatError(
                f'{path}: expected {shape[1]}x{shape[0]} pixels as the maps before, got '
                f'{image.shape[1]}x{image.shape[0]}'
            )
        shape = image.shape
        yield path, image


def _grey(path: Path) -> np.ndarray:
    import cv2

    data = path.read_bytes()
    # OpenCV fills up with black what a file that was cut short lacks.
    whole = data.rstrip(b'\x00').endswith(PNG_END)
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if whole else None
    if image is None:
        # decord brings a zlib of its own, which OpenCV takes if it comes second.
        why = 'is damaged (or decord was imported before mmsal)' if whole else 'is cut short'
        raise GazeFormatError(f'{path} is not a PNG picture, or {why}')
    if image.ndim == 3:
        if image.shape[2] != 3 or (image != image[..., :1]).any():
            raise GazeFormatError(f'{path}: expected a grey picture, got one with colour or alpha')
        image = image[..., 0]
    return image


def _binary(path: Path, image: np.ndarray) -> np.ndarray:
    values = np.unique(image)
    if len(values) > 2:
        raise GazeFormatError(
            f'{path}: expected a fixation map of two values, got {len(values)}: a density, for '
            'read_density_maps'
        )
    if values[0] != 0:
        raise GazeFormatError(f'{path}: expected 0 where nobody looked, got {values[0]} at least')
    return image > 0


def _recognise(path: Path, head: str) -> bool:
    return path.is_dir() and bool(png_files(path)) and not (path / 'fixation').is_dir()


def _read(path: Path, recording: Recording) -> RawGaze:
    recording.require(str(path), 'video', 'first_frame')
    if recording.frame_times is None:
        recording.require(str(path), 'fps')
    return read_fixation_maps(path, recording.video, recording)


FORMAT = GazeFormat(
    name='png_maps',
    title='Folder of fixation maps, one PNG per frame',
    recognise=_recognise,
    read=_read,
    takes=('fps', 'frame_times', 'first_frame'),
    needs=('video', 'first_frame', 'fps'),
)
