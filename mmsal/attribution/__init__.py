"""Attributions: tensors in, tensors out."""

from mmsal.attribution.cam_methods import CAM_METHODS
from mmsal.attribution.explainer import Explainer, Localization
from mmsal.attribution.gradcam import GradCAM
from mmsal.attribution.layers import TargetLayerError, default_layer_names, find_layer

__all__ = [
    'CAM_METHODS',
    'Explainer',
    'GradCAM',
    'Localization',
    'TargetLayerError',
    'default_layer_names',
    'find_layer',
]
