"""Attributions of single input pixels, all by captum: gradients, their integrals, and occlusion."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from numbers import Integral, Real
from types import ModuleType

import torch
from torch import Tensor, nn

from mmsal.attribution.cpu_kernels import quick_cpu_kernels
from mmsal.attribution.explainer import (
    Explainer,
    InputShape,
    Localization,
    choose_targets,
    frozen,
)

# The methods, their options and the defaults of these; stride None is half the window.
INPUT_OPTIONS = {
    'input_gradient': {},
    'integrated_gradients': {'steps': 32},
    'smoothgrad': {'samples': 16, 'noise': 0.15, 'seed': 0},
    'occlusion': {'window': (4, 32, 32), 'stride': None},
}
INPUT_METHODS = tuple(INPUT_OPTIONS)
# These say how much a change of a pixel would matter, the others what the pixel contributes.
SENSITIVITIES = ('input_gradient', 'smoothgrad')
MOST = 2**32 - 1  # for whole numbers; more is a slip


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

    A batch is worked through together, one step or window after the other; smoothgrad goes sample
    by sample, each with the same noise in whatever company. Occlusion takes a forward pass per
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
        self.options = _checked_options(method, options)
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
        scorer = _Scorer(self.model, type(prepared['data_samples'][0]), views)
        if self.method == 'input_gradient':
            return _input_gradient(scorer, inputs, target)
        with torch.no_grad():
            view_scores = scorer.of_views(inputs)
        targets = choose_targets(view_scores.mean(dim=1), target)
        attribute = {
            'integrated_gradients': _integrated_gradients,
            'smoothgrad': _smoothgrad,
            'occlusion': _occlusion,
        }[self.method]
        return attribute(scorer, inputs, targets, **self.options), view_scores, targets


class _Scorer:
    """Class scores of preprocessed inputs of any number of samples, as a function for captum."""

    def __init__(self, model: nn.Module, sample_type: type, views: int) -> None:
        self.model = model
        self.sample_type = sample_type
        self.views = views

    def of_views(self, inputs: Tensor) -> Tensor:
        """[N, V', K]."""
        samples = [self.sample_type() for _ in inputs]  # the caller's own are left as they are
        # Around every pass, not around the call: a head that draws at random must draw the same
        # each time, or two passes would differ by more than their inputs.
        with frozen(self.model), quick_cpu_kernels(self.model):
            # As test_step goes on after preprocessing; not every recognizer can be called alike.
            results = self.model._run_forward(
                dict(inputs=inputs, data_samples=samples), mode='predict'
            )
        return torch.stack([result.pred_score for result in results])

    def __call__(self, inputs: Tensor) -> Tensor:
        """[N, K], averaged over views."""
        return self.of_views(inputs).mean(dim=1)


def _input_gradient(
    scorer: _Scorer, inputs: Tensor, target: int | Sequence[int] | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Attributions, view scores and classes, of one pass: the scores come with the gradient."""
    known = []

    def explained(inputs: Tensor) -> Tensor:
        view_scores = scorer.of_views(inputs)
        scores = view_scores.mean(dim=1)
        targets = choose_targets(scores, target)
        known[:] = view_scores.detach(), targets
        return scores.gather(1, targets[:, None])[:, 0]

    saliency = _captum().Saliency(explained)
    signed = saliency.attribute(inputs.clone().requires_grad_(True), abs=False)
    return signed, *known


def _integrated_gradients(scorer: _Scorer, inputs: Tensor, targets: Tensor, steps: int) -> Tensor:
    return _captum().IntegratedGradients(scorer).attribute(
        inputs,
        baselines=0.0,
        target=targets,
        n_steps=steps,
        method='gausslegendre',
        internal_batch_size=len(inputs),  # one step of every sample at a time
    )  # fmt: skip


def _smoothgrad(
    scorer: _Scorer, inputs: Tensor, targets: Tensor, samples: int, noise: float, seed: int
) -> Tensor:
    captum = _captum()
    tunnel = captum.NoiseTunnel(captum.Saliency(scorer))
    found = []
    # captum takes one standard deviation for all samples, but each has its own range.
    for one, target in zip(inputs.split(1), targets.split(1), strict=True):
        deviation = noise * float(one.max() - one.min())
        how = dict(nt_samples=samples, nt_samples_batch_size=1, stdevs=deviation)
        with _seeded(seed, inputs.device):
            found.append(tunnel.attribute(one, 'smoothgrad', target=target, abs=False, **how))
    return torch.cat(found)


def _occlusion(
    scorer: _Scorer, inputs: Tensor, targets: Tensor, window: Sequence[int], stride: Sequence[int]
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


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Within the block torch draws on the device from this seed; then on as if nothing had been."""
    cuda = device.type == 'cuda'
    with torch.random.fork_rng(devices=[device] if cuda else []):
        # Not torch.manual_seed, which reseeds every device there is.
        generator = torch.cuda.default_generators[device.index] if cuda else torch.default_generator
        generator.manual_seed(seed)
        yield


def _captum() -> ModuleType:
    """Imported no sooner than needed: it takes a while."""
    try:
        import captum.attr
    except ImportError as error:
        raise ImportError(
            f'input attributions need captum ({error}): pip install captum'
        ) from error
    return captum.attr


def _checked_options(method: str, options: dict) -> dict:
    known = INPUT_OPTIONS[method]
    for name in options:
        if name not in known:
            expected = f'one of {", ".join(known)}' if known else 'none'
            raise ValueError(f'expected options of {method} to be {expected}, got {name!r}')
    checked = {**known, **options}
    for name in {'steps', 'samples', 'seed'} & checked.keys():
        checked[name] = _whole(name, checked[name], least=int(name != 'seed'))
    if 'noise' in checked:
        noise = checked['noise']
        if not isinstance(noise, Real) or isinstance(noise, bool) or not 0 < noise < math.inf:
            raise ValueError(f'expected noise to be a number above 0, got {noise!r}')
        checked['noise'] = float(noise)
    if 'window' in checked:
        checked['window'], checked['stride'] = _windows(checked['window'], checked['stride'])
    return checked


def _whole(name: str, value: object, least: int) -> int:
    if not isinstance(value, Integral) or isinstance(value, bool) or not least <= value <= MOST:
        raise ValueError(
            f'expected {name} to be a whole number from {least} to {MOST}, got {value!r}'
        )
    return int(value)


def _windows(window: object, stride: object) -> tuple[tuple, tuple]:
    window = _three('window', window)
    stride = [max(1, length // 2) for length in window] if stride is None else stride
    stride = _three('stride', stride)
    if any(step > length for step, length in zip(stride, window, strict=True)):
        raise ValueError(f'expected stride to be at most the window, {window}, got {stride}')
    return window, stride


def _three(name: str, value: object) -> tuple[int, int, int]:
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 3:
        raise ValueError(f'expected {name} to be (frames, height, width), got {value!r}')
    return tuple(_whole(name, length, 1) for length in value)
