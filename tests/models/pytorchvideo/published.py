"""PyTorchVideo's own networks, random weights that are not trivial, and our configs of the same."""

import importlib
import math
import sys
import types
from pathlib import Path

import torch
from torch import Tensor, nn

from mmsal.explain import load_config
from mmsal.explain.recognizer import build_model

CONFIGS = Path(__file__).resolve().parents[3] / 'CNN_finetunings'
KINETICS = {
    'i3d_r50': 'i3d/i3d_r50_8x8x1_pytorchvideo-kinetics400-rgb.py',
    'x3d_l': 'x3d/x3d_l_16x5x1_pytorchvideo-kinetics400-rgb.py',
    'slowfast_r101': 'slowfast/slowfast_r101_16x8x1_pytorchvideo-kinetics400-rgb.py',
}
KTH = {
    'i3d_r50': 'i3d/i3d_r50_pytorchvideo-pretrained_1xb8-8x4x1-20e_kth-rgb.py',
    'x3d_l': 'x3d/x3d_l_pytorchvideo-pretrained_1xb8-16x2x1-20e_kth-rgb.py',
    'slowfast_r101': 'slowfast/slowfast_r101_pytorchvideo-pretrained_1xb8-8x4x1-20e_kth-rgb.py',
}
HUB_NAMES = {'slowfast_r101': 'slowfast_16x8_r101_50_50'}
# Frames of a clip, the training crop and the test crop.
SIZES = {'i3d_r50': (8, 224, 256), 'x3d_l': (16, 312, 356), 'slowfast_r101': (64, 224, 256)}


class _NoRoIAlign:
    """PyTorchVideo imports torchvision for this one layer, which no network here has."""

    def __init__(self, *args, **kwargs) -> None:
        pass


def hub() -> types.ModuleType:
    """``pytorchvideo.models.hub``, imported where there is no torchvision, too."""
    try:
        return importlib.import_module('pytorchvideo.models.hub')
    except ModuleNotFoundError as error:
        if (error.name or '').split('.')[0] != 'torchvision':
            raise
    package, operators = types.ModuleType('torchvision'), types.ModuleType('torchvision.ops')
    operators.RoIAlign = _NoRoIAlign
    package.ops = operators
    sys.modules.update({'torchvision': package, 'torchvision.ops': operators})
    try:
        return importlib.import_module('pytorchvideo.models.hub')
    finally:
        del sys.modules['torchvision'], sys.modules['torchvision.ops']


def published_network(network: str, seed: int = 0, **options) -> nn.Module:
    """PyTorchVideo's network in evaluation mode, its weights and batch norms random."""
    build = getattr(hub(), HUB_NAMES.get(network, network))
    return randomise(build(pretrained=False, **options), seed).eval()


def randomise(model: nn.Module, seed: int = 0) -> nn.Module:
    """Random weights, batch-norm statistics included, that keep the scores of order one."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.Conv3d | nn.Linear):
            deviation = math.sqrt(2 / module.weight[0].numel())
            module.weight.data.normal_(0, deviation, generator=generator)
            if module.bias is not None:
                module.bias.data.normal_(0, 0.1, generator=generator)
        elif isinstance(module, nn.BatchNorm3d):
            # Each of up to fifty blocks adds to the sum; one that ends in a batch norm, little.
            scale = 0.1 if getattr(module, 'block_final_bn', False) else 1
            module.weight.data.uniform_(0.5 * scale, 1.5 * scale, generator=generator)
            module.bias.data.normal_(0, 0.1, generator=generator)
            module.running_mean.normal_(0, 0.1, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
            module.num_batches_tracked.fill_(7)
    return model


def clip(network: str, size: int, seed: int = 1) -> Tensor:
    """A random clip [1, 3, T, size, size]."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, 3, SIZES[network][0], size, size, generator=generator)


def as_published(network: str, x: Tensor) -> Tensor | list[Tensor]:
    """A clip as PyTorchVideo's network takes it: for SlowFast as its PackPathway transform does."""
    if network != 'slowfast_r101':
        return x
    frames = x.shape[2]
    return [x[:, :, torch.linspace(0, frames - 1, frames // 4).long()], x]


def our_network(network: str, configs: dict[str, str] = KINETICS, **options) -> nn.Module:
    """The model of our config, in evaluation mode; options are those of --cfg-options."""
    return build_model(load_config(CONFIGS / configs[network], options)).eval()


class Scores(nn.Module):
    """Class scores of one clip by a recognizer of MMAction2, without its data samples."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        return self.model.cls_head(self.model.backbone(x))
