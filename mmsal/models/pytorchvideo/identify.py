"""Which of PyTorchVideo's networks a checkpoint was made by, read off its weights."""

import re
from collections.abc import Mapping

from torch import Tensor

# Blocks of the third residual stage, which sets the depth apart.
_RESNET_DEPTHS = {6: 'R50', 23: 'R101', 36: 'R152'}
_X3D_SIZES = {11: 'X3D-XS, -S or -M', 25: 'X3D-L'}


def is_pytorchvideo(weights: Mapping) -> bool:
    """Whether the names are those of a network of residual blocks that PyTorchVideo built.

    Its transformers are called ``blocks.0.attn`` and so on like everybody's, and pass for no
    network of PyTorchVideo.
    """
    return any(re.match(r'blocks\.\d+\.(res_blocks|multipathway_)', str(name)) for name in weights)


def network_name(weights: Mapping[str, Tensor]) -> str:
    """The key of a network that can be converted, or words for one that cannot.

    Args:
        weights: A state dict of PyTorchVideo.

    Returns:
        ``i3d_r50``, ``x3d_l``, ``slowfast_r101``, or for example ``X3D-XS, -S or -M``.
    """
    if not is_pytorchvideo(weights):
        return 'no network of PyTorchVideo'
    if any('multipathway_fusion' in name for name in weights):
        return _slowfast(weights)
    if 'blocks.0.conv.conv_xy.weight' in weights and 'blocks.5.pool.pre_conv.weight' in weights:
        size = _X3D_SIZES.get(_blocks(weights, 'blocks.3.res_blocks'), 'another X3D')
        return 'x3d_l' if size == 'X3D-L' else size
    if 'blocks.0.conv.weight' in weights and any('res_blocks' in name for name in weights):
        return _resnet(weights)
    return 'another network of PyTorchVideo'


def _slowfast(weights: Mapping[str, Tensor]) -> str:
    depth = _RESNET_DEPTHS.get(_blocks(weights, 'blocks.3.multipathway_blocks.0.res_blocks'))
    if depth is None:
        return 'another SlowFast'
    if 'blocks.6.proj.weight' not in weights:
        return f'SlowFast {depth} for detection'
    inflated = [
        name for name in weights
        if name.startswith('blocks.3.multipathway_blocks.0.') and name.endswith('conv_a.weight')
        and weights[name].shape[2] == 3
    ]  # fmt: skip
    if depth == 'R101' and len(inflated) == 6:
        return 'slowfast_r101'
    return f'SlowFast {depth} 8x8' if depth in ('R50', 'R101') else f'SlowFast {depth}'


def _resnet(weights: Mapping[str, Tensor]) -> str:
    pooled = not any(name.startswith('blocks.2.res_blocks') for name in weights)
    third = 'blocks.4.res_blocks' if pooled else 'blocks.3.res_blocks'
    depth = _RESNET_DEPTHS.get(_blocks(weights, third), 'of another depth')
    if any('conv_b.conv_t' in name for name in weights):
        return f'R(2+1)D {depth}'
    if not any(name.endswith('proj.weight') for name in weights):
        return f'a ResNet {depth} without a classifier'
    inflated = any(name.endswith('conv_a.weight') and weights[name].shape[2] == 3
                   for name in weights)  # fmt: skip
    if pooled and inflated:
        return 'i3d_r50' if depth == 'R50' else f'I3D {depth}'
    if inflated:
        return f'Slow {depth}'
    grouped = any(
        name.endswith('conv_b.weight') and weights[name].shape[1] == 1 for name in weights
    )
    return f'CSN {depth}' if grouped else f'C2D {depth}'


def _blocks(weights: Mapping[str, Tensor], stage: str) -> int:
    """Residual blocks of a stage."""
    return len({name[len(stage) + 1 :].split('.')[0] for name in weights
                if name.startswith(f'{stage}.')})  # fmt: skip
