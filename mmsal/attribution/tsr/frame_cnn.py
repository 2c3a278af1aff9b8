"""The CNN of a recognizer that works frame by frame, made quick for gradients of its input."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from mmsal.attribution.graph_size import graph_size

BATCH = 32  # frames; with more, a CPU's cache holds less of what the backward pass needs
AGREEMENT = 1e-3  # of the largest feature; rounding is a hundredth of it, a neighbour's share more


class FrameCNN:
    """Features of single frames, and products of vectors with their Jacobians.

    Batch norm is folded into the convolutions. On a CPU channels are innermost, where oneDNN needs
    no copies, and a strided convolution of few channels, whose backward pass is slow, becomes one
    without a stride. All of it computes the same but for rounding.

    Args:
        model (nn.Module): With ``extract_frame_features`` ([N, T, C, H, W] to [N, T, D]); in
            evaluation mode. It is left as it is: its ``backbone`` is copied.
        frame (Tensor): [C, H, W], to measure memory with.
        memory (int): Bytes for the graphs of one batch.
    """

    def __init__(self, model: nn.Module, frame: Tensor, memory: int) -> None:
        backbone = _folded(model.backbone)
        self.format = torch.contiguous_format
        if frame.device.type == 'cpu':
            self.format = torch.channels_last
            backbone = _without_strided_stem(backbone).to(memory_format=self.format)
        self.model = copy.copy(model)
        self.model._modules = {**model._modules, 'backbone': backbone}
        # As much again as the graph for the gradients on their way.
        each = 2 * graph_size(self.features, frame.unsqueeze(0))
        self.batch = max(1, min(BATCH, memory // each))

    def features(self, frames: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, D]."""
        frames = frames.contiguous(memory_format=self.format)
        return self.model.extract_frame_features(frames.unsqueeze(0))[0]

    def trace(self, frames: Tensor) -> 'Trace':
        """Features of a batch of frames, and the way back to its pixels.

        A smaller batch is filled up: other kernels would round otherwise, which shuts a ReLU here
        and opens one there, and the gradients of two batches could not be compared.

        Args:
            frames (Tensor): [N, C, H, W], N at most ``batch``.
        """
        missing = self.batch - len(frames)
        filled = torch.cat([frames, frames.new_zeros(missing, *frames.shape[1:])])
        return Trace.of(self.features, filled.contiguous(memory_format=self.format), len(frames))

    def products(self, frames: Tensor, vectors: Tensor) -> Tensor:
        """J' v of the frames' Jacobians J [D, C H W], from one forward pass.

        Args:
            frames (Tensor): [F, C, H, W].
            vectors (Tensor): K for each, [F, K, D].

        Returns:
            Tensor: [F, K, C H W].
        """
        trace = Trace.of(self.features, frames.contiguous(memory_format=self.format), len(frames))
        found = frames.new_empty(*vectors.shape[:2], frames[0].numel())
        for k in range(vectors.shape[1]):
            found[:, k] = trace.back(vectors[:, k], again=True)
        return found


@dataclass(frozen=True)
class Trace:
    """A forward pass whose graph is kept.

    Attributes:
        features: [N, D], without the graph.
    """

    features: Tensor
    _attached: Tensor
    _leaf: Tensor

    @classmethod
    def of(cls, function: Callable[[Tensor], Tensor], frames: Tensor, count: int) -> 'Trace':
        """Run a function; only the first ``count`` frames are asked about."""
        leaf = frames.detach().requires_grad_(True)
        with torch.enable_grad():
            attached = function(leaf)
        return cls(attached.detach()[:count], attached, leaf)

    def back(self, vectors: Tensor, again: bool = False) -> Tensor:
        """J' v of each frame, [N, D] -> [N, C H W]; ``again`` keeps the graph for another time."""
        missing = len(self._attached) - len(vectors)
        if missing:
            vectors = torch.cat([vectors, vectors.new_zeros(missing, vectors.shape[1])])
        (found,) = torch.autograd.grad(self._attached, self._leaf, vectors, retain_graph=again)
        return found.flatten(1)[: len(self.features)]


def works_frame_by_frame(model: nn.Module, cnn: FrameCNN, frames: Tensor) -> bool:
    """Whether a frame's features do not depend on its neighbours, nor on the CNN's tuning.

    The tuned CNN sees the frames in reverse; a backbone that mixes frames (TSM, say) then gives
    other features.
    """
    with torch.no_grad():
        whole = model.extract_frame_features(frames.unsqueeze(0))[0]
        alone = torch.cat([cnn.features(some) for some in frames.flip(0).split(cnn.batch)]).flip(0)
    return bool((whole - alone).abs().max() <= AGREEMENT * whole.abs().max())


def _folded(backbone: nn.Module) -> nn.Module:
    """A copy whose batch norms are part of the convolutions before them."""
    from mmcv.cnn import fuse_conv_bn

    return fuse_conv_bn(copy.deepcopy(backbone)).requires_grad_(False)


def _without_strided_stem(backbone: nn.Module) -> nn.Module:
    for name, module in list(backbone.named_modules()):
        if type(module) is nn.Conv2d and UnshuffledConv2d.can_replace(module):
            parent, _, child = name.rpartition('.')
            setattr(backbone.get_submodule(parent), child, UnshuffledConv2d(module))
    return backbone


class UnshuffledConv2d(nn.Module):
    """A strided convolution of few channels as one without a stride.

    Blocks of s x s pixels become channels (a pixel unshuffle), and so do those of the kernel. The
    sums are the same; the backward pass of such a convolution is an ordinary one.

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
    def can_replace(conv: nn.Conv2d) -> bool:
        """Whether it is strided alike in both directions and of few channels."""
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
