# X3D-L 16x5, tested on Kinetics-400 with 30 views (10 clips of 3 crops).
# Published by PyTorchVideo: top-1 77.44, top-5 93.31.
#   python tools/test.py THIS checkpoints/X3D_L.pyth
_base_ = [
    '../_base_/models/x3d_l.py',
    '../_base_/kinetics400.py',
]

# target_fps: frames as at 30 per second, whatever the video has, as in the published test.
test_pipeline = [
    dict(type='DecordInit'),
    dict(
        type='SampleFrames',
        clip_len=16,
        frame_interval=5,
        num_clips=10,
        target_fps=30,
        test_mode=True,
    ),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 356)),
    dict(type='ThreeCrop', crop_size=356),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

# The published network averages probabilities, not scores, over the nine windows of a 356 crop.
model = dict(cls_head=dict(average_windows='prob'))
