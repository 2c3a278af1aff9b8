"""What every attribution of a recognizer shares: its result, its targets, its quiet model."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Localization:
    """What an attribution found in one sample.

    Attributes:
        raw: float32 [V, T, H, W] in input space, before scaling.
        view_scores: float32 [V', K], class scores of the views before softmax (a 2-D recognizer
            may pool its views before the head gives scores, so V' may be 1).
        target: The class that was explained, 0-based.
        time: float32 [V, T], contribution of each frame, of methods that find one; else None.
    """

    raw: Tensor
    view_scores: Tensor
    target: int
    time: Tensor | None = None

    @property
    def scores(self) -> Tensor:
        """[K], averaged over views, before softmax: what is explained."""
        return self.view_scores.mean(dim=0)

    @property
    def scaled(self) -> Tensor:
        """[V, T, H, W]; each view stretched to [0, 1] over its frames, as MMAction2 does."""
        flat = self.raw.flatten(1)
        low, high = flat.min(dim=1, keepdim=True)[0], flat.max(dim=1, keepdim=True)[0]
        return ((flat - low) / (high - low + 1e-20)).view_as(self.raw)


@dataclass(frozen=True)
class InputShape:
    """How a batch of model inputs is made up.

    Attributes:
        samples: N.
        views: V per sample, clips x crops.
        frames: T per view.
        size: (H, W) in pixels.
    """

    samples: int
    views: int
    frames: int
    size: tuple[int, int]

    @classmethod
    def of(cls, model: nn.Module, inputs: Sequence[Tensor]) -> 'InputShape':
        """Read it off the samples: [S, 3, H, W] each (2-D) or [V, 3, T, H, W] (3-D)."""
        shape = inputs[0].shape
        if len(shape) == 5:
            views, frames = shape[0], shape[2]
        else:
            # A 2-D recognizer sees all frames as one view, unless its head cuts them into clips.
            frames = getattr(getattr(model, 'cls_head', None), 'clip_len', None) or shape[0]
            views = shape[0] // frames
        return cls(len(inputs), views, frames, (shape[-2], shape[-1]))


def views_at_a_time(model: nn.Module) -> int | None:
    """How many views (or frames, of a 2-D recognizer) the network takes at once; None: all."""
    return (getattr(model, 'test_cfg', None) or {}).get('max_testing_views')


@contextmanager
def unaveraged_views(model: nn.Module) -> Iterator[None]:
    """Within the block the head keeps the scores of the views apart, and before softmax."""
    head = getattr(model, 'cls_head', None)
    average_clips = getattr(head, 'average_clips', None)
    try:
        if head is not None:
            head.average_clips = None
        yield
    finally:
        if head is not None:
            head.average_clips = average_clips


@contextmanager
def frozen(model: nn.Module) -> Iterator[None]:
    """For one call: no gradient for parameters, views kept apart, and nothing left to chance.

    MMAction2's TRN head draws frame relations from NumPy's global generator, in testing too; it
    always draws the same ones here.
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    random_state = np.random.get_state()
    try:
        np.random.seed(0)
        for parameter in trained:
            parameter.requires_grad_(False)
        with unaveraged_views(model):
            yield
    finally:
        np.random.set_state(random_state)
        for parameter in trained:
            parameter.requires_grad_(True)


def choose_targets(scores: Tensor, target: int | Sequence[int] | None) -> Tensor:
    """The class of each sample that is explained.

    Args:
        scores (Tensor): [N, K].
        target (int | Sequence[int], optional): One for all, or one per sample; None takes the
            highest score.

    Returns:
        Tensor: int64 [N].

    Raises:
        ValueError: A class that the model does not have.
    """
    classes = scores.shape[1]
    if target is None:
        return scores.argmax(dim=1)
    targets = torch.as_tensor(target, device=scores.device).expand(len(scores))
    if targets.is_floating_point() or not bool(((targets >= 0) & (targets < classes)).all()):
        raise ValueError(f'expected a class from 0 to {classes - 1}, got {target}')
    return targets


class Explainer:
    """An attribution method on one model; puts it into evaluation mode while it is open.

    Args:
        model (nn.Module): A recognizer of MMAction2; back in its former mode on leaving the
            ``with`` block.

    Attributes:
        layer_names: The layers that are looked at; empty for methods that look at the input.
    """

    layer_names: tuple[str, ...] = ()

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self._was_training = model.training
        model.eval()

    def __enter__(self) -> 'Explainer':
        return self

    def __exit__(self, *exc_info) -> None:
        if self._was_training:
            self.model.train()

    def localize(self, data: dict, target: int | Sequence[int] | None = None) -> list[Localization]:
        """Explain a batch.

        Args:
            data (dict): What the test pipeline and ``pseudo_collate`` give: ``inputs``, a list of
                [S, 3, H, W] (2-D) or [V, 3, T, H, W] (3-D) tensors of one shape, and
                ``data_samples``.
            target (int | Sequence[int], optional): Class, or one per sample; None explains the
                class each sample is assigned to.

        Returns:
            list[Localization]: One per sample.

        Raises:
            ValueError: A class that the model does not have.
        """
        raise NotImplementedError

    def heatmaps(self, data: dict, target: int | Sequence[int] | None = None) -> list[Tensor]:
        """As :meth:`localize`, but only the scaled maps: per sample [V, T, H, W] in [0, 1]."""
        return [found.scaled for found in self.localize(data, target)]
