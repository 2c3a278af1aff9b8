"""From a trained recognizer and a video to heatmaps in the source's frames and pixels."""

from mmsal.explain.batch import Manifest, ManifestRow, explain_jobs
from mmsal.explain.jobs import HEATMAP_SUFFIXES, Job, ListError, parse_frame_ranges, read_job_list
from mmsal.explain.one_video import Explanation, Prediction, explain_video, predict_video
from mmsal.explain.pipeline import ClipPipeline, PreparedClip
from mmsal.explain.recognizer import (
    CheckpointError,
    ConfigError,
    choose_device,
    find_class,
    load_config,
    load_recognizer,
)

__all__ = [
    'HEATMAP_SUFFIXES',
    'CheckpointError',
    'ClipPipeline',
    'ConfigError',
    'Explanation',
    'Job',
    'ListError',
    'Manifest',
    'ManifestRow',
    'Prediction',
    'PreparedClip',
    'choose_device',
    'explain_jobs',
    'explain_video',
    'find_class',
    'load_config',
    'load_recognizer',
    'parse_frame_ranges',
    'predict_video',
    'read_job_list',
]
