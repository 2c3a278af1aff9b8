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
        ``attrs['format']`` the format, ``attrs['recording']`` what was said.

    Raises:
        FileNotFoundError: There is no such file.
        GazeFormatError: The format is unknown, the file is not as its format demands, or something
            that the file does not say was not given either.
    """
    path = Path(path)
    said = Recording(**recording).named_after(path.stem)
    reader = find_format(path, format)
    said = said.with_defaults(reader.defaults)
    table = to_table(reader.read(path, said), said)
    table.attrs.update(format=reader.name, recording=said.said())
    return table


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
