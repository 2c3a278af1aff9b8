"""What is hidden in a clip, and what stands in its place."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real

import torch
from torch import Tensor
from torch.nn import functional

FILLINGS = ('first', 'mean', 'blur')
BLUR = 0.1  # standard deviation of the blur, as a share of the frame's longer side


@dataclass(frozen=True)
class Hidden:
    """A part of one frame, all of it, or nothing.

    Attributes:
        frame: t.
        rows, columns: Half-open ranges of pixels.
    """

    frame: int
    rows: tuple[int, int]
    columns: tuple[int, int]


@dataclass(frozen=True)
class Hiding:
    """The parts of a clip that are hidden one at a time.

    Attributes:
        frames: The clip [T, C, H, W].
        filling: What a hidden pixel becomes, broadcasting to the clip.
        patch_size: Side of a patch in pixels; the last ones are cut where they stick out.
    """

    frames: Tensor
    filling: Tensor
    patch_size: int

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        height, width = self.frames.shape[-2:]
        return math.ceil(height / self.patch_size), math.ceil(width / self.patch_size)

    def whole(self, frame: int) -> Hidden:
        """All of a frame."""
        height, width = self.frames.shape[-2:]
        return Hidden(frame, (0, height), (0, width))

    def nothing(self, frame: int) -> Hidden:
        """Not a pixel of a frame."""
        return Hidden(frame, (0, 0), (0, 0))

    def patches(self, frame: int) -> list[Hidden]:
        """The patches of a frame, row by row."""
        (height, width), side = self.frames.shape[-2:], self.patch_size
        return [
            Hidden(frame, (top, min(top + side, height)), (left, min(left + side, width)))
            for top in range(0, height, side)
            for left in range(0, width, side)
        ]

    def hide(self, hidden: Sequence[Hidden]) -> Tensor:
        """The frames concerned, each with its part hidden: [N, C, H, W]."""
        filling = self.filling.expand_as(self.frames)
        frames = self.frames[[one.frame for one in hidden]]  # a copy
        for frame, one in zip(frames, hidden, strict=True):
            rows, columns = slice(*one.rows), slice(*one.columns)
            frame[:, rows, columns] = filling[one.frame, :, rows, columns]
        return frames

    def spread(self, parts: Tensor) -> Tensor:
        """Values of patches [T, P] as maps [T, H, W]."""
        (height, width), side = self.frames.shape[-2:], self.patch_size
        maps = parts.unflatten(1, self.grid)
        maps = maps.repeat_interleave(side, dim=1).repeat_interleave(side, dim=2)
        return maps[:, :height, :width]


def fill_in(frames: Tensor, mask_value: str | float) -> Tensor:
    """What hidden pixels become.

    Args:
        frames (Tensor): [T, C, H, W].
        mask_value (str | float): ``'first'``, the colour of the first frame's top left pixel;
            ``'mean'``, the clip's mean colour; ``'blur'``, the blurred frame; or a number.

    Returns:
        Tensor: Broadcasts to ``frames``.

    Raises:
        ValueError: Something else.
    """
    check_mask_value(mask_value)
    if mask_value == 'first':
        return frames[:1, :, :1, :1]
    if mask_value == 'mean':
        return frames.mean(dim=(0, 2, 3), keepdim=True)
    if mask_value == 'blur':
        return _blurred(frames, BLUR * max(frames.shape[-2:]))
    return frames.new_full((1, 1, 1, 1), float(mask_value))


def check_mask_value(mask_value: object) -> None:
    """Refuse what :func:`fill_in` does not know.

    Raises:
        ValueError: Says what is expected.
    """
    if isinstance(mask_value, str):
        known = mask_value in FILLINGS
    else:
        known = isinstance(mask_value, Real) and not isinstance(mask_value, bool)
        known = known and math.isfinite(mask_value)
    if not known:
        raise ValueError(
            f'expected mask_value to be {", ".join(FILLINGS)} or a number, got {mask_value!r}'
        )


def _blurred(frames: Tensor, deviation: float) -> Tensor:
    """Each frame with a Gaussian blur, its edge repeated outwards."""
    reach = math.ceil(3 * deviation)
    steps = torch.arange(-reach, reach + 1, dtype=frames.dtype, device=frames.device)
    kernel = torch.exp(-0.5 * (steps / deviation) ** 2)
    kernel = kernel / kernel.sum()
    planes = frames.flatten(0, 1).unsqueeze(1)  # [T C, 1, H, W]
    planes = functional.pad(planes, (reach, reach, reach, reach), mode='replicate')
    planes = functional.conv2d(planes, kernel.view(1, 1, 1, -1))
    planes = functional.conv2d(planes, kernel.view(1, 1, -1, 1))
    return planes.view_as(frames)
