"""Attributions of one preprocessed clip, as plain functions of model and tensor."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mmsal.attribution.explainer import choose_targets
from mmsal.attribution.gradient_points import Point, sum_of_gradients
from mmsal.attribution.scoring import Scorer


@dataclass(frozen=True)
class ClipLayout:
    """How a clip lies in a tensor.

    Attributes:
        frames_first: [T, C, H, W], as 2-D recognizers take it; else [C, T, H, W].
    """

    frames_first: bool

    @classmethod
    def of(cls, model: nn.Module) -> 'ClipLayout':
        """Read it off the model's preprocessor."""
        return cls(getattr(model.data_preprocessor, 'format_shape', 'NCHW') == 'NCHW')

    def frames(self, clip: Tensor) -> Tensor:
        """The clip as frames [T, C, H, W].

        Raises:
            ValueError: It is no float clip of this layout.
        """
        expected = '[T, 3, H, W]' if self.frames_first else '[3, T, H, W]'
        colours = clip.shape[1 if self.frames_first else 0] if clip.dim() == 4 else 0
        if colours not in (1, 3) or not clip.numel() or not clip.is_floating_point():
            raise ValueError(
                f'expected a preprocessed float clip {expected}, got {clip.dtype} '
                f'{tuple(clip.shape)}'
            )
        if not bool(clip.isfinite().all()):
            raise ValueError('expected a preprocessed float clip of finite numbers, got NaN or inf')
        return clip.detach() if self.frames_first else clip.detach().transpose(0, 1)

    def scorer(self, model: nn.Module) -> Callable[[Tensor], Tensor]:
        """Class scores [N, K] of clips as frames, [N, T, C, H, W]."""
        scorer = Scorer(model)
        if self.frames_first:
            return scorer
        return lambda frames: scorer(frames.transpose(1, 2).unsqueeze(1))


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Within the block the model is in evaluation mode; then as it was, part by part."""
    trained = [module for module in model.modules() if module.training]
    try:
        model.eval()
        yield
    finally:
        for module in trained:
            module.training = True


def input_gradient(model: nn.Module, clip: Tensor, target: int | None = None) -> Tensor:
    r"""The size of the score's gradient (Simonyan et al., ICLR workshop 2014).

    .. math:: M = \sum_c \left| \partial s / \partial x_c \right|

    Args:
        model (nn.Module): A recognizer of MMAction2. It is left as it is, its mode included.
        clip (Tensor): One preprocessed float clip: [T, 3, H, W] for a 2-D recognizer, [3, T, H, W]
            for a 3-D one; on the model's device.
        target (int, optional): Class, 0-based. None explains the predicted one.

    Returns:
        Tensor: float32 [T, H, W], >= 0, in score before softmax per unit of x.

    Raises:
        ValueError: Another shape, or a class that the model does not have.
    """
    layout = ClipLayout.of(model)
    frames = layout.frames(clip).unsqueeze(0)
    with evaluating(model):
        score = layout.scorer(model)
        with torch.no_grad():
            targets = choose_targets(score(frames), target)
        signed = sum_of_gradients(score, frames, targets, [Point(1.0)], times_input=False)
    return signed[0].abs().sum(dim=1).float()
