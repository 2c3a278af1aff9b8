"""Attributions of single input pixels: gradients, their integrals, and occlusion."""

from collections.abc import Sequence
from types import ModuleType

import torch
from torch import Tensor, nn

from mmsal.attribution.explainer import Explainer, InputShape, Localization, choose_targets
from mmsal.attribution.gradient_points import CONTRIBUTIONS, gradient_points, sum_of_gradients
from mmsal.attribution.input_options import INPUT_METHODS, checked_options
from mmsal.attribution.scoring import Scorer

# These say how much a change of a pixel would matter, the others what the pixel contributes.
SENSITIVITIES = ('input_gradient', 'smoothgrad')


class InputAttribution(Explainer):
    r"""Maps of single pixels, in the resolution of the network's input.

    s is the score of the explained class before softmax, averaged over views, and x the input
    after the model's preprocessor: one unit of x is one standard deviation of the colour.

    ``input_gradient`` (Simonyan et al., ICLR workshop 2014), in score per unit of x:

    .. math:: M = \sum_c \left| \partial s / \partial x_c \right|

    ``smoothgrad`` (Smilkov et al., arXiv 1706.03825, 2017), in score per unit of x; the mean
    gradient of n noisy copies, :math:`\sigma` = ``noise`` (max x - min x) of the sample:

    .. math:: M = \sum_c \left| \frac{1}{n} \sum_{i=1}^n
              \frac{\partial s}{\partial x_c}(x + \epsilon_i) \right|, \quad
              \epsilon_i \sim \mathcal{N}(0, \sigma^2)

    ``integrated_gradients`` (Sundararajan et al., ICML 2017), in score; before the positive part
    is taken, a sample's values add up to s(x) - s(0):

    .. math:: M = \max\Big(0, \sum_c x_c \int_0^1 \frac{\partial s}{\partial x_c}(\alpha x)\,
              d\alpha\Big)

    ``occlusion`` (Zeiler & Fergus, ECCV 2014), in score; the mean over the windows w that cover
    the pixel, each hiding all colours, and one view at a time as views are different pictures:

    .. math:: M = \max\Big(0, \frac{1}{|W|} \sum_{w \in W} s(x) - s(x \text{ without } w)\Big)

    What is hidden becomes 0, and there the integral starts too: the preprocessor's mean colour
    (black where it has none).

    One number per pixel: a gradient's sign says whether lighter or darker would help, not whether
    the pixel matters, so the colours' sensitivities are added up without it. A contribution's sign
    says for or against the class, so contributions are added up with it, and of the sum is kept
    what speaks for the class, as Grad-CAM's ReLU does.

    A batch is worked through together, one step, noisy copy or window after the other; the noise is
    the same in whatever company. Occlusion, which captum computes, takes a forward pass per
    window, by default (T/2 - 1) (H/16 - 1) (W/16 - 1) of them.

    Args:
        model (nn.Module): A recognizer of MMAction2; in evaluation mode until the ``with`` block
            is left.
        method (str): One of ``INPUT_METHODS``. Defaults to ``'input_gradient'``.
        options: ``integrated_gradients``: ``steps``, Gauss-Legendre nodes (32). ``smoothgrad``:
            ``samples``, n (16); ``noise``, a share of the range (0.15); ``seed`` (0).
            ``occlusion``: ``window`` in (frames, pixels high, pixels wide), cut to the clip where
            that is smaller (4, 32, 32); ``stride`` likewise (half the window). The last window is
            cut where it sticks out.

    Attributes:
        method: As given.
        options: All options of the method, as given or by default.

    Raises:
        ValueError: Unknown method or option, or a value that makes no sense.
        ImportError: captum is not installed.
    """

    def __init__(self, model: nn.Module, method: str = 'input_gradient', **options) -> None:
        if method not in INPUT_METHODS:
            raise ValueError(
                f'expected method to be one of {", ".join(INPUT_METHODS)}, got {method!r}'
            )
        self.method = method
        self.options = checked_options(method, options)
        if method == 'occlusion':
            _captum()  # rather now than after the first video has been read
        super().__init__(model)

    def localize(self, data: dict, target: int | Sequence[int] | None = None) -> list[Localization]:
        """As :meth:`Explainer.localize`; raw maps are >= 0, in the method's unit (see the class).

        Raises:
            ValueError: A class that the model does not have; occlusion of several views of a model
                that gives one score for all of them.
        """
        shape = InputShape.of(self.model, data['inputs'])
        signed, view_scores, targets = self._signed(data, target)
        sensitivity = self.method in SENSITIVITIES
        raw = signed.abs().sum(dim=2) if sensitivity else signed.sum(dim=2).relu()
        raw = raw.float().view(shape.samples, shape.views, shape.frames, *shape.size)
        found = zip(raw, view_scores.float(), targets.tolist(), strict=True)
        return [Localization(*one) for one in found]

    def _signed(
        self, data: dict, target: int | Sequence[int] | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """What the method finds, before it becomes one number per pixel.

        Returns:
            tuple: Attributions [N, S, C, H, W] (2-D) or [N, V, C, T, H, W] (3-D), C colours or 1;
            class scores [N, V', K]; classes [N].
        """
        prepared = self.model.data_preprocessor(data, training=False)
        inputs = prepared['inputs'].detach().contiguous()
        views = InputShape.of(self.model, data['inputs']).views
        scorer = Scorer(self.model, views)
        if self.method == 'input_gradient':
            return _input_gradient(scorer, inputs, target)
        with torch.no_grad():
            view_scores = scorer.of_views(inputs)
        targets = choose_targets(view_scores.mean(dim=1), target)
        if self.method == 'occlusion':
            return _occlusion(scorer, inputs, targets, **self.options), view_scores, targets
        points = gradient_points(self.method, inputs, **self.options)
        times_input = self.method in CONTRIBUTIONS
        signed = sum_of_gradients(scorer, inputs, targets, points, times_input)
        return signed, view_scores, targets


def _input_gradient(
    scorer: Scorer, inputs: Tensor, target: int | Sequence[int] | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Attributions, view scores and classes, of one pass: the scores come with the gradient."""
    leaf = inputs.clone().requires_grad_(True)
    with torch.enable_grad():
        view_scores = scorer.of_views(leaf)
        scores = view_scores.mean(dim=1)
        targets = choose_targets(scores, target)
        explained = scores.gather(1, targets[:, None]).sum()
    (signed,) = torch.autograd.grad(explained, leaf)
    return signed, view_scores.detach(), targets


def _occlusion(
    scorer: Scorer, inputs: Tensor, targets: Tensor, window: Sequence[int], stride: Sequence[int]
) -> Tensor:
    """The drop of the score: [N, S, 1, H, W] or [N, V, 1, T, H, W].

    What captum hides is not the input but a mask over it, [N V, T, H, W]: that has no colours, of
    which each would be given the whole drop, and no clips end to end, which a window could
    straddle. A window is hidden in all views in one pass and seen in each view's own score: views
    do not see each other, so hiding it in one alone lowers the mean by a V-th of what that view
    loses.
    """
    views = scorer.views
    pixels = (*inputs.shape[:2], *inputs.shape[3:])  # [N, S, H, W] or [N, V, T, H, W]
    visible = inputs.new_ones(pixels).view(len(inputs) * views, -1, *inputs.shape[-2:])

    def score(mask: Tensor) -> Tensor:
        scores = scorer.of_views(inputs * mask.view(pixels).unsqueeze(2))
        if scores.shape[1] % views:
            raise ValueError(
                f'expected a score of each of the {views} views to explain by occlusion, got '
                f'{scores.shape[1]} for all of them'
            )
        return scores.unflatten(1, (views, -1)).mean(dim=2).flatten(0, 1) / views

    drop = _captum().Occlusion(score).attribute(
        visible,
        sliding_window_shapes=tuple(map(min, window, visible.shape[1:])),
        strides=stride,
        baselines=0.0,
        target=targets.repeat_interleave(views),
        perturbations_per_eval=1,
    )  # fmt: skip
    return drop.view(pixels).unsqueeze(2)


def _captum() -> ModuleType:
    """Imported no sooner than needed: it takes a while."""
    try:
        import captum.attr
    except ImportError as error:
        raise ImportError(f'occlusion needs captum ({error}): pip install captum') from error
    return captum.attr
