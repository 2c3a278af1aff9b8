"""A ResNet that is quick for many frames that differ from one in a small square.

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

from mmsal.attribution.tsr.residual import Around, Block, Layer, Opened, ends_with_relu, repeated
from mmsal.attribution.tsr.squares import Sliding, Squares
from mmsal.attribution.tsr.stem import UnshuffledConv2d

CHUNK = 8  # samples at a time on the way back through the stem, whose maps are large
WORTHWHILE = 0.8  # share of the maps that squares may cover; with more, cutting and pasting costs


class QuickResNet(nn.Module):
    """A ResNet that gives the last stage's maps, with a way back of its own.

    ``forward`` is that of the layers it is made of, [N, 3, H, W] -> [N, C, H', W'], ``around`` does
    the same for frames that differ from another in a square each.

    Args:
        backbone (nn.Module): A ResNet of MMAction2 that :meth:`can_replace` accepts, its batch
            norms folded.
    """

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.stem = Layer(backbone.conv1.conv)
        self.unshuffled = UnshuffledConv2d(backbone.conv1.conv)
        pool = backbone.maxpool
        self.pool = Sliding(pool.kernel_size, pool.stride, pool.padding)
        self.blocks = nn.ModuleList(map(Block, _blocks(backbone)))

    @staticmethod
    def can_replace(backbone: nn.Module) -> bool:
        """Whether there is nothing in it that we do not know, and its last maps alone are asked."""
        from mmaction.models import ResNet

        if type(backbone) is not ResNet:
            return False
        if tuple(backbone.out_indices) != (len(backbone.res_layers) - 1,):
            return False
        pool = backbone.maxpool
        return (
            ends_with_relu(backbone.conv1)
            and Layer.can_replace(backbone.conv1.conv)
            and UnshuffledConv2d.can_replace(backbone.conv1.conv)
            and type(pool).__name__ == 'MaxPool2d'  # torch's, or mmcv's for empty inputs
            and all(isinstance(size, int) for size in (pool.kernel_size, pool.stride, pool.padding))
            and not (pool.ceil_mode or pool.return_indices)
            and pool.dilation == 1
            and all(map(Block.can_replace, _blocks(backbone)))
        )

    def forward(self, frames: Tensor) -> Tensor:
        """[N, 3, H, W] -> [N, C, H', W']."""
        return _Forth.apply(frames, self, None, None)

    def around(self, frames: Tensor, kept: Passed, squares: Squares) -> Tensor:
        """The same of frames that differ from one in a square each.

        Args:
            frames (Tensor): [N, 3, H, W].
            kept (Passed): What :meth:`passed` has of that one.
            squares (Squares): Where they differ.
        """
        return _Forth.apply(frames, self, kept, squares)

    def passed(self, frames: Tensor) -> Passed:
        """What frames [N, 3, H, W] make of the layers."""
        with torch.no_grad():
            maps = self.unshuffled(frames).relu_()
            pooled, taken = functional.max_pool2d(maps, *self._pooling(), return_indices=True)
            blocks = self._go_on(pooled, self.blocks)
            return Passed(frames, maps.shape[2:], taken, pooled, blocks)

    def passed_around(self, frames: Tensor, kept: Passed, squares: Squares) -> Passed:
        """The same around squares, as far as that is worthwhile."""
        with torch.no_grad():
            pooled, taken = self._stem_around(frames, kept, squares)
            before, blocks = pooled, []
            for block, whole in zip(self.blocks, kept.blocks, strict=True):
                if not worthwhile(block.seen(before.at, whole)):
                    break
                blocks.append(block.passed_around(before, whole))
                before = blocks[-1][-1]
            if len(blocks) < len(self.blocks):
                blocks += self._go_on(before.maps(), self.blocks[len(blocks) :])
        return Passed(None, kept.stem_shape, taken, pooled, blocks)

    def _stem_around(self, frames: Tensor, kept: Passed, squares: Squares) -> tuple[Around, Tensor]:
        """Pooled maps around squares, and all places that the pooling took."""
        stem, pool = self.stem.sliding, self.pool
        at = squares.seen_by(stem, tuple(kept.stem_shape))
        at = at.seen_by(pool, tuple(kept.pooled.shape[2:]))
        stem_at = at.needed_by(pool, tuple(kept.stem_shape))
        pixels = stem_at.needed_by(stem, squares.shape)
        pooled, taken = self._pooled_in(pixels.cut(frames), stem_at)
        # Among equal values, kernels that round whole maps otherwise than squares may have taken
        # another place: where nothing changes, the one frame's is kept.
        others = self._pooled_in(pixels.cut(kept.frame), stem_at)
        same = (pooled == others[0]) & (taken == others[1])
        pooled = at.clear_outside(torch.where(same, at.cut(kept.pooled), pooled))
        taken = torch.where(same, at.cut(kept.taken), stem_at.places_on_maps(taken))
        all_taken = repeated(kept.taken, len(frames))
        at.paste(taken, all_taken)
        return Around(pooled, at, kept.pooled), all_taken

    def _pooled_in(self, pixels: Tensor, at: Squares) -> tuple[Tensor, Tensor]:
        """Pooled maps, and places in the squares of the stem's maps, by the pixels they need."""
        conv, pool = self.stem.conv, self.pool
        maps = functional.conv2d(pixels, conv.weight, conv.bias, conv.stride)
        maps = at.clear_outside(maps.relu_())
        return functional.max_pool2d(maps, pool.kernel, pool.stride, return_indices=True)

    def _pooling(self) -> list[tuple[int, int]]:
        """Kernel, stride and padding."""
        return [(size, size) for size in (self.pool.kernel, self.pool.stride, self.pool.padding)]

    @staticmethod
    def _go_on(maps: Tensor, blocks: Sequence[Block]) -> list[list[Tensor]]:
        kept = []
        for block in blocks:
            kept.append(block.passed(maps))
            maps = kept[-1][-1]
        return kept

    def back(self, gradient: Tensor, passed: Passed, shape: torch.Size) -> Tensor:
        """The gradient with respect to frames [N, 3, H, W] of that shape."""
        found = gradient.new_empty(shape)
        asked = int(gradient.flatten(1).any(dim=1).sum())
        if not bool(gradient[asked:].any()):  # the last ones, about which nothing is asked
            gradient, passed = gradient[:asked], passed.of_first(asked)
            found[asked:] = 0
        pooled = Opened(passed.pooled)
        opened = passed.opened()
        for number in reversed(range(len(self.blocks))):
            before = opened[number - 1][-1] if number else pooled
            gradient = self.blocks[number].back(gradient, opened[number], before.shape)
        gradient = pooled.let_through(gradient)
        maps = torch.empty(
            (min(CHUNK, len(gradient)), gradient.shape[1], *passed.stem_shape),
            dtype=gradient.dtype,
            device=gradient.device,
            memory_format=torch.channels_last,
        )
        how = (*self._pooling(), (1, 1), False)
        pieces = [some.split(CHUNK) for some in (gradient, passed.taken, found[: len(gradient)])]
        for some, taken, piece in zip(*pieces, strict=True):
            room = maps[: len(some)]
            torch.ops.aten.max_pool2d_with_indices_backward.grad_input(
                some, room, *how, taken, grad_input=room
            )
            piece.copy_(self.unshuffled.back(room, shape))
        return found

    def along(self, directions: Tensor, passed: Passed) -> Tensor:
        """How the maps change along directions [N, 3, H, W] of the frames."""
        maps = self.unshuffled.along(directions)
        found = maps.flatten(2).gather(2, passed.taken.flatten(2)).view_as(passed.taken)
        found = found.contiguous(memory_format=torch.channels_last)
        found = Opened(passed.pooled).let_through(found)
        for block, opened in zip(self.blocks, passed.opened(), strict=True):
            found = block.along(found, opened)
        return found


@dataclass(frozen=True)
class Passed:
    """What N frames made of the layers; the first maps may be known around squares alone.

    Attributes:
        frame: They themselves, [N, 3, H, W]; None where nobody will ask.
        stem_shape: Height and width of the stem's maps.
        taken: Places that the pooling took, int64 [N, C, H, W].
        pooled: What it took.
        blocks: Activations after each ReLU of each block.
    """

    frame: Tensor | None
    stem_shape: torch.Size
    taken: Tensor
    pooled: Tensor | Around
    blocks: Sequence[Sequence[Tensor | Around]]

    @property
    def out(self) -> Tensor:
        """The last maps."""
        found = self.blocks[-1][-1]
        return found.maps() if isinstance(found, Around) else found

    def of_first(self, count: int) -> Passed:
        """Of so many of the N frames."""
        pooled, taken = self.pooled[:count], self.taken[:count]
        blocks = [[maps[:count] for maps in block] for block in self.blocks]
        return Passed(None, self.stem_shape, taken, pooled, blocks)

    def opened(self) -> list[list[Opened]]:
        """The ReLUs of each block."""
        return [list(map(Opened, maps)) for maps in self.blocks]


class _Forth(torch.autograd.Function):
    @staticmethod
    def forward(ctx, frames, resnet, kept, squares):
        ctx.resnet, ctx.shape = resnet, frames.shape
        if kept is not None:
            ctx.passed = resnet.passed_around(frames, kept, squares)
            return ctx.passed.out.detach()
        passed = resnet.passed(frames)
        ctx.stem_shape, ctx.passed = passed.stem_shape, None
        # So that they are counted, and go with the graph.
        ctx.save_for_backward(passed.taken, passed.pooled, *itertools.chain(*passed.blocks))
        return passed.out.detach()

    @staticmethod
    def backward(ctx, gradient):
        passed = ctx.passed
        if passed is None:
            taken, pooled, *maps = ctx.saved_tensors
            maps = iter(maps)
            sizes = [len(block.layers) for block in ctx.resnet.blocks]
            blocks = [list(itertools.islice(maps, size)) for size in sizes]
            passed = Passed(None, ctx.stem_shape, taken, pooled, blocks)
        return _Back.apply(gradient, ctx.resnet, passed, ctx.shape), None, None, None


class _Back(torch.autograd.Function):
    """J' v of the network's Jacobian J; its own derivative by v is J."""

    @staticmethod
    def forward(ctx, gradient, resnet, passed, shape):
        ctx.resnet, ctx.passed = resnet, passed
        return resnet.back(_own(gradient), passed, shape)

    @staticmethod
    def backward(ctx, directions):
        return ctx.resnet.along(_own(directions), ctx.passed), None, None, None


def worthwhile(at: Squares) -> bool:
    """Whether squares are so small that what is done in them alone is done sooner."""
    height, width = at.shape
    return at.size**2 <= WORTHWHILE * height * width


def _blocks(backbone: nn.Module) -> list[nn.Module]:
    return [block for name in backbone.res_layers for block in getattr(backbone, name)]


def _own(gradient: Tensor) -> Tensor:
    """A copy with channels innermost, to be worked on in place."""
    return gradient.clone(memory_format=torch.channels_last)
