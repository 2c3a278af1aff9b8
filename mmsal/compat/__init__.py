"""Every workaround for an upstream defect, in one place.

Each function named here stands alone: it names the upstream issue, looks whether the defect is
there, and mends only that. Delete a function when the version it names is the oldest we support.

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

from mmsal.compat.checkpoints import (
    UnsafeCheckpointError,
    load_checkpoints_safely,
    load_local_checkpoint,
)
from mmsal.compat.environment import (
    EnvironmentProblem,
    check_environment,
    silence_known_warnings,
)
from mmsal.compat.gloo import exit_beside_gloo
from mmsal.compat.mmaction2 import (
    mend_bfloat16_scores,
    mend_color_jitter,
    mend_tpn_head,
    name_unreadable_videos,
    provide_missing_drn,
    restore_numpy_names,
)

__all__ = [
    'EnvironmentProblem',
    'UnsafeCheckpointError',
    'apply',
    'check_environment',
    'exit_beside_gloo',
    'load_checkpoints_safely',
    'load_local_checkpoint',
    'mend_bfloat16_scores',
    'mend_color_jitter',
    'mend_tpn_head',
    'name_unreadable_videos',
    'provide_missing_drn',
    'restore_numpy_names',
    'silence_known_warnings',
]


def apply():
    """Check the environment, then apply every workaround. Importing ``mmsal`` calls it.

    Calling it again changes nothing.

    Raises:
        EnvironmentProblem: One line that says what to install.
    """
    check_environment()
    # Not before: it imports torch, which may be what is missing.
    from mmsal.compat.gradient_checkpointing import recompute_blocks_once

    silence_known_warnings()
    provide_missing_drn()
    restore_numpy_names()
    load_checkpoints_safely()
    mend_color_jitter()
    name_unreadable_videos()
    mend_tpn_head()
    mend_bfloat16_scores()
    recompute_blocks_once()
