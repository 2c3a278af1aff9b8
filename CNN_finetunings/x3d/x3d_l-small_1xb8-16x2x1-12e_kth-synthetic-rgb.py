# X3D-L 16x5 with random weights, on small pictures of SYNTHETIC clips
# (CNN_finetunings/reproduce.sh makes them): to try every step in minutes on two CPU cores. What it
# scores says nothing about KTH.
_base_ = './x3d_l_pytorchvideo-pretrained_1xb8-16x2x1-20e_kth-rgb.py'

load_from = None
data_root = 'data/synthetic_kth_sequences'
model = dict(
    backbone=dict(norm_eval=False),  # there are no trained statistics
    cls_head=dict(pool_window=None),  # the published window is larger than these maps
)

train_pipeline = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=16, frame_interval=2, num_clips=1),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(112, 84), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=16, frame_interval=2, num_clips=1, test_mode=True),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(112, 84), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
loader = dict(num_workers=2, dataset=dict(data_root=data_root, pipeline=test_pipeline))
# A batch of one clip has no batch statistics.
train_dataloader = dict(
    num_workers=2, drop_last=True, dataset=dict(data_root=data_root, pipeline=train_pipeline)
)
val_dataloader = loader
test_dataloader = loader

train_cfg = dict(max_epochs=12, val_begin=4, val_interval=4)
optim_wrapper = dict(
    _delete_=True,
    optimizer=dict(type='AdamW', lr=5e-4, weight_decay=0.01),
    clip_grad=dict(max_norm=40, norm_type=2),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=True, end=1, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        T_max=11,
        by_epoch=True,
        begin=1,
        end=12,
        convert_to_iter_based=True,
    ),
]
default_hooks = dict(checkpoint=dict(interval=4), logger=dict(interval=4))
