# SlowFast R101 16x8, tested on Kinetics-400 with 30 views (10 clips of 3 crops).
# Published by PyTorchVideo: top-1 78.70, top-5 93.61.
#   python tools/test.py THIS checkpoints/SLOWFAST_16x8_R101_50_50.pyth
_base_ = [
    '../_base_/models/slowfast_r101.py',
    '../_base_/kinetics400.py',
]

# target_fps: frames as at 30 per second, whatever the video has, as in the published test.
test_pipeline = [
    dict(type='DecordInit'),
    dict(
        type='SampleFrames',
        clip_len=64,
        frame_interval=2,
        num_clips=10,
        target_fps=30,
        test_mode=True,
    ),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='ThreeCrop', crop_size=256),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
