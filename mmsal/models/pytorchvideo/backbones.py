"""Backbones of MMAction2, changed where PyTorchVideo's networks are others.

All three freeze their ``frozen_stages`` when they are built. MMAction2 does it when training
begins, which is too late for several processes: they have been told by then that every weight will
have a gradient, and wait for it.
"""

import torch
from mmaction.models.backbones import X3D, ResNet3d, ResNet3dSlowFast
from mmaction.registry import MODELS
from mmcv.cnn import ConvModule
from torch import Tensor, nn


@MODELS.register_module()
class PyTorchVideoI3D(ResNet3d):
    """I3D: ``ResNet3d``, which with the options of the configs is PyTorchVideo's network.

    Args:
        args, kwargs: Options of :class:`mmaction.models.ResNet3d`.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self._freeze_stages()

    def train(self, mode: bool = True) -> 'PyTorchVideoI3D':
        """Switch the mode; MMAction2's returns nothing."""
        super().train(mode)
        return self


@MODELS.register_module()
class PyTorchVideoX3D(X3D):
    """X3D without a batch norm in the shortcut of the first stage.

    PyTorchVideo normalises a shortcut where the number of channels changes; the first stage's
    changes the size of the map alone. MMAction2 normalises every shortcut that has a convolution.

    Args:
        args, kwargs: Options of :class:`mmaction.models.X3D`; X3D-L is ``gamma_d=5.0``.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self._freeze_stages()

    def make_res_layer(self, block, layer_inplanes, inplanes, *args, **kwargs) -> nn.Module:
        layer = super().make_res_layer(block, layer_inplanes, inplanes, *args, **kwargs)
        shortcut = layer[0].downsample
        if layer_inplanes == inplanes and shortcut is not None:
            conv = shortcut.conv
            layer[0].downsample = ConvModule(
                conv.in_channels, conv.out_channels, kernel_size=1, stride=conv.stride, bias=False,
                conv_cfg=self.conv_cfg, norm_cfg=None, act_cfg=None,
            )  # fmt: skip
        return layer

    def train(self, mode: bool = True) -> 'PyTorchVideoX3D':
        """Switch the mode; MMAction2's returns nothing."""
        super().train(mode)
        return self


@MODELS.register_module()
class PyTorchVideoSlowFast(ResNet3dSlowFast):
    """SlowFast whose slow pathway sees the frames that PyTorchVideo's does.

    Of T frames that are T / a evenly spread from the first to the last
    (``linspace(0, T - 1, T / a)``, rounded down); MMAction2 takes every a-th.

    ``frozen_stages`` of the slow pathway freezes the connections from the frozen stages of the
    fast one, the stem's among them, which MMAction2 forgets: its gradient would need everything
    that the frozen stages of the slow pathway computed. Give both pathways the same number; with
    a lower one for the fast pathway its gradient runs through the frozen stages of the slow one.

    Args:
        args, kwargs: Options of :class:`mmaction.models.ResNet3dSlowFast`. ``resample_rate`` is a;
            ``speed_ratio`` must be the same, so that the fast pathway sees every frame.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if self.resample_rate != self.speed_ratio:
            raise ValueError(
                f'expected speed_ratio to equal resample_rate ({self.resample_rate}), got '
                f'{self.speed_ratio}'
            )
        for path in (self.slow_path, self.fast_path):
            path._freeze_stages()
        self._freeze_stem_lateral()

    def train(self, mode: bool = True) -> 'PyTorchVideoSlowFast':
        """Switch the mode; what is frozen stays in eval mode and without gradients."""
        super().train(mode)
        self._freeze_stem_lateral()
        return self

    def _freeze_stem_lateral(self) -> None:
        slow = self.slow_path
        if slow.frozen_stages >= 0 and slow.lateral:
            slow.conv1_lateral.eval().requires_grad_(False)

    def slow_frames(self, frames: int) -> Tensor:
        """Indices of the frames, of 0 to ``frames`` - 1, that the slow pathway sees.

        Raises:
            ValueError: The two pathways would not have a whole ratio of frames.
        """
        if frames % self.resample_rate:
            raise ValueError(
                f'expected clips whose frames are a multiple of {self.resample_rate}, got {frames}'
            )
        return torch.linspace(0, frames - 1, frames // self.resample_rate).long()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Clips [N, 3, T, H, W] -> maps of the slow and of the fast pathway."""
        slow, fast = self.slow_path, self.fast_path
        x_slow = x.index_select(2, self.slow_frames(x.shape[2]).to(x.device))
        x_slow = slow.maxpool(slow.conv1(x_slow))
        x_fast = fast.maxpool(fast.conv1(x))
        laterals = ['conv1_lateral', *slow.lateral_connections] if slow.lateral else []
        for number, name in enumerate(slow.res_layers):
            if number < len(laterals):
                x_slow = torch.cat((x_slow, getattr(slow, laterals[number])(x_fast)), dim=1)
            x_slow = getattr(slow, name)(x_slow)
            x_fast = getattr(fast, name)(x_fast)
        return x_slow, x_fast
