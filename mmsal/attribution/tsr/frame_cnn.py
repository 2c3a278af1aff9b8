"""The CNN of a recognizer that works frame by frame, made quick for gradients of its input."""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mmsal.attribution.graph_size import graph_size
from mmsal.attribution.tsr.hiding import Hidden
from mmsal.attribution.tsr.resnet import Passed, QuickResNet
from mmsal.attribution.tsr.squares import Squares
from mmsal.attribution.tsr.stem import rewrite_stem

# Frames at once. With more, a CPU's cache holds less of what the way back needs, which in a ResNet
# written anew is less.
BATCH, BATCH_OF_RESNET = 32, 64
AGREEMENT = 1e-3  # of the largest feature; rounding is a hundredth of it, a neighbour's share more


class FrameCNN:
    """Features of single frames, and products of vectors with their Jacobians.

    Batch norm is folded into the convolutions, a ResNet is written anew (:mod:`.resnet`), of others
    the first layers (:mod:`.stem`), and on a CPU channels are innermost, where oneDNN needs no
    copies. All of it computes the same but for rounding.

    Args:
        model (nn.Module): With ``extract_frame_features`` ([N, T, C, H, W] to [N, T, D]), which
            gives the frames to its ``backbone``; in evaluation mode. It is left as it is: its
            ``backbone`` is copied.
        frame (Tensor): [C, H, W], to measure memory with.
        memory (int): Bytes for the graphs of one batch.
        parts (int): Variants of a frame that are looked at one after the other; a batch then is an
            even share of them.
    """

    def __init__(self, model: nn.Module, frame: Tensor, memory: int, parts: int = BATCH) -> None:
        backbone = _folded(model.backbone)
        self.resnet = QuickResNet(backbone) if QuickResNet.can_replace(backbone) else None
        backbone = rewrite_stem(backbone) if self.resnet is None else self.resnet
        self.format = torch.contiguous_format
        if frame.device.type == 'cpu':
            self.format = torch.channels_last
            backbone.to(memory_format=self.format)
        self.model = _with_backbone(model, backbone)
        self.after = _with_backbone(model, nn.Identity())
        # As much again as the graph for the gradients on their way.
        each = 2 * graph_size(self.features, frame.unsqueeze(0))
        most = BATCH if self.resnet is None else BATCH_OF_RESNET
        self.batch = max(1, min(most, memory // each))
        # With few parts batches of one frame's would be small, and the parts large.
        self.by_frame = self.resnet is not None and parts >= BATCH // 2
        if self.by_frame:
            self.batch = math.ceil(parts / math.ceil(parts / self.batch))

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
        return self._traced(filled, len(frames))

    def passed(self, frame: Tensor) -> Passed:
        """What :meth:`trace_around` needs to know of the frame [1, C, H, W]; ``by_frame`` alone."""
        return self.resnet.passed(frame.contiguous(memory_format=self.format))

    def trace_around(self, passed: Passed, frames: Tensor, hidden: Sequence[Hidden]) -> 'Trace':
        """As :meth:`trace`, of frames that are another one in which a part each is hidden.

        Args:
            passed (Passed): Of the other one.
            frames (Tensor): [N, C, H, W], N at most ``batch``.
            hidden (Sequence[Hidden]): N parts.
        """
        missing = self.batch - len(frames)
        squares = _squares(hidden, frames).filled(missing)
        filled = torch.cat([frames, frames[-1:].expand(missing, -1, -1, -1)]) if missing else frames

        def features(some: Tensor) -> Tensor:
            maps = self.resnet.around(some, passed, squares)
            return self.after.extract_frame_features(maps.unsqueeze(0))[0]

        filled = filled.contiguous(memory_format=self.format)
        return Trace.of(features, filled, len(frames))

    def products(self, frames: Tensor, vectors: Sequence[Tensor]) -> list[Tensor]:
        """J' v of the frames' Jacobians J [D, C H W].

        Args:
            frames (Tensor): [F, C, H, W].
            vectors (Sequence[Tensor]): [K, D] for each; K may differ.

        Returns:
            list[Tensor]: [K, C H W] for each.
        """
        found = [frames.new_empty(len(some), frames[0].numel()) for some in vectors]
        for shares in share_out([len(some) for some in vectors], self.batch):
            trace = self._traced(frames[[share.frame for share in shares]])
            for step in range(len(shares[0].places)):
                places = [(s.frame, s.places[step]) for s in shares if step < len(s.places)]
                back = trace.back(torch.stack([vectors[f][k] for f, k in places]), again=True)
                for (frame, place), product in zip(places, back, strict=False):
                    found[frame][place] = product
        return found

    def derivatives(self, frames: Tensor, directions: Tensor) -> Tensor:
        """J u of the frames' Jacobians J [D, C H W]: how features change along directions.

        Args:
            frames (Tensor): [F, C, H, W].
            directions (Tensor): u, [F, C H W].

        Returns:
            Tensor: [F, D].
        """
        found = []
        pairs = zip(frames.split(self.batch), directions.split(self.batch), strict=True)
        for some, along in pairs:
            found.append(self._traced(some).forth(along))
        return torch.cat(found)

    def _traced(self, frames: Tensor, count: int | None = None) -> 'Trace':
        frames = frames.contiguous(memory_format=self.format)
        return Trace.of(self.features, frames, len(frames) if count is None else count)


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

    def forth(self, directions: Tensor) -> Tensor:
        """J u of each frame, [N, C H W] -> [N, D]: the derivative of u J' v by v."""
        vectors = torch.zeros_like(self._attached, requires_grad=True)
        (back,) = torch.autograd.grad(self._attached, self._leaf, vectors, create_graph=True)
        (found,) = torch.autograd.grad(back, vectors, directions.view_as(back))
        return found


@dataclass(frozen=True)
class Share:
    """Some of a frame's vectors, by their places among them."""

    frame: int
    places: range


def share_out(counts: Sequence[int], batch: int) -> list[list[Share]]:
    """Divide the work on frames that have different numbers of vectors into even batches.

    A batch runs as many steps as its longest share has vectors, so that a frame with many of them
    stands in it several times.

    Args:
        counts (Sequence[int]): Vectors of each frame.
        batch (int): Shares that are worked on at once.

    Returns:
        list[list[Share]]: Batches, in each the longest share first.
    """

    def divided(longest: int) -> list[list[Share]]:
        shares = [
            Share(frame, range(start, min(start + longest, count)))
            for frame, count in enumerate(counts)
            for start in range(0, count, longest)
        ]
        shares.sort(key=lambda share: -len(share.places))
        return [shares[start : start + batch] for start in range(0, len(shares), batch)]

    def cost(batches: list[list[Share]]) -> int:
        # A forward pass costs about as much as a step, and a step by itself as much as a frame.
        return sum((len(some) + 1) * (len(some[0].places) + 1) for some in batches)

    return min((divided(longest) for longest in range(1, max(counts) + 1)), key=cost)


def works_frame_by_frame(model: nn.Module, cnn: FrameCNN, frames: Tensor) -> bool:
    """Whether a frame's features do not depend on its neighbours, nor on the CNN's tuning.

    The tuned CNN sees the frames in reverse; a backbone that mixes frames (TSM, say) then gives
    other features. A recognizer that changes frames before its backbone sees them does where only
    squares are looked at: then ``by_frame`` is set to False.
    """
    with torch.no_grad():
        whole = model.extract_frame_features(frames.unsqueeze(0))[0]
        alone = torch.cat([cnn.features(some) for some in frames.flip(0).split(cnn.batch)]).flip(0)
        allowed = AGREEMENT * whole.abs().max()
        if cnn.by_frame:
            first = frames[:1]
            nothing = [Hidden(0, (0, 0), (0, 0))]
            around = cnn.trace_around(cnn.passed(first), first, nothing).features
            cnn.by_frame = bool((whole[:1] - around).abs().max() <= allowed)
    return bool((whole - alone).abs().max() <= allowed)


def _squares(hidden: Sequence[Hidden], frames: Tensor) -> Squares:
    """Squares that cover hidden parts of frames [N, C, H, W]."""
    corners = [(one.rows[0], one.columns[0]) for one in hidden]
    rows, columns = torch.tensor(corners, device=frames.device).unbind(dim=1)
    sides = [end - start for one in hidden for start, end in (one.rows, one.columns)]
    return Squares(rows, columns, max(sides), tuple(frames.shape[2:]))


def _with_backbone(model: nn.Module, backbone: nn.Module) -> nn.Module:
    """A model that shares all else with another one."""
    changed = copy.copy(model)
    changed._modules = {**model._modules, 'backbone': backbone}
    return changed


def _folded(backbone: nn.Module) -> nn.Module:
    """A copy whose batch norms are part of the convolutions before them."""
    from mmcv.cnn import fuse_conv_bn

    return fuse_conv_bn(copy.deepcopy(backbone)).requires_grad_(False)
