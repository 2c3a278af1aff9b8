# X3D-L as PyTorchVideo built and trained it, of MMAction2's blocks.
_base_ = 'mmaction::_base_/models/x3d.py'

model = dict(
    backbone=dict(type='PyTorchVideoX3D', gamma_d=5.0),
    cls_head=dict(type='PyTorchVideoX3DHead', pool_window=(16, 10, 10)),
    data_preprocessor=dict(mean=[114.75] * 3, std=[57.375] * 3),  # 0.45 and 0.225 of 255
)
