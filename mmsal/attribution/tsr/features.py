"""Saliency of frame features: which feature, at which time, a sequence classifier listens to."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from numbers import Real

import torch
from torch import Tensor, nn

from mmsal.attribution.explainer import choose_targets, frozen
from mmsal.attribution.tsr.rescaling import Rescaled, check_rescaling, rescale, rounding_of

MASK_WORDS = ('first', 'mean')
BATCH_SIZE = 64  # sequences


def feature_saliency(model: nn.Module, clip: Tensor, target: int | None = None) -> Tensor:
    r"""How much the class score would change with each feature of each frame.

    .. math:: R_{td} = \left| \partial s / \partial f_{td} \right|

    where s is the score of the explained class before softmax and f the features that the CNN has
    found in each frame (Simonyan et al., ICLR workshop 2014, on features).

    Args:
        model (nn.Module): A :class:`mmsal.models.CNNLSTMRecognizer`, or what else has
            ``extract_frame_features`` and ``classify_sequence``. In evaluation mode and without
            gradients of its parameters for this call, and left as it was.
        clip (Tensor): One preprocessed float clip [T, 3, H, W].
        target (int, optional): Class, 0-based; None takes the predicted one.

    Returns:
        Tensor: [T, D], >= 0, in score per unit of the feature.

    Raises:
        ValueError: A model without a sequence of frame features, a clip of another shape, or a
            class that the model does not have.
    """
    return sequence_saliency(model, frame_features(model, clip), target)


def rescaled_feature_saliency(
    model: nn.Module, clip: Tensor, target: int | None = None, **options
) -> Rescaled:
    """Temporal rescaling of :func:`feature_saliency`; the frames' parts are their features.

    Args:
        model, clip, target: As for :func:`feature_saliency`.
        options: ``mask_value``, ``quantile``, ``form``, ``batch_size``, see
            :func:`rescaled_sequence_saliency`.

    Raises:
        ValueError: As :func:`feature_saliency`, or an option that makes no sense.
    """
    return rescaled_sequence_saliency(model, frame_features(model, clip), target, **options)


def frame_features(model: nn.Module, clip: Tensor) -> Tensor:
    """Features of every frame, without a graph: [T, 3, H, W] -> [T, D]; errors as above."""
    check_has_frame_features(model)
    if clip.dim() != 4 or not clip.is_floating_point():
        raise ValueError(
            f'expected one float clip [T, 3, H, W], got {clip.dtype} of {list(clip.shape)}'
        )
    with _quiet(model), torch.no_grad():
        return model.extract_frame_features(clip[None])[0]


def check_has_frame_features(model: nn.Module) -> None:
    """Refuse a recognizer that does not classify a sequence of frame features.

    Raises:
        ValueError: Names the recognizer.
    """
    needed = ('extract_frame_features', 'classify_sequence')
    if not all(hasattr(model, name) for name in needed):
        raise ValueError(
            'feature saliency needs a network that classifies a sequence of frame features, such '
            f'as CNNLSTMRecognizer, not {type(model).__name__}'
        )


def sequence_saliency(
    model: nn.Module, features: Tensor, target: int | Sequence[int] | None = None
) -> Tensor:
    """As :func:`feature_saliency`, of features that are known already.

    Args:
        model (nn.Module): With ``classify_sequence``: [N, T, D] -> class scores [N, K].
        features (Tensor): Float, one sequence [T, D], or N of them, [N, T, D].
        target (int | Sequence[int], optional): Class for all sequences, or one for each; None
            takes that of the highest score.

    Returns:
        Tensor: Of the features' shape.

    Raises:
        ValueError: Features of another shape, or a class that the model does not have.
    """
    sequences = features[None] if features.dim() == 2 else features
    if sequences.dim() != 3 or not sequences.is_floating_point():
        raise ValueError(
            f'expected float features [T, D] or [N, T, D], got {features.dtype} of '
            f'{list(features.shape)}'
        )
    with _quiet(model), torch.enable_grad():
        leaf = sequences.detach().clone().requires_grad_(True)
        scores = model.classify_sequence(leaf)
        targets = choose_targets(scores, target)
        explained = scores.gather(1, targets[:, None]).sum()  # sequences do not see each other
        (gradient,) = torch.autograd.grad(explained, leaf)
    return gradient.abs().view_as(features)


def rescaled_sequence_saliency(
    model: nn.Module,
    features: Tensor,
    target: int | None = None,
    mask_value: str | float = 'first',
    quantile: float = 0.55,
    form: str = 'official',
    batch_size: int = BATCH_SIZE,
) -> Rescaled:
    """Temporal saliency rescaling of :func:`sequence_saliency` (Ismail et al., arXiv 2010.13924).

    All features of a frame are hidden for its time contribution, and in the frames above the
    threshold one feature after the other for its contribution within the frame.

    Args:
        model (nn.Module): With ``classify_sequence``.
        features (Tensor): Float [T, D].
        target (int, optional): Class; None takes the one that the whole sequence is assigned to.
        mask_value (str | float): What hidden features become: ``'first'``, all the first feature
            of the first frame, as in the published code; ``'mean'``, each its mean over time; or
            a number.
        quantile, form: See :func:`mmsal.attribution.tsr.rescale`.
        batch_size (int): Sequences that are classified at once, which bounds the memory. There
            are T of them, and D for each frame above the threshold.

    Returns:
        Rescaled: float64 on the features' device, of T frames with D parts each.

    Raises:
        ValueError: Features of another shape, an unknown class, or an option that makes no sense.
    """
    if features.dim() != 2:
        raise ValueError(f'expected features [T, D], got shape {list(features.shape)}')
    check_options(mask_value, quantile, form, batch_size)
    with _quiet(model), torch.no_grad():
        chosen = int(choose_targets(model.classify_sequence(features[None]), target)[0])
    changes = _Changes(model, features, chosen, _mask(features, mask_value), batch_size)
    return rescale(changes, form, quantile)


def check_options(
    mask_value: str | float, quantile: float, form: str, batch_size: int = BATCH_SIZE
) -> None:
    """Refuse options that :func:`rescaled_sequence_saliency` cannot work with.

    Raises:
        ValueError: Says what is expected.
    """
    check_rescaling(form, quantile)
    number = isinstance(mask_value, Real) and not isinstance(mask_value, bool)
    if not (mask_value in MASK_WORDS or (number and abs(mask_value) < float('inf'))):
        raise ValueError(
            f'expected mask_value to be {", ".join(MASK_WORDS)} or a number, got {mask_value!r}'
        )
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f'expected a batch size of at least 1 sequence, got {batch_size!r}')


def _mask(features: Tensor, mask_value: str | float) -> Tensor:
    """What each feature becomes where it is hidden: [D]."""
    if mask_value == 'mean':
        return features.mean(dim=0)
    value = features[0, 0] if mask_value == 'first' else features.new_tensor(mask_value)
    return value.expand(features.shape[1])


class _Changes:
    """How the saliency of a sequence changes with what is hidden (see :func:`rescale`)."""

    def __init__(
        self, model: nn.Module, features: Tensor, target: int, mask: Tensor, batch_size: int
    ) -> None:
        self.model = model
        self.features = features
        self.target = target
        self.mask = mask
        self.batch_size = batch_size
        self.whole = sequence_saliency(model, features, target)
        self.rounding = rounding_of(self.whole)

    def of_frames(self) -> Tensor:
        """float64 [T]."""
        return self._without([(t, slice(None)) for t in range(len(self.features))])

    def of_parts(self, frames: Sequence[int]) -> Tensor:
        """float64 [len(frames), D]."""
        size = self.features.shape[1]
        return self._without([(t, d) for t in frames for d in range(size)]).view(-1, size)

    def _without(self, places: Sequence[tuple[int, int | slice]]) -> Tensor:
        """The change for each place that is hidden alone."""
        changes = [self.features.new_zeros(0, dtype=torch.float64)]
        for start in range(0, len(places), self.batch_size):
            batch = places[start : start + self.batch_size]
            hidden = self.features.repeat(len(batch), 1, 1)
            for sequence, (t, d) in zip(hidden, batch, strict=True):
                sequence[t, d] = self.mask[d]
            found = sequence_saliency(self.model, hidden, self.target)
            changes.append((found.double() - self.whole.double()).abs().sum(dim=(1, 2)))
        return torch.cat(changes)


@contextmanager
def _quiet(model: nn.Module) -> Iterator[None]:
    """For one call: evaluation mode, and no gradient for parameters."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        with frozen(model):
            yield
    finally:
        for module, mode in modes:  # one by one: a part may have been in another mode than the rest
            module.training = mode
