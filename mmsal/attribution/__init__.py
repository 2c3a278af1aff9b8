"""Attributions: tensors in, tensors out."""

from mmsal.attribution.gradcam import METHODS, GradCAM, Localization
from mmsal.attribution.layers import TargetLayerError, default_layer_name, find_layer

__all__ = [
    'METHODS',
    'GradCAM',
    'Localization',
    'TargetLayerError',
    'default_layer_name',
    'find_layer',
]
