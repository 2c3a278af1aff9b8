"""Naming the layer whose activations an attribution looks at."""

from difflib import get_close_matches

from torch import nn


class TargetLayerError(ValueError):
    """The named layer does not exist, or cannot be explained."""


def find_layer(model: nn.Module, name: str) -> nn.Module:
    """The submodule called ``name``.

    Args:
        model (nn.Module): The recognizer.
        name (str): MMAction2's path with slashes (``backbone/layer4/1/relu``), or torch's with
            dots (``backbone.layer4.1.relu``).

    Raises:
        TargetLayerError: There is none; the message lists the layers that exist where the path
            breaks off, the likeliest first.
    """
    module, walked = model, []
    for part in name.strip('/').replace('.', '/').split('/'):
        children = dict(module.named_children())
        if part not in children:
            close = get_close_matches(part, children, n=3, cutoff=0.4)
            names = close + [child for child in children if child not in close]
            prefix = '/'.join([*walked, ''])
            listed = ', '.join(prefix + child for child in names) or 'no layer below it'
            raise TargetLayerError(f'target layer {name!r} does not exist; there is: {listed}')
        module = children[part]
        walked.append(part)
    return module


def default_layer_name(model: nn.Module) -> str:
    """Where Grad-CAM usually looks: the last residual stage, else the backbone's output.

    Returns:
        str: A path with slashes for :func:`find_layer`.

    Raises:
        TargetLayerError: The model has no backbone.
    """
    backbone = getattr(model, 'backbone', None)
    if backbone is None:
        raise TargetLayerError('the model has no backbone: name the target layer')
    stages = getattr(backbone, 'res_layers', None)
    if stages and isinstance(stages[-1], str):
        return f'backbone/{stages[-1]}'
    return 'backbone'
