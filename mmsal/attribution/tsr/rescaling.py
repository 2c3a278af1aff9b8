"""The rescaling itself: from changes of an attribution to contributions of frames and parts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

FORMS = ('official', 'paper')
ROUNDING = 32  # units of it, by which sums of R may differ for no other reason
# What a part of a frame below the threshold counts for: the published code gives 0.1, the paper 0.
BELOW_THRESHOLD = {'official': 0.1, 'paper': 0.0}


class Changes(Protocol):
    """How much an attribution R changes when something is hidden: sums of \\|R(X) - R(X')\\|.

    Attributes:
        rounding: Changes that differ by no more are alike; see :func:`rounding_of`.
    """

    rounding: float

    def of_frames(self) -> Tensor:
        """float64 [T]: a whole frame is hidden."""

    def of_parts(self, frames: Sequence[int]) -> Tensor:
        """float64 [len(frames), P]: one part of one frame is hidden."""


@dataclass(frozen=True)
class Rescaled:
    """What the rescaling found; T frames of P parts.

    Attributes:
        contributions: float64 [T, P], time contribution times part contribution.
        time: float64 [T], contribution of each frame: the change of R when it is hidden, in the
            official form stretched to [0, 1] over the frames.
        parts: float64 [T, P], contribution of each part within its frame, likewise; constant in
            frames below the threshold.
        chosen: bool [T], frames above the threshold.
    """

    contributions: Tensor
    time: Tensor
    parts: Tensor
    chosen: Tensor


def rounding_of(attribution: Tensor) -> float:
    """By how much the sum of an attribution's sizes may differ through rounding alone."""
    unit = torch.finfo(attribution.dtype).eps
    return ROUNDING * unit * float(attribution.abs().sum(dtype=torch.float64))


def rescale(changes: Changes, form: str = 'official', quantile: float = 0.55) -> Rescaled:
    """Ask which frames matter, then in those which parts matter (Ismail et al., NeurIPS 2020).

    A frame is looked at more closely if its time contribution is strictly above the quantile.

    Args:
        changes (Changes): Of the attribution, in T frames of P parts.
        form (str): ``'official'``: as the published code has it, both contributions are stretched
            to [0, 1] (all 0 where they are all alike but for rounding), parts of other frames
            count 0.1.
            ``'paper'``: as Algorithm 1 has it, without stretching, and other frames are 0.
        quantile (float): In [0, 1), linear between values as ``numpy.quantile``. The paper leaves
            the threshold open; the published code takes 0.55.

    Raises:
        ValueError: An unknown form, or a quantile out of range.
    """
    check_rescaling(form, quantile)
    official = form == 'official'

    def stretch(values: Tensor) -> Tensor:
        return _stretched(values, changes.rounding) if official else values

    time = stretch(changes.of_frames())
    chosen = time > time.quantile(quantile)
    picked = chosen.nonzero()[:, 0].tolist()
    found = changes.of_parts(picked)
    parts = found.new_full((len(time), found.shape[1]), BELOW_THRESHOLD[form])
    parts[picked] = stretch(found)
    return Rescaled(time[:, None] * parts, time, parts, chosen)


def check_rescaling(form: str, quantile: float) -> None:
    """Refuse what :func:`rescale` cannot work with.

    Raises:
        ValueError: Says what is expected.
    """
    if form not in FORMS:
        raise ValueError(f'expected form to be one of {", ".join(FORMS)}, got {form!r}')
    if isinstance(quantile, bool) or not isinstance(quantile, int | float):
        raise ValueError(f'expected quantile to be a number, got {quantile!r}')
    if not 0 <= quantile < 1 or math.isnan(quantile):
        raise ValueError(f'expected quantile from 0 to below 1, got {quantile}')


def _stretched(values: Tensor, rounding: float) -> Tensor:
    """The last dimension to [0, 1]; 0 where all are alike, as scikit-learn's minmax_scale does."""
    if not values.numel():
        return values
    low, high = values.amin(dim=-1, keepdim=True), values.amax(dim=-1, keepdim=True)
    span = high - low
    return torch.where(span > rounding, (values - low) / span, torch.zeros_like(values))
