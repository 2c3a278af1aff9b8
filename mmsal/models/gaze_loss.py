r"""How far a network's map is from where people looked: five losses on grids of a few cells.

A map has no unit: a class activation may be 1e-5 or 100 everywhere, and may be negative. So each
frame's map m is standardised first, :math:`z = (m - \bar m) / \sigma_m` over its positions, as NSS
and CC do; where a distribution is asked for, it is :math:`p = softmax(z)`. No loss then depends on
the scale of the map or on a number added to it, and each is bounded. q is the density of fixations,
which sums to 1 over a frame.
"""

from collections.abc import Callable
from numbers import Real

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.logging import MessageHub
from torch import Tensor, nn

# Of a map's largest value: below this standard deviation it is constant but for rounding.
LEAST_CONTRAST = 1e-5
TARGETS = ('class', 'attention')


def kl(maps: Tensor, density: Tensor) -> Tensor:
    r"""Kullback-Leibler divergence :math:`\sum q \ln(q / p)`, 0 to ln P + 2 sqrt(P)."""
    log_p = F.log_softmax(_standardised(maps), dim=1)
    return (torch.xlogy(density, density) - density * log_p).sum(dim=1)


def cc(maps: Tensor, density: Tensor) -> Tensor:
    """1 - Pearson's correlation, 0 to 2; 1 where map or density is constant."""
    return 1 - (_standardised(maps) * _standardised(density)).mean(dim=1)


def nss(maps: Tensor, density: Tensor) -> Tensor:
    r"""Minus the normalised scanpath saliency :math:`\sum q z`, -sqrt(P) to sqrt(P).

    The density stands for the fixations: each counts at all positions that it is spread over.
    """
    return -(density * _standardised(maps)).sum(dim=1)


def sim(maps: Tensor, density: Tensor) -> Tensor:
    r"""1 - similarity (histogram intersection) :math:`\sum \min(p, q)`, 0 to 1."""
    return 1 - torch.minimum(_standardised(maps).softmax(dim=1), density).sum(dim=1)


def mse(maps: Tensor, density: Tensor) -> Tensor:
    """Mean squared error of the map, stretched to [0, 1], and q over its maximum; 0 to 1."""
    low, high = maps.amin(dim=1, keepdim=True), maps.amax(dim=1, keepdim=True)
    constant = _is_constant(maps)
    span = torch.where(constant, 1.0, high - low)
    stretched = torch.where(constant, 0.0, (maps - low) / span)
    return (stretched - density / density.amax(dim=1, keepdim=True)).square().mean(dim=1)


# Of maps [F, P] and densities [F, P] that sum to 1, one value per frame [F].
METRICS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    'kl': kl,
    'cc': cc,
    'nss': nss,
    'sim': sim,
    'mse': mse,
}


@MODELS.register_module()
class GazeAlignmentLoss(nn.Module):
    """Distance between a network's maps and the density of fixations.

    A frame without gaze adds nothing. A clip counts by the mean over its frames that have gaze, and
    the loss is the mean over all clips of the batch, those without gaze counting 0; so a clip has
    the same weight whatever it is batched with.

    Args:
        metric (str): ``'kl'``, ``'cc'``, ``'nss'``, ``'sim'`` or ``'mse'``; definitions in
            :mod:`mmsal.models.gaze_loss`. Defaults to ``'cc'``.
        weight (float): Factor beside the class loss, 0 or more. Defaults to 1, which can be too
            much: where the class loss stands still, take less (docs/gaze_training.md).
        warmup (int): Iterations over which the factor rises evenly from 0; those of MMEngine's
            runner, so that a resumed training goes on where it stopped. Defaults to 0.
        target (str): Which map. ``'class'`` is the class activation (Grad-CAM, before its ReLU) of
            the sample's true class; ``'attention'`` is the mean over channels of the layer's
            squared activations (Zagoruyko and Komodakis, ICLR 2017), which knows no class.
        constant_weights (bool): Take the channels' weights in the class activation as constants:
            the loss then moves what the layer shows and not how the head weighs it. On a GPU this
            spares an LSTM its slow way (cuDNN's cannot be differentiated twice). Defaults to
            False, the exact gradient.

    Raises:
        ValueError: An option has none of these values.
    """

    def __init__(
        self,
        metric: str = 'cc',
        weight: float = 1.0,
        warmup: int = 0,
        target: str = 'class',
        constant_weights: bool = False,
    ) -> None:
        super().__init__()
        for name, value, known in (('metric', metric, METRICS), ('target', target, TARGETS)):
            if value not in known:
                raise ValueError(
                    f'GazeAlignmentLoss: expected {name} to be one of {", ".join(known)}, got '
                    f'{value!r}'
                )
        numbers = all(isinstance(value, Real) for value in (weight, warmup))
        if not numbers or not 0 <= weight < float('inf') or warmup < 0:
            raise ValueError(
                'GazeAlignmentLoss: expected a finite weight and a warmup of 0 or more, got '
                f'{weight!r} and {warmup!r}'
            )
        self.metric, self.weight, self.warmup = metric, weight, warmup
        self.target, self.constant_weights = target, constant_weights

    @property
    def differentiates_twice(self) -> bool:
        """Whether the gradient of class scores is part of the loss, and differentiated again."""
        return self.target == 'class' and not self.constant_weights

    def forward(self, maps: Tensor, density: Tensor) -> Tensor:
        """Loss of a batch, with its weight.

        Args:
            maps (Tensor): float [B, t, h, w], any finite values.
            density (Tensor): float [B, t, h, w], 0 or more, of any sum; 0 everywhere in frames
                without gaze.

        Returns:
            Tensor: Scalar of the type of ``maps`` (float32 if that is shorter); 0 without gaze.

        Raises:
            ValueError: Shapes differ, or a density is not finite.
        """
        if maps.shape != density.shape or maps.dim() != 4:
            raise ValueError(
                'GazeAlignmentLoss: expected maps and density of one shape [B, t, h, w], got '
                f'{list(maps.shape)} and {list(density.shape)}'
            )
        kind = torch.promote_types(maps.dtype, torch.float32)
        maps, density = maps.flatten(2).to(kind), density.flatten(2).to(kind)
        mass = density.sum(dim=2)  # [B, t]
        if not bool(mass.isfinite().all()):
            raise ValueError('GazeAlignmentLoss: expected densities of finite numbers')
        seen = mass > 0
        if not bool(seen.any()):
            return maps.new_zeros(())
        share = seen.to(kind) / (seen.sum(dim=1, keepdim=True).clamp(min=1) * len(seen))
        values = METRICS[self.metric](maps[seen], density[seen] / mass[seen][:, None])
        return self.weight * self._warmed() * (values * share[seen]).sum()

    def _warmed(self) -> float:
        """Share of the weight that counts by now."""
        if not self.warmup:
            return 1.0
        return min(1.0, MessageHub.get_current_instance().get_info('iter', 0) / self.warmup)

    def extra_repr(self) -> str:
        return (
            f'metric={self.metric!r}, weight={self.weight}, warmup={self.warmup}, '
            f'target={self.target!r}, constant_weights={self.constant_weights}'
        )


def _standardised(maps: Tensor) -> Tensor:
    """[F, P], each row of mean 0 and standard deviation 1; 0 where it is constant.

    No gradient passes a constant row: it has no direction, and any would be of rounding alone.
    """
    constant = _is_constant(maps)
    # The scale is taken out first: the square of 1e-25 is no float32 number.
    maps = maps / _size(maps)
    centred = maps - maps.mean(dim=1, keepdim=True)
    variance = torch.where(constant, 1.0, centred.square().mean(dim=1, keepdim=True))
    return torch.where(constant, 0.0, centred / variance.sqrt())


def _is_constant(maps: Tensor) -> Tensor:
    """bool [F, 1]."""
    with torch.no_grad():
        return (maps / _size(maps)).std(dim=1, keepdim=True, correction=0) < LEAST_CONTRAST


def _size(maps: Tensor) -> Tensor:
    """The largest magnitude of each row [F, 1], as a constant; 1 where all are 0."""
    largest = maps.detach().abs().amax(dim=1, keepdim=True)
    return torch.where(largest > 0, largest, 1.0)
