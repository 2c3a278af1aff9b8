"""A small basis for many vectors, and how far it can be trusted."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

STEP = 4  # vectors that a basis grows by at once
POWER = 4  # how much more those of the M count that are further out of bounds


@dataclass(frozen=True)
class Basis:
    """Orthonormal vectors on which vectors [M, D] lie closely: first those that are known anyway.

    Attributes:
        vectors: float64 [D, D], a vector per row; those that are not known with the most important
            first.
        known: How many of them are known.
        importance: float64 [D - known], length of the M along each of the others, in units of the
            allowed error.
        left: [D - known + 1, M], what the known vectors and 0, 1, ... D - known of the others leave
            out of each of the M, in units of the allowed error.
    """

    vectors: Tensor
    known: int
    importance: Tensor
    left: Tensor

    @classmethod
    def of(cls, turns: Tensor, price: Tensor, known: Tensor) -> 'Basis':
        """Find it.

        Args:
            turns (Tensor): The vectors, [M, D].
            price (Tensor): float64 [M], error by length that is left out of each, in units of the
                allowed one.
            known (Tensor): float64 [k, D], orthonormal.
        """
        # Where less is allowed, more counts.
        scaled = turns.double() * price[:, None]
        scaled = scaled - (scaled @ known.T) @ known
        # A square below 0 puts the known ones last, where they are cut off.
        length = scaled.norm().clamp(min=torch.finfo(torch.float64).tiny)
        shape = scaled / length
        squares, vectors = torch.linalg.eigh(shape.T @ shape - known.T @ known)
        others = len(known.T) - len(known)
        vectors = vectors.flip(1).T[:others]  # falling
        parts = ((scaled @ vectors.T) ** 2).T  # [D - k, M]
        left = torch.cat([parts, parts.new_zeros(1, len(turns))]).flip(0).cumsum(0).flip(0).sqrt()
        importance = length * squares.flip(0)[:others].clamp(min=0).sqrt()
        return cls(torch.cat([known, vectors]), len(known), importance, left.to(turns.dtype))

    def chosen(self, size: int) -> Tensor:
        """So many vectors that are not known, then a mixture of all others, float64 [size + 1, D].

        The mixture has length 1 too. There is none where no others are left.
        """
        others, importance = self.vectors[self.known + size :], self.importance[size:]
        signs = torch.ones_like(importance)
        signs[1::2] = -1
        mixture = (signs * importance) @ others if bool(importance.any()) else others[:1].sum(0)
        vectors = self.vectors[self.known : self.known + size]
        if not len(others):
            return vectors
        return torch.cat([vectors, torch.nn.functional.normalize(mixture, dim=0)[None]])


def choose_sizes(bases: Sequence[Basis], bound: float) -> list[int]:
    """How many vectors that are not known each basis needs.

    What all bases together leave out of any of the M shall be within the bound; where a step brings
    the M furthest towards it, the next one is taken.

    Args:
        bases (Sequence[Basis]): Of the same M.
        bound (float): In units of the allowed error.
    """
    sizes = [0] * len(bases)

    def grown(number: int) -> int:
        return min(sizes[number] + STEP, len(bases[number].left) - 1)

    def gain(number: int) -> Tensor:
        left = bases[number].left
        return left[sizes[number]] - left[grown(number)]

    left = torch.stack([basis.left[0] for basis in bases])  # [bases, M]
    gains = torch.stack([gain(number) for number in range(len(bases))])
    while float(left.sum(dim=0).max()) > bound:
        ahead = ((left.sum(dim=0) - gains).clamp(min=0) / bound) ** POWER
        best = int(ahead.sum(dim=1).argmin())
        if sizes[best] == grown(best):
            break  # nothing is left but rounding
        sizes[best] = grown(best)
        left[best], gains[best] = bases[best].left[sizes[best]], gain(best)
    return sizes


def weigh(turns: Tensor, vectors: Tensor) -> Tensor:
    """How vectors are put together from a basis, the last vector of which is a mixture.

    What the basis leaves out of a vector is not dropped, which would make sums of sizes too small,
    but turned into the direction of the mixture, or against it.

    Args:
        turns (Tensor): The vectors, [M, D].
        vectors (Tensor): float64 [K + 1, D].

    Returns:
        Tensor: float64 [M, K + 1].
    """
    turns = turns.double()
    weights = turns @ vectors.T
    rest = (turns**2).sum(dim=1) - (weights[:, :-1] ** 2).sum(dim=1)
    weights[:, -1] = rest.clamp(min=0).sqrt().copysign(weights[:, -1])
    return weights
