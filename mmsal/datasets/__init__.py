"""Datasets and transforms, registered with MMAction2."""

from .clip_range import ClipRange
from .gaze_maps import LoadGazeMaps
from .kth import KTHDataset
from .synthetic.shortcut import PlantShortcut

__all__ = ['ClipRange', 'KTHDataset', 'LoadGazeMaps', 'PlantShortcut']
