"""Fixation maps as DHF1K is released (Wang et al., CVPR 2018), with Hollywood-2 and UCF Sports.

A folder per video, ``annotation/0001``, with ``fixation/0001.png`` (fixation maps) and
``maps/0001.png`` (densities), which count the video's frames from 1. All observers are in one map.
The rate of the video is not said.
"""

from __future__ import annotations

from pathlib import Path

from mmsal.gaze.placing import RawGaze
from mmsal.gaze.readers.format import GazeFormat
from mmsal.gaze.readers.png_maps import png_files, read_fixation_maps
from mmsal.gaze.recording import Recording
from mmsal.gaze.table import GazeFormatError

FIXATIONS = 'fixation'


def _recognise(path: Path, head: str) -> bool:
    return (path / FIXATIONS).is_dir() and bool(png_files(path / FIXATIONS))


def _read(path: Path, recording: Recording) -> RawGaze:
    if not (path / FIXATIONS).is_dir():
        raise GazeFormatError(f'{path}: expected a folder with a folder {FIXATIONS} in it')
    if recording.frame_times is None:
        recording.require(str(path), 'fps')
    return read_fixation_maps(path / FIXATIONS, recording.video or path.resolve().name, recording)


FORMAT = GazeFormat(
    name='dhf1k_release',
    title='DHF1K, Hollywood-2 or UCF Sports as released: annotation/0001 with fixation/ in it',
    recognise=_recognise,
    read=_read,
    needs=('fps',),
    takes=('fps', 'frame_times', 'first_frame'),
    defaults={'first_frame': 1},
)
