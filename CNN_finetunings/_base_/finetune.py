# Fine-tuning on a folder of clips: lists of `path label` lines (tools/data/list_videos.py writes
# them), one GPU or the CPU, eight clips per step. A config that inherits this sets the paths, the
# number of classes and the pipelines.
_base_ = 'mmaction::_base_/default_runtime.py'
custom_imports = dict(imports=['mmsal'], allow_failed_imports=False)
custom_hooks = [dict(type='PyTorchVideoWeightsHook')]

data_root = 'data/clips'
train_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='VideoDataset',
        ann_file='lists/train.txt',
        data_root=data_root,
        data_prefix=dict(video=''),
    ),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='VideoDataset',
        ann_file='lists/val.txt',
        data_root=data_root,
        data_prefix=dict(video=''),
        test_mode=True,
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='VideoDataset',
        ann_file='lists/test.txt',
        data_root=data_root,
        data_prefix=dict(video=''),
        test_mode=True,
    ),
)
val_evaluator = dict(type='AccMetric', metric_options=dict(top_k_accuracy=dict(topk=(1,))))
test_evaluator = val_evaluator

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=20, val_begin=1, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.005, momentum=0.9, weight_decay=1e-4),
    # A new classifier among trained weights has further to go than they.
    paramwise_cfg=dict(custom_keys={'cls_head': dict(lr_mult=10)}),
    clip_grad=dict(max_norm=40, norm_type=2),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=True, end=2, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        T_max=18,
        by_epoch=True,
        begin=2,
        end=20,
        convert_to_iter_based=True,
    ),
]
default_hooks = dict(
    checkpoint=dict(interval=1, max_keep_ckpts=1, save_best='acc/top1', rule='greater')
)
auto_scale_lr = dict(enable=False, base_batch_size=8)
