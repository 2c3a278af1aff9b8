"""Reading checkpoints without running code that they may hold."""

import pickle
from pathlib import Path


class UnsafeCheckpointError(ValueError):
    """A checkpoint holds more than data: loading it would run code."""


def _history_buffer_method(owner, name):
    """What ``builtins.getattr`` may do in a checkpoint: name one of four statistics methods."""
    from mmengine.logging import HistoryBuffer

    if owner is HistoryBuffer and name in ('min', 'max', 'mean', 'current'):
        return getattr(HistoryBuffer, name)
    raise pickle.UnpicklingError(f'getattr of {name!r} is not allowed')


def _safe_globals():
    """Types that MMEngine's checkpoints hold besides tensors; none of them runs code."""
    import numpy as np
    from mmengine.logging import HistoryBuffer

    reconstruct = np.array(0).__reduce__()[0]
    scalar = np.float64(0).__reduce__()[0]
    dtypes = {type(np.dtype(code)) for code in ('f8', 'f4', 'f2', 'i8', 'i4', 'u8', 'u1', '?')}
    # NumPy 1 calls the module numpy.core, NumPy 2 numpy._core: files of both are read.
    named = [
        (function, f'{module}.multiarray.{function.__name__}')
        for function in (reconstruct, scalar)
        for module in ('numpy.core', 'numpy._core')
    ]
    return [HistoryBuffer, np.ndarray, np.dtype, *dtypes, *named,
            (_history_buffer_method, 'builtins.getattr')]  # fmt: skip


def load_local_checkpoint(filename, map_location='cpu'):
    """Read a checkpoint file that may hold tensors and MMEngine's training log, but no code.

    Args:
        filename (str): Path of a local file.
        map_location: As in :func:`torch.load`.

    Returns:
        dict: The checkpoint.

    Raises:
        FileNotFoundError: There is no such file.
        UnsafeCheckpointError: The file names a function or class outside the allow-list.
        ValueError: The file is no checkpoint at all, or is cut short.
    """
    import torch

    path = Path(filename).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f'checkpoint {filename} does not exist')
    try:
        return torch.load(path, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        reason = _refusal(str(error))
        if reason is None:
            raise ValueError(f'{filename} is not a PyTorch checkpoint') from error
        raise UnsafeCheckpointError(
            f'checkpoint {filename} was refused: {reason}. Loading it could run code; mmsal '
            'reads weights, optimizer states and training logs only.'
        ) from error
    except Exception as error:  # bytes that are no pickle make the unpickler fail in any way
        raise ValueError(f'{filename} is not a PyTorch checkpoint, or is cut short') from error


def _refusal(message):
    """The part of torch's long message that names what was refused, or None."""
    for line in message.replace('WeightsUnpickler error: ', '\n').splitlines():
        if 'GLOBAL' in line:
            return 'it names ' + line.split('GLOBAL', 1)[1].split(' was not')[0].strip()
        if 'not allowed' in line or 'Trying to' in line or 'Can only' in line:
            return line.strip().rstrip('.')
    return None


def load_checkpoints_safely():
    """Make MMEngine read its own checkpoints under torch's safe loading.

    Since torch 2.6 ``torch.load`` refuses MMEngine's checkpoints, because their training log is
    pickled with ``HistoryBuffer`` and ``builtins.getattr``: resuming, testing and explaining all
    fail. The usual advice, ``weights_only=False``, lets any downloaded file run code. Instead the
    few harmless types are allowed, ``getattr`` only as :func:`_history_buffer_method`, and local
    files go through :func:`load_local_checkpoint`, which says in one line what it refuses.
    Upstream: open-mmlab/mmengine#1655.
    """
    import torch
    from mmengine.runner.checkpoint import CheckpointLoader, load_from_local

    torch.serialization.add_safe_globals(_safe_globals())
    # Not in the place of a reader that others registered since, mmsal.models among them.
    if CheckpointLoader._schemes[''] is load_from_local:
        CheckpointLoader.register_scheme('', load_local_checkpoint, force=True)
