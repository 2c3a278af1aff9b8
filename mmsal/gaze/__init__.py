"""Where people looked: the fixation table that every reader gives and every comparison takes."""

from .maps import (
    area_shares,
    cell_density,
    fixation_density,
    fixation_map,
    fixations_in_intervals,
    frame_intervals,
    pixels_per_degree,
    window_intervals,
)
from .readers import FORMATS, read_fixations
from .readers.png_maps import read_density_maps
from .recording import Recording
from .table import (
    FIXATION_COLUMNS,
    GazeFormatError,
    read_fixation_table,
    validate_fixations,
    write_fixation_table,
)
from .video_names import VIDEO_SUFFIXES, VideoNames, pair_names

__all__ = [
    'FIXATION_COLUMNS',
    'FORMATS',
    'VIDEO_SUFFIXES',
    'GazeFormatError',
    'Recording',
    'VideoNames',
    'area_shares',
    'cell_density',
    'fixation_density',
    'fixation_map',
    'fixations_in_intervals',
    'frame_intervals',
    'pair_names',
    'pixels_per_degree',
    'read_density_maps',
    'read_fixation_table',
    'read_fixations',
    'validate_fixations',
    'window_intervals',
    'write_fixation_table',
]
