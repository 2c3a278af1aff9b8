"""Changes of any attribution of any recognizer, by going through all clips with a part hidden."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from mmsal.attribution.tsr.hiding import Hidden, Hiding
from mmsal.attribution.tsr.rescaling import rounding_of


class DirectChanges:
    """Sums of \\|R(X) - R(X')\\|, one batch of clips X' after the other.

    Args:
        attribute (Callable): R; clips [N, T, C, H, W] to attributions of one shape [N, ...].
        hiding (Hiding): What is hidden.
        batch (int): Clips that are explained at once.
    """

    def __init__(
        self, attribute: Callable[[Tensor], Tensor], hiding: Hiding, batch: int = 1
    ) -> None:
        self.attribute = attribute
        self.hiding = hiding
        self.batch = batch
        self.reference = attribute(hiding.frames.unsqueeze(0))
        self.rounding = rounding_of(self.reference)

    def of_frames(self) -> Tensor:
        """See :class:`mmsal.attribution.tsr.Changes`."""
        return self._changes([self.hiding.whole(t) for t in range(len(self.hiding.frames))])

    def of_parts(self, frames: Sequence[int]) -> Tensor:
        """See :class:`mmsal.attribution.tsr.Changes`."""
        hidden = [part for t in frames for part in self.hiding.patches(t)]
        rows, columns = self.hiding.grid
        return self._changes(hidden).view(len(frames), rows * columns)

    def _changes(self, hidden: Sequence[Hidden]) -> Tensor:
        found = [self.reference.new_zeros(0, dtype=torch.float64)]
        for clips in self._clips(hidden):
            change = (self.attribute(clips) - self.reference).abs()
            found.append(change.flatten(1).sum(dim=1, dtype=torch.float64))
        return torch.cat(found)

    def _clips(self, hidden: Sequence[Hidden]) -> Iterator[Tensor]:
        """[N, T, C, H, W] each."""
        for start in range(0, len(hidden), self.batch):
            some = hidden[start : start + self.batch]
            clips = self.hiding.frames.repeat(len(some), 1, 1, 1, 1)
            clips[range(len(some)), [one.frame for one in some]] = self.hiding.hide(some)
            yield clips
