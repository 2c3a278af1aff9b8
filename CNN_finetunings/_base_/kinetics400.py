# Kinetics-400's validation videos, listed as MMAction2 lists them; for testing alone.
_base_ = 'mmaction::_base_/default_runtime.py'
custom_imports = dict(imports=['mmsal'], allow_failed_imports=False)
custom_hooks = [dict(type='PyTorchVideoWeightsHook')]

test_dataloader = dict(
    batch_size=1,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='VideoDataset',
        ann_file='data/kinetics400/kinetics400_val_list_videos.txt',
        data_prefix=dict(video='data/kinetics400/videos_val'),
        test_mode=True,
    ),
)
test_evaluator = dict(type='AccMetric')
test_cfg = dict(type='TestLoop')
