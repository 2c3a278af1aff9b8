"""Naming the layers whose activations an attribution looks at."""

from collections.abc import Callable
from difflib import get_close_matches

from torch import nn


class TargetLayerError(ValueError):
    """The named layer does not exist, or cannot be explained."""


def split_name(name: str) -> list[str]:
    """Parts of a layer's name, written with slashes or with dots."""
    return name.strip('/').replace('.', '/').split('/')


def split_names(names: str) -> tuple[str, ...]:
    """Names of layers that are separated by commas.

    Raises:
        TargetLayerError: One is empty, or there twice.
    """
    found = tuple(name.strip() for name in names.split(','))
    if '' in found:
        raise TargetLayerError(f'expected names of layers between commas, got {names!r}')
    if len({tuple(split_name(name)) for name in found}) < len(found):
        raise TargetLayerError(f'expected every target layer once, got {names!r}')
    return found


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
    for part in split_name(name):
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


def default_layer_names(model: nn.Module) -> tuple[str, ...]:
    """The last layers with a place for every feature, where Grad-CAM usually looks.

    For a convolutional network the last convolutional stage: of both pathways of SlowFast, and
    below the neck of TPN, which pools time away. For a transformer whose head averages tokens, the
    last block; for one whose head reads the class token alone, the last layer from which that
    token still draws on the others.

    Returns:
        tuple[str, ...]: Paths with slashes for :func:`find_layer`.

    Raises:
        TargetLayerError: The model has no backbone.
    """
    backbone = getattr(model, 'backbone', None)
    if backbone is None:
        raise TargetLayerError('the model has no backbone: name the target layer')
    for kind in type(backbone).__mro__:
        if kind.__name__ in DEFAULTS:
            return tuple(f'backbone/{name}' for name in DEFAULTS[kind.__name__](backbone))
    stages = getattr(backbone, 'res_layers', None)
    if stages and isinstance(stages[-1], str):
        return (f'backbone/{stages[-1]}',)
    return ('backbone',)


def _timesformer(backbone: nn.Module) -> list[str]:
    layers = backbone.transformer_layers.layers
    # Of the divided attention, the temporal one comes first and leaves the class token alone.
    divided = backbone.attention_type == 'divided_space_time'
    return [f'transformer_layers/layers/{len(layers) - 1}/{"attentions" if divided else "norms"}/0']


def _vision_transformer(backbone: nn.Module) -> list[str]:
    last = f'blocks/{len(backbone.blocks) - 1}'
    averages = backbone.fc_norm is not None or backbone.return_feat_map
    return [last if averages else f'{last}/norm1']


def _mvit(backbone: nn.Module) -> list[str]:
    last = len(backbone.blocks) - 1
    if backbone.output_cls_token:
        return [f'blocks/{last}/norm1']
    return [f'norm{backbone.stage_indices[last]}']


# By the class name of the backbone: names below it.
DEFAULTS: dict[str, Callable[[nn.Module], list[str]]] = {
    'C3D': lambda backbone: ['conv5b'],
    'X3D': lambda backbone: ['conv5'],
    'ResNet3dSlowFast': lambda backbone: [
        f'{path}/{getattr(backbone, path).res_layers[-1]}' for path in ('slow_path', 'fast_path')
    ],
    'SwinTransformer3D': lambda backbone: [f'norm{backbone.out_indices[-1]}'],
    'UniFormer': lambda backbone: ['norm'],
    'UniFormerV2': lambda backbone: [
        f'transformer/resblocks/{len(backbone.transformer.resblocks) - 1}'
    ],
    'TimeSformer': _timesformer,
    'VisionTransformer': _vision_transformer,
    'MViT': _mvit,
}
