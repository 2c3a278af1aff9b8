"""Model saliency held against what else is known of a video: its motion, for one."""

from mmsal.comparison.flow import FlowClip, align, centre_bias, compare_clip
from mmsal.comparison.flow_folder import FlowComparison, FlowFiles, compare_folders, name_models
from mmsal.comparison.flow_maps import FlowSettings, export_flow, flow_heatmaps
from mmsal.comparison.flow_report import write_flow_report
from mmsal.comparison.flow_summary import headlines, summarize_flow
from mmsal.comparison.resampling import bootstrap_interval

__all__ = [
    'FlowClip',
    'FlowComparison',
    'FlowFiles',
    'FlowSettings',
    'align',
    'bootstrap_interval',
    'centre_bias',
    'compare_clip',
    'compare_folders',
    'export_flow',
    'flow_heatmaps',
    'headlines',
    'name_models',
    'summarize_flow',
    'write_flow_report',
]
