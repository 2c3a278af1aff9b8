"""What PyTorchVideo calls a weight, and what MMAction2 calls it: one table per network.

A rule is a pattern of PyTorchVideo's names and MMAction2's name, ``{0}`` and so on being what the
pattern's groups found. Batch norms have five tensors and convolutions one; the part after the
module's name stays, so that a rule speaks of modules.
"""

import re

# Residual blocks, the same in all networks: within a stage, block and module.
BLOCK_MODULES = {
    'branch1_conv': 'downsample.conv',
    'branch1_norm': 'downsample.bn',
    'branch2.conv_a': 'conv1.conv',
    'branch2.norm_a': 'conv1.bn',
    'branch2.conv_b': 'conv2.conv',
    'branch2.norm_b': 'conv2.bn',
    'branch2.norm_b.0': 'conv2.bn',  # X3D: a batch norm, then squeeze-and-excitation
    'branch2.norm_b.1.block.0': 'se_module.fc1',
    'branch2.norm_b.1.block.2': 'se_module.fc2',
    'branch2.conv_c': 'conv3.conv',
    'branch2.norm_c': 'conv3.bn',
}
PATHWAYS = ('slow_path', 'fast_path')

# blocks.2 of I3D is the pooling between the first stage and the second.
I3D = {
    r'blocks\.0\.conv': 'backbone.conv1.conv',
    r'blocks\.0\.norm': 'backbone.conv1.bn',
    r'blocks\.6\.proj': 'cls_head.fc_cls',
}
I3D_STAGES = {'1': 1, '3': 2, '4': 3, '5': 4}

# PyTorchVideo's X3D calls the stem's spatial convolution conv_t and the temporal one conv_xy.
X3D = {
    r'blocks\.0\.conv\.conv_t': 'backbone.conv1_s.conv',
    r'blocks\.0\.conv\.conv_xy': 'backbone.conv1_t.conv',
    r'blocks\.0\.norm': 'backbone.conv1_t.bn',
    r'blocks\.5\.pool\.pre_conv': 'backbone.conv5.conv',
    r'blocks\.5\.pool\.pre_norm': 'backbone.conv5.bn',
    r'blocks\.5\.pool\.post_conv': 'cls_head.fc1',
    r'blocks\.5\.proj': 'cls_head.fc2',
}
X3D_STAGES = {'1': 1, '2': 2, '3': 3, '4': 4}

SLOWFAST = {
    r'blocks\.0\.multipathway_blocks\.0\.conv': 'backbone.slow_path.conv1.conv',
    r'blocks\.0\.multipathway_blocks\.0\.norm': 'backbone.slow_path.conv1.bn',
    r'blocks\.0\.multipathway_blocks\.1\.conv': 'backbone.fast_path.conv1.conv',
    r'blocks\.0\.multipathway_blocks\.1\.norm': 'backbone.fast_path.conv1.bn',
    r'blocks\.0\.multipathway_fusion\.conv_fast_to_slow': 'backbone.slow_path.conv1_lateral.conv',
    r'blocks\.0\.multipathway_fusion\.norm': 'backbone.slow_path.conv1_lateral.bn',
    r'blocks\.([1-3])\.multipathway_fusion\.conv_fast_to_slow':
        'backbone.slow_path.layer{0}_lateral.conv',
    r'blocks\.([1-3])\.multipathway_fusion\.norm': 'backbone.slow_path.layer{0}_lateral.bn',
    r'blocks\.6\.proj': 'cls_head.fc_cls',
}  # fmt: skip
SLOWFAST_STAGES = {'1': 1, '2': 2, '3': 3, '4': 4}

RULES = {
    'i3d_r50': (I3D, I3D_STAGES),
    'x3d_l': (X3D, X3D_STAGES),
    'slowfast_r101': (SLOWFAST, SLOWFAST_STAGES),
}
_IN_STAGE = re.compile(
    r'blocks\.(?P<stage>\d)\.(multipathway_blocks\.(?P<path>[01])\.)?'
    r'res_blocks\.(?P<block>\d+)\.(?P<module>.+)'
)


def mmaction_name(network: str, name: str) -> str | None:
    """MMAction2's name of a weight of PyTorchVideo's.

    Args:
        network: A key of :data:`RULES`.
        name: Such as ``blocks.1.res_blocks.0.branch2.conv_a.weight``.

    Returns:
        Such as ``backbone.layer1.0.conv1.conv.weight``; None where the network has no such module.
    """
    rules, stages = RULES[network]
    module, _, tensor = name.rpartition('.')
    for pattern, target in rules.items():
        found = re.fullmatch(pattern, module)
        if found:
            return f'{target.format(*found.groups())}.{tensor}'
    found = _IN_STAGE.fullmatch(module)
    if not found or found['stage'] not in stages or found['module'] not in BLOCK_MODULES:
        return None
    # Two pathways belong to SlowFast, one to the others.
    if (found['path'] is not None) != (network == 'slowfast_r101'):
        return None
    path = f'{PATHWAYS[int(found["path"])]}.' if found['path'] else ''
    return (
        f'backbone.{path}layer{stages[found["stage"]]}.{found["block"]}.'
        f'{BLOCK_MODULES[found["module"]]}.{tensor}'
    )
