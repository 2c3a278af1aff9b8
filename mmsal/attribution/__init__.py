"""Attributions: tensors in, tensors out."""

from mmsal.attribution.cam_methods import CAM_METHODS
from mmsal.attribution.explainer import Explainer, Localization
from mmsal.attribution.gradcam import GradCAM
from mmsal.attribution.input_methods import INPUT_METHODS, InputAttribution
from mmsal.attribution.layers import TargetLayerError, default_layer_names, find_layer
from mmsal.attribution.methods import METHODS, open_explainer
from mmsal.attribution.preview import LayerPreview, preview_layers
from mmsal.attribution.rollout import AttentionRollout

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
    'TargetLayerError',
    'default_layer_names',
    'find_layer',
    'open_explainer',
    'preview_layers',
]
