"""Defects of MMAction2 1.2.0, with current NumPy among other things."""

import functools
import sys
import types
from pathlib import Path


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
