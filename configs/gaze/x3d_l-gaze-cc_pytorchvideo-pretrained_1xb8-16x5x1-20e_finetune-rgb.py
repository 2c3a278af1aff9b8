# X3D-L 16x5, fine-tuned on a folder of clips and drawn to where people looked in them
# (docs/gaze_training.md): the class activation of the true class is drawn towards the density of
# fixations. tools/data/gaze/read_fixations.py makes the table; where it lies, and how many pixels
# of the videos are one degree for whoever watched, the environment tells all pipelines at once:
#   MMSAL_FIXATIONS=gaze.csv MMSAL_SIGMA=40 python tools/train.py THIS
# (--cfg-options reaches a pipeline by its steps alone, each by itself:
# train_dataloader.dataset.pipeline.3.fixations=gaze.csv, and val_dataloader likewise). Clips whose
# video is not in the table are trained on without gaze. The test, with 30 views, is without.
_base_ = '../../CNN_finetunings/x3d/x3d_l_pytorchvideo-pretrained_1xb8-16x5x1-20e_finetune-rgb.py'

fixations = '{{$MMSAL_FIXATIONS:data/clips/fixations.csv}}'
sigma = {{'$MMSAL_SIGMA:30'}}  # pixels of the videos that are one degree: yours will be others
map_size = (10, 10)  # cells of the last layer, rows and columns, for the crops below
gaze_keys = ('gaze_maps', 'gaze_points')

model = dict(
    type='GazeAlignedRecognizer3D',
    gaze_loss=dict(type='GazeAlignmentLoss', metric='cc', weight=0.3),
)

train_pipeline = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=16, frame_interval=5, num_clips=1),
    dict(type='DecordDecode'),
    dict(
        type='LoadGazeMaps',
        fixations=fixations,
        sigma=sigma,
        map_size=map_size,
        transforms=[
            dict(type='RandomRescale', scale_range=(356, 446)),
            dict(type='RandomCrop', size=312),
            dict(type='Flip', flip_ratio=0.5),
        ],
    ),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', algorithm_keys=gaze_keys),
]
val_pipeline = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=16, frame_interval=5, num_clips=1, test_mode=True),
    dict(type='DecordDecode'),
    dict(
        type='LoadGazeMaps',
        fixations=fixations,
        sigma=sigma,
        map_size=map_size,
        transforms=[
            dict(type='Resize', scale=(-1, 356)),
            dict(type='CenterCrop', crop_size=312),
        ],
    ),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', algorithm_keys=gaze_keys),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))

val_evaluator = [
    dict(type='AccMetric', metric_options=dict(top_k_accuracy=dict(topk=(1,)))),
    dict(type='GazeMetric'),
]
custom_hooks = [dict(type='PyTorchVideoWeightsHook'), dict(type='GazeCountHook')]
# The epoch that is most often right need not be the one that looks most like people: both are kept.
default_hooks = dict(checkpoint=dict(save_best=['acc/top1', 'gaze/nss'], rule='greater'))
# The share of clips whose frames had gaze: of the last hundred batches, not of the last one alone.
log_processor = dict(custom_cfg=[dict(data_src='gaze_clips', method_name='mean', window_size=100)])
