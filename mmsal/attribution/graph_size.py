"""How much memory a backward pass will need."""

from collections.abc import Callable

import torch
from torch import Tensor


def graph_size(function: Callable[[Tensor], Tensor], inputs: Tensor) -> int:
    """Bytes that autograd keeps for the gradient of a function with respect to its inputs.

    Found by running it once; weights that the graph refers to are not counted.

    Args:
        function (Callable): Its parameters take no gradient.
        inputs (Tensor): What it is run on.
    """
    kept = {}

    def keep(tensor: Tensor) -> Tensor:
        # A linear layer keeps its weight transposed, a view of it.
        origin = tensor if tensor._base is None else tensor._base
        if not isinstance(origin, torch.nn.Parameter):
            storage = tensor.untyped_storage()
            kept[storage.data_ptr()] = storage.nbytes()
        # Not the tensor itself: an output that its own graph keeps would never be let go.
        return tensor.detach()

    leaf = inputs.detach().clone().requires_grad_(True)
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        function(leaf)
    return sum(kept.values())
