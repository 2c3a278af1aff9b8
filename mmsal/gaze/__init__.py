"""Where people looked: the fixation table that every reader gives and every comparison takes."""

from .table import (
    FIXATION_COLUMNS,
    GazeFormatError,
    read_fixation_table,
    validate_fixations,
    write_fixation_table,
)

__all__ = [
    'FIXATION_COLUMNS',
    'GazeFormatError',
    'read_fixation_table',
    'validate_fixations',
    'write_fixation_table',
]
