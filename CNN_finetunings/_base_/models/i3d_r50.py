# I3D R50 as PyTorchVideo built and trained it, of MMAction2's blocks.
_base_ = 'mmaction::_base_/models/i3d_r50.py'

model = dict(
    backbone=dict(
        type='PyTorchVideoI3D',
        pretrained=None,  # MMAction2's base would fetch an ImageNet ResNet from the network
        pretrained2d=False,
        conv1_stride_t=1,
        pool1_stride_t=1,
    ),
    cls_head=dict(type='PyTorchVideoI3DHead', pool_window=(4, 7, 7)),
    data_preprocessor=dict(mean=[114.75] * 3, std=[57.375] * 3),  # 0.45 and 0.225 of 255
)
