"""A layer at a CNN's beginning, written anew so that gradients pass it quickly."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


def rewrite_stem(backbone: nn.Module) -> nn.Module:
    """Put :class:`UnshuffledConv2d` where it can stand, in place."""
    for name, module in list(backbone.named_modules()):
        if UnshuffledConv2d.can_replace(module):
            parent, _, child = name.rpartition('.')
            setattr(backbone.get_submodule(parent), child, UnshuffledConv2d(module))
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


def is_plain_conv(module: object) -> bool:
    """Whether it is a convolution that pads with zeros, and nothing else."""
    # torch's, or mmcv's wrapper of the same name, which differs for empty inputs alone.
    if not isinstance(module, nn.Conv2d) or type(module).__name__ != 'Conv2d':
        return False
    return module.padding_mode == 'zeros' and not isinstance(module.padding, str)
