# CBAM (Woo et al. 2018, arXiv 1807.06521) in every residual block of the CNN.
_base_ = ['./cnnlstm_r18_1xb8-30x1x1-30e_kth-rgb.py']

model = dict(backbone=dict(type='ResNetCBAM'))
