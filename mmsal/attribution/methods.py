"""All attribution methods under one roof, by name."""

from typing import Any

from torch import nn

from mmsal.attribution.cam_methods import CAM_METHODS
from mmsal.attribution.explainer import Explainer
from mmsal.attribution.gradcam import GradCAM
from mmsal.attribution.input_methods import INPUT_METHODS, InputAttribution
from mmsal.attribution.layers import TargetLayerError
from mmsal.attribution.rollout import AttentionRollout
from mmsal.attribution.tsr.explainer import TSR, TemporalSaliencyRescaling

ROLLOUT = 'attention_rollout'
METHODS = (*CAM_METHODS, ROLLOUT, *INPUT_METHODS, TSR)


def open_explainer(
    model: nn.Module,
    method: str = 'gradcam',
    target_layer_name: str | None = None,
    **options: Any,
) -> Explainer:
    """An explainer for a ``with`` block.

    Args:
        model (nn.Module): A recognizer of MMAction2.
        method (str): One of ``METHODS``.
        target_layer_name (str, optional): For the methods of the CAM family; see
            :class:`mmsal.attribution.GradCAM`.
        options: Of :class:`mmsal.attribution.InputAttribution` or
            :class:`mmsal.attribution.TemporalSaliencyRescaling`.

    Raises:
        TargetLayerError: The layer does not exist, the method has none, or the model has no
            attention that could be rolled out.
        ValueError: Unknown method, or an option it does not have.
    """
    if method not in METHODS:
        raise ValueError(f'expected method to be one of {", ".join(METHODS)}, got {method!r}')
    if method in INPUT_METHODS:
        _refuse_layer(method, target_layer_name)
        return InputAttribution(model, method, **options)
    if method == TSR:
        _refuse_layer(method, target_layer_name)
        return TemporalSaliencyRescaling(model, **options)
    if options:
        raise ValueError(f'{method} has no options, got {", ".join(options)}')
    if method == ROLLOUT:
        _refuse_layer(method, target_layer_name)
        return AttentionRollout(model)
    return GradCAM(model, target_layer_name, method=method)


def _refuse_layer(method: str, target_layer_name: str | None) -> None:
    if target_layer_name is not None:
        raise TargetLayerError(f'{method} looks at no single layer: leave the target layer out')
