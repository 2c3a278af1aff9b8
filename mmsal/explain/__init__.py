"""From a trained recognizer and a video to heatmaps in the source's frames and pixels."""

from mmsal.explain.batch import Effort, Output, explain_jobs
from mmsal.explain.jobs import HEATMAP_SUFFIXES, Job, ListError, parse_frame_ranges, read_job_list
from mmsal.explain.manifest import Manifest, ManifestRow
from mmsal.explain.one_video import Explanation, Question, explain_video, predict_video
from mmsal.explain.pipeline import ClipPipeline, PreparedClip
from mmsal.explain.prediction import Prediction
from mmsal.explain.prepare import Sampling
from mmsal.explain.ranks import Ranks, join_ranks
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
    'Effort',
    'Explanation',
    'Job',
    'ListError',
    'Manifest',
    'ManifestRow',
    'Output',
    'Prediction',
    'PreparedClip',
    'Question',
    'Ranks',
    'Sampling',
    'choose_device',
    'explain_jobs',
    'explain_video',
    'find_class',
    'join_ranks',
    'load_config',
    'load_recognizer',
    'parse_frame_ranges',
    'predict_video',
    'read_job_list',
]
