"""Which layers can be explained, and what grid of frames, rows and columns each has."""

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from mmsal.attribution.explainer import InputShape, frozen
from mmsal.attribution.layers import default_layer_names, split_name
from mmsal.attribution.layouts import LayerOutput, LayoutError, find_layout, layout_shape

# Parts of a transformer's block that are numbered themselves, and those of a ConvModule.
_PARTS = {'mlp', 'ffns', 'lmhra1', 'lmhra2', 'conv', 'bn', 'activate'}


@dataclass(frozen=True)
class LayerPreview:
    """A layer whose output can be laid on a grid.

    Attributes:
        name: For ``target_layer_name``.
        kind: Class of the module.
        output: Shape of its output for one view of a 3-D network, or for the frames of a 2-D one
            (of several in a nested output, the first).
        grid: (frames, rows, columns) of each clip.
        default: Whether it is explained when no layer is named.
    """

    name: str
    kind: str
    output: tuple[int, ...]
    grid: tuple[int, int, int]
    default: bool


def preview_layers(model: nn.Module, data: dict) -> list[LayerPreview]:
    """Layers of backbone and neck that can be named as target layer, in the order of their use.

    Those are stages, blocks and norms of blocks; smaller parts can be named too.

    Args:
        model (nn.Module): A recognizer in evaluation mode.
        data (dict): A batch of one sample, from the test pipeline.
    """
    # Of several clips and crops of a 3-D network one is enough: they all have the same shapes.
    inputs = [one[:1] if one.dim() == 5 else one for one in data['inputs']]
    data = {**data, 'inputs': inputs}
    outputs = {}
    with frozen(model), torch.no_grad(), ExitStack() as hooks:
        for name, module in model.named_modules():
            if _is_worth_naming(name):
                handle = module.register_forward_hook(partial(_keep_shape, outputs, name))
                hooks.callback(handle.remove)
        model.test_step(data)
    shape = InputShape.of(model, inputs)
    clip = (shape.frames, *shape.size)
    defaults = [split_name(name) for name in default_layer_names(model)]
    found = []
    for name, (kind, shapes) in outputs.items():
        path = split_name(name)
        for one in shapes:
            described = LayerOutput(model.backbone, path, one, shape.samples * shape.views, clip)
            try:
                grid = layout_shape(find_layout(described), one)
            except LayoutError:
                continue
            chosen = path in defaults
            found.append(LayerPreview('/'.join(path), kind, one, (grid[1], *grid[3:]), chosen))
            break
    return found


def _is_worth_naming(name: str) -> bool:
    """Whether it is a stage, a block or a norm of a block, and no small part of one."""
    path = split_name(name)
    if path[0] not in ('backbone', 'neck') or _PARTS.intersection(path):
        return False
    numbers = [place for place, part in enumerate(path) if part.isdigit()]
    inside = path[numbers[-1] + 1 :] if numbers else []
    return not inside or 'norm' in inside[-1]


def _keep_shape(outputs: dict, name: str, module: nn.Module, inputs: Any, output: Any) -> None:
    shapes = list(_shapes(output))
    if shapes and name not in outputs:
        outputs[name] = (type(module).__name__, shapes)


def _shapes(output: Any):
    if isinstance(output, Tensor) and output.dim() > 2:
        yield tuple(output.shape)
    elif type(output) in (tuple, list):
        for part in output:
            yield from _shapes(part)
