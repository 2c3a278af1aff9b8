"""Weights of PyTorchVideo's Kinetics-400 networks, in MMAction2's names."""

import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from mmsal.models.pytorchvideo.identify import is_pytorchvideo, network_name
from mmsal.models.pytorchvideo.names import RULES, mmaction_name

MODEL_ZOO = 'https://dl.fbaipublicfiles.com/pytorchvideo/model_zoo/kinetics'


class PublishedNetwork(NamedTuple):
    """A network of PyTorchVideo's model zoo."""

    title: str
    file: str  # of the checkpoint, in MODEL_ZOO


NETWORKS = {
    'i3d_r50': PublishedNetwork('I3D R50 8x8', 'I3D_8x8_R50.pyth'),
    'x3d_l': PublishedNetwork('X3D-L 16x5', 'X3D_L.pyth'),
    'slowfast_r101': PublishedNetwork('SlowFast R101 16x8', 'SLOWFAST_16x8_R101_50_50.pyth'),
}


class ConversionError(ValueError):
    """Weights that are not those of the network they are taken for."""


def weights_of(checkpoint: Mapping) -> Mapping[str, Tensor] | None:
    """The state dict in a checkpoint of PyTorchVideo's, or None if it is not one of theirs.

    Found under ``model_state``, as published, under ``state_dict`` or at the top; names may begin
    with ``module.`` (saved by a parallel wrapper) or ``model.`` (by a Lightning module).
    """
    for weights in (checkpoint.get('model_state'), checkpoint.get('state_dict'), checkpoint):
        if not isinstance(weights, Mapping):
            continue
        bare = {re.sub(r'^(module\.|model\.)+', '', str(name)): w for name, w in weights.items()}
        if is_pytorchvideo(bare):
            return bare
    return None


def as_mmaction(checkpoint: Mapping) -> Mapping:
    """A checkpoint in MMAction2's form; one that is not PyTorchVideo's is returned as it is.

    Returns:
        For PyTorchVideo's {'state_dict': ..., 'meta': {'pytorchvideo': network}}, the network being
        ``i3d_r50``, ``x3d_l`` or ``slowfast_r101``.

    Raises:
        ConversionError: PyTorchVideo's, and cannot be converted.
    """
    weights = weights_of(checkpoint)
    if weights is None:
        return checkpoint
    network, converted = convert_state_dict(weights)
    return {'state_dict': converted, 'meta': {'pytorchvideo': network}}


def convert_state_dict(
    weights: Mapping[str, Tensor], network: str | None = None
) -> tuple[str, 'OrderedDict[str, Tensor]']:
    """Rename the weights of a PyTorchVideo network, every one of them.

    Args:
        weights: A state dict of PyTorchVideo's ``i3d_r50``, ``x3d_l`` or
            ``slowfast_16x8_r101_50_50``, any number of classes.
        network: The network that it must be, ``i3d_r50``, ``x3d_l`` or ``slowfast_r101``; None
            takes which it is from the weights.

    Returns:
        The network's key and the weights in MMAction2's names: tensors of the same memory, except
        the classifiers'.

    Raises:
        ConversionError: It is another network, which is named, or a weight is not the network's.
    """
    found = network_name(weights)
    if network is not None and network not in RULES:
        raise ConversionError(f'expected network {", ".join(RULES)}, got {network!r}')
    if found not in RULES or network not in (None, found):
        accepted = [network] if network else list(NETWORKS)
        wanted = ' nor of '.join(NETWORKS[key].title for key in accepted)
        raise ConversionError(f'the weights are those of {_title(found)}, not of {wanted}')
    converted: OrderedDict[str, Tensor] = OrderedDict()
    for name, tensor in weights.items():
        target = mmaction_name(found, name)
        if target is None:
            raise ConversionError(f'{NETWORKS[found].title} has no weight {name}')
        converted[target] = tensor
    return found, _in_order_of_heads(found, converted)


def _title(found: str) -> str:
    return NETWORKS[found].title if found in NETWORKS else found


def _in_order_of_heads(network: str, weights: 'OrderedDict[str, Tensor]') -> OrderedDict:
    """Classifiers as MMAction2's heads have them."""
    if network == 'x3d_l' and 'cls_head.fc1.weight' in weights:
        weights['cls_head.fc1.weight'] = weights['cls_head.fc1.weight'].flatten(1)
    if network == 'slowfast_r101' and 'cls_head.fc_cls.weight' in weights:
        # PyTorchVideo classifies (slow, fast), MMAction2 (fast, slow); slow has 8 of 9 parts.
        classifier = weights['cls_head.fc_cls.weight']
        slow = classifier.shape[1] * 8 // 9
        weights['cls_head.fc_cls.weight'] = torch.cat(
            (classifier[:, slow:], classifier[:, :slow]), dim=1
        )
    return weights
