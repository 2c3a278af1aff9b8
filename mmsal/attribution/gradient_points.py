"""Gradient methods as one formula: a weighted sum of the score's gradients at some points."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

GRADIENT_METHODS = ('input_gradient', 'smoothgrad', 'integrated_gradients')
# Multiplied by the input, a gradient says what a pixel contributes, and its sign counts.
CONTRIBUTIONS = ('integrated_gradients',)


@dataclass(frozen=True)
class Point:
    """Where a gradient is taken: at ``scale * x + offset``; offset [N, ...] or 0."""

    weight: float
    scale: float = 1.0
    offset: Tensor | float = 0.0

    def of(self, inputs: Tensor) -> Tensor:
        """The point that belongs to the inputs x."""
        return self.scale * inputs + self.offset

    def of_frames(self, frames: Tensor, places: Sequence[int]) -> Tensor:
        """The point for single frames [N, C, H, W], by their places in the clip x [1, T, ...]."""
        offset = self.offset[0, places] if torch.is_tensor(self.offset) else self.offset
        return self.scale * frames + offset


@dataclass(frozen=True)
class Gradients:
    """A method that sums the score's gradients at some points, and the class they are of.

    Attributes:
        target: The class.
        points: Where the gradient is taken; offsets [1, T, C, H, W].
        times_input: Whether the sum is multiplied by the input.
        signed: Whether its sign counts.
    """

    target: int
    points: Sequence[Point]
    times_input: bool = False
    signed: bool = False


def gradient_points(
    method: str,
    inputs: Tensor,
    steps: int = 32,
    samples: int = 16,
    noise: float = 0.15,
    seed: int = 0,
) -> Iterator[Point]:
    r"""The points of a method.

    ``input_gradient``: x itself. ``integrated_gradients``: Gauss-Legendre nodes between 0 and x.
    ``smoothgrad``: noisy copies of x, with the same noise for every sample, times ``noise`` and the
    sample's own range.

    Args:
        method (str): One of ``GRADIENT_METHODS``.
        inputs (Tensor): x, [N, ...].
        steps, samples, noise, seed: See :class:`mmsal.attribution.InputAttribution`.
    """
    if method == 'input_gradient':
        yield Point(1.0)
    elif method == 'integrated_gradients':
        nodes, weights = np.polynomial.legendre.leggauss(steps)
        for node, weight in zip(nodes, weights, strict=True):
            yield Point(float(weight) / 2, float(1 + node) / 2)
    else:
        flat = inputs.flatten(1)
        deviation = noise * (flat.amax(dim=1) - flat.amin(dim=1))
        deviation = deviation.view(-1, *[1] * (inputs.dim() - 1))
        generator = torch.Generator(inputs.device).manual_seed(seed)
        for _ in range(samples):
            draw = torch.randn(
                inputs.shape[1:], generator=generator, device=inputs.device, dtype=inputs.dtype
            )
            yield Point(1 / samples, offset=deviation * draw)


def sum_of_gradients(
    score: Callable[[Tensor], Tensor],
    inputs: Tensor,
    targets: Tensor,
    points: Iterable[Point],
    times_input: bool,
) -> Tensor:
    """The weighted sum, the inputs one point after the other.

    Args:
        score (Callable): Inputs [N, ...] to class scores [N, K].
        inputs (Tensor): x, [N, ...].
        targets (Tensor): int64 [N], the class of each.
        points (Iterable[Point]): Where the gradient is taken, and its weight.
        times_input (bool): Multiply the sum by x.

    Returns:
        Tensor: [N, ...], without a graph.
    """
    total = torch.zeros_like(inputs)
    for point in points:
        leaf = point.of(inputs.detach()).requires_grad_(True)
        with torch.enable_grad():
            explained = score(leaf).gather(1, targets[:, None]).sum()
        (gradient,) = torch.autograd.grad(explained, leaf)
        total.add_(gradient, alpha=point.weight)
    return total.mul_(inputs.detach()) if times_input else total
