"""Loading a trained recognizer, with every mismatch told in one line."""

import hashlib
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner.checkpoint import CheckpointLoader
from torch import nn

from mmsal.models.pytorchvideo import ConversionError, as_mmaction, check_fit


class ConfigError(ValueError):
    """A config that is missing, cannot be read, or lacks what a command needs."""


class CheckpointError(ValueError):
    """A checkpoint that does not fit the config."""


def load_config(path: str | Path, options: dict | None = None) -> Config:
    """Read a config file.

    Args:
        path: The file.
        options: Overrides, as ``--cfg-options`` gives them.

    Raises:
        ConfigError: The file is missing, is no config, or describes no model.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigError(f'config {path} does not exist')
    try:
        config = Config.fromfile(path)
    except Exception as error:  # a config is Python: anything can go wrong in it
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ConfigError(f'config {path} cannot be read: {reason[-1]}') from error
    try:
        config.merge_from_dict(options or {})
    except (KeyError, TypeError, IndexError) as error:  # a path that the config does not have
        raise ConfigError(f'--cfg-options do not fit config {path}: {error}') from error
    if any(key.split('.')[0] == 'test_pipeline' for key in options or {}):
        # In MMEngine's configs the dataset holds a copy of it, and that copy is what counts.
        config.test_dataloader.dataset.pipeline = config.test_pipeline
    if 'model' not in config:
        raise ConfigError(f'config {path} describes no model')
    return config


def build_model(config: Config) -> nn.Module:
    """Build a config's model, its weights still at random.

    Raises:
        ConfigError: The config describes a model that cannot be built.
    """
    init_default_scope(config.get('default_scope', 'mmaction'))
    description = config.model.copy()
    if description.get('backbone', {}).get('pretrained'):
        description.backbone = {**description.backbone, 'pretrained': None}
    try:
        return MODELS.build(description)
    except (KeyError, TypeError, ValueError, AssertionError, AttributeError) as error:
        # A KeyError's text is its message in quotes.
        reason = str(error.args[0] if type(error) is KeyError else error) or type(error).__name__
        raise ConfigError(f'the model of {config.filename} cannot be built: {reason}') from error


def choose_device(name: str = 'auto') -> torch.device:
    """``auto`` takes the first GPU where there is one; a device that is absent is an error.

    Raises:
        ValueError: The device is unknown or absent.
    """
    if name == 'auto':
        return torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f'expected device auto, cpu or cuda:N, got {name!r}') from error
    if device.type not in ('cpu', 'cuda'):
        raise ValueError(f'expected device auto, cpu or cuda:N, got {name!r}')
    if device.type == 'cuda' and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f'device {name} is absent: there are {torch.cuda.device_count()} CUDA devices'
        )
    return device


def fit_checkpoint(model: nn.Module, checkpoint: dict, name: str | Path) -> None:
    """Load weights into a model, refusing a checkpoint of another network.

    Weights that the model lacks are ignored, as MMEngine does; a weight that the checkpoint lacks,
    or one of another shape, would leave part of the model at random and is an error.

    Raises:
        CheckpointError: Names what does not fit.
    """
    weights = checkpoint.get('state_dict', checkpoint)
    if not isinstance(weights, dict):
        raise CheckpointError(f'{name} holds no state_dict')
    network = (checkpoint.get('meta') or {}).get('pytorchvideo')
    if network is not None:
        try:
            check_fit(model, network, weights, replace_head=False)
        except ConversionError as error:
            raise CheckpointError(f'checkpoint {name}: {error}') from error
    weights = {str(key).removeprefix('module.'): value for key, value in weights.items()}
    own = model.state_dict()
    missing = [key for key in own if key not in weights and 'num_batches_tracked' not in key]
    if missing:
        raise CheckpointError(
            f'checkpoint {name} does not fit the config: {len(missing)} of {len(own)} weights are '
            f'missing, such as {missing[0]}'
        )
    for key in (key for key in own if key in weights):
        shape = getattr(weights[key], 'shape', None)
        if shape != own[key].shape:
            found = type(weights[key]).__name__ if shape is None else list(shape)
            raise CheckpointError(
                f'checkpoint {name} does not fit the config: {key} is {found} in the checkpoint '
                f'and {list(own[key].shape)} in the model'
            )
    model.load_state_dict(weights, strict=False)


def read_checkpoint(path: str | Path) -> dict:
    """Read a checkpoint file or URL.

    Raises:
        FileNotFoundError: It does not exist.
        ValueError: It is no checkpoint, or holds code.
    """
    checkpoint = CheckpointLoader.load_checkpoint(str(path), map_location='cpu', logger='silent')
    if not isinstance(checkpoint, dict):
        raise CheckpointError(f'{path} holds no state_dict')
    return as_mmaction(checkpoint)  # a file is so already, an address is not


def class_names(config: Config, checkpoint: dict, classes: int) -> list[str]:
    """Names of the classes: as trained (in the checkpoint), else from the config, else numbers."""
    meta = checkpoint.get('meta') or {}
    found = (meta.get('dataset_meta') or {}).get('classes') or config.get('class_names') or ()
    names = [str(name) for name in found]
    return names if len(names) == classes else [str(number) for number in range(classes)]


def load_recognizer(
    config: str | Path | Config,
    checkpoint: str | Path,
    device: str = 'auto',
    options: dict | None = None,
) -> nn.Module:
    """Build a recognizer and load its weights.

    Args:
        config: Path of a config, or a config.
        checkpoint: Path of a checkpoint.
        device: ``auto``, ``cpu`` or ``cuda:N``.
        options: Overrides of the config, as ``--cfg-options`` gives them.

    Returns:
        nn.Module: In evaluation mode, with ``cfg`` (the config), ``config_options`` (dict),
        ``class_names`` (list of str) and ``checkpoint_info`` (dict: path, sha256) as attributes.

    Raises:
        ConfigError, CheckpointError, FileNotFoundError, ValueError: One line each.
    """
    if not isinstance(config, Config):
        config = load_config(config, options)
    target = choose_device(device)
    weights = read_checkpoint(checkpoint)
    model = build_model(config)
    fit_checkpoint(model, weights, checkpoint)
    model.cfg = config
    model.class_names = class_names(config, weights, getattr(model.cls_head, 'num_classes', 0))
    model.config_options = dict(options or {})
    model.checkpoint_info = {'path': str(checkpoint), 'sha256': sha256(checkpoint)}
    return model.to(target).eval()


def sha256(path: str | Path) -> str | None:
    """Hex digest of a local file; None for a URL."""
    path = Path(path)
    if not path.is_file():
        return None
    digest = hashlib.sha256()
    with path.open('rb') as file:
        for block in iter(lambda: file.read(1 << 20), b''):
            digest.update(block)
    return digest.hexdigest()


def find_class(names: Sequence[str], wanted: str | int | None) -> int | None:
    """Index of a class given by number (from 0) or name; None stays None (the predicted class).

    Raises:
        ValueError: There is no such class; the message lists them, or of many the likeliest.
    """
    if wanted is None:
        return None
    if str(wanted) in names:
        return list(names).index(str(wanted))
    if str(wanted).isdigit() and int(wanted) < len(names):
        return int(wanted)
    if list(names) == [str(number) for number in range(len(names))]:
        raise ValueError(
            f'class {wanted!r} does not exist: give a number from 0 to {len(names) - 1}; neither '
            'checkpoint nor config names the classes (class_names = [...] in the config would)'
        )
    likely = get_close_matches(str(wanted), names, n=10) if len(names) > 30 else []
    listed = ', '.join(f'{list(names).index(name)} {name}' for name in likely or names)
    raise ValueError(f'class {wanted!r} does not exist; there is: {listed}')
