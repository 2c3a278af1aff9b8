"""ResNet with convolutional block attention (CBAM; Woo et al., ECCV 2018, arXiv 1807.06521)."""

from typing import ClassVar

import torch
from mmaction.models.backbones.resnet import BasicBlock, Bottleneck, ResNet
from mmaction.registry import MODELS
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


class CBAM(nn.Module):
    """Channel attention, then spatial attention, each a sigmoid gate on the feature map.

    Args:
        channels (int): C.
        reduction (int): Ratio of the channel bottleneck. Defaults to 16, as in the paper.
        kernel_size (int): Of the spatial convolution; odd. Defaults to 7, as in the paper.
    """

    def __init__(self, channels: int, reduction: int = 16, kernel_size: int = 7) -> None:
        super().__init__()
        hidden = max(channels // reduction, 1)
        self.channel = nn.Sequential(
            nn.Conv2d(channels, hidden, 1, bias=False),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, channels, 1, bias=False),
        )
        self.spatial = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Gate a feature map [N, C, H, W]; same shape out."""
        pooled_mean = x.mean(dim=(2, 3), keepdim=True)
        pooled_max = x.amax(dim=(2, 3), keepdim=True)
        x = x * torch.sigmoid(self.channel(pooled_mean) + self.channel(pooled_max))
        planes = torch.cat([x.mean(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)], dim=1)
        return x * torch.sigmoid(self.spatial(planes))


class BasicBlockCBAM(BasicBlock):
    """MMAction2's basic residual block, its branch gated before the addition."""

    def __init__(self, inplanes: int, planes: int, *args, **kwargs) -> None:
        super().__init__(inplanes, planes, *args, **kwargs)
        self.cbam = CBAM(planes * self.expansion)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, planes, H / stride, W / stride]."""
        identity = x if self.downsample is None else self.downsample(x)
        return self.relu(self.cbam(self.conv2(self.conv1(x))) + identity)


class BottleneckCBAM(Bottleneck):
    """MMAction2's bottleneck block, its branch gated before the addition."""

    def __init__(self, inplanes: int, planes: int, *args, **kwargs) -> None:
        super().__init__(inplanes, planes, *args, **kwargs)
        self.cbam = CBAM(planes * self.expansion)

    def _residual(self, x: Tensor) -> Tensor:
        identity = x if self.downsample is None else self.downsample(x)
        return self.cbam(self.conv3(self.conv2(self.conv1(x)))) + identity

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, 4 planes, H / stride, W / stride]."""
        if self.with_cp and x.requires_grad:
            return self.relu(checkpoint(self._residual, x, use_reentrant=False))
        return self.relu(self._residual(x))


@MODELS.register_module()
class ResNetCBAM(ResNet):
    """ResNet-18 to -152 with CBAM in every residual block, where the paper places it.

    Takes MMAction2's ``ResNet`` options. Its own parameters are called ``layerI.J.cbam.*``; all
    others keep the names of the plain ResNet, so that ImageNet weights load into it.
    """

    arch_settings: ClassVar[dict] = {
        depth: (BasicBlockCBAM if block is BasicBlock else BottleneckCBAM, stages)
        for depth, (block, stages) in ResNet.arch_settings.items()
    }
