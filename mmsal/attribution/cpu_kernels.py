"""Quicker kernels for what needs no gradient on a CPU.

torch takes slow ways in places that a video network meets all the time. Below the target layer of
an attribution, where no gradient passes, quick ones can stand in.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LAYOUTS = {4: torch.channels_last, 5: torch.channels_last_3d}
# What torch says of a view that joins axes whose values do not lie one after the other.
_NO_SUCH_VIEW = 'view size is not compatible'
Result = TypeVar('Result')


def run_quickly(model: nn.Module, call: Callable[[], Result]) -> Result:
    """Call a function within :func:`quick_cpu_kernels`.

    What the kernels hand on has its channels innermost in memory. A module that joins channels and
    positions by ``view``, which that order forbids, gets torch's own kernels: the call is repeated.

    Args:
        model (nn.Module): The network.
        call (Callable): Runs it; may be called twice.

    Returns:
        What the function returns.
    """
    try:
        with quick_cpu_kernels(model):
            return call()
    except RuntimeError as error:
        if _NO_SUCH_VIEW not in str(error):
            raise
    return call()


@contextmanager
def quick_cpu_kernels(model: nn.Module) -> Iterator[None]:
    """Within the block, what passes no gradient takes the quick way on a CPU.

    3-D convolutions: torch unrolls the windows of one clip and multiplies; oneDNN with the channels
    innermost in memory takes a half to a third of the time and no room for the windows. Its output
    stays in that order, so that the next layer need not turn it.

    Batch normalisation after such a convolution, in mmcv's ``ConvModule``, is folded into its
    weights for the one call, which saves a pass over the map and a copy of it.

    Max pooling is slow where the width is innermost; with the channels innermost it is several
    times faster, and gives the same values to the last bit.

    mmcv's ``Swish`` is torch's ``silu``, one pass for two.

    All values agree to rounding. What a gradient has to pass is left alone: among equal values the
    pooling would choose another. Parameters and statistics are read, never written; a convolution
    or normalisation with hooks is run as it is, so that these see what they would see.

    Args:
        model (nn.Module): Its modules of these kinds are changed and changed back.
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
    if kind.__module__ == 'mmcv.cnn.bricks.wrappers':
        # They change nothing but the treatment of empty inputs.
        kind = kind.__base__
    elif kind.__module__.startswith('mmcv.cnn.bricks.'):
        if kind.__name__ == 'ConvModule' and _is_foldable(module):
            return _folded
        return _swish if kind.__name__ == 'Swish' else None
    return {nn.MaxPool2d: _max_pool, nn.MaxPool3d: _max_pool, nn.Conv3d: _conv3d}.get(kind)


def _passes_no_gradient(x: Tensor) -> bool:
    return x.device.type == 'cpu' and not (x.requires_grad and torch.is_grad_enabled())


def _max_pool(pool: nn.MaxPool2d | nn.MaxPool3d, x: Tensor) -> Tensor:
    forward = type(pool).forward
    if not _passes_no_gradient(x) or x.dim() not in LAYOUTS or pool.return_indices:
        return forward(pool, x)
    layout = LAYOUTS[x.dim()]
    if _pools_time_only(pool):
        length = pool.kernel_size[0]
        whole = x.shape[2] // length * length
        pooled = x[:, :, :whole].unflatten(2, (-1, length)).amax(dim=3)
    else:
        pooled = forward(pool, x.contiguous(memory_format=layout))
    channels_innermost = x.is_contiguous(memory_format=layout) and not x.is_contiguous()
    return pooled.contiguous(
        memory_format=layout if channels_innermost else torch.contiguous_format
    )


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
    if not _suits_onednn(conv, x):
        return type(conv).forward(conv, x)
    return _onednn(conv, x, conv.weight, conv.bias)


def _suits_onednn(conv: nn.Conv3d, x: Tensor) -> bool:
    tensors = [tensor for tensor in (x, conv.weight, conv.bias) if tensor is not None]
    return (
        torch.backends.mkldnn.is_available()
        and torch.backends.mkldnn.enabled
        and not torch.is_autocast_enabled('cpu')
        and all(_passes_no_gradient(one) and one.dtype == torch.float32 for one in tensors)
        and x.dim() == 5
        and x.numel() > 0
        and conv.padding_mode == 'zeros'
        and not isinstance(conv.padding, str)
    )


def _onednn(conv: nn.Conv3d, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return torch.mkldnn_convolution(
        x.contiguous(memory_format=torch.channels_last_3d),
        weight,
        bias,
        conv.padding,
        conv.stride,
        conv.dilation,
        conv.groups,
    )


def _is_foldable(module: nn.Module) -> bool:
    """Whether it is a convolution, then a batch normalisation, and nothing between or before."""
    return (
        tuple(module.order) == ('conv', 'norm', 'act')
        and not module.with_explicit_padding
        and _quick_forward(module.conv) is _conv3d
        and type(module.norm) in (nn.BatchNorm3d, nn.SyncBatchNorm)
        and not any('forward' in vars(part) for part in (module.conv, module.norm))
    )


def _folded(module: nn.Module, x: Tensor, activate: bool = True, norm: bool = True) -> Tensor:
    conv, batch_norm = module.conv, module.norm
    if (
        not norm
        or batch_norm.training
        or batch_norm.running_mean is None
        or not all(map(_is_plain, (batch_norm.weight, batch_norm.bias, batch_norm.running_mean)))
        or _has_hooks(conv)
        or _has_hooks(batch_norm)
        or not _suits_onednn(conv, x)
    ):
        return type(module).forward(module, x, activate, norm)
    scale = 1 / (batch_norm.running_var + batch_norm.eps).sqrt()
    if batch_norm.affine:
        scale = scale * batch_norm.weight
    mean = batch_norm.running_mean if conv.bias is None else batch_norm.running_mean - conv.bias
    bias = -mean * scale
    if batch_norm.affine:
        bias = bias + batch_norm.bias
    y = _onednn(conv, x, conv.weight * scale[:, None, None, None, None], bias)
    return module.activate(y) if activate and module.with_activation else y


def _is_plain(tensor: Tensor | None) -> bool:
    return tensor is None or (_passes_no_gradient(tensor) and tensor.dtype == torch.float32)


def _has_hooks(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks)


def _swish(swish: nn.Module, x: Tensor) -> Tensor:
    return F.silu(x) if _passes_no_gradient(x) else type(swish).forward(swish, x)
