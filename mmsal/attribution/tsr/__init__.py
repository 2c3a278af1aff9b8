"""Temporal saliency rescaling (TSR): which frames, and then where in them."""

from mmsal.attribution.tsr.clip_tsr import TSRResult, temporal_saliency_rescaling
from mmsal.attribution.tsr.explainer import TemporalSaliencyRescaling
from mmsal.attribution.tsr.features import (
    feature_saliency,
    rescaled_feature_saliency,
    rescaled_sequence_saliency,
    sequence_saliency,
)
from mmsal.attribution.tsr.hiding import fill_in
from mmsal.attribution.tsr.rescaling import FORMS, Changes, Rescaled, rescale

__all__ = [
    'FORMS',
    'Changes',
    'Rescaled',
    'TSRResult',
    'TemporalSaliencyRescaling',
    'feature_saliency',
    'fill_in',
    'rescale',
    'rescaled_feature_saliency',
    'rescaled_sequence_saliency',
    'sequence_saliency',
    'temporal_saliency_rescaling',
]
