"""Squares of maps, one per sample, as they grow from layer to layer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True)
class Squares:
    """A square of each of N maps. It may stick out of its map, where there is nothing but zeros.

    Attributes:
        rows, columns: int64 [N], the first row and column, from 0.
        size: Side of all squares.
        shape: Height and width of the maps.
    """

    rows: Tensor
    columns: Tensor
    size: int
    shape: tuple[int, int]

    def __getitem__(self, some: slice) -> Squares:
        """Of some of the samples."""
        return Squares(self.rows[some], self.columns[some], self.size, self.shape)

    def filled(self, missing: int) -> Squares:
        """So many more samples, whose squares are where the last one's is."""
        rows = torch.cat([self.rows, self.rows[-1:].expand(missing)])
        columns = torch.cat([self.columns, self.columns[-1:].expand(missing)])
        return Squares(rows, columns, self.size, self.shape)

    def seen_by(self, layer: Sliding, shape: tuple[int, int]) -> Squares:
        """All that a layer makes of the squares, in its maps of that shape, and little else."""
        return Squares(
            layer.first_that_sees(self.rows),
            layer.first_that_sees(self.columns),
            layer.seen(self.size),
            shape,
        )

    def needed_by(self, layer: Sliding, shape: tuple[int, int]) -> Squares:
        """All that a layer needs to make these squares, in its input of that shape."""
        return Squares(
            self.rows * layer.stride - layer.padding,
            self.columns * layer.stride - layer.padding,
            (self.size - 1) * layer.stride + layer.kernel,
            shape,
        )

    def within(self, others: Squares) -> Squares:
        """Where these lie in other squares of the same maps, which are maps then."""
        rows, columns = self.rows - others.rows, self.columns - others.columns
        return Squares(rows, columns, self.size, (others.size, others.size))

    def places_on_maps(self, places: Tensor) -> Tensor:
        """Places in squares (row times size, plus column) as places on maps.

        Those that stick out become places at the edge. [N, C, h, w], int64.
        """
        height, width = self.shape
        rows = places // self.size + self.rows.view(-1, 1, 1, 1)
        columns = places % self.size + self.columns.view(-1, 1, 1, 1)
        return rows.clamp_(0, height - 1) * width + columns.clamp_(0, width - 1)

    def cut(self, maps: Tensor) -> Tensor:
        """The squares out of maps [N or 1, C, H, W]: [N, C, size, size], 0 where they stick out."""
        height, width = self.shape
        rows, columns = self._rows.clamp(0, height - 1), self._columns.clamp(0, width - 1)
        places = rows[:, :, None] * width + columns[:, None, :]
        if len(maps) > 1:
            places = places + self._samples * (height * width)
        flat = _channels_last(maps).reshape(-1, maps.shape[1])
        found = flat.index_select(0, places.flatten()).view(*places.shape, maps.shape[1])
        return self.clear_outside(found.permute(0, 3, 1, 2))

    def clear_outside(self, squares: Tensor) -> Tensor:
        """Set to 0, in place, what sticks out; [N, C, size, size]."""
        if not self._all_inside:
            squares *= self._inside[:, None]
        return squares

    def paste(self, squares: Tensor, maps: Tensor) -> None:
        """Put squares [N, C, size, size] into maps [N, C, H, W], channels innermost, in place."""
        flat = maps.permute(0, 2, 3, 1).view(-1, maps.shape[1])  # a copy would lose what is pasted
        flat.index_copy_(0, self._places_on_maps, self._on_maps(squares))

    @cached_property
    def _steps(self) -> Tensor:
        return torch.arange(self.size, device=self.rows.device)

    @cached_property
    def _rows(self) -> Tensor:
        return self.rows[:, None] + self._steps  # [N, size]

    @cached_property
    def _columns(self) -> Tensor:
        return self.columns[:, None] + self._steps

    @cached_property
    def _samples(self) -> Tensor:
        return torch.arange(len(self.rows), device=self.rows.device)[:, None, None]

    @cached_property
    def _inside(self) -> Tensor:
        """bool [N, size, size]."""
        height, width = self.shape
        rows = (self._rows >= 0) & (self._rows < height)
        columns = (self._columns >= 0) & (self._columns < width)
        return rows[:, :, None] & columns[:, None, :]

    @cached_property
    def _all_inside(self) -> bool:
        return bool(self._inside.all())

    @cached_property
    def _places_on_maps(self) -> Tensor:
        """Where in [N H W] the places of the squares lie that are inside."""
        height, width = self.shape
        rows = self._samples * height + self._rows[:, :, None]
        return (rows * width + self._columns[:, None, :])[self._inside]

    def _on_maps(self, squares: Tensor) -> Tensor:
        """Values of the same places, [places, C]."""
        flat = _channels_last(squares).reshape(-1, squares.shape[1])
        return flat if self._all_inside else flat[self._inside.flatten()]


@dataclass(frozen=True)
class Sliding:
    """How a convolution or pooling slides over rows and columns alike."""

    kernel: int
    stride: int
    padding: int

    def length(self, size: int) -> int:
        """Of what it makes of so many rows."""
        return (size + 2 * self.padding - self.kernel) // self.stride + 1

    def first_that_sees(self, row: Tensor) -> Tensor:
        """The first row of its output that a row of its input counts for."""
        behind = self.kernel - 1 - self.padding
        return -torch.div(behind - row, self.stride, rounding_mode='floor')

    def seen(self, size: int) -> int:
        """How many rows so many rows of the input count for, at most."""
        return (size + self.kernel - 2) // self.stride + 1


def _channels_last(maps: Tensor) -> Tensor:
    """[N, C, H, W] -> [N, H, W, C], no copy where channels are innermost already."""
    return maps.permute(0, 2, 3, 1).contiguous()
