"""Every workaround for an upstream defect, in one place.

Each function below stands alone: it names the upstream issue, looks whether the defect is there,
and mends only that. Delete a function when the version it names is the oldest we support.

===============================  ==========================================  ====================
workaround                       upstream                                    ends with
===============================  ==========================================  ====================
``provide_missing_drn``          open-mmlab/mmaction2#2714                   mmaction2 > 1.2.0
``load_checkpoints_safely``      open-mmlab/mmengine#1655                    mmengine > 0.10.7
``mend_color_jitter``            NumPy 2 (NEP 50), as pytorch/vision#8536    mmaction2 > 1.2.0
``restore_numpy_names``          NumPy 2 release notes, "Expired members"    mmaction2 > 1.2.0
``name_unreadable_videos``       dmlc/decord reads MMAction2's bytes, no name  mmaction2 > 1.2.0
``mend_tpn_head``                copies into its weights with gradients on    mmaction2 > 1.2.0
``silence_known_warnings``       open-mmlab/mmcv#3325, mmcv-lite by design   mmengine > 0.10.7
``mend_bfloat16_scores``         hands bfloat16 to NumPy, which has none     mmaction2 > 1.2.0
``recompute_blocks_once``        pytorch/pytorch#96136, mmengine#1539        open in torch 2.13
``exit_beside_gloo``             pytorch/pytorch#190489                       open in torch 2.13
===============================  ==========================================  ====================

Defects mended by what we declare instead of by code: MMAction2 imports ``importlib_metadata``
without requiring it, and MMEngine needs ``pkg_resources``, which setuptools 82 dropped
(open-mmlab/mmcv#3325); both stand in ``setup.py``.
"""

import atexit
import os
import pickle
import sys
import types
import warnings
from importlib import metadata
from pathlib import Path
from typing import NoReturn

# What to tell the user to install, and the versions that MMAction2 1.2.0 asserts.
REQUIREMENTS = {
    'torch': ((2, 6), (3,), 'torch==2.13.0'),
    'mmengine': ((0, 10, 4), (1,), 'mmengine==0.10.7'),
    'mmaction2': ((1, 2), (1, 3), 'mmaction2==1.2.0'),
    'mmcv': ((2, 0), (2, 2), 'mmcv-lite==2.1.0'),
}


class EnvironmentProblem(ImportError):
    """A package that mmsal stands on is missing or has the wrong version."""


class UnsafeCheckpointError(ValueError):
    """A checkpoint holds more than data: loading it would run code."""


def apply():
    """Check the environment, then apply every workaround. Importing ``mmsal`` calls it.

    Calling it again changes nothing.

    Raises:
        EnvironmentProblem: One line that says what to install.
    """
    check_environment()
    silence_known_warnings()
    provide_missing_drn()
    restore_numpy_names()
    load_checkpoints_safely()
    mend_color_jitter()
    name_unreadable_videos()
    mend_tpn_head()
    mend_bfloat16_scores()
    recompute_blocks_once()


def _installed_version(package):
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _release(version):
    numbers = []
    for part in version.split('+')[0].split('.'):
        digits = ''.join(char for char in part if char.isdigit())
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)


def check_environment(installed_version=_installed_version):
    """Compare the installed packages with :data:`REQUIREMENTS`, without importing them.

    Args:
        installed_version: Function from a distribution's name to its version or None.

    Raises:
        EnvironmentProblem: Names the package, the version found and the command that mends it.
    """
    both = [name for name in ('mmcv', 'mmcv-lite') if installed_version(name)]
    if len(both) == 2:
        raise EnvironmentProblem(
            'mmcv and mmcv-lite are both installed and overwrite each other. Run: '
            'pip uninstall -y mmcv mmcv-lite && pip install mmcv-lite==2.1.0'
        )
    for name, (lowest, below, install) in REQUIREMENTS.items():
        version = installed_version(both[0] if name == 'mmcv' and both else name)
        wanted = f'{".".join(map(str, lowest))} or newer, below {".".join(map(str, below))}'
        if version is None:
            raise EnvironmentProblem(
                f'mmsal needs {name} ({wanted}), which is not installed. Run: pip install {install}'
            )
        if not lowest <= _release(version) < below:
            raise EnvironmentProblem(
                f'mmsal needs {name} {wanted}, but {version} is installed. '
                f'Run: pip install {install}'
            )


def silence_known_warnings():
    """Keep two warnings that no user can act on out of every command's output.

    mmcv-lite says at each import that it has no deformable attention, which no recognizer uses;
    setuptools says that the ``pkg_resources`` MMEngine asks for will go (open-mmlab/mmcv#3325).
    """
    warnings.filterwarnings('ignore', message='Fail to import ``MultiScaleDeformableAttention``')
    warnings.filterwarnings('ignore', message='pkg_resources is deprecated as an API')


def provide_missing_drn():
    """Stand in for ``mmaction.models.localizers.drn``, which the 1.2.0 wheel leaves out.

    Without it ``import mmaction.models`` fails. DRN localizes actions from text and is no
    recognizer; building it says that it is missing. Upstream: open-mmlab/mmaction2#2714.
    """
    import mmaction

    package = 'mmaction.models.localizers.drn'
    if package in sys.modules:
        return
    # Looked up as a file: asking importlib for the submodule would import its broken parent.
    if (Path(mmaction.__file__).parent / 'models' / 'localizers' / 'drn').is_dir():
        return

    class DRN:
        """Stands in for the localizer that this release of MMAction2 lacks."""

        def __init__(self, *args, **kwargs):
            raise NotImplementedError(
                'The installed MMAction2 was released without DRN (open-mmlab/mmaction2#2714).'
            )

    parent, module = types.ModuleType(package), types.ModuleType(f'{package}.drn')
    module.DRN = parent.DRN = DRN
    parent.drn = module
    sys.modules[package] = parent
    sys.modules[f'{package}.drn'] = module


def restore_numpy_names():
    """Give NumPy 2 back the three names that MMAction2 1.2.0 still uses.

    ``np.Inf`` in ``mmaction.utils.frame_extract`` and the pose transforms, ``np.in1d`` in the
    retrieval metrics (on one-dimensional arrays, where ``np.isin`` is the same), ``np.trapz`` in
    the ActivityNet metrics.
    """
    import numpy as np

    successors = {'Inf': 'inf', 'in1d': 'isin', 'trapz': 'trapezoid'}
    for old, new in successors.items():
        if not hasattr(np, old):
            setattr(np, old, getattr(np, new))


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
    from mmengine.runner.checkpoint import CheckpointLoader

    torch.serialization.add_safe_globals(_safe_globals())
    CheckpointLoader.register_scheme('', load_local_checkpoint, force=True)


def mend_color_jitter():
    """Let MMAction2's ``ColorJitter`` turn the hue on NumPy 2.

    It adds a negative Python integer to a uint8 array, which NumPy 2 refuses (OverflowError, as
    in pytorch/vision#8536). Mended by adding in int16, which is also right where NumPy 1 wrapped
    around at 256 before the modulus of 180.
    """
    import cv2
    import numpy as np
    from mmaction.datasets.transforms.processing import ColorJitter

    try:
        ColorJitter.adjust_hue(np.zeros((1, 1, 3), np.float32), -0.1)
        return
    except OverflowError:
        pass

    def adjust_hue(img, factor):
        img = np.clip(img, 0, 255).astype(np.uint8)
        hsv = cv2.cvtColor(img, cv2.COLOR_RGB2HSV)
        hue = hsv[..., 0].astype(np.int16) + int(factor * 255)
        hsv[..., 0] = (hue % 180).astype(np.uint8)
        return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB).astype(np.float32)

    ColorJitter.adjust_hue = staticmethod(adjust_hue)


def mend_tpn_head():
    """Let MMAction2's TPN be explained before it is tested.

    With ``fcn_test``, which its configs set, ``TPNHead`` makes a convolution of its classifier at
    the first forward pass, by copying into weights that require a gradient; with gradients on, as
    ``mmaction.utils.GradCAM`` and ours run it, torch refuses that.
    """
    import torch
    from mmaction.models.heads import TPNHead

    if not getattr(TPNHead._init_new_cls, 'without_gradient', False):
        TPNHead._init_new_cls = torch.no_grad()(TPNHead._init_new_cls)
        TPNHead._init_new_cls.without_gradient = True


def mend_bfloat16_scores():
    """Let MMAction2's heads train in bfloat16.

    ``BaseHead.loss_by_feat`` hands the class scores to NumPy for the accuracy of the batch, and
    NumPy has no bfloat16 (TypeError), with MMEngine's ``AmpOptimWrapper(dtype='bfloat16')`` as with
    ours. The scores are turned to float32 first; the loss is computed in it anyway.
    """
    import functools

    import torch
    from mmaction.models.heads.base import BaseHead

    original = BaseHead.loss_by_feat
    if getattr(original, 'takes_bfloat16', False):
        return

    @functools.wraps(original)
    def loss_by_feat(self, cls_scores, data_samples):
        if cls_scores.dtype == torch.bfloat16:
            cls_scores = cls_scores.float()
        return original(self, cls_scores, data_samples)

    loss_by_feat.takes_bfloat16 = True
    BaseHead.loss_by_feat = loss_by_feat


def recompute_blocks_once():
    """Let gradient checkpointing leave batch-norm statistics as they would be without it.

    Both MMAction2's ``with_cp=True`` and MMEngine's ``activation_checkpointing``: see
    :mod:`mmsal.compat_checkpointing`.
    """
    from mmsal import compat_checkpointing

    compat_checkpointing.recompute_blocks_once()


def name_unreadable_videos():
    """Let MMAction2's decord transforms say which file they could not read.

    ``DecordInit`` hands decord the file's bytes, so that decord's error names a ``BytesIO``, and a
    training run over thousands of videos ends without saying which one is broken.
    """
    from mmaction.datasets.transforms.loading import DecordDecode, DecordInit

    for transform, fault in ((DecordInit, 'is not a video that can be read'),
                             (DecordDecode, 'is damaged: its frames cannot be read')):  # fmt: skip
        if not getattr(transform.transform, 'names_file', False):
            transform.transform = _naming_file(transform.transform, fault)


def _naming_file(original, fault):
    from decord import DECORDError

    def transform(self, results):
        try:
            return original(self, results)
        except (RuntimeError, DECORDError) as error:
            raise ValueError(f'{results.get("filename", "the video")} {fault}') from error

    transform.names_file = True
    return transform


def exit_beside_gloo(status: int) -> NoReturn:
    """End a process that was in a gloo process group, without taking the interpreter down.

    A thread of gloo drops its last piece of work a moment after the work is done, and needs the
    interpreter's lock for that. Where the interpreter is being taken down by then, the process is
    aborted (SIGABRT, "terminate called without an active exception"), though all is done; seen
    once in some hundred processes. Destroying the group does not help: its threads live on.

    What ``atexit`` has to do is done, and output is flushed. Called by the commands at their very
    end; :func:`apply` does not.

    Args:
        status (int): The exit code.
    """
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
