# A CNN-LSTM that is trained to look where people look (docs/gaze_training.md): the class activation
# of the true class is drawn towards the density of fixations. Gaze on KTH's files is nowhere to be
# downloaded; record some, and tools/data/gaze/read_fixations.py makes the table. Where it lies, and
# how many pixels of the video are one degree for whoever watched, the environment tells all
# pipelines at once:
#   MMSAL_FIXATIONS=gaze.csv MMSAL_SIGMA=8 python tools/train.py THIS
# (--cfg-options reaches a pipeline by its steps alone, each by itself:
# train_dataloader.dataset.pipeline.4.fixations=gaze.csv, and val_ and test_dataloader likewise).
# Clips whose video is not in the table are trained on without gaze. For a test without gaze take
# the config of configs/kth, which the checkpoints of this one fit.
_base_ = ['../kth/cnnlstm_r18_1xb8-30x1x1-30e_kth-rgb.py']

fixations = '{{$MMSAL_FIXATIONS:data/kth_gaze/fixations.csv}}'
sigma = {{'$MMSAL_SIGMA:10'}}  # pixels of the video (160x120) that are one degree
map_size = (4, 4)  # cells of the last layer, rows and columns, for the input size below
gaze_keys = ('gaze_maps', 'gaze_points')
meta_keys = ('img_shape', 'video_id', 'clip_range', 'frame_inds', 'original_shape')

model = dict(gaze_loss=dict(type='GazeAlignmentLoss', metric='cc', weight=0.1))

train_pipeline = [
    dict(type='DecordInit'),
    dict(type='ClipRange'),
    dict(type='SampleFrames', clip_len=30, frame_interval=1, num_clips=1),
    dict(type='DecordDecode'),
    dict(
        type='LoadGazeMaps',
        fixations=fixations,
        sigma=sigma,
        map_size=map_size,
        transforms=[
            dict(type='Resize', scale=(120, 120), keep_ratio=False),
            dict(type='Flip', flip_ratio=0.5),
        ],
    ),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='PackActionInputs', algorithm_keys=gaze_keys, meta_keys=meta_keys),
]
test_pipeline = [
    dict(type='DecordInit'),
    dict(type='ClipRange'),
    dict(type='SampleFrames', clip_len=30, frame_interval=1, num_clips=1, test_mode=True),
    dict(type='DecordDecode'),
    dict(
        type='LoadGazeMaps',
        fixations=fixations,
        sigma=sigma,
        map_size=map_size,
        transforms=[dict(type='Resize', scale=(120, 120), keep_ratio=False)],
    ),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='PackActionInputs', algorithm_keys=gaze_keys, meta_keys=meta_keys),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

val_evaluator = [
    dict(type='AccMetric', metric_options=dict(top_k_accuracy=dict(topk=(1,)))),
    dict(type='GazeMetric'),
]
test_evaluator = val_evaluator
custom_hooks = [dict(type='GazeCountHook')]
# The epoch that is most often right need not be the one that looks most like people: both are kept.
default_hooks = dict(checkpoint=dict(save_best=['acc/top1', 'gaze/nss'], rule='greater'))
# The share of clips whose frames had gaze: of the last hundred batches, not of the last one alone.
log_processor = dict(custom_cfg=[dict(data_src='gaze_clips', method_name='mean', window_size=100)])
