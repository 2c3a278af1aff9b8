"""A small basis for many vectors, and how far it can be trusted."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Basis:
    """Orthonormal vectors on which vectors [M, D] lie closely, the most important first.

    Attributes:
        vectors: float64 [D, D], a vector per row.
        importance: float64 [D], length of the M along each, in units of the allowed error.
        excess: float64 [D], bound of the largest error with the first 0, 1, ... D - 1 vectors, in
            units of the allowed one.
    """

    vectors: Tensor
    importance: Tensor
    excess: Tensor

    @classmethod
    def of(cls, turns: Tensor, allowed: Tensor, gain: float) -> 'Basis':
        """Find it.

        Args:
            turns (Tensor): The vectors, [M, D].
            allowed (Tensor): float64 [M], error that each may have.
            gain (float): Error per length that is left of a vector, at most.
        """
        # Where less is allowed, more counts.
        scaled = turns.double() * (gain / allowed.clamp(min=torch.finfo().tiny))[:, None]
        squares, vectors = torch.linalg.eigh(scaled.T @ scaled)  # columns, rising
        left = ((scaled @ vectors) ** 2).cumsum(dim=1).flip(1).sqrt()  # [M, D]
        importance = squares.clamp(min=0).sqrt().flip(0)
        return cls(vectors.flip(1).T, importance, left.amax(dim=0))

    def size_for(self, bound: float) -> int:
        """How many vectors it takes to be within a bound, in units of the allowed error."""
        enough = (self.excess <= bound).nonzero()[:, 0]
        return int(enough[0]) if len(enough) else len(self.excess)

    def with_mixture(self, size: int) -> Tensor:
        """The first vectors, then a mixture of all that they leave out, float64 [size + 1, D]."""
        others = self.vectors[size:]
        signs = torch.ones_like(self.importance[size:])
        signs[1::2] = -1
        mixture = (signs * self.importance[size:]) @ others
        return torch.cat([self.vectors[:size], _unit(mixture)[None]])


def _unit(vector: Tensor) -> Tensor:
    return torch.nn.functional.normalize(vector, dim=0)


def weigh(turns: Tensor, vectors: Tensor) -> Tensor:
    """How vectors are put together from a basis and its mixture.

    What the basis leaves out of a vector is not dropped, which would make sums of sizes too small,
    but turned into the direction of the mixture.

    Args:
        turns (Tensor): The vectors, [M, points, D].
        vectors (Tensor): Of each point, float64 [points, K + 1, D].

    Returns:
        Tensor: float64 [M, points, K + 1].
    """
    turns = turns.double()
    weights = torch.einsum('mid,ikd->mik', turns, vectors)
    rest = (turns**2).sum(dim=-1) - (weights[..., :-1] ** 2).sum(dim=-1)
    weights[..., -1] = rest.clamp(min=0).sqrt()
    return weights


def stack_bases(bases: Sequence[Sequence[Basis]], size: int) -> Tensor:
    """Bases of one size with their mixtures: of F frames, for each point; [F, points, K + 1, D]."""
    return torch.stack(
        [torch.stack([basis.with_mixture(size) for basis in some]) for some in bases]
    )
