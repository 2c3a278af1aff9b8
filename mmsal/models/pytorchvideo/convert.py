"""Weights of PyTorchVideo's Kinetics-400 networks, in MMAction2's names."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

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
    """The state dict in a checkpoint of PyTorchVideo's, or None if it is not one of theirs."""
    weights = checkpoint.get('model_state', checkpoint)
    if isinstance(weights, Mapping) and is_pytorchvideo(weights):
        return weights
    return None


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


def classifier_names(network: str) -> tuple[str, str]:
    """The weights whose first dimension is the number of classes."""
    layer = 'fc2' if network == 'x3d_l' else 'fc_cls'
    return f'cls_head.{layer}.weight', f'cls_head.{layer}.bias'


def check_fit(
    model: nn.Module, network: str, weights: Mapping[str, Tensor], replace_head: bool = True
) -> list[str]:
    """Hold converted weights against a model: every name, both ways, and every shape.

    Args:
        model: A recognizer of MMAction2.
        network: What the weights are of.
        weights: As :func:`convert_state_dict` gives them.
        replace_head: Whether a classifier for another number of classes may stay as it is.

    Returns:
        Names of the classifier's weights where the model is to keep its own, else none.

    Raises:
        ConversionError: The model is another network, or has other classes and may not.
    """
    own = model.state_dict()
    title = NETWORKS[network].title
    for names, others, where in ((own, weights, 'the checkpoint'), (weights, own, 'the model')):
        missing = [
            name for name in names if name not in others and 'num_batches_tracked' not in name
        ]
        if missing:
            raise ConversionError(
                f'the weights are those of {title} and do not fit the model of the config: '
                f'{where} lacks {len(missing)} of {len(names)} weights, such as {missing[0]}'
            )
    classifier = classifier_names(network)
    classes, trained = own[classifier[0]].shape[0], weights[classifier[0]].shape[0]
    kept = list(classifier) if classes != trained else []
    for name, tensor in weights.items():
        if name not in kept and name in own and own[name].shape != tensor.shape:
            raise ConversionError(
                f'the weights are those of {title} and do not fit the model of the config: {name} '
                f'is {list(tensor.shape)} in the checkpoint and {list(own[name].shape)} in the '
                'model'
            )
    if kept and not replace_head:
        raise ConversionError(
            f'the weights of {title} are trained on {trained} classes, the model of the config '
            f'has {classes}'
        )
    return kept


def check_start(model: nn.Module, checkpoint: Mapping, name: object) -> list[str]:
    """Whether training may start from a converted checkpoint (:func:`check_fit`).

    Args:
        model: A recognizer of MMAction2.
        checkpoint: As :func:`mmsal.models.pytorchvideo.read_local_checkpoint` gives it; one of
            MMAction2's own passes.
        name: Of the checkpoint, for the error.

    Returns:
        Names of the classifier's weights that the model keeps.

    Raises:
        ConversionError: The model is another network.
    """
    network = (checkpoint.get('meta') or {}).get('pytorchvideo')
    if network is None:
        return []
    try:
        return check_fit(model, network, checkpoint['state_dict'])
    except ConversionError as error:
        raise ConversionError(f'checkpoint {name}: {error}') from error


def load_pytorchvideo_state_dict(
    model: nn.Module, weights: Mapping[str, Tensor], replace_head: bool = True
) -> list[str]:
    """Load a PyTorchVideo network's weights into the same network of MMAction2.

    Args:
        model: A recognizer built from a config of ``CNN_finetunings``.
        weights: The state dict of PyTorchVideo's ``i3d_r50``, ``x3d_l`` or
            ``slowfast_16x8_r101_50_50``, or a checkpoint with it under ``model_state``.
        replace_head: With another number of classes, keep the model's own classifier (its last
            layer) instead of refusing.

    Returns:
        Names of the weights that the model keeps.

    Raises:
        ConversionError: Another network, named, or a weight too many or too few.

    Example:
        >>> from mmsal.models import load_pytorchvideo_state_dict
        >>> checkpoint = torch.load('I3D_8x8_R50.pyth', weights_only=True)  # doctest: +SKIP
        >>> load_pytorchvideo_state_dict(model, checkpoint)  # doctest: +SKIP
    """
    found = weights_of(weights)
    if found is None:
        raise ConversionError('the weights are those of no network of PyTorchVideo')
    network, converted = convert_state_dict(found)
    kept = check_fit(model, network, converted, replace_head)
    model.load_state_dict(
        {name: tensor for name, tensor in converted.items() if name not in kept}, strict=False
    )
    return kept
