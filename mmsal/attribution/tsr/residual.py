"""Residual blocks that pass frames on, whole or around squares, and gradients back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from mmsal.attribution.tsr.squares import Sliding, Squares
from mmsal.attribution.tsr.stem import is_plain_conv


@dataclass(frozen=True)
class Around:
    """Maps of N samples that differ from those of one frame in a square each.

    Attributes:
        found: In the squares, [N, C, size, size].
        at: Where these are.
        whole: Of the one frame, [1, C, H, W].
    """

    found: Tensor
    at: Squares
    whole: Tensor

    def __getitem__(self, some: slice) -> Around:
        """Of some of the samples."""
        return Around(self.found[some], self.at[some], self.whole)

    def cut(self, needed: Squares) -> Tensor:
        """Other squares of the samples' maps."""
        maps = needed.cut(self.whole)
        self.at.within(needed).paste(self.found, maps)
        return maps

    def maps(self) -> Tensor:
        """All of the samples' maps, [N, C, H, W]."""
        maps = repeated(self.whole, len(self.found))
        self.at.paste(self.found, maps)
        return maps


@dataclass(frozen=True)
class Opened:
    """Where a ReLU lets a gradient through.

    Attributes:
        maps: Activations, [N, C, H, W] or around squares.
    """

    maps: Tensor | Around

    @property
    def shape(self) -> torch.Size:
        """Height and width."""
        maps = self.maps.whole if isinstance(self.maps, Around) else self.maps
        return maps.shape[2:]

    def let_through(self, gradient: Tensor) -> Tensor:
        """Set it to 0 elsewhere, in place; [N, C, H, W], channels innermost."""
        if not isinstance(self.maps, Around):
            return _let_through(gradient, self.maps)
        there = self.maps.at.cut(gradient)
        _let_through(gradient, self.maps.whole)
        self.maps.at.paste(_let_through(there, self.maps.found), gradient)
        return gradient


class Block(nn.Module):
    """A residual block.

    Args:
        block (nn.Module): A BasicBlock or Bottleneck of MMAction2 that :meth:`can_replace` accepts,
            its batch norms folded.
    """

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(module.conv) for module in _main_path(block))
        self.shortcut = None if block.downsample is None else Layer(block.downsample.conv)

    @staticmethod
    def can_replace(block: nn.Module) -> bool:
        """Whether it is one, with nothing in it that we do not know."""
        from mmaction.models.backbones.resnet import BasicBlock, Bottleneck

        if type(block) not in (BasicBlock, Bottleneck) or type(block.relu) is not nn.ReLU:
            return False
        *others, last = _main_path(block)
        linear = [last] if block.downsample is None else [last, block.downsample]
        return (
            all(map(ends_with_relu, others))
            and all(is_folded(module) and not module.with_activation for module in linear)
            and all(Layer.can_replace(module.conv) for module in (*others, *linear))
        )

    def passed(self, maps: Tensor) -> list[Tensor]:
        """Activations after each ReLU, the last of them the block's maps."""
        kept, found = [], maps
        for layer in self.layers:
            found = layer(found)
            if layer is self.layers[-1]:
                found += maps if self.shortcut is None else self.shortcut(maps)
            kept.append(found.relu_())
        return kept

    def seen(self, at: Squares, whole: Sequence[Tensor]) -> Squares:
        """All that it makes of squares; ``whole`` are activations of one frame after each ReLU."""
        for layer, one in zip(self.layers, whole, strict=True):
            at = at.seen_by(layer.sliding, tuple(one.shape[2:]))
        return at

    def passed_around(self, maps: Around, whole: Sequence[Tensor]) -> list[Around]:
        """The same around squares; ``whole`` are the activations of the one frame."""
        kept, before = [], maps
        for layer, one in zip(self.layers, whole, strict=True):
            at = before.at.seen_by(layer.sliding, tuple(one.shape[2:]))
            found = layer.around(before, at)
            if layer is self.layers[-1]:
                straight = self.shortcut is None
                found += maps.cut(at) if straight else self.shortcut.around(maps, at)
            before = Around(at.clear_outside(found.relu_()), at, one)
            kept.append(before)
        return kept

    def back(self, gradient: Tensor, opened: Sequence[Opened], shape: torch.Size) -> Tensor:
        """The gradient with respect to the block's input, of that height and width.

        Args:
            gradient (Tensor): With respect to its maps, [N, C, H, W], channels innermost; changed.
            opened (Sequence[Opened]): Its ReLUs, in order.
            shape (torch.Size): [2].
        """
        gradient = through = opened[-1].let_through(gradient)
        for number in reversed(range(1, len(self.layers))):
            gradient = self.layers[number].back(gradient, opened[number - 1].shape)
            gradient = opened[number - 1].let_through(gradient)
        gradient = self.layers[0].back(gradient, shape)
        gradient += through if self.shortcut is None else self.shortcut.back(through, shape)
        return gradient

    def along(self, directions: Tensor, opened: Sequence[Opened]) -> Tensor:
        """How the block's maps change along directions of its input."""
        found = directions
        for layer, relu in zip(self.layers, opened, strict=True):
            found = layer.along(found)
            if layer is self.layers[-1]:
                straight = self.shortcut is None
                found += directions if straight else self.shortcut.along(directions)
            found = relu.let_through(found)
        return found


class Layer(nn.Module):
    """A convolution that slides over rows and columns alike, and its way back.

    Args:
        conv (nn.Conv2d): That :meth:`can_replace` accepts.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv
        self.sliding = Sliding(conv.kernel_size[0], conv.stride[0], conv.padding[0])
        self.turned = None
        if conv.stride == (1, 1):  # the way back is the convolution with the kernel turned round
            turned = conv.weight.detach().flip(2, 3).transpose(0, 1)
            self.turned = nn.Parameter(turned.contiguous(), False)

    @staticmethod
    def can_replace(conv: nn.Module | None) -> bool:
        """Whether it is one."""
        if not is_plain_conv(conv) or conv.groups > 1 or conv.dilation != (1, 1):
            return False
        return all(pair[0] == pair[1] for pair in (conv.kernel_size, conv.stride, conv.padding))

    def forward(self, maps: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, O, H', W']."""
        return self.conv(maps)

    def around(self, maps: Around, at: Squares) -> Tensor:
        """Squares of what it makes, [N, O, size, size]; what sticks out of its maps is not 0."""
        pixels = maps.cut(at.needed_by(self.sliding, maps.at.shape))
        return functional.conv2d(pixels, self.conv.weight, self.conv.bias, self.conv.stride)

    def back(self, gradient: Tensor, shape: torch.Size) -> Tensor:
        """The gradient with respect to its input of that height and width, channels innermost."""
        size, stride, padding = self.sliding.kernel, self.sliding.stride, self.sliding.padding
        if stride == 1:
            found = functional.conv2d(gradient, self.turned, padding=size - 1 - padding)
        else:
            unseen = [(length + 2 * padding - size) % stride for length in shape]
            found = functional.conv_transpose2d(
                gradient, self.conv.weight, None, stride, padding, unseen
            )
        return found.contiguous(memory_format=torch.channels_last)

    def along(self, directions: Tensor) -> Tensor:
        """How what it makes changes along directions of its input."""
        conv = self.conv
        return functional.conv2d(directions, conv.weight, None, conv.stride, conv.padding)


def ends_with_relu(module: nn.Module) -> bool:
    """Whether it is a convolution, its norm folded into it, and a ReLU."""
    return is_folded(module) and module.with_activation and type(module.activate) is nn.ReLU


def is_folded(module: nn.Module) -> bool:
    """Whether it is a ConvModule without a norm of its own; it may have an activation."""
    from mmcv.cnn import ConvModule

    if type(module) is not ConvModule or module.with_explicit_padding:
        return False
    folded = not module.with_norm or type(module.norm) is nn.Identity
    return folded and tuple(module.order) == ('conv', 'norm', 'act')


def repeated(maps: Tensor, times: int) -> Tensor:
    """[1, C, H, W] -> [times, C, H, W], channels innermost."""
    return maps.expand(times, -1, -1, -1).clone(memory_format=torch.channels_last)


def _main_path(block: nn.Module) -> list[nn.Module]:
    names = ('conv1', 'conv2', 'conv3')
    return [getattr(block, name) for name in names if hasattr(block, name)]


def _let_through(gradient: Tensor, activations: Tensor) -> Tensor:
    """In place, 0 where activations, of as many samples or one, are."""
    activations = activations.expand_as(gradient)
    return torch.ops.aten.threshold_backward.grad_input(
        gradient, activations, 0, grad_input=gradient
    )
