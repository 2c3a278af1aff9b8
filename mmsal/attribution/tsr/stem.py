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
        turned = weight.flip(2, 3).transpose(0, 1)
        self.turned = nn.Parameter(turned.contiguous(memory_format=torch.channels_last), False)

    @staticmethod
    def can_replace(conv: nn.Module) -> bool:
        """Whether it is a convolution strided alike in both directions and of few channels."""
        if not is_plain_conv(conv):
            return False
        alike = conv.stride[0] == conv.stride[1] > 1 and conv.dilation == (1, 1)
        return alike and conv.groups == 1 and conv.in_channels <= 4

    def forward(self, x: Tensor) -> Tensor:
        """As ``nn.Conv2d``: [N, C, H, W] -> [N, O, H', W']."""
        return functional.conv2d(self._in_blocks(x), self.weight, self.bias)

    def along(self, directions: Tensor) -> Tensor:
        """How its output changes along directions of x, [N, C, H, W]."""
        return functional.conv2d(self._in_blocks(directions), self.weight)

    def back(self, gradient: Tensor, shape: torch.Size) -> Tensor:
        """Its gradient with respect to x of that shape, by one with respect to its output."""
        # The convolution with the kernel turned round.
        reach = [size - 1 for size in self.weight.shape[2:]]
        found = functional.conv2d(gradient, self.turned, padding=reach)
        found = functional.pixel_shuffle(found, self.stride)
        return functional.pad(found, [-margin for margin in self._margins(shape)])

    def _in_blocks(self, x: Tensor) -> Tensor:
        x = functional.pixel_unshuffle(functional.pad(x, self._margins(x.shape)), self.stride)
        return x.contiguous(memory_format=torch.channels_last)

    def _margins(self, shape: torch.Size) -> list[int]:
        """Left, right, above and below: zeros that are needed, or pixels that are not (below 0)."""
        margins = []
        for size, kernel, before in zip(shape[2:], self.kernel, self.padding, strict=True):
            steps = (size + 2 * before - kernel) // self.stride + 1
            covered = (steps - 1 + math.ceil(kernel / self.stride)) * self.stride
            margins = [before, covered - size - before, *margins]
        return margins


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
        found, indices = first_max_pool(x, kernel, stride, padding, ceil_mode)
        ctx.save_for_backward(x, indices)
        ctx.how = (kernel, stride, padding, 1, ceil_mode)
        return found

    @staticmethod
    def backward(ctx, gradient):
        x, indices = ctx.saved_tensors
        found = torch.ops.aten.max_pool2d_with_indices_backward(gradient, x, *ctx.how, indices)
        return found, None, None, None, None


def first_max_pool(
    x: Tensor,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    ceil_mode: bool = False,
) -> tuple[Tensor, Tensor]:
    """Max pooling of [N, C, H, W], and where the first of the largest values is, rounding aside.

    Returns:
        tuple[Tensor, Tensor]: Values and int64 places (row times W, plus column), [N, C, H', W'].
    """
    rows = torch.arange(x.shape[-2], dtype=x.dtype, device=x.device)[:, None]
    columns = torch.arange(x.shape[-1], dtype=x.dtype, device=x.device)
    # Row by row within a window, each place is worth a little less than the one before (of values
    # above 0, such as a ReLU lets through).
    worth = 1 - TIE * torch.finfo(x.dtype).eps * (kernel[1] * rows + columns)
    how = (kernel, stride, padding, 1, ceil_mode)
    _, places = torch.ops.aten.max_pool2d_with_indices(x * worth, *how)
    return functional.max_pool2d(x, *how), places


def is_plain_conv(module: object) -> bool:
    """Whether it is a convolution that pads with zeros, and nothing else."""
    if not _is_plain(module, nn.Conv2d):
        return False
    return module.padding_mode == 'zeros' and not isinstance(module.padding, str)


def _is_plain(module: object, kind: type[nn.Module]) -> bool:
    """Of torch's class or mmcv's wrapper of the same name, which differs for empty inputs alone."""
    return isinstance(module, kind) and type(module).__name__ == kind.__name__


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)
