"""What a line in a config adds to testing and training; registered with MMAction2."""

from mmsal.hooks.gaze_count import GazeCountHook
from mmsal.hooks.heatmap_dump import HeatmapDumpHook
from mmsal.hooks.heatmap_overlay import HeatmapOverlayHook
from mmsal.hooks.pytorchvideo_weights import PyTorchVideoWeightsHook

__all__ = ['GazeCountHook', 'HeatmapDumpHook', 'HeatmapOverlayHook', 'PyTorchVideoWeightsHook']
