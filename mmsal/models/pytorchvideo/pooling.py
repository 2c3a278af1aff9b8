"""Average pooling as PyTorchVideo's heads do it: windows of one size, then their mean."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import avg_pool3d


class WindowPool(nn.Module):
    """Means of every window of a fixed size, one cell apart.

    PyTorchVideo's heads pool with the window that covers the training crop's map. A larger test
    crop has several windows, and a cell near the middle lies in more of them than one at the edge,
    so that their mean is not the mean of the map.

    Args:
        window (Sequence[int] | None): Extent in time, height and width, in cells of the map. A map
            that is smaller, where PyTorchVideo would fail, has one window, as wide as the map.
            None is the whole map always.
    """

    def __init__(self, window: Sequence[int] | None) -> None:
        super().__init__()
        if window is not None:
            window = tuple(window) if isinstance(window, list | tuple) else (window,)
            if len(window) != 3 or not all(isinstance(e, int) and e > 0 for e in window):
                raise ValueError(
                    f'expected pool_window as three positive integers (time, height, width), '
                    f'got {window}'
                )
        self.window = window

    def forward(self, x: Tensor) -> Tensor:
        """Maps [N, C, T, H, W] -> means [N, C, T', H', W'], one per window."""
        extent = x.shape[2:]
        if self.window is not None:
            extent = [min(pair) for pair in zip(self.window, extent, strict=True)]
        return avg_pool3d(x, extent, stride=1)
