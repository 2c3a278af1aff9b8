"""Deletion and insertion: does the score fall, or rise, with the pixels that a map ranks first?"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from mmsal.attribution import Localization
from mmsal.attribution.explainer import InputShape
from mmsal.attribution.scoring import Scorer
from mmsal.explain.prediction import average_views

KINDS = ('deletion', 'insertion')
STARTS = ('blur', 'mean')
# Pixels of the input; RISE's own value, whose window is cut at 5 pixels, this one's at 15.
BLUR_SIGMA = 5.0


@dataclass(frozen=True)
class Curve:
    """The class score while pixels go or come.

    Attributes:
        fraction: float64 [n + 1], share of the pixels hidden (deletion) or shown (insertion), from
            0 to 1.
        probability: float64 [n + 1], of the explained class, averaged over views as the config's
            head does in testing.
        logit: float64 [n + 1], its score before softmax, the mean over views.
    """

    fraction: np.ndarray
    probability: np.ndarray
    logit: np.ndarray

    def area(self, score: str = 'probability') -> float:
        """Area under the curve, see :func:`area_under`."""
        return area_under(self.fraction, getattr(self, score))


def area_under(fraction: np.ndarray, score: np.ndarray) -> float:
    """Area under a curve from 0 to 1 by the trapezoidal rule: the mean score on the way."""
    return float(((score[1:] + score[:-1]) / 2 * np.diff(fraction)).sum())


def pixel_ranks(raw: Tensor, seed: int = 0) -> Tensor:
    """Place of every pixel of a clip in falling saliency, all frames and views ranked together.

    Equal values come in random order, seeded: Grad-CAM is 0 on half of many clips, and by position
    these pixels would go frame after frame. A map of one value thus gives a random order.

    Args:
        raw (Tensor): [V, T, H, W], any finite values.
        seed (int): Of the order of equal values.

    Returns:
        Tensor: int64 of the same shape on the same device, a permutation of 0 ... V T H W - 1.

    Raises:
        ValueError: NaN or infinite values.
    """
    if not bool(raw.isfinite().all()):
        raise ValueError('expected finite values to rank, got NaN or infinity')
    values = raw.flatten()
    mixed = torch.randperm(len(values), generator=_generator(seed)).to(raw.device)
    order = mixed[values[mixed].argsort(descending=True, stable=True)]
    ranks = torch.empty_like(order)
    ranks[order] = torch.arange(len(order), device=raw.device)
    return ranks.view_as(raw)


def frame_ranks(raw: Tensor, seed: int = 0) -> Tensor:
    """As :func:`pixel_ranks`, whole frames by the sum of their saliency; a frame's pixels in turn.

    With as many steps as there are frames (V T), each step takes one frame.
    """
    by_frame = pixel_ranks(raw.double().sum(dim=(2, 3), keepdim=True), seed)
    area = raw.shape[2] * raw.shape[3]
    within = torch.arange(area, device=raw.device).view(raw.shape[2:])
    return by_frame * area + within


def random_map(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    """A map without information, for reference: float32 of this shape, uniform in [0, 1)."""
    return torch.rand(shape, generator=_generator(seed))


class PixelCurves:
    r"""Deletion and insertion curves of one clip (Petsiuk et al., BMVC 2018), extended to video.

    Of the N pixels of all frames together the first :math:`\mathrm{round}(k N / n)` of an order are
    hidden (deletion) or shown (insertion), k = 0 ... n. All colours of a pixel go together. What is
    hidden by deletion becomes the preprocessor's mean colour, which is 0 behind it (black where it
    has none). Insertion starts from the clip blurred in space (Gaussian, frame by frame), which has
    no new edges, or from the mean colour.

    Forward passes only, ``batch_size`` masked clips at a time, without gradients; what is held is
    the clip whole, hidden and blurred, and one batch.

    Args:
        model (nn.Module): From :func:`mmsal.explain.load_recognizer`, in evaluation mode.
        data (dict): Batch of one clip, as :meth:`mmsal.attribution.Explainer.localize` takes it.
        target (int): The explained class.
        steps (int): n. Defaults to 20.
        start (str): What insertion starts from, ``'blur'`` or ``'mean'``. Defaults to ``'blur'``.
        batch_size (int): Masked clips per forward pass. Defaults to 4.

    Raises:
        ValueError: A batch of several clips, or an option that makes no sense.
    """

    def __init__(
        self,
        model: nn.Module,
        data: dict,
        target: int,
        steps: int = 20,
        start: str = 'blur',
        batch_size: int = 4,
    ) -> None:
        for name, value in (('steps', steps), ('batch_size', batch_size)):
            if value < 1:
                raise ValueError(f'expected {name} of at least 1, got {value}')
        if start not in STARTS:
            raise ValueError(f'expected start to be one of {", ".join(STARTS)}, got {start!r}')
        if len(data['inputs']) != 1:
            raise ValueError(f'expected one clip, got {len(data["inputs"])}')
        self.model, self.target, self.steps, self.batch_size = model, target, steps, batch_size
        self.shape = InputShape.of(model, data['inputs'])
        self.clip = model.data_preprocessor(data, training=False)['inputs'].detach()
        self.nothing = torch.zeros_like(self.clip)
        self.blurred = blur(self.clip, BLUR_SIGMA) if start == 'blur' else self.nothing
        self.scorer = Scorer(model, self.shape.views)

    @property
    def map_shape(self) -> tuple[int, int, int, int]:
        """(V, T, H, W), the shape of the clip's maps."""
        return (self.shape.views, self.shape.frames, *self.shape.size)

    def of_map(self, found: Localization | Tensor, by: str = 'pixels', seed: int = 0) -> dict:
        """Both curves of a map.

        Args:
            found (Localization | Tensor): What an explainer found, or raw values [V, T, H, W].
            by (str): ``'pixels'``, or ``'frames'`` for whole frames in steps of one frame.
            seed (int): Of the order of equal values.

        Returns:
            dict[str, Curve]: Keys as ``KINDS``.

        Raises:
            ValueError: A map of another shape, NaN or infinite values, or an unknown order.
        """
        raw = found.raw if isinstance(found, Localization) else found
        if tuple(raw.shape) != self.map_shape:
            raise ValueError(f'expected a map of shape {self.map_shape}, got {tuple(raw.shape)}')
        if by not in ORDERS:
            raise ValueError(f'expected an order by {" or ".join(ORDERS)}, got {by!r}')
        ranks = ORDERS[by](raw, seed).to(self.clip.device)
        steps = raw.shape[0] * raw.shape[1] if by == 'frames' else self.steps
        return {
            'deletion': self._curve(ranks, steps, self.clip, self.nothing),
            'insertion': self._curve(ranks, steps, self.blurred, self.clip),
        }

    @torch.no_grad()
    def _curve(self, ranks: Tensor, steps: int, before: Tensor, after: Tensor) -> Curve:
        """Scores while the pixels, in the order of their ranks, change from before to after."""
        count = ranks.numel()
        changed = [round(step * count / steps) for step in range(steps + 1)]
        logits, probabilities = [], []
        for first in range(0, len(changed), self.batch_size):
            part = changed[first : first + self.batch_size]
            inputs = torch.cat([torch.where(self._colours(ranks < n), after, before) for n in part])
            for scores in self.scorer.of_views(inputs):
                logits.append(float(scores[:, self.target].double().mean()))
                predicted = average_views(self.model, [scores]).probabilities
                probabilities.append(float(predicted[self.target]))
        return Curve(np.array(changed) / count, np.array(probabilities), np.array(logits))

    def _colours(self, mask: Tensor) -> Tensor:
        """A mask [V, T, H, W] in the input's shape: [1, V T, 1, H, W] (2-D), [1, V, 1, T, H, W]."""
        fitted = mask.flatten(0, 1) if self.clip.dim() == 5 else mask
        return fitted.unsqueeze(1).unsqueeze(0)


# How the pixels of a map are put in order.
ORDERS: dict[str, Callable[[Tensor, int], Tensor]] = {'pixels': pixel_ranks, 'frames': frame_ranks}


def blur(clip: Tensor, sigma: float) -> Tensor:
    """Blur pictures with a Gaussian of this standard deviation (pixels), cut at three of them.

    Args:
        clip (Tensor): [..., H, W]; the border pixels are repeated outwards.
        sigma (float): > 0.
    """
    reach = int(np.ceil(3 * sigma))
    at = torch.arange(-reach, reach + 1, dtype=clip.dtype, device=clip.device)
    weights = (-(at**2) / (2 * sigma**2)).exp()
    weights /= weights.sum()
    pictures = clip.reshape(-1, 1, *clip.shape[-2:])
    padded = functional.pad(pictures, (reach,) * 4, mode='replicate')
    across = functional.conv2d(padded, weights.view(1, 1, 1, -1))
    return functional.conv2d(across, weights.view(1, 1, -1, 1)).view_as(clip)


def _generator(seed: int) -> torch.Generator:
    # On the CPU on any device, so that the order is the same everywhere.
    return torch.Generator().manual_seed(seed)
