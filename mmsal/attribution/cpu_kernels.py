"""Quicker kernels for what needs no gradient on a CPU.

torch takes slow ways in two places that a video network meets all the time. Below the target layer
of an attribution, where no gradient passes, the quick ones can stand in.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn

LAYOUTS = {4: torch.channels_last, 5: torch.channels_last_3d}


@contextmanager
def quick_cpu_kernels(model: nn.Module) -> Iterator[None]:
    """Within the block, pooling and convolution without a gradient take the quick way.

    Max pooling is slow where the width is innermost, and takes a tenth to a fifth of the forward
    pass of a ResNet or I3D; with the channels innermost it is several times faster, and gives the
    same values to the last bit. A 3-D convolution of one clip is unrolled and multiplied, where
    oneDNN, which torch itself uses for two clips, takes half the time for spatial kernels; the
    values agree to rounding.

    What a gradient has to pass is left alone: among equal values the pooling would choose another.

    Args:
        model (nn.Module): Its ``MaxPool2d``, ``MaxPool3d`` and ``Conv3d`` are changed and changed
            back.
    """
    changed = []
    try:
        for module in model.modules():
            quick = _quick_forward(module)
            if quick is not None and 'forward' not in vars(module):
                module.forward = partial(quick, module)
                changed.append(module)
        yield
    finally:
        for module in changed:
            vars(module).pop('forward', None)


def _quick_forward(module: nn.Module) -> Callable | None:
    kind = type(module)
    # mmcv's wrappers of the same names change nothing but the treatment of empty inputs.
    kind = kind.__base__ if kind.__module__ == 'mmcv.cnn.bricks.wrappers' else kind
    return {nn.MaxPool2d: _max_pool, nn.MaxPool3d: _max_pool, nn.Conv3d: _conv3d}.get(kind)


def _max_pool(pool: nn.MaxPool2d | nn.MaxPool3d, x: Tensor) -> Tensor:
    forward = type(pool).forward
    if x.requires_grad or x.device.type != 'cpu' or x.dim() not in LAYOUTS or pool.return_indices:
        return forward(pool, x)
    if _pools_time_only(pool):
        length = pool.kernel_size[0]
        whole = x.shape[2] // length * length
        return x[:, :, :whole].unflatten(2, (-1, length)).amax(dim=3)
    return forward(pool, x.contiguous(memory_format=LAYOUTS[x.dim()])).contiguous()


def _pools_time_only(pool: nn.Module) -> bool:
    """Whether the windows are whole runs of frames, one pixel wide, side by side."""
    kernel = pool.kernel_size
    return (
        isinstance(pool, nn.MaxPool3d)
        and isinstance(kernel, tuple)
        and tuple(kernel[1:]) == (1, 1)
        and pool.stride == kernel
        and pool.padding in (0, (0, 0, 0))
        and pool.dilation in (1, (1, 1, 1))
        and not pool.ceil_mode
    )


def _conv3d(conv: nn.Conv3d, x: Tensor) -> Tensor:
    spatial = conv.kernel_size[0] == 1 and conv.kernel_size[1] > 1
    if (
        not spatial
        or x.requires_grad
        or x.dim() != 5
        or x.shape[0] != 1
        or x.device.type != 'cpu'
        or x.dtype != torch.float32
        or conv.weight.requires_grad
        or conv.weight.dtype != torch.float32
        or conv.padding_mode != 'zeros'
        or isinstance(conv.padding, str)
        or not torch.backends.mkldnn.is_available()
    ):
        return type(conv).forward(conv, x)
    return torch.mkldnn_convolution(
        x, conv.weight, conv.bias, conv.padding, conv.stride, conv.dilation, conv.groups
    )
