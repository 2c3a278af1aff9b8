"""Temporal saliency rescaling of one clip."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor, nn

from mmsal.attribution.clips import ClipLayout, evaluating
from mmsal.attribution.explainer import choose_targets, frozen
from mmsal.attribution.gradient_points import (
    CONTRIBUTIONS,
    GRADIENT_METHODS,
    Gradients,
    gradient_points,
    sum_of_gradients,
)
from mmsal.attribution.graph_size import graph_size
from mmsal.attribution.input_options import checked_options
from mmsal.attribution.tsr.direct import DirectChanges
from mmsal.attribution.tsr.frame_cnn import FrameCNN, works_frame_by_frame
from mmsal.attribution.tsr.framewise import FramewiseChanges
from mmsal.attribution.tsr.hiding import Hiding, check_mask_value, fill_in
from mmsal.attribution.tsr.rescaling import check_rescaling, rescale

TOLERANCE = 1e-3  # of the range of changes
MEMORY = 2.0  # GiB
TSR_OPTIONS = {
    'of': 'input_gradient',
    'patch_size': 10,
    'mask_value': 'first',
    'quantile': 0.55,
    'form': 'official',
    'exact': False,
    'memory': MEMORY,
}
CLIPS = 8  # that a GPU gets at once; a CPU gains nothing by more than one


@dataclass(frozen=True)
class TSRResult:
    """Temporal saliency rescaling of one clip of T frames.

    Attributes:
        saliency: float32 [T, H, W], time contribution times patch contribution; in the official
            form in [0, 1].
        time: float32 [T], contribution of each frame; in the official form in [0, 1].
        patches: float32 [T, rows, columns], contribution of each patch within its frame, likewise;
            constant in frames below the threshold.
        chosen: bool [T], frames above the threshold.
        target: The class that was explained, 0-based.
        scores: float32 [K], class scores of the clip before softmax.
        direct: Whether every clip with something hidden went through the whole network.
    """

    saliency: Tensor
    time: Tensor
    patches: Tensor
    chosen: Tensor
    target: int
    scores: Tensor
    direct: bool


def temporal_saliency_rescaling(
    model: nn.Module,
    clip: Tensor,
    target: int | None = None,
    patch_size: int = 10,
    mask_value: str | float = 'first',
    quantile: float = 0.55,
    form: str = 'official',
    exact: bool = False,
    of: str = 'input_gradient',
    memory: float = MEMORY,
    **options: Any,
) -> TSRResult:
    r"""Which frames, and where in them, an attribution R hangs on (Ismail et al., NeurIPS 2020).

    Hiding frame t changes R by :math:`D_t = \sum |R(X) - R(X \setminus t)|`, summed over all
    frames, colours and pixels; hiding patch p of frame t by :math:`D_{tp}`. In the official form,
    that of the published code, D_t is stretched to [0, 1] over the frames and D_tp over the patches
    of a frame, and the saliency is their product; patches are looked at in frames whose D_t is
    above the quantile, those of others count 0.1. The paper's form stretches nothing and others
    count 0.

    R is :math:`|\partial s / \partial x|` for ``of='input_gradient'``, the size of the mean
    gradient of noisy copies for ``'smoothgrad'`` (the noise being the same whatever is hidden), and
    :math:`x \int \partial s / \partial x` with its sign for ``'integrated_gradients'``; s is the
    score of the target class before softmax.

    Where this departs from the published code, which takes series of [T, features]: a part is a
    square patch with all its colours rather than one number, so that people are hidden piece by
    piece; hidden pixels take the colour of the clip's first pixel, not the value of its first
    colour; R takes the score before softmax; and a frame whose D_tp are all alike counts 0.

    A recognizer whose CNN works frame by frame (``extract_frame_features`` and
    ``classify_sequence``, as :class:`mmsal.models.CNNLSTMRecognizer`) is explained without sending
    every clip through it, see :mod:`mmsal.attribution.tsr.framewise`: the map is that of
    ``exact=True`` to 1e-3 of its largest value where the gradient does not hang on the last bit
    (docs/sequential_saliency.md). All others, and a CNN that turns out to mix frames, are explained
    directly.

    Args:
        model (nn.Module): A recognizer of MMAction2. It is left as it is, its mode included.
        clip (Tensor): One preprocessed float clip: [T, 3, H, W] for a 2-D recognizer, [3, T, H, W]
            for a 3-D one; on the model's device.
        target (int, optional): Class, 0-based. None explains the predicted one.
        patch_size (int): Side of a patch in pixels of the input; patches at the right and lower
            edge are cut where it does not divide the frame. Defaults to 10.
        mask_value (str | float): What hidden pixels become: ``'first'`` (default), ``'mean'``,
            ``'blur'`` or a number, see :func:`mmsal.attribution.tsr.fill_in`.
        quantile (float): Threshold of the frames, in [0, 1). Defaults to 0.55.
        form (str): ``'official'`` (default) or ``'paper'``.
        exact (bool): Send every clip through the whole network. Defaults to False.
        of (str): R: ``'input_gradient'`` (default), ``'smoothgrad'`` or
            ``'integrated_gradients'``.
        memory (float): GiB that the work may take beside model and clip, as far as it is known
            beforehand. Defaults to 2.
        options: Of R, see :class:`mmsal.attribution.InputAttribution`.

    Returns:
        TSRResult: On the clip's device.

    Raises:
        ValueError: A clip, class or option that makes no sense.

    Example:
        >>> result = temporal_saliency_rescaling(model, clip, target=1)  # doctest: +SKIP
        >>> result.saliency.shape, result.time.shape  # doctest: +SKIP
        (torch.Size([30, 120, 120]), torch.Size([30]))
    """
    check_tsr_options(patch_size, mask_value, quantile, form, exact, of, memory)
    options = checked_options(of, options)
    layout = ClipLayout.of(model)
    frames = layout.frames(clip)
    hiding = Hiding(frames, fill_in(frames, mask_value), int(patch_size))
    with evaluating(model):
        score = layout.scorer(model)
        with torch.no_grad():
            scores = score(frames.unsqueeze(0))
        target = int(choose_targets(scores, target))
        points = list(gradient_points(of, frames.unsqueeze(0), **options))
        signed = of in CONTRIBUTIONS
        gradients = Gradients(target, points, times_input=signed, signed=signed)
        budget = int(memory * 2**30)
        with frozen(model):
            cnn = None if exact else _frame_cnn(model, hiding, budget // 2)
            if cnn is None:
                changes = _direct(score, hiding, gradients, budget)
            else:
                changes = FramewiseChanges(model, cnn, hiding, gradients, TOLERANCE, budget // 4)
            found = rescale(changes, form, quantile)
    return TSRResult(
        hiding.spread(found.contributions).float(),
        found.time.float(),
        found.parts.unflatten(1, hiding.grid).float(),
        found.chosen,
        target,
        scores[0].float(),
        cnn is None,
    )


def check_tsr_options(
    patch_size: int,
    mask_value: str | float,
    quantile: float,
    form: str,
    exact: bool,
    of: str,
    memory: float,
) -> None:
    """Refuse what :func:`temporal_saliency_rescaling` cannot work with.

    Raises:
        ValueError: Says what is expected.
    """  # fmt: skip
    if not isinstance(patch_size, Integral) or isinstance(patch_size, bool) or patch_size < 1:
        raise ValueError(f'expected patch_size to be a whole number from 1, got {patch_size!r}')
    check_mask_value(mask_value)
    check_rescaling(form, quantile)
    if not isinstance(exact, bool):
        raise ValueError(f'expected exact to be True or False, got {exact!r}')
    if of not in GRADIENT_METHODS:
        raise ValueError(f'expected of to be one of {", ".join(GRADIENT_METHODS)}, got {of!r}')
    if not isinstance(memory, Real) or isinstance(memory, bool) or not 0 < memory < math.inf:
        raise ValueError(f'expected memory to be a number of GiB above 0, got {memory!r}')


def _frame_cnn(model: nn.Module, hiding: Hiding, memory: int) -> FrameCNN | None:
    """The CNN, if the recognizer has one that works frame by frame."""
    frames = hiding.frames
    if not all(hasattr(model, name) for name in ('extract_frame_features', 'classify_sequence')):
        return None
    if getattr(model.cls_head, 'clip_len', None) not in (None, len(frames)):
        return None  # the head cuts the frames into clips and averages their scores
    try:
        cnn = FrameCNN(model, frames[0], memory, 1 + math.prod(hiding.grid))
    except torch.OutOfMemoryError:
        raise
    except RuntimeError:  # a CNN that mixes frames may refuse a single one
        return None
    return cnn if works_frame_by_frame(model, cnn, frames) else None


def _direct(
    score: Callable[[Tensor], Tensor], hiding: Hiding, gradients: Gradients, memory: int
) -> DirectChanges:
    def attribute(clips: Tensor) -> Tensor:
        targets = torch.full((len(clips),), gradients.target, device=clips.device)
        found = sum_of_gradients(score, clips, targets, gradients.points, gradients.times_input)
        return found if gradients.signed else found.abs_()

    batch = 1
    if hiding.frames.is_cuda:
        each = 2 * graph_size(score, hiding.frames.unsqueeze(0))
        batch = max(1, min(CLIPS, memory // each))
    return DirectChanges(attribute, hiding, batch)
