"""Laying a layer's output out on its grid of frames, rows and columns.

A convolutional layer's output is such a grid already. A transformer's is a list of tokens, whose
order and number of rows, columns and frames follow from the model's own geometry: its patch
embedding and its pooling, applied to the size of the input. Each family below is a function of
that geometry; a family that is not here is refused rather than guessed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

from torch import Tensor, nn

# From a layer's output, or the gradient of the same shape, to [B, t, C, h, w]; B over samples and
# views. Class tokens are dropped.
Layout = Callable[[Tensor], Tensor]
Size = tuple[int, int, int]  # frames, rows, columns


class LayoutError(ValueError):
    """A layer's output that lies on no grid; the message is the reason."""


@dataclass(frozen=True)
class LayerOutput:
    """What a layout is found from.

    Attributes:
        backbone: The recognizer's backbone.
        path: Names of the layer's modules, from the recognizer down: ``['backbone', 'layer4']``.
        shape: Of the output.
        batch: B, clips that the output is of (samples x views).
        clip: (T, H, W) of the network's input.
    """

    backbone: nn.Module
    path: list[str]
    shape: tuple[int, ...]
    batch: int
    clip: Size

    def numbered(self, name: str) -> int | None:
        """The number that follows a name in the path: 3 for ``blocks`` in ``blocks/3/norm1``."""
        if name not in self.path[:-1]:
            return None
        return int(self.path[self.path.index(name) + 1])


def find_layout(output: LayerOutput) -> Layout:
    """How a layer's output lies on its grid.

    Returns:
        Layout: Function from the output to [B, t, C, h, w].

    Raises:
        LayoutError: It lies on none.
    """
    layout = None
    if output.path[0] == 'backbone':
        for kind in type(output.backbone).__mro__:
            if kind.__name__ in FAMILIES:
                _refuse_heads(output)
                layout = FAMILIES[kind.__name__](output)
                break
    layout = layout or _convolutional(output)
    grid = layout_shape(layout, output.shape)
    if prod(grid[-2:]) == 1:
        raise LayoutError('it has one position per frame: it is pooled')
    if grid[1] > output.clip[0]:
        raise LayoutError(f'its {grid[1]} frames are more than the {output.clip[0]} of the clip')
    return layout


def _refuse_heads(output: LayerOutput) -> None:
    """What attention splits by heads has four axes, as pictures have."""
    if len(output.shape) == 4 and 'patch_embed' not in output.path:
        raise LayoutError('it is split by attention heads; name the block or a norm of it')


def layout_shape(layout: Layout, shape: tuple[int, ...]) -> tuple[int, ...]:
    """[B, t, C, h, w] that a layout makes of an output's shape."""
    import torch

    return tuple(layout(torch.empty(shape, device='meta')).shape)


def _convolutional(output: LayerOutput) -> Layout:
    """[B t, C, h, w] of 2-D and [B, C, t, h, w] of 3-D layers."""
    shape, batch = output.shape, output.batch
    if len(shape) == 4 and shape[0] % batch == 0:
        return lambda x: x.unflatten(0, (batch, -1))
    if len(shape) == 5 and shape[0] == batch:
        return lambda x: x.transpose(1, 2)
    kind = type(output.backbone).__name__
    if len(shape) == 3:
        raise LayoutError(
            f'it is {list(shape)}, tokens or a sequence, and where these lie is known for '
            f'{", ".join(FAMILIES)} only, not for this layer of a {kind}'
        )
    raise LayoutError(f'it is {list(shape)}, not [N, C, (T,) H, W] of {batch} clips')


def _expect(output: LayerOutput, shape: tuple[int, int]) -> None:
    if output.shape[:2] != shape:
        raise LayoutError(
            f'it is {list(output.shape)}, not [{shape[0]}, {shape[1]}, C]: tokens are regrouped '
            'inside attention; name the block or one of its norms'
        )


def _tokens(output: LayerOutput, size: Size, first: int = 0, order: str = 'thw') -> Layout:
    """[B, first + t h w, C], with ``first`` tokens before them that have no place."""
    _expect(output, (output.batch, first + prod(size)))
    if order == 'hwt':
        frames, rows, columns = size
        return lambda x: x[:, first:].unflatten(1, (rows, columns, frames)).permute(0, 3, 4, 1, 2)
    return lambda x: x[:, first:].unflatten(1, size).permute(0, 1, 4, 2, 3)


def _frame_tokens(
    output: LayerOutput, size: Size, first: int = 1, batch_first: bool = True
) -> Layout:
    """[B t, first + h w, C]: the tokens of each frame apart, each with its own class token.

    With ``batch_first`` False the first two axes are the other way round.
    """
    batch, (frames, *picture) = output.batch, size
    shape = (batch * frames, first + prod(picture))
    _expect(output, shape if batch_first else shape[::-1])

    def layout(x: Tensor) -> Tensor:
        x = x if batch_first else x.transpose(0, 1)
        return (
            x[:, first:].unflatten(1, picture).unflatten(0, (batch, frames)).permute(0, 1, 4, 2, 3)
        )

    return layout


def convolved(size: Size, conv: nn.Module) -> Size:
    """Size of the grid after a 3-D convolution or pooling."""
    return tuple(
        (n + 2 * padding - kernel) // stride + 1
        for n, kernel, stride, padding in zip(
            size, conv.kernel_size, conv.stride, conv.padding, strict=True
        )
    )


def _timesformer(output: LayerOutput) -> Layout | None:
    """Tokens [B, 1 + h w t], or [B t, 1 + h w] where frames are attended to one by one."""
    if len(output.shape) != 3:
        return None
    frames, *pixels = output.clip
    patch = output.backbone.patch_embed.patch_size
    rows, columns = (side // length for side, length in zip(pixels, patch, strict=True))
    size, batch, part = (frames, rows, columns), output.batch, output.path[1]
    if part == 'patch_embed':
        return _frame_tokens(output, size, first=0)
    if part == 'drop_after_time':
        _expect(output, (batch * rows * columns, frames))
        return lambda x: x.unflatten(0, (batch, rows, columns)).permute(0, 3, 4, 1, 2)
    if output.backbone.attention_type == 'space_only':
        if part == 'norm':
            raise LayoutError('its frames are averaged')
        return _frame_tokens(output, size)
    if part == 'drop_after_pos':
        return _frame_tokens(output, size)
    inside = output.path[output.path.index('attentions') :] if 'attentions' in output.path else []
    if inside[1:2] == ['1'] and inside[2:] == ['norm']:  # of the attention within frames
        return _frame_tokens(output, size)
    return _tokens(output, size, first=1, order='hwt')


def _vision_transformer(output: LayerOutput) -> Layout | None:
    """VideoMAE: tokens [B, t h w], no class token."""
    if len(output.shape) != 3:
        return None
    return _tokens(output, convolved(output.clip, output.backbone.patch_embed.projection))


def mvit_sizes(backbone: nn.Module, clip: Size) -> list[Size]:
    """Grids of an MViT: after the patch embedding, then after each block."""
    sizes = [convolved(clip, backbone.patch_embed.projection)]
    for block in backbone.blocks:
        sizes.append(convolved(sizes[-1], block.attn.pool_q))
    return sizes


def _mvit(output: LayerOutput) -> Layout | None:
    """Tokens [B, 1 + t h w] on a grid that shrinks from block to block."""
    if len(output.shape) != 3:
        return None
    sizes = mvit_sizes(output.backbone, output.clip)
    first = int(output.backbone.with_cls_token)
    block = output.numbered('blocks')
    if block is None and output.path[1].startswith('norm'):  # after the last block of a stage
        stages = {stage: block for block, stage in output.backbone.stage_indices.items()}
        return _tokens(output, sizes[stages[int(output.path[1][len('norm') :])] + 1], first)
    if block is None:  # the patch embedding
        return _tokens(output, sizes[0])
    before, after = sizes[block], sizes[block + 1]
    fits_before = output.shape[1] == first + prod(before)
    return _tokens(output, before if fits_before else after, first)


def _swin(output: LayerOutput) -> Layout | None:
    """[B, t, h, w, C] inside the stages; [B, C, t, h, w] before and after them."""
    inside = len(output.path) > 1 and output.path[1].startswith(('layers', 'norm'))
    if len(output.shape) == 5 and inside:
        if output.shape[0] != output.batch:
            raise LayoutError(f'it is {list(output.shape)}, not of {output.batch} clips')
        return lambda x: x.permute(0, 1, 4, 2, 3)
    if len(output.shape) == 3 and 'patch_embed' in output.path:
        patch = output.backbone.patch_embed.patch_size
        padded = (-(-pixels // side) for pixels, side in zip(output.clip, patch, strict=True))
        return _tokens(output, tuple(padded))
    if len(output.shape) == 3:
        raise LayoutError('its tokens are those of shifted windows; name the block or a norm of it')
    return None


def _uniformer(output: LayerOutput) -> Layout | None:
    """[B, C, t, h, w] throughout, but for the tokens [B, t h w] inside the last two stages."""
    if len(output.shape) != 3:
        return None
    size = output.clip
    stage = int(output.path[1][-1])  # patch_embed3, blocks3
    for number in range(1, stage + 1):
        size = convolved(size, getattr(output.backbone, f'patch_embed{number}').proj)
    return _tokens(output, size)


def _uniformer_v2(output: LayerOutput) -> Layout | None:
    """Tokens [B t, 1 + h w] before the transformer, [1 + h w, B t] in it."""
    if len(output.shape) != 3:
        return None
    size = convolved(output.clip, output.backbone.conv1)
    return _frame_tokens(output, size, batch_first='transformer' not in output.path)


# By the class name of the backbone. None from a family means: as a convolutional layer.
FAMILIES = {
    'TimeSformer': _timesformer,
    'VisionTransformer': _vision_transformer,
    'MViT': _mvit,
    'SwinTransformer3D': _swin,
    'UniFormer': _uniformer,
    'UniFormerV2': _uniformer_v2,
}
