# SlowFast R101 16x8 ("R101_50_50") as PyTorchVideo built and trained it, of MMAction2's blocks.
_base_ = 'mmaction::_base_/models/slowfast_r50.py'

# Kernels over time stop after six blocks of the third stage, as many as an R50 has.
third_stage = (1,) * 6 + (0,) * 17
model = dict(
    backbone=dict(
        type='PyTorchVideoSlowFast',
        # The fast pathway sees every frame of the clip, the slow one a quarter of them.
        resample_rate=4,
        speed_ratio=4,
        slow_pathway=dict(
            depth=101, fusion_kernel=5, lateral_norm=True, inflate=(0, 0, third_stage, 1)
        ),
        fast_pathway=dict(depth=101, inflate=(1, 1, third_stage, 1)),
    ),
    cls_head=dict(type='PyTorchVideoSlowFastHead', pool_windows=((16, 7, 7), (64, 7, 7))),
    data_preprocessor=dict(mean=[114.75] * 3, std=[57.375] * 3),  # 0.45 and 0.225 of 255
)
