"""Changes of gradients in frames where nothing is hidden, by few products with their Jacobians.

What matters is the sum of the sizes of a frame's gradient. It changes most along J sign(R), so that
each basis begins there: what the basis leaves out then changes the sum to second order only. (A
basis that is good for each pixel but blind to that needs many more vectors.)
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from mmsal.attribution.gradient_points import Gradients
from mmsal.attribution.tsr.bases import Basis, choose_sizes, weigh
from mmsal.attribution.tsr.frame_cnn import FrameCNN
from mmsal.attribution.tsr.hiding import Hiding

# Errors of single pixels largely cancel in their sum over a frame, so that the bound, which takes
# them as of one sign, may be passed that many times; docs/sequential_saliency.md has what is left.
BOUND = 3
NEGLIGIBLE = 0.1  # of the allowed error: where no more can be lost, nothing is computed
TINY = 1e-30  # instead of no error at all
BLOCK = 2**20  # changes of pixels at a time: what a processor's cache holds


class Place(NamedTuple):
    """A frame at one of the points where gradients are taken."""

    frame: int
    point: int


class Known(NamedTuple):
    """Products that are at hand; vectors float64 [K, D], orthonormal, products [K, C H W]."""

    vectors: Tensor
    products: Tensor


class Elsewhere:
    """How R, made of gradients, changes in each frame when the score's slopes by its features do.

    Args:
        cnn (FrameCNN): Gives the products of vectors with the frames' Jacobians.
        hiding (Hiding): Has the frames.
        gradients (Gradients): R.
        reference (Tensor): R of the clip, with its sign, [T, C H W].
        gain (Tensor): First guess by how much R grows with the length of slopes, |R|_1 by length,
            [points, T].
        memory (int): Bytes that products may take.
    """

    def __init__(
        self,
        cnn: FrameCNN,
        hiding: Hiding,
        gradients: Gradients,
        reference: Tensor,
        gain: Tensor,
        memory: int,
    ) -> None:
        self.cnn, self.hiding, self.gradients = cnn, hiding, gradients
        self.reference, self.gain = reference, gain
        each = reference[0].numel() * reference.element_size()
        # Half for those that are kept, which spare the next call many of its own.
        self.room = self.to_keep = memory // 2 // each
        self.known: defaultdict[Place, list[Known]] = defaultdict(list)
        self.measured: set[Place] = set()
        self.aimed = gradients.signed  # there the sum has no slope at the clip itself

    def changes(self, turns: Tensor, allowed: Tensor) -> Tensor:
        """Sums of \\|R(X') - R(X)\\| over all frames, float64 [M].

        Args:
            turns (Tensor): Changes of the slopes, [M, points, T, D].
            allowed (Tensor): float64 [M], error that is allowed each.
        """
        if not self.aimed:
            self._aim()
        bases = self._bases(turns, allowed)
        sizes = dict(zip(bases, choose_sizes(list(bases.values()), BOUND), strict=True))
        least = NEGLIGIBLE / len(bases)
        wanted = [at for at, of in bases.items() if of.known or float(of.left.max()) > least]
        total = torch.zeros_like(allowed)
        for some in self._that_fit(wanted, sizes):
            vectors = {at: bases[at].chosen(sizes[at]) for at in some}
            found = self._products({at: new for at, new in vectors.items() if len(new)})
            for frame in {at.frame for at in some}:
                at_points = [at for at in some if at.frame == frame]
                total += self._distances(frame, turns[:, :, frame], at_points, found)
            self._learn(found)
            self._keep(found)
        return total

    def _aim(self) -> None:
        """Know the direction first in which the sum of sizes changes most."""
        self.aimed = True
        frames = self.hiding.frames
        for number, point in enumerate(self.gradients.points):
            if len(frames) > self.to_keep:
                break
            moved = point.of(frames.unsqueeze(0))[0]
            found = self.cnn.derivatives(moved, self.reference.sign()).double()
            found = torch.nn.functional.normalize(found, dim=1)
            vectors = {Place(t, number): one[None] for t, one in enumerate(found) if one.any()}
            self._keep(self._products(vectors))

    def _bases(self, turns: Tensor, allowed: Tensor) -> dict[Place, Basis]:
        nothing = turns.new_zeros(0, turns.shape[-1], dtype=torch.float64)
        bases = {}
        for frame in range(turns.shape[2]):
            for point in range(turns.shape[1]):
                at = Place(frame, point)
                known = torch.cat([nothing, *(some.vectors for some in self.known[at])])
                price = float(self.gain[point, frame]) / allowed.clamp(min=TINY)
                bases[at] = Basis.of(turns[:, point, frame], price, known)
        return bases

    def _that_fit(
        self, places: Sequence[Place], sizes: Mapping[Place, int]
    ) -> Iterator[list[Place]]:
        """Runs of whole frames whose products have room together, or of one frame each."""
        run, total = [], 0
        for frame in sorted({at.frame for at in places}):
            some = [at for at in places if at.frame == frame]
            count = sum(sizes[at] + 1 for at in some)
            if run and total + count > self.room:
                yield run
                run, total = [], 0
            run, total = run + some, total + count
        if run:
            yield run

    def _products(self, vectors: Mapping[Place, Tensor]) -> dict[Place, Known]:
        """R for slopes that are the vectors."""
        if not vectors:
            return {}
        points, frames = self.gradients.points, self.hiding.frames
        moved = [points[at.point].of_frames(frames[[at.frame]], [at.frame]) for at in vectors]
        moved = torch.cat(moved)
        found = self.cnn.products(moved, [some.to(moved.dtype) for some in vectors.values()])
        for at, products in zip(vectors, found, strict=True):
            products *= points[at.point].weight
            if self.gradients.times_input:
                products *= frames[at.frame].flatten()
        known = map(Known, vectors.values(), found)
        return dict(zip(vectors, known, strict=True))

    def _learn(self, found: Mapping[Place, Known]) -> None:
        """See how large products are, in the mean, the first time that there are some."""
        for at, new in found.items():
            if at not in self.measured:
                self.measured.add(at)
                self.gain[at.point, at.frame] = new.products.abs().sum(dim=1).mean()

    def _keep(self, found: Mapping[Place, Known]) -> None:
        """Keep products as far as there is room."""
        for at, new in found.items():
            if len(new.vectors) <= self.to_keep:
                self.known[at].append(new)
                self.to_keep -= len(new.vectors)

    def _distances(
        self, frame: int, turns: Tensor, places: Sequence[Place], found: Mapping[Place, Known]
    ) -> Tensor:
        """Sums of \\|R(X') - R(X)\\| over a frame's pixels, float64 [M]; turns [M, points, D]."""
        weights, products = [], []  # [M, K] and [K, C H W]
        for at in places:
            parts = self.known[at] + ([found[at]] if at in found else [])
            weights.append(weigh(turns[:, at.point], torch.cat([some.vectors for some in parts])))
            products += [some.products for some in parts]
        weights = torch.cat(weights, dim=1).to(turns.dtype)
        products = products[0] if len(products) == 1 else torch.cat(products)
        reference, signed = self.reference[frame : frame + 1], self.gradients.signed
        total = turns.new_zeros(len(turns), dtype=torch.float64)
        for columns in _slices(reference.shape[1], max(1, BLOCK // len(turns))):
            some, start = products[:, columns], reference[:, columns]
            if signed:
                total += _mixed(weights, some).abs_().sum(dim=0)
            else:
                changed = _mixed(weights, some, start)
                total += changed.abs_().sub_(start.abs().T).abs_().sum(dim=0)
        return total


def _mixed(weights: Tensor, some: Tensor, start: Tensor | None = None) -> Tensor:
    """weights @ some + start, transposed: [M, K] and [K, n] and [1, n] -> [n, M].

    In float32 on a CPU as a convolution of single pixels: oneDNN's takes less time than the matrix
    product on processors that MKL was not made for.
    """
    if start is not None:
        weights = torch.cat([weights, weights.new_ones(len(weights), 1)], dim=1)
        some = torch.cat([some, start])
    some = some.T.contiguous()
    if some.is_cuda or some.dtype != torch.float32:
        return some @ weights.T
    pixels = some.T[None, :, :, None]  # [1, K, n, 1], channels innermost
    return functional.conv2d(pixels, weights[:, :, None, None])[0, :, :, 0].T


def _slices(length: int, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, length, size))
