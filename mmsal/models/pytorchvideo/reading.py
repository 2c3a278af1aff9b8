"""PyTorchVideo's checkpoint files, read as if MMAction2 had written them."""

from pathlib import Path

from mmengine.runner.checkpoint import CheckpointLoader

from mmsal.compat import load_local_checkpoint
from mmsal.models.pytorchvideo.convert import (
    MODEL_ZOO,
    NETWORKS,
    ConversionError,
    as_mmaction,
)


def read_local_checkpoint(filename: str | Path, map_location='cpu') -> dict:
    """Read a checkpoint file; one of PyTorchVideo's comes in MMAction2's names.

    So ``load_from`` in a config, and every command that takes a checkpoint, take PyTorchVideo's
    files as they were published. Nothing is downloaded.

    Args:
        filename: Path of a local file.
        map_location: As in :func:`torch.load`.

    Returns:
        dict: The checkpoint (:func:`mmsal.models.pytorchvideo.as_mmaction`).

    Raises:
        FileNotFoundError: There is no such file; of a published one it is said where it is.
        ConversionError: A network of PyTorchVideo that cannot be converted; it is named.
        ValueError: It is no checkpoint, or holds code (:func:`mmsal.compat.load_local_checkpoint`).
    """
    if not Path(filename).expanduser().is_file():
        raise FileNotFoundError(_absent(filename))
    checkpoint = load_local_checkpoint(filename, map_location)
    try:
        return as_mmaction(checkpoint) if isinstance(checkpoint, dict) else checkpoint
    except ConversionError as error:
        raise ConversionError(f'{filename}: {error}') from error


def _absent(filename: str | Path) -> str:
    published = [n for n in NETWORKS.values() if n.file.lower() == Path(filename).name.lower()]
    if not published:
        return f'checkpoint {filename} does not exist'
    network = published[0]
    return (
        f'checkpoint {filename} does not exist: download {MODEL_ZOO}/{network.file} '
        f'({network.title}, Kinetics-400) to there, or set load_from in the config (or by '
        '--cfg-options load_from=PATH) to where it is, or to None to begin with random weights'
    )


def register() -> None:
    """Let MMEngine read local files by :func:`read_local_checkpoint`."""
    CheckpointLoader.register_scheme('', read_local_checkpoint, force=True)
