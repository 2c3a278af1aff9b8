"""Changes of gradients, quick where a recognizer's CNN works frame by frame.

A part hidden in frame t changes the CNN's features of frame t alone. In every other frame s the
score's gradient is J_s' g, where the Jacobian J_s of the features stays as it is and only g, the
score's gradient with respect to the features of s, changes with what is hidden elsewhere. So

- the CNN sees each changed frame once, not each changed clip;
- the recurrent part sees the changed sequences in batches;
- the changes of g, over all that is hidden, lie close to a space of few dimensions (about 30 at
  1e-4). J_s' is taken of a basis of it, and the rest is matrix products.
"""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmsal.attribution.gradient_points import Gradients
from mmsal.attribution.tsr.elsewhere import Elsewhere
from mmsal.attribution.tsr.frame_cnn import FrameCNN
from mmsal.attribution.tsr.hiding import Hidden, Hiding
from mmsal.attribution.tsr.rescaling import rounding_of
from mmsal.attribution.tsr.resnet import Passed

ROUNDS = 3  # that bases are chosen anew, should the range of the changes have been overestimated
ROUNDING = 1e-6  # of the largest change; below it the direct loop knows no better


class FramewiseChanges:
    r"""Sums of \|R(X) - R(X')\| where R is made of gradients.

    Args:
        model (nn.Module): With ``classify_sequence``; in evaluation mode, its parameters without
            gradient.
        cnn (FrameCNN): Of the model.
        hiding (Hiding): What is hidden.
        gradients (Gradients): R.
        tolerance (float): What the bases may leave out, as a share of the range of the changes
            that are compared with each other: those of all frames, or of one frame's patches.
        memory (int): Bytes that changes of slopes may take, and as much again gradients by them.
    """

    def __init__(
        self,
        model: nn.Module,
        cnn: FrameCNN,
        hiding: Hiding,
        gradients: Gradients,
        tolerance: float,
        memory: int,
    ) -> None:
        self.model, self.cnn, self.hiding, self.gradients = model, cnn, hiding, gradients
        self.tolerance = tolerance
        frames = hiding.frames
        self.last = None  # frame and point, and what passed the CNN there
        self.features = []  # [T, D] of each point
        self.slopes = []  # d score / d feature, [T, D] of each point
        signed = frames.new_zeros(len(frames), frames[0].numel())
        gains = []
        for point in gradients.points:
            moved = point.of(frames.unsqueeze(0))[0].split(cnn.batch)
            features = torch.cat([cnn.trace(some).features for some in moved])
            slopes = self._slopes(features.unsqueeze(0))[0]
            back = zip(moved, slopes.split(cnn.batch), strict=True)
            found = torch.cat([cnn.trace(some).back(slope) for some, slope in back])
            signed.add_(found, alpha=point.weight)
            share = found * point.weight * (frames.flatten(1) if gradients.times_input else 1)
            gains.append(_amplified(share, slopes))
            self.features.append(features)
            self.slopes.append(slopes)
        self.signed = signed * frames.flatten(1) if gradients.times_input else signed
        self.rounding = rounding_of(self.signed)
        gain = torch.stack(gains)  # [points, T]
        gain = torch.where(gain > 0, gain, gain.max())
        self.elsewhere = Elsewhere(cnn, hiding, gradients, self.signed, gain, memory)
        self.memory = memory
        self.importance = frames.new_ones(len(frames), dtype=torch.float64)

    def of_frames(self) -> Tensor:
        """See :class:`mmsal.attribution.tsr.Changes`."""
        hidden = [self.hiding.whole(t) for t in range(len(self.hiding.frames))]
        # They are few, so that a good basis costs little.
        allowed = torch.full_like(self.importance, self.tolerance / 10)
        within = [self._within(some) for some in _batches(hidden, self.cnn.batch)]
        found = self._with_others(within, len(hidden), allowed)
        # An error in the patches of a frame that counts little does little harm.
        self.importance = ((found - found.min()) / _ranges(found, len(found))).clamp(min=0.1)
        return found

    def of_parts(self, frames: Sequence[int]) -> Tensor:
        """See :class:`mmsal.attribution.tsr.Changes`."""
        rows, columns = self.hiding.grid
        parts = rows * columns
        turns = len(self.gradients.points) * self.slopes[0].numel() * self.slopes[0].element_size()
        found = [self.signed.new_zeros(0, dtype=torch.float64)]
        for some in _batches(frames, max(1, self.memory // (turns * parts))):
            allowed = self.tolerance / self.importance[list(some)].repeat_interleave(parts)
            found.append(self._with_others(self._within_parts(some), parts, allowed))
        return torch.cat(found).view(len(frames), parts)

    def _within_parts(self, frames: Sequence[int]) -> list[tuple[Tensor, Tensor]]:
        """:meth:`_within` of all patches of some frames."""
        hidden = [self.hiding.patches(t) for t in frames]
        if not self.cnn.by_frame:
            batches = _batches(list(itertools.chain(*hidden)), self.cnn.batch)
            return [self._within(some) for some in batches]
        found = []
        for patches in hidden:
            frame, reference = patches[0].frame, None
            # First the frame itself, so that what kernels round alike is nothing that changes.
            for some in _batches([self.hiding.nothing(frame), *patches], self.cnn.batch):
                r, turns = self._r_and_turns(some, frame)
                if reference is None:
                    reference, r, turns = r[:1].clone(), r[1:], turns[1:]
                found.append((_change(r, reference), turns))
        return found

    def _passed(self, frame: int, number: int) -> Passed:
        """What the CNN needs to know of a frame at a point; the last is kept for the next batch."""
        if self.last is None or self.last[0] != (frame, number):
            point, frames = self.gradients.points[number], self.hiding.frames[[frame]]
            self.last = None
            self.last = ((frame, number), self.cnn.passed(point.of_frames(frames, [frame])))
        return self.last[1]

    def _with_others(
        self, within: Sequence[tuple[Tensor, Tensor]], group: int, tolerance: Tensor
    ) -> Tensor:
        """Add the changes in other frames, float64 [M].

        Args:
            within (Sequence[tuple[Tensor, Tensor]]): Of :meth:`_within`, M in all.
            group (int): So many of the M that follow each other are compared with each other.
            tolerance (Tensor): float64 [M].
        """
        own, turns = (torch.cat(some) for some in zip(*within, strict=True))
        expected = _ranges(own, group)
        for _ in range(ROUNDS):
            total = own + self.elsewhere.changes(turns, tolerance * expected)
            found = _ranges(total, group)
            if bool((found >= expected / 2).all()):
                break
            expected = found
        return total

    def _within(self, hidden: Sequence[Hidden]) -> tuple[Tensor, Tensor]:
        """Changes of R in the hidden frames, float64 [N], of all slopes, [N, points, T, D]."""
        r, turns = self._r_and_turns(hidden)
        reference = self.signed[[one.frame for one in hidden]]
        return _change(r, reference if self.gradients.signed else reference.abs_()), turns

    def _r_and_turns(
        self, hidden: Sequence[Hidden], frame: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """R in the hidden frames, [N, C H W], and changes of slopes elsewhere, [N, points, T, D].

        Args:
            hidden (Sequence[Hidden]): What is hidden, one after the other.
            frame (int, optional): The frame that all are parts of, to look around them alone.
        """
        where = [one.frame for one in hidden]
        rows = range(len(hidden))
        changed = self.hiding.hide(hidden)
        r, turns = None, []
        for number, point in enumerate(self.gradients.points):
            moved = point.of_frames(changed, where)
            if frame is None:
                trace = self.cnn.trace(moved)
            else:
                trace = self.cnn.trace_around(self._passed(frame, number), moved, hidden)
            sequences = self.features[number].repeat(len(hidden), 1, 1)
            sequences[rows, where] = trace.features
            slopes = self._slopes(sequences)
            found = trace.back(slopes[rows, where])
            del trace  # before the next one's graph
            if point.weight != 1:
                found *= point.weight
            r = found if r is None else r.add_(found)
            turn = slopes - self.slopes[number]
            turn[rows, where] = 0
            turns.append(turn)
        if self.gradients.times_input:
            r *= changed.flatten(1)
        return r if self.gradients.signed else r.abs_(), torch.stack(turns, dim=1)

    def _slopes(self, sequences: Tensor) -> Tensor:
        """The score's gradient with respect to features, [N, T, D]."""
        leaf = sequences.detach().requires_grad_(True)
        with torch.enable_grad():
            scores = self.model.classify_sequence(leaf)
            explained = scores[:, self.gradients.target].sum()
        return torch.autograd.grad(explained, leaf)[0]


def _change(r: Tensor, reference: Tensor) -> Tensor:
    r"""Sums of \|R(X') - R(X)\|, float64 [N]; R(X') [N, C H W] is overwritten."""
    return r.sub_(reference).abs_().sum(dim=1, dtype=torch.float64)


def _amplified(products: Tensor, vectors: Tensor) -> Tensor:
    """By how much J' lengthens vectors: |J' v|_1 / |v|_2, 0 for v = 0."""
    length = vectors.norm(dim=1)
    return torch.where(length > 0, products.abs().sum(dim=1) / length, torch.zeros_like(length))


def _ranges(changes: Tensor, group: int) -> Tensor:
    """For each change the range of its group, but not less than rounding."""
    groups = changes.view(-1, group)
    span = groups.amax(dim=1) - groups.amin(dim=1)
    return span.clamp(min=ROUNDING * float(changes.max())).repeat_interleave(group)


def _batches(items: Sequence, size: int) -> list[Sequence]:
    return [items[start : start + size] for start in range(0, len(items), size)]
