"""How each transformer of MMAction2 is rolled out: its blocks, its tokens, what its head reads."""

from functools import partial
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmsal.attribution.layers import TargetLayerError
from mmsal.attribution.layouts import convolved
from mmsal.attribution.rollout_steps import (
    attend,
    attend_in_groups,
    attend_in_windows,
    attend_within_frames,
    carry,
    mix,
    spread,
)
from mmsal.attribution.rollout_trace import Call, Family, Step, even


def _returned(call: Call) -> Tensor:
    """Head-averaged matrices [B, queries, keys] of an ``nn.MultiheadAttention``."""
    output = call.output
    if output[1] is None:  # it was not asked for them: ask again, past the hooks
        output = call.module.forward(*call.args, **{**call.kwargs, 'need_weights': True})
    return output[1].float()


class TimeSformer(Family):
    """Divided attention is two steps: of a patch over the frames, then of a frame's patches.

    The class token takes part in the second one only, once per frame, and becomes the mean of
    what it is there. With attention within frames alone each frame has its own class token, and
    the head reads their mean.
    """

    # By attention type: classes of a layer's attentions, and their steps. The tokens are ordered
    # by patch, then by frame.
    STEPS = {
        'divided_space_time': {
            'DividedTemporalAttentionWithNorm': attend_in_groups,
            'DividedSpatialAttentionWithNorm': attend_within_frames,
        },
        'joint_space_time': {'MultiheadAttention': attend},
        'space_only': {'MultiheadAttention': attend},
    }

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self.stem = self.backbone.patch_embed.projection
        self.blocks = self.backbone.transformer_layers.layers
        self.frames = self.backbone.num_frames
        self.single_frames = self.backbone.attention_type == 'space_only'
        self.steps = self.STEPS[self.backbone.attention_type]
        for block in self.blocks:
            found = [type(attention).__name__ for attention in block.attentions]
            if found != list(self.steps):
                self.refuse(f'its layers have {", ".join(found)}, not {", ".join(self.steps)}')

    def layers(self):
        for block in self.blocks:
            for attention, step in zip(block.attentions, self.steps.values(), strict=True):
                yield attention.attn, lambda call, step=step: partial(step, weights=_returned(call))

    def first_row(self, output, trace):
        patches = prod(trace.stem[2:])  # the stem sees the frames one by one: [B T, C, h, w]
        rows, patches = (self.frames, patches) if self.single_frames else (1, patches * self.frames)
        row = torch.zeros(len(output) * rows, 1 + patches, device=output.device)
        row[:, 0] = 1 / rows
        return row

    def lay_out(self, row, trace):
        size = trace.stem[2:]
        if self.single_frames:
            return row[:, 1:].reshape(-1, self.frames, *size)
        return row[:, 1:].unflatten(1, (*size, self.frames)).permute(0, 3, 1, 2)


class VisionTransformer(Family):
    """VideoMAE: no class token; the head reads the mean of all tokens, or the first patch alone."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self.stem = self.backbone.patch_embed.projection
        self.blocks = self.backbone.blocks
        if self.backbone.return_feat_map:
            self.expect_average()

    def first_row(self, output, trace):
        row = even(len(output), trace.stem[2:], output.device)
        if self.backbone.fc_norm is None and not self.backbone.return_feat_map:
            row.zero_()[:, 0] = 1
        return row


class UniFormer(Family):
    """Attention in the last two stages; the map lies on the grid of the third.

    The convolutional stages below are left out, and so are the convolutions that encode positions.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self.stem = self.backbone.patch_embed3
        self.blocks = [*self.backbone.blocks3, *self.backbone.blocks4]
        self.expect_average()

    def layers(self):
        yield from super().layers()
        yield self.backbone.patch_embed4, _unmerged_by_convolution


def _unmerged_by_convolution(call: Call) -> Step:
    before, after, conv = call.args[0].shape[2:], call.output.shape[2:], call.module.proj
    geometry = (conv.kernel_size, conv.stride, conv.padding)
    return lambda row: spread(row, after, before, *geometry)


class UniFormerV2(Family):
    """Frames attend within themselves; a token of the clip's reads them above some of the blocks.

    That token goes first in the row, then the tokens of each frame, its class token leading. The
    network's output is a balance, channel by channel, of the clip's token and the mean of the
    frames' class tokens: its mean over channels divides the first row. What is left on any of
    these tokens in the end is dropped. Convolutions over time (local MHRA) and those that encode
    positions are left out.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self.stem = self.backbone.conv1
        self.transformer = self.backbone.transformer
        self.blocks = [*self.transformer.resblocks, *self.transformer.dec]

    def layers(self):
        for block in self.transformer.resblocks:
            yield block.attn, lambda call: partial(attend_in_groups, weights=_returned(call))
        for block in self.transformer.dec:
            yield block, lambda call: partial(_read_by_first, weights=call.attention())

    def first_row(self, output, trace):
        tokens = 1 + prod(trace.stem[3:])
        frames = self.transformer.T
        balance = self.transformer.balance.float().sigmoid().mean()
        row = torch.zeros(len(output), 1 + frames * tokens, device=output.device)
        row[:, 0] = 1 - balance
        row[:, 1::tokens] = balance / frames
        return row

    def lay_out(self, row, trace):
        rows, columns = trace.stem[3:]
        by_frame = row[:, 1:].unflatten(1, (self.transformer.T, -1))
        return by_frame[:, :, 1:].unflatten(2, (rows, columns))


def _read_by_first(row: Tensor, weights: Tensor) -> Tensor:
    """Only the first token attends, to all others; weights [B, 1, n]."""
    half = 0.5 * row[:, :1]
    return torch.cat([half, row[:, 1:] + half * weights[:, 0]], dim=1)


class SwinTransformer3D(Family):
    """Windows of attention (see :func:`attend_in_windows`), and patches merged four to one."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        stages = self.backbone.layers
        self.stem = self.backbone.patch_embed
        self.blocks = [block for stage in stages for block in stage.blocks]
        self.expect_average()
        if tuple(self.backbone.out_indices) != (len(stages) - 1,):
            self.refuse('its head does not read the last stage alone; set out_indices to that')

    def layers(self):
        for block in self.blocks:
            yield block, _windowed
        for stage in self.backbone.layers:
            if stage.downsample is not None:
                yield stage.downsample, _unmerged_patches


def _windowed(call: Call) -> Step:
    size = call.args[0].shape[1:4]
    pairs = list(zip(size, call.module.window_size, call.module.shift_size, strict=True))
    # Where one window holds the whole axis, it is cut to that and not shifted.
    window = [min(n, width) for n, width, _ in pairs]
    shift = [0 if n <= width else step for n, width, step in pairs]
    return partial(
        attend_in_windows, weights=call.attention(), size=size, window=window, shift=shift
    )


def _unmerged_patches(call: Call) -> Step:
    before, after = call.args[0].shape[1:4], call.output.shape[1:4]
    return lambda row: spread(row, after, before, (1, 2, 2), (1, 2, 2), (0, 0, 0))


class MViT(Family):
    """Queries, keys and values are pooled; so are the tokens on the skip connection.

    The pooling of keys and values is a convolution per channel that may weigh its window in any
    way, and the one of the skip connection takes the maximum; both are taken as even. Residual
    pooling adds each token's own pooled query to what it has attended to. That stays in place, so
    it counts as part of the skip connection and does not change the halves.

    Windows of keys leave gaps where the stride is wider than the kernel: the first block of MViT-S
    reads 3 of 8 rows and columns. These stand out in the map as a lattice, whatever the video.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self.stem = self.backbone.patch_embed.projection
        self.blocks = self.backbone.blocks
        self.first = int(self.backbone.with_cls_token)
        reads_token = getattr(self.head, 'with_cls_token', None)
        if reads_token is None:
            self.refuse(f'its {type(self.head).__name__} is not an MViTHead')
        if reads_token != self.backbone.output_cls_token:
            self.refuse('with_cls_token of its head is not output_cls_token of the backbone')
        if self.backbone.out_scales[-1] != self.backbone.num_scales - 1:
            self.refuse('its head does not read the last scale; set out_scales to -1')

    def layers(self):
        for block in self.blocks:
            yield block, self._pooled

    def _pooled(self, call: Call) -> Step:
        size, after = tuple(call.args[1]), tuple(call.output[1])
        weights, first = call.attention(), self.first
        keys, skip = call.module.attn.pool_k, call.module.pool_skip
        read = convolved(size, keys)

        def step(row: Tensor) -> Tensor:
            moved, kept = carry(row, weights), row[:, first:]
            if skip is not None:
                kept = spread(kept, after, size, skip.kernel_size, skip.stride, skip.padding)
            seen = moved[:, first:]
            seen = spread(seen, read, size, keys.kernel_size, keys.stride, keys.padding)
            return torch.cat([mix(row[:, :first], moved[:, :first]), mix(kept, seen)], dim=1)

        return step

    def first_row(self, output, trace):
        reads_token = self.head.with_cls_token
        patches = output[-1][0] if reads_token else output[-1]  # of the last scale
        row = F.pad(even(len(patches), patches.shape[2:], patches.device), [self.first, 0])
        if reads_token:
            row.zero_()[:, 0] = 1
        return row

    def lay_out(self, row, trace):
        return super().lay_out(row[:, self.first :], trace)


FAMILIES = {
    kind.__name__: kind
    for kind in (TimeSformer, VisionTransformer, SwinTransformer3D, MViT, UniFormer, UniFormerV2)
}


def find_family(model: nn.Module) -> Family:
    """How a model is rolled out.

    Raises:
        TargetLayerError: Not at all; one line with the reason.
    """
    backbone = getattr(model, 'backbone', None)
    for kind in type(backbone).__mro__:
        if kind.__name__ in FAMILIES and kind.__module__.startswith('mmaction.'):
            family = FAMILIES[kind.__name__](model)
            if getattr(model, 'neck', None) is not None:
                family.refuse(f'its head reads what the neck {type(model.neck).__name__} makes')
            return family
    raise TargetLayerError(
        f'attention rollout needs one of the transformers {", ".join(FAMILIES)}; the backbone of '
        f'this model is {type(backbone).__name__}'
    )
