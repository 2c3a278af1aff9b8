"""Small recognizers with random weights, and batches for them."""

import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from torch import nn

NORMALISE = dict(type='ActionDataPreprocessor', mean=[110.0] * 3, std=[50.0] * 3)


def build(name: str, seed: int = 0, **changes) -> nn.Module:
    """A recognizer in evaluation mode; its batch-norm statistics are not the initial ones.

    ``changes`` are of the options of the recognizer itself, such as its type.
    """
    torch.manual_seed(seed)
    model = MODELS.build(Config(dict(model={**ALL[name], **changes})).model)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    head = model.cls_head
    if hasattr(head, 'fc_cls'):  # the default of 0.01 gives maps too small to compare
        nn.init.normal_(head.fc_cls.weight, std=1.0)
    if name in MORE:
        _fill_zeros(model)
        _settle_batch_norm(model, batch(name, samples=2, seed=1))
    return model.eval()


def _fill_zeros(model: nn.Module) -> None:
    """Make every parameter that starts at zero take part.

    TimeSformer's and UniFormerV2's branches through time and non-local blocks end in a layer of
    zeros, so that an untrained network ignores them; tokens and position embeddings start at zero
    too. Biases are filled as well: trained ones are not zero either.
    """
    for parameter in model.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.1)


def _settle_batch_norm(model: nn.Module, data: dict) -> None:
    """Take the statistics from noise: with others MobileNetV2 forgets its input on the way up.

    The head stays out of it, because TPN's keeps the size of its first input.
    """
    model.eval()
    norms = [one for one in model.modules() if isinstance(one, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.train().momentum = 1.0
    if norms:
        with torch.no_grad():
            model.extract_feat(model.data_preprocessor(data)['inputs'], test_mode=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def batch(
    name: str,
    samples: int = 1,
    views: int = 1,
    size: int | tuple[int, int] | None = None,
    seed: int = 0,
) -> dict:
    """What the test pipeline and ``pseudo_collate`` would give: uint8 inputs and labels.

    ``size`` is the side of a square or (height, width); None is what the network is made for.
    """
    generator = torch.Generator().manual_seed(seed)
    frames, side = (16, 32) if name == 'c3d' else (8, 64)
    size = size or side
    height, width = (size, size) if isinstance(size, int) else size
    if ALL[name]['data_preprocessor'].get('format_shape') == 'NCTHW':
        shape = (views, 3, frames, height, width)
    else:
        shape = (views * frames, 3, height, width)
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


def _tpn(below: int, top: int) -> dict:
    """The neck of the TPN configs; its output always has 2048 channels."""
    return dict(
        type='TPN',
        in_channels=(below, top),
        out_channels=below,
        spatial_modulation_cfg=dict(in_channels=(below, top), out_channels=top),
        temporal_modulation_cfg=dict(downsample_scales=(8, 8)),
        upsample_cfg=dict(scale_factor=(1, 1, 1)),
        downsample_cfg=dict(downsample_scale=(1, 1, 1)),
        level_fusion_cfg=dict(
            in_channels=(below, below), mid_channels=(below, below), out_channels=top
        ),
        aux_head_cfg=dict(out_channels=5, loss_weight=0.5),
    )


def _timesformer(attention: str) -> dict:
    backbone = dict(
        type='TimeSformer', num_frames=8, img_size=64, patch_size=16, embed_dims=32, num_heads=2,
        num_transformer_layers=2, attention_type=attention,
    )  # fmt: skip
    return _3d(backbone, 32, 'TimeSformerHead')


def _vit(**options) -> dict:
    backbone = dict(
        type='VisionTransformer', img_size=64, patch_size=16, embed_dims=32, depth=2, num_heads=2,
        num_frames=8, **options,
    )  # fmt: skip
    return _3d(backbone, 32, 'TimeSformerHead')


def _mvit(**options) -> dict:
    return dict(
        type='MViT', spatial_size=64, temporal_size=8,
        arch=dict(embed_dims=16, num_layers=4, num_heads=1, downscale_indices=[1, 3]), **options,
    )  # fmt: skip


SLOWONLY = dict(type='ResNet3dSlowOnly', depth=18, base_channels=16, lateral=False)
SLOWFAST = dict(
    type='ResNet3dSlowFast', resample_rate=4, speed_ratio=4, channel_ratio=4,
    slow_pathway=dict(
        type='resnet3d', depth=18, base_channels=16, lateral=True, conv1_kernel=(1, 7, 7),
        conv1_stride_t=1, pool1_stride_t=1, inflate=(0, 0, 1, 1),
    ),
    fast_pathway=dict(
        type='resnet3d', depth=18, base_channels=4, lateral=False, conv1_kernel=(5, 7, 7),
        conv1_stride_t=1, pool1_stride_t=1,
    ),
)  # fmt: skip
CSN = dict(
    type='ResNet3dCSN', depth=50, pretrained=None, pretrained2d=False, base_channels=16,
    stage_blocks=(1, 1, 1, 1), with_pool2=False, bottleneck_mode='ir',
)  # fmt: skip
R2PLUS1D = dict(
    type='ResNet2Plus1d', depth=18, pretrained2d=False, base_channels=16,
    conv_cfg=dict(type='Conv2plus1d'), conv1_kernel=(3, 7, 7), pool1_stride_t=1,
    temporal_strides=(1, 2, 2, 2),
)  # fmt: skip
NON_LOCAL = dict(
    I3D, base_channels=16, conv1_stride_t=1, pool1_stride_t=1,
    non_local=((0, 0), (0, 1), (0, 1), (0, 0)),
    non_local_cfg=dict(sub_sample=True, use_scale=False, mode='embedded_gaussian'),
)  # fmt: skip
SWIN = dict(
    type='SwinTransformer3D', arch=dict(embed_dims=16, depths=[2, 2], num_heads=[1, 2]),
    pretrained2d=False, window_size=(2, 4, 4), out_indices=(1,),
)  # fmt: skip
UNIFORMER = dict(
    type='UniFormer', depth=[1, 1, 1, 1], embed_dim=[16, 32, 32, 64], head_dim=16, img_size=64,
    pretrained2d=False,
)  # fmt: skip
UNIFORMERV2 = dict(
    type='UniFormerV2', input_resolution=64, patch_size=16, width=32, layers=3, heads=2, t_size=8,
    no_lmhra=False, double_lmhra=True, return_list=[1, 2], n_layers=2, n_dim=32, n_head=2,
    mlp_dropout=[0.5, 0.5], clip_pretrained=False,
)  # fmt: skip
OMNI = dict(
    type='RecognizerOmni',  # no BaseRecognizer: the video goes through head.fc3d
    backbone=dict(type='OmniResNet', layers=[1, 1, 1, 1]),
    cls_head=dict(type='OmniHead', image_classes=5, video_classes=5, in_channels=2048),
    data_preprocessor=dict(NORMALISE, format_shape='NCTHW'),
)
# The rest of MMAction2's families. Not here: TIN (needs mmcv.ops), MobileOne (needs mmpretrain),
# torchvision's and timm's backbones, and whatever does not take RGB alone.
MORE = {
    'tpn': dict(
        _3d(dict(SLOWONLY, out_indices=(2, 3)), 2048, 'TPNHead'),
        neck=_tpn(64, 128),
    ),
    # Takes one view only: the neck makes one clip of all frames and expects one step after it.
    # And one size: that of its first input.
    'tpn_tsm': dict(
        _2d(dict(type='ResNetTSM', depth=18, out_indices=(2, 3)), 2048, 'TPNHead'),
        neck=_tpn(256, 512),
    ),
    # fc6 is made for 16 frames of one size, and pool5 needs the 16; its channels are fixed, so
    # that it has 53 million parameters (210 MB) even for 32 x 32.
    'c3d': _3d(dict(type='C3D', out_dim=2048), 4096, spatial_type=None),
    'c2d': _3d(dict(type='C2D', depth=18), 512),
    'r2plus1d': _3d(R2PLUS1D, 128),
    'slowonly': _3d(SLOWONLY, 128),
    'slowfast': _3d(SLOWFAST, 160, 'SlowFastHead'),
    'csn': _3d(CSN, 512),
    'i3d_nonlocal': _3d(NON_LOCAL, 128),
    'omni': OMNI,
    'tanet': _2d(dict(type='TANet', depth=50, num_segments=8), 2048, 'TSMHead'),
    # Draws frame relations from NumPy's global state in each forward pass, in evaluation too.
    'trn': _2d(dict(type='ResNet', depth=18), 512, 'TRNHead', hidden_dim=32),
    'trn_single': _2d(
        dict(type='ResNet', depth=18), 512, 'TRNHead', hidden_dim=32, relation_type='TRN'
    ),
    'mobilenet': _2d(dict(type='MobileNetV2'), 1280),
    'mobilenet_tsm': _2d(dict(type='MobileNetV2TSM', pretrained2d=False), 1280, 'TSMHead'),
    'timesformer': _timesformer('divided_space_time'),
    'timesformer_joint': _timesformer('joint_space_time'),
    'timesformer_space': _timesformer('space_only'),
    'swin': _3d(SWIN, 32),
    'mvit': _3d(_mvit(), 64, 'MViTHead'),
    'mvit_mean': _3d(
        _mvit(with_cls_token=False, output_cls_token=False), 64, 'MViTHead', with_cls_token=False
    ),
    'videomae': _vit(),
    'vit_first': _vit(use_mean_pooling=False),
    'uniformer': _3d(UNIFORMER, 64),
    'uniformerv2': _3d(UNIFORMERV2, 32, 'TimeSformerHead'),
}
ALL = {**CONFIGS, **MORE}
# A fully connected layer or one position per patch ties these to the size ``batch`` gives. They
# notice another number of patches only: 32 x 128 passes for 64 x 64.
FIXED_SIZE = ('c3d', 'timesformer', 'timesformer_joint', 'timesformer_space', 'uniformerv2')
