"""Recognizers that learn to look where people look: the class loss, and one on their maps.

Class activations need no second pass through the backbone. While MMAction2's own ``loss`` runs, the
target layer's output and the class scores are kept; the gradient of the scores at that layer goes
through the head alone, and is itself part of the graph. So class loss and gaze loss reach the
backbone together, in the one backward pass that training runs anyway.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from mmaction.models.recognizers import Recognizer2D, Recognizer3D
from mmaction.registry import MODELS
from mmengine.logging import print_log
from torch import Tensor, nn

from mmsal.attribution.cam_methods import class_activation
from mmsal.attribution.explainer import InputShape, frozen, views_at_a_time
from mmsal.attribution.layers import (
    TargetLayerError,
    default_layer_names,
    find_layer,
    split_names,
)
from mmsal.attribution.layouts import LayoutError
from mmsal.attribution.leaves import cut_off
from mmsal.attribution.on_grid import added_up, on_grid
from mmsal.models.gaze_batch import class_shares, densities_of, density_on_grid

PATIENCE = 50  # batches without any gaze, before a warning


@dataclass
class Recording:
    """What a forward pass leaves for the gaze loss.

    Attributes:
        outputs: Of each layer, one per use, by the layer's name.
        versions: Of each of these, how often it had been written to when the layer gave it.
        scores: Class scores before softmax [N V', K], as the head gave them.
    """

    outputs: dict[str, list[Tensor]] = field(default_factory=dict)
    versions: dict[str, list[int]] = field(default_factory=dict)
    scores: Tensor | None = None


class GazeAligned:
    """What makes a recognizer of MMAction2 gaze-aligned; it stands before it among the bases.

    Args:
        gaze_loss (dict, optional): Config of :class:`~mmsal.models.GazeAlignmentLoss`. None trains
            and tests as MMAction2 does.
        gaze_layer (str, optional): Whose maps are aligned, such as ``backbone/layer4``; several
            separated by commas. None takes :func:`mmsal.attribution.default_layer_names`, the
            layer that Grad-CAM shows by default.
        args, kwargs: Of the recognizer.

    Raises:
        TargetLayerError: There is no such layer; while training, if its output lies on no grid.
        ValueError: The preprocessor mixes clips (``blending``), which gaze does not follow.
    """

    def __init__(
        self,
        *args,
        gaze_loss: dict | None = None,
        gaze_layer: str | None = None,
        **kwargs,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.gaze_loss = None if gaze_loss is None else MODELS.build(gaze_loss)
        self._batches_without = 0  # before the first with gaze; None: there was one
        if self.gaze_loss is None:
            return
        if getattr(self.data_preprocessor, 'blending', None) is not None:
            raise ValueError(
                f'{type(self).__name__}: data_preprocessor.blending mixes clips, and their gaze '
                'cannot follow: leave it out, or gaze_loss'
            )
        self._gaze_layers = (
            default_layer_names(self) if gaze_layer is None else split_names(gaze_layer)
        )
        for name in self._gaze_layers:
            find_layer(self, name)  # now rather than after the data is read

    def loss(self, inputs: Tensor, data_samples: Sequence, **kwargs) -> dict[str, Tensor]:
        """Losses of a batch: MMAction2's, ``loss_gaze``, and the share of clips with gaze.

        Args:
            inputs (Tensor): [N, S, 3, H, W] (2-D) or [N, V, 3, T, H, W] (3-D), preprocessed.
            data_samples (Sequence): Of N samples; those with gaze have ``gaze_maps`` [S, h, w]
                (:class:`mmsal.datasets.LoadGazeMaps`).
            kwargs: Of MMAction2's ``loss``.

        Returns:
            dict[str, Tensor]: Scalars by name.

        Raises:
            TargetLayerError: The layer cannot be aligned.
            ValueError: The gaze maps do not fit the clips or are coarser than the layer.
        """
        if self.gaze_loss is None:
            return super().loss(inputs, data_samples, **kwargs)
        shape = InputShape.of(self, inputs)
        density = densities_of(data_samples, shape)
        self._watch(data_samples, found=density is not None)
        if density is None:
            losses = super().loss(inputs, data_samples, **kwargs)
            found = 0.0
            losses['loss_gaze'] = inputs.new_zeros(())
        else:
            density = density.to(inputs.device)
            with self._recording() as recording:
                losses = super().loss(inputs, data_samples, **kwargs)
            maps = self._maps(recording, shape, class_shares(data_samples, recording.scores))
            losses['loss_gaze'] = self.gaze_loss(maps, density_on_grid(density, maps.shape[1:]))
            clips = density.unflatten(0, (shape.samples, shape.views))
            found = float((clips.flatten(1).sum(dim=1) > 0).float().mean())
        losses['gaze_clips'] = inputs.new_tensor(found)
        return losses

    def predict(self, inputs: Tensor, data_samples: Sequence, **kwargs) -> Sequence:
        """Predictions as MMAction2's; samples with ``gaze_maps`` get ``saliency_maps`` as well.

        These are float32 [V, t, h, w], V views of t frames on the layer's own grid: the class
        activation (Grad-CAM, not scaled) of the class that gets the highest score, or the
        attention. None are made while a gradient is recorded (then somebody explains the model),
        nor in torch's inference mode.
        """
        wanted = [i for i, sample in enumerate(data_samples or ()) if hasattr(sample, 'gaze_maps')]
        # A gradient is recorded by whoever explains the model; in inference mode there can be none.
        gradients = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
        if self.gaze_loss is None or not wanted or any(gradients):
            return super().predict(inputs, data_samples, **kwargs)
        shape = InputShape.of(self, inputs)
        layers = {name: find_layer(self, name) for name in self._gaze_layers}
        average_clips = self.cls_head.average_clips
        with frozen(self), torch.enable_grad(), cut_off(layers) as (leaves, _):
            self.cls_head.average_clips = average_clips
            with self._recording(layers={}) as recording:
                data_samples = super().predict(inputs, data_samples, **kwargs)
            for (name, *_), uses in leaves.items():
                recording.outputs.setdefault(name, []).extend(uses)
            scores = recording.scores.unflatten(0, (shape.samples, -1)).mean(dim=1)
            classes = F.one_hot(scores.argmax(dim=1), scores.shape[1]).to(scores)
            maps = self._maps(recording, shape, classes, rectified=True).detach().float()
        for sample in data_samples:  # what is kept of them must not keep the graph
            sample.set_pred_score(sample.pred_score.detach())
        for i, found in enumerate(maps.unflatten(0, (shape.samples, shape.views))):
            if i in wanted:
                data_samples[i].set_field(found.clone(), 'saliency_maps')
        return data_samples

    def _watch(self, data_samples: Sequence, found: bool) -> None:
        """Warn once of a training that has no gaze at all."""
        if found or self._batches_without is None:
            self._batches_without = None
            return
        self._batches_without += 1
        packed = any(hasattr(sample, 'gaze_maps') for sample in data_samples)
        if self._batches_without == (PATIENCE if packed else 1):
            reason = (
                f'none of the first {PATIENCE} batches had a fixation in its frames: do names, '
                'seconds and pixels of the table fit the videos? (GazeCountHook would tell)'
                if packed
                else 'a batch came without gaze_maps: has the training pipeline LoadGazeMaps, and '
                'PackActionInputs its algorithm_keys?'
            )
            print_log(
                f'gaze: the model has a gaze_loss, but {reason}',
                logger='current',
                level=logging.WARNING,
            )

    @contextmanager
    def _recording(self, layers: dict[str, nn.Module] | None = None) -> Iterator[Recording]:
        """Within the block, outputs of the layers and scores of the head are kept."""
        if layers is None:
            layers = {name: find_layer(self, name) for name in self._gaze_layers}
        recording = Recording()

        def keep_scores(module: nn.Module, inputs: tuple, output: Tensor) -> None:
            recording.scores = output

        def keep(name: str):
            def hook(module: nn.Module, inputs: tuple, output: Tensor) -> None:
                if torch.is_tensor(output):
                    recording.outputs.setdefault(name, []).append(output)
                    recording.versions.setdefault(name, []).append(output._version)

            return hook

        handles = [layer.register_forward_hook(keep(name)) for name, layer in layers.items()]
        handles.append(self.cls_head.register_forward_hook(keep_scores))
        try:
            yield recording
        finally:
            for handle in handles:
                handle.remove()

    def _maps(
        self, recording: Recording, shape: InputShape, classes: Tensor, rectified: bool = False
    ) -> Tensor:
        """Maps [N V, t, h, w] on the finest grid of the layers.

        Args:
            recording (Recording): Of the forward pass.
            shape (InputShape): Of its inputs.
            classes (Tensor): [N, K], how much each class counts.
            rectified (bool): Pass each layer's map through Grad-CAM's ReLU.
        """
        if self.gaze_loss.target == 'attention':
            maps = [
                self._on_grid(name, [(use,) for use in uses], shape)[0].square().mean(dim=2)
                for name, uses in self._used(recording).items()
            ]
        else:
            maps = self._class_activations(recording, shape, classes)
            # Not while training: where ReLU gives 0, a map that is wrong would never change.
            maps = [one.relu() for one in maps] if rectified else maps
        if len(maps) == 1:
            return maps[0]
        return added_up(maps, tuple(max(one.shape[axis] for one in maps) for axis in (1, 2, 3)))

    def _class_activations(
        self, recording: Recording, shape: InputShape, classes: Tensor
    ) -> list[Tensor]:
        outputs = self._used(recording)
        places = [use for uses in outputs.values() for use in uses]
        views = len(recording.scores) // len(classes)
        # A mean over views, as Grad-CAM explains it; whatever the factor, a map has no unit.
        score = (recording.scores * classes.repeat_interleave(views, dim=0)).sum() / views
        exact = self.training and self.gaze_loss.differentiates_twice
        gradients = torch.autograd.grad(
            score, places, retain_graph=True, create_graph=exact, allow_unused=True
        )
        gradients = iter(gradients)
        maps = []
        for name, uses in outputs.items():
            found = [(use, gradient) for use in uses if (gradient := next(gradients)) is not None]
            if not found:
                raise TargetLayerError(
                    f'layer {name!r} cannot be aligned: the class score does not depend on it'
                )
            maps.append(class_activation(*self._on_grid(name, found, shape)))
        return maps

    def _on_grid(self, name: str, uses: list, shape: InputShape) -> tuple[Tensor, ...]:
        try:
            return on_grid(self, name, uses, shape)
        except LayoutError as error:
            raise TargetLayerError(f'layer {name!r} cannot be aligned: {error}') from error

    def _used(self, recording: Recording) -> dict[str, list[Tensor]]:
        """Outputs by layer; of a module that is used repeatedly the last, as Grad-CAM takes it.

        Raises:
            TargetLayerError: A layer gave none that a gradient passes, or the head no scores.
        """
        for name in self._gaze_layers:
            uses = recording.outputs.get(name, ())
            if not uses:
                raise TargetLayerError(f'layer {name!r} gives no feature map to align')
            if not all(use.requires_grad for use in uses):
                raise TargetLayerError(
                    f'layer {name!r} cannot be aligned: it is frozen, or its activations are not '
                    'kept (gradient checkpointing); name a layer above it'
                )
            versions = recording.versions.get(name, [])
            if any(use._version != version for use, version in zip(uses, versions, strict=False)):
                # Tests and Grad-CAM would show another map than the one that was aligned.
                raise TargetLayerError(
                    f'layer {name!r} cannot be aligned: what follows it writes over its output '
                    '(ReLU in place); name the activation or the block'
                )
        if not torch.is_tensor(recording.scores):
            raise TargetLayerError('the head gives no class scores [N, K] to align')
        if views_at_a_time(self) and not self.training:  # then each use is of some of the views
            return recording.outputs
        return {name: uses[-1:] for name, uses in recording.outputs.items()}


@MODELS.register_module()
class GazeAlignedRecognizer2D(GazeAligned, Recognizer2D):
    """MMAction2's ``Recognizer2D``, trained to look where people look; see :class:`GazeAligned`."""


@MODELS.register_module()
class GazeAlignedRecognizer3D(GazeAligned, Recognizer3D):
    """MMAction2's ``Recognizer3D``, trained to look where people look; see :class:`GazeAligned`."""
