"""Model saliency held against what else is known of a video: human gaze, or its motion."""

from mmsal.comparison.flow.clip import FlowClip, align, centre_bias, compare_clip
from mmsal.comparison.flow.folder import FlowComparison, FlowFiles, compare_folders, name_models
from mmsal.comparison.flow.maps import FlowSettings, export_flow, flow_heatmaps
from mmsal.comparison.flow.report import write_flow_report
from mmsal.comparison.flow.summary import headlines, summarize_flow
from mmsal.comparison.gaze import GazeComparison, MismatchError, compare
from mmsal.comparison.gaze.pairs import compare_pairs
from mmsal.comparison.gaze.summary import summarize
from mmsal.comparison.gaze.tables import write_tables
from mmsal.comparison.gaze.verdicts import verdicts
from mmsal.comparison.report import VideoPage, write_report
from mmsal.comparison.resampling import bootstrap_interval

__all__ = [
    'FlowClip',
    'FlowComparison',
    'FlowFiles',
    'FlowSettings',
    'GazeComparison',
    'MismatchError',
    'VideoPage',
    'align',
    'bootstrap_interval',
    'centre_bias',
    'compare',
    'compare_clip',
    'compare_folders',
    'compare_pairs',
    'export_flow',
    'flow_heatmaps',
    'headlines',
    'name_models',
    'summarize',
    'summarize_flow',
    'verdicts',
    'write_flow_report',
    'write_report',
    'write_tables',
]
