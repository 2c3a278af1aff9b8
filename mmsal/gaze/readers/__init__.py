"""Readers of gaze files, one per format; all give the fixation table of :mod:`mmsal.gaze.table`."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mmsal.gaze.placing import to_table
from mmsal.gaze.readers import (
    activitynet_json,
    dhf1k_raw,
    dhf1k_release,
    diem,
    eyelink_asc,
    eyelink_report,
    png_maps,
    pupil_core,
    pupil_neon,
    table_file,
    tobii,
)
from mmsal.gaze.readers.format import GazeFormat, head_of
from mmsal.gaze.recording import Recording
from mmsal.gaze.table import GazeFormatError

FORMATS: dict[str, GazeFormat] = {
    one.name: one
    for one in (
        table_file.CSV_FORMAT,
        table_file.PARQUET_FORMAT,
        eyelink_asc.FORMAT,
        eyelink_report.FORMAT,
        tobii.FORMAT,
        pupil_core.FORMAT,
        pupil_core.SURFACE_FORMAT,
        pupil_neon.FORMAT,
        dhf1k_raw.FORMAT,
        dhf1k_release.FORMAT,
        png_maps.FORMAT,
        diem.FORMAT,
        activitynet_json.FORMAT,
    )
}  # fmt: skip

# Every format takes these: names, the picture's size, and what to_table holds against the file.
FOR_ALL = ('video', 'observer', 'video_size', 'space', 'origin')


def read_fixations(path: str | Path, format: str | None = None, **recording) -> pd.DataFrame:
    """Read the fixations of a gaze file into the one table that everything here takes.

    Args:
        path: File, or the folder that the format consists of.
        format: A key of ``FORMATS``; None recognises it from the file's header.
        **recording: What the file does not say: attributes of
            :class:`mmsal.gaze.recording.Recording`, such as ``video``, ``video_size``,
            ``screen_size``, ``video_rect``, ``time_zero``.

    Returns:
        Columns ``video, observer, start_s, end_s, x_px, y_px``: seconds from the video's first
        frame, pixels of the source video, origin top left. ``attrs['counts']`` tells how many rows
        were read and what was left out (see :func:`mmsal.gaze.placing.to_table`),
        ``attrs['format']`` the format, ``attrs['recording']`` what was said. Where the file says
        them: ``attrs['screen_size']``, the screen's pixels, and ``attrs['showings']``, observers
        who saw a video several times in it.

    Raises:
        FileNotFoundError: There is no such file.
        GazeFormatError: The format is unknown, the file is not as its format demands, something
            that the file does not say was not given either, or something was given that its format
            does not use.
    """
    path = Path(path)
    said = Recording(**recording).named_after(path.stem)
    reader = find_format(path, format)
    _refuse_unused(path, reader, said)
    said = said.with_defaults(reader.defaults)
    raw = reader.read(path, said)
    table = to_table(raw, said)
    table.attrs.update(format=reader.name, recording=said.said())
    if raw.screen_size is not None:
        table.attrs['screen_size'] = list(raw.screen_size)
    if raw.fixations.attrs.get('showings'):
        table.attrs['showings'] = raw.fixations.attrs['showings']
    return table


def _refuse_unused(path: Path, reader: GazeFormat, said: Recording) -> None:
    unused = [name for name in said.said() if name not in (*FOR_ALL, *reader.takes)]
    if unused:
        options = ', '.join(f'--{name.replace("_", "-")}' for name in unused)
        them = 'it' if len(unused) == 1 else 'them'
        raise GazeFormatError(f'{path}: {reader.name} does not use {options}: leave {them} out')


def find_format(path: Path, name: str | None = None) -> GazeFormat:
    """The format of a file, by name or from its beginning.

    Raises:
        FileNotFoundError: There is no such file.
        GazeFormatError: None or several formats fit, or none has this name; lists what there is.
    """
    if not path.exists():
        raise FileNotFoundError(2, 'no such gaze file', str(path))
    if name is not None:
        if name not in FORMATS:
            raise GazeFormatError(f'unknown gaze format {name!r}; supported: {", ".join(FORMATS)}')
        return FORMATS[name]
    head = head_of(path)
    fitting = [one for one in FORMATS.values() if one.recognise(path, head)]
    if len(fitting) == 1:
        return fitting[0]
    found = f'fits {" and ".join(one.name for one in fitting)}' if fitting else 'is not recognised'
    raise GazeFormatError(
        f'{path}: the format {found}; name it (--format), supported: {", ".join(FORMATS)}'
    )
