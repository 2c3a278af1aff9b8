"""Heatmaps during testing and training, from a line in the config; registered with MMAction2."""

from mmsal.hooks.heatmap_dump import HeatmapDumpHook
from mmsal.hooks.heatmap_overlay import HeatmapOverlayHook

__all__ = ['HeatmapDumpHook', 'HeatmapOverlayHook']
