"""Attributions: tensors in, tensors out."""

from mmsal.attribution.cam_methods import CAM_METHODS
from mmsal.attribution.clips import input_gradient
from mmsal.attribution.explainer import Explainer, Localization
from mmsal.attribution.gradcam import GradCAM
from mmsal.attribution.input_methods import INPUT_METHODS, InputAttribution
from mmsal.attribution.layers import TargetLayerError, default_layer_names, find_layer
from mmsal.attribution.methods import METHODS, open_explainer
from mmsal.attribution.optical_flow import optical_flow, optical_flow_magnitude
from mmsal.attribution.preview import LayerPreview, preview_layers
from mmsal.attribution.rollout import AttentionRollout
from mmsal.attribution.tsr import (
    TemporalSaliencyRescaling,
    TSRResult,
    feature_saliency,
    rescaled_feature_saliency,
    temporal_saliency_rescaling,
)

__all__ = [
    'CAM_METHODS',
    'INPUT_METHODS',
    'METHODS',
    'AttentionRollout',
    'Explainer',
    'GradCAM',
    'InputAttribution',
    'LayerPreview',
    'Localization',
    'TSRResult',
    'TargetLayerError',
    'TemporalSaliencyRescaling',
    'default_layer_names',
    'feature_saliency',
    'find_layer',
    'input_gradient',
    'open_explainer',
    'optical_flow',
    'optical_flow_magnitude',
    'preview_layers',
    'rescaled_feature_saliency',
    'temporal_saliency_rescaling',
]
