_base_ = ['./cnnlstm_r18_1xb8-30x1x1-30e_kth-rgb.py']

model = dict(backbone=dict(depth=101), cls_head=dict(in_channels=2048))
