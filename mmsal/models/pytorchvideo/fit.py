"""Do weights fit a model: every name, both ways, and every shape; and loading those that do."""

from collections.abc import Mapping

from torch import Tensor, nn

from mmsal.models.pytorchvideo.convert import (
    NETWORKS,
    ConversionError,
    convert_state_dict,
    weights_of,
)


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


def check_start(
    model: nn.Module, checkpoint: Mapping, name: object, replace_head: bool = True
) -> list[str]:
    """Whether a model may start from a checkpoint.

    MMEngine itself loads what fits and warns of the rest, so that a checkpoint of another network
    would leave a model at random.

    Args:
        model: A recognizer of MMAction2.
        checkpoint: As :func:`as_mmaction` gives it. Of PyTorchVideo's everything must fit
            (:func:`check_fit`), of another every weight of the backbone.
        name: Of the checkpoint, for the error.
        replace_head: Whether a classifier for another number of classes may stay as it is.

    Returns:
        Names of the classifier's weights that the model keeps.

    Raises:
        ConversionError: The model is another network.
    """
    network = (checkpoint.get('meta') or {}).get('pytorchvideo')
    weights = checkpoint.get('state_dict', checkpoint)
    try:
        if network is not None:
            return check_fit(model, network, weights, replace_head)
        _check_backbone(model, weights)
        return []
    except ConversionError as error:
        raise ConversionError(f'checkpoint {name}: {error}') from error


def _check_backbone(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    bare = {str(name).removeprefix('module.'): weight for name, weight in weights.items()}
    own = {name: weight for name, weight in model.state_dict().items()
           if name.startswith('backbone.') and 'num_batches_tracked' not in name}  # fmt: skip
    astray = [name for name, weight in own.items()
              if getattr(bare.get(name), 'shape', None) != weight.shape]  # fmt: skip
    if astray:
        raise ConversionError(
            f'{len(astray)} of {len(own)} weights of the backbone are missing or of another shape, '
            f'such as {astray[0]}: it is of another network'
        )


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
