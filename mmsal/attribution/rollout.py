"""Attention rollout: how much of each token there is in what the head reads."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from mmsal.attribution.explainer import (
    Explainer,
    InputShape,
    Localization,
    choose_targets,
    frozen,
)
from mmsal.attribution.layers import TargetLayerError
from mmsal.attribution.rollout_families import find_family
from mmsal.attribution.rollout_trace import recorded


class AttentionRollout(Explainer):
    r"""Attention rollout of a video transformer (Abnar & Zuidema, ACL 2020, arXiv 2005.00928).

    .. math:: r_{l-1} = \tfrac{1}{2} r_l + \tfrac{1}{2} r_l \bar A_l

    where :math:`\bar A_l` is the attention matrix of block l, averaged over its heads: a half for
    the skip connection, a half for the attention. The row r starts from the last block's tokens as
    the head reads them (1 on the class token, or 1/n on each of n tokens that are averaged), and
    is taken down to the first block. This is the product of all blocks' matrices, but for rows
    nobody reads. What arrives is the share of each token in what the head reads; the class token's
    own share is dropped, the rest laid on the grid of tokens and enlarged to the input.

    The map is the same for every class: it follows attention, and no class takes part in that. It
    leaves out all else that a block does (values, signs, feed-forward layers, normalisation), and
    what convolutions mix between tokens that stay where they are. Where an architecture departs
    from the plain transformer, :mod:`mmsal.attribution.rollout_families` says what was done.

    The head-averaged matrices of a backbone call are held until it ends: 4 bytes x queries x keys
    per block and clip, 118 MB for a VideoMAE of 12 blocks and 1568 tokens. ``max_testing_views``
    in the model's ``test_cfg`` bounds the clips of one call.

    Args:
        model (nn.Module): A recognizer of MMAction2 with one of the backbones in
            ``rollout_families.FAMILIES``; in evaluation mode within the ``with`` block.

    Attributes:
        layer_names: The modules whose attention is used, in the order of the model.

    Raises:
        TargetLayerError: The model has no attention, is of an unknown family, or its head reads
            something else than the last tokens. It is left as it was.

    Example:
        >>> with AttentionRollout(model) as explainer:           # doctest: +SKIP
        ...     maps = explainer.heatmaps(data)                  # one [V, T, H, W] per sample
    """

    def __init__(self, model: nn.Module) -> None:
        self.family = find_family(model)
        super().__init__(model)
        names = {module: name for name, module in model.named_modules()}
        self.layer_names = tuple(names[block].replace('.', '/') for block in self.family.blocks)

    @torch.no_grad()
    def localize(self, data: dict, target: int | Sequence[int] | None = None) -> list[Localization]:
        """As :meth:`Explainer.localize`; raw maps are shares of tokens, >= 0.

        Args:
            data (dict): As there, of a 3-D recognizer.
            target (int | Sequence[int], optional): Goes into the result as there, but does not
                change the map.

        Raises:
            ValueError: A class that the model does not have.
            TargetLayerError: The backbone does not treat each view as a clip of its own, or
                computes its attention in an unknown way.
        """
        shape = InputShape.of(self.model, data['inputs'])
        with frozen(self.model), recorded(self.family) as maps:
            results = self.model.test_step(data)
        view_scores = torch.stack([result.pred_score for result in results])
        targets = choose_targets(view_scores.mean(dim=1), target)
        clips = sum(len(part) for part in maps)
        if clips != shape.samples * shape.views:
            raise TargetLayerError(
                f'the backbone makes {clips} clips of {shape.samples * shape.views} views; give it '
                'as many frames as it was built for'
            )
        raw = F.interpolate(
            torch.cat(maps)[:, None],
            size=(shape.frames, *shape.size),
            mode='trilinear',
            align_corners=False,
        )[:, 0].unflatten(0, (shape.samples, shape.views))
        found = zip(raw, view_scores, targets.tolist(), strict=True)
        return [Localization(*one) for one in found]
