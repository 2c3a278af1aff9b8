# I3D R50 8x8, tested on Kinetics-400 with 30 views (10 clips of 3 crops).
# Published by PyTorchVideo: top-1 73.27, top-5 90.70.
#   python tools/test.py THIS checkpoints/I3D_8x8_R50.pyth
_base_ = [
    '../_base_/models/i3d_r50.py',
    '../_base_/kinetics400.py',
]

# target_fps: frames as at 30 per second, whatever the video has, as in the published test.
test_pipeline = [
    dict(type='DecordInit'),
    dict(
        type='SampleFrames',
        clip_len=8,
        frame_interval=8,
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
