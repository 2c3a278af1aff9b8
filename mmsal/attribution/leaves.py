"""Cutting a layer's output off from what is below it, for the length of a forward pass."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

# By layer name and place in the layer's (nested) output: the leaves, one per use of the layer.
Leaves = dict[tuple, list[Tensor]]


@contextmanager
def cut_off(layers: dict[str, nn.Module]) -> Iterator[tuple[Leaves, dict[str, str]]]:
    """Within the block, what these layers give is detached from what they got.

    A gradient can then be asked for at the layers' outputs, and nothing below is recorded. Of
    several layers, one above another stays joined to it, so that the gradient at the lower one
    is whole.

    Args:
        layers (dict[str, nn.Module]): By name.

    Yields:
        tuple: The leaves, and a description of the output of each layer that was used; both are
        filled while the model runs.
    """
    leaves: Leaves = {}
    outputs: dict[str, str] = {}

    def cut(name: str, module: nn.Module, inputs: Any, output: Any) -> Any:
        outputs[name] = _describe(output)
        return _with_leaves(
            output, lambda place: leaves.setdefault((name, *place), []), len(layers) > 1
        )

    with ExitStack() as hooks:
        for name, layer in layers.items():
            handle = layer.register_forward_hook(partial(cut, name))
            hooks.callback(handle.remove)
        yield leaves, outputs


def _with_leaves(output: Any, leaves_of: Callable, join: bool, place: tuple = ()) -> Any:
    """A layer's output in which every map or sequence is a leaf; the rest stays as it is.

    ``leaves_of(place)`` is the list that takes the leaf at this place of a nested output. With
    ``join``, what hangs on other leaves already is not cut off from them.
    """
    if isinstance(output, Tensor) and output.dim() > 2 and output.is_floating_point():
        joined = join and output.requires_grad
        leaf = output if joined else output.detach().requires_grad_(True)
        leaves_of(place).append(leaf)
        # A copy, for a ReLU in place above must not overwrite the leaf; and in torch's own order of
        # memory, whatever kernel the layer was run by.
        return leaf.clone(memory_format=torch.contiguous_format)
    if type(output) in (tuple, list):
        parts = (_with_leaves(part, leaves_of, join, (*place, i)) for i, part in enumerate(output))
        return type(output)(parts)
    return output


def _describe(output: Any) -> str:
    if isinstance(output, Tensor):
        return f'a {output.dim()}-D output'
    return f'a {type(output).__name__} without one'
