# SlowFast R101 16x8 with random weights, on small pictures of SYNTHETIC clips, drawn to where
# simulated observers look (docs/gaze_training.md): to try every step in minutes on two CPU cores.
# What it scores says nothing about KTH.
#   python tools/data/synthetic/make_clips.py data/synthetic_kth
#   python tools/train.py THIS
# Clips elsewhere: MMSAL_FIXATIONS=DIR/fixations.csv in the environment, and
# --cfg-options {train,val,test}_dataloader.dataset.data_root=DIR.
_base_ = '../../CNN_finetunings/slowfast/slowfast_r101-small_1xb8-4x8x1-12e_kth-synthetic-rgb.py'

fixations = '{{$MMSAL_FIXATIONS:data/synthetic_kth/fixations.csv}}'
sigma = {{'$MMSAL_SIGMA:10'}}  # pixels of the video that are one degree for the observers
map_size = (3, 4)  # cells of the last layer, rows and columns, for the input size below
gaze_keys = ('gaze_maps', 'gaze_points')

model = dict(
    type='GazeAlignedRecognizer3D',
    gaze_loss=dict(type='GazeAlignmentLoss', metric='cc', weight=0.3),
)

train_pipeline = [
    dict(type='DecordInit'),
    dict(type='ClipRange'),
    dict(type='SampleFrames', clip_len=16, frame_interval=2, num_clips=1),
    dict(type='DecordDecode'),
    dict(
        type='LoadGazeMaps',
        fixations=fixations,
        sigma=sigma,
        map_size=map_size,
        transforms=[
            dict(type='Resize', scale=(112, 84), keep_ratio=False),
            dict(type='Flip', flip_ratio=0.5),
        ],
    ),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', algorithm_keys=gaze_keys),
]
test_pipeline = [
    dict(type='DecordInit'),
    dict(type='ClipRange'),
    dict(type='SampleFrames', clip_len=16, frame_interval=2, num_clips=1, test_mode=True),
    dict(type='DecordDecode'),
    dict(
        type='LoadGazeMaps',
        fixations=fixations,
        sigma=sigma,
        map_size=map_size,
        transforms=[dict(type='Resize', scale=(112, 84), keep_ratio=False)],
    ),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', algorithm_keys=gaze_keys),
]
# Whole files, as observers watched them; the passes of 00sequences.txt are the clips.
clips = dict(
    type='KTHDataset',
    data_root='data/synthetic_kth',
    classes=('walking', 'running'),
    split='person',
)
train_dataloader = dict(
    dataset=dict(_delete_=True, **clips, subset='train', pipeline=train_pipeline)
)
tested = dict(_delete_=True, **clips, pipeline=test_pipeline, test_mode=True)
val_dataloader = dict(dataset=dict(**tested, subset='val'))
test_dataloader = dict(dataset=dict(**tested, subset='test'))

val_evaluator = [
    dict(type='AccMetric', metric_options=dict(top_k_accuracy=dict(topk=(1,)))),
    dict(type='GazeMetric'),
]
test_evaluator = val_evaluator
custom_hooks = [dict(type='PyTorchVideoWeightsHook'), dict(type='GazeCountHook')]
# The epoch that is most often right need not be the one that looks most like people: both are kept.
default_hooks = dict(checkpoint=dict(save_best=['acc/top1', 'gaze/nss'], rule='greater'))
# The share of clips whose frames had gaze: of the last hundred batches, not of the last one alone.
log_processor = dict(custom_cfg=[dict(data_src='gaze_clips', method_name='mean', window_size=100)])
