"""Small recognizers with random weights, and batches for them."""

import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from torch import nn

NORMALISE = dict(type='ActionDataPreprocessor', mean=[110.0] * 3, std=[50.0] * 3)


def build(name: str, seed: int = 0) -> nn.Module:
    """A recognizer in evaluation mode; its batch-norm statistics are random too."""
    torch.manual_seed(seed)
    model = MODELS.build(Config(dict(model=CONFIGS[name])).model)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    head = model.cls_head
    if hasattr(head, 'fc_cls'):  # the default of 0.01 gives maps too small to compare
        nn.init.normal_(head.fc_cls.weight, std=1.0)
    return model.eval()


def batch(name: str, samples: int = 1, views: int = 1, size: int = 64, seed: int = 0) -> dict:
    """What the test pipeline and ``pseudo_collate`` would give: uint8 inputs and labels."""
    generator = torch.Generator().manual_seed(seed)
    frames = 8
    if CONFIGS[name]['type'] == 'Recognizer3D':
        shape = (views, 3, frames, size, size)
    else:
        shape = (views * frames, 3, size, size)
    inputs = [
        torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator) for _ in range(samples)
    ]
    labels = []
    for number in range(samples):
        labels.append(ActionDataSample())
        labels[-1].set_gt_label(number % 5)
    return dict(inputs=inputs, data_samples=labels)


def _3d(backbone: dict, channels: int, head: str = 'I3DHead', **options) -> dict:
    return dict(
        type='Recognizer3D',
        backbone=backbone,
        cls_head=dict(type=head, num_classes=5, in_channels=channels, **options),
        data_preprocessor=dict(NORMALISE, format_shape='NCTHW'),
    )


def _cnn_lstm(**options) -> dict:
    return dict(
        type='CNNLSTMRecognizer',
        backbone=dict(type='ResNet', depth=18),
        cls_head=dict(type='CNNLSTMHead', num_classes=5, in_channels=512, clip_len=8, **options),
        data_preprocessor=NORMALISE,
    )


def _2d(backbone: dict, channels: int, head: str = 'TSNHead', **options) -> dict:
    return dict(
        type='Recognizer2D',
        backbone=backbone,
        cls_head=dict(type=head, num_classes=5, in_channels=channels, **options),
        data_preprocessor=NORMALISE,
    )


I3D = dict(
    type='ResNet3d', depth=18, pretrained=None, conv1_kernel=(5, 7, 7), conv1_stride_t=2,
    pool1_stride_t=2, inflate=(1, 1, 1, 1), conv_cfg=dict(type='Conv3d'), zero_init_residual=False,
)  # fmt: skip
CONFIGS = {
    'tsn': _2d(dict(type='ResNet', depth=18), 512),
    'tsm': _2d(
        dict(type='ResNetTSM', depth=18, num_segments=8),
        512,
        'TSMHead',
        num_segments=8,
        is_shift=True,
    ),
    'cnn_lstm': _cnn_lstm(),
    'cnn_lstm_attention': _cnn_lstm(cell='input_cell_attention'),
    'i3d': _3d(I3D, 512),
    'x3d': _3d(
        dict(type='X3D', gamma_w=1, gamma_b=1.0, gamma_d=1.0), 192, 'X3DHead', fc1_bias=False
    ),
}
