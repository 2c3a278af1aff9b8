"""The beginning of a ResNet, quick for many frames that differ from one in a small square.

What is hidden in a frame changes the first layers' maps around it alone. So they are computed
there, and the rest is that of the frame with nothing hidden. On the way back a gradient differs
everywhere, but which units are open, and which pixel a pooling took, are still those of that frame.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from mmsal.attribution.tsr.squares import Sliding, Squares
from mmsal.attribution.tsr.stem import (
    FirstMaxPool2d,
    UnshuffledConv2d,
    first_max_pool,
    is_plain_conv,
)

CHUNK = 8  # samples at a time on the way back through the stem, whose maps are large


class FirstStage(nn.Module):
    """Stem and first stage of a ResNet, with a way back of its own.

    ``forward`` is that of the layers it is made of, [N, 3, H, W] -> [N, C, H', W'], ``around`` does
    the same for frames that differ from another in a square.

    Args:
        backbone (nn.Module): A ResNet of MMAction2 that :meth:`can_replace` accepts, its batch
            norms folded.
    """

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.stem = backbone.conv1.conv
        self.unshuffled = UnshuffledConv2d(self.stem)
        self.pool = FirstMaxPool2d(backbone.maxpool)
        self.blocks = nn.ModuleList(Block(block) for block in backbone.layer1)

    @staticmethod
    def taken_out_of(backbone: nn.Module) -> FirstStage | None:
        """Take it out of a backbone, which begins with the second stage then; None if not."""
        if not FirstStage.can_replace(backbone):
            return None
        stage = FirstStage(backbone)
        backbone.conv1, backbone.maxpool, backbone.layer1 = (nn.Identity() for _ in range(3))
        return stage

    @staticmethod
    def can_replace(backbone: nn.Module) -> bool:
        """Whether it begins as ResNets do, and nothing asks for the first stage's maps."""
        from mmaction.models import ResNet

        if type(backbone) is not ResNet or 0 in backbone.out_indices:
            return False
        conv = getattr(backbone.conv1, 'conv', None)
        pool = backbone.maxpool
        return (
            UnshuffledConv2d.can_replace(conv)
            and conv.kernel_size[0] == conv.kernel_size[1]
            and conv.padding[0] == conv.padding[1]
            and _ends_with_relu(backbone.conv1)
            and FirstMaxPool2d.can_replace(pool)
            and not pool.ceil_mode
            and all(isinstance(size, int) for size in (pool.kernel_size, pool.stride, pool.padding))
            and all(Block.can_replace(block) for block in backbone.layer1)
        )

    def forward(self, frames: Tensor) -> Tensor:
        """[N, 3, H, W] -> [N, C, H', W']."""
        return _FirstStage.apply(frames, self, None, None)

    def around(self, frames: Tensor, kept: Passed, squares: Squares) -> Tensor:
        """The same of frames that differ from one in a square each.

        Args:
            frames (Tensor): [N, 3, H, W].
            kept (Passed): What :meth:`passed` has of that one.
            squares (Squares): Where they differ.
        """
        return _FirstStage.apply(frames, self, kept, squares)

    def passed(self, frames: Tensor) -> Passed:
        """What the maps of frames are, [N, 3, H, W]."""
        with torch.no_grad():
            maps = self.unshuffled(frames).relu_()
            pooled, taken = first_max_pool(maps, *self.pool.shape)
            found, blocks = pooled, []
            for block in self.blocks:
                blocks.append(block.passed(found))
                found = blocks[-1][-1]
        return Passed(tuple(maps.shape[2:]), pooled, taken, blocks)

    def passed_around(
        self, frames: Tensor, kept: Passed, squares: Squares
    ) -> tuple[PassedAround, Tensor]:
        """The same of frames around squares, and the maps of the stage, [N, C, H', W']."""
        conv, pool = self._sliding()
        maps_at, pooled_shape = kept.stem_shape, tuple(kept.pooled.shape[2:])
        at = squares.seen_by(conv, maps_at).seen_by(pool, pooled_shape)
        stem_at = at.needed_by(pool, maps_at)
        pixels = stem_at.needed_by(conv, squares.shape).cut(frames)
        with torch.no_grad():
            maps = functional.conv2d(pixels, self.stem.weight, self.stem.bias, self.stem.stride)
            maps = stem_at.clear_outside(maps.relu_())
            kernel, stride, _ = self.pool.shape
            pooled, taken = first_max_pool(maps, kernel, stride, (0, 0))
            pooled = at.clear_outside(pooled)
            found, around, blocks = pooled, at, []
            for block, whole in zip(self.blocks, kept.blocks, strict=True):
                before = kept.pooled if not blocks else kept.blocks[len(blocks) - 1][-1]
                blocks.append(block.passed_around(found, around, before, whole))
                found, around = blocks[-1][-1]
            out = _repeated(kept.out, len(frames))
            around.paste(found, out)
        all_taken = _repeated(kept.taken, len(frames))
        at.paste(_on_whole_maps(taken, stem_at), all_taken)
        return PassedAround(kept, (pooled, at), all_taken, blocks), out

    def back(self, gradient: Tensor, passed: Passed | PassedAround, shape: torch.Size) -> Tensor:
        """The gradient with respect to frames [N, 3, H, W] of that shape."""
        for number in reversed(range(len(self.blocks))):
            gradient = self.blocks[number].back(gradient, passed.opened(number))
        gradient = passed.opened_pool().let_through(gradient)
        found = gradient.new_empty(shape)
        maps = torch.empty(
            (min(CHUNK, len(gradient)), gradient.shape[1], *passed.stem_shape),
            dtype=gradient.dtype,
            device=gradient.device,
            memory_format=torch.channels_last,
        )
        how = (*self.pool.shape, (1, 1), False)
        pieces = (gradient.split(CHUNK), passed.taken.split(CHUNK), found.split(CHUNK))
        for some, taken, piece in zip(*pieces, strict=True):
            room = maps[: len(some)]
            torch.ops.aten.max_pool2d_with_indices_backward.grad_input(
                some, room, *how, taken, grad_input=room
            )
            piece.copy_(self.unshuffled.back(room, shape))
        return found

    def along(self, directions: Tensor, passed: Passed | PassedAround) -> Tensor:
        """How the stage's maps change along directions [N, 3, H, W] of the frames."""
        maps = self.unshuffled.along(directions)
        found = maps.flatten(2).gather(2, passed.taken.flatten(2)).view_as(passed.taken)
        found = passed.opened_pool().let_through(found)
        for number, block in enumerate(self.blocks):
            found = block.along(found, passed.opened(number))
        return found

    def _sliding(self) -> tuple[Sliding, Sliding]:
        """How stem and pooling do."""
        stem = Sliding(self.stem.kernel_size[0], self.stem.stride[0], self.stem.padding[0])
        return stem, Sliding(*(size[0] for size in self.pool.shape))


class Block(nn.Module):
    """A residual block that keeps the size of its maps.

    Args:
        block (nn.Module): A BasicBlock or Bottleneck of MMAction2.
    """

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        names = ('conv1', 'conv2', 'conv3')
        self.convs = nn.ModuleList(getattr(block, n).conv for n in names if hasattr(block, n))
        self.shortcut = None if block.downsample is None else block.downsample.conv
        self.ways_back = nn.ModuleList(map(WayBack, self.convs))
        self.shortcut_back = None if self.shortcut is None else WayBack(self.shortcut)

    @staticmethod
    def can_replace(block: nn.Module) -> bool:
        """Whether it is one, with nothing in it that we do not know."""
        from mmaction.models.backbones.resnet import BasicBlock, Bottleneck

        if type(block) not in (BasicBlock, Bottleneck):
            return False
        names = ('conv1', 'conv2', 'conv3')
        modules = [getattr(block, name) for name in names if hasattr(block, name)]
        modules, last = modules[:-1], modules[-1]
        convs = [getattr(module, 'conv', None) for module in (*modules, last)]
        shortcut = block.downsample
        if shortcut is not None:
            convs.append(getattr(shortcut, 'conv', None))
        return (
            all(_keeps_size(conv) for conv in convs)
            and all(_ends_with_relu(module) for module in modules)
            and not last.with_activation
            and (shortcut is None or not shortcut.with_activation)
            and type(block.relu) is nn.ReLU
        )

    def passed(self, maps: Tensor) -> list[Tensor]:
        """Activations after each ReLU, the last of them the block's maps."""
        kept, found = [], maps
        for conv in self.convs[:-1]:
            found = conv(found).relu_()
            kept.append(found)
        found = self.convs[-1](found)
        found += maps if self.shortcut is None else self.shortcut(maps)
        return [*kept, found.relu_()]

    def passed_around(
        self, maps: Tensor, at: Squares, before: Tensor, whole: Sequence[Tensor]
    ) -> list[tuple[Tensor, Squares]]:
        """The same in squares of the maps, and where these are.

        Args:
            maps (Tensor): In the squares of the block's input, [N, C, size, size].
            at (Squares): Where these are.
            before (Tensor): All of the input of the frame with nothing hidden, [1, C, H, W].
            whole (Sequence[Tensor]): Its activations.
        """
        kept, found, around = [], maps, at
        for number, conv in enumerate(self.convs):
            surrounding = before if number == 0 else whole[number - 1]
            margin = conv.padding[0]
            found = _framed(found, around, surrounding, 2 * margin)
            found = functional.conv2d(found, conv.weight, conv.bias)
            around = around.grown(margin)
            if number == len(self.convs) - 1:
                through = _framed(maps, at, before, (around.size - at.size) // 2)
                if self.shortcut is not None:
                    through = self.shortcut(through)
                found += through
            found = around.clear_outside(found.relu_())
            kept.append((found, around))
        return kept

    def back(self, gradient: Tensor, opened: Sequence[Opened]) -> Tensor:
        """The gradient with respect to the block's input; ``opened`` by its ReLUs, in order."""
        gradient = through = opened[-1].let_through(gradient)
        for number in reversed(range(len(self.convs))):
            gradient = self.ways_back[number](gradient)
            if number:
                gradient = opened[number - 1].let_through(gradient)
        gradient += through if self.shortcut is None else self.shortcut_back(through)
        return gradient

    def along(self, directions: Tensor, opened: Sequence[Opened]) -> Tensor:
        """How the block's maps change along directions of its input."""
        found = directions
        for conv, relu in zip(self.convs, opened, strict=True):
            found = _without_bias(conv, found)
            if conv is self.convs[-1]:
                straight = self.shortcut is None
                found += directions if straight else _without_bias(self.shortcut, directions)
            found = relu.let_through(found)
        return found


class WayBack(nn.Module):
    """The gradient with respect to the input of a convolution that keeps the size of its maps.

    That is the convolution with the kernel turned round.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        weight = conv.weight.detach().flip(2, 3).transpose(0, 1)
        self.weight, self.padding = nn.Parameter(weight.contiguous(), False), conv.padding

    def forward(self, gradient: Tensor) -> Tensor:
        """[N, O, H, W] -> [N, C, H, W], channels innermost."""
        found = functional.conv2d(gradient, self.weight, padding=self.padding)
        return found.contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class Opened:
    """Lets a gradient through a ReLU where it was open.

    Attributes:
        whole: Activations [N, C, H, W], or [1, C, H, W] if they are all samples'.
        squares: Other activations in a square of each, and where it is.
    """

    whole: Tensor
    squares: tuple[Tensor, Squares] | None = None

    def let_through(self, gradient: Tensor) -> Tensor:
        """Set it to 0 elsewhere, in place; [N, C, H, W], channels innermost."""
        if self.squares is None:
            return _let_through(gradient, self.whole)
        squares, at = self.squares
        there = at.cut(gradient)
        _let_through(gradient, self.whole)
        at.paste(_let_through(there, squares), gradient)
        return gradient


@dataclass(frozen=True)
class Passed:
    """What frames made of the layers.

    Attributes:
        stem_shape: Height and width of the stem's maps.
        pooled: [N, C, H, W].
        taken: Places that the pooling took, int64, likewise.
        blocks: Activations after each ReLU of each block.
    """

    stem_shape: tuple[int, int]
    pooled: Tensor
    taken: Tensor
    blocks: Sequence[Sequence[Tensor]]

    @property
    def out(self) -> Tensor:
        """The stage's maps."""
        return self.blocks[-1][-1]

    def opened(self, number: int) -> list[Opened]:
        """The ReLUs of a block."""
        return [Opened(maps) for maps in self.blocks[number]]

    def opened_pool(self) -> Opened:
        """The stem's ReLU, as far as the pooling took from it."""
        return Opened(self.pooled)


@dataclass(frozen=True)
class PassedAround:
    """What N frames made of them that differ from one in a square each.

    Attributes:
        kept: Of the one.
        pooled: In squares, and where they are.
        taken: As for all maps, [N, C, H, W].
        blocks: Activations in squares, after each ReLU of each block.
    """

    kept: Passed
    pooled: tuple[Tensor, Squares]
    taken: Tensor
    blocks: Sequence[Sequence[tuple[Tensor, Squares]]]

    @property
    def stem_shape(self) -> tuple[int, int]:
        """Of the stem's maps."""
        return self.kept.stem_shape

    def opened(self, number: int) -> list[Opened]:
        """The ReLUs of a block."""
        return list(map(Opened, self.kept.blocks[number], self.blocks[number]))

    def opened_pool(self) -> Opened:
        """The stem's ReLU, as far as the pooling took from it."""
        return Opened(self.kept.pooled, self.pooled)


class _FirstStage(torch.autograd.Function):
    @staticmethod
    def forward(ctx, frames, stage, kept, squares):
        ctx.stage, ctx.shape = stage, frames.shape
        if kept is not None:
            ctx.passed, out = stage.passed_around(frames, kept, squares)
            return out
        passed = stage.passed(frames)
        ctx.stem_shape, ctx.passed = passed.stem_shape, None
        # So that they are counted, and go with the graph.
        ctx.save_for_backward(passed.pooled, passed.taken, *itertools.chain(*passed.blocks))
        return passed.out.detach()

    @staticmethod
    def backward(ctx, gradient):
        passed = ctx.passed
        if passed is None:
            pooled, taken, *maps = ctx.saved_tensors
            maps = iter(maps)
            blocks = [list(itertools.islice(maps, len(block.convs))) for block in ctx.stage.blocks]
            passed = Passed(ctx.stem_shape, pooled, taken, blocks)
        return _WayBack.apply(gradient, ctx.stage, passed, ctx.shape), None, None, None


class _WayBack(torch.autograd.Function):
    """J' v of the stage's Jacobian J; its own derivative by v is J."""

    @staticmethod
    def forward(ctx, gradient, stage, passed, shape):
        ctx.stage, ctx.passed = stage, passed
        return stage.back(_own(gradient), passed, shape)

    @staticmethod
    def backward(ctx, directions):
        return ctx.stage.along(_own(directions), ctx.passed), None, None, None


def _own(gradient: Tensor) -> Tensor:
    """A copy with channels innermost, to be worked on in place."""
    return gradient.clone(memory_format=torch.channels_last)


def _let_through(gradient: Tensor, activations: Tensor) -> Tensor:
    """In place, 0 where activations are; these are expanded."""
    activations = activations.expand_as(gradient)
    return torch.ops.aten.threshold_backward.grad_input(
        gradient, activations, 0, grad_input=gradient
    )


def _without_bias(conv: nn.Conv2d, maps: Tensor) -> Tensor:
    return functional.conv2d(maps, conv.weight, None, conv.stride, conv.padding)


def _framed(squares: Tensor, at: Squares, surrounding: Tensor, margin: int) -> Tensor:
    """Squares with so much around them of maps that they do not change, [1, C, H, W]."""
    if not margin:
        return squares
    found = at.grown(margin).cut(surrounding)
    found[:, :, margin:-margin, margin:-margin] = squares
    return found


def _repeated(maps: Tensor, times: int) -> Tensor:
    """[1, C, H, W] -> [times, C, H, W], channels innermost."""
    return maps.expand(times, -1, -1, -1).clone(memory_format=torch.channels_last)


def _on_whole_maps(taken: Tensor, at: Squares) -> Tensor:
    """Places taken in squares as places of whole maps; those outside count for nothing."""
    height, width = at.shape
    rows = taken // at.size + at.rows.view(-1, 1, 1, 1)
    columns = taken % at.size + at.columns.view(-1, 1, 1, 1)
    return rows.clamp_(0, height - 1) * width + columns.clamp_(0, width - 1)


def _ends_with_relu(module: nn.Module) -> bool:
    """Of a ConvModule, whose norm is folded."""
    return (
        getattr(module, 'with_activation', False)
        and type(module.activate) is nn.ReLU
        and tuple(module.order) == ('conv', 'norm', 'act')
    )


def _keeps_size(conv: nn.Module | None) -> bool:
    if not is_plain_conv(conv):
        return False
    square = conv.kernel_size[0] == conv.kernel_size[1] and conv.padding[0] == conv.padding[1]
    once = conv.stride == (1, 1) and conv.dilation == (1, 1) and conv.groups == 1
    return square and once and 2 * conv.padding[0] == conv.kernel_size[0] - 1
