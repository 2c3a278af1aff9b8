# The small CNN-LSTM for SYNTHETIC clips with input-cell attention (Ismail et al. 2019,
# arXiv 1910.12370), r = 20, d_a = 50.
_base_ = ['./cnnlstm_r18-small_1xb8-16x1x1-12e_kth-synthetic-rgb.py']

model = dict(
    cls_head=dict(cell='input_cell_attention', attention_hops=20, attention_size=50),
)
