"""Temporal saliency rescaling as an explainer of whole batches."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from mmsal.attribution.explainer import Explainer, InputShape, Localization, choose_targets
from mmsal.attribution.gradient_points import GRADIENT_METHODS
from mmsal.attribution.input_options import INPUT_OPTIONS, checked_options
from mmsal.attribution.scoring import Scorer
from mmsal.attribution.tsr.clip_tsr import (
    TSR_OPTIONS,
    check_tsr_options,
    temporal_saliency_rescaling,
)

TSR = 'tsr'


class TemporalSaliencyRescaling(Explainer):
    """See :func:`temporal_saliency_rescaling`; each view is a clip of its own.

    Args:
        model (nn.Module): A recognizer of MMAction2; in evaluation mode until the ``with`` block
            is left.
        options: ``of``, ``patch_size``, ``mask_value``, ``quantile``, ``form``, ``exact`` and
            ``memory``, see the function; and those of the method that ``of`` names.

    Raises:
        ValueError: Unknown option, or a value that makes no sense.
    """

    def __init__(self, model: nn.Module, **options: Any) -> None:
        of = options.get('of', TSR_OPTIONS['of'])
        for name in options:
            if name not in TSR_OPTIONS and name not in INPUT_OPTIONS.get(of, {}):
                expected = ', '.join([*TSR_OPTIONS, *INPUT_OPTIONS.get(of, {})])
                raise ValueError(f'expected options of {TSR} to be one of {expected}, got {name!r}')
        own = {**TSR_OPTIONS, **{name: options[name] for name in TSR_OPTIONS if name in options}}
        check_tsr_options(**own)
        if of in GRADIENT_METHODS:
            checked_options(of, {name: options[name] for name in options if name not in own})
        self.options = {**own, **options}
        super().__init__(model)

    def localize(self, data: dict, target: int | Sequence[int] | None = None) -> list[Localization]:
        """As :meth:`Explainer.localize`; raw maps are the products of both contributions."""
        prepared = self.model.data_preprocessor(data, training=False)
        inputs = prepared['inputs'].detach().contiguous()
        shape = InputShape.of(self.model, data['inputs'])
        with torch.no_grad():
            view_scores = Scorer(self.model, shape.views).of_views(inputs)
        targets = choose_targets(view_scores.mean(dim=1), target)
        found = []
        for sample, scores, explained in zip(inputs, view_scores, targets.tolist(), strict=True):
            clips = sample if sample.dim() == 5 else sample.unflatten(0, (shape.views, -1))
            results = [
                temporal_saliency_rescaling(self.model, clip, explained, **self.options)
                for clip in clips
            ]
            raw = torch.stack([result.saliency for result in results])
            time = torch.stack([result.time for result in results])
            found.append(Localization(raw, scores.float(), explained, time))
        return found
