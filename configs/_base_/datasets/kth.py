# KTH walking and running, official split by person, sub-sequences from 00sequences.txt.
# Frames are 160x120; the earlier work resized them to 120x120.
dataset_type = 'KTHDataset'
data_root = 'data/raw_dataset/kth_data'
clip_len = 30
frame_interval = 1
input_size = (120, 120)  # width, height
meta_keys = ('img_shape', 'video_id', 'clip_range', 'frame_inds', 'original_shape')

train_pipeline = [
    dict(type='DecordInit'),
    dict(type='ClipRange'),
    dict(type='SampleFrames', clip_len=clip_len, frame_interval=frame_interval, num_clips=1),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=input_size, keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='PackActionInputs', meta_keys=meta_keys),
]
test_pipeline = [
    dict(type='DecordInit'),
    dict(type='ClipRange'),
    dict(
        type='SampleFrames',
        clip_len=clip_len,
        frame_interval=frame_interval,
        num_clips=1,
        test_mode=True,
    ),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=input_size, keep_ratio=False),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='PackActionInputs', meta_keys=meta_keys),
]
train_dataloader = dict(
    batch_size=8,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        classes=('walking', 'running'),
        split='person',
        filename_tmpl='image_{:05d}.jpg',  # of extracted frames, with data_prefix=dict(img=...)
        subset='train',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        classes=('walking', 'running'),
        split='person',
        filename_tmpl='image_{:05d}.jpg',  # of extracted frames, with data_prefix=dict(img=...)
        subset='val',
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = dict(
    batch_size=8,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        classes=('walking', 'running'),
        split='person',
        filename_tmpl='image_{:05d}.jpg',  # of extracted frames, with data_prefix=dict(img=...)
        subset='test',
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
val_evaluator = dict(type='AccMetric', metric_options=dict(top_k_accuracy=dict(topk=(1,))))
test_evaluator = val_evaluator
