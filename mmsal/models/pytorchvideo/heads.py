"""Heads of MMAction2 with the pooling of PyTorchVideo's."""

import math
from collections.abc import Sequence

from mmaction.models.heads import I3DHead, SlowFastHead, X3DHead
from mmaction.registry import MODELS
from torch import Tensor

from mmsal.models.pytorchvideo.pooling import WindowPool


@MODELS.register_module()
class PyTorchVideoI3DHead(I3DHead):
    """:class:`mmaction.models.I3DHead` that pools with windows (:class:`WindowPool`).

    Args:
        args, kwargs: Options of ``I3DHead``.
        pool_window: (time, height, width) in cells; I3D R50 8x8 was published with (4, 7, 7).
            Defaults to None, the whole map.
    """

    def __init__(self, *args, pool_window: Sequence[int] | None = None, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.window_pool = WindowPool(pool_window)

    def forward(self, x: Tensor, **kwargs) -> Tensor:
        """Maps [N, C, T, H, W] -> class scores [N, K]."""
        # The class scores are linear in the means, so their mean over windows may be taken first.
        return super().forward(self.window_pool(x))


@MODELS.register_module()
class PyTorchVideoSlowFastHead(SlowFastHead):
    """:class:`mmaction.models.SlowFastHead` that pools each pathway with windows.

    Args:
        args, kwargs: Options of ``SlowFastHead``.
        pool_windows: (time, height, width) in cells of the slow and of the fast pathway; SlowFast
            R101 16x8 was published with ((16, 7, 7), (64, 7, 7)). Defaults to None, whole maps.
    """

    def __init__(
        self, *args, pool_windows: Sequence[Sequence[int] | None] | None = None, **kwargs
    ) -> None:
        super().__init__(*args, **kwargs)
        windows = (None, None) if pool_windows is None else pool_windows
        if len(windows) != 2:
            raise ValueError(
                'expected pool_windows as two windows, of the slow and of the fast pathway, got '
                f'{windows}'
            )
        slow, fast = windows
        self.slow_window_pool = WindowPool(slow)
        self.fast_window_pool = WindowPool(fast)

    def forward(self, x: tuple[Tensor, Tensor], **kwargs) -> Tensor:
        """Maps of the slow and the fast pathway -> class scores [N, K]."""
        slow, fast = x
        return super().forward((self.slow_window_pool(slow), self.fast_window_pool(fast)))


@MODELS.register_module()
class PyTorchVideoX3DHead(X3DHead):
    """:class:`mmaction.models.X3DHead` that pools, and classifies, window by window.

    Its two layers have a ReLU between them, so that classifying every window and averaging is not
    classifying the mean of windows.

    Args:
        args, kwargs: Options of ``X3DHead``.
        pool_window: (time, height, width) in cells; X3D-L was published with (16, 10, 10).
            Defaults to None, the whole map.
        average_windows: What is averaged over windows. ``score``: the class scores. ``prob``: the
            class probabilities, as PyTorchVideo's published network does; class scores with those
            probabilities are returned. Where there is one window the two are the same. Defaults
            to 'score'.
    """

    def __init__(
        self,
        *args,
        pool_window: Sequence[int] | None = None,
        average_windows: str = 'score',
        **kwargs,
    ) -> None:
        super().__init__(*args, **kwargs)
        if average_windows not in ('score', 'prob'):
            raise ValueError(f"expected average_windows 'score' or 'prob', got {average_windows!r}")
        self.window_pool = WindowPool(pool_window)
        self.average_windows = average_windows

    def forward(self, x: Tensor, **kwargs) -> Tensor:
        """Maps [N, C, T, H, W] -> class scores [N, K]."""
        means = self.window_pool(x).flatten(2).transpose(1, 2)  # [N, windows, C]
        hidden = self.relu(self.fc1(means))
        if self.dropout is not None:
            hidden = self.dropout(hidden)
        scores = self.fc2(hidden)  # [N, windows, K]
        if self.average_windows == 'score':
            return scores.mean(dim=1)
        # Log of the mean probability, up to a constant per sample: the mean of what softmax
        # divides by. With it a single window keeps its scores as they are.
        logs = scores.log_softmax(dim=2)
        constant = (scores - logs).mean(dim=1)
        return logs.logsumexp(dim=1) - math.log(logs.shape[1]) + constant
