"""Layers at a CNN's beginning, written anew so that gradients pass them quickly and alike."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

TIE = 4  # units of rounding within which two values of a pooling window count as equal


def rewrite_stem(backbone: nn.Module) -> nn.Module:
    """Put :class:`UnshuffledConv2d` and :class:`FirstMaxPool2d` where they can stand, in place."""
    for name, module in list(backbone.named_modules()):
        for kind in (UnshuffledConv2d, FirstMaxPool2d):
            if kind.can_replace(module):
                parent, _, child = name.rpartition('.')
                setattr(backbone.get_submodule(parent), child, kind(module))
    return backbone


class UnshuffledConv2d(nn.Module):
    """A strided convolution of few channels as one without a stride.

    Blocks of s x s pixels become channels (a pixel unshuffle), and so do those of the kernel. The
    sums are the same; the backward pass of such a convolution is an ordinary one, while that of the
    strided one is slow on a CPU.

    Args:
        conv (nn.Conv2d): Of the kind that :meth:`can_replace` accepts.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.stride, self.padding = conv.stride[0], conv.padding
        self.kernel = conv.kernel_size
        missing = [-size % self.stride for size in self.kernel]
        weight = functional.pad(conv.weight.detach(), (0, missing[1], 0, missing[0]))
        weight = functional.pixel_unshuffle(weight, self.stride)
        self.weight = nn.Parameter(weight.contiguous(memory_format=torch.channels_last), False)
        self.bias = conv.bias

    @staticmethod
    def can_replace(conv: nn.Module) -> bool:
        """Whether it is a convolution strided alike in both directions and of few channels."""
        if not _is_plain(conv, nn.Conv2d):
            return False
        alike = conv.stride[0] == conv.stride[1] > 1 and conv.dilation == (1, 1)
        padded = conv.padding_mode == 'zeros' and not isinstance(conv.padding, str)
        return alike and padded and conv.groups == 1 and conv.in_channels <= 4

    def forward(self, x: Tensor) -> Tensor:
        """As ``nn.Conv2d``: [N, C, H, W] -> [N, O, H', W']."""
        padding = []
        for size, kernel, before in zip(x.shape[-2:], self.kernel, self.padding, strict=True):
            steps = (size + 2 * before - kernel) // self.stride + 1
            covered = (steps - 1 + math.ceil(kernel / self.stride)) * self.stride
            padding = [before, covered - size - before, *padding]
        x = functional.pixel_unshuffle(functional.pad(x, padding), self.stride)
        x = x.contiguous(memory_format=torch.channels_last)
        return functional.conv2d(x, self.weight, self.bias)


class FirstMaxPool2d(nn.Module):
    """Max pooling whose gradient goes to the first of the largest values, rounding aside.

    torch does so among values that are equal to the last bit. A hidden patch is flat, and so are
    the first layer's maps of it; where kernels round the pixels of a flat map apart, the gradient
    would go astray.

    Args:
        pool (nn.MaxPool2d): Of the kind that :meth:`can_replace` accepts.
    """

    def __init__(self, pool: nn.MaxPool2d) -> None:
        super().__init__()
        self.shape = [_pair(pool.kernel_size), _pair(pool.stride), _pair(pool.padding)]
        self.ceil_mode = pool.ceil_mode

    @staticmethod
    def can_replace(pool: nn.Module) -> bool:
        """Whether it is a pooling without dilation that returns nothing else."""
        plain = _is_plain(pool, nn.MaxPool2d)
        return plain and _pair(pool.dilation) == (1, 1) and not pool.return_indices

    def forward(self, x: Tensor) -> Tensor:
        """As ``nn.MaxPool2d``: [N, C, H, W] -> [N, C, H', W']."""
        return _FirstMaxPool.apply(x, *self.shape, self.ceil_mode)


class _FirstMaxPool(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, kernel, stride, padding, ceil_mode):
        height, width = x.shape[-2:]
        rows = torch.arange(height, dtype=x.dtype, device=x.device)[:, None]
        columns = torch.arange(width, dtype=x.dtype, device=x.device)
        # Row by row within a window, each place is worth a little less than the one before (of
        # values above 0, such as a ReLU lets through).
        worth = 1 - TIE * torch.finfo(x.dtype).eps * (kernel[1] * rows + columns)
        how = (kernel, stride, padding, 1, ceil_mode)
        _, indices = torch.ops.aten.max_pool2d_with_indices(x * worth, *how)
        ctx.save_for_backward(x, indices)
        ctx.how = how
        return functional.max_pool2d(x, *how)

    @staticmethod
    def backward(ctx, gradient):
        x, indices = ctx.saved_tensors
        found = torch.ops.aten.max_pool2d_with_indices_backward(gradient, x, *ctx.how, indices)
        return found, None, None, None, None


def _is_plain(module: nn.Module, kind: type[nn.Module]) -> bool:
    """Of torch's class or mmcv's wrapper of the same name, which differs for empty inputs alone."""
    return isinstance(module, kind) and type(module).__name__ == kind.__name__


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)
