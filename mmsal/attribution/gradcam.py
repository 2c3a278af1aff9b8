"""Grad-CAM and its kin for video recognizers, at the cost of a forward pass."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from mmsal.attribution.cam_methods import CAM_METHODS
from mmsal.attribution.cpu_kernels import run_quickly
from mmsal.attribution.explainer import (
    Explainer,
    InputShape,
    Localization,
    choose_targets,
    frozen,
    views_at_a_time,
)
from mmsal.attribution.layers import (
    TargetLayerError,
    default_layer_names,
    find_layer,
    split_names,
)
from mmsal.attribution.layouts import LayoutError
from mmsal.attribution.leaves import Leaves, cut_off
from mmsal.attribution.on_grid import added_up, on_grid

_UNREACHED = 'the score does not depend on it'


class GradCAM(Explainer):
    r"""Class activation maps of a video recognizer; the default is Grad-CAM.

    .. math:: M_t = \mathrm{ReLU} \sum_c \Big( \frac{1}{hw} \sum_{ij}
              \frac{\partial s}{\partial A_{tcij}} \Big) A_{tc}

    where A is the target layer's output and s the score of the target class before softmax
    (Selvaraju et al., ICCV 2017). Gives what ``mmaction.utils.GradCAM`` gives, where that one
    works, but faster: only the part of the network above the target layer is differentiated. While
    a map is computed, the layer's output is replaced by a detached copy, and the gradient is asked
    for there. So nothing below the layer is recorded, and no hook outlives a call. On a CPU,
    convolution, normalisation and pooling below the layer take a quicker way
    (:mod:`mmsal.attribution.cpu_kernels`).

    Of several layers (the two pathways of SlowFast, say) the maps are added, each by the share of
    the score that its positions carry: a map of few positions stands for more input at each.

    Args:
        model (nn.Module): A recognizer of MMAction2; put into evaluation mode, and back into its
            former mode on leaving the ``with`` block.
        target_layer_name (str, optional): Such as ``backbone/layer4/1/relu`` (MMAction2) or with
            dots; several separated by commas. None takes
            :func:`mmsal.attribution.default_layer_names`; see ``layer_names``.
        colormap (str): Of matplotlib, for overlays. Defaults to ``'viridis'``.
        method (str): One of ``CAM_METHODS`` (:mod:`mmsal.attribution.cam_methods`).

    Raises:
        TargetLayerError: The layer does not exist, or its output lies on no grid of frames, rows
            and columns (on the first call).
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
        if method not in CAM_METHODS:
            listed = ', '.join(CAM_METHODS)
            raise ValueError(f'expected method to be one of {listed}, got {method!r}')
        if target_layer_name is None:
            self.layer_names = default_layer_names(model)
        else:
            self.layer_names = split_names(target_layer_name)
        self.layers_by_name = {name: find_layer(model, name) for name in self.layer_names}
        self.colormap = colormap
        self.method = method
        super().__init__(model)

    def localize(self, data: dict, target: int | Sequence[int] | None = None) -> list[Localization]:
        """Explain a batch; see :meth:`mmsal.attribution.explainer.Explainer.localize`."""
        with frozen(self.model), torch.enable_grad():
            leaves, view_scores = run_quickly(self.model, lambda: self._forward(data))
            scores = view_scores.mean(dim=1)  # [N, K]
            targets = choose_targets(scores, target)
            places = [leaf for uses in leaves.values() for leaf in uses]
            gradients = [None] * len(places)
            if scores.requires_grad:
                explained = scores.gather(1, targets[:, None]).sum()
                gradients = torch.autograd.grad(explained, places, allow_unused=True)
        shape = InputShape.of(self.model, data['inputs'])
        raw = self._to_input_space(leaves, iter(gradients), shape)
        found = zip(raw, view_scores.detach(), targets.tolist(), strict=True)
        return [Localization(*one) for one in found]

    def _forward(self, data: dict) -> tuple[Leaves, Tensor]:
        """Run the model with the target layers cut off; leaves, and class scores [N, V', K]."""
        with cut_off(self.layers_by_name) as (leaves, outputs):
            results = self.model.test_step(data)
        for name in self.layer_names:
            if name not in outputs:
                raise TargetLayerError(f'layer {name!r} takes no part in the forward pass')
            if not any(place[0] == name for place in leaves):
                raise TargetLayerError(
                    f'layer {name!r} gives no feature map [N, C, (T,) H, W] but {outputs[name]}; '
                    'name a convolutional layer or a block of a transformer'
                )
        # With average_clips None (see frozen) the head keeps the views apart: [V', K] each.
        return leaves, torch.stack([result.pred_score for result in results])

    def _to_input_space(self, leaves: Leaves, gradients: Iterator, shape: InputShape) -> Tensor:
        """Maps [N, V, T, H, W] from what each layer gave for all views of all samples."""
        maps, reasons = {}, {}
        chunks = views_at_a_time(self.model)
        for (name, *_), uses in leaves.items():
            # Of a module used twice in a row only the last use is reached by the gradient.
            reached = [
                (leaf.detach(), gradient)
                for leaf in uses
                if (gradient := next(gradients)) is not None
            ]
            # Each use is of all views, unless the network takes so many at a time.
            together = [reached] if chunks else [[use] for use in reached]
            try:
                if not reached:
                    raise LayoutError(_UNREACHED)
                found = [self._of_layer(name, use, shape) for use in together]
            except LayoutError as error:
                reasons.setdefault(name, error)
            else:
                maps.setdefault(name, []).extend(found)
        for name, reason in reasons.items():
            if name not in maps:
                raise TargetLayerError(f'layer {name!r} cannot be explained: {reason}')
        maps = [one for found in maps.values() for one in found]
        return added_up(maps, (shape.frames, *shape.size)).unflatten(
            0, (shape.samples, shape.views)
        )

    def _of_layer(self, name: str, uses: list, shape: InputShape) -> Tensor:
        """Maps [N V, t, h, w] of one layer, of as many views at a time as there are uses."""
        # EigenCAM asks for no gradient, so none need reach the layer's positions.
        found = on_grid(self.model, name, uses, shape, check_reach=self.method != 'eigencam')
        return CAM_METHODS[self.method](*found)

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
