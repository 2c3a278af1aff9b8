"""Networks, registered with MMAction2 by importing this package."""

from mmsal.models.cbam import CBAM, ResNetCBAM
from mmsal.models.cnn_lstm import CNNLSTMRecognizer
from mmsal.models.cnn_lstm_head import CNNLSTMHead
from mmsal.models.input_cell_attention import InputCellAttentionLSTM

__all__ = ['CBAM', 'CNNLSTMHead', 'CNNLSTMRecognizer', 'InputCellAttentionLSTM', 'ResNetCBAM']
