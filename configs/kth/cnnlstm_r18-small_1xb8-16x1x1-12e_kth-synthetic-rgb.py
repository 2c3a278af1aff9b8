# A CNN-LSTM small enough to train on two CPU cores in a few minutes, for the SYNTHETIC clips of
# tools/data/synthetic/make_clips.py. The CNN is ResNet-18 without its last stage, so that its
# maps are 7x6 at this input size rather than 4x3.
_base_ = ['./cnnlstm_r18_1xb8-30x1x1-30e_kth-rgb.py']

data_root = 'data/synthetic_kth'
model = dict(
    backbone=dict(num_stages=3, strides=(1, 2, 2), dilations=(1, 1, 1), out_indices=(2,)),
    cls_head=dict(in_channels=256, clip_len=16),
)
meta_keys = ('img_shape', 'video_id', 'clip_range', 'frame_inds', 'original_shape')
train_pipeline = [
    dict(type='DecordInit'),
    dict(type='ClipRange'),
    dict(type='SampleFrames', clip_len=16, frame_interval=1, num_clips=1),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(112, 84), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='PackActionInputs', meta_keys=meta_keys),
]
test_pipeline = [
    dict(type='DecordInit'),
    dict(type='ClipRange'),
    dict(type='SampleFrames', clip_len=16, frame_interval=1, num_clips=1, test_mode=True),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(112, 84), keep_ratio=False),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='PackActionInputs', meta_keys=meta_keys),
]
train_dataloader = dict(dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(data_root=data_root, pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(data_root=data_root, pipeline=test_pipeline))

train_cfg = dict(max_epochs=12, val_begin=4, val_interval=4)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=True, end=1, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        T_max=11,
        eta_min=1e-5,
        by_epoch=True,
        begin=1,
        end=12,
        convert_to_iter_based=True,
    ),
]
default_hooks = dict(logger=dict(interval=4))
