"""Grad-CAM for video recognizers, at the cost of a forward pass (Selvaraju et al., ICCV 2017)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmsal.attribution.cpu_kernels import quick_cpu_kernels
from mmsal.attribution.layers import TargetLayerError, default_layer_name, find_layer


def _gradcam(activations: Tensor, gradients: Tensor) -> Tensor:
    # [B, T, C, h, w]; as MMAction2, the weights are averaged over space, not over time.
    weights = gradients.mean(dim=(3, 4), keepdim=True)
    return F.relu((weights * activations).sum(dim=2))


# How activations and gradients [B, T, C, h, w] become localization maps [B, T, h, w].
METHODS = {'gradcam': _gradcam}


@dataclass(frozen=True)
class Localization:
    """What an attribution found in one sample.

    Attributes:
        raw: float32 [V, T, H, W] in input space, before scaling.
        view_scores: float32 [V', K], class scores of the views before softmax (a 2-D recognizer
            may pool its views before the head gives scores, so V' may be 1).
        target: The class that was explained, 0-based.
    """

    raw: Tensor
    view_scores: Tensor
    target: int

    @property
    def scores(self) -> Tensor:
        """[K], averaged over views, before softmax: what the gradient was taken of."""
        return self.view_scores.mean(dim=0)

    @property
    def scaled(self) -> Tensor:
        """[V, T, H, W]; each view stretched to [0, 1] over its frames, as MMAction2 does."""
        flat = self.raw.flatten(1)
        low, high = flat.min(dim=1, keepdim=True)[0], flat.max(dim=1, keepdim=True)[0]
        return ((flat - low) / (high - low + 1e-20)).view_as(self.raw)


@contextmanager
def _frozen(model: nn.Module) -> Iterator[None]:
    """For one call: no gradient for parameters, and class scores of each view before softmax."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    head = getattr(model, 'cls_head', None)
    average_clips = getattr(head, 'average_clips', None)
    try:
        for parameter in trained:
            parameter.requires_grad_(False)
        if head is not None:
            head.average_clips = None
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
        if head is not None:
            head.average_clips = average_clips


class GradCAM:
    r"""Grad-CAM maps of a video recognizer; gives what ``mmaction.utils.GradCAM`` gives, faster.

    .. math:: M_t = \mathrm{ReLU} \sum_c \Big( \frac{1}{hw} \sum_{ij}
              \frac{\partial s}{\partial A_{tcij}} \Big) A_{tc}

    where A is the target layer's output and s the score of the target class before softmax. Only
    the part of the network above the target layer is differentiated: while a map is computed, the
    layer's output is replaced by a detached copy, and the gradient is asked for there. So nothing
    below the layer is recorded, and no hook outlives a call. On a CPU, pooling and convolution
    below the layer take a quicker way (:mod:`mmsal.attribution.cpu_kernels`).

    Args:
        model (nn.Module): A recognizer of MMAction2; put into evaluation mode, and back into its
            former mode on leaving the ``with`` block.
        target_layer_name (str, optional): Such as ``backbone/layer4/1/relu`` (MMAction2) or with
            dots. None takes the last stage of the backbone; see ``layer_name``.
        colormap (str): Of matplotlib, for overlays. Defaults to ``'viridis'``.
        method (str): ``'gradcam'``.

    Raises:
        TargetLayerError: The layer does not exist, or gives no feature map.
        ValueError: Unknown method.

    Example:
        >>> with GradCAM(model, 'backbone/layer4') as cam:       # doctest: +SKIP
        ...     maps = cam.heatmaps(data)                        # one [V, T, H, W] per sample
    """

    def __init__(
        self,
        model: nn.Module,
        target_layer_name: str | None = None,
        colormap: str = 'viridis',
        method: str = 'gradcam',
    ) -> None:
        if method not in METHODS:
            raise ValueError(f'expected method to be one of {", ".join(METHODS)}, got {method!r}')
        self.model = model
        self.layer_name = target_layer_name or default_layer_name(model)
        self.layer = find_layer(model, self.layer_name)
        self.colormap = colormap
        self.method = method
        self._was_training = model.training
        model.eval()

    def __enter__(self) -> 'GradCAM':
        return self

    def __exit__(self, *exc_info) -> None:
        if self._was_training:
            self.model.train()

    def heatmaps(self, data: dict, target: int | Sequence[int] | None = None) -> list[Tensor]:
        """Heatmaps of a batch, in input space.

        Args:
            data (dict): What the test pipeline and ``pseudo_collate`` give: ``inputs``, a list of
                [S, 3, H, W] (2-D) or [V, 3, T, H, W] (3-D) tensors of one shape, and
                ``data_samples``.
            target (int | Sequence[int], optional): Class, or one per sample; None explains the
                class each sample is assigned to.

        Returns:
            list[Tensor]: Per sample float32 [V, T, H, W] in [0, 1] (V = clips x crops).

        Raises:
            ValueError: A class that the model does not have.
        """
        return [found.scaled for found in self.localize(data, target)]

    def localize(self, data: dict, target: int | Sequence[int] | None = None) -> list[Localization]:
        """As :meth:`heatmaps`, with raw maps, scores and targets kept apart."""
        with _frozen(self.model), quick_cpu_kernels(self.model), torch.enable_grad():
            leaves, view_scores = self._forward(data)
            scores = view_scores.mean(dim=1)  # [N, K]
            targets = self._targets(scores, target)
            gradients = torch.autograd.grad(
                scores.gather(1, targets[:, None]).sum(), leaves, allow_unused=True
            )
        # Of a module used twice in one pass only the last use is reached by the gradient.
        reached = [i for i, gradient in enumerate(gradients) if gradient is not None]
        if not reached:
            raise TargetLayerError(f'the score does not depend on layer {self.layer_name!r}')
        activations = torch.cat([leaves[i].detach() for i in reached])
        raw = self._to_input_space(
            activations, torch.cat([gradients[i] for i in reached]), data['inputs']
        )
        found = zip(raw, view_scores.detach(), targets.tolist(), strict=True)
        return [Localization(*one) for one in found]

    def _forward(self, data: dict) -> tuple[list[Tensor], Tensor]:
        """Run the model with the target layer's output cut off from what is below it.

        Returns:
            tuple: That output, once per use of the layer; class scores [N, V', K].
        """
        leaves = []

        def cut(module, inputs, output):
            if not isinstance(output, Tensor) or output.dim() not in (4, 5):
                kind = f'{output.dim()}-D' if isinstance(output, Tensor) else type(output).__name__
                raise TargetLayerError(
                    f'layer {self.layer_name!r} gives no feature map [N, C, (T,) H, W] but a '
                    f'{kind} output; name a convolutional layer'
                )
            leaf = output.detach().requires_grad_(True)
            leaves.append(leaf)
            return leaf.clone()  # a ReLU in place above must not overwrite the leaf

        hook = self.layer.register_forward_hook(cut)
        try:
            # With average_clips None (see _frozen) the head keeps the views apart: [V', K] each.
            results = self.model.test_step(data)
        finally:
            hook.remove()
        if not leaves:
            raise TargetLayerError(f'layer {self.layer_name!r} takes no part in the forward pass')
        return leaves, torch.stack([result.pred_score for result in results])

    @staticmethod
    def _targets(scores: Tensor, target: int | Sequence[int] | None) -> Tensor:
        classes = scores.shape[1]
        if target is None:
            return scores.argmax(dim=1)
        targets = torch.as_tensor(target, device=scores.device).expand(len(scores))
        if not bool(((targets >= 0) & (targets < classes)).all()):
            raise ValueError(f'expected a class from 0 to {classes - 1}, got {target}')
        return targets

    def _to_input_space(
        self, activations: Tensor, gradients: Tensor, inputs: Sequence[Tensor]
    ) -> Tensor:
        """Maps [N, V, T, H, W] from activations of all frames of all views of all samples."""
        if activations.dim() == 5:  # 3-D: inputs [V, 3, T, H, W], activations [N V, C, t, h, w]
            views, frames = inputs[0].shape[0], inputs[0].shape[2]
            activations, gradients = activations.transpose(1, 2), gradients.transpose(1, 2)
        else:  # 2-D: inputs [S, 3, H, W], activations [N S, C, h, w]
            frames = self._clip_len(inputs[0].shape[0])
            views = inputs[0].shape[0] // frames
            per_view = (len(inputs) * views, -1)
            activations = activations.unflatten(0, per_view)
            gradients = gradients.unflatten(0, per_view)
        maps = METHODS[self.method](activations, gradients)  # [N V, t, h, w]
        size = (frames, *inputs[0].shape[-2:])
        maps = F.interpolate(maps[:, None], size=size, mode='trilinear', align_corners=False)
        return maps[:, 0].unflatten(0, (len(inputs), views))

    def _clip_len(self, frames: int) -> int:
        """A 2-D recognizer sees all frames as one view, unless its head cuts them into clips."""
        return getattr(getattr(self.model, 'cls_head', None), 'clip_len', None) or frames

    def __call__(
        self, data: dict, use_labels: bool = False, alpha: float = 0.5
    ) -> tuple[Tensor, Tensor]:
        """Blend heatmaps with the input frames, called as ``mmaction.utils.GradCAM`` is called.

        Args:
            data (dict): As for :meth:`heatmaps`.
            use_labels (bool): Explain each sample's own label rather than the predicted class.
            alpha (float): Weight of the heatmap, 0 to 1. Defaults to 0.5.

        Returns:
            tuple: Blended frames, float [B, T, H, W, 3], RGB in [0, 1], B over samples and views;
            and scores before softmax [N, K].
        """
        from matplotlib import colormaps

        target = None
        if use_labels:
            target = [int(sample.gt_label) for sample in data['data_samples']]
        found = self.localize(data, target)
        maps = torch.stack([one.scaled for one in found]).flatten(0, 1).cpu()  # [B, T, H, W]
        colours = torch.from_numpy(colormaps[self.colormap](maps.numpy())[..., :3])
        frames = torch.stack(tuple(data['inputs'])).cpu().float() / 255.0
        if frames.dim() == 6:  # [N, V, 3, T, H, W]
            frames = frames.flatten(0, 1).permute(0, 2, 3, 4, 1)
        else:  # [N, S, 3, H, W]
            frames = frames.permute(0, 1, 3, 4, 2).reshape(*maps.shape, 3)
        scores = torch.stack([one.scores for one in found])
        return alpha * colours + (1 - alpha) * frames, scores
