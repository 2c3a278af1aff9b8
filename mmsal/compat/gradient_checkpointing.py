"""Gradient checkpointing that trains as training without it does.

MMAction2's ``with_cp=True`` and MMEngine's ``activation_checkpointing`` keep the input of a block
and compute the block again in the backward pass (Chen et al., arXiv 1604.06174). Both call
``torch.utils.checkpoint`` as it was meant before torch 2.4, with three faults:

- The block's batch norms count the clips of a step twice: the moving averages are others than
  without checkpointing, and so is every later test. Upstream: pytorch/pytorch#96136.
- torch warns that ``use_reentrant`` is not passed, and announces to refuse that. Upstream:
  open-mmlab/mmengine#1539.
- A block whose input needs no gradient is not computed again: the first one above frozen stages
  (and, in MMEngine's, such a block gets no gradient at all).
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


def recompute_blocks_once() -> None:
    """Mend both kinds of gradient checkpointing; calling it again changes nothing.

    TANet's and Swin's blocks, which checkpoint in their own way, are left as they are.
    """
    from mmaction.models.backbones import mobilenet_v2, resnet, resnet3d, resnet_audio, x3d
    from mmengine.runner import activation_checkpointing

    for block in (
        mobilenet_v2.InvertedResidual,
        resnet.Bottleneck,
        resnet3d.BasicBlock3d,
        resnet3d.Bottleneck3d,
        resnet_audio.Bottleneck2dAudio,
        x3d.BlockX3D,
    ):
        if not getattr(block.forward, 'recomputes_once', False):
            block.forward = _block_forward(block.forward)
    activation_checkpointing.wrap_forward = _wrapped_forward


def recompute(module: nn.Module, forward: Callable, *args) -> Tensor:
    """Call ``forward``, keep its arguments alone, and call it again in the backward pass.

    Without a backward pass to come, or where the module is not in training mode, it is a plain
    call: explaining a video should not compute anything twice.

    Args:
        module: Its batch norms, at any depth, keep the statistics of the first call.
        forward: Function of ``args``; what it uses of ``module`` may require gradients though
            none of ``args`` does.
        args: Tensors and others.

    Returns:
        What ``forward`` returns.
    """
    if not (module.training and torch.is_grad_enabled()):
        return forward(*args)
    return _checkpoint(module, forward, *args)


@torch.compiler.disable  # it cannot trace the context; under torch.compile blocks run as they are
def _checkpoint(module: nn.Module, forward: Callable, *args) -> Tensor:
    return checkpoint(
        forward,
        *args,
        use_reentrant=False,
        context_fn=lambda: (nullcontext(), _statistics_kept(module)),
    )


@contextmanager
def _statistics_kept(module: nn.Module) -> Iterator[None]:
    """Let batch norms in training mode count into copies of their statistics.

    Copies, and neither ``momentum = 0`` nor no statistics at all: the second call must keep as
    many tensors, of the same shapes, for the backward pass as the first did.
    """
    norms = [
        norm
        for norm in module.modules()
        if isinstance(norm, _BatchNorm) and norm.training and norm.track_running_stats
    ]
    kept = [dict(norm._buffers) for norm in norms]
    for norm, buffers in zip(norms, kept, strict=True):
        copies = {name: value.clone() for name, value in buffers.items() if value is not None}
        norm._buffers.update(copies)
    try:
        yield
    finally:
        for norm, buffers in zip(norms, kept, strict=True):
            norm._buffers.update(buffers)


def _block_forward(original: Callable) -> Callable:
    def plainly(self: nn.Module, x: Tensor) -> Tensor:
        self.with_cp = False
        try:
            return original(self, x)
        finally:
            self.with_cp = True

    @functools.wraps(original)
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        if not self.with_cp:
            return original(self, x)
        return recompute(self, functools.partial(plainly, self), x)

    forward.recomputes_once = True
    return forward


def _wrapped_forward(forward: Callable) -> Callable:
    """Stands in for ``mmengine.runner.activation_checkpointing.wrap_forward``."""
    module = forward.__self__

    @functools.wraps(forward)
    def wrapper(*args):
        return recompute(module, forward, *args)

    return wrapper
