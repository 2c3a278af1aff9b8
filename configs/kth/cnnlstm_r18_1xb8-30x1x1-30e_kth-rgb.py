_base_ = [
    'mmaction::_base_/default_runtime.py',
    '../_base_/models/cnnlstm_r18.py',
    '../_base_/datasets/kth.py',
]
custom_imports = dict(imports=['mmsal'], allow_failed_imports=False)

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=30, val_begin=1, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=1e-4),
    # At the CNN's rate the LSTM closes its gates before the CNN has anything to say: all scores
    # become 0 and stay there.
    paramwise_cfg=dict(custom_keys={'cls_head.recurrent': dict(lr_mult=0.1)}),
    clip_grad=dict(max_norm=5, norm_type=2),
)
param_scheduler = [
    dict(
        type='LinearLR', start_factor=0.1, by_epoch=True, begin=0, end=2, convert_to_iter_based=True
    ),
    dict(type='CosineAnnealingLR', T_max=28, eta_min=1e-5, by_epoch=True, begin=2, end=30),
]
default_hooks = dict(
    checkpoint=dict(interval=1, max_keep_ckpts=1, save_best='acc/top1', rule='greater')
)
auto_scale_lr = dict(enable=False, base_batch_size=8)
