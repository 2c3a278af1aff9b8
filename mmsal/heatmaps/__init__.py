"""Heatmap sequences and their files; NumPy only."""

from .errors import HeatmapFormatError
from .files import read_heatmap_meta, read_heatmaps, write_heatmaps
from .sequence import HeatmapSequence

__all__ = [
    'HeatmapFormatError',
    'HeatmapSequence',
    'read_heatmap_meta',
    'read_heatmaps',
    'write_heatmaps',
]
